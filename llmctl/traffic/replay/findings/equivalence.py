"""Whether another text says the same: by an evaluator that takes what was logged as the expected answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from llmctl.errors import ProjectError, UsageError
from llmctl.evaluators.base import Context, Embed
from llmctl.evaluators.built import BuiltEvaluator, Judged, judge_all
from llmctl.evaluators.registry import COMBINATORS, build, names
from llmctl.evaluators.wording import nearest
from llmctl.project.models import Config, EvaluatorSettings, EvaluatorSpec
from llmctl.runs.plan import embedder_of
from llmctl.traffic.replay.findings.examined import Examined

if TYPE_CHECKING:
    from llmctl.providers.embeddings import Embedder

__all__ = ["Equivalence", "TwoAnswers", "check_equivalent"]


@dataclass(frozen=True, slots=True)
class TwoAnswers:
    """Two answers that differ, and may still say the same."""

    before: Examined
    after: Examined


def check_equivalent(name: str, config: Config | None) -> None:
    """Say before anything is sent that an evaluator is of no use for `--equivalent`.

    Raises:
        UsageError: there is none of this name, it has no expected answer, or it asks a model or runs code.
        ModelError: it needs the embedding model, which is not here.
    """
    settings = _settings(config)
    if _built(name, settings).embeds and config is not None:
        embedder_of(config, settings).check()


class Equivalence:
    """Asks the evaluator about many pairs at a time. To be entered; it starts the embedding model where one is needed.

    Raises (on entering):
        UsageError: as `check_equivalent`.
    """

    def __init__(self, name: str, config: Config | None, *, offline: bool = False) -> None:
        self.name = name
        self.undecided = 0
        """Pairs that the evaluator broke on: they count as changed."""
        self.reason = ""
        """Why, of the first."""
        self._config = config
        self._settings = _settings(config)
        self._evaluator = _built(name, self._settings)
        self._offline = offline
        self._runner: asyncio.Runner | None = None
        self._stack = AsyncExitStack()
        self._embed: Embed | None = None

    def __enter__(self) -> Self:
        if self._evaluator.waits:
            self._runner = asyncio.Runner()
            if self._evaluator.embeds:
                self._embed = self._runner.run(self._stack.enter_async_context(self._embedder())).embed
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            try:
                self._runner.run(self._stack.aclose())
            finally:
                self._runner.close()

    def judge(self, pairs: Sequence[TwoAnswers]) -> list[bool]:
        """Whether the two of each pair are equivalent."""
        contexts = [self._context(pair) for pair in pairs]
        if self._runner is None:
            judged = [one for context in contexts for one in self._at_once(context)]
        else:
            judged = self._runner.run(self._later(contexts))
        return [self._verdict(one) for one in judged]

    def _embedder(self) -> Embedder:
        if self._config is None:
            raise UsageError(f"`--equivalent {self.name}` needs a project, whose store keeps its vectors.")
        embedder = embedder_of(self._config, self._settings, offline=self._offline)
        embedder.check()
        return embedder

    def _at_once(self, context: Context) -> list[Judged]:
        judged = judge_all([self._evaluator], context)
        if not isinstance(judged, list):
            raise TypeError(f"the evaluator {self.name} waits, though it says that it does not")
        return judged

    async def _later(self, contexts: Sequence[Context]) -> list[Judged]:
        async def one(context: Context) -> Judged:
            judged = judge_all([self._evaluator], context)
            return (judged if isinstance(judged, list) else await judged)[0]

        return list(await asyncio.gather(*map(one, contexts)))

    def _verdict(self, judged: Judged) -> bool:
        if judged.score is None:
            self.undecided += 1
            self.reason = self.reason or judged.error or ""
        return judged.passed

    def _context(self, pair: TwoAnswers) -> Context:
        after = pair.after.answer
        return Context(
            pair.after.text,
            pair.after.text,
            expected=pair.before.text,
            has_expected=True,
            finish_reason=after.finish_reason,
            tool_calls=after.tool_calls,
            embed=self._embed,
        )


def _settings(config: Config | None) -> EvaluatorSettings:
    return config.evaluator_settings if config else EvaluatorSettings()


def _built(name: str, settings: EvaluatorSettings) -> BuiltEvaluator:
    if name not in names() - COMBINATORS:
        near = nearest(name, names() - COMBINATORS)
        raise UsageError(f'There is no evaluator "{name[:60]}".', hint=near or "Such as: exact, token_f1, semantic.")
    try:
        built = build(EvaluatorSpec(name), None, settings)
    except ProjectError as error:
        raise UsageError(
            f"`--equivalent {name}` needs arguments, and takes none: {error.problems[0].message}"
        ) from None
    if built.asks or built.runs_code:
        raise UsageError(
            f"`--equivalent {name}` would ask a model or run code for every pair of answers.",
            hint="Give it as an evaluator of a bank, with `--bank`, where its calls are planned and paid for.",
        )
    if not built.needs_expected and "expected" not in built.reads:
        raise UsageError(
            f"`--equivalent {name}` compares an answer with nothing.",
            hint="Such as: exact, json_match, token_f1, levenshtein, semantic.",
        )
    return built
