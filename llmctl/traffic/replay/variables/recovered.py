"""What became of the search for a call's variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Kind", "Origin", "Recovered", "not_found"]


class Origin(StrEnum):
    """Where variables come from."""

    RECORDED = "recorded"
    """The log holds them."""
    INVERTED = "inverted"
    """The messages were taken apart by the prompt's template."""
    MAPPED = "mapped"
    """`--map`, at least in part."""


class Kind(StrEnum):
    """How the search ended; a sentence that calls are counted under."""

    FOUND = "its variables were found"
    NO_MESSAGES = "neither its variables nor its messages were logged"
    NO_PROMPT = "it names no prompt, and no prompt of the project makes its messages"
    UNKNOWN_PROMPT = "the project has no such prompt, and no other makes its messages"
    NO_MATCH = "no known version of its prompt makes its messages"
    AMBIGUOUS = "its variables are ambiguous: its messages can be read in more than one way"
    NOT_INVERTIBLE = "its prompt's template cannot be inverted"
    TOO_MUCH = "its messages are too much work to take apart"
    NOT_MAPPED = "what --map names is not in it"
    LACKING = "it lacks a variable that the prompt needs"


@dataclass(frozen=True, slots=True)
class Recovered:
    """The variables of a call, or why there are none."""

    variables: Mapping[str, object] | None
    """By name; texts, and lists of messages for placeholders. None: they were not found."""
    origin: Origin | None
    reason: str | None
    """What stood in the way, about this call; it may quote the log. None: nothing."""
    kind: Kind
    prompt: str | None = None
    """Of inverted variables: the version that made the messages, `triage` or `triage@1f2e3d4`."""


def not_found(kind: Kind, reason: str | None = None) -> Recovered:
    """Nothing was found; the reason is the kind's own sentence unless there is more to say."""
    return Recovered(None, None, reason or f"{kind}", kind)
