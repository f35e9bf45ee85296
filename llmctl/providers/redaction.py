"""Keeps keys out of everything that reaches the disk or the screen.

Keys of this environment are known, and go in every form (`key_forms`). Other keys are known by their shape only
(`key_shapes`), and go from bodies and errors; an answer keeps them, since an evaluator judges it as it came.
"""

from __future__ import annotations

import dataclasses
import operator
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from llmctl.providers.key_forms import SHORTEST, KnownKey, secrets_of
from llmctl.providers.key_shapes import MARKS, replace_key_shapes

__all__ = ["REDACTED", "Redactor", "Span", "allowed_headers"]

REDACTED = "[redacted]"

_T = TypeVar("_T")
_ESCAPED_LETTERS = (r"\\u00[2-7]", "%[2-7]", "&#")
"""A text in which even letters and digits are escaped may hold a key of which no word can be seen."""
_AFTER_A_CUT = ".…"
"""What may stand behind a text that was cut."""
_HEADERS = frozenset(
    {
        "cf-ray",
        "content-length",
        "content-type",
        "date",
        "openai-processing-ms",
        "request-id",
        "retry-after",
        "retry-after-ms",
        "x-request-id",
    }
)


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Span:
    """Where a key stands in a text."""

    start: int
    end: int


class Redactor:
    """Replaces the keys of this environment, and what looks like a key, by `[redacted]`. For use from any thread."""

    def __init__(self, environ: Mapping[str, str], names: Iterable[str] = ()) -> None:
        """Learn the environment's keys: variables that are named like one, and those in `names` whatever they hold."""
        self._values: frozenset[str] = frozenset()
        self._keys: tuple[KnownKey, ...] = ()
        self._build_sieves()
        self.learn([*secrets_of(environ), *(environ.get(name, "") for name in names)])

    @property
    def keys(self) -> tuple[KnownKey, ...]:
        """What is known, longest first."""
        return self._keys

    def learn(self, values: Iterable[str]) -> None:
        """Further values to replace. A value of fewer than 8 characters is no key."""
        new = {text for value in values if len(text := value.strip()) >= SHORTEST and text not in REDACTED}
        if new <= self._values:
            return
        values = sorted(self._values | new, key=len, reverse=True)
        self._keys = tuple(map(KnownKey, values))
        self._build_sieves()
        self._values = frozenset(values)

    def text(self, text: str) -> str:
        """For bodies and errors: known keys, and whatever is shaped like one."""
        if self._any_key.may_match(text):
            text = replace_key_shapes(self.exact(text), REDACTED)
        return text

    def exact(self, text: str) -> str:
        """For answers that evaluators judge: only keys that are really in use, also one that was cut off at the end."""
        if self._known_key.may_match(text):
            text = self._without_cut_key(_replaced(text, self.spans(text)))
        return text

    def any_may_hold(self, texts: Iterable[str]) -> bool:
        """Whether one of the texts may hold what `text` replaces: one look at all of them; False is never wrong."""
        return self._any_key.may_match("\n".join(texts))

    def line_may_hold(self, data: bytes) -> bool:
        """Whether there may be in UTF-8 text what `text` replaces; False is never wrong."""
        return self._any_key.may_match(data)

    def may_hold(self, data: bytes) -> bool:
        """Whether there may be a known key in UTF-8 text; False is never wrong."""
        return self._known_key.may_match(data)

    def structure(self, value: _T) -> _T:
        """`exact` in every text of data and dataclasses; the same object where there is nothing to replace."""
        changed: Any = self._structure(value)
        return changed  # type: ignore[no-any-return]

    def spans(self, text: str) -> list[Span]:
        """Where known keys stand; spans that overlap or touch are one."""
        found = sorted(Span(*match.span()) for key in self._keys for match in key.pattern.finditer(text))
        return list(_merged(found))

    def _without_cut_key(self, text: str) -> str:
        """A text that was cut off in the middle of a key ends with the key's beginning."""
        for key in self._keys:
            value = key.value
            at = text.find(value[:SHORTEST], max(0, len(text) - len(value)))
            while at >= 0:
                if value.startswith(text[at:].rstrip(_AFTER_A_CUT)):
                    return text[:at] + REDACTED
                at = text.find(value[:SHORTEST], at + 1)
        return text

    def _build_sieves(self) -> None:
        words = {word for key in self._keys for word in (key.value[:SHORTEST], *key.cores)}
        known = (*map(re.escape, sorted(words)), *_ESCAPED_LETTERS) if words else ()
        self._known_key = _Sieve(known)
        self._any_key = _Sieve((*known, *MARKS))

    def _structure(self, value: Any) -> Any:
        match value:
            case str():
                return self.exact(value)
            case Mapping():
                pairs = [(self._structure(key), self._structure(item)) for key, item in value.items()]
                same = all(pair[0] is key and pair[1] is value[key] for pair, key in zip(pairs, value, strict=True))
                return value if same else dict(pairs)
            case list() | tuple():
                items = [self._structure(item) for item in value]
                return value if all(map(operator.is_, items, value)) else type(value)(items)
            case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
                return self._fields(value)
            case _:
                return value

    def _fields(self, value: Any) -> Any:
        changed = {}
        for field in dataclasses.fields(value):
            before = getattr(value, field.name)
            after = self._structure(before)
            if after is not before:
                changed[field.name] = after
        return dataclasses.replace(value, **changed) if changed else value


class _Sieve:
    """Whether any of many patterns may match: one pass over the text, at 10 ns a character however many there are."""

    def __init__(self, patterns: Iterable[str]) -> None:
        import re2

        alternatives = "|".join(patterns)
        self._pattern = re2.compile(alternatives) if alternatives else None

    def may_match(self, text: str | bytes) -> bool:
        """False is never wrong."""
        if self._pattern is None:
            return False
        try:
            # RE2 wants bytes, and would count the characters before it.
            return self._pattern.search(text.encode() if isinstance(text, str) else text) is not None
        except UnicodeEncodeError:  # a lone surrogate, which RE2 does not take
            return True


def allowed_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The response headers that cannot hold a secret, names in lower case."""
    allowed: dict[str, str] = {}
    for written, value in headers.items():
        name = written.lower()
        if name in _HEADERS or name.startswith("x-ratelimit-"):
            allowed[name] = value
    return allowed


def _replaced(text: str, spans: Iterable[Span]) -> str:
    parts: list[str] = []
    end = 0
    for span in spans:
        parts += (text[end : span.start], REDACTED)
        end = span.end
    return "".join((*parts, text[end:]))


def _merged(spans: Iterable[Span]) -> Iterator[Span]:
    last: Span | None = None
    for span in spans:
        if last is not None and span.start <= last.end:
            last = Span(last.start, max(last.end, span.end))
            continue
        if last is not None:
            yield last
        last = span
    if last is not None:
        yield last
