"""Reads the answers of a replay a few calls at a time, and says what happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import islice

from llmctl.outcome import Outcome
from llmctl.project.models import Config
from llmctl.traffic.replay.findings.columns import COMPARISONS, Columns, Pair
from llmctl.traffic.replay.findings.equivalence import Equivalence, TwoAnswers
from llmctl.traffic.replay.findings.examined import Examined, examine
from llmctl.traffic.replay.findings.likeness import compare_answers, first_divergence
from llmctl.traffic.replay.findings.report import CandidateFindings, Fault, Kind, Likeness, ReplayReport
from llmctl.traffic.replay.findings.schemas import LoggedSchemas
from llmctl.traffic.replay.findings.summary import (
    comparisons_of,
    lanes_of,
    noise_of,
    parts_of,
    passes_of,
    ratios_of,
)
from llmctl.traffic.replay.findings.worst import Looked, WorstCalls
from llmctl.traffic.replay.records import Choice, Lane, Mode, ReplayedCall

__all__ = ["FindingsRequest", "measure"]

_AT_ONCE = 256
"""Calls that are compared together, so that an embedding model gets them in batches."""


@dataclass(frozen=True, slots=True)
class FindingsRequest:
    """What is known of a replay beside its answers, and what is asked of it."""

    mode: Mode
    candidate: str
    """The candidate's name, as it is shown: `gpt`, or `triage@HEAD x small`."""
    config: Config | None = None
    """The project: its threshold and model of `semantic`; None: the defaults."""
    equivalent: str | None = None
    """An evaluator by name, run with what was logged as the expected answer; None: JSON equality alone."""
    worst: int = 10
    """How many of the worst changes are kept with their texts."""
    run_id: str | None = None
    choice: Choice | None = None
    notes: tuple[str, ...] = ()
    offline: bool = False
    """Whether the embedding model's weights are never asked of the hub."""


def measure(calls: Iterable[ReplayedCall], request: FindingsRequest) -> ReplayReport:
    """Compare the lanes of every call. Memory holds a few numbers of each call, and the texts of the worst.

    An evaluator that waits gets an event loop of its own here: not to be called from within one.

    Raises:
        UsageError: `equivalent` names no evaluator that can compare two answers.
    """
    equivalence = (
        Equivalence(request.equivalent, request.config, offline=request.offline) if request.equivalent else None
    )
    measuring = _Measuring(request, equivalence)
    with equivalence or nullcontext():
        rest = iter(calls)
        while part := list(islice(rest, _AT_ONCE)):
            measuring.add(part)
    return measuring.report()


_Lanes = dict[Lane, Examined | None]


@dataclass(slots=True)
class _Compared:
    """A call, while its comparisons are made."""

    replayed: ReplayedCall
    lanes: _Lanes
    likenesses: dict[Pair, Likeness]


