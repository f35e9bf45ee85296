"""Runs in a real store, row by row: what a journal's import leaves in the database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmctl.compare.diff.compare import compare_sides
from llmctl.compare.diff.request import DiffRequest
from llmctl.compare.diff_report import CellDiff, DiffReport
from llmctl.compare.side import Side, SideKind
from llmctl.project.models import Config
from llmctl.runs.selection import Selection
from llmctl.store.database import open_database
from llmctl.store.layout import Layout

EVALUATORS = [{"name": "exact", "metric": "exact", "weight": 1.0}]


@dataclass(frozen=True)
class Answer:
    """One result."""

    passed: bool | None = True
    output: str | None = "yes"
    call: str | None = None
    """None: a call of its own."""
    call_key: str | None = None
    latency_ms: float | None = 100.0
    cost_usd: float | None = 0.001
    stale: bool = False
    scores: dict[str, float] = field(default_factory=dict)
    """Beside `exact`."""


@dataclass(frozen=True)
class SampleCase:
    """A case with its answers, one for each repeat."""

    case_id: str
    answers: Sequence[Answer] = (Answer(),)
    tags: Sequence[str] = ()
    group: str | None = None
    must_pass: bool = False
    variables: dict[str, Any] = field(default_factory=dict)
    expected: str = "yes"
    evaluators: Sequence[dict[str, Any]] = tuple(EVALUATORS)


@dataclass(frozen=True)
class Target:
    """A cell of a run."""

    cases: Sequence[SampleCase]
    bank: str = "bank"
    prompt: str = "greet"
    label: str = "greet"
    model: str = "small"
    text: str = "Say {{ word }}"


class Store:
    """A store that runs are put into."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root / ".llmctl")
        self.layout.prepare()
        self.config = Config(root, root / "llmctl.toml", root / "prompts", root / "testbanks", self.layout.root)
        self._runs = 0

    def run(self, *targets: Target, labels: tuple[str, ...] | None = None) -> Side:
        """Add a run; the side that it is."""
        self._runs += 1
        run_id = f"1m{self._runs:011d}"
        with self.layout.lock.open("w"), open_database(self.layout, read_only=False) as con:
            con.begin()
            for table, rows in _rows(run_id, targets).items():
                for row in rows:
                    names = ", ".join(f'"{name}"' for name in row)
                    marks = ", ".join("?" for _ in row)
                    con.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))
            con.commit()
        return Side(run_id, f"run {run_id}", SideKind.RUN, self.layout.database, run_id, labels=labels)

    def diff(self, a: Side, b: Side, selection: Selection | None = None, listed: int = 10) -> DiffReport:
        """The report on two of them."""
        return compare_sides(a, b, DiffRequest(self.config, {}, selection or Selection(), listed))

    def cell(self, a: Side, b: Side, selection: Selection | None = None) -> CellDiff:
        """The only cell of it."""
        (cell,) = self.diff(a, b, selection).cells
        return cell


class _Rows:
    """The rows of one run, by table."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.tables: dict[str, list[dict[str, Any]]] = {}
        self._position = 0

    def add(self, table: str, **values: Any) -> int:
        """One row, at the next position."""
        self._position += 1
        self.tables.setdefault(table, []).append({"run_id": self.run_id, "position": self._position, **values})
        return self._position

    def head(self, targets: Sequence[Target]) -> None:
        """How the run begins."""
        self.add("run_heads", started_at=0.0, command="llmctl eval", llmctl_version="0.1")
        for label, one in {target.label: target for target in reversed(targets)}.items():
            source = {"messages": [{"role": "user", "content": one.text}]}
            self.add("prompt_rows", name=one.prompt, label=label, digest="d", source=json.dumps(source))
        for target in targets:
            names = {"prompt": target.label, "prompt_name": target.prompt, "model": target.model}
            fake = {"resolved_model": f"fake/{target.model}", "transport": "fake", "endpoint": "fake"}
            self.add("target_rows", **names, **fake, params="{}", config="{}")
        planned = [
            {"bank": target.bank, "prompt": target.label, "model": target.model, "planned": len(target.cases)}
            for target in targets
        ]
        repeat = max((len(case.answers) for target in targets for case in target.cases), default=1)
        self.add("plan_rows", planned=0, cases=0, repeat=repeat, targets=json.dumps(planned), tags="{}")

    def case(self, bank: str, case: SampleCase) -> None:
        """A planned case."""
        judged = json.dumps([case.variables, case.expected, list(case.evaluators)], sort_keys=True)
        self.add(
            "case_rows",
            bank=bank,
            case_id=case.case_id,
            vars=json.dumps(case.variables),
            expected=json.dumps(case.expected),
            has_expected=True,
            tags=list(case.tags),
            group=case.group,
            must_pass=case.must_pass,
            weight=1,
            evaluators=json.dumps(list(case.evaluators)),
            digest=judged,
        )

    def answer(self, target: Target, case: SampleCase, repeat: int, answer: Answer) -> None:
        """A result with its scores."""
        call = answer.call or f"{self.run_id}-{self._position}"
        score = None if answer.passed is None else float(answer.passed)
        position = self.add(
            "result_rows",
            bank=target.bank,
            case_id=case.case_id,
            prompt=target.label,
            model=target.model,
            repeat=repeat,
            outcome="answered",
            passed=answer.passed,
            score=score,
            reason="" if answer.passed else "exact: not equal",
            call_id=call,
            cached=False,
            call_key=answer.call_key or f"key-{call}",
            output=answer.output,
            latency_ms=answer.latency_ms,
            cost_usd=answer.cost_usd,
            tags=list(case.tags),
            expected=case.expected,
        )
        for number, (metric, value) in enumerate({"exact": score, **answer.scores}.items()):
            decides = metric == "exact"
            row = {"run_id": self.run_id, "position": position, "number": number, "metric": metric, "score": value}
            row |= {"evaluator": "exact", "weight": float(decides), "passed": answer.passed, "explanation": ""}
            self.tables.setdefault("score_rows", []).append(row | {"error": False, "stale": answer.stale and decides})


def _rows(run_id: str, targets: Sequence[Target]) -> dict[str, list[dict[str, Any]]]:
    rows = _Rows(run_id)
    rows.head(targets)
    planned = {(target.bank, case.case_id): case for target in targets for case in target.cases}
    for (bank, _), case in planned.items():
        rows.case(bank, case)
    for target in targets:
        for case in target.cases:
            for repeat, answer in enumerate(case.answers, 1):
                rows.answer(target, case, repeat, answer)
    return rows.tables


def cases(*passed: bool | None, tags: Sequence[str] = ()) -> list[SampleCase]:
    """Cases c0, c1, ... with one answer each."""
    return [SampleCase(f"c{number}", [Answer(one, "yes" if one else "no")], tags) for number, one in enumerate(passed)]
