"""Reads the banks and prompts that a selection names, each prompt at its revision."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import TracebackType

from llmctl.errors import Problem, ProjectError, UsageError
from llmctl.evaluators import registry
from llmctl.project import loader
from llmctl.project.git import GitTree
from llmctl.project.models import Bank, Config, ModelConfig, Prompt
from llmctl.project.sources import Source, WorkingTree
from llmctl.runs.selection import PromptReference, Selection

__all__ = ["BankRun", "ProjectReader", "PromptVersion", "names_no_prompt"]


@dataclass(frozen=True, slots=True)
class PromptVersion:
    """A prompt and the models as `llmctl.toml` had them at the same revision."""

    prompt: Prompt
    models: Mapping[str, ModelConfig]


@dataclass(frozen=True, slots=True)
class BankRun:
    """A bank, and the prompt versions it is to be run with."""

    bank: Bank
    prompts: tuple[PromptVersion, ...]


def names_no_prompt(bank: Bank) -> Problem:
    """The problem of a bank that cannot be run by itself."""
    return Problem(f"The bank {bank.name} names no prompt.", bank.place, "Add `prompts: [NAME]`, or give -p.")


class ProjectReader:
    """Reads each file once; mistakes are gathered in `problems`, so that all are shown together."""

    def __init__(self, config: Config, environ: Mapping[str, str]) -> None:
        self.config = config
        self.environ = environ
        self.problems: list[Problem] = []
        self._tree = WorkingTree(config.root)
        self._revisions: dict[str, GitTree] = {}
        self._models: dict[str, Mapping[str, ModelConfig]] = {}
        self._prompts: dict[PromptReference, PromptVersion | None] = {}
        self._names: dict[str | None, frozenset[str]] = {}

    def __enter__(self) -> ProjectReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for tree in self._revisions.values():
            tree.close()

    def read(self, selection: Selection) -> list[BankRun]:
        """The banks of the selection with their prompts, in the order they were named.

        Raises:
            UsageError: a name is unknown, or nothing is selected.
        """
        wanted = [self.resolve(reference) for reference in selection.prompts]
        runs = list(self._runs(self._bank_names(selection.banks), wanted, named=bool(selection.banks)))
        if not runs and not self.problems:
            raise UsageError(self._nothing(wanted), hint="`llmctl validate` lists the banks and what they run.")
        return runs

    def resolve(self, reference: PromptReference) -> PromptReference:
        """The reference with the prompt's name in place of a path; it is looked for at its revision."""
        source = self._revision(reference.rev) if reference.rev else self._tree
        return PromptReference(loader.resolve_prompt_name(self.config, reference.name, source), reference.rev)

    def has(self, reference: PromptReference) -> bool:
        """Whether there is a prompt of that name, at its revision.

        Raises:
            UsageError: there is no such revision.
        """
        if reference.rev not in self._names:
            source = self._revision(reference.rev) if reference.rev else self._tree
            self._names[reference.rev] = frozenset(loader.prompt_names(self.config, source))
        return reference.name in self._names[reference.rev]

    def _runs(self, banks: Sequence[str], wanted: Sequence[PromptReference], *, named: bool) -> Iterator[BankRun]:
        for name in banks:
            bank = loader.read_bank(self.config, self._tree, name, registry.names(), self.problems)
            if bank is None:
                continue
            references = self._references(bank, wanted, named=named)
            versions = [self.prompt(reference) for reference in references]
            if references:
                yield BankRun(bank, tuple(version for version in versions if version))

    def _bank_names(self, named: Sequence[str]) -> list[str]:
        if named:
            return loader.resolve_bank_names(self.config, named)
        return loader.bank_names(self.config, self._tree)

    def _references(self, bank: Bank, wanted: Sequence[PromptReference], *, named: bool) -> Sequence[PromptReference]:
        if not wanted:
            if not bank.prompts:
                self.problems.append(names_no_prompt(bank))
            return [PromptReference(name) for name in bank.prompts]
        if named:
            return wanted
        return [reference for reference in wanted if reference.name in bank.prompts]

    def _nothing(self, wanted: Sequence[PromptReference]) -> str:
        if wanted:
            names = ", ".join(reference.name for reference in wanted)
            return f"No bank names the prompt {names}."
        return f"There is no test bank below {self.config.testbanks}."

    def prompt(self, reference: PromptReference) -> PromptVersion | None:
        """One prompt version, read once; None where its file has mistakes (they are in `problems`)."""
        if reference not in self._prompts:
            self._prompts[reference] = self._read_prompt(reference)
        return self._prompts[reference]

    def _read_prompt(self, reference: PromptReference) -> PromptVersion | None:
        if reference.rev is None:
            prompt = loader.read_prompt(self.config, self._tree, reference.name, self.problems)
            return PromptVersion(prompt, self.config.models) if prompt else None
        tree = self._revision(reference.rev)
        prompt = loader.read_prompt(self.config, tree, reference.name, self.problems)
        if prompt is None:
            return None
        prompt = dataclasses.replace(prompt, rev=reference.rev, commit=tree.commit)
        return PromptVersion(prompt, self._models_at(tree))

    def _revision(self, rev: str) -> GitTree:
        if rev not in self._revisions:
            self._revisions[rev] = GitTree(self.config.root, rev)
        return self._revisions[rev]

    def _models_at(self, tree: GitTree) -> Mapping[str, ModelConfig]:
        """Today's models, with `model`, `params` and `options` as they were at the revision."""
        if tree.rev not in self._models:
            self._models[tree.rev] = {**self.config.models, **self._old_models(tree)}
        return self._models[tree.rev]

    def _old_models(self, tree: Source) -> dict[str, ModelConfig]:
        try:
            old = loader.read_config(tree, PurePosixPath(self.config.path.name), self.environ)
        except ProjectError:
            # The revision is older than the file, or than today's format: today's models hold.
            return {}
        return {name: self._at_revision(model) for name, model in old.models.items()}

    def _at_revision(self, old: ModelConfig) -> ModelConfig:
        today = self.config.models.get(old.name)
        if today is None:
            return old
        return dataclasses.replace(today, model=old.model, params=old.params, options=old.options, drop=old.drop)
