"""`init` writes a project that passes its own check."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Invoke, write


def test_a_new_project_is_valid_as_it_stands(tmp_path: Path, llmctl: Invoke) -> None:
    result = llmctl("init", "demo", "--model", "fake/echo")
    assert result.code == 0, result.err
    assert "cd demo && llmctl eval" in result.out
    checked = llmctl("-C", "demo", "validate", "--strict")
    assert (checked.code, checked.err) == (0, "")
    assert llmctl("-C", "demo", "eval").code == 0


def test_files_name_their_schemas(tmp_path: Path, llmctl: Invoke) -> None:
    llmctl("init")
    files = [*tmp_path.glob("prompts/*.yaml"), *tmp_path.glob("testbanks/*.yaml")]
    assert len(files) >= 2
    for file in files:
        first = file.read_text(encoding="utf-8").split("\n")[0]
        assert first.startswith("# yaml-language-server: $schema=")
        schema = (file.parent / first.partition("=")[2]).resolve()
        assert json.loads(schema.read_text(encoding="utf-8"))["$schema"].startswith("https://json-schema.org/")


def test_a_project_is_not_overwritten(project: Path, llmctl: Invoke) -> None:
    before = (project / "llmctl.toml").read_bytes()
    result = llmctl("init")
    assert result.code == 2
    assert (project / "llmctl.toml").read_bytes() == before


def test_other_files_are_kept(tmp_path: Path, llmctl: Invoke) -> None:
    write(tmp_path, ".gitignore", "mine\n")
    assert llmctl("init").code == 0
    assert (tmp_path / ".gitignore").read_text(encoding="utf-8") == "mine\n"


def test_what_was_written_as_json(tmp_path: Path, llmctl: Invoke) -> None:
    document = json.loads(llmctl("init", "demo", "--json").out)
    assert document["schema"] == "llmctl/init/1"
    assert str(Path("demo", "llmctl.toml")) in document["written"]
    assert all(Path(path).is_file() for path in document["written"])
