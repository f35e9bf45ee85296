"""Configs that want to do harm, or only are strange."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmctl.errors import LlmctlError, ProjectError, UsageError
from llmctl.importers.conversion import Fate, Notes
from llmctl.importers.foreign_files import ForeignFiles
from llmctl.importers.promptfoo.project import import_promptfoo
from tests.importers.support import imported, imported_config


def config(text: str, tmp_path: Path, name: str = "promptfooconfig.yaml") -> Path:
    path = tmp_path / "source" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def refused(path: Path) -> str:
    with pytest.raises(ProjectError) as caught:
        import_promptfoo(path, Notes())
    return caught.value.problems[0].message


def laughs(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


def test_a_billion_laughs(tmp_path: Path) -> None:
    assert "more than 500,000 values" in refused(config(laughs(9), tmp_path))


def test_references_that_multiply(tmp_path: Path) -> None:
    data: dict[str, object] = {f"a{n}": [{"$ref": f"#/a{n - 1}"}] * 10 for n in range(1, 9)}
    path = config(json.dumps({**data, "a0": ["x"] * 10}), tmp_path)
    assert "counting what its references stand for" in refused(path)


def test_references_in_a_circle(tmp_path: Path) -> None:
    path = config("tests: [{$ref: '#/tests/0'}]\nprompts: [a]\nproviders: [echo]", tmp_path)
    assert "leads back to itself" in refused(path)


def test_an_alias_of_itself(tmp_path: Path) -> None:
    assert "refers to the value itself" in refused(config("tests: &a [*a]", tmp_path))


def test_deep_nesting(tmp_path: Path) -> None:
    assert "deeper than 64 levels" in refused(config("tests: " + "[" * 100 + "]" * 100, tmp_path))


def test_objects_of_python(tmp_path: Path) -> None:
    assert "tag" in refused(config("tests: !!python/object/apply:os.system ['true']", tmp_path))


@pytest.mark.parametrize("text", ["[]", "", "just text", "3"])
def test_no_config_at_all(text: str, tmp_path: Path) -> None:
    assert "no promptfoo config" in refused(config(text, tmp_path))


@pytest.mark.parametrize("name", ["promptfooconfig.js", "promptfooconfig.ts", "config.mjs", "config.py"])
def test_a_config_that_is_a_program(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a program"):
        import_promptfoo(config("module.exports = {}", tmp_path, name), Notes())


def test_a_folder_without_a_config(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no promptfooconfig"):
        import_promptfoo(tmp_path, Notes())


def test_files_that_lead_back_to_themselves(tmp_path: Path) -> None:
    path = config("prompts: [a]\nproviders: [echo]\ntests: [file://more.yaml]", tmp_path)
    (path.parent / "more.yaml").write_text("- vars: {a: 1}\n- file://more.yaml\n", encoding="utf-8")
    one = imported(path, tmp_path / "project")
    assert "leads back to itself" in one.said(Fate.LEFT_OUT)["file://more.yaml"]
    assert len(one.cases()) == 1


@pytest.mark.parametrize(
    "named",
    [
        *("file://../secret.txt", "file:///etc/hostname", "../secret.txt", "file://a/../../secret.txt"),
        *("file://link.txt", "file://..\\secret.txt", "C:\\secret.txt", "\\\\server\\share\\secret.txt"),
    ],
)
def test_files_outside_of_the_folder_are_not_read(named: str, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("hidden treasure", encoding="utf-8")
    data = {
        "prompts": [named],
        "providers": ["echo"],
        "defaultTest": {"vars": {"a": f"file://{named.removeprefix('file://')}"}},
        "tests": [{"assert": [{"type": "equals", "value": f"file://{named.removeprefix('file://')}"}]}, named],
    }
    (tmp_path / "source").mkdir()
    (tmp_path / "source/link.txt").symlink_to(tmp_path / "secret.txt")
    one = imported_config(data, tmp_path)
    assert "hidden treasure" not in "".join(path.read_text(encoding="utf-8") for path in one.root.rglob("*.*"))
    assert any("outside" in how for how in one.said(Fate.LEFT_OUT).values())


def test_names_as_windows_writes_them(tmp_path: Path) -> None:
    folder = tmp_path / "source" / "sub"
    folder.mkdir(parents=True)
    (folder / "hello.txt").write_text("Hello {{ name }}\r\n---\r\nBye {{ name }}\r\n", encoding="utf-8", newline="")
    (folder / "cases.csv").write_bytes(b"\xef\xbb\xbfname,__expected\r\nAnn,contains:Ann\r\n")
    data = {"prompts": ["file://sub\\hello.txt"], "providers": ["echo"], "tests": "file://sub\\cases.csv"}
    one = imported_config(data, tmp_path)
    assert [draft.data["template"] for draft in one.draft.prompts] == ["Hello {{ name }}", "Bye {{ name }}"]
    assert [case.vars for case in one.cases()] == [{"name": "Ann"}]


def test_an_absolute_path_below_the_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")
    files = ForeignFiles(tmp_path)
    assert files.text(files.path(f"file://{tmp_path.resolve()}/a.txt", None), None) == "a"


def test_too_many_cases(tmp_path: Path) -> None:
    many = [str(number) for number in range(400)]
    data = {"prompts": ["a"], "providers": ["echo"], "tests": [{"vars": {"a": many, "b": many}}]}
    with pytest.raises(ProjectError) as caught:
        imported_config(data, tmp_path)
    assert "more than 100,000 cases" in caught.value.problems[0].message


@pytest.mark.parametrize(
    "data",
    [
        {"prompts": 3, "providers": 4, "tests": 5},
        {"prompts": [None, [], {}], "providers": [None, {}, [], {"id": 3}], "tests": [None, [], {"vars": 3}]},
        {"prompts": {"a": 1}, "providers": {"a": {}}, "tests": {"path": 3}},
        {"prompts": ["{{ a", "{% if %}", "{{ a | nope }}", "\x00"], "providers": ["echo"], "tests": [{}]},
        {"scenarios": [3, {"config": 3, "tests": 4}], "providers": ["echo:"], "prompts": ["a"]},
        {"tests": [{"assert": 3, "options": 4, "metadata": 5, "threshold": "x", "prompts": 6, "providers": {}}]},
        {"tests": [{"assert": [{"type": "contains-all", "value": {}}, {"type": "word-count", "value": {"min": "x"}}]}]},
        {"tests": [{"assert": [{"type": "assert-set", "assert": 3, "threshold": {}}, {"type": "assert-set"}]}]},
        {"tests": [{"assert": [{"type": "is-json", "value": "{"}, {"type": "similar", "value": []}]}]},
        {
            "tests": [{"vars": {"a": None, "b": [None], "c": {"file": "x"}, "d": "\ud800"}}],
            "prompts": ["{{ a }}{{ d }}"],
        },
        {"defaultTest": "file://x", "env": 3, "evaluateOptions": 4, "commandLineOptions": {"repeat": -1}},
        {},
    ],
)
def test_configs_of_the_wrong_shape_end_with_a_project_or_a_sentence(data: object, tmp_path: Path) -> None:
    try:
        one = imported_config(data, tmp_path)
    except LlmctlError as error:
        assert error.message
    else:
        assert one.problems() == []
