"""The events of a run's journal: what is written, in this order, and what everything else is rebuilt from.

run      once, first: who, when, with what
prompt   each prompt version as it was used
target   each prompt x model, resolved
bank     each bank
case     each planned case, with all that its evaluators read
judge    each judge of the banks' evaluators, and the model behind it
plan     once, after the cases: how many results they make
call     each call, as soon as it is answered
result   each (target, case, repeat), as soon as it is scored
end      once, last; a journal without it belongs to a run that is going on or was killed
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from llmctl.evaluators.base import MetricScore
from llmctl.outcome import Outcome
from llmctl.providers.records import Call

__all__ = [
    "BankEvent",
    "CallEvent",
    "CallPurpose",
    "CaseEvent",
    "EndEvent",
    "Event",
    "JudgeEvent",
    "MetricScore",
    "PlanEvent",
    "PlannedTarget",
    "PromptEvent",
    "ResultEvent",
    "RunEvent",
    "RunStatus",
    "TargetEvent",
    "TargetName",
    "UnitName",
]


class RunStatus(StrEnum):
    """How a run ended, or that it did not."""

    RUNNING = "running"
    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    STOPPED = "stopped"


class CallPurpose(StrEnum):
    """What a call was made for."""

    TARGET = "target"
    """Its answer is a result's output."""
    JUDGE = "judge"
    """Its answer is a judgement on one."""


@dataclass(frozen=True, slots=True)
class RunEvent:
    """The head of a run. Times are UTC epoch seconds."""

    run_id: str
    started_at: float
    command: str
    """The command line."""
    planned: int = 0
    """How many results the plan holds; 0 where a `PlanEvent` says it."""
    label: str | None = None
    commit: str | None = None
    branch: str | None = None
    dirty: bool | None = None
    llmctl_version: str = ""
    python_version: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of the packages that can change an answer or a score, where they are installed."""
    options: Mapping[str, object] = field(default_factory=dict)
    """The flags and settings that shaped the plan."""
    pid: int = 0
    format: int = 1
    """Version of the journal's format."""


@dataclass(frozen=True, slots=True)
class PromptEvent:
    """A prompt version used in the run."""

    name: str
    label: str
    digest: str
    rev: str | None = None
    commit: str | None = None
    source: Mapping[str, object] = field(default_factory=dict)
    """Messages (as templates), parameters, tools and output format."""


@dataclass(frozen=True, slots=True)
class TargetEvent:
    """One prompt x model."""

    prompt: str
    """The prompt's label: `triage` or `triage@main`."""
    prompt_name: str
    model: str
    """The model's name in `llmctl.toml`, or the model string."""
    resolved_model: str
    transport: str
    endpoint: str
    params: Mapping[str, object] = field(default_factory=dict)
    price_input: float | None = None
    """USD per million tokens; None: unknown."""
    price_output: float | None = None
    config: Mapping[str, object] = field(default_factory=dict)
    """The model's settings, from which the target can be made again."""


@dataclass(frozen=True, slots=True)
class TargetName:
    """Names a target within a run."""

    prompt: str
    """The prompt's label."""
    model: str


@dataclass(frozen=True, slots=True)
class BankEvent:
    """A bank used in the run."""

    name: str
    path: str
    digest: str
    targets: tuple[TargetName, ...] = ()
    """What its cases are run on."""


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """A planned case, with everything its evaluators read."""

    bank: str
    case_id: str
    vars: Mapping[str, object]
    expected: object = None
    has_expected: bool = False
    tags: tuple[str, ...] = ()
    group: str | None = None
    must_pass: bool = False
    weight: int = 1
    pass_score: float | None = None
    evaluators: tuple[Mapping[str, object], ...] = ()
    """The evaluators' configuration, as data."""
    digest: str = ""
    """Changes when the case's variables, expected answer or evaluators change."""


@dataclass(frozen=True, slots=True)
class PlannedTarget:
    """How many results one target makes of one bank."""

    bank: str
    prompt: str
    """The prompt's label."""
    model: str
    planned: int


@dataclass(frozen=True, slots=True)
class PlanEvent:
    """What the plan holds; in the journal after the last case and before the first call."""

    planned: int
    """How many results."""
    cases: int
    repeat: int = 1
    targets: tuple[PlannedTarget, ...] = ()
    tags: Mapping[str, int] = field(default_factory=dict)
    """Results by tag."""


@dataclass(frozen=True, slots=True)
class JudgeEvent:
    """One judge: who judges, by what. A calibration holds for a judge with the same `key`."""

    bank: str
    metric: str
    model: str
    """The model's name in `llmctl.toml`, or the model string."""
    resolved_model: str
    identity: str
    """Digest of who answers: provider, model, weights, endpoint, parameters."""
    arguments: str
    """Digest of the judge's own arguments: rubric, scale, votes, examples ..."""
    template: int
    """Version of the words in which llmctl asks."""
    key: str
    """Digest of these three."""
    config: Mapping[str, object] = field(default_factory=dict)
    """The model's settings, from which it can be asked again."""


@dataclass(frozen=True, slots=True)
class CallEvent:
    """A call and its id within the store."""

    call_id: str
    call: Call
    purpose: CallPurpose = CallPurpose.TARGET


@dataclass(frozen=True, slots=True)
class ResultEvent:
    """One (target, case, repeat)."""

    bank: str
    case_id: str
    prompt: str
    """The prompt's label."""
    model: str
    repeat: int
    """1, 2, ... : the r-th independent draw."""
    outcome: Outcome
    passed: bool | None
    """None: no evidence."""
    score: float | None
    reason: str
    """Why it failed, or why there is no verdict; empty when passed."""
    call_id: str | None
    call_key: str
    cached: bool = False
    """True where the call's answer was not sent for by this result."""
    output: str | None = None
    finish_reason: str | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    scores: tuple[MetricScore, ...] = ()
    tags: tuple[str, ...] = ()
    expected: str | None = None
    """The expected answer as text, for people."""
    case_number: int | None = None
    """The case's position in the plan, from 0."""
    group: str | None = None
    must_pass: bool = False


@dataclass(frozen=True, slots=True)
class UnitName:
    """Names a result within a run."""

    bank: str
    case_id: str
    prompt: str
    """The prompt's label."""
    model: str
    repeat: int


@dataclass(frozen=True, slots=True)
class EndEvent:
    """How the run ended."""

    status: RunStatus
    ended_at: float
    done: int
    """Results written."""
    error: str | None = None


Event = (
    RunEvent
    | PromptEvent
    | TargetEvent
    | BankEvent
    | CaseEvent
    | PlanEvent
    | JudgeEvent
    | CallEvent
    | ResultEvent
    | EndEvent
)
