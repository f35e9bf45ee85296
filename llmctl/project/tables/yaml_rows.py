"""YAML tables: a list of mappings, or a mapping that holds one list, through the project's strict reader."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from llmctl.project.syntax.document import DataPath
from llmctl.project.syntax.yaml_reader import read_yaml
from llmctl.project.tables.json_rows import object_row
from llmctl.project.tables.records import Row, Table

__all__ = ["yaml_rows"]


def yaml_rows(stream: BinaryIO, table: Table) -> Iterator[Row]:
    """The rows of a YAML file, which is in memory as a whole; each begins on the line of its list item."""
    document = read_yaml(stream.read(), table.file)
    table.problems.extend(document.problems)
    if not document.readable:
        return
    found = _find_list(document.data)
    if found is None:
        if not document.problems:
            message = "The file holds no list of rows."
            table.refuse(message, document.place(), "Write a list of mappings, or a mapping with one list in it.")
        return
    base, items = found
    for index, item in enumerate(items):
        if table.full:
            table.refuse_more_rows()
            return
        row = object_row(table, item, index + 1, document.place((*base, index)).line)
        if row is not None:
            yield row


def _find_list(data: object) -> tuple[DataPath, list[object]] | None:
    if isinstance(data, list):
        return (), data
    if isinstance(data, dict):
        lists = [(key, value) for key, value in data.items() if isinstance(value, list)]
        if len(lists) == 1:
            return (lists[0][0],), lists[0][1]
    return None
