"""What a provider says in `x-ratelimit-*` headers of the requests that it still allows. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Allowance", "read_allowance"]

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many requests are left, after the one that was answered."""

    remaining: float
    per_second: float | None = None
    """What fills up again, where limit and reset are said; a provider that counts in windows may allow less."""


def read_allowance(headers: Mapping[str, str]) -> Allowance | None:
    """None where the headers say nothing readable.

    `x-ratelimit-reset-requests` is the time until nothing is used any more (OpenAI, Groq: `1s`, `6m0s`, `120ms`), so
    that what is used, divided by it, is the rate at which a bucket fills.
    """
    text = headers.get("x-ratelimit-remaining-requests")
    if text is None:
        return None
    remaining = _number(text)
    if remaining is None:
        return None
    limit = _number(headers.get("x-ratelimit-limit-requests", ""))
    reset_s = _seconds(headers.get("x-ratelimit-reset-requests", ""))
    known = limit is not None and reset_s is not None and limit > remaining and reset_s > 0
    return Allowance(remaining, (limit - remaining) / reset_s if known and limit and reset_s else None)


def _number(text: str) -> float | None:
    text = text.strip()
    return float(text) if text.isascii() and text.replace(".", "", 1).isdigit() else None


def _seconds(text: str) -> float | None:
    """`1h2m3.5s`, `120ms`, or plain seconds."""
    text = text.strip().lower()
    if not text or _PART.sub("", text):
        return _number(text)
    return sum(float(number) * _UNIT_S[unit] for number, unit in _PART.findall(text))
