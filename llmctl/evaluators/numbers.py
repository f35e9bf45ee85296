"""The numbers that stand in a text, as people write them, exact to the last digit.

`42`, `-1,234.50`, `−5` (Unicode minus), `$3`, `5kg`, `.5`, `½`, `2½`, `1e-3`, `6.02 × 10^23`, `2 million`, `1 234`
(with a no-break space), `1{,}234` (LaTeX), `１２`, `三`. What is joined to further digits or to a word is no number
but a date, time, range, fraction, version or name, and is left out: `2024-01-15`, `12:30`, `10-20`, `1/2`, `1.2.3`,
`GPT-4`, `x2`, `0x1F`, `10k`, `10²`. A percentage is 0.12, 12 or no number at all, as the caller says.
"""

# ruff: noqa: RUF001, RUF002 - minus signs, spaces and digits as models write them
from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal, DecimalException
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from itertools import islice

from llmctl.evaluators.han_numerals import HAN, han_number

__all__ = ["FoundNumber", "Percent", "closeness", "exact_number", "find_numbers", "gap", "percentage", "same_number"]

_CONTEXT = Context(prec=60, Emin=-999_999, Emax=999_999, traps=[])

_SIGN = "[-+−﹣－–]"  # the minus signs that models write
_SUPERSCRIPT = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"
_FRACTIONS = "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒"
_TEMPLATE = r"""
    (?=[-+−﹣－–\dPOINTFRACTIONHAN])                  # a quick look: most characters begin no number
    (?<![^\W_]) (?<![^\W_]_) (?<!\d\.)                # not inside a word: x2, var_2
    (?: (?P<sign>SIGN) (?:[$€£¥₹]\s?)?+ | (?<![^\W\d_][-–]) )   # nor joined to one: GPT-4
    (?: (?P<digits>
            (?> \d{1,3}(?:GROUP\d{3})++ (?!\d)       # 1,234,567
              | \d++ )
            (?:[POINT]\d++)?+
          | (?<!\d)[POINT]\d++ )                     # .5
        (?:\s?(?P<part>[FRACTION]))?+                # 2½
      | (?P<alone>[FRACTION])
      | (?P<han>[HAN]++) )
    (?: (?:[eE](?P<e>[-+−]?\d++)(?![^\W_]))
      | \s?[x×*·]\s?10(?:\^|\*\*)\{?(?P<ten>[-+−]?\d++)\}?
      | \s?[x×*·]\s?10(?P<raised>[SUPER]++) )?+
    (?P<rest> (?: [POINT/⁄:–−-][$€£¥₹]?\d++ (?:[JOINED]\d++)*+ | (?:\^|\*\*)[\{(]?[-+−]?\w++ | [SUPER]++ | \w++ )*+ )
    (?P<percent> \s?(?:\\?%|[％‰])(?!\w) | \s(?:percent|per\ cent)\b )?+
    (?P<scale> \s(?:(?:thousand|million|billion|trillion)s?)\b )?+
"""
_SCALES = {"thousand": "1e3", "million": "1e6", "billion": "1e9", "trillion": "1e12"}
_MULTIPLIERS = frozenset({"k", "K", "m", "M", "b", "B", "t", "T", "bn", "Bn", "mn", "Mn", "mio", "Mio", "mrd", "Mrd"})
_PLAIN_SIGNS = str.maketrans("−﹣－–" + _SUPERSCRIPT, "----" + "0123456789-")
_UNGROUPED = str.maketrans("", "", "_\u00a0\u202f\u2009'’\\{}!")


class Percent(StrEnum):
    """What a percentage is read as."""

    SKIP = "skip"
    """No number: `12 %` may mean 12 or 0.12."""
    SHARE = "share"
    """0.12."""
    NUMBER = "number"
    """12."""


@dataclass(frozen=True, slots=True)
class FoundNumber:
    """A number and the characters that it was read from."""

    value: Decimal
    text: str
    start: int
    unit: str = ""
    """Letters directly behind it: the `kg` of `5kg`."""


@lru_cache(maxsize=2)
def _token(point: str) -> re.Pattern[str]:
    other = "," if point == "." else "."
    spaces = "\u00a0\u202f\u2009'’"  # no-break and thin spaces
    latex = r"|\{,\}|\\[,!]" if point == "." else r"|\\[!]"
    names = {
        "SIGN": _SIGN,
        "GROUP": f"(?:[{other}{spaces}_]{latex})",
        "JOINED": other + spaces,
        "POINT": re.escape(point),
        "SUPER": _SUPERSCRIPT,
        "FRACTION": _FRACTIONS,
        "HAN": HAN,
    }
    source = _TEMPLATE
    for name, text in names.items():
        source = source.replace(name, text)
    return re.compile(source, re.VERBOSE | re.IGNORECASE)


