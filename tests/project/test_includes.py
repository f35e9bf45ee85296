from __future__ import annotations

import pytest

from llmctl.errors import Severity
from llmctl.project.models import Case
from tests.project.files import Files

HEAD = "evaluators: [exact]\n"


def cases(files: Files, include: str, head: str = HEAD) -> tuple[Case, ...]:
    return files.cases(f"{head}include: [{include}]\n")


def test_the_include_of_the_design(files: Files) -> None:
    files.write(
        "testbanks/t.csv", 'ticket_id;text;queue;customer;labels\n7;"Where, is\nit?";shipping;c1;"a, b"\n8;;;;\n'
    )
    head = HEAD + "defaults: {vars: {brand: Acme}, tags: [all]}\n"
    first, second = cases(
        files,
        "{file: t.csv, columns: {id: ticket_id, vars.ticket: text, expected: queue, group: customer, tags: labels},"
        " set: {tags: [bulk]}, duplicates: error}",
        head,
    )
    assert (first.id, first.expected, first.group) == ("7", "shipping", "c1")
    assert first.vars == {"brand": "Acme", "ticket": "Where, is\nit?"}
    assert first.tags == ("all", "bulk", "a", "b")
    assert [spec.name for spec in first.evaluators] == ["exact"]
    assert str(first.place) == "testbanks/t.csv:2 (row 2)"
    assert (second.vars["ticket"], second.has_expected, second.group, second.tags) == ("", False, None, ("all", "bulk"))


def test_without_columns_each_column_goes_by_its_own_name(files: Files) -> None:
    files.write("testbanks/t.csv", "id,ticket,vars.brand,expected,must_pass,tags\n01,x,Acme,1.10,yes,a;b\n")
    (case,) = cases(files, "{file: t.csv}")
    assert (case.id, case.vars, case.expected) == ("01", {"ticket": "x", "brand": "Acme"}, "1.10")
    assert (case.must_pass, case.tags) == (True, ("a", "b"))


def test_columns_that_are_not_named_are_left_out(files: Files) -> None:
    files.write("testbanks/t.csv", "ticket,internal\nx,secret\n")
    (case,) = cases(files, "{file: t.csv, columns: {vars.ticket: ticket}}")
    assert case.vars == {"ticket": "x"}


def test_inline_cases_come_first_then_includes_in_order(files: Files) -> None:
    for name in "ab":
        files.write(f"testbanks/{name}.csv", f"id,x\n{name},1\n")
    found = files.cases(HEAD + "include: [{file: b.csv}, {file: a.csv}]\ncases: [{id: z}]\n")
    assert [case.id for case in found] == ["z", "b", "a"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.jsonl", '{"id": "a", "ticket": 1.10, "expected": 5, "tags": ["x"], "must_pass": true, "group": null}\n'),
        ("t.json", '[{"id": "a", "ticket": 1.10, "expected": 5, "tags": ["x"], "must_pass": true}]'),
        ("t.yaml", "- {id: a, ticket: 1.10, expected: 5, tags: [x], must_pass: true}"),
        ("t.jsonl", '{"id": "a", "vars": {"ticket": 1.10}, "expected": 5, "tags": ["x"], "must_pass": true}\n'),
        ("t.yaml", "- {id: a, vars: {ticket: 1.10}, expected: 5, tags: [x], must_pass: true}"),
        ("t.csv", "id,ticket,expected,tags,must_pass\na,1.10,5,x,TRUE\n"),
    ],
)
def test_a_case_is_the_same_in_every_format(files: Files, name: str, content: str) -> None:
    files.write(f"testbanks/{name}", content)
    (case,) = cases(files, f"{{file: {name}}}")
    assert (case.id, case.expected, case.tags, case.must_pass, case.group) == ("a", "5", ("x",), True, None)
    assert str(case.vars["ticket"]) == "1.10"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "ticket,count\nx,1.10\n"),
        ("t.jsonl", '{"count": 1.10, "ticket": "x"}\n'),
        ("t.yaml", "- {ticket: x, count: 1.10}"),
        ("t.json", '[{"vars": {"ticket": "x", "count": "1.10"}}]'),
    ],
)
def test_a_hashed_id_is_the_same_in_every_format(files: Files, name: str, content: str) -> None:
    files.write(f"testbanks/{name}", content)
    inline = files.cases(HEAD + "cases: [{vars: {ticket: x, count: 1.10}}]")[0]
    assert cases(files, f"{{file: {name}}}")[0].id == inline.id


def test_a_full_case_in_a_row_may_bring_evaluators_and_files(files: Files) -> None:
    files.write("testbanks/data/t.jsonl", '{"vars": {"doc": {"file": "doc.txt"}}, "evaluators": [{"contains": "a"}]}\n')
    files.write("testbanks/data/doc.txt", "text")
    (case,) = cases(files, "{file: data/t.jsonl}")
    assert case.vars == {"doc": "text"}
    assert [spec.name for spec in case.evaluators] == ["exact", "contains"]


