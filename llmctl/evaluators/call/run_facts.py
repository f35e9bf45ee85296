"""What the facts of a call have in common: a limit, a sentence, and whose call it was when the answer is reused."""

from __future__ import annotations

from llmctl.evaluators.base import Score

__all__ = ["check_limit", "time_score", "whose"]


def whose(cached: bool) -> str:
    """`the answer`, or `the call of a reused answer`: its facts are those of the call that was made for it."""
    return "The call of this reused answer" if cached else "The answer"


def check_limit(name: str, limit: float) -> None:
    """Raise ValueError, as the end of a sentence about the evaluator, for a time that nothing can keep."""
    if not 0 < limit < float("inf"):
        raise ValueError(f"needs a `{name}` above 0")


def time_score(subject: str, took_ms: float, max_ms: float) -> Score:
    """Whether a time is within its limit.

    Args:
        subject: `The answer took`.
        took_ms: the measured time in milliseconds.
        max_ms: the longest that passes.
    """
    passed = took_ms <= max_ms
    limit = "within" if passed else "over"
    return Score(float(passed), passed, f"{subject} {took_ms:,.1f} ms, {limit} the {max_ms:,g} ms allowed.")
