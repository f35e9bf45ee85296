"""llm's SQLite databases, old and new, as records; what is none of llm's, or damaged, is said."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from llmctl.traffic.documents.found import Unreadable
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.base import Document, Entry
from llmctl.traffic.readers.simonw_llm import SimonwLLM, database_documents

Part = tuple[str, str | None, str | None, object]
"""Type, tool, text, payload."""
SAMPLE = Path(__file__).parents[1] / "samples" / "simonw_llm_logs.db"
OLD = """
CREATE TABLE conversations (id TEXT, name TEXT, model TEXT);
CREATE TABLE responses (id TEXT, model TEXT, prompt TEXT, system TEXT, prompt_json TEXT, options_json TEXT,
  response TEXT, response_json TEXT, conversation_id TEXT, duration_ms INTEGER, datetime_utc TEXT, input_tokens INTEGER,
  output_tokens INTEGER, token_details TEXT, schema_id TEXT);
CREATE TABLE schemas (id TEXT, content TEXT);
CREATE TABLE attachments (id TEXT, type TEXT, path TEXT, url TEXT, content BLOB);
CREATE TABLE prompt_attachments (response_id TEXT, attachment_id TEXT, "order" INTEGER);
CREATE TABLE fragments (id INTEGER, hash TEXT, content TEXT);
CREATE TABLE prompt_fragments (response_id TEXT, fragment_id INTEGER, "order" INTEGER);
INSERT INTO conversations VALUES ('c', 'Sums', 'm');
INSERT INTO schemas VALUES ('s', '{"type": "object"}');
INSERT INTO fragments VALUES (1, 'h1', 'first'), (2, 'h2', 'second');
INSERT INTO attachments VALUES ('a', 'image/png', NULL, NULL, X'0102');
INSERT INTO responses VALUES ('2', 'm', 'and now?', NULL, NULL, '{}', 'Zwei', '{"finish_reason": "length"}', 'c', 7,
  '2026-11-20T09:00:02', 3, 4, NULL, 's');
INSERT INTO responses VALUES ('1', 'm', 'go', 'Be brief.', NULL, '{"temperature": 0.5}', 'Eins', NULL, 'c', 5,
  '2026-11-20T09:00:01', 1, 2, NULL, NULL);
