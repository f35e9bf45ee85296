"""Processes that can be ended together with everything they have started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import TypedDict

__all__ = ["OwnGroup", "end_group", "own_group"]


class OwnGroup(TypedDict, total=False):
    """Arguments of `subprocess.Popen`."""

    start_new_session: bool
    creationflags: int


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
