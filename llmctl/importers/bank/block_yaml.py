"""A case as YAML that people like to read: a line for each key, long texts as blocks, and read back to the same values.

A text stands as a block where a block holds it exactly, also after an editor has taken blanks from the ends of lines;
else, and where it holds what cannot be seen, it stands in double quotes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llmctl.importers.bank.cells import json_text
from llmctl.importers.bank.text import scalar
from llmctl.safe_text import one_line, replace_surrogates

__all__ = ["block_item"]

_STEP = 2
_COMMENT_CELLS = 200
_LINE = 80


def block_item(item: Mapping[str, object], column: int, comment: str | None = None) -> str:
    """An item of a list whose dash stands at the column, the comment above it; no newline at the end.

    Half surrogate pairs become U+FFFD. The comment is cut to one line that shows no control character.
    """
    lines = [f"# {one_line(comment, _COMMENT_CELLS)}"] if comment else []
    indent = " " * column
    return "\n".join(f"{indent}{line}" if line else "" for line in [*lines, *_item(_mapping(item))])


def _item(lines: Sequence[str]) -> list[str]:
    """The lines of a value behind a dash."""
    return [f"- {lines[0]}", *(f"{' ' * _STEP}{line}" if line else "" for line in lines[1:])]


def _mapping(value: Mapping[str, object]) -> list[str]:
    lines: list[str] = []
    for key, one in value.items():
        name = scalar(replace_surrogates(key))
        lines += _entry(name, one)
    return lines


def _entry(name: str, value: object) -> list[str]:
    if isinstance(value, Mapping) and value:
        return [f"{name}:", *_indented(_mapping(value))]
    if isinstance(value, list | tuple) and value:
        short = _short(value)
        return [f"{name}: {short}"] if short else [f"{name}:", *_indented(_sequence(value))]
    head, *body = _leaf(value)
    return [f"{name}: {head}", *_indented(body)]


def _short(values: Sequence[object]) -> str | None:
    """A list of few and short scalars on one line, such as tags."""
    if any(isinstance(value, Mapping | list | tuple) for value in values):
        return None
    line = f"[{', '.join(_leaf(value)[0] for value in values)}]"
    return line if len(line) <= _LINE and all(len(_leaf(value)) == 1 for value in values) else None


def _sequence(values: Sequence[object]) -> list[str]:
    lines: list[str] = []
    for value in values:
        if isinstance(value, Mapping) and value:
            lines += _item(_mapping(value))
        elif isinstance(value, list | tuple) and value:
            lines += _item(_sequence(value))
        else:
            head, *body = _leaf(value)
            lines += [f"- {head}", *_indented(body)]
    return lines


def _leaf(value: object) -> list[str]:
    """A scalar, or an empty list or mapping: its first line, and those of a block."""
    if not isinstance(value, str):
        return [json_text(value)]
    text = replace_surrogates(value)
    if "\n" in text and _fits_block(text):
        return ["|" if text.endswith("\n") else "|-", *text.removesuffix("\n").split("\n")]
    return [scalar(text)]


def _fits_block(text: str) -> bool:
    """Whether a block holds it exactly: at most one newline at its end, and no line that ends with a blank."""
    lines = text.removesuffix("\n").split("\n")
    # A first line that begins with blanks would say how far all of them are indented.
    sound = bool(lines[0]) and not lines[0][0].isspace() and bool(lines[-1])
    return sound and all(line.isprintable() and line == line.rstrip() for line in lines)


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"{' ' * _STEP}{line}" if line else "" for line in lines]
