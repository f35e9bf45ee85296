"""One sample of inspect_ai, read as its `inspect_ai/dataset/_util.py` reads it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from llmctl.canonical import written
from llmctl.errors import Place, Problem, ProjectError
from llmctl.importers.chats import ChatMessage, chat_message
from llmctl.importers.conversion import Notes
from llmctl.importers.samples import metadata_tags

__all__ = ["CHOICES", "FIELDS", "InspectSample", "inspect_sample"]

CHOICES = "choices"
FIELDS = ("input", "target", CHOICES, "id", "metadata", "sandbox", "files", "setup")
_MAX_CHOICES = 26
_NO_PLACE = {
    "sandbox": "llmctl runs no sandbox: what the answer does there is not judged.",
    "files": "They are files of a sandbox.",
    "setup": "It is a script of a sandbox.",
}


@dataclass(frozen=True, slots=True)
class InspectSample:
    """A sample as it is asked and judged."""

    chat: tuple[ChatMessage, ...]
    place: Place
    id: str | None = None
    target: str | list[str] | None = None
    choices: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    complete: bool = True


def inspect_sample(
    values: Mapping[str, object], place: Place, fields: Mapping[str, str], notes: Notes
) -> InspectSample:
    """A record of a dataset as a sample; `fields` are other names of its fields.

    Raises:
        ProjectError: it has no input.
    """
    given = {name: _given(values.get(fields.get(name, name))) for name in FIELDS}
    complete = True
    for name, why in _NO_PLACE.items():
        if given[name]:
            notes.left_out(name, why, place)
            complete = False
    losses: list[str] = []
    chat = _chat(given["input"], place, notes, losses)
    choices = _choices(given[CHOICES], place, notes)
    _note_unread(values, fields, place, notes)
    identity = given["id"]
    return InspectSample(
        chat=tuple(chat),
        place=place,
        id=written(identity).strip() or None if isinstance(identity, str | int | float) else None,
        target=_target(given["target"]),
        choices=choices,
        tags=tuple(metadata_tags(_metadata(given["metadata"], place), place, notes)),
        complete=complete and not losses and len(choices) <= _MAX_CHOICES,
    )


def _given(value: object) -> object:
    """A value; None for NaN and an empty cell, as pandas writes what is missing."""
    missing = value is None or value == "" or (isinstance(value, float) and math.isnan(value))
    return None if missing else value


def _chat(value: object, place: Place, notes: Notes, losses: list[str]) -> list[ChatMessage]:
    if isinstance(value, str) and value.lstrip().startswith("[{"):
        value = _json(value) or value  # a cell of a table
    if isinstance(value, str | int | float):
        return [{"role": "user", "content": written(value)}]

    def lost(what: str, why: str) -> None:
        losses.append(what)
        notes.left_out(what, why, place)

    items = value if isinstance(value, list) else []
    chat = [message for item in items if (message := chat_message(item, lost))]
    if not chat or len(chat) < len(items):
        said = "The sample's `input` is no text and no list of messages with `role` and `content`."
        raise ProjectError([Problem(said, place, "Its column may have another name: --field input=NAME.")])
    return chat


def _target(value: object) -> str | list[str] | None:
    if value is None:
        return None
    if isinstance(value, list):
        texts = [written(item) for item in value]
        return (texts[0] if len(texts) == 1 else texts) if texts else None
    return written(value)


def _choices(value: object, place: Place, notes: Notes) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, list):
        choices = [text for item in value if (text := written(item)).strip()]
    else:
        text = written(value)
        parts = text.split(",") if "," in text else re.split(r"\s+", text)
        choices = [part.strip() for part in parts if part.strip()]
    if len(choices) > _MAX_CHOICES:
        notes.left_out("choices", f"There are more than {_MAX_CHOICES}, and letters name them.", place)
    return tuple(choices[:_MAX_CHOICES])


def _metadata(value: object, place: Place) -> Mapping[str, object]:
    if isinstance(value, str):
        value = _json(value)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ProjectError([Problem("The sample's `metadata` is no mapping.", place)])
    return value


def _json(text: str) -> object:
    """The value of a JSON text; None where it is none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _note_unread(values: Mapping[str, object], fields: Mapping[str, str], place: Place, notes: Notes) -> None:
    read = {fields.get(name, name) for name in FIELDS}
    for name in values:
        if name not in read:
            notes.left_out(f"column {name}", "inspect_ai does not read it either; --field renames columns.", place)
