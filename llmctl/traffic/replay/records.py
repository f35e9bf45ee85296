"""What the parts of a replay meet in: the calls chosen, and the answers of each lane."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from llmctl.outcome import Outcome
from llmctl.traffic.logged_call import LoggedCall

__all__ = ["Choice", "ChosenCall", "Lane", "LaneAnswer", "Mode", "ReplayedCall"]


class Mode(StrEnum):
    """How a logged call is asked again."""

    VERBATIM = "verbatim"
    """The same messages, of another model or with other parameters."""
    TEMPLATE = "template"
    """Its variables, rendered through another prompt."""
    OUTPUT_ONLY = "output-only"
    """Not at all: its answer is scored as it was logged."""


class Lane(StrEnum):
    """Where an answer comes from."""

    OBSERVED = "observed"
    """Production: what was logged."""
    BASELINE = "baseline"
    """The same request to the same model, once more."""
    CANDIDATE = "candidate"
    """What comes next."""


@dataclass(frozen=True, slots=True)
class ChosenCall:
    """A logged call that is to be asked again."""

    id: str
    """In the store; the id of its case."""
    call: LoggedCall
    weight: int = 1
    """How many logged calls it stands for."""
    variables: Mapping[str, object] | None = None
    """What a template is rendered with; None outside of that mode."""


@dataclass(slots=True)
class Choice:
    """What became of the calls that were looked at; counted while the chosen ones are handed out."""

    looked_at: int = 0
    chosen: int = 0
    set_aside: Counter[str] = field(default_factory=Counter)
    """Calls that cannot be asked again, by reason."""
    duplicates: int = 0
    """Calls that another one stands for."""
    not_sampled: int = 0


@dataclass(frozen=True, slots=True)
class LaneAnswer:
    """One answer to a call, in one lane."""

    outcome: Outcome | None
    """None: the log does not say."""
    output: str | None = None
    tool_calls: tuple[Mapping[str, object], ...] = ()
    finish_reason: str | None = None
    error: str | None = None
    latency_ms: float | None = None
    cost_usd: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    passed: bool | None = None
    """By the evaluators; None: there are none, or they give no evidence."""
    reason: str = ""
    """Why it did not pass."""
    cached: bool = False


@dataclass(frozen=True, slots=True)
class ReplayedCall:
    """A logged call with the answers of all lanes."""

    chosen: ChosenCall
    observed: LaneAnswer
    baseline: LaneAnswer | None = None
    candidate: LaneAnswer | None = None
    """None: it was not asked, or the run was stopped before."""
