"""A prompt file: messages with variables, a model, parameters, tools and an output format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from llmctl.canonical import digest
from llmctl.errors import Place, Problem
from llmctl.project.key_guard import guard_keys
from llmctl.project.models import Message, OutputFormat, PlaceholderMessage, Prompt
from llmctl.project.references import Companions
from llmctl.project.shape_errors import check_parts
from llmctl.project.shapes import (
    Content,
    FileShape,
    Maybe,
    Name,
    PlainMapping,
    Shape,
    Text,
    reference_to_file,
)
from llmctl.project.syntax.document import DataPath, Document

__all__ = ["PromptShape", "prompt_of"]

_OWN_KEYS = ("model", "messages", "tools", "tool_choice")
"""What a provider's request holds beside its parameters; each has its own key in a prompt."""


class MessageShape(Shape):
    """`{role, content}`."""

    tag: ClassVar[str] = "<message>"

    role: Literal["system", "user", "assistant", "developer", "tool"]
    content: Content


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
    """A prompt: a model and the messages it is sent."""

    reserved: ClassVar[frozenset[str]] = frozenset({"context", "steps", "turns", "examples", "matrix", "target"})

    description: Maybe[Text] = None
    model: Maybe[Name] = None
    params: PlainMapping = Field(default_factory=dict)
    messages: Maybe[Annotated[list[MessageItem], Field(min_length=1)]] = None
    template: Maybe[Content] = None
    output: OutputShape = OutputShape()
    tools: list[PlainMapping] = Field(default_factory=list)
    tool_choice: Maybe[ToolChoice] = None


def prompt_of(document: Document, name: str, companions: Companions, problems: list[Problem]) -> Prompt | None:
    """The prompt of a file, or None with every mistake added to `problems` (the list of `companions` too)."""
    before = len(problems)
    problems.extend(document.problems)
    shape = check_parts(PromptShape, document, problems)
    guard_keys(document, problems, below="params")
    if shape is None:
        return None
    problems.extend(_contradictions(shape, document))
    messages = tuple(_messages(shape, document, companions))
    schema = _schema(shape, document, companions)
    return None if len(problems) > before else _prompt(shape, name, messages, schema, companions)


def _prompt(
    shape: PromptShape,
    name: str,
    messages: tuple[Message | PlaceholderMessage, ...],
    schema: dict[str, object] | None,
    companions: Companions,
) -> Prompt:
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


def _identity(message: Message | PlaceholderMessage) -> dict[str, str]:
    if isinstance(message, PlaceholderMessage):
        return {"placeholder": message.name}
    return {"role": message.role, "content": message.content}


def _contradictions(shape: PromptShape, document: Document) -> Iterator[Problem]:
    keys = document.data if isinstance(document.data, dict) else {}
    if "template" in keys and "messages" in keys:
        hint = "`template` is short for one user message: keep one of the two."
        yield document.problem(("template",), "The prompt has both `messages` and `template`.", hint, key=True)
    elif "template" not in keys and "messages" not in keys:
        yield document.problem((), "The prompt has neither `messages` nor `template`.")
    if shape.output.schema_ is not None and shape.output.format != "json":
        path = ("output", "schema")
        yield document.problem(path, "A schema needs `format: json` beside it.", "Add it to `output`.", key=True)
    if "tool_choice" in keys and "tools" not in keys:
        yield document.problem(("tool_choice",), "`tool_choice` needs `tools`.", key=True)
    for key in _OWN_KEYS:
        if key in shape.params:
            message = f"`{key}` is no parameter: it has its own key in a prompt."
            yield document.problem(("params", key), message, "Move it out of `params`.", key=True)


def _messages(shape: PromptShape, document: Document, companions: Companions) -> Iterator[Message | PlaceholderMessage]:
    if shape.template is not None:
        yield _message("user", shape.template, ("template",), document, companions)
    for index, item in enumerate(shape.messages or ()):
        path = ("messages", index)
        if isinstance(item, PlaceholderShape):
            yield PlaceholderMessage(item.placeholder, document.place((*path, "placeholder")))
        else:
            yield _message(item.role, item.content, (*path, "content"), document, companions)


def _message(
    role: str, content: str | FileShape, path: DataPath, document: Document, companions: Companions
) -> Message:
    if isinstance(content, str):
        return Message(role, content, document.text_place(path))
    text = companions.text(content.file, (*path, "file"))
    last = companions.read[-1].path if companions.read else companions.path
    return Message(role, text or "", Place(Path(last), 1, 1))


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
