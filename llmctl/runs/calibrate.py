"""Has a judge judge what people have judged: the calls are recorded as a run, limited and reused like every other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass

from llmctl.errors import ExitCode
from llmctl.evaluators.base import KeptBackError, Models
from llmctl.evaluators.built import Judged
from llmctl.evaluators.judge.judge import JudgeScore
from llmctl.evaluators.judge.scheme import Scheme, Verdict
from llmctl.project.models import Config
from llmctl.runs.calibration import Pair, consensus
from llmctl.runs.calibration_plan import CalibrationPlan, Item
from llmctl.runs.head import RunOptions
from llmctl.runs.judge_session import judge_session, stored_judgements
from llmctl.runs.judged_calls import JudgedCalls
from llmctl.runs.judging import JudgeCount

__all__ = ["Calibrated", "JudgedItem", "calibrate"]


@dataclass(frozen=True, slots=True)
class JudgedItem:
    """One labelled output, and what the judge says of it."""

    item: Item
    people: Verdict | None
    """What the raters say together."""
    judge: Verdict | None
    """None: no verdict."""
    passes: bool
    explanation: str
    """The judge's reason, or why there is no verdict."""

    @property
    def pair(self) -> Pair:
        """For the figures."""
        return Pair(self.people, tuple(self.item.labelled.verdicts.values()), self.judge, self.passes)


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What became of it."""

    items: tuple[JudgedItem, ...]
    kept_back: int
    """Outputs that were not judged, because it was stopped."""
    count: JudgeCount
    run_id: str
    reason: str | None = None
    """Why it was stopped."""
    code: ExitCode = ExitCode.STOPPED


def calibrate(plan: CalibrationPlan, config: Config, environ: Mapping[str, str], options: RunOptions) -> Calibrated:
    """Ask the judge about every labelled output.

    Raises:
        StoreError: the journal or the store cannot be used.
    """
    return asyncio.run(_calibrate(plan, config, environ, options, stored_judgements(config, plan.models, options)))


async def _calibrate(
    plan: CalibrationPlan, config: Config, environ: Mapping[str, str], options: RunOptions, known: JudgedCalls
) -> Calibrated:
    async with judge_session(config, environ, options, plan.models, [plan.judge], known) as session:
        judged = await _all(plan.items, plan.scheme, session.models)
    done = tuple(item for item in judged if item is not None)
    count, stop = session.counts.get(plan.judge.model, JudgeCount()), session.stop
    return Calibrated(done, len(judged) - len(done), count, session.run_id, stop.reason, stop.code)


async def _all(items: Sequence[Item], scheme: Scheme, models: Models) -> list[JudgedItem | None]:
    return await asyncio.gather(*(_one(item, scheme, models) for item in items))


async def _one(item: Item, scheme: Scheme, models: Models) -> JudgedItem | None:
    """One output; None where the question was kept back."""
    result: Judged | Awaitable[Judged] = item.judge.judge(item.subject.context(models))
    try:
        judged = result if isinstance(result, Judged) else await result
    except KeptBackError:
        return None
    people = consensus(tuple(item.labelled.verdicts.values()), scheme)
    if not isinstance(judged.score, JudgeScore):
        return JudgedItem(item, people, None, False, judged.explanation)
    verdict = scheme.summary(judged.score.verdicts)
    return JudgedItem(item, people, verdict, judged.score.passed, judged.explanation)
