"""What several answers to each case say: counted by case, and written for every rendering."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llmctl.report.layout import Cell, Column, block, grid, styled
from llmctl.report.model import FlakyCase, RunReport, TargetKey, TargetRepeats
from llmctl.report.numbers import NONE, count, interval_text, percent
from llmctl.safe_text import one_line

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["TITLES", "figures", "flaky_sentences", "heading", "legend", "repeats_json", "repeats_of", "repeats_text"]

TITLES = ("cases", "pass@k", "pass^k", "flaky [95 %]", "disagreement")
_LISTED = 20


def repeats_of(key: TargetKey, packed: Sequence[array[int]], names: Mapping[int, str]) -> TargetRepeats:
    """The repeats of a target.

    Args:
        key: the target.
        packed: for each result with evidence the number of its case * 2 + passed.
        names: the ids of cases by number, as far as they are known.
    """
    import numpy as np

    from llmctl.stats.repeats import mean_pass_at_k, mean_pass_hat_k, repeats

    values = np.concatenate([np.frombuffer(one, dtype=np.int64) for one in packed if one] or [np.zeros(0, np.int64)])
    cases, codes = np.unique(values >> 1, return_inverse=True)
    answers = np.bincount(codes, minlength=cases.size)
    passed = np.bincount(codes, weights=values & 1, minlength=cases.size).astype(np.int64)
    k = int(answers.max(initial=0))
    flaky = []
    for place in np.flatnonzero((passed > 0) & (passed < answers)):
        name = names.get(int(cases[place]))
        if name is not None:
            flaky.append(FlakyCase(name, int(passed[place]), int(answers[place])))
        if len(flaky) == _LISTED:
            break
    return TargetRepeats(
        key,
        k,
        int(np.count_nonzero(answers == k)) if k else 0,
        mean_pass_at_k(answers, passed, k) if k else None,
        mean_pass_hat_k(answers, passed, k) if k else None,
        repeats(answers, passed),
        tuple(flaky),
    )


def heading(report: RunReport) -> str:
    """`Repeats: up to 3 answers a case`."""
    fewest = min((row.statistics.fewest or row.k for row in report.repeats), default=0)
    most = max((row.k for row in report.repeats), default=0)
    return f"Repeats: {count(most) if fewest == most else f'up to {count(most)}'} answers a case"


def legend(report: RunReport) -> str:
    """What the columns mean, with k."""
    ks = sorted({row.k for row in report.repeats})
    k = str(ks[0]) if len(ks) == 1 else "k"
    return (
        f"By case, k = {', '.join(map(str, ks))}. pass@k: at least one of {k} answers passes. pass^k: all {k} do. "
        "Flaky: passed and failed on equal calls; the more answers, the more cases show it. Disagreement: how often "
        "two answers to one case differ, 2p(1-p)."
    )


def figures(row: TargetRepeats) -> list[str]:
    """One text for each of `TITLES`."""
    found = row.statistics
    interval = f" {interval_text(found.flake_interval)}" if found.flake_interval else ""
    flaky = f"{percent(found.flaky, found.cases)}{interval}" if found.cases else NONE
    return [
        count(row.cases),
        _share(row.pass_at_k),
        _share(row.pass_hat_k),
        flaky,
        _share(found.disagreement),
    ]


def _share(share: float | None) -> str:
    return NONE if share is None else percent(share, 1)


def flaky_sentences(row: TargetRepeats) -> list[tuple[str, str]]:
    """Each flaky case that is known by name, and how often it passed."""
    return [(case.case_id, f"{case.passed}/{case.answers}") for case in row.flaky]


def repeats_text(report: RunReport, width: int) -> Text | None:
    """A row for each target, the flaky cases, and what the columns mean; None where nothing was repeated."""
    if not report.repeats:
        return None
    names = ("bank", "prompt", "model")
    columns = [Column(name, is_label=True) for name in names] + [Column(title) for title in TITLES]
    rows = [
        [*(Cell(getattr(row.key, name)) for name in names), *(Cell(figure) for figure in figures(row))]
        for row in report.repeats
    ]
    text = styled(f"{heading(report)}\n", "bold") + grid(columns, rows, width)
    for row in report.repeats:
        if not row.statistics.flaky:
            continue
        cases = ", ".join(f"{one_line(case, 40)} {passed}" for case, passed in flaky_sentences(row))
        more = f", and {count(row.unnamed)} more" if row.unnamed else ""
        whose = "" if len(report.repeats) == 1 else f" ({one_line(f'{row.key.prompt}, {row.key.model}', 60)})"
        text.append_text(block("", Cell(f"Flaky{whose}: {cases}{more}", "yellow"), width, indent=2, column=0))
    return text.append_text(block("", Cell(legend(report), "dim"), width, indent=2, column=0))


def repeats_json(report: RunReport) -> list[dict[str, Any]]:
    """The same as data; shares in [0, 1], null where nothing is known."""
    rows = []
    for row in report.repeats:
        found, interval = row.statistics, row.statistics.flake_interval
        rows.append(
            {
                "bank": row.key.bank,
                "prompt": row.key.prompt,
                "model": row.key.model,
                "k": row.k,
                "cases": row.cases,
                "pass_at_k": row.pass_at_k,
                "pass_hat_k": row.pass_hat_k,
                "repeated_cases": found.cases,
                "flaky": found.flaky,
                "flake_rate": found.flake_rate,
                "flake_interval_95": [interval.low, interval.high] if interval else None,
                "disagreement": found.disagreement,
                "intraclass_correlation": found.intraclass_correlation,
                "flaky_cases": [
                    {"case_id": case.case_id, "passed": case.passed, "answers": case.answers} for case in row.flaky
                ],
            }
        )
    return rows
