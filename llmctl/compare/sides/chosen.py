"""What sides of files are planned of: banks as they lie here, prompts at each side's revision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from llmctl.compare.sides.context import SideContext
from llmctl.compare.sides.references import SideReference
from llmctl.compare.sides.run_side import RunScope
from llmctl.errors import UsageError
from llmctl.evaluators import registry
from llmctl.project import loader
from llmctl.project.models import Bank
from llmctl.project.sources import WorkingTree
from llmctl.runs.reading import BankRun, ProjectReader, names_no_prompt
from llmctl.runs.records import UnitName
from llmctl.runs.selection import PromptReference, Selection

__all__ = ["Chosen"]


@dataclass(slots=True)
class Chosen:
    """Crosses the sides of files with the banks; `labels` is complete when `read` has ended."""

    context: SideContext
    references: Sequence[SideReference]
    """Sides of files only."""
    scope: RunScope | None = None
    """The run that they are compared with: only its banks, cases, prompts and models are planned."""
    labels: list[dict[str, None]] = field(default_factory=list)
    """The prompt labels of each side, in order."""
    _prompts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        selection = self.context.selection
        if any(reference.rev for reference in selection.prompts):
            raise UsageError(
                "A prompt is chosen without a revision here: the revision is that of a side.",
                hint="Write PROMPT@REVISION as a side: `llmctl diff triage@main triage`.",
            )
        self.labels = [{} for _ in self.references]

    def selection(self) -> Selection:
        """What the plan is crossed by, prompts and banks apart."""
        chosen = replace(self.context.selection, banks=(), prompts=())
        if self.scope is None:
            return chosen
        models = chosen.models or self.scope.models_of(self.context.config)
        return replace(chosen, models=models, only=self._only(chosen.repeat))

    def read(self, reader: ProjectReader) -> Iterator[BankRun]:
        """The banks with the prompt versions of all sides.

        A prompt that was not there at a side's revision is in none of that side's cells.

        Raises:
            UsageError: a name is unknown, or nothing is selected.
        """
        self._prompts = tuple(reader.resolve(reference).name for reference in self.context.selection.prompts)
        found = False
        for name in self._bank_names():
            bank = loader.read_bank(
                reader.config, WorkingTree(reader.config.root), name, registry.names(), reader.problems
            )
            wanted = self._wanted(bank, reader) if bank else ()
            if bank and wanted:
                found = True
                versions = [reader.prompt(version) for version in self._versions(bank, wanted, reader)]
                yield BankRun(bank, tuple(version for version in versions if version))
        if not found and not reader.problems:
            raise UsageError(self._nothing(), hint="`llmctl validate` lists the banks and what they run.")

    def _bank_names(self) -> list[str]:
        config, named = self.context.config, self.context.selection.banks
        if named:
            return loader.resolve_bank_names(config, named)
        names = loader.bank_names(config, WorkingTree(config.root))
        return [name for name in names if self.scope is None or name in self.scope.banks]

    def _wanted(self, bank: Bank, reader: ProjectReader) -> Sequence[str]:
        """The names of a bank's prompts that are to be compared; none where it has nothing to do with them."""
        asked = {one.prompt: None for one in self.references if one.prompt}
        chosen = tuple(asked) or self._prompts or (self.scope.prompts_of(bank.name) if self.scope else ())
        if chosen:
            return chosen if self._takes(bank, chosen) else ()
        if not bank.prompts:
            reader.problems.append(names_no_prompt(bank))
        return bank.prompts

    def _versions(self, bank: Bank, wanted: Sequence[str], reader: ProjectReader) -> Iterable[PromptReference]:
        """The prompts of every side that are there at its revision, each once."""
        versions: dict[PromptReference, None] = {}
        for reference, labels in zip(self.references, self.labels, strict=True):
            for name in (reference.prompt,) if reference.prompt else wanted:
                version = PromptReference(name, reference.rev)
                # A prompt that the bank names and that is not here is a mistake in the bank, said where it is read.
                if reader.has(version) or (reference.rev is None and name in bank.prompts):
                    versions[version] = None
                    labels[f"{name}@{reference.rev}" if reference.rev else name] = None
        return versions

    def _takes(self, bank: Bank, wanted: Sequence[str]) -> bool:
        """Whether a bank has to do with one of the prompts: it was named, was run with them, or names one."""
        return (
            bool(self.context.selection.banks) or self.scope is not None or any(name in bank.prompts for name in wanted)
        )

    def _only(self, repeat: int) -> frozenset[UnitName]:
        """The results of the run, under the labels that each side's prompts have."""
        scope = self.scope
        return frozenset(
            UnitName(one.bank, one.case_id, f"{name}@{side.rev}" if side.rev else name, one.model, draw)
            for one in (scope.results if scope else ())
            for side in self.references
            for name in (side.prompt or one.prompt,)
            if scope and (name == one.prompt or name not in scope.prompts)
            for draw in range(1, repeat + 1)
        )

    def _nothing(self) -> str:
        names = [*dict.fromkeys(one.prompt for one in self.references if one.prompt), *self._prompts]
        if names:
            return f"No bank names the prompt {', '.join(names)}."
        return f"There is no test bank below {self.context.config.testbanks} that could be compared."
