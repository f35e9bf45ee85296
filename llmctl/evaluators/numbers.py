"""The numbers that stand in a text, as people write them, exact to the last digit.

`42`, `-1,234.50`, `−5` (Unicode minus), `$3`, `5kg`, `.5`, `1e-3`, `6.02 × 10^23`, `2 million`, `1 234` (with a
no-break space), `12 %` (0.12). What is joined to further digits or to a word is no number but a date, time, range,
fraction, version or name, and is left out: `2024-01-15`, `12:30`, `10-20`, `1/2`, `1.2.3`, `GPT-4`, `x2`, `0x1F`,
`10k`, `10²`.
"""

# ruff: noqa: RUF001, RUF002 - minus signs, spaces and digits as models write them
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal, DecimalException
from functools import lru_cache
from itertools import islice

__all__ = ["FoundNumber", "exact_number", "find_numbers", "gap", "same_number"]

_CONTEXT = Context(prec=60, Emin=-999_999, Emax=999_999, traps=[])

_SIGN = "[-+−﹣－–]"  # the minus signs that models write
_SUPERSCRIPT = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"
_TEMPLATE = r"""
    (?<![^\W_]) (?<![^\W_]_) (?<!\d\.)                # not inside a word: x2, var_2
    (?: (?P<sign>SIGN) (?:[$€£¥₹]\s?)?+ | (?<![^\W\d_][-–]) )   # nor joined to one: GPT-4
    (?P<digits>
        (?> \d{1,3}(?:[GROUP_]\d{3})++ (?!\d)        # 1,234,567
          | \d++ )
        (?:[POINT]\d++)?+
      | (?<!\d)[POINT]\d++ )                         # .5
    (?: (?:[eE](?P<e>[-+−]?\d++)(?![^\W_]))
      | \s?[x×*·]\s?10(?:\^|\*\*)\{?(?P<ten>[-+−]?\d++)\}?
      | \s?[x×*·]\s?10(?P<raised>[SUPER]++) )?+
    (?P<rest> (?: [POINT/:–−-][$€£¥₹]?\d++ (?:[GROUP]\d++)*+ | (?:\^|\*\*)[\{(]?[-+−]?\w++ | [SUPER]++ | \w++ )*+ )
    (?P<scale> \s?[%％‰](?!\w) | \s(?:percent|per\ cent|(?:thousand|million|billion|trillion)s?)\b )?+
"""
_SCALES = {
    "%": "0.01",
    "％": "0.01",  # the full-width sign
    "‰": "0.001",
    "percent": "0.01",
    "per cent": "0.01",
    "thousand": "1e3",
    "million": "1e6",
    "billion": "1e9",
    "trillion": "1e12",
}
_MULTIPLIERS = frozenset({"k", "K", "m", "M", "b", "B", "t", "T", "bn", "Bn", "mn", "Mn", "mio", "Mio", "mrd", "Mrd"})
_PLAIN_SIGNS = str.maketrans("−﹣－–" + _SUPERSCRIPT, "----" + "0123456789-")


@dataclass(frozen=True, slots=True)
class FoundNumber:
    """A number and the characters that it was read from."""

    value: Decimal
    text: str
    start: int


@lru_cache(maxsize=2)
def _token(point: str) -> re.Pattern[str]:
    group = ("," if point == "." else ".") + "\u00a0\u202f\u2009'’"  # no-break and thin spaces
    source = _TEMPLATE
    for name, text in {"SIGN": _SIGN, "GROUP": group, "POINT": re.escape(point), "SUPER": _SUPERSCRIPT}.items():
        source = source.replace(name, text)
    return re.compile(source, re.VERBOSE | re.IGNORECASE)


def find_numbers(text: str, point: str = ".") -> Iterator[FoundNumber]:
    """All numbers in a text, from left to right; `point` is the decimal sign, the other one groups thousands."""
    for match in _token(point).finditer(text):
        value = _value(match, point)
        if value is not None:
            yield FoundNumber(value, match.group().strip(), match.start())


def _value(match: re.Match[str], point: str) -> Decimal | None:
    """The token's number; None where it is no number but part of something else."""
    rest = match["rest"].strip("_")  # _42_ is emphasis
    if rest and (rest in _MULTIPLIERS or not rest.isalpha()):
        return None
    digits = re.sub(r"[^\d.,]", "", match["digits"])
    digits = digits.replace(",", "") if point == "." else digits.replace(".", "").replace(",", ".")
    sign = "-" if (match["sign"] or "+").translate(_PLAIN_SIGNS) == "-" else ""
    exponent = (match["e"] or match["ten"] or match["raised"] or "0").translate(_PLAIN_SIGNS)
    scale = (match["scale"] or "").strip().lower().removesuffix("s")
    return _decimal(f"{sign}{digits}e{exponent}", _SCALES.get(scale, "1"))


def _decimal(text: str, scale: str) -> Decimal:
    try:
        value = Decimal(text)
    except DecimalException:  # an exponent beyond all measure
        return Decimal("Infinity")
    return value if scale == "1" else _CONTEXT.multiply(value, Decimal(scale))


def exact_number(text: str, point: str = ".") -> Decimal | None:
    """The number that a whole text is (`1,234.5`, `$3`, `12 %`); None when it is anything else."""
    text = text.strip()
    found = list(islice(find_numbers(text, point), 2))
    if len(found) != 1 or not found[0].value.is_finite():
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
