"""The child's side of its bond with the parent: when the parent has gone, tidy up and end at once.

Imported by the children, so nothing but the standard library is imported here.
"""

from __future__ import annotations

import faulthandler
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

__all__ = ["Parent", "work_must_end_within"]

_PARENT_CHECK_S = 1.0


class Parent:
    """The process that started this one, gave it a folder, writes to its stdin and reads its stdout."""

    def __init__(self, folder: Path) -> None:
        """Ignore Ctrl-C, which is the parent's to act on; keep stdout for answers; watch for the parent's end.

        Whatever libraries print to stdout goes to the log (stderr) from now on. A parent that dies takes its end of
        stdin with it, unless another of its children has inherited that; so the parent's id is watched as well.
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._folder = folder
        self._answers: BinaryIO = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        threading.Thread(target=self._watch, args=(os.getppid(),), daemon=True).start()

    def settings(self) -> dict[str, Any]:
        """The first line that the parent writes."""
        line = sys.stdin.buffer.readline()
        if not line:
            self.end()
        settings: dict[str, Any] = json.loads(line)
        return settings

    def say(self, message: Mapping[str, object], body: bytes = b"") -> None:
        """Answer with one line of JSON and, where it announces them, raw bytes."""
        try:
            self._answers.write(json.dumps(message).encode() + b"\n" + body)
            self._answers.flush()
        except OSError:  # nobody is left to hear it
            self.end()

    def end(self, status: int = 0) -> NoReturn:
        """Remove the folder and end without an orderly shutdown, in which llama.cpp hangs 1 time in 5 to 12."""
        shutil.rmtree(self._folder, ignore_errors=True)
        os._exit(status)

    def _watch(self, parent: int) -> None:
        if sys.platform == "win32":  # there a parent's id does not change when it dies
            return
        while os.getppid() == parent:
            time.sleep(_PARENT_CHECK_S)
        self.end()


def work_must_end_within(seconds: float | None) -> None:
    """End this process unless it gets on within `seconds`; None: it did.

    A thread could not do this: xllamacpp holds the interpreter's lock while it starts.
    """
    if seconds is None:
        faulthandler.cancel_dump_traceback_later()
    else:
        faulthandler.dump_traceback_later(seconds, exit=True)
