"""Whose feedback it is: by id, source id, trace; the view and the code mean the same; calls may come later."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmctl.errors import UsageError
from llmctl.traffic.feedback.events import Given
from llmctl.traffic.feedback.store import FeedbackFilter, FeedbackStore
from llmctl.traffic.logged_call import LoggedFeedback
from tests.traffic.feedback.logs import NOW, call, keep, logged, say


def test_a_name_means_the_call_with_that_id_then_source_id_then_the_trace_of_one_call(tmp_path: Path) -> None:
    a, b, c = logged(tmp_path, call("a"), call("b"), call("b", at=NOW + 1))
    d, _ = logged(tmp_path, call(a), call("trace-a"))  # others' ids that look like ours
    names = {a: a, "a": a, "b": None, "trace-b": None, "nobody": None, "trace-a": None, f"trace-{a}": d}
    keep(tmp_path, *(say(name) for name in names))
    store = FeedbackStore(tmp_path)
    by_view = {one.said.target: one.call_id for one in store.latest(limit=99)}
    named = store.calls_named(names)
    assert {name: named.get(name) for name in names} == by_view
    by_view.pop("trace-a")  # a source id wins over a trace
    names.pop("trace-a")
    assert by_view == names
    assert len({a, b, c, d}) == 4


def test_a_source_id_wins_over_a_trace(tmp_path: Path) -> None:
    _, other = logged(tmp_path, call("a"), call("trace-a"))
    assert FeedbackStore(tmp_path).calls_named(["trace-a"]) == {"trace-a": other}


def test_feedback_counts_when_its_call_comes_later(tmp_path: Path) -> None:
    keep(tmp_path, say("a"))
    assert FeedbackStore(tmp_path).calls() == []
    assert FeedbackStore(tmp_path).count(FeedbackFilter(unknown=True)) == 1
    [call_id] = logged(tmp_path, call("a"))
    assert FeedbackStore(tmp_path).calls() == [call_id]
    assert FeedbackStore(tmp_path).count(FeedbackFilter(unknown=True)) == 0


def test_all_that_was_said_of_calls_in_the_order_of_time(tmp_path: Path) -> None:
    with_own = call("a")
    with_own.feedback = (LoggedFeedback("rating", 0.0, at=NOW - 9),)
    a, b, c = logged(tmp_path, with_own, call("b"), call("c"))
    keep(tmp_path, say("a", "edit", 0.5, text="sent", at=NOW + 5), say("a", at=NOW), say("b", "edit", None))
    found = FeedbackStore(tmp_path).of_calls([a, b, c])
    assert [(one.kind, one.value) for one in found[a]] == [("rating", 0.0), ("rating", 1.0), ("edit", 0.5)]
    assert [(one.kind, one.value, one.text) for one in found[b]] == [("edit", None, None)]
    assert c not in found
    assert FeedbackStore(tmp_path / "none").of_calls([a]) == {}


def test_few_calls_and_many_are_looked_up_differently_and_found_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_own = call("a")
    with_own.feedback = (LoggedFeedback("rating", 0.0, at=NOW - 9), LoggedFeedback("comment", text="x", target="b"))
    ids = logged(tmp_path, with_own, call("b"), call("b", at=NOW + 1), call("c"), call("trace-c"), call(None))
    keep(tmp_path, *(say(name, at=NOW + at) for at, name in enumerate(["a", "b", "c", "trace-c", "trace-a", *ids])))
    keep(tmp_path, say("a", "edit", None, at=NOW - 99), say("nobody"))
    store = FeedbackStore(tmp_path)
    few = store.of_calls(ids)
    monkeypatch.setattr("llmctl.traffic.feedback.store._FEW", 0)
    assert store.of_calls(ids) == few
    assert len(few) == 6
    assert [len(few[one]) for one in ids] == [6, 1, 1, 2, 2, 1]


def test_filters(tmp_path: Path) -> None:
    [a] = logged(tmp_path, call("a"))
    keep(tmp_path, say("a"), say("a", "edit", 0.0), say("b", "comment", None, text="x", at=NOW + 10))
    store = FeedbackStore(tmp_path)
    for chosen, count in {
        FeedbackFilter(): 3,
        FeedbackFilter(call_id=a): 2,
        FeedbackFilter(kinds=("edit", "comment")): 2,
        FeedbackFilter(given=Given.IMPLICIT): 1,
        FeedbackFilter(since=NOW + 5): 1,
        FeedbackFilter(unknown=True, kinds=("rating",)): 0,
    }.items():
        assert store.count(chosen) == len(store.latest(chosen)) == count, chosen
    assert [one.said.kind for one in store.latest(limit=1)] == ["comment"]


def test_naming_a_call(tmp_path: Path) -> None:
    a, b, _ = logged(tmp_path, call("a"), call("b"), call("b", at=NOW + 1))
    store = FeedbackStore(tmp_path)
    assert {store.call_named(name) for name in (a, a[:6].upper(), "a", "trace-a")} == {a}
    assert store.call_named(b) == b
    with pytest.raises(UsageError, match="more than one"):
        store.call_named("trace-b")
    with pytest.raises(UsageError, match='no call "x'):
        store.call_named("x' OR 1=1 --")
