"""Feedback in a few words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmctl.traffic.logged_call import LoggedFeedback

__all__ = ["feedback_words"]


def feedback_words(said: LoggedFeedback) -> str:
    """What is said, without its kind: `up`, `0.8`, `12 % edited: the text that was sent`."""
    if said.kind == "rating" and said.value is not None:
        return "up" if said.value >= 0.5 else "down"
    if said.kind == "edit":
        return _edit_words(said)
    if said.text is not None:
        return said.text
    return "nothing" if said.value is None else f"{said.value:g}"


def _edit_words(said: LoggedFeedback) -> str:
    if said.value is None:
        return "abandoned"
    if said.value == 0:
        return "accepted unedited"
    share = min(max(100 * said.value, 1), 100)
    return f"{share:.0f} % edited: {said.text or ''}"
