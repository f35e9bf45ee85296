"""What can be said of a prompt's templates before any case is known: mistakes of their own, and what they use."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from llmctl.errors import Place, Problem
from llmctl.project.models import Message, Prompt
from llmctl.project.templates.render import TemplateError, compile_template, message_templates
from llmctl.project.templates.target import target_templates, target_variables

__all__ = ["prompt_variables", "template_problems", "uses_every_variable"]


@dataclass(frozen=True, slots=True)
class _Written:
    """A template and where its text begins."""

    text: str
    place: Place | None
    message_index: int | None = None


def template_problems(prompt: Prompt) -> list[Problem]:
    """A problem for each template of the prompt that has a mistake of its own, whatever the case."""
    problems = []
    for written in _templates(prompt):
        try:
            compile_template(written.text)
        except TemplateError as error:
            problems.append(_problem(prompt, written, error))
    return problems


def prompt_variables(prompt: Prompt) -> frozenset[str]:
    """Everything that the prompt is known to use of a case, placeholders included.

    Raises:
        TemplateError: with `message_index`, a template that cannot be compiled.
    """
    placed = {message.name for message in prompt.messages if not isinstance(message, Message)}
    sent = target_variables(prompt.target) if prompt.target else frozenset()
    return sent.union(placed, *(_variables(written) for written in _templates(prompt)))


def uses_every_variable(prompt: Prompt) -> bool:
    """Whether the prompt is a program, which gets all variables of a case."""
    return prompt.target is not None and prompt.target.kind.runs_code


def _templates(prompt: Prompt) -> Iterator[_Written]:
    for index, message in enumerate(prompt.messages):
        if isinstance(message, Message):
            yield from (_Written(text, place, index) for text, place in message_templates(message))
    if prompt.target:
        yield from (_Written(text, None) for text in target_templates(prompt.target))


def _variables(written: _Written) -> frozenset[str]:
    try:
        return compile_template(written.text).variables
    except TemplateError as error:
        raise TemplateError(error.message, error.line, message_index=written.message_index) from None


def _problem(prompt: Prompt, written: _Written, error: TemplateError) -> Problem:
    place = written.place or (prompt.target.place if prompt.target else None) or Place(prompt.path)
    line = error.line or 1
    lines = written.text.split("\n")
    if place.line is not None and written.place is not None:
        place = dataclasses.replace(place, line=place.line + line - 1, column=None)
    return Problem(
        f"The template cannot be read: {error.message}.", place, excerpt=lines[line - 1] if line <= len(lines) else None
    )
