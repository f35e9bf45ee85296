"""The first events of a journal: who ran what, with which prompts, models and banks."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import metadata
from typing import Any

from llmctl import __version__
from llmctl.project.git import git_state
from llmctl.project.models import Bank, Config, Prompt
from llmctl.project.prompt_data import model_data, prompt_data
from llmctl.providers import requests
from llmctl.runs.ids import new_run_id
from llmctl.runs.records import BankEvent, PromptEvent, RunEvent, TargetEvent
from llmctl.runs.selection import Selection
from llmctl.runs.target import Target

__all__ = ["SCORES_LOGS", "RunOptions", "bank_event", "prompt_event", "run_head", "target_event"]

_VERSIONED = (
    "aiohttp",
    "httptools",
    "litellm",
    "xllamacpp",
    "sentence-transformers",
    "torch",
    "jsonschema",
    "google-re2",
    "regex",
)

_BESIDE = frozenset({"command", "label"})
SCORES_LOGS = "scores_logs"
"""Under which name a run's options say that it scores logged answers: it sends nothing, and cannot go on."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a plan is run."""

    command: str
    concurrency: int
    timeout_s: float
    label: str | None = None
    offline: bool = False
    cache: bool = True
    """Whether an answer that is stored already is used instead of sending the call."""
    cache_max_age: str = "7d"
    """For how long a stored answer counts where the model's name may mean another model tomorrow."""
    max_cost_usd: float | None = None
    max_failures: int | None = None
    """Stop after this many cases that failed or have no evidence."""
    seed: int | None = None
    """Of the random order in which a gate sends the cases; None: the plan's order."""
    fills: bool = False
    """The run only makes what a comparison lacks: `@last` passes over it."""

    def as_data(self) -> dict[str, object]:
        """For the journal; command and label stand beside it there."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name not in _BESIDE}

    @classmethod
    def from_data(cls, command: str, label: str | None, data: Mapping[str, Any]) -> RunOptions:
        """From the journal; what an older llmctl did not write has its default."""
        known = {field.name for field in fields(cls)} - _BESIDE
        return cls(command=command, label=label, **{name: value for name, value in data.items() if name in known})


def run_head(config: Config, selection: Selection, options: RunOptions) -> RunEvent:
    """The first event of a new run: its id, and where in git it is made."""
    state = git_state(config.root)
    started_at = time.time()
    return RunEvent(
        run_id=new_run_id(started_at),
        started_at=started_at,
        command=options.command,
        label=options.label,
        commit=state.commit if state else None,
        branch=state.branch if state else None,
        dirty=state.dirty if state else None,
        llmctl_version=__version__,
        python_version=platform.python_version(),
        versions=_versions(),
        options={
            **options.as_data(),
            "repeat": selection.repeat,
            "semantic": {"model": config.semantic.model, "threshold": config.semantic.threshold},
            "judge": {"model": config.judge.model},
        },
        pid=os.getpid(),
    )


def prompt_event(prompt: Prompt) -> PromptEvent:
    """A prompt version, with everything from which it can be made again."""
    return PromptEvent(prompt.name, prompt.label, prompt.digest, prompt.rev, prompt.commit, prompt_data(prompt))


def target_event(target: Target) -> TargetEvent:
    """A target, resolved."""
    price = target.route.price
    app = target.prompt.target is not None
    return TargetEvent(
        prompt=target.prompt.label,
        prompt_name=target.prompt.name,
        model=target.model.name,
        resolved_model=target.model.model,
        transport=target.route.transport,
        endpoint=target.route.url,
        params={} if app else dict(requests.build_request(target.prompt, target.model, ()).params),
        price_input=price.input_per_million if price else None,
        price_output=price.output_per_million if price else None,
        config=model_data(target.model),
    )


def bank_event(bank: Bank, targets: Sequence[Target]) -> BankEvent:
    """A bank, and what its cases are run on."""
    return BankEvent(bank.name, str(bank.path), bank.digest, tuple(target.name for target in targets))


def _versions() -> dict[str, str]:
    found = {}
    for name in _VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
