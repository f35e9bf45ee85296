"""One run from its plan to the end of its journal."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from llmctl.canonical import written
from llmctl.errors import EvaluatorError, ExitCode
from llmctl.providers.embeddings import Embedder
from llmctl.providers.gateway import Gateway, GatewaySettings
from llmctl.providers.routes import TransportName
from llmctl.runs.execute import Executor, Stop
from llmctl.runs.head import RunOptions, head_events, run_head
from llmctl.runs.journal import JournalLine, JournalWriter, read_journal
from llmctl.runs.plan import Plan, embedder_of
from llmctl.runs.records import EndEvent, ResultEvent, RunEvent, RunStatus
from llmctl.runs.reuse import KnownAnswer

__all__ = ["Run", "RunOptions", "RunOutcome", "journal_path"]


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How the run ended; `signal` is INTERRUPTED or TERMINATED where a signal ended it."""

    end: EndEvent
    signal: ExitCode | None = None
    warning: str | None = None
    """What the user should know of the run beside its results."""


def journal_path(store: Path, run_id: str) -> Path:
    """Where a run's journal lies."""
    return store / "runs" / f"{run_id}.jsonl"


@dataclass(slots=True)
class Run:
    """A plan, and the run that is made of it. Every finished result is in the journal, whatever happens."""

    plan: Plan
    options: RunOptions
    environ: Mapping[str, str]
    known: Mapping[str, KnownAnswer] = field(default_factory=dict)
    """Answers by call key that need not be asked for again."""
    head: RunEvent = field(init=False)
    _done: int = 0
    _signal: ExitCode | None = None
    _warning: str | None = None

    def __post_init__(self) -> None:
        self.head = run_head(self.plan, self.options)

    @property
    def journal(self) -> Path:
        """Where everything about the run is kept."""
        return journal_path(self.plan.config.store, self.head.run_id)

    @property
    def starts_local_model(self) -> bool:
        """Whether a call goes to a model that must first be started on this machine."""
        return any(
            unit.target.route.transport is TransportName.LOCAL and unit.call_key not in self.known
            for unit in self.plan.units
        )

    def execute(self, on_result: Callable[[ResultEvent], None]) -> RunOutcome:
        """Run the plan to its end, or until a signal.

        Raises:
            StoreError: the journal cannot be written.
            ModelError: a model on this machine cannot be started.
        """
        return asyncio.run(self._execute(on_result))

    def results(self) -> Iterator[ResultEvent]:
        """Every result of the run, read back from its journal, in the order they came."""
        for line in read_journal(self.journal):
            if isinstance(line, JournalLine) and isinstance(line.event, ResultEvent):
                yield line.event

    async def _execute(self, on_result: Callable[[ResultEvent], None]) -> RunOutcome:
        stop = Stop()
        status = RunStatus.FAILED
        error: str | None = "the run ended unexpectedly"
        with JournalWriter(self.journal) as journal, self._signals(stop):
            for event in head_events(self.plan, self.head):
                journal.append(event)
            try:
                await self._work(journal, on_result, stop)
                status, error = (RunStatus.INTERRUPTED if stop.requested else RunStatus.COMPLETED), None
            finally:
                end = EndEvent(status, time.time(), self._done, error)
                await journal.write(end)
        return RunOutcome(end, self._signal, self._warning)

    async def _work(self, journal: JournalWriter, on_result: Callable[[ResultEvent], None], stop: Stop) -> None:
        def count(result: ResultEvent) -> None:
            self._done += 1
            on_result(result)

        async with self._embedder() as embedder, self._gateway() as gateway:
            executor = Executor(
                self.head.run_id,
                gateway,
                journal,
                count,
                embed=embedder.embed if embedder else None,
                embedding=embedder.identity() if embedder else "",
                concurrency=self.options.concurrency,
                stop=stop,
                known=self.known,
            )
            await executor.run(self.plan.units)
            self._warning = embedder.warning if embedder else None

    def _gateway(self) -> Gateway:
        settings = GatewaySettings(
            timeout_s=self.options.timeout_s, concurrency=self.options.concurrency, offline=self.options.offline
        )
        return Gateway(settings, self.environ)

    @asynccontextmanager
    async def _embedder(self) -> AsyncIterator[Embedder | None]:
        """The embedding model, where an evaluator needs it; it starts beside the first calls."""
        if not self.plan.embeds:
            yield None
            return
        async with embedder_of(self.plan.config, offline=self.options.offline) as embedder:
            warm_up = asyncio.create_task(_warm_up(embedder, self.plan))
            try:
                yield embedder
            finally:
                warm_up.cancel()
                await asyncio.gather(warm_up, return_exceptions=True)

    @contextmanager
    def _signals(self, stop: Stop) -> Iterator[None]:
        """Ctrl-C and SIGTERM ask the run to stop instead of ending the process."""
        loop = asyncio.get_running_loop()

        def received(code: ExitCode) -> None:
            self._signal = code
            stop.request()

        wanted = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}
        installed = []
        for number, code in wanted.items():
            with contextlib.suppress(NotImplementedError):  # Windows: KeyboardInterrupt ends the loop instead
                loop.add_signal_handler(number, received, code)
                installed.append(number)
        try:
            yield
        finally:
            for number in installed:
                loop.remove_signal_handler(number)


async def _warm_up(embedder: Embedder, plan: Plan) -> None:
    """Embed the expected answers first: where all are known already, the model is not even started."""
    texts: dict[str, None] = {}
    for planned in plan.cases:
        if any(built.evaluator.embeds() for built in planned.evaluators) and planned.case.has_expected:
            expected = planned.case.expected
            texts |= dict.fromkeys(written(item) for item in (expected if isinstance(expected, list) else [expected]))
    with contextlib.suppress(EvaluatorError):  # said by each result that needs the embedding
        await embedder.embed(list(texts))
