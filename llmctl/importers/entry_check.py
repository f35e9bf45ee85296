"""Tries an evaluator entry before it is written: whether the bank that holds it would be accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from llmctl.canonical import to_json
from llmctl.errors import Problem, ProjectError
from llmctl.evaluators.registry import build, names
from llmctl.project.evaluator_entry import EvaluatorEntries
from llmctl.project.models import EvaluatorSettings
from llmctl.project.references import Companions
from llmctl.project.sources import WorkingTree
from llmctl.project.syntax.document import Document

__all__ = ["EntryCheck"]

_FILE = Path("bank.yaml")


@dataclass(slots=True)
class EntryCheck:
    """Builds each entry once."""

    settings: EvaluatorSettings = field(default_factory=EvaluatorSettings)
    _known: dict[bytes, Problem | None] = field(default_factory=dict)
    _tree: WorkingTree = field(init=False)

    def __post_init__(self) -> None:
        self._tree = WorkingTree(self.settings.root)

    def problem(self, entry: Mapping[str, object]) -> Problem | None:
        """The first mistake in an entry; None where it is sound. What only a case can show is not looked at."""
        key = to_json(entry)
        if key not in self._known:
            self._known[key] = self._first_problem(entry)
        return self._known[key]

    def _first_problem(self, entry: Mapping[str, object]) -> Problem | None:
        # As data: that YAML reads back to the data that it was written from is the writer's promise.
        document = Document(_FILE, "", [entry])
        problems: list[Problem] = []
        companions = Companions(self._tree, PurePosixPath(_FILE), document, problems)
        entries = EvaluatorEntries(document, companions, names(), problems)
        try:
            for spec in entries.read([entry], ()):
                build(spec, None, self.settings)
        except ProjectError as error:
            problems += error.problems
        return problems[0] if problems else None
