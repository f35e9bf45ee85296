"""The lock between processes: one holder at a time, the same lock as filelock's."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from llmctl.store.file_lock import LockTimeoutError, locked


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path, wait_s=0), pytest.raises(LockTimeoutError), locked(path, wait_s=0.1):
        pass
    with locked(path, wait_s=0):
        assert path.stat().st_mode & 0o777 == 0o600


def test_it_is_the_lock_that_filelock_takes(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with FileLock(path, mode=0o600), pytest.raises(LockTimeoutError), locked(path, wait_s=0):
        pass
    with locked(path, wait_s=0):
        other = FileLock(path, timeout=0)
        with pytest.raises(TimeoutError):
            other.acquire()


def test_it_goes_with_the_process_that_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    script = f"""
from pathlib import Path
from llmctl.store.file_lock import locked
with locked(Path({str(path)!r}), wait_s=0):
    print("held", flush=True)
    input()
"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", script], stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockTimeoutError), locked(path, wait_s=0):
            pass
        holder.kill()
        with locked(path, wait_s=10):
            pass


def test_an_error_within_the_block_is_passed_on_and_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(PermissionError), locked(path, wait_s=5):
        raise PermissionError
    with locked(path, wait_s=0):
        pass


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), locked(tmp_path / "none" / "lock", wait_s=0):
        pass


@pytest.mark.filterwarnings("ignore:flock not supported:UserWarning")
def test_a_file_system_without_flock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", unknown)
    with locked(tmp_path / "lock", wait_s=5):
        pass
