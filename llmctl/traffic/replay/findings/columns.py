"""What is kept of each call while the answers go by: a few numbers, and none of its texts."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from llmctl.stats.checks import Floats, Integers
from llmctl.traffic.replay.findings.report import Fault, Kind, Likeness, PartOf
from llmctl.traffic.replay.records import ChosenCall, Lane, LaneAnswer

__all__ = ["COMPARISONS", "Columns", "LaneColumns", "Pair", "PairColumns", "cut_name"]

Pair = tuple[Lane, Lane]
Flags = NDArray[np.bool_]

COMPARISONS: Final[tuple[Pair, ...]] = (
    (Lane.OBSERVED, Lane.CANDIDATE),
    (Lane.OBSERVED, Lane.BASELINE),
    (Lane.BASELINE, Lane.CANDIDATE),
)
"""Before and after."""

_KINDS = {kind: number for number, kind in enumerate(Kind)}
_FAULTS = {None: 0} | {fault: number for number, fault in enumerate(Fault, 1)}
_MOST_VALUES = 2_000
"""Of a part: prompts, models, tags. Whoever tags each call with its user's name gets no table of them."""
_NAME = 200
_UNKNOWN = float("nan")


class PairColumns:
    """How two lanes compare, for every call."""

    def __init__(self) -> None:
        self._kinds = bytearray()
        self._faults = bytearray()
        self.steps: dict[int, int] = {}

    def add(self, likeness: Likeness) -> None:
        """The next call."""
        self._kinds.append(_KINDS[likeness.kind])
        broken = likeness.broken if likeness.kind is Kind.BROKEN else None
        self._faults.append(_FAULTS[broken.fault if broken else None])
        if broken and broken.step is not None:
            self.steps[broken.step] = self.steps.get(broken.step, 0) + 1

    def of(self, *kinds: Kind) -> Flags:
        """Which calls are of one of these kinds."""
        return np.isin(np.frombuffer(self._kinds, np.uint8), [_KINDS[kind] for kind in kinds])

    def with_fault(self, fault: Fault) -> Flags:
        """Which calls are broken by this."""
        found: Flags = np.frombuffer(self._faults, np.uint8) == _FAULTS[fault]
        return found

    @property
    def compared(self) -> Flags:
        """Which calls could be compared."""
        return ~self.of(Kind.NOT_COMPARED)

    @property
    def differs(self) -> Flags:
        """Which answers say something else."""
        return self.of(Kind.CHANGED, Kind.BROKEN, Kind.MENDED)


class LaneColumns:
    """The measures of one lane, for every call; not a number where they are unknown."""

    def __init__(self) -> None:
        self._asked = bytearray()
        self._evidence = bytearray()
        self._passed = bytearray()
        self._numbers = {name: array("d") for name in ("latency_ms", "cost_usd", "input_tokens", "output_tokens")}

    def add(self, answer: LaneAnswer | None) -> None:
        """The next call."""
        self._asked.append(answer is not None)
        self._evidence.append(answer is not None and answer.outcome is not None and answer.outcome.evidence)
        self._passed.append(2 if answer is None or answer.passed is None else answer.passed)
        for name, values in self._numbers.items():
            number = getattr(answer, name) if answer is not None else None
            values.append(_UNKNOWN if number is None else number)

    @property
    def asked(self) -> Flags:
        """Where there is an answer, or the news that there is none."""
        return np.frombuffer(self._asked, np.uint8).astype(bool)

    @property
    def evidence(self) -> Flags:
        """Where there is an answer that says something of the model."""
        return np.frombuffer(self._evidence, np.uint8).astype(bool)

    @property
    def judged(self) -> Flags:
        """Where the evaluators have a verdict."""
        found: Flags = np.frombuffer(self._passed, np.uint8) != 2
        return found

    @property
    def passed(self) -> Flags:
        """Where it is a pass."""
        found: Flags = np.frombuffer(self._passed, np.uint8) == 1
        return found

    def numbers(self, name: str) -> Floats:
        """One of the measures."""
        return np.frombuffer(self._numbers[name], np.float64)


@dataclass(slots=True)
class Columns:
    """All calls of a replay, in columns of one length."""

    pairs: Mapping[Pair, PairColumns] = field(default_factory=lambda: {pair: PairColumns() for pair in COMPARISONS})
    lanes: Mapping[Lane, LaneColumns] = field(default_factory=lambda: {lane: LaneColumns() for lane in Lane})
    parts: dict[PartOf, dict[str | None, array[int]]] = field(default_factory=lambda: {part: {} for part in PartOf})
    """The numbers of the calls of each prompt, model and tag."""
    parts_left_out: int = 0
    """Calls of values beyond the first 2,000 of a part, each counted for every such value."""
    _weights: array[int] = field(default_factory=lambda: array("q"))
    _groups: array[int] = field(default_factory=lambda: array("q"))
    _names: dict[str, int] = field(default_factory=dict)
    """Of conversations, and of calls that belong to none."""

    def add(self, chosen: ChosenCall, answers: Mapping[Lane, LaneAnswer | None]) -> None:
        """The next call, with its answers; how they compare is told to `pairs`."""
        call = chosen.call
        self._parts(PartOf.PROMPT, call.prompt_name)
        self._parts(PartOf.MODEL, call.model)
        for tag in dict.fromkeys(call.tags):
            self._parts(PartOf.TAG, tag)
        self._weights.append(chosen.weight)
        group = call.session_id or call.trace_id
        name = f"group {group}" if group else f"call {chosen.id}"
        self._groups.append(self._names.setdefault(name, len(self._names)))
        for lane, columns in self.lanes.items():
            columns.add(answers.get(lane))

    @property
    def size(self) -> int:
        """How many calls."""
        return len(self._weights)

    @property
    def weights(self) -> Integers:
        """How many logged calls each one stands for."""
        return np.frombuffer(self._weights, np.int64)

    @property
    def groups(self) -> Integers:
        """The independent unit that each call belongs to: its conversation, or itself with its repeats."""
        return np.frombuffer(self._groups, np.int64)

    def _parts(self, part: PartOf, value: str | None) -> None:
        known = self.parts[part]
        name = cut_name(value)
        if name not in known and len(known) >= _MOST_VALUES:
            self.parts_left_out += 1
            return
        known.setdefault(name, array("q")).append(self.size)


def cut_name(name: str | None) -> str | None:
    """The name of a prompt, model or tag; a log may hold very long ones."""
    return name if name is None or len(name) <= _NAME else name[:_NAME] + "\u2026"
