"""The classification report: what is counted in which cell, and how it looks."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from llmctl.evaluators import registry
from llmctl.outcome import Outcome
from llmctl.report.classification import CellClasses, classification_json
from llmctl.report.classification_text import classification_text
from llmctl.report.documents import json_text
from llmctl.report.layout import show
from llmctl.report.markdown_file import write_markdown
from llmctl.report.model import RunReport, TargetKey
from llmctl.report.tally import Tally
from llmctl.runs.classes import ClassFinder, MetricClasses
from llmctl.runs.records import MetricScore, ResultEvent
from tests.evaluators.entries import SETTINGS, case_of, spec_of
from tests.report.samples import HOSTILE, controls, failed, head, result, timed_out

EXPECTED = ["billing", "shipping", ["shipping", "parcels"], "billing", "parcels", "parcels"]


def classes(entry: Any = "exact", expected: Sequence[Any] = EXPECTED) -> tuple[MetricClasses, ...]:
    finder, spec = ClassFinder(), spec_of(entry)
    for value in expected:
        case = replace(case_of({"expected": value}), bank="triage")
        finder.add(registry.build(spec, case, SETTINGS), case)
    return finder.found


def counted(results: Sequence[ResultEvent], found: tuple[MetricClasses, ...] | None = None) -> RunReport:
    tally = Tally(classes=classes() if found is None else found)
    for one in results:
        tally.add(one)
    return tally.report(head(len(results)))


def answered(expected: str, output: str, **values: Any) -> ResultEvent:
    return failed(expected=expected, output=output, **values)


def cell_of(report: RunReport) -> CellClasses:
    [cell] = report.classifications
    return cell


def test_each_answer_is_in_the_column_of_its_label() -> None:
    cell = cell_of(
        counted(
            [
                result(expected="billing", output=" billing\n"),
                answered("billing", "shipping"),
                answered("billing", "Billing"),
                answered("shipping", ""),
                answered("parcels", "I do not know"),
            ]
        )
    )
    assert cell.labels == ("billing", "parcels", "shipping")
    assert cell.columns == ("billing", "parcels", "shipping", "(other)", "(no answer)")
    assert cell.matrix == ((1, 0, 1, 1, 0), (0, 0, 0, 1, 0), (0, 0, 0, 0, 1))
    assert (cell.figures.correct, cell.figures.total) == (1, 5)


def test_of_several_accepted_answers_the_given_one_is_right_and_else_the_first_counts() -> None:
    both = '["shipping","parcels"]'
    cell = cell_of(counted([result(expected=both, output="parcels"), answered(both, "billing")]))
    assert cell.matrix[cell.labels.index("parcels")][cell.labels.index("parcels")] == 1
    assert cell.matrix[cell.labels.index("shipping")][cell.labels.index("billing")] == 1


def test_no_evidence_is_left_out_and_counted_and_a_refusal_is_no_answer() -> None:
    broken = replace(MetricScore("exact", "exact", 0.0, None, None, "broke", True))
    cell = cell_of(
        counted(
            [
                result(expected="billing", output="billing"),
                timed_out(expected="billing"),
                result(expected="billing", scores=(broken,)),
                failed(expected="shipping", outcome=Outcome.REFUSED, output="No.", scores=()),
            ]
        )
    )
    assert cell.left_out == 2
    assert cell.figures.total == 2
    assert cell.matrix[2] == (0, 0, 0, 0, 1)


def test_cases_without_the_metric_or_with_another_answer_are_not_counted() -> None:
    other = (MetricScore("one_of", "one_of", 1.0, 1.0, True, "yes"),)
    rest = [result(expected="billing", scores=other), result(expected=None), result(expected="strange")]
    assert cell_of(counted([result(expected="billing", output="billing"), *rest])).figures.total == 1
    assert counted(rest).classifications == ()


def test_what_extract_found_is_what_counts() -> None:
    found = classes({"exact": None, "extract": "/q"})
    [score] = failed().scores
    wrong = replace(score, extracted="shipping")
    results = [answered("billing", '{"q": "shipping"}', scores=(wrong,)), answered("billing", "billing")]
    assert cell_of(counted(results, found)).matrix[0] == (0, 0, 1, 0, 1)


def test_every_draw_counts_and_intervals_know_of_it() -> None:
    results = [result(expected="billing", output="billing", repeat=repeat) for repeat in (1, 2, 3)]
    cell = cell_of(counted(results))
    assert (cell.figures.total, cell.repeats, cell.cluster_size) == (3, 3, 3)
    one = cell_of(counted(results[:1]))
    assert cell.figures.accuracy_interval == one.figures.accuracy_interval


def test_intervals_know_of_groups() -> None:
    def cell(group: str | None) -> CellClasses:
        same = {"expected": "billing", "output": "billing", "group": group}
        return cell_of(counted([result(f"c{number}", case_number=number, **same) for number in range(6)]))

    assert (cell(None).cluster_size, cell("one").cluster_size) == (1, 6)
    alone, together = (cell(group).figures.classes[0].recall_interval for group in (None, "one"))
    assert alone is not None
    assert together is not None
    assert together.low < alone.low


def test_targets_are_apart() -> None:
    draws = (("b", 1), ("b", 2), ("a", 1))
    results = [result(expected="billing", output="billing", model=model, repeat=repeat) for model, repeat in draws]
    cells = counted(results).classifications
    assert [(cell.key.model, cell.repeats, cell.cluster_size) for cell in cells] == [("a", 1, 1), ("b", 2, 2)]


def shown(report: RunReport, width: int = 80) -> str:
    file = io.StringIO()
    text = classification_text(report, width)
    assert text is not None
    show(Console(file=file, width=width, color_system=None), text)
    return file.getvalue()


def test_the_whole_section() -> None:
    outputs = [("billing", "billing")] * 8 + [("billing", "parcels")] + [("shipping", "shipping")] * 3
    outputs.append(("shipping", "no idea"))
    results = [
        result(f"c{number}", expected=expected, output=output)
        if expected == output
        else failed(f"c{number}", expected=expected, output=output)
        for number, (expected, output) in enumerate(outputs)
    ]
    results.append(timed_out(expected="billing"))
    assert shown(counted(results)) == (
        "Classes by exact\n"
        "  class          results  precision [95 %]    recall [95 %]    F1\n"
        "  billing              9   100 % [67, 100]  88.9 % [56, 99]  0.94\n"
        "  parcels              0     0.0 % [0, 80]                -  0.00\n"
        "  shipping             4   100 % [43, 100]  75.0 % [30, 96]  0.86\n"
        "  macro average                     66.7 %           54.6 %  0.60\n"
        "  micro average                     91.7 %           84.6 %  0.88\n"
        "  11 of 13 right: accuracy 84.6 % [57, 96], kappa 0.69, MCC 0.72. 1 without\n"
        "  evidence left out.\n"
        "  Expected in the rows, answered in the columns:\n"
        "            billing  parcels  shipping  (other)\n"
        "  billing         8        1         .        .\n"
        "  parcels         .        .         .        .\n"
        "  shipping        .        .         3        1\n"
    )


def cell_with(labels: Sequence[str]) -> CellClasses:
    """Each label was answered 90 times rightly, and once as the next one."""
    size = len(labels)
    rows = [[0] * (size + 2) for _ in labels]
    for place, row in enumerate(rows):
        row[place], row[(place + 1) % size] = 90, 1
    return CellClasses(TargetKey("b", "p", "m"), "exact", tuple(labels), tuple(map(tuple, rows)), 0, 1)


@pytest.mark.parametrize(
    ("count", "said", "missing"),
    [(4, "label number 1  label", "by number"), (9, "by number", "Most confused"), (40, "Most confused", "by number")],
)
def test_wide_matrices_stay_within_eighty_columns(count: int, said: str, missing: str) -> None:
    cell = cell_with([f"label number {number}" for number in range(1, count + 1)])
    text = shown(replace(counted([]), classifications=(cell,)))
    assert max(map(len, text.splitlines())) <= 80
    assert said in text
    assert missing not in text


def test_many_classes_and_many_targets_are_cut_and_say_so() -> None:
    cell = cell_with([f"label {number}" for number in range(50)])
    text = shown(replace(counted([]), classifications=(cell,) * 5))
    assert "... and 30 smaller classes" in text
    assert "... and 40 more pairs" in text
    assert text.count("Classes by exact: b, p, m") == 3
    assert "Classes, the other targets" in text


def test_hostile_labels_and_answers_are_shown_as_text_everywhere() -> None:
    labels = [text for text in HOSTILE if text.strip() and len(text) < 50 and "\n" not in text]
    report = replace(counted([]), classifications=(cell_with(labels),))
    file = io.StringIO()
    write_markdown(file, report, [])
    for text in (shown(report), shown(report, 40), file.getvalue(), json_text(classification_json(report))):
        assert controls(text) == []
    rows = [line for line in file.getvalue().splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows if line.count("|") > 12}) == 1


def test_markdown_has_the_whole_matrix() -> None:
    file = io.StringIO()
    write_markdown(file, counted([result(expected="billing", output="billing"), answered("billing", "shipping")]), [])
    assert "## Classes by `exact`: `triage`, `triage` on `small`\n\n1 of 2 right: accuracy 50.0 %" in file.getvalue()
    assert "| `billing` | 2 | 100 % [20, 100] | 50.0 % [9, 91] | 0.67 |\n" in file.getvalue()
    assert "| `billing` | **1** | 0 | 1 | 0 | 0 |\n" in file.getvalue()
    assert "| weighted average |  |" in file.getvalue()
