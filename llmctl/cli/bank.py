"""`llmctl bank`: test cases from spreadsheets and back, and from traffic."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.cli.assignments import assignments
from llmctl.cli.bank_add import add
from llmctl.cli.bank_mine import mine
from llmctl.cli.bank_names import new_bank_name
from llmctl.errors import Problem, ProjectError, UsageError

if TYPE_CHECKING:
    from llmctl.cli.session import Session
    from llmctl.importers.bank.export import ExportPlan
    from llmctl.importers.bank.table_source import TableSource
    from llmctl.importers.conversion import Conversion, Notes
    from llmctl.project.models import Config

__all__ = ["app"]

app = typer.Typer(
    help="Test cases from spreadsheets and back, and from traffic.", no_args_is_help=True, rich_markup_mode=None
)
app.command("add", short_help="Make a test case of a logged call.")(add)
app.command("mine", short_help="Propose test cases from traffic.")(mine)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command("import", short_help="Make or change a test bank from a table.")
def import_(
    ctx: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, TSV, JSONL, JSON, YAML, Parquet or XLSX.")],
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=COLUMN",
            help="Which column fills a field: vars.NAME, expected, id, tags, group, must_pass (repeatable). "
            "Default: guessed from the columns' names, and shown.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--bank", metavar="NAME", help="The bank. Default: the file's name.")
    ] = None,
    into: Annotated[
        bool, typer.Option("--into", help="Bring the rows into a bank that is there: only what was edited changes.")
    ] = False,
    prompts: Annotated[
        list[str] | None, typer.Option("--prompt", "-p", metavar="P", help="A prompt of a new bank (repeatable).")
    ] = None,
    evaluators: Annotated[
        list[str] | None,
        typer.Option(
            "--evaluator",
            metavar="E",
            help="An evaluator of a new bank, a name or YAML such as '{contains: {ignore_case: true}}' (repeatable). "
            "Default: exact.",
        ),
    ] = None,
    apostrophe: Annotated[
        bool, typer.Option("--apostrophe", help="Take off the apostrophes that `bank export --apostrophe` put.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a bank that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a test bank from a table, or change one.

    A new bank is a file of rows and the bank that includes it; ids are kept, and made from the variables where there
    are none. With --into, rows are compared with the cases of the bank by their ids: a cell that was edited is changed
    where the case stands, a new row becomes a case, and everything else stays as it is.
    """
    from llmctl.importers.bank.table_source import open_table
    from llmctl.importers.conversion import Notes
    from llmctl.importers.naming import slug

    session: Session = ctx.obj
    if into and (prompts or evaluators or force):
        raise UsageError("--prompt, --evaluator and --force are for a new bank.", hint="Edit the bank's file.")
    config = session.config
    table = open_table(session.directory / source, apostrophe=apostrophe)
    fields = assignments("--map", given or ())
    notes = Notes()
    bank = name or slug(source.stem, "cases")
    if into:
        done = _update(config, bank, table, fields, notes, source=source, dry_run=dry_run)
    else:
        made = _NewBankWords(new_bank_name(bank), tuple(prompts or ()), tuple(evaluators or ()))
        done = _make(config, made, table, fields, notes, source=source, dry_run=dry_run, force=force)
    _report(done, "llmctl/bank-import/1", as_json=as_json)


@dataclass(frozen=True, slots=True)
class _NewBankWords:
    """What the command line says of a new bank."""

    name: str
    prompts: tuple[str, ...]
    evaluators: tuple[str, ...]


def _make(
    config: Config,
    words: _NewBankWords,
    table: TableSource,
    fields: dict[str, str],
    notes: Notes,
    *,
    source: Path,
    dry_run: bool,
    force: bool,
) -> Conversion:
    from llmctl.importers.bank.new import (
        NewBank,
        chosen_prompts,
        entries_of,
        known_variables,
        note_unfilled,
        refuse_existing,
        write_new_bank,
    )
    from llmctl.importers.bank.table_source import column_map, row_reader
    from llmctl.importers.conversion import Conversion

    entries = entries_of(words.evaluators, config)
    asked = chosen_prompts(config, words.prompts, None, notes)
    found = column_map(table, fields, known_variables(config, asked), notes)
    chosen = asked or chosen_prompts(config, (), found, notes)
    bank = NewBank(words.name, tuple(prompt.name for prompt in chosen), entries)
    if not force:
        refuse_existing(config, bank)
    reader = row_reader(table, found, config.root, [])
    count = write_new_bank(config, bank, table, reader, notes, dry_run=dry_run)
    note_unfilled(chosen, count.variables, notes)
    files = (bank.rows(config.testbanks), bank.yaml(config.testbanks))
    return Conversion("bank", source, notes.list(), (), {bank.name: count.written}, (), files, dry_run)


