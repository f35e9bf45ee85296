"""A new bank from a table: its rows as a JSONL file, written one by one, and the bank that includes it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from llmctl.errors import Place, ProjectError, UsageError
from llmctl.importers.bank.columns import ColumnMap
from llmctl.importers.bank.table_source import RowCount, RowReader, TableSource, table_rows, write_rows
from llmctl.importers.conversion import Notes
from llmctl.importers.entry_check import EntryCheck
from llmctl.importers.foreign_yaml import foreign_document
from llmctl.importers.samples import ANSWERED, Entry
from llmctl.importers.yaml_text import yaml_text
from llmctl.project.case_rows import VARS_PREFIX
from llmctl.project.loader import load_project
from llmctl.project.models import Config, Prompt
from llmctl.project.sources import WorkingTree
from llmctl.project.templates import TemplateError, prompt_variables
from llmctl.report.atomic import atomic_text

__all__ = [
    "NewBank",
    "chosen_prompts",
    "entries_of",
    "known_variables",
    "note_unfilled",
    "refuse_existing",
    "write_new_bank",
]


@dataclass(frozen=True, slots=True)
class NewBank:
    """What a new bank is made of, beside its rows."""

    name: str
    prompts: tuple[str, ...]
    entries: tuple[Entry, ...]
    """Its evaluators; empty: `exact` where there is an expected answer."""

    def yaml(self, path: Path) -> Path:
        """The bank's file in a folder."""
        return path / f"{self.name}.yaml"

    def rows(self, path: Path) -> Path:
        """The table beside it."""
        return path / f"{self.name}.jsonl"


def entries_of(words: Sequence[str], config: Config) -> tuple[Entry, ...]:
    """Evaluators as they are given on a command line: a name, or an entry as YAML.

    Raises:
        UsageError: one of them is none.
    """
    entries = []
    check = EntryCheck(config.evaluator_settings)
    for word in words:
        try:
            data = foreign_document(word.encode(), Path("--evaluator")).data
        except ProjectError as error:
            raise UsageError(f"--evaluator {word} cannot be read: {error.problems[0].message}") from None
        entry: Entry = {data: {}} if isinstance(data, str) else data if isinstance(data, dict) else {}
        problem = check.problem(entry)
        if problem is not None:
            raise UsageError(f"--evaluator {word}: {problem.message}", hint=problem.hint)
        entries.append(entry)
    return tuple(entries)


def chosen_prompts(config: Config, asked: Sequence[str], found: ColumnMap | None, notes: Notes) -> tuple[Prompt, ...]:
    """The prompts that the bank is run with: those asked for, else the only one whose variables the table fills.

    Raises:
        UsageError: there is no prompt of a name.
    """
    loaded = load_project(config, WorkingTree(config.root), frozenset())
    unknown = next((name for name in asked if name not in loaded.prompts), None)
    if unknown is not None:
        raise UsageError(f"There is no prompt `{unknown}`.", hint=f"There is {', '.join(loaded.prompts) or 'none'}.")
    if asked or found is None:
        return tuple(loaded.prompts[name] for name in asked)
    filled = {name.removeprefix(VARS_PREFIX) for name in found.columns if name.startswith(VARS_PREFIX)}
    fitting = [one for one in loaded.prompts.values() if (needed := _variables(one)) and needed <= filled]
    if len(fitting) == 1:
        notes.converted("prompt", f"`{fitting[0].name}`, the only one whose variables the table fills")
        return (fitting[0],)
    why = "The bank names none: write `prompts: [NAME]` into it, or import with --prompt NAME."
    notes.changed("prompt", why)
    return ()


def known_variables(config: Config, prompts: Sequence[Prompt]) -> frozenset[str]:
    """The variables of the prompts; of all prompts of the project where none is chosen."""
    chosen = prompts or tuple(load_project(config, WorkingTree(config.root), frozenset()).prompts.values())
    return frozenset().union(*map(_variables, chosen))


def _variables(prompt: Prompt) -> frozenset[str]:
    try:
        return prompt_variables(prompt)
    except TemplateError:
        return frozenset()


def note_unfilled(prompts: Sequence[Prompt], variables: set[str], notes: Notes) -> None:
    """Say which variables of the prompts no column fills."""
    for prompt in prompts:
        missing = sorted(_variables(prompt) - variables)
        if missing:
            why = f"No column fills {', '.join(f'`{name}`' for name in missing)}: write them under `defaults: vars:`."
            notes.changed(f"prompt {prompt.name}", why, Place(prompt.path))


def refuse_existing(config: Config, bank: NewBank) -> None:
    """See that no file of the bank is there.

    Raises:
        UsageError: one is.
    """
    yaml = bank.yaml(config.testbanks)
    files = (yaml, yaml.with_suffix(".yml"), bank.rows(config.testbanks))
    there = [str(path) for path in files if path.exists()]
    if there:
        hint = f"--into brings the rows into the bank `{bank.name}`, --bank NAME makes another, --force replaces it."
        raise UsageError(f"{' and '.join(there)} {'exist' if len(there) > 1 else 'exists'} already.", hint=hint)


def write_new_bank(
    config: Config,
    bank: NewBank,
    table: TableSource,
    reader: RowReader,
    notes: Notes,
    *,
    dry_run: bool = False,
) -> RowCount:
    """Write both files, in place of those that are there.

    Raises:
        UsageError: the table has no rows.
        ProjectError: the table holds mistakes.
        UnfinishedError: a file cannot be written.
    """
    yaml, rows = bank.yaml(config.testbanks), bank.rows(config.testbanks)
    if not dry_run:
        rows.parent.mkdir(parents=True, exist_ok=True)
    with _file(rows, dry_run) as out:
        count = write_rows(table_rows(table, reader, notes), out, notes, exact=not bank.entries and reader.may_expect)
        if not count.written:
            raise UsageError(f"{table.path.name} holds no rows.")
    entries = bank.entries or ({"exact": {}},) if count.expected or bank.entries else (ANSWERED,)
    if not count.expected and not bank.entries:
        why = "There is no expected answer, so that cases must only be answered; write `evaluators:`."
        notes.changed("evaluators", why)
    data: Mapping[str, object] = {
        **({"prompts": list(bank.prompts)} if bank.prompts else {}),
        "evaluators": list(entries),
        "include": [{"file": rows.name}],
    }
    with _file(yaml, dry_run) as out:
        out.write(yaml_text(data))
    return count


@contextmanager
def _file(path: Path, dry_run: bool) -> Iterator[TextIO]:
    """The file to write; of a dry run one that forgets."""
    if dry_run:
        yield _Nowhere()
        return
    with atomic_text(path) as out:
        yield out


class _Nowhere(io.StringIO):
    def write(self, text: str, /) -> int:
        return len(text)
