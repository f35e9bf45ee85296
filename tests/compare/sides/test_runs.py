"""Runs as sides, and files beside a run: planned for what the run was about."""

from __future__ import annotations

from pathlib import Path

from llmctl.compare.side import SideKind
from llmctl.compare.sides.opening import open_sides
from llmctl.compare.sides.references import resolve, resolve_pair
from llmctl.project.git import resolve_commit
from llmctl.runs.append_file import AppendFile, FileCalls
from llmctl.runs.selection import Selection
from tests.cli.conftest import BANK, PROMPT, Invoke, write
from tests.cli.git import git
from tests.compare.sides.conftest import context, passed, written_to_store


def test_a_run_lies_in_the_store_as_it_is(tracked: Path, llmctl: Invoke) -> None:
    llmctl("eval", "--label", "nightly")
    look = context(tracked)
    with open_sides(look, resolve("@last", look)) as sides:
        (side,) = sides
        assert (side.kind, side.database) == (SideKind.RUN, tracked / ".llmctl/llmctl.duckdb")
        assert side.title == f"run {side.run_id} (nightly)"
        assert (side.commit, side.dirty, side.labels) == (resolve_commit(tracked, "HEAD"), False, None)
        assert (side.planned, side.missing, side.unjudged, side.notes) == (3, 0, 0, ())
        assert passed(side) == {"card": True, "parcel": True, "hours": False}
        assert not sides.incomplete
        assert sides.forecast() is None
        assert written_to_store(tracked) == [f"{side.run_id}.jsonl"]


def test_a_run_that_did_not_end_says_so(tracked: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    look = context(tracked)
    reference = resolve("@last", look)
    journal = tracked / f".llmctl/runs/{reference.run_id}.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-2]))
    with open_sides(look, reference) as (side,):
        assert (side.planned, side.missing) == (3, 1)
        (note,) = side.notes
        assert note.startswith(f"The run {side.run_id} did not come to its end: 2 of 3 results are there.")
        assert note.endswith(f"`llmctl eval --resume {side.run_id}` goes on with it.")
    file = AppendFile(journal, FileCalls())  # as the process that is still at it holds it
    with open_sides(look, reference) as (side,):
        assert side.notes == (f"The run {side.run_id} is still going on: 2 of 3 results are there.",)
    file.close()


def test_files_beside_a_run_are_planned_for_its_cells_and_cases(tracked: Path, llmctl: Invoke) -> None:
    write(tracked, "prompts/other.yaml", PROMPT)
    write(tracked, "testbanks/more.yaml", BANK.replace("[route]", "[other, route]"))
    llmctl("eval", "more", "-p", "other", "-m", "echo", "-t", "hard", "-t", "smoke", "--limit", "1")
    look = context(tracked)
    with open_sides(look, *resolve_pair("@last", None, look)) as (a, b):
        assert (a.planned, b.planned, b.missing) == (1, 1, 0)
        assert b.labels == ("other",)
        assert passed(a) == passed(b) == {"card": False}
    # Beside a prompt of another name the run gives banks, cases and models.
    with open_sides(look, *resolve_pair("@last", "route@main", look)) as (a, b):
        assert (b.planned, b.labels) == (1, ("route@main",))
        assert passed(b) == {"card": False}


def test_repeats_beside_a_run_are_those_that_are_asked_for(tracked: Path, llmctl: Invoke) -> None:
    llmctl("eval", "-r", "3")
    look = context(tracked, Selection(repeat=2))
    with open_sides(look, *resolve_pair("@last", None, look)) as (a, b):
        assert (a.planned, b.planned, b.missing) == (9, 6, 0)


def test_a_case_that_is_gone_is_on_one_side_only(tracked: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    write(tracked, "testbanks/route.yaml", BANK.replace("id: card", "id: credit-card"))
    look = context(tracked)
    with open_sides(look, *resolve_pair("@last", None, look)) as (a, b):
        assert set(passed(a)) == {"card", "parcel", "hours"}
        assert set(passed(b)) == {"parcel", "hours"}
        assert (b.planned, b.missing) == (2, 0)


def test_of_several_versions_in_a_run_one_counts(tracked: Path, llmctl: Invoke) -> None:
    write(tracked, "prompts/route.yaml", PROMPT.replace("You route", "You sort"))
    llmctl("eval", "-p", "route@main", "-p", "route")
    look = context(tracked)
    with open_sides(look, resolve("@last", look)) as (side,):
        assert side.labels == ("route",)
        assert "of those, route@main is left out here" in side.notes[0]


def test_a_run_whose_prompt_was_deleted_beside_files(tracked: Path, llmctl: Invoke) -> None:
    write(tracked, "prompts/other.yaml", PROMPT)
    write(tracked, "testbanks/route.yaml", BANK.replace("[route]", "[other, route]"))
    llmctl("eval")
    write(tracked, "testbanks/route.yaml", BANK.replace("[route]", "[other]"))
    git(tracked, "rm", "-q", "prompts/route.yaml")
    look = context(tracked)
    with open_sides(look, *resolve_pair("@last", None, look)) as (a, b):
        assert a.labels is None
        assert b.labels == ("other",)
        assert b.planned == 3
