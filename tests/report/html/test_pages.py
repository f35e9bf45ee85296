"""The pages as text: what stands in them, and that nothing hostile becomes markup. No browser is needed."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import zipfile
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from llmctl.compare.diff_report import Change, DiffReport, FlippedCase
from llmctl.compare.verdict import GateReport, JudgedCase, Verdict
from llmctl.report.html import rows as rows_module
from llmctl.report.html import write_diff_html, write_gate_html, write_run_html
from llmctl.report.html.rows import FIELDS, named, shown
from llmctl.report.judges import JudgeRow, Judging
from llmctl.report.model import Amount
from llmctl.runs.records import JudgeEvent, ResultEvent
from tests.report.html.hostile import HOSTILE, hostile_diff, hostile_flip, hostile_gate, hostile_judged, hostile_result
from tests.report.html.samples import diff_report, flip, gate_report, judged, run_results
from tests.report.samples import controls, failed, report_of, result, timed_out
from tests.report.test_any_text import ANY_TEXT
from tests.report.test_classification import classes, counted

VOID = {"meta", "input", "br", "line", "circle"}


class Page(HTMLParser):
    """The tags of a page in order, with their attributes, and what stands in its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.words = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag in self.raw:
            self.raw[tag].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in self.raw:
            self.raw[self.open[-1]][-1] += data
        else:
            self.words += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    @property
    def data(self) -> Any:
        return json.loads(self.raw["script"][0])

    @property
    def rows(self) -> list[dict[str, Any]]:
        document = self.data
        assert document["settings"]["fields"] == list(FIELDS)
        return [dict(zip(FIELDS, row, strict=True)) for row in document["rows"]]


def run_text(results: Iterable[ResultEvent], planned: int | None = None, **values: object) -> str:
    listed, file = list(results), io.StringIO()
    write_run_html(file, report_of(listed, planned, **values), iter(listed))
    return file.getvalue()


def run_page(results: Iterable[ResultEvent], planned: int | None = None, **values: object) -> Page:
    return Page(run_text(results, planned, **values))


def diff_page(path: Path, report: DiffReport, details: Iterable[FlippedCase] = ()) -> Page:
    write_diff_html(path / "diff.html", report, details)
    return Page((path / "diff.html").read_text(encoding="utf-8"))


def gate_page(path: Path, report: GateReport, details: Iterable[JudgedCase] = ()) -> Page:
    write_gate_html(path / "gate.html", report, details)
    return Page((path / "gate.html").read_text(encoding="utf-8"))


# --- what stands there ------------------------------------------------------------------------------------------------


def test_a_run_says_its_rate_then_what_failed_then_all() -> None:
    page = run_page(run_results(), label="nightly")
    order = [
        "82.0 % passed",
        "95 % interval 70 to 90",
        "Failed: 11",
        "No evidence: 1",
        "By prompt and model",
        "All cases",
    ]
    places = [page.words.index(words) for words in order]
    assert places == sorted(places)
    assert "Run 0k3jd92ma1x7z (nightly)" in page.words
    assert [row["case"] for row in page.rows] == [one.case_id for one in run_results()]
    assert {row["status"] for row in page.rows} == {"passed", "failed", "no evidence"}


def test_a_row_holds_all_of_a_result() -> None:
    [row] = run_page([failed("a", output="other", expected="billing", tags=("x",), must_pass=True, repeat=2)]).rows
    assert row == {
        "status": "failed", "bank": "triage", "case": "a", "prompt": "triage", "model": "small", "repeat": 2,
        "tags": ["x"], "must_pass": True, "flaky": False, "expected": "billing", "before": "billing",
        "output": "other", "why": [["exact", "failed", 0.0, 'The answer is "other", not "billing".']], "why_before": [],
        "outcome": "", "score": 0.0, "passes": "", "passes_before": "", "latency_ms": 400.0, "latency_before_ms": None,
        "cost_usd": 0.001, "cost_before_usd": None, "cached": False, "pieces": None,
    }  # fmt: skip


