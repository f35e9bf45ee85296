"""When a call is asked again, and how long to wait before. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from llmctl.providers.wire import Answer, Retry

__all__ = ["MAX_RETRY_AFTER_S", "retry_after_s", "wait_s"]

MAX_RETRY_AFTER_S = 60.0
"""A provider that asks for more is asked again after this time."""
_FIRST_S = 0.5
_LONGEST_S = 8.0


def wait_s(
    answer: Answer, *, attempts: int, max_attempts: int, retry_after: float | None, jitter: float
) -> float | None:
    """Seconds to wait after the given number of attempts; None: the last answer stands.

    Args:
        answer: Of the last attempt.
        attempts: How many there were.
        max_attempts: How many there may be.
        retry_after: What the provider asks for, in seconds.
        jitter: A random number from 0 to 1, so that many calls do not come back at the same moment.
    """
    allowed = {Retry.NEVER: 1, Retry.ONCE: min(2, max_attempts), Retry.AGAIN: max_attempts}[answer.retry]
    if attempts >= allowed:
        return None
    if retry_after is not None:
        # Never before the time that was asked for.
        return min(retry_after, MAX_RETRY_AFTER_S) * (1.0 + 0.1 * jitter)
    return min(_FIRST_S * 2.0 ** (attempts - 1), _LONGEST_S) * (0.5 + 0.5 * jitter)


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """The wait that `Retry-After` asks for: seconds, or an HTTP date; None where it says nothing readable."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        return max(0.0, float(text)) if text.isascii() and text.replace(".", "", 1).isdigit() else _until(text, now)
    except ValueError:
        return None


def _until(text: str, now: float) -> float:
    moment = parsedate_to_datetime(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.fromtimestamp(now, UTC)).total_seconds())
