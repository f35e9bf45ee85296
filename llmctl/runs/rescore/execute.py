"""Scores a plan again and records the new run. Nothing is sent to a target."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

from llmctl.errors import ExitCode
from llmctl.evaluators.base import KeptBackError, Models
from llmctl.evaluators.code.host import release_code
from llmctl.project.prompt_data import model_from_data, prompt_from_data
from llmctl.providers.gateway import Gateway, GatewaySettings
from llmctl.providers.records import Call
from llmctl.providers.requests import frame_for
from llmctl.runs.call_history import Location
from llmctl.runs.call_ids import CallIds
from llmctl.runs.head import RunOptions
from llmctl.runs.history import History
from llmctl.runs.judged_calls import JudgedCalls
from llmctl.runs.judging import JudgeCount, JudgeRoom, Judging
from llmctl.runs.plan import embedder_of
from llmctl.runs.records import CallEvent, CallPurpose, EndEvent, RunStatus, TargetName
from llmctl.runs.rescore.bulk import Summary, batches
from llmctl.runs.rescore.import_ahead import ImportAhead
from llmctl.runs.rescore.new_journal import NewJournal
from llmctl.runs.rescore.plan import RescorePlan
from llmctl.runs.rescore.score import Rescored, Scorer, ScoreSource
from llmctl.runs.reuse import Rules
from llmctl.runs.signals import stop_signals
from llmctl.runs.stop import Stop
from llmctl.store.layout import Layout

if TYPE_CHECKING:
    from llmctl.providers.embeddings import Embedder

__all__ = ["RescoreOutcome", "Rescoring", "RunningSummary"]

_AT_ONCE = 64
"""How many results wait for models or for code at the same time."""


class RunningSummary(Summary, Protocol):
    """The same for the whole run."""

    @property
    def done(self) -> int:
        """How many results were counted."""

    def merge(self, other: Self) -> None:
        """Count all that another one has counted after this one."""


@dataclass(frozen=True, slots=True)
class RescoreOutcome:
    """How it ended."""

    end: EndEvent
    judges: Mapping[str, JudgeCount] = field(default_factory=dict)
    code: ExitCode | None = None
    """What ended it where that was no result."""
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class Rescoring:
    """One run, scored again."""

    plan: RescorePlan
    options: RunOptions
    environ: Mapping[str, str]
    summary: RunningSummary
    """Counts the results, in the order in which they are recorded."""
    on_progress: Callable[[], None] = lambda: None
    """Called when it has counted more."""
    judge: bool = False
    """Whether judges are asked again."""
    _code: ExitCode | None = None
    _computing: asyncio.Task[None] | None = None
    _judges: Mapping[str, JudgeCount] = field(default_factory=dict)
    _warnings: tuple[str, ...] = ()

    def execute(self) -> RescoreOutcome:
        """Score everything, or as much as a signal leaves time for.

        Raises:
            StoreError: a journal cannot be read or written.
        """
        return asyncio.run(self._execute())

    async def _execute(self) -> RescoreOutcome:
        stop = Stop()
        status, error = RunStatus.FAILED, "the run ended unexpectedly"
        with NewJournal(self.plan.file) as journal, stop_signals(stop, self._signalled):
            try:
                await self._work(journal, stop)
                status, error = self._status(stop), stop.reason or ""
            finally:
                end = EndEvent(status, time.time(), self.summary.done, error or None)
                journal.add(end)
        code = self._code or (stop.code if stop.reason is not None else None)
        return RescoreOutcome(end, self._judges, code, self._warnings)

    def _signalled(self, code: ExitCode) -> None:
        self._code = code
        if self._computing is not None:
            self._computing.cancel()

    def _status(self, stop: Stop) -> RunStatus:
        if self.summary.done >= len(self.plan.units):
            return RunStatus.COMPLETED
        return RunStatus.STOPPED if stop.reason is not None else RunStatus.INTERRUPTED

    async def _work(self, journal: NewJournal, stop: Stop) -> None:
        if not self._waits:
            await self._until_signalled(self._compute(journal))
            return
        async with self._models(journal, stop) as models:
            scorer = Scorer(replace(self._source(), models=models))
            try:
                await self._wait(scorer, journal, stop)
            finally:
                scorer.close()
                release_code()

    @property
    def _waits(self) -> bool:
        """Whether an evaluator waits for a model or for code."""
        return self.plan.waits or (self.judge and bool(self.plan.judges))

    async def _until_signalled(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what can be done again at any time: a signal ends it at once."""
        task = self._computing = asyncio.create_task(work)
        try:
            await task
        except asyncio.CancelledError:
            if self._code is None:
                raise

    async def _compute(self, journal: NewJournal) -> None:
        plan = self.plan
        async with (
            ImportAhead(plan.config.store, plan.event.cases) as ahead,
            aclosing(batches(self._source(), plan.units, copy.deepcopy(self.summary))) as done,
        ):
            async for batch in done:
                for body in batch.bodies:
                    journal.add_body(body)
                ahead.grown(len(batch.bodies))
                self.summary.merge(batch.summary)
                self.on_progress()

    async def _wait(self, scorer: Scorer, journal: NewJournal, stop: Stop) -> None:
        waiting: set[asyncio.Task[None]] = set()

        async def finish(rescored: Awaitable[Rescored]) -> None:
            try:
                self._record(journal, await rescored)
            except KeptBackError:
                return  # the result is missing

        def drop() -> None:
            for task in waiting:
                task.cancel()

        stop.watch((), drop)
        for number in range(len(self.plan.units)):
            if stop.requested:
                break
            rescored = scorer.score(self.plan.units[number])
            if isinstance(rescored, Rescored):
                self._record(journal, rescored)
                continue
            waiting.add(asyncio.create_task(finish(rescored)))
            if len(waiting) >= _AT_ONCE:
                await self._some(waiting)
        while waiting:
            await self._some(waiting)

    async def _some(self, waiting: set[asyncio.Task[None]]) -> None:
        """Wait until at least one of the results is there."""
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        waiting -= done
        for task in done:
            if not task.cancelled():
                task.result()

    def _record(self, journal: NewJournal, rescored: Rescored) -> None:
        journal.add(rescored.result)
        self.summary.add(rescored)
        self.on_progress()

    def _source(self) -> ScoreSource:
        plan = self.plan
        identities = {name: judge.identity for name, judge in plan.judges.items()}
        return ScoreSource(
            plan.old.journal,
            plan.journal,
            plan.settings,
            plan.targets,
            tuple(map(self._tools, plan.targets)) if "tools" in plan.reads else (),
            self._calls() if "tool_calls" in plan.reads else {},
            self.judge,
            Models(asked=identities),
        )

    def _tools(self, name: TargetName) -> tuple[Mapping[str, object], ...] | None:
        """The tools that a target offered; None: each case has its own."""
        old = self.plan.old
        prompt = prompt_from_data(old.prompts[name.prompt].source)
        if prompt.recorded:
            return None
        return frame_for(prompt, model_from_data(old.targets[name].config)).tools

    def _calls(self) -> dict[str, Location]:
        """Where the calls of the old run's results stand."""
        return History(self.plan.config.store).calls.calls_of(self.plan.old.run_id)

    @asynccontextmanager
    async def _models(self, journal: NewJournal, stop: Stop) -> AsyncIterator[Models]:
        """What evaluators may ask: the embedding model, and judges where they are wanted."""
        plan, models = self.plan, self._source().models
        async with AsyncExitStack() as stack:
            if plan.embeds:
                embedder = await stack.enter_async_context(
                    embedder_of(plan.config, plan.settings, offline=self.options.offline)
                )
                models = replace(models, embed=embedder.embed, embedding=embedder.identity())
                stack.callback(self._warn_of, embedder)
            if self.judge and plan.judges:
                judging = await stack.enter_async_context(self._judging(journal, stop))
                models = replace(models, ask=judging.ask, asked=judging.identities)
            yield models

    def _warn_of(self, embedder: Embedder) -> None:
        self._warnings += (embedder.warning,) if embedder.warning else ()

    @asynccontextmanager
    async def _judging(self, journal: NewJournal, stop: Stop) -> AsyncIterator[Judging]:
        plan = self.plan
        known = JudgedCalls(Layout(plan.config.store))
        rules = Rules(self.options.cache_max_age, time.time(), others=self.options.cache)
        known.find(History(plan.config.store).calls, plan.judges.values(), rules)

        def record(call_id: str, call: Call, told: Callable[[int], None]) -> None:
            position = journal.add(CallEvent(call_id, call, CallPurpose.JUDGE))
            journal.flush()  # paid for: safe before it is used
            told(position)

        settings = GatewaySettings(
            timeout_s=self.options.timeout_s,
            concurrency=self.options.concurrency,
            offline=self.options.offline,
            max_cost_usd=self.options.max_cost_usd,
        )
        async with Gateway(settings, self.environ) as gateway:
            room = JudgeRoom(gateway, record, journal.path, CallIds(plan.head.run_id), stop)
            judging = Judging(plan.judges, known, room)
            try:
                yield judging
            finally:
                judging.close()
                self._judges = judging.counts
                self._warnings += tuple(gateway.open_circuits.values())