def test_a_result_without_an_answer_says_why() -> None:
    [row] = run_page([timed_out("a")]).rows
    assert (row["status"], row["outcome"], row["output"]) == ("no evidence", "timeout", None)
    assert row["why"] == [["", "", None, "There was no answer within 60 s."]]


def test_nearly_the_expected_answer_is_compared_word_by_word() -> None:
    [row] = run_page([failed("a", output="one two three four", expected="one two three five")]).rows
    assert row["pieces"] == [0, "one two three ", 1, "five", 2, "four"]
    assert row["before"] is row["output"] is None


def test_missing_results_are_said() -> None:
    page = run_page([result("a"), timed_out("b")], planned=4)
    assert "Coverage 25.0 %: of 4 planned results, 1 have no evidence and 2 were not made." in page.words


def test_an_empty_run_never_looks_like_a_pass() -> None:
    page = run_page([], planned=0)
    assert "No result: nothing was evaluated." in page.words
    assert "%" not in page.words.split("All cases")[0]
    assert page.rows == []


def test_a_run_without_evidence_has_no_rate() -> None:
    assert "No pass rate: no result has evidence." in run_page([timed_out("a")]).words


def test_a_diff_says_what_broke_then_how_sure(tmp_path: Path) -> None:
    page = diff_page(tmp_path, diff_report())
    order = ["3 newly failing, 1 fixed", "No drop larger than 5.3 points", "Pass rate", "Newly failing: 3", "Fixed: 1"]
    places = [page.words.index(words) for words in order]
    assert places == sorted(places)
    for words in (
        "main (4f2a91c)",
        "the files here",
        "must pass",
        "flaky",
        "passed 1 of 3",
        "238 are needed",
        "x1.21",
    ):
        assert words in page.words
    assert [row["status"] for row in page.rows] == ["worse", "worse", "worse", "better"]
    letter = page.rows[0]["pieces"]
    assert letter[0::2].count(1) > 1 < letter[0::2].count(2)


def test_a_diff_lists_every_pair_that_it_is_given(tmp_path: Path) -> None:
    details = [
        flip("worse"),
        flip("same", output_b="billing", passed_b=1),
        flip("changed", passed_b=1),
        flip("none", evidence_b=0),
        flip("better", passed_a=1, evidence_a=3, passed_b=2, evidence_b=3),
    ]
    page = diff_page(tmp_path, diff_report(), iter(details))
    assert [row["status"] for row in page.rows] == ["worse", "same", "changed", "no evidence", "better"]
    assert page.rows[4]["passes"] == "2 of 3"


def test_a_diff_of_nothing_says_so(tmp_path: Path) -> None:
    report = replace(diff_report(), cells=())
    assert "Nothing to compare" in diff_page(tmp_path, report).words
    cell = replace(diff_report().cells[0], regressions=(), fixes=(), regression_count=0, fix_count=0, difference=None)
    words = diff_page(tmp_path, replace(report, cells=(cell,))).words
    assert "No case changed its verdict" in words
    assert "Nothing can be compared" in words


def test_a_long_source_is_shown_by_its_changed_lines(tmp_path: Path) -> None:
    lines = [f"line {number}" for number in range(2_000)]
    after = [*lines[:1_000], "a new line", *lines[1_000:]]
    change = Change("bank", "triage", "\n".join(lines), "\n".join(after))
    page = diff_page(tmp_path, replace(diff_report(), changes=(change,)))
    assert "cases of triage" in page.words
    assert "a new line" in page.words
    assert "line 500" not in page.words


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_gate_says_its_verdict_first(tmp_path: Path, verdict: Verdict) -> None:
    page = gate_page(tmp_path, gate_report(verdict), [judged("card-declined"), judged("fine", passed=4)])
    expected = Verdict.INCONCLUSIVE if verdict is Verdict.PASS else verdict  # the rules beside it
    assert page.words.split("Gate\n", 1)[1].split()[0] == expected.value.split()[0]
    for words in ("max_new_failures", "in at most 5 % of gates", "About 240 cases would decide.", "tag smoke"):
        assert words in page.words
    assert [row["case"] for row in page.rows] == ["card-declined", "refund-letter", "fine"]
    assert [row["status"] for row in page.rows] == ["worse", "worse", "passed"]


