"""Personal data in logs: found by its form, and replaced by a name that is the same wherever the same value stands.

Emails, telephone numbers, payment cards (Luhn), IBANs (ISO 13616, modulo 97) and IP addresses. Names and addresses of
people have no form and stay. A value is known again within one import; nothing of it is kept but a digest.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import orjson

__all__ = ["KINDS", "Pseudonyms", "find_pii"]

KINDS = ("EMAIL", "PHONE", "CARD", "IBAN", "IP")

_PATTERN = re.compile(
    r"""
    (?:\\(?:[nrtbf/"\\]|u[0-9a-fA-F]{4})|(?<![\w.+%-]))  # an escape of JSON within the text is no part of a value
    (?:
      (?P<EMAIL>[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-]))
    | (?P<IBAN>[A-Z]{2}[0-9]{2}(?:[ ]?[A-Z0-9]){11,30}(?![A-Za-z0-9]))
    | (?P<IP4>(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w]|\.[0-9]))
    | (?P<IP6>(?<!:)(?=[0-9A-Fa-f]*:[0-9A-Fa-f]*:)[0-9A-Fa-f:]{6,39}(?![\w:]))
    | (?P<CARD>[2-6](?:[ -]?[0-9]){12,18}(?![\w]|[.-][0-9]))
    | (?P<PHONE>(?:
          \+[1-9][0-9]{0,2}(?:[ .\-]?\(?[0-9]{1,4}\)?){2,6}
        | \(?[2-9][0-9]{2}\)?[ .\-][2-9][0-9]{2}[ .\-][0-9]{4}
        | 0[1-9][0-9]{0,4}(?:[ /\-][0-9]{2,8}){1,5}
        | 0[1-9](?:[ .][0-9]{2}){4}
      )(?![\w]|[.-][0-9]))
    )
    """,
    re.VERBOSE,
)
_MAY_HOLD = re.compile(r"@|[0-9][0-9 ./:()\-]{4,}[0-9]|[0-9A-Fa-f]::?[0-9A-Fa-f]|::|[A-Z]{2}[0-9]{2}")


class Pseudonyms:
    """Replaces what it finds by `<EMAIL_1>`, `<PHONE_2>`: numbers are given in the order in which values are met."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """By kind: how often a value was replaced."""
        self._numbers: dict[bytes, int] = {}
        self._given: Counter[str] = Counter()

    def text(self, text: str) -> str:
        """The text without personal data; the same object where there is none."""
        if not _MAY_HOLD.search(text):
            return text
        return _PATTERN.sub(self._replaced, text)

    def value(self, value: Any) -> Any:
        """The same of every text, and every key, in data."""
        match value:
            case str():
                return self.text(value)
            case Mapping():
                return {self.text(str(key)): self.value(item) for key, item in value.items()}
            case list() | tuple():
                return type(value)(map(self.value, value))
            case _:
                return value

    def raw(self, raw: str) -> str:
        """A logged line without them: JSON stays JSON, and numbers in it stay."""
        try:
            return orjson.dumps(self.value(orjson.loads(raw))).decode()
        except (orjson.JSONDecodeError, TypeError):
            return self.text(raw)

    def _replaced(self, match: re.Match[str]) -> str:
        kind, value = _kind(match)
        if kind is None:
            return match[0]
        self.counts[kind] += 1
        start, end = match.span(match.lastgroup or 0)
        before, after = match.string[match.start() : start], match.string[end : match.end()]
        return f"{before}<{kind}_{self._number(kind, value)}>{after}"

    def _number(self, kind: str, value: str) -> int:
        digest = hashlib.blake2b(f"{kind} {value}".encode("utf-8", "replace"), digest_size=12).digest()
        if digest not in self._numbers:
            self._given[kind] += 1
            self._numbers[digest] = self._given[kind]
        return self._numbers[digest]


def find_pii(text: str) -> Counter[str]:
    """How often which kind of personal data stands in a text."""
    found: Counter[str] = Counter()
    if _MAY_HOLD.search(text):
        found.update(kind for match in _PATTERN.finditer(text) if (kind := _kind(match)[0]) is not None)
    return found


def _kind(match: re.Match[str]) -> tuple[str | None, str]:
    """What a match is, and its value in one notation; None: it only looks like it."""
    name, text = match.lastgroup or "", match[match.lastgroup or 0]
    match name:
        case "EMAIL":
            return name, text.casefold()
        case "IBAN":
            plain = text.replace(" ", "")
            return (name if _is_iban(plain) else None), plain
        case "IP4" | "IP6":
            return ("IP" if _is_ip(text) else None), text.casefold()
        case "CARD":
            digits = re.sub(r"\D", "", text)
            return (name if _is_card(digits) else None), digits
        case _:
            digits = re.sub(r"\D", "", text)
            return ("PHONE" if 7 <= len(digits) <= 15 else None), digits


def _is_iban(text: str) -> bool:
    if not 15 <= len(text) <= 34:
        return False
    return int("".join(str(int(one, 36)) for one in text[4:] + text[:4])) % 97 == 1


def _is_ip(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    # `a::b` may be an address, and is a name in three programming languages.
    return address.version == 4 or sum(map(bool, text.split(":"))) > 2 or address.is_link_local


def _is_card(digits: str) -> bool:
    """Luhn's check (ISO/IEC 7812-1)."""
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0
