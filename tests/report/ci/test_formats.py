"""JUnit, SARIF, code quality and annotations of a gate: what is no pass is never green, whatever the texts hold."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from io import StringIO
from pathlib import PurePosixPath
from xml.etree import ElementTree

import pytest

from llmctl.compare.cells import CaseName, Cell
from llmctl.compare.gate_context import FilePlace, GateContext
from llmctl.compare.verdict import GateReport, RuleName, Verdict
from llmctl.errors import ExitCode
from llmctl.report.ci.annotations import MAX_ANNOTATIONS, annotation_lines
from llmctl.report.ci.code_quality import gate_code_quality
from llmctl.report.ci.junit import write_gate_junit
from llmctl.report.ci.sarif import gate_sarif
from llmctl.report.documents import json_text
from llmctl.report.gate_files import GATE_ENDINGS
from tests.report.samples import HOSTILE, controls
from tests.report.test_gate import CASE, CELL, RULES, cell, report

PLACES = GateContext(
    cases={CASE.name: FilePlace(PurePosixPath("app/testbanks/triage.yaml"), 12)},
    prompts={"triage": FilePlace(PurePosixPath("app/prompts/triage.yaml"))},
)
PASSING = cell((RULES[1],))


def junit(shown: GateReport) -> ElementTree.Element:
    file = StringIO()
    write_gate_junit(file, shown)
    return ElementTree.fromstring(file.getvalue())


def kinds(root: ElementTree.Element) -> dict[str, str]:
    return {test.get("name", ""): next((child.tag for child in test), "") for test in root.iter("testcase")}


def test_a_test_for_each_rule_and_each_deciding_case() -> None:
    root = junit(replace(report(), context=PLACES))
    assert kinds(root) == {
        "verdict": "failure",
        "triage: must_pass": "failure",
        "triage: min_pass_rate": "",
        "triage: margin of tag smoke": "error",
        "triage: max_cost_per_1000_usd": "error",
        "triage.card-declined": "failure",
    }
    assert [root.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["6", "3", "2", "0"]
    [case] = [test for test in root.iter("testcase") if test.get("name") == "triage.card-declined"]
    assert (case.get("file"), case.get("line")) == ("app/testbanks/triage.yaml", "12")
    assert "expected: billing\ngot: shipping\nbefore: billing" in (case[0].text or "")


@pytest.mark.parametrize(
    ("verdict", "more", "kind"),
    [
        (Verdict.PASS, {}, ""),
        (Verdict.PASS, {"stopped": ExitCode.STOPPED}, "error"),
        (Verdict.FAIL, {}, "failure"),
        (Verdict.INCONCLUSIVE, {}, "error"),
        (Verdict.INCONCLUSIVE, {"tolerate_inconclusive": True}, "skipped"),
        (Verdict.INCONCLUSIVE, {"tolerate_inconclusive": True, "stopped": ExitCode.STOPPED}, "error"),
        (Verdict.NOT_EVALUATED, {"tolerate_inconclusive": True}, "error"),
    ],
)
def test_only_a_pass_is_green(verdict: Verdict, more: dict[str, object], kind: str) -> None:
    shown = report(cell((replace(RULES[1], verdict=verdict),)), **more)
    assert kinds(junit(shown))["verdict"] == kind
    said = list(annotation_lines(shown))
    assert bool(said) == bool(kind)
    assert all(line.startswith("::warning" if kind == "skipped" else "::error") for line in said)
    assert bool(gate_code_quality(shown)) == bool(gate_sarif(shown)["runs"][0]["results"]) == bool(kind)


def test_nothing_judged_is_an_error_everywhere() -> None:
    nothing = GateReport((), "nothing was judged", None, None, warnings=("There is no key.",))
    assert kinds(junit(nothing)) == {"verdict": "error"}
    assert "There is no key." in next(annotation_lines(nothing))
    assert gate_sarif(nothing)["runs"][0]["results"][0]["ruleId"] == "gate"
    assert gate_code_quality(nothing)[0]["location"] == {"path": "llmctl.toml", "lines": {"begin": 1}}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_whatever_stands_in_the_texts(hostile: str) -> None:
    case = replace(CASE, output=hostile, expected=hostile, reason=hostile, name=CaseName("triage", hostile))
    rule = replace(RULES[0], cases=(case,), sentence=hostile, tag=hostile)
    shown = report(cell((rule,), Cell(hostile, "p", "m")), warnings=(hostile,))
    root = junit(shown)
    assert len(list(root.iter("testcase"))) == 3
    text = ElementTree.tostring(root, "unicode") + json_text(gate_sarif(shown)) + json_text(gate_code_quality(shown))
    assert not controls(text.replace("\n", ""))
    [line] = annotation_lines(shown)
    assert not controls(line)
    assert re.fullmatch(r"::error title=[^:,\n]*::[^\n]*", line)


def test_an_annotation_stands_at_the_case_and_escapes_what_the_runner_reads() -> None:
    case = replace(CASE, name=CaseName("triage", "100%"), reason="a\r\nb", expected=None, output="::set-output::")
    place = FilePlace(PurePosixPath("a,b:c%.yaml"), 3)
    one = replace(RULES[0], cases=(case,))
    shown = replace(report(cell((one,))), context=GateContext(cases={case.name: place}))
    expected = (
        "::error file=a%2Cb%3Ac%25.yaml,line=3,title=FAIL%3A must_pass on triage · triage · small::"
        "100%25: a%0Ab%0Agot: ::set-output::"
    )
    assert list(annotation_lines(shown)) == [expected]


def test_at_most_ten_annotations_and_the_last_counts_the_rest() -> None:
    cases = tuple(replace(CASE, name=CaseName("triage", f"c{number}")) for number in range(25))
    lines = list(annotation_lines(report(cell((replace(RULES[0], cases=cases),)))))
    assert len(lines) == MAX_ANNOTATIONS
    assert lines[-1].endswith("%0A... and 15 more: see the summary of this job.")
    assert "more:" not in lines[0]


def test_a_rule_without_a_case_stands_at_the_prompt() -> None:
    shown = replace(report(cell((RULES[2],))), context=PLACES)
    assert next(annotation_lines(shown)).startswith("::error file=app/prompts/triage.yaml,line=1,")


def test_sarif_has_what_the_standard_asks_for() -> None:
    document = gate_sarif(replace(report(), context=PLACES))
    assert document["version"] == "2.1.0"
    [run] = document["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert {name.value for name in RuleName} < set(rules)
    assert len(rules) == len(set(rules))
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
        place = result["locations"][0]["physicalLocation"]
        assert place["region"]["startLine"] >= 1
        assert re.fullmatch(r"[\w./%-]+", place["artifactLocation"]["uri"])
    assert run["results"][0]["locations"][0]["physicalLocation"]["region"] == {"startLine": 12}
    odd = replace(PLACES, cases={CASE.name: FilePlace(PurePosixPath("a b/ü#.yaml"))})
    found = gate_sarif(replace(report(), context=odd))["runs"][0]["results"][0]
    assert found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b/%C3%BC%23.yaml"


def test_fingerprints_follow_rule_cell_and_case_alone() -> None:
    def prints(shown: GateReport) -> list[str]:
        return [issue["fingerprint"] for issue in gate_code_quality(shown)]

    first = report()
    again = report(cell((replace(RULES[0], cases=(replace(CASE, output="other"),)), *RULES[1:])))
    assert prints(first) == prints(again)
    assert len(set(prints(first))) == len(prints(first)) == 3
    assert prints(report(cell(name=replace(CELL, model="large"))))[0] not in prints(first)
    issue = gate_code_quality(replace(first, context=PLACES))[0]
    assert issue["location"] == {"path": "app/testbanks/triage.yaml", "lines": {"begin": 12}}
    json.dumps(issue)


def test_a_passed_gate_is_silent() -> None:
    assert not list(annotation_lines(report(PASSING)))
    assert set(kinds(junit(report(PASSING))).values()) == {""}
    assert set(GATE_ENDINGS) == {".json", ".html", ".md", ".junit.xml", ".sarif", ".codequality.json"}
