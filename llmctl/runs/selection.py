"""What the user asked to run: banks, prompts, models and cases, before any file is read."""

from __future__ import annotations

import fnmatch
import random
from collections.abc import Sequence
from dataclasses import dataclass

from llmctl.errors import UsageError
from llmctl.project.models import Case

__all__ = ["PromptReference", "Selection", "select_cases"]


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


def select_cases(cases: Sequence[Case], selection: Selection) -> list[Case]:
    """The cases with any of the tags whose id matches, then the sample, then the limit; the file's order is kept."""
    chosen = [case for case in cases if _has_tag(case, selection.tags) and _matches(case, selection.pattern)]
    if selection.sample is not None and selection.sample < len(chosen):
        # Drawn by position from a generator of its own, so that the same seed draws the same cases everywhere.
        positions = random.Random(selection.seed).sample(range(len(chosen)), selection.sample)
        chosen = [chosen[position] for position in sorted(positions)]
    return chosen if selection.limit is None else chosen[: selection.limit]


def _has_tag(case: Case, tags: Sequence[str]) -> bool:
    return not tags or any(tag in case.tags for tag in tags)


def _matches(case: Case, pattern: str | None) -> bool:
    if pattern is None:
        return True
    if any(character in pattern for character in "*?["):
        return fnmatch.fnmatchcase(case.id, pattern)
    return pattern in case.id
