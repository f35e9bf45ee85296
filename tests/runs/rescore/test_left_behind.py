"""What stops scoring again leaves the store as it was, and an import that fails beside it stops nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock

from llmctl.errors import StoreError, UsageError
from llmctl.project.loader import load_config
from llmctl.runs import plan_file
from llmctl.runs.head import RunOptions
from llmctl.runs.importer import import_journals
from llmctl.runs.rescore.import_ahead import ImportAhead
from llmctl.runs.rescore.old_run import read_old_run
from llmctl.runs.rescore.plan import rescore_plan
from llmctl.runs.store_reader import StoreReader
from tests.cli.conftest import BANK, Invoke, write


@pytest.fixture
def store(project: Path, llmctl: Invoke) -> Path:
    """With one run."""
    llmctl("eval")
    return project / ".llmctl"


def journals(store: Path) -> list[str]:
    return sorted(path.name for path in (store / "runs").iterdir())


@pytest.fixture
def written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan is in its file at every moment, as that of a large bank is."""
    monkeypatch.setattr(plan_file, "_FLUSH_BYTES", 1)


@pytest.mark.usefixtures("written_at_once")
@pytest.mark.parametrize(
    ("bank", "sentence"),
    [
        (BANK.replace("expected: hours", "expected: {a: [}"), "route.yaml:"),
        (BANK.replace("hours}", "hours, evaluators: [exakt]}"), "exakt"),
        (BANK.replace("ticket: ", "ticket: new "), "Nothing of the run"),
    ],
)
def test_a_mistake_leaves_no_plan(store: Path, project: Path, llmctl: Invoke, bank: str, sentence: str) -> None:
    before = journals(store)
    write(project, "testbanks/route.yaml", bank)
    result = llmctl("rescore", "@last")
    assert (result.code, journals(store)) == (2, before)
    assert sentence in " ".join(result.err.split())


@pytest.mark.usefixtures("written_at_once")
def test_a_plan_that_is_not_started_leaves_nothing(store: Path, project: Path) -> None:
    [name] = journals(store)
    config = load_config(project / "llmctl.toml", {})
    options = RunOptions("llmctl rescore", concurrency=1, timeout_s=1.0)
    with rescore_plan(config, {}, name.removesuffix(".jsonl"), (), options, judge=False) as plan:
        assert journals(store) == sorted([name, plan.file.path.name])
    assert journals(store) == [name]


def test_a_run_that_cannot_be_brought_into_the_store_now_is_said(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [name] = journals(store)
    (store / "runs" / "1newer.jsonl").write_bytes((store / "runs" / name).read_bytes())
    monkeypatch.setattr(StoreReader.__init__, "__kwdefaults__", {"wait_s": 0.0})
    with FileLock(store / "llmctl.lock"), pytest.raises(StoreError, match="Another process is importing"):
        read_old_run(store, name.removesuffix(".jsonl"))


def test_a_run_without_a_journal_is_said(store: Path) -> None:
    with pytest.raises(UsageError, match="The journal of the run 1nosuchrun is not here"):
        read_old_run(store, "1nosuchrun")


async def test_an_import_ahead_that_fails_stops_nothing(store: Path) -> None:
    (store / "llmctl.duckdb").unlink()
    (store / "tmp").rmdir()
    (store / "tmp").write_text("in the way")
    with pytest.raises(StoreError):
        import_journals(store)
    async with ImportAhead(store, 10_000) as ahead:
        ahead.grown(10_000)
    (store / "tmp").unlink()
    assert import_journals(store).lines > 0


async def test_few_lines_are_left_to_the_import_at_the_end(store: Path) -> None:
    (store / "llmctl.duckdb").unlink()
    async with ImportAhead(store, 9_998) as ahead:
        ahead.grown(1)
    assert not (store / "llmctl.duckdb").exists()
    async with ImportAhead(store, 9_999) as ahead:
        ahead.grown(1)
    assert (store / "llmctl.duckdb").exists(), "it did not wait for the import"
