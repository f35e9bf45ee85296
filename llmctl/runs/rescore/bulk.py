"""Scores many results that need no model: batch by batch, in child processes where there are enough of them."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from llmctl.errors import StoreError
from llmctl.processes.worker import Crashed, Worker
from llmctl.runs.codec import body_of
from llmctl.runs.rescore.plan import RescoreUnits
from llmctl.runs.rescore.score import Rescored, Scorer, ScoreSource

__all__ = ["Batch", "BatchScorer", "Summary", "batches"]

_BATCH = 1_000
_WORTH_PROCESSES = 10_000
"""From so many results on children are started: that takes half a second."""
_MOST = 4
_AHEAD = 2
"""How many batches of each child may wait to be taken."""
_LARGEST_BYTES = 2**31
_CHILD = "llmctl.runs.rescore.child"


class Summary(Protocol):
    """Counts results; it can be pickled, and a copy of an empty one counts anew."""

    def add(self, rescored: Rescored) -> None:
        """Count a result."""


S = TypeVar("S", bound=Summary)


@dataclass(frozen=True, slots=True)
class Batch(Generic[S]):
    """What became of some units."""

    summary: S
    bodies: list[bytes]
    """What `body_of` made of each result."""


class BatchScorer(Generic[S]):
    """Scores batches, in whatever process. A context manager."""

    def __init__(self, source: ScoreSource, empty: S) -> None:
        self._scorer = Scorer(source)
        self._empty = empty

    def score(self, units: RescoreUnits) -> Batch[S]:
        """Score some units.

        Raises:
            StoreError: a journal is damaged or gone.
        """
        summary = copy.deepcopy(self._empty)
        bodies = []
        for number in range(len(units)):
            rescored = self._scorer.score(units[number])
            if not isinstance(rescored, Rescored):
                raise RuntimeError("an evaluator waits though it did not say so")
            summary.add(rescored)
            bodies.append(body_of(rescored.result))
        return Batch(summary, bodies)

    def __enter__(self) -> BatchScorer[S]:
        return self

    def __exit__(self, *_: object) -> None:
        self._scorer.close()


async def batches(source: ScoreSource, units: RescoreUnits, empty: S) -> AsyncGenerator[Batch[S], None]:
    """Every unit, in order.

    Raises:
        StoreError: a journal is damaged or gone, or a child ended.
    """
    count = min(_MOST, os.cpu_count() or 1)
    if count > 1 and len(units) >= _WORTH_PROCESSES:
        async for batch in _in_children(source, units, empty, count):
            yield batch
        return
    with BatchScorer(source, empty) as scorer:
        for part in _parts(units):
            yield scorer.score(part)
            await asyncio.sleep(0)  # signals are taken between two batches


def _parts(units: RescoreUnits) -> Iterator[RescoreUnits]:
    for start in range(0, len(units), _BATCH):
        yield units.part(start, start + _BATCH)


async def _in_children(
    source: ScoreSource, units: RescoreUnits, empty: S, count: int
) -> AsyncGenerator[Batch[S], None]:
    parts = list(_parts(units))
    loop = asyncio.get_running_loop()
    done: list[asyncio.Future[Batch[S]]] = [loop.create_future() for _ in parts]
    # Each child has its own: a quick one must not take the room of the one whose batch is waited for.
    rooms = [asyncio.Semaphore(_AHEAD) for _ in range(count)]
    setting = pickle.dumps((source, empty))
    tending = [
        asyncio.create_task(_tend(setting, range(number, len(parts), count), parts, done, room))
        for number, room in enumerate(rooms)
    ]
    try:
        for number, future in enumerate(done):
            yield await future
            rooms[number % count].release()
    finally:
        for task in tending:
            task.cancel()
        await asyncio.gather(*tending, return_exceptions=True)


async def _tend(
    setting: bytes,
    numbers: range,
    parts: list[RescoreUnits],
    done: list[asyncio.Future[Batch[S]]],
    room: asyncio.Semaphore,
) -> None:
    """Have one child score its share."""
    worker = None
    try:
        worker = await Worker.start(_CHILD, setting, os.environ, largest=_LARGEST_BYTES)
        for number in numbers:
            await room.acquire()
            answer = pickle.loads(await worker.ask(pickle.dumps(parts[number])) or b"")  # our own child
            if isinstance(answer, BaseException):
                raise answer
            done[number].set_result(answer)
    except Crashed as crash:
        _fail(numbers, done, StoreError(f"A process that scores ended: {crash}.", hint="Run the command again."))
    except Exception as error:
        _fail(numbers, done, error)
    finally:
        if worker is not None:
            await worker.kill()


def _fail(numbers: range, done: list[asyncio.Future[Batch[S]]], error: Exception) -> None:
    for number in numbers:
        if not done[number].done():
            done[number].set_exception(error)
            done[number].exception()  # looked at: the first one is raised to whoever waits, the others say the same
