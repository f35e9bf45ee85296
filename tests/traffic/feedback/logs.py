"""Logged calls and feedback for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

from llmctl.outcome import Outcome
from llmctl.providers.redaction import Redactor
from llmctl.traffic.feedback.events import Event, Given, new_identity
from llmctl.traffic.feedback.journal import EventJournal, events_alone
from llmctl.traffic.journal import TrafficHead, TrafficJournal
from llmctl.traffic.logged_call import LoggedCall, LoggedFeedback

__all__ = ["NOW", "call", "keep", "logged", "say"]

NOW = 1_795_000_000.0


def logged(store: Path, *calls: LoggedCall) -> list[str]:
    """Keep calls; their ids."""
    with TrafficJournal(store, TrafficHead("import"), Redactor({})) as journal:
        return [journal.add(call, f"{{}} {number}") for number, call in enumerate(calls)]


def call(
    source_id: str | None = None, *, output: str | None = "Yes.", version: str = "1", at: float = NOW
) -> LoggedCall:
    """A call of the prompt `reply`."""
    return LoggedCall(
        "mapped",
        source_id=source_id,
        trace_id=f"trace-{source_id}",
        started_at=at,
        model="gpt",
        messages=({"role": "user", "content": "Hi"},),
        output=output,
        outcome=Outcome.ANSWERED,
        prompt_name="reply",
        prompt_version=version,
    )


def keep(store: Path, *events: Event) -> None:
    """Write events."""
    with events_alone(store):
        EventJournal(store, Redactor({})).add(events)


def say(
    target: str, kind: str = "rating", value: float | None = 1.0, *, text: str | None = None, at: float = NOW
) -> Event:
    """An event."""
    given = Given.IMPLICIT if kind == "edit" else Given.EXPLICIT
    return Event(new_identity(), LoggedFeedback(kind, value, text, target=target, at=at), given)
