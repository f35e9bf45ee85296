"""A bank as the traffic is compared with it: what its cases ask, by their variables and as messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from llmctl.project.models import Case, Prompt
from llmctl.project.templates import TemplateError, render_messages
from llmctl.traffic.mining.looking import BankView, question_of
from llmctl.traffic.to_bank.shingles import case_text

__all__ = ["bank_view"]


def bank_view(
    cases: Iterable[Case], defaults: Mapping[str, object], prompts: Sequence[Prompt], project: Iterable[str]
) -> BankView:
    """The view of a bank.

    Args:
        cases: its cases.
        defaults: the variables that it gives to all of them.
        prompts: its prompts.
        project: the names of all prompts of the project.
    """
    listed = list(cases)
    own = frozenset(prompt.name for prompt in prompts)
    return BankView(
        prompts=own,
        other_prompts=frozenset(project) - own if own else frozenset(),
        defaults=defaults,
        variables=[case_text(case.vars, defaults) for case in listed],
        messages=[text for case in listed for text in _message(case, prompts)],
    )


def _message(case: Case, prompts: Sequence[Prompt]) -> Iterator[str]:
    """What the first prompt that can be rendered asks."""
    for prompt in prompts:
        try:
            messages = render_messages(prompt, case.vars)
        except TemplateError:  # it attaches files, or lacks a variable: another may do
            continue
        if question := question_of(messages):
            yield question
            return
