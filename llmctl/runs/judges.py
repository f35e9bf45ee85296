"""The judges of a plan: which models evaluators ask, found and checked before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from llmctl.canonical import digest
from llmctl.errors import ModelError, Problem, ProjectError, UsageError
from llmctl.evaluators.base import Question
from llmctl.evaluators.built import BuiltEvaluator
from llmctl.evaluators.judge.prompt import TEMPLATE
from llmctl.evaluators.references import has_references
from llmctl.evaluators.specification import specification
from llmctl.project.models import Config, ModelConfig, OutputFormat, Prompt
from llmctl.project.prompt_data import model_data, model_from_data
from llmctl.project.shape_errors import nearest
from llmctl.providers import prices, routes
from llmctl.providers.budget import price_problem
from llmctl.providers.records import ChatRequest
from llmctl.providers.requests import build_request
from llmctl.providers.routes import Route, TransportName
from llmctl.runs.records import JudgeEvent

__all__ = ["JudgeFinder", "JudgeModel", "judge_models", "price_problems"]

_REASON_CHARACTERS = 400
"""Of a reason of the local model, which would go on until its tokens are used up."""


@dataclass(frozen=True)
class JudgeModel:
    """A model that evaluators ask, and the way to it."""

    model: ModelConfig
    route: Route

    @cached_property
    def identity(self) -> str:
        """Digest of who answers: what of it can change an answer."""
        route, model = self.route, self.model
        return digest(
            route.provider, route.wire_model, route.identity, route.url, model.params, model.drop, model.options
        )

    @cached_property
    def _constrained(self) -> bool:
        """Whether it is held to the schema of the answer; else it is only asked to keep to it, in words."""
        if "response_format" in self.model.drop:
            return False
        if self.route.transport in {TransportName.LOCAL, TransportName.FAKE}:
            return True
        known = prices.entry(self.route.provider, self.route.wire_model)
        # What the table does not know is most often one's own server, and those take schemas.
        return known is None or bool(known.get("supports_response_schema"))

    def request(self, question: Question) -> ChatRequest:
        """What is sent for a question.

        Raises:
            ProjectError: a parameter of the model that cannot be one.
        """
        schema = self._schema(question.schema) if self._constrained else None
        prompt = Prompt(
            "judge",
            Path("judge"),
            (),
            params=question.params,
            output=OutputFormat.JSON if schema else OutputFormat.TEXT,
            schema=schema,
            place=self.model.place,
        )
        return build_request(prompt, self.model, question.messages)

    def _schema(self, schema: Mapping[str, object]) -> Mapping[str, object]:
        properties = schema.get("properties")
        if self.route.transport is not TransportName.LOCAL or not isinstance(properties, Mapping):
            return schema
        bounded = {"reason": {"type": "string", "maxLength": _REASON_CHARACTERS}}
        return {**schema, "properties": {**properties, **bounded}}


@dataclass
class JudgeFinder:
    """Resolves each model that evaluators ask once; problems are gathered."""

    config: Config
    problems: list[Problem]
    found: dict[str, JudgeModel] = field(default_factory=dict)
    missing: dict[str, ModelError] = field(default_factory=dict)
    """Models of this machine that are not there yet, by what is said of them."""
    events: dict[tuple[str, str, str], JudgeEvent] = field(default_factory=dict)
    """Each judge of each bank, by bank, metric and key."""
    _seen: set[tuple[str, str, str]] = field(default_factory=set)
    _broken: set[str] = field(default_factory=set)

    def add(self, built: BuiltEvaluator, bank: str) -> None:
        """Note the judges in an evaluator of a bank."""
        for leaf in built.leaves:
            seen = (bank, leaf.metric, leaf.key)
            if leaf.asks and seen not in self._seen:
                self._seen.add(seen)
                self._add(leaf, bank)

    def _add(self, leaf: BuiltEvaluator, bank: str) -> None:
        for name in leaf.asks:
            model = self._model(name, leaf)
            if model is not None:
                event = judge_event(leaf, bank, model)
                self.events.setdefault((bank, event.metric, event.key), event)

    def _model(self, name: str, leaf: BuiltEvaluator) -> JudgeModel | None:
        if name not in self.found and name not in self._broken:
            model = self._resolved(name, leaf)
            if model is None:
                self._broken.add(name)
            else:
                self.found[name] = model
        return self.found.get(name)

    def _resolved(self, name: str, leaf: BuiltEvaluator) -> JudgeModel | None:
        place = leaf.spec.arg_places.get(("model",)) or self.config.judge.place or leaf.spec.place
        model = self.config.models.get(name) or ModelConfig(name, name, place=place)
        if model.place is place and "/" not in name and (near := nearest(name, self.config.models)):
            self.problems.append(Problem(f"There is no model `{name}` in llmctl.toml.", place, near))
            return None
        try:
            return JudgeModel(model, routes.resolve(model))
        except ModelError as error:
            self.missing.setdefault(error.message, error)
        except ProjectError as error:
            self.problems += (problem for problem in error.problems if problem not in self.problems)
        except UsageError as error:
            self.problems.append(Problem(error.message, place, error.hint))
        return None


def judge_event(leaf: BuiltEvaluator, bank: str, model: JudgeModel) -> JudgeEvent:
    """What is kept of a judge; one that takes something from each case is named by its definition."""
    arguments = leaf.key
    if has_references(leaf.spec):
        written = specification(leaf.spec)
        arguments = digest(*(written.get(name) for name in ("name", "args", "extract", "against")))
    return JudgeEvent(
        bank=bank,
        metric=leaf.metric,
        model=model.model.name,
        resolved_model=model.model.model,
        identity=model.identity,
        arguments=arguments,
        template=TEMPLATE,
        key=digest(model.identity, arguments, TEMPLATE),
        config=model_data(model.model),
    )


def judge_models(events: Iterable[JudgeEvent]) -> dict[str, JudgeModel]:
    """The models of a run's judges as they were when it was planned, by name.

    Raises:
        ModelError: a model of this machine is missing.
    """
    found: dict[str, JudgeModel] = {}
    for event in events:
        if event.model not in found:
            model = model_from_data(event.config)
            found[event.model] = JudgeModel(model, routes.resolve(model))
    return found


def price_problems(judges: Iterable[JudgeModel]) -> list[str]:
    """A sentence for every judge's model whose cost a budget could not keep."""
    from llmctl.evaluators.judge.judge import MAX_TOKENS

    sample = Question("", ({"role": "user", "content": "x"},), {}, {"max_tokens": MAX_TOKENS})
    said = (price_problem(judge.route, judge.request(replace(sample, model=judge.model.name))) for judge in judges)
    return [problem for problem in said if problem]
