r"""A JavaScript regular expression (without flags, as `new RegExp(text)` reads it) in the syntax of llmctl's engines.

What differs (ECMA-262, 22.2 and annex B.1.2): `$` is the end of the text only, `.` excludes CR as well as LF, `\s` is
Unicode's white space while `\d`, `\w` and `\b` are ASCII, `(?<name>` and `\k<name>`, `\/` and other escapes of
what means nothing, `\uXXXX`, `[^]` and `[]`, and brackets and braces that stand for themselves.

Left as they are: U+2028 and U+2029, which `.` excludes in JavaScript, and characters beyond the basic plane, which
JavaScript sees as two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from llmctl.evaluators.javascript_sets import class_escape, literal, translated_set
from llmctl.evaluators.patterns import Engine, compile_pattern

__all__ = ["javascript_pattern"]

_TOKEN = re.compile(
    r"""
    (?P<back> \\ (?: k<\w+> | [1-9]\d* | 0\d+ ) )
  | (?P<escape> \\ (?: u[0-9a-fA-F]{4} | x[0-9a-fA-F]{2} | c[A-Za-z] | [\s\S] ) )
  | (?P<group> \( (?: \? (?: <?[=!] | : | -?i: | <[A-Za-z_]\w*> ) )?+ )
  | (?P<close> \) )
  | (?P<repeat> (?: [*+?] | \{\d+(?:,\d*)?\} ) \?? )
  | (?P<set> \[ \^?+ (?: \\[\s\S] | [^\]\\] )*+ \] )
  | (?P<char> [^\\\[] )
    """,
    re.VERBOSE,
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_MAY_BE_LEFT_OUT = re.compile(r"\||\)(?:[*?]|\{0)")
_BETWEEN = "bB"


class _UntranslatableError(ValueError):
    """JavaScript refuses it, or means something that the engine cannot say."""


def javascript_pattern(text: str) -> str | None:
    """The same pattern for RE2, or, where RE2 cannot take it, for `engine: python`; None where neither can say it.

    Whoever uses it tries RE2 first: what RE2 takes of it means there what it means in JavaScript.
    """
    for engine in (Engine.RE2, Engine.PYTHON):
        try:
            found = "".join(_Translation(text, engine).pieces())
            found = found if engine is Engine.RE2 else f"(?a){found}"
            compile_pattern(found, engine=engine)
        except ValueError:
            continue
        return found
    return None


@dataclass(slots=True)
class _Translation:
    """One pattern on its way into the syntax of one engine."""

    text: str
    engine: Engine
    open: list[str] = field(default_factory=list)
    """How each group that is open begins."""
    numbers: list[int] = field(default_factory=list)
    """The number of each group that is open; 0 where it captures nothing."""
    closed: set[str] = field(default_factory=set)
    """Numbers and names of the groups that may be referred to."""
    count: int = 0
    repeatable: bool = False
    """Whether a quantifier may stand here."""

    def pieces(self) -> Iterator[str]:
        """The parts of the translated pattern."""
        if _SURROGATE.search(self.text):
            raise _UntranslatableError
        end = 0
        for match in _TOKEN.finditer(self.text):
            if match.start() != end or match.lastgroup is None:
                break
            end = match.end()
            yield getattr(self, f"_{match.lastgroup}")(match.group())
        if end < len(self.text) or self.open:
            raise _UntranslatableError

    def _escape(self, token: str) -> str:
        if token == r"\B" and self.engine is Engine.RE2:
            raise ValueError("RE2 finds it inside the bytes of one character")
        self.repeatable = token[1] not in _BETWEEN
        return token if token[1] in _BETWEEN else class_escape(token, self.engine) or self._literal(token)

    def _literal(self, token: str) -> str:
        char = literal(token, self.engine)
        if char is None:
            raise _UntranslatableError
        return char

    def _group(self, token: str) -> str:
        captures = token == "(" or (token.startswith("(?<") and token[3] not in "=!")
        self.count += captures
        self.open.append(token)
        self.numbers.append(self.count if captures else 0)
        self.repeatable = False
        return token.replace("(?<", "(?P<") if captures else token

    def _close(self, token: str) -> str:
        if not self.open:
            raise _UntranslatableError
        opening, number = self.open.pop(), self.numbers.pop()
        self.closed |= {str(number), opening[3:-1]} - {"0", ""}
        self.repeatable = not opening.startswith(("(?<=", "(?<!"))
        return token

    def _back(self, token: str) -> str:
        """A reference to a group. One that took no part is empty in JavaScript, and no match in Python."""
        name = token[1:] if token[1] != "k" else token[3:-1]
        if name not in self.closed or _MAY_BE_LEFT_OUT.search(self.text):
            raise _UntranslatableError
        self.repeatable = True
        return f"(?:{token})" if token[1] != "k" else f"(?P={name})"

    def _repeat(self, token: str) -> str:
        if not self.repeatable:
            raise _UntranslatableError
        self.repeatable = False
        return token

    def _set(self, token: str) -> str:
        self.repeatable = True
        found = translated_set(token, self.engine)
        if found is None:
            raise _UntranslatableError
        return found

    def _char(self, char: str) -> str:
        self.repeatable = char not in "^$|"
        if char == "$" and self.engine is Engine.PYTHON:
            return r"\Z"  # its own `$` also matches before a line end that ends the text
        if char == ".":
            return r"[^\n\r]"
        return f"\\{char}" if char in "]{}" else char
