"""Runs a plan: asks, scores and journals each unit; a result is reported only after it is written."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from llmctl.evaluators.base import Embed
from llmctl.evaluators.verdict import judge
from llmctl.providers.gateway import Gateway
from llmctl.providers.routes import TransportName
from llmctl.runs.journal import JournalWriter
from llmctl.runs.plan import Unit
from llmctl.runs.records import CallEvent, ResultEvent
from llmctl.runs.result import make_result, subject_of
from llmctl.runs.reuse import KnownAnswer

__all__ = ["Executor", "Stop"]


class Stop:
    """Asks a run to end: first after what is in flight, then at once."""

    def __init__(self) -> None:
        self.requested = False
        self._tasks: list[asyncio.Task[None]] = []

    def request(self) -> None:
        """The first time: nothing new is sent. The second time: what is in flight is dropped."""
        if self.requested:
            for task in self._tasks:
                task.cancel()
        self.requested = True

    def watch(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Name the tasks that a second request cancels."""
        self._tasks = list(tasks)


@dataclass(slots=True)
class Executor:
    """Works through units with bounded concurrency; one call key is sent once in a run."""

    run_id: str
    gateway: Gateway
    journal: JournalWriter
    on_result: Callable[[ResultEvent], None]
    embed: Embed | None = None
    embedding: str = ""
    """Identity of the model behind `embed`, part of the score keys."""
    concurrency: int = 32
    stop: Stop = field(default_factory=Stop)
    known: Mapping[str, KnownAnswer] = field(default_factory=dict)
    """Answers by call key from earlier runs."""
    _shared: dict[str, asyncio.Future[KnownAnswer]] = field(default_factory=dict)
    _calls: int = 0

    async def run(self, units: Sequence[Unit]) -> None:
        """Ask and score every unit. Ends early, without an error, when `stop` asks for it.

        Raises:
            StoreError: the journal cannot be written; nothing more is sent.
        """
        repeated = {key for key, count in Counter(unit.call_key for unit in units).items() if count > 1}
        tasks = [
            asyncio.create_task(self._work(queue, repeated))
            for queue, workers in self._queues(units)
            for _ in range(workers)
        ]
        self.stop.watch(tasks)
        try:
            await asyncio.gather(*tasks)
        except asyncio.CancelledError:
            if not self.stop.requested:
                raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _queues(self, units: Sequence[Unit]) -> Iterator[tuple[Iterator[Unit], int]]:
        """One queue for each model, so that a slow one holds up nobody else."""
        by_model: dict[str, list[Unit]] = {}
        for unit in units:
            by_model.setdefault(unit.target.model.name, []).append(unit)
        for group in by_model.values():
            # The local model answers one at a time: a second worker scores while it does.
            most = 2 if group[0].target.route.transport is TransportName.LOCAL else self.concurrency
            yield iter(group), min(most, len(group))

    async def _work(self, queue: Iterator[Unit], repeated: set[str]) -> None:
        for unit in queue:
            if self.stop.requested:
                return
            fresh, answer = await self._answer(unit, shared=unit.call_key in repeated)
            subject = subject_of(unit.planned.case, answer.call)
            verdict = await judge(unit.planned.evaluators, subject, self.embed, self.embedding)
            result = make_result(unit, answer.call, answer.call_id, verdict, cached=not fresh)
            await self.journal.write(result)
            self.on_result(result)

    async def _answer(self, unit: Unit, *, shared: bool) -> tuple[bool, KnownAnswer]:
        """The unit's answer, and whether it was asked for just now."""
        stored = self.known.get(unit.call_key)
        if stored is not None:
            return False, stored
        if not shared:
            return True, await self._ask(unit)
        known = self._shared.get(unit.call_key)
        if known is not None:
            return False, await known
        future = self._shared[unit.call_key] = asyncio.get_running_loop().create_future()
        try:
            answer = await self._ask(unit)
        except BaseException:
            future.cancel()
            raise
        future.set_result(answer)
        return True, answer

    async def _ask(self, unit: Unit) -> KnownAnswer:
        call = await self.gateway.ask(unit.target.route, unit.target.request(unit.planned.case), repeat=unit.repeat)
        self._calls += 1
        answer = KnownAnswer(f"{self.run_id}.{self._calls}", call)
        # Before scoring, so that a paid answer survives whatever an evaluator does.
        await self.journal.write(CallEvent(answer.call_id, call))
        return answer
