"""Edits in the text of a YAML file that change just what they name: comments, order and every other line stay."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from llmctl.importers.bank.cells import json_text
from llmctl.project.syntax.document import DataPath
from llmctl.project.syntax.yaml_nodes import compose
from llmctl.project.syntax.yaml_scalars import core_scalar

__all__ = ["UneditableError", "YamlEdits", "scalar"]

_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 _./()?!'-]*[A-Za-z0-9_./()?!'-])?")


class UneditableError(Exception):
    """The text is written in a way that cannot be edited here."""


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int
    end: int
    text: str


@dataclass(slots=True)
class YamlEdits:
    """Edits of one text, made all at once."""

    text: str
    """Line ends LF, without a byte order mark."""
    root: Node = field(init=False)
    _pieces: list[_Piece] = field(default_factory=list)

    def __post_init__(self) -> None:
        root = compose(self.text)
        if not isinstance(root, MappingNode):
            raise UneditableError("it is no mapping")
        self.root = root

    def edit(self, path: DataPath, changes: Mapping[str, object]) -> None:
        """Set keys of the mapping at a path.

        Raises:
            UneditableError: there is no mapping, or an alias stands for it.
        """
        node = self._at(path)
        if not isinstance(node, MappingNode):
            raise UneditableError("there is no mapping to edit")
        added: dict[str, object] = {}
        for key, value in changes.items():
            old = _child(node, key)
            if old is None:
                added[key] = value
            else:
                self._replace(old, value)
        if added:
            self._insert(node, added)

    def remove(self, path: DataPath, key: str) -> None:
        """Take a key out of the mapping at a path; nothing happens where it is not there."""
        node = self._at(path)
        pairs = node.value if isinstance(node, MappingNode) else []
        index = next((i for i, (name, _) in enumerate(pairs) if name.value == key), None)
        if index is None:
            return
        if len(pairs) == 1:
            raise UneditableError(f"`{key}` is all that stands there")
        if index + 1 < len(pairs):
            self._pieces.append(_Piece(_start(pairs[index][0]), _start(pairs[index + 1][0]), ""))
        else:
            self._pieces.append(_Piece(self._end(pairs[index - 1][1]), self._end(pairs[index][1]), ""))

    def append(self, key: str, item: Mapping[str, object]) -> None:
        """Add an item to the list under a key of the file, or the list itself."""
        found = _child(self.root, key)
        if found is None:
            if not isinstance(self.root, MappingNode) or self.root.flow_style:
                raise UneditableError("it is written in braces")
            end = len(self.text.rstrip("\n"))
            self._pieces.append(_Piece(end, end, f"\n{key}:\n{_list_item(item, 2)}"))
        elif isinstance(found, SequenceNode) and not found.flow_style and found.value:
            at = self._line_end(self._end(found.value[-1]))
            self._pieces.append(_Piece(at, at, f"\n{_list_item(item, found.start_mark.column)}"))
        else:
            raise UneditableError(f"`{key}` is not written as a list with a line for each item")

    def append_block(self, key: str, written: Callable[[int], str]) -> None:
        """The same of an item that is written already, over several lines; it is asked for with its dash's column.

        A blank line stands before it where one stands before the list's last item.

        Raises:
            UneditableError: the list stands in brackets.
        """
        found = _child(self.root, key)
        if isinstance(found, SequenceNode) and not found.value:
            line = self.text[self.text.rfind("\n", 0, _start(found)) + 1 : _start(found)]
            start, end = len(self.text[: _start(found)].rstrip(" ")), self._end(found)
            at = self._line_end(end)  # a comment may follow
            self._pieces.append(_Piece(start, end, ""))
            self._pieces.append(_Piece(at, at, f"\n{written(len(line) - len(line.lstrip()) + 2)}"))
        elif isinstance(found, SequenceNode) and not found.flow_style:
            last = found.value[-1]
            at = self._line_end(self._end(last))
            line_between = "\n" if len(found.value) > 1 and self._stands_apart(last) else ""
            self._pieces.append(_Piece(at, at, f"\n{line_between}{written(found.start_mark.column)}"))
        elif found is not None:
            raise UneditableError(f"`{key}` is not written as a list with a line for each item")
        elif not isinstance(self.root, MappingNode) or self.root.flow_style:
            raise UneditableError("it is written in braces")
        else:
            end = len(self.text.rstrip("\n"))
            self._pieces.append(_Piece(end, end, f"\n{key}:\n{written(2)}"))

    def _stands_apart(self, node: Node) -> bool:
        """Whether a blank line stands before an item, above its comments."""
        lines = self.text[: _start(node)].split("\n")[:-1]
        while lines and lines[-1].lstrip().startswith("#"):
            lines.pop()
        return bool(lines) and not lines[-1].strip()

    def result(self) -> str:
        """The text with all edits."""
        text, last = self.text, len(self.text)
        for piece in sorted(self._pieces, key=lambda one: (one.start, one.end), reverse=True):
            if piece.end > last:
                raise UneditableError("two edits meet in one place")
            text = text[: piece.start] + piece.text + text[piece.end :]
            last = piece.start
        return text

    def _at(self, path: DataPath) -> Node:
        node: Node = self.root
        for step in path:
            found = _child(node, step)
            if found is None:
                raise UneditableError("it does not stand in the file")
            node = found
        return node

    def _replace(self, node: Node, value: object) -> None:
        start, end = _start(node), self._end(node)
        line = self.text[self.text.rfind("\n", 0, start) + 1 : start]
        self._pieces.append(_Piece(start, end, _as_before(node, value, len(line) - len(line.lstrip(" -")))))

    def _insert(self, node: MappingNode, added: Mapping[str, object]) -> None:
        """New keys at the end of a mapping."""
        written = [f"{scalar(key)}: {_flow(value)}" for key, value in added.items()]
        if node.flow_style or not node.value:
            at = self._end(node) - 1
            comma = ", " if node.value else ""
            self._pieces.append(_Piece(at, at, comma + ", ".join(written)))
            return
        at = self._line_end(self._end(node))
        indent = " " * node.value[0][0].start_mark.column
        self._pieces.append(_Piece(at, at, "".join(f"\n{indent}{line}" for line in written)))

    def _line_end(self, at: int) -> int:
        end = self.text.find("\n", at)
        end = len(self.text) if end < 0 else end
        rest = self.text[at:end].strip()
        if rest and not rest.startswith("#"):
            raise UneditableError("something else stands on the same line")
        return end

    def _end(self, node: Node) -> int:
        """Where a value ends: a block's mark lies behind the comments that follow it."""
        if isinstance(node, CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            return self._end(last[1] if isinstance(last, tuple) else last)
        end: int = node.end_mark.index
        while isinstance(node, ScalarNode) and node.style in ("|", ">") and self.text[end - 1 : end] == "\n":
            end -= 1
        return end


def _start(node: Node) -> int:
    start: int = node.start_mark.index
    return start


def _child(node: Node, step: str | int) -> Node | None:
    if isinstance(node, MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
        found: Node = node.value[step]
        return found
    return None


def _as_before(node: Node, value: object, column: int) -> str:
    """A value in the style in which the old one was written, where that can be; its key stands at the column."""
    if not isinstance(value, str):
        return _flow(value)
    style = node.style if isinstance(node, ScalarNode) else None
    if style == "'" and "\n" not in value and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if style in ("|", ">") and _fits_block(value):
        indent = " " * (column + 2)
        lines = [f"{indent}{line}" if line else "" for line in value.split("\n")]
        return "|-\n" + "\n".join(lines)
    return json_text(value) if style == '"' else scalar(value)


def _fits_block(value: str) -> bool:
    lines = value.split("\n")
    sound = bool(value.strip()) and not value[0].isspace() and bool(lines[-1].strip())
    return sound and all(line.isprintable() and line == line.rstrip() for line in lines)


def scalar(text: str) -> str:
    """A text as YAML: without quotes where it is a text anywhere, else in double quotes."""
    return text if _PLAIN.fullmatch(text) and isinstance(core_scalar(text), str) else json_text(text)


def _list_item(item: Mapping[str, object], column: int) -> str:
    lines = [f"{scalar(key)}: {_flow(value)}" for key, value in item.items()]
    return f"{' ' * column}- " + f"\n{' ' * (column + 2)}".join(lines)


def _flow(value: object) -> str:
    return scalar(value) if isinstance(value, str) else json_text(value)
