"""Cases are read one at a time, as often as asked: bounded memory, every mistake once, no file left open."""

from __future__ import annotations

import gc
import io
import itertools
import json
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import duckdb
import openpyxl
import pytest

from llmctl.errors import Place, Problem, Severity
from llmctl.project import case_checks
from llmctl.project.loader import read_bank
from llmctl.project.models import Bank
from llmctl.project.sources import WorkingTree
from tests.project.files import EVALUATORS, Files

HEAD = "evaluators: [exact]\n"


def rows(count: int) -> list[dict[str, str]]:
    return [{"id": f"case-{n}", "ticket": f"{n} " + "text " * 20, "expected": "x"} for n in range(count)]


def jsonl(count: int) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows(count)).encode()


def csv(count: int) -> bytes:
    lines = ["id,ticket,expected", *(",".join(row.values()) for row in rows(count))]
    return "\n".join(lines).encode()


def parquet(count: int) -> bytes:
    folder = Path()
    file = folder / "made.parquet"
    with duckdb.connect(":memory:") as connection:
        connection.execute(
            "COPY (SELECT 'case-' || range AS id, range || repeat(' text', 20) AS ticket, 'x' AS expected "
            f"FROM range({count})) TO '{file}' (FORMAT parquet)"
        )
    return file.read_bytes()


def xlsx(count: int) -> bytes:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("cases")
    sheet.append(["id", "ticket", "expected"])
    for row in rows(count):
        sheet.append(list(row.values()))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def include(files: Files, name: str, data: bytes, more: str = "", head: str = HEAD) -> Bank:
    files.write(f"testbanks/{name}", data)
    files.write("testbanks/b.yaml", f"{head}include: [{{file: {name}{more}}}]\n")
    files.problems.clear()
    bank = read_bank(files.config, WorkingTree(files.root), "b", EVALUATORS, files.problems)
    assert bank is not None, files.problems
    return bank


def kept_bytes(bank: Bank, count: int) -> int:
    """What is in memory when the last case has just been read."""
    tracemalloc.start()
    try:
        problems: list[Problem] = []
        cases = bank.read_cases(problems)
        deque(itertools.islice(cases, count - 1), maxlen=0)
        last = next(cases)
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert last.id == f"case-{count - 1}"
    assert (list(cases), problems) == ([], [])
    return kept


@pytest.mark.parametrize(
    ("name", "make", "more"),
    [
        ("t.jsonl", jsonl, ""),
        ("t.jsonl", jsonl, ", duplicates: merge"),
        ("t.jsonl", jsonl, ", columns: {id: id, vars.a: ticket}"),
        ("t.csv", csv, ""),
        ("t.parquet", parquet, ""),
    ],
)
def test_memory_hardly_grows_with_the_number_of_cases(
    files: Files, monkeypatch: pytest.MonkeyPatch, name: str, make: Callable[[int], bytes], more: str
) -> None:
    monkeypatch.chdir(files.root)
    kept_bytes(include(files, name, make(10), more), 10)  # what is imported and compiled once
    few = kept_bytes(include(files, name, make(500), more), 500)
    many = kept_bytes(include(files, name, make(3_000), more), 3_000)
    assert (many - few) / 2_500 < 200


def test_a_workbook_is_read_row_by_row(files: Files) -> None:
    kept_bytes(include(files, "t.xlsx", xlsx(10)), 10)
    few = kept_bytes(include(files, "t.xlsx", xlsx(100)), 100)
    many = kept_bytes(include(files, "t.xlsx", xlsx(900)), 900)
    assert (many - few) / 800 < 300


def test_reading_again_gives_the_same_cases(files: Files) -> None:
    bank = include(files, "t.csv", csv(5), head=HEAD + "cases: [{id: own}]\n")
    first, second = bank.read_cases([]), bank.read_cases([])
    assert [pair for pair in zip(first, second, strict=True) if pair[0] != pair[1]] == []
    assert [case.id for case in bank.read_cases([])] == ["own", *(f"case-{n}" for n in range(5))]


def test_what_is_added_to_the_table_is_read_next_time(files: Files) -> None:
    bank = include(files, "t.csv", csv(1))
    files.write("testbanks/t.csv", csv(3))
    assert len(list(bank.read_cases([]))) == 3