INSERT INTO prompt_fragments VALUES ('1', 2, 1), ('1', 1, 0);
INSERT INTO prompt_attachments VALUES ('2', 'a', 0);
"""


def calls(path: Path) -> list[LoggedCall]:
    found = list(database_documents(path))
    documents = [one for one in found if isinstance(one, Document)]
    assert found == documents
    entries = list(SimonwLLM().read(documents))
    return [one.record for one in entries if isinstance(one, Entry) and isinstance(one.record, LoggedCall)]


@contextmanager
def changed(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        yield connection
        connection.commit()


def made(path: Path, script: str) -> Path:
    with changed(path) as connection:
        connection.executescript(script)
    return path


def test_an_old_database(tmp_path: Path) -> None:
    first, second = calls(made(tmp_path / "logs.db", OLD))
    begun = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "first\nsecond\ngo"})
    assert (first.messages, first.output, first.params) == (begun, "Eins", {"temperature": 0.5})
    assert second.messages == (
        *begun,
        {"role": "assistant", "content": "Eins"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "and now?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AQI="}},
            ],
        },
    )
    assert (second.finish_reason, second.outcome) == ("length", "truncated")
    assert second.response_format == {
        "type": "json_schema",
        "json_schema": {"name": "output", "schema": {"type": "object"}},
    }
    assert (second.session_id, second.metadata, second.latency_ms) == ("c", {"conversation_name": "Sums"}, 7.0)


def sample(tmp_path: Path) -> Path:
    path = tmp_path / "logs.db"
    path.write_bytes(SAMPLE.read_bytes())
    return path


def tip(connection: sqlite3.Connection) -> str:
    return str(connection.execute("SELECT tip_message_hash FROM threads").fetchone()[0])


def add_message(connection: sqlite3.Connection, name: str, parent: str, role: str, parts: Sequence[Part]) -> None:
    connection.execute("INSERT INTO messages VALUES (?, ?, ?, NULL)", (name, parent, role))
    for position, (kind, tool, said, payload) in enumerate(parts):
        row = (name, position, kind, tool, said, None if payload is None else json.dumps(payload))
        connection.execute(
            "INSERT INTO parts (message_hash, position, type, tool_name, text, payload) VALUES (?, ?, ?, ?, ?, ?)", row
        )


def add_turn(connection: sqlite3.Connection, name: str, parent: str, tip_hash: str) -> None:
    connection.execute(
        "INSERT INTO turns (id, thread_id, parent_message_hash, tip_message_hash, model, datetime_utc) "
        "SELECT ?, id, ?, ?, 'm', '2026-11-24T00:00:00' FROM threads",
        (name, parent, tip_hash),
    )


def test_a_turn_of_today_has_all_messages_before_it(tmp_path: Path) -> None:
    path = sample(tmp_path)
    with changed(path) as connection:
        connection.execute("INSERT INTO fragments (id, hash, content) VALUES (1, 'h', 'the manual')")
        reference = {"text_ref": [{"literal": "Read "}, {"fragment": 1}, {"literal": "!"}]}
        add_message(connection, "u", tip(connection), "user", [("text", None, None, reference)])
        called = {"name": "now", "arguments": {"zone": "UTC"}, "tool_call_id": "t1"}
        add_message(
            connection, "a", "u", "assistant", [("reasoning", None, "hm", None), ("tool_call", "now", None, called)]
        )
        answer = {"name": "now", "output": "12:00", "tool_call_id": "t1"}
        add_message(connection, "r", "a", "tool", [("tool_result", "now", None, answer)])
        add_message(connection, "e", "r", "assistant", [("text", None, "Noon.", None)])
        add_turn(connection, "turn-2", "u", "a")
        add_turn(connection, "turn-3", "r", "e")
    _, second, third = calls(path)
    call = {"id": "t1", "type": "function", "function": {"name": "now", "arguments": '{"zone":"UTC"}'}}
    assert second.messages is not None
    assert [one["role"] for one in second.messages] == ["system", "user", "assistant", "user"]
    assert second.messages[-1]["content"] == "Read the manual!"
    assert (second.output, second.tool_calls, second.outcome) == (None, (call,), "answered")
    assert third.messages is not None
    assert third.messages[-1] == {"role": "tool", "tool_call_id": "t1", "content": "12:00"}
    assert list(third.messages[-2]["tool_calls"]) == [call]  # type: ignore[call-overload]
    assert third.output == "Noon."


def test_a_chain_with_a_hole_is_said(tmp_path: Path) -> None:
    path = sample(tmp_path)
    with changed(path) as connection:
        connection.execute("DELETE FROM messages WHERE role = 'system'")
    (call,) = calls(path)
    assert call.not_replayable == "earlier messages of its conversation are missing in the database"


def test_old_rows_beside_new_ones_are_kept_once(tmp_path: Path) -> None:
    path = sample(tmp_path)
    with changed(path) as connection:
        for identity in ("01m83sas1e9y333y767j87zajc", "older"):
            connection.execute(
                "INSERT INTO responses (id, model, prompt, response, datetime_utc) VALUES (?, 'm', 'p', 'r', '2024')",
                (identity,),
            )
    assert [call.source_id for call in calls(path)] == ["older", "01m83sas1e9y333y767j87zajc"]


def test_it_is_read_where_nothing_may_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    path = sample(folder)
    with changed(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    path.chmod(0o444)
    folder.chmod(0o555)
    try:
        assert len(calls(path)) == 1
    finally:
        folder.chmod(0o755)


def test_another_database_is_said(tmp_path: Path) -> None:
    path = made(tmp_path / "x.db", "CREATE TABLE t (a)")
    assert list(database_documents(path)) == [Unreadable(1, "a SQLite database, but not one of llm's")]


def test_another_tool_with_tables_of_these_names_is_said(tmp_path: Path) -> None:
    path = made(tmp_path / "x.db", "CREATE TABLE responses (number INTEGER)")
    assert list(database_documents(path)) == [Unreadable(1, "a SQLite database, but not one of llm's")]


def test_a_damaged_database_is_said(tmp_path: Path) -> None:
    path = sample(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * 8192 + content[12288:20000])
    (found,) = database_documents(path)
    assert isinstance(found, Unreadable)
    assert found.reason == "the SQLite database is damaged"
