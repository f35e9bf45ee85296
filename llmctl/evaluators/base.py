"""The contract of an evaluator: a frozen dataclass whose fields are its YAML arguments, and one method.

@dataclass(frozen=True, slots=True)
class Contains(Evaluator):
    \"\"\"The output contains a text.\"\"\"
    name: ClassVar = "contains"
    value_field: ClassVar = "text"
    text: Text
    ignore_case: bool = False

    def score(self, context: Context) -> Score: ...
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from pydantic import BeforeValidator

from llmctl.canonical import written
from llmctl.outcome import Outcome

__all__ = [
    "SETTING",
    "Ask",
    "Context",
    "Embed",
    "Evaluator",
    "KeptBackError",
    "MetricScore",
    "Models",
    "Question",
    "Reply",
    "Score",
    "Scored",
    "Text",
    "Vector",
]

SETTING: Mapping[str, object] = {"setting": True}
"""Metadata of a field that is no argument: `defaults` fills it from the project's settings; no key depends on it."""

Vector = Sequence[float]
Embed = Callable[[Sequence[str]], Awaitable[Sequence[Vector]]]
"""Texts in, one unit-length vector for each out; answered in batches by a child process."""


@dataclass(frozen=True, slots=True)
class Question:
    """What an evaluator asks a model: one request, and which draw of its answer."""

    model: str
    """A name of `[models]` in `llmctl.toml`, or a model string."""
    messages: tuple[Mapping[str, str], ...]
    """`{role, content}`, in order."""
    schema: Mapping[str, object]
    """The JSON Schema of the answer; where the model can be held to it, it is."""
    params: Mapping[str, object] = field(default_factory=dict)
    """`temperature`, `max_tokens` ...; the model's own settings win."""
    draw: int = 1
    """1, 2, ...: another draw of the same question is another call."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. Only `answered` holds a whole answer."""

    outcome: Outcome
    text: str | None = None
    error: str | None = None
    """One sentence, where there is no answer."""


Ask = Callable[[Question], Awaitable[Reply]]
"""One question to a model, through limits, budget, journal and cache like every other call.

Raises:
    KeptBackError: it is not sent now, though another time it may be; the evaluator must let it pass.
"""


class KeptBackError(Exception):
    """A question was not sent, because the run stops. The result is then missing, and not one without a verdict."""


@dataclass(frozen=True, slots=True)
class Models:
    """The models that evaluators may use, and what their scores depend on."""

    embed: Embed | None = None
    embedding: str = ""
    """Identity of the embedding model: its name and the hash of its weights."""
    ask: Ask | None = None
    asked: Mapping[str, str] = field(default_factory=dict)
    """Identity of each model that may be asked, by the name that questions give."""


def _as_written(value: object) -> object:
    return written(value) if isinstance(value, str | int | float | bool) else value


Text = Annotated[str, BeforeValidator(_as_written)]
"""Text; a YAML number or truth value counts as the text its author wrote (`1.10` stays `1.10`)."""


@dataclass(frozen=True, slots=True)
class Score:
    """The judgement of one evaluator on one output."""

    score: float
    """In [0, 1]; NaN is refused."""
    passed: bool
    explanation: str
    """What was compared, and why it passed or failed: a sentence that a person can act on."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.score <= 1.0:
            raise ValueError(f"a score lies between 0 and 1, not {self.score}")


Scored = Score | Awaitable[Score]
"""Deterministic evaluators answer at once; those that ask a model answer later."""


@dataclass(frozen=True, slots=True)
class Context:
    """Everything an evaluator may look at."""

    output: str
    """The text to judge: after `extract`, where the bank has one."""
    raw_output: str = ""
    """The whole answer."""
    expected: object = None
    """From the case, or from `against`. `has_expected` tells null from absent."""
    has_expected: bool = False
    vars: Mapping[str, object] = field(default_factory=dict)
    outcome: Outcome = Outcome.ANSWERED
    finish_reason: str | None = None
    tool_calls: Sequence[Mapping[str, object]] = ()
    latency_ms: float | None = None
    ttft_ms: float | None = None
    cost_usd: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached: bool = False
    """The answer is one from before: its times and its cost are those of its own call."""
    tools: Sequence[Mapping[str, object]] = ()
    """The tools that the prompt offers, as they are sent."""
    embed: Embed | None = None
    ask: Ask | None = None


@dataclass(frozen=True, slots=True)
class MetricScore:
    """One evaluator's judgement on one result; `score` and `passed` are None where it broke."""

    metric: str
    evaluator: str
    weight: float
    score: float | None
    passed: bool | None
    explanation: str
    error: bool = False
    extracted: str | None = None
    """What `extract` found, where the bank has one."""
    score_key: str = ""
    stale: bool = False
    """It was made for an earlier run, and what decides it has changed since."""


class Evaluator(ABC):
    """Scores one output. Subclasses are frozen dataclasses; their docstring opens their documentation."""

    __slots__ = ()

    name: ClassVar[str]
    """The word that stands in a bank."""
    value_field: ClassVar[str | None] = None
    """The field that the one value under the name fills: `contains: sorry` fills `text`."""
    runs_code: ClassVar[bool] = False
    """Whether it runs code of the project, which nothing does that only looks at the files."""

    @abstractmethod
    def score(self, context: Context) -> Scored:
        """Judge the output.

        Raises:
            EvaluatorError: it cannot be judged (never for an output that is merely wrong).
        """

    def needs_expected(self) -> bool:
        """Whether, with these arguments, a case without `expected` is an error."""
        return False

    def embeds(self) -> bool:
        """Whether it uses `context.embed`, so that the embedding model must start with the plan."""
        return False

    def asks(self) -> Sequence[str]:
        """The models that it asks through `context.ask`: they and their keys are found when the plan is made."""
        return ()

    def identity(self) -> object:
        """What beside the arguments changes the score (a model's name or hash); part of the score key."""
        return None