@dataclass(slots=True)
class _Measuring:
    """What has been seen so far."""

    request: FindingsRequest
    equivalence: Equivalence | None
    columns: Columns = field(default_factory=Columns)
    schemas: LoggedSchemas = field(default_factory=LoggedSchemas)
    worst: WorstCalls = field(init=False)
    without_evidence: Counter[Outcome] = field(default_factory=Counter)
    """Candidate's answers that the provider failed to give."""

    def __post_init__(self) -> None:
        self.worst = WorstCalls(self.request.worst)

    def add(self, calls: Sequence[ReplayedCall]) -> None:
        """The next calls."""
        compared = [self._compared(replayed) for replayed in calls]
        if self.equivalence:
            _ask(self.equivalence, compared)
        for one in compared:
            self._note(one)

    def _compared(self, replayed: ReplayedCall) -> _Compared:
        call = replayed.chosen.call
        schema = self.schemas.of(call.response_format)
        lanes: _Lanes = {
            Lane.OBSERVED: examine(replayed.observed, call, schema),
            Lane.BASELINE: examine(replayed.baseline, call, schema),
            Lane.CANDIDATE: examine(replayed.candidate, call, schema),
        }
        likenesses = {pair: compare_answers(lanes[pair[0]], lanes[pair[1]]) for pair in COMPARISONS}
        return _Compared(replayed, lanes, likenesses)

    def _note(self, one: _Compared) -> None:
        replayed = one.replayed
        answers = {
            Lane.OBSERVED: replayed.observed,
            Lane.BASELINE: replayed.baseline,
            Lane.CANDIDATE: replayed.candidate,
        }
        self.columns.add(replayed.chosen, answers)
        for pair, likeness in one.likenesses.items():
            self.columns.pairs[pair].add(likeness)
        change = one.likenesses[Lane.OBSERVED, Lane.CANDIDATE]
        if self.request.mode is Mode.OUTPUT_ONLY:
            if replayed.observed.passed is False:
                self.worst.add_failed(replayed, one.lanes[Lane.OBSERVED])
            return
        rerun = one.likenesses[Lane.OBSERVED, Lane.BASELINE] if one.lanes[Lane.BASELINE] else None
        lanes = one.lanes
        looked = Looked(replayed, lanes[Lane.OBSERVED], lanes[Lane.BASELINE], lanes[Lane.CANDIDATE], change, rerun)
        self.worst.add(looked)
        outcome = replayed.candidate.outcome if replayed.candidate else None
        if outcome is not None and not outcome.evidence:
            self.without_evidence[outcome] += 1

    def report(self) -> ReplayReport:
        """What has been seen."""
        columns, request = self.columns, self.request
        parts = parts_of(columns)
        findings = CandidateFindings(
            request.candidate,
            columns.size,
            int(columns.weights.sum()),
            comparisons_of(columns),
            noise_of(columns),
            lanes_of(columns),
            ratios_of(columns),
            passes_of(columns),
            parts.parts,
            parts.left_out,
            self.worst.sorted,
            self.worst.count,
        )
        notes = (*request.notes, *self._notes())
        return ReplayReport(request.mode, (findings,), request.run_id, request.choice, self._equivalent(), notes)

    def _equivalent(self) -> str:
        return f"JSON equality, or `{self.equivalence.name}`" if self.equivalence else "JSON equality"

    def _notes(self) -> Iterator[str]:
        failed = ", ".join(f"{outcome} {count:,}" for outcome, count in self.without_evidence.most_common())
        if failed:
            yield f"Calls without an answer from {self.request.candidate}: {failed}. They say nothing of its answers."
        if self.schemas.unusable:
            yield f"{self.schemas.unusable:,} logged schemas are not usable: their answers are checked as JSON only."
        if self.columns.parts_left_out:
            yield "The log has more than 2,000 prompts, models or tags: those that came later have no row in a table."
        if self.equivalence and self.equivalence.undecided:
            yield (
                f"`{self.equivalence.name}` could not compare {self.equivalence.undecided:,} pairs, which count as "
                f"changed: {self.equivalence.reason}"
            )


def _ask(equivalence: Equivalence, compared: Sequence[_Compared]) -> None:
    """Let the evaluator look at what has changed, and is not broken."""
    waiting: list[tuple[_Compared, Pair]] = []
    pairs: list[TwoAnswers] = []
    for one in compared:
        for pair, likeness in one.likenesses.items():
            before, after = (one.lanes[lane] for lane in pair)
            if likeness.kind is Kind.CHANGED and before and after and _comparable(before, after):
                waiting.append((one, pair))
                pairs.append(TwoAnswers(before, after))
    for (one, pair), equivalent in zip(waiting, equivalence.judge(pairs), strict=True):
        if equivalent:
            one.likenesses[pair] = replace(one.likenesses[pair], kind=Kind.EQUIVALENT)


def _comparable(before: Examined, after: Examined) -> bool:
    """Whether it is their texts that differ, and both have one."""
    if not (before.text and after.text) or first_divergence(before.calls, after.calls):
        return False
    return all(one.fault is None or one.fault.fault is not Fault.TOO_LONG for one in (before, after))
