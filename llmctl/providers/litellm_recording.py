"""Records what `litellm` really sends and receives, below everything it makes of it.

`litellm` loses the body of a failed answer, invents `finish_reason: stop` for a stream that breaks off, and counts 0
tokens where none were reported. So its HTTP clients get a transport that copies every byte onto the call's tape.

Where the endpoint speaks OpenAI's protocol, `litellm` only writes the request: the answer is read from the tape, and
the call ends here (`AnswerTaken`), before `litellm` parses, prices and logs it for milliseconds (and a large error page
for seconds, in regular expressions of quadratic time).
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from dataclasses import dataclass

import httpx

from llmctl.providers.openai_stream import StreamReader
from llmctl.providers.wire import SOCKET_TIMES, SocketTimes, Tape

__all__ = ["CURRENT", "AnswerTaken", "Recording", "RecordingTransport"]


class AnswerTaken(BaseException):
    """The whole answer is on the tape, so nothing above need read it; no `Exception`, which litellm would translate."""


@dataclass(slots=True)
class Recording:
    """One call on its way through `litellm`; it goes with the task, so that calls side by side do not mix."""

    tape: Tape
    path: str = ""
    reader: StreamReader | None = None
    """Reads a stream of OpenAI's protocol while it comes."""
    times: SocketTimes | None = None
    broken: bool = False
    """The connection broke off within the answer."""

    @property
    def openai(self) -> bool:
        """Whether the endpoint that was called speaks OpenAI's chat-completions protocol."""
        return self.path.endswith("/chat/completions")


CURRENT: ContextVar[Recording | None] = ContextVar("llmctl_litellm_recording", default=None)


class RecordingTransport(httpx.AsyncBaseTransport):
    """Passes everything through, and copies it."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; of several in one call (a token, then the question) the last one is kept.

        Raises:
            AnswerTaken: it was OpenAI's protocol, and all of it has come.
        """
        recording = CURRENT.get()
        if recording is None:
            return await self._inner.handle_async_request(request)
        # A compressed answer could only be recorded as compressed bytes.
        request.headers["Accept-Encoding"] = "identity"
        recording.path = request.url.path
        _rewind(recording.tape, await request.aread())
        response = await self._sent(request, recording)
        tape = recording.tape
        tape.status, tape.headers = response.status_code, response.headers
        if response.status_code == 200 and "text/event-stream" in response.headers.get("content-type", ""):
            recording.reader = StreamReader() if recording.openai else None
        if not isinstance(response.stream, httpx.AsyncByteStream):
            raise TypeError("an asynchronous client got a synchronous stream")
        headers = response.headers.copy()
        inflater = _Inflater() if headers.get("content-encoding", "").lower() in {"gzip", "deflate"} else None
        if inflater is not None:
            del headers["content-encoding"]
        stream = _Copied(response.stream, recording, inflater)
        if recording.openai:
            await _read_whole(stream)
            raise AnswerTaken
        return httpx.Response(
            response.status_code, headers=headers, stream=stream, extensions=response.extensions, request=request
        )

    async def _sent(self, request: httpx.Request, recording: Recording) -> httpx.Response:
        """The response, its body still to come; what litellm does before is no time of the provider's."""
        recording.times = times = SocketTimes(recording.tape.clock)
        token = SOCKET_TIMES.set(times)
        began_at = times.clock()
        try:
            return await self._inner.handle_async_request(request)
        finally:
            SOCKET_TIMES.reset(token)
            recording.tape.sent_at = times.sent_at or began_at

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


async def _read_whole(stream: _Copied) -> None:
    try:
        async for _ in stream:
            pass
    finally:
        await stream.aclose()


def _rewind(tape: Tape, request_body: bytes) -> None:
    tape.request_body = request_body
    tape.status, tape.headers, tape.ended_at = None, {}, None
    tape.body.clear()


class _Copied(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, recording: Recording, inflater: _Inflater | None) -> None:
        self._inner = inner
        self._recording = recording
        self._inflater = inflater

    async def __aiter__(self) -> AsyncIterator[bytes]:
        tape, times = self._recording.tape, self._recording.times
        failed = (tape.status or 0) >= 400
        try:
            async for chunk in self._inner:
                for piece in self._inflater.pieces(chunk) if self._inflater else (chunk,):
                    self._copy(piece)
                    if not failed or len(tape.body) <= _ERROR_BYTES:
                        yield piece
            tape.ended_at = times.last_at if times is not None else None
            tape.ended_at = tape.ended_at or tape.clock()
        except (httpx.HTTPError, OSError):
            self._recording.broken = True
            raise

    def _copy(self, chunk: bytes) -> None:
        tape, reader, times = self._recording.tape, self._recording.reader, self._recording.times
        if not tape.add(chunk):
            raise httpx.ReadError("the answer is too large")
        for piece in reader.feed(chunk) if reader else ():
            tape.show(piece.text, times.last_at if times is not None else None)

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Inflater:
    """Unpacks what a server compressed unasked, a piece at a time: a small body may hold more than the memory does."""

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        try:
            while chunk and not self._unpacker.eof:
                yield self._unpacker.decompress(chunk, _PIECE_BYTES)
                chunk = self._unpacker.unconsumed_tail
        except zlib.error as error:
            raise httpx.ReadError(f"the body is no {error}") from None


_PIECE_BYTES = 256 * 1024
_ERROR_BYTES = 64 * 1024
"""How much of an error page litellm gets to read; the tape has all of it."""