# --- nothing hostile becomes markup -----------------------------------------------------------------------------------


def checked(page: Page) -> Page:
    """Holds for every page."""
    assert page.open == []
    assert page.tags.count("script") == 2
    assert page.tags.count("style") == 1
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), name
        assert name not in ("style", "src", "srcset", "action", "formaction", "ping", "background"), name
        if name == "href":
            assert (tag, value[0]) == ("a", "#")
    return page


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_a_run_makes_no_tag(text: str) -> None:
    def page(text: str) -> Page:
        results = [hostile_result(text), timed_out(text, bank=text, prompt=text, model=text, reason=text)]
        return checked(run_page(results, label=text, branch=text, commit=text, run_id=text, error=text))

    hostile = page(text)
    assert hostile.tags == page("plain").tags
    assert controls(run_text([hostile_result(text)], label=text)) == []
    assert hostile.rows[0]["output"] == hostile.rows[0]["why"][0][3] == shown(text)
    assert hostile.rows[0]["tags"] == [named(text)]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_a_diff_makes_no_tag(tmp_path: Path, text: str) -> None:
    hostile = checked(diff_page(tmp_path, hostile_diff(text), [hostile_flip(text)]))
    assert hostile.tags == diff_page(tmp_path, hostile_diff("plain"), [hostile_flip("plain")]).tags
    assert hostile.rows[0]["output"] == shown(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_a_gate_makes_no_tag(tmp_path: Path, text: str) -> None:
    hostile = checked(gate_page(tmp_path, hostile_gate(text), [hostile_judged(text)]))
    assert hostile.tags == gate_page(tmp_path, hostile_gate("plain"), [hostile_judged("plain")]).tags
    assert hostile.rows[0]["output"] == shown(text)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANY_TEXT)
def test_any_text(text: str) -> None:
    content = run_text([hostile_result(text), failed("a", output=text, expected=text + "x")], label=text)
    assert controls(content) == []
    page = checked(Page(content))
    assert page.rows[0]["case"] == shown(text)
    assert "<" not in page.raw["script"][0]


def test_a_text_of_a_megabyte_is_cut_and_said() -> None:
    long = "word </script> " * 70_000
    content = run_text([hostile_result(long)])
    page = checked(Page(content))
    assert len(content) < 5_000_000
    assert page.rows[0]["output"].endswith(" more characters are not on this page]")
    assert "long texts are cut on this page" in page.words


def test_texts_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "_TEXTS", 10_000)
    page = run_page([failed(str(number), output="x" * 4_000) for number in range(50)])
    lengths = [len(row["output"]) for row in page.rows]
    assert lengths[0] == 4_000
    assert lengths[-1] < 400


def test_rows_together_are_bounded_and_what_failed_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "_LISTED_ALIKE", 3)
    monkeypatch.setattr(rows_module, "_LISTED", 5)
    page = run_page([result(str(number)) for number in range(10)] + [failed("broken")])
    assert [row["case"] for row in page.rows] == ["0", "1", "2", "broken"]
    assert "7 rows are not on this page" in page.words


# --- the frame --------------------------------------------------------------------------------------------------------


