"""What became of answers: accepted, edited, abandoned; one file or two; with the logged answer as the draft."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmctl.errors import UsageError
from llmctl.providers.redaction import Redactor
from llmctl.traffic.feedback.events import EditKind
from llmctl.traffic.feedback.implicit import Columns, import_edits
from llmctl.traffic.feedback.importing import FeedbackImport
from llmctl.traffic.feedback.store import FeedbackStore
from llmctl.traffic.sources import sources_of
from tests.traffic.feedback.logs import call, logged
from tests.traffic.test_importing import log, reasons


def edits(store: Path, finals: Path, columns: Columns | None = None, drafts: Path | None = None) -> FeedbackImport:
    return import_edits(
        store,
        sources_of([str(finals)]),
        columns or Columns("id", "final", "draft"),
        Redactor({}),
        drafts=sources_of([str(drafts)]) if drafts else (),
    )


def kept(store: Path) -> dict[str, tuple[Any, ...]]:
    return {
        one.said.target or "": (one.said.value, one.token_distance, one.said.text)
        for one in FeedbackStore(store).latest(limit=99)
    }


def test_three_ends_of_an_answer(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "draft": "Dear Ann,\nyes.", "final": "Dear Ann, yes. "},
        {"id": "b", "draft": "Dear Ann, yes.", "final": "Dear Bob, yes."},
        {"id": "c", "draft": "Dear Ann, yes.", "final": " "},
        {"id": "d", "draft": "Dear Ann, yes.", "final": None},
        {"id": "e", "draft": "Dear Ann, yes."},
        {"draft": "x", "final": "y"},
        {"id": 7, "draft": "x", "final": "y"},
    ]
    done = edits(tmp_path / "store", log(tmp_path / "rows.jsonl", rows))
    assert kept(tmp_path / "store") == {
        "a": (0.0, 0.0, "Dear Ann, yes. "),
        "b": (pytest.approx(3 / 14), pytest.approx(1 / 3), "Dear Bob, yes."),
        "c": (None, None, None),
        "d": (None, None, None),
        "e": (None, None, None),
        "7": (1.0, 1.0, "y"),
    }
    assert done.edits == {EditKind.ACCEPTED: 1, EditKind.EDITED: 2, EditKind.ABANDONED: 3}
    assert (reasons(done), done.unknown) == ({"no id in it": 1}, 6)
    by_view = FeedbackStore(tmp_path / "store").reader.rows("SELECT edit, count(*) FROM feedback GROUP BY 1", [])
    assert dict(by_view) == {"accepted": 1, "edited": 2, "abandoned": 3}
    again = edits(tmp_path / "store", tmp_path / "rows.jsonl")
    assert (again.imported, again.edits.total()) == (0, 0)


def test_the_logged_answer_is_the_draft(tmp_path: Path) -> None:
    store = tmp_path / "store"
    a, _, _ = logged(store, call("a", output="Yes."), call("b", output=None), call("c", output="No."))
    table = "mail;body\na;Yes.\ntrace-c;Nope.\nb;Well\nnobody;Well\nnobody2;\n"
    (tmp_path / "sent.csv").write_text(table)
    done = edits(store, tmp_path / "sent.csv", Columns("mail", "body"))
    assert {name: row[0] for name, row in kept(store).items()} == {"a": 0.0, "trace-c": 0.4, "nobody2": None}
    assert reasons(done) == {"no draft, and no answer of a known call": 2}
    assert FeedbackStore(store).of_calls([a])[a][0].kind == "edit"


def test_two_files_with_the_same_ids(tmp_path: Path) -> None:
    drafts = log(tmp_path / "drafts.jsonl", [{"id": name, "draft": "Yes."} for name in "abc"])
    finals = log(tmp_path / "finals.jsonl", [{"id": "a", "final": "Yes."}, {"id": "b", "final": "Yes!"}, {"id": "z"}])
    done = edits(tmp_path / "store", finals, drafts=drafts)
    found = {name: row[0] for name, row in kept(tmp_path / "store").items()}
    assert found == {"a": 0.0, "b": 0.25, "c": None, "z": None}
    assert done.edits[EditKind.ABANDONED] == 2


def test_a_column_that_no_row_has_would_make_everything_abandoned_and_is_refused(tmp_path: Path) -> None:
    file = log(tmp_path / "rows.jsonl", [{"id": "a", "draft": "x", "sent": {"text": "y"}}])
    for columns, message in {
        Columns("id", "final"): "--final: no row has a final",
        Columns("id", "sent.text", "drafft"): "--draft: no row has a drafft",
        Columns("id", "sent["): "cannot be read",
    }.items():
        with pytest.raises(UsageError) as caught:
            edits(tmp_path / "store", file, columns)
        assert message in caught.value.message
    assert FeedbackStore(tmp_path / "store").count() == 0
    assert edits(tmp_path / "store", file, Columns("id", "sent.text", "draft")).imported == 1


def test_damage_is_counted_and_the_rest_is_kept(tmp_path: Path) -> None:
    file = log(
        tmp_path / "rows.jsonl", [{"id": "a", "draft": "x", "final": "x"}, '{"cut', {"id": "b", "final": "\ud800" * 0}]
    )
    done = edits(tmp_path / "store", file, Columns("id", "final", "draft"))
    assert (done.imported, done.unreadable) == (2, 1)
