"""What the importers' tests share: a config imported into a project of its own, and its cases judged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from llmctl.errors import Problem
from llmctl.evaluators.registry import build, names
from llmctl.evaluators.verdict import Subject, Verdict, judge_now
from llmctl.importers.conversion import Fate, Note, Notes
from llmctl.importers.drafts import ProjectDraft
from llmctl.importers.promptfoo.project import import_promptfoo
from llmctl.importers.writer import Destination, planned_files, write_files
from llmctl.project.loader import load_config
from llmctl.project.models import Bank, Case, Config
from llmctl.runs.check import check_project

__all__ = ["Imported", "imported", "imported_config", "judged"]


@dataclass(frozen=True)
class Imported:
    """A finished import."""

    root: Path
    draft: ProjectDraft
    notes: tuple[Note, ...]

    @property
    def config(self) -> Config:
        """The config of the new project."""
        return load_config(self.root / "llmctl.toml", {})

    def said(self, fate: Fate) -> dict[str, str]:
        """What became of parts, by part."""
        return {note.what: note.how for note in self.notes if note.fate is fate}

    def cases(self) -> list[Case]:
        """All cases of the new project, as llmctl reads them."""
        from llmctl.project.loader import load_project
        from llmctl.project.sources import WorkingTree

        project = load_project(self.config, WorkingTree(self.root), names())
        problems: list[Problem] = list(project.problems)
        cases = [case for bank in project.banks.values() for case in _read(bank, problems)]
        assert not [problem for problem in problems if problem.severity.value == "error"], problems
        return cases

    def problems(self) -> list[str]:
        """What `llmctl validate` has to say."""
        checked = check_project(self.root / "llmctl.toml", {})
        return [f"{problem.place}: {problem.message}" for problem in checked.errors]


def _read(bank: Bank, problems: list[Problem]) -> list[Case]:
    return list(bank.read_cases(problems))


def imported(config: Path, root: Path) -> Imported:
    """A config imported into a new project."""
    notes = Notes()
    draft = import_promptfoo(config, notes)
    write_files(planned_files(draft, Destination(root)))
    return Imported(root, draft, notes.list())


def imported_config(data: object, tmp_path: Path) -> Imported:
    """The same with a config that is given as data."""
    folder = tmp_path / "source"
    folder.mkdir(exist_ok=True)
    path = folder / "promptfooconfig.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return imported(path, tmp_path / "project")


def judged(one: Imported, case: Case, output: str, **call: object) -> Verdict:
    """What a case says to an output."""
    settings = one.config.evaluator_settings
    built = [build(spec, case, settings) for spec in case.evaluators]
    known: Mapping[str, object] = call
    subject = Subject(
        output,
        expected=case.expected,
        has_expected=case.has_expected,
        vars=case.vars,
        pass_score=case.pass_score,
        **known,  # type: ignore[arg-type]
    )
    verdict = judge_now(built, subject)
    assert isinstance(verdict, Verdict)
    return verdict
