"""Finds the templates of a prompt that can never be rendered, on their own lines."""

from __future__ import annotations

import dataclasses

from llmctl.errors import Place, Problem
from llmctl.project.models import Message, Prompt
from llmctl.project.templates.render import TemplateError, compile_template

__all__ = ["template_problems"]


def template_problems(prompt: Prompt) -> list[Problem]:
    """A problem for each message whose template has a mistake of its own, whatever the case."""
    problems = []
    for message in prompt.messages:
        if isinstance(message, Message):
            try:
                compile_template(message.content)
            except TemplateError as error:
                problems.append(_problem(prompt, message, error))
    return problems


def _problem(prompt: Prompt, message: Message, error: TemplateError) -> Problem:
    place = message.place or Place(prompt.path)
    line = error.line or 1
    lines = message.content.split("\n")
    if place.line is not None:
        place = dataclasses.replace(place, line=place.line + line - 1, column=None)
    return Problem(
        f"The template cannot be read: {error.message}.", place, excerpt=lines[line - 1] if line <= len(lines) else None
    )
