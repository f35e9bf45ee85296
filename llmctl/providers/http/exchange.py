"""One chat completion over HTTP: every byte onto the tape, every failure of the network an answer."""

from __future__ import annotations

from llmctl.outcome import Outcome
from llmctl.providers.http.pool import Server
from llmctl.providers.http.request import RequestHead
from llmctl.providers.http.response import Response
from llmctl.providers.openai_chat import read_response
from llmctl.providers.wire import Answer, SocketTimes, Tape

__all__ = ["exchange"]


async def exchange(server: Server, head: RequestHead, tape: Tape, *, streamed: bool) -> Answer:
    """Send `tape.request_body`, put on the tape what comes back, and read it."""
    response = Response(tape, SocketTimes(tape.clock), streamed)
    await server.fetch(head, tape.request_body, response)
    answer = _answer(response)
    if answer.outcome is Outcome.MALFORMED:
        tape.trim()
    if streamed and answer.output and not tape.shown:
        tape.pass_on(answer.output)
    return answer


def _answer(response: Response) -> Answer:
    if response.failure is not None:
        return response.failure
    if response.reader is not None:
        return response.reader.answer()
    return read_response(response.tape.status or 0, response.tape.body)
