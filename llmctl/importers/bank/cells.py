"""A case as cells of a spreadsheet, and an edited cell as a value of its case: one law holds both together.

What the export of a case would write into a cell is no edit of it. So nothing is lost where a cell cannot say all: a
missing value and an empty one, the number 5 and the text "5", a list and its JSON text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from llmctl.canonical import WrittenBool, WrittenFloat, WrittenInt, written
from llmctl.errors import Place, Problem, ProjectError
from llmctl.project.case_draft import as_text
from llmctl.project.case_rows import CASE_COLUMNS, VARS_PREFIX
from llmctl.project.models import Case

__all__ = [
    "FIELDS",
    "Absent",
    "Cell",
    "cell_text",
    "column_name",
    "edited",
    "field_value",
    "json_text",
    "protected",
    "unprotected",
]

FIELDS = CASE_COLUMNS
_FORMULA = tuple("=+-@\t\r")
_TAGS = re.compile("[,;]")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_TRUE, _FALSE = frozenset({"true", "yes", "y", "1", "x"}), frozenset({"false", "no", "n", "0", ""})


class Absent:
    """A field that a case does not have."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as a table gives it."""

    value: object
    place: Place
    is_text: bool
    """Whether it stands in a spreadsheet, where everything is text."""


def column_name(field: str) -> str:
    """The column of a field: variables go by their own names where that is no other field's."""
    name = field.removeprefix(VARS_PREFIX)
    plain = field.startswith(VARS_PREFIX) and name not in CASE_COLUMNS and not name.startswith(VARS_PREFIX)
    return name if plain else field


def field_value(case: Case, field: str) -> object:
    """What a case has there; `Absent()` where it has nothing."""
    match field:
        case "id":
            return case.id
        case "expected":
            return case.expected if case.has_expected else Absent()
        case "tags":
            return list(case.tags) if case.tags else Absent()
        case "group":
            return Absent() if case.group is None else case.group
        case "must_pass":
            return True if case.must_pass else Absent()
        case _:
            name = field.removeprefix(VARS_PREFIX)
            return case.vars[name] if name in case.vars else Absent()


def cell_text(case: Case, field: str) -> str:
    """The text of a cell: lists and mappings as JSON, tags between commas, nothing for what is missing."""
    value = field_value(case, field)
    if isinstance(value, Absent):
        return ""
    if field == "tags" and isinstance(value, list):
        plain = all(tag == tag.strip() and tag and not _TAGS.search(tag) for tag in map(str, value))
        return ", ".join(map(str, value)) if plain and not str(value[0]).startswith("[") else json_text(value)
    return written(value) if isinstance(value, str | int | float) else json_text(value)


def edited(case: Case, field: str, cell: Cell) -> object:
    """The value that somebody wrote over a case's own; None where nothing was edited, `Absent()` to take it away.

    Raises:
        ProjectError: the cell cannot be meant.
    """
    old, new = field_value(case, field), cell.value
    if new is None:
        new = ""
    if not isinstance(old, Absent) and as_text(new) == as_text(old):
        return None
    if not isinstance(new, dict | list) and _same_lines(written(new), cell_text(case, field)):
        return None
    if field == "tags":
        return _tags(cell)
    if field == "must_pass":
        return _truth(cell)
    if field == "group":
        return written(new) if new != "" else Absent()
    if field == "expected" and new == "":
        return Absent()
    value = _typed(old, cell) if cell.is_text else new
    return None if as_text(value) == as_text(old) else value  # JSON may be written in other ways


def _same_lines(first: str, second: str) -> bool:
    """Whether two texts are the same but for the kind of their line ends, which spreadsheets change."""
    return first == second or _lines(first) == _lines(second)


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _typed(old: object, cell: Cell) -> object:
    """A cell's text as the kind of value that stood there."""
    text = written(cell.value)
    if isinstance(old, dict | list):
        return _json(text, type(old), cell)
    if isinstance(old, bool | WrittenBool) and text.casefold() in ("true", "false"):
        return text.casefold() == "true"
    if isinstance(old, int | float) and not isinstance(old, bool | WrittenBool) and _NUMBER.fullmatch(text):
        return _number(text)
    return text


def _number(text: str) -> object:
    """A number that keeps its text."""
    if re.fullmatch(r"-?\d+", text):
        number = int(text)
        return number if str(number) == text else WrittenInt(number, text)
    value = float(text)
    return value if repr(value) == text else WrittenFloat(value, text)


def _json(text: str, kind: type, cell: Cell) -> object:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, kind):
        name = "list" if kind is list else "mapping"
        hint = "Write JSON, as the export has it, or edit the case in its file."
        raise ProjectError([Problem(f"The case has a {name} here, and the cell holds none.", cell.place, hint)])
    return value


def _tags(cell: Cell) -> object:
    value = cell.value
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = _json(value, list, cell)
    tags = value if isinstance(value, list) else _TAGS.split("" if value is None else written(value))
    if not all(isinstance(tag, str | int | float) for tag in tags):
        raise ProjectError([Problem("Tags are texts.", cell.place)])
    named = [written(tag) if isinstance(value, list) else written(tag).strip() for tag in tags]
    return list(dict.fromkeys(tag for tag in named if tag)) or Absent()


def _truth(cell: Cell) -> object:
    word = "" if cell.value is None else written(cell.value).strip().casefold()
    if word not in _TRUE | _FALSE:
        raise ProjectError([Problem("`must_pass` is true or false.", cell.place)])
    return True if word in _TRUE else Absent()


def protected(text: str) -> str:
    """With an apostrophe before what a spreadsheet would take for a formula."""
    return f"'{text}" if text.startswith((*_FORMULA, "'")) else text


def unprotected(value: object) -> object:
    """Without the apostrophe that `protected` puts."""
    if isinstance(value, str) and value.startswith("'") and value[1:].startswith((*_FORMULA, "'")):
        return value[1:]
    return value


def json_text(value: object) -> str:
    """The value as JSON on one line; numbers as their author wrote them."""
    match value:
        case WrittenInt() | WrittenFloat():
            return value.text if _NUMBER.fullmatch(value.text) else json.dumps(value.text)
        case WrittenBool() | bool():
            return "true" if value else "false"
        case Mapping():
            return f"{{{', '.join(f'{_quoted(str(key))}: {json_text(item)}' for key, item in value.items())}}}"
        case list() | tuple():
            return f"[{', '.join(map(json_text, value))}]"
        case str():
            return _quoted(value)
        case _:
            return json.dumps(value)


def _quoted(text: str) -> str:
    """A JSON text that is YAML too: what cannot be seen is escaped, but for what JSON and YAML escape differently."""
    quoted = json.dumps(text, ensure_ascii=False)
    if quoted.isprintable():
        return quoted
    return "".join(one if one.isprintable() or ord(one) > 0xFFFF else json.dumps(one)[1:-1] for one in quoted)
