"""Private folders of child processes: short, locked while in use, swept when their process is dead."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from llmctl.processes import scratch
from llmctl.processes.scratch import ScratchFolder
from tests.providers.local_support import short_tmp

__all__ = ["short_tmp"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_folder_is_private_and_short(short_tmp: Path) -> None:
    folder = ScratchFolder()
    assert folder.path.parent == short_tmp
    assert folder.path.stat().st_mode & 0o777 == 0o700
    folder.remove()
    folder.remove()
    assert list(short_tmp.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="sockets are POSIX")
def test_a_long_temporary_path_is_not_used_for_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("x" * 80)))
    folder = ScratchFolder()
    assert len(os.fsencode(folder.path / "s.sock")) < 104
    folder.remove()


def test_folders_of_dead_processes_are_swept(short_tmp: Path) -> None:
    alive = ScratchFolder()
    dead = short_tmp / "llmctl-1-00dead00"
    fresh = short_tmp / "llmctl-2-0000f0e5"
    link = short_tmp / "llmctl-3-00001111"
    others = short_tmp / "llmctl"
    named_alike = short_tmp / "llmctl-traffic-x7k2"
    for folder in (dead, fresh, others, named_alike):
        folder.mkdir()
        (folder / "s.sock").touch()
    link.symlink_to(others)
    for folder in (alive.path, dead, others, named_alike):
        os.utime(folder, (1, 1))
    os.utime(link, (1, 1), follow_symlinks=False)
    scratch.sweep(short_tmp)
    assert [path.name for path in others.iterdir()] == ["s.sock"]
    assert set(short_tmp.iterdir()) == {alive.path, fresh, link, others, named_alike}
    alive.remove()
