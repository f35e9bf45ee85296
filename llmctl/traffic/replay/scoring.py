"""What replayed answers are scored by: the evaluators of a bank, or of a file of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from llmctl.errors import Problem, ProjectError, Severity, UsageError
from llmctl.evaluators import registry
from llmctl.project import loader
from llmctl.project.evaluators_file import read_evaluators
from llmctl.project.models import Config, EvaluatorSpec, GateRules
from llmctl.project.sources import WorkingTree
from llmctl.traffic.feedback.store import FeedbackStore
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.replay.records import ChosenCall
from llmctl.traffic.replay.request import ScoredBy

__all__ = ["Scoring", "correction_of", "read_scoring", "with_feedback"]

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Scoring:
    """The evaluators of a replay."""

    title: str = ""
    """Whose they are, for people."""
    evaluators: tuple[EvaluatorSpec, ...] = ()
    reference_free: tuple[EvaluatorSpec, ...] = ()
    """Those that need no expected answer: all that a call without a correction is scored by."""
    pass_score: float | None = None
    gate: GateRules | None = None
    digest: str = ""

    def __bool__(self) -> bool:
        return bool(self.evaluators)

    @property
    def needing(self) -> tuple[str, ...]:
        """The names of those that need an expected answer."""
        return tuple(dict.fromkeys(one.metric_name for one in self.evaluators if one not in self.reference_free))

    def of(self, expected: str | None) -> tuple[EvaluatorSpec, ...]:
        """The evaluators of one case: the same object for all cases alike."""
        return self.reference_free if expected is None else self.evaluators

    def no_correction(self) -> UsageError:
        """That nothing could be scored by these evaluators."""
        names = ", ".join(self.needing)
        need, them = ("needs", "it") if len(self.needing) == 1 else ("need", "them")
        return UsageError(
            f"{names} of {self.title} {need} an expected answer, and no logged call has a correction.",
            hint=f"Score by evaluators that need none (--evaluators FILE), or give {them} `against:`; a correction "
            "comes from `llmctl feedback add CALL --correction FILE`.",
        )


def read_scoring(config: Config, scored_by: ScoredBy) -> Scoring:
    """Read the evaluators; empty where none are asked for.

    Raises:
        ProjectError: their file has mistakes.
        UsageError: there is no such bank, or it has no evaluators of its own.
    """
    if scored_by.bank is not None:
        return _of_bank(config, scored_by.bank)
    if scored_by.file is None:
        return Scoring()
    found = read_evaluators(scored_by.file, registry.names())
    title = scored_by.file.name
    return Scoring(
        title, found.evaluators, _reference_free(config, found.evaluators), found.pass_score, found.gate, found.digest
    )


def with_feedback(store: Path, calls: Iterable[ChosenCall]) -> Iterator[ChosenCall]:
    """The calls with all that was said of them by now, also after they were logged; a chunk of them in memory.

    Raises:
        StoreError: the store cannot be read.
    """
    feedback, pending = FeedbackStore(store), iter(calls)
    while chunk := list(islice(pending, _CHUNK)):
        said = feedback.of_calls(one.id for one in chunk)
        for one in chunk:
            if one.id in said:
                one.call.feedback = tuple(said[one.id])
            yield one


def correction_of(call: LoggedCall) -> str | None:
    """What the answer should have been, as somebody said; the last word counts."""
    said = [one.text for one in call.feedback if one.kind == "correction" and one.text is not None]
    return said[-1] if said else None


def _of_bank(config: Config, named: str) -> Scoring:
    problems: list[Problem] = []
    name = loader.resolve_bank_names(config, [named])[0]
    bank = loader.read_bank(config, WorkingTree(config.root), name, registry.names(), problems)
    if bank is None or any(problem.severity is Severity.ERROR for problem in problems):
        raise ProjectError(problems)
    if not bank.evaluators:
        raise UsageError(
            f"The bank {name} has no evaluators of its own, and those of its cases are for these cases.",
            hint="Write some under `evaluators:` of the bank, or give --evaluators FILE.",
        )
    free = _reference_free(config, bank.evaluators)
    return Scoring(f"the bank {name}", bank.evaluators, free, bank.pass_score, bank.gate, bank.digest)


def _reference_free(config: Config, specs: Sequence[EvaluatorSpec]) -> tuple[EvaluatorSpec, ...]:
    settings = config.evaluator_settings
    return tuple(spec for spec in specs if not registry.build(spec, None, settings).needs_expected)
