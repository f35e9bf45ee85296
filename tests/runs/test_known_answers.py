"""Answers that are stored already: which count, and how they are read, scored and recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from llmctl.errors import StoreError
from llmctl.outcome import Outcome
from llmctl.project import loader
from llmctl.project.models import EvaluatorSettings, EvaluatorSpec
from llmctl.runs import reuse
from llmctl.runs.call_history import Location
from llmctl.runs.history import History
from llmctl.runs.journal import JournalWriter
from llmctl.runs.line_reader import LineReader
from llmctl.runs.plan import make_plan
from llmctl.runs.planned_cases import CaseReader
from llmctl.runs.recorder import Finished, Recorder
from llmctl.runs.records import ResultEvent
from llmctl.runs.reuse import KnownAnswer, KnownAnswers, Rules, read_answer
from llmctl.runs.selection import Selection
from tests.runs.test_execute import Wanted, plan_of, target
from tests.runs.test_stages import OPTIONS, Listed, project
from tests.runs.test_stages import run as sent

CASES = 5


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Five calls, made twice: each run has sent all of them."""
    project(tmp_path, CASES)
    for _ in range(2):
        sent(tmp_path, Listed([list(range(CASES))]))
    return tmp_path / ".llmctl"


@dataclass
class Told:
    """What was told while answers were looked up."""

    known: KnownAnswers
    locations: dict[int, Location] = field(default_factory=dict)


def found(store: Path, rules: Rules) -> Told:
    """Look the five calls up."""
    config = loader.load_config(store.parent / "llmctl.toml", {})
    told = Told(KnownAnswers(store))
    with make_plan(config, Selection(), {}, OPTIONS) as plan:
        calls = History(store).calls
        told.known.find(calls, plan.units, plan.targets, rules, told.locations.__setitem__)
    return told


def runs(store: Path) -> list[str]:
    return sorted(path.stem for path in (store / "runs").glob("*.jsonl"))


def test_the_latest_answers_of_other_runs_count(store: Path) -> None:
    told = found(store, Rules("7d", 0))
    assert told.known.count == CASES
    assert {number: one.run_id for number, one in told.locations.items()} == dict.fromkeys(range(CASES), runs(store)[1])


def test_other_runs_may_not_count(store: Path) -> None:
    assert found(store, Rules("7d", 0, others=False)).known.count == 0
    own = found(store, Rules("7d", 0, others=False, own=runs(store)[0]))
    assert {one.run_id for one in own.locations.values()} == {runs(store)[0]}
    assert own.known.count == CASES


def test_what_the_run_itself_has_sent_comes_first(store: Path) -> None:
    own = found(store, Rules("7d", 0, own=runs(store)[0]))
    assert {one.run_id for one in own.locations.values()} == {runs(store)[0]}


def test_an_old_answer_counts_only_where_the_models_name_does_not_float() -> None:
    made = Location("run", 0, started_at=1_000.0)
    assert Rules("10s", 1_010.0).counting(made, floating=True) is made
    assert Rules("10s", 1_011.0).counting(made, floating=True) is None
    assert Rules("10s", 1_011.0).counting(made, floating=False) is made
    assert Rules("10s", 0.0).counting(None, floating=False) is None


def test_every_chunk_of_units_is_looked_up(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reuse, "_CHUNK", 2)
    told = found(store, Rules("7d", 0))
    assert (told.known.count, sorted(told.locations)) == (CASES, list(range(CASES)))
    outputs = [told.known.answer(number).output for number in range(CASES)]
    told.known.close()
    assert outputs == [f"yes it is {number}" for number in range(CASES)]


def test_few_journals_are_open_at_once(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reuse, "_OPEN_JOURNALS", 1)
    opened = KnownAnswers(store)
    for run_id in runs(store):
        _one_more(opened, found(store, Rules("7d", 0, others=False, own=run_id)).locations[0])
    assert [opened.answer(number).output for number in (0, 1, 0)] == ["yes it is 0"] * 3
    assert len(opened._readers) == 1
    opened.close()


def _one_more(known: KnownAnswers, location: Location) -> None:
    known._add(location, {name: number for number, name in enumerate(known._runs)})


def test_an_answer_to_another_call_is_refused(store: Path) -> None:
    location = found(store, Rules("7d", 0)).locations[0]
    reader = LineReader(store / "runs" / f"{location.run_id}.jsonl")
    try:
        key = reader.fields_at(location.position).fields["call"]["key"]
        assert read_answer(reader, location.position, key).output == "yes it is 0"
        with pytest.raises(StoreError, match="cannot be read"):
            read_answer(reader, location.position, "0" * 64)
        with pytest.raises(StoreError, match="no call at byte 0"):
            read_answer(reader, 0)
    finally:
        reader.close()


def answered(number: int) -> KnownAnswer:
    return KnownAnswer(f"call{number}", Outcome.ANSWERED, "text", (), "stop", 1, 1, 0.0, 1.0, None, None)


def never() -> bool:
    return False


@dataclass
class Reused:
    """What became of known answers."""

    results: list[ResultEvent] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    failure: BaseException | None = None


async def reused(
    path: Path,
    units: Sequence[Wanted],
    answer: Callable[[int], KnownAnswer] = answered,
    stopped: Callable[[], bool] = never,
) -> Reused:
    """Have known answers recorded."""
    done = Reused()
    with plan_of(path, units) as plan, JournalWriter(path, None, file=plan.publish()) as journal:
        cases = CaseReader(path, EvaluatorSettings())
        recorder = Recorder(journal, cases, done.results.append, room=8)
        reader = plan.units.reader()

        def known() -> Iterator[Finished]:
            for number in range(len(plan.units)):
                unit = reader.unit(number)
                yield Finished(unit, plan.targets[unit.target], partial(answer, unit.number), cached=True)

        done.left = await recorder.reuse(known(), stopped=stopped)
        try:
            await recorder.settle()
        except StoreError as error:
            done.failure = error
        recorder.abandon()
        cases.close()
    return done


def units(count: int, evaluator: str = "exact") -> list[Wanted]:
    echo, spec = target(), EvaluatorSpec(evaluator)
    return [Wanted(echo, f"text {number}", spec=spec) for number in range(count)]


async def test_more_than_one_portion_is_recorded(tmp_path: Path) -> None:
    done = await reused(tmp_path / "j.jsonl", units(600))
    assert [one.call_id for one in done.results] == [f"call{number}" for number in range(600)]
    assert all(one.cached for one in done.results)
    assert done.left == []


async def test_a_stop_is_noticed_between_two_answers(tmp_path: Path) -> None:
    asked = iter([False, False, False])
    done = await reused(tmp_path / "j.jsonl", units(6), stopped=lambda: next(asked, True))
    assert len(done.results) == 3


async def test_results_whose_evaluators_wait_are_left_to_the_loop(tmp_path: Path) -> None:
    mixed = units(4)
    mixed[1:3] = [Wanted(one.target, one.text, spec=EvaluatorSpec("semantic")) for one in mixed[1:3]]
    done = await reused(tmp_path / "j.jsonl", mixed)
    assert (done.left, [one.case_id for one in done.results]) == ([1, 2], ["text 0", "text 3"])


async def test_an_answer_that_is_gone_ends_the_run(tmp_path: Path) -> None:
    def gone(number: int) -> KnownAnswer:
        if number == 2:
            raise StoreError("The journal is gone.")
        return answered(number)

    done = await reused(tmp_path / "j.jsonl", units(5), gone)
    assert "The journal is gone." in str(done.failure)
    assert [one.case_id for one in done.results] == ["text 0", "text 1"]
