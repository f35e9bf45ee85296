"""Characters and sets of characters of JavaScript's regular expressions, in the syntax of llmctl's engines."""

from __future__ import annotations

import re

from llmctl.evaluators.patterns import Engine

__all__ = ["class_escape", "literal", "translated_set"]

_ITEM = re.compile(r"\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[A-Za-z]|0\d+|[\s\S])|[\s\S]")
_CONTROLS = {"t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "0": "\0", "b": "\b"}
_Ranges = tuple[tuple[int, int], ...]
_SPACES: _Ranges = (
    *((0x9, 0xD), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029)),
    *((0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF)),
)
_OTHERS: _Ranges = tuple(
    (last + 1, following - 1)
    for (_, last), (following, _) in zip(((-1, -1), *_SPACES), (*_SPACES, (0x110000, 0)), strict=True)
    if last + 1 < following
)
_SAME = ("d", "D", "w", "W")
_ANY = r"[\s\S]"
_NOTHING = {Engine.RE2: r"[^\s\S]", Engine.PYTHON: r"[^\x00-\U0010ffff]"}
_ASTRAL = 0x10000
_SPECIAL = frozenset(r"\^$.|?*+()[]{}-&~")


def class_escape(token: str, engine: Engine) -> str | None:
    r"""What `\d`, `\w`, `\s` or their opposites are outside a set; None where the token is none of them."""
    if token[1:] in _SAME:
        return token
    return f"[{'^' if token[1] == 'S' else ''}{_space(engine)}]" if token[1:] in ("s", "S") else None


def literal(token: str, engine: Engine) -> str | None:
    """One character, written as itself or escaped, so that it stands for itself in and outside a set.

    None where JavaScript means an octal number or half a character.
    """
    char = _char(token)
    return None if char is None else _written(ord(char), engine)


def translated_set(token: str, engine: Engine) -> str | None:
    """A set with its brackets; None where it holds what cannot be said."""
    negated = token.startswith("[^")
    items = _ITEM.findall(token[2 if negated else 1 : -1])
    if not items:
        return _ANY if negated else _NOTHING[engine]
    if any({f"\\{one}", f"\\{one.upper()}"} <= set(items) for one in "swd"):
        return _NOTHING[engine] if negated else _ANY
    parts, at = [], 0
    while at < len(items):
        isrange = items[at + 1 : at + 2] == ["-"] and at + 2 < len(items)
        ends = (items[at], items[at + 2]) if isrange else (items[at],)
        written = [_member(item, engine) for item in ends]
        if None in written or any(ord(item[0]) >= _ASTRAL for item in ends):
            return None
        # beside a class a hyphen is one
        parts.append((r"\-" if any(map(_is_class, ends)) else "-").join(part for part in written if part is not None))
        at += 3 if isrange else 1
    return f"[{'^' if negated else ''}{''.join(parts)}]"


def _is_class(item: str) -> bool:
    return item[0] == "\\" and item[1:] in (*_SAME, "s", "S")


def _member(item: str, engine: Engine) -> str | None:
    if not _is_class(item):
        return literal(item, engine)
    if item[1:] in _SAME:
        return item
    return _space(engine) if item[1] == "s" else _ranges(_OTHERS, engine)


def _space(engine: Engine) -> str:
    return r"\s\v\pZ\x{feff}" if engine is Engine.RE2 else _ranges(_SPACES, engine)


def _char(token: str) -> str | None:
    """The character that a token stands for."""
    if token[0] != "\\":
        return token
    kind, rest = token[1], token[2:]
    if kind in "ux" and rest:
        char = chr(int(rest, 16))
        return None if "\ud800" <= char <= "\udfff" else char
    if kind == "c":
        return chr(ord(rest) % 32) if rest else None
    if kind in "123456789k" or (kind == "0" and rest):
        return None
    return _CONTROLS.get(kind, kind)


def _written(code: int, engine: Engine) -> str:
    char = chr(code)
    if char.isascii() and char.isprintable():
        return f"\\{char}" if char in _SPECIAL else char
    if char.isprintable():
        return char
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\x{{{code:x}}}" if engine is Engine.RE2 else f"\\U{code:08x}"


def _ranges(ranges: _Ranges, engine: Engine) -> str:
    return "".join(
        _written(first, engine) if first == last else f"{_written(first, engine)}-{_written(last, engine)}"
        for first, last in ranges
    )
