"""Child processes: real ones, none of which may outlive its test."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from llmctl.providers.local.process import ChildProcess

ECHO = "import sys\nfor line in sys.stdin.buffer: sys.stdout.buffer.write(line); sys.stdout.buffer.flush()"
DEAF = "import time\nwhile True: time.sleep(60)"
DYING = "import sys; print('loading'); print('out of memory', file=sys.stderr); sys.exit(3)"


def child(code: str, folder: Path) -> ChildProcess:
    return ChildProcess([sys.executable, "-c", code], folder=folder, log=folder / "log.txt", env={})


async def test_lines_go_in_and_come_out(tmp_path: Path) -> None:
    process = child(ECHO, tmp_path)
    await process.write(b"one\ntwo\n", 30.0)
    assert await process.read_line(30.0) == b"one\n"
    assert await process.read(4, 30.0) == b"two\n"
    process.close()
    assert not process.alive
    process.close()


async def test_a_child_that_hears_nothing_is_killed_after_a_second(tmp_path: Path) -> None:
    process = child(DEAF, tmp_path)
    began = time.monotonic()
    await asyncio.to_thread(process.close)
    assert not process.alive
    assert 0.9 < time.monotonic() - began < 10.0


@pytest.mark.parametrize("size", [0, 10_000_000])
async def test_a_hanging_child_is_killed_at_the_deadline(tmp_path: Path, size: int) -> None:
    process = child(DEAF, tmp_path)
    with pytest.raises(TimeoutError):
        if size:
            await process.write(b"x" * size, 0.3)  # more than the pipe holds
        else:
            await process.read_line(0.3)
    assert await process.read_line(30.0) == b""
    process.kill()
    assert not process.alive


async def test_last_words(tmp_path: Path) -> None:
    process = child(DYING, tmp_path)
    assert await process.read_line(30.0) == b"loading\n"
    assert await process.read_line(30.0) == b""
    assert process.last_words() == "out of memory"
    process.close()


@pytest.mark.skipif(sys.platform == "win32", reason="sessions are POSIX")
async def test_ctrl_c_does_not_reach_the_child(tmp_path: Path) -> None:
    process = child("import os; print(os.getsid(0), flush=True); input()", tmp_path)
    assert int(await process.read_line(30.0)) == process.pid != os.getsid(0)
    process.close()
