"""The command `llmctl`: its commands, and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import io
import sys
import traceback
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from llmctl import __version__
from llmctl.cli import (
    bank,
    baseline,
    blame,
    compare,
    diff,
    doctor,
    evaluate,
    export,
    feedback,
    gate,
    imports,
    init,
    judge,
    models,
    power,
    quality,
    record,
    replay,
    rescore,
    runs,
    schema,
    sql,
    traffic,
    try_prompt,
    validate,
)
from llmctl.cli.arguments import with_last_run
from llmctl.cli.ending import end
from llmctl.cli.private_output import private_output
from llmctl.cli.session import Session
from llmctl.errors import ExitCode, LlmctlError
from llmctl.project.collector import collecting_seldom

__all__ = ["app", "main", "run"]

app = typer.Typer(
    name="llmctl",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init", short_help="Write a project that works at once.")(init.init)
app.command("validate", short_help="Check every file without a call.")(validate.validate)
app.command("eval", short_help="Run cases and score them.")(evaluate.evaluate)
app.command("try", short_help="Make one call, streamed.")(try_prompt.try_prompt)
app.command("gate", short_help="Judge a change: the verdict for CI.")(gate.gate)
app.command("rescore", short_help="Score a run's answers again.")(rescore.rescore)
app.command("diff", short_help="Compare two sides, case by case.")(diff.diff)
app.command("compare", short_help="Compare all targets of a run.")(compare.compare)
app.command("power", short_help="Say how many cases are needed.")(power.power)
app.command("blame", short_help="Say which commit broke a case.")(blame.blame)
app.command("runs", short_help="List the runs.")(runs.runs)
app.command("show", short_help="Show a run, or one result of it.")(runs.show)
app.command("sql", short_help="Query the store.")(sql.sql)
app.command("export", short_help="Write what the store holds as data.")(export.export)
app.command("doctor", short_help="Check the store and repair it.")(doctor.doctor)
app.command("record", short_help="Pass calls on to a provider, and record them.")(record.record)
app.command("replay", short_help="Ask logged calls again.")(replay.replay)
app.command("quality", short_help="Show how good users find the answers.")(quality.quality)
app.command("schema", short_help="Print the JSON Schema of a file.")(schema.schema)
app.add_typer(judge.app, name="judge")
app.add_typer(models.app, name="models")
app.add_typer(bank.app, name="bank")
app.add_typer(baseline.app, name="baseline")
app.add_typer(imports.app, name="import")
app.add_typer(traffic.app, name="traffic")
app.add_typer(feedback.app, name="feedback")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"llmctl {__version__}")
        raise typer.Exit


@app.callback()
def llmctl(
    ctx: typer.Context,
    directory: Annotated[
        Path, typer.Option("-C", metavar="DIR", help="Work as if started in this directory.")
    ] = Path(),
    env_file: Annotated[
        Path | None, typer.Option("--env-file", metavar="FILE", help="Read keys from this file of NAME=value lines.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Change prompts and models without fear.

    Prompts and test banks are YAML files in your repository. llmctl runs them across models, scores the answers,
    and keeps every call in one local DuckDB file.
    """
    session = ctx.ensure_object(Session)
    session.directory, session.env_file = directory, env_file


def main() -> NoReturn:
    """Run the command line and end the process."""
    with collecting_seldom():
        code = run(sys.argv[1:])
    end(code)


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # Text of a model may hold characters that this terminal cannot show: they are escaped, never an error.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    session = Session()
    with private_output(session):
        return _run(arguments, session)


def _run(arguments: list[str], session: Session) -> int:
    debug = "--debug" in arguments
    try:
        # `--debug` counts wherever it stands: it is added to a command line that has just failed.
        words = [word for word in arguments if word != "--debug"]
        app(with_last_run(words), prog_name="llmctl", obj=session)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else ExitCode.DONE
    except LlmctlError as error:
        _say(error, debug=debug)
        return error.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (`llmctl runs | head`): nothing is left to say, and no one to hear it.
        sys.stdout = None
        return ExitCode.DONE
    except Exception as error:
        return _unexpected(error, debug=debug)
    return ExitCode.DONE


def _say(error: LlmctlError, *, debug: bool) -> None:
    from llmctl.cli.screen import stderr
    from llmctl.report.problems import render_error

    if debug:
        traceback.print_exc()
    render_error(stderr(), error)


def _unexpected(error: Exception, *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    else:
        sys.stderr.write(
            f"Error: llmctl met something it did not expect ({type(error).__name__}: {error}).\n"
            "What was done is kept. Run it again with --debug to see where, and please report it.\n"
        )
    return ExitCode.UNFINISHED
