"""Rows of llm's database as plain values."""

from __future__ import annotations

import base64
import sqlite3
from typing import Any

from llmctl.traffic.readers.values import decoded

__all__ = ["name_of", "plain_row", "schema_of"]


def plain_row(row: sqlite3.Row) -> dict[str, Any]:
    """A row as an object without what is NULL; bytes as base64."""
    names = row.keys()
    found = {name: item for name, item in zip(names, tuple(row), strict=True) if item is not None}
    return {name: base64.b64encode(item).decode() if isinstance(item, bytes) else item for name, item in found.items()}


def schema_of(connection: sqlite3.Connection, schema_id: object) -> object:
    """A schema that an answer had to fit."""
    row = connection.execute("SELECT content FROM schemas WHERE id = ?", (schema_id,)).fetchone()
    return decoded(row[0]) if row else None


def name_of(connection: sqlite3.Connection, table: str, identity: object) -> object:
    """The name of a conversation or a thread. `table`: our own word, never a user's."""
    row = connection.execute(f"SELECT name FROM {table} WHERE id = ?", (identity,)).fetchone()
    return row[0] if row else None
