"""A prompt file: messages with variables, a model, parameters, tools and an output format; or an application."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from llmctl.canonical import digest
from llmctl.errors import Problem
from llmctl.project.key_guard import guard_headers, guard_keys
from llmctl.project.message_shapes import MessageItem, messages_of, text_of
from llmctl.project.models import (
    FilePart,
    ImagePart,
    Message,
    MessagePart,
    OutputFormat,
    PlaceholderMessage,
    Prompt,
    TextPart,
)
from llmctl.project.prompt_data import target_data
from llmctl.project.references import Companions
from llmctl.project.shape_errors import check_parts
from llmctl.project.shapes import Content, Maybe, Name, PlainMapping, Shape, Text, reference_to_file
from llmctl.project.syntax.document import Document
from llmctl.project.target_file import TargetShape, target_of

__all__ = ["PromptShape", "prompt_of"]

_FOR_MODELS = ("model", "params", "messages", "template", "output", "tools", "tool_choice")
"""Keys that mean nothing beside `target`."""
_OWN_KEYS = ("model", "messages", "tools", "tool_choice")
"""What a provider's request holds beside its parameters; each has its own key in a prompt."""


class OutputShape(Shape):
    """`output:`."""

    format: Literal["text", "json"] = "text"
    schema_: Maybe[PlainMapping] = Field(default=None, alias="schema")


def _choice_kind(value: object) -> str:
    return "<mapping>" if isinstance(value, dict) else "<text>"


ToolChoice = Annotated[
    Annotated[Text, Tag("<text>")] | Annotated[PlainMapping, Tag("<mapping>")],
    Discriminator(_choice_kind),
]


class PromptShape(Shape):
    """A prompt: a model and the messages it is sent, or the application that answers."""

    reserved: ClassVar[frozenset[str]] = frozenset({"context", "steps", "turns", "examples", "matrix"})

    description: Maybe[Text] = None
    model: Maybe[Name] = None
    params: PlainMapping = Field(default_factory=dict)
    messages: Maybe[Annotated[list[MessageItem], Field(min_length=1)]] = None
    template: Maybe[Content] = None
    output: OutputShape = OutputShape()
    tools: list[PlainMapping] = Field(default_factory=list)
    tool_choice: Maybe[ToolChoice] = None
    target: Maybe[TargetShape] = None


def prompt_of(document: Document, name: str, companions: Companions, problems: list[Problem]) -> Prompt | None:
    """The prompt of a file, or None with every mistake added to `problems` (the list of `companions` too)."""
    before = len(problems)
    problems.extend(document.problems)
    shape = check_parts(PromptShape, document, problems)
    guard_keys(document, problems, below="params")
    guard_headers(document, problems)
    if shape is None:
        return None
    problems.extend(_contradictions(shape, document))
    prompt = _application(shape, name, companions) if shape.target else _prompt(shape, name, companions)
    return None if len(problems) > before else prompt


def _prompt(shape: PromptShape, name: str, companions: Companions) -> Prompt:
    messages = tuple(_messages(shape, companions))
    schema = _schema(shape, companions.document, companions)
    answer_changing = {
        "messages": [_identity(message) for message in messages],
        "model": shape.model,
        "params": shape.params,
        "output": shape.output.format,
        "schema": schema,
        "tools": shape.tools,
        "tool_choice": shape.tool_choice,
    }
    return Prompt(
        name=name,
        path=Path(companions.path),
        messages=messages,
        model=shape.model,
        params=shape.params,
        output=OutputFormat(shape.output.format),
        schema=schema,
        tools=tuple(shape.tools),
        tool_choice=shape.tool_choice,
        description=shape.description,
        digest=digest(answer_changing),
        place=companions.document.place(),
    )


def _application(shape: PromptShape, name: str, companions: Companions) -> Prompt | None:
    target = target_of(shape.target, companions) if shape.target else None
    if target is None:
        return None
    return Prompt(
        name=name,
        path=Path(companions.path),
        messages=(),
        target=target,
        description=shape.description,
        digest=digest("target", target_data(target.answer_changing)),
        place=companions.document.place(),
    )


def _identity(message: Message | PlaceholderMessage) -> dict[str, object]:
    if isinstance(message, PlaceholderMessage):
        return {"placeholder": message.name}
    if isinstance(message.content, str):
        return {"role": message.role, "content": message.content}
    return {"role": message.role, "content": [_part_identity(part) for part in message.content]}


def _part_identity(part: MessagePart) -> dict[str, object]:
    match part:
        case TextPart():
            return {"text": part.text}
        case ImagePart():
            return {"image": part.file, "url": part.url}
        case FilePart():
            return {"file": part.file}


def _contradictions(shape: PromptShape, document: Document) -> Iterator[Problem]:
    keys = document.data if isinstance(document.data, dict) else {}
    if "target" in keys:
        for key in _FOR_MODELS:
            if key in keys:
                message = f"`{key}` means nothing beside `target`: an application answers, not a model."
                yield document.problem((key,), message, "Delete one of the two.", key=True)
        return
    if "template" in keys and "messages" in keys:
        hint = "`template` is short for one user message: keep one of the two."
        yield document.problem(("template",), "The prompt has both `messages` and `template`.", hint, key=True)
    elif "template" not in keys and "messages" not in keys:
        yield document.problem((), "The prompt has neither `messages` nor `template` nor `target`.")
    if shape.output.schema_ is not None and shape.output.format != "json":
        path = ("output", "schema")
        yield document.problem(path, "A schema needs `format: json` beside it.", "Add it to `output`.", key=True)
    if "tool_choice" in keys and "tools" not in keys:
        yield document.problem(("tool_choice",), "`tool_choice` needs `tools`.", key=True)
    for key in _OWN_KEYS:
        if key in shape.params:
            message = f"`{key}` is no parameter: it has its own key in a prompt."
            yield document.problem(("params", key), message, "Move it out of `params`.", key=True)


def _messages(shape: PromptShape, companions: Companions) -> Iterator[Message | PlaceholderMessage]:
    if shape.template is not None:
        text, place = text_of(shape.template, ("template",), companions)
        yield Message("user", text, place)
    yield from messages_of(shape.messages or (), companions)


def _schema(shape: PromptShape, document: Document, companions: Companions) -> dict[str, object] | None:
    schema, path = shape.output.schema_, ("output", "schema")
    if schema is None:
        return None
    if reference_to_file(schema):
        found = companions.value(str(schema["file"]), (*path, "file"))
        if found is None:
            return None
        if not isinstance(found, dict):
            companions.problems.append(document.problem(path, "The file holds no JSON Schema: a schema is a mapping."))
            return None
        schema = found
    problem = None if document.problems else _schema_mistake(schema, document, path)
    if problem:
        companions.problems.append(problem)
    return schema


def _schema_mistake(schema: dict[str, object], document: Document, path: tuple[str | int, ...]) -> Problem | None:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        said = error.message if len(error.message) <= 160 else error.message[:160] + "..."
        return document.problem((*path, *error.absolute_path), f"This is not valid JSON Schema: {said}.")
    return None
