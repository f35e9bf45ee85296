"""Scores answers and records results in the journal's thread, so that the event loop waits for neither.

Calls that were made are written first; then they are scored, and their results follow. What a run shows of a result is
told when the result is in the file.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from llmctl.evaluators.base import KeptBackError, Models
from llmctl.evaluators.verdict import NO_MODELS, Verdict, judge_now
from llmctl.providers.records import Call
from llmctl.runs.journal import JournalWriter
from llmctl.runs.planned_cases import CaseReader
from llmctl.runs.records import CallEvent, CallPurpose, ResultEvent
from llmctl.runs.result import Scored, make_result, subject_of
from llmctl.runs.reuse import KnownAnswer
from llmctl.runs.spool import SpooledUnit
from llmctl.runs.target import PlannedCase, Target

__all__ = ["Finished", "Recorder"]

_REUSED_AT_ONCE = 256
"""How many known answers are scored before new ones, which were paid for, are written."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A unit whose answer is there, or can be read."""

    unit: SpooledUnit
    target: Target
    answer: Callable[[], KnownAnswer]
    """Read where it is needed: away from the event loop."""
    cached: bool


class Recorder:
    """Takes answers in the event loop; everything else of it runs in the journal's thread."""

    def __init__(
        self,
        journal: JournalWriter,
        cases: CaseReader,
        on_result: Callable[[ResultEvent], None],
        *,
        room: int,
        models: Models = NO_MODELS,
    ) -> None:
        """Prepare to record.

        Args:
            journal: where calls and results go.
            cases: reads the planned cases; from now on only the journal's thread uses it.
            on_result: told of each result that is in the file.
            room: how many answers may wait to be scored and written at once.
            models: those that evaluators use.
        """
        self._journal = journal
        self._cases = cases
        self._on_result = on_result
        self.models = models
        """Those that evaluators use; set before the first answer comes."""
        self._judging: set[Future[Verdict]] = set()
        self._dropped = False
        self._loop = asyncio.get_running_loop()
        self._room = room
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._gate = threading.Lock()
        self._freed = 0
        self._open = 0
        self._empty = asyncio.Event()
        self._empty.set()
        self._abandoned = False
        self.failure: BaseException | None = None
        self.on_failure: Callable[[], None] = lambda: None
        """Called once, in the event loop, when nothing more can be recorded."""

    async def take_room(self) -> None:
        """Wait until another answer may come."""
        if self._room:
            self._room -= 1
        else:
            # Not a semaphore: it looks through all that wait whenever one is let in.
            turn = self._loop.create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():
                    self._let_in()
                raise
        self._open += 1
        self._empty.clear()

    def give_room(self) -> None:
        """An answer is recorded, or did not come."""
        self._let_in()
        self._open -= 1
        if self._open == 0:
            self._empty.set()

    def _let_in(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._room += 1

    def call(
        self,
        call_id: str,
        call: Call,
        told: Callable[[int], None] | None = None,
        purpose: CallPurpose = CallPurpose.TARGET,
    ) -> None:
        """Record a call, before anything is made of it. `told` gets the byte at which its line begins."""

        def written(error: Exception | None, position: int) -> None:
            if error is not None:
                self._fail(error)
            elif told is not None:
                told(position)

        self._journal.post(CallEvent(call_id, call, purpose), written)

    def result(self, finished: Finished) -> None:
        """Score and record the answer that room was taken for."""
        self._journal.later(lambda: self._work(finished))

    async def reuse(self, known: Iterator[Finished], *, stopped: Callable[[], bool]) -> list[int]:
        """Score and record answers that are there already, one after the other, without the event loop.

        Returns the numbers of those units whose evaluators wait for somebody: they need room, as others do.
        """
        done: asyncio.Future[None] = self._loop.create_future()
        left: list[int] = []

        def some() -> None:
            going_on = False
            try:
                going_on = self._reuse(known, left, stopped)
            except Exception as error:  # a defect here must end the run, not hang it
                self._fail(error)
            if going_on:
                self._journal.later(some)
            else:
                self._loop.call_soon_threadsafe(_resolve, done)

        self._journal.later(some)
        await done
        return left

    async def drain(self) -> None:
        """Wait until everything is recorded.

        Raises:
            StoreError: the journal cannot be written.
        """
        self._journal.hurry()
        await self._empty.wait()
        if self.failure is not None:
            raise self.failure

    async def settle(self) -> None:
        """Wait until everything that came so far, reused answers too, is recorded and told.

        Raises:
            StoreError: the journal cannot be written.
        """
        await self.drain()
        told: asyncio.Future[None] = self._loop.create_future()

        def reached() -> None:
            self._loop.call_soon_threadsafe(_resolve, told)

        self._journal.later(reached)
        self._journal.hurry()
        await told
        if self.failure is not None:
            raise self.failure

    def abandon(self) -> None:
        """Make nothing more of the answers that wait; what is being made of one is finished first."""
        idle = threading.Event()
        self._abandoned = True
        self._journal.later(idle.set)
        idle.wait()

    def drop(self) -> None:
        """Wait for no model any more: results whose evaluators do are left out."""
        with self._gate:
            self._dropped = True
            judging = list(self._judging)
        for future in judging:
            future.cancel()

    # In the journal's thread.

    def _work(self, finished: Finished) -> None:
        try:
            if self.failure is None and not self._abandoned:
                self._score(finished)
                return
        except Exception as error:  # a defect here must end the run, not hang it
            self._fail(error)
        self._free()

    def _reuse(self, known: Iterator[Finished], left: list[int], stopped: Callable[[], bool]) -> bool:
        """Record some; whether there are more."""
        chunk = list(islice(known, _REUSED_AT_ONCE))
        for finished in chunk:
            if self.failure is not None or self._abandoned or stopped():
                return False
            planned = self._cases.at(finished.unit.case_position, finished.unit.case_number)
            if any(one.waits for one in planned.evaluators):
                left.append(finished.unit.number)
                continue
            answer = finished.answer()
            judged = self._judged(finished, planned, answer)
            if not isinstance(judged, Verdict):
                raise RuntimeError("an evaluator waits though it did not say so")
            result = _result(finished, planned, answer, judged)
            self._journal.post(result, partial(self._shown, result))
        return bool(chunk)

    def _judged(self, finished: Finished, planned: PlannedCase, answer: KnownAnswer) -> Verdict | Awaitable[Verdict]:
        tools = finished.target.tools(planned.case.vars)
        subject = subject_of(planned.case, answer, tools, cached=finished.cached)
        return judge_now(planned.evaluators, subject, self.models)

    def _score(self, finished: Finished) -> None:
        planned = self._cases.at(finished.unit.case_position, finished.unit.case_number)
        answer = finished.answer()
        judged = self._judged(finished, planned, answer)
        if isinstance(judged, Verdict):
            self._record(finished, planned, answer, judged)
            return

        async def later() -> Verdict:
            return await judged

        self._wait_for(later(), lambda verdict: self._record(finished, planned, answer, verdict))

    def _wait_for(self, judging: Coroutine[Any, Any, Verdict], then: Callable[[Verdict], None]) -> None:
        """Evaluators that ask a model wait in the event loop."""

        def done(future: Future[Verdict]) -> None:
            with self._gate:
                self._judging.discard(future)
            try:
                then(future.result())
            except (KeptBackError, CancelledError):  # the result is missing: a resumed run makes it
                self._free()
            except BaseException as error:
                self._fail(error)
                self._free()

        with self._gate:
            if dropped := self._dropped:
                judging.close()
            else:
                future = asyncio.run_coroutine_threadsafe(judging, self._loop)
                self._judging.add(future)
        if dropped:
            self._free()
        else:
            future.add_done_callback(done)

    def _record(self, finished: Finished, planned: PlannedCase, answer: KnownAnswer, verdict: Verdict) -> None:
        result = _result(finished, planned, answer, verdict)
        self._journal.post(result, partial(self._written, result))

    def _written(self, result: ResultEvent, error: Exception | None, position: int) -> None:
        try:
            self._shown(result, error, position)
        finally:
            self._free()

    def _shown(self, result: ResultEvent, error: Exception | None, _position: int) -> None:
        try:
            if error is not None:
                self._fail(error)
            else:
                self._on_result(result)
        except Exception as defect:
            self._fail(defect)

    # In any thread.

    def _fail(self, error: BaseException) -> None:
        with self._gate:
            first = self.failure is None
            if first:
                self.failure = error
        if first:
            self._loop.call_soon_threadsafe(self.on_failure)

    def _free(self) -> None:
        """Give room back; one call into the event loop for all that is given back until it runs."""
        with self._gate:
            self._freed += 1
            first = self._freed == 1
        if first:
            self._loop.call_soon_threadsafe(self._freeing)

    def _freeing(self) -> None:
        with self._gate:
            count, self._freed = self._freed, 0
        for _ in range(count):
            self.give_room()


def _result(finished: Finished, planned: PlannedCase, answer: KnownAnswer, verdict: Verdict) -> ResultEvent:
    scored = Scored(verdict, finished.cached)
    return make_result(finished.unit, finished.target.name, planned.case, answer, scored)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