def test_only_the_pages_own_script_and_style_act() -> None:
    page = run_page(run_results())
    [policy] = [value for _, name, value in page.attributes if name == "content" and "default-src" in value]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for kind, text in (("script", page.raw["script"][1]), ("style", page.raw["style"][0])):
        digest = b64encode(sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_the_policy_stands_before_anything_that_could_act() -> None:
    page = run_page([])
    assert page.tags[:4] == ["html", "head", "meta", "meta"]
    assert page.attributes[2] == ("meta", "http-equiv", "Content-Security-Policy")


@pytest.mark.parametrize("kind", ["run", "diff", "gate"])
def test_a_page_can_be_read_by_a_screen_reader(tmp_path: Path, kind: str) -> None:
    page = {
        "run": lambda: run_page(run_results()),
        "diff": lambda: diff_page(tmp_path, diff_report()),
        "gate": lambda: gate_page(tmp_path, gate_report()),
    }[kind]()
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert ("html", "lang", "en") in page.attributes
    scopes = [value for tag, name, value in page.attributes if (tag, name) == ("th", "scope")]
    assert len(scopes) == page.tags.count("th")
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(set(ids)) == len(ids)
    labelled = [value for _, name, value in page.attributes if name == "aria-labelledby"]
    assert set(labelled) <= set(ids)


COLOURS = re.compile(r"--([\w-]+): (#[0-9a-f]{6});")
PAIRS = [
    ("text", "page"), ("text", "panel"), ("soft", "page"), ("soft", "panel"), ("link", "page"),
    ("bad", "bad-back"), ("bad", "page"), ("good", "good-back"), ("good", "page"), ("warn", "warn-back"),
    ("info", "info-back"),
]  # fmt: skip


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_colours_have_the_contrast_that_wcag_asks_for() -> None:
    style = files("llmctl.report.html").joinpath("page.css").read_text(encoding="utf-8")
    schemes = [dict(COLOURS.findall(block)) for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)]
    assert len(schemes) == 3  # light, dark, paper
    for colours in schemes:
        for name, ground in PAIRS:
            light, dark = sorted((luminance(colours[name]), luminance(colours[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, ground)


def test_nothing_in_the_sources_ends_their_element() -> None:
    for name in ("page.css", "page.js"):
        text = files("llmctl.report.html").joinpath(name).read_text(encoding="utf-8")
        assert not re.search("</|<!--|\r", text)
        assert text.isascii() or name == "page.js"


def test_the_wheel_holds_templates_script_and_style(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    build = [
        sys.executable,
        "-c",
        "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))",
    ]
    subprocess.run([*build, str(tmp_path)], cwd=root, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    folder = root / "llmctl" / "report" / "html"
    wanted = [path for path in folder.rglob("*") if path.suffix in (".html", ".css", ".js")]
    assert len(wanted) >= 7
    assert {path.relative_to(root).as_posix() for path in wanted} <= set(names)


def matrix_page(labels: Sequence[str]) -> Page:
    results = [
        result(expected=labels[0], output=labels[0]),
        failed("b", expected=labels[0], output=labels[1]),
        failed("c", expected=labels[1], output="something else"),
    ]
    file = io.StringIO()
    write_run_html(file, counted(results, classes(expected=[*labels, *labels, *labels])), results)
    return checked(Page(file.getvalue()))


def test_a_run_with_labels_has_a_confusion_matrix() -> None:
    page = matrix_page(["billing", "shipping"])
    assert "Classes by exact" in page.words
    assert "1 of 3 right" in page.words
    assert page.words.count("(other)") == 1
    kinds = [value for tag, name, value in page.attributes if tag == "td" and re.search(r"\bh\d", value)]
    first, second = ["right h3", "wrong h3", "wrong h0"], ["wrong h0", "right h0", "wrong h5"]
    assert kinds == [f"number {kind}" for kind in (*first, *second)]


def test_labels_are_hostile_too() -> None:
    assert matrix_page(["<script>x</script>", "</td><b>"]).tags == matrix_page(["billing", "shipping"]).tags


def test_many_labels_are_listed_as_what_is_confused() -> None:
    page = matrix_page([f"label-{number}" for number in range(40)])
    assert "1 \u00d7 label-0 answered as label-1" in page.words
    assert "answered in the columns" not in page.words


def test_judges_are_named() -> None:
    results = [result("a")]
    file = io.StringIO()
    judge = JudgeEvent("triage", "polite", "gpt", "openai/gpt", "i", "a", 1, "k")
    write_run_html(file, replace(report_of(results), judging=Judging((JudgeRow(judge),), 3, 1, Amount(0.1))), results)
    assert "polite (openai/gpt): no calibration" in Page(file.getvalue()).words
