"""What a case is run on: a prompt on a model, or the user's own application."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from llmctl.evaluators.built import BuiltEvaluator
from llmctl.project.message_files import MessageFiles
from llmctl.project.models import Case, ModelConfig, Prompt
from llmctl.providers import requests
from llmctl.providers.recorded_request import recorded_tools
from llmctl.providers.records import ChatRequest
from llmctl.providers.routes import Route
from llmctl.runs.records import TargetName

__all__ = ["PlannedCase", "Target"]


@dataclass(frozen=True)
class Target:
    """One prompt x model, and the way to who answers."""

    prompt: Prompt
    model: ModelConfig
    route: Route

    @cached_property
    def name(self) -> TargetName:
        """What results and reports call it."""
        return TargetName(self.prompt.label, self.model.name)

    def tools(self, variables: Mapping[str, object]) -> tuple[Mapping[str, object], ...]:
        """The tools that it offers for a case, as they are sent; an application's own are not known."""
        return recorded_tools(variables) if self.prompt.recorded else self._frame.tools

    @cached_property
    def _frame(self) -> ChatRequest:
        return requests.frame_for(self.prompt, self.model)

    def request(self, variables: Mapping[str, object], files: MessageFiles) -> ChatRequest:
        """What this target asks for a case's variables.

        Raises:
            TemplateError: a template fails on the variables, or names a file that cannot be sent.
            ProjectError: prompt and model do not go together, whatever the case.
        """
        return requests.request_in(lambda: self._frame, self.prompt, variables, files, self.model.drop)


@dataclass(frozen=True, slots=True)
class PlannedCase:
    """A case with its evaluators, ready to score."""

    case: Case
    evaluators: tuple[BuiltEvaluator, ...]
    number: int = 0
    """Its position in the plan, from 0."""
