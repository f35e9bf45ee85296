"""Options that are given as `NAME=VALUE`, several times."""

from __future__ import annotations

from collections.abc import Iterable

from llmctl.errors import UsageError

__all__ = ["assignments"]


def assignments(option: str, words: Iterable[str]) -> dict[str, str]:
    """The values by name.

    Raises:
        UsageError: a word has no `=`, or a name is given twice.
    """
    values: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"{option} takes NAME=VALUE, not {word}.")
        if name.strip() in values:
            raise UsageError(f"{option} {name.strip()} is given twice.")
        values[name.strip()] = value
    return values
