"""The verdict of a gate, as a person sees it and as a program reads it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from llmctl.compare.cells import CaseName, Cell
from llmctl.compare.verdict import (
    CellVerdict,
    GateReport,
    JudgedCase,
    RuleName,
    RuleVerdict,
    Spending,
    Verdict,
)
from llmctl.errors import ExitCode
from llmctl.report.documents import json_text
from llmctl.report.gate import gate_text, render_gate
from llmctl.report.gate_json import gate_json
from llmctl.report.gate_words import exit_sentence, headline, observed_text, spending_text
from llmctl.stats.intervals import Interval
from tests.report.samples import HOSTILE, printed

CELL = Cell("triage", "triage", "small")
CASE = JudgedCase(
    name=CaseName("triage", "card-declined"),
    cell=CELL,
    expected="billing",
    output="shipping",
    baseline_output="billing",
    reason='exact: The answer is "shipping", not "billing".',
    passed=0,
    evidence=3,
    baseline_passed=3,
    baseline_evidence=3,
    must_pass=True,
)
RULES = (
    RuleVerdict(
        RuleName.MUST_PASS,
        Verdict.FAIL,
        "1 of 3 cases that must pass fails.",
        "A fact about these answers. A case whose answers vary can pass today and fail tomorrow.",
        limit=0,
        observed=1,
        cases=(CASE,),
    ),
    RuleVerdict(
        RuleName.MIN_PASS_RATE,
        Verdict.PASS,
        "96 of 100 answers pass: 96 %; at least 90 % must.",
        limit=0.9,
        observed=0.96,
    ),
    RuleVerdict(
        RuleName.MARGIN,
        Verdict.INCONCLUSIVE,
        "Not decided: from a gain of 2 points to a drop of 8.1 points all is plausible: a drop of 3 points was "
        "observed over 100 paired cases.",
        "A version without any change would fail this in at most 5 % of gates.",
        "About 274 cases would pass a version that is no worse.",
        "smoke",
        0.05,
        0.03,
        Interval(-0.02, 0.081),
        0.2,
    ),
    RuleVerdict(
        RuleName.MAX_COST,
        Verdict.NOT_EVALUATED,
        "The cost of 3 of 100 answers is not known.",
        advice="Give the model a price.",
        limit=2.5,
    ),
)


def cell(rules: tuple[RuleVerdict, ...] = RULES, name: Cell = CELL) -> CellVerdict:
    return CellVerdict(name, rules, 500, 100, 96, Interval(0.9, 0.985), 100, 99, 100)


def report(*cells: CellVerdict, **more: object) -> GateReport:
    return GateReport(
        cells or (cell(),),
        "the files here",
        "main (4f2a91c)",
        "20261123T100000-ab12",
        spending=Spending(120, 80, 300, 0.1234),
        **more,  # type: ignore[arg-type]
    )


AT_80 = """\
FAIL: of 4 rules 1 FAIL, 1 NOT EVALUATED, 1 INCONCLUSIVE, 1 PASS; 1 cell.
Candidate: the files here; baseline: main (4f2a91c).
Warning: The price of one model is not known.

  rule                   verdict              limit     found
  must_pass              FAIL                  <= 0         1
  min_pass_rate          PASS               >= 90 %      96 %
  margin of tag smoke    INCONCLUSIVE   <= 5 points  3 points
  max_cost_per_1000_usd  NOT EVALUATED     <= $2.50         -

triage · triage · small
  96 of 100 passed: 96.0 % [90, 99]; 100 of 500 asked, the rest could not change
  the verdict; baseline 99 of 100
  FAIL           must_pass: 1 of 3 cases that must pass fails.
                 A fact about these answers. A case whose answers vary can pass
                 today and fail tomorrow.
    card-declined  must pass, passes 0 of 3, before 3 of 3
      expected  billing
      got       shipping
      before    billing
      why       exact: The answer is "shipping", not "billing".
  PASS           min_pass_rate: 96 of 100 answers pass: 96 %; at least 90 %
                 must.
  INCONCLUSIVE   margin of tag smoke: Not decided: from a gain of 2 points to a
                 drop of 8.1 points all is plausible: a drop of 3 points was
                 observed over 100 paired cases.
                 A version without any change would fail this in at most 5 % of
                 gates.
                 -> About 274 cases would pass a version that is no worse.
  NOT EVALUATED  max_cost_per_1000_usd: The cost of 3 of 100 answers is not
                 known.
                 -> Give the model a price.

