"""Checks of the store's files as files: permissions, what is left over, who holds a lock, room on the disk."""

from __future__ import annotations

import shutil

from llmctl.errors import StoreError
from llmctl.runs.alive import is_alive
from llmctl.runs.checkup import Check, Remark, State, counted
from llmctl.store.files import LeftOver, Permission, left_over, mend_permissions, prune, size_of
from llmctl.store.layout import Layout
from llmctl.store.locks import Lock, import_lock, lock_holder

__all__ = ["check_disk", "check_left_over", "check_locks", "check_permissions", "megabytes"]

_SCARCE_BYTES = 200 * 10**6
_SHOWN = 5


def check_permissions(layout: Layout) -> Check:
    """Files that others could read are made private."""
    found = mend_permissions(layout)
    remarks = []
    if mended := [one for one in found if one.error is None]:
        text = f"Others could read, or you could not write: {_listed(mended)}. Now it is 0600 in folders of 0700."
        remarks.append(Remark(State.REPAIRED, text))
    for one in found:
        if one.error is not None:
            text = f"{one.path} has the permissions {one.was:04o}, and cannot be changed: {one.error}."
            remarks.append(Remark(State.PROBLEM, text, f"Its owner can mend it: chmod {one.wanted:o} {one.path}"))
    facts = {"changed": [{"path": one.path, "was": f"{one.was:04o}", "error": one.error} for one in found]}
    return Check(
        "permissions", "open to this user only" if not found else f"{len(found):,} too open", tuple(remarks), facts
    )


def _listed(permissions: list[Permission]) -> str:
    shown = ", ".join(f"{one.path.name} ({one.was:04o})" for one in permissions[:_SHOWN])
    hidden = len(permissions) - _SHOWN
    return f"{shown} and {hidden:,} more" if hidden > 0 else shown


def check_locks(layout: Layout) -> Check:
    """Which locks are held at this moment, and by which process."""
    held = [Lock(path, lock_holder(path)) for path in layout.journals() if is_alive(path)]
    remarks = [Remark(State.NOTE, f"{lock.path.stem}: {_holder(lock)} is running it.") for lock in held]
    try:
        importing = import_lock(layout)
    except StoreError as error:
        remarks.append(Remark(State.PROBLEM, error.message, error.hint))
        importing = None
    using = Lock(layout.database, pid) if (pid := lock_holder(layout.database)) else None
    for lock, what in ((importing, "imports journals"), (using, "has the index open for writing")):
        if lock is not None:
            held.append(lock)
            remarks.append(Remark(State.NOTE, f"{lock.path.name}: {_holder(lock)} {what}."))
    summary = f"{len(held)} held" if held else "none held"
    return Check("locks", summary, tuple(remarks), {"held": [{"path": lock.path, "pid": lock.pid} for lock in held]})


def _holder(lock: Lock) -> str:
    return f"process {lock.pid}" if lock.pid else "another process"


def check_left_over(layout: Layout, *, remove: bool, wait_s: float) -> Check:
    """What killed processes and repairs have left; removed only if asked for."""
    return _pruned(layout, wait_s) if remove else _count(left_over(layout, is_alive))


def _count(found: list[LeftOver]) -> Check:
    size = sum(one.size_bytes for one in found)
    remarks = [
        Remark(State.NOTE, f"{one.path.name}: {one.what}, {megabytes(one.size_bytes)}.") for one in found[:_SHOWN]
    ]
    if found:
        hidden = len(found) - _SHOWN
        text = f"{hidden:,} more. " if hidden > 0 else ""
        remarks.append(Remark(State.NOTE, f"{text}Nothing needs them.", "Remove them with `llmctl doctor --prune`."))
    summary = f"{counted(len(found), 'item')}, {megabytes(size)}" if found else "nothing"
    return Check("left over", summary, tuple(remarks), _facts(found, removed=False))


def _pruned(layout: Layout, wait_s: float) -> Check:
    try:
        found = prune(layout, is_alive, wait_s=wait_s)
    except StoreError as error:
        remark = Remark(State.PROBLEM, f"Nothing was removed: {error.message}", error.hint)
        return Check("left over", "not removed", (remark,), _facts([], removed=False))
    stuck = [one for one in found if one.error is not None]
    remarks = tuple(Remark(State.PROBLEM, f"{one.path} cannot be removed: {one.error}.") for one in stuck)
    gone = [one for one in found if one.error is None]
    summary = (
        f"{counted(len(gone), 'item')} removed, {megabytes(sum(one.size_bytes for one in gone))}" if gone else "nothing"
    )
    return Check("left over", summary, remarks, _facts(found, removed=True))


def _facts(found: list[LeftOver], *, removed: bool) -> dict[str, object]:
    return {
        "items": [
            {
                "path": one.path,
                "what": one.what,
                "size_bytes": one.size_bytes,
                "removed": removed and one.error is None,
            }
            for one in found
        ]
    }


def check_disk(layout: Layout) -> Check:
    """How much the store takes, and how much room there is."""
    free, size = shutil.disk_usage(layout.root).free, size_of(layout.root)
    remarks = []
    if free < _SCARCE_BYTES:
        text = f"Only {megabytes(free)} are free: a run stops when its journal cannot be written."
        remarks.append(Remark(State.NOTE, text, "Make room, or set LLMCTL_STORE to another place."))
    facts = {"size_bytes": size, "free_bytes": free}
    return Check("disk", f"{megabytes(size)} used, {megabytes(free)} free", tuple(remarks), facts)


def megabytes(size: int) -> str:
    """`12 kB`, `3.4 MB`, `1.2 GB`."""
    for unit, name in ((10**9, "GB"), (10**6, "MB")):
        if size >= unit:
            return f"{size / unit:,.1f} {name}"
    return f"{size / 1000:,.0f} kB"
