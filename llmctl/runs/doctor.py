"""Checks a store from end to end and repairs what can be repaired: everything that journals hold is in the index, once.

The journals are the truth and are never changed. Nothing is deleted unless asked for: a damaged index is set aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llmctl.errors import StoreError
from llmctl.runs import importer
from llmctl.runs.checkup import Check, Remark, State, counted
from llmctl.runs.checkup_files import check_disk, check_left_over, check_locks, check_permissions
from llmctl.runs.checkup_journals import check_journals
from llmctl.runs.importer import ImportSummary, import_journals
from llmctl.runs.journal_health import JournalHealth, examine_journal
from llmctl.store.database import BusyError, CorruptError, NewerError
from llmctl.store.health import IndexScan, RowCount, rows_at, scan_index
from llmctl.store.layout import Layout

__all__ = ["examine"]

_WAIT_S = 10.0
_REBUILD = "`llmctl doctor --rebuild` sets it aside and builds it anew from the journals."


def examine(store: Path, *, rebuild: bool = False, prune: bool = False, wait_s: float = _WAIT_S) -> list[Check]:
    """Check and repair a store; `rebuild` builds the index anew, `prune` removes what nothing needs any more.

    Raises:
        StoreError: the store's folder cannot be read.
    """
    layout = Layout(store)
    if not layout.root.is_dir():
        return [Check("store", "there is none yet", (Remark(State.NOTE, f"{store} does not exist yet."),))]
    try:
        locks = check_locks(layout)  # before anything here takes one
        permissions = check_permissions(layout)
        index = _Index(layout, wait_s)
        journals = index.bring_up_to_date(rebuild=rebuild)
        return [
            permissions,
            check_journals(journals),
            index.check(journals),
            locks,
            check_left_over(layout, remove=prune, wait_s=wait_s),
            check_disk(layout),
        ]
    except OSError as error:
        raise StoreError(f"The store {store} cannot be read: {error.strerror or error}.") from None


@dataclass(slots=True)
class _Index:
    """The index while it is checked."""

    layout: Layout
    wait_s: float
    scan: IndexScan | None = None
    imported: int = 0
    remarks: list[Remark] = field(default_factory=list)

    def bring_up_to_date(self, *, rebuild: bool) -> list[JournalHealth]:
        """Import what is new, read all of the index, and compare it with the journals; rebuild it where they differ."""
        try:
            if rebuild:
                self._rebuild("as asked")
            else:
                self._take(import_journals(self.layout.root, wait_s=self.wait_s))
            self._scan()
        except StoreError as error:
            self._failed(error)
        journals = self._journals()
        if different := self._different(journals):
            journals = self._mend(different)
        return journals

    def check(self, journals: Sequence[JournalHealth]) -> Check:
        """What to say of the index."""
        if self.scan is None:
            none = "there is none yet" if not self.remarks else "not usable"
            return Check("index", none, tuple(self.remarks), {"runs": None, "rows": None})
        self._tell_orphans(self.scan, journals)
        rows = sum(table.rows for run in self.scan.counts.values() for table in run.values())
        facts = {
            "runs": len(self.scan.reached),
            "rows": rows,
            "imported_lines": self.imported,
            "schema": self.scan.schema,
            "storage_version": self.scan.storage,
        }
        same = "" if any(remark.state is State.PROBLEM for remark in self.remarks) else ", as in the journals"
        return Check(
            "index",
            f"{counted(len(self.scan.reached), 'run')}, {counted(rows, 'row')}{same}",
            tuple(self.remarks),
            facts,
        )

    def _scan(self) -> None:
        if not self.layout.database.exists():
            return
        try:
            self.scan = scan_index(self.layout, wait_s=self.wait_s)
        except CorruptError as error:
            self._rebuild(error.message)
            self.scan = scan_index(self.layout, wait_s=self.wait_s)

    def _mend(self, different: Sequence[str]) -> list[JournalHealth]:
        """The index holds other rows than the journals: build it anew, and compare again."""
        runs = f"{counted(len(different), 'run')} ({', '.join(different[:3])}"
        self._rebuild(f"it did not hold what the journals hold of {runs}{', ...' if len(different) > 3 else ''})")
        try:
            self._scan()
        except StoreError as error:
            self._failed(error)
        journals = self._journals()
        if still := self._different(journals):
            text = f"The index does not hold what the journals hold of {', '.join(still[:3])}, even built anew."
            self.remarks.append(Remark(State.PROBLEM, text, "Please report this; the journals are sound and complete."))
        return journals

    def _different(self, journals: Sequence[JournalHealth]) -> list[str]:
        """The runs of which the index does not hold exactly what their journals hold, as far as it was imported."""
        if self.scan is None:
            return []
        readable = [journal for journal in journals if journal.unreadable is None]
        return [journal.run_id for journal in readable if not self._equals(self.scan, journal)]

    def _equals(self, scan: IndexScan, journal: JournalHealth) -> bool:
        """Rows of lines that were damaged after they were imported may stay: they are the only copy that is left."""
        held = scan.counts.get(journal.run_id, {})
        if held == journal.counts or not journal.damaged:
            return held == journal.counts
        kept = rows_at(self.layout, journal.run_id, journal.damaged_offsets, wait_s=self.wait_s)
        journal.in_index = bool(kept)
        tables = journal.counts.keys() | kept.keys()
        none = RowCount()
        return held == {table: journal.counts.get(table, none) + kept.get(table, none) for table in tables}

    def _journals(self) -> list[JournalHealth]:
        reached = self.scan.reached if self.scan is not None else {}
        return [
            examine_journal(path, reached.get(self.layout.journal_name(path), 0)) for path in self.layout.journals()
        ]

    def _rebuild(self, reason: str) -> None:
        self._take(importer.rebuild(self.layout.root, wait_s=self.wait_s), reason)

    def _take(self, summary: ImportSummary, reason: str = "it was damaged") -> None:
        self.imported += summary.lines
        if summary.rebuilt is not None:
            text = (
                f"The index was built anew from the journals: {reason.rstrip('.')}. The old one is {summary.rebuilt}."
            )
            self.remarks.append(Remark(State.REPAIRED, text, "Remove it with `llmctl doctor --prune`."))
        if summary.later is not None:
            text = f"{summary.later} What is new was not imported, and is safe in its journal."
            self.remarks.append(Remark(State.PROBLEM, text, "Run `llmctl doctor` again when that process has ended."))

    def _failed(self, error: StoreError) -> None:
        hint = f"Upgrade, or go on with this version: {_REBUILD}" if isinstance(error, NewerError) else error.hint
        if isinstance(error, BusyError):
            hint = "Run `llmctl doctor` again when that process has ended."
        self.remarks.append(Remark(State.PROBLEM, error.message, hint))

    def _tell_orphans(self, scan: IndexScan, journals: Sequence[JournalHealth]) -> None:
        """Runs that only the index knows: their journals were removed."""
        orphans = sorted(scan.reached.keys() - {journal.run_id for journal in journals})
        if orphans:
            text = f"The index holds {counted(len(orphans), 'run')} without a journal: {', '.join(orphans[:3])}"
            more = ", ..." if len(orphans) > 3 else ""
            hint = "They can be read; they are lost when the index is built anew. Put the journals back if you can."
            self.remarks.append(Remark(State.NOTE, f"{text}{more}.", hint))
