"""Assertions about the call, about meaning, and those that a model grades, as evaluators."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial

from llmctl.importers.promptfoo.assertion import (
    Assertion,
    Builder,
    Entry,
    UnconvertibleError,
    one_or_all,
    text_value,
    texts_value,
)

__all__ = ["CALL_BUILDERS", "GRADED_BY_A_MODEL"]

_EMBEDDING = (
    "Another model measures similarity (`[semantic] model`, on this machine), so that a threshold means something "
    "else: look at the scores of a few answers before you trust it."
)
_JUDGE = (
    "The judge is asked by llmctl's own prompt, and must say pass or fail: with promptfoo a grader that forgets its "
    "verdict passes. Calibrate it with `llmctl judge calibrate`."
)
_THRESHOLD = "A grade from 0 to 10 takes the place of the score that the threshold was about."
_FACTUALITY = (
    "The judge says whether the output is consistent with the reference; promptfoo's categories A to E, and scores of "
    "your own for them, are not kept."
)


def _limit(assertion: Assertion, name: str) -> Entry:
    if assertion.threshold is None:
        raise UnconvertibleError("it has no threshold")
    if assertion.threshold <= 0 and name == "latency":
        raise UnconvertibleError("its threshold is not above 0")
    return Entry({name: assertion.threshold})


def _finish_reason(assertion: Assertion) -> Entry:
    if not isinstance(assertion.value, str):
        raise UnconvertibleError("its value is no text")
    return Entry({"finish_reason": text_value(assertion)})


def _similar(assertion: Assertion) -> Entry:
    measure = assertion.type.partition(":")[2] or "cosine"
    threshold = 0.75 if assertion.threshold is None else assertion.threshold
    if not 0 <= threshold <= 1 or measure == "euclidean":
        raise UnconvertibleError("its measure or its threshold is not one of `semantic`")
    data = {"value": one_or_all(texts_value(assertion)), "threshold": threshold}
    return Entry({"semantic": data}, (_EMBEDDING,), graded=True)


def _rubric(assertion: Assertion) -> Entry:
    value = assertion.value
    rubric = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if not rubric.strip() or value is None:
        raise UnconvertibleError("it has no rubric")
    data: dict[str, object] = {"rubric": rubric}
    if assertion.threshold is None:
        return _judge(assertion, data)
    return _scaled(assertion, data, assertion.threshold)


def _scaled(assertion: Assertion, data: dict[str, object], threshold: float) -> Entry:
    grade = min(10, max(0, round(threshold * 10)))
    return _judge(assertion, {**data, "scale": "0-10", "threshold": grade}, _THRESHOLD)


def _g_eval(assertion: Assertion) -> Entry:
    criteria = texts_value(assertion)
    rubric = criteria[0] if len(criteria) == 1 else "\n".join(f"- {one}" for one in criteria)
    if not rubric.strip():
        raise UnconvertibleError("it has no criteria")
    threshold = 0.7 if assertion.threshold is None else assertion.threshold
    return _scaled(assertion, {"rubric": rubric}, threshold)


def _closed_question(assertion: Assertion) -> Entry:
    return _judge(assertion, {"rubric": text_value(assertion)})


def _factuality(assertion: Assertion) -> Entry:
    rubric = f"The output is consistent with this expert answer and contradicts nothing in it:\n{text_value(assertion)}"
    return _judge(assertion, {"rubric": rubric}, _FACTUALITY)


def _judge(assertion: Assertion, data: dict[str, object], *changed: str) -> Entry:
    if assertion.judge:
        data["model"] = assertion.judge
    value: object = data["rubric"] if len(data) == 1 else data
    return Entry({"judge": value}, (_JUDGE, *changed), graded="scale" in data)


GRADED_BY_A_MODEL: Mapping[str, Builder] = {
    "llm-rubric": _rubric,
    "g-eval": _g_eval,
    "model-graded-closedqa": _closed_question,
    "factuality": _factuality,
    "model-graded-factuality": _factuality,
}
CALL_BUILDERS: Mapping[str, Builder] = {
    "latency": partial(_limit, name="latency"),
    "cost": partial(_limit, name="cost"),
    "finish-reason": _finish_reason,
    "similar": _similar,
    "similar:cosine": _similar,
    "similar:dot": _similar,
    "similar:euclidean": _similar,
    **GRADED_BY_A_MODEL,
}
