"""One POST with `aiohttp`: every byte onto the tape, every failure of the network an answer."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp

from llmctl.outcome import Outcome
from llmctl.providers.openai_chat import malformed, read_response
from llmctl.providers.openai_stream import StreamReader
from llmctl.providers.wire import MAX_BODY_BYTES, Answer, Retry, Tape

__all__ = ["connection_failed", "cut_off", "exchange", "read_tape", "too_large"]


async def exchange(
    session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], tape: Tape, *, streamed: bool
) -> Answer:
    """Send `tape.request_body`, put on the tape what comes back, and read it."""
    reader: StreamReader | None = None
    try:
        # A redirect would carry the key to whoever is named in it.
        async with session.post(url, data=tape.request_body, headers=headers, allow_redirects=False) as response:
            tape.status, tape.headers = response.status, response.headers
            if streamed and response.status == 200 and _is_event_stream(response):
                reader = StreamReader()
            async for chunk in response.content.iter_any():
                if not tape.add(chunk):
                    return too_large()
                if reader is not None:
                    _show(reader, chunk, tape)
    except aiohttp.InvalidURL:
        return Answer(Outcome.BAD_REQUEST, error=f"{url} is not an address that can be called.")
    except (aiohttp.ClientError, OSError) as error:
        if tape.status is None:
            return connection_failed(error)
        return reader.answer() if reader is not None and reader.done else cut_off(len(tape.body))
    return read_tape(tape, reader)


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


def connection_failed(error: BaseException) -> Answer:
    """No answer at all: refused, reset, unknown host, a certificate that does not fit."""
    detail = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    retry = Retry.NEVER if isinstance(error, aiohttp.ClientSSLError) else Retry.AGAIN
    return Answer(Outcome.PROVIDER_ERROR, error=f"The connection failed: {detail[:300]}.", retry=retry)


def _is_event_stream(response: aiohttp.ClientResponse) -> bool:
    return response.content_type == "text/event-stream"


def _show(reader: StreamReader, chunk: bytes, tape: Tape) -> None:
    for piece in reader.feed(chunk):
        tape.show(piece.text)
