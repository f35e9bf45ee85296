"""What a replay says, as every renderer reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from llmctl.compare.diff_report import Difference, RatioDiff
from llmctl.stats.intervals import Interval
from llmctl.traffic.replay.records import Choice, Lane, Mode

__all__ = [
    "Break",
    "CandidateFindings",
    "Comparison",
    "Fault",
    "Kind",
    "LaneFigures",
    "Likeness",
    "Noise",
    "Part",
    "PartOf",
    "PassChange",
    "Ratios",
    "ReplayReport",
    "Share",
    "WorstCall",
]


class Kind(StrEnum):
    """What became of an answer, compared with an earlier one to the same call."""

    SAME = "same"
    """The same text but for line ends and white space at the ends of lines; the same tool calls."""
    EQUIVALENT = "equivalent"
    """Another text that says the same: equal as JSON, or by the evaluator that was asked for."""
    CHANGED = "changed"
    BROKEN = "broken"
    """It has a fault that the earlier one did not have."""
    MENDED = "mended"
    """The earlier one had a fault, and this one has none."""
    NOT_COMPARED = "not compared"
    """One of the two was not asked, the log does not hold it, or a provider failed: there is no evidence."""


class Fault(StrEnum):
    """Why an answer is broken. The first that applies counts, in this order."""

    TOO_LONG = "too long"
    """The request is longer than the model's context."""
    REFUSAL = "refusal"
    """The provider's refusal or content filter, or a text that says so."""
    EMPTY = "empty"
    TRUNCATED = "truncated"
    """Cut off at the token limit."""
    TOOL_CALL = "tool call"
    """Another tool, other arguments, one less or one more."""
    FORMAT = "format"
    """JSON was asked for, or came before, and this is none."""
    SCHEMA = "schema"
    """JSON that violates the schema of the logged request."""


@dataclass(frozen=True, slots=True)
class Break:
    """A fault, and what is known of it."""

    fault: Fault
    detail: str = ""
    """A few words on it, which may hold text of a model."""
    step: int | None = None
    """Of a tool call: the first that differs, counted from 1."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """Two answers to the same call, compared."""

    kind: Kind
    broken: Break | None = None
    """Where the kind is BROKEN: why; where it is MENDED: what the earlier one had."""
    similarity: float | None = None
    """In [0, 1], by words; None: there is nothing to compare."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many of the calls: counted, weighted by the logged calls that each stands for, and how sure that is."""

    calls: int
    weight: int
    """Logged calls."""
    rate: float | None
    """`weight` over the weight of all that were compared; None: there are none."""
    interval: Interval | None = None
    """95 %."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The answers of one lane, beside those of another."""

    before: Lane
    after: Lane
    calls: int
    """Compared."""
    weight: int
    """Logged calls that they stand for."""
    not_compared: int
    clusters: int
    """Independent groups of calls: conversations, where the log names them."""
    differs: Share
    """Changed, broken or mended."""
    kinds: Mapping[Kind, Share]
    faults: Mapping[Fault, Share]
    """Of the broken ones; those that are there."""
    steps: Mapping[int, int] = field(default_factory=dict)
    """Diverged tool calls by the step at which they did, and how many calls."""
    method: str = "Wilson"
    """Of the intervals."""


@dataclass(frozen=True, slots=True)
class Noise:
    """How much more the candidate differs from what was logged than the same model does when it is asked again."""

    calls: int
    """Compared in both lanes."""
    candidate: Share
    """Differs from what was logged."""
    rerun: Share
    difference: Difference
    """The first less the second, of the same calls."""
    broken: Difference
    """The same of broken answers alone."""


@dataclass(frozen=True, slots=True)
class LaneFigures:
    """Sums over the answers of a lane, weighted by logged calls; of calls that the candidate answered as well."""

    lane: Lane
    answers: int
    """Calls with evidence."""
    missing: int
    """Calls without."""
    input_tokens: int
    output_tokens: int
    tokens_unknown: int
    """Calls whose tokens are not known."""
    cost_usd: float
    cost_unknown: int
    passed: Share | None = None
    """By the evaluators; None: there are none."""


@dataclass(frozen=True, slots=True)
class Ratios:
    """The candidate over another lane, of paired calls."""

    before: Lane
    latency: RatioDiff | None
    cost: RatioDiff | None
    output_tokens: RatioDiff | None


@dataclass(frozen=True, slots=True)
class PassChange:
    """The candidate's pass rate less that of another lane, of the same calls."""

    before: Lane
    calls: int
    regressions: int
    """Passed before, fails now."""
    fixes: int
    difference: Difference


class PartOf(StrEnum):
    """What the calls are divided by."""

    PROMPT = "prompt"
    MODEL = "model"
    TAG = "tag"


@dataclass(frozen=True, slots=True)
class Part:
    """The calls of one logged prompt or model, or with one tag."""

    of: PartOf
    value: str | None
    """None: the log names none."""
    calls: int
    weight: int
    differs: Share
    broken: Share
    rerun: Share | None
    """How many differ when the same model is asked again; None: that was not done."""


@dataclass(frozen=True, slots=True)
class WorstCall:
    """A call whose answer changed, with all that a reader needs to judge it. Long texts are cut, and say so."""

    id: str
    kind: Kind
    broken: Break | None
    similarity: float | None
    weight: int
    prompt: str | None
    model: str | None
    tags: tuple[str, ...]
    question: str
    """The last thing that was said to the model."""
    observed: str
    """What was logged: its text and tool calls, or its outcome where there is neither."""
    candidate: str
    rerun: Kind | None
    """What the same model made of it when it was asked again; None: it was not."""
    baseline: str | None
    """That answer, where it differs from what was logged."""
    passed_before: bool | None = None
    passed: bool | None = None
    reason: str = ""
    """Why it did not pass."""
    latency_before_ms: float | None = None
    latency_ms: float | None = None
    cost_before_usd: float | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class CandidateFindings:
    """What one candidate did with the calls."""

    candidate: str
    """Its name: a model, or a prompt and a model."""
    calls: int
    """Looked at here, also those that could not be compared."""
    weight: int
    comparisons: tuple[Comparison, ...]
    """Observed to candidate; then, with a re-run, observed to baseline, and baseline to candidate."""
    noise: Noise | None
    lanes: tuple[LaneFigures, ...]
    ratios: tuple[Ratios, ...]
    passes: tuple[PassChange, ...]
    parts: tuple[Part, ...]
    parts_left_out: int
    worst: tuple[WorstCall, ...]
    """Broken before changed, the least similar first."""
    worst_count: int
    """Also those that are not listed."""

    def comparison(self, before: Lane, after: Lane) -> Comparison | None:
        """That of two lanes; None: one of them was not asked."""
        return next((one for one in self.comparisons if (one.before, one.after) == (before, after)), None)


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """A replay: what was chosen, and what each candidate did with it."""

    mode: Mode
    candidates: tuple[CandidateFindings, ...]
    run_id: str | None = None
    choice: Choice | None = None
    equivalent: str = "JSON equality"
    """What counts as equivalent."""
    notes: tuple[str, ...] = ()
    """What a reader should know of the replay, each one sentence."""

    def with_others(self, *others: ReplayReport) -> ReplayReport:
        """One report of several candidates, which were given the same calls."""
        candidates = [found for report in (self, *others) for found in report.candidates]
        notes = dict.fromkeys(note for report in (self, *others) for note in report.notes)
        return replace(self, candidates=tuple(candidates), notes=tuple(notes))
