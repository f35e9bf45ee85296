from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from llmctl.project.code_files import CodeFiles, binds, parse_python
from llmctl.project.sources import WorkingTree


def write(root: Path, *names: str, **contents: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(contents.get(path.stem, ""))


def of_module(root: Path, name: str) -> list[str]:
    files = CodeFiles(WorkingTree(root))
    files.add(PurePosixPath(name))
    return [file.path for file in files.found]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("import helper", ["app/helper.py"]),
        ("import pack.deep", ["pack/__init__.py", "pack/deep.py"]),
        ("from pack import deep", ["pack/__init__.py", "pack/deep.py"]),
        ("from pack.deep import value", ["pack/__init__.py", "pack/deep.py"]),
        ("from . import helper", ["app/helper.py"]),
        ("from .helper import value", ["app/helper.py"]),
        ("from ..pack.deep import value", ["pack/__init__.py", "pack/deep.py"]),
        ("def f():\n    import helper", ["app/helper.py"]),
        ("import os, json.decoder, numpy", []),
        ("from ...... import far", []),
        ("import link", []),
    ],
)
def test_what_a_module_imports_from_the_project(tmp_path: Path, line: str, found: list[str]) -> None:
    root = tmp_path / "project"
    write(root, "app/bot.py", "app/helper.py", "pack/__init__.py", "pack/deep.py", "other.py", bot=line)
    (tmp_path / "outside.py").write_text("")
    (root / "link.py").symlink_to(tmp_path / "outside.py")
    assert of_module(root, "app/bot.py") == sorted(["app/bot.py", *found])


def test_imports_of_imports_and_circles(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "b.py", "c.py", a="import b", b="import c", c="import a")
    assert of_module(tmp_path, "a.py") == ["a.py", "b.py", "c.py"]


def test_the_packages_around_a_module_count(tmp_path: Path) -> None:
    write(tmp_path, "src/pack/__init__.py", "src/pack/bot.py", "src/pack/words.py", bot="from pack import words")
    assert of_module(tmp_path, "src/pack/bot.py") == ["src/pack/__init__.py", "src/pack/bot.py", "src/pack/words.py"]


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        (("python", "app/main.py", "--rules=conf/r.yaml"), ["app/helper.py", "app/main.py", "conf/r.yaml"]),
        (("python", "-m", "app.main"), ["app/helper.py", "app/main.py"]),
        (("./run.sh", "conf/r.yaml"), ["conf/r.yaml", "run.sh"]),
        (("app", "..", "/etc/hostname", "../up", "", "."), []),
    ],
)
def test_the_files_that_a_command_names(tmp_path: Path, argv: tuple[str, ...], found: list[str]) -> None:
    write(tmp_path, "app/main.py", "app/helper.py", "conf/r.yaml", "run.sh", main="from app import helper")
    files = CodeFiles(WorkingTree(tmp_path))
    files.add_arguments(argv)
    assert [file.path for file in files.found] == found


@pytest.mark.parametrize("source", [b"\0", b"(" * 100_000, b"\xff", b"def f(:", b"x = " + b"9" * 5000])
def test_hostile_source_is_a_sentence_or_a_program(source: bytes) -> None:
    tree = parse_python(source)
    assert not isinstance(tree, SyntaxError) or tree.msg


@pytest.mark.parametrize(
    ("source", "bound"),
    [
        ("def answer(): ...", True),
        ("async def answer(): ...", True),
        ("class answer: ...", True),
        ("answer = make()", True),
        ("from bot import answer", True),
        ("from bot import reply as answer", True),
        ("from bot import *", True),
        ("if x:\n    def answer(): ...", True),
        ("print(answer)", False),
        ("from bot import answer as reply", False),
        ("def answers(): ...", False),
    ],
)
def test_whether_a_module_has_the_function(source: str, bound: bool) -> None:
    tree = parse_python(source.encode())
    assert not isinstance(tree, SyntaxError)
    assert binds(tree, "answer") is bound
