"""What scoring a run again changed: the verdicts that flipped, and the cases that were set apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from llmctl.report.layout import styled
from llmctl.report.model import RescoredFrom, RunReport
from llmctl.report.numbers import count
from llmctl.runs.rescore.plan import CaseName
from llmctl.runs.rescore.score import Flip
from llmctl.safe_text import one_line

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["flips_json", "flips_text"]

_SHOWN = 10
_CASES = 5
_WORDS = {True: "passed", False: "failed", None: "no evidence"}
_KINDS = (
    ("Pass no more", True, False, "red"),
    ("Pass now", False, True, "green"),
    ("Pass now, without a verdict before", None, True, "green"),
    ("Fail now, without a verdict before", None, False, "red"),
    ("Without a verdict now", ..., None, "yellow"),
)


def flips_text(report: RunReport, width: int) -> Text | None:
    """The flips by kind, the worst first, then what was set apart; None where the report is of no such run."""
    if report.rescored is None:
        return None
    from rich.text import Text

    lines = [_heading(report.rescored)]
    for heading, before, after, style in _KINDS:
        flips = [flip for flip in report.rescored.flips if _is(flip, before, after)]
        if flips:
            lines.append(styled(f"{heading}: {count(len(flips))}", style))
            lines += [styled(line, "") for line in _listed(flips, width)]
    lines += [styled(line, "yellow") for line in _apart(report.rescored)]
    return Text("\n").join(lines) + Text("\n")


def _heading(rescored: RescoredFrom) -> Text:
    changed = len(rescored.flips)
    said = (
        "no verdict changed" if not changed else f"{count(changed)} {'verdict' if changed == 1 else 'verdicts'} changed"
    )
    stale = f"; {count(rescored.stale)} scores of judges are stale (--judge asks again)" if rescored.stale else ""
    return styled(f"Scored again from run {rescored.run_id}: {said}{stale}", "bold")


def _is(flip: Flip, before: object, after: bool | None) -> bool:
    return flip.after is after and (before is ... or flip.before is before)


def _listed(flips: Sequence[Flip], width: int) -> Iterator[str]:
    for flip in flips[:_SHOWN]:
        bank, case_id, prompt, model = (
            one_line(part, 60) for part in (flip.bank, flip.case_id, flip.prompt, flip.model)
        )
        repeat = f", repeat {flip.repeat}" if flip.repeat > 1 else ""
        yield f"  {bank} / {case_id}  {prompt}, {model}{repeat}"
        before = "" if flip.after is not True else f"{_WORDS[flip.before]} before: "
        if flip.reason:
            yield f"    {one_line(before + flip.reason, max(40, 2 * width - 8))}"
    if len(flips) > _SHOWN:
        yield f"  and {count(len(flips) - _SHOWN)} more: --json and -o list all of them"


def _apart(rescored: RescoredFrom) -> Iterator[str]:
    apart = rescored.apart
    for cases, said in (
        (apart.changed, "not scored, since they ask something else today (`llmctl eval` asks them)"),
        (apart.new, "without a stored answer, since they are new (`llmctl eval` asks them)"),
        (apart.gone, "in the files no more"),
    ):
        if cases:
            yield f"{count(len(cases))} {'case' if len(cases) == 1 else 'cases'} {said}: {_names(cases)}"


def _names(cases: Sequence[CaseName]) -> str:
    names = ", ".join(one_line(case_id, 40) for _, case_id in cases[:_CASES])
    return names if len(cases) <= _CASES else f"{names} ..."


def flips_json(report: RunReport) -> dict[str, Any] | None:
    """The same for a document; every flip and every case is in it."""
    rescored = report.rescored
    if rescored is None:
        return None
    return {
        "from": rescored.run_id,
        "stale_scores": rescored.stale,
        "flips": [
            {
                "bank": flip.bank,
                "case_id": flip.case_id,
                "prompt": flip.prompt,
                "model": flip.model,
                "repeat": flip.repeat,
                "passed_before": flip.before,
                "passed": flip.after,
                "reason": flip.reason,
            }
            for flip in rescored.flips
        ],
        **{
            f"cases_{name}": [{"bank": bank, "case_id": case_id} for bank, case_id in getattr(rescored.apart, name)]
            for name in ("changed", "new", "gone")
        },
    }
