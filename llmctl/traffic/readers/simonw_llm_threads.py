"""llm's threads (0.32 and later): each turn with all messages before it, by walking from its tip to the root."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from llmctl.traffic.readers.simonw_llm_content import MISSING_ATTACHMENT, with_attachments
from llmctl.traffic.readers.simonw_llm_rows import name_of, plain_row, schema_of
from llmctl.traffic.readers.values import decoded, json_text, mapping, text

__all__ = ["Threads"]

_LONGEST_CHAIN = 10_000
_BROKEN_CHAIN = "earlier messages of its conversation are missing in the database"
_PARTS = "SELECT id, type, tool_name, text, payload FROM parts WHERE message_hash = ? ORDER BY position"
_FRAGMENTS = (
    "SELECT f.content FROM part_fragments p JOIN fragments f ON f.id = p.fragment_id WHERE p.part_id = ? "
    "ORDER BY p.'order'"
)
_ATTACHMENTS = (
    "SELECT a.type, a.path, a.url, a.content FROM part_attachments p JOIN attachments a ON a.id = p.attachment_id "
    "WHERE p.part_id = ? ORDER BY p.'order'"
)
_TOOLS = (
    "SELECT t.name, t.description, t.input_schema FROM turn_tools r "
    "JOIN tools t ON t.id = r.tool_id WHERE r.turn_id = ?"
)


class Threads:
    """The turns of a database."""

    def __init__(self, connection: sqlite3.Connection, tables: set[str]) -> None:
        self._connection = connection
        self._tables = tables

    def values(self) -> Iterator[dict[str, Any]]:
        """Every turn, the oldest first."""
        for row in self._connection.execute("SELECT * FROM turns ORDER BY datetime_utc, id"):
            yield self._turn(plain_row(row))

    def _turn(self, row: dict[str, Any]) -> dict[str, Any]:
        value = {**row, "conversation_id": row.get("thread_id")}
        for name in ("options_json", "response_json", "token_details"):
            value[name] = decoded(row.get(name))
        asked, broken = self._chain(text(row.get("parent_message_hash")), None)
        answer, _ = self._chain(text(row.get("tip_message_hash")), text(row.get("parent_message_hash")))
        messages = [one for held in asked for one in self._messages(held, value)]
        value["messages"] = messages
        said = [one for held in answer for one in self._messages(held, {})]
        value["response"] = "".join(one["content"] for one in said if isinstance(one.get("content"), str)) or None
        value["tool_calls"] = [call for one in said for call in one.get("tool_calls", ())]
        if value["response"] is None and answer and not value["tool_calls"]:
            value["response"] = ""
        if broken:
            value["not_replayable"] = _BROKEN_CHAIN
        value["tools"] = self._rows(_TOOLS, row["id"], {"turn_tools", "tools"})
        if row.get("thread_id") and "threads" in self._tables:
            value["conversation_name"] = name_of(self._connection, "threads", row["thread_id"])
        if row.get("schema_id") and "schemas" in self._tables:
            value["schema_json"] = schema_of(self._connection, row["schema_id"])
        return value

    def _chain(self, tip: str | None, until: str | None) -> tuple[list[Mapping[str, Any]], bool]:
        """The messages from below `until` to `tip`, the oldest first; and whether one of them is missing."""
        found: list[Mapping[str, Any]] = []
        seen: set[str] = set()
        while tip is not None and tip != until:
            row = self._connection.execute("SELECT * FROM messages WHERE hash = ?", (tip,)).fetchone()
            if row is None or tip in seen or len(found) >= _LONGEST_CHAIN:
                return found[::-1], True
            seen.add(tip)
            found.append(plain_row(row))
            tip = text(found[-1].get("parent_hash"))
        return found[::-1], False

    def _messages(self, held: Mapping[str, Any], turn: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """A message of the tree in OpenAI's shape; results of tools are messages of their own."""
        said: list[str] = []
        attachments: list[dict[str, Any]] = []
        calls: list[dict[str, Any]] = []
        for part in self._rows(_PARTS, held["hash"], {"parts"}):
            payload = mapping(part.get("payload"))
            match part.get("type"):
                case "text":
                    said.append(self._text(part, payload))
                case "tool_call":
                    calls.append(_call(part, payload, len(calls)))
                case "tool_result":
                    yield _result(part, payload)
                case "attachment":
                    attachments += self._rows(_ATTACHMENTS, part["id"], {"part_attachments", "attachments"})
        content, whole = with_attachments("".join(said) or None, attachments)
        if not whole:
            turn["not_replayable"] = MISSING_ATTACHMENT
        if content or calls:
            yield {"role": held.get("role"), "content": content, **({"tool_calls": calls} if calls else {})}

    def _text(self, part: Mapping[str, Any], payload: Mapping[str, Any]) -> str:
        """A part's text: its own, or pieces of which some are fragments."""
        own = text(part.get("text")) or text(payload.get("text"))
        if own:
            return own
        pieces = payload.get("text_ref")
        if isinstance(pieces, list):
            return "".join(self._piece(mapping(one)) for one in pieces)
        rows = self._rows(_FRAGMENTS, part["id"], {"part_fragments", "fragments"})
        return "\n".join(str(row.get("content", "")) for row in rows)

    def _piece(self, piece: Mapping[str, Any]) -> str:
        if "literal" in piece:
            return str(piece["literal"])
        rows = self._rows("SELECT content FROM fragments WHERE id = ?", piece.get("fragment"), {"fragments"})
        return str(rows[0].get("content", "")) if rows else ""

    def _rows(self, query: str, key: object, needed: set[str]) -> list[dict[str, Any]]:
        if not needed <= self._tables:
            return []
        return [plain_row(row) for row in self._connection.execute(query, (key,))]


def _call(part: Mapping[str, Any], payload: Mapping[str, Any], place: int) -> dict[str, Any]:
    name = text(payload.get("name")) or text(part.get("tool_name")) or ""
    arguments = json_text(payload.get("arguments", {}))
    call_id = text(payload.get("tool_call_id")) or f"call_{place}"
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _result(part: Mapping[str, Any], payload: Mapping[str, Any]) -> dict[str, Any]:
    said = payload.get("output", part.get("text"))
    content = said if isinstance(said, str) else "" if said is None else json_text(said)
    return {"role": "tool", "tool_call_id": text(payload.get("tool_call_id")) or "call_0", "content": content}
