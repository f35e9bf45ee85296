"""Reads what people say of outputs: a table with a column `output`, and one column `label` or several `label.NAME`.

A row may name its case of the bank (`case`), whose variables and expected answer the judge is then shown, or bring them
itself (`vars.NAME`, `expected`). An empty label is one that nobody gave.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from llmctl.canonical import written
from llmctl.errors import Problem, ProjectError, Severity, UsageError
from llmctl.evaluators.judge.scheme import Scheme, Verdict
from llmctl.evaluators.wording import listed, quote
from llmctl.project.tables.read import TABLE_SUFFIXES, read_table
from llmctl.project.tables.records import Row

__all__ = ["LabelledOutput", "LabelledRow", "read_labels", "verdicts_of"]

_LABEL = "label"
_WORDS = {"true": "pass", "yes": "pass", "1": "pass", "false": "fail", "no": "fail", "0": "fail"}
"""What people and programs write in place of pass and fail."""


@dataclass(frozen=True, slots=True)
class LabelledRow:
    """One row as it stands in the file."""

    row: Row
    output: str
    labels: Mapping[str, str]
    """By the rater's name: what stands behind `label.`, or `label`."""
    case_id: str | None = None
    vars: Mapping[str, object] = field(default_factory=dict)
    expected: object = None
    has_expected: bool = False


@dataclass(frozen=True, slots=True)
class LabelledOutput:
    """One row with its labels as the judge's verdicts."""

    row: LabelledRow
    verdicts: Mapping[str, Verdict]
    """By rater, those who gave one."""


def read_labels(path: Path) -> list[LabelledRow]:
    """The rows of a file of labels.

    Raises:
        UsageError: there is no such file, or it is no table.
        ProjectError: rows that cannot be used.
    """
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise UsageError(f"{path} is no table that llmctl reads.", hint=f"It reads {', '.join(TABLE_SUFFIXES)}.")
    problems: list[Problem] = []
    try:
        with path.open("rb") as stream:
            table = read_table(stream, PurePosixPath(path.as_posix()), problems)
            rows = [found for row in table.rows if (found := _row(row, problems)) is not None]
    except OSError as error:
        raise UsageError(f"The labels {path} cannot be read: {error.strerror}.") from None
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors:
        raise ProjectError(errors)
    if not rows:
        raise UsageError(f"There are no labels in {path}.", hint="Each row needs `output` and `label`.")
    return rows


def _row(row: Row, problems: list[Problem]) -> LabelledRow | None:
    output = row.values.get("output")
    if not isinstance(output, str | int | float) or not written(output).strip():
        problems.append(Problem("A row of labels needs an `output` that is not empty.", row.cell("output")))
        return None
    labels = dict(_labels(row))
    if not any(name == _LABEL or name.startswith(f"{_LABEL}.") for name in row.values):
        hint = "Name the column `label`, or `label.NAME` for each of several raters."
        problems.append(Problem("A row of labels needs a `label`.", row.place, hint))
        return None
    case_id = row.values.get("case")
    expected = row.values.get("expected")
    return LabelledRow(
        row,
        written(output),
        labels,
        written(case_id) if isinstance(case_id, str | int | float) and written(case_id) else None,
        dict(_vars(row)),
        expected,
        expected is not None and not (row.text_rows and expected == ""),
    )


def _labels(row: Row) -> Iterator[tuple[str, str]]:
    for name, value in row.values.items():
        if name == _LABEL or name.startswith(f"{_LABEL}."):
            text = written(value).strip() if isinstance(value, str | int | float) else ""
            if text:
                yield name.removeprefix(f"{_LABEL}."), text


def _vars(row: Row) -> Iterator[tuple[str, object]]:
    given = row.values.get("vars")
    if isinstance(given, Mapping):
        yield from ((str(name), value) for name, value in given.items())
    for name, value in row.values.items():
        if name.startswith("vars."):
            yield name.removeprefix("vars."), value


def verdicts_of(row: LabelledRow, scheme: Scheme, problems: list[Problem]) -> LabelledOutput | None:
    """The row with its labels as verdicts; a label that is none of them is a problem."""
    found: dict[str, Verdict] = {}
    for rater, text in row.labels.items():
        verdict = scheme.read(text)
        if verdict is None and set(scheme.verdicts) == {"pass", "fail"}:
            verdict = scheme.read(_WORDS.get(text.casefold(), text))
        if verdict is None:
            known = listed(map(str, scheme.verdicts), limit=12)
            column = rater if rater == _LABEL else f"{_LABEL}.{rater}"
            message = f"The label {quote(text, 60)} is no verdict of this judge, which says {known}."
            problems.append(Problem(message, row.row.cell(column)))
            return None
        found[rater] = verdict
    return LabelledOutput(row, found)
