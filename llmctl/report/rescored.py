"""Counts results that are scored again as they come: the usual report, and what changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from llmctl.report.counts import Counts
from llmctl.report.model import RescoredFrom, RunHead, RunReport, TargetKey
from llmctl.report.tally import Tally
from llmctl.runs.classes import MetricClasses

if TYPE_CHECKING:
    from llmctl.runs.records import PlanEvent
    from llmctl.runs.rescore.plan import Apart
    from llmctl.runs.rescore.score import Flip, Rescored

__all__ = ["RescoreSummary"]


class RescoreSummary:
    """What is known of the results so far. It can be handed to another process, and parts can be put together."""

    def __init__(self, plan: PlanEvent, classes: Iterable[MetricClasses] = ()) -> None:
        self.tally = Tally(
            planned_by_target={TargetKey(one.bank, one.prompt, one.model): one.planned for one in plan.targets},
            planned_by_tag=plan.tags,
            classes=classes,
        )
        self.flips: list[Flip] = []
        self.stale = 0
        self.counts = Counts()

    def add(self, rescored: Rescored) -> None:
        """Count a result."""
        result = rescored.result
        self.tally.add(result)
        self.counts.add(result)
        self.stale += sum(score.stale for score in result.scores)
        flip = rescored.flip
        if flip is not None:
            self.flips.append(flip)

    def merge(self, other: RescoreSummary) -> None:
        """Count all that another one has counted after this one."""
        self.tally.merge(other.tally)
        self.counts.merge(other.counts)
        self.flips += other.flips
        self.stale += other.stale

    @property
    def done(self) -> int:
        """How many results were counted."""
        return self.counts.done

    def report(self, head: RunHead, run_id: str, apart: Apart) -> RunReport:
        """The report of the new run; `run_id`: the old one's."""
        rescored = RescoredFrom(run_id, tuple(self.flips), apart, self.stale)
        return replace(self.tally.report(head), rescored=rescored)
