"""`bank import` and `bank export` through the front door."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import openpyxl
import pytest

from tests.cli.conftest import Invoke, write

TABLE = """
Ticket ID;Text;Queue;Labels
7;"My card; twice";billing;"smoke, card"
8;Where is it?;shipping;
9;=1+1;other;
"""
MAPPED = (
    *("--map", "id=Ticket ID", "--map", "vars.ticket=Text", "--map", "expected=Queue", "--map", "tags=Labels"),
    *("--bank", "tickets", "--prompt", "route"),
)


def rows(project: Path, bank: str = "tickets") -> list[dict[str, object]]:
    text = (project / f"testbanks/{bank}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def exported(llmctl: Invoke, *arguments: str) -> list[list[str]]:
    result = llmctl("bank", "export", *arguments)
    assert (result.code, result.err) == (0, "")
    return list(csv.reader(io.StringIO(result.out)))


def csv_text(table: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(table)
    return out.getvalue()


def bank_of(project: Path, *lines: str) -> Path:
    return write(project, "testbanks/route.yaml", "\n".join(["prompts: [route]", "evaluators: [exact]", *lines, ""]))


def test_a_new_bank_that_runs(project: Path, llmctl: Invoke) -> None:
    write(project, "tickets.csv", TABLE)
    write(project, "prompts/route.yaml", "model: fake\ntemplate: '{{ ticket }}'")
    (project / "testbanks/route.yaml").unlink()
    result = llmctl("bank", "import", "tickets.csv", *MAPPED)
    assert (result.code, result.err) == (0, "")
    assert "testbanks/tickets.jsonl" in result.out
    assert "column `Text` -> vars.ticket" in result.out
    assert rows(project) == [
        {"id": "7", "vars": {"ticket": "My card; twice"}, "expected": "billing", "tags": ["smoke", "card"]},
        {"id": "8", "vars": {"ticket": "Where is it?"}, "expected": "shipping"},
        {"id": "9", "vars": {"ticket": "=1+1"}, "expected": "other"},
    ]
    assert llmctl("validate").out == "1 prompt, 1 bank, 3 cases: all good.\n"
    run = llmctl("eval", "tickets", "--json")
    assert json.loads(run.out)["total"]["passed"] == 2


def test_a_guess_is_shown_and_a_dry_run_writes_nothing(project: Path, llmctl: Invoke) -> None:
    write(project, "new.csv", "case_id,Ticket,brand,ideal,note\n1,a,Acme,b,c\n")
    before = sorted(project.rglob("*"))
    result = llmctl("bank", "import", "new.csv", "--dry-run")
    assert result.code == 0
    for line in (
        "column `case_id` -> id (guessed)",
        "column `Ticket` -> vars.ticket (guessed)",
        "column `ideal` -> expected (guessed)",
        "column `note` -> vars.note (guessed)",
        "prompt -> `route`",
    ):
        assert line in result.out
    assert sorted(project.rglob("*")) == before


@pytest.mark.parametrize(
    ("table", "words", "said"),
    [
        ("a,b\n1,2\n", ("--map", "vars.x=c"), "The table has no column `c`."),
        ("a,b\n1,2\n", ("--map", "expcted=b"), "A case has no field `expcted`."),
        ("a,b\n1,2\n", ("--map", "b"), "--map takes NAME=VALUE, not b."),
        ("a,b\n1,2\n", ("--prompt", "gone"), "There is no prompt `gone`."),
        ("a,b\n1,2\n", ("--evaluator", "exakt"), "--evaluator exakt: "),
        ("a,b\n1,2\n", ("--bank", "../x"), "../x is no name of a bank."),
        ("a,b\n1,2\n", ("--bank", "route"), "exists already."),
        ("id,a\n1,2\n1,3\n", (), "Rows 2 and 3 have the id `1` and say different things."),
        ("a,expected\n1,2\n1,3\n", (), "Rows 2 and 3 have the same variables and say different things."),
        ("a,b\n", (), "rows"),
        ("a,a\n1,2\n", (), "The column name `a` stands in A and B."),
        ("id,must_pass,a\n1,maybe,x\n", (), "`must_pass` must be true or false"),
    ],
)
def test_mistakes_write_nothing(project: Path, llmctl: Invoke, table: str, words: tuple[str, ...], said: str) -> None:
    write(project, "new.csv", table)
    before = sorted(project.rglob("*"))
    result = llmctl("bank", "import", "new.csv", *words)
    assert (result.code, result.out) == (2, "")
    assert said in " ".join(result.err.split())
    assert "Traceback" not in result.err
    assert sorted(project.rglob("*")) == before


def test_encodings(project: Path, llmctl: Invoke) -> None:
    for name, data in {
        "bom": "\ufeffticket,expected\r\nGrüße,ä\r\n".encode(),
        "utf16": "ticket\texpected\r\nGrüße\tä\r\n".encode("utf-16"),
        "latin": b"ticket;expected\r\nGr\xfc\xdfe;\xe4\r\n",
    }.items():
        (project / f"{name}.csv").write_bytes(data)
        result = llmctl("bank", "import", f"{name}.csv", "--prompt", "route")
        assert result.code == 0, result.err
        assert rows(project, name) == [{"vars": {"ticket": "Grüße"}, "expected": "ä"}]
        assert ("Windows-1252" in " ".join(result.out.split())) is (name == "latin")


def test_duplicates_and_rows_without_an_answer(project: Path, llmctl: Invoke) -> None:
    write(project, "new.csv", "ticket,expected\na,x\na,x\nb,\n")
    result = llmctl("bank", "import", "new.csv", "--json")
    document = json.loads(result.out)
    assert document["banks"] == {"new": 2}
    said = {note["what"]: note["places"] for note in document["notes"] if note["fate"] == "changed"}
    assert said["duplicate row"] == ["new.csv:3 (row 3)"]
    assert said["row without an expected answer"] == ["new.csv:4 (row 4)"]
    assert rows(project, "new")[1]["evaluators"] == [{"length": {"min": 1}, "metric": "answered"}]


def test_values_that_name_files_are_only_values(project: Path, llmctl: Invoke) -> None:
    write(project, "new.jsonl", '{"vars": {"ticket": {"file": "llmctl.toml"}}, "expected": {"file": "llmctl.toml"}}')
    assert llmctl("bank", "import", "new.jsonl").code == 0
    assert rows(project, "new") == [
        {"vars": {"ticket": '{"file":"llmctl.toml"}'}, "expected": '{"file":"llmctl.toml"}'}
    ]


def test_numbers_keep_their_text(project: Path, llmctl: Invoke) -> None:
    write(project, "new.jsonl", '{"ticket": 1.10, "expected": 1.10}')
    assert llmctl("bank", "import", "new.jsonl").code == 0
    assert (project / "testbanks/new.jsonl").read_text() == '{"vars": {"ticket": 1.10}, "expected": "1.10"}\n'


def test_only_the_edited_cell_changes(project: Path, llmctl: Invoke) -> None:
    bank = project / "testbanks/route.yaml"
    before = bank.read_text(encoding="utf-8")
    table = exported(llmctl, "route")
    assert table[0] == ["id", "brand", "ticket", "expected", "tags"]
    assert table[1] == ["card", "Acme", "My card was declined", "billing", "smoke"]
    text = csv_text(table).replace("shipping", "parcels")
    write(project, "edited.csv", f"{text}new,Acme,Another,other,\n")
    result = llmctl("bank", "import", "edited.csv", "--bank", "route", "--into")
    assert (result.code, result.err) == (0, "")
    assert bank.read_text(encoding="utf-8") == (
        before.replace("expected: shipping", "expected: parcels").rstrip("\n")
        + "\ninclude:\n  - file: route.jsonl"
        + before[len(before.rstrip("\n")) :]
    )
    assert rows(project, "route") == [
        {"id": "new", "vars": {"ticket": "Another", "brand": "Acme"}, "expected": "other"}
    ]
    assert llmctl("validate").out.startswith("1 prompt, 1 bank, 4 cases")
    again = llmctl("bank", "import", "edited.csv", "--bank", "route", "--into")
    assert again.out.startswith("Nothing changed.\n\nConverted")


def test_a_case_without_an_id_keeps_its_own_when_it_is_edited(project: Path, llmctl: Invoke) -> None:
    bank_of(project, "cases:", "  - vars: {ticket: a, brand: b}", "    expected: c")
    table = exported(llmctl, "route")
    write(project, "edited.csv", csv_text(table).replace(",a,", ",z,"))
    assert llmctl("bank", "import", "edited.csv", "--bank", "route", "--into").code == 0
    assert exported(llmctl, "route")[1] == [table[1][0], "z", "b", "c"]


def test_what_cannot_be_changed_is_said_and_nothing_is_written(project: Path, llmctl: Invoke) -> None:
    write(project, "testbanks/more.csv", "id,ticket,expected\nx,a,b\n")
    bank_of(project, "defaults: {tags: [all], vars: {brand: A}}", "include: [{file: more.csv}]")
    write(project, "edited.csv", "id,ticket,expected\nx,a,c\n")
    result = llmctl("bank", "import", "edited.csv", "--bank", "route", "--into")
    assert result.code == 2
    assert "The edited case x stands in testbanks/more.csv, which is a table itself" in " ".join(result.err.split())
    write(project, "new.csv", "id,ticket,expected\ny,a,c\n")
    result = llmctl("bank", "import", "new.csv", "--bank", "route", "--into")
    assert result.code == 2
    assert "`include` is not written as a list with a line for each item" in " ".join(result.err.split())
    assert not (project / "testbanks/route.jsonl").exists()


def test_inherited_tags_cannot_be_taken_away(project: Path, llmctl: Invoke) -> None:
    bank_of(
        project, "defaults: {tags: [all], vars: {brand: A}}", "cases:", "  - {id: x, vars: {ticket: a}, expected: b}"
    )
    before = (project / "testbanks/route.yaml").read_text()
    write(project, "edited.csv", "id,tags\nx,mine\n")
    result = llmctl("bank", "import", "edited.csv", "--bank", "route", "--into")
    assert result.code == 2
    assert "The case x (edited.csv:2 (row 2)) cannot be changed" in " ".join(result.err.split())
    assert (project / "testbanks/route.yaml").read_text() == before
    write(project, "edited.csv", "id,tags\nx,'all, mine'\n".replace("'", '"'))
    assert llmctl("bank", "import", "edited.csv", "--bank", "route", "--into").code == 0
    assert exported(llmctl, "route")[1] == ["x", "A", "a", "b", "all, mine"]


def test_a_workbook_holds_no_formula(project: Path, llmctl: Invoke) -> None:
    hostile = ["=HYPERLINK(1)", "+1", "-1", "@x", "_x0041_", "a\x01b", " two\n lines ", "001", "'q"]
    cases = [{"id": str(i), "vars": {"ticket": text, "brand": "A"}, "expected": "x"} for i, text in enumerate(hostile)]
    bank_of(project, "include:", "  - file: rows.jsonl")
    write(project, "testbanks/rows.jsonl", "\n".join(map(json.dumps, cases)))
    before = (project / "testbanks/rows.jsonl").read_bytes()
    result = llmctl("bank", "export", "route", "-o", "out.xlsx")
    assert (result.code, result.err) == (0, "")
    sheet = openpyxl.load_workbook(project / "out.xlsx").worksheets[0]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} == {"s"}
    for name in ("out.xlsx", "out.jsonl"):
        assert llmctl("bank", "export", "route", "-o", name).code == 0
        back = llmctl("bank", "import", name, "--bank", "route", "--into", "--json")
        assert json.loads(back.out)["files"] == [], back.out
    assert (project / "testbanks/rows.jsonl").read_bytes() == before


def test_apostrophes_protect_and_come_off(project: Path, llmctl: Invoke) -> None:
    bank_of(project, "cases:", "  - {id: x, vars: {ticket: '=1', brand: \"'a\"}, expected: b}")
    table = exported(llmctl, "route", "--apostrophe")
    assert table[1] == ["x", "'=1", "''a", "b"]
    assert exported(llmctl, "route")[1] == ["x", "=1", "'a", "b"]
    write(project, "edited.csv", csv_text(table))
    back = llmctl("bank", "import", "edited.csv", "--bank", "route", "--into", "--apostrophe", "--json")
    assert json.loads(back.out)["files"] == []


def test_evaluators_of_a_case_are_said(project: Path, llmctl: Invoke) -> None:
    bank_of(project, "cases:", "  - {id: x, vars: {ticket: a, brand: b}, expected: b, evaluators: [{contains: c}]}")
    result = llmctl("bank", "export", "route", "-o", "out.csv")
    assert "a case's own evaluators" in result.out
    assert (project / "out.csv").read_bytes().startswith(b"\xef\xbb\xbfid,")
    assert llmctl("bank", "export", "route", "-o", "out.pdf").code == 2
    assert llmctl("bank", "export", "route", "--json").code == 2
    assert llmctl("bank", "export", "gone").code == 2


def test_names_of_columns_cannot_steer_a_terminal(project: Path, llmctl: Invoke) -> None:
    (project / "new.csv").write_text("ticket,\x1b[31mred,expected\na,b,c\n", encoding="utf-8")
    result = llmctl("bank", "import", "new.csv")
    assert "\x1b" not in result.out + result.err
    assert result.code == 0
    assert rows(project, "new") == [{"vars": {"ticket": "a", "brand": "b"}, "expected": "c"}]


def test_a_cell_that_no_workbook_can_hold(project: Path, llmctl: Invoke) -> None:
    bank_of(project, "cases:", f"  - {{id: x, vars: {{ticket: {'a' * 40_000}, brand: b}}, expected: c}}")
    result = llmctl("bank", "export", "route", "-o", "out.xlsx")
    assert result.code == 2
    assert "longer than a cell can be" in " ".join(result.err.split())
    assert sorted(path.name for path in project.iterdir() if "out" in path.name) == []
    assert llmctl("bank", "export", "route", "-o", "out.csv").code == 0


def test_line_ends_and_mark_of_a_file_stay(project: Path, llmctl: Invoke) -> None:
    bank = bank_of(project, "cases:", "  - {id: x, vars: {ticket: a, brand: b}, expected: c}  # ü")
    text = "\ufeff" + bank.read_text(encoding="utf-8").replace("\n", "\r\n")
    bank.write_bytes(text.encode())
    write(project, "edited.csv", "id,expected\nx,d\n")
    assert llmctl("bank", "import", "edited.csv", "--bank", "route", "--into", "--dry-run").code == 0
    assert bank.read_bytes() == text.encode()
    assert llmctl("bank", "import", "edited.csv", "--bank", "route", "--into").code == 0
    assert bank.read_bytes() == text.replace("expected: c", "expected: d").encode()


def test_numbers_that_somebody_typed_into_a_workbook(project: Path, llmctl: Invoke) -> None:
    bank = bank_of(project, "cases:", "  - {id: x, vars: {ticket: 5, brand: '5'}, expected: c}")
    assert llmctl("bank", "export", "route", "-o", "out.xlsx").code == 0
    book = openpyxl.load_workbook(project / "out.xlsx")
    sheet = book.worksheets[0]
    sheet["B2"], sheet["C2"] = 6, 7
    book.save(project / "out.xlsx")
    assert llmctl("bank", "import", "out.xlsx", "--bank", "route", "--into").code == 0
    assert "vars: {ticket: 6, brand: '7'}" in bank.read_text(encoding="utf-8")
