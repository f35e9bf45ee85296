"""Sandboxed, strict, bounded Jinja2 templates."""

from llmctl.project.templates.check import template_problems
from llmctl.project.templates.render import (
    Template,
    TemplateError,
    compile_template,
    prompt_variables,
    render_messages,
)

__all__ = [
    "Template",
    "TemplateError",
    "compile_template",
    "prompt_variables",
    "render_messages",
    "template_problems",
]
