"""Checks of what a run needs beside the store: keys by name, weights on this machine, versions of packages."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata

from llmctl import __version__
from llmctl.errors import LlmctlError, ProjectError
from llmctl.project.models import Config, ModelConfig
from llmctl.providers import routes
from llmctl.providers.embeddings_weights import locate
from llmctl.providers.environment import missing_keys
from llmctl.providers.routes import Route, TransportName
from llmctl.runs.checkup import Check, Remark, State

__all__ = ["check_models", "check_packages"]

_PACKAGES = ("duckdb", "aiohttp", "httptools", "litellm")
_EXTRAS = {"xllamacpp": "local", "sentence-transformers": "semantic", "torch": "semantic"}
"""Packages that not everybody needs, and the extra that brings each."""


def check_models(config: Config, environ: Mapping[str, str]) -> Check:
    """Whether each model of the project has its key or its weights; keys are told by name only."""
    remarks: list[Remark] = []
    facts = []
    for model in config.models.values():
        remark, fact = _model(model, environ)
        facts.append(fact)
        remarks += [remark] if remark is not None else []
    ready = sum(bool(fact["ready"]) for fact in facts)
    embedding = _embedding(config)
    return Check(
        "models",
        f"{ready} of {len(facts)} ready" if facts else "none in llmctl.toml",
        (*remarks, *([embedding] if embedding is not None else [])),
        {"models": facts, "embedding": {"model": config.semantic.model, "ready": embedding is None}},
    )


def _model(model: ModelConfig, environ: Mapping[str, str]) -> tuple[Remark | None, dict[str, object]]:
    """What is missing, and the facts."""
    try:
        route = routes.resolve(model)
    except LlmctlError as error:
        remark = Remark(State.NOTE, f"{model.name}: {_sentence(error)}", error.hint)
        return remark, {"name": model.name, "model": model.model, "ready": False, "keys": {}}
    missing = missing_keys([route], environ)
    fact = {"name": model.name, "model": model.model, "ready": not missing, "keys": _keys(route, environ)}
    if missing:
        return Remark(State.NOTE, missing[0].message, "Set it in the environment, or give --env-file FILE."), fact
    said = _ready(route, environ)
    return (Remark(State.OK, f"{model.name}: {said}") if said else None), fact


def _keys(route: Route, environ: Mapping[str, str]) -> dict[str, bool]:
    """Names of variables that may hold the key, and whether each is set."""
    return {name: bool(environ.get(name, "").strip()) for name in route.key_envs}


def _ready(route: Route, environ: Mapping[str, str]) -> str:
    if route.transport is TransportName.LOCAL:
        return f"weights are in {route.weights}."
    found = [name for name, is_set in _keys(route, environ).items() if is_set]
    if found:
        return f"{found[0]} is set."
    return "litellm looks for its key when it is asked." if route.transport is TransportName.LITELLM else ""


def _sentence(error: LlmctlError) -> str:
    return error.problems[0].message if isinstance(error, ProjectError) and error.problems else error.message


def _embedding(config: Config) -> Remark | None:
    try:
        locate(config.semantic.model, offline=True)
    except LlmctlError as error:
        return Remark(State.NOTE, f"{error.message} Only `semantic` needs it.", error.hint)
    return None


def check_packages() -> Check:
    """The versions of all that can change an answer, a score or the store's file."""
    versions: dict[str, str | None] = {"llmctl": __version__, "python": platform.python_version()}
    remarks = []
    for name in (*_PACKAGES, *_EXTRAS):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
            extra = f"the extra `{_EXTRAS[name]}` brings it" if name in _EXTRAS else "llmctl needs it"
            remarks.append(Remark(State.NOTE, f"{name} is not installed: {extra}."))
    told = ", ".join(f"{name} {version}" for name, version in versions.items() if version is not None)
    summary = f"llmctl {versions['llmctl']}, Python {versions['python']}"
    return Check("packages", summary, (Remark(State.OK, told), *remarks), {"versions": versions})
