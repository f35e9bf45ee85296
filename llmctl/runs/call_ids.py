"""The ids of a run's calls: `RUN.1`, `RUN.2` ... in the order in which they are answered."""

from __future__ import annotations

__all__ = ["CallIds"]


class CallIds:
    """Counts the calls of one run, whoever makes them. Used from one thread."""

    def __init__(self, run_id: str, following: int = 1) -> None:
        """`following`: the first number; a run that is resumed counts on."""
        self._run_id = run_id
        self._following = following

    def take(self) -> str:
        """The next id."""
        number = self._following
        self._following += 1
        return f"{self._run_id}.{number}"
