"""The drop that a bank's own rules tolerate, as its file lies here."""

from __future__ import annotations

from llmctl.evaluators import registry
from llmctl.project import loader
from llmctl.project.models import Config
from llmctl.project.sources import WorkingTree

__all__ = ["bank_margin"]


def bank_margin(config: Config, bank: str) -> float | None:
    """What the bank's `gate:` tolerates; None where it says nothing, or is in the files no more."""
    tree = WorkingTree(config.root)
    if bank not in loader.bank_names(config, tree):
        return None
    found = loader.read_bank(config, tree, bank, registry.names(), [])
    return found.gate.margin if found and found.gate else None
