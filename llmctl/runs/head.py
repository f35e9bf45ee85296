"""The first events of a journal: who ran what, with which prompts, models and cases."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata

from llmctl import __version__
from llmctl.canonical import digest
from llmctl.evaluators.keys import configuration
from llmctl.project.git import git_state
from llmctl.project.models import Message, Prompt
from llmctl.providers import requests
from llmctl.runs.ids import new_run_id
from llmctl.runs.plan import Plan, PlannedCase, Target
from llmctl.runs.records import BankEvent, CaseEvent, Event, PromptEvent, RunEvent, TargetEvent

__all__ = ["RunOptions", "case_event", "head_events", "run_head"]

_VERSIONED = ("aiohttp", "litellm", "xllamacpp", "sentence-transformers", "torch", "jsonschema", "google-re2", "regex")


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


def run_head(plan: Plan, options: RunOptions) -> RunEvent:
    """The first event of a new run: its id, and where in git it is made."""
    state = git_state(plan.config.root)
    started_at = time.time()
    return RunEvent(
        run_id=new_run_id(started_at),
        started_at=started_at,
        command=options.command,
        planned=len(plan.units),
        label=options.label,
        commit=state.commit if state else None,
        branch=state.branch if state else None,
        dirty=state.dirty if state else None,
        llmctl_version=__version__,
        python_version=platform.python_version(),
        versions=_versions(),
        options={
            "concurrency": options.concurrency,
            "timeout_s": options.timeout_s,
            "offline": options.offline,
            "cache": options.cache,
        },
        pid=os.getpid(),
    )


def head_events(plan: Plan, run: RunEvent) -> Iterator[Event]:
    """Everything that is known before the first call, `run` first."""
    yield run
    for prompt in {target.prompt.label: target.prompt for target in plan.targets}.values():
        yield PromptEvent(prompt.name, prompt.label, prompt.digest, prompt.rev, prompt.commit, _source(prompt))
    for target in plan.targets:
        yield _target_event(target)
    for bank in plan.banks:
        yield BankEvent(bank.name, str(bank.path), bank.digest)
    yield from map(case_event, plan.cases)


def _versions() -> dict[str, str]:
    found = {}
    for name in _VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _source(prompt: Prompt) -> Mapping[str, object]:
    messages = [
        {"role": message.role, "content": message.content}
        if isinstance(message, Message)
        else {"placeholder": message.name}
        for message in prompt.messages
    ]
    return {
        "model": prompt.model,
        "params": dict(prompt.params),
        "messages": messages,
        "output": {"format": prompt.output.value, "schema": prompt.schema},
        "tools": list(prompt.tools),
        "tool_choice": prompt.tool_choice,
    }


def _target_event(target: Target) -> TargetEvent:
    price = target.route.price
    return TargetEvent(
        prompt=target.prompt.label,
        prompt_name=target.prompt.name,
        model=target.model.name,
        resolved_model=target.model.model,
        transport=target.route.transport,
        endpoint=target.route.url,
        params=dict(requests.build_request(target.prompt, target.model, ()).params),
        price_input=price.input_per_million if price else None,
        price_output=price.output_per_million if price else None,
    )


def case_event(planned: PlannedCase) -> CaseEvent:
    """A planned case with all that its evaluators read."""
    case = planned.case
    evaluators = tuple(configuration(built.spec) for built in planned.evaluators)
    return CaseEvent(
        bank=case.bank,
        case_id=case.id,
        vars=case.vars,
        expected=case.expected,
        has_expected=case.has_expected,
        tags=case.tags,
        group=case.group,
        must_pass=case.must_pass,
        weight=case.weight,
        pass_score=case.pass_score,
        evaluators=evaluators,
        digest=digest(case.vars, case.expected, evaluators, case.pass_score),
    )
