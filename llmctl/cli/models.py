"""`llmctl models`: the models that a project knows, and the weights of the local one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.errors import LlmctlError, ProjectError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmctl.cli.session import Session
    from llmctl.project.models import ModelConfig
    from llmctl.report.models import ModelRow

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Local models and prices.", rich_markup_mode=None)

DEFAULT_LOCAL_MODEL = "smollm2-135m"


@app.command("pull")
def pull(
    name: Annotated[str, typer.Argument(help="Name of the local model, as in local/NAME.")] = DEFAULT_LOCAL_MODEL,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Download the weights of a local model into your cache, checked by hash.

    Does nothing where they are there already.
    """
    from llmctl.cli.screen import print_json, stderr
    from llmctl.providers.local import weights

    console = stderr()
    model = weights.pull(name.removeprefix("local/"), lambda text: console.print(text, soft_wrap=True))
    if as_json:
        print_json({"schema": "llmctl/pull/1", "name": model.name, "path": str(model.path), "sha256": model.sha256})
    else:
        console.print(f"local/{model.name} is ready.", style="green")


@app.command("list")
def list_models(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List the project's models: who answers, whether the key or the weights are there, and what a token costs."""
    from llmctl.cli.screen import print_json, stdout
    from llmctl.report.models import render_models

    session: Session = ctx.obj
    rows = [_row(model, session.environ) for model in session.config.models.values()]
    if as_json:
        print_json({"schema": "llmctl/models/1", "models": [row.as_dict() for row in rows]})
    else:
        render_models(stdout(), rows)


def _row(model: ModelConfig, environ: Mapping[str, str]) -> ModelRow:
    from llmctl.providers.environment import missing_keys
    from llmctl.providers.routes import resolve
    from llmctl.report.models import ModelRow

    try:
        route = resolve(model)
    except LlmctlError as error:
        return ModelRow(model.name, model.model, "", "", False, _sentence(error))
    missing = missing_keys([route], environ)
    return ModelRow(
        model.name,
        model.model,
        route.transport,
        route.url,
        not missing,
        missing[0].message if missing else "",
        route.price.input_per_million if route.price else None,
        route.price.output_per_million if route.price else None,
    )


def _sentence(error: LlmctlError) -> str:
    message = error.problems[0].message if isinstance(error, ProjectError) else error.message
    return f"{message} {error.hint or ''}".strip()
