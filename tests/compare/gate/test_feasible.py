"""`validate` warns of rules that cannot pass with the cases at hand, at their lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmctl.compare.gate.feasible import least_cases_for_margin, least_cases_for_rate
from llmctl.compare.gate.rules.margin import margin_test
from llmctl.compare.gate.rules.min_pass_rate import min_pass_rate
from llmctl.compare.verdict import Verdict
from llmctl.project.models import RateRule
from tests.cli.conftest import Invoke
from tests.compare.gate.conftest import write
from tests.compare.gate.samples import evidence, scope


@pytest.mark.parametrize("margin", [0.02, 0.05, 0.1, 0.3])
def test_the_least_number_for_a_margin_is_where_the_rule_itself_begins_to_pass(margin: float) -> None:
    least = least_cases_for_margin(margin, 0.05)
    for size, passes in ((least - 1, False), (least, True)):
        test = margin_test(scope(evidence(["P"] * size, side="b"), evidence(["P"] * size, side="a")), margin)
        assert test is not None
        assert (test.margin_p <= 0.05) == passes


@pytest.mark.parametrize(("rate", "confidence"), [(0.9, 0.95), (0.99, 0.9), (0.6, 0.9)])
@pytest.mark.parametrize("repeat", [1, 3])
def test_the_least_number_for_a_rate_is_where_the_rule_itself_begins_to_pass(
    rate: float, confidence: float, repeat: int
) -> None:
    rule = RateRule(rate, confidence)
    least = least_cases_for_rate(rule, clustered=repeat > 1)
    assert least is not None
    for size, verdict in ((least - 1, Verdict.INCONCLUSIVE), (least, Verdict.PASS)):
        assert min_pass_rate(scope(evidence(["P" * repeat] * size)), rule).verdict is verdict
    assert least_cases_for_rate(RateRule(1.0, 0.95)) is None


def project(root: Path, gate: str, cases: int = 60, extra: str = "", config: str = "") -> None:
    rows = "".join(f"  - {{id: c{number}, vars: {{t: text {number}}}{extra}}}\n" for number in range(cases))
    write(root, "llmctl.toml", f'[models.m]\nmodel = "fake/echo"\n{config}')
    write(root, "prompts/p.yaml", 'model: m\ntemplate: "{{ t }}"\n')
    (root / "testbanks").mkdir()
    (root / "testbanks" / "p.yaml").write_text(
        f"prompts: [p]\nevaluators: [{{contains: text}}]\n{gate}\ncases:\n{rows}"
    )


@pytest.mark.parametrize(
    ("gate", "cases", "extra", "said"),
    [
        ("margin: 0.05", 51, "", "51 cases, and it takes at least 52"),
        ("margin: 0.05", 52, "", "while the gate looks at its results early: 52 cases are too few"),
        ("margin: 0.05", 60, ", group: g", "1 independent group, and it takes at least 52"),
        ("min_pass_rate: {rate: 0.9, confidence: 0.95}", 28, "", "28 cases, and it takes at least 29, all passing"),
        ("min_pass_rate: {rate: 1, confidence: 0.95}", 60, "", "no number of cases shows that 100 % pass"),
        ("max_flake_rate: 0.1", 60, "", "each case is asked once"),
        ("max_new_failures: 60", 60, "", "can never fail on the bank p, which has 60 cases"),
        ("tags: {nightly: {margin: 0.3}}", 60, "", "No case of the bank p has the tag nightly"),
        ("tags: {a{b: {margin: 0.05}}", 20, ", tags: ['a{b']", "can pass no change on the tag a{b of the bank p: 20"),
    ],
)
def test_a_rule_that_cannot_pass_is_a_warning_at_its_line(
    tmp_path: Path, llmctl: Invoke, gate: str, cases: int, extra: str, said: str
) -> None:
    project(tmp_path, f"gate:\n  {gate}".replace("a{b:", '"a{b":'), cases, extra)
    result = llmctl("validate")
    assert (result.code, "0 errors, 1 warning." in result.out) == (0, True), result.out + result.err
    assert said in " ".join(result.err.split()), result.err
    assert "p.yaml:4:" in result.err
    assert llmctl("validate", "--strict").code == 1


@pytest.mark.parametrize(
    "gate",
    [
        "margin: 0.05",
        "min_pass_rate: {rate: 0.9, confidence: 0.95}",
        "min_pass_rate: 1",
        "max_new_failures: 0",
        "max_latency_p95_ms: 100",
    ],
)
def test_rules_that_can_pass_are_not_warned_of(tmp_path: Path, llmctl: Invoke, gate: str) -> None:
    project(tmp_path, f"gate:\n  {gate}")
    result = llmctl("validate")
    assert "60 cases: all good." in result.out, result.err


def test_rules_of_the_config_are_warned_of_at_their_line_for_banks_without_their_own(
    tmp_path: Path, llmctl: Invoke
) -> None:
    project(tmp_path, "", 20, config="[gate]\nmargin = 0.05\n[gate.tags.x]\nmargin = 0.05\n")
    result = llmctl("validate")
    assert "llmctl.toml:4:1" in result.err
    assert "20 cases, and it takes at least 52" in " ".join(result.err.split())
    assert "tag x" not in result.err, "not every bank has every tag"


def test_repeats_make_flakiness_visible_and_alpha_counts(tmp_path: Path, llmctl: Invoke) -> None:
    project(
        tmp_path,
        "gate: {max_flake_rate: 0.1, margin: 0.05}",
        70,
        config="[eval]\nrepeat = 3\n[gate]\nalpha = 0.01\n",
    )
    result = llmctl("validate")
    assert "it takes at least 103" in " ".join(result.err.split()), result.err
    assert "flake" not in result.err


def test_a_gate_on_a_judge_that_nobody_has_checked(tmp_path: Path, llmctl: Invoke) -> None:
    project(tmp_path, "gate: {min_pass_rate: 0.9}", config="[judge]\nmodel = 'm'\n")
    bank = tmp_path / "testbanks" / "p.yaml"
    text = bank.read_text()
    bank.write_text(text.replace("[{contains: text}]", "[{judge: It is polite., metric: polite}]"))
    result = llmctl("validate")
    assert "its judge polite was never compared with people" in " ".join(result.err.split()), result.err
    bank.write_text(text.replace("[{contains: text}]", "[exact, {judge: It is polite., metric: polite, weight: 0}]"))
    assert "polite was never" not in " ".join(llmctl("validate").err.split())
