"""Evidence read by SQL from runs that were really made; the same as counted result by result."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from llmctl.compare.cells import Cell
from llmctl.compare.gate.evidence import CellEvidence
from llmctl.compare.gate.judges import untrusted_judges
from llmctl.compare.gate.judging import CellInput, judge_cells
from llmctl.compare.gate.origins import prompt_origins
from llmctl.compare.gate.pairs import Pairs
from llmctl.compare.gate.side_evidence import side_evidence
from llmctl.compare.gate.texts import with_texts
from llmctl.compare.verdict import Verdict
from llmctl.errors import UsageError
from llmctl.project.models import GateRules, GateSettings, RateRule
from llmctl.runs.history import History
from tests.cli.conftest import Invoke
from tests.cli.git import commit_all
from tests.compare.gate.conftest import BANK, config_of, last_run, write

CELL = Cell("triage", "triage", "small")


def test_a_run_is_read_by_case(ticket_project: Path, llmctl: Invoke) -> None:
    llmctl("eval", "-r", "2")
    found = side_evidence(last_run(ticket_project))
    assert list(found) == [CELL]
    now = found[CELL]
    assert [case.case_id for case in now.cases] == ["card", "parcel", "legal", "broken"]
    assert (now.cases[0].group, now.cases[0].must_pass, now.cases[1].tags) == ("one", True, ("smoke", "hard"))
    assert (now.planned.tolist(), now.asked.tolist()) == ([2] * 4, [2] * 4)
    assert (now.evidence.tolist(), now.passed.tolist()) == ([2, 2, 2, 0], [2, 0, 0, 0])
    assert dict(now.problems) == {"bad_request": 2}
    assert (now.total_missing, now.coverage, now.broken) == (2, 0.75, [])
    assert len(now.latency_ms) == len(now.cost_usd) == 6
    assert not np.isnan(np.asarray(now.cost_usd)).any()


def test_what_sql_reads_is_what_counting_finds(ticket_project: Path, llmctl: Invoke) -> None:
    llmctl("eval", "-r", "3")
    side = last_run(ticket_project)
    read = side_evidence(side)[CELL]
    counted = CellEvidence(CELL, read.cases)
    history = History(config_of(ticket_project).store)
    for result in reversed(list(history.results(side.run_id))):
        counted.add(result)
    for name in ("evidence", "passed", "asked"):
        assert getattr(read, name).tolist() == getattr(counted, name).tolist()
    assert (read.calls, read.scores) == (counted.calls, counted.scores)
    assert (read.problems, read.broken) == (counted.problems, counted.broken)
    assert sorted(zip(read.answer_case, read.latency_ms, strict=True)) == sorted(
        zip(counted.answer_case, counted.latency_ms, strict=True)
    )


def test_a_run_of_some_results_plans_only_those(ticket_project: Path, llmctl: Invoke) -> None:
    llmctl("eval", "-r", "2")
    llmctl("eval", "--failed", "@last")
    now = side_evidence(last_run(ticket_project))[CELL]
    assert [case.case_id for case in now.cases] == ["parcel", "legal", "broken"]
    assert (int(now.planned.sum()), now.unplaced) == (6, 0)


def test_a_run_of_one_repeat_plans_no_other(ticket_project: Path, llmctl: Invoke) -> None:
    config = ticket_project / "llmctl.toml"
    config.write_text(config.read_text() + 'options.faults = ["ok", "400"]\n')
    llmctl("eval", "-k", "card", "-r", "2", "-j", "1")
    assert side_evidence(last_run(ticket_project))[CELL].evidence.tolist() == [1]
    llmctl("eval", "--failed", "@last")
    now = side_evidence(last_run(ticket_project))[CELL]
    assert (now.planned.tolist(), now.evidence.tolist(), now.total_missing) == ([1], [1], 0)


def test_an_evaluator_that_breaks_is_no_evidence_and_is_named(ticket_project: Path, llmctl: Invoke) -> None:
    config = ticket_project / "llmctl.toml"
    config.write_text(config.read_text() + '[models.odd]\nmodel = "fake/script"\noptions.answer = "Yes."\n')
    bank = BANK.replace("[exact]", "[{judge: {rubric: It is polite., model: odd}}]")
    write(ticket_project, "testbanks/triage.yaml", bank)
    llmctl("eval", "-k", "card")
    now = side_evidence(last_run(ticket_project))[CELL]
    assert (now.evidence.tolist(), now.broken, dict(now.problems)) == ([0], [0], {"evaluator error": 1})


def test_results_that_were_never_made_are_missing(ticket_project: Path, llmctl: Invoke) -> None:
    llmctl("eval", "--max-failures", "1", "-j", "1")
    now = side_evidence(last_run(ticket_project))[CELL]
    assert len(now.cases) == 4
    assert now.total_missing == 4 - int(now.evidence.sum()) > 0


def test_cases_that_were_left_out_are_not_missing(ticket_project: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    now = side_evidence(last_run(ticket_project), {CELL: frozenset({"broken"})})[CELL]
    assert (now.total_missing, int(now.unasked.sum()), now.coverage) == (0, 1, 1.0)


def test_two_versions_in_one_run_are_told_apart_by_their_labels(ticket_project: Path, llmctl: Invoke) -> None:
    commit_all(ticket_project)
    write(ticket_project, "prompts/triage.yaml", 'model: small\ntemplate: "declined {{ ticket }}"\n')
    llmctl("eval", "-p", "triage@main", "-p", "triage")
    before = side_evidence(last_run(ticket_project, ("triage@main",)))
    now = side_evidence(last_run(ticket_project, ("triage",)))
    assert list(before) == list(now) == [CELL]
    assert (before[CELL].passed.tolist(), now[CELL].passed.tolist()) == ([1, 0, 0, 0], [1, 0, 0, 0])
    assert before[CELL].calls != now[CELL].calls
    with pytest.raises(UsageError, match=r"holds two versions of the prompt triage: triage@main and triage"):
        side_evidence(last_run(ticket_project))


def test_a_run_against_itself_is_identical_but_for_what_is_missing(ticket_project: Path, llmctl: Invoke) -> None:
    llmctl("eval", "-k", "card")
    first = side_evidence(last_run(ticket_project))[CELL]
    llmctl("eval", "-k", "card")
    assert Pairs(side_evidence(last_run(ticket_project))[CELL], first).identical
    write(ticket_project, "testbanks/triage.yaml", BANK.replace("evaluators: [exact]", "evaluators: [contains: bill]"))
    llmctl("eval", "-k", "card")
    assert not Pairs(side_evidence(last_run(ticket_project))[CELL], first).identical


def test_deciding_cases_get_their_texts(ticket_project: Path, llmctl: Invoke) -> None:
    llmctl("eval", "-k", "a*")
    llmctl("eval")
    side = last_run(ticket_project)
    cells = judge_cells([CellInput(side_evidence(side)[CELL], GateRules(RateRule(0.9)))], GateSettings())
    (cell,) = with_texts(cells, side, side)
    cases = {case.name.case_id: case for rule in cell.rules for case in rule.cases}
    assert cell.verdict is Verdict.FAIL
    assert (cases["parcel"].expected, cases["parcel"].output) == ("shipping", "other")
    assert cases["parcel"].baseline_output == "other"
    assert "other" in cases["parcel"].reason
    assert cases["legal"].reason
    (alone,) = with_texts(cells, side, None)
    assert {case.baseline_output for rule in alone.rules for case in rule.cases} == {None}


def test_of_several_answers_a_failing_one_is_shown_beside_one_that_passed_before(
    ticket_project: Path, llmctl: Invoke
) -> None:
    config = ticket_project / "llmctl.toml"
    config.write_text(config.read_text() + 'options.faults = ["ok", "empty"]\n')
    bank = BANK.replace("must_pass: true", "must_pass: false")
    write(ticket_project, "testbanks/triage.yaml", bank)
    llmctl("eval", "-k", "card", "-r", "2", "-j", "1")
    side = last_run(ticket_project)
    cells = judge_cells([CellInput(side_evidence(side)[CELL], GateRules(RateRule(0.9)))], GateSettings())
    (cell,) = with_texts(cells, side, side)
    (case,) = cell.rules[0].cases
    assert (case.passed, case.evidence, case.output, case.baseline_output) == (1, 2, "", "billing")


def test_the_origin_of_a_prompt_is_its_commit_and_digest(ticket_project: Path, llmctl: Invoke) -> None:
    commit_all(ticket_project)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ticket_project, check=True, capture_output=True, text=True
    ).stdout.strip()
    llmctl("eval")
    origin = prompt_origins(last_run(ticket_project))[CELL]
    assert origin.commit == head
    assert len(origin.digest) == 64


JUDGED = """
    prompts: [triage]
    evaluators:
      - judge: It is polite.
        metric: polite
        weight: {weight}
      - length: {{max: 100}}
    cases:
      - {{id: card, vars: {{ticket: declined}}}}
