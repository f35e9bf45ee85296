"""`--run-missing`: what sides of files lack becomes a run of the store, and nothing else is sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from llmctl.cli.launch import Ran
from llmctl.cli.run_missing import ending_of, run_missing
from llmctl.cli.session import Session
from llmctl.compare.sides.opening import open_sides
from llmctl.compare.sides.references import SideReference, resolve, resolve_pair
from llmctl.errors import ExitCode
from llmctl.runs.head import RunOptions
from llmctl.runs.selection import Selection
from tests.cli.conftest import BANK, PROMPT, Invoke, write
from tests.cli.test_judge import BANK as JUDGED_BANK
from tests.cli.test_judge import CONFIG as JUDGED_CONFIG
from tests.cli.test_judge import PROMPT as JUDGED_PROMPT
from tests.compare.sides.conftest import context, passed
from tests.support.openai_server import OpenAIServer, Reply

OPTIONS = RunOptions("llmctl diff --run-missing", 8, 60.0)


def runs(root: Path) -> list[str]:
    return sorted(path.stem for path in (root / ".llmctl/runs").glob("*.jsonl"))


def run(
    root: Path, *references: SideReference, options: RunOptions = OPTIONS, selection: Selection | None = None
) -> Ran | None:
    return run_missing(Session(root), context(root, selection), references, options)


def test_last_means_the_run_before_it(tracked: Path, llmctl: Invoke) -> None:
    llmctl("eval", "-k", "card")
    own = runs(tracked)
    look = context(tracked)
    assert run(tracked, *resolve_pair("main", None, look)) is not None
    assert len(runs(tracked)) == 2
    look = context(tracked)
    assert [resolve("@last", look).run_id] == own


def test_only_what_is_missing_is_sent_from_git_without_a_checkout(
    server: OpenAIServer, tracked: Path, llmctl: Invoke
) -> None:
    write(tracked, "prompts/route.yaml", PROMPT.replace("You route", "You sort"))
    llmctl("eval", "-k", "card")
    edited, sent = (tracked / "prompts/route.yaml").read_bytes(), len(server.seen)
    look = context(tracked)
    pair = resolve_pair("main", None, look)
    with open_sides(look, *pair) as sides:
        assert [side.missing for side in sides] == [3, 2]
        expected = sides.forecast()
    ran = run(tracked, *pair)
    assert ran is not None
    assert expected is not None
    assert len(server.seen) - sent == expected.calls == 5
    assert ending_of(ran, 0.02) is None
    assert {text for seen in server.seen for text in [seen.json["messages"][0]["content"]]} == {
        "You route tickets of Acme.",
        "You sort tickets of Acme.",
    }
    assert (tracked / "prompts/route.yaml").read_bytes() == edited
    look = context(tracked)
    with open_sides(look, *pair) as sides:
        assert [side.missing for side in sides] == [0, 0]
        assert all(len(passed(side)) == 3 for side in sides)
    assert len(runs(tracked)) == 2
    assert run(tracked, *pair) is None
    assert len(runs(tracked)) == 2


def test_repeats_that_are_missing(server: OpenAIServer, tracked: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    look = context(tracked)
    ran = run(tracked, resolve(None, look), selection=Selection(repeat=2))
    assert ran is not None
    assert len(server.seen) == 6
    assert [result.repeat for result in ran.run.results()] == [2, 2, 2]


def test_an_old_answer_is_judged_and_not_sent_again(server: OpenAIServer, tracked: Path, llmctl: Invoke) -> None:
    config = (tracked / "llmctl.toml").read_text(encoding="utf-8")
    strict = '[models.strict]\nmodel = "fake/script"\noptions.answer = \'{"reason": "x", "verdict": "pass"}\'\n'
    write(tracked, "llmctl.toml", f'{config}{strict}[judge]\nmodel = "strict"\n[eval]\ncache_max_age = "0s"\n')
    llmctl("eval")
    write(tracked, "testbanks/route.yaml", BANK.replace("- exact", "- judge: It is polite."))
    look = context(tracked)
    with open_sides(look, resolve(None, look)) as (side,):
        assert (side.missing, side.unjudged, side.stale) == (0, 3, 3)
    ran = run(tracked, resolve(None, look), options=replace(OPTIONS, cache_max_age="0s"))
    assert ran is not None
    assert ran.outcome.judges["strict"].sent == 3
    assert len(server.seen) == 3


def test_files_beside_a_run_are_sent_for_its_cases_only(server: OpenAIServer, tracked: Path, llmctl: Invoke) -> None:
    write(tracked, "testbanks/more.yaml", BANK)
    llmctl("eval", "more", "--limit", "2")
    write(tracked, "prompts/route.yaml", PROMPT.replace("You route", "You sort"))
    look = context(tracked)
    assert run(tracked, *resolve_pair("@last", None, look)) is not None
    assert len(server.seen) == 4


def test_a_provider_that_fails_ends_with_4(server: OpenAIServer, tracked: Path) -> None:
    server.script("echo", Reply(status=400))
    look = context(tracked)
    ran = run(tracked, resolve(None, look))
    assert ran is not None
    assert ending_of(ran, 0.02) is ExitCode.UNFINISHED
    with open_sides(look, resolve(None, look)) as (side,):
        assert side.missing == 3


def test_a_budget_ends_with_5(server: OpenAIServer, tracked: Path) -> None:
    write(tracked, "prompts/route.yaml", PROMPT.replace("model: fake", "model: fake\nparams: {max_tokens: 8}"))
    look = context(tracked)
    options = RunOptions("llmctl diff", 1, 60.0, max_cost_usd=0.0)
    ran = run(tracked, resolve(None, look), options=options)
    assert ran is not None
    assert not server.seen
    assert ending_of(ran, 0.02) is ExitCode.STOPPED


def test_a_judge_is_asked_what_it_has_not_answered(tmp_path: Path, llmctl: Invoke) -> None:
    write(tmp_path, "llmctl.toml", JUDGED_CONFIG)
    write(tmp_path, "prompts/echo.yaml", JUDGED_PROMPT)
    write(tmp_path, "testbanks/echo.yaml", JUDGED_BANK)
    llmctl("eval")
    write(tmp_path, "testbanks/echo.yaml", JUDGED_BANK.replace("It is polite.", "It is short."))
    look = context(tmp_path)
    ran = run(tmp_path, resolve(None, look))
    assert ran is not None
    assert ran.outcome.judges["strict"].sent == 3
    with open_sides(context(tmp_path), resolve(None, look)) as (side,):
        assert (side.missing, side.unjudged) == (0, 0)
        assert passed(side) == {"nice": True, "rude": False, "odd": None}
