"""Data as YAML that llmctl reads back to the same data: long texts as blocks, what looks like a number in quotes."""

from __future__ import annotations

from typing import Any

import yaml

from llmctl.canonical import plain
from llmctl.project.syntax.yaml_scalars import core_scalar
from llmctl.safe_text import replace_surrogates

__all__ = ["yaml_text"]

_WIDTH_CHARACTERS = 1_000_000


def yaml_text(data: object) -> str:
    """The data as a YAML document, keys in their order. Half surrogate pairs become U+FFFD."""
    text: str = yaml.dump(
        plain(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH_CHARACTERS, indent=2
    )
    return text


class _Dumper(yaml.SafeDumper):
    """Writes no aliases, and lists indented below their key."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:  # noqa: ARG002
        return super().increase_indent(flow, False)


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    text = replace_surrogates(text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))


def _style(text: str) -> str | None:
    """`|` for several lines, quotes for what would be read as something else, None where the dumper may choose."""
    lines = text.split("\n")
    if not all(line.isprintable() for line in lines):
        return '"'
    if len(lines) > 1:
        # A block cannot say that a line ends with blanks; one that begins with them is hard to read.
        sound = text.strip() and not text[0].isspace() and not any(line.endswith(" ") for line in lines)
        return "|" if sound else '"'
    return None if isinstance(core_scalar(text), str) else '"'


_Dumper.add_representer(str, _text)
