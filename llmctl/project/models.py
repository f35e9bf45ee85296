"""The project as the rest of llmctl sees it: frozen, resolved, every value where it belongs.

The files themselves are described in `config_file`, `prompt_file` and `bank_file`; those shapes end at this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from llmctl.errors import Place, Problem
from llmctl.project.app_target import AppTarget

__all__ = [
    "Bank",
    "Case",
    "CaseReference",
    "Config",
    "EvalSettings",
    "EvaluatorSettings",
    "EvaluatorSpec",
    "FilePart",
    "GateRules",
    "GateSettings",
    "ImagePart",
    "JudgeSettings",
    "Message",
    "MessagePart",
    "ModelConfig",
    "OutputFormat",
    "PlaceholderMessage",
    "Price",
    "Prompt",
    "RateRule",
    "SemanticSettings",
    "TextPart",
]

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class TextPart:
    """A text inside a message; a template."""

    text: str
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image inside a message: a file of the project, or the address that the provider reads it from."""

    file: str | None = None
    """A template that makes a path, relative to the project's root."""
    url: str | None = None
    """A template that makes an `http` or `https` address."""
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file inside a message, such as a PDF."""

    file: str
    """A template that makes a path, relative to the project's root."""
    place: Place | None = None


MessagePart = TextPart | ImagePart | FilePart


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt: a Jinja2 template, or parts that hold one each."""

    role: str
    content: str | tuple[MessagePart, ...]
    place: Place | None = None
    """Where the template's text begins, so that an error in it can be shown on its own line."""


@dataclass(frozen=True, slots=True)
class PlaceholderMessage:
    """A list of messages taken from the case's variable `name`; none if the case has none."""

    name: str
    place: Place | None = None


class OutputFormat(StrEnum):
    """What the prompt asks the provider to answer with."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt file, at the revision it was read from."""

    name: str
    """Path below the prompts directory, without `.yaml`, with `/` on every system."""
    path: Path
    messages: tuple[Message | PlaceholderMessage, ...]
    """Empty for a `target`."""
    model: str | None = None
    params: Mapping[str, object] = field(default_factory=dict)
    output: OutputFormat = OutputFormat.TEXT
    schema: Mapping[str, object] | None = None
    tools: tuple[Mapping[str, object], ...] = ()
    tool_choice: object = None
    target: AppTarget | None = None
    """The user's own application, which answers in place of a model."""
    recorded: bool = False
    """Whether a logged request is sent again: all that is asked stands in the case's variable `request`; `params` go
    over the model's then."""
    description: str | None = None
    rev: str | None = None
    """The revision as the user named it (`main`), None for the working tree."""
    commit: str | None = None
    """The commit that `rev` resolved to."""
    digest: str = ""
    """SHA-256 over everything above that can change an answer (line ends already LF)."""
    place: Place | None = None

    @property
    def attaches(self) -> bool:
        """Whether a message holds an image or a file."""
        contents = [message.content for message in self.messages if isinstance(message, Message)]
        return any(not isinstance(part, TextPart) for parts in contents if not isinstance(parts, str) for part in parts)

    @property
    def label(self) -> str:
        """`triage`, or `triage@main` when read from a revision: what tables and results call it."""
        return f"{self.name}@{self.rev}" if self.rev else self.name


@dataclass(frozen=True, slots=True)
class CaseReference:
    """`{from: expected/total}`: an evaluator argument taken from the case, by a path of keys."""

    path: tuple[str, ...]
    """First `vars` or `expected`, then keys or list indexes."""


@dataclass(frozen=True, slots=True)
class EvaluatorSpec:
    """One evaluator as a bank names it; `llmctl.evaluators.registry.build` turns it into an evaluator."""

    name: str
    """`exact`, `contains`, `not` ..."""
    args: object = None
    """What stands under the name: None (nothing), a mapping (arguments), or its one value. May hold CaseReference."""
    weight: float = 1.0
    metric: str | None = None
    """The name results carry; default: the evaluator's name."""
    extract: str | None = None
    """JSON pointer (begins with `/`, or is empty) or regular expression, applied to the output first."""
    against: object = None
    """Stands in for `expected`: a value or a CaseReference. `has_against` tells None from absent."""
    has_against: bool = False
    good: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    children: tuple[EvaluatorSpec, ...] = ()
    """The specs inside `not`, `any` and `all`; `args` is None then."""
    place: Place | None = None
    arg_places: Mapping[tuple[str | int, ...], Place] = field(default_factory=dict, compare=False, repr=False)
    """Where each argument stands, by its path under `args`."""

    @property
    def metric_name(self) -> str:
        """The name under which scores of this evaluator are kept."""
        return self.metric or self.name


