"""However and whenever a run ends, its local model's process, socket and folder end with it."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import uuid
from enum import Enum
from pathlib import Path

import pytest

from llmctl.processes import scratch
from tests.providers.local_support import real_weights, short_tmp

__all__ = ["real_weights", "short_tmp"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes through /proc")

ROUNDS = 30
MARK = "LLMCTL_TEST_ROUND"
LONGEST_S = 1.5

ONE_REQUEST = """
import asyncio, sys
from pathlib import Path
import aiohttp
from llmctl.providers.local.server import LocalServer

async def main():
    server = LocalServer(Path(sys.argv[1]), "smollm2-135m")
    try:
        endpoint = await server.start()
        body = {"messages": [{"role": "user", "content": "Count to five."}], "max_tokens": 24}
        connector = aiohttp.UnixConnector(str(endpoint.socket_path))
        async with aiohttp.ClientSession(connector=connector) as http:
            async with http.post(endpoint.base_url + "/chat/completions", json=body) as response:
                assert response.status == 200
    finally:
        await server.stop()

asyncio.run(main())
"""


class Ending(Enum):
    """How the parent is ended."""

    BY_ITSELF = "itself"
    CTRL_C = "ctrl-c"
    SIGKILL = "sigkill"


def marked(mark: str) -> list[int]:
    """Every process that was started, directly or not, by the parent of this round."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:  # it has ended meanwhile
            continue
    return found


def gone_within(pid: int, seconds: float) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


def end(parent: subprocess.Popen[bytes], ending: Ending, after_s: float) -> None:
    try:
        parent.wait(120.0 if ending is Ending.BY_ITSELF else after_s)
    except subprocess.TimeoutExpired:
        if ending is Ending.CTRL_C:
            os.killpg(parent.pid, signal.SIGINT)  # as a terminal does: to the whole group
        else:
            parent.kill()
    parent.wait(30.0)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_nothing_stays_behind(real_weights: Path, short_tmp: Path, seed: int) -> None:
    ending = list(Ending)[seed % 3]
    after_s = random.Random(seed).uniform(0.0, LONGEST_S)
    mark = uuid.uuid4().hex
    parent = subprocess.Popen(
        [sys.executable, "-c", ONE_REQUEST, str(real_weights)],
        env={**os.environ, MARK: mark, "TMPDIR": str(short_tmp)},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    end(parent, ending, after_s)
    if ending is Ending.BY_ITSELF:
        assert parent.returncode == 0
    orphans = [pid for pid in marked(mark) if not gone_within(pid, 30.0)]
    for pid in orphans:
        os.kill(pid, signal.SIGKILL)
    assert orphans == []
    left = [path for folder in short_tmp.iterdir() for path in folder.iterdir()]
    # A parent killed between making the folder and starting the child leaves no more than the lock and an empty log.
    assert all(path.name == "lock" or path.read_bytes() == b"" for path in left), left
    if ending is not Ending.SIGKILL:
        assert left == []
    for folder in short_tmp.iterdir():
        os.utime(folder, (1, 1))
    scratch.sweep(short_tmp)
    assert list(short_tmp.iterdir()) == []


def test_a_child_whose_pipe_was_inherited_by_another_process_ends_with_its_parent(
    short_tmp: Path, real_weights: Path
) -> None:
    """A forked worker of the user's own keeps the pipe open: then the child must see that its parent's id changed."""
    script = """
import asyncio, os, sys, signal
from pathlib import Path
from llmctl.providers.local.server import LocalServer

async def main():
    server = LocalServer(Path(sys.argv[1]), "x")
    await server.start()
    worker = os.fork()
    if worker == 0:
        signal.pause()
    print(server.pid, worker, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
    command = [sys.executable, "-c", script, str(real_weights)]
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(short_tmp)}, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child, worker = map(int, parent.stdout.readline().split())
    try:
        assert gone_within(child, 30.0)
        assert list(short_tmp.iterdir()) == []
    finally:
        os.kill(worker, signal.SIGKILL)
