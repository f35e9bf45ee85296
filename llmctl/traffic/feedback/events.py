"""One event of the feedback journal: what somebody said of a call, or made of its answer."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from enum import StrEnum

from llmctl.traffic.identity import ID_DIGITS
from llmctl.traffic.logged_call import LoggedFeedback

__all__ = ["EDIT", "FEEDBACK", "EditKind", "Event", "Given", "edit_kind", "identity_of_edit", "new_identity"]

FEEDBACK = "feedback"
"""The type of a line."""
EDIT = "edit"
"""The kind of feedback that is read off what became of an answer."""


class Given(StrEnum):
    """How feedback came about."""

    EXPLICIT = "explicit"
    """Somebody said it."""
    IMPLICIT = "implicit"
    """It was read off what somebody did."""


class EditKind(StrEnum):
    """What became of an answer."""

    ACCEPTED = "accepted"
    """It was used as it was."""
    EDITED = "edited"
    ABANDONED = "abandoned"
    """Nothing of it was used."""


@dataclass(frozen=True, slots=True)
class Event:
    """Feedback with what the journal keeps beside it."""

    id: str
    """16 hexadecimal digits; the same feedback imported again has the same."""
    said: LoggedFeedback
    """Its `target` says of which call."""
    given: Given = Given.EXPLICIT
    by: str | None = None
    """Who said it."""
    token_distance: float | None = None
    """Of an edit: by words, 0 to 1."""
    draft: str | None = None
    """Of an edit: what there was before, where it is not the logged answer."""


def edit_kind(said: LoggedFeedback) -> EditKind:
    """What an `edit` says of the answer: its `value` is the distance, None where nothing became of it."""
    if said.value is None:
        return EditKind.ABANDONED
    return EditKind.ACCEPTED if said.value == 0 else EditKind.EDITED


def new_identity() -> str:
    """Of something that somebody says now: said twice it is two events."""
    return secrets.token_hex(ID_DIGITS // 2)


def identity_of_edit(target: str, draft: str | None, final: str | None) -> str:
    """Of what became of an answer: the same whenever it is read again."""
    hashed = hashlib.blake2b(digest_size=ID_DIGITS // 2)
    for part in ("edit", target, draft, final):
        text = "" if part is None else f"{len(part)}:{part}"
        hashed.update(f"{text}\0".encode("utf-8", "surrogatepass"))
    return hashed.hexdigest()
