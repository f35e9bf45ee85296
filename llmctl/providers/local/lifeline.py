"""The child's side of its bond with the parent: when stdin closes, tidy up and end at once.

Imported by the children, so nothing but the standard library is imported here.
"""

from __future__ import annotations

import faulthandler
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO, NoReturn

__all__ = ["end", "private_stdout", "tie_to_parent", "work_must_end_within"]

_PARENT_CHECK_S = 1.0


def private_stdout() -> BinaryIO:
    """Keep stdout for answers alone: whatever libraries print there goes to the log (stderr) from now on."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return answers


def tie_to_parent(folder: Path) -> None:
    """Ignore Ctrl-C, which is the parent's to act on, and end when the parent has gone.

    A parent that dies takes its end of stdin with it, unless another of its children has inherited that; so the
    parent's id is watched as well.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch_parent, args=(folder, os.getppid()), daemon=True).start()


def work_must_end_within(seconds: float | None) -> None:
    """End this process unless it gets on within `seconds`; None: it did.

    A thread could not do this: xllamacpp holds the interpreter's lock while it starts.
    """
    if seconds is None:
        faulthandler.cancel_dump_traceback_later()
    else:
        faulthandler.dump_traceback_later(seconds, exit=True)


def end(folder: Path, status: int = 0) -> NoReturn:
    """Remove the folder and end without an orderly shutdown, in which llama.cpp hangs 1 time in 5 to 12."""
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(status)


def _watch_parent(folder: Path, parent: int) -> None:
    if sys.platform == "win32":  # no ids to watch: a parent's id does not change when it dies
        return
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_S)
    end(folder)
