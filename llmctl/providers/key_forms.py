"""One key that is known, and every way in which it may be written into a text."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, quote_plus, unquote

__all__ = ["SHORTEST", "KnownKey", "secrets_of"]

SHORTEST = 8
"""A shorter value is no key, and replacing it would damage ordinary text."""
_LONGEST_BY_CHARACTER = 256
"""For a longer value (a certificate, a service account) only the usual encodings are looked for."""
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|PAT|CREDENTIAL|ACCESS_KEY_ID)(S)?$", re.IGNORECASE
)
_USER_INFO = re.compile(r"://([^\s/@:]*):([^\s/@]+)@")
_WORD = re.compile(r"[A-Za-z0-9]+")
_NAMED = {'"': "quot", "&": "amp", "'": "apos", "<": "lt", ">": "gt"}
_SHORT_ESCAPE = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}


def secrets_of(environ: Mapping[str, str]) -> Iterator[str]:
    """The values of an environment that are secrets: by the variable's name, or as a password within a URL."""
    for name, value in environ.items():
        secret = _SECRET_NAME.search(name)
        if secret:
            yield value
            if secret[1]:  # several in one: OPENAI_API_KEYS
                yield from re.split(r"[,;\s]+", value)
        if "://" in value:
            for found in _USER_INFO.finditer(value):
                yield from (found[2], unquote(found[2]), f"{found[1]}:{found[2]}")


@dataclass(frozen=True)
class KnownKey:
    """A key, as it is and as JSON, URLs, HTML and Base64 write it, also one within the other."""

    value: str

    @cached_property
    def cores(self) -> tuple[str, ...]:
        """Words one of which stands in every text that holds the key, unless even letters are escaped; maybe empty."""
        return tuple(dict.fromkeys(_core(form) for form in (self.value, *self._base64)))

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Finds the key in all its forms; built when a text is suspect, which takes some milliseconds."""
        if len(self.value) > _LONGEST_BY_CHARACTER:
            return re.compile("|".join(map(re.escape, sorted(self.plain_forms, key=len, reverse=True))))
        return re.compile("|".join(map(_by_character, (self.value, *self._base64))))

    @cached_property
    def plain_forms(self) -> tuple[str, ...]:
        """The usual encodings, each as one text."""
        value = self.value
        forms = [value, *self._base64]
        for ascii_only in (True, False):
            once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
            forms += [once, once.replace("/", "\\/"), json.dumps(once, ensure_ascii=ascii_only)[1:-1]]
        encoded = value.encode("utf-8", "surrogatepass")
        forms += [quote(encoded), quote(encoded, safe=""), quote_plus(encoded)]
        return tuple(dict.fromkeys(forms))

    @cached_property
    def _base64(self) -> tuple[str, ...]:
        """What Base64 makes of the key wherever it begins: as it is, and behind `user:`; in both alphabets."""
        data = self.value.encode("utf-8", "surrogatepass")
        inner = [_inner_base64(data, offset) for offset in range(3)]
        return tuple(dict.fromkeys(inner + [text.replace("+", "-").replace("/", "_") for text in inner]))


def _inner_base64(data: bytes, offset: int) -> str:
    """The characters that depend on the data alone, when `offset` other bytes (modulo 3) stand before it."""
    whole = base64.b64encode(b"\0" * offset + data + b"\0\0").decode()
    return whole[-(-offset * 8 // 6) : (offset + len(data)) * 8 // 6]


def _core(text: str) -> str:
    return max(_WORD.findall(text), key=len, default="")


def _by_character(text: str) -> str:
    """A pattern in which every character may be escaped in its own way, up to three times over."""
    parts: list[str] = []
    for run in re.findall(r"\\+|[^\\]", text):
        if run[0] == "\\":
            # As one quantifier: backslashes side by side would make the search exponential.
            escaped = r"\\{1,8}u005[cC]|%(?:25){0,3}5[cC]|&#(?:92|[xX]5[cC]);"
            parts.append(rf"(?:\\{{{len(run)},{8 * len(run)}}}|(?:{escaped}){{{len(run)}}})")
        else:
            parts.append(_character(run))
    return "".join(parts)


def _character(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    in_json = "".join(rf"\\{{1,8}}u{_hex(units[at : at + 2])}" for at in range(0, len(units), 2))
    in_url = "".join(rf"%(?:25){{0,3}}{_hex(bytes([byte]))}" for byte in character.encode("utf-8", "surrogatepass"))
    code = ord(character)
    in_html = rf"&#(?:0{{0,4}}{code}|[xX]0{{0,4}}{_hex_number(code)});"
    options = [in_json, in_url, in_html]
    if character in _NAMED:
        options.append(f"&{_NAMED[character]};")
    if character in _SHORT_ESCAPE:
        options.append(rf"\\{{1,8}}{_SHORT_ESCAPE[character]}")
    if character == " ":
        options.append(r"\+")
    # Last: `%` is also how `%25` begins, and `&` how `&amp;` does.
    options.append(rf"\\{{0,7}}{character}" if character in "\"'/" else re.escape(character))
    return f"(?:{'|'.join(options)})"


def _hex(data: bytes) -> str:
    return _either_case(data.hex())


def _hex_number(code: int) -> str:
    return _either_case(f"{code:x}")


def _either_case(digits: str) -> str:
    return "".join(digit if digit.isdigit() else f"[{digit}{digit.upper()}]" for digit in digits)
