"""Whom a logged call is asked again: the candidates, and the model that answered it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from llmctl.canonical import written
from llmctl.errors import Problem, ProjectError, UsageError
from llmctl.project.models import Bank, Case, Config, ModelConfig
from llmctl.project.problem_list import has_errors
from llmctl.providers import routes
from llmctl.providers.routes import Route, TransportName
from llmctl.runs.reading import BankRun, ProjectReader, PromptVersion
from llmctl.runs.target import Target
from llmctl.runs.targets import TargetFinder
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.replay.logged_prompt import logged_prompt
from llmctl.traffic.replay.records import Mode
from llmctl.traffic.replay.request import ReplayRequest

__all__ = ["BANK", "LaneSet", "LaneTargets", "Lanes", "ObservedLanes", "UnknownModelError", "logged_target"]

BANK = "traffic"
"""The bank of logged calls; with a name behind it where what they are asked depends on their model."""
_NAME_CHARACTERS = 120
_AS_LOGGED = ModelConfig(name="as logged", model="as logged")
"""In a bank that holds calls of several models."""


class UnknownModelError(Exception):
    """The logged model of a call cannot be asked; its message says why."""


@dataclass(frozen=True, slots=True)
class LaneSet:
    """What some calls are asked: one bank, as each of its cases is asked all of it."""

    bank: str
    targets: tuple[Target, ...]
    """The candidates, and last, where it is asked again, the logged model with the logged request."""


class Lanes(Protocol):
    """Says what each call is asked."""

    @property
    def candidates(self) -> tuple[Target, ...]:
        """Those that are the same for all calls."""

    def of_call(self, call: LoggedCall) -> LaneSet:
        """The bank and the targets of a call.

        Raises:
            UnknownModelError: its model would have to be asked, and nobody knows where.
            ModelError: its model is one of this machine, and missing.
        """


@dataclass(slots=True)
class LaneTargets:
    """Finds the targets of each call; models are resolved once."""

    config: Config
    request: ReplayRequest
    candidates: tuple[Target, ...] = ()
    """Those that are the same for all calls."""
    _sets: dict[str, LaneSet] = field(default_factory=dict)
    _models: dict[tuple[str | None, str | None], ModelConfig | UnknownModelError] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Config, environ: Mapping[str, str], request: ReplayRequest) -> LaneTargets:
        """Find the candidates.

        Raises:
            ProjectError: a mistake in a prompt's file, or a model that is not known.
            UsageError: there is no such prompt.
            ModelError: a model of this machine is missing.
        """
        if request.mode is Mode.OUTPUT_ONLY or not (request.models or request.mode is Mode.TEMPLATE):
            return cls(config, request)
        with ProjectReader(config, environ) as reader:
            versions = _versions(reader, request)
            finder = TargetFinder(config, request.models, reader.problems)
            found = tuple({target.name: target for target in finder.of(BankRun(_no_bank(), versions))}.values())
            if has_errors(reader.problems):
                raise ProjectError(reader.problems)
        for missing in finder.missing.values():
            raise missing
        if request.mode is Mode.TEMPLATE and request.params:
            found = tuple(_with_params(target, request.params) for target in found)
        return cls(config, request, found)

    @property
    def by_logged_model(self) -> bool:
        """Whether what a call is asked depends on the model that answered it."""
        request = self.request
        return request.mode is Mode.OUTPUT_ONLY or request.rerun or (not self.candidates and bool(request.params))

    def of_call(self, call: LoggedCall) -> LaneSet:
        """The bank and the targets of a call.

        Raises:
            UnknownModelError: its model would have to be asked, and nobody knows where.
            ModelError: its model is one of this machine, and missing.
        """
        if not self.by_logged_model:
            return self._set(BANK, lambda: self.candidates)
        model = self._logged_model(call)
        bank = f"{BANK}/{model.name}"[:_NAME_CHARACTERS]
        if self.request.mode is Mode.OUTPUT_ONLY:
            return self._set(bank, lambda: (logged_target(model, call.provider),))
        return self._set(bank, lambda: self._targets(model))

    def _set(self, bank: str, targets: Callable[[], tuple[Target, ...]]) -> LaneSet:
        if bank not in self._sets:
            self._sets[bank] = LaneSet(bank, targets())
        return self._sets[bank]

    def _targets(self, model: ModelConfig) -> tuple[Target, ...]:
        """Candidates, and the logged model where it is asked again; the same target is asked once, and stands last."""
        route, request = routes.resolve(model), self.request
        over = (Target(logged_prompt(request.params), model, route),) if request.params else ()
        candidates = self.candidates or over
        if not request.rerun:
            return candidates
        again = Target(logged_prompt(), model, route)
        return (*(one for one in candidates if one.name != again.name), again)

    def _logged_model(self, call: LoggedCall) -> ModelConfig:
        key = (call.provider, call.model or call.served_model)
        if key not in self._models:
            self._models[key] = self._found(*key)
        found = self._models[key]
        if isinstance(found, UnknownModelError):
            raise found
        return found

    def _found(self, provider: str | None, name: str | None) -> ModelConfig | UnknownModelError:
        if name is None:
            return UnknownModelError("the log does not say which model answered")
        model = _as_logged(self.config, provider, name)
        if self.request.mode is Mode.OUTPUT_ONLY:
            return model
        try:
            routes.resolve(model)
        except UsageError as error:
            said = (
                "; ".join(one.message for one in error.problems) if isinstance(error, ProjectError) else error.message
            )
            return UnknownModelError(f"its model {name} cannot be asked: {said.rstrip('.')}")
        return model


@dataclass(frozen=True, slots=True)
class ObservedLanes:
    """The logged answers of the same calls, in the banks of a replay that asks them again."""

    replay: LaneTargets

    @property
    def candidates(self) -> tuple[Target, ...]:
        """Nobody is asked."""
        return ()

    def of_call(self, call: LoggedCall) -> LaneSet:
        """The bank of a call, and who answered it.

        Raises:
            UnknownModelError, ModelError: as the replay's own.
        """
        asked = self.replay.of_call(call)
        again = asked.targets[-1].model if self.replay.by_logged_model else _AS_LOGGED
        return LaneSet(asked.bank, (logged_target(again, call.provider),))


def logged_target(model: ModelConfig, provider: str | None) -> Target:
    """A target that nobody asks: its answers are those that were logged."""
    route = Route(model, provider or "", TransportName.LOGGED, model.model, model.model, "", identity="logged")
    return Target(logged_prompt(), model, route)


def _as_logged(config: Config, provider: str | None, name: str) -> ModelConfig:
    """The logged model as the project knows it, with no parameters of its own: the logged request has them all."""
    full = name if provider is None or name.startswith(f"{provider}/") else f"{provider}/{name}"
    entries = config.models
    entry = entries.get(name) or next((one for one in entries.values() if one.model in {full, name}), None)
    if entry is None:
        return ModelConfig(name=full, model=full)
    if not entry.params and not entry.drop:
        return entry
    return replace(entry, name=f"{entry.name} (as logged)", params={}, drop=())


def _versions(reader: ProjectReader, request: ReplayRequest) -> tuple[PromptVersion, ...]:
    if request.mode is Mode.VERBATIM:
        return (PromptVersion(logged_prompt(request.params), reader.config.models),)
    found = [reader.prompt(reader.resolve(reference)) for reference in request.prompts]
    return tuple(version for version in found if version is not None)


def _with_params(target: Target, params: Mapping[str, object]) -> Target:
    """A prompt's target with parameters over its own; an application has none."""
    if target.prompt.target is not None:
        raise UsageError(f"--param has no meaning for the application {target.prompt.label}.")
    words = ",".join(f"{name}={written(value)}" for name, value in sorted(params.items()))
    model = replace(
        target.model,
        name=f"{target.model.name}+{words}"[:_NAME_CHARACTERS],
        params={**target.model.params, **params},
        drop=tuple(name for name in target.model.drop if name not in params),
    )
    return Target(target.prompt, model, routes.resolve(model))


def _no_bank() -> Bank:
    def nothing(_problems: list[Problem]) -> Iterator[Case]:
        return iter(())

    return Bank(BANK, Path(), nothing)
