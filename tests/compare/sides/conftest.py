"""The small project of `tests/cli` in a real repository, and sides opened the way a command does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from llmctl.compare.side import Side
from llmctl.compare.sides.context import SideContext
from llmctl.project.loader import load_config
from llmctl.runs.selection import Selection
from tests.cli.conftest import llmctl, project, write
from tests.cli.git import commit_all
from tests.support.openai_server import OpenAIServer, Reply

__all__ = ["context", "llmctl", "passed", "project", "server", "tracked", "written_to_store"]


@pytest.fixture(autouse=True)
def _own_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing above the test's own directory is a repository for it."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))


@pytest.fixture
def tracked(project: Path) -> Path:
    """The project, with one commit on `main`."""
    write(project, ".gitignore", ".llmctl/\n")
    commit_all(project)
    return project


@pytest.fixture
def server(project: Path) -> Iterator[OpenAIServer]:
    """The project's model on a loopback server that counts requests."""
    with OpenAIServer() as server:
        server.script("echo", Reply("billing"))
        text = f'[models.fake]\nmodel = "openai/echo"\napi_base = "{server.url}"\nprice = {{input = 1, output = 1}}\n'
        write(project, "llmctl.toml", text)
        yield server


def context(root: Path, selection: Selection | None = None, max_age: str | None = None) -> SideContext:
    """What a command looks sides up in."""
    config = load_config(root / "llmctl.toml", {})
    return SideContext(config, {}, selection or Selection(), "llmctl diff", max_age)


def passed(side: Side) -> dict[str, bool | None]:
    """The verdict of each case of a side, read by SQL as every part reads it."""
    with duckdb.connect(str(side.database), read_only=True) as con:
        rows = con.execute(
            "SELECT case_id, prompt, passed FROM results WHERE run_id = ? ORDER BY case_id", [side.run_id]
        ).fetchall()
    return {case: verdict for case, prompt, verdict in rows if side.labels is None or prompt in side.labels}


def written_to_store(root: Path) -> list[str]:
    """The runs of the user's store, and what temporary sides have left there."""
    store = root / ".llmctl"
    return sorted(path.name for folder in ("runs", "tmp") for path in (store / folder).glob("*"))
