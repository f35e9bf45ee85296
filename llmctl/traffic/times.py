"""Points in time as people write them on a command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from llmctl.errors import UsageError

__all__ = ["point_in_time"]

_AGO = re.compile(r"(\d{1,6})\s?(s|m|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def point_in_time(option: str, text: str, now: float) -> float:
    """UTC epoch seconds of `2026-11-01`, `2026-11-01T12:00`, or of `7d` before `now`. Without a zone it is UTC.

    Raises:
        UsageError: it is neither.
    """
    if ago := _AGO.fullmatch(text.strip()):
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        at = datetime.fromisoformat(text.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise UsageError(
            f'{option} "{text}" is no point in time.', hint="Write 2026-11-01, 2026-11-01T12:00, or 7d (s, m, h, d, w)."
        ) from None
