"""A worker and its child: what each says to the other, and who ends when."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from llmctl.processes.worker import Crashed, Worker
from tests.providers.app.conftest import ends

MODULE = "llmctl.providers.app.child"  # the plainest there is: variables in, what the function returns out


@asynccontextmanager
async def started(root: Path, code: str, largest: int = 1000) -> AsyncIterator[Worker]:
    (root / "work.py").write_text(code, encoding="utf-8")
    setting = json.dumps({"root": str(root), "file": "work.py", "function": "work"}).encode()
    worker = await Worker.start(MODULE, setting, os.environ, largest=largest)
    try:
        yield worker
    finally:
        await worker.kill()


async def ask(worker: Worker, **message: Any) -> Any:
    async with asyncio.timeout(20):
        answer = await worker.ask(json.dumps({"vars": None, **message}).encode())
    return None if answer is None else json.loads(answer)


async def test_questions_are_answered_in_turn_by_one_process(tmp_path: Path) -> None:
    async with started(tmp_path, "said = []\ndef work(word):\n    said.append(word)\n    return said\n") as worker:
        assert await ask(worker, vars="a") == {"value": ["a"]}
        assert await ask(worker, vars="b") == {"value": ["a", "b"]}
    assert ends(worker.pid)


async def test_a_crash_says_how_and_what_was_heard_last(tmp_path: Path) -> None:
    code = "import os\ndef work(_):\n    print('out of memory')\n    os.abort()\n"
    async with started(tmp_path, "import sys\n" + code.replace("os.abort", "sys.stdout.flush(); os.abort")) as worker:
        with pytest.raises(Crashed, match=r"exit code -6: .*out of memory"):
            await ask(worker)


async def test_what_cannot_be_loaded_is_said_and_gone(tmp_path: Path) -> None:
    with pytest.raises(Crashed, match=r"^ValueError: no \(work.py, line 2\)$"):
        async with started(tmp_path, "\nraise ValueError('no')\n"):
            pass


async def test_an_answer_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    async with started(tmp_path, "def work(size): return 'x' * size\n", largest=100) as worker:
        assert await ask(worker, vars=50) == {"value": "x" * 50}
        assert await ask(worker, vars=200) is None


async def test_a_call_that_lasts_says_where_it_stands(tmp_path: Path) -> None:
    code = "import time\ndef work(seconds):\n    time.sleep(seconds)\n"
    async with started(tmp_path, code) as worker:
        await ask(worker, vars=0, report_after_s=0.05)
        await ask(worker, vars=0.2)
        assert worker.log_end() == ""
        await ask(worker, vars=0.5, report_after_s=0.05)
        assert f'File "{tmp_path}/work.py", line 3 in work' in worker.log_end()


async def test_closing_lets_it_end_by_itself(tmp_path: Path) -> None:
    async with started(tmp_path, "def work(_): ...\n") as worker:
        folder = worker._folder.path
        await worker.close()
        assert ends(worker.pid)
        assert not folder.exists()


async def test_what_nobody_reads_holds_up_no_end(tmp_path: Path) -> None:
    """More than a pipe and a reader's buffer hold; Python 3.11's `wait()` waited for it for ever."""
    async with started(tmp_path, "def work(size): return 'x' * size\n") as worker:
        assert await ask(worker, vars=10_000_000) is None
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            while worker._process.stdout is not None and not full(worker._process.stdout):
                await asyncio.sleep(0)
            await worker.kill()
    assert ends(worker.pid)


def full(reader: asyncio.StreamReader) -> bool:
    """Whether so much lies in it that it has stopped reading."""
    return bool(getattr(reader, "_paused"))  # noqa: B009


async def test_it_is_gone_also_when_the_killing_is_cancelled(tmp_path: Path) -> None:
    async with started(tmp_path, "def work(word):\n    return word\n") as worker:
        killing = asyncio.create_task(worker.kill())
        await asyncio.sleep(0)
        killing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await killing
        assert worker.ended
