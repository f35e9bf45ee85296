"""llm's SQLite database as documents: each turn as `llm logs --json` shows it, of old databases and of new ones.

Until 0.31 a turn is a row of `responses`. Since 0.32 it is a row of `turns` that points into a tree of `messages`,
each with `parts`; `responses` is then empty, or holds what came before.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from llmctl.traffic.documents.found import Found, Unreadable
from llmctl.traffic.readers.base import Document
from llmctl.traffic.readers.simonw_llm_rows import name_of, plain_row, schema_of
from llmctl.traffic.readers.simonw_llm_threads import Threads
from llmctl.traffic.readers.values import decoded, json_text

__all__ = ["database_documents"]

_NOT_LLM = "a SQLite database, but not one of llm's"
_BROKEN = "the SQLite database is damaged"
_JSON_COLUMNS = ("prompt_json", "options_json", "response_json", "token_details")
_OLD_PARTS = {
    "prompt_fragments": (
        "SELECT f.content FROM prompt_fragments p JOIN fragments f ON f.id = p.fragment_id "
        "WHERE p.response_id = ? ORDER BY p.'order'"
    ),
    "system_fragments": (
        "SELECT f.content FROM system_fragments p JOIN fragments f ON f.id = p.fragment_id "
        "WHERE p.response_id = ? ORDER BY p.'order'"
    ),
    "tools": (
        "SELECT t.name, t.description, t.input_schema FROM tool_responses r JOIN tools t ON t.id = r.tool_id "
        "WHERE r.response_id = ?"
    ),
    "tool_calls": "SELECT name, arguments, tool_call_id FROM tool_calls WHERE response_id = ? ORDER BY id",
    "tool_results": "SELECT name, output, tool_call_id FROM tool_results WHERE response_id = ? ORDER BY id",
    "attachments": (
        "SELECT a.type, a.path, a.url, a.content FROM prompt_attachments p "
        "JOIN attachments a ON a.id = p.attachment_id WHERE p.response_id = ? ORDER BY p.'order'"
    ),
}

_PART_TABLES = frozenset(
    [
        "prompt_fragments",
        "system_fragments",
        "fragments",
        "tool_responses",
        "tools",
        "tool_calls",
        "tool_results",
        "prompt_attachments",
        "attachments",
    ]
)


def database_documents(path: Path) -> Iterator[Found]:
    """Every turn in the database, the oldest first; `line` is its number."""
    number = 0
    try:
        with closing(_opened(path)) as connection:
            connection.row_factory = sqlite3.Row
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not {"responses", "turns"} & tables:
                yield Unreadable(1, _NOT_LLM)
                return
            for value in _values(connection, tables):
                number += 1
                yield Document(value, json_text(value), number)
    except (sqlite3.Error, OverflowError) as error:
        missing = isinstance(error, sqlite3.OperationalError) and "no such column" in str(error)
        yield Unreadable(number + 1, _NOT_LLM if missing else _BROKEN)


def _opened(path: Path) -> sqlite3.Connection:
    """Read-only. A database beside which a journal cannot be made is read as it lies."""
    address = path.resolve().as_uri()
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True)
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        connection = sqlite3.connect(f"{address}?mode=ro&immutable=1", uri=True)
    connection.text_factory = _decoded
    return connection


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _values(connection: sqlite3.Connection, tables: set[str]) -> Iterator[dict[str, Any]]:
    moved: set[str] = set()
    if "turns" in tables:
        moved = {str(row[0]) for row in connection.execute("SELECT id FROM turns")}
    if "responses" in tables:
        for row in connection.execute("SELECT * FROM responses ORDER BY datetime_utc, id"):
            if str(row["id"]) not in moved:
                yield _response(connection, tables, row)
    if "turns" in tables:
        yield from Threads(connection, tables).values()


def _response(connection: sqlite3.Connection, tables: set[str], row: sqlite3.Row) -> dict[str, Any]:
    value: dict[str, Any] = {name: row[name] for name in row.keys()}  # noqa: SIM118 - a Row is no mapping
    for name in _JSON_COLUMNS:
        if name in value:
            value[name] = decoded(value[name])
    for name, query in _OLD_PARTS.items():
        needed = {word for word in query.replace(",", " ").split() if word in _PART_TABLES}
        if needed <= tables:
            value[name] = [plain_row(one) for one in connection.execute(query, (row["id"],))]
    if value.get("conversation_id") and "conversations" in tables:
        value["conversation_name"] = name_of(connection, "conversations", value["conversation_id"])
    if value.get("schema_id") and "schemas" in tables:
        value["schema_json"] = schema_of(connection, value["schema_id"])
    return value
