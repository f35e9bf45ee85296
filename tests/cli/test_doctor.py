"""`doctor` through the front door."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import CONFIG, Invoke, write
from tests.runs.journal_examples import RUN_ID, journal_of, whole_run, write_journal


@pytest.fixture
def store(project: Path) -> Path:
    write_journal(journal_of(project / ".llmctl"), whole_run())
    return project / ".llmctl"


def test_a_sound_store(store: Path, llmctl: Invoke) -> None:
    result = llmctl("doctor")
    assert result.code == 0, result.err
    assert "The store is sound." in result.out
    assert not [line for line in result.out.splitlines() if len(line) > 100]
    document = json.loads(llmctl("doctor", "--json").out)
    assert document["schema"] == "llmctl/doctor/1"
    assert document["state"] == "ok"
    names = [check["check"] for check in document["checks"]]
    assert names == ["permissions", "journals", "index", "locks", "left over", "disk", "models", "packages"]


def test_no_store_yet(project: Path, llmctl: Invoke) -> None:
    assert llmctl("doctor").code == 0
    assert not (project / ".llmctl").exists()


def test_what_is_lost_ends_4(store: Path, llmctl: Invoke) -> None:
    journal = journal_of(store)
    content = bytearray(journal.read_bytes())
    content[40] ^= 1
    journal.write_bytes(content)
    result = llmctl("doctor")
    assert result.code == 4
    assert f"{RUN_ID}: line 1 cannot be read (its checksum does not match)" in result.out
    assert "Something is lost" in result.out


def test_a_damaged_index_is_repaired(store: Path, llmctl: Invoke) -> None:
    assert llmctl("doctor").code == 0
    (store / "llmctl.duckdb").write_bytes(b"garbage" * 1000)
    result = llmctl("doctor")
    assert result.code == 0
    assert "built anew" in result.out
    assert "The store was repaired; nothing is lost." in result.out
    assert llmctl("doctor", "--prune").code == 0
    assert not list(store.glob("corrupt-*"))


def test_the_table_fits_80_columns(store: Path, llmctl: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    (store / "tmp").mkdir(exist_ok=True)
    (store / "tmp" / "spilled").write_bytes(b"x")
    monkeypatch.setenv("COLUMNS", "80")
    result = llmctl("doctor")
    assert [line for line in result.out.splitlines() if len(line) > 80 and not line.startswith("Store ")] == []


def test_keys_are_told_by_name_and_never_by_value(
    store: Path, project: Path, llmctl: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, "llmctl.toml", CONFIG + '[models.gpt]\nmodel = "openai/gpt-4o-mini"\n')
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    result = llmctl("doctor")
    assert result.code == 0
    assert "OPENAI_API_KEY" in result.out
    assert "2 of 3 ready" in result.out
    monkeypatch.setenv("OPENAI_API_KEY", "canary-value")
    result = llmctl("doctor")
    assert "OPENAI_API_KEY is set" in result.out
    shown = result.out + llmctl("doctor", "--json").out
    assert "canary" not in shown
    assert "3 of 3 ready" in shown


def test_missing_weights_are_said_with_the_way_to_get_them(
    store: Path, project: Path, llmctl: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, "llmctl.toml", '[models.small]\nmodel = "local/smollm2-135m"\n')
    monkeypatch.setenv("LLMCTL_CACHE", str(project / "cache"))
    result = llmctl("doctor")
    assert result.code == 0
    assert "llmctl models pull" in result.out
