"""Runs a plan: asks, and hands each answer to the recorder. The event loop does nothing else than this."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from llmctl.outcome import Outcome
from llmctl.providers.gateway import Gateway
from llmctl.providers.records import ChatRequest
from llmctl.providers.routes import TransportName
from llmctl.runs.call_ids import CallIds
from llmctl.runs.line_reader import LineReader
from llmctl.runs.plan import Plan
from llmctl.runs.recorder import Finished, Recorder
from llmctl.runs.reuse import KnownAnswer, KnownAnswers, read_answer
from llmctl.runs.spool import SpooledUnit, UnitReader, UnitSpool
from llmctl.runs.stages import Stages
from llmctl.runs.stop import Stop

__all__ = ["Executor", "Stop"]


@dataclass(frozen=True, slots=True)
class _Queue:
    """The units of one model."""

    numbers: Iterator[int]
    units: UnitReader
    workers: int


@dataclass(slots=True)
class Executor:
    """Works through a plan with bounded concurrency; one call key is sent once in a run."""

    plan: Plan
    gateway: Gateway
    recorder: Recorder
    known: KnownAnswers
    concurrency: int = 32
    stop: Stop = field(default_factory=Stop)
    ids: CallIds | None = None
    """Of the calls; None: counted from the plan's next one."""
    stages: Stages | None = None
    """Which units are worked on, and in which order; None: all of them, in the plan's."""
    own: LineReader = field(init=False)
    """The run's journal, read in its writer's thread."""
    _ids: CallIds = field(init=False)
    _shared: dict[bytes, asyncio.Future[int | None]] = field(default_factory=dict)
    """Calls that several units of the plan need: where each stands in the journal; None where it was not sent."""
    _repeated: frozenset[int] = frozenset()
    """The prefixes of their keys."""

    def __post_init__(self) -> None:
        self.own = LineReader(self.plan.journal)
        self._ids = self.ids or CallIds(self.plan.head.run_id, self.plan.next_call)

    async def run(self) -> None:
        """Ask and record every unit that is wanted. Ends early, without an error, when `stop` asks for it.

        Raises:
            StoreError: the journal cannot be written; nothing more is sent.
        """
        self.recorder.on_failure = self.stop.drop
        self._repeated = self.plan.units.repeated()
        if self.stages is None:
            await self._stage(None)
            await self.recorder.drain()
            return
        while not self.stop.requested and (stage := self.stages.next_stage(self.known)) is not None:
            await self._stage(stage)
            await self.recorder.settle()

    async def _stage(self, stage: Sequence[int] | None) -> None:
        """Ask and record the units of a stage; None: all units."""
        reusing = asyncio.create_task(self._reuse(stage))
        try:
            await self._work_on(stage, lambda number: number not in self.known)
            left = frozenset(await reusing)
        finally:
            reusing.cancel()
        if left and not self.stop.requested:
            await self._work_on(stage, left.__contains__)

    async def _reuse(self, stage: Sequence[int] | None) -> list[int]:
        """Record the answers that are known beside the calls; the units among them whose evaluators wait."""
        if not self.known.count:
            return []
        units = self._reader()
        numbers = range(len(self.plan.units)) if stage is None else stage
        known = (units.unit(number) for number in numbers if number in self.known)
        return await self.recorder.reuse(map(self._known, known), stopped=lambda: self.stop.requested)

    async def _work_on(self, stage: Sequence[int] | None, chosen: Callable[[int], bool]) -> None:
        """Ask and record some units of a stage, by their numbers."""
        tasks = [
            asyncio.create_task(self._work(queue, self._repeated))
            for queue in self._queues(stage, chosen)
            for _ in range(queue.workers)
        ]
        self.stop.watch(tasks, self.recorder.drop)
        try:
            await asyncio.gather(*tasks)
        except asyncio.CancelledError:
            if not self.stop.requested:
                raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def close(self) -> None:
        """Close the journals that answers are read from; nothing reads them any more."""
        self.own.close()
        self.known.close()

    def _reader(self) -> UnitReader:
        return self.plan.units.reader(scattered=self.stages is not None)

    def _queues(self, stage: Sequence[int] | None, chosen: Callable[[int], bool]) -> Iterator[_Queue]:
        """One queue for each model, so that a slow one holds up nobody else."""
        by_model: dict[str, list[int]] = {}
        for index, target in enumerate(self.plan.targets):
            by_model.setdefault(target.model.name, []).append(index)
        units = self.plan.units
        for indexes in by_model.values():
            route = self.plan.targets[indexes[0]].route
            # The local model answers one at a time: a second worker prepares the next call while it does.
            most = 2 if route.transport is TransportName.LOCAL else self.concurrency
            targets = frozenset(indexes)
            numbers = units.by_target(targets) if stage is None else _of_targets(stage, units, targets)
            yield _Queue(filter(chosen, numbers), self._reader(), min(most, len(units if stage is None else stage)))

    async def _work(self, queue: _Queue, repeated: frozenset[int]) -> None:
        for number in queue.numbers:
            if self.stop.requested:
                return
            await self.recorder.take_room()
            try:
                finished = await self._finished(queue.units, queue.units.unit(number), repeated)
            except BaseException:
                self.recorder.give_room()
                raise
            if finished is None:
                self.recorder.give_room()
                return
            self.recorder.result(finished)

    async def _finished(self, units: UnitReader, unit: SpooledUnit, repeated: frozenset[int]) -> Finished | None:
        """The unit with its answer; None where it will not be sent, and neither will any other one of its model."""
        if unit.number in self.known:
            return self._known(unit)
        target = self.plan.targets[unit.target]
        shared = self._shared.get(unit.key) if unit.prefix in repeated else None
        if shared is not None:
            position = await asyncio.shield(shared)
            if position is None:
                return None
            return Finished(unit, target, lambda: read_answer(self.own, position), cached=True)
        request = units.request(unit.number)
        answer = await self._ask(unit, request, shared=unit.prefix in repeated)
        return Finished(unit, target, lambda: answer, cached=False) if answer else None

    def _known(self, unit: SpooledUnit) -> Finished:
        """The unit with its stored answer."""
        return Finished(unit, self.plan.targets[unit.target], lambda: self.known.answer(unit.number), cached=True)

    async def _ask(self, unit: SpooledUnit, request: ChatRequest, *, shared: bool) -> KnownAnswer | None:
        """Send the call and record it; None where the gateway would not send it."""
        if not shared:
            return await self._sent(unit, request, None)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int | None] = loop.create_future()
        self._shared[unit.key] = future
        try:
            answer = await self._sent(unit, request, lambda position: _resolve_soon(loop, future, position))
        except BaseException:
            _resolve(future, None)
            raise
        if answer is None:
            _resolve(future, None)
        return answer

    async def _sent(
        self, unit: SpooledUnit, request: ChatRequest, told: Callable[[int], None] | None
    ) -> KnownAnswer | None:
        route = self.plan.targets[unit.target].route
        call = await self.gateway.ask(route, request, repeat=unit.repeat, key=unit.call_key)
        if call.outcome is Outcome.SKIPPED and self._gives_up(route.config.name):
            return None
        answer = KnownAnswer.of(self._ids.take(), call)
        # Before it is scored, so that a paid answer survives whatever an evaluator does.
        self.recorder.call(answer.call_id, call, told)
        return answer

    def _gives_up(self, model: str) -> bool:
        """Whether the gateway sends nothing more to a model; without a budget, to none."""
        if self.gateway.budget_spent:
            self.stop.request("the budget is used up")
            return True
        return model in self.gateway.open_circuits


def _of_targets(stage: Sequence[int], units: UnitSpool, targets: frozenset[int]) -> Iterator[int]:
    return (number for number in stage if units.target(number) in targets)


def _resolve_soon(loop: asyncio.AbstractEventLoop, future: asyncio.Future[int | None], position: int) -> None:
    loop.call_soon_threadsafe(_resolve, future, position)


def _resolve(future: asyncio.Future[int | None], position: int | None) -> None:
    if not future.done():
        future.set_result(position)
