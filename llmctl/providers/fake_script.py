"""What a `fake/...` model answers: its options, read strictly.

`fake/echo` answers with the last user message; `fake/script` with what its options say. Nothing leaves the process.
All options may stand under `[models.NAME] options` and all but `answer` and `answers` hold for `fake/echo` as well:

    answer        text, or a structure that becomes JSON
    answers       a list; the first item whose `match` (a regular expression, searched in the last user message) fits
                  wins: {match: refund, answer: billing} or {match: lawyer, fault: refused}, or both together;
                  a fault that needs a text and has none takes `answer`, else the last user message
    faults        a list, one for each request in the order they come, then no more: [429, ok, reset].
                  Retries count as requests
    latency_ms    how long each answer takes
    flake_rate    with this probability, decided by a hash of the call key and therefore for each repeat anew,
    flake_answer  this is the answer; `seed` gives another set of calls
    seed

Faults: ok, timeout, reset, malformed, html, no_choices, no_usage, cut (a stream that breaks off), empty, truncated,
refused, filtered, context_exceeded, quota, or an HTTP status (400, 401, 429, 500, 529 ...; 429 says `Retry-After: 0`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from llmctl.canonical import written
from llmctl.errors import UsageError

__all__ = ["FAULTS", "Reply", "Script"]

FAULTS = frozenset(
    {
        "ok",
        "timeout",
        "reset",
        "malformed",
        "html",
        "no_choices",
        "no_usage",
        "cut",
        "empty",
        "truncated",
        "refused",
        "filtered",
        "context_exceeded",
        "quota",
    }
)
_OPTIONS = frozenset({"answer", "answers", "faults", "latency_ms", "flake_rate", "flake_answer", "seed"})
_ITEM = frozenset({"match", "answer", "fault"})


@dataclass(frozen=True, slots=True)
class Reply:
    """One item of `answers`: a text or a fault for the messages that `match` fits."""

    match: str
    answer: str | None
    fault: str = "ok"


@dataclass(frozen=True, slots=True)
class Script:
    """The options of one fake model."""

    echo: bool
    answer: str | None = None
    answers: tuple[Reply, ...] = ()
    faults: tuple[str, ...] = ()
    latency_ms: float = 0.0
    flake_rate: float = 0.0
    flake_answer: str = ""

    @classmethod
    def parse(cls, name: str, options: Mapping[str, object]) -> Script:
        """Read the options of `fake/NAME`.

        Raises:
            UsageError: the name or an option is unknown, or has the wrong type.
        """
        if name not in {"echo", "script"}:
            raise UsageError(f'There is no model "fake/{name}".', hint="Use fake/echo or fake/script.")
        unknown = sorted(set(options) - _OPTIONS)
        if unknown:
            raise UsageError(
                f'A fake model has no option "{unknown[0]}".', hint=f"It has: {', '.join(sorted(_OPTIONS))}."
            )
        script = cls(
            echo=name == "echo",
            answer=_text(options["answer"]) if "answer" in options else None,
            answers=tuple(_reply(item) for item in _list(options, "answers")),
            faults=tuple(_fault(item) for item in _list(options, "faults")),
            latency_ms=_number(options, "latency_ms"),
            flake_rate=_number(options, "flake_rate", most=1.0),
            flake_answer=_text(options.get("flake_answer", "")),
        )
        script._check(name)
        return script

    def _check(self, name: str) -> None:
        if self.echo and (self.answers or self.answer is not None):
            raise UsageError("fake/echo answers with the last user message.", hint="Use fake/script for other answers.")
        if not self.echo and not self.answers and self.answer is None:
            raise UsageError(f"fake/{name} has nothing to answer.", hint='Give it options = {answer = "..."}.')

    def reply(self, message: str) -> Reply | None:
        """What to answer to the last user message, faults in turn and flakes aside; None: nothing matches."""
        if self.echo:
            return Reply("", message)
        for item in self.answers:
            if _pattern(item.match).search(message):
                return item if item.answer is not None else replace(item, answer=self.answer or message)
        return None if self.answer is None else Reply("", self.answer)


def _list(options: Mapping[str, object], name: str) -> list[object]:
    value = options.get(name, [])
    if not isinstance(value, list | tuple):
        raise UsageError(f'The option "{name}" of a fake model must be a list.')
    return list(value)


def _number(options: Mapping[str, object], name: str, most: float = float("inf")) -> float:
    value = options.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        limit = "of 0 or more" if most == float("inf") else f"from 0 to {most:g}"
        raise UsageError(f'The option "{name}" of a fake model must be a number {limit}.')
    return float(value)


def _text(value: object) -> str:
    return written(value)


def _fault(value: object) -> str:
    name = written(value)
    if name in FAULTS or (name.isdecimal() and 400 <= int(name) <= 599):
        return name
    raise UsageError(f'There is no fault "{name}".', hint=f"Use an HTTP status, or: {', '.join(sorted(FAULTS))}.")


def _reply(item: object) -> Reply:
    if not isinstance(item, Mapping) or set(item) - _ITEM or "match" not in item or len(item) < 2:
        raise UsageError("An item of `answers` must be {match: ..., answer: ...} or {match: ..., fault: ...}.")
    match = written(item["match"])
    _pattern(match)
    answer = _text(item["answer"]) if "answer" in item else None
    return Reply(match, answer, _fault(item.get("fault", "ok")))


@lru_cache(maxsize=1024)
def _pattern(source: str) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(source, options)
    except re2.error as error:
        raise UsageError(f'"{source}" is not a regular expression: {error}.') from None
