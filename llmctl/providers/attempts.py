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


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt: as it was read, and as it is recorded."""

    answer: Answer
    attempt: Attempt
    cost_usd: float | None
    """None: unknown, though it may have been charged."""
    shown: bool
    """Whether its text stands on a screen already."""


class Recorder:
    """Makes the records; keys of the environment are taken out."""

    def __init__(self, redactor: Redactor, clock: Clock) -> None:
        self._redactor = redactor
        self._clock = clock

    def tried(self, asked: Asked, answer: Answer, tape: Tape, *, number: int, started_at: float) -> Tried:
        """The attempt that has just ended."""
        ended_at = tape.ended_at or self._clock.monotonic()
        attempt = self._attempt(answer, tape, number, started_at, (ended_at - tape.sent_at) * 1000)
        return Tried(answer, attempt, _cost(asked, answer, tape.status), tape.shown)

    def call(self, asked: Asked, answer: Answer, tried: Sequence[Tried]) -> Call:
        """The whole call; `answer` decides."""
        last = tried[-1].attempt if tried else None
        redactor = self._redactor
        return Call(
            key=asked.key,
            provider=asked.route.provider,
            model=asked.route.model,
            transport=str(asked.route.transport),
            endpoint=redactor.exact(asked.route.url),
            outcome=answer.outcome,
            output=None if answer.output is None else redactor.exact(answer.output),
            tool_calls=redactor.structure(answer.tool_calls) if answer.tool_calls else (),
            finish_reason=None if answer.finish_reason is None else redactor.exact(answer.finish_reason),
            served_model=None if answer.served_model is None else redactor.text(answer.served_model),
            usage=answer.usage,
            cost_usd=_total(tried),
            started_at=tried[0].attempt.started_at if tried else self._clock.now(),
            latency_ms=last.latency_ms if last else 0.0,
            ttft_ms=last.ttft_ms if last else None,
            error=redactor.text(answer.error) if answer.error else None,
            attempts=tuple(item.attempt for item in tried),
        )

    def _attempt(self, answer: Answer, tape: Tape, number: int, started_at: float, latency_ms: float) -> Attempt:
        redactor = self._redactor
        headers = self._headers(tape)
        first = tape.first_token_at
        body = visible_text(tape.body)
        # A key may come in pieces: as a stream's deltas, or as the parts of one answer.
        in_pieces = first is not None or _differs(answer.output, redactor)
        return Attempt(
            number=number,
            started_at=started_at,
            latency_ms=latency_ms,
            outcome=answer.outcome,
            status=tape.status,
            error=redactor.text(answer.error) if answer.error else None,
            ttft_ms=None if first is None else (first - tape.sent_at) * 1000,
            request_id=headers.get("x-request-id") or headers.get("request-id"),
            retry_after_s=retry_after_s(headers, self._clock.now()),
            request_body=redactor.text(visible_text(tape.request_body)),
            response_body=redactor.text(redact_pieces(body, redactor) if in_pieces else body),
            response_headers=headers,
        )

    def _headers(self, tape: Tape) -> dict[str, str]:
        """The allowed ones. No header holds a line end, so all values are redacted as one text."""
        allowed = allowed_headers(tape.headers)
        if not allowed:
            return allowed
        values = [value.replace("\n", " ") for value in allowed.values()]
        redacted = self._redactor.text("\n".join(values)).split("\n")
        if len(redacted) != len(values):  # a key with a line end
            redacted = [self._redactor.text(value) for value in values]
        return dict(zip(allowed, redacted, strict=True))


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
    if answer.usage != Usage() or answer.outcome.scored:
        return cost_usd(answer.usage, price)
    # An error status costs nothing; an attempt that broke off may have cost something.
    return 0.0 if status is not None and status >= 400 else None


def _total(tried: Sequence[Tried]) -> float | None:
    """What all attempts cost together: those that say what they used; None where none does."""
    told = [item for item in tried if item.answer.outcome.scored or item.answer.usage != Usage()]
    costs = [item.cost_usd for item in told or tried]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def not_sent(sentence: str) -> Answer:
    """The answer to a call that was not sent."""
    return Answer(Outcome.SKIPPED, error=sentence, sent=False)
