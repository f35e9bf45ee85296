"""Importing: nothing missing, nothing twice, no key on the disk."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmctl.providers.redaction import Redactor
from llmctl.runs.checkup import State
from llmctl.runs.doctor import examine
from llmctl.traffic.filters import TrafficFilter
from llmctl.traffic.importing import Importing, TrafficImport, import_traffic
from llmctl.traffic.sources import sources_of
from llmctl.traffic.store import TrafficStore

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"


def pair(number: int, *, text: str = "Where is my parcel?", identifier: str | None = None) -> dict[str, Any]:
    """A logged chat completion."""
    return {
        "request": {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], "temperature": 0},
        "response": {
            "id": identifier or f"chatcmpl-{number}",
            "object": "chat.completion",
            "created": 1_790_000_000 + number,
            "model": "gpt-4o-mini-2026-03-01",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "shipping"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
        },
    }


def log(path: Path, documents: list[Any]) -> Path:
    """A JSONL file; texts are lines as they are."""
    lines = [one if isinstance(one, str) else json.dumps(one) for one in documents]
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


def imported(store: Path, *files: Path, options: Importing | None = None) -> TrafficImport:
    return import_traffic(store, sources_of([str(file) for file in files]), options or Importing(), Redactor({}))


def reasons(done: TrafficImport) -> dict[str, int]:
    return {skip.reason: skip.count for skip in done.skips.values()}


def test_records_come_back_as_they_were_read(tmp_path: Path) -> None:
    file = log(tmp_path / "log.jsonl", [pair(1), pair(2)])
    done = imported(tmp_path / "store", file)
    assert (done.imported, done.skipped, dict(done.formats)) == (2, 0, {"openai_chat": 2})
    store = TrafficStore(tmp_path / "store")
    first, second = store.calls()
    assert first.call.messages == ({"role": "user", "content": "Where is my parcel?"},)
    assert (first.call.output, first.call.input_tokens, first.call.params) == ("shipping", 10, {"temperature": 0})
    assert (first.file, first.line, second.line) == (str(file), 1, 2)
    assert store.raw(second) == json.dumps(pair(2))
    assert store.find(second.id[:8]).call == second.call
    assert store.find("chatcmpl-1").id == first.id
    assert [one.id for one in store.latest(limit=1)] == [second.id]


def test_importing_twice_adds_nothing(tmp_path: Path) -> None:
    file = log(tmp_path / "log.jsonl", [pair(1), pair(2)])
    more = log(tmp_path / "more.jsonl", [pair(2), pair(3)])
    imported(tmp_path / "store", file)
    again = imported(tmp_path / "store", file)
    assert (again.imported, reasons(again), again.import_id) == (0, {"imported already": 2}, None)
    assert len(list((tmp_path / "store" / "traffic").iterdir())) == 1
    overlapping = imported(tmp_path / "store", more)
    assert (overlapping.imported, reasons(overlapping)) == (1, {"imported already": 1})
    assert TrafficStore(tmp_path / "store").count() == 3


def test_a_line_that_stands_twice_is_one_call(tmp_path: Path) -> None:
    done = imported(tmp_path / "store", log(tmp_path / "log.jsonl", [pair(1), pair(1)]))
    assert (done.imported, reasons(done)) == (1, {"twice in these files": 1})


def test_one_id_for_different_calls_does_not_hide_any(tmp_path: Path) -> None:
    pairs = [pair(1, text=f"Question {number}", identifier="chatcmpl-123") for number in range(3)]
    assert imported(tmp_path / "store", log(tmp_path / "log.jsonl", pairs)).imported == 3


def test_damage_is_counted_with_its_place(tmp_path: Path) -> None:
    documents = [pair(1), '{"request": {"mod', {"some": "thing"}, pair(2)]
    done = imported(tmp_path / "store", log(tmp_path / "log.jsonl", documents))
    assert (done.imported, done.skipped, done.unreadable) == (2, 2, 2)
    examples = {skip.reason: [one.line for one in skip.examples] for skip in done.skips.values()}
    assert examples == {"not JSON": [2], "no known log format (--format or --map names one)": [3]}


def test_formats_may_be_mixed_in_one_file(tmp_path: Path) -> None:
    batch = {
        "id": "batch_req_1",
        "custom_id": "mine-1",
        "response": {"status_code": 200, "request_id": "r", "body": pair(9)["response"]},
        "error": None,
    }
    done = imported(tmp_path / "store", log(tmp_path / "log.jsonl", [pair(1), batch, pair(2)]))
    assert (done.imported, dict(done.formats)) == (3, {"openai_chat": 2, "openai_batch": 1})
    calls = {one.call.format: one.line for one in TrafficStore(tmp_path / "store").calls()}
    assert calls["openai_batch"] == 2


@pytest.mark.parametrize("text", [f"My key is {KEY}", f'{{"auth": "Bearer {KEY[8:]}"}}'])
def test_keys_never_reach_the_disk(tmp_path: Path, text: str) -> None:
    done = imported(tmp_path / "store", log(tmp_path / "log.jsonl", [pair(1, text=text), pair(2)]))
    assert (done.imported, done.redacted_lines) == (2, 1)
    for file in (tmp_path / "store").rglob("*"):
        assert not file.is_file() or KEY[8:].encode() not in file.read_bytes()
    first = next(TrafficStore(tmp_path / "store").calls())
    assert "[redacted]" in str(first.call.messages)


def test_personal_data_is_replaced_alike_everywhere(tmp_path: Path) -> None:
    pairs = [pair(1, text="I am jane@example.org"), pair(2, text="jane@example.org, or joe@example.org")]
    pairs[0]["user"] = "jane@example.org"
    file = log(tmp_path / "log.jsonl", pairs)
    done = imported(tmp_path / "store", file, options=Importing(redact=True))
    assert done.redacted["EMAIL"] >= 3
    store = TrafficStore(tmp_path / "store")
    texts = [str(one.call.messages) for one in store.calls()]
    assert "<EMAIL_1>" in texts[0]
    assert "<EMAIL_1>, or <EMAIL_2>" in texts[1]
    assert json.loads(store.raw(next(store.calls())))["user"] == "<EMAIL_1>"
    for path in (tmp_path / "store").rglob("*"):
        assert not path.is_file() or b"jane@" not in path.read_bytes()
    assert imported(tmp_path / "store", file).imported == 0  # the same calls, redacted or not


def test_the_index_can_be_built_again(tmp_path: Path) -> None:
    store = tmp_path / "store"
    imported(store, log(tmp_path / "log.jsonl", [pair(number) for number in range(50)]))
    before = list(TrafficStore(store).calls())
    (store / "llmctl.duckdb").unlink()
    checks = examine(store)
    assert {check.state for check in checks} <= {State.OK, State.NOTE}
    assert list(TrafficStore(store).calls()) == before


def test_a_damaged_journal_costs_its_line_alone(tmp_path: Path) -> None:
    store = tmp_path / "store"
    imported(store, log(tmp_path / "log.jsonl", [pair(number) for number in range(5)]))
    [journal] = (store / "traffic").iterdir()
    lines = journal.read_bytes().split(b"\n")
    lines[2] = lines[2].replace(b"parcel", b"barrel")
    journal.write_bytes(b"\n".join(lines))
    (store / "llmctl.duckdb").unlink()
    checks = {check.name: check for check in examine(store)}
    assert checks["journals"].state is State.PROBLEM
    assert checks["index"].state is State.OK
    assert TrafficStore(store).count() == 4


def test_filters(tmp_path: Path) -> None:
    pairs = [pair(number) for number in range(10)]
    pairs[3]["request"]["model"] = "other"
    imported(tmp_path / "store", log(tmp_path / "log.jsonl", pairs))
    store = TrafficStore(tmp_path / "store")
    assert store.count(TrafficFilter(models=("other",))) == 1
    assert store.count(TrafficFilter(since=1_790_000_004, until=1_790_000_006)) == 2
    assert store.count(TrafficFilter(statuses=("ok",))) == 10
    assert store.count(TrafficFilter(statuses=("error", "429"))) == 0
    assert store.count(TrafficFilter(where="input_tokens = 10 AND model <> 'other'")) == 9
    assert store.count(TrafficFilter(models=("it's",))) == 0
    many = list(store.calls(TrafficFilter(where="true")))
    assert [one.line for one in many] == list(range(1, 11))


NAMES = (
    *("request", "response", "messages", "role", "content", "model", "choices", "message", "usage", "id", "object"),
    *("created", "type", "input", "output", "custom_id", "body", "result", "tool_calls", "latency_ms", "status"),
    *("error", "timestamp", "metadata", "tags", "user", "prompt"),
)
KEYS = st.sampled_from(NAMES)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(KEYS, JSON, max_size=5).map(json.dumps)
REAL = st.integers(0, 5).map(lambda number: json.dumps(pair(number)))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(DOCUMENTS | REAL | st.just("not json"), max_size=8))
def test_whatever_stands_in_a_file_is_imported_or_said_and_twice_is_once(lines: list[str]) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        lines = [json.dumps(pair(9)), *lines]
        file = log(root / "log.jsonl", list(lines))
        done = imported(root / "store", file)
        assert done.imported + done.skipped == len(lines)
        again = imported(root / "store", file)
        assert again.imported == 0
        assert again.skipped == len(lines)
        assert TrafficStore(root / "store").count() == done.imported - done.feedback


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "log"
        file.write_bytes(content)
        done = imported(Path(folder) / "store", file)
        assert done.imported + done.skipped >= 0