120 calls sent, 80 answers were there already, 300 calls saved by stopping
early; cost $0.12.
Run 20261123T100000-ab12. Next: llmctl show 20261123T100000-ab12
Exit 1: a rule is broken.
"""


def test_the_whole_verdict_at_80_columns() -> None:
    shown = report(warnings=("The price of one model is not known.",))
    assert printed(lambda console: render_gate(console, shown), width=80) == AT_80


@pytest.mark.parametrize("width", [20, 40, 80, 140])
def test_no_line_is_wider_than_the_terminal_where_words_can_be_broken(width: int) -> None:
    many = report(cell(), cell(name=Cell("a bank/with a long name", "another prompt", "openai/some-large-model")))
    lines = printed(lambda console: render_gate(console, many), width=width).splitlines()
    assert max(map(len, lines)) <= max(width, 80)


def test_several_cells_are_told_apart_by_what_differs() -> None:
    text = gate_text(report(cell(), cell(name=Cell("triage", "triage", "large"))), 140).plain
    assert "model  rule " in text
    assert "bank   prompt" not in text
    assert "triage · triage · large" in text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_others_wrote_is_made_safe(hostile: str) -> None:
    case = replace(CASE, output=hostile, expected=hostile, reason=hostile, name=CaseName("triage", hostile))
    rule = replace(RULES[0], cases=(case,), sentence=hostile, tag=hostile)
    shown = report(cell((rule,), Cell(hostile, "p", "m")), warnings=(hostile,))
    text = printed(lambda console: render_gate(console, replace(shown, candidate=hostile)), width=80)
    assert not set(text) & {"\x1b", "\x9b", "\x07", "\x08", "\x00", "\u202e", "\u2066", "\r"}
    text.encode()
    json_text(gate_json(shown)).encode()


@pytest.mark.parametrize(
    ("verdict", "more", "said"),
    [
        (Verdict.PASS, {}, "Exit 0: every rule holds."),
        (Verdict.FAIL, {"stopped": ExitCode.STOPPED}, "Exit 1: a rule is broken."),
        (Verdict.INCONCLUSIVE, {}, "Exit 3: the evidence is sound but too little."),
        (Verdict.NOT_EVALUATED, {}, "Exit 4: there is no evidence that could be judged."),
        (
            Verdict.NOT_EVALUATED,
            {"stopped": ExitCode.STOPPED},
            "Exit 5: stopped by a budget or a policy; what was done",
        ),
        (Verdict.INCONCLUSIVE, {"stopped": ExitCode.INTERRUPTED}, "Exit 130: interrupted; what was done is kept."),
        (Verdict.INCONCLUSIVE, {"tolerate_inconclusive": True}, "Exit 0: INCONCLUSIVE only warns here"),
    ],
)
def test_the_exit_code_is_explained(verdict: Verdict, more: dict[str, object], said: str) -> None:
    one = report(cell((replace(RULES[0], verdict=verdict),)), **more)
    assert said in exit_sentence(one)
    assert said.partition(":")[0] == f"Exit {int(one.exit_code)}"


def test_headlines() -> None:
    passing = cell((RULES[1],))
    assert headline(report(passing)) == "PASS: the one rule holds, 1 cell"
    assert headline(report(passing, passing)) == "PASS: all 2 rules hold, 2 cells"
    assert headline(report()).startswith("FAIL: of 4 rules 1 FAIL, 1 NOT EVALUATED")


def test_numbers_are_never_rounded_to_a_better_fact() -> None:
    assert observed_text(replace(RULES[1], observed=0.0003)) == "0.03 %"
    assert observed_text(replace(RULES[2], observed=-0.031)) == "-3.1 points"
    assert spending_text(replace(report(), spending=Spending())) == "No call sent; cost $0.00."
    unknown = Spending(1, 1, 0, None)
    assert (
        spending_text(replace(report(), spending=unknown)) == "1 call sent, 1 answer was there already; cost unknown."
    )


def test_the_document_holds_every_number() -> None:
    document = json.loads(json_text(gate_json(report())))
    assert (document["schema"], document["verdict"], document["exit_code"]) == ("llmctl/gate/1", "FAIL", 1)
    assert document["calls"] == {"sent": 120, "stored": 80, "saved": 300, "cost_usd": 0.1234}
    (one,) = document["cells"]
    assert (one["verdict"], one["planned"], one["asked"], one["pass_rate"]) == ("FAIL", 500, 100, 0.96)
    margin = one["rules"][2]
    assert (margin["rule"], margin["tag"], margin["interval"]) == ("margin", "smoke", [-0.02, 0.081])
    case = one["rules"][0]["cases"][0]
    assert (case["case_id"], case["output"], case["baseline_passed"]) == ("card-declined", "shipping", 3)


def test_a_case_is_shown_once_however_many_rules_it_decides() -> None:
    cases = tuple(replace(CASE, name=CaseName("triage", f"c{number}")) for number in range(8))
    first = replace(RULES[0], cases=cases[:1])
    text = gate_text(report(cell((first, replace(RULES[2], cases=cases)))), 80).plain
    assert text.count("    c0  must pass") == 1
    assert text.count("expected") == 6
    assert "    ... and 2 more\n    shown above: c0\n" in text
    assert "c0" not in gate_text(report(cell((replace(first, verdict=Verdict.PASS),))), 80).plain
