"""The project's files as models: one file at a time, or all of them with everything that is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from llmctl.errors import Place, Problem, ProjectError, Severity, UsageError
from llmctl.project.bank_file import bank_of
from llmctl.project.collector import collector_paused
from llmctl.project.config_file import config_of
from llmctl.project.evaluator_entry import EvaluatorEntries, EvaluatorNames
from llmctl.project.models import Bank, Config, Prompt
from llmctl.project.names import (
    bank_files,
    bank_names,
    file_of,
    folder_of,
    hidden_twins,
    prompt_files,
    prompt_names,
    resolve_bank_name,
    resolve_bank_names,
    resolve_prompt_name,
)
from llmctl.project.problem_list import MAX_FILE_PROBLEMS, ProblemList
from llmctl.project.prompt_file import prompt_of
from llmctl.project.references import Companions, read_file
from llmctl.project.shape_errors import nearest, quoted_list
from llmctl.project.sources import Source
from llmctl.project.syntax.document import Document
from llmctl.project.syntax.toml_reader import read_toml
from llmctl.project.syntax.yaml_reader import read_yaml

__all__ = [
    "CONFIG_NAME",
    "EvaluatorNames",
    "LoadedProject",
    "bank_names",
    "find_config",
    "load_config",
    "load_project",
    "prompt_names",
    "read_bank",
    "read_config",
    "read_prompt",
    "resolve_bank_name",
    "resolve_bank_names",
    "resolve_prompt_name",
]

CONFIG_NAME = "llmctl.toml"


@dataclass(frozen=True, slots=True)
class LoadedProject:
    """Every prompt and bank that is sound, and the problems of all the others.

    What is wrong with the tables of a bank is found when its cases are read.
    """

    prompts: Mapping[str, Prompt]
    banks: Mapping[str, Bank]
    problems: list[Problem] = field(default_factory=list)
    """Sorted by file and line."""


def find_config(start: Path) -> Path:
    """The nearest `llmctl.toml`, searched from `start` upward.

    Raises:
        UsageError: there is none.
    """
    folder = start.resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / CONFIG_NAME).is_file():
            return candidate / CONFIG_NAME
    hint = "Run `llmctl init` to write a project, or name its directory with -C."
    raise UsageError(f"There is no {CONFIG_NAME} in {folder} or above.", hint=hint)


def load_config(path: Path, environ: Mapping[str, str]) -> Config:
    """The config that lies at `path`.

    Raises:
        ProjectError: it cannot be read, or holds mistakes: all of them at once.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ProjectError([Problem(f"The file cannot be read: {error.strerror}.", Place(path))]) from None
    return _config(data, path, environ)


def read_config(source: Source, path: PurePosixPath, environ: Mapping[str, str]) -> Config:
    """The config as a source holds it (at a git revision).

    Raises:
        ProjectError: it is missing there, or holds mistakes.
    """
    return _config(source.read(path), source.root / path, environ)


def _config(data: bytes, path: Path, environ: Mapping[str, str]) -> Config:
    problems: list[Problem] = []
    config = config_of(read_toml(data, Path(path.name)), path, environ, problems)
    if config is None:
        raise ProjectError(sorted(problems, key=_order))
    return config


def read_prompt(config: Config, source: Source, name: str, problems: list[Problem]) -> Prompt | None:
    """The prompt `name`, or None with its mistakes added to `problems`."""
    path = file_of(source, folder_of(config, config.prompts), name)
    return _read_prompt(config, source, name, path, problems)


def read_bank(
    config: Config, source: Source, name: str, evaluator_names: EvaluatorNames, problems: list[Problem]
) -> Bank | None:
    """The bank `name`, or None with its mistakes added to `problems`; a sound bank may come with warnings.

    What is wrong with the tables of a bank is found when its cases are read.
    """
    path = file_of(source, folder_of(config, config.testbanks), name)
    reader = _BankReader(config, source, evaluator_names, frozenset(prompt_names(config, source)))
    return reader.read(name, path, problems)


