"""Child processes and their folders: real processes, none of which may outlive its test."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from llmctl.providers.local import scratch
from llmctl.providers.local.process import ChildProcess
from llmctl.providers.local.scratch import ScratchFolder
from tests.providers.local_support import short_tmp

__all__ = ["short_tmp"]

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


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_folder_is_private_and_short(short_tmp: Path) -> None:
    folder = ScratchFolder()
    assert folder.path.parent == short_tmp
    assert folder.path.stat().st_mode & 0o777 == 0o700
    folder.remove()
    folder.remove()
    assert list(short_tmp.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="sockets are POSIX")
def test_a_long_temporary_path_is_not_used_for_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("x" * 80)))
    folder = ScratchFolder()
    assert len(os.fsencode(folder.path / "s.sock")) < 104
    folder.remove()


def test_folders_of_dead_processes_are_swept(short_tmp: Path) -> None:
    alive = ScratchFolder()
    dead = short_tmp / "llmctl-1-dead"
    fresh = short_tmp / "llmctl-2-fresh"
    link = short_tmp / "llmctl-3-link"
    others = short_tmp / "llmctl"
    for folder in (dead, fresh, others):
        folder.mkdir()
        (folder / "s.sock").touch()
    link.symlink_to(others)
    for folder in (alive.path, dead, others):
        os.utime(folder, (1, 1))
    os.utime(link, (1, 1), follow_symlinks=False)
    scratch.sweep(short_tmp)
    assert [path.name for path in others.iterdir()] == ["s.sock"]
    assert set(short_tmp.iterdir()) == {alive.path, fresh, link, others}
    alive.remove()
