"""The end of the process, without taking every module and object apart first."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import NoReturn

__all__ = ["end"]


def end(code: int) -> NoReturn:
    """End the process with an exit code.

    Python takes 0.09 s of CPU to take apart what an `eval` has loaded, which the system does in no time. What was
    registered for the end still runs first; where a thread is still at work, the process ends as Python ends it.
    """
    if threading.active_count() > 1:
        sys.exit(code)
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except OSError:  # nobody reads it any more: Python has its own way to say so
        sys.exit(code)
    os._exit(code)
