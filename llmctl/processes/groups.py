"""How child processes are started, and ended together with everything that they have started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from typing import TypedDict

__all__ = ["OwnGroup", "close_pipes", "end_group", "own_group", "python_module"]


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


def close_pipes(process: asyncio.subprocess.Process) -> None:
    """Close our ends of a process's pipes.

    Until then `wait()` waits for more than the process: for the end of each pipe, and the end of a pipe that nobody
    reads any more is never seen.
    """
    transport = getattr(process, "_transport", None)
    if transport is not None:
        transport.close()
