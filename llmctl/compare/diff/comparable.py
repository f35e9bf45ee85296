"""Cases that are not the same on both sides: scored again alike where that makes them comparable, else set apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from llmctl.canonical import from_json
from llmctl.compare.diff.opened import Opened, Row
from llmctl.compare.diff.pair_table import Flags, PairTable
from llmctl.compare.diff.request import DiffRequest
from llmctl.compare.side import Side, SideKind
from llmctl.store.append import append_rows

if TYPE_CHECKING:
    from llmctl.compare.diff.rescoring import NewScore

__all__ = ["Comparability", "make_comparable"]

_NEW_RESULTS = "CREATE TEMP TABLE diff_new_results (side VARCHAR, position BIGINT, passed BOOLEAN, reason VARCHAR)"
_NEW_SCORES = "CREATE TEMP TABLE diff_new_scores (side VARCHAR, position BIGINT, metric VARCHAR, score DOUBLE)"
_CHANGED = """
    SELECT k.n, a.position, b.position, a.vars IS DISTINCT FROM b.vars AS asks,
        a.expected IS DISTINCT FROM b.expected OR a.has_expected IS DISTINCT FROM b.has_expected
            OR a.evaluators IS DISTINCT FROM b.evaluators OR a.pass_score IS DISTINCT FROM b.pass_score AS judges,
        CASE WHEN a.vars IS DISTINCT FROM b.vars THEN a.vars END,
        CASE WHEN a.vars IS DISTINCT FROM b.vars THEN b.vars END
    FROM diff_cases k
    JOIN {a}.case_rows a ON a.run_id = $a AND a.position = k.at_a
    JOIN {b}.case_rows b ON b.run_id = $b AND b.position = k.at_b
    WHERE NOT k.same AND k.at_a IS NOT NULL AND k.at_b IS NOT NULL"""
_OLD_RESULTS = """
    SELECT d.cell, d.n, d.position, d.repeat, k.at_{newer}
    FROM diff_{letter} d JOIN diff_cases k USING (n)
    WHERE d.passed IS NOT NULL AND n IN (SELECT unnest($n)) ORDER BY d.position"""

_ASKS = "A variable of the case is another one: it asks something else."
_NO_VERDICT = (
    "Its expected answer or evaluators changed, and its older answer cannot be scored with them without a call."
)


@dataclass(slots=True)
class Comparability:
    """What became of the cases that changed."""

    apart: dict[int, str] = field(default_factory=dict)
    """Why a case is not compared at all, by its number."""
    apart_in: dict[tuple[int, int], str] = field(default_factory=dict)
    """Why it is not compared in a cell, by the numbers of cell and case."""
    rescored: set[tuple[int, int]] = field(default_factory=set)
    """Cell and case of results that were scored again."""

    def reason(self, cell: int, n: int) -> str | None:
        """Why a case is set apart in a cell; None: it is compared."""
        return self.apart.get(n) or self.apart_in.get((cell, n))

    def apart_flags(self, cell: int, table: PairTable) -> Flags:
        """Which rows of a cell are set apart."""
        if not self.apart and not self.apart_in:
            return np.zeros(table.size, dtype=np.bool_)
        return np.fromiter((self.reason(cell, int(n)) is not None for n in table.n), np.bool_, table.size)


def make_comparable(opened: Opened, a: Side, b: Side, request: DiffRequest) -> Comparability:
    """Look at every case that changed, and put new verdicts in place of the older side's.

    A variable that only one side has changes no case: it came or went with the prompt. One that both have with another
    value does. Expected answer and evaluators are those of the newer side for both.

    Raises:
        StoreError: a journal is damaged.
    """
    opened.run(_NEW_RESULTS)
    opened.run(_NEW_SCORES)
    found = Comparability()
    if (a.database, a.run_id) == (b.database, b.run_id):
        return found
    rejudged: list[int] = []
    for n, _, _, asks, judges, vars_a, vars_b in opened.rows(
        _CHANGED.format(a=opened.a, b=opened.b), {"a": a.run_id, "b": b.run_id}
    ):
        if asks and not _same_question(from_json(vars_a), from_json(vars_b)):
            found.apart[n] = _ASKS
        elif judges:
            rejudged.append(n)
    if rejudged:
        _judge_again(opened, a, b, request, rejudged, found)
    return found


def _same_question(before: Mapping[str, object], after: Mapping[str, object]) -> bool:
    return all(after[name] == value for name, value in before.items() if name in after)


def _judge_again(
    opened: Opened, a: Side, b: Side, request: DiffRequest, cases: Sequence[int], found: Comparability
) -> None:
    from llmctl.compare.diff.rescoring import OldResult, score_again  # half of the evaluators' modules hang on it

    letter, old, new = ("b", b, a) if _newer(a, b) else ("a", a, b)
    newer = "b" if letter == "a" else "a"
    rows = opened.rows(_OLD_RESULTS.format(letter=letter, newer=newer), {"n": list(cases)})
    names = opened.rows(f"SELECT label_{letter}, model_{letter} FROM diff_cells ORDER BY cell")
    schema = opened.a if newer == "a" else opened.b
    identities: dict[str, str] = dict(
        opened.rows(f"SELECT model, identity FROM {schema}.judge_rows WHERE run_id = $run", {"run": new.run_id})
    )
    targets = [(label, model) for label, model in names]
    outcome = score_again(old, new, request, targets, [OldResult(*row) for row in rows], identities)
    _keep(opened, letter, outcome.scores)
    for row in rows:
        key = (row[0], row[1])
        score = outcome.scores.get(row[2])
        if score is None or score.passed is None:
            found.apart_in[key] = outcome.reason or _NO_VERDICT
        else:
            found.rescored.add(key)
    found.rescored -= found.apart_in.keys()


def _newer(a: Side, b: Side) -> bool:
    """Whether A is newer than B: files are scored as they lie here today, and the ids of runs sort by time."""
    if a.kind is not b.kind and SideKind.RUN in (a.kind, b.kind):
        return b.kind is SideKind.RUN
    return a.run_id > b.run_id


def _keep(opened: Opened, letter: str, scores: Mapping[int, NewScore]) -> None:
    """Put the new verdicts in place of the old ones."""
    append_rows(
        opened.con,
        "diff_new_results",
        [(letter, position, score.passed, score.reason) for position, score in scores.items()],
    )
    append_rows(opened.con, "diff_new_scores", list(_metric_rows(letter, scores)))
    opened.run(
        f"UPDATE diff_{letter} SET passed = r.passed FROM diff_new_results r "
        f"WHERE r.side = '{letter}' AND r.position = diff_{letter}.position"
    )


def _metric_rows(letter: str, scores: Mapping[int, NewScore]) -> Iterator[Row]:
    for position, score in scores.items():
        for metric in score.scores:
            yield letter, position, metric.metric, None if metric.error else metric.score
