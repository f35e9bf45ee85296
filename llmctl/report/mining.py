"""Proposed test cases, on a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from llmctl.canonical import plain, written
from llmctl.report.layout import Cell, block, styled
from llmctl.report.numbers import count
from llmctl.safe_text import one_line

if TYPE_CHECKING:
    from rich.text import Text

    from llmctl.traffic.mining.looking import Looked
    from llmctl.traffic.mining.proposing import Proposal, Proposed
    from llmctl.traffic.mining.reasons import Finding
    from llmctl.traffic.to_bank.making import Cleaner

__all__ = ["mined_json", "mined_text", "proposal_text"]

_COLUMN = 12
_SHOWN = 400
_SAID = 160


def proposal_text(number: int, proposal: Proposal, cleaner: Cleaner, width: int) -> Text:
    """One proposal: where it comes from, why, what was asked and answered, what it would expect."""
    source = proposal.source
    text = styled(f"{number}. {one_line(cleaner.text(source.origin), width - 4)}\n", "bold")
    for label, value in _facts(proposal):
        text.append_text(block(label, Cell(_short(cleaner.text(value), _SHOWN)), width, indent=3, column=_COLUMN))
    return text


def _facts(proposal: Proposal) -> Iterator[tuple[str, str]]:
    source, expected = proposal.source, proposal.expected
    yield "why", "; ".join(map(_why, proposal.findings))
    yield "asked", proposal.question
    yield "answered", "(nothing)" if source.answer is None else written(source.answer)
    yield "expected", f"{written(expected.value)} ({expected.origin})" if expected.given else f"none: {expected.origin}"
    if proposal.calls > 1:
        more = proposal.calls - 1
        yield "like it", f"{count(more)} more {'call asks' if more == 1 else 'calls ask'} the same but for numbers"


def _why(finding: Finding) -> str:
    return f"{finding.reason}: {_short(finding.said, _SAID)}" if finding.said else f"{finding.reason}"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} ..."


def mined_text(bank: str, looked: Looked, proposed: Proposed, width: int) -> Text:
    """What was looked at, and what became of the candidates that are not proposed."""
    text = styled("")
    for label, value in _summary(bank, looked, proposed):
        text.append_text(block(label, Cell(value), width, indent=0, column=_COLUMN))
    return text


def _summary(bank: str, looked: Looked, proposed: Proposed) -> Iterator[tuple[str, str]]:
    others = f", {count(looked.of_other_prompts)} of other prompts" if looked.of_other_prompts else ""
    yield "looked at", f"{_calls(looked.looked_at)}{others}, for the bank {bank}"
    if looked.reasons:
        yield "found", ", ".join(f"{reason} {count(number)}" for reason, number in looked.reasons.most_common())
    left = [
        (proposed.in_bank, "the bank asks already"),
        (proposed.alike, "nearly the same as one above"),
        *((number, reason) for reason, number in proposed.no_variables.most_common()),
    ]
    if any(number for number, _ in left):
        yield "left out", "; ".join(f"{count(number)}: {reason}" for number, reason in left if number)
    if proposed.no_variables:
        yield "", "--map NAME=PATH says where the log holds a variable."


def _calls(number: int) -> str:
    return f"{count(number)} {'call' if number == 1 else 'calls'}"


def mined_json(bank: str, looked: Looked, proposed: Proposed, cleaner: Cleaner) -> dict[str, Any]:
    """The same as a document, `llmctl/bank-mine/1`."""
    return {
        "schema": "llmctl/bank-mine/1",
        "bank": bank,
        "looked_at": looked.looked_at,
        "of_other_prompts": looked.of_other_prompts,
        "found": {reason.value: number for reason, number in looked.reasons.items()},
        "proposals": _proposals(proposed.proposals, cleaner),
        "left_out": {
            "in_bank": proposed.in_bank,
            "alike": proposed.alike,
            "no_variables": dict(proposed.no_variables),
        },
    }


def _proposals(proposals: Sequence[Proposal], cleaner: Cleaner) -> list[dict[str, Any]]:
    return [
        {
            "from": one.source.id,
            "origin": one.source.origin,
            "reasons": [
                {"reason": finding.reason.value, "said": cleaner.text(finding.said)} for finding in one.findings
            ],
            "vars": plain(cleaner.value(one.source.variables or {})),
            "question": cleaner.text(one.question),
            "answer": plain(cleaner.value(one.source.answer)),
            "expected": plain(cleaner.value(one.expected.value)) if one.expected.given else None,
            "expected_from": one.expected.origin if one.expected.given else None,
            "calls": one.calls,
        }
        for one in proposals
    ]
