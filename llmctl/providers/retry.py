"""When a call is asked again, and how long to wait before. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from llmctl.providers.wire import Answer, Retry

__all__ = ["out_of_time", "retry_after_s", "wait_s"]

_FIRST_S = 0.5
_LONGEST_S = 8.0


def wait_s(answers: Sequence[Answer], *, max_attempts: int, retry_after: float | None, jitter: float) -> float | None:
    """Seconds to wait after these attempts; None: the last answer stands.

    A kept-alive connection that was found closed is replaced at once; that counts once as no attempt.

    Args:
        answers: Of all attempts so far.
        max_attempts: How many there may be.
        retry_after: What the provider asks for, in seconds.
        jitter: A random number from 0 to 1, so that many calls do not come back at the same moment.
    """
    stale = sum(answer.retry is Retry.AT_ONCE for answer in answers)
    retry = answers[-1].retry
    if retry is Retry.AT_ONCE and stale == 1:
        return 0.0
    attempts = len(answers) - min(stale, 1)
    allowed = {Retry.NEVER: 1, Retry.ONCE: min(2, max_attempts)}.get(retry, max_attempts)
    if attempts >= allowed:
        return None
    own = min(_FIRST_S * 2.0 ** (attempts - 1), _LONGEST_S) * (0.5 + 0.5 * jitter)
    if retry_after is None:
        return own
    # Never before the time that was asked for; and who is refused again and again believes no short time.
    return max(retry_after * (1.0 + 0.1 * jitter), own if attempts > 1 else 0.0)


def out_of_time(answer: Answer, wait: float, left_s: float, total_s: float) -> Answer:
    """The last answer, where the next attempt would come too late."""
    said = (answer.error or str(answer.outcome)).rstrip(".")
    sentence = f"{said}. The next attempt would have to wait {wait:.0f} s, and of this call's {total_s:g} s"
    return replace(answer, error=f"{sentence} {max(0.0, left_s):.0f} s are left.")


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """The wait that the provider asks for; None where it says nothing readable.

    `Retry-After-Ms` (OpenAI, Azure) is milliseconds, `Retry-After` is seconds or an HTTP date.
    """
    if "retry-after" not in headers and "retry-after-ms" not in headers:
        return None
    milliseconds = _number(headers.get("retry-after-ms", "").strip())
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after", "").strip()
    number = _number(text)
    if number is not None or not text:
        return number
    try:
        return _until(text, now)
    except ValueError:
        return None


def _number(text: str) -> float | None:
    return float(text) if text.isascii() and text.replace(".", "", 1).isdigit() else None


def _until(text: str, now: float) -> float:
    moment = parsedate_to_datetime(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.fromtimestamp(now, UTC)).total_seconds())
