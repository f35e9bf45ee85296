"""A run that only judges: questions are answered from the store or through the gateway, and recorded in its journal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from llmctl.errors import ExitCode
from llmctl.evaluators.base import Models
from llmctl.project.models import Config
from llmctl.providers.gateway import Gateway, GatewaySettings
from llmctl.providers.records import Call
from llmctl.providers.redaction import Redactor
from llmctl.runs.call_ids import CallIds
from llmctl.runs.head import RunOptions, run_head
from llmctl.runs.history import History
from llmctl.runs.journal import JournalWriter
from llmctl.runs.judged_calls import JudgedCalls
from llmctl.runs.judges import JudgeModel
from llmctl.runs.judging import JudgeCount, JudgeRoom, Judging, Record
from llmctl.runs.records import CallEvent, CallPurpose, EndEvent, JudgeEvent, RunStatus
from llmctl.runs.reuse import Rules
from llmctl.runs.selection import Selection
from llmctl.runs.stop import Stop
from llmctl.store.layout import Layout

__all__ = ["JudgeSession", "judge_session", "stored_judgements"]


@dataclass(frozen=True, slots=True)
class JudgeSession:
    """What evaluators ask, while it lasts."""

    run_id: str
    judging: Judging
    stop: Stop

    @property
    def models(self) -> Models:
        """For the context of evaluators."""
        return Models(ask=self.judging.ask, asked=self.judging.identities)

    @property
    def counts(self) -> Mapping[str, JudgeCount]:
        """What was asked of each model, by its name."""
        return self.judging.counts


def stored_judgements(config: Config, judges: Mapping[str, JudgeModel], options: RunOptions) -> JudgedCalls:
    """What the judges have answered before, as far as the options let it be used.

    Raises:
        StoreError: the store cannot be read.
    """
    layout = Layout(config.store)
    known = JudgedCalls(layout)
    if options.cache:
        known.find(History(config.store).calls, judges.values(), Rules(options.cache_max_age, time.time()))
    layout.prepare()
    return known


@asynccontextmanager
async def judge_session(
    config: Config,
    environ: Mapping[str, str],
    options: RunOptions,
    judges: Mapping[str, JudgeModel],
    events: Sequence[JudgeEvent],
    known: JudgedCalls,
) -> AsyncIterator[JudgeSession]:
    """Begin such a run, and end it.

    Raises:
        StoreError: the journal cannot be written.
    """
    head = run_head(config, Selection(), options)
    stop, status = Stop(), RunStatus.INTERRUPTED
    path = Layout(config.store).journal(head.run_id)
    settings = GatewaySettings(
        timeout_s=options.timeout_s,
        concurrency=options.concurrency,
        offline=options.offline,
        max_cost_usd=options.max_cost_usd,
    )
    with JournalWriter(path) as journal:
        redactor = Redactor(environ, config.key_variables)
        journal.append(redactor.structure(head))
        for event in events:
            journal.append(redactor.structure(event))
        async with Gateway(settings, environ) as gateway:
            room = JudgeRoom(gateway, _recording(journal, stop), path, CallIds(head.run_id), stop)
            judging = Judging(judges, known, room)
            try:
                yield JudgeSession(head.run_id, judging, stop)
                status = RunStatus.STOPPED if stop.requested else RunStatus.COMPLETED
            finally:
                judging.close()
                await journal.write(EndEvent(status, time.time(), 0, stop.reason))


def _recording(journal: JournalWriter, stop: Stop) -> Record:
    """Records calls in a journal; where that fails, nothing more is sent."""
    loop = asyncio.get_running_loop()

    def record(call_id: str, call: Call, told: Callable[[int], None]) -> None:
        def written(error: Exception | None, position: int) -> None:
            if error is None:
                told(position)
            else:
                loop.call_soon_threadsafe(stop.request, str(error), ExitCode.UNFINISHED)

        journal.post(CallEvent(call_id, call, CallPurpose.JUDGE), written)

    return record
