"""The worst changes, as many as are asked for: all others leave nothing but their number."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from llmctl.traffic.replay.findings.columns import cut_name
from llmctl.traffic.replay.findings.examined import Examined
from llmctl.traffic.replay.findings.report import Kind, Likeness, WorstCall
from llmctl.traffic.replay.records import ReplayedCall

__all__ = ["Looked", "WorstCalls"]

_TEXT = 100_000
"""Characters of an answer that are kept."""
_QUESTION = 2_000
_TAGS = 20
_RANKS = {Kind.BROKEN: 0, Kind.CHANGED: 2}
_NEWLY_FAILING = 1


@dataclass(frozen=True, slots=True)
class Looked:
    """A call whose answers were compared."""

    replayed: ReplayedCall
    observed: Examined | None
    baseline: Examined | None
    candidate: Examined | None
    change: Likeness
    """Observed to candidate."""
    rerun: Likeness | None
    """Observed to baseline; None: it was not asked again."""


@dataclass(slots=True)
class WorstCalls:
    """Keeps the worst of those that it is shown."""

    most: int
    count: int = 0
    """Of all that are worse than before, or not the same."""
    _heap: list[_Entry] = field(default_factory=list)

    def add(self, looked: Looked) -> None:
        """One more call; it is kept where it is among the worst so far."""
        badness = _badness(looked)
        if badness is None:
            return
        self.count += 1
        self._keep(badness, lambda: _worst_call(looked))

    def add_failed(self, replayed: ReplayedCall, observed: Examined | None) -> None:
        """A logged answer that did not pass, where nothing was asked."""
        self.count += 1
        badness = (0, 0.0, replayed.chosen.weight, _reversed(replayed.chosen.id))
        looked = Looked(replayed, observed, None, None, Likeness(Kind.NOT_COMPARED), None)
        self._keep(badness, lambda: _worst_call(looked))

    @property
    def sorted(self) -> tuple[WorstCall, ...]:
        """The worst first."""
        return tuple(entry.call for entry in sorted(self._heap, reverse=True))

    def _keep(self, badness: _Badness, made: Callable[[], WorstCall]) -> None:
        if self.most <= 0:
            return
        if len(self._heap) < self.most:
            heapq.heappush(self._heap, _Entry(badness, made()))
        elif badness > self._heap[0].badness:
            heapq.heapreplace(self._heap, _Entry(badness, made()))


_Badness = tuple[int, float, int, tuple[int, ...]]
"""Larger is worse: rank, dissimilarity, weight; then by id, so that the order of the calls is none of the report's."""


@dataclass(frozen=True, slots=True, order=True)
class _Entry:
    badness: _Badness
    call: WorstCall = field(compare=False)


def _badness(looked: Looked) -> _Badness | None:
    rank = _RANKS.get(looked.change.kind)
    if rank != 0 and _newly_failing(looked.replayed):
        rank = _NEWLY_FAILING
    if rank is None:
        return None
    chosen = looked.replayed.chosen
    return (-rank, -(looked.change.similarity or 0.0), chosen.weight, _reversed(chosen.id))


def _newly_failing(replayed: ReplayedCall) -> bool:
    before = replayed.baseline if replayed.baseline and replayed.baseline.passed is not None else replayed.observed
    candidate = replayed.candidate
    return before.passed is True and candidate is not None and candidate.passed is False


def _reversed(name: str) -> tuple[int, ...]:
    """Sorts against the order of the names."""
    return tuple(-ord(character) for character in name[:64])


def _worst_call(looked: Looked) -> WorstCall:
    chosen, replayed = looked.replayed.chosen, looked.replayed
    after = replayed.candidate or replayed.observed
    baseline = looked.baseline
    return WorstCall(
        id=chosen.id,
        kind=looked.change.kind,
        broken=looked.change.broken,
        similarity=looked.change.similarity,
        weight=chosen.weight,
        prompt=cut_name(chosen.call.prompt_name),
        model=cut_name(chosen.call.model),
        tags=tuple(tag for tag in map(cut_name, chosen.call.tags[:_TAGS]) if tag),
        question=_cut(_question(chosen.call.messages or ()), _QUESTION),
        observed=_text(looked.observed),
        candidate=_text(looked.candidate),
        rerun=looked.rerun.kind if looked.rerun else None,
        baseline=_text(baseline) if baseline and looked.rerun and looked.rerun.kind is not Kind.SAME else None,
        passed_before=replayed.observed.passed,
        passed=after.passed,
        reason=_cut(after.reason, _QUESTION),
        latency_before_ms=replayed.observed.latency_ms,
        latency_ms=after.latency_ms,
        cost_before_usd=replayed.observed.cost_usd,
        cost_usd=after.cost_usd,
    )


def _text(examined: Examined | None) -> str:
    return "" if examined is None else _cut(str(examined), _TEXT)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}\n[{len(text) - limit:,} more characters]"


def _question(messages: Sequence[Mapping[str, object]]) -> str:
    """The text of the last message of a user, else of the last message."""
    chosen = next((one for one in reversed(messages) if one.get("role") == "user"), messages[-1] if messages else {})
    content = chosen.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list | tuple) else ()
    texts = (part.get("text") for part in parts if isinstance(part, Mapping))
    return "\n".join(text for text in texts if isinstance(text, str))
