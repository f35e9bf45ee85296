"""Commands: data in, output taken piece by piece, nothing left running."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from llmctl.processes.command import CannotStart, Ended, run_command
from tests.providers.app.conftest import ends


async def run(code: str, tmp_path: Path, data: bytes = b"", most: int = 10_000_000) -> tuple[Ended, bytes]:
    output = bytearray()

    def take(chunk: bytes) -> bool:
        output.extend(chunk)
        return len(output) <= most

    ended = await run_command([sys.executable, "-c", code], data, take, cwd=tmp_path, environ=os.environ)
    return ended, bytes(output)


async def test_what_goes_in_comes_out_and_the_folder_is_its_own(tmp_path: Path) -> None:
    code = "import os, sys; sys.stdout.write(sys.stdin.read().upper() + os.getcwd())"
    ended, output = await run(code, tmp_path, b"a" * 300_000)
    assert ended == Ended(0)
    assert output == b"A" * 300_000 + os.fsencode(tmp_path.resolve())


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("import sys; sys.exit(3)", 3, "The command ended with exit code 3."),
        (
            "import sys; sys.exit('a\\n\\nb\\nc\\nd')",
            1,
            "The command ended with exit code 1: b | c | d",
        ),
        ("import os; os.kill(os.getpid(), 9)", -9, "The command was ended by SIGKILL."),
        ("import os; os.close(0); os._exit(0)", 0, "The command ended with exit code 0."),
    ],
)
async def test_how_it_ended(tmp_path: Path, code: str, status: int, said: str) -> None:
    ended, _ = await run(code, tmp_path, b"x" * 300_000)
    assert (ended.status, str(ended)) == (status, said)


async def test_too_much_output_ends_it(tmp_path: Path) -> None:
    ended, output = await run("while True: print('y' * 1000)", tmp_path, most=100_000)
    assert ended.status is None
    assert len(output) < 300_000


async def test_a_program_that_is_not_there_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="No such file"):
        await run_command(["./nowhere"], b"", lambda _: True, cwd=tmp_path, environ={})


async def test_whoever_gives_up_leaves_nothing_running(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, os\nchild = subprocess.Popen(['sleep', '300'])\n"
        "print(os.getpid(), child.pid, flush=True)\nchild.wait()"
    )
    output = bytearray()
    there = asyncio.Event()

    def take(chunk: bytes) -> bool:
        output.extend(chunk)
        there.set()
        return True

    running = run_command([sys.executable, "-c", code], b"", take, cwd=tmp_path, environ=os.environ)
    task = asyncio.create_task(running)
    async with asyncio.timeout(20):
        await there.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert all([ends(int(pid)) for pid in output.split()])


async def test_what_nobody_reads_holds_up_no_end(tmp_path: Path) -> None:
    """The reader stops at the first piece, while more waits than a pipe and its buffer hold."""
    code = "import sys, os\nwhile True: os.write(1, b'y' * 1_000_000)"
    async with asyncio.timeout(20):
        for _ in range(5):
            ended, _output = await run(code, tmp_path, most=0)
            assert ended.status is None
