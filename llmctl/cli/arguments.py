"""The command line before it is parsed: `--resume` and `--failed` may stand without a run, and mean the last one."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["with_last_run"]

_TAKE_A_RUN = frozenset({"--resume", "--failed"})
_LAST = "@last"


def with_last_run(arguments: Sequence[str]) -> list[str]:
    """The same words, with `@last` after an option of these that is followed by no word of its own."""
    words: list[str] = []
    for word, following in zip(arguments, [*arguments[1:], "-"], strict=False):
        words.append(word)
        if word in _TAKE_A_RUN and following.startswith("-"):
            words.append(_LAST)
    return words
