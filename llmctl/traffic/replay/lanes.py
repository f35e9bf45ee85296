"""The answers of a replay, lane beside lane, read from the store a few hundred calls at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from llmctl.errors import UsageError
from llmctl.outcome import Outcome
from llmctl.runs.history import History
from llmctl.runs.records import BankEvent, TargetName
from llmctl.runs.store_reader import StoreReader
from llmctl.traffic.replay.logged_answers import observed_outcome
from llmctl.traffic.replay.records import ChosenCall, LaneAnswer, Mode, ReplayedCall
from llmctl.traffic.replay.request import REPLAY
from llmctl.traffic.store import StoredCall, TrafficStore

__all__ = ["BankLanes", "Candidate", "ReplayRun", "replayed"]

_CHUNK = 500
_ANSWERS = """
    SELECT r.case_number, r.prompt, r.model, r.repeat, r.outcome, r.output, r.finish_reason, r.reason, r.latency_ms,
        r.cost_usd, r.input_tokens, r.output_tokens, r.passed, r.cached, c.tool_calls
    FROM current_results r LEFT JOIN call_rows c ON c.call_id = r.call_id
    WHERE r.run_id = $run AND r.case_number >= $first AND r.case_number <= $last"""
_CASES = """
    SELECT position, bank, case_id, weight FROM case_rows
    WHERE run_id = $run AND position > $after ORDER BY position LIMIT $most"""
_OBSERVED = """
    SELECT case_id, passed, reason FROM current_results
    WHERE run_id = $run AND case_id IN (SELECT unnest($ids))"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What was tried in a replay."""

    prompt: str
    """The prompt's label."""
    model: str | None
    """None: each call's own, the logged one."""

    def __str__(self) -> str:
        """For people."""
        return f"{self.prompt} on {self.model or 'the logged model'}"


@dataclass(frozen=True, slots=True)
class BankLanes:
    """Who was asked in one bank; None: nobody."""

    candidate: TargetName | None
    baseline: TargetName | None


@dataclass(frozen=True, slots=True)
class _Draw:
    """Names an answer to a call."""

    target: TargetName
    repeat: int


@dataclass(frozen=True)
class ReplayRun:
    """A replay in the store: its lanes, by the banks of its cases."""

    run_id: str
    said: Mapping[str, Any]
    """What the head of the run says of the replay."""
    banks: tuple[BankEvent, ...] = ()
    repeat: int = 1

    @classmethod
    def read(cls, history: History, run_id: str) -> ReplayRun:
        """Read what the run is.

        Raises:
            UsageError: it is no replay, or not here.
            StoreError: the store cannot be read.
        """
        said = history.head(run_id).options.get(REPLAY)
        if not isinstance(said, Mapping):
            raise UsageError(f"The run {run_id} is no replay.", hint=f"Its report: llmctl show {run_id}")
        plan = history.plan(run_id)
        return cls(run_id, said, tuple(history.banks(run_id)), plan.repeat if plan else 1)

    @property
    def mode(self) -> Mode:
        """How calls were asked again."""
        return Mode(self.said.get("mode", Mode.VERBATIM))

    @property
    def rerun(self) -> bool:
        """Whether the logged request was sent again as it was."""
        return bool(self.said.get("rerun"))

    @property
    def observed(self) -> str | None:
        """The run in which the logged answers were scored; None: they were not."""
        found = self.said.get("observed")
        return found if isinstance(found, str) else None

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """What was tried; a re-run alone is one, of the logged request."""
        own = not self.said.get("models") and self.mode is Mode.VERBATIM
        found: dict[Candidate, None] = {}
        for bank in self.banks:
            for target in self._candidates(bank):
                found[Candidate(target.prompt, None if own else target.model)] = None
        return tuple(found)

    def lanes(self, bank: str, candidate: Candidate) -> BankLanes:
        """Who was asked in a bank."""
        event = next(one for one in self.banks if one.name == bank)
        wanted = [
            target
            for target in self._candidates(event)
            if target.prompt == candidate.prompt and candidate.model in (None, target.model)
        ]
        baseline = self._baseline(event) if self.said.get("candidates") else None
        return BankLanes(wanted[0] if wanted else None, baseline)

    def _baseline(self, bank: BankEvent) -> TargetName | None:
        """The last target of the bank, where the logged model was asked again."""
        return bank.targets[-1] if self.rerun and bank.targets else None

    def _candidates(self, bank: BankEvent) -> tuple[TargetName, ...]:
        """All that were tried; one that is the logged model itself is the re-run too."""
        count = int(self.said.get("candidates") or 0)
        if count == 0 or len(bank.targets) <= count:
            return bank.targets
        return bank.targets[:count]