def load_project(config: Config, source: Source, evaluator_names: EvaluatorNames) -> LoadedProject:
    """All prompts and banks, with every problem of every file."""
    problems: list[Problem] = []
    for folder in (config.prompts, config.testbanks):
        for path in hidden_twins(source, folder_of(config, folder)):
            message = f"This file has the same name as {path.with_suffix('.yaml').name}, and only that one is read."
            problems.append(Problem(message, Place(Path(path)), "Rename or delete one of the two."))
    files = prompt_files(config, source)
    prompts = {name: _read_prompt(config, source, name, path, problems) for name, path in files.items()}
    reader = _BankReader(config, source, evaluator_names, frozenset(files))
    banks = {name: reader.read(name, path, problems) for name, path in bank_files(config, source).items()}
    return LoadedProject(
        {name: prompt for name, prompt in prompts.items() if prompt},
        {name: bank for name, bank in banks.items() if bank},
        sorted(problems, key=_order),
    )


def _read_prompt(
    config: Config, source: Source, name: str, path: PurePosixPath, problems: list[Problem]
) -> Prompt | None:
    found: list[Problem] = []
    raw = read_file(source, path, found)
    prompt = None
    if raw is not None:
        document = read_yaml(raw, Path(path))
        prompt = prompt_of(document, name, Companions(source, path, document, found), found)
        if prompt and prompt.model:
            found.extend(_misspelt_model(prompt.model, config, document))
    problems.extend(_shortened(found))
    return prompt


@dataclass(frozen=True, slots=True)
class _BankReader:
    """Reads banks of one project."""

    config: Config
    source: Source
    evaluators: EvaluatorNames
    prompts: frozenset[str]

    def read(self, name: str, path: PurePosixPath, problems: list[Problem]) -> Bank | None:
        found: list[Problem] = []
        raw = read_file(self.source, path, found)
        bank = None
        if raw is not None:
            document = read_yaml(raw, Path(path))
            companions = Companions(self.source, path, document, found)
            entries = EvaluatorEntries(document, companions, self.evaluators, found)
            found.extend(_unknown_names(document, self.config, self.prompts))
            with collector_paused():
                bank = bank_of(name, raw, entries)
        problems.extend(_shortened(found))
        return bank


def _unknown_names(document: Document, config: Config, prompts: frozenset[str]) -> Iterator[Problem]:
    """Prompts and models that a bank names and the project does not have."""
    for index, name in _texts(document, "prompts"):
        if name not in prompts:
            hint = nearest(name, prompts) or (f"Known: {quoted_list(sorted(prompts))}." if prompts else None)
            yield document.problem(("prompts", index), f"There is no prompt `{name}`.", hint)
    for index, name in _texts(document, "models"):
        if name not in config.models and "/" not in name:
            hint = nearest(name, config.models) or "Add it to llmctl.toml, or write provider/model."
            yield document.problem(("models", index), f"There is no model `{name}` in llmctl.toml.", hint)


def _texts(document: Document, key: str) -> Iterator[tuple[int, str]]:
    items = document.data.get(key) if isinstance(document.data, dict) else None
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, str):
            yield index, item


def _misspelt_model(name: str, config: Config, document: Document) -> Iterator[Problem]:
    """A bare name may be a litellm model string; near the name of a configured model it is more likely a slip."""
    if name in config.models or "/" in name:
        return
    hint = nearest(name, config.models)
    if hint:
        message = f"There is no model `{name}` in llmctl.toml; it is taken for a litellm model string."
        yield document.problem(("model",), message, hint, severity=Severity.WARNING)


def _shortened(problems: list[Problem]) -> list[Problem]:
    said: list[Problem] = []
    shortened = ProblemList(said, MAX_FILE_PROBLEMS)
    for problem in sorted(problems, key=_order):
        shortened.add(problem)
    shortened.close("in these files")
    return said


def _order(problem: Problem) -> tuple[str, int, int]:
    place = problem.place
    return (str(place.file), place.line or 0, place.column or 0) if place else ("", 0, 0)
