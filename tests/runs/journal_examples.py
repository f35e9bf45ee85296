"""Events for the tests of journals: one plain example of each kind, and strategies that make any."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from llmctl.canonical import WrittenBool, WrittenFloat, WrittenInt, to_json
from llmctl.outcome import Outcome
from llmctl.providers.records import Attempt, Call, Usage
from llmctl.runs.journal import JournalWriter
from llmctl.runs.records import (
    BankEvent,
    CallEvent,
    CallPurpose,
    CaseEvent,
    EndEvent,
    Event,
    JudgeEvent,
    MetricScore,
    PlanEvent,
    PlannedTarget,
    PromptEvent,
    ResultEvent,
    RunEvent,
    RunStatus,
    TargetEvent,
    TargetName,
)

RUN_ID = "1m83z0000abcd"
OTHER_ID = "1m83z0009wxyz"


def run(run_id: str = RUN_ID, label: str | None = None, planned: int = 4) -> RunEvent:
    return RunEvent(run_id, 1_795_000_000.25, "llmctl eval", planned, label=label, commit="abc", branch="main")


def result(number: int, passed: bool | None = True, case_id: str | None = None) -> ResultEvent:
    return ResultEvent(
        bank="triage",
        case_id=case_id or f"case-{number}",
        prompt="triage@main",
        model="small",
        repeat=1,
        outcome=Outcome.ANSWERED if passed is not None else Outcome.TIMEOUT,
        passed=passed,
        score=None if passed is None else float(passed),
        reason="" if passed else "expected billing, got shipping",
        call_id=f"call-{number}",
        call_key=f"key-{number}",
        output="billing \u2028 \x00 \x1b[31m",
        latency_ms=12.5,
        input_tokens=30,
        output_tokens=2,
        cost_usd=0.001,
        scores=(
            MetricScore("exact", "exact", 1.0, 1.0, True, "equal"),
            MetricScore("tone", "not", 0.0, None, None, "broke", error=True),
        ),
        tags=("billing", "smoke"),
        expected="billing",
    )


def call(number: int, call_id: str | None = None) -> CallEvent:
    attempts = (
        Attempt(1, 1_795_000_001.125, 9.0, Outcome.PROVIDER_ERROR, 500, "overloaded", retry_after_s=0.5),
        Attempt(
            2, 1_795_000_002.5, 12.5, Outcome.ANSWERED, 200, request_body='{"a": 1}', response_body="{}",
            response_headers={"x-request-id": "r2"},
        ),
    )  # fmt: skip
    made = Call(
        f"key-{number}", "openai", "gpt", "direct", "http://127.0.0.1/v1", Outcome.ANSWERED, output="billing",
        tool_calls=({"id": "t", "function": {"name": "f", "arguments": "{}"}},), usage=Usage(30, 2, None, 0),
        cost_usd=0.001, started_at=1_795_000_002.5, latency_ms=12.5, attempts=attempts,
    )  # fmt: skip
    return CallEvent(call_id or f"call-{number}", made)


def case(number: int) -> CaseEvent:
    variables = {"price": WrittenFloat(1.1, "1.10"), "zip": WrittenInt(10, "010"), "list": [1, None, {"a": "b"}]}
    return CaseEvent(
        "triage", f"case-{number}", variables, expected=WrittenBool(True, "TRUE"), has_expected=True,
        tags=("billing",), group="g", must_pass=True, weight=2, pass_score=0.5, evaluators=({"exact": {"x": 1}},),
        digest="d",
    )  # fmt: skip


PROMPT = PromptEvent("triage", "triage@main", "d1", rev="main", commit="abc", source={"params": {"temperature": 0}})
TARGET = TargetEvent("triage@main", "triage", "small", "local/x", "local", "socket", {"max_tokens": 8}, 0.15, None)
JUDGE = JudgeEvent("triage", "polite", "small", "local/x", "i1", "a1", 1, "k1", {"name": "small"})
BANK = BankEvent("triage", "testbanks/triage.yaml", "d2", (TargetName("triage@main", "small"),))


def plan(results: int = 4) -> PlanEvent:
    return PlanEvent(results, results, targets=(PlannedTarget("triage", "triage@main", "small", results),))


def whole_run(run_id: str = RUN_ID, results: int = 4, label: str | None = None) -> list[Event]:
    """A finished run in which every second result failed and every fourth has no evidence."""
    events: list[Event] = [run(run_id, label, 0), PROMPT, TARGET, BANK, *map(case, range(results)), JUDGE]
    events.append(plan(results))
    for number in range(results):
        events.append(call(number, f"{run_id}.{number}"))
        passed = None if number % 4 == 3 else number % 2 == 0
        events.append(dataclasses.replace(result(number, passed), call_id=f"{run_id}.{number}"))
    events.append(EndEvent(RunStatus.COMPLETED, 1_795_000_009.75, results))
    return events


def write_journal(path: Path, events: Sequence[Event]) -> Path:
    with JournalWriter(path) as journal:
        for future in [journal.append(event) for event in events]:
            future.result(timeout=10)
    return path


def journal_of(store: Path, run_id: str = RUN_ID) -> Path:
    return store / "runs" / f"{run_id}.jsonl"


def same(one: object, other: object) -> bool:
    """Equal, and written scalars are written alike."""
    return one == other and to_json(one) == to_json(other)


numbers = st.integers(-(2**63), 2**63 - 1)
counts = st.integers(0, 2**53)
reals = st.floats(allow_nan=False, allow_infinity=False)
scalars = (
    st.none()
    | st.booleans()
    | numbers
    | reals
    | st.text()
    | st.builds(WrittenInt, numbers, st.text())
    | st.builds(WrittenFloat, reals, st.text())
    | st.builds(WrittenBool, st.booleans(), st.text())
)
data = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
mappings = st.dictionaries(st.text(), data, max_size=3)


def _maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def _many(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=3).map(tuple)


_BY_ANNOTATION: dict[str, st.SearchStrategy[Any]] = {
    "str": st.text(),
    "str | None": _maybe(st.text()),
    "int": counts,
    "int | None": _maybe(counts),
    "float": reals,
    "float | None": _maybe(reals),
    "bool": st.booleans(),
    "bool | None": _maybe(st.booleans()),
    "object": data,
    "Mapping[str, object]": mappings,
    "Mapping[str, str]": st.dictionaries(st.text(), st.text(), max_size=3),
    "tuple[str, ...]": _many(st.text()),
    "tuple[Mapping[str, object], ...]": _many(mappings),
    "Outcome": st.sampled_from(Outcome),
    "RunStatus": st.sampled_from(RunStatus),
    "CallPurpose": st.sampled_from(CallPurpose),
}


def any_of(kind: type) -> st.SearchStrategy[Any]:
    """Any value of a record; a field of a new type fails here until it has a strategy."""
    return st.builds(kind, **{field.name: _BY_ANNOTATION[str(field.type)] for field in dataclasses.fields(kind)})


_BY_ANNOTATION["Mapping[str, int]"] = st.dictionaries(st.text(), counts, max_size=3)
_BY_ANNOTATION["tuple[TargetName, ...]"] = _many(any_of(TargetName))
_BY_ANNOTATION["tuple[PlannedTarget, ...]"] = _many(any_of(PlannedTarget))
_BY_ANNOTATION["Usage"] = any_of(Usage)
_BY_ANNOTATION["tuple[Attempt, ...]"] = _many(any_of(Attempt))
_BY_ANNOTATION["tuple[MetricScore, ...]"] = _many(any_of(MetricScore))
_BY_ANNOTATION["Call"] = any_of(Call)

events = st.one_of(
    *map(
        any_of,
        (
            *(RunEvent, PromptEvent, TargetEvent, BankEvent, CaseEvent, JudgeEvent, PlanEvent, CallEvent),
            *(ResultEvent, EndEvent),
        ),
    )
)
