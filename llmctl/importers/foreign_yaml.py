"""YAML and JSON of other tools: read as leniently as they read it, under the limits that hold for our own files.

Merge keys, aliases and nulls are theirs to use. Cycles, a billion laughs, tags and keys that stand twice are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from llmctl.canonical import plain
from llmctl.errors import Place, Problem, ProjectError
from llmctl.project.collector import collector_paused
from llmctl.project.syntax.document import Document, decode
from llmctl.project.syntax.yaml_errors import complaint
from llmctl.project.syntax.yaml_nodes import MAX_DEPTH, PLAIN, TEXT, NodeLocator, compose, extent
from llmctl.project.syntax.yaml_scalars import core_scalar

__all__ = ["MAX_VALUES", "foreign_document"]

MAX_VALUES = 500_000
"""Of one file, counting what its aliases stand for."""
_TEXT_TAG = "tag:yaml.org,2002:str"


def foreign_document(data: bytes, file: Path) -> Document:
    """A YAML or JSON file as data with places; mappings have text keys, an empty file is None.

    Raises:
        ProjectError: it cannot be read.
    """
    text = decode(data, file)
    if isinstance(text, Problem):
        raise ProjectError([text])
    try:
        with collector_paused():
            root = compose(text)
            value = None if root is None else _checked(root, file)
    except yaml.YAMLError as error:
        value = _json(text) if file.suffix.lower() == ".json" else None
        if value is not None:
            return Document(file, text, value)
        said = complaint(error, text)
        place = Place(file, said.spot.line, said.spot.column) if said.spot else Place(file)
        raise ProjectError([Problem(said.message, place, said.hint)]) from None
    if root is None:
        return Document(file, text, None)
    return Document(file, text, value, locator=NodeLocator(root))


def _json(text: str) -> object:
    """The value of a JSON text that is no YAML, as with escaped emoji; None where it is no JSON either."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _checked(root: Node, file: Path) -> object:
    builder = _Builder(file)
    builder.refuse_cycles(root)
    whole = extent(root, {})
    if whole.size > MAX_VALUES:
        builder.refuse(root, f"The file has more than {MAX_VALUES:,} values, counting what its aliases stand for.")
    if whole.height > MAX_DEPTH:
        builder.refuse(root, f"The file is nested deeper than {MAX_DEPTH} levels.")
    return builder.value(root)


class _Builder:
    """Turns the node graph into data."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def refuse(self, node: Node, message: str) -> None:
        place = Place(self._file, node.start_mark.line + 1, node.start_mark.column + 1)
        raise ProjectError([Problem(message, place)])

    def refuse_cycles(self, root: Node) -> None:
        done: set[int] = set()
        open_nodes: set[int] = set()
        waiting: list[tuple[Node, bool]] = [(root, False)]
        while waiting:
            node, leaving = waiting.pop()
            if leaving:
                open_nodes.discard(id(node))
                done.add(id(node))
            elif id(node) in open_nodes:
                self.refuse(node, "An alias inside this value refers to the value itself.")
            elif id(node) not in done and not isinstance(node, ScalarNode):
                open_nodes.add(id(node))
                waiting.append((node, True))
                waiting += [(child, False) for child in _children(node)]

    def value(self, node: Node) -> object:
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        if node.tag != TEXT:
            self.refuse(node, f"The tag {node.tag} is not supported.")
        if isinstance(node, MappingNode):
            return self._mapping(node)
        return [self.value(item) for item in node.value]

    def _scalar(self, node: ScalarNode) -> object:
        if node.tag == PLAIN:
            return plain(core_scalar(node.value))
        if node.tag not in (TEXT, _TEXT_TAG):
            self.refuse(node, f"The tag {node.tag} is not supported.")
        return node.value

    def _mapping(self, node: MappingNode) -> dict[str, object]:
        own: dict[str, object] = {}
        merged: dict[str, object] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self.refuse(key_node, "A key must be text, not a list or mapping.")
            if key_node.tag == PLAIN and key_node.value == "<<":
                for source in self._merged(value_node):
                    merged = {**source, **merged}
            elif key_node.value in own:
                self.refuse(key_node, f"`{key_node.value}` stands twice in this mapping.")
            else:
                own[key_node.value] = self.value(value_node)
        return {**merged, **own}

    def _merged(self, node: Node) -> Iterator[dict[str, object]]:
        """The mappings behind `<<`, the strongest first."""
        sources: list[Node] = node.value if isinstance(node, SequenceNode) else [node]
        for source in sources:
            if isinstance(source, MappingNode):
                yield self._mapping(source)
            else:
                self.refuse(source, "A merge key (`<<`) takes a mapping.")


def _children(node: Node) -> list[Node]:
    return [child for item in node.value for child in (item if isinstance(item, tuple) else (item,))]
