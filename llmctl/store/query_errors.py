"""What DuckDB says about a query, as one sentence with its place in the query and the way out."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import Error

__all__ = ["Mistake", "mistake_in", "told"]

_MISSING_COLUMN = re.compile(r'(?:Values list|Table) "(?P<table>.+)" does not have a column named "(?P<name>.+)"')
_NO_FILES = (
    "file system operations are disabled",
    "has been disabled by configuration",
    "external extensions is disabled",
)
_SENTENCES = (
    (
        re.compile(
            r'Referenced column "(?P<name>.*)" (?:was )?not found (?:in FROM clause|because the FROM clause is missing)'
        ),
        'There is no column "{name}".',
    ),
    (re.compile(r"(?P<kind>Table|View) with name (?P<name>.*) does not exist"), 'There is no table or view "{name}".'),
    (re.compile(r'Function with name "?(?P<name>[^" ]*)"? does not exist'), 'There is no function "{name}".'),
    (re.compile(r'Function with name "(?P<name>.*)" is not in the catalog'), 'There is no function "{name}".'),
    (re.compile(r'Referenced table "(?P<name>.*)" not found'), 'The query names no table "{name}" after FROM.'),
    (
        re.compile(r"Values were not provided for the following parameters: (?P<name>.*)"),
        "The query needs a value for: {name}.",
    ),
    (re.compile(r"identifiers of the excess parameters: (?P<name>.*)"), "The query has no parameter: {name}."),
    (re.compile(r"Expected (?P<name>0), got \d+"), "The query has {name} parameters, and values were given."),
)
_HINTS = (
    (re.compile(r"Values were not provided"), "Write $name in the query, and give --param name=value."),
    (
        re.compile(r"No function matches the given name|Could not choose a best candidate"),
        "CAST(x AS TYPE) says which.",
    ),
    (re.compile(r"must appear in the GROUP BY"), "GROUP BY ALL groups by everything that is not aggregated."),
)


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with a query."""

    message: str
    offset: int | None
    """Bytes of UTF-8 before the place, in the text that was carried out; None: nowhere in particular."""
    hint: str | None


def told(error: Error) -> dict[str, Any]:
    """What DuckDB says, as it says it with `errors_as_json`: `exception_message`, `position`, `candidates`."""
    text = str(error)
    start = text.find("{")
    try:
        found = json.loads(text[start:]) if start >= 0 else {}
    except ValueError:
        found = {}
    if isinstance(found, dict) and isinstance(found.get("exception_message"), str):
        return found
    return {"exception_message": text}


def mistake_in(error: Error, columns: Sequence[str]) -> Mistake:
    """The sentence; `columns`: all that the views have, for the nearest one where DuckDB names none."""
    said = told(error)
    message = str(said["exception_message"])
    position = str(said.get("position", ""))
    offset = int(position) if position.isdecimal() else None
    if any(phrase in message for phrase in _NO_FILES):
        return Mistake("A query reads the store only: no files, no network, no extensions.", offset, None)
    return Mistake(_sentence(message), offset, _hint(message, said, columns))


def _sentence(message: str) -> str:
    if missing := _MISSING_COLUMN.search(message):
        return f'"{missing["table"]}" has no column "{missing["name"]}".'
    for pattern, sentence in _SENTENCES:
        if found := pattern.search(message):
            return sentence.format(name=found["name"])
    first = message.strip().split("\n")[0].strip().rstrip(".")
    return f"{first[:1].upper()}{first[1:]}."


def _hint(message: str, said: dict[str, Any], columns: Sequence[str]) -> str | None:
    for pattern, hint in _HINTS:
        if pattern.search(message):
            return hint
    missing = _MISSING_COLUMN.search(message)
    name = missing["name"] if missing else str(said.get("name", ""))
    candidates = [one for one in str(said.get("candidates", "")).split(",") if one]
    is_column = missing is not None or said.get("error_subtype") == "COLUMN_NOT_FOUND"
    near = difflib.get_close_matches(name, [*candidates, *(columns if is_column else ())], n=1)
    if near:
        return f'Did you mean "{near[0]}"?'
    return "`llmctl sql --tables` lists what there is." if is_column or "does not exist" in message else None
