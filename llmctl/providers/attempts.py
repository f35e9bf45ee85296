"""The record of an attempt and of a call: what went over the wire, what it cost, and no key in any of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmctl.outcome import Outcome
from llmctl.providers.bounds import price_of
from llmctl.providers.clock import Clock
from llmctl.providers.prices import cost_usd
from llmctl.providers.records import Attempt, Call, Usage
from llmctl.providers.redacted_stream import redact_pieces
from llmctl.providers.redaction import Redactor, allowed_headers
from llmctl.providers.retry import retry_after_s
from llmctl.providers.wire import Answer, Asked, Tape, visible_text

__all__ = ["Recorder", "Tried", "not_sent"]

_NOTHING_USED = Usage()


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt: as it was read, and as it is recorded."""

    answer: Answer
    attempt: Attempt
    cost_usd: float | None
    """None: unknown, though it may have been charged."""
    shown: bool
    """Whether its text stands on a screen already."""
    clean: bool
    """Whether no text of the answer can hold a key; its tool calls were not looked at."""


class Recorder:
    """Makes the records; keys of the environment are taken out."""

    def __init__(self, redactor: Redactor, clock: Clock) -> None:
        self._redactor = redactor
        self._clock = clock

    def tried(self, asked: Asked, answer: Answer, tape: Tape, *, number: int, started_at: float) -> Tried:
        """The attempt that has just ended."""
        texts = _Texts(
            visible_text(tape.request_body), visible_text(tape.body), allowed_headers(tape.headers), answer.error
        )
        clean = tape.first_token_at is None and not self._redactor.any_may_hold(texts.beside(asked, answer))
        if not clean:
            texts = self._redacted(texts, answer, tape)
        attempt = self._attempt(answer, tape, texts, number, started_at)
        return Tried(answer, attempt, _cost(asked, answer, tape.status), tape.shown, clean)

    def call(self, asked: Asked, answer: Answer, tried: Sequence[Tried]) -> Call:
        """The whole call; `answer` decides."""
        last = tried[-1] if tried else None
        attempt = last.attempt if last else None
        redactor = self._redactor
        seen = last is not None and last.clean and last.answer is answer
        return Call(
            key=asked.key,
            provider=asked.route.provider,
            model=asked.route.model,
            transport=str(asked.route.transport),
            endpoint=asked.route.url if seen else redactor.exact(asked.route.url),
            outcome=answer.outcome,
            output=answer.output if seen else self._exact(answer.output),
            tool_calls=redactor.structure(answer.tool_calls) if answer.tool_calls else (),
            finish_reason=answer.finish_reason if seen else self._exact(answer.finish_reason),
            served_model=answer.served_model if seen else self._text(answer.served_model),
            usage=answer.usage,
            cost_usd=_total(tried),
            started_at=tried[0].attempt.started_at if tried else self._clock.now(),
            latency_ms=attempt.latency_ms if attempt else 0.0,
            ttft_ms=attempt.ttft_ms if attempt else None,
            error=(answer.error if seen else self._text(answer.error)) or None,
            attempts=tuple([item.attempt for item in tried]),
        )

    def _attempt(self, answer: Answer, tape: Tape, texts: _Texts, number: int, started_at: float) -> Attempt:
        headers, sent_at, first_at = texts.headers, tape.sent_at, tape.first_token_at
        return Attempt(
            number=number,
            started_at=started_at,
            latency_ms=((tape.ended_at or self._clock.monotonic()) - sent_at) * 1000,
            outcome=answer.outcome,
            status=tape.status,
            error=texts.error or None,
            ttft_ms=None if first_at is None else (first_at - sent_at) * 1000,
            request_id=headers.get("x-request-id") or headers.get("request-id"),
            retry_after_s=retry_after_s(headers, self._clock.now()),
            request_body=texts.request_body,
            response_body=texts.response_body,
            response_headers=headers,
        )

    def _redacted(self, texts: _Texts, answer: Answer, tape: Tape) -> _Texts:
        redactor, body = self._redactor, texts.response_body
        # A key may come in pieces: as a stream's deltas, or as the parts of one answer.
        if tape.first_token_at is not None or _differs(answer.output, redactor):
            body = redact_pieces(body, redactor)
        return _Texts(
            redactor.text(texts.request_body),
            redactor.text(body),
            self._headers(texts.headers),
            self._text(texts.error),
        )

    def _headers(self, allowed: dict[str, str]) -> dict[str, str]:
        """No header holds a line end, so all values are redacted as one text."""
        if not allowed:
            return allowed
        values = [value.replace("\n", " ") for value in allowed.values()]
        redacted = self._redactor.text("\n".join(values)).split("\n")
        if len(redacted) != len(values):  # a key with a line end
            redacted = [self._redactor.text(value) for value in values]
        return dict(zip(allowed, redacted, strict=True))

    def _text(self, text: str | None) -> str | None:
        return None if text is None else self._redactor.text(text)

    def _exact(self, text: str | None) -> str | None:
        return None if text is None else self._redactor.exact(text)


@dataclass(frozen=True, slots=True)
class _Texts:
    """What is recorded of the wire."""

    request_body: str
    response_body: str
    headers: dict[str, str]
    error: str | None

    def beside(self, asked: Asked, answer: Answer) -> tuple[str, ...]:
        """These texts and all others of the call's record, but for tool calls."""
        read = (answer.output or "", answer.finish_reason or "", answer.served_model or "", answer.error or "")
        return (self.request_body, self.response_body, *self.headers.values(), asked.route.url, *read)


def _differs(text: str | None, redactor: Redactor) -> bool:
    """Whether a key would be taken out of the text."""
    return text is not None and redactor.exact(text) is not text


def _cost(asked: Asked, answer: Answer, status: int | None) -> float | None:
    """What the attempt cost; None where that is unknown."""
    price = price_of(asked.route, asked.request)
    if (price is not None and price.free) or not answer.sent:
        return 0.0
    if answer.cost_usd is not None:
        return answer.cost_usd
    if answer.usage != _NOTHING_USED or answer.outcome.scored:
        return cost_usd(answer.usage, price)
    # An error status costs nothing; an attempt that broke off may have cost something.
    return 0.0 if status is not None and status >= 400 else None


def _total(tried: Sequence[Tried]) -> float | None:
    """What all attempts cost together: those that say what they used; None where none does."""
    if len(tried) == 1:
        return tried[0].cost_usd
    told = [item for item in tried if item.answer.outcome.scored or item.answer.usage != _NOTHING_USED]
    costs = [item.cost_usd for item in told or tried]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def not_sent(sentence: str) -> Answer:
    """The answer to a call that was not sent."""
    return Answer(Outcome.SKIPPED, error=sentence, sent=False)
