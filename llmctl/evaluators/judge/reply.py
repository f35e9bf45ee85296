"""Reads what a judge says: one JSON object with a reason and a verdict of the closed set, and nothing else counts.

Whatever is not that is an evaluator error, and never a pass: a missing verdict, null, `"Yes, it passes"`, a grade as
text, `true` for 1, a verdict in other letters, two objects, words around the object, an answer cut off or refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from llmctl.canonical import plain
from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Reply
from llmctl.evaluators.judge.scheme import Verdict
from llmctl.evaluators.structure.json_text import json_text, read_json
from llmctl.evaluators.wording import quote
from llmctl.outcome import Outcome

__all__ = ["Said", "read_reply"]

_FENCE = re.compile(r"```(?:json)?[ \t]*\r?\n((?:(?!```).)*?)\r?\n?```", re.DOTALL)
_MAX_CHARACTERS = 100_000
_KEYS = frozenset({"reason", "verdict"})


@dataclass(frozen=True, slots=True)
class Said:
    """One judgement."""

    verdict: Verdict
    reason: str


def read_reply(reply: Reply, verdicts: Iterable[Verdict]) -> Said:
    """The judgement in a reply.

    Raises:
        EvaluatorError: there is none, or it is not exactly as it was asked for.
    """
    if reply.outcome is not Outcome.ANSWERED:
        raise EvaluatorError(_no_answer(reply))
    text = (reply.text or "").strip()
    if not text or len(text) > _MAX_CHARACTERS:
        raise EvaluatorError(f"the judge's answer is {'too long' if text else 'empty'}")
    fenced = _FENCE.fullmatch(text)
    read = read_json(fenced[1] if fenced else text)
    if read.problem is not None:
        raise EvaluatorError(f"the judge's answer is {read.problem}")
    return _said(read.value, text, tuple(verdicts))


def _no_answer(reply: Reply) -> str:
    if reply.outcome is Outcome.TRUNCATED:
        return (
            "the judge's answer was cut off at its token limit; give the judge's model more "
            "`max_tokens` in its params in llmctl.toml"
        )
    said = f": {reply.error}" if reply.error else ""
    return f"the judge gave no answer ({reply.outcome.value}){said}"


def _said(value: object, text: str, verdicts: tuple[Verdict, ...]) -> Said:
    if not isinstance(value, dict) or set(value) != _KEYS:
        keys = "with exactly the keys `reason` and `verdict`"
        raise EvaluatorError(f"the judge's answer is no JSON object {keys}: {quote(text)}")
    reason, verdict = value["reason"], plain(value["verdict"])
    if not isinstance(reason, str):
        raise EvaluatorError(f"the judge's reason is no text: {quote(text)}")
    # By type too: 1 == True and 1 == 1.0, and neither of them is the grade 1.
    if not any(type(verdict) is type(one) and verdict == one for one in verdicts):
        wanted = ", ".join(json_text(one) for one in verdicts)
        raise EvaluatorError(f"the judge's verdict {quote(json_text(verdict), 80)} is none of {wanted}")
    return Said(verdict, reason)
