"""From what code of the project said of an answer to a score. Strict: what cannot be read is never a pass. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Score
from llmctl.evaluators.wording import listed, quote, shorten

__all__ = ["Said", "read_judgement"]

_OTHER_NAMES = {"pass": "passed", "reason": "explanation"}
_KNOWN = ("score", "passed", "explanation", "label")
_EXPLANATION_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class Said:
    """Who says something, and by which rules it passes."""

    who: str
    """`checks.py:polite`, at the beginning of a sentence."""
    threshold: float | None = None
    """The smallest number that passes; None: every number above 0 does."""
    pass_labels: Sequence[str] | None = None


def read_judgement(value: object, said: Said) -> Score:
    """A truth value, a number, a label, or a mapping of `score`, `passed`, `explanation` and `label` as a score.

    Raises:
        EvaluatorError: it is none of them, or lacks what decides.
    """
    match value:
        case bool():
            return Score(float(value), value, f"{said.who} returned {str(value).lower()}.")
        case int() | float():
            number = _number(value, said)
            passed, why = _against_threshold(number, said)
            return Score(_score(number, passed, said), passed, f"{said.who} returned {number:g}, {why}.")
        case str():
            passed, why = _by_label(value, said)
            return Score(float(passed), passed, f"{said.who} returned the label {quote(value)}, {why}.")
        case Mapping():
            return _object(value, said)
        case _:
            raise EvaluatorError(f"{said.who} returned {_kind(value)}, which is no judgement")


def _object(value: Mapping[object, object], said: Said) -> Score:
    parts = _parts(value, said)
    score, passed, label = parts.get("score"), parts.get("passed"), parts.get("label")
    if passed is not None and not isinstance(passed, bool):
        raise EvaluatorError(f"`passed` of what {said.who} returned must be true or false, not {_kind(passed)}")
    if label is not None and not isinstance(label, str):
        raise EvaluatorError(f"`label` of what {said.who} returned must be a text, not {_kind(label)}")
    if score is None and passed is None and label is None:
        raise EvaluatorError(f"what {said.who} returned has neither `score` nor `passed` nor `label`")
    reasons, verdicts = [], []
    number = None if score is None else _number(score, said)
    if passed is not None:
        verdicts.append(passed)
        reasons.append(f"`passed` is {str(passed).lower()}")
    if label is not None and (said.pass_labels is not None or (passed is None and number is None)):
        by_label, why = _by_label(label, said)
        verdicts.append(by_label)
        reasons.append(f"the label {quote(label)}, {why}")
    elif label is not None:
        reasons.append(f"the label {quote(label)}")
    if number is not None and (said.threshold is not None or not verdicts):
        by_score, why = _against_threshold(number, said)
        verdicts.append(by_score)
        reasons.append(f"the score {number:g}, {why}")
    result = all(verdicts)
    explanation = _explanation(parts.get("explanation"), said)
    # A reader must see why an explanation that sounds good failed, and the other way round.
    summary = f"{said.who} returned {'; '.join(reasons)}."
    text = f"{shorten(explanation, _EXPLANATION_CHARACTERS)} ({summary[:-1]})" if explanation else summary
    return Score(float(result) if number is None else _score(number, result, said), result, text)


def _parts(value: Mapping[object, object], said: Said) -> dict[str, object]:
    """The mapping under its known names, without what is null."""
    parts: dict[str, object] = {}
    for key, item in value.items():
        name = _OTHER_NAMES.get(str(key), str(key))
        if name not in _KNOWN:
            raise EvaluatorError(f"what {said.who} returned has {quote(str(key), 60)}; known are {listed(_KNOWN)}")
        if name in parts:
            raise EvaluatorError(f"what {said.who} returned has {quote(name)} twice, under two names")
        if item is not None:
            parts[name] = item
    return parts


def _number(value: object, said: Said) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise EvaluatorError(f"`score` of what {said.who} returned must be a number, not {_kind(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise EvaluatorError(f"{said.who} returned {number:g}, which is no score")
    if said.threshold is None and not 0 <= number <= 1:
        raise EvaluatorError(
            f"{said.who} returned {number:g}, and a score lies between 0 and 1; a `threshold` allows other numbers"
        )
    return number


def _score(number: float, passed: bool, said: Said) -> float:
    """A number from 0 to 1 is the score; of any other measure only whether it passed is one."""
    if said.threshold is not None and not 0 <= said.threshold <= 1:
        return float(passed)
    return min(1.0, max(0.0, number))


def _against_threshold(number: float, said: Said) -> tuple[bool, str]:
    if said.threshold is None:
        return number > 0, "above 0" if number > 0 else "and only more than 0 passes"
    if number >= said.threshold:
        return True, f"at least the threshold {said.threshold:g}"
    return False, f"below the threshold {said.threshold:g}"


def _by_label(label: str, said: Said) -> tuple[bool, str]:
    if said.pass_labels is None:
        raise EvaluatorError(
            f"{said.who} returned the label {quote(label)}, and no `pass_labels` says whether that passes"
        )
    if label in said.pass_labels:
        return True, "which passes"
    return False, f"which is none of those that pass: {listed(said.pass_labels)}"


def _explanation(value: object, said: Said) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise EvaluatorError(f"`explanation` of what {said.who} returned must be a text, not {_kind(value)}")
    return value.strip()


def _kind(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "a truth value"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list() | tuple():
            return "a list"
        case _:
            return "a mapping"
