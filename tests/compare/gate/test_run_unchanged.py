"""A/A: 200 gates of a version against itself, on the fake provider with 5 % flakes, all in one run for speed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import replace
from pathlib import Path

from llmctl.compare.cells import Cell
from llmctl.compare.gate.again import AgainStages, Labels, Suspects, again_selection, find_suspects
from llmctl.compare.gate.evidence import CellEvidence
from llmctl.compare.gate.judging import CellInput, judge_cells
from llmctl.compare.gate.pairs import Pairs
from llmctl.compare.gate.planned import CandidateCell, candidate_cells
from llmctl.compare.gate.progress import AskedAgain
from llmctl.compare.gate.staging import CellStages
from llmctl.compare.gate.watching import WatchSettings, staged_cell
from llmctl.compare.verdict import RuleName, Verdict
from llmctl.project import loader
from llmctl.project.models import Config, GateRules, GateSettings
from llmctl.runs.head import RunOptions
from llmctl.runs.plan import make_plan
from llmctl.runs.records import ResultEvent
from llmctl.runs.reuse import KnownAnswers
from llmctl.runs.run import Run
from llmctl.runs.selection import PromptReference, Selection
from tests.cli.conftest import write

GATES = 200
CASES = 60
ALPHA = 0.05
MOST = 19
"""Of 200 gates that fail with probability 5 % each, more fail once in a thousand times."""
CELL = Cell("b", "after", "fake")
RULES = GateRules(margin=0.1, max_new_failures=0)
OPTIONS = RunOptions("llmctl gate", concurrency=64, timeout_s=10)
SETTINGS = WatchSettings(ALPHA, ALPHA, 0.02, concurrency=1)

CONFIG = """
[models.fake]
model = "fake/script"
options = {answer = "yes", flake_rate = 0.05, flake_answer = "no"}
"""


def project(root: Path) -> Config:
    write(root, "llmctl.toml", CONFIG)
    for name in ("before", "after"):
        write(root, f"prompts/{name}.yaml", f'model: fake\ntemplate: "{name} {{{{ q }}}}"\n')
    names = [f"{gate}.{number}" for gate in range(GATES) for number in range(CASES)]
    cases = "".join(f"  - {{id: '{name}', vars: {{q: '{name}'}}, expected: 'yes'}}\n" for name in names)
    write(root, "testbanks/b.yaml", f"prompts: [after]\nevaluators: [exact]\ncases:\n{cases}")
    return loader.load_config(root / "llmctl.toml", {})


class ManyGates:
    """The stages of many gates in one run: a case's id begins with the number of its gate."""

    ended_early = None

    def __init__(self, gates: Sequence[CellStages]) -> None:
        self.gates = gates

    def take(self, result: ResultEvent) -> None:
        self.gates[int(result.case_id.partition(".")[0])].counts.take(result)

    def next_stage(self, known: Container[int]) -> Sequence[int] | None:
        units = [
            unit for gate in self.gates for position in gate.next_cases(known) for unit in gate.planned.units[position]
        ]
        return sorted(units) or None


def gates_of(planned: CandidateCell) -> list[CandidateCell]:
    """One for each gate: its share of the bank."""
    shares = [slice(gate * CASES, (gate + 1) * CASES) for gate in range(GATES)]
    return [replace(planned, cases=planned.cases[share], units=planned.units[share]) for share in shares]


def run(config: Config, prompt: str, before: Sequence[CellEvidence] | None) -> list[CellStages]:
    """Run one prompt in every gate: whole without a baseline, else stage by stage."""
    with make_plan(config, Selection(prompts=(PromptReference(prompt),), banks=("b",)), {}, OPTIONS) as plan:
        [cell] = candidate_cells(plan)
        gates = [
            staged_cell(one, RULES, before[number] if before else None, SETTINGS)
            for number, one in enumerate(gates_of(cell))
        ]
        Run(plan, OPTIONS, {}, KnownAnswers(config.store), None, ManyGates(gates)).execute(lambda _: None)
    return gates


def ask_again(config: Config, pairs: Sequence[Pairs]) -> AskedAgain:
    """Each gate is alone with its alpha; that all are asked in one run changes nothing."""
    alone = [one for pair in pairs if (one := find_suspects([(pair, RULES)], ALPHA)) is not None]
    flips = [flip for one in alone for flip in one.flips]
    suspects = Suspects(flips, alone[0].needed, {CELL: 0}, tagged=frozenset([CELL]))
    labels = {CELL: Labels("after", "before")}
    with make_plan(config, again_selection(Selection(), suspects, labels), {}, OPTIONS) as plan:
        stages = AgainStages(suspects, labels, plan)
        Run(plan, OPTIONS, {}, KnownAnswers(config.store), None, stages).execute(lambda _: None)
    return stages.result({}, 0)


def test_an_unchanged_version_fails_at_most_at_the_promised_rate(tmp_path: Path) -> None:
    config = project(tmp_path)
    before = [gate.counts.evidence for gate in run(config, "before", None)]
    assert 0.93 < sum(int(one.passed.sum()) for one in before) / (GATES * CASES) < 0.97
    gates = run(config, "after", before)
    for gate in gates:
        gate.counts.evidence.leave_out(gate.staged().unneeded)
    pairs = [Pairs(gate.counts.evidence, was) for gate, was in zip(gates, before, strict=True)]
    again = ask_again(config, pairs)
    failed: Counter[RuleName] = Counter()
    verdicts: Counter[Verdict] = Counter()
    for gate, was in zip(gates, before, strict=True):
        given = CellInput(gate.counts.evidence, RULES, was, gate.staged())
        [judged] = judge_cells([given], GateSettings(alpha=ALPHA), again)
        verdicts[judged.verdict] += 1
        failed.update(rule.rule for rule in judged.rules if rule.verdict is Verdict.FAIL)
    assert failed[RuleName.MARGIN] <= MOST, failed
    assert failed[RuleName.MAX_NEW_FAILURES] <= MOST, failed
    assert not verdicts[Verdict.NOT_EVALUATED], verdicts
    assert verdicts[Verdict.PASS] > GATES / 2, verdicts
    # Cases flip in nearly every gate: asking again is what keeps them from failing it.
    assert len({case_id.partition(".")[0] for _, case_id in again.draws}) > 0.9 * GATES