def replayed(
    store: Path, run: ReplayRun, candidate: Candidate, missing: list[str] | None = None
) -> Iterator[ReplayedCall]:
    """Each logged call of a replay with the answers of all lanes, draw by draw; a chunk of them in memory.

    `missing` is given the ids of calls whose traffic is not in the store any more: nothing can be said of them.

    Raises:
        StoreError: the store cannot be read.
    """
    yield from _Reading(store, run, candidate, [] if missing is None else missing).calls()


@dataclass
class _Reading:
    store: Path
    run: ReplayRun
    candidate: Candidate
    missing: list[str]
    reader: StoreReader = field(init=False)
    traffic: TrafficStore = field(init=False)

    def __post_init__(self) -> None:
        self.reader = StoreReader(self.store)
        self.traffic = TrafficStore(self.store, self.reader)

    def calls(self) -> Iterator[ReplayedCall]:
        """All of them, in the order of the plan."""
        lanes = {bank.name: self.run.lanes(bank.name, self.candidate) for bank in self.run.banks}
        number, after = 0, -1
        while True:
            cases = self.reader.rows(_CASES, {"run": self.run.run_id, "after": after, "most": _CHUNK})
            if not cases:
                return
            answers = self._answers(number, number + len(cases) - 1)
            logged = self.traffic.of_ids([case[2] for case in cases])
            judged = self._judged([case[2] for case in cases])
            for place, (_, bank, case_id, weight) in enumerate(cases, number):
                stored = logged.get(case_id)
                if stored is None:
                    self.missing.append(case_id)
                    continue
                chosen = ChosenCall(case_id, stored.call, weight)
                observed = _observed(stored, judged.get(case_id))
                yield from self._draws(chosen, observed, answers[place], lanes[bank])
            number, after = number + len(cases), cases[-1][0]

    def _draws(
        self,
        chosen: ChosenCall,
        observed: LaneAnswer,
        answers: Mapping[_Draw, LaneAnswer],
        lanes: BankLanes,
    ) -> Iterator[ReplayedCall]:
        candidate, baseline = lanes.candidate, lanes.baseline
        for repeat in range(1, self.run.repeat + 1):
            yield ReplayedCall(
                chosen,
                observed,
                answers.get(_Draw(baseline, repeat)) if baseline else None,
                answers.get(_Draw(candidate, repeat)) if candidate else None,
            )

    def _answers(self, first: int, last: int) -> Mapping[int, Mapping[_Draw, LaneAnswer]]:
        """The answers to some cases, by the number of the case."""
        found: defaultdict[int, dict[_Draw, LaneAnswer]] = defaultdict(dict)
        rows = self.reader.rows(_ANSWERS, {"run": self.run.run_id, "first": first, "last": last})
        for number, prompt, model, repeat, *values in rows:
            found[number][_Draw(TargetName(prompt, model), repeat)] = _answer(values)
        return found

    def _judged(self, ids: Sequence[str]) -> Mapping[str, tuple[bool | None, str]]:
        """What the evaluators say of the logged answers."""
        if self.run.observed is None:
            return {}
        rows = self.reader.rows(_OBSERVED, {"run": self.run.observed, "ids": list(ids)})
        return {case_id: (passed, reason or "") for case_id, passed, reason in rows}


def _answer(values: Sequence[Any]) -> LaneAnswer:
    outcome, output, finish_reason, reason, latency, cost, tokens_in, tokens_out, passed, cached, tool_calls = values
    ended = Outcome(outcome)
    return LaneAnswer(
        outcome=ended,
        output=output,
        tool_calls=tuple(orjson.loads(tool_calls)) if tool_calls else (),
        finish_reason=finish_reason,
        error=None if ended.evidence else reason,
        latency_ms=latency,
        cost_usd=cost,
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        passed=passed,
        reason=reason or "",
        cached=bool(cached),
    )


def _observed(stored: StoredCall, judged: tuple[bool | None, str] | None) -> LaneAnswer:
    call, (passed, reason) = stored.call, judged or (None, "")
    return LaneAnswer(
        outcome=observed_outcome(call),
        output=call.output,
        tool_calls=call.tool_calls,
        finish_reason=call.finish_reason,
        error=call.error,
        latency_ms=call.latency_ms,
        cost_usd=call.cost_usd,
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        passed=passed,
        reason=reason,
    )
