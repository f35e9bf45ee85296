"""A key that must never be seen again, and the search for it in everything that a run leaves behind."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import duckdb

__all__ = ["KEY", "SHAPED", "leaks", "leaks_in_folder"]

KEY = 'cAn4Ry-7f1c/9aE7+2b"Xy\\z1Q0=w'
"""Every encoding writes some character of it differently."""
SHAPED = (
    "sk-proj-q8W2e4R6t8Y0u2I4o6P8",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_q8W2e4R6t8Y0u2I4o6P8a2S4",
    "AIzaSyA1q8W2e4R6t8Y0u2I4o6P8a2S4d6F8",
    "Bearer q8W2e4R6t8Y0u2I4o6P8",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.q8W2e4R6t8Y0u2I4o6P8",
    "https://me:q8W2e4R6@host.example/x",
    "-----BEGIN PRIVATE KEY-----\nq8W2e4R6t8Y0u2I4o6P8\n-----END PRIVATE KEY-----",
)
"""Keys that nobody told us of."""
_WINDOW = 9
"""A piece of the key of this length is a leak."""


def _needles() -> frozenset[str]:
    once = json.dumps(KEY)[1:-1]
    forms = {
        KEY,
        once,
        json.dumps(once)[1:-1],
        once.replace("/", "\\/"),
        quote(KEY),
        quote(KEY, safe=""),
        html.escape(KEY),
        base64.b64encode(KEY.encode()).decode(),
        base64.b64encode(f"user:{KEY}".encode()).decode()[8:],
        base64.b64encode(f"us:{KEY}".encode()).decode()[4:],
    }
    windows = {form[at : at + _WINDOW] for form in forms for at in range(len(form) - _WINDOW + 1)}
    return frozenset(windows | {"q8W2e4R6"})


_NEEDLES = _needles()


def leaks(text: str) -> list[str]:
    """Lines that hold a piece of the key."""
    if not any(needle in text for needle in _NEEDLES):
        return []
    return [line[:2000] for line in text.splitlines() if any(needle in line for needle in _NEEDLES)]


def leaks_in_folder(folder: Path) -> list[str]:
    """Files below a folder that hold a piece of the key, byte for byte; DuckDB files also as what their tables say."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            texts = [path.read_bytes().decode("latin-1")]
            if path.suffix == ".duckdb":
                texts += _rows(path)  # it compresses texts
            found += [f"{path}: {line}" for text in texts for line in leaks(text)]
    return found


def _rows(path: Path) -> Iterator[str]:
    with duckdb.connect(str(path), read_only=True) as con:
        tables = con.execute("SELECT table_name FROM information_schema.tables").fetchall()
        for (table,) in tables:
            yield "\n".join(map(str, con.execute(f'SELECT * FROM "{table}"').fetchall()))
