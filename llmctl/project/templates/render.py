"""Prompt templates: Jinja2, strict and sandboxed, rendered into the chat messages that are sent.

What a case puts into a template is plain data and stays what it is: a value is never rendered again. What a template
may do is bounded (`budget`), because prompts and banks come from branches of other people.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType

import jinja2
from jinja2 import meta, nodes

from llmctl.canonical import plain, written
from llmctl.errors import Place
from llmctl.project.message_files import MessageFileError, MessageFiles
from llmctl.project.models import FilePart, ImagePart, Message, MessagePart, PlaceholderMessage, Prompt, TextPart
from llmctl.project.templates.budget import BUDGET, MAX_CHARS, SCALARS, Budget, TemplateError
from llmctl.project.templates.filters import FILTERS, TESTS
from llmctl.project.templates.rewrite import check_nodes, meter
from llmctl.project.templates.sandbox import Sandbox
from llmctl.project.templates.variables import required_variables

__all__ = [
    "Template",
    "TemplateError",
    "check_plain",
    "compile_template",
    "message_templates",
    "render_messages",
]

_SANDBOX = Sandbox()
_MAX_VALUES = 1_000_000
_KEPT_TEMPLATES = 1024


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template."""

    variables: frozenset[str]
    """What it uses of a case, in any branch."""
    required: frozenset[str]
    """Those of them that it does not ask about first with `is defined` or `default`."""
    _compiled: jinja2.Template
    _text: str | None = None
    """What it always makes, where it is nothing but text."""

    def render(self, variables: Mapping[str, object], *, encode: Callable[[str], str] | None = None) -> str:
        """Fill in the variables; `encode` changes each value that is printed, not the template's own text.

        Raises:
            TemplateError: a variable is missing or no plain data, or the template fails or exceeds a limit.
        """
        if self._text is not None:
            return self._text
        used = {name: variables[name] for name in self.variables if name in variables}
        for name, value in used.items():
            if type(value) not in SCALARS:
                check_plain(name, value)
        token = BUDGET.set(Budget(variables, encode))
        try:
            return self._render(used)
        except TemplateError as error:
            raise TemplateError(error.message, error.line or self._line(error.__traceback__)) from None
        except RecursionError:
            raise TemplateError("the template or one of its values is nested too deep") from None
        except Exception as error:
            # The code that runs here was written by the template's author: it can fail in every way there is.
            raise TemplateError(_sentence(error), self._line(error.__traceback__)) from None
        finally:
            BUDGET.reset(token)

    def _render(self, variables: dict[str, object]) -> str:
        pieces: list[str] = []
        length = 0
        for piece in self._compiled.root_render_func(self._compiled.new_context(variables)):
            length += len(piece)
            if length > MAX_CHARS:
                raise TemplateError(f"the template makes a text of more than {MAX_CHARS:,} characters")
            pieces.append(piece)
        return "".join(pieces)

    def _line(self, trace: TracebackType | None) -> int | None:
        """The template's line: that of the innermost frame that runs its code."""
        line = None
        while trace is not None:
            if trace.tb_frame.f_globals is self._compiled.root_render_func.__globals__:
                line = self._compiled.get_corresponding_lineno(trace.tb_lineno)
            trace = trace.tb_next
        return line


@lru_cache(maxsize=_KEPT_TEMPLATES)
def compile_template(text: str) -> Template:
    """Compile a template; one text is compiled once.

    Raises:
        TemplateError: it is no template, or uses what prompts do not have.
    """
    if len(text) > MAX_CHARS:
        raise TemplateError(f"the template has more than {MAX_CHARS:,} characters")
    try:
        tree = _SANDBOX.parse(text)
        check_nodes(tree, FILTERS, TESTS)
        variables = frozenset(meta.find_undeclared_variables(tree))
        required = required_variables(tree, variables)
        plain_text = _plain_text(tree)
        meter(tree)
        code = _SANDBOX.compile(tree, filename="<template>")
    except TemplateError:
        raise
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(_sentence(error), error.lineno) from None
    except (RecursionError, SyntaxError, MemoryError):
        raise TemplateError("the template is nested too deep") from None
    except ValueError:
        raise TemplateError("a number in the template is too large") from None
    except Exception as error:
        # A template's author can make Jinja2's parser fail in ways that it does not foresee.
        raise TemplateError(_sentence(error)) from None
    compiled = jinja2.Template.from_code(_SANDBOX, code, dict(_SANDBOX.globals))
    return Template(variables, required, compiled, plain_text)


def _plain_text(tree: nodes.Template) -> str | None:
    """What a template makes that has no expression and no statement in it; None for any other."""
    parts = [part for output in tree.body for part in (output.nodes if isinstance(output, nodes.Output) else (output,))]
    if not all(isinstance(part, nodes.TemplateData) for part in parts):
        return None
    return "".join(part.data for part in parts if isinstance(part, nodes.TemplateData))


