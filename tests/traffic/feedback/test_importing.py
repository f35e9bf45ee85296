"""Feedback of other tools: what each says, twice is once, and what is of no call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmctl.errors import UsageError
from llmctl.providers.redaction import Redactor
from llmctl.store.layout import Layout
from llmctl.traffic.feedback.importing import FeedbackImport, import_feedback
from llmctl.traffic.feedback.mapped import mapped_feedback
from llmctl.traffic.feedback.store import FeedbackStore
from llmctl.traffic.importing import ALREADY, TWICE, Importing, import_traffic
from llmctl.traffic.sources import sources_of
from tests.traffic.feedback.logs import call, logged
from tests.traffic.test_importing import log, pair, reasons

SAMPLES = Path(__file__).parents[1] / "samples"


def imported(store: Path, *files: Path, maps: tuple[str, ...] = (), redact: bool = False) -> FeedbackImport:
    options = Importing(mapped_feedback(maps) if maps else None, redact=redact)
    return import_feedback(store, sources_of([str(file) for file in files]), options, Redactor({}))


def said(store: Path) -> list[tuple[Any, ...]]:
    """Kind, value, text, name, source and target of everything."""
    return sorted(
        (one.said.kind, one.said.value, one.said.text, one.said.name, one.said.source, one.said.target)
        for one in FeedbackStore(store).latest(limit=999)
    )


VELLUM: list[tuple[Any, list[tuple[Any, ...]]]] = [
    (
        {"externalId": "m1", "executionId": "e1", "quality": 0.0, "label": "off-topic", "timestamp": 1795000000000},
        [("label", None, "off-topic", None, None, "m1"), ("score", 0.0, None, None, None, "m1")],
    ),
    (
        {
            "actuals": [
                {"external_id": "m1", "text": "Right.", "quality": 0.5},
                {"id": "m2", "quality": 1, "text": None},
            ]
        },
        [
            ("correction", None, "Right.", None, None, "m1"),
            ("score", 0.5, None, None, None, "m1"),
            ("score", 1.0, None, None, None, "m2"),
        ],
    ),
    (
        {
            "execution_id": "e7",
            "actuals": [{"output_key": "queue", "output_type": "JSON", "desired_output": {"q": 1}, "quality": 0.25}],
        },
        [("correction", None, '{"q":1}', "queue", None, "e7"), ("score", 0.25, None, "queue", None, "e7")],
    ),
    (
        {
            "executionId": "e1",
            "outputId": "o1",
            "value": "Better",
            "quality": "0.8",
            "timestamp": "2026-11-20T09:00:00Z",
        },
        [("correction", None, "Better", "o1", None, "e1"), ("score", 0.8, None, "o1", None, "e1")],
    ),
]


@pytest.mark.parametrize(("document", "expected"), VELLUM)
def test_vellum(tmp_path: Path, document: Any, expected: list[tuple[Any, ...]]) -> None:
    done = imported(tmp_path / "store", log(tmp_path / "vellum.jsonl", [document]))
    assert (done.imported, done.skipped, done.unknown) == (len(expected), 0, len(expected))
    assert said(tmp_path / "store") == expected


def test_vellum_without_anything_is_set_aside(tmp_path: Path) -> None:
    actuals = {"actuals": [{"quality": 1}, {"externalId": "a"}, {"externalId": "b", "quality": 1}]}
    done = imported(tmp_path / "store", log(tmp_path / "vellum.jsonl", [actuals]))
    assert done.imported == 1
    assert reasons(done) == {"it does not say of which call": 1, "nothing is said in it": 1}


def test_langfuse_and_langsmith_samples_together_with_their_calls(tmp_path: Path) -> None:
    store = tmp_path / "store"
    calls = [SAMPLES / name for name in ("langfuse_observations_v2.jsonl", "langsmith_runs.jsonl")]
    import_traffic(store, sources_of(list(map(str, calls))), Importing(), Redactor({}))
    done = imported(store, SAMPLES / "langfuse_scores.jsonl", SAMPLES / "langsmith_feedback.jsonl")
    assert done.kinds == {"rating": 1, "correction": 1, "score": 1, "comment": 1}
    assert (done.imported, done.skipped) == (4, 0)
    assert done.unknown == 2  # LangSmith's is of a chain of two calls: which of them is meant, nobody knows
    assert [row[:2] for row in said(store)] == [
        ("comment", None),
        ("correction", None),
        ("rating", 1.0),
        ("score", 1.0),
    ]


def test_twice_is_once_also_when_traffic_import_came_before_or_comes_after(tmp_path: Path) -> None:
    scores, langsmith = SAMPLES / "langfuse_scores.jsonl", SAMPLES / "langsmith_feedback.jsonl"
    store = tmp_path / "store"
    import_traffic(store, sources_of([str(scores)]), Importing(), Redactor({}))
    done = imported(store, scores, langsmith, langsmith)
    assert (done.imported, reasons(done)) == (2, {ALREADY: 2})
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(langsmith.read_bytes() * 2)
    assert reasons(imported(tmp_path / "other", copy)) == {TWICE: 2}
    before = Layout(store).events.read_bytes()
    assert imported(store, scores, langsmith).imported == 0
    after = import_traffic(store, sources_of([str(scores), str(langsmith)]), Importing(), Redactor({}))
    assert (after.imported, reasons(after)) == (0, {ALREADY: 4})
    assert Layout(store).events.read_bytes() == before


def test_what_is_no_feedback_is_set_aside_with_its_reason(tmp_path: Path) -> None:
    file = log(tmp_path / "mixed.jsonl", [pair(1), '{"cut', {"externalId": "a", "quality": 1}, {"what": 1}])
    done = imported(tmp_path / "store", file)
    assert done.imported == 1
    assert done.unreadable == 2
    assert done.skips["a logged call, not feedback (`traffic import` reads it)"].examples[0].line == 1
    assert done.skipped == 3


ROWS = (
    'id,thumb,stars,note,when\nm1,Up,4,"nice, really",2026-11-20\nm2,-1,,,\nm3,,,,\n,up,1,,\nm4,maybe,1,,\nm5,👎,x,,\n'
)
MAPS = ("id=id", "rating=thumb", "score=stars", "comment=note", "at=when")


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(ROWS, encoding="utf-8")
    logged(tmp_path / "store", call("m2"))
    done = imported(tmp_path / "store", tmp_path / "table.csv", maps=MAPS)
    assert said(tmp_path / "store") == [
        ("comment", None, "nice, really", None, None, "m1"),
        ("rating", 0.0, None, None, None, "m2"),
        ("rating", 1.0, None, None, None, "m1"),
        ("score", 4.0, None, None, None, "m1"),
    ]
    assert reasons(done) == {
        "nothing is said in it": 1,
        "it does not say of which call": 1,
        "rating: thumb is neither up nor down": 1,
        "score: stars is not a number": 1,
    }
    assert done.unknown == 3
    times = [one.said.at for one in FeedbackStore(tmp_path / "store").latest() if one.said.target == "m1"]
    assert times == [1795132800.0] * 3


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (["id=a"], "does not say of which call, or what was said"),
        (["rating=a"], "does not say of which call, or what was said"),
        (["id=a", "ratting=b"], 'no field "ratting"'),
        (["id=a", "id=b", "rating=c"], "given twice"),
        (["id"], "FIELD=PATH"),
        (["id=a[", "rating=b"], "cannot be read"),
    ],
)
def test_maps_that_cannot_be(maps: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        mapped_feedback(maps)
    assert message in caught.value.message


def test_personal_data_is_replaced_on_request_and_keys_always(tmp_path: Path) -> None:
    note = "write to ann@example.com, key sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD"
    file = log(tmp_path / "notes.jsonl", [{"id": "a", "note": note}, {"id": "b", "note": note}])
    done = imported(tmp_path / "store", file, maps=("id=id", "comment=note"), redact=True)
    kept = Layout(tmp_path / "store").events.read_text()
    assert done.redacted == {"EMAIL": 2}
    assert "ann@example.com" not in kept
    assert "sk-proj" not in kept
    assert kept.count("<EMAIL_1>") == 2
    assert imported(tmp_path / "store", file, maps=("id=id", "comment=note"), redact=True).imported == 0


def test_much_of_it_is_written_in_batches(tmp_path: Path) -> None:
    file = log(tmp_path / "many.jsonl", [{"id": f"m{n}", "up": json.dumps(n % 2 == 0)} for n in range(2_500)])
    done = imported(tmp_path / "store", file, maps=("id=id", "rating=up"))
    assert (done.imported, done.unknown, FeedbackStore(tmp_path / "store").count()) == (2_500, 2_500, 2_500)
