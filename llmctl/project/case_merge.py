"""`duplicates: merge`: rows with the same variables and expected answer as one case with a weight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from llmctl.project.case_draft import CaseDraft, content_digest
from llmctl.project.evaluator_entry import EvaluatorEntries

__all__ = ["merged_drafts"]


@dataclass(slots=True)
class _Repeats:
    """What the rows after the first one with the same content bring."""

    weight: int = 0
    tags: tuple[str, ...] = ()
    must_pass: bool | None = None
    given: bool = False
    """Whether the case has been given away."""

    def add(self, draft: CaseDraft) -> None:
        self.weight += draft.weight
        self.tags = tuple(dict.fromkeys((*self.tags, *draft.tags)))
        self.must_pass = self.must_pass or draft.must_pass


def merged_drafts(read: Callable[[], Iterator[CaseDraft]], entries: EvaluatorEntries) -> Iterator[CaseDraft]:
    """Each case once, with the id and the group of its first row; `read` reads the rows from the first.

    The rows are read twice, so that only a digest of each case has to be kept.
    """
    repeats = _repeats(read, entries)
    for draft in read():
        found = repeats.get(_key(draft)) if repeats else None
        if found is None:
            yield draft
        elif not found.given:
            found.given = True
            yield replace(
                draft,
                weight=draft.weight + found.weight,
                tags=tuple(dict.fromkeys((*draft.tags, *found.tags))),
                must_pass=draft.must_pass or found.must_pass,
            )


def _repeats(read: Callable[[], Iterator[CaseDraft]], entries: EvaluatorEntries) -> dict[int, _Repeats]:
    seen: set[int] = set()
    repeats: dict[int, _Repeats] = {}
    for draft in read():
        entries.problems.clear()  # the second reading says them
        key = _key(draft)
        if key in seen:
            repeats.setdefault(key, _Repeats()).add(draft)
        else:
            seen.add(key)
    entries.problems.clear()
    return repeats


def _key(draft: CaseDraft) -> int:
    """128 bits: no two of a million cases are ever taken for one by chance."""
    return int(content_digest(draft)[:32], 16)
