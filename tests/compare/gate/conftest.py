"""A small project on the fake model, and its last run as a side."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmctl.compare.side import Side, SideKind
from llmctl.project.loader import load_config
from llmctl.project.models import Config
from llmctl.runs.history import History
from tests.cli.conftest import llmctl, write

__all__ = ["config_of", "last_run", "llmctl", "ticket_project", "write"]

CONFIG = """
    [models.small]
    model = "fake/script"
    price = {input = 1, output = 1}
    options.answers = [
      {match = "declined", answer = "billing"},
      {match = "parcel", answer = "other"},
      {match = "lawyer", fault = "refused"},
      {match = "down", fault = "400"},
      {match = "coin", answer = "billing"},
    ]
"""
PROMPT = """
    model: small
    template: "Ticket: {{ ticket }}"
"""
BANK = """
    prompts: [triage]
    evaluators: [exact]
    cases:
      - {id: card, vars: {ticket: declined}, expected: billing, tags: [smoke], must_pass: true, group: one}
      - {id: parcel, vars: {ticket: my parcel}, expected: shipping, tags: [smoke, hard]}
      - {id: legal, vars: {ticket: my lawyer}, expected: other}
      - {id: broken, vars: {ticket: all down}, expected: other}
"""


@pytest.fixture
def ticket_project(tmp_path: Path) -> Path:
    """One case that passes, one that fails, one that is refused, and one without evidence."""
    write(tmp_path, "llmctl.toml", CONFIG)
    write(tmp_path, "prompts/triage.yaml", PROMPT)
    write(tmp_path, "testbanks/triage.yaml", BANK)
    return tmp_path


def config_of(root: Path) -> Config:
    """The project's config."""
    return load_config(root / "llmctl.toml", {})


def last_run(root: Path, labels: tuple[str, ...] | None = None) -> Side:
    """The last run, as a side."""
    history = History(config_of(root).store)
    run_id = history.find("@last")
    return Side("@last", f"run {run_id}", SideKind.RUN, history.layout.database, run_id, labels=labels)
