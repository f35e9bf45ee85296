"""YAML tables: a list of mappings, or a mapping that holds one list, through the project's strict reader."""

from __future__ import annotations

from pathlib import PurePosixPath

from llmctl.project.syntax.document import DataPath
from llmctl.project.syntax.yaml_reader import read_yaml
from llmctl.project.tables.json_rows import add_object
from llmctl.project.tables.records import Table, TableBuilder

__all__ = ["rows_from_yaml"]


def rows_from_yaml(data: bytes, path: PurePosixPath) -> Table:
    """Read the rows of a YAML file; each begins on the line of its list item."""
    builder = TableBuilder(path)
    document = read_yaml(data, builder.file)
    builder.problems.extend(document.problems)
    if not document.readable:
        return builder.table()
    found = _find_list(document.data)
    if found is None:
        if not document.problems:
            message = "The file holds no list of rows."
            builder.refuse(message, document.place(), "Write a list of mappings, or a mapping with one list in it.")
        return builder.table()
    base, items = found
    for index, item in enumerate(items):
        if builder.full:
            builder.refuse_more_rows()
            break
        add_object(builder, item, index + 1, document.place((*base, index)).line)
    return builder.table()


def _find_list(data: object) -> tuple[DataPath, list[object]] | None:
    if isinstance(data, list):
        return (), data
    if isinstance(data, dict):
        lists = [(key, value) for key, value in data.items() if isinstance(value, list)]
        if len(lists) == 1:
            return (lists[0][0],), lists[0][1]
    return None