def _update(
    config: Config,
    bank_word: str,
    table: TableSource,
    fields: dict[str, str],
    notes: Notes,
    *,
    source: Path,
    dry_run: bool,
) -> Conversion:
    from llmctl.importers.bank.table_source import column_map, row_reader
    from llmctl.importers.bank.update import opened_bank, updated_bank
    from llmctl.importers.conversion import Conversion
    from llmctl.importers.writer import write_files
    from llmctl.project.loader import resolve_bank_name

    name = resolve_bank_name(config, bank_word)
    bank = opened_bank(config, name)
    found = column_map(table, fields, bank.variables, notes)
    update = updated_bank(config, bank, table, found, row_reader(table, found, config.root, []), notes)
    if not dry_run:
        write_files(update.files)
    files = tuple(file.path for file in update.files)
    return Conversion("bank", source, notes.list(), (), {name: update.cases}, (), files, dry_run)


def _report(done: Conversion, schema: str, *, as_json: bool) -> None:
    from llmctl.cli.screen import print_json, stdout
    from llmctl.importers.rendering import conversion_json, conversion_text
    from llmctl.report.layout import show

    if as_json:
        print_json({**conversion_json(done), "schema": schema})
        return
    console = stdout()
    show(console, conversion_text(done, console.width))


@app.command("export", short_help="Write the cases of a bank as a table.")
def export(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="BANK", help="A name or a path.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help=".csv, .xlsx or .jsonl. Default: CSV to standard output."),
    ] = None,
    apostrophe: Annotated[
        bool,
        typer.Option("--apostrophe", help="Put an apostrophe before cells that a spreadsheet takes for a formula."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the cases of a bank as a table: a row each, with its id, variables, expected answer and tags.

    `bank import FILE --bank BANK --into` brings edited cells back, and changes nothing else. In .xlsx every cell is
    text; in .csv a cell that begins with = + - or @ may be run as a formula by the program that opens it.
    """
    from llmctl.evaluators.registry import names
    from llmctl.importers.bank.export import EXPORT_ENDINGS, export_plan, write_csv
    from llmctl.importers.conversion import Conversion, Notes
    from llmctl.project.loader import read_bank, resolve_bank_name
    from llmctl.project.sources import WorkingTree

    session: Session = ctx.obj
    if output is not None and output.suffix.lower() not in EXPORT_ENDINGS:
        raise UsageError(f"{output.name} is no kind of table to write.", hint=f"Write {', '.join(EXPORT_ENDINGS)}.")
    if output is None and as_json:
        raise UsageError("--json needs -o FILE: without it the table goes to standard output.")
    config = session.config
    bank_name = resolve_bank_name(config, name)
    problems: list[Problem] = []
    bank = read_bank(config, WorkingTree(config.root), bank_name, names(), problems)
    if bank is None:
        raise ProjectError(problems)
    notes = Notes()
    plan = export_plan(bank, notes, apostrophe=apostrophe)
    for field, column in zip(plan.fields, plan.header, strict=True):
        notes.converted(field, f"column `{column}`")
    if output is None:
        write_csv(plan, sys.stdout, mark=False)
        return
    _write(plan, session.directory / output)
    files = (session.directory / output,)
    done = Conversion("bank", bank.path, notes.list(), (), {bank_name: plan.cases}, (), files)
    _report(done, "llmctl/bank-export/1", as_json=as_json)


def _write(plan: ExportPlan, path: Path) -> None:
    from llmctl.importers.bank.export import write_csv, write_jsonl, write_xlsx
    from llmctl.report.atomic import atomic_text

    if path.suffix.lower() == ".xlsx":
        write_xlsx(plan, path)
        return
    with atomic_text(path) as out:
        if path.suffix.lower() == ".csv":
            write_csv(plan, out)
        else:
            write_jsonl(plan, out)
