"""A model judges the output by a rubric; its verdict is one of a closed set, or there is none."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from llmctl.canonical import written
from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Ask, Context, Evaluator, Question, Score, Scored, Text
from llmctl.evaluators.findings import ArgumentError, Finding
from llmctl.evaluators.judge.prompt import (
    TEMPLATE,
    Part,
    answer_schema,
    data_message,
    pair_instructions,
    single_instructions,
)
from llmctl.evaluators.judge.reply import Said, read_reply
from llmctl.evaluators.judge.scheme import (
    BETTER,
    PAIR,
    PASS_FAIL,
    TIE,
    WORSE,
    Labels,
    Scale,
    Scheme,
    Verdict,
    label_scheme,
    pair_scheme,
    scale_scheme,
)
from llmctl.evaluators.structure.json_text import json_text
from llmctl.evaluators.texts import Texts
from llmctl.evaluators.wording import listed, quote, visible
from llmctl.project.models import EvaluatorSettings

__all__ = ["MAX_TOKENS", "Example", "Judge", "JudgeScore"]

MAX_TOKENS = 1024
"""Of the judge's answer, unless the model's own params say otherwise."""
_MAX_VOTES = 15
_Result = TypeVar("_Result")
_REASON_CHARACTERS = 500
_CLOSING = "Judge the OUTPUT by the rubric. Answer with the JSON object only."
_PAIR_CLOSING = "Compare ANSWER A and ANSWER B by the rubric. Answer with the JSON object only."


@dataclass(frozen=True, slots=True)
class Example:
    """A graded output that the judge is shown before."""

    output: str
    verdict: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class JudgeScore(Score):
    """A score with the verdicts that it comes from, vote by vote."""

    verdicts: tuple[Verdict, ...] = ()


def _examples(value: object) -> tuple[Example, ...]:
    if not isinstance(value, list | tuple):
        raise PydanticCustomError("examples", "must be a list of {output, verdict, why}")
    return tuple(_example(item) for item in value)


def _example(item: object) -> Example:
    if not isinstance(item, Mapping) or not {"output", "verdict"} <= set(item) <= {"output", "verdict", "why"}:
        raise PydanticCustomError("examples", "must be a list of {output, verdict, why}; `why` may be left out")
    return Example(written(item["output"]), written(item["verdict"]), written(item.get("why", "")))


_EXAMPLE = {"type": ["string", "number", "boolean"]}
Examples = Annotated[
    tuple[Example, ...],
    BeforeValidator(_examples),
    WithJsonSchema(
        {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"output": _EXAMPLE, "verdict": _EXAMPLE, "why": _EXAMPLE},
                "required": ["output", "verdict"],
                "additionalProperties": False,
            },
        }
    ),
]


@dataclass(frozen=True, slots=True)
class Judge(Evaluator):
    """A model judges the output by a rubric: pass or fail, a label, a grade, or better than a reference."""

    name: ClassVar = "judge"
    value_field: ClassVar = "rubric"

    rubric: Text
    """What the output must be or do, in the bank's author's words."""
    model: Text = ""
    """Who judges: a name of `[models]`, or a model string; default: `[judge] model` of `llmctl.toml`."""
    labels: Labels | None = None
    """The verdicts in place of pass and fail, with scores or without."""
    pass_labels: Texts | None = None
    """Which of them pass."""
    scale: Scale | None = None
    """Grades in place of labels: `1-5`."""
    threshold: int | None = None
    """The lowest grade that passes."""
    pairwise: bool = False
    """Compare with the reference answer, in both orders."""
    tie: Literal["pass", "fail"] = "fail"
    """What a tie of a pair does."""
    votes: int = 1
    """How often the judge is asked; more than half must pass."""
    examples: Examples = ()
    """Graded outputs that the judge is shown before."""
    reference: bool = False
    """Show the judge the case's `expected` as a reference answer."""
    vars: bool | Texts = True
    """Show the judge the case's variables: all, none, or those of a list."""

    @classmethod
    def defaults(cls, settings: EvaluatorSettings) -> Mapping[str, object]:
        """Arguments that the project's settings stand in for."""
        return {"model": settings.judge.model} if settings.judge.model else {}

    def __post_init__(self) -> None:
        if not self.model:
            raise ArgumentError([Finding("`judge` names no model", (), _MODEL_HINT)])
        if not self.rubric.strip():
            raise ValueError("needs a `rubric` that says something")
        if not 1 <= self.votes <= _MAX_VOTES:
            raise ValueError(f"takes 1 to {_MAX_VOTES} `votes`")
        problem = self._kind_problem()
        if problem:
            raise ValueError(problem)
        for example in self.examples:
            if self.scheme.read(example.verdict) is None:
                known = listed(map(str, self.scheme.verdicts))
                raise ValueError(
                    f"has an example whose verdict is {quote(example.verdict, 60)}, which is none of {known}"
                )

    def _kind_problem(self) -> str | None:
        kinds = [name for name in ("labels", "scale") if getattr(self, name) is not None]
        if self.pairwise:
            kinds.append("pairwise")
        if len(kinds) > 1:
            return f"takes one of `{kinds[0]}` and `{kinds[1]}`, not both"
        if (self.scale is None) != (self.threshold is None):
            return "needs `scale` and `threshold` together: the grades, and the lowest that passes"
        if self.scale is not None and self.threshold is not None:
            low, high = self.scale
            return None if low < self.threshold <= high else f"needs a `threshold` from {low + 1} to {high}"
        if (self.labels is None) != (self.pass_labels is None):
            return "needs `labels` and `pass_labels` together: the verdicts, and which of them pass"
        if self.labels is not None and self.pass_labels is not None:
            return _labels_problem(self.labels, self.pass_labels)
        return "takes no `examples` where pairs are compared" if self.pairwise and self.examples else None

    @property
    def scheme(self) -> Scheme:
        """The verdicts, and what they count for."""
        if self.pairwise:
            return pair_scheme(tie_passes=self.tie == "pass")
        if self.scale is not None and self.threshold is not None:
            return scale_scheme(*self.scale, self.threshold)
        if self.labels is not None:
            return label_scheme(self.labels, self.pass_labels or ())
        return PASS_FAIL

    @property
    def reads(self) -> tuple[str, ...]:
        """What of the context decides the score."""
        expected = ("expected",) if self.needs_expected() else ()
        return (*expected, "tool_calls", *(("vars",) if self.vars else ()))

    def asks(self) -> tuple[str, ...]:
        """Its model."""
        return (self.model,)

    def identity(self) -> object:
        """The version of the words in which it asks, and the order in which labels are offered."""
        return [TEMPLATE, list(self.labels or ())]

    def needs_expected(self) -> bool:
        """For the reference, or to compare with it."""
        return self.reference or self.pairwise

    def case_problem(self, variables: Mapping[str, object]) -> str | None:
        """A variable that it is to be shown and the case lacks."""
        if isinstance(self.vars, bool):
            return None
        missing = next((name for name in self.vars if name not in variables), None)
        return None if missing is None else f"it has no variable {quote(missing, 60)}, which `judge` is to be shown"

    def score(self, context: Context) -> Scored:
        """Ask for each vote, and count them."""
        if not context.output.strip() and not context.tool_calls:
            return Score(0.0, False, "The output is empty: there is nothing to judge.")
        return self._score(context)

    async def _score(self, context: Context) -> Score:
        return self.counted(await self.said(context))

    async def said(self, context: Context) -> Sequence[Said]:
        """What the judge says, vote by vote.

        Raises:
            EvaluatorError: a vote is not what was asked for.
            KeptBackError: a question was not sent.
        """
        if context.ask is None:
            raise EvaluatorError("there is no judge here")
        vote = self._pair if self.pairwise else self._single
        results = await asyncio.gather(
            *(vote(context, context.ask, draw) for draw in range(1, self.votes + 1)), return_exceptions=True
        )
        return _all(results)

    async def _single(self, context: Context, ask: Ask, draw: int) -> Said:
        messages = [_system(single_instructions(self.rubric, self.scheme)), *self._shown()]
        messages.append(_user(data_message([*self._given(context), *_output(context, "OUTPUT")], _CLOSING)))
        reply = await ask(self._question(messages, self.scheme.verdicts, draw))
        return read_reply(reply, self.scheme.verdicts)

    async def _pair(self, context: Context, ask: Ask, draw: int) -> Said:
        """Ask in both orders; where they disagree, what stands first has decided, and it is a tie."""
        reference = _reference(context)
        orders = []
        for own, other in (("ANSWER A", "ANSWER B"), ("ANSWER B", "ANSWER A")):
            pair = [*_output(context, own), Part(other, reference)]
            parts = [*self._given(context), *sorted(pair, key=lambda part: part.name)]
            messages = [_system(pair_instructions(self.rubric)), _user(data_message(parts, _PAIR_CLOSING))]
            orders.append(ask(self._question(messages, PAIR, draw)))
        first, second = _all(await asyncio.gather(*orders, return_exceptions=True))
        return _pair_said(read_reply(first, PAIR), read_reply(second, PAIR))

    def _question(self, messages: Sequence[Mapping[str, str]], verdicts: Sequence[str | int], draw: int) -> Question:
        # Votes at temperature 0 would be one vote, counted several times.
        params = {"max_tokens": MAX_TOKENS} | ({"temperature": 0} if self.votes == 1 else {})
        return Question(self.model, tuple(messages), answer_schema(verdicts), params, draw)

    def _shown(self) -> Iterator[Mapping[str, str]]:
        """The examples, as turns that went before."""
        for example in self.examples:
            yield _user(data_message([Part("OUTPUT", example.output)], _CLOSING))
            answer = {"reason": example.why, "verdict": self.scheme.read(example.verdict)}
            yield {"role": "assistant", "content": json_text(answer)}

    def _given(self, context: Context) -> Iterator[Part]:
        """What stands beside the output: the case's variables, the reference."""
        names = context.vars if self.vars is True else self.vars or ()
        shown = {name: context.vars[name] for name in names if name in context.vars}
        if shown:
            yield Part("INPUT", json_text(shown))
        if self.reference and not self.pairwise:
            yield Part("REFERENCE", _reference(context))

    def counted(self, votes: Sequence[Said]) -> Score:
        """The score of the votes: their mean, passed where more than half of them pass."""
        scheme = self.scheme
        scores = [scheme.scores[vote.verdict] for vote in votes]
        passing = sum(vote.verdict in scheme.passing for vote in votes)
        mean = min(1.0, max(0.0, statistics.fmean(scores)))
        told = self._told(votes, scores, passing)
        return JudgeScore(mean, 2 * passing > len(votes), told, tuple(vote.verdict for vote in votes))

    def _told(self, votes: Sequence[Said], scores: Sequence[float], passing: int) -> str:
        judge = f"The judge ({visible(self.model, 60)})"
        if len(votes) == 1:
            return f"{judge} says {_verdict(votes[0])}{self._bar()}: {_reason(votes[0])}"
        spread = f"scores from {min(scores):g} to {max(scores):g}, standard deviation {statistics.pstdev(scores):.2g}"
        head = f"{judge}: {passing} of {len(votes)} votes pass{self._bar()}; {spread}."
        return "\n".join([head, *(f"- {_verdict(vote)}: {_reason(vote)}" for vote in votes)])

    def _bar(self) -> str:
        """What passes, where the verdict does not say it itself."""
        if self.scale is not None:
            return f" (on a scale of {self.scale[0]} to {self.scale[1]}, {self.threshold} passes)"
        return f" ({listed(self.pass_labels)} passes)" if self.pass_labels else ""


