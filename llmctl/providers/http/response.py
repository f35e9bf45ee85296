"""An answer on its way in: every byte onto the tape, and what it amounts to where it did not come whole."""

from __future__ import annotations

from dataclasses import dataclass

from llmctl.providers.http.failures import cut_off, disconnected, dropped, no_http, too_large, unreadable_packing
from llmctl.providers.http.parser import Headers
from llmctl.providers.http.unpacking import Unpacker, unpacker_of
from llmctl.providers.openai_stream import StreamReader
from llmctl.providers.wire import KEPT_BYTES, Answer, SocketTimes, Tape

__all__ = ["Response"]


@dataclass(slots=True)
class Response:
    """One answer; its connection calls the methods as things happen."""

    tape: Tape
    times: SocketTimes
    streamed: bool = False
    """Whether a stream of OpenAI's protocol was asked for; `reader` reads it where it comes."""
    reader: StreamReader | None = None
    failure: Answer | None = None
    """What it amounts to, where it did not come whole."""
    _encoding: str = ""
    """How the body is packed, where it is."""
    _unpacker: Unpacker | None = None

    def begin(self, status: int, headers: Headers) -> None:
        """The head has come."""
        self.tape.status, self.tape.headers = status, headers
        encoding = headers.get("content-encoding", "").lower()
        if encoding not in {"", "identity"}:
            self._encoding, self._unpacker = encoding, unpacker_of(encoding)
        if self.streamed and status == 200 and _kind(headers) == "text/event-stream":
            self.reader = StreamReader()

    def take(self, piece: bytes) -> bool:
        """Keep a piece of the body; False: no more of it is wanted."""
        if self._unpacker is None:
            return self._keep(piece)
        try:
            return all(map(self._keep, self._unpacker.pieces(piece)))
        except ValueError:
            self._unreadable()
            return False

    def end(self) -> None:
        """It is whole."""
        self.tape.ended_at = self.times.last_at
        if self._encoding and not (self._unpacker.whole if self._unpacker is not None else not self.tape.body):
            self._unreadable()

    def lost(self, error: Exception | None) -> None:
        """The connection ended too early; None: the server closed it."""
        if self.tape.status is not None:
            self._broken(cut_off(len(self.tape.body)))
        elif self.times.dropped:
            self.failure = dropped()
        else:
            self.failure = disconnected(error, sent=self.times.sent_at is not None)

    def garbled(self, unread: bytes, taken: int) -> None:
        """It is no HTTP. What was read of it since `taken` bytes of the body is kept as it came."""
        del self.tape.body[taken:]
        self.tape.add(unread[:KEPT_BYTES])
        self._broken(no_http())

    def _unreadable(self) -> None:
        if (self.tape.status or 0) < 400:  # an error is told by its status
            self.failure = unreadable_packing(self._encoding)

    def _broken(self, failure: Answer) -> None:
        if self.reader is None or not self.reader.ended:
            self.failure = failure

    def _keep(self, piece: bytes) -> bool:
        if not self.tape.add(piece):
            self.failure = too_large()
            return False
        if self.reader is not None:
            for token in self.reader.feed(piece):
                self.tape.show(token.text, self.times.last_at)
        return True


def _kind(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()
