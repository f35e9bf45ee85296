"""Regular expressions that cannot hang: RE2, or Python's `regex` under a time limit."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from time import perf_counter
from typing import Any

from llmctl.errors import EvaluatorError
from llmctl.evaluators.wording import quote_pattern

__all__ = ["LIMIT_S", "Engine", "Found", "Pattern", "compile_either", "compile_pattern"]

LIMIT_S = 1.0
"""How long one search with `engine: python` may take, or, with any engine, going through all matches in an output."""

_MAX_REPETITIONS = 100_000
_SURROGATE = re.compile("[\ud800-\udfff]")
_BOUNDS = re.compile(r"\{(\d*)(?:,(\d*))?\}")


class Engine(StrEnum):
    """Who runs a pattern."""

    RE2 = "re2"
    PYTHON = "python"


@dataclass(frozen=True, slots=True)
class Found:
    """A match: what it covers, from where on, and what the groups that were asked for captured."""

    text: str
    start: int
    captured: tuple[str | None, ...] = ()
    """None: the group took no part in the match."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern; made by `compile_pattern`."""

    source: str
    engine: Engine
    compiled: Any
    """For RE2 a pattern of bytes: through a pattern of text a search takes 11 us, through this one 5."""
    groups: int
    names: Mapping[str, int] = field(compare=False)
    """The numbers of the named groups."""

    def search(self, text: str, *, full: bool = False, groups: tuple[int, ...] = ()) -> Found | None:
        """The first match, or the match of the whole text, with what the numbered groups captured.

        Raises:
            EvaluatorError: Python's engine took longer than its limit.
        """
        if self.engine is Engine.PYTHON:
            match = self._limited(self.compiled.fullmatch if full else self.compiled.search, text, 0, LIMIT_S)
            return None if match is None else _in_text(match, groups)
        data = _utf8(text)
        match = self.compiled.fullmatch(data) if full else self.compiled.search(data)
        if match is None:
            return None
        if text.isascii():
            start, end = match.span()
            return Found(text[start:end], start, _captured(data, match, groups) if groups else ())
        return _in_bytes(data, match, groups, _characters(data[: match.start()]))

    def matches(self, text: str, groups: tuple[int, ...] = ()) -> Iterator[Found]:
        """All matches from left to right, none overlapping another.

        Raises:
            EvaluatorError: going through them took longer than the limit.
        """
        return self._in_text(text, groups) if self.engine is Engine.PYTHON else self._in_bytes(text, groups)

    def remove(self, text: str) -> str:
        """The text without what the pattern matches.

        Raises:
            EvaluatorError: it took longer than the limit.
        """
        kept, end = [], 0
        for found in self.matches(text):
            kept.append(text[end : found.start])
            end = found.start + len(found.text)
        return "".join([*kept, text[end:]])

    def _in_bytes(self, text: str, groups: tuple[int, ...]) -> Iterator[Found]:
        data, deadline = _utf8(text), perf_counter() + LIMIT_S
        seen = characters = 0
        for match in self.compiled.finditer(data):
            start = match.start()
            if start < len(data) and data[start] & 0xC0 == 0x80:
                continue  # an empty match inside a character
            characters += _characters(data[seen:start])
            seen = start
            yield _in_bytes(data, match, groups, characters)
            if perf_counter() > deadline:
                raise self._too_slow()

    def _in_text(self, text: str, groups: tuple[int, ...]) -> Iterator[Found]:
        deadline, at = perf_counter() + LIMIT_S, 0
        while at <= len(text):
            match = self._limited(self.compiled.search, text, at, deadline - perf_counter())
            if match is None:
                return
            yield _in_text(match, groups)
            at = match.end() if match.end() > match.start() else match.end() + 1

    def _limited(self, search: Any, text: str, start: int, seconds: float) -> Any:
        try:
            return search(text, start, timeout=max(seconds, 1e-6))
        except TimeoutError:
            raise self._too_slow() from None

    def _too_slow(self) -> EvaluatorError:
        return EvaluatorError(f"the pattern {quote_pattern(self.source)} took longer than {LIMIT_S:g} s on this output")


def _utf8(text: str) -> bytes:
    return (text if text.isascii() else _SURROGATE.sub("�", text)).encode()  # UTF-8 has no lone surrogates


def _characters(data: bytes) -> int:
    return len(data) if data.isascii() else len(_text(data))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")  # `\C` may end inside a character


def _in_bytes(data: bytes, match: Any, groups: tuple[int, ...], start: int) -> Found:
    begin, end = match.span()
    return Found(_text(data[begin:end]), start, _captured(data, match, groups))


def _captured(data: bytes, match: Any, groups: tuple[int, ...]) -> tuple[str | None, ...]:
    spans = [match.span(group) for group in groups]
    return tuple(_text(data[first:last]) if first >= 0 else None for first, last in spans)


def _in_text(match: Any, groups: tuple[int, ...]) -> Found:
    return Found(match.group(), match.start(), tuple(match.group(group) for group in groups))


@lru_cache(maxsize=1024)
def compile_pattern(source: str, *, ignore_case: bool = False, engine: Engine = Engine.RE2) -> Pattern:
    """A pattern ready to search.

    Raises:
        ValueError: the engine cannot take it; the message is one sentence with the way out.
    """
    if _SURROGATE.search(source):
        raise ValueError("holds half a surrogate pair, which is no character")
    compiled = _re2(source, ignore_case) if engine is Engine.RE2 else _python(source, ignore_case)
    names = {name.decode() if isinstance(name, bytes) else name: at for name, at in compiled.groupindex.items()}
    return Pattern(source, engine, compiled, compiled.groups, names)


def compile_either(source: str) -> Pattern:
    """A pattern for RE2, or for Python's engine under its time limit where RE2 cannot take it.

    Raises:
        ValueError: neither can.
    """
    try:
        return compile_pattern(source)
    except ValueError:
        return compile_pattern(source, engine=Engine.PYTHON)


def _re2(source: str, ignore_case: bool) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False  # it writes to the terminal from C++ otherwise
    options.case_sensitive = not ignore_case
    try:
        return re2.compile(source.encode(), options)
    except re2.error as error:
        reason = _reason(error)
    try:
        _python(source, ignore_case)
    except ValueError:
        raise ValueError(f"is not a regular expression: {reason}") from None
    raise ValueError(f"is not a pattern that RE2 takes ({reason}); `engine: python` takes it")


def _python(source: str, ignore_case: bool) -> Any:
    import regex

    if _repetitions(source) > _MAX_REPETITIONS:
        raise ValueError(f"repeats a part more than {_MAX_REPETITIONS:,} times")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return regex.compile(source, regex.IGNORECASE if ignore_case else 0)
    except (regex.error, RecursionError, OverflowError, ValueError, MemoryError) as error:
        raise ValueError(f"is not a regular expression: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else type(error).__name__
    return (reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)).removesuffix(".")


def _repetitions(source: str) -> int:
    """An upper bound of nested counted repetitions: `((a{1000}){1000}){1000}` takes all memory when compiled."""
    product = 1
    for low, high in _BOUNDS.findall(source):
        product *= max(int(low[:9] or 1), int(high[:9] or 1), 1)
    return product
