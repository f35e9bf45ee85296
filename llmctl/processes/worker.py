"""One child process that runs functions of the user: it cannot outlive its parent, and nothing it prints is an answer.

The child's side is `child`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping

from llmctl.processes.groups import end_group, own_group, python_module, reap
from llmctl.processes.scratch import ScratchFolder

__all__ = ["Crashed", "Worker"]

_LENGTH_BYTES = 8
_GRACE_S = 1.0
_LONGEST_LOG = 1024 * 1024
_LOG_END = 8192
_LAST_WORDS = 400


class Crashed(Exception):
    """The process ended, or could not begin; the message says what was heard of it last."""


class Worker:
    """Not for concurrent use: one question at a time, and all from one event loop."""

    def __init__(self, process: Process, folder: ScratchFolder, largest: int) -> None:
        """Take over a process that has just been started; use `start`."""
        self._process = process
        self._folder = folder
        self._largest = largest

    @classmethod
    async def start(cls, module: str, setting: bytes, environ: Mapping[str, str], *, largest: int) -> Worker:
        """Start a process and wait until it is ready.

        Args:
            module: of this package; it calls `child.serve`.
            setting: the first message, in JSON.
            environ: the environment of the process.
            largest: how many bytes an answer may have.

        Raises:
            Crashed: it cannot be made ready; the process is gone.
        """
        try:
            folder = ScratchFolder()
        except OSError as error:
            raise Crashed(f"no folder can be made for it: {error.strerror}") from None
        try:
            with folder.log.open("ab") as log:
                process = await asyncio.create_subprocess_exec(
                    *python_module(module),
                    str(folder.path),
                    stdin=PIPE,
                    stdout=PIPE,
                    stderr=log,
                    env=dict(environ),
                    **own_group(),
                )
        except OSError as error:
            folder.remove()
            raise Crashed(f"no process can be started: {error.strerror}") from None
        worker = cls(process, folder, largest)
        try:
            await worker._ready(setting)
        except BaseException:
            await worker.kill()
            raise
        return worker

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the child is gone, and was waited for."""
        return self._process.returncode is not None

    async def ask(self, message: bytes) -> bytes | None:
        """Send a message, and wait for its answer; None where that is too large to be read.

        Raises:
            Crashed: the process ended.
        """
        self._shorten_log()
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(len(message).to_bytes(_LENGTH_BYTES) + message)
            await process.stdin.drain()
            length = int.from_bytes(await process.stdout.readexactly(_LENGTH_BYTES))
            return await process.stdout.readexactly(length) if length <= self._largest else None
        except (asyncio.IncompleteReadError, OSError):
            raise Crashed(await self._last_words()) from None

    async def close(self) -> None:
        """Let it end by itself for up to a second, then kill it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_S):
                await self._process.wait()
        await self.kill()

    async def kill(self) -> None:
        """End it, and all that it has started, at once; safe to call twice."""
        end_group(self._process.pid)
        try:
            await reap(self._process)
        finally:
            self._folder.remove()

    def log_end(self) -> str:
        """The end of what it and the user's code have printed."""
        try:
            with self._folder.log.open("rb") as log:
                log.seek(max(0, self._folder.log.stat().st_size - _LOG_END))
                return log.read().decode("utf-8", "replace")
        except OSError:  # the folder was swept away
            return ""

    async def _ready(self, setting: bytes) -> None:
        answer = json.loads(await self.ask(setting) or b"{}")
        if "error" in answer:
            raise Crashed(str(answer["error"]))

    def _shorten_log(self) -> None:
        """A function that prints much must not fill the disk."""
        with contextlib.suppress(OSError):  # the folder was swept away
            if self._folder.log.stat().st_size > _LONGEST_LOG:
                with self._folder.log.open("r+b") as log:
                    log.truncate(0)

    async def _last_words(self) -> str:
        """How the process ended, and the end of its log on one line."""
        end_group(self._process.pid)
        status = await self._process.wait()
        lines = [line.strip() for line in self.log_end().splitlines() if line.strip()]
        said = " | ".join(lines[-3:])[-_LAST_WORDS:]
        return f"exit code {status}{f': {said}' if said else ''}"
