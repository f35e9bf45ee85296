"""What a diff says in sentences: evidence with its bounds, never whether something is "significant"."""

from __future__ import annotations

import math
from enum import StrEnum

from llmctl.compare.cells import Cell
from llmctl.compare.diff_report import CellDiff, Difference, DiffReport, FlippedCase, Rate, RatioDiff
from llmctl.report.numbers import count, interval_text, percent
from llmctl.safe_text import one_line
from llmctl.stats.intervals import Interval

__all__ = [
    "Direction",
    "answers",
    "bounds",
    "cell_title",
    "counts",
    "direction",
    "evidence",
    "gaps",
    "headline",
    "p_text",
    "points",
    "rate_text",
    "ratio_text",
    "report_headline",
    "sensitivity",
    "spread",
]

_CONFIDENCE = "95 %"
_EVERYTHING = 0.9995
"""A drop of this share, which rounds to 100 points, is no bound."""


class Direction(StrEnum):
    """Where the whole interval of the difference lies."""

    BETTER = "better"
    WORSE = "worse"
    OPEN = "open"
    """On both sides of 0: neither a drop nor a gain is shown, and both are bounded."""
    SAME = "same"
    """The same answers and verdicts on both sides."""
    NOTHING = "nothing"
    """No pair, or no interval."""


def direction(cell: CellDiff) -> Direction:
    """What the evidence of a cell amounts to."""
    difference = cell.difference
    if difference is None:
        return Direction.NOTHING
    if not cell.draws and not cell.regression_count and not cell.fix_count:
        return Direction.SAME
    if difference.low is None or difference.high is None:
        return Direction.NOTHING
    if difference.high < 0:
        return Direction.WORSE
    return Direction.BETTER if difference.low > 0 else Direction.OPEN


def headline(cell: CellDiff) -> str:
    """`No drop larger than 3.1 points (95 %).`: the first sentence on a cell."""
    difference = cell.difference
    match direction(cell):
        case Direction.SAME:
            return "The same: both sides refer to the same answers, and judge them alike."
        case Direction.WORSE if difference and difference.high is not None:
            return f"Worse: a drop of at least {_inward(-difference.high)} points ({_CONFIDENCE})."
        case Direction.BETTER if difference and difference.low is not None:
            return f"Better: a gain of at least {_inward(difference.low)} points ({_CONFIDENCE})."
        case Direction.OPEN if difference and difference.low is not None and difference.high is not None:
            drop, gain = _outward(-difference.low), _outward(difference.high)
            if difference.low <= -_EVERYTHING:
                return f"Too few pairs to exclude any drop; no gain larger than {gain} points ({_CONFIDENCE})."
            return f"No drop larger than {drop} points, and no gain larger than {gain} ({_CONFIDENCE})."
    if difference is None:
        return "Nothing can be compared: no case has evidence on both sides."
    return "These pairs are too few for an interval: no drop can be excluded."


def evidence(cell: CellDiff) -> str:
    """`Pass rate 90.0 % -> 84.0 %: -6.0 points [-10.8, -1.2], p 0.02.`; empty without a pair."""
    difference = cell.difference
    if difference is None:
        return ""
    if direction(cell) is Direction.SAME:
        return f"Pass rate {rate_text(cell.rate_b)} on both sides."
    return (
        f"Pass rate {rate_text(cell.rate_a)} -> {rate_text(cell.rate_b)}: {spread(difference)} points, "
        f"p {p_text(difference.p_value)} ({difference.method})."
    )


def counts(cell: CellDiff) -> str:
    """`200 pairs: 3 regressions (1 flaky), 2 fixes`, and the outputs that changed otherwise."""
    parts = [
        _flips(cell.regression_count, cell.flaky_regressions, "regression", "regressions"),
        _flips(cell.fix_count, cell.flaky_fixes, "fix", "fixes"),
        f"{_number(cell.changed_outputs)} other {_word(cell.changed_outputs, 'output', 'outputs')} changed",
    ]
    pairs = f"{count(cell.pairs)} {_word(cell.pairs, 'pair', 'pairs')}"
    if cell.clusters != cell.pairs:
        pairs += f" in {count(cell.clusters)} groups"
    if max(cell.repeats_a, cell.repeats_b) > 1:
        pairs += f", {_repeats(cell)} each"
    return f"{pairs}: {', '.join(parts)}."


def _repeats(cell: CellDiff) -> str:
    if cell.repeats_a == cell.repeats_b:
        return f"{cell.repeats_a} answers"
    return f"up to {cell.repeats_a} and {cell.repeats_b} answers"


def _flips(number: int, flaky: int, one: str, many: str) -> str:
    return f"{_number(number)} {_word(number, one, many)}" + (f" ({count(flaky)} flaky)" if flaky else "")


