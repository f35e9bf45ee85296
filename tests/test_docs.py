"""Documentation that cannot rot."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from llmctl.project import schemas

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_command_page_is_the_help() -> None:
    module = generator()
    assert module.PAGE.read_text(encoding="utf-8") == module.page(), "run `make docs`"


def test_every_command_is_on_the_page() -> None:
    import typer.main

    from llmctl.cli.app import app

    names = {info.name for info in app.registered_commands} | {group.name for group in app.registered_groups}
    assert names <= {command.split(" ")[0] for command in generator().COMMANDS}
    assert typer.main.get_command(app).name == "llmctl"


@pytest.mark.parametrize(
    ("pages", "schema"),
    [
        (("configuration.md", "banks.md"), schemas.config_schema()),  # gate rules stand on the page of banks
        (("prompts.md",), schemas.prompt_schema()),
        (("banks.md", "evaluators.md"), schemas.bank_schema({})),
    ],
)
def test_every_key_is_documented(pages: tuple[str, ...], schema: dict[str, object]) -> None:
    text = "\n".join((ROOT / "docs" / page).read_text(encoding="utf-8") for page in pages)
    assert sorted(key for key in _keys(schema) if not re.search(rf"\b{key}\b", text)) == []


def _keys(schema: object) -> set[str]:
    """The names of all properties in a schema."""
    if isinstance(schema, list):
        return set().union(*map(_keys, schema)) if schema else set()
    if not isinstance(schema, dict):
        return set()
    found: set[str] = set()
    for name, part in schema.items():
        if name == "properties" and isinstance(part, dict):
            found |= set(part)
            found |= _keys(list(part.values()))
        else:
            found |= _keys(part)
    return found


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_no_page_installs_the_unrelated_package() -> None:
    for page in PAGES:
        assert not re.search(
            r"(pip|pipx|uv)\b[^\n]* install\b[^\n]* llmctl\b(?!-toolkit)", page.read_text(encoding="utf-8")
        )
