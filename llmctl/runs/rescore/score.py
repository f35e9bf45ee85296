"""Scores one stored answer again: the old result's line and today's case in, the new result out."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from llmctl.errors import StoreError
from llmctl.evaluators.base import MetricScore, Models
from llmctl.evaluators.keys import score_key
from llmctl.evaluators.verdict import NO_MODELS, Subject, Verdict, judge_now
from llmctl.outcome import Outcome
from llmctl.project.models import EvaluatorSettings
from llmctl.providers.recorded_request import recorded_tools
from llmctl.runs.call_history import Location
from llmctl.runs.line_reader import LineReader
from llmctl.runs.planned_cases import CaseReader
from llmctl.runs.records import ResultEvent, TargetName
from llmctl.runs.rescore.plan import RescoreUnit
from llmctl.runs.result import Scored, make_result, subject_of
from llmctl.runs.reuse import KnownAnswer, read_answer
from llmctl.runs.spool import SpooledUnit
from llmctl.runs.target import PlannedCase

__all__ = ["Flip", "Rescored", "ScoreSource", "Scorer"]

Tools = tuple[Mapping[str, object], ...]


@dataclass(frozen=True, slots=True)
class Flip:
    """A result whose verdict is another one now."""

    bank: str
    case_id: str
    prompt: str
    """The prompt's label."""
    model: str
    repeat: int
    before: bool | None
    """None: no evidence."""
    after: bool | None
    reason: str
    """Why it fails now, or why it did."""


@dataclass(frozen=True, slots=True)
class Rescored:
    """A result, and what it was."""

    result: ResultEvent
    before: bool | None
    reason_before: str

    @property
    def flip(self) -> Flip | None:
        """What changed of the verdict."""
        result = self.result
        if self.before is result.passed:
            return None
        reason = self.reason_before if result.passed else result.reason
        return Flip(
            result.bank,
            result.case_id,
            result.prompt,
            result.model,
            result.repeat,
            self.before,
            result.passed,
            reason,
        )


@dataclass(frozen=True, slots=True)
class ScoreSource:
    """Where answers and cases are read. It can be handed to another process."""

    old_journal: Path
    new_journal: Path
    settings: EvaluatorSettings
    targets: tuple[TargetName, ...]
    tools: tuple[Tools | None, ...]
    """What each target offers, None where it is its case's; empty where no evaluator looks at them."""
    calls: Mapping[str, Location] = field(default_factory=dict)
    """Where the calls stand whose tool calls evaluators look at."""
    judge: bool = False
    """Whether judges are asked again."""
    models: Models = NO_MODELS
    """Without `judge`, only the identities of the judges' models: a kept score is stale if they changed."""


class Scorer:
    """Used from one thread at a time; quickest in the order of the journal."""

    def __init__(self, source: ScoreSource) -> None:
        self._source = source
        self._old = LineReader(source.old_journal)
        self._cases = CaseReader(source.new_journal, source.settings)
        self._calls: dict[str, LineReader] = {}
        self._run_id = source.old_journal.stem

    def score(self, unit: RescoreUnit) -> Rescored | Awaitable[Rescored]:
        """The new result; at once where no evaluator waits for a model or for code.

        Raises:
            StoreError: a journal is damaged or gone.
        """
        fields = self._old.fields_at(unit.position).fields
        planned = self._cases.at(unit.case_position, unit.case_number)
        answer = self._answer(fields, planned)
        offered = self._source.tools[unit.target] if self._source.tools else ()
        tools = recorded_tools(planned.case.vars) if offered is None else offered
        subject = subject_of(planned.case, answer, tools, cached=True)
        models = self._source.models
        kept = {} if self._source.judge else self._kept(planned, subject, fields["scores"])
        judged = judge_now(planned.evaluators, subject, models, kept)
        made = _Made(unit, self._source.targets[unit.target], planned, answer, fields)
        return made.rescored(judged) if isinstance(judged, Verdict) else _later(made, judged)

    def close(self) -> None:
        """Close the journals."""
        self._old.close()
        self._cases.close()
        for reader in self._calls.values():
            reader.close()

    def _answer(self, fields: Mapping[str, Any], planned: PlannedCase) -> KnownAnswer:
        outcome = Outcome(fields["outcome"])
        call_id = fields["call_id"]
        wanted = bool(self._source.calls) and any("tool_calls" in one.reads for one in planned.evaluators)
        return KnownAnswer(
            call_id,
            outcome,
            fields["output"],
            self._tool_calls(call_id) if wanted and call_id is not None else (),
            fields["finish_reason"],
            fields["input_tokens"],
            fields["output_tokens"],
            fields["cost_usd"],
            fields["latency_ms"],
            fields["ttft_ms"],
            None if outcome.evidence else fields["reason"],
        )

    def _tool_calls(self, call_id: str) -> tuple[Mapping[str, object], ...]:
        location = self._source.calls.get(call_id)
        if location is None:
            raise StoreError(
                f"The call {call_id} is not stored any more, and an evaluator looks at its tool calls.",
                hint="Start a new run: `llmctl eval`.",
            )
        reader = self._calls.get(location.run_id)
        if reader is None:
            journal = self._source.old_journal.with_name(f"{location.run_id}.jsonl")
            reader = self._calls[location.run_id] = LineReader(journal)
        return tuple(read_answer(reader, location.position).tool_calls)

    def _kept(self, planned: PlannedCase, subject: Subject, scores: list[Mapping[str, Any]]) -> dict[int, MetricScore]:
        """The old scores of evaluators that ask a judge, by their place among the evaluators."""
        kept: dict[int, MetricScore] = {}
        for number, built in enumerate(planned.evaluators):
            if not built.asks:
                continue
            was = next(
                (one for one in scores if (one["metric"], one["evaluator"]) == (built.metric, built.spec.name)), None
            )
            key = score_key(built, subject.context(self._source.models), self._source.models)
            kept[number] = self._old_score(was, key, built.metric, built.spec.name, built.weight)
        return kept

    def _old_score(
        self, was: Mapping[str, Any] | None, key: str, metric: str, evaluator: str, weight: float
    ) -> MetricScore:
        if was is None:
            sentence = f"The run {self._run_id} has no score of this judge; --judge asks it."
            return MetricScore(metric, evaluator, weight, None, None, sentence, error=True)
        score = MetricScore(**was)
        if score.score_key == key:
            return replace(score, weight=weight)
        sentence = f"Stale: judged in the run {self._run_id}, before a change; --judge asks again. {score.explanation}"
        return replace(score, weight=weight, explanation=sentence, stale=True)


@dataclass(frozen=True, slots=True)
class _Made:
    """All of a result but its verdict."""

    unit: RescoreUnit
    target: TargetName
    planned: PlannedCase
    answer: KnownAnswer
    fields: Mapping[str, Any]

    def rescored(self, verdict: Verdict) -> Rescored:
        unit = self.unit
        key = bytes.fromhex(self.fields["call_key"])
        spooled = SpooledUnit(key, unit.case_position, unit.case_number, unit.target, unit.repeat)
        result = make_result(spooled, self.target, self.planned.case, self.answer, Scored(verdict, cached=True))
        return Rescored(result, self.fields["passed"], self.fields["reason"])


async def _later(made: _Made, judged: Awaitable[Verdict]) -> Rescored:
    return made.rescored(await judged)
