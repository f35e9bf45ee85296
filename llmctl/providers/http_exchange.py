"""One POST with `aiohttp`: every byte onto the tape, every failure of the network an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from llmctl.outcome import Outcome
from llmctl.providers.openai_chat import malformed, read_response
from llmctl.providers.openai_stream import StreamReader
from llmctl.providers.wire import MAX_BODY_BYTES, SOCKET_TIMES, Answer, Retry, SocketTimes, Tape

__all__ = ["connection_failed", "cut_off", "dropped", "exchange", "no_http", "read_tape", "too_large"]


async def exchange(
    session: aiohttp.ClientSession, url: str | URL, headers: Mapping[str, str], tape: Tape, *, streamed: bool
) -> Answer:
    """Send `tape.request_body`, put on the tape what comes back, and read it."""
    response = _Response(tape, SocketTimes(tape.clock), streamed)
    token = SOCKET_TIMES.set(response.times)
    try:
        answer = await response.post(session, url, headers)
    except aiohttp.InvalidURL:
        answer = Answer(Outcome.BAD_REQUEST, error=f"{url} is not an address that can be called.", sent=False)
    except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
        answer = response.failed(error)
    finally:
        SOCKET_TIMES.reset(token)
        tape.sent_at = response.times.sent_at or tape.sent_at
    if answer.outcome is Outcome.MALFORMED:
        tape.trim()
    if streamed and answer.output and not tape.shown:
        tape.pass_on(answer.output)
    return answer


@dataclass(slots=True)
class _Response:
    """An answer on its way in."""

    tape: Tape
    times: SocketTimes
    streamed: bool
    reader: StreamReader | None = None

    async def post(self, session: aiohttp.ClientSession, url: str | URL, headers: Mapping[str, str]) -> Answer:
        tape = self.tape
        # A redirect would carry the key to whoever is named in it.
        async with session.post(url, data=tape.request_body, headers=headers, allow_redirects=False) as response:
            tape.status, tape.headers = response.status, response.headers
            if self.streamed and response.status == 200 and response.content_type == "text/event-stream":
                self.reader = StreamReader()
            content = response.content
            if content.is_eof():  # all came with the headers: 8 microseconds less than an iteration
                whole = self._take(content.read_nowait())
            else:
                whole = await self._take_all(content)
        if not whole:
            return too_large()
        tape.ended_at = self.times.last_at
        return read_tape(tape, self.reader)

    async def _take_all(self, content: aiohttp.StreamReader) -> bool:
        async for chunk in content.iter_any():
            if not self._take(chunk):
                return False
        return True

    def _take(self, chunk: bytes) -> bool:
        """Keep a piece of the body; False once there is too much."""
        if not self.tape.add(chunk):
            return False
        if self.reader is not None:
            self._show(self.reader, chunk)
        return True

    def _show(self, reader: StreamReader, chunk: bytes) -> None:
        for piece in reader.feed(chunk):
            self.tape.show(piece.text, self.times.last_at)

    def failed(self, error: Exception) -> Answer:
        """The answer where the network, or the server's HTTP, broke down."""
        tape, times = self.tape, self.times
        if tape.status is not None:
            return self.reader.answer() if self.reader is not None and self.reader.ended else cut_off(len(tape.body))
        if times.unread:
            tape.add(times.unread)
            return no_http()
        return dropped() if times.dropped else connection_failed(error, sent=times.sent_at is not None)


def read_tape(tape: Tape, reader: StreamReader | None) -> Answer:
    """The answer in a response that came in whole."""
    return reader.answer() if reader is not None else read_response(tape.status or 0, tape.body)


def too_large() -> Answer:
    """More than an answer may have."""
    answer = malformed(f"The answer is too large: more than {MAX_BODY_BYTES // 2**20} MB")
    return Answer(answer.outcome, error=answer.error, retry=Retry.NEVER)


def cut_off(length: int) -> Answer:
    """The connection ended before the answer did."""
    return malformed(f"The connection broke off after {length} bytes of the answer")


def no_http() -> Answer:
    """Bytes that no HTTP client can read."""
    return malformed("What came back is not HTTP")


def dropped() -> Answer:
    """A connection from an earlier call that the server had closed meanwhile, which shows only when it is used."""
    sentence = "The server had closed the connection that was kept from an earlier call."
    return Answer(Outcome.PROVIDER_ERROR, error=sentence, retry=Retry.AT_ONCE)


def connection_failed(error: BaseException, *, sent: bool = True) -> Answer:
    """No answer at all: refused, reset, unknown host, a certificate that does not fit."""
    # Its text would be the parser's view of a part of the headers.
    said = "Server disconnected" if isinstance(error, aiohttp.ServerDisconnectedError) else str(error)
    detail = " ".join(said.split()).rstrip(".") or type(error).__name__
    retry = Retry.NEVER if isinstance(error, aiohttp.ClientSSLError) else Retry.AGAIN
    return Answer(Outcome.PROVIDER_ERROR, error=f"The connection failed: {detail[:300]}.", retry=retry, sent=sent)
