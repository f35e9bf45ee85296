"""What became of an answer: the same, equivalent, changed, broken and why, or mended."""

from __future__ import annotations

from typing import Any

import pytest

from llmctl.outcome import Outcome
from llmctl.traffic.replay.findings import measure
from llmctl.traffic.replay.findings.report import CandidateFindings, Fault, Kind
from llmctl.traffic.replay.records import Lane, LaneAnswer
from tests.traffic.replay.findings.made import REQUEST, SCHEMA_FORMAT, answer, replayed, tool_call

CALLS = (tool_call("find", '{"id": 1, "all": true}'), tool_call("send", '{"to": "a"}'))
JSON_ASKED = {"response_format": {"type": "json_object"}}
SCHEMA = {"response_format": SCHEMA_FORMAT}
REFUSES = "I'm sorry, but I can't help with that."


def found(before: LaneAnswer, after: LaneAnswer | None, **fields: Any) -> CandidateFindings:
    return measure([replayed(before, after, **fields)], REQUEST).candidates[0]


def kind_of(before: LaneAnswer, after: LaneAnswer | None, **fields: Any) -> Kind:
    change = found(before, after, **fields).comparison(Lane.OBSERVED, Lane.CANDIDATE)
    if change is None or not change.calls:
        return Kind.NOT_COMPARED
    [kind] = [kind for kind, share in change.kinds.items() if share.calls]
    return kind


def fault_of(before: LaneAnswer, after: LaneAnswer, **fields: Any) -> Fault:
    change = found(before, after, **fields).comparison(Lane.OBSERVED, Lane.CANDIDATE)
    assert change is not None
    [fault] = change.faults
    return fault


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("billing", "billing", Kind.SAME),
        ("a\r\nb", "a\nb  \n", Kind.SAME),
        ("a \t\nb", "a\nb", Kind.SAME),
        ("  a", "a", Kind.CHANGED),
        ("billing", "Billing", Kind.CHANGED),
        ('{"a": 1, "b": [2]}', '{"b":[2.0],"a":1}', Kind.EQUIVALENT),
        ('{"a": 1}', '{"a": true}', Kind.CHANGED),
        ('{"a": [1, 2]}', '{"a": [2, 1]}', Kind.CHANGED),
        ('{"a": 1}', '{"a": 1, "a": 1}', Kind.BROKEN),
        ("5", "5.0", Kind.CHANGED),
        ('{"a": 1}', '```json\n{"a": 1}\n```', Kind.BROKEN),
        (REFUSES, REFUSES, Kind.SAME),
        (REFUSES, "billing", Kind.MENDED),
        (REFUSES, "I can't help with that request, sorry.", Kind.CHANGED),
        ("", "billing", Kind.MENDED),
    ],
)
def test_texts(before: str, after: str, kind: Kind) -> None:
    assert kind_of(answer(before), answer(after)) is kind


@pytest.mark.parametrize(
    ("after", "fault"),
    [
        (answer(REFUSES), Fault.REFUSAL),
        (answer(None, Outcome.REFUSED), Fault.REFUSAL),
        (answer(None, Outcome.FILTERED), Fault.REFUSAL),
        (answer(None, Outcome.EMPTY), Fault.EMPTY),
        (answer(" \n"), Fault.EMPTY),
        (answer("bill", finish_reason="length"), Fault.TRUNCATED),
        (answer("bill", Outcome.TRUNCATED), Fault.TRUNCATED),
        (answer(None, Outcome.CONTEXT_EXCEEDED), Fault.TOO_LONG),
        (answer("billing", tool_calls=CALLS[:1]), Fault.TOOL_CALL),
    ],
)
def test_faults_that_the_log_did_not_have(after: LaneAnswer, fault: Fault) -> None:
    assert kind_of(answer(), after) is Kind.BROKEN
    assert fault_of(answer(), after) is fault


def test_json_that_was_asked_for() -> None:
    good, bad = answer('{"city": "York"}'), answer("York")
    assert fault_of(good, bad, **JSON_ASKED) is Fault.FORMAT
    assert kind_of(bad, good, **JSON_ASKED) is Kind.MENDED
    assert kind_of(bad, answer("Leeds"), **JSON_ASKED) is Kind.CHANGED
    assert kind_of(bad, answer("Leeds")) is Kind.CHANGED


