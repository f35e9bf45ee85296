"""Puts the units of a plan on disk and counts them by target and tag."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llmctl.providers import requests
from llmctl.providers.records import ChatRequest
from llmctl.runs.records import PlanEvent, PlannedTarget
from llmctl.runs.spool import SpooledUnit, UnitSpool
from llmctl.runs.target import PlannedCase, Target

__all__ = ["Asked", "UnitWriter"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What one target is asked for a case, and for which draws."""

    target: Target
    request: ChatRequest
    repeats: Sequence[int]


class UnitWriter:
    """Writes units and remembers their targets."""

    def __init__(self, units: UnitSpool) -> None:
        self.units = units
        self.targets: list[Target] = []
        self.cases = 0
        self._indexes: dict[tuple[str, str], int] = {}
        self._by_target: Counter[tuple[str, int]] = Counter()
        self._by_tag: Counter[str] = Counter()

    def add(self, planned: PlannedCase, position: int, asked: Iterable[Asked]) -> None:
        """Write the units of a case whose line begins at `position` of the journal."""
        self.cases += 1
        for one in asked:
            index = self.index(one.target)
            for repeat in one.repeats:
                key = requests.call_key(one.target.route, one.request, repeat)
                unit = SpooledUnit(bytes.fromhex(key), position, planned.number, index, repeat)
                self.units.add(unit, one.request)
                self._by_target[planned.case.bank, index] += 1
                self._by_tag.update(dict.fromkeys(planned.case.tags, 1))

    def index(self, target: Target) -> int:
        """The target's place within the plan."""
        name = (target.prompt.label, target.model.name)
        index = self._indexes.setdefault(name, len(self.targets))
        if index == len(self.targets):
            self.targets.append(target)
        return index

    def plan(self, repeat: int) -> PlanEvent:
        """What was written, counted."""
        planned = tuple(
            PlannedTarget(bank, self.targets[index].prompt.label, self.targets[index].model.name, count)
            for (bank, index), count in self._by_target.items()
        )
        return PlanEvent(len(self.units), self.cases, repeat, planned, dict(self._by_tag))
