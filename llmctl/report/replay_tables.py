"""The tables of a replay as titles and cells of text, for the terminal, Markdown and the page alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llmctl.report.diff_words import p_text, ratio_text, spread
from llmctl.report.model import Amount
from llmctl.report.numbers import NONE, count, latency, money, money_amount, token_amount
from llmctl.report.replay_words import LANES, comparison_title, kind_text, share_text
from llmctl.traffic.replay.findings.report import CandidateFindings, Kind, LaneFigures, Part, PartOf, Ratios

__all__ = ["Table", "replay_tables"]

_ROWS = 20
_KINDS = (Kind.SAME, Kind.EQUIVALENT, Kind.CHANGED, Kind.BROKEN, Kind.MENDED)
_ALWAYS = (Kind.SAME, Kind.CHANGED, Kind.BROKEN)


@dataclass(frozen=True, slots=True)
class Table:
    """One table; the first cell of a row is its label, which a log may have written."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: int = 0
    """Rows that are not listed."""
    droppable: tuple[int, ...] = ()
    """Columns that may be left out where the line is too narrow."""


def replay_tables(found: CandidateFindings) -> Iterator[Table]:
    """Those that say something."""
    tables = (_comparisons(found), _passes(found), _ratios(found), _lanes(found), *_parts(found))
    return (table for table in tables if table.rows)


def _comparisons(found: CandidateFindings) -> Table:
    shown = [kind for kind in _KINDS if kind in _ALWAYS or any(one.kinds[kind].calls for one in found.comparisons)]
    rows = tuple(
        (
            comparison_title(one),
            count(one.calls),
            *(kind_text(one.kinds[kind]) for kind in shown),
            share_text(one.differs),
        )
        for one in found.comparisons
    )
    return Table("Answers", ("", "calls", *(kind.value for kind in shown), "differs [95 %]"), rows, droppable=(1,))


def _passes(found: CandidateFindings) -> Table:
    changes = {one.before: one for one in found.passes}
    rows = []
    for lane in found.lanes:
        if lane.passed is None:
            continue
        change = changes.get(lane.lane)
        rows.append(
            (
                LANES[lane.lane],
                share_text(lane.passed),
                count(change.regressions) if change else NONE,
                count(change.fixes) if change else NONE,
                spread(change.difference) if change else NONE,
                p_text(change.difference.p_value) if change else NONE,
            )
        )
    titles = ("pass rate of", "[95 %]", "newly failing", "fixed", "candidate less this", "p")
    return Table("Evaluators", titles, tuple(rows), droppable=(5,))


def _ratios(found: CandidateFindings) -> Table:
    rows = tuple(row for one in found.ratios for row in _ratio_rows(one))
    titles = ("candidate over", "calls", "median before", "median now", "ratio [95 %]")
    return Table("Latency, cost and length", titles, rows, droppable=(1,))


def _ratio_rows(ratios: Ratios) -> Iterator[tuple[str, ...]]:
    for name, one in (("latency", ratios.latency), ("cost", ratios.cost), ("output tokens", ratios.output_tokens)):
        if one is not None and one.value is not None:
            label = f"{LANES[ratios.before]}: {name}"
            before, after = (_measure(name, value) for value in (one.before, one.after))
            yield label, count(one.pairs), before, after, ratio_text(one)


def _measure(name: str, value: float | None) -> str:
    if value is None:
        return NONE
    if name == "latency":
        return latency(value)
    return money(value) if name == "cost" else f"{value:,.0f}"


def _lanes(found: CandidateFindings) -> Table:
    rows = tuple(_lane(lane) for lane in found.lanes)
    titles = ("", "answers", "none", "tokens in", "tokens out", "cost")
    return Table("Sums, over calls that every lane has an answer to", titles, rows)


def _lane(lane: LaneFigures) -> tuple[str, ...]:
    unknown = lane.tokens_unknown
    return (
        LANES[lane.lane],
        count(lane.answers),
        count(lane.missing) if lane.missing else "0",
        token_amount(Amount(lane.input_tokens, unknown), short=True),
        token_amount(Amount(lane.output_tokens, unknown), short=True),
        money_amount(Amount(lane.cost_usd, lane.cost_unknown)),
    )


def _parts(found: CandidateFindings) -> Iterator[Table]:
    for part in PartOf:
        mine = [one for one in found.parts if one.of is part]
        if len(mine) < 2:
            continue
        rerun = any(one.rerun is not None for one in mine)
        titles = ["tag" if part is PartOf.TAG else f"logged {part}", "calls", "differs [95 %]", "broken [95 %]"]
        rows = tuple(_part(one, rerun=rerun) for one in mine[:_ROWS])
        if rerun:
            titles.append("asked again, differs")
        yield Table(f"By {part}", tuple(titles), rows, len(mine) - len(rows), droppable=(4,) if rerun else ())


def _part(part: Part, *, rerun: bool) -> tuple[str, ...]:
    again = (share_text(part.rerun),) if rerun else ()
    name = "(none)" if part.value is None else part.value
    return (name, count(part.calls), share_text(part.differs), share_text(part.broken), *again)
