"""Sides of files: planned, looked up, scored with today's evaluators, and never sent."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from llmctl.compare.side import Side, SideKind
from llmctl.compare.sides.opening import open_sides
from llmctl.compare.sides.references import resolve, resolve_pair
from llmctl.errors import ProjectError, UsageError
from llmctl.project.git import resolve_commit
from llmctl.runs.selection import PromptReference, Selection
from tests.cli.conftest import BANK, CONFIG, PROMPT, Invoke, write
from tests.cli.git import git
from tests.cli.test_judge import BANK as JUDGED_BANK
from tests.cli.test_judge import CONFIG as JUDGED_CONFIG
from tests.cli.test_judge import PROMPT as JUDGED_PROMPT
from tests.compare.sides.conftest import context, passed, written_to_store
from tests.providers.app.conftest import ends
from tests.support.openai_server import OpenAIServer

RIGHT = """
import os, pathlib
pathlib.Path("ran").write_text(str(os.getpid()))
def right(context):
    return context.output == context.expected
"""


def commit(root: Path, message: str) -> str:
    """Commit everything."""
    git(root, "add", ".")
    git(root, "commit", "-qm", message)
    return resolve_commit(root, "HEAD")


def counts(side: Side) -> tuple[int, int, int]:
    """Planned, missing, unjudged."""
    return side.planned, side.missing, side.unjudged


def test_a_commit_that_changed_no_prompt_needs_no_run(tracked: Path, llmctl: Invoke) -> None:
    assert llmctl("eval").code == 0
    write(tracked, "README.md", "Hello")
    second = commit(tracked, "second")
    look = context(tracked)
    with open_sides(look, *resolve_pair("main~1", None, look)) as sides:
        a, b = sides
        assert (counts(a), counts(b)) == ((3, 0, 0), (3, 0, 0))
        assert passed(a) == passed(b) == {"card": True, "parcel": True, "hours": False}
        assert (a.title, b.title) == (f"main~1 ({resolve_commit(tracked, 'main~1')[:7]})", "the files here")
        assert (a.labels, b.labels) == (("route@main~1",), ("route",))
        assert (a.commit, a.dirty) == (resolve_commit(tracked, "main~1"), False)
        assert (b.commit, b.dirty) == (second, False)
        assert not sides.incomplete
        assert not sides.lacking()


def test_an_uncommitted_edit_lacks_its_answers_and_is_dirty(tracked: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    write(tracked, "prompts/route.yaml", PROMPT.replace("You route", "You sort"))
    look = context(tracked)
    with open_sides(look, *resolve_pair(None, None, look)) as sides:
        head, here = sides
        assert (counts(head), counts(here)) == ((3, 0, 0), (3, 3, 0))
        assert (head.dirty, here.dirty) == (False, True)
        assert here.oldest is None
        assert passed(here) == {}
        assert {(unit.prompt, unit.case_id) for unit in sides.lacking()} == {
            ("route", case) for case in ("card", "parcel", "hours")
        }
        expected = sides.forecast()
        assert expected is not None
        assert (expected.results, expected.kept, expected.calls) == (6, 3, 3)


def test_nothing_is_sent_and_nothing_is_left(server: OpenAIServer, tracked: Path, llmctl: Invoke) -> None:
    assert llmctl("eval").code == 0
    before, sent = written_to_store(tracked), len(server.seen)
    write(tracked, "prompts/route.yaml", PROMPT.replace("You route", "You sort"))
    look = context(tracked)
    with open_sides(look, *resolve_pair(None, None, look)) as sides:
        assert [side.missing for side in sides] == [0, 3]
        assert all(side.database.is_relative_to(tracked / ".llmctl/tmp") for side in sides)
    assert len(server.seen) == sent == 3
    assert written_to_store(tracked) == before


def test_cases_and_evaluators_are_those_that_lie_here(tracked: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    bank = (
        BANK.replace("expected: hours}", "expected: other}") + "  - {id: new, vars: {ticket: A new one}, expected: x}\n"
    )
    write(tracked, "testbanks/route.yaml", bank.replace("- exact", "- exact\n  - contains: i"))
    look = context(tracked)
    with open_sides(look, *resolve_pair("main", None, look)) as (a, b):
        assert counts(a) == counts(b) == (4, 1, 0)
        assert passed(a) == passed(b) == {"card": True, "parcel": True, "hours": False}
        with duckdb.connect(str(a.database), read_only=True) as con:
            found = con.execute("SELECT reason FROM results WHERE case_id = 'hours' AND prompt = 'route'").fetchall()
        assert "contains" in found[0][0]
        assert "exact" not in found[0][0]


def test_a_key_that_is_not_there_keeps_nobody_from_looking(tracked: Path) -> None:
    write(tracked, "llmctl.toml", '[models.fake]\nmodel = "openai/gpt-4o"\napi_key_env = "NO_SUCH_KEY"\n')
    look = context(tracked)
    with open_sides(look, resolve(None, look)) as (side,):
        assert counts(side) == (3, 3, 0)


def test_a_prompt_that_was_not_there_has_cells_on_one_side_only(tracked: Path, llmctl: Invoke) -> None:
    write(tracked, "prompts/new.yaml", PROMPT.replace("You route", "You sort"))
    write(tracked, "testbanks/route.yaml", BANK.replace("[route]", "[route, new]"))
    llmctl("eval")
    look = context(tracked)
    with open_sides(look, *resolve_pair("main", None, look)) as (a, b):
        assert (a.labels, b.labels) == (("route@main",), ("route", "new"))
        assert (counts(a), counts(b)) == ((3, 0, 0), (6, 0, 0))


def test_a_revision_before_all_prompts_is_an_empty_side(tracked: Path) -> None:
    write(tracked, "testbanks/route.yaml", BANK.replace("[route]", "[new]"))
    write(tracked, "prompts/new.yaml", PROMPT)
    look = context(tracked)
    with open_sides(look, resolve("main", look)) as sides:
        (side,) = sides
        assert (counts(side), side.labels) == ((0, 0, 0), ())
        assert not sides.incomplete
        assert passed(side) == {}


def test_a_prompt_that_was_deleted(tracked: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    git(tracked, "mv", "prompts/route.yaml", "prompts/better.yaml")
    write(tracked, "testbanks/route.yaml", BANK.replace("[route]", "[better]"))
    look = context(tracked)
    with open_sides(look, *resolve_pair("main", None, look)) as (a, b):
        assert (a.labels, b.labels) == ((), ("better",))
        assert (counts(a), counts(b)) == ((0, 0, 0), (3, 0, 0))
    # The old prompt against its new name, on the cases of the bank that names one of them.
    with open_sides(look, *resolve_pair("route@main", "better", look)) as (a, b):
        assert (a.labels, b.labels) == (("route@main",), ("better",))
        assert (counts(a), counts(b)) == ((3, 0, 0), (3, 0, 0))
        assert (a.title.partition(" (")[0], b.title) == ("route at main", "better as it lies here")


def test_a_prompt_as_a_side_narrows_the_other(tracked: Path, llmctl: Invoke) -> None:
    write(tracked, "prompts/other.yaml", PROMPT)
    write(tracked, "testbanks/more.yaml", BANK.replace("[route]", "[other, route]"))
    write(tracked, "testbanks/third.yaml", BANK.replace("[route]", "[other]"))
    llmctl("eval")
    look = context(tracked)
    for first, second in (("route", None), ("route@main", "rev:HEAD"), ("route@main", None)):
        with open_sides(look, *resolve_pair(first, second, look)) as (a, b):
            assert {label.partition("@")[0] for side in (a, b) for label in side.labels or ()} == {"route"}
            assert (counts(a), counts(b)) == ((6, 0, 0), (6, 0, 0))
    with open_sides(look, resolve("route", look)) as (side,):
        assert (side.kind, side.prompt, counts(side)) == (SideKind.PROMPT, "route", (6, 0, 0))


def test_two_prompts_are_each_a_side_on_the_banks_of_both(tracked: Path, llmctl: Invoke) -> None:
    write(tracked, "prompts/other.yaml", PROMPT.replace("You route", "You sort"))
    write(tracked, "testbanks/more.yaml", BANK.replace("[route]", "[other]"))
    llmctl("eval")
    look = context(tracked)
    with open_sides(look, *resolve_pair("route", "other", look)) as (a, b):
        assert (a.labels, b.labels) == (("route",), ("other",))
        assert (counts(a), counts(b)) == ((6, 0, 0), (6, 0, 0))


def test_evaluators_that_run_code_judge_too(tracked: Path, llmctl: Invoke) -> None:
    write(tracked, "llmctl.toml", "[project]\nallow_code = true\n" + CONFIG)
    write(tracked, "checks/right.py", RIGHT)
    llmctl("eval")
    write(tracked, "testbanks/route.yaml", BANK.replace("- exact", "- python: checks/right.py:right"))
    look = context(tracked)
    with open_sides(look, *resolve_pair("main", None, look)) as (a, b):
        assert passed(a) == passed(b) == {"card": True, "parcel": True, "hours": False}
        assert counts(a) == counts(b) == (3, 0, 0)
    assert ends(int((tracked / "ran").read_text(encoding="utf-8")))


def test_what_is_selected(tracked: Path, llmctl: Invoke) -> None:
    write(tracked, "prompts/other.yaml", PROMPT)
    write(tracked, "testbanks/more.yaml", BANK.replace("[route]", "[other, route]"))
    llmctl("eval", "-m", "fake", "-m", "echo", "-r", "2")

    def planned(selection: Selection) -> tuple[int, int]:
        look = context(tracked, selection)
        with open_sides(look, resolve(None, look)) as (side,):
            return side.planned, side.missing

    assert planned(Selection()) == (9, 0)
    assert planned(Selection(banks=("more",))) == (6, 0)
    assert planned(Selection(prompts=(PromptReference("other"),))) == (3, 0)
    assert planned(Selection(banks=("route",), prompts=(PromptReference("other"),))) == (3, 0)
    assert planned(Selection(models=("echo",), tags=("smoke",))) == (6, 0)
    assert planned(Selection(pattern="card", repeat=3)) == (9, 3)
    with pytest.raises(UsageError, match="No case is selected"):
        planned(Selection(pattern="nothing"))
    with pytest.raises(UsageError, match="A prompt is chosen without a revision here"):
        planned(Selection(prompts=(PromptReference("route", "main"),)))


def test_models_are_those_of_the_revision(tracked: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    write(tracked, "llmctl.toml", CONFIG.replace('answer = "other"}', 'answer = "hours"}'))
    look = context(tracked)
    with open_sides(look, *resolve_pair("main", None, look)) as (a, b):
        assert (counts(a), counts(b)) == ((3, 0, 0), (3, 3, 0))


def test_an_old_prompt_that_todays_cases_do_not_fit_is_left_out_with_a_warning(tracked: Path, llmctl: Invoke) -> None:
    write(tracked, "prompts/route.yaml", PROMPT.replace("ticket }}", "text }}"))
    write(tracked, "testbanks/route.yaml", BANK.replace("{ticket:", "{text:"))
    llmctl("eval")
    look = context(tracked)
    with open_sides(look, *resolve_pair("main", None, look)) as sides:
        a, b = sides
        assert (counts(a), counts(b)) == ((0, 0, 0), (3, 0, 0))
        (warning,) = sides.warnings
        assert "The prompt route@main cannot be rendered for the case card and 2 more cases" in warning.message
    write(tracked, "prompts/route.yaml", PROMPT)
    with pytest.raises(ProjectError), open_sides(look, resolve(None, look)):
        pass


def test_a_side_against_itself_is_the_same(tracked: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    look = context(tracked)
    reference = resolve("HEAD", look)
    with open_sides(look, reference, reference) as (a, b):
        assert a == b


def test_old_answers_count_and_their_age_is_said(
    tracked: Path, llmctl: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tracked, "llmctl.toml", CONFIG.replace("fake/script", "openai/gpt-4o").replace("options", "# options"))
    with OpenAIServer() as server:
        text = (tracked / "llmctl.toml").read_text(encoding="utf-8")
        write(tracked, "llmctl.toml", text.replace('gpt-4o"', f'gpt-4o"\napi_base = "{server.url}"'))
        assert llmctl("eval").code == 0
    day = 86_400
    later = time.time() + 30 * day
    look, strict = context(tracked), context(tracked, max_age="7d")
    with open_sides(look, resolve(None, look)) as (side,):
        assert (counts(side), side.stale) == ((3, 0, 0), 0)
        assert side.oldest is not None
        assert abs((side.oldest - datetime.now(UTC)).total_seconds()) < 600
    monkeypatch.setattr(time, "time", lambda: later)
    with open_sides(look, resolve(None, look)) as (side,):
        assert (counts(side), side.stale) == ((3, 0, 0), 3)
    with open_sides(strict, resolve(None, strict)) as (side,):
        assert (counts(side), side.stale, side.oldest) == ((3, 3, 0), 0, None)


def test_a_judge_counts_as_far_as_it_has_answered(tmp_path: Path, llmctl: Invoke) -> None:
    write(tmp_path, "llmctl.toml", JUDGED_CONFIG)
    write(tmp_path, "prompts/echo.yaml", JUDGED_PROMPT)
    write(tmp_path, "testbanks/echo.yaml", JUDGED_BANK)
    llmctl("eval")
    look = context(tmp_path)
    with open_sides(look, resolve(None, look)) as (side,):
        assert counts(side) == (3, 0, 0)
        assert passed(side) == {"nice": True, "rude": False, "odd": None}
    write(tmp_path, "testbanks/echo.yaml", JUDGED_BANK.replace("It is polite.", "It is short."))
    with open_sides(look, resolve(None, look)) as sides:
        (side,) = sides
        assert counts(side) == (3, 0, 3)
        assert passed(side) == {}
        assert sides.incomplete
        assert {unit.case_id for unit in sides.lacking()} == {"nice", "rude", "odd"}
        expected = sides.forecast()
        assert expected is not None
        assert (expected.calls, expected.judge_calls) == (0, 3)
