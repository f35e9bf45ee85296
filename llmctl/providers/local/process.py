"""A child process that can never outlive its parent, hold the terminal, or make its parent wait."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, TypeVar

from llmctl.processes.groups import own_group

__all__ = ["ChildProcess"]

_T = TypeVar("_T")
_GRACE_S = 1.0
_LAST_WORDS = 400


class ChildProcess:
    """One child: requests on its stdin, answers on its stdout, everything else in a log file.

    The child ends itself when its stdin closes, which happens however the parent ends.
    """

    def __init__(self, command: Sequence[str], *, folder: Path, log: Path, env: Mapping[str, str]) -> None:
        """Start it, with `folder` as its last argument: it removes that when the parent dies, however early.

        Raises:
            OSError: it cannot be started.
        """
        self._log = log
        with log.open("ab") as stream:
            self._process = subprocess.Popen(
                [*command, str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                cwd=folder,
                # Whatever it or its libraries keep for the moment goes with the folder.
                env={**os.environ, **env, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)},
                **own_group(),
            )

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    @property
    def stdin(self) -> IO[bytes]:
        """Where it reads; blocking."""
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        """Where it answers; blocking."""
        assert self._process.stdout is not None
        return self._process.stdout

    async def read_line(self, timeout_s: float) -> bytes:
        """The next line it says; empty when it ends without one.

        Raises:
            TimeoutError: it said nothing in time; it is killed, so that nobody reads on.
        """
        return await self._answer(self.stdout.readline, timeout_s)

    async def read(self, size: int, timeout_s: float) -> bytes:
        """Exactly `size` bytes; fewer when it ends before.

        Raises:
            TimeoutError: as for `read_line`.
        """
        return await self._answer(partial(self.stdout.read, size), timeout_s)

    async def write(self, data: bytes, timeout_s: float) -> None:
        """Send it something.

        Raises:
            TimeoutError: as for `read_line`.
            OSError: it has ended.
        """
        await self._answer(partial(self.write_now, data), timeout_s)

    def write_now(self, data: bytes) -> None:
        """Send it something small, which the pipe holds even if the child is not reading yet.

        Raises:
            OSError: it has ended.
        """
        if self.stdin.closed:
            raise BrokenPipeError("the process was ended")
        self.stdin.write(data)
        self.stdin.flush()

    def close(self) -> None:
        """Let it end by itself for up to a second, then kill it; blocking, safe to call twice."""
        with contextlib.suppress(OSError):  # a dead child's pipe
            self.stdin.close()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._release()

    def kill(self) -> None:
        """End it at once; safe to call twice, and from a signal handler."""
        self._process.kill()
        self._release()

    def last_words(self) -> str:
        """The end of its log on one line, for a message; may hold anything a model or library wrote."""
        try:
            text = self._log.read_bytes()[-8192:].decode("utf-8", "replace")
        except OSError:
            return ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return " ".join(lines[-3:])[-_LAST_WORDS:]

    async def _answer(self, work: Callable[[], _T], timeout_s: float) -> _T:
        async with asyncio.timeout(timeout_s):
            try:
                return await asyncio.to_thread(work)
            except asyncio.CancelledError:
                self._process.kill()
                raise

    def _release(self) -> None:
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
