"""Scores stored answers of the older side with the cases of the newer one. Nothing is sent, and nothing is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

from llmctl.compare.diff.request import DiffRequest
from llmctl.compare.side import Side
from llmctl.errors import LlmctlError
from llmctl.evaluators.base import MetricScore, Models
from llmctl.evaluators.code.host import release_code
from llmctl.project.prompt_data import model_from_data, prompt_from_data
from llmctl.providers.requests import frame_for
from llmctl.runs.call_history import Location
from llmctl.runs.history import History
from llmctl.runs.plan import embedder_of
from llmctl.runs.planned_cases import CaseReader
from llmctl.runs.records import TargetName
from llmctl.runs.rescore.bulk import batches
from llmctl.runs.rescore.plan import RescoreUnit, RescoreUnits
from llmctl.runs.rescore.score import Rescored, Scorer, ScoreSource
from llmctl.store.layout import Layout

__all__ = ["NewScore", "OldResult", "ScoredAgain", "score_again"]

_AT_ONCE = 64
"""How many results wait for a model or for code at the same time."""


@dataclass(frozen=True, slots=True)
class OldResult:
    """A result of the older side, and the newer side's case."""

    cell: int
    n: int
    position: int
    """The byte at which its line begins in the older journal."""
    repeat: int
    case_position: int
    """The byte at which the case's line begins in the newer journal."""


@dataclass(frozen=True, slots=True)
class NewScore:
    """A verdict by the newer side's evaluators; `passed` None: there is none without a call."""

    passed: bool | None
    reason: str
    scores: tuple[MetricScore, ...]


@dataclass(slots=True)
class ScoredAgain:
    """What became of the results."""

    scores: dict[int, NewScore] = field(default_factory=dict)
    """By the position of the result."""
    reason: str = ""
    """Why nothing could be scored; empty: it could."""

    def add(self, rescored: Rescored, position: int) -> None:
        """Note one result. A judge's score from before a change is none."""
        result = rescored.result
        stale = any(score.stale and score.weight > 0 for score in result.scores)
        self.scores[position] = NewScore(None if stale else result.passed, result.reason, result.scores)


@dataclass(slots=True)
class _Collected:
    """What child processes hand back, in the order of the units."""

    rescored: list[Rescored] = field(default_factory=list)

    def add(self, rescored: Rescored) -> None:
        """One more."""
        self.rescored.append(rescored)


def score_again(
    old: Side,
    new: Side,
    request: DiffRequest,
    targets: Sequence[tuple[str, str]],
    results: Sequence[OldResult],
    identities: Mapping[str, str],
) -> ScoredAgain:
    """Score results of the older side. `targets`: prompt label and model of each cell on that side.

    `identities`: of the judges' models, by name: a judge's stored score counts where nothing that it read has changed.
    Where a journal is gone or an evaluator's model is not here, nothing is scored, and `reason` says why.
    """
    journals = [Layout(side.database.parent).journal(side.run_id) for side in (old, new)]
    gone = [journal for journal in journals if not journal.exists()]
    if gone:
        return ScoredAgain(reason=f"Its expected answer or evaluators changed, and the journal {gone[0].name} is gone.")
    names = tuple(TargetName(*target) for target in targets)
    source = ScoreSource(journals[0], journals[1], request.config.evaluator_settings, names, ())
    try:
        needs = _needs(source, sorted({result.case_position for result in results}))
        source = replace(source, models=Models(asked=identities))
        source = _with_calls(source, old, request, needs)
        return asyncio.run(_score(source, request, needs, results))
    except LlmctlError as error:
        return ScoredAgain(reason=f"Its expected answer or evaluators changed, and it was not scored again: {error}")


@dataclass(slots=True)
class _Needs:
    """What the evaluators of some cases need."""

    waits: bool = False
    """Whether one that is no judge waits for a model or for code."""
    embeds: bool = False
    reads: set[str] = field(default_factory=set)


def _needs(source: ScoreSource, positions: Sequence[int]) -> _Needs:
    needs = _Needs()
    reader = CaseReader(source.new_journal, source.settings)
    try:
        for position in positions:
            for built in reader.at(position, 0).evaluators:
                needs.waits = needs.waits or (built.waits and not built.asks)
                needs.embeds = needs.embeds or built.embeds
                needs.reads.update(built.reads)
    finally:
        reader.close()
    return needs


def _with_calls(source: ScoreSource, old: Side, request: DiffRequest, needs: _Needs) -> ScoreSource:
    """With the tools that the targets offer, and the calls that hold tool calls, where evaluators look at them."""
    history = History(request.store)
    calls: Mapping[str, Location] = history.calls.calls_of(old.run_id) if "tool_calls" in needs.reads else {}
    if "tools" not in needs.reads:
        return replace(source, calls=calls)
    prompts = {prompt.label: prompt.source for prompt in history.prompts(old.run_id)}
    models = {TargetName(one.prompt, one.model): one.config for one in history.targets(old.run_id)}
    tools = tuple(_offered(prompts[name.prompt], models[name]) for name in source.targets)
    return replace(source, calls=calls, tools=tools)


def _offered(prompt: Mapping[str, object], model: Mapping[str, object]) -> tuple[Mapping[str, object], ...] | None:
    """The tools that a target offered; None: each case has its own."""
    asked = prompt_from_data(prompt)
    return None if asked.recorded else frame_for(asked, model_from_data(model)).tools


async def _score(source: ScoreSource, request: DiffRequest, needs: _Needs, results: Sequence[OldResult]) -> ScoredAgain:
    found = ScoredAgain()
    if not needs.waits:
        async for batch in batches(source, _units(results), _Collected()):
            start = len(found.scores)
            for result, rescored in zip(results[start:], batch.summary.rescored, strict=False):
                found.add(rescored, result.position)
        return found
    async with AsyncExitStack() as stack:
        stack.callback(release_code)
        if needs.embeds:
            embedder = await stack.enter_async_context(embedder_of(request.config, source.settings, offline=True))
            models = replace(source.models, embed=embedder.embed, embedding=embedder.identity())
            source = replace(source, models=models)
        await _wait_for(Scorer(source), results, found)
    return found


async def _wait_for(scorer: Scorer, results: Sequence[OldResult], found: ScoredAgain) -> None:
    """Score results whose evaluators wait, many at a time."""

    async def finish(awaited: Awaitable[Rescored], position: int) -> None:
        found.add(await awaited, position)

    try:
        for part in _parts(results):
            waiting = []
            for result in part:
                rescored = scorer.score(_unit(result))
                if isinstance(rescored, Rescored):
                    found.add(rescored, result.position)
                else:
                    waiting.append(finish(rescored, result.position))
            await asyncio.gather(*waiting)
    finally:
        scorer.close()


def _parts(results: Sequence[OldResult]) -> Iterator[Sequence[OldResult]]:
    for start in range(0, len(results), _AT_ONCE):
        yield results[start : start + _AT_ONCE]


def _units(results: Sequence[OldResult]) -> RescoreUnits:
    units = RescoreUnits()
    for result in results:
        units.add(_unit(result))
    return units


def _unit(result: OldResult) -> RescoreUnit:
    return RescoreUnit(result.position, result.case_position, 0, result.cell, result.repeat)