def gaps(cell: CellDiff) -> list[str]:
    """What is not compared, or not quite, each as one sentence."""
    sentences = []
    same = cell.pairs - cell.draws
    if same and direction(cell) is not Direction.SAME:
        who = "All pairs refer" if same == cell.pairs else f"{count(same)} {_word(same, 'pair refers', 'pairs refer')}"
        sentences.append(f"{who} to the same call on both sides: one draw, which can differ by evaluators only.")
    for number, names, side, word in (
        (cell.only_a, cell.cases_only_a, "A", "removed"),
        (cell.only_b, cell.cases_only_b, "B", "new"),
    ):
        if number:
            cases = _word(number, "case stands", "cases stand")
            sentences.append(f"{count(number)} {cases} on side {side} only ({word}): {_listed(names, number)}.")
    if cell.no_evidence:
        cases = _word(cell.no_evidence, "case has", "cases have")
        sentences.append(f"{count(cell.no_evidence)} {cases} no evidence on one side or both, and no part in this.")
    if cell.rescored:
        sentences.append(
            f"{count(cell.rescored)} {_word(cell.rescored, 'case has', 'cases have')} other evaluators or another "
            "expected answer now: the older output was scored again with them."
        )
    if cell.apart:
        ids = tuple(one.case_id for one in cell.cases_apart)
        reason = cell.cases_apart[0].reason if cell.cases_apart else ""
        sentences.append(
            f"{count(cell.apart)} {_word(cell.apart, 'case is', 'cases are')} set apart: "
            f"{_listed(ids, cell.apart)}. {one_line(reason, 200)}"
        )
    return sentences


def sensitivity(cell: CellDiff) -> str:
    """What this many cases could have shown, and how many would be needed; empty without a pair."""
    found = cell.sensitivity
    if found is None or direction(cell) is Direction.SAME:
        return ""
    if not found.discordance:
        return "No pair differs: what drop these cases could have shown is not known."
    pairs = (
        f"{count(cell.pairs)} {_word(cell.pairs, 'pair', 'pairs')}, {percent(found.discordance, 1)} of them different"
    )
    margin = f"{100 * found.margin:g} {_word(100 * found.margin, 'point', 'points')}"
    needed = (
        ""
        if found.needed_for_margin is None
        else f" To exclude a drop of {margin}, {count(found.needed_for_margin)} are needed."
    )
    if found.smallest_drop is None:
        return f"{pairs}: no drop would have shown with 80 % power.{needed}"
    return f"{pairs}: a drop of {_outward(found.smallest_drop)} points would have shown with 80 % power.{needed}"


def answers(case: FlippedCase) -> str:
    """`3/3 -> 1/3`; empty where there is one answer on each side."""
    if case.evidence_a <= 1 and case.evidence_b <= 1:
        return ""
    return f"{case.passed_a}/{case.evidence_a} -> {case.passed_b}/{case.evidence_b}"


def cell_title(cell: CellDiff, width: int = 120) -> str:
    """`triage · greeting -> welcome · small`; two versions of one prompt are told apart by their sides."""
    prompt = _moved(*(label.partition("@")[0] for label in (cell.label_a, cell.label_b)))
    model = _moved(cell.model_a, cell.model_b)
    return one_line(str(Cell(cell.cell.bank, prompt, model)), width)


def _moved(before: str, after: str) -> str:
    return after if before == after else f"{before} -> {after}"


def rate_text(rate: Rate) -> str:
    """`90.0 % [85, 94]`."""
    if not rate.evidence:
        return "-"
    text = percent(rate.passed, rate.evidence)
    return f"{text} {interval_text(rate.interval)}" if rate.interval else text


def points(share: float) -> str:
    """A difference of rates in points, with its sign: `-6.0`."""
    text = f"{100 * share:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") and share == 0 else text


def bounds(low: float | None, high: float | None) -> str:
    """`[-10.8, +1.2]` in points, rounded outward; empty where there is no interval."""
    if low is None or high is None:
        return ""
    return f"[{math.floor(1000 * low + 1e-9) / 10:+.1f}, {math.ceil(1000 * high - 1e-9) / 10:+.1f}]"


def spread(difference: Difference) -> str:
    """`-6.0 [-10.8, -1.2]`."""
    return f"{points(difference.value)} {bounds(difference.low, difference.high)}".rstrip()


def ratio_text(ratio: RatioDiff | None) -> str:
    """`x1.25 [1.10, 1.41]`; `-` where nothing is known."""
    if ratio is None or ratio.value is None:
        return "-"
    if ratio.low is None or ratio.high is None:
        return f"x{ratio.value:.2f}"
    interval = Interval(ratio.low, ratio.high)
    low, high = math.floor(100 * interval.low + 1e-9) / 100, math.ceil(100 * interval.high - 1e-9) / 100
    return f"x{ratio.value:.2f} [{low:.2f}, {high:.2f}]"


def p_text(p_value: float | None) -> str:
    """`0.021`, `< 0.001`, `-`."""
    if p_value is None:
        return "-"
    if p_value < 0.001:
        return "< 0.001"
    return f"{p_value:.3f}" if p_value < 0.0995 else f"{p_value:.2f}"


def _outward(share: float) -> str:
    """Points of a bound that must not be exceeded: rounded up, to 0.1."""
    return f"{max(0.0, math.ceil(1000 * share - 1e-9) / 10):.1f}"


def _inward(share: float) -> str:
    """Points of a bound that must be reached: rounded down, to 0.1; smaller ones to two digits."""
    tenths = math.floor(1000 * share + 1e-9) / 10
    return f"{tenths:.1f}" if tenths else f"{100 * share:.2g}"


def _number(number: int) -> str:
    return count(number) if number else "no"


def _word(number: float, one: str, many: str) -> str:
    return one if number == 1 else many


def _listed(names: tuple[str, ...], number: int) -> str:
    shown = ", ".join(one_line(name, 40) for name in names[:5])
    return shown if number <= 5 and number <= len(names) else f"{shown} ..."


def report_headline(report: DiffReport) -> str:
    """One sentence for a report of several cells."""
    worse = sum(direction(cell) is Direction.WORSE for cell in report.cells)
    better = sum(direction(cell) is Direction.BETTER for cell in report.cells)
    return f"{count(len(report.cells))} cells: {_number(worse)} worse, {_number(better)} better."
