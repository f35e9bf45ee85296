"""The journal that recorded calls go to, and what became of each: in it, no call of a model, or lost and why."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from llmctl.errors import StoreError
from llmctl.traffic.journal import TrafficJournal
from llmctl.traffic.logged_call import LoggedCall

__all__ = ["NOT_WRITTEN", "SYNC_S", "CallJournal", "Recorded", "RecordedCall"]

SYNC_S = 0.2
"""What was written is on the disk within this time."""
NOT_WRITTEN = "the journal could not be written"


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call, and its payloads as JSON text."""

    call: LoggedCall
    raw: str


Recorded = Callable[[], RecordedCall | str]
"""Makes the record, where it is written; or says why it is none (`not a model call`)."""


class CallJournal:
    """Written from one thread. The journal is made with the first call."""

    def __init__(self, opened: Callable[[], TrafficJournal], tell: Callable[[str], None]) -> None:
        """`tell` is called once, with a sentence, when nothing can be written any more."""
        self._opened = opened
        self._tell = tell
        self._journal: TrafficJournal | None = None
        self._broken = False
        self._unsynced: int = 0
        self._unsynced_since: float | None = None
        self.recorded = 0
        """Calls in the journal."""
        self.lost: Counter[str] = Counter()
        """Calls that are not, by reason."""
        self.passed: Counter[str] = Counter()
        """What was no call of a model, by reason."""

    @property
    def import_id(self) -> str | None:
        """Of the journal; None: there is none yet."""
        return self._journal.import_id if self._journal is not None else None

    @property
    def unsynced(self) -> bool:
        """Whether something was written that may not be on the disk yet."""
        return self._unsynced_since is not None

    def write(self, recorded: Recorded) -> None:
        """Make the record and write it; whatever fails is counted."""
        try:
            made = recorded()
            if isinstance(made, str):
                self.passed[made] += 1
            elif self._broken:
                self.lost[NOT_WRITTEN] += 1
            else:
                self._add(made)
        except StoreError as error:
            self._fail(error)
            self.lost[NOT_WRITTEN] += 1
        except Exception as error:  # the next call may do better; this one is counted and said
            self.lost[f"the recorder failed on it ({type(error).__name__})"] += 1

    def sync_if_due(self) -> bool:
        """Have it put on the disk where something has waited long enough; whether it was."""
        if self._unsynced_since is None or time.monotonic() - self._unsynced_since < SYNC_S:
            return False
        self.sync()
        return True

    def sync(self) -> None:
        """Have everything put on the disk."""
        if self._journal is not None and not self._broken:
            try:
                self._journal.sync()
            except StoreError as error:
                self._fail(error)
        self._unsynced, self._unsynced_since = 0, None

    def close(self, lost: Counter[str] | None = None) -> None:
        """Write the last line, with the counts; `lost`: further calls that never came here."""
        if self._journal is None:
            return
        counts = {"recorded": self.recorded, "lost": dict(self.lost + (lost or Counter())), "passed": dict(self.passed)}
        try:
            self._journal.close(counts)
        except StoreError as error:
            self._fail(error)

    def _add(self, made: RecordedCall) -> None:
        if self._journal is None:
            self._journal = self._opened()
        self.recorded += 1
        self._unsynced += 1
        if self._unsynced_since is None:
            self._unsynced_since = time.monotonic()
        try:
            self._journal.add(made.call, made.raw)
        except StoreError as error:  # it may be one of several lines that are missing now
            self._fail(error)

    def _fail(self, error: StoreError) -> None:
        """Nothing can be written any more: what only stood in the buffer is lost too."""
        if self._broken:
            return
        self._broken = True
        missing = min(self._unsynced, self._journal.missing) if self._journal is not None else 0
        if missing:
            self.recorded -= missing
            self.lost[NOT_WRITTEN] += missing
        self._unsynced, self._unsynced_since = 0, None
        self._tell(f"{error.message} Calls are passed on, and no longer recorded.")
