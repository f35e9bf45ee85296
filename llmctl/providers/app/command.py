"""Runs the user's command once a case: variables as JSON on its stdin, the answer on its stdout, no shell."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping

import orjson

from llmctl.outcome import Outcome
from llmctl.project.app_target import CommandCall
from llmctl.providers.app.answers import final, read_body, shown
from llmctl.providers.app.groups import end_group, own_group
from llmctl.providers.routes import App
from llmctl.providers.wire import MAX_BODY_BYTES, Answer, Asked, Tape

__all__ = ["CommandApp"]

_CHUNK = 64 * 1024
_KEPT_STDERR = 16 * 1024
_LAST_LINES = 3
_LAST_CHARS = 400


class CommandApp:
    """One command; a `Transport`."""

    def __init__(self, app: App, slots: int, environ: Mapping[str, str]) -> None:
        self.slots = slots
        self._app = app
        self._environ = environ

    async def start(self) -> None:
        """Nothing to make ready: every call is a process of its own."""

    async def send(self, asked: Asked, tape: Tape) -> Answer:
        """Run the command in the project's root; whatever ends this ends all of its processes."""
        call = self._app.target.call
        if not isinstance(call, CommandCall):
            raise TypeError("the target is no command")
        tape.request_body = orjson.dumps(asked.request.payload) + b"\n"
        try:
            process = await asyncio.create_subprocess_exec(
                *call.argv,
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                cwd=self._app.root,
                env=dict(self._environ),
                **own_group(),
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            return Answer(Outcome.PROVIDER_ERROR, error=f"{call.argv[0]} cannot be started: {reason}.", sent=False)
        try:
            return shown(await self._talk(process, tape), tape)
        except BaseException:
            # Also where the command itself has ended: what it started in the background may hold its stdout.
            end_group(process.pid)
            raise
        finally:
            await _finish(process)

    async def close(self) -> None:
        """Nothing is left running between calls."""

    async def _talk(self, process: Process, tape: Tape) -> Answer:
        complaint = _Tail()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_write(process, tape.request_body))
            tasks.create_task(complaint.read(process))
            fits = tasks.create_task(_read(process, tape))
        if not fits.result():
            sentence = f"The output is too large: more than {MAX_BODY_BYTES // 2**20} MB."
            return Answer(Outcome.MALFORMED, error=sentence)
        status = await process.wait()
        tape.ended_at = tape.clock()
        if status != 0:
            said = complaint.last_lines()
            return Answer(Outcome.PROVIDER_ERROR, error=f"{_ended(status)}{f': {said}' if said else '.'}")
        pointer = self._app.target.output
        body = tape.body.removesuffix(b"\n").removesuffix(b"\r") if pointer is None else tape.body
        return final(read_body(body, pointer))


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


async def _read(process: Process, tape: Tape) -> bool:
    """Put the output on the tape; False, and the process ended, where it is too much."""
    assert process.stdout is not None
    while chunk := await process.stdout.read(_CHUNK):
        if not tape.add(chunk):
            end_group(process.pid)
            return False
    return True


async def _finish(process: Process) -> None:
    """End what is still running of the command; after a call that went well that is nothing."""
    if process.returncode is None:
        end_group(process.pid)
        await process.wait()
    # The pipes may be held open by what the command has started and left behind.
    transport = getattr(process, "_transport", None)
    if transport is not None:
        transport.close()


def _ended(status: int) -> str:
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"The command was ended by {signal.Signals(-status).name}"
    return f"The command ended with exit code {status}"
