"""What somebody says of one call now: rating, score, label, correction, comment."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from llmctl.errors import UsageError
from llmctl.providers.redaction import Redactor
from llmctl.traffic.feedback.events import Event, new_identity
from llmctl.traffic.feedback.journal import EventJournal, events_alone
from llmctl.traffic.feedback.store import FeedbackStore
from llmctl.traffic.logged_call import LoggedFeedback

__all__ = ["Opinion", "give"]


@dataclass(frozen=True, slots=True)
class Opinion:
    """All that is said at once; at least one thing."""

    up: bool | None = None
    """A rating: up, or down."""
    score: float | None = None
    label: str | None = None
    correction: str | None = None
    """The text that should have come."""
    comment: str | None = None
    name: str | None = None
    """What was judged."""
    by: str | None = None
    """Who says it."""

    def __post_init__(self) -> None:
        if self.score is not None and not math.isfinite(self.score):
            raise UsageError("--score takes a finite number.")
        for name in ("label", "correction", "comment"):
            text = getattr(self, name)
            if text is not None and not text.strip():
                raise UsageError(f"The {name} is empty.")
        if all(value is None for value in (self.up, self.score, self.label, self.correction, self.comment)):
            raise UsageError(
                "Nothing is said of the call.",
                hint="Give --up, --down, --score X, --label L, --correction FILE or --comment TEXT.",
            )

    def feedback(self, call_id: str, now: float) -> list[LoggedFeedback]:
        """Each thing apart."""
        said: list[tuple[str, float | None, str | None]] = []
        if self.up is not None:
            said.append(("rating", float(self.up), None))
        if self.score is not None:
            said.append(("score", self.score, None))
        texts = {"label": self.label, "correction": self.correction, "comment": self.comment}
        said += [(kind, None, text) for kind, text in texts.items() if text is not None]
        return [LoggedFeedback(kind, value, text, self.name, "human", call_id, now) for kind, value, text in said]


def give(store: Path, call: str, opinion: Opinion, redactor: Redactor, *, now: float) -> tuple[str, list[Event]]:
    """Keep what is said of a call; its id, and the events. `now` is UTC epoch seconds.

    Raises:
        UsageError: there is no such call, or more than one.
        StoreError: the store cannot be read or written.
    """
    call_id = FeedbackStore(store).call_named(call)
    events = [Event(new_identity(), said, by=opinion.by) for said in opinion.feedback(call_id, now)]
    with events_alone(store):
        EventJournal(store, redactor).add(events)
    return call_id, events
