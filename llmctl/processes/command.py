"""Runs one command: data on its stdin, what it says taken piece by piece, no shell; nothing of it is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmctl.processes.groups import end_group, own_group, reap

__all__ = ["CannotStart", "Ended", "run_command"]

_CHUNK = 64 * 1024
_KEPT_STDERR = 16 * 1024
_LAST_LINES = 3
_LAST_CHARS = 400


class CannotStart(Exception):
    """There is no such program, or it cannot be run; the message says why."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    status: int | None
    """The exit code; negative: the signal that ended it; None: its output was refused, and it was ended for that."""
    complaint: str = ""
    """The last lines of its stderr, on one line."""

    def __str__(self) -> str:
        """One sentence, with what it complained of."""
        said = f": {self.complaint}" if self.complaint else "."
        if self.status is not None and self.status < 0:
            with contextlib.suppress(ValueError):
                return f"The command was ended by {signal.Signals(-self.status).name}{said}"
        return f"The command ended with exit code {self.status}{said}"


async def run_command(
    argv: Sequence[str], data: bytes, take: Callable[[bytes], bool], *, cwd: Path, environ: Mapping[str, str]
) -> Ended:
    """Run a command to its end; whatever ends the waiting ends it and all of its processes.

    Args:
        argv: the program and its arguments.
        data: all of its stdin.
        take: gets each piece of its stdout; False: it is too much.
        cwd: where it runs.
        environ: its environment.

    Raises:
        CannotStart: it cannot be started.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=cwd, env=dict(environ), **own_group()
        )
    except (OSError, ValueError) as error:
        raise CannotStart(error.strerror if isinstance(error, OSError) else str(error)) from None
    try:
        return await _talk(process, data, take)
    except BaseException:
        # Also where the command itself has ended: what it started in the background may hold its stdout.
        end_group(process.pid)
        raise
    finally:
        await _finish(process)


async def _talk(process: Process, data: bytes, take: Callable[[bytes], bool]) -> Ended:
    complaint = _Tail()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_write(process, data))
        tasks.create_task(complaint.read(process))
        fits = tasks.create_task(_read(process, take))
    if not fits.result():
        return Ended(None)
    return Ended(await process.wait(), complaint.last_lines())


class _Tail:
    """The end of what a process writes to stderr."""

    def __init__(self) -> None:
        self._kept = bytearray()

    async def read(self, process: Process) -> None:
        """Read until it is closed, so that the process never waits for a reader."""
        assert process.stderr is not None
        while chunk := await process.stderr.read(_CHUNK):
            self._kept += chunk
            del self._kept[:-_KEPT_STDERR]

    def last_lines(self) -> str:
        lines = [line.strip() for line in self._kept.decode("utf-8", "replace").splitlines() if line.strip()]
        return " | ".join(lines[-_LAST_LINES:])[-_LAST_CHARS:]


async def _write(process: Process, data: bytes) -> None:
    assert process.stdin is not None
    # A program that does not read its input, or ends before, closes the pipe: its answer says whether that is right.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()


async def _read(process: Process, take: Callable[[bytes], bool]) -> bool:
    """Pass the output on; False, and the process ended, where it is too much."""
    assert process.stdout is not None
    while chunk := await process.stdout.read(_CHUNK):
        if not take(chunk):
            end_group(process.pid)
            return False
    return True


async def _finish(process: Process) -> None:
    """End what is still running of the command; after a call that went well that is nothing."""
    if process.returncode is None:
        end_group(process.pid)
    await reap(process)
