"""What a replay is asked to do, before any call is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llmctl.errors import UsageError
from llmctl.runs.selection import PromptReference
from llmctl.traffic.replay.records import Mode

__all__ = ["REPLAY", "ReplayRequest", "ScoredBy"]

REPLAY = "replay"
"""Under which name a run's options say what it replays."""


@dataclass(frozen=True, slots=True)
class ScoredBy:
    """Whose evaluators score the answers; none of both: nobody's."""

    bank: str | None = None
    file: Path | None = None

    def __bool__(self) -> bool:
        return self.bank is not None or self.file is not None

    def as_data(self) -> dict[str, str]:
        """For the journal."""
        if self.bank is not None:
            return {"bank": self.bank}
        return {"file": str(self.file)} if self.file is not None else {}

    @classmethod
    def from_data(cls, data: Mapping[str, object]) -> ScoredBy:
        """From the journal."""
        bank, file = data.get("bank"), data.get("file")
        return cls(bank if isinstance(bank, str) else None, Path(file) if isinstance(file, str) else None)


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """How logged calls are asked again."""

    mode: Mode
    models: tuple[str, ...] = ()
    """Candidates; empty: the logged model, or the prompt's own."""
    prompts: tuple[PromptReference, ...] = ()
    """Candidates, in the mode `template`."""
    params: Mapping[str, object] = field(default_factory=dict)
    """Over the logged ones, or over those of prompt and model."""
    rerun: bool = False
    """Whether the logged request is sent again as it was, to tell the model's own noise."""
    scored_by: ScoredBy = ScoredBy()
    repeat: int = 1
    sources: tuple[str, ...] = ()
    """What was named, for the record."""

    @property
    def has_candidate(self) -> bool:
        """Whether anything is sent but what was sent before."""
        return self.mode is Mode.TEMPLATE or (self.mode is Mode.VERBATIM and bool(self.models or self.params))

    def check(self) -> None:
        """Raise UsageError where nothing would be replayed, or what is asked does not go together."""
        if self.mode is Mode.TEMPLATE and not self.prompts:
            raise UsageError("The mode template needs a prompt.", hint="Name it: -p PROMPT, or -p PROMPT@REVISION.")
        if self.prompts and self.mode is not Mode.TEMPLATE:
            raise UsageError(f"-p renders a prompt, and the mode {self.mode} asks none.", hint="Leave out --mode.")
        if self.mode is Mode.OUTPUT_ONLY:
            self._check_output_only()
        if self.mode is Mode.VERBATIM and not (self.has_candidate or self.rerun):
            raise UsageError(
                "Nothing would change: the same messages would go to the same model.",
                hint="Name what is to be tried: -m MODEL, -p PROMPT or --param temperature=0. "
                "--baseline rerun asks the same once more, --mode output-only scores what was answered.",
            )

    def _check_output_only(self) -> None:
        given = [
            option
            for option, value in (("-m", self.models), ("--param", self.params), ("--baseline rerun", self.rerun))
            if value
        ]
        if given:
            raise UsageError(f"The mode output-only sends nothing: {given[0]} has no meaning in it.")
        if self.repeat > 1:
            raise UsageError("The mode output-only scores the one answer that was logged: --repeat has no meaning.")
        if not self.scored_by:
            raise UsageError(
                "The mode output-only scores logged answers, and there is nothing to score them by.",
                hint="Name evaluators: --bank BANK, or --evaluators FILE.",
            )
