"""Numbers in Chinese characters, where they stand alone: `三`, `二十五`, `一千零一`, `二〇二五`, `三万`."""

from __future__ import annotations

from decimal import Decimal

__all__ = ["HAN", "han_number"]

_DIGITS = {
    char: value
    for value, chars in enumerate(("零〇", "一", "二两兩", "三", "四", "五", "六", "七", "八", "九"))
    for char in chars
}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_MYRIADS = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
HAN = "".join([*_DIGITS, *_UNITS, *_MYRIADS])
"""The characters that numbers are written with."""
_LONGEST = 30


def han_number(text: str) -> Decimal | None:
    """The number that the characters of `HAN` say; None where they say none."""
    if len(text) > _LONGEST:
        return None
    if all(char in _DIGITS for char in text):  # digit by digit, as years are written
        return Decimal("".join(str(_DIGITS[char]) for char in text))
    total = section = digit = 0
    for char in text:
        if char in _DIGITS:
            digit = _DIGITS[char]
        elif char in _UNITS:
            section += (digit or 1) * _UNITS[char]
            digit = 0
        elif section + digit == 0:
            return None  # 万 alone
        else:
            total, section, digit = total + (section + digit) * _MYRIADS[char], 0, 0
    return Decimal(total + section + digit)
