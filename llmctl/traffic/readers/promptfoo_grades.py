"""What promptfoo's assertions, and people in its viewer, said of an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmctl.traffic.logged_call import LoggedFeedback
from llmctl.traffic.readers.values import mapping, number, text

__all__ = ["grades"]

_BY_MODEL = ("llm-rubric", "model-graded", "factuality", "g-eval", "answer-relevance", "context-", "select-best", "pi")
_HUMAN = "human"


def grades(value: Mapping[str, Any]) -> Iterator[LoggedFeedback]:
    """A result's score and named scores; a rating and a comment of a person, where one gave them."""
    grading = mapping(value.get("gradingResult"))
    held = grading.get("componentResults")
    parts = [one for one in held if isinstance(one, Mapping)] if isinstance(held, list) else []
    kinds = [text(mapping(one.get("assertion")).get("type")) or "" for one in parts]
    source = "model" if any(kind.removeprefix("not-").startswith(_BY_MODEL) for kind in kinds) else "code"
    score = number(value.get("score", grading.get("score")))
    graded = bool(parts) or bool(grading)
    if score is not None and graded:
        yield LoggedFeedback("score", score, name="promptfoo", source=source)
    for name, given in mapping(value.get("namedScores")).items():
        if (found := number(given)) is not None:
            yield LoggedFeedback("score", found, name=name, source=source)
    for part, kind in zip(parts, kinds, strict=True):
        if kind == _HUMAN:
            yield LoggedFeedback("rating", float(part.get("pass") is True), source=_HUMAN)
    if comment := text(grading.get("comment")):
        yield LoggedFeedback("comment", text=comment, source=_HUMAN)
