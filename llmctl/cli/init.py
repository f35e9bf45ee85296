"""`llmctl init`: a project that works at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.cli.schema import FileKind, file_schema
from llmctl.errors import UsageError
from llmctl.store.layout import private_files

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["init"]

_STARTER_MODEL = "local/smollm2-135m"


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", show_default=False, help="Default: here.")] = Path(),
    model: Annotated[
        str, typer.Option("--model", metavar="M", help="The model that the project starts with.")
    ] = _STARTER_MODEL,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Write a small project that works at once: llmctl.toml, a prompt and a test bank.

    It uses the local model, which needs no network and no key; --model names another (openai/gpt-4o-mini).
    No file that exists is changed.
    """
    from llmctl.cli.screen import print_json, stdout

    if not model.strip() or any(character in model for character in '"\\\n'):
        raise UsageError(f'"{model}" is not the name of a model.', hint="Write it as in --model openai/gpt-4o-mini.")
    if (directory / "llmctl.toml").exists():
        raise UsageError(f"{directory / 'llmctl.toml'} exists: this is a project already.")
    written = [*_write_files(directory, model), *_write_schemas(directory)]
    if as_json:
        print_json({"schema": "llmctl/init/1", "written": [str(path) for path in written]})
        return
    console = stdout()
    for path in written:
        console.print(f"wrote {path}", soft_wrap=True)
    console.print(f"\nNext: {_next_step(directory)}llmctl eval", soft_wrap=True)


def _next_step(directory: Path) -> str:
    return "" if directory == Path() else f"cd {directory} && "


def _write_files(directory: Path, model: str) -> list[Path]:
    from importlib import resources

    written = []
    for path, text in _starter_files(resources.files("llmctl.cli") / "starter"):
        target = directory / path
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text.replace(_STARTER_MODEL, model), encoding="utf-8", newline="\n")
        written.append(target)
    return written


def _starter_files(folder: Traversable, below: Path = Path()) -> list[tuple[Path, str]]:
    files = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            files += _starter_files(entry, below / entry.name)
        elif not entry.name.endswith((".py", ".pyc")):
            files.append((below / entry.name, entry.read_text(encoding="utf-8")))
    return files


def _write_schemas(directory: Path) -> list[Path]:
    """The JSON Schemas that the first line of each file names, for editors."""
    store = directory / ".llmctl"
    store.mkdir(exist_ok=True, mode=0o700)
    folder = store / "schema"
    folder.mkdir(exist_ok=True, mode=0o700)
    written = []
    for kind in FileKind:
        path = folder / f"{kind.value}.json"
        with private_files():
            path.write_text(json.dumps(file_schema(kind), indent=2) + "\n", encoding="utf-8")
        written.append(path)
    return written
