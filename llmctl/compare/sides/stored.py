"""Scores the stored answers of a plan with today's evaluators, and writes the results behind it. Sends nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from llmctl.compare.sides.context import SideContext
from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import KeptBackError, Models, Question, Reply
from llmctl.evaluators.code.host import release_code
from llmctl.evaluators.verdict import Verdict, judge_now
from llmctl.providers.requests import call_key
from llmctl.runs.call_history import Location
from llmctl.runs.judged_calls import JudgedCalls
from llmctl.runs.judges import JudgeModel
from llmctl.runs.plan import Plan, embedder_of
from llmctl.runs.planned_cases import CaseReader
from llmctl.runs.records import EndEvent, RunStatus
from llmctl.runs.rescore.new_journal import NewJournal
from llmctl.runs.result import Scored, make_result, subject_of
from llmctl.runs.reuse import KnownAnswer, KnownAnswers, Rules, seconds
from llmctl.runs.spool import SpooledUnit
from llmctl.runs.target import PlannedCase
from llmctl.store.layout import Layout

__all__ = ["StoredAnswers", "TargetCount", "find_stored", "score_stored"]

_AT_ONCE = 64
"""How many results wait for models or for code at the same time."""
_ANY_AGE = "10000w"


@dataclass(slots=True)
class TargetCount:
    """What is stored of one target."""

    planned: int = 0
    missing: int = 0
    """Results of whose calls no answer is stored."""
    unjudged: int = 0
    """Results whose judges would have to be asked."""
    stale: int = 0
    """Results whose answer is older than the project lets one be for a model whose name floats."""
    oldest: float | None = None
    """When the oldest answer was made, in UTC epoch seconds."""


@dataclass(slots=True)
class StoredAnswers:
    """What is stored of a plan, of its own calls and of its judges'."""

    known: KnownAnswers
    judged: JudgedCalls
    targets: list[TargetCount]
    """By the target's index within the plan."""
    unjudged: list[int] = field(default_factory=list)
    """The numbers of the units whose judges would have to be asked."""

    def close(self) -> None:
        """Close the journals that answers are read from."""
        self.known.close()
        self.judged.close()


def find_stored(plan: Plan, context: SideContext) -> StoredAnswers:
    """Look up every call of a plan.

    Raises:
        StoreError: the store cannot be read.
    """
    store, calls = context.config.store, context.history.calls
    stored = StoredAnswers(KnownAnswers(store), JudgedCalls(Layout(store)), [TargetCount() for _ in plan.targets])
    now = time.time()
    too_old = now - seconds(context.config.eval.cache_max_age)

    def told(number: int, location: Location) -> None:
        target = plan.units.target(number)
        count = stored.targets[target]
        count.missing -= 1
        count.stale += location.started_at < too_old and plan.targets[target].route.floats
        count.oldest = location.started_at if count.oldest is None else min(count.oldest, location.started_at)

    for number in range(len(plan.units)):
        count = stored.targets[plan.units.target(number)]
        count.planned += 1
        count.missing += 1
    rules = Rules(context.max_age or _ANY_AGE, now)
    stored.known.find(calls, plan.units, plan.targets, rules, told)
    if plan.judges:
        stored.judged.find(calls, plan.judges.values(), rules)
    return stored


def score_stored(plan: Plan, stored: StoredAnswers, context: SideContext) -> None:
    """Publish the plan's journal and write a result for every answer that can be judged without a call.

    Raises:
        StoreError: a journal cannot be read or written.
    """
    asyncio.run(_Scoring(plan, stored, context).run())


