"""One prompt on one model with variables given by hand: what `try` asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmctl.errors import Problem, ProjectError, UsageError
from llmctl.project import templates
from llmctl.project.models import Case, Config, ModelConfig
from llmctl.providers import routes
from llmctl.providers.records import ChatRequest
from llmctl.runs.plan import Target, require_keys
from llmctl.runs.reading import ProjectReader
from llmctl.runs.selection import PromptReference

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
    name = model or version.prompt.model
    if name is None:
        raise UsageError(f"The prompt {version.prompt.name} names no model.", hint="Give one with -m MODEL.")
    chosen = version.models.get(name) or ModelConfig(name=name, model=name, place=version.prompt.place)
    target = Target(version.prompt, chosen, routes.resolve(chosen))
    require_keys([target], environ)
    case = Case(bank="", id="", vars=variables, evaluators=())
    try:
        return SingleCall(target, target.request(case))
    except templates.TemplateError as error:
        hint = "Give each variable with --var NAME=VALUE."
        raise ProjectError(
            [Problem(f"The prompt {version.prompt.label} cannot be rendered: {error}.", version.prompt.place, hint)]
        ) from None
