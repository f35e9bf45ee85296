"""Finds the targets of a bank: each prompt version on each model, or on the user's own application."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from llmctl.errors import CredentialError, ModelError, Place, Problem, ProjectError, UsageError
from llmctl.project import templates
from llmctl.project.models import Bank, Config, ModelConfig, Prompt
from llmctl.project.shape_errors import nearest
from llmctl.providers import routes
from llmctl.providers.app import app_model, app_route
from llmctl.providers.budget import price_problem
from llmctl.providers.environment import missing_keys
from llmctl.providers.routes import Route
from llmctl.runs.judges import JudgeModel, price_problems
from llmctl.runs.reading import BankRun, PromptVersion
from llmctl.runs.spool import UnitSpool
from llmctl.runs.target import Target

__all__ = ["TargetFinder", "require_keys", "require_prices"]


class TargetFinder:
    """Resolves each target once; problems are gathered."""

    def __init__(self, config: Config, models: Sequence[str], problems: list[Problem]) -> None:
        """`models`: names from the command line, in place of the prompts' own."""
        self.config = config
        self.models = models
        self.problems = problems
        self.found: dict[tuple[str, str], Target] = {}
        self.missing: dict[str, ModelError] = {}
        """Models of this machine that are not there yet, by what is said of them."""

    def of(self, run: BankRun) -> Iterator[Target]:
        """The targets of a bank."""
        for version in run.prompts:
            if not self._renders(version.prompt):
                continue
            if version.prompt.target is not None:
                yield from self._once(version, app_model(version.prompt))
                continue
            for name in self._model_names(version, run.bank):
                model = self._model(name, version, run.bank)
                if model is not None:
                    yield from self._once(version, model)

    def _renders(self, prompt: Prompt) -> bool:
        problems = templates.template_problems(prompt)
        self.problems += (problem for problem in problems if problem not in self.problems)
        return not problems

    def _model_names(self, version: PromptVersion, bank: Bank) -> Sequence[str]:
        if self.models:
            return self.models
        if bank.models:
            return bank.models
        if version.prompt.model:
            return [version.prompt.model]
        self.problems.append(
            Problem(
                f"The prompt {version.prompt.name} names no model.",
                version.prompt.place,
                "Add `model:` to it, `models:` to the bank, or give -m.",
            )
        )
        return []

    def _model(self, name: str, version: PromptVersion, bank: Bank) -> ModelConfig | None:
        model = version.models.get(name)
        if model is not None:
            return model
        model = ModelConfig(name=name, model=name, place=self._asks(name, version, bank))
        if "/" not in name and (near := nearest(name, version.models)):
            self.problems.append(Problem(f"There is no model `{name}` in llmctl.toml.", model.place, near))
            return None
        return model

    def _asks(self, name: str, version: PromptVersion, bank: Bank) -> Place | None:
        """The file that names a model which `llmctl.toml` does not have; None: the command line does."""
        if name in self.models:
            return None
        return bank.place if name in bank.models else version.prompt.place

    def _once(self, version: PromptVersion, model: ModelConfig) -> Iterator[Target]:
        key = (version.prompt.label, model.name)
        if key not in self.found:
            target = self._resolved(version.prompt, model)
            if target is None:
                return
            self.found[key] = target
        yield self.found[key]

    def _resolved(self, prompt: Prompt, model: ModelConfig) -> Target | None:
        try:
            route = app_route(prompt, model, self.config) if prompt.target else routes.resolve(model)
        except ModelError as error:
            self.missing.setdefault(error.message, error)
        except ProjectError as error:
            self.problems += (problem for problem in error.problems if problem not in self.problems)
        except UsageError as error:
            self.problems.append(Problem(error.message, model.place, error.hint))
        else:
            return Target(prompt, model, route)
        return None


def require_keys(routes: Sequence[Route], environ: Mapping[str, str]) -> None:
    """Raise CredentialError for every key that the environment does not hold, with the file that asks for it."""
    missing = missing_keys(routes, environ)
    if missing:
        raise CredentialError(
            "\n".join(key.message for key in missing), hint="Set it in the environment, or give --env-file FILE."
        )


def require_prices(targets: Sequence[Target], units: UnitSpool, judges: Iterable[JudgeModel] = ()) -> None:
    """Raise UsageError for every model whose cost a budget could not keep, with the line to add to llmctl.toml."""
    said: dict[str, None] = {}
    for index, target in enumerate(targets):
        first = next(units.by_target(frozenset({index})), None)
        if first is not None and (problem := price_problem(target.route, units.reader().request(first))):
            said[problem] = None
    said |= dict.fromkeys(price_problems(judges))
    if said:
        raise UsageError("\n".join(said))
