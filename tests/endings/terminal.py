"""Runs `llmctl eval` in a terminal of its own, reads what it shows, and ends it in a chosen way."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Shown", "eval_in_terminal"]

_COUNTER = re.compile(rb"([\d,]+)/[\d,]+  ")


@dataclass
class Shown:
    """A running `llmctl eval` and what its terminal has shown so far."""

    process: subprocess.Popen[bytes]
    terminal: int
    seen: bytearray = field(default_factory=bytearray)

    @property
    def done(self) -> int:
        """The largest count of done results on the screen."""
        return max((int(number.replace(b",", b"")) for number in _COUNTER.findall(bytes(self.seen))), default=0)

    def read_until(self, enough: Callable[[Shown], bool], deadline_s: float) -> bool:
        """Read the terminal until `enough` holds, the process has ended, or the deadline has passed."""
        end = time.monotonic() + deadline_s
        while not enough(self):
            left = end - time.monotonic()
            if left <= 0 or not self._read(min(left, 0.05)):
                return enough(self)
        return True

    def end(self, number: signal.Signals | None, deadline_s: float) -> int:
        """Send a signal (None: wait for its own end) and return the exit code; a hang raises TimeoutExpired."""
        if number is not None and self.process.poll() is None:
            self.process.send_signal(number)
        end = time.monotonic() + deadline_s
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired(self.process.args, deadline_s)
            self._read(0.02)
        while self._read(0):
            pass
        return self.process.returncode

    def _read(self, wait_s: float) -> bool:
        ready, _, _ = select.select([self.terminal], [], [], wait_s)
        if not ready:
            return self.process.poll() is None and wait_s > 0
        try:
            chunk = os.read(self.terminal, 65536)
        except OSError:  # Linux: the other side of the terminal is closed
            return False
        self.seen += chunk
        return bool(chunk)


@contextlib.contextmanager
def eval_in_terminal(project: Path, environ: dict[str, str], *flags: str) -> Iterator[Shown]:
    """Start `llmctl eval` with a terminal as its stderr; whatever is left of it is killed at the end."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "llmctl", "eval", *flags],
        cwd=project,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120", **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Shown(process, ours)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(ours)
