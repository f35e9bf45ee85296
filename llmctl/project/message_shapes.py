"""`messages:` in a prompt file: what users write, and the messages it becomes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from llmctl.errors import Place
from llmctl.project.models import FilePart, ImagePart, Message, MessagePart, PlaceholderMessage, TextPart
from llmctl.project.references import Companions
from llmctl.project.shape_errors import quoted_list
from llmctl.project.shapes import Content, FileShape, Maybe, Name, Shape, Text
from llmctl.project.syntax.document import DataPath

__all__ = ["MessageItem", "messages_of", "text_of"]

_ONE_KEY = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})


class ImageShape(Shape):
    """Where an image comes from."""

    model_config = _ONE_KEY

    file: Maybe[Name] = None
    url: Maybe[Name] = None


class PathShape(Shape):
    """Where a file lies."""

    file: Name


class PartShape(Shape):
    """One part of a message."""

    model_config = _ONE_KEY

    text: Maybe[Content] = None
    image: Maybe[ImageShape] = None
    file: Maybe[PathShape] = None


def _content_kind(value: object) -> str:
    if isinstance(value, list):
        return "<parts>"
    return "<file>" if isinstance(value, dict | FileShape) else "<text>"


MessageContent = Annotated[
    Annotated[Text, Tag("<text>")]
    | Annotated[FileShape, Tag("<file>")]
    | Annotated[Annotated[list[PartShape], Field(min_length=1)], Tag("<parts>")],
    Discriminator(_content_kind),
]


class MessageShape(Shape):
    """`{role, content}`."""

    tag: ClassVar[str] = "<message>"

    role: Literal["system", "user", "assistant", "developer", "tool"]
    content: MessageContent


class PlaceholderShape(Shape):
    """`{placeholder: history}`."""

    tag: ClassVar[str] = "<placeholder>"

    placeholder: Name


def _message_kind(value: object) -> str:
    held = isinstance(value, PlaceholderShape) or (isinstance(value, dict) and "placeholder" in value)
    return "<placeholder>" if held else "<message>"


MessageItem = Annotated[
    Annotated[MessageShape, Tag("<message>")] | Annotated[PlaceholderShape, Tag("<placeholder>")],
    Discriminator(_message_kind),
]


def messages_of(
    items: Sequence[MessageShape | PlaceholderShape], companions: Companions
) -> Iterator[Message | PlaceholderMessage]:
    """The messages of a prompt file; mistakes are added to the problems of `companions`."""
    for index, item in enumerate(items):
        path = ("messages", index)
        if isinstance(item, PlaceholderShape):
            yield PlaceholderMessage(item.placeholder, companions.document.place((*path, "placeholder")))
        else:
            yield _message(item, (*path, "content"), companions)


def text_of(content: str | FileShape, path: DataPath, companions: Companions) -> tuple[str, Place]:
    """A text, wherever it stands, and the place where it begins."""
    if isinstance(content, str):
        return content, companions.document.text_place(path)
    text = companions.text(content.file, (*path, "file"))
    last = companions.read[-1].path if companions.read else companions.path
    return text or "", Place(Path(last), 1, 1)


def _message(item: MessageShape, path: tuple[str | int, ...], companions: Companions) -> Message:
    if not isinstance(item.content, list):
        text, place = text_of(item.content, path, companions)
        return Message(item.role, text, place)
    parts = [_part(shape, (*path, index), companions) for index, shape in enumerate(item.content)]
    return Message(item.role, tuple(part for part in parts if part), companions.document.place(path))


def _part(shape: PartShape, path: tuple[str | int, ...], companions: Companions) -> MessagePart | None:
    if not _has_one(shape, ("text", "image", "file"), path, "A part of a message", companions):
        return None
    place = companions.document.text_place
    if shape.text is not None:
        text, begin = text_of(shape.text, (*path, "text"), companions)
        return TextPart(text, begin)
    if shape.file is not None:
        return FilePart(shape.file.file, place((*path, "file", "file")))
    if shape.image is None or not _has_one(shape.image, ("file", "url"), (*path, "image"), "An image", companions):
        return None
    key = "file" if shape.image.file is not None else "url"
    return ImagePart(shape.image.file, shape.image.url, place((*path, "image", key)))


def _has_one(shape: Shape, keys: Sequence[str], path: DataPath, name: str, companions: Companions) -> bool:
    count = sum(getattr(shape, key) is not None for key in keys)
    if count != 1:
        message = f"{name} has one of {quoted_list(keys)}, not {count or 'none'} of them."
        companions.problems.append(companions.document.problem(path, message))
    return count == 1
