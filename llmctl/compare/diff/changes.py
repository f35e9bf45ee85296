"""What is not the same on both sides beside the results: prompts, models, parameters, banks, evaluators, llmctl."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmctl.canonical import from_json
from llmctl.compare.diff.cell_pairs import CellPair, SideCell
from llmctl.compare.diff.opened import Opened, Row
from llmctl.compare.diff.source_text import data_text, prompt_text
from llmctl.compare.diff_report import Change
from llmctl.compare.side import Side

__all__ = ["read_changes"]

_MOST_CASES = 20
"""Of a bank, how many changed cases are told."""

_COUNTED = """
    SELECT count(*) FILTER (at_a IS NULL), count(*) FILTER (at_b IS NULL),
        count(*) FILTER (NOT same AND at_a IS NOT NULL AND at_b IS NOT NULL)
    FROM diff_cases WHERE bank = $bank"""
_CHANGED = """
    WITH changed AS (SELECT * FROM diff_cases WHERE bank = $bank AND (NOT same OR at_a IS NULL OR at_b IS NULL)
        ORDER BY n LIMIT $most)
    SELECT k.case_id, a.vars, a.expected, a.has_expected, b.vars, b.expected, b.has_expected
    FROM changed k LEFT JOIN {a}.case_rows a ON a.run_id = $a AND a.position = k.at_a
    LEFT JOIN {b}.case_rows b ON b.run_id = $b AND b.position = k.at_b ORDER BY k.n"""
_EVALUATORS = """
    SELECT a.evaluators, a.pass_score, b.evaluators, b.pass_score, count(*) FROM diff_cases k
    JOIN {a}.case_rows a ON a.run_id = $a AND a.position = k.at_a
    JOIN {b}.case_rows b ON b.run_id = $b AND b.position = k.at_b
    WHERE k.bank = $bank AND NOT k.same
        AND (a.evaluators IS DISTINCT FROM b.evaluators OR a.pass_score IS DISTINCT FROM b.pass_score)
    GROUP BY ALL ORDER BY count(*) DESC, a.evaluators, b.evaluators LIMIT $most"""
_JUDGES = "SELECT bank, metric, resolved_model, identity, arguments FROM {schema}.judge_rows WHERE run_id = $run"


def read_changes(opened: Opened, a: Side, b: Side, pairs: Sequence[CellPair]) -> tuple[Change, ...]:
    """Every change between the cells that are compared, as text before and after."""
    found = [*_prompts(opened, a, b, pairs), *_targets(opened, a, b, pairs)]
    for bank in dict.fromkeys(pair.b.bank for pair in pairs):
        found += _evaluators(opened, a, b, bank)
        found += _bank(opened, a, b, bank)
    found += _judges(opened, a, b, {pair.b.bank for pair in pairs})
    found += _versions(opened, a, b)
    return tuple(dict.fromkeys(found))


def _prompts(opened: Opened, a: Side, b: Side, pairs: Sequence[CellPair]) -> Iterator[Change]:
    before, after = _sources(opened, opened.a, a), _sources(opened, opened.b, b)
    for pair in pairs:
        was, now = before.get(pair.a.label), after.get(pair.b.label)
        if was is not None and now is not None and was != now:
            yield Change("prompt", _renamed(pair.a.name, pair.b.name), was, now)


def _sources(opened: Opened, schema: str, side: Side) -> dict[str, str]:
    rows = opened.rows(f"SELECT label, source FROM {schema}.prompt_rows WHERE run_id = $run", {"run": side.run_id})
    return {label: prompt_text(from_json(source)) for label, source in rows}


def _targets(opened: Opened, a: Side, b: Side, pairs: Sequence[CellPair]) -> Iterator[Change]:
    before, after = _target_rows(opened, opened.a, a), _target_rows(opened, opened.b, b)
    for pair in pairs:
        was, now = before.get(_target(pair.a)), after.get(_target(pair.b))
        if was is None or now is None:
            continue
        name = f"{pair.b.name} on {_renamed(pair.a.model, pair.b.model)}"
        for kind, old, new in (("model", _model_text(was), _model_text(now)), ("params", was["params"], now["params"])):
            if old != new:
                yield Change(kind, name, data_text(old), data_text(new))


def _target(cell: SideCell) -> tuple[str, str]:
    return cell.label, cell.model


def _target_rows(opened: Opened, schema: str, side: Side) -> dict[tuple[str, str], dict[str, Any]]:
    rows = opened.rows(
        f"SELECT prompt, model, resolved_model, endpoint, params, config FROM {schema}.target_rows WHERE run_id = $run",
        {"run": side.run_id},
    )
    return {
        (prompt, model): {
            "model": resolved,
            "endpoint": endpoint,
            "params": from_json(params or "{}"),
            "options": from_json(config or "{}").get("options") or {},
        }
        for prompt, model, resolved, endpoint, params, config in rows
    }


def _model_text(target: Mapping[str, Any]) -> dict[str, Any]:
    return {name: target[name] for name in ("model", "endpoint", "options") if target[name]}


def _evaluators(opened: Opened, a: Side, b: Side, bank: str) -> Iterator[Change]:
    parameters = {"a": a.run_id, "b": b.run_id, "bank": bank, "most": _MOST_CASES}
    for was, score_a, now, score_b, cases in opened.rows(_EVALUATORS.format(a=opened.a, b=opened.b), parameters):
        name = f"{bank} ({cases:,} {'case' if cases == 1 else 'cases'})"
        yield Change("evaluators", name, _evaluators_text(was, score_a), _evaluators_text(now, score_b))


def _evaluators_text(evaluators: str, pass_score: float | None) -> str:
    text = data_text(from_json(evaluators))
    return text if pass_score is None else f"pass_score: {pass_score:g}\n{text}"


def _bank(opened: Opened, a: Side, b: Side, bank: str) -> Iterator[Change]:
    """The cases that came, went or changed: the first of them, in the order of the bank."""
    parameters: dict[str, object] = {"bank": bank}
    added, removed, changed = opened.rows(_COUNTED, parameters)[0]
    if not added + removed + changed:
        return
    parameters |= {"a": a.run_id, "b": b.run_id, "most": _MOST_CASES}
    rows = opened.rows(_CHANGED.format(a=opened.a, b=opened.b), parameters)
    before = "\n".join(text for row in rows if (text := _case_text(row[0], *row[1:4])))
    after = "\n".join(text for row in rows if (text := _case_text(row[0], *row[4:7])))
    if before != after:
        told = [
            f"{count:,} {word}"
            for count, word in ((added, "added"), (removed, "removed"), (changed, "changed"))
            if count
        ]
        more = f"; the first {_MOST_CASES}" if added + removed + changed > _MOST_CASES else ""
        yield Change("bank", f"{bank} ({', '.join(told)}{more})", before, after)


def _case_text(case_id: str, variables: str | None, expected: str | None, has_expected: bool | None) -> str:
    if variables is None:
        return ""
    case: dict[str, Any] = {"vars": from_json(variables)}
    if has_expected:
        case["expected"] = from_json(expected or "null")
    return data_text({case_id: case})


def _judges(opened: Opened, a: Side, b: Side, banks: set[str]) -> Iterator[Change]:
    before, after = _judge_rows(opened, opened.a, a), _judge_rows(opened, opened.b, b)
    for bank, metric in sorted(before.keys() & after.keys()):
        was, now = before[bank, metric], after[bank, metric]
        if bank in banks and was[1:] != now[1:]:
            names = [f"{row[0]}\n(model {row[1][:8]}, arguments {row[2][:8]})" for row in (was, now)]
            yield Change("evaluators", f"judge of {metric}, {bank}", *names)


def _judge_rows(opened: Opened, schema: str, side: Side) -> dict[tuple[str, str], Row]:
    rows = opened.rows(_JUDGES.format(schema=schema), {"run": side.run_id})
    return {(row[0], row[1]): row[2:] for row in rows}


def _versions(opened: Opened, a: Side, b: Side) -> Iterator[Change]:
    versions = [
        [
            row[0]
            for row in opened.rows(f"SELECT llmctl_version FROM {schema}.run_heads WHERE run_id = $run", {"run": run})
        ]
        for schema, run in ((opened.a, a.run_id), (opened.b, b.run_id))
    ]
    if all(versions) and versions[0][-1] != versions[1][-1]:
        yield Change("llmctl", "version", versions[0][-1], versions[1][-1])


def _renamed(before: str, after: str) -> str:
    return after if before == after else f"{before} -> {after}"
