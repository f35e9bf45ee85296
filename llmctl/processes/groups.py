"""How child processes are started, and ended together with everything that they have started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from typing import TypedDict

__all__ = ["OwnGroup", "end_group", "own_group", "python_module", "reap"]


class OwnGroup(TypedDict, total=False):
    """Arguments of `subprocess.Popen`."""

    start_new_session: bool
    creationflags: int


def python_module(name: str) -> list[str]:
    """The command that runs a module of this package; `-P`: nothing is imported from the current folder."""
    return [sys.executable, "-P", "-m", name]


def own_group() -> OwnGroup:
    """A group of its own: Ctrl-C in the terminal reaches llmctl alone, which ends what it has started."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def end_group(pid: int) -> None:
    """Kill a process that was started with `own_group`, and all that it has started."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(pid)], capture_output=True, check=False)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


async def reap(process: asyncio.subprocess.Process) -> None:
    """Wait for the end of a process that was killed or has ended, also when the waiting is cancelled meanwhile.

    Our ends of its pipes are closed first: until then `wait()` waits for the end of each pipe too, and the end of a
    pipe that nobody reads any more, or that what it has started holds open, is never seen.
    """
    _close_pipes(process)
    waiting = asyncio.ensure_future(process.wait())
    cancelled = False
    while not waiting.done():
        try:
            await asyncio.shield(waiting)
        except asyncio.CancelledError:  # a transport left half closed is found, and complained of, much later
            cancelled = True
    if cancelled or waiting.cancelled():
        raise asyncio.CancelledError


def _close_pipes(process: asyncio.subprocess.Process) -> None:
    # One by one: to close the whole transport may collect the process first, which asyncio then reports as unknown.
    transport = getattr(process, "_transport", None)
    for number in range(3):
        pipe = transport.get_pipe_transport(number) if transport is not None else None
        if pipe is not None:
            pipe.close()
