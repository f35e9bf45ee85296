"""Sandboxed, strict, bounded Jinja2 templates."""

from llmctl.project.templates.check import prompt_variables, template_problems, uses_every_variable
from llmctl.project.templates.render import Template, TemplateError, compile_template, render_messages
from llmctl.project.templates.target import render_target

__all__ = [
    "Template",
    "TemplateError",
    "compile_template",
    "prompt_variables",
    "render_messages",
    "render_target",
    "template_problems",
    "uses_every_variable",
]
