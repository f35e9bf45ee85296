"""The page of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TextIO

from llmctl.outcome import Outcome
from llmctl.report.classification import CellClasses
from llmctl.report.classification_text import averages_cells, class_cells, summary_line
from llmctl.report.explain import verdict, why
from llmctl.report.html.cards import Card
from llmctl.report.html.matrix import Matrix
from llmctl.report.html.page import Listing, write_page
from llmctl.report.html.rows import Reason, Row, Status
from llmctl.report.judges import judging_lines
from llmctl.report.model import RunReport
from llmctl.report.repeats import TITLES, figures, flaky_sentences, heading, legend
from llmctl.runs.records import MetricScore, ResultEvent

__all__ = ["result_row", "write_run_page"]

_LISTING = Listing((Status.FAILED, Status.NO_EVIDENCE, Status.PASSED), before="Expected", output="Answer", pairs=False)


def write_run_page(file: TextIO, report: RunReport, results: Iterable[ResultEvent]) -> None:
    """Write the page; the results are read one at a time."""
    values = {
        "report": report,
        "failures": [Card.of(result_row(result)) for result in report.failures],
        "errors": [Card.of(result_row(result)) for result in report.errors],
        "classes": [_Classes(cell) for cell in report.classifications],
        "judging": judging_lines(report),
        "repeats": {
            "heading": heading(report),
            "titles": TITLES,
            "rows": [(row, figures(row), flaky_sentences(row)) for row in report.repeats],
            "legend": legend(report),
        },
    }
    write_page(file, "run.html", values, _LISTING, map(result_row, results))


def result_row(result: ResultEvent) -> Row:
    """A result as the page lists it."""
    return Row(
        status=Status(verdict(result)),
        bank=result.bank,
        case=result.case_id,
        prompt=result.prompt,
        model=result.model,
        repeat=result.repeat,
        tags=result.tags,
        must_pass=result.must_pass,
        expected=result.expected,
        # A failed answer that is nearly the expected one is read by what is different.
        before=result.expected if verdict(result) == "failed" else None,
        output=result.output,
        why=tuple(_reasons(result)),
        outcome="" if result.outcome is Outcome.ANSWERED else result.outcome.value,
        score=result.score,
        latency_ms=result.latency_ms,
        cost_usd=result.cost_usd,
        cached=result.cached,
    )


def _reasons(result: ResultEvent) -> Iterator[Reason]:
    """What decided, then what every other evaluator said."""
    deciding = [str(reason) for reason in why(result) if not reason.metric]
    yield from (Reason("", "", None, text) for text in deciding)
    reasons = [Reason(one.metric, _mark(one), one.score, one.explanation) for one in result.scores]
    yield from sorted(reasons, key=lambda one: one.mark not in ("failed", "broke"))


def _mark(score: MetricScore) -> str:
    if score.error or score.passed is None:
        return "broke"
    if not score.weight:
        return "observed"
    return "passed" if score.passed else "failed"


class _Classes:
    """The figures of one metric's classes, as the page shows them."""

    def __init__(self, cell: CellClasses) -> None:
        self.cell = cell
        self.summary = summary_line(cell)
        figures = cell.figures
        self.rows = [(label, class_cells(one)) for label, one in zip(cell.labels, figures.classes, strict=True)]
        averages = {"macro": figures.macro, "micro": figures.micro, "weighted": figures.weighted}
        self.rows += [(f"{name} average", averages_cells(one)) for name, one in averages.items()]
        self.matrix = Matrix.of(cell)
