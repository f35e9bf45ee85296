"""One prompt on one model with variables given by hand: what `try` asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmctl.errors import Problem, ProjectError, UsageError
from llmctl.project import templates
from llmctl.project.message_files import MessageFiles
from llmctl.project.models import Config, ModelConfig
from llmctl.providers import routes
from llmctl.providers.app import app_model, app_route
from llmctl.providers.records import ChatRequest
from llmctl.runs.reading import ProjectReader, PromptVersion
from llmctl.runs.selection import PromptReference
from llmctl.runs.target import Target
from llmctl.runs.targets import require_keys

__all__ = ["SingleCall", "single_call"]


@dataclass(frozen=True, slots=True)
class SingleCall:
    """A target and what it is asked."""

    target: Target
    request: ChatRequest


def single_call(
    config: Config, environ: Mapping[str, str], prompt: str, model: str | None, variables: Mapping[str, object]
) -> SingleCall:
    """Read one prompt, at a revision where it names one, and render it.

    Raises:
        ProjectError: the prompt has mistakes, or a variable is missing.
        UsageError: a name is unknown.
        CredentialError: the key is missing.
    """
    reference = PromptReference.parse(prompt)
    with ProjectReader(config, environ) as reader:
        version = reader.prompt(reader.resolve(reference))
    if version is None:
        raise ProjectError(reader.problems)
    target = _target(config, version, model)
    require_keys([target.route], environ)
    try:
        return SingleCall(target, target.request(variables, MessageFiles(config.root)))
    except templates.TemplateError as error:
        hint = "Give each variable with --var NAME=VALUE."
        raise ProjectError(
            [Problem(f"The prompt {version.prompt.label} cannot be rendered: {error}.", version.prompt.place, hint)]
        ) from None


def _target(config: Config, version: PromptVersion, model: str | None) -> Target:
    prompt = version.prompt
    if prompt.target is not None:
        if model is not None:
            raise UsageError(f"The prompt {prompt.name} asks an application, not a model.", hint="Leave out -m.")
        app = app_model(prompt)
        return Target(prompt, app, app_route(prompt, app, config))
    name = model or prompt.model
    if name is None:
        raise UsageError(f"The prompt {prompt.name} names no model.", hint="Give one with -m MODEL.")
    chosen = version.models.get(name) or ModelConfig(name=name, model=name, place=prompt.place)
    return Target(prompt, chosen, routes.resolve(chosen))
