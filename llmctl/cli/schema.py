"""`llmctl schema`: JSON Schemas of the files that users write."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

__all__ = ["FileKind", "file_schema", "schema"]


class FileKind(StrEnum):
    """A kind of file in a project."""

    PROMPT = "prompt"
    BANK = "bank"
    CONFIG = "config"


def file_schema(kind: FileKind) -> dict[str, object]:
    """The JSON Schema (2020-12) of one kind of file, made from the models that read it."""
    from llmctl.evaluators.argument_schemas import argument_schemas
    from llmctl.project import schemas

    match kind:
        case FileKind.PROMPT:
            return schemas.prompt_schema()
        case FileKind.BANK:
            return schemas.bank_schema(argument_schemas())
        case FileKind.CONFIG:
            return schemas.config_schema()


def schema(kind: Annotated[FileKind, typer.Argument(metavar="prompt|bank|config", show_default=False)]) -> None:
    """Print the JSON Schema of a kind of file, for editors that complete and check.

    `llmctl init` writes all three to .llmctl/schema/ and names them in the files it makes.
    """
    from llmctl.cli.screen import print_json

    print_json(file_schema(kind))
