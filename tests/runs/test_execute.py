"""The run loop on the fake model, with a real journal."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from llmctl.canonical import digest
from llmctl.errors import StoreError
from llmctl.evaluators import registry
from llmctl.evaluators.base import KeptBackError, Models, Question, Reply
from llmctl.outcome import Outcome
from llmctl.project.message_files import MessageFiles
from llmctl.project.models import Case, Config, EvaluatorSettings, EvaluatorSpec, Message, ModelConfig, Prompt
from llmctl.providers import routes
from llmctl.providers.gateway import Gateway, GatewaySettings
from llmctl.providers.redaction import Redactor
from llmctl.runs.execute import Executor
from llmctl.runs.journal import FileCalls, JournalLine, JournalWriter, read_journal
from llmctl.runs.plan import Plan
from llmctl.runs.plan_file import PlanFile
from llmctl.runs.planned_cases import CaseReader, case_event
from llmctl.runs.recorder import Recorder
from llmctl.runs.records import CallEvent, ResultEvent, RunEvent
from llmctl.runs.reuse import KnownAnswers
from llmctl.runs.spool import UnitSpool
from llmctl.runs.stop import Stop
from llmctl.runs.target import PlannedCase, Target
from llmctl.runs.units import Asked, UnitWriter


def target(**options: object) -> Target:
    model = ModelConfig("fake", "fake/echo", options=options)
    prompt = Prompt("p", Path("p.yaml"), (Message("user", "{{ text }}"),), digest=digest(dict(options)))
    return Target(prompt, model, routes.resolve(model))


EXACT = EvaluatorSpec("exact")


@dataclass(frozen=True)
class Wanted:
    """One unit of a plan made by hand."""

    target: Target
    text: str
    case_id: str = ""
    repeat: int = 1
    spec: EvaluatorSpec = EXACT

    @property
    def planned(self) -> PlannedCase:
        spec = self.spec
        case = Case("bank", self.case_id or self.text, {"text": self.text}, (spec,), self.text, has_expected=True)
        return PlannedCase(case, (registry.build(spec, case, EvaluatorSettings()),))


unit = Wanted


def plan_of(path: Path, wanted: Sequence[Wanted]) -> Plan:
    """A plan of these units, as `make_plan` leaves one."""
    file, writer = PlanFile(path, Redactor({})), UnitWriter(UnitSpool(path.parent / "tmp"))
    head = RunEvent("run", 1.0, "llmctl eval")
    file.add(head)
    files = MessageFiles(path.parent)
    for number, one in enumerate(wanted):
        planned = replace(one.planned, number=number)
        asked = [Asked(one.target, one.target.request(planned.case.vars, files), [one.repeat])]
        writer.add(planned, file.add(case_event(planned)), asked)
    event = writer.plan(1)
    file.add(event)
    writer.units.flush()
    config = Config(path.parent, path.parent / "llmctl.toml", path.parent, path.parent, path.parent)
    return Plan(config, EvaluatorSettings(), head, event, tuple(writer.targets), writer.units, path, file)


async def run(
    path: Path,
    units: Sequence[Wanted],
    *,
    stop: Stop | None = None,
    stop_after: int | None = None,
    calls: FileCalls | None = None,
    models: Models = Models(),  # noqa: B008  # frozen
) -> list[ResultEvent]:
    results: list[ResultEvent] = []
    stop = stop or Stop()
    loop = asyncio.get_running_loop()

    def on_result(result: ResultEvent) -> None:
        results.append(result)
        if len(results) == stop_after:
            loop.call_soon_threadsafe(stop.request)

    async with Gateway(GatewaySettings(), {}) as gateway:
        with plan_of(path, units) as plan:
            file = plan.publish()
            if calls is not None:
                file.close()
            with JournalWriter(path, calls, file=None if calls else file) as journal:
                cases = CaseReader(path, EvaluatorSettings())
                recorder = Recorder(journal, cases, on_result, models=models, room=8)
                executor = Executor(plan, gateway, recorder, KnownAnswers(path.parent), 4, stop)
                try:
                    await executor.run()
                finally:
                    recorder.abandon()
                    cases.close()
                    executor.close()
    return results


def events(path: Path) -> list[object]:
    return [line.event for line in read_journal(path) if isinstance(line, JournalLine)]


async def test_every_unit_becomes_a_result_in_the_journal(tmp_path: Path) -> None:
    echo = target()
    results = await run(tmp_path / "j.jsonl", [unit(echo, f"text {number}") for number in range(50)])
    assert sorted(result.case_id for result in results) == sorted(f"text {number}" for number in range(50))
    assert all(result.passed and result.outcome is Outcome.ANSWERED for result in results)
    kept = events(tmp_path / "j.jsonl")
    assert [event for event in kept if isinstance(event, ResultEvent)] == results
    called = {event.call_id: event.call.key for event in kept if isinstance(event, CallEvent)}
    assert called == {result.call_id: result.call_key for result in results}


async def test_a_call_is_journaled_before_its_result(tmp_path: Path) -> None:
    await run(tmp_path / "j.jsonl", [unit(target(), "a"), unit(target(), "b")])
    seen: set[str] = set()
    for event in events(tmp_path / "j.jsonl"):
        if isinstance(event, CallEvent):
            seen.add(event.call_id)
        elif isinstance(event, ResultEvent):
            assert event.call_id in seen


async def test_one_call_key_is_sent_once(tmp_path: Path) -> None:
    echo = target(latency_ms=20)
    results = await run(tmp_path / "j.jsonl", [unit(echo, "same", case_id=f"case {n}") for n in range(8)])
    assert len([event for event in events(tmp_path / "j.jsonl") if isinstance(event, CallEvent)]) == 1
    assert sorted(result.cached for result in results) == [False] + [True] * 7
    assert len({result.call_id for result in results}) == 1


async def test_repeats_are_draws_of_their_own(tmp_path: Path) -> None:
    echo = target()
    results = await run(tmp_path / "j.jsonl", [unit(echo, "same", repeat=repeat) for repeat in (1, 2, 3)])
    assert len({result.call_id for result in results}) == 3


async def test_stop_finishes_what_is_in_flight_and_sends_nothing_new(tmp_path: Path) -> None:
    echo = target(latency_ms=5)
    results = await run(tmp_path / "j.jsonl", [unit(echo, f"text {n}") for n in range(100)], stop_after=10)
    assert 10 <= len(results) <= 10 + 4 + 8  # what was in flight, and what waited to be written
    assert [event for event in events(tmp_path / "j.jsonl") if isinstance(event, ResultEvent)] == results


async def test_a_second_stop_drops_what_is_in_flight(tmp_path: Path) -> None:
    slow = target(latency_ms=60_000)
    stop = Stop()
    running = asyncio.create_task(run(tmp_path / "j.jsonl", [unit(slow, "a"), unit(slow, "b")], stop=stop))
    while not (tmp_path / "j.jsonl").exists():
        await asyncio.sleep(0)
    stop.press()
    stop.press()
    async with asyncio.timeout(10):
        assert await running == []


async def test_a_journal_that_cannot_be_written_ends_the_run(tmp_path: Path) -> None:
    def full(fd: int, data: memoryview) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StoreError, match=r"j\.jsonl"):
        await run(tmp_path / "j.jsonl", [unit(target(), "a")], calls=FileCalls(write=full))


async def test_a_failed_call_is_a_row_without_evidence(tmp_path: Path) -> None:
    [result] = await run(tmp_path / "j.jsonl", [unit(target(faults=["401"]), "a")])
    assert (result.passed, result.score) == (None, None)
    assert not result.outcome.evidence and result.reason


async def test_the_loop_does_not_wait_for_scoring(tmp_path: Path) -> None:
    """A pattern that takes until its limit of a second: meanwhile the loop must go on."""
    slow = EvaluatorSpec("regex", {"pattern": "(a|a)*$", "engine": "python"})
    gaps: list[float] = []

    async def beat() -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.01)
            now = time.monotonic()
            gaps.append(now - last)
            last = now

    beating = asyncio.create_task(beat())
    began = time.monotonic()
    [result] = await run(tmp_path / "j.jsonl", [Wanted(target(), "a" * 40 + "b", spec=slow)])
    took_s = time.monotonic() - began
    beating.cancel()
    assert result.passed is None and "longer than 1 s" in result.reason
    assert took_s > 0.9
    assert max(gaps) < took_s / 2


JUDGE = EvaluatorSpec("judge", {"rubric": "r", "model": "m"})


@pytest.mark.parametrize("kind", ["dropped", "kept back"])
async def test_a_result_whose_judgement_did_not_come_is_missing_and_its_call_is_kept(tmp_path: Path, kind: str) -> None:
    asked, stop = asyncio.Event(), Stop()

    async def ask(question: Question) -> Reply:
        asked.set()
        if kind == "kept back":
            raise KeptBackError
        await asyncio.Event().wait()
        raise AssertionError

    units = [unit(target(), "judged", spec=JUDGE), unit(target(), "plain")]
    running = asyncio.create_task(run(tmp_path / "j.jsonl", units, stop=stop, models=Models(ask=ask)))
    await asked.wait()
    if kind == "dropped":
        stop.press()
        stop.press()
    async with asyncio.timeout(5):
        results = await running
    assert [result.case_id for result in results if result.case_id == "judged"] == []
    calls = [event.call.output for event in events(tmp_path / "j.jsonl") if isinstance(event, CallEvent)]
    assert "judged" in calls
    if kind == "kept back":
        assert (len(results), len(calls)) == (1, 2)
