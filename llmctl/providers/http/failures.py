"""What the network, or a server whose HTTP is broken, amounts to as an answer. Pure."""

from __future__ import annotations

from llmctl.outcome import Outcome
from llmctl.providers.openai_chat import malformed
from llmctl.providers.wire import MAX_BODY_BYTES, Answer, Retry

__all__ = ["connection_failed", "cut_off", "disconnected", "dropped", "no_http", "too_large", "unreadable_packing"]


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


def unreadable_packing(encoding: str) -> Answer:
    """A body that was compressed unasked, in a way that is not known or not kept to."""
    return malformed(f"The answer cannot be unpacked: its Content-Encoding is {encoding[:40]!r}")


def dropped() -> Answer:
    """A connection from an earlier call that the server had closed meanwhile, which shows only when it is used."""
    sentence = "The server had closed the connection that was kept from an earlier call."
    return Answer(Outcome.PROVIDER_ERROR, error=sentence, retry=Retry.AT_ONCE)


def disconnected(error: Exception | None, *, sent: bool = True) -> Answer:
    """A connection that ended before the head of an answer was whole; its bytes would be no help."""
    return connection_failed("Server disconnected" if error is None else str(error), sent=sent)


def connection_failed(said: str, *, sent: bool = True, retry: Retry = Retry.AGAIN) -> Answer:
    """No answer at all: refused, reset, unknown host, a certificate that does not fit."""
    detail = " ".join(said.split()).rstrip(".") or "no reason was given"
    return Answer(Outcome.PROVIDER_ERROR, error=f"The connection failed: {detail[:300]}.", retry=retry, sent=sent)
