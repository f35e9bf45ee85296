"""Records what `litellm` really sends and receives, below everything it makes of it.

`litellm` loses the body of a failed answer, invents `finish_reason: stop` for a stream that breaks off, and counts 0
tokens where none were reported. So its HTTP clients get a transport that copies every byte onto the call's tape.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass

import httpx

from llmctl.providers.openai_stream import StreamReader
from llmctl.providers.wire import Tape

__all__ = ["CURRENT", "Recording", "RecordingTransport"]


@dataclass(slots=True)
class Recording:
    """One call on its way through `litellm`; it goes with the task, so that calls side by side do not mix."""

    tape: Tape
    path: str = ""
    reader: StreamReader | None = None
    """Reads a stream of OpenAI's protocol while it comes."""
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
        """Send one request; of several in one call (a token, then the question) the last one is kept."""
        recording = CURRENT.get()
        if recording is None:
            return await self._inner.handle_async_request(request)
        # A compressed answer could only be recorded as compressed bytes.
        request.headers["Accept-Encoding"] = "identity"
        tape = recording.tape
        recording.path, tape.request_body = request.url.path, await request.aread()
        tape.status, tape.headers, tape.ended_at = None, {}, None
        tape.body.clear()
        tape.sent_at = tape.clock()  # what litellm does before is no time of the provider's
        response = await self._inner.handle_async_request(request)
        tape.status, tape.headers = response.status_code, response.headers
        if response.status_code == 200 and "text/event-stream" in response.headers.get("content-type", ""):
            recording.reader = StreamReader() if recording.openai else None
        if not isinstance(response.stream, httpx.AsyncByteStream):
            raise TypeError("an asynchronous client got a synchronous stream")
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_Copied(response.stream, recording),
            extensions=response.extensions,
            request=request,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class _Copied(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, recording: Recording) -> None:
        self._inner = inner
        self._recording = recording

    async def __aiter__(self) -> AsyncIterator[bytes]:
        tape, reader = self._recording.tape, self._recording.reader
        try:
            async for chunk in self._inner:
                if not tape.add(chunk):
                    raise httpx.ReadError("the answer is too large")
                for piece in reader.feed(chunk) if reader else ():
                    tape.show(piece.text)
                yield chunk
            tape.ended_at = tape.clock()
        except (httpx.HTTPError, OSError):
            self._recording.broken = True
            raise

    async def aclose(self) -> None:
        await self._inner.aclose()
