"""A replay on a terminal, in Markdown, as JSON and as a file: what it says, and that nothing in it acts."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from llmctl.errors import UsageError
from llmctl.outcome import Outcome
from llmctl.report.replay import render_replay, replay_text
from llmctl.report.replay_document import replay_json
from llmctl.report.replay_files import check_replay_output, write_replay
from llmctl.report.replay_markdown import write_replay_markdown
from llmctl.safe_text import safe_text
from llmctl.traffic.replay.findings import ReplayReport
from llmctl.traffic.replay.records import LaneAnswer, Mode, ReplayedCall
from tests.report.replays import ASKED, hostile_replay, noisy, one_change, replay_of
from tests.report.samples import HOSTILE, controls, printed

CUT_OFF = LaneAnswer(Outcome.TRUNCATED, "bill", finish_reason="length")


def flat(report: ReplayReport, width: int = 140) -> str:
    return " ".join(printed(lambda console: render_replay(console, report), width).split())


def markdown(report: ReplayReport) -> str:
    file = io.StringIO()
    write_replay_markdown(file, report)
    return file.getvalue()


def test_the_noise_stands_beside_the_change() -> None:
    said = flat(replay_of(*noisy()))
    assert "Changed 31.0 % of requests; the model itself changed 22.0 %; the difference is +9.0 points (95 %: " in said
    assert "(95 %: -5.4 to +23.0)." in said


def test_a_difference_that_may_be_nothing_is_said_to_be() -> None:
    assert "The interval holds 0" in flat(replay_of(*noisy()))
    assert "The interval holds 0" not in flat(replay_of(*noisy(60, 5)))


def test_without_a_rerun_the_noise_is_unknown() -> None:
    said = flat(replay_of(one_change("billing", "shipping")))
    assert "Changed 100 % [20, 100] of requests." in said
    assert "`--baseline rerun` asks it again" in said


def test_what_broke_and_what_could_break_unseen() -> None:
    assert "Broken 50.0 % [9, 91]: truncated 1." in flat(
        replay_of(one_change("billing", CUT_OFF), one_change("billing", "billing", number=2))
    )
    assert "No answer is broken (at most 3.7 % of requests like these, 95 %)." in flat(replay_of(*noisy()))
    assert "Mended 100 % [20, 100]." in flat(replay_of(one_change("", "billing")))


def test_what_was_chosen_and_what_stands_for_more() -> None:
    said = flat(replay_of(one_change("a", "b", weight=7)))
    assert "1 call of 1,340 taken; 40 calls that another one stands for, 988 calls not drawn." in said
    assert "12 calls set aside: no messages were logged 12." in said
    assert "1 call stands for 7 logged ones" in said
    assert "stands for 7 calls" in said


def test_a_changed_call_shows_its_question_and_the_words_that_differ() -> None:
    said = flat(replay_of(one_change("The card is in queue billing now.", "The card is in queue shipping now.")))
    assert f"asked {ASKED}" in said
    assert "[-billing-]{+shipping+}" in said


def test_what_is_not_listed_is_counted() -> None:
    assert "... and 29 more (--worst N)" in flat(replay_of(*noisy(), worst=2))
    assert "... and 29 more." in markdown(replay_of(*noisy(), worst=2))


def test_tables_by_prompt_only_where_there_are_several() -> None:
    assert "By prompt" in flat(replay_of(*noisy()))
    assert "By prompt" not in flat(replay_of(one_change("a", "b")))
    assert "By model" not in flat(replay_of(*noisy()))


def test_a_mode_that_asks_nothing_lists_what_fails() -> None:
    [call] = [one_change("billing", "x")]
    call = replace(call, observed=replace(call.observed, passed=False, reason="Not shipping."), candidate=None)
    said = flat(replay_of(call, mode=Mode.OUTPUT_ONLY))
    assert "0.0 % [0, 80] of the logged answers pass." in said
    assert "Logged answers that fail: 1" in said
    assert "why Not shipping." in said


def test_several_candidates_stand_in_one_report() -> None:
    one, other = replay_of(one_change("a", "b")), replay_of(one_change("a", "a"))
    both = one.with_others(other)
    assert len(both.candidates) == 2
    assert flat(both).count("triage on gpt") == 2


@pytest.mark.parametrize("width", [80, 140])
def test_lines_fit(width: int) -> None:
    report = replay_of(*noisy(), one_change("word " * 200, CUT_OFF, "word " * 190, number=200, tags=("a" * 300, "b")))
    assert max(cell_len(line) for line in replay_text(report, width).plain.splitlines()) <= width


def test_the_document(tmp_path: Path) -> None:
    document = json.loads(json.dumps(replay_json(replay_of(*noisy()))))
    assert document["schema"] == "llmctl/replay/1"
    [candidate] = document["candidates"]
    assert [(one["before"], one["after"]) for one in candidate["comparisons"]] == [
        ("observed", "candidate"),
        ("observed", "baseline"),
        ("baseline", "candidate"),
    ]
    assert candidate["noise"]["difference"]["value"] == pytest.approx(0.09)
    assert candidate["comparisons"][0]["kinds"]["changed"]["calls"] == 31
    assert candidate["ratios"][0]["latency"]["value"] == 2.5
    assert candidate["worst"][0]["kind"] == "changed"
    assert document["choice"]["set_aside"] == {"no messages were logged": 12}


def test_the_step_of_a_tool_call_is_in_the_document() -> None:
    tool = {"id": "t", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    report = replay_of(one_change("billing", LaneAnswer(Outcome.ANSWERED, "billing", (tool,))))
    [candidate] = replay_json(report)["candidates"]
    assert candidate["comparisons"][0]["tool_call_steps"] == {"1": 1}
    assert candidate["worst"][0]["broken"] == {"fault": "tool call", "detail": "find is one too many", "step": 1}
    assert "tool call 1 (1 at step 1)" in flat(report)


@pytest.mark.parametrize("name", ["r.json", "r.md", "R.HTML"])
def test_files_by_their_ending(tmp_path: Path, name: str) -> None:
    write_replay(tmp_path / name, replay_of(*noisy()))
    text = (tmp_path / name).read_text(encoding="utf-8")
    assert "the model itself changed 22.0 %" in text


def test_another_ending_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"r\.csv"):
        check_replay_output(tmp_path / "r.csv")
    with pytest.raises(UsageError):
        write_replay(tmp_path / "r.csv", replay_of())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.text(st.characters(exclude_categories=()), max_size=200), st.sampled_from(HOSTILE[:-8])))
def test_any_text(text: str) -> None:
    report = hostile_replay(text)
    for width in (20, 80):
        assert controls(printed(lambda console: render_replay(console, report), width)) == []
    written = markdown(report)
    assert safe_text(written) == written
    json.dumps(replay_json(report))


def test_nothing_of_a_log_is_markdown() -> None:
    written = markdown(hostile_replay("![x](http://evil.example) @all <b>"))
    outside, inside = [], False
    for line in written.splitlines():
        inside = inside is not line.startswith("```")
        outside.append("" if inside else line)
    bare = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", "\n".join(outside))
    assert "@all" not in bare


def test_an_empty_replay() -> None:
    calls: list[ReplayedCall] = []
    assert "Nothing can be compared" in flat(replay_of(*calls))
    assert "Nothing can be compared" in markdown(replay_of(*calls))
