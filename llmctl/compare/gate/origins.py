"""Where the prompt of each cell of a side came from, so that a committed baseline can be asked again."""

from __future__ import annotations

from dataclasses import dataclass

from llmctl.compare.cells import Cell
from llmctl.compare.side import Side
from llmctl.store.database import open_database
from llmctl.store.layout import Layout

__all__ = ["PromptOrigin", "prompt_origins"]


@dataclass(frozen=True, slots=True)
class PromptOrigin:
    """Where the prompt of a cell came from."""

    commit: str | None
    """The commit that was checked out, or that the prompt was read at; None: not known."""
    digest: str
    """Of the prompt: at the commit there must be one with this digest, else it cannot be asked again."""


def prompt_origins(side: Side) -> dict[Cell, PromptOrigin]:
    """Of each cell of a side.

    A prompt of a working tree has the commit that was checked out: whether it stood in it like this, its digest tells.

    Raises:
        StoreError: the side's database cannot be read.
    """
    with open_database(Layout(side.database.parent), read_only=True) as con:
        rows = con.execute(
            'SELECT DISTINCT r.bank, p.name, r.model, coalesce(p."commit", h."commit"), coalesce(p.digest, \'\') '
            "FROM result_rows r JOIN prompt_rows p ON p.run_id = r.run_id AND p.label = r.prompt "
            'LEFT JOIN (SELECT run_id, max_by("commit", position) AS "commit" FROM run_heads GROUP BY run_id) h '
            "ON h.run_id = r.run_id WHERE r.run_id = $run AND ($labels IS NULL OR list_contains($labels, r.prompt))",
            {"run": side.run_id, "labels": None if side.labels is None else list(side.labels)},
        ).fetchall()
    return {Cell(bank, prompt, model): PromptOrigin(commit, digest) for bank, prompt, model, commit, digest in rows}
