"""Options that several commands share: which banks, prompts, models and cases of a side count."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["BankOption", "ModelOption", "PromptOption", "TagOption"]

BankOption = Annotated[
    list[str] | None, typer.Option("-b", "--bank", metavar="BANK", help="Only this bank. Repeatable.")
]
PromptOption = Annotated[
    list[str] | None, typer.Option("-p", "--prompt", metavar="P", help="Only this prompt. Repeatable.")
]
ModelOption = Annotated[
    list[str] | None, typer.Option("-m", "--model", metavar="M", help="Only this model. Repeatable.")
]
TagOption = Annotated[
    list[str] | None,
    typer.Option("-t", "--tag", metavar="TAG", help="Only cases with this tag. Repeatable: any of."),
]
