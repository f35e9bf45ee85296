"""The chart of targets: well-formed and harmless whatever the names are, with every point in its place."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

import pytest

from llmctl.compare.diff_report import Rate
from llmctl.compare.targets.report import BankComparison, ComparedTarget, TargetComparison, TargetName
from llmctl.report.compare_markdown import write_comparison_markdown
from llmctl.report.compare_svg import write_comparison_svg
from llmctl.stats.intervals import wilson
from tests.report.samples import HOSTILE, controls

SVG = "{http://www.w3.org/2000/svg}"


def target(name: str, passed: int, cost: float | None, latency: float = 100.0) -> ComparedTarget:
    rate = Rate(passed, 100, wilson(passed, 100))
    return ComparedTarget(TargetName("p", name), 100, 100, rate, cost, latency, latency)


def report(*targets: ComparedTarget, name: str = "bank", shared: int = 100) -> TargetComparison:
    bank = BankComparison(name, 100, shared, shared, 1, targets, (), 0)
    return TargetComparison(f"run {name}", "r", 0.05, (bank,))


def chart(found: TargetComparison) -> ET.Element:
    file = io.StringIO()
    write_comparison_svg(file, found)
    return ET.fromstring(file.getvalue())


def points(root: ET.Element) -> list[tuple[float, float]]:
    return [(float(one.attrib["cx"]), float(one.attrib["cy"])) for one in root.iter(f"{SVG}circle")]


def test_dearer_is_further_right_and_better_is_higher() -> None:
    (x1, y1), (x2, y2), (x3, y3) = points(
        chart(report(target("a", 90, 4.0), target("b", 80, 2.0), target("c", 70, 3.0)))
    )
    assert x2 < x3 < x1
    assert y1 < y2 < y3


def test_costs_far_apart_stand_on_a_logarithmic_axis() -> None:
    (x1, _), (x2, _), (x3, _) = points(
        chart(report(target("a", 90, 0.01), target("b", 90, 1.0), target("c", 90, 100.0)))
    )
    assert x3 - x2 == pytest.approx(x2 - x1, abs=0.2)


def test_without_costs_it_shows_latency() -> None:
    root = chart(report(target("a", 90, None, 50.0), target("b", 80, 1.0, 900.0)))
    texts = [one.text for one in root.iter(f"{SVG}text")]
    assert "median latency" in texts
    (x1, _), (x2, _) = points(root)
    assert x1 < x2


def test_names_do_not_lie_on_each_other() -> None:
    root = chart(report(*(target(f"model-{number}", 90, 1.0) for number in range(6))))
    rows = [float(one.attrib["y"]) for one in root.iter(f"{SVG}text") if (one.text or "").startswith("p · ")]
    assert len(rows) == 6
    assert min(after - before for before, after in zip(sorted(rows), sorted(rows)[1:], strict=False)) >= 14


def test_nothing_to_compare_is_a_chart_too() -> None:
    assert points(chart(report(shared=0))) == []
    assert len(points(chart(report(target("free", 0, 0.0, 0.0))))) == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_text(text: str) -> None:
    found = report(target(text, 90, 1.0), target("b", 80, 2.0), name=text)
    file = io.StringIO()
    write_comparison_svg(file, found)
    root = ET.fromstring(file.getvalue())
    assert {one.tag.removeprefix(SVG) for one in root.iter()} <= {"svg", "g", "title", "rect", "line", "text", "circle"}
    assert controls(file.getvalue().replace("\n", "")) == []
    markdown = io.StringIO()
    write_comparison_markdown(markdown, found)
    assert controls(markdown.getvalue().replace("\n", "")) == []
    assert "\n<script" not in markdown.getvalue()