class _Watched(WorkingTree):
    """Remembers every file that it has opened."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.opened: list[BinaryIO] = []

    def open(self, path: PurePosixPath, *, asked_at: Place | None = None) -> BinaryIO:
        self.opened.append(super().open(path, asked_at=asked_at))
        return self.opened[-1]


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet", "t.xlsx"])
def test_whoever_stops_early_leaves_no_file_open(files: Files, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(files.root)
    make = {"t.csv": csv, "t.jsonl": jsonl, "t.parquet": parquet, "t.xlsx": xlsx}[name]
    include(files, name, make(10))
    source = _Watched(files.root)
    bank = read_bank(files.config, source, "b", EVALUATORS, files.problems)
    assert bank is not None
    cases = bank.read_cases([])
    assert next(cases).id == "case-0"
    assert not all(stream.closed for stream in source.opened)
    del cases
    assert all(stream.closed for stream in source.opened)


def test_a_table_that_is_gone_by_now_is_a_problem(files: Files) -> None:
    bank = include(files, "t.csv", csv(3))
    (files.root / "testbanks" / "t.csv").unlink()
    problems: list[Problem] = []
    assert list(bank.read_cases(problems)) == []
    assert [problem.message for problem in problems] == ["There is no file testbanks/t.csv."]


def test_many_rows_with_one_id_are_said_in_bounds(files: Files) -> None:
    bank = include(files, "t.jsonl", b'{"id": "a", "t": 1}\n' * 1_001)
    problems: list[Problem] = []
    deque(bank.read_cases(problems), maxlen=0)
    assert len(problems) == 201
    assert str(problems[0].place) == "testbanks/t.jsonl:2 (row 2)"
    assert problems[0].message == "The id `a` belongs to the case at testbanks/t.jsonl:1 (row 1) too."
    assert problems[-1].message == "There are 800 more problems in these files."


def test_a_row_with_the_id_of_a_case_in_the_banks_file_is_found(files: Files) -> None:
    bank = include(files, "t.csv", csv(2), head=HEAD + "cases:\n  - id: case-1\n")
    problems: list[Problem] = []
    deque(bank.read_cases(problems), maxlen=0)
    assert [f"{problem.place}: {problem.message}" for problem in problems] == [
        "testbanks/t.csv:3 (row 3): The id `case-1` belongs to the case at testbanks/b.yaml:3:5 too."
    ]


def test_ids_whose_hashes_are_the_same_by_chance_are_no_mistake(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = include(files, "t.csv", csv(20))
    monkeypatch.setattr(case_checks, "hash", lambda _: 1, raising=False)
    problems: list[Problem] = []
    assert len(list(bank.read_cases(problems))) == 20
    assert problems == []


def test_a_mistake_in_merged_rows_is_said_once(files: Files) -> None:
    lines = [{"t": "x", "tags": ["a"]}, {"t": "y", "must_pass": "perhaps"}, {"t": "x", "tags": ["b"]}, {"t": "z"}]
    data = "\n".join(map(json.dumps, lines)).encode()
    bank = include(files, "t.jsonl", data, ", duplicates: merge")
    problems: list[Problem] = []
    cases = list(bank.read_cases(problems))
    assert [(case.vars["t"], case.weight, case.tags) for case in cases] == [
        ("x", 2, ("a", "b")),
        ("y", 1, ()),
        ("z", 1, ()),
    ]
    assert len(problems) == 1


@pytest.mark.parametrize(("column", "count"), [("late", 1_000), ("lat", 0)])
def test_a_column_may_first_appear_in_the_last_object(files: Files, column: str, count: int) -> None:
    data = b"".join(b'{"id": %d}\n' % n for n in range(999)) + b'{"id": 999, "late": "x"}\n'
    bank = include(files, "t.jsonl", data, f", columns: {{id: id, vars.x: {column}}}")
    problems: list[Problem] = []
    assert len(list(bank.read_cases(problems))) == count
    assert [problem.message for problem in problems] == (
        [] if count else ["The table has no column `lat`. It has `id`, `late`."]
    )


def test_many_warnings_are_no_error(files: Files) -> None:
    bank = include(files, "t.csv", b"id,t\na,1\n" + b",\n" * 500 + b"b,2\n")
    problems: list[Problem] = []
    assert len(list(bank.read_cases(problems))) == 2
    assert {problem.severity for problem in problems} == {Severity.WARNING}
    assert problems[-1].message == "There are 400 more problems like these."


@pytest.mark.parametrize(
    ("head", "row", "said"),
    [
        ("", {"t": 1}, ["t.jsonl:1 (row 1): 2 cases have no evaluator."]),
        (
            "",
            {"vars": {}, "evaluators": [{"exact": {}, "weight": 0}]},
            ["t.jsonl:1 (row 1): The case `0` has only", "t.jsonl:2 (row 2): The case `1` has only"],
        ),
        (
            "",
            {"vars": {}, "evaluators": ["exat"]},
            ["t.jsonl:1 (row 1, column evaluators): There is no", "t.jsonl:2 (row 2, column evaluators): There is no"],
        ),
        (HEAD, {"t": 1}, []),
    ],
)
def test_rows_that_no_answer_could_fail(files: Files, head: str, row: dict[str, object], said: list[str]) -> None:
    data = "".join(json.dumps({"id": str(n), **row}) + "\n" for n in range(2))
    problems: list[Problem] = []
    deque(include(files, "t.jsonl", data.encode(), head=head).read_cases(problems), maxlen=0)
    found = [f"{problem.place}: {problem.message}" for problem in problems]
    assert len(found) == len(said)
    assert all(one.startswith(f"testbanks/{start}") for one, start in zip(found, said, strict=True))


def test_what_is_wrong_with_rows_is_said_beside_a_mistake_in_the_bank(files: Files) -> None:
    files.write("testbanks/t.jsonl", '{"id": "a"}\n{"id": ["b"]}\n')
    assert files.try_bank(HEAD + "modles: []\ninclude: [{file: t.jsonl}]") is None
    assert [problem.message.split(":")[0] for problem in files.problems] == [
        "There is no key `modles`.",
        "`id` must be text, not a list.",
    ]


def test_the_digest_covers_tables_whatever_their_line_ends(files: Files) -> None:
    before = include(files, "t.csv", b"id\na\n").digest
    assert include(files, "t.csv", b"id\r\na\r\n").digest == before
    assert include(files, "t.csv", b"id\nb\n").digest != before


def test_cases_come_one_by_one(files: Files) -> None:
    bank = include(files, "t.jsonl", jsonl(3) + b"{broken")
    problems: list[Problem] = []
    cases: Iterator[object] = bank.read_cases(problems)
    next(cases)
    assert problems == []
    assert len(list(cases)) == 2
    assert len(problems) == 1
