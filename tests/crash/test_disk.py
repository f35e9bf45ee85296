"""A disk that is full or broken at the n-th write, for every n: what was reported is stored, no more is paid for."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmctl.report.progress import Progress
from llmctl.runs.append_file import FileCalls
from llmctl.runs.records import CallEvent, ResultEvent
from tests.cli.conftest import Invoke, Result, write
from tests.crash.disks import FailingDisk
from tests.crash.invariants import Unit, check_journals, check_store, events_in, journals_of, unit_of, units_in
from tests.crash.rounds import every
from tests.crash.servers import settled
from tests.support.openai_server import OpenAIServer

CASES = 5
IN_FLIGHT = 2

FAULTS = {
    "full": ("write", errno.ENOSPC, 1 << 30),
    "full, in small pieces": ("write", errno.ENOSPC, 2500),
    "short": ("short", errno.ENOSPC, 1 << 30),
    "sync": ("sync", errno.EIO, 1 << 30),
}


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def told(tmp_path: Path, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> list[Unit]:
    """A small project; what the progress is told to be done."""
    write(tmp_path, "llmctl.toml", f'[models.echo]\nmodel = "openai/echo"\napi_base = "{server.url}"\n')
    write(tmp_path, "prompts/echo.yaml", "model: echo\ntemplate: '{{ text }}'\n")
    rows = "".join(f"text {number},text {number}\n" for number in range(CASES))
    write(tmp_path, "testbanks/rows.csv", "text,expected\n" + rows)
    write(tmp_path, "testbanks/echo.yaml", "prompts: [echo]\nevaluators: [exact]\ninclude: [{file: rows.csv}]\n")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    units: list[Unit] = []
    update = Progress.update

    def watched(self: Progress, result: ResultEvent) -> None:
        units.append(unit_of(result))
        update(self, result)

    monkeypatch.setattr(Progress, "update", watched)
    return units


@pytest.mark.parametrize("fault", FAULTS)
def test_at_every_write(
    fault: str,
    tmp_path: Path,
    told: list[Unit],
    server: OpenAIServer,
    llmctl: Invoke,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kind, code, piece = FAULTS[fault]
    for nth in range(1, 300):
        store = tmp_path / f"store-{nth}"
        monkeypatch.setenv("LLMCTL_STORE", str(store))
        disk = FailingDisk(kind, nth, code, piece=piece)
        told.clear()
        before = len(server.seen)
        with monkeypatch.context() as patch:
            patch.setattr(FileCalls.__init__, "__defaults__", (disk.write, disk.sync, os.ftruncate))
            result = llmctl("eval", "--no-cache", "-j", str(IN_FLIGHT))
        sent = len(server.seen) - before
        if not disk.failed:
            assert result.code == 0, result.err
            assert (len(told), sent) == (CASES, CASES)
            assert nth > (1 if kind == "sync" else 3)
            return
        says_what_to_do(result, code, sent)
        keeps_what_was_told(store, told, sent, whole=nth % every(4) == 0)
        goes_on(store, server, llmctl)
    pytest.fail("the disk never worked")


def says_what_to_do(result: Result, code: int, sent: int) -> None:
    assert result.code == 4
    said = " ".join(result.err.split())
    assert os.strerror(code) in said
    if sent:
        assert "What was written before is kept." in said
        assert "--resume" in said
    else:
        assert "Nothing was sent." in said
    assert "Traceback" not in result.err + result.out


def keeps_what_was_told(store: Path, told: list[Unit], sent: int, *, whole: bool) -> None:
    """Nothing that was told is lost, and nothing is stored that was not sent."""
    check_journals(store)
    events = [event for journal in journals_of(store) for event in events_in(journal)]
    assert set(told) <= {unit_of(event) for event in events if isinstance(event, ResultEvent)}
    if whole:
        check_store(store, {journal.stem: told for journal in journals_of(store)})
    assert sum(isinstance(event, CallEvent) for event in events) <= sent


def goes_on(store: Path, server: OpenAIServer, llmctl: Invoke) -> None:
    """With room again, a resume sends exactly the calls that are not stored; after it everything is there, once."""
    published = journals_of(store)
    stored = sum(isinstance(event, CallEvent) for journal in published for event in events_in(journal))
    before = settled(server)
    result = llmctl("eval", "--resume") if published else llmctl("eval", "--no-cache")
    assert result.code == 0, result.err
    assert len(server.seen) - before == CASES - stored
    check_journals(store)
    [journal] = journals_of(store)
    assert len(units_in(journal)) == CASES


def test_a_full_disk_stops_the_sending(
    tmp_path: Path, told: list[Unit], server: OpenAIServer, llmctl: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers that were on their way are lost; no call is begun when the disk is known to be full."""
    write(tmp_path, "testbanks/rows.csv", "text,expected\n" + "".join(f"text {number},x\n" for number in range(400)))
    disk = FailingDisk("write", 12, errno.ENOSPC)
    before = len(server.seen)
    with monkeypatch.context() as patch:
        patch.setattr(FileCalls.__init__, "__defaults__", (disk.write, disk.sync, os.ftruncate))
        assert llmctl("eval", "--no-cache", "-j", str(IN_FLIGHT)).code == 4
    store = tmp_path / ".llmctl"
    calls = sum(isinstance(event, CallEvent) for journal in journals_of(store) for event in events_in(journal))
    # So many answers may wait to be written at once (the recorder's room); a slow model has fewer on their way.
    assert calls <= len(server.seen) - before <= calls + 64
    keeps_what_was_told(store, told, calls, whole=True)


_LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
sys.argv[1:] = ["eval", "--no-cache", "-j", "2"]
from llmctl.cli.app import main
main()
"""


def limited(project: Path, size: int) -> subprocess.CompletedProcess[str]:
    """`llmctl eval` in a process that cannot write a file beyond this size."""
    script = [sys.executable, "-c", _LIMITED, str(size)]
    return subprocess.run(script, cwd=project, capture_output=True, text=True, check=False)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of a file's size")
@pytest.mark.parametrize("kilobytes", [1, 4, 9, 100, 700])
def test_a_whole_process_without_room(kilobytes: int, tmp_path: Path, told: list[Unit], server: OpenAIServer) -> None:
    """Every file of the process has the limit: journal, database, report."""
    store = tmp_path / ".llmctl"
    ended = limited(tmp_path, kilobytes * 1000)
    assert ended.returncode in {0, 4}, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "damaged" not in ended.stderr
    assert not list(store.glob("corrupt-*/llmctl.duckdb"))
    if ended.returncode:
        said = " ".join(ended.stderr.split())
        assert os.strerror(errno.EFBIG) in said
        assert "Make room" in said or "Nothing was sent." in said
    check_store(store)
    done = sum(isinstance(event, ResultEvent) for journal in journals_of(store) for event in events_in(journal))
    assert done == CASES or ended.returncode == 4