def find_numbers(text: str, point: str = ".", percent: Percent = Percent.SHARE) -> Iterator[FoundNumber]:
    """All numbers in a text, from left to right; `point` is the decimal sign, the other one groups thousands."""
    for match in _token(point).finditer(text):
        if match["percent"] and percent is Percent.SKIP:
            continue
        value = _value(match, point, percent)
        if value is not None:
            yield FoundNumber(value, match.group().strip(), match.start(), match["rest"].strip("_"))


def percentage(text: str, point: str = ".") -> str | None:
    """The first percentage in a text, as it stands there."""
    return next((match.group().strip() for match in _token(point).finditer(text) if match["percent"]), None)


def _value(match: re.Match[str], point: str, percent: Percent) -> Decimal | None:
    """The token's number; None where it is no number but part of something else."""
    if match.group().isdecimal():  # most are
        return Decimal(match.group())
    rest = match["rest"].strip("_")  # _42_ is emphasis
    if rest and (rest in _MULTIPLIERS or not rest.isalpha() or match["han"]):
        return None
    magnitude = _magnitude(match, point)
    exponent = (match["e"] or match["ten"] or match["raised"] or "").translate(_PLAIN_SIGNS)
    if magnitude is None:
        return None
    value = magnitude if not exponent else _raised(magnitude, exponent)
    scale = _scale(match, percent)
    if scale is not None:
        value = _CONTEXT.multiply(value, Decimal(scale))
    return value.copy_negate() if (match["sign"] or "+").translate(_PLAIN_SIGNS) == "-" else value


def _magnitude(match: re.Match[str], point: str) -> Decimal | None:
    if match["han"]:
        return han_number(match["han"])
    whole = Decimal(0)
    if match["digits"]:
        digits = match["digits"].translate(_UNGROUPED)
        whole = Decimal(digits.replace(",", "") if point == "." else digits.replace(".", "").replace(",", "."))
    part = match["part"] or match["alone"]
    if not part:
        return whole
    fraction = Fraction(unicodedata.numeric(part)).limit_denominator(10)
    return _CONTEXT.add(whole, _CONTEXT.divide(Decimal(fraction.numerator), Decimal(fraction.denominator)))


def _raised(value: Decimal, exponent: str) -> Decimal:
    try:
        return Decimal(f"{value:f}e{exponent}")
    except DecimalException:  # an exponent beyond all measure
        return Decimal("Infinity")


def _scale(match: re.Match[str], percent: Percent) -> str | None:
    """What the number is multiplied with."""
    if match["percent"]:
        return None if percent is Percent.NUMBER else "0.001" if "‰" in match["percent"] else "0.01"
    return _SCALES[match["scale"].strip().lower().removesuffix("s")] if match["scale"] else None


def exact_number(text: str, point: str = ".", percent: Percent = Percent.SHARE) -> Decimal | None:
    """The number that a whole text is (`1,234.5`, `$3`, `12 %`); None when it is anything else (`5kg`, `about 5`)."""
    text = text.strip()
    found = list(islice(find_numbers(text, point, percent), 2))
    if len(found) != 1 or not found[0].value.is_finite() or found[0].unit:
        return None
    around = text.replace(found[0].text, "", 1).strip()
    return found[0].value if around in ("", "$", "€", "£", "¥", "₹", "+") else None


def same_number(one: Decimal, other: Decimal, tolerance: Decimal, relative: Decimal) -> bool:
    """Whether `one` lies within `tolerance`, or within `relative` x |other|, of `other`."""
    if one == other:
        return True
    if not one.is_finite() or not other.is_finite():
        return False
    allowed = max(tolerance, _CONTEXT.multiply(relative, _CONTEXT.abs(other)))
    off = _CONTEXT.abs(gap(one, other))
    return off.is_finite() and off <= allowed


def gap(one: Decimal, other: Decimal) -> Decimal:
    """How far `one` lies above `other`; infinite beyond all measure, never an exception."""
    return _CONTEXT.subtract(one, other)


def closeness(one: Decimal, other: Decimal) -> float:
    """1 - |one - other| / (|one| + |other|): 1 for equal numbers, 0 for opposite signs or where only one is 0."""
    if one == other:
        return 1.0
    if not one.is_finite() or not other.is_finite():
        return 0.0
    sizes = _CONTEXT.add(_CONTEXT.abs(one), _CONTEXT.abs(other))
    share = _CONTEXT.divide(_CONTEXT.abs(gap(one, other)), sizes)
    return min(1.0, max(0.0, 1.0 - float(share))) if share.is_finite() else 0.0
