"""What sqlglot reads though the dialect does not have it: it is a translator, and lenient on purpose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["bare_alias", "token_fault"]

_MYSQL = frozenset({"mysql", "doris", "singlestore", "starrocks"})
_MISSING: dict[str, frozenset[str]] = {
    "ILIKE": _MYSQL | {"oracle", "sqlite", "tsql"},
    "::": _MYSQL | {"oracle", "sqlite", "tsql"},
    "==": _MYSQL | {"oracle", "postgres", "redshift", "snowflake", "tsql"},
    "RETURNING": _MYSQL | {"tsql"},
    "GENERATE_SERIES": _MYSQL | {"oracle"},
}
"""Words and signs that some dialects do not know."""

_TRAILING_COMMA = frozenset({"", "bigquery", "clickhouse", "databricks", "duckdb", "snowflake"})
"""Dialects that allow a comma after the last column."""

_DELETE_FROM = _MYSQL | {"", "duckdb", "postgres", "redshift", "sqlite"}
"""Dialects in which DELETE needs FROM."""

_ENDS = frozenset({"", ";", ")"})
_CLAUSES = frozenset({"BY", "FROM", "GROUP BY", "HAVING", "ORDER BY", "SELECT", "SET", "WHERE"})
"""Words that something must follow."""

_RESERVED = frozenset(
    {
        *("AND", "AS", "CREATE", "DISTINCT", "ELSE", "FROM", "GROUP", "HAVING", "IN", "INTO", "JOIN", "LIKE", "LIMIT"),
        *("ON", "OR", "ORDER", "SELECT", "THEN", "UNION", "WHEN", "WHERE"),
    }
)
"""Words that name no table and no column in any dialect, unless quoted."""

_MODIFIERS = frozenset(
    {
        *("ALL", "DISTINCT", "DISTINCTROW", "HIGH_PRIORITY", "STRAIGHT_JOIN", "SQL_BIG_RESULT", "SQL_BUFFER_RESULT"),
        *("SQL_CACHE", "SQL_CALC_FOUND_ROWS", "SQL_NO_CACHE", "SQL_SMALL_RESULT"),
    }
)


@dataclass(frozen=True, slots=True)
class _Words:
    """The tokens of a text as words, quoted names and texts left out."""

    words: tuple[str, ...]
    """In capitals; a quoted token is `"`."""
    dialect: str

    def at(self, index: int) -> str:
        return self.words[index] if 0 <= index < len(self.words) else ""


def token_fault(tokens: Sequence[Any], dialect: str) -> str | None:
    """The first thing that the dialect does not have, as the end of a sentence; None when nothing stands out."""
    words = _words(tokens, dialect)
    for index in range(len(words.words)):
        for rule in _RULES:
            fault = rule(words, index)
            if fault:
                return f"{fault} at line {tokens[index].line}"
    return None


def _words(tokens: Sequence[Any], dialect: str) -> _Words:
    from sqlglot import TokenType

    quoted = {TokenType.STRING, TokenType.IDENTIFIER, TokenType.NATIONAL_STRING, TokenType.RAW_STRING}
    words = ('"' if token.token_type in quoted else token.text.upper() for token in tokens)
    return _Words(tuple(words), dialect)


def _foreign(words: _Words, index: int) -> str | None:
    word = words.at(index)
    if words.dialect in _MISSING.get(word, ()):
        return f"{word} is unknown in {words.dialect}"
    return None


def _share_mode(words: _Words, index: int) -> str | None:
    if words.dialect not in ("", *_MYSQL) and words.words[index : index + 4] == ("LOCK", "IN", "SHARE", "MODE"):
        return f"LOCK IN SHARE MODE is unknown in {words.dialect}"
    return None


def _delete(words: _Words, index: int) -> str | None:
    if words.at(index) != "DELETE" or words.at(index - 1) not in _ENDS or words.dialect not in _DELETE_FROM:
        return None
    rest = words.words[index:]
    end = rest.index(";") if ";" in rest else len(rest)
    return None if "FROM" in rest[:end] else "DELETE has no FROM"


def _comma(words: _Words, index: int) -> str | None:
    if words.at(index) != "," or words.dialect in _TRAILING_COMMA:
        return None
    return (
        "nothing follows a comma" if words.at(index + 1) in _ENDS | {"FROM", "GROUP BY", "ORDER BY", "WHERE"} else None
    )


def _empty_clause(words: _Words, index: int) -> str | None:
    word = words.at(index)
    if word in _CLAUSES and words.at(index + 1) in _ENDS and words.at(index - 1) != ".":
        return f"nothing follows {word}"
    return None


def _reserved(words: _Words, index: int) -> str | None:
    word, before, after = words.at(index), words.at(index - 1), words.at(index + 1)
    named = before in ("FROM", "INTO", "JOIN") or (before in ("SELECT", ",") and after in ("FROM", ","))
    return f"{word} cannot be a name without quotes" if word in _RESERVED and named else None


_RULES: tuple[Callable[[_Words, int], str | None], ...] = (
    _foreign,
    _share_mode,
    _delete,
    _comma,
    _empty_clause,
    _reserved,
)


def bare_alias(text: str, dialect: str) -> bool:
    """Whether a SELECT lists nothing but two bare names, `SELECT first_name last_name FROM t`: a comma is missing.

    It is legal SQL, the second name being an alias.
    """
    from sqlglot.dialects.dialect import Dialect

    words = _words(Dialect.get_or_raise(dialect or None).tokenize(text), dialect)
    for index, word in enumerate(words.words):
        if word != "SELECT":
            continue
        first = index + 1
        while words.at(first) in _MODIFIERS:
            first += 1
        names = words.words[first : first + 2]
        if len(names) == 2 and all(name.isidentifier() for name in names) and words.at(first + 2) == "FROM":
            return True
    return False
