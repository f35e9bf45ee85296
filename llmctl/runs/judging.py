"""Answers the questions of a run's judges: from what is stored, else through the gateway, recorded like every call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llmctl.errors import EvaluatorError, ExitCode
from llmctl.evaluators.base import KeptBackError, Question, Reply
from llmctl.outcome import Outcome
from llmctl.providers.gateway import Gateway
from llmctl.providers.records import Call, ChatRequest
from llmctl.providers.requests import call_key
from llmctl.providers.routes import TransportName
from llmctl.runs.call_ids import CallIds
from llmctl.runs.judged_calls import JudgedCalls
from llmctl.runs.judges import JudgeModel
from llmctl.runs.line_reader import LineReader
from llmctl.runs.reuse import KnownAnswer, read_answer
from llmctl.runs.stop import Stop

__all__ = ["JudgeCount", "JudgeRoom", "Judging", "Record"]

Record = Callable[[str, Call, Callable[[int], None]], None]
"""Records a call under its id, and tells the byte at which its line begins when it is in the file."""

_NOT_SENT = (Outcome.SKIPPED, Outcome.POLICY_BLOCKED)


@dataclass(slots=True)
class JudgeCount:
    """What was asked of one model."""

    sent: int = 0
    reused: int = 0
    """Answers that were there already."""
    cost_usd: float = 0.0
    """Of what was sent, as far as it is known."""
    unpriced: int = 0
    """How many calls have no known cost."""

    def add(self, call: Call) -> None:
        """Count a call that was sent."""
        self.sent += 1
        if call.cost_usd is None:
            self.unpriced += 1
        else:
            self.cost_usd += call.cost_usd


@dataclass(frozen=True, slots=True)
class JudgeRoom:
    """Where judges' questions go in one run."""

    gateway: Gateway
    record: Record
    journal: Path
    """The run's own, in which `record` writes."""
    ids: CallIds
    stop: Stop


class Judging:
    """Used in the event loop only. One call key is sent once in a run."""

    def __init__(self, judges: Mapping[str, JudgeModel], known: JudgedCalls, room: JudgeRoom) -> None:
        self.counts: dict[str, JudgeCount] = {}
        """By the model's name."""
        self._judges = judges
        self._known = known
        self._room = room
        self._under_way: dict[str, asyncio.Future[Reply | None]] = {}
        """What is being asked; None where it was kept back."""
        # In front of the gateway, where calls cannot be kept back any more.
        self._doors = {judge.route.config.name: asyncio.Semaphore(self._slots(judge)) for judge in judges.values()}
        self._own = LineReader(room.journal)
        self._positions: dict[bytes, int] = {}
        """Where this run's own calls stand, by the first half of their key."""

    def _slots(self, judge: JudgeModel) -> int:
        # The local model answers one at a time: a second question is made ready while it does.
        return 2 if judge.route.transport is TransportName.LOCAL else self._room.gateway.settings.concurrency

    @property
    def identities(self) -> dict[str, str]:
        """Of each model, by its name."""
        return {name: judge.identity for name, judge in self._judges.items()}

    async def ask(self, question: Question) -> Reply:
        """Answer one question.

        Raises:
            EvaluatorError: its model is none of the plan's.
            KeptBackError: it is not sent, because the run stops.
        """
        judge = self._judges.get(question.model)
        if judge is None:
            raise EvaluatorError(f"the model {question.model} was not found when the run was planned")
        request = judge.request(question)
        key = call_key(judge.route, request, question.draw)
        count = self.counts.setdefault(question.model, JudgeCount())
        answer = self._stored(key)
        if answer is not None:
            count.reused += 1
            return _reply(answer)
        shared = self._under_way.get(key)
        if shared is not None:
            reply = await asyncio.shield(shared)
            if reply is None:
                raise KeptBackError
            count.reused += 1
            return reply
        return await self._once(_Asked(judge, request, question.draw, key, count))

    def close(self) -> None:
        """Close the journals that answers were read from."""
        self._own.close()
        self._known.close()

    def _stored(self, key: str) -> KnownAnswer | None:
        position = self._positions.get(_half(key))
        if position is not None:
            return read_answer(self._own, position, key)
        return self._known.answer(key)

    async def _once(self, asked: _Asked) -> Reply:
        """Send a call; whoever asks the same meanwhile waits for it."""
        future = asyncio.get_running_loop().create_future()
        self._under_way[asked.key] = future
        reply = None
        try:
            async with self._doors[asked.judge.route.config.name]:
                if self._room.stop.requested:
                    raise KeptBackError
                reply = await self._sent(asked)
        finally:
            if not future.done():
                future.set_result(reply)
            if reply is None:
                del self._under_way[asked.key]
        return reply

    async def _sent(self, asked: _Asked) -> Reply:
        route = asked.judge.route
        call = await self._room.gateway.ask(route, asked.request, repeat=asked.draw, key=asked.key)
        if call.outcome is Outcome.SKIPPED:
            self._keep_back(route.config.name)
        if call.outcome in _NOT_SENT:
            return Reply(call.outcome, error=call.error)
        asked.count.add(call)
        loop = asyncio.get_running_loop()

        def told(position: int) -> None:
            loop.call_soon_threadsafe(self._kept, asked.key, position)

        # Before it is judged by, so that a paid answer survives whatever becomes of its result.
        self._room.record(self._room.ids.take(), call, told)
        return Reply(call.outcome, call.output, call.error)

    def _keep_back(self, model: str) -> None:
        """Stop the run where nothing more can be judged: answers that are paid for would have no verdict."""
        stop, gateway = self._room.stop, self._room.gateway
        if gateway.budget_spent:
            stop.request("the budget is used up")
        elif model in gateway.open_circuits:
            stop.request(
                f"the judge gives no answers ({gateway.open_circuits[model].rstrip('.')})", ExitCode.UNFINISHED
            )
        else:
            return
        raise KeptBackError

    def _kept(self, key: str, position: int) -> None:
        """The call is in the file: it is read from there when it is asked for again."""
        self._positions[_half(key)] = position
        self._under_way.pop(key, None)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question as it is sent."""

    judge: JudgeModel
    request: ChatRequest
    draw: int
    key: str
    count: JudgeCount = field(default_factory=JudgeCount)


def _half(key: str) -> bytes:
    return bytes.fromhex(key[:32])


def _reply(answer: KnownAnswer) -> Reply:
    return Reply(answer.outcome, answer.output, answer.error)