def render_messages(
    prompt: Prompt, variables: Mapping[str, object], files: MessageFiles | None = None
) -> tuple[dict[str, object], ...]:
    """The prompt's messages as OpenAI chat messages.

    Raises:
        TemplateError: with `message_index`, the first message that cannot be rendered, or that names a file which
            cannot be sent.
    """
    rendered: list[dict[str, object]] = []
    for index, message in enumerate(prompt.messages):
        try:
            if isinstance(message, PlaceholderMessage):
                rendered += _placed(message.name, variables.get(message.name))
            else:
                rendered.append({"role": message.role, "content": _content(message, variables, files)})
        except TemplateError as error:
            raise TemplateError(error.message, error.line, message_index=index) from None
    return tuple(rendered)


def message_templates(message: Message) -> Iterator[tuple[str, Place | None]]:
    """The templates of a message, each with the place where its text begins."""
    if isinstance(message.content, str):
        yield message.content, message.place
        return
    for part in message.content:
        yield _part_template(part), part.place


def _part_template(part: MessagePart) -> str:
    if isinstance(part, TextPart):
        return part.text
    return (part.file if isinstance(part, FilePart) else part.file or part.url) or ""


def _content(message: Message, variables: Mapping[str, object], files: MessageFiles | None) -> object:
    if isinstance(message.content, str):
        return compile_template(message.content).render(variables)
    return [_part(part, compile_template(_part_template(part)).render(variables), files) for part in message.content]


def _part(part: MessagePart, text: str, files: MessageFiles | None) -> dict[str, object]:
    """One part in OpenAI's form, which `litellm` translates for other providers."""
    if isinstance(part, TextPart):
        return {"type": "text", "text": text}
    if isinstance(part, ImagePart) and part.url is not None:
        if not text.startswith(("https://", "http://")):
            raise TemplateError("the address of an image must begin with https:// or http://")
        return {"type": "image_url", "image_url": {"url": text}}
    if files is None:
        raise TemplateError("files cannot be read here")
    try:
        if isinstance(part, ImagePart):
            return {"type": "image_url", "image_url": {"url": files.image(text).data_url}}
        found = files.file(text)
    except MessageFileError as error:
        raise TemplateError(str(error)) from None
    return {"type": "file", "file": {"filename": found.name, "file_data": found.data_url}}


def _placed(name: str, value: object) -> list[dict[str, object]]:
    """The messages that a case gives for a placeholder; a cell of a spreadsheet holds them as JSON text."""
    if value is None or value == "":
        return []
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise TemplateError(f"`{name}` must be a list of messages, or such a list as JSON text") from None
    check_plain(name, value)
    if not isinstance(value, list | tuple):
        raise TemplateError(f"`{name}` must be a list of messages, each with `role` and `content`")
    return [_message(f"{name}[{index}]", item) for index, item in enumerate(value)]


_ROLES = ("system", "user", "assistant", "developer", "tool")


def _message(name: str, value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TemplateError(f"`{name}` must be a mapping with `role` and `content`")
    role, content = value.get("role"), value.get("content")
    if role not in _ROLES:
        raise TemplateError(f"`{name}` needs a `role`: one of {', '.join(_ROLES)}")
    if content is None and value.get("tool_calls"):
        text = None
    elif type(content) in SCALARS and content is not None:
        text = written(content)
    else:
        raise TemplateError(f"`{name}` needs a `content`, which must be a text")
    rest = {key: plain(item) for key, item in value.items() if key not in ("role", "content")}
    return {"role": role, "content": text, **rest}


def check_plain(name: str, value: object) -> None:
    """Refuse anything that has attributes: through them a template could reach the machine.

    Raises:
        TemplateError: the value is no plain data.
    """
    waiting = [value]
    count = 0
    while waiting:
        item = waiting.pop()
        count += 1
        if count > _MAX_VALUES:
            raise TemplateError(f"`{name}` holds more than {_MAX_VALUES:,} values")
        if type(item) in SCALARS:
            continue
        if type(item) not in (dict, list, tuple):
            raise TemplateError(f"`{name}` is no plain data: it holds a {type(item).__name__}")
        if isinstance(item, dict):
            if not all(type(key) is str for key in item):
                raise TemplateError(f"`{name}` holds a mapping with a key that is no text")
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)


_UNCLOSED = re.compile(r"The innermost block that needs to be closed is '(\w+)'")
_UNKNOWN_TAG = re.compile(r"Encountered unknown tag '(\w+)'")


def _sentence(error: Exception) -> str:
    """What went wrong, without the name of a Python class."""
    text = str(error).strip().rstrip(".") or type(error).__name__
    tag, block = _UNKNOWN_TAG.search(text), _UNCLOSED.search(text)
    if tag and block:
        return f"`{{% {tag[1]} %}}` does not close `{{% {block[1]} %}}`"
    if tag:
        return f"there is no tag `{{% {tag[1]} %}}`{' to close' if tag[1].startswith('end') else ''}"
    if block:
        return f"`{{% {block[1]} %}}` is never closed"
    return text[:1].lower() + text[1:]
