"""Judges the `good:` and `bad:` samples that wait for a model or for code of the project: `validate --models`.

Judges are asked like in every run: through the gateway, recorded, limited, and not again what they have answered.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from llmctl.errors import CredentialError, ExitCode, LlmctlError, ModelError, Problem, Severity
from llmctl.evaluators.base import KeptBackError, Models
from llmctl.evaluators.built import Judged
from llmctl.evaluators.code.host import release_code
from llmctl.evaluators.samples import EvaluatorSamples, Sample
from llmctl.project.models import Config
from llmctl.runs.head import RunOptions
from llmctl.runs.judge_session import JudgeSession, judge_session, stored_judgements
from llmctl.runs.judged_calls import JudgedCalls
from llmctl.runs.judges import JudgeModel
from llmctl.runs.judging import JudgeCount
from llmctl.runs.plan import embedder_of
from llmctl.runs.records import JudgeEvent
from llmctl.runs.targets import require_keys

__all__ = ["SampleRun", "TriedSamples", "try_samples"]


@dataclass(frozen=True, slots=True)
class SampleRun:
    """What is to be judged, and by whom."""

    config: Config
    samples: Sequence[EvaluatorSamples]
    judges: Mapping[str, JudgeModel] = field(default_factory=dict)
    """The models of all evaluators, by the name they give."""
    events: Sequence[JudgeEvent] = ()


@dataclass(frozen=True, slots=True)
class TriedSamples:
    """What became of it."""

    problems: tuple[Problem, ...]
    """Errors: a sample that is judged otherwise than its author says. Warnings: samples without a judgement."""
    judged: int
    """How many samples have a judgement."""
    missing: int
    """How many have none."""
    counts: Mapping[str, JudgeCount] = field(default_factory=dict)
    """What was asked of each judge's model, by its name."""
    run_id: str | None = None
    """The run in which judges were asked."""
    code: ExitCode | None = None
    """What it ends with where it was stopped: by the budget, or because a judge gives no answers."""


@dataclass(frozen=True, slots=True)
class _Tried:
    """One sample with its judgement; None: it was not asked, because it was stopped."""

    samples: EvaluatorSamples
    sample: Sample
    judged: Judged | None


def try_samples(run: SampleRun, environ: Mapping[str, str], options: RunOptions) -> TriedSamples:
    """Judge every sample that can be judged; of the others it is said why they cannot.

    Raises:
        StoreError: the judges' answers cannot be read or kept.
    """
    blocked = {number: why for number, one in enumerate(run.samples) if (why := _lack(run, one, environ, options))}
    ready = [one for number, one in enumerate(run.samples) if number not in blocked]
    problems = [_untried(run.samples[number], why) for number, why in blocked.items()]
    missing = sum(len(run.samples[number]) for number in blocked)
    asked = {name: run.judges[name] for one in ready for name in one.built.asks}
    known = stored_judgements(run.config, asked, options) if asked else None
    tried, session = asyncio.run(_try(run, ready, _Asking(asked, known, environ, options)))
    problems += _problems(tried, session.stop.reason if session else None)
    missing += sum(one.judged is None or one.judged.score is None for one in tried)
    if session is None:
        return TriedSamples(tuple(problems), _judged(tried), missing)
    code = session.stop.code if session.stop.requested else None
    return TriedSamples(tuple(problems), _judged(tried), missing, session.counts, session.run_id, code)


def _judged(tried: Sequence[_Tried]) -> int:
    return sum(one.judged is not None and one.judged.score is not None for one in tried)


def _lack(run: SampleRun, samples: EvaluatorSamples, environ: Mapping[str, str], options: RunOptions) -> str:
    """What an evaluator needs and is not there, as a sentence; empty where it has all."""
    try:
        if samples.built.embeds:
            embedder_of(run.config, run.config.evaluator_settings, offline=options.offline).check()
        absent = next((name for name in samples.built.asks if name not in run.judges), None)
        if absent is not None:
            return f"the model {absent} cannot be asked."
        require_keys([run.judges[name].route for name in samples.built.asks], environ)
    except (CredentialError, ModelError) as error:
        return _sentences(error)
    return ""


def _sentences(error: LlmctlError) -> str:
    return f"{error.message} {error.hint}" if error.hint else error.message


@dataclass(frozen=True, slots=True)
class _Asking:
    """How judges are asked."""

    judges: Mapping[str, JudgeModel]
    known: JudgedCalls | None
    environ: Mapping[str, str]
    options: RunOptions


async def _try(
    run: SampleRun, ready: Sequence[EvaluatorSamples], asking: _Asking
) -> tuple[list[_Tried], JudgeSession | None]:
    try:
        async with _models(run, ready, asking) as (models, session):
            tried = await asyncio.gather(*(_one(samples, sample, models) for samples in ready for sample in samples))
    finally:
        release_code()
    return list(tried), session


@asynccontextmanager
async def _models(
    run: SampleRun, ready: Sequence[EvaluatorSamples], asking: _Asking
) -> AsyncIterator[tuple[Models, JudgeSession | None]]:
    """The models that the evaluators use, as long as they are needed."""
    async with AsyncExitStack() as stack:
        models, session = Models(), None
        if asking.known is not None:
            events = [event for event in run.events if event.model in asking.judges]
            session = await stack.enter_async_context(
                judge_session(run.config, asking.environ, asking.options, asking.judges, events, asking.known)
            )
            models = session.models
        if any(one.built.embeds for one in ready):
            settings = run.config.evaluator_settings
            embedder = await stack.enter_async_context(
                embedder_of(run.config, settings, offline=asking.options.offline)
            )
            models = Models(embedder.embed, embedder.identity(), models.ask, models.asked)
        yield models, session


async def _one(samples: EvaluatorSamples, sample: Sample, models: Models) -> _Tried:
    result = samples.judge(sample, models)
    try:
        judged = result if isinstance(result, Judged) else await result
    except KeptBackError:
        judged = None
    return _Tried(samples, sample, judged)


def _problems(tried: Sequence[_Tried], stopped: str | None) -> Iterator[Problem]:
    """Every wrong judgement, and for each evaluator and reason one on what has none."""
    silent: dict[tuple[int, str], list[_Tried]] = defaultdict(list)
    for one in tried:
        if one.judged is None or one.judged.score is None:
            reason = f"it was stopped: {stopped}" if one.judged is None else one.judged.error or "it gave none"
            silent[id(one.samples), reason].append(one)
        elif problem := one.samples.problem(one.sample, one.judged):
            yield problem
    for (_, reason), found in silent.items():
        first = found[0]
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        message = f"`{first.samples.name}` gave no judgement on its {first.sample.told}{more}: {reason.rstrip('.')}."
        yield Problem(message, first.samples.built.spec.place, severity=Severity.WARNING)


def _untried(samples: EvaluatorSamples, why: str) -> Problem:
    message = f"The samples of `{samples.name}` were not judged: {why}"
    return Problem(message, samples.built.spec.place, severity=Severity.WARNING)