@dataclass(slots=True)
class _Scoring:
    plan: Plan
    stored: StoredAnswers
    context: SideContext
    done: int = 0
    _waiting: set[asyncio.Task[None]] = field(default_factory=set)
    _last: tuple[int, dict[bytes, tuple[KnownAnswer, Verdict]]] = (-1, {})
    """The verdicts of the case that was last scored, by call key: two versions of a prompt often ask the same."""

    async def run(self) -> None:
        plan, known = self.plan, self.stored.known
        status = RunStatus.FAILED
        with NewJournal(plan) as journal:
            cases = CaseReader(plan.journal, plan.settings)
            try:
                async with self._models() as models:
                    units = plan.units.reader()
                    for number in range(len(plan.units)):
                        if number in known:
                            unit = units.unit(number)
                            planned = cases.at(unit.case_position, unit.case_number)
                            await self._score(unit, planned, models, journal)
                    await self._settle()
                status = RunStatus.COMPLETED
            finally:
                cases.close()
                release_code()
                journal.add(EndEvent(status, time.time(), self.done, None))

    async def _score(self, unit: SpooledUnit, planned: PlannedCase, models: Models, journal: NewJournal) -> None:
        verdicts = self._verdicts_of(unit.case_number)
        if unit.key in verdicts:
            answer, verdict = verdicts[unit.key]
            self._record(unit, planned, answer, verdict, journal)
            return
        answer = self.stored.known.answer(unit.number)
        tools = self.plan.targets[unit.target].tools(planned.case.vars)
        subject = subject_of(planned.case, answer, tools, cached=True)
        judged = judge_now(planned.evaluators, subject, models)
        if isinstance(judged, Verdict):
            verdicts[unit.key] = (answer, judged)
            self._record(unit, planned, answer, judged, journal)
            return
        self._waiting.add(asyncio.create_task(self._later(unit, planned, answer, judged, journal)))
        if len(self._waiting) >= _AT_ONCE:
            await self._settle(asyncio.FIRST_COMPLETED)

    def _verdicts_of(self, case: int) -> dict[bytes, tuple[KnownAnswer, Verdict]]:
        if self._last[0] != case:
            self._last = (case, {})
        return self._last[1]

    async def _later(
        self,
        unit: SpooledUnit,
        planned: PlannedCase,
        answer: KnownAnswer,
        judged: Awaitable[Verdict],
        journal: NewJournal,
    ) -> None:
        try:
            verdict = await judged
        except KeptBackError:
            self.stored.targets[unit.target].unjudged += 1
            self.stored.unjudged.append(unit.number)
            return
        self._record(unit, planned, answer, verdict, journal)

    def _record(
        self, unit: SpooledUnit, planned: PlannedCase, answer: KnownAnswer, verdict: Verdict, journal: NewJournal
    ) -> None:
        name = self.plan.targets[unit.target].name
        journal.add(make_result(unit, name, planned.case, answer, Scored(verdict, cached=True)))
        self.done += 1

    async def _settle(self, until: str = asyncio.ALL_COMPLETED) -> None:
        """Wait for some or all of the results that wait."""
        if not self._waiting:
            return
        done, self._waiting = await asyncio.wait(self._waiting, return_when=until)
        for task in done:
            task.result()

    @asynccontextmanager
    async def _models(self) -> AsyncIterator[Models]:
        """What evaluators may ask: judges' stored answers, and the embedding model of this machine."""
        plan = self.plan
        judging = _StoredJudge(plan.judges, self.stored.judged)
        identities = {name: judge.identity for name, judge in plan.judges.items()}
        models = Models(ask=judging.ask, asked=identities) if plan.judges else Models()
        if not (plan.embeds and self.stored.known.count):
            yield models
            return
        async with embedder_of(self.context.config, plan.settings, offline=True) as embedder:
            yield replace(models, embed=embedder.embed, embedding=embedder.identity())


@dataclass(frozen=True, slots=True)
class _StoredJudge:
    """Answers judges' questions from what is stored."""

    judges: Mapping[str, JudgeModel]
    known: JudgedCalls

    async def ask(self, question: Question) -> Reply:
        """The stored answer.

        Raises:
            EvaluatorError: its model is none of the plan's.
            KeptBackError: none is stored.
        """
        judge = self.judges.get(question.model)
        if judge is None:
            raise EvaluatorError(f"the model {question.model} was not found when the run was planned")
        answer = self.known.answer(call_key(judge.route, judge.request(question), question.draw))
        if answer is None:
            raise KeptBackError
        return Reply(answer.outcome, answer.output, answer.error)
