"""A cell: what a gate judges and a diff compares."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CaseName", "Cell"]


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """Bank x prompt name x model name."""

    bank: str
    prompt: str
    """The prompt's name, without a revision."""
    model: str
    """The model's name in `llmctl.toml`, or the model string."""

    def __str__(self) -> str:
        return f"{self.bank} · {self.prompt} · {self.model}"


@dataclass(frozen=True, slots=True, order=True)
class CaseName:
    """The case key: it pairs results across runs, and nothing of prompt or model is in it."""

    bank: str
    case_id: str
