"""One run from its plan to the end of its journal."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from llmctl.canonical import written
from llmctl.errors import EvaluatorError, ExitCode
from llmctl.evaluators.base import Models
from llmctl.evaluators.code.host import release_code
from llmctl.providers.gateway import Gateway, GatewaySettings
from llmctl.providers.routes import TransportName
from llmctl.runs.call_ids import CallIds
from llmctl.runs.execute import Executor
from llmctl.runs.head import RunOptions
from llmctl.runs.journal import JournalLine, JournalWriter, read_journal
from llmctl.runs.journal_reader import results_in
from llmctl.runs.judged_calls import JudgedCalls
from llmctl.runs.judging import JudgeCount, JudgeRoom, Judging
from llmctl.runs.plan import Plan, embedder_of
from llmctl.runs.planned_cases import CaseReader, embeds
from llmctl.runs.recorder import Recorder
from llmctl.runs.records import CallPurpose, CaseEvent, EndEvent, ResultEvent, RunStatus
from llmctl.runs.reuse import KnownAnswers
from llmctl.runs.signals import stop_signals
from llmctl.runs.stages import Stages
from llmctl.runs.stop import Stop
from llmctl.store.layout import Layout

if TYPE_CHECKING:
    from llmctl.providers.embeddings import Embedder

__all__ = ["Run", "RunOptions", "RunOutcome"]

_WARM_UP_TEXTS = 10_000


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How the run ended; `code` is what ended it where that was no result."""

    end: EndEvent
    code: ExitCode | None = None
    """INTERRUPTED, TERMINATED or STOPPED."""
    warnings: tuple[str, ...] = ()
    """What the user should know of the run beside its results."""
    judges: Mapping[str, JudgeCount] = field(default_factory=dict)
    """What was asked of each judge's model, by its name."""


