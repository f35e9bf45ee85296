"""From a prompt with a `target` to who is asked, in the place of a model."""

from __future__ import annotations

from llmctl.canonical import digest
from llmctl.errors import Problem, ProjectError
from llmctl.project.app_target import AppTarget, HttpCall, SecretHeader
from llmctl.project.models import Config, ModelConfig, Prompt
from llmctl.project.prompt_data import target_data
from llmctl.providers.routes import App, Route, TransportName

__all__ = ["app_model", "app_problems", "app_route"]

_ALLOW = "Add `allow_code = true` under [project] in llmctl.toml."


def app_model(prompt: Prompt) -> ModelConfig:
    """What stands in the place of a model: its name is the kind of the target."""
    target = _target(prompt)
    return ModelConfig(
        name=target.kind.value,
        model=f"app/{target.kind}",
        requests_per_minute=target.requests_per_minute,
        place=target.place,
    )


def app_route(prompt: Prompt, model: ModelConfig, config: Config) -> Route:
    """Where and how the application is asked.

    Raises:
        ProjectError: it would run code that the project's config does not allow, or that is not the code lying here.
    """
    problems = app_problems(prompt, config)
    if problems:
        raise ProjectError(problems)
    target = _target(prompt)
    return Route(
        model,
        provider="app",
        transport=TransportName.APP,
        model=model.model,
        wire_model=target.kind.value,
        url=_address(target),
        identity=digest("app", target_data(target.answer_changing)),
        app=App(target, config.root, _secrets(target)),
        timeout_s=target.timeout_s,
    )


def app_problems(prompt: Prompt, config: Config) -> list[Problem]:
    """Why the prompt's target cannot be run here; empty where it can, and for prompts without one."""
    target = prompt.target
    if target is None or not target.kind.runs_code:
        return []
    if prompt.rev is not None:
        message = f'"{prompt.label}" is a {target.kind} target: only the code that lies here can be run.'
        return [Problem(message, target.place, "Check that revision out, or run the prompt without @.")]
    if not config.allow_code:
        return [Problem(f"A {target.kind} target runs code, which llmctl.toml does not allow.", target.place, _ALLOW)]
    return []


def _target(prompt: Prompt) -> AppTarget:
    if prompt.target is None:
        raise ValueError(f"the prompt {prompt.label} is no application")
    return prompt.target


def _address(target: AppTarget) -> str:
    match target.call:
        case HttpCall(url=url):
            return url
        case _:
            return target.kind.value


def _secrets(target: AppTarget) -> tuple[str, ...]:
    if not isinstance(target.call, HttpCall):
        return ()
    return tuple(value.env for value in target.call.headers.values() if isinstance(value, SecretHeader))
