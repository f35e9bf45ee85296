"""What the names of columns suggest, and cells that a spreadsheet writes back in its own way."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmctl.errors import Place, ProjectError
from llmctl.importers.bank.cells import Absent, Cell, cell_text, edited
from llmctl.importers.bank.columns import guessed_map
from llmctl.project.models import Case

PLACE = Place(Path("t.csv"), 2)

GUESSES: list[tuple[list[str], set[str], dict[str, str]]] = [
    (["id", "ticket", "expected"], set(), {"id": "id", "vars.ticket": "ticket", "expected": "expected"}),
    (["Text", "Ideal"], {"ticket"}, {"vars.ticket": "Text", "expected": "Ideal"}),
    (["Ticket", "ticket"], {"Ticket", "ticket"}, {"vars.Ticket": "Ticket", "vars.ticket": "ticket"}),
    (["label", "expected"], {"label"}, {"vars.label": "label", "expected": "expected"}),
    (["label", "question"], set(), {"expected": "label", "vars.question": "question"}),
    (["vars.id", "id"], {"id"}, {"vars.id": "vars.id", "id": "id"}),
    (["tags", "vars.tags"], {"tags"}, {"tags": "tags", "vars.tags": "vars.tags"}),
    (["First name", "2nd"], set(), {"vars.first_name": "First name", "vars.c_2nd": "2nd"}),
    (["A b", "a-b"], set(), {"vars.a_b": "A b", "vars.a_b_2": "a-b"}),
    (["质问"], set(), {"vars.质问": "质问"}),
]


@pytest.mark.parametrize(("columns", "variables", "fields"), GUESSES)
def test_guesses(columns: list[str], variables: set[str], fields: dict[str, str]) -> None:
    assert guessed_map(columns, variables).columns == fields


def case(**values: object) -> Case:
    return Case("b", "x", {"v": "a"}, (), **values)  # type: ignore[arg-type]


def change(one: Case, field: str, value: object, *, is_text: bool = True) -> object:
    return edited(one, field, Cell(value, PLACE, is_text))


def test_line_ends_are_no_edit() -> None:
    one = Case("b", "x", {"v": "two\nlines"}, ())
    assert change(one, "vars.v", "two\r\nlines") is None
    assert change(one, "vars.v", "two\r\nlines!") == "two\r\nlines!"


def test_a_value_keeps_its_kind() -> None:
    one = Case("b", "x", {"number": 5, "flag": True, "list": [1], "map": {"a": 1}}, ())
    assert change(one, "vars.number", "6") == 6
    assert str(change(one, "vars.number", "1.10")) == "1.10"
    assert change(one, "vars.number", "six") == "six"
    assert change(one, "vars.flag", "FALSE") is False
    assert change(one, "vars.list", "[1, 2]") == [1, 2]
    assert change(one, "vars.map", '{"a":1}') is None
    with pytest.raises(ProjectError):
        change(one, "vars.list", '{"a": 1}')


def test_tags_expected_and_group() -> None:
    one = case(expected="a", has_expected=True, tags=("a b", "c"), group="g", must_pass=True)
    assert cell_text(one, "tags") == "a b, c"
    assert change(one, "tags", "c; d") == ["c", "d"]
    assert isinstance(change(one, "tags", ""), Absent)
    assert cell_text(case(tags=("a,b", "c")), "tags") == '["a,b", "c"]'
    assert change(one, "tags", '["x,y"]') == ["x,y"]
    assert isinstance(change(one, "expected", ""), Absent)
    assert isinstance(change(one, "group", ""), Absent)
    assert isinstance(change(one, "must_pass", "no"), Absent)
    assert change(case(), "must_pass", "x") is True
    with pytest.raises(ProjectError):
        change(one, "must_pass", "perhaps")
    assert change(case(), "expected", "") is None
