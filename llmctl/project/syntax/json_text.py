"""Strict JSON: numbers keep their text, and what other readers let pass is named instead of guessed."""

from __future__ import annotations

import json
from dataclasses import dataclass

from llmctl.canonical import WrittenFloat, WrittenInt

__all__ = ["MAX_DEPTH", "JsonReader", "JsonValue", "plain_complaint"]

MAX_DEPTH = 64
_MIN_INT = -(2**63)
_MAX_INT = 2**64 - 1
_MAX_INT_DIGITS = 20
_TOO_DEEP = f"The value is nested deeper than {MAX_DEPTH} levels."


@dataclass(frozen=True, slots=True)
class JsonValue:
    """One value of a text, where it ends, and what is wrong with it."""

    value: object
    end: int
    faults: tuple[str, ...]
    """Sentences; the value is not to be used if there is any."""


class JsonReader:
    """Reads one JSON value after the other out of a text."""

    def __init__(self) -> None:
        self._faults: list[str] = []
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_float=self._float,
            parse_int=self._int,
            parse_constant=self._constant,
        )

    def read(self, text: str, start: int = 0) -> JsonValue:
        """Read the value that begins exactly at `start`.

        Raises:
            json.JSONDecodeError: there is no complete JSON value.
        """
        self._faults.clear()
        try:
            value, end = self._decoder.raw_decode(text, start)
        except RecursionError:
            return JsonValue(None, len(text), (_TOO_DEEP,))
        # Only a text that could be too deep is looked through: this runs for every row.
        if text.count("[", start, end) + text.count("{", start, end) > MAX_DEPTH and _too_deep(value):
            self._faults.append(_TOO_DEEP)
        elif text.find("\\u", start, end) >= 0 and _has_lone_surrogate(value):
            self._faults.append("A text holds half of a surrogate pair (`\\ud800` to `\\udfff` alone).")
        return JsonValue(value, end, tuple(self._faults))

    def _object(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        values = dict(pairs)
        if len(values) < len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    self._faults.append(f"The key `{key}` stands twice.")
                seen.add(key)
        return values

    def _float(self, text: str) -> float:
        number = float(text)
        if number in (float("inf"), float("-inf")):
            self._faults.append(f"The number {_short(text)} is too large.")
        return number if repr(number) == text else WrittenFloat(number, text)

    def _int(self, text: str) -> int:
        if len(text) > _MAX_INT_DIGITS or not _MIN_INT <= int(text) <= _MAX_INT:
            self._faults.append(f"The number {_short(text)} is too large; write it as text.")
            return 0
        number = int(text)
        return number if str(number) == text else WrittenInt(number, text)

    def _constant(self, text: str) -> None:
        self._faults.append(f"{text} is no JSON number; write null or a text.")


def plain_complaint(error: json.JSONDecodeError) -> str:
    """What Python's reader says, as a sentence."""
    if error.msg.startswith("Unterminated string"):
        return "The text that begins here is never closed."
    if error.pos >= len(error.doc.rstrip()):
        return "The JSON is cut off here."
    said = error.msg.removesuffix(" at")
    return f"This is not valid JSON: {said[:1].lower()}{said[1:]}."


def _too_deep(value: object) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True


def _has_lone_surrogate(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _short(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:20]}..."
