"""`llmctl import`: projects of other tools as prompts, banks and models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from llmctl.cli.session import Session
    from llmctl.importers.conversion import Notes
    from llmctl.importers.drafts import ProjectDraft
    from llmctl.importers.writer import Destination

__all__ = ["Into", "app", "convert"]

app = typer.Typer(help="Bring a project over from another tool.", no_args_is_help=True, rich_markup_mode=None)

Into = Annotated[
    Path | None,
    typer.Option("--into", metavar="DIR", help="The project to write to; made where there is none. Default: this one."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


Model = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="M", help="Whom the prompts ask. Default: the project's first model."),
]
Judge = Annotated[
    str | None,
    typer.Option("--judge", metavar="M", help="Who grades what a model graded. Default: [judge], else --model."),
]


@app.command("promptfoo", short_help="Import a promptfoo config.")
def promptfoo(
    ctx: typer.Context,
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="promptfooconfig.yaml, or the folder it lies in.")],
    into: Into = None,
    dry_run: DryRun = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write prompts, test banks and models from a promptfoo config.

    Ends with a list of what was converted, what means something else now and why, and what could not be converted.
    Only files in the config's folder and below it are read, and no program is run. Nothing that exists is replaced
    without --force; models that llmctl.toml lacks are added at its end.
    """
    session: Session = ctx.obj

    def make(source: Path, notes: Notes, place: Destination) -> ProjectDraft:
        from llmctl.importers.promptfoo.project import Existing, import_promptfoo

        known = Existing(place.config.models, place.config.evaluator_settings) if place.config else None
        return import_promptfoo(source, notes, known)

    convert(session, "promptfoo", config, make, into=into, dry_run=dry_run, force=force, as_json=as_json)


@app.command("openai-evals", short_help="Import samples or a registry file of OpenAI Evals.")
def openai_evals(
    ctx: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="Samples (.jsonl), or a YAML file of the registry.")],
    evals: Annotated[
        list[str] | None,
        typer.Option("--eval", metavar="NAME", help="Of a registry file, only this eval (repeatable)."),
    ] = None,
    eval_class: Annotated[
        str | None,
        typer.Option(
            "--class",
            metavar="CLASS",
            help="Judges samples without a registry: Match, Includes, FuzzyMatch, JsonMatch, JsonValidator.",
        ),
    ] = None,
    model: Model = None,
    judge: Judge = None,
    into: Into = None,
    dry_run: DryRun = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write a prompt and a test bank from each eval.

    A registry file lies in `evals/` beside `data/` and `modelgraded/`; its samples and specs are found there. Messages
    that all samples begin with become the prompt's, where they can be edited. Ends with a list of what was converted,
    what means something else now and why, and what could not be converted.
    """
    session: Session = ctx.obj

    def make(path: Path, notes: Notes, place: Destination) -> ProjectDraft:
        from llmctl.importers.openai_evals.project import Choices, import_openai_evals

        asked = _asked_model(model, place)
        choices = Choices(asked, judge or _judge(place, asked), tuple(evals or ()), eval_class)
        return import_openai_evals(path, choices, notes)

    convert(session, "openai-evals", source, make, into=into, dry_run=dry_run, force=force, as_json=as_json)


@app.command("inspect", short_help="Import a dataset or a log of inspect_ai.")
def inspect(
    ctx: typer.Context,
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="Samples (.json, .jsonl, .csv), or a log (.eval, .json).")
    ],
    scorer: Annotated[
        str | None,
        typer.Option("--scorer", metavar="NAME", help="match, includes, exact, f1, choice, pattern, answer, ..."),
    ] = None,
    scorer_args: Annotated[
        list[str] | None,
        typer.Option("--scorer-arg", metavar="NAME=VALUE", help="An argument of the scorer (repeatable)."),
    ] = None,
    fields: Annotated[
        list[str] | None,
        typer.Option("--field", metavar="FIELD=NAME", help="What the dataset calls a field of a sample (repeatable)."),
    ] = None,
    model: Model = None,
    judge: Judge = None,
    into: Into = None,
    dry_run: DryRun = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write a prompt and a test bank from the samples of a dataset, or from those that a log holds.

    --scorer picks the evaluator with the same meaning; a log says its scorer itself. Ends with a list of what was
    converted, what means something else now and why, and what could not be converted: files, setup and sandbox
    among it.
    """
    session: Session = ctx.obj

    def make(path: Path, notes: Notes, place: Destination) -> ProjectDraft:
        from llmctl.cli.assignments import assignments
        from llmctl.importers.inspect_ai.dataset import InspectChoices, import_inspect

        asked = _asked_model(model, place)
        given = assignments("--scorer-arg", scorer_args or ())
        named = assignments("--field", fields or ())
        choices = InspectChoices(asked, scorer, given, named, judge or _judge(place, asked))
        return import_inspect(path, choices, notes)

    convert(session, "inspect", source, make, into=into, dry_run=dry_run, force=force, as_json=as_json)


def _asked_model(model: str | None, place: Destination) -> str:
    """Whom the prompts ask: as given, else the first model of the project, else the local one."""
    if model is not None:
        return model
    known = place.config.models if place.config else {}
    return next(iter(known), "local/smollm2-135m")


def _judge(place: Destination, asked: str) -> str | None:
    """Who grades: the project's own judge (None), else the model that is asked, as both tools have it."""
    return None if place.config and place.config.judge.model else asked


def convert(
    session: Session,
    tool: str,
    source: Path,
    make: Callable[[Path, Notes, Destination], ProjectDraft],
    *,
    into: Path | None,
    dry_run: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Run an importer, write what it makes, and report: what every command of this group does."""
    from llmctl.cli.screen import print_json, stdout
    from llmctl.importers.conversion import Conversion, Notes
    from llmctl.importers.rendering import conversion_json, conversion_text
    from llmctl.importers.writer import destination, planned_files, write_files
    from llmctl.report.layout import show

    start = session.directory
    place = destination(None if into is None else start / into, start, session.environ)
    notes = Notes()
    draft = make(start / source, notes, place)
    files = planned_files(draft, place)
    if not dry_run:
        write_files(files, force=force)
    conversion = Conversion(
        tool=tool,
        source=source,
        notes=notes.list(),
        prompts=tuple(prompt.name for prompt in draft.prompts),
        banks={bank.name: len(bank.cases) for bank in draft.banks},
        models=tuple(model.name for model in draft.models),
        files=tuple(file.path for file in files),
        dry_run=dry_run,
    )
    if as_json:
        print_json(conversion_json(conversion))
        return
    console = stdout()
    show(console, conversion_text(conversion, console.width))
