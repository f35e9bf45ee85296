"""Runs that are worked on stage by stage, on the fake model with a real journal."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llmctl.project import loader
from llmctl.runs.head import RunOptions
from llmctl.runs.history import History
from llmctl.runs.importer import import_journals
from llmctl.runs.plan import make_plan
from llmctl.runs.records import ResultEvent, RunStatus
from llmctl.runs.reuse import KnownAnswers, Rules
from llmctl.runs.run import Run, RunOutcome
from llmctl.runs.selection import Selection
from tests.cli.conftest import write

OPTIONS = RunOptions("llmctl gate", concurrency=4, timeout_s=10)


@dataclass
class Listed:
    """Stages from a list; notes what had come when each was asked for."""

    stages: list[list[int]]
    ended_early: str | None = None
    came: list[int] = field(default_factory=list)
    results: list[ResultEvent] = field(default_factory=list)

    def take(self, result: ResultEvent) -> None:
        self.results.append(result)

    def next_stage(self, known: Container[int]) -> Sequence[int] | None:
        self.came.append(len(self.results))
        return self.stages.pop(0) if self.stages else None


def project(root: Path, cases: int) -> None:
    write(root, "llmctl.toml", '[models.fake]\nmodel = "fake/echo"\n')
    write(root, "prompts/p.yaml", 'model: fake\ntemplate: "{{ q }}"\n')
    listed = "".join(f"  - {{id: c{n}, vars: {{q: yes it is {n}}}}}\n" for n in range(cases))
    write(root, "testbanks/b.yaml", f"prompts: [p]\nevaluators:\n  - contains: it is\ncases:\n{listed}")


def run(root: Path, stages: Listed, *, reuse: bool = False) -> RunOutcome:
    config = loader.load_config(root / "llmctl.toml", {})
    known = KnownAnswers(config.store)
    with make_plan(config, Selection(), {}, OPTIONS) as plan:
        if reuse:
            known.find(History(config.store).calls, plan.units, plan.targets, Rules("7d", 0))
        outcome = Run(plan, OPTIONS, {}, known, None, stages).execute(lambda _: None)
    import_journals(config.store)
    return outcome


def test_each_stage_is_recorded_before_the_next_is_asked_for(tmp_path: Path) -> None:
    project(tmp_path, 12)
    stages = Listed([[0, 5, 11], [1, 2, 3, 4], [6]], ended_early="enough")
    outcome = run(tmp_path, stages)
    assert stages.came == [0, 3, 7, 8]
    assert {result.case_id for result in stages.results[:3]} == {"c0", "c5", "c11"}
    assert (outcome.end.status, outcome.end.done, outcome.end.error) == (RunStatus.STOPPED, 8, "enough")
    assert outcome.code is None
    config = loader.load_config(tmp_path / "llmctl.toml", {})
    [summary] = History(config.store).runs()
    assert (summary.planned, summary.done, summary.calls, summary.error) == (12, 8, 8, "enough")


def test_stages_that_want_everything_complete_the_run(tmp_path: Path) -> None:
    project(tmp_path, 5)
    outcome = run(tmp_path, Listed([[4], [0, 1, 2, 3]]))
    assert (outcome.end.status, outcome.end.done, outcome.end.error) == (RunStatus.COMPLETED, 5, None)


def test_answers_that_are_known_are_told_before_the_next_stage(tmp_path: Path) -> None:
    project(tmp_path, 9)
    run(tmp_path, Listed([[0, 1, 2, 3, 4]]))
    stages = Listed([[0, 1, 2], [3, 4, 5, 6], [7]])
    outcome = run(tmp_path, stages, reuse=True)
    assert stages.came == [0, 3, 7, 8]
    assert sum(result.cached for result in stages.results) == 5
    assert outcome.end.done == 8
