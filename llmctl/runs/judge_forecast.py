"""What the judges of a plan would be sent: each is asked as in the run, by somebody who only counts.

Where an answer is stored, the questions are the very ones that the run would ask, so that stored judgements are found;
where it is not, a text of about the length that the answer will have stands in its place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field

from llmctl.evaluators.base import KeptBackError, Models, Question, Reply
from llmctl.evaluators.built import BuiltEvaluator, Judged
from llmctl.evaluators.verdict import Subject
from llmctl.providers.estimate import BYTES_PER_TOKEN, Seen, estimate
from llmctl.providers.requests import call_key
from llmctl.runs.judged_calls import JudgedCalls
from llmctl.runs.plan import Plan
from llmctl.runs.planned_cases import CaseReader
from llmctl.runs.result import subject_of
from llmctl.runs.reuse import KnownAnswers

__all__ = ["JudgeForecast", "forecast_judges"]

_WORD = "word "
_ANSWER_TOKENS = 80.0
"""Of a judge: one or two sentences and a verdict."""


@dataclass(slots=True)
class JudgeForecast:
    """Of one judge's model."""

    model: str
    calls: int = 0
    """Calls that would be sent."""
    kept: int = 0
    """Answers that are stored, or asked for twice."""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0
    """None: the model's price is unknown."""


def forecast_judges(
    plan: Plan, known: KnownAnswers, judged: JudgedCalls, output_tokens: Sequence[int]
) -> tuple[JudgeForecast, ...]:
    """Count what the judges would be asked.

    Args:
        plan: The plan.
        known: The stored answers to its calls.
        judged: The stored answers of its judges.
        output_tokens: Of an answer of each target, about.

    Raises:
        StoreError: the plan, or a stored answer, cannot be read.
    """
    if not plan.judges:
        return ()
    counter = _Counter(plan, judged)
    cases = CaseReader(plan.case_file(), plan.settings)
    try:
        asyncio.run(_ask_all(plan, known, counter, _Source(cases, output_tokens)))
    finally:
        cases.close()
        known.close()
        judged.close()
    return tuple(counter.found.values())


@dataclass(frozen=True, slots=True)
class _Source:
    cases: CaseReader
    output_tokens: Sequence[int]


async def _ask_all(plan: Plan, known: KnownAnswers, counter: _Counter, source: _Source) -> None:
    reader = plan.units.reader()
    models = Models(ask=counter.ask)
    for number in range(len(plan.units)):
        unit = reader.unit(number)
        planned = source.cases.at(unit.case_position, unit.case_number)
        judges = [leaf for built in planned.evaluators if built.asks for leaf in built.leaves if leaf.asks]
        if not judges:
            continue
        target = plan.targets[unit.target]
        stored = number in known
        if stored:
            subject = subject_of(planned.case, known.answer(number), target.tools(planned.case.vars))
        else:
            length = round(source.output_tokens[unit.target] * BYTES_PER_TOKEN)
            text = (_WORD * (length // len(_WORD) + 1))[: max(1, length)]
            case = planned.case
            subject = Subject(text, expected=case.expected, has_expected=case.has_expected, vars=case.vars)
        if subject.outcome.scored:
            for judge in judges:
                await _asked(judge, subject, models, stored=stored)


async def _asked(judge: BuiltEvaluator, subject: Subject, models: Models, *, stored: bool) -> None:
    if not stored:
        judge = BuiltEvaluator(  # what `extract` would find in an answer that is not there is not known
            judge.evaluator, judge.spec, judge.metric, judge.weight, None, judge.against, judge.has_against
        )
    result: Judged | Awaitable[Judged] = judge.judge(subject.context(models))
    if isinstance(result, Judged):
        return
    try:
        await result
    except KeptBackError:
        return  # it has been counted


@dataclass(slots=True)
class _Counter:
    plan: Plan
    judged: JudgedCalls
    found: dict[str, JudgeForecast] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    async def ask(self, question: Question) -> Reply:
        judge = self.plan.judges[question.model]
        row = self.found.setdefault(question.model, JudgeForecast(question.model))
        request = judge.request(question)
        key = call_key(judge.route, request, question.draw)
        if key in self._seen or self.judged.answer(key) is not None:
            row.kept += 1
        else:
            self._seen.add(key)
            one = estimate(request, judge.route, Seen(output_tokens=_ANSWER_TOKENS))
            row.calls += 1
            row.input_tokens += one.input_tokens
            row.output_tokens += one.output_tokens
            row.cost_usd = None if row.cost_usd is None or one.cost_usd is None else row.cost_usd + one.cost_usd
        raise KeptBackError
