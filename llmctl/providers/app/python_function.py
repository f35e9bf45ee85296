"""Calls the user's Python function, in child processes that stay alive between calls."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import orjson

from llmctl.errors import ModelError
from llmctl.outcome import Outcome
from llmctl.processes.worker import Crashed, Worker
from llmctl.project.app_target import PythonCall
from llmctl.providers.app.answers import final, parse_exactly, read_returned, shown
from llmctl.providers.routes import App
from llmctl.providers.wire import MAX_BODY_BYTES, Answer, Asked, Retry, Tape

__all__ = ["PythonApp"]

_MODULE = "llmctl.providers.app.child"
_START_S = 300.0
"""How long importing the user's module may take before the first call."""


class PythonApp:
    """One function; a `Transport`. Each call has a process to itself while it goes on."""

    def __init__(self, app: App, slots: int, environ: Mapping[str, str]) -> None:
        self.slots = slots
        self._app = app
        self._environ = environ
        self._idle: list[Worker] = []
        self._started = False

    async def start(self) -> None:
        """Start the first process, so that a module that cannot be imported is known before the first call.

        Raises:
            ModelError: it cannot be imported, or has no such function.
        """
        if not self._started:
            try:
                async with asyncio.timeout(_START_S):
                    self._idle.append(await self._open())
            except Crashed as error:
                raise ModelError(f"{self._name} cannot be loaded: {error}.") from None
            except TimeoutError:
                raise ModelError(f"{self._name} was not loaded within {_START_S:g} s.") from None
            self._started = True

    async def send(self, asked: Asked, tape: Tape) -> Answer:
        """Call the function. A process that dies, or is still busy when this is given up, is replaced."""
        tape.request_body = orjson.dumps(asked.request.payload)
        try:
            worker = self._idle.pop() if self._idle else await self._open()
        except Crashed as error:
            return Answer(Outcome.PROVIDER_ERROR, error=f"{self._name} cannot be loaded: {error}.", sent=False)
        tape.sent_at = tape.clock()
        try:
            data = await worker.ask(tape.request_body)
        except Crashed as error:
            await worker.kill()
            return Answer(Outcome.PROVIDER_ERROR, error=f"{self._name} ended: {error}.", retry=Retry.ONCE)
        except BaseException:
            await worker.kill()
            raise
        tape.ended_at = tape.clock()
        if data is None or not tape.add(data):
            await worker.kill()
            sentence = f"What it returned is too large: more than {MAX_BODY_BYTES // 2**20} MB."
            return Answer(Outcome.MALFORMED, error=sentence)
        self._idle.append(worker)
        return shown(self._read(data), tape)

    async def close(self) -> None:
        """End all processes."""
        workers, self._idle, self._started = self._idle, [], False
        await asyncio.gather(*(worker.close() for worker in workers))

    @property
    def _name(self) -> str:
        call = self._app.target.call
        return f"{call.file}:{call.function}" if isinstance(call, PythonCall) else ""

    async def _open(self) -> Worker:
        call = self._app.target.call
        if not isinstance(call, PythonCall):
            raise TypeError("the target is no Python function")
        setting = {"root": str(self._app.root), "file": call.file, "function": call.function}
        return await Worker.start(_MODULE, orjson.dumps(setting), self._environ, largest=MAX_BODY_BYTES)

    def _read(self, data: bytes) -> Answer:
        message = parse_exactly(data)
        if "error" in message:
            return Answer(Outcome.PROVIDER_ERROR, error=f"{message['error']}.")
        return final(read_returned(message["value"], self._app.target.output))
