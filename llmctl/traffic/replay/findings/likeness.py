"""Two answers to one call, compared: the same, equivalent, changed, broken or mended."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from llmctl.evaluators.structure.json_text import json_difference
from llmctl.evaluators.structure.tool_call_reading import ToolCall
from llmctl.traffic.replay.findings.examined import Examined
from llmctl.traffic.replay.findings.report import Break, Fault, Kind, Likeness

__all__ = ["compare_answers", "first_divergence"]

_WORD = re.compile(r"\w+|[^\w\s]")
_COMPARED = 50_000
"""Characters of an answer whose words are counted."""
_GRAVITY = {fault: number for number, fault in enumerate(Fault)}
_NOT_COMPARED = Likeness(Kind.NOT_COMPARED)
_SAME = Likeness(Kind.SAME, similarity=1.0)


def compare_answers(before: Examined | None, after: Examined | None) -> Likeness:
    """What became of an answer. What an evaluator may still call equivalent is CHANGED here."""
    if before is None or after is None or not (before.evidence and after.evidence):
        return _NOT_COMPARED
    if _alike(before, after):
        return _SAME
    fault_before, fault = before.fault, after.fault
    if fault is None and fault_before is None:
        fault = _lost(before, after)
    if _graver(fault, fault_before):
        return Likeness(Kind.BROKEN, fault, _similarity(before, after))
    if fault_before is not None and fault is None:
        return Likeness(Kind.MENDED, fault_before, _similarity(before, after))
    if first_divergence(before.calls, after.calls) is None:
        if before.text == after.text:
            return _SAME
        if before.json and after.json and json_difference(after.json.value, before.json.value) is None:
            return Likeness(Kind.EQUIVALENT, similarity=1.0)
    return Likeness(Kind.CHANGED, similarity=_similarity(before, after))


def _alike(before: Examined, after: Examined) -> bool:
    """Whether they are plainly one and the same answer, faults and all: nothing of them needs to be looked at."""
    one, other = before.answer, after.answer
    return (
        before.text == after.text != ""
        and not (one.tool_calls or other.tool_calls)
        and (one.outcome, one.finish_reason) == (other.outcome, other.finish_reason)
    )


def first_divergence(before: Sequence[ToolCall], after: Sequence[ToolCall]) -> Break | None:
    """Where two rows of tool calls part; None: they are the same, in names and arguments, in order."""
    for step, (was, now) in enumerate(zip(before, after, strict=False), 1):
        if was.name != now.name:
            return Break(Fault.TOOL_CALL, f"{now.name or 'no tool'} in place of {was.name or 'no tool'}", step)
        if now.problem and now.problem != was.problem:
            return Break(Fault.TOOL_CALL, f"{now.name}: {now.problem}", step)
        difference = json_difference(now.arguments, was.arguments)
        if difference:
            return Break(Fault.TOOL_CALL, f"arguments of {now.name}: {difference}", step)
    step = min(len(before), len(after)) + 1
    if len(after) < len(before):
        return Break(Fault.TOOL_CALL, f"{before[step - 1].name} is missing", step)
    if len(after) > len(before):
        return Break(Fault.TOOL_CALL, f"{after[step - 1].name} is one too many", step)
    return None


def _lost(before: Examined, after: Examined) -> Break | None:
    """What an answer without a fault of its own lacks of the earlier one."""
    diverged = first_divergence(before.calls, after.calls)
    if diverged:
        return diverged
    if before.json and after.json is None and not after.answer.tool_calls:
        return Break(Fault.FORMAT, "JSON before, and none now")
    return None


def _graver(fault: Break | None, before: Break | None) -> bool:
    if fault is None:
        return False
    return before is None or _GRAVITY[fault.fault] < _GRAVITY[before.fault]


def _similarity(before: Examined, after: Examined) -> float:
    """Of the words, in any order, counted as often as they occur: Dice's coefficient, in [0, 1]."""
    words, others = _words(before), _words(after)
    total = words.total() + others.total()
    return 2 * (words & others).total() / total if total else 1.0


def _words(one: Examined) -> Counter[str]:
    return Counter(_WORD.findall(str(one)[:_COMPARED]))
