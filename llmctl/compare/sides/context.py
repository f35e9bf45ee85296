"""What sides are looked up in: the project, the environment, and what of it was selected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from llmctl.project.models import Config
from llmctl.runs.history import History
from llmctl.runs.selection import Selection

__all__ = ["SideContext"]


@dataclass(frozen=True)
class SideContext:
    """One command's look at the project and its store."""

    config: Config
    environ: Mapping[str, str]
    selection: Selection = field(default_factory=Selection)
    """Banks, prompts (without a revision: that is the side's), models, tags, pattern and repeats of sides of files."""
    command: str = ""
    """The command line, for the run that a side of files is kept in."""
    max_age: str | None = None
    """How old a stored answer may be where the model's name floats (`7d`); None: as old as it is, and the side says
    how old."""

    @cached_property
    def history(self) -> History:
        """The project's store; what is new in its journals is imported before the first look."""
        return History(self.config.store)
