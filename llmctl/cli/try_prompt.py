"""`llmctl try`: one interactive call, streamed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.errors import ExitCode, UsageError
from llmctl.safe_text import safe_text

if TYPE_CHECKING:
    from llmctl.cli.session import Session
    from llmctl.providers.records import Call
    from llmctl.runs.single import SingleCall

__all__ = ["try_prompt"]


def try_prompt(
    ctx: typer.Context,
    prompt: Annotated[str, typer.Argument(metavar="PROMPT[@REV]", help="The prompt, at a git revision if given.")],
    variables: Annotated[
        list[str] | None,
        typer.Option("--var", metavar="NAME=VALUE", help="A variable of the prompt; @FILE reads it. Repeatable."),
    ] = None,
    model: Annotated[str | None, typer.Option("-m", "--model", metavar="M", help="Another model.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole call as one JSON document.")] = False,
) -> None:
    """Make one call and show the answer as it comes. Nothing is stored."""
    import asyncio

    from llmctl.runs.single import single_call

    session: Session = ctx.obj
    asked = single_call(session.config, session.environ, prompt, model, _variables(variables or []))
    call = asyncio.run(_ask(session, asked, None if as_json else _show))
    if as_json:
        _print_call(call)
    else:
        _print_footer(call)
    raise typer.Exit(ExitCode.DONE if call.outcome.scored else ExitCode.UNFINISHED)


def _variables(assignments: list[str]) -> dict[str, object]:
    values: dict[str, object] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            raise UsageError(f'--var "{assignment}" is not NAME=VALUE.')
        values[name] = _read(Path(value[1:])) if value.startswith("@") else value
    return values


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from None


async def _ask(session: Session, asked: SingleCall, on_delta: Callable[[str], None] | None) -> Call:
    from llmctl.providers.gateway import Gateway, GatewaySettings

    settings = GatewaySettings(timeout_s=session.config.eval.timeout_s, concurrency=1)
    async with Gateway(settings, session.environ) as gateway:
        return await gateway.ask(asked.target.route, asked.request, on_delta=on_delta)


def _show(delta: str) -> None:
    sys.stdout.write(safe_text(delta))
    sys.stdout.flush()


def _print_footer(call: Call) -> None:
    from llmctl.cli.screen import stderr
    from llmctl.report.calls import call_line

    sys.stdout.write("\n")
    sys.stdout.flush()
    stderr().print(call_line(call), style="dim", soft_wrap=True)


def _print_call(call: Call) -> None:
    from llmctl.cli.screen import print_json
    from llmctl.report.calls import call_json

    print_json({"schema": "llmctl/try/1", **call_json(call)})
