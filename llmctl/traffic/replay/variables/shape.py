"""A prompt as it can be compared with logged messages: the forms of each message, and placeholders between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from llmctl.project.models import FilePart, ImagePart, Message, MessagePart, PlaceholderMessage, Prompt
from llmctl.project.templates import TemplateError
from llmctl.traffic.replay.variables.forms import Condition, Form, NotInvertible, Slot, forms_of
from llmctl.traffic.replay.variables.matching import Equation, Work, may_fit

__all__ = ["Placeholder", "Reading", "Shape", "Wanted", "shape_of"]

MAX_SLOTS = 200
"""Printed variables of one prompt, in all its forms together."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read messages as what templates made: its equations, and what its branches say."""

    equations: tuple[Equation, ...] = ()
    conditions: tuple[Condition, ...] = ()

    def then(self, other: Reading) -> Reading | None:
        """The two together; None where their branches contradict each other."""
        both = Form((), self.conditions).then(Form((), other.conditions))
        return None if both is None else Reading(self.equations + other.equations, both.conditions)


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A run of messages that a variable held."""

    name: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """One message of a prompt."""

    role: str
    content: tuple[Form, ...] | None
    """The forms of its one text."""
    parts: tuple[tuple[str, tuple[Form, ...]], ...] = ()
    """Or of each part, after its type."""

    def readings(self, message: dict[str, Any], work: Work) -> list[Reading]:
        """The ways in which this message can have been made, each looked at by itself; none: it was not."""
        if message.get("role") != self.role or len(message) != 2:
            return []
        texts = _texts(message["content"], [kind for kind, _ in self.parts] if self.content is None else None)
        if texts is None:
            return []
        forms = [self.content] if self.content is not None else [its for _, its in self.parts]
        found = [Reading()]
        for text, its in zip(texts, forms, strict=True):
            fitting = list(_fitting(text, its, work))
            found = [both for one in found for other in fitting if (both := one.then(other)) is not None]
        return found


def _fitting(text: str, forms: Sequence[Form], work: Work) -> Iterator[Reading]:
    for form in forms:
        equation = Equation(form.pieces, text)
        if may_fit(equation, work):
            yield Reading((equation,), form.conditions)


def _texts(content: object, kinds: Sequence[str] | None) -> list[str] | None:
    """The texts that templates made: the content, or one of each part; None: the content is not of this kind."""
    if kinds is None:
        return [content] if isinstance(content, str) else None
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list) or len(content) != len(kinds):
        return None
    texts: list[str] = []
    for part, kind in zip(content, kinds, strict=True):
        match part:
            case {"type": "text", "text": str(text)} if kind == "text" and len(part) == 2:
                texts.append(text)
            case {"type": "image_url", "image_url": {"url": str(text)}} if kind == "image_url" and len(part) == 2:
                texts.append(text)
            case _:
                return None
    return texts


@dataclass(frozen=True, slots=True)
class Shape:
    """A whole prompt."""

    prompt: Prompt
    items: tuple[Wanted | Placeholder, ...]

    @property
    def placeholders(self) -> int:
        """How many there are."""
        return sum(isinstance(item, Placeholder) for item in self.items)


def shape_of(prompt: Prompt) -> Shape:
    """The shape of a prompt.

    Raises:
        NotInvertible: it cannot be told from its messages what it was rendered with.
    """
    if prompt.target is not None:
        raise NotInvertible("is an application, not a template")
    try:
        shape = Shape(prompt, tuple(_item(message) for message in prompt.messages))
    except TemplateError as error:
        raise NotInvertible(f"cannot be read: {error.message}") from None
    if sum(map(_slots, shape.items)) > MAX_SLOTS:
        raise NotInvertible(f"prints more than {MAX_SLOTS} variables")
    return shape


def _item(message: Message | PlaceholderMessage) -> Wanted | Placeholder:
    if isinstance(message, PlaceholderMessage):
        return Placeholder(message.name)
    if isinstance(message.content, str):
        return Wanted(message.role, forms_of(message.content))
    return Wanted(message.role, None, tuple(_part(part) for part in message.content))


def _part(part: MessagePart) -> tuple[str, tuple[Form, ...]]:
    if isinstance(part, FilePart) or (isinstance(part, ImagePart) and part.url is None):
        raise NotInvertible("attaches a file, whose name its messages do not tell")
    if isinstance(part, ImagePart):
        return "image_url", forms_of(part.url or "")
    return "text", forms_of(part.text)


def _slots(item: Wanted | Placeholder) -> int:
    if isinstance(item, Placeholder):
        return 0
    forms = [*(item.content or ()), *(form for _, its in item.parts for form in its)]
    return sum(isinstance(piece, Slot) for form in forms for piece in form.pieces)
