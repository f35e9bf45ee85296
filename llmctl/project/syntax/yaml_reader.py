"""Strict YAML: one document, text keys, no duplicates, nothing by accident, and a place for everything.

Decisions:
- Scalars follow the YAML 1.2 core schema (`yaml_scalars`).
- A simple alias is allowed; the values it stands for count as if written out, against the same limits. A cycle is
  refused, and so are merge keys (`<<`): a bank has `defaults` for that.
- Tags are refused. A key is text.
- A value that nobody wrote (`key:` with nothing after it) is a problem, and `EMPTY` in the data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from llmctl.errors import Place, Problem
from llmctl.project.collector import collector_paused
from llmctl.project.syntax.document import EMPTY, Document, decode, line_at
from llmctl.project.syntax.yaml_errors import complaint
from llmctl.project.syntax.yaml_nodes import MAX_DEPTH, MAX_NODES, PLAIN, TEXT, LimitError, NodeLocator, compose, extent
from llmctl.project.syntax.yaml_scalars import core_scalar

__all__ = ["MAX_DEPTH", "MAX_NODES", "read_yaml"]

_MAX_CONTROLS = 20
# Everything libyaml refuses, and the line ends of YAML 1.1 that would silently move every later line.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_TAG_PREFIX = "tag:yaml.org,2002:"


def read_yaml(data: bytes, file: Path) -> Document:
    """Read one YAML file. Never raises: what is wrong stands in the document's problems."""
    text = decode(data, file)
    if isinstance(text, Problem):
        return Document(file, "", problems=(text,), readable=False)
    controls = tuple(_controls(text, file))
    if controls:
        return Document(file, text, problems=controls, readable=False)
    with collector_paused():
        return _read(text, file)


def _read(text: str, file: Path) -> Document:
    try:
        root = compose(text)
    except yaml.YAMLError as error:
        return _broken(file, text, error)
    if root is None:
        return Document(file, text)
    return _Builder(file, text).document(root)


def _controls(text: str, file: Path) -> Iterator[Problem]:
    for count, match in enumerate(_CONTROL.finditer(text)):
        if count == _MAX_CONTROLS:
            return
        start = text.rfind("\n", 0, match.start()) + 1
        end = text.find("\n", start)
        place = Place(file, text.count("\n", 0, start) + 1, match.start() - start + 1)
        line = text[start : end if end >= 0 else len(text)]
        code = ord(match.group())
        yield Problem(
            f"The invisible character U+{code:04X} cannot stand in YAML.",
            place,
            f'Delete it, or write "\\u{code:04X}" between double quotes.',
            line_at([line], Place(file, 1, place.column)),
        )


def _broken(file: Path, text: str, error: yaml.YAMLError) -> Document:
    said = complaint(error, text)
    place = Place(file, said.spot.line, said.spot.column) if said.spot else Place(file)
    message = f"The file {error.problem}." if isinstance(error, LimitError) else said.message
    problem = Problem(message, place, said.hint, line_at(text.split("\n"), place))
    return Document(file, text, problems=(problem,), readable=False)


class _Builder:
    """Turns the node graph into data, collecting every problem on the way."""

    def __init__(self, file: Path, text: str) -> None:
        self._file = file
        self._text = text
        self._lines = text.split("\n")
        self._problems: list[Problem] = []
        self._done: dict[int, object] = {}
        self._open: set[int] = set()
        self._aliased = False

    def document(self, root: Node) -> Document:
        value = self._value(root)
        readable = not self._aliased or self._bounded(root)
        if not readable:
            value = EMPTY
        return Document(self._file, self._text, value, tuple(self._problems), NodeLocator(root), readable)

    def _value(self, node: Node) -> object:
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        known = id(node)
        if known in self._done:
            self._aliased = True
            return self._done[known]
        if known in self._open:
            self._report(node, "An alias inside this value refers to the value itself.")
            return EMPTY
        self._open.add(known)
        value = self._mapping(node) if isinstance(node, MappingNode) else self._sequence(node)
        self._open.remove(known)
        self._done[known] = value
        return value

    def _scalar(self, node: ScalarNode) -> object:
        text: str = node.value
        if node.tag == TEXT:
            if not text.isascii() and not _encodable(text):
                self._report(node, "This text holds half of a character (a lone surrogate).")
            return text
        if node.tag == PLAIN:
            return core_scalar(text)
        self._tag(node)
        return text

    def _sequence(self, node: Node) -> list[object]:
        self._tag(node)
        values: list[object] = []
        for item in node.value:
            if _unwritten(item):
                self._report(item, "This item of the list is empty.", 'Write "" for empty text, or null.')
                values.append(EMPTY)
            else:
                values.append(self._value(item))
        return values

    def _mapping(self, node: MappingNode) -> dict[str, object]:
        self._tag(node)
        values: dict[str, object] = {}
        keys: dict[str, Node] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            value = self._written_value(key, key_node, value_node)
            if key is None:
                continue
            if key in keys:
                first = keys[key].start_mark.line + 1
                self._report(key_node, f"`{key}` stands twice in this mapping; first on line {first}.", "Keep one.")
                continue
            keys[key] = key_node
            values[key] = value
        return values

    def _written_value(self, key: str | None, key_node: Node, value_node: Node) -> object:
        if not _unwritten(value_node):
            return self._value(value_node)
        if key is not None:
            comma = value_node.start_mark.index == key_node.end_mark.index
            hint = "Inside { } a comma ends a value: put text that holds one between quotes." if comma else _EMPTY_HINT
            self._report(key_node, f"`{key}` has no value.", hint)
        return EMPTY

    def _key(self, node: Node) -> str | None:
        if not isinstance(node, ScalarNode):
            self._report(
                node, "A key must be text, not a list or mapping.", "Text that begins with [ or { needs quotes."
            )
            return None
        self._tag(node)
        text: str = node.value
        if node.tag == PLAIN:
            if text == "<<":
                self._report(node, "Merge keys (`<<`) are not supported.", "Put what cases share under `defaults`.")
                return None
            if not text:
                self._report(node, "A key is missing before this `:`.")
                return None
            if not isinstance(core_scalar(text), str):
                self._report(node, f"A key must be text, and `{text}` is not.", f'Write "{text}" between quotes.')
                return None
        return text

    def _tag(self, node: Node) -> None:
        if node.tag not in (TEXT, PLAIN):
            shown = node.tag.replace(_TAG_PREFIX, "!!")
            self._report(node, f"Tags such as `{shown}` are not supported.", "Delete it; quotes make any value text.")

    def _bounded(self, root: Node) -> bool:
        whole = extent(root, {})
        aliases = "counting what its aliases stand for"
        if whole.size > MAX_NODES:
            self._report(root, f"The file has more than {MAX_NODES:,} values, {aliases}.")
        elif whole.height > MAX_DEPTH:
            self._report(root, f"The file is nested deeper than {MAX_DEPTH} levels, {aliases}.")
        else:
            return True
        return False

    def _report(self, node: Node, message: str, hint: str | None = None) -> None:
        place = Place(self._file, node.start_mark.line + 1, node.start_mark.column + 1)
        self._problems.append(Problem(message, place, hint, line_at(self._lines, place)))


_EMPTY_HINT = 'Write "" for empty text, or null; a value on the next line needs more indentation.'


def _unwritten(node: Node) -> bool:
    return not node.value and node.tag == PLAIN


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
