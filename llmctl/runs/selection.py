"""What the user asked to run: banks, prompts, models and cases, before any file is read."""

from __future__ import annotations

import fnmatch
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from llmctl.errors import Problem, UsageError
from llmctl.project.models import Bank, Case
from llmctl.runs.records import UnitName

__all__ = ["PromptReference", "Selection", "failed_selection", "select_cases"]


@dataclass(frozen=True, slots=True)
class PromptReference:
    """`triage` or `triage@main`: a prompt, and the revision to read it at."""

    name: str
    rev: str | None = None

    @classmethod
    def parse(cls, text: str) -> PromptReference:
        """Read `PROMPT[@REV]`; the first `@` ends the name."""
        name, at, rev = text.partition("@")
        if not name or (at and not rev):
            raise UsageError(f'"{text}" names no prompt.', hint="Write PROMPT or PROMPT@REVISION, such as triage@main.")
        return cls(name, rev or None)


@dataclass(frozen=True, slots=True)
class Selection:
    """The flags of `eval` that choose what is run."""

    banks: tuple[str, ...] = ()
    prompts: tuple[PromptReference, ...] = ()
    models: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    pattern: str | None = None
    limit: int | None = None
    sample: int | None = None
    seed: int = 0
    repeat: int = 1
    only: frozenset[UnitName] | None = None
    """Nothing but these results of all that is selected; None: all of them."""

    def chooses(self, case: Case) -> bool:
        """Whether tags and pattern let a case through."""
        return _has_tag(case, self.tags) and _matches(case, self.pattern)


def select_cases(bank: Bank, selection: Selection, problems: list[Problem]) -> Iterator[Case]:
    """The cases with any of the tags whose id matches, then the sample, then the limit; the file's order is kept.

    A stream: nothing of a case is kept. Whatever is selected, all of the bank is read, so that `problems` holds every
    mistake in it when the iterator ends. A sample reads it once more, before, to count.
    """
    wanted = _wanted_positions(bank, selection)
    position = taken = 0
    for case in bank.read_cases(problems):
        if not selection.chooses(case):
            continue
        if (wanted is None or position in wanted) and (selection.limit is None or taken < selection.limit):
            taken += 1
            yield case
        position += 1


def failed_selection(selection: Selection, units: Sequence[UnitName]) -> Selection:
    """The same, but nothing else than these results of an earlier run."""
    prompts = selection.prompts or tuple(PromptReference.parse(name) for name in _distinct(units, "prompt"))
    return replace(
        selection,
        banks=selection.banks or _distinct(units, "bank"),
        prompts=prompts,
        models=selection.models or _distinct(units, "model"),
        repeat=max(unit.repeat for unit in units),
        only=frozenset(units),
    )


def _distinct(units: Sequence[UnitName], field: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(getattr(unit, field) for unit in units))


def _wanted_positions(bank: Bank, selection: Selection) -> frozenset[int] | None:
    """Which of the chosen cases are in the sample, counted from 0; None: all."""
    if selection.sample is None:
        return None
    count = sum(1 for case in bank.read_cases([]) if selection.chooses(case))
    if selection.sample >= count:
        return None
    # Drawn by position from a generator of its own, so that the same seed draws the same cases everywhere.
    return frozenset(random.Random(selection.seed).sample(range(count), selection.sample))


def _has_tag(case: Case, tags: Sequence[str]) -> bool:
    return not tags or any(tag in case.tags for tag in tags)


def _matches(case: Case, pattern: str | None) -> bool:
    if pattern is None:
        return True
    if any(character in pattern for character in "*?["):
        return fnmatch.fnmatchcase(case.id, pattern)
    return pattern in case.id
