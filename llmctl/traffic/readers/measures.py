"""Times, durations and amounts that applications log beside a call, under the names and in the units in use."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.values import count, epoch_s, number, text

__all__ = ["duration_ms", "read_measure"]

_WITH_UNIT = re.compile(r"\s*([\d.]+)\s*(ms|milliseconds?|s|secs?|seconds?)\s*", re.IGNORECASE)
_CLOCK = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")
_ISO = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_MOST_SECONDS, _FEWEST_MS = 60, 1000
_STEMS = (
    "latency",
    "total_latency",
    "processing",
    "processing_time",
    "total",
    "total_duration",
    "request_latency",
    "response_latency",
    "llm_latency",
    "call_duration",
    "duration",
    "elapsed",
    "elapsed_time",
    "response_time",
    "total_time",
    "took",
    "request_duration",
    "time",
)
_BARE = tuple(stem for stem in _STEMS if stem not in ("time", "total", "processing"))
"""Those that say what they are also without a unit."""
_UNITS = {"ms": 1.0, "millis": 1.0, "milliseconds": 1.0, "s": 1e3, "sec": 1e3, "secs": 1e3, "seconds": 1e3}
_UNITS |= {"us": 1e-3, "micros": 1e-3, "microseconds": 1e-3, "ns": 1e-6, "nanos": 1e-6, "nanoseconds": 1e-6}
_LATENCIES: Mapping[str, float | None] = {
    **{f"{stem}{join}{unit}": factor for stem in _STEMS for unit, factor in _UNITS.items() for join in ("_", "")},
    **dict.fromkeys(_BARE),
    **{stem.replace("_", ""): None for stem in _BARE},
}
_FIRST_TOKENS: Mapping[str, float | None] = {
    **{
        f"{stem}_{unit}": factor
        for stem in ("ttft", "time_to_first_token", "first_token", "first_token_latency", "time_to_first_chunk")
        for unit, factor in _UNITS.items()
    },
    **dict.fromkeys(("ttft", "time_to_first_token", "timetofirsttoken", "first_token_latency")),
}
_STARTS = frozenset(
    {
        *("timestamp", "ts", "@timestamp", "datetime", "date", "created", "createdat", "created_at", "logged_at"),
        *(
            "start",
            "started",
            "started_at",
            "startedat",
            "start_time",
            "starttime",
            "startedatetime",
            "starteddatetime",
        ),
        *("request_time", "requested_at", "request_timestamp", "request_start", "called_at", "time"),
    }
)
_ENDS = frozenset(
    {"end", "ended_at", "end_time", "endtime", "completed_at", "finished_at", "response_timestamp", "request_end"}
)
_COSTS = frozenset({"cost", "cost_usd", "total_cost", "response_cost", "total_cost_usd", "costusd"})
_INPUTS = frozenset({"input_tokens", "prompt_tokens", "tokens_in", "inputtokens", "prompttokens", "num_input_tokens"})
_OUTPUTS = frozenset(
    {"output_tokens", "completion_tokens", "tokens_out", "outputtokens", "completiontokens", "num_output_tokens"}
)


def duration_ms(value: object, factor: float | None = None) -> float | None:
    """A duration in milliseconds.

    Without a unit (`latency: 0.812`) it is seconds below 60 with a fraction, and milliseconds from 1000 on; between
    them it may be either, and is None.

    Args:
        value: a number, also as text, also with its unit (`"812 ms"`, `PT1.5S`, Python's `0:00:01.5`).
        factor: milliseconds in the unit that the name gives; None: it gives none.
    """
    if isinstance(value, str) and (clock := _CLOCK.fullmatch(value) or _ISO.fullmatch(value)):
        hours, minutes, seconds = (number(part) or 0.0 for part in clock.groups())
        return (hours * 3600 + minutes * 60 + seconds) * 1e3
    if isinstance(value, str) and (found := _WITH_UNIT.fullmatch(value)):
        amount, factor = number(found[1]), 1.0 if found[2].lower().startswith("m") else 1e3
    else:
        amount = number(value)
    if amount is None or amount < 0:
        return None
    if factor is not None:
        return amount * factor
    if amount >= _FEWEST_MS:
        return amount
    return amount * 1e3 if amount < _MOST_SECONDS and amount != int(amount) else None


def read_measure(name: str, value: Any, call: LoggedCall, ended: list[float]) -> bool:
    """Take one named value into its field, where the name is known and the field is empty; whether it was.

    The end of a call, which has no field, is added to `ended`.
    """
    take = _TAKEN.get(name) or _TAKEN.get(name.lower()) or _TAKEN.get(_snake(name))
    return take is not None and take(value, call, ended)


@lru_cache(maxsize=2_000)
def _snake(name: str) -> str:
    """`responseTimeMs` -> `response_time_ms`."""
    return _HUMP.sub("_", name).lower().replace("-", "_")


_Take = Callable[[Any, LoggedCall, list[float]], bool]


def _start(value: Any, call: LoggedCall, _: list[float]) -> bool:
    moment = epoch_s(value)
    if moment is not None and call.started_at is None:
        call.started_at = moment
    return moment is not None


def _end(value: Any, _: LoggedCall, ended: list[float]) -> bool:
    moment = epoch_s(value)
    if moment is not None:
        ended.append(moment)
    return moment is not None


def _duration(field: str, factor: float | None) -> _Take:
    def take(value: Any, call: LoggedCall, _: list[float]) -> bool:
        found = duration_ms(value, factor)
        if found is not None and getattr(call, field) is None:
            setattr(call, field, found)
        return found is not None

    return take


def _amount(field: str, read: Callable[[object], object]) -> _Take:
    def take(value: Any, call: LoggedCall, _: list[float]) -> bool:
        found = read(value)
        if found is not None and getattr(call, field) is None:
            setattr(call, field, found)
        return found is not None

    return take


def _lower(value: object) -> str | None:
    found = text(value)
    return found.lower() if found else None


_TAKEN: Mapping[str, _Take] = {
    **dict.fromkeys(_STARTS, _start),
    **dict.fromkeys(_ENDS, _end),
    **{name: _duration("latency_ms", factor) for name, factor in _LATENCIES.items()},
    **{name: _duration("ttft_ms", factor) for name, factor in _FIRST_TOKENS.items()},
    **dict.fromkeys(_COSTS, _amount("cost_usd", number)),
    **dict.fromkeys(_INPUTS, _amount("input_tokens", count)),
    **dict.fromkeys(_OUTPUTS, _amount("output_tokens", count)),
    **dict.fromkeys(("provider", "llm_provider", "vendor", "custom_llm_provider"), _amount("provider", _lower)),
    **dict.fromkeys(("url", "endpoint", "path", "uri", "request_path", "request_url"), _amount("endpoint", text)),
}