@dataclass(slots=True)
class Run:
    """A plan, and the run that is made of it. Every finished result is in the journal, whatever happens."""

    plan: Plan
    options: RunOptions
    environ: Mapping[str, str]
    known: KnownAnswers
    """Answers that need not be asked for again."""
    judged: JudgedCalls | None = None
    """The same of the judges; None: nothing is known of them."""
    stages: Stages | None = None
    """Which units are run, one stage after the other; None: all of them at once."""
    _done: int = 0
    _failed: int = 0
    _signal: ExitCode | None = None
    _warnings: tuple[str, ...] = ()
    _judges: Mapping[str, JudgeCount] = field(default_factory=dict)

    @property
    def starts_local_model(self) -> bool:
        """Whether a call goes to a model that must first be started on this machine."""
        local = frozenset(
            index for index, target in enumerate(self.plan.targets) if target.route.transport is TransportName.LOCAL
        )
        return bool(local) and any(number not in self.known for number in self.plan.units.by_target(local))

    def execute(self, on_result: Callable[[ResultEvent], None]) -> RunOutcome:
        """Run the plan to its end, or until a signal. `on_result` is called in a thread of the journal's.

        Raises:
            StoreError: the journal cannot be written.
            ModelError: a model on this machine cannot be started.
        """
        return asyncio.run(self._execute(on_result))

    def results(self) -> Iterator[ResultEvent]:
        """Every result of the run, read back from its journal, in the order they came."""
        return results_in(self.plan.journal)

    async def _execute(self, on_result: Callable[[ResultEvent], None]) -> RunOutcome:
        stop = Stop()
        status = RunStatus.FAILED
        error: str | None = "the run ended unexpectedly"
        with JournalWriter(self.plan.journal, file=self.plan.publish()) as journal, stop_signals(stop, self._signalled):
            if self.plan.goes_on:
                journal.append(self.plan.head)
            try:
                await self._work(journal, self._counted(on_result, stop), stop)
                status = self._status(stop)
                error = self._ended_early if not stop.requested else stop.reason
            finally:
                end = EndEvent(status, time.time(), self.plan.done + self._done, error)
                await journal.write(end)
        return RunOutcome(end, self._code(stop), self._warnings, self._judges)

    def _counted(self, on_result: Callable[[ResultEvent], None], stop: Stop) -> Callable[[ResultEvent], None]:
        loop = asyncio.get_running_loop()
        most = self.options.max_failures

        def counted(result: ResultEvent) -> None:
            self._done += 1
            self._failed += not result.passed
            if self._failed == most and not result.passed:
                sentence = f"{most} {'case' if most == 1 else 'cases'} failed or gave no evidence (-x {most})"
                loop.call_soon_threadsafe(stop.request, sentence)
            if self.stages is not None:
                self.stages.take(result)
            on_result(result)

        return counted

    def _status(self, stop: Stop) -> RunStatus:
        if self.plan.done + self._done >= self.plan.event.planned:
            return RunStatus.COMPLETED
        if stop.reason is not None or (self._ended_early and not stop.requested):
            return RunStatus.STOPPED
        return RunStatus.INTERRUPTED if stop.requested else RunStatus.COMPLETED

    @property
    def _ended_early(self) -> str | None:
        """Why what is left is not wanted any more."""
        return self.stages.ended_early if self.stages else None

    def _code(self, stop: Stop) -> ExitCode | None:
        return self._signal or (stop.code if stop.reason is not None else None)

    async def _work(self, journal: JournalWriter, on_result: Callable[[ResultEvent], None], stop: Stop) -> None:
        async with self._embedder() as embedder, self._gateway() as gateway:
            cases = CaseReader(self.plan.journal, self.plan.settings)
            recorder = Recorder(journal, cases, on_result, room=max(64, 2 * self.options.concurrency))
            ids = CallIds(self.plan.head.run_id, self.plan.next_call)
            judging = self._judging(recorder, gateway, ids, stop)
            recorder.models = self._models(embedder, judging)
            executor = Executor(
                self.plan, gateway, recorder, self.known, self.options.concurrency, stop, ids, self.stages
            )
            try:
                await executor.run()
            finally:
                recorder.abandon()
                cases.close()
                executor.close()
                judging.close()
                self._judges = judging.counts
                release_code()
                self._warnings = (
                    *gateway.open_circuits.values(),
                    *([embedder.warning] if embedder and embedder.warning else []),
                )

    def _judging(self, recorder: Recorder, gateway: Gateway, ids: CallIds, stop: Stop) -> Judging:
        record = partial(recorder.call, purpose=CallPurpose.JUDGE)
        room = JudgeRoom(gateway, record, self.plan.journal, ids, stop)
        return Judging(self.plan.judges, self.judged or JudgedCalls(Layout(self.plan.config.store)), room)

    def _models(self, embedder: Embedder | None, judging: Judging) -> Models:
        """What evaluators may ask."""
        ask, asked = (judging.ask, judging.identities) if self.plan.judges else (None, {})
        if embedder is None:
            return Models(ask=ask, asked=asked)
        return Models(embedder.embed, embedder.identity(), ask, asked)

    def _gateway(self) -> Gateway:
        settings = GatewaySettings(
            timeout_s=self.options.timeout_s,
            concurrency=self.options.concurrency,
            offline=self.options.offline,
            max_cost_usd=self.options.max_cost_usd,
        )
        return Gateway(settings, self.environ)

    @asynccontextmanager
    async def _embedder(self) -> AsyncIterator[Embedder | None]:
        """The embedding model, where an evaluator needs it; it starts beside the first calls."""
        if not self.plan.embeds:
            yield None
            return
        async with embedder_of(self.plan.config, self.plan.settings, offline=self.options.offline) as embedder:
            warm_up = asyncio.create_task(_warm_up(embedder, self.plan))
            try:
                yield embedder
            finally:
                warm_up.cancel()
                await asyncio.gather(warm_up, return_exceptions=True)

    def _signalled(self, code: ExitCode) -> None:
        self._signal = code


async def _warm_up(embedder: Embedder, plan: Plan) -> None:
    """Embed the expected answers first: where all are known already, the model is not even started."""
    texts = await asyncio.to_thread(_expected_texts, plan)
    with contextlib.suppress(EvaluatorError):  # said by each result that needs the embedding
        await embedder.embed(texts)


def _expected_texts(plan: Plan) -> list[str]:
    """The first expected answers of cases that are compared by meaning."""
    cases = CaseReader(plan.journal, plan.settings)
    texts: dict[str, None] = {}
    for line in read_journal(plan.journal):
        if not isinstance(line, JournalLine) or not isinstance(line.event, CaseEvent):
            continue
        expected = line.event.expected
        if line.event.has_expected and embeds(cases.at(line.offset, 0).evaluators):
            texts |= dict.fromkeys(written(item) for item in (expected if isinstance(expected, list) else [expected]))
        if len(texts) >= _WARM_UP_TEXTS:
            break
    cases.close()
    return list(texts)