"""


def test_a_judge_that_nobody_has_checked_is_not_trusted(ticket_project: Path, llmctl: Invoke) -> None:
    config = ticket_project / "llmctl.toml"
    judge = '\n[models.strict]\nmodel = "fake/script"\noptions.answer = \'{"reason": "Fine.", "verdict": "pass"}\'\n'
    config.write_text(config.read_text() + judge + '[judge]\nmodel = "strict"\n')
    write(ticket_project, "testbanks/triage.yaml", JUDGED.format(weight=1))
    llmctl("eval")
    said = untrusted_judges(config_of(ticket_project), last_run(ticket_project))
    assert said == {"triage": ("The judge polite was never compared with people.",)}
    calibrate(ticket_project, llmctl)
    llmctl("eval")
    assert untrusted_judges(config_of(ticket_project), last_run(ticket_project)) == {}
    write(ticket_project, "testbanks/triage.yaml", JUDGED.format(weight=1).replace("polite.", "rude."))
    llmctl("eval")
    stale = untrusted_judges(config_of(ticket_project), last_run(ticket_project))
    assert stale == {
        "triage": ("The calibration of the judge polite is stale: its rubric or another argument changed.",)
    }
    write(ticket_project, "testbanks/triage.yaml", JUDGED.format(weight=0).replace("polite.", "rude."))
    llmctl("eval")
    assert untrusted_judges(config_of(ticket_project), last_run(ticket_project)) == {}, "it decides nothing"


def calibrate(root: Path, llmctl: Invoke) -> None:
    """Labels of the one answer, compared with the judge."""
    (root / "labels.csv").write_text("output,label\nbilling,pass\n")
    result = llmctl("judge", "calibrate", "labels.csv")
    assert result.code == 0, result.err