def test_the_schema_of_the_logged_request() -> None:
    good, bad = answer('{"city": "York"}'), answer('{"town": "York"}')
    assert fault_of(good, bad, **SCHEMA) is Fault.SCHEMA
    assert "city" in (found(good, bad, **SCHEMA).worst[0].broken or "").detail  # type: ignore[union-attr]
    assert kind_of(bad, good, **SCHEMA) is Kind.MENDED
    assert kind_of(bad, answer('{"town": "Leeds"}'), **SCHEMA) is Kind.CHANGED
    assert fault_of(bad, answer("York"), **SCHEMA) is Fault.FORMAT


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"$ref": "http://x/y"}, {"pattern": "("}])
def test_a_schema_that_cannot_be_used_is_said(schema: dict[str, object]) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    report = measure([replayed(answer('{"a": 1}'), answer('{"a": 2}'), response_format=form)], REQUEST)
    assert any("1 logged schemas" in note for note in report.notes)
    assert report.candidates[0].comparisons[0].kinds[Kind.CHANGED].calls == 1


@pytest.mark.parametrize(
    ("after", "step", "said"),
    [
        ((tool_call("find", '{"id": 2, "all": true}'), CALLS[1]), 1, "/id is 2, not 1"),
        ((CALLS[0], tool_call("drop", '{"to": "a"}')), 2, "drop in place of send"),
        (CALLS[:1], 2, "send is missing"),
        ((*CALLS, CALLS[0]), 3, "find is one too many"),
        ((CALLS[1], CALLS[0]), 1, "send in place of find"),
        ((CALLS[0], tool_call("send", '{"to": ')), 2, "its arguments are not JSON"),
        ((), 1, "find is missing"),
    ],
)
def test_the_step_at_which_tool_calls_diverge(after: tuple[dict[str, object], ...], step: int, said: str) -> None:
    findings = found(answer(None, tool_calls=CALLS), answer("done", tool_calls=after))
    broken = findings.worst[0].broken
    assert broken is not None
    assert (broken.fault, broken.step) == (Fault.TOOL_CALL, step)
    assert said in broken.detail
    assert findings.comparisons[0].steps == {step: 1}


def test_tool_calls_are_equal_by_name_and_arguments() -> None:
    again = (tool_call("find", '{"all":true,"id":1.0}'), tool_call("send", '{"to":"a"}'))
    assert kind_of(answer(None, tool_calls=CALLS), answer(None, tool_calls=again)) is Kind.SAME
    assert kind_of(answer("One", tool_calls=CALLS), answer("Two", tool_calls=again)) is Kind.CHANGED


def test_arguments_that_nobody_can_read_are_compared_as_written() -> None:
    one, other = (answer(None, tool_calls=(tool_call("f", text),)) for text in ('{"a": ', '{"b": '))
    assert kind_of(one, one) is Kind.SAME
    assert kind_of(one, other) is Kind.BROKEN


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (answer(), None),
        (answer(), answer(None, Outcome.SKIPPED)),
        (answer(), answer(None, Outcome.POLICY_BLOCKED)),
        (answer(None, None), answer()),
        (answer(), answer(None, Outcome.TIMEOUT)),
        (answer(), answer(None, Outcome.BAD_REQUEST, error="HTTP 400")),
        (answer(None, Outcome.PROVIDER_ERROR), answer()),
        (answer(None, Outcome.TIMEOUT), answer(None, Outcome.PROVIDER_ERROR)),
    ],
)
def test_without_evidence_on_both_sides_nothing_is_compared(before: LaneAnswer, after: LaneAnswer | None) -> None:
    assert kind_of(before, after) is Kind.NOT_COMPARED


def test_a_graver_fault_breaks_and_a_lesser_one_does_not() -> None:
    cut_off, refused = answer("bil", finish_reason="length"), answer(REFUSES)
    assert kind_of(cut_off, refused) is Kind.BROKEN
    assert kind_of(refused, cut_off) is Kind.CHANGED
