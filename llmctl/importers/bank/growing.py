"""A bank that gets cases, one after the other or several at once: which ids are taken, what is asked already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from llmctl.errors import ProjectError, UsageError
from llmctl.evaluators.registry import names
from llmctl.importers.bank.adding import Addition, added_to, bank_defaults, new_bank_with
from llmctl.importers.bank.update import OpenedBank, opened_bank
from llmctl.importers.writer import write_files
from llmctl.project.loader import load_project, prompt_names, resolve_bank_name
from llmctl.project.models import Config
from llmctl.project.problem_list import has_errors
from llmctl.project.sources import WorkingTree
from llmctl.traffic.to_bank.new_case import NewCase
from llmctl.traffic.to_bank.shingles import NEAR, Shingles, case_text, nearest, shingles

__all__ = ["Alike", "GrowingBank", "bank_for", "growing_bank", "starting_bank"]


@dataclass(frozen=True, slots=True)
class Alike:
    """A case that asks the same, or nearly."""

    case_id: str
    likeness: float
    """1: the same but for case and white space."""


@dataclass(slots=True)
class GrowingBank:
    """A bank on its way."""

    config: Config
    name: str
    prompts: tuple[str, ...]
    opened: OpenedBank | None
    """None: there is no such bank yet."""
    defaults: Mapping[str, object] = field(default_factory=dict)
    """The variables of every case."""
    _asked: dict[str, Shingles] | None = None

    @property
    def taken(self) -> set[str]:
        """The ids of its cases."""
        return set(self.opened.cases) if self.opened else set()

    def asks(self, variables: Mapping[str, object]) -> Shingles:
        """What a case with these variables asks."""
        return shingles(case_text(variables, self.defaults))

    def alike(self, variables: Mapping[str, object]) -> Alike | None:
        """The case that asks the same, or nearly; None where none does."""
        if self._asked is None:
            cases = self.opened.cases if self.opened else {}
            self._asked = {name: self.asks(case.vars) for name, case in cases.items()}
        found = nearest(self.asks(variables), self._asked)
        return Alike(*found) if found and found[1] >= NEAR else None

    def addition(self, cases: Sequence[NewCase]) -> Addition:
        """The bank's file with these cases in it; nothing is written.

        Raises:
            UsageError: the bank would hold a mistake.
        """
        if self.opened is None:
            return new_bank_with(self.config, self.name, self.prompts, cases)
        return added_to(self.config, self.opened, cases)

    def write(self, addition: Addition) -> None:
        """Write the file, whole or not at all, and know the bank as it is then.

        Raises:
            UsageError: the bank was made by somebody else in the meantime.
            UnfinishedError: it cannot be written.
        """
        write_files([addition.file])
        self.opened = opened_bank(self.config, self.name)
        if self._asked is not None:
            self._asked |= {case.id: self.asks(case.vars) for case in addition.cases}


def growing_bank(config: Config, name: str) -> GrowingBank:
    """A bank of the project.

    Raises:
        ProjectError: it holds mistakes.
    """
    opened = opened_bank(config, name)
    return GrowingBank(config, name, opened.bank.prompts, opened, bank_defaults(config, opened))


def starting_bank(config: Config, name: str, prompts: Sequence[str]) -> GrowingBank:
    """A bank that is made with its first case.

    Raises:
        UsageError: there is no such prompt.
    """
    known = prompt_names(config, WorkingTree(config.root))
    unknown = next((one for one in prompts if one not in known), None)
    if unknown is not None:
        raise UsageError(f"There is no prompt `{unknown}`.", hint=f"There is {', '.join(known) or 'none'}.")
    return GrowingBank(config, name, tuple(prompts), None)


def bank_for(config: Config, given: str | None, prompt: str | None, bank: str | None = None) -> str:
    """The bank that is meant.

    It is the one that is given, else the source's own, else the only one of the prompt, else the only one.

    Raises:
        UsageError: there is none, or several.
        ProjectError: there is none without a mistake.
    """
    if given is not None:
        return resolve_bank_name(config, given)
    loaded = load_project(config, WorkingTree(config.root), names())
    banks = loaded.banks
    if bank in banks:
        return str(bank)
    fitting = [name for name, one in banks.items() if prompt in one.prompts] if prompt else []
    chosen = fitting or list(banks)
    if len(chosen) == 1:
        return chosen[0]
    if not chosen and has_errors(loaded.problems):
        raise ProjectError(loaded.problems)
    if not chosen:
        raise UsageError("There is no bank.", hint="--bank NAME --prompt P makes one.")
    raise UsageError(f"The banks {', '.join(chosen)} may be meant.", hint="Name one with --bank.")