_MODEL_HINT = 'Write `model:` under it, or in llmctl.toml [judge] model = "NAME".'


def _labels_problem(labels: Mapping[str, float | None], passing: Sequence[str]) -> str | None:
    unknown = next((label for label in passing if label not in labels), None)
    if unknown is not None:
        return f"has {quote(unknown, 60)} in `pass_labels`, which is none of its `labels`"
    return "needs a label that does not pass" if set(passing) == set(labels) else None


def _all(results: Sequence[_Result | BaseException]) -> list[_Result]:
    """The results; the first error among them is raised, after all have come."""
    found = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        found.append(result)
    return found


def _system(text: str) -> Mapping[str, str]:
    return {"role": "system", "content": text}


def _user(text: str) -> Mapping[str, str]:
    return {"role": "user", "content": text}


def _output(context: Context, name: str) -> Iterator[Part]:
    yield Part(name, context.output)
    if context.tool_calls:
        yield Part(f"{name}: TOOL CALLS", json_text(context.tool_calls))


def _reference(context: Context) -> str:
    if not context.has_expected:
        raise EvaluatorError("the case has no expected answer")
    value = context.expected
    return value if isinstance(value, str) else json_text(value)


def _pair_said(own_first: Said, own_second: Said) -> Said:
    outcomes = (
        {"A": BETTER, "B": WORSE}.get(str(own_first.verdict), TIE),
        {"A": WORSE, "B": BETTER}.get(str(own_second.verdict), TIE),
    )
    reasons = f"shown first: {_reason(own_first)} Shown second: {_reason(own_second)}"
    if outcomes[0] == outcomes[1]:
        return Said(outcomes[0], reasons)
    return Said(TIE, f"{outcomes[0]} when shown first, {outcomes[1]} when shown second, which is a tie. {reasons}")


def _verdict(said: Said) -> str:
    return visible(str(said.verdict), 60)


def _reason(said: Said) -> str:
    return visible(said.reason.strip(), _REASON_CHARACTERS) or "(no reason given)"
