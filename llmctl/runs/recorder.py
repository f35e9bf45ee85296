"""Scores answers and records results in the journal's thread, so that the event loop waits for neither.

Calls that were made are written first; then they are scored, and their results follow. What a run shows of a result is
told when the result is in the file.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from llmctl.evaluators.base import Embed
from llmctl.evaluators.verdict import Verdict, judge_now
from llmctl.providers.records import Call
from llmctl.runs.journal import JournalWriter
from llmctl.runs.planned_cases import CaseReader
from llmctl.runs.records import CallEvent, ResultEvent, TargetName
from llmctl.runs.result import Scored, make_result, subject_of
from llmctl.runs.reuse import KnownAnswer
from llmctl.runs.spool import SpooledUnit
from llmctl.runs.target import PlannedCase

__all__ = ["Embedding", "Finished", "Recorder"]


@dataclass(frozen=True, slots=True)
class Embedding:
    """The embedding model of a run."""

    embed: Embed | None = None
    identity: str = ""
    """Part of the score keys."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A unit whose answer is there, or can be read."""

    unit: SpooledUnit
    target: TargetName
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
        embedding: Embedding,
        room: int,
    ) -> None:
        """Prepare to record.

        Args:
            journal: where calls and results go.
            cases: reads the planned cases; from now on only the journal's thread uses it.
            on_result: told of each result that is in the file.
            embedding: for evaluators that compare meanings.
            room: how many answers may wait to be scored and written at once.
        """
        self._journal = journal
        self._cases = cases
        self._on_result = on_result
        self._embedding = embedding
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

    def call(self, call_id: str, call: Call, told: Callable[[int], None] | None = None) -> None:
        """Record a call, before anything is made of it. `told` gets the byte at which its line begins."""

        def written(error: Exception | None, position: int) -> None:
            if error is not None:
                self._fail(error)
            elif told is not None:
                told(position)

        self._journal.post(CallEvent(call_id, call), written)

    def result(self, finished: Finished) -> None:
        """Score and record the answer that room was taken for."""
        self._journal.later(lambda: self._work(finished))

    async def drain(self) -> None:
        """Wait until everything is recorded.

        Raises:
            StoreError: the journal cannot be written.
        """
        self._journal.hurry()
        await self._empty.wait()
        if self.failure is not None:
            raise self.failure

    def abandon(self) -> None:
        """Make nothing more of the answers that wait; what is being made of one is finished first."""
        idle = threading.Event()
        self._abandoned = True
        self._journal.later(idle.set)
        idle.wait()

    # In the journal's thread.

    def _work(self, finished: Finished) -> None:
        try:
            if self.failure is None and not self._abandoned:
                self._score(finished)
                return
        except Exception as error:  # a defect here must end the run, not hang it
            self._fail(error)
        self._free()

    def _score(self, finished: Finished) -> None:
        planned = self._cases.at(finished.unit.case_position, finished.unit.case_number)
        answer = finished.answer()
        subject = subject_of(planned.case, answer)
        judged = judge_now(planned.evaluators, subject, self._embedding.embed, self._embedding.identity)
        if isinstance(judged, Verdict):
            self._record(finished, planned, answer, judged)
            return

        async def later() -> Verdict:
            return await judged

        self._wait_for(later(), lambda verdict: self._record(finished, planned, answer, verdict))

    def _wait_for(self, judging: Coroutine[Any, Any, Verdict], then: Callable[[Verdict], None]) -> None:
        """Evaluators that ask a model wait in the event loop."""

        def done(future: Future[Verdict]) -> None:
            try:
                then(future.result())
            except BaseException as error:
                self._fail(error)
                self._free()

        asyncio.run_coroutine_threadsafe(judging, self._loop).add_done_callback(done)

    def _record(self, finished: Finished, planned: PlannedCase, answer: KnownAnswer, verdict: Verdict) -> None:
        scored = Scored(verdict, finished.cached)
        result = make_result(finished.unit, finished.target, planned.case, answer, scored)
        self._journal.post(result, lambda error, _position: self._written(result, error))

    def _written(self, result: ResultEvent, error: Exception | None) -> None:
        try:
            if error is not None:
                self._fail(error)
            else:
                self._on_result(result)
        except Exception as defect:
            self._fail(defect)
        finally:
            self._free()

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
