"""Runs the user's command once a case: variables as JSON on its stdin, the answer on its stdout, no shell."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from llmctl.outcome import Outcome
from llmctl.processes.command import CannotStart, Ended, run_command
from llmctl.project.app_target import CommandCall
from llmctl.providers.app.answers import final, read_body, shown
from llmctl.providers.routes import App
from llmctl.providers.wire import MAX_BODY_BYTES, Answer, Asked, Tape

__all__ = ["CommandApp"]


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
        root = self._app.root
        try:
            ended = await run_command(call.argv, tape.request_body, tape.add, cwd=root, environ=self._environ)
        except CannotStart as error:
            return Answer(Outcome.PROVIDER_ERROR, error=f"{call.argv[0]} cannot be started: {error}.", sent=False)
        return shown(self._read(ended, tape), tape)

    async def close(self) -> None:
        """Nothing is left running between calls."""

    def _read(self, ended: Ended, tape: Tape) -> Answer:
        if ended.status is None:
            sentence = f"The output is too large: more than {MAX_BODY_BYTES // 2**20} MB."
            return Answer(Outcome.MALFORMED, error=sentence)
        tape.ended_at = tape.clock()
        if ended.status != 0:
            return Answer(Outcome.PROVIDER_ERROR, error=str(ended))
        pointer = self._app.target.output
        body = tape.body.removesuffix(b"\n").removesuffix(b"\r") if pointer is None else tape.body
        return final(read_body(body, pointer))