@dataclass(frozen=True, slots=True)
class Case:
    """One case of a bank, defaults merged in and evaluators inherited."""

    bank: str
    id: str
    vars: Mapping[str, object]
    evaluators: tuple[EvaluatorSpec, ...]
    expected: object = None
    has_expected: bool = False
    tags: tuple[str, ...] = ()
    must_pass: bool = False
    group: str | None = None
    weight: int = 1
    """How many equal rows this case stands for (`duplicates: merge`)."""
    pass_score: float | None = None
    """Weighted mean that passes; None: every evaluator with weight > 0 must pass."""
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class RateRule:
    """`min_pass_rate`: as observed on this bank, or with a confidence about cases like these."""

    rate: float
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class GateRules:
    """The rules of a bank's `gate:`, or of one tag in it; None: no such rule."""

    min_pass_rate: RateRule | None = None
    max_new_failures: int | None = None
    margin: float | None = None
    max_flake_rate: float | None = None
    max_latency_p95_ms: float | None = None
    max_cost_per_1000_usd: float | None = None
    tags: Mapping[str, GateRules] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict, compare=False, repr=False)
    """Where each rule stands, by its key."""


@dataclass(frozen=True, slots=True)
class Bank:
    """A test bank without its cases: those are read one by one, as often as somebody asks."""

    name: str
    path: Path
    reader: Callable[[list[Problem]], Iterator[Case]] = field(compare=False, repr=False)
    """Reads the cases from the beginning; see `read_cases`."""
    prompts: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    """Empty: each prompt's own model."""
    evaluators: tuple[EvaluatorSpec, ...] = field(default=(), compare=False, repr=False)
    """Those of the bank itself, which its cases have unless they say `inherit: false`."""
    pass_score: float | None = None
    """Of the bank itself, which its cases have unless they say another."""
    gate: GateRules | None = None
    description: str | None = None
    digest: str = ""
    """SHA-256 over the bank's file and the files that it names (line ends LF)."""
    place: Place | None = None

    def read_cases(self, problems: list[Problem]) -> Iterator[Case]:
        """The cases in the file's order, then those of its includes, each read anew and kept by nobody.

        Mistakes are added to `problems` on the way, the last of them when the iterator ends: a bank whose cases have
        brought an error is not to be run.
        """
        return self.reader(problems)


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens."""

    input: float
    output: float


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """`[models.NAME]`, or a bare litellm model string under its own name."""

    name: str
    model: str
    """The litellm model string: `openai/gpt-4o-mini`, `local/smollm2-135m`, `fake/echo`."""
    transport: str | None = None
    """`direct`, `litellm`: forces one; None: the endpoint table decides."""
    api_key_env: str | None = None
    api_base: str | None = None
    params: Mapping[str, object] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    price: Price | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class EvalSettings:
    """`[eval]`."""

    concurrency: int = 32
    repeat: int = 1
    timeout_s: float = 60.0
    cache_max_age: str = "7d"
    max_cost: float | None = None


@dataclass(frozen=True, slots=True)
class SemanticSettings:
    """`[semantic]`."""

    model: str = "all-MiniLM-L6-v2"
    threshold: float = 0.8


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """`[judge]`."""

    model: str | None = None
    """Who judges where a `judge` names nobody: a name of `[models]`, or a model string."""
    place: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class EvaluatorSettings:
    """What of the project evaluators are built with."""

    semantic: SemanticSettings = SemanticSettings()
    allow_code: bool = False
    """Whether evaluators may run code of the project."""
    root: Path = Path()
    """The project's directory, in which that code lies."""
    judge: JudgeSettings = JudgeSettings()


@dataclass(frozen=True, slots=True)
class GateSettings:
    """`[gate]`: the defaults of the `gate` command; `rules` hold for banks without their own."""

    baseline: str | None = None
    inconclusive: str = "fail"
    alpha: float = 0.05
    max_missing: float = 0.02
    rules: GateRules | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """`llmctl.toml`, with its defaults filled in."""

    root: Path
    """The directory that holds the file: nothing outside it is ever read."""
    path: Path
    prompts: Path
    testbanks: Path
    store: Path
    models: Mapping[str, ModelConfig] = field(default_factory=dict)
    eval: EvalSettings = EvalSettings()
    semantic: SemanticSettings = SemanticSettings()
    judge: JudgeSettings = JudgeSettings()
    gate: GateSettings = GateSettings()
    allow_code: bool = False
    """Whether targets and evaluators may run a command or a Python function."""

    @property
    def evaluator_settings(self) -> EvaluatorSettings:
        """What evaluators are built with."""
        return EvaluatorSettings(self.semantic, self.allow_code, self.root, self.judge)

    @property
    def key_variables(self) -> tuple[str, ...]:
        """The variables that hold the models' keys, whatever they are called."""
        return tuple(model.api_key_env for model in self.models.values() if model.api_key_env)
