"""What changed in the sources, line by line."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from llmctl.compare.diff_report import Change

__all__ = ["change_title", "changed_lines"]

_MOST_LINES = 2_000
"""Of a side: line diffs take time that grows with the square."""
_LONGEST_LINE = 2_000
_TITLES = {
    "prompt": "prompt",
    "model": "model of",
    "params": "parameters of",
    "evaluators": "evaluators of",
    "bank": "cases of",
    "llmctl": "llmctl",
}


def change_title(change: Change) -> str:
    """`prompt triage`, `parameters of triage on small`."""
    return f"{_TITLES.get(change.kind, change.kind)} {change.name}"


def changed_lines(change: Change, context: int = 1) -> Iterator[str]:
    """A unified diff without its file names: ` ` the same, `-` before, `+` after, `@@` where something is left out."""
    before, after = _lines(change.before), _lines(change.after)
    lines = difflib.unified_diff(before, after, lineterm="", n=context)
    for number, line in enumerate(lines):
        if number >= 2:  # the names
            yield "@@" if line.startswith("@@") else line


def _lines(text: str | None) -> list[str]:
    if text is None:
        return []
    lines = [line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]} ..." for line in text.split("\n")]
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"... {len(lines) - _MOST_LINES:,} more lines"]
    return [line for line in lines if line] if lines == [""] else lines
