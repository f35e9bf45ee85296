"""Regular expressions that cannot hang: RE2, or Python's `regex` under a time limit."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from llmctl.errors import EvaluatorError
from llmctl.evaluators.wording import quote

__all__ = ["PYTHON_LIMIT_S", "Engine", "Found", "Pattern", "compile_either", "compile_pattern"]

PYTHON_LIMIT_S = 1.0
"""How long one search with `engine: python` may take."""

_MAX_REPETITIONS = 100_000
_SURROGATE = re.compile("[\ud800-\udfff]")
_BOUNDS = re.compile(r"\{(\d*)(?:,(\d*))?\}")


class Engine(StrEnum):
    """Who runs a pattern."""

    RE2 = "re2"
    PYTHON = "python"


@dataclass(frozen=True, slots=True)
class Found:
    """A match: what it covers, from where to where, and its first group (None: no group, or it took no part)."""

    text: str
    start: int
    end: int
    groups: int
    group: str | None


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern; made by `compile_pattern`."""

    source: str
    engine: Engine
    compiled: Any
    """For RE2 a pattern of bytes: through a pattern of text a search takes 11 us, through this one 5."""
    groups: int

    def search(self, text: str, *, full: bool = False) -> Found | None:
        """The first match, or the match of the whole text.

        Raises:
            EvaluatorError: Python's engine took longer than its limit.
        """
        return self._re2(text, full) if self.engine is Engine.RE2 else self._python(text, full)

    def _re2(self, text: str, full: bool) -> Found | None:
        plain = text.isascii()
        if not plain:
            text = _SURROGATE.sub("�", text)  # RE2 works on UTF-8, which has no lone surrogates
        data = text.encode()
        match = self.compiled.fullmatch(data) if full else self.compiled.search(data)
        if match is None:
            return None
        spans = [match.span(), match.span(1)] if self.groups else [match.span()]
        if not plain:
            spans = [(_characters(data, start), _characters(data, end)) for start, end in spans]
        start, end = spans[0]
        first, last = spans[-1]
        group = text[first:last] if self.groups and first >= 0 else None
        return Found(text[start:end], start, end, self.groups, group)

    def _python(self, text: str, full: bool) -> Found | None:
        match = self._limited(text, full)
        if match is None:
            return None
        start, end = match.span()
        return Found(text[start:end], start, end, self.groups, match.group(1) if self.groups else None)

    def _limited(self, text: str, full: bool) -> Any:
        search = self.compiled.fullmatch if full else self.compiled.search
        try:
            return search(text, timeout=PYTHON_LIMIT_S)
        except TimeoutError:
            raise EvaluatorError(
                f"the pattern {quote(self.source, 80)} took longer than {PYTHON_LIMIT_S:g} s on this output"
            ) from None


def _characters(data: bytes, end: int) -> int:
    """How many characters the first `end` bytes of UTF-8 hold; -1 stays what it is."""
    return len(data[:end].decode("utf-8", "replace")) if end >= 0 else end  # `\C` may end inside a character


@lru_cache(maxsize=1024)
def compile_pattern(source: str, *, ignore_case: bool = False, engine: Engine = Engine.RE2) -> Pattern:
    """A pattern ready to search.

    Raises:
        ValueError: the engine cannot take it; the message is one sentence with the way out.
    """
    if _SURROGATE.search(source):
        raise ValueError("holds half a surrogate pair, which is no character")
    compiled = _re2(source, ignore_case) if engine is Engine.RE2 else _python(source, ignore_case)
    return Pattern(source, engine, compiled, compiled.groups)


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
