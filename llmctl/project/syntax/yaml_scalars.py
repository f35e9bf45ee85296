"""What a plain YAML scalar means: the YAML 1.2 core schema, its text kept where the value would lose it.

`no`, `on`, `12:30` and `2024-01-01` are text, `010` is ten. `.inf`, `.nan`, a whole number beyond 64 bits and a float
beyond its range are text too: no finite number is meant, and a place that needs a number says so.
"""

from __future__ import annotations

import math
import re

from llmctl.canonical import WrittenBool, WrittenFloat, WrittenInt

__all__ = ["core_scalar"]

Scalar = str | int | float | None

_WORDS: dict[str, Scalar] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "false": False,
    "True": WrittenBool(True, "True"),
    "TRUE": WrittenBool(True, "TRUE"),
    "False": WrittenBool(False, "False"),
    "FALSE": WrittenBool(False, "FALSE"),
}
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NUMBER_STARTS = frozenset("0123456789+-.")
_MAX_DIGITS = 64


def core_scalar(text: str) -> Scalar:
    """The value of a plain scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if _DECIMAL.fullmatch(text):
        return _whole(text, 10)
    if _FLOAT.fullmatch(text):
        return _float(text)
    if _BASED.fullmatch(text):
        return _whole(text, 8 if text[1] == "o" else 16)
    return text


def _whole(text: str, base: int) -> Scalar:
    # int() takes quadratic time and refuses 4,301 digits; JSON carries 64 bits.
    if len(text) > _MAX_DIGITS:
        return text
    number = int(text if base == 10 else text[2:], base)
    if not -(2**63) <= number < 2**64:
        return text
    return number if str(number) == text else WrittenInt(number, text)


def _float(text: str) -> Scalar:
    number = float(text)
    if not math.isfinite(number):
        return text
    return number if repr(number) == text else WrittenFloat(number, text)