def test_merge_makes_equal_rows_one_weighted_case(files: Files) -> None:
    files.write("testbanks/t.csv", "ticket,expected,tags,must_pass\nx,a,one,\ny,a,,\nx,a,two,yes\nx,b,,\n")
    assert files.try_bank(HEAD + "include: [{file: t.csv, duplicates: merge}]") is None
    files.write("testbanks/t.csv", "ticket,expected,tags,must_pass\nx,a,one,\ny,a,,\nx,a,two,yes\n")
    first, second = cases(files, "{file: t.csv, duplicates: merge}")
    assert (first.vars, first.weight, first.tags, first.must_pass) == ({"ticket": "x"}, 2, ("one", "two"), True)
    assert second.weight == 1


def test_merge_does_not_hide_one_id_with_two_contents(files: Files) -> None:
    files.write("testbanks/t.csv", "id,ticket,expected\n1,x,a\n1,x,b\n")
    assert files.try_bank(HEAD + "include: [{file: t.csv, duplicates: merge}]") is None
    assert files.said() == [
        "testbanks/t.csv:3 (row 3): The id `1` belongs to the case at testbanks/t.csv:2 (row 2) too."
    ]


def test_an_old_encoding_is_a_warning_and_the_bank_is_read(files: Files) -> None:
    files.write("testbanks/t.csv", "ticket\ncafé\n".encode("cp1252"))
    assert cases(files, "{file: t.csv}")[0].vars == {"ticket": "café"}
    assert [problem.severity for problem in files.problems] == [Severity.WARNING]


@pytest.mark.parametrize(
    ("content", "columns", "said"),
    [
        (
            "id,text\n1,x\n1,y\n",
            "",
            "t.csv:3 (row 3): The id `1` belongs to the case at testbanks/t.csv:2 (row 2) too.",
        ),
        (
            "text\nx\nx\n",
            "",
            "t.csv:3 (row 3): This case has the same variables as the one at testbanks/t.csv:2 (row 2).",
        ),
        ("text,must_pass\nx,maybe\n", "", "t.csv:2 (row 2, column must_pass): `must_pass` must be true or false, not"),
        ("a,b\n1,2\n", ", columns: {vars.x: c}", "b.yaml:2:43: The table has no column `c`. It has `a`, `b`."),
        ("a,b\n1,2\n", ", columns: {x: a}", "b.yaml:2:35: A case has no field `x`."),
        ("a,b\n1,2,3\n", "", "t.csv:2 (row 2"),
        ("a\n", "", "b.yaml:1:1: The bank has no cases."),
        ("a\n1\n", ", duplicate: merge", "b.yaml:2:25: There is no key `duplicate`."),
    ],
)
def test_mistakes_name_row_and_column(files: Files, content: str, columns: str, said: str) -> None:
    files.write("testbanks/t.csv", content)
    assert files.try_bank(f"{HEAD}include: [{{file: t.csv{columns}}}]") is None
    (problem,) = files.said()
    assert problem.startswith(f"testbanks/{said}")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('{"id": ["a"]}', "t.jsonl:1 (row 1, column id): `id` must be text, not a list."),
        ('{"tags": {"a": 1}}', "t.jsonl:1 (row 1, column tags): `tags` must be a list of texts, not a mapping."),
        ('{"vars": {}, "tag": "x"}', "t.jsonl:1 (row 1, column tag): There is no key `tag`."),
        ('{"vars": {}, "expected": {"file": "gone"}}', "t.jsonl:1 (row 1, column expected): There is no file"),
        ('{"vars": {}, "evaluators": ["exat"]}', "t.jsonl:1 (row 1, column evaluators): There is no evaluator `exat`."),
    ],
)
def test_mistakes_in_structured_rows(files: Files, row: str, said: str) -> None:
    files.write("testbanks/t.jsonl", row + "\n")
    assert files.try_bank(f"{HEAD}include: [{{file: t.jsonl}}]") is None
    (problem,) = files.said()
    assert problem.startswith(f"testbanks/{said}")


def test_an_unknown_kind_of_table_lists_the_known_ones(files: Files) -> None:
    files.write("testbanks/t.doc", "x")
    assert files.try_bank(f"{HEAD}include: [{{file: t.doc}}]") is None
    (problem,) = files.problems
    assert ".csv" in (problem.hint or "")


def test_row_values_are_never_read_as_files(files: Files) -> None:
    files.write("testbanks/t.jsonl", '{"doc": {"file": "../llmctl.toml"}}\n')
    (case,) = cases(files, "{file: t.jsonl}")
    assert case.vars == {"doc": {"file": "../llmctl.toml"}}
