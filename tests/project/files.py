"""A small project on disk, for the tests of this room."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from llmctl.errors import Problem
from llmctl.project.loader import LoadedProject, load_config, load_project, read_bank, read_prompt
from llmctl.project.models import Bank, Case, Config, Prompt
from llmctl.project.problem_list import has_errors
from llmctl.project.sources import WorkingTree

EVALUATORS = frozenset({"exact", "contains", "one_of", "json_schema", "semantic"})
CONFIG = '[models.small]\nmodel = "fake/echo"\n'


@dataclass
class Files:
    """Writes files and loads them through the front door."""

    root: Path
    problems: list[Problem] = field(default_factory=list)

    def write(self, name: str, text: str | bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)

    @property
    def config(self) -> Config:
        if not (self.root / "llmctl.toml").exists():
            self.write("llmctl.toml", CONFIG)
        return load_config(self.root / "llmctl.toml", {})

    def prompt(self, text: str | bytes, name: str = "p") -> Prompt:
        """The prompt of a sound file."""
        prompt = self.try_prompt(text, name)
        assert prompt is not None, self.problems
        return prompt

    def try_prompt(self, text: str | bytes, name: str = "p") -> Prompt | None:
        self.write(f"prompts/{name}.yaml", text)
        self.problems.clear()
        return read_prompt(self.config, WorkingTree(self.root), name, self.problems)

    def bank(self, text: str | bytes, name: str = "b") -> Bank:
        """The bank of a sound file."""
        bank = self.try_bank(text, name)
        assert bank is not None, self.problems
        return bank

    def try_bank(self, text: str | bytes, name: str = "b") -> Bank | None:
        """The bank; None where anything is wrong with it or with its cases."""
        self.write(f"testbanks/{name}.yaml", text)
        self.problems.clear()
        bank = read_bank(self.config, WorkingTree(self.root), name, EVALUATORS, self.problems)
        for _ in bank.read_cases(self.problems) if bank else ():
            pass
        return None if has_errors(self.problems) else bank

    def cases(self, text: str | bytes, name: str = "b") -> tuple[Case, ...]:
        """The cases of a sound bank."""
        return tuple(self.bank(text, name).read_cases([]))

    def said(self) -> list[str]:
        """The problems as one line each."""
        return [f"{problem.place}: {problem.message}" for problem in self.problems]

    def load(self) -> LoadedProject:
        return load_project(self.config, WorkingTree(self.root), EVALUATORS)
