"""The report at the end of a run, as a person sees it."""

from __future__ import annotations

import pytest

from llmctl.outcome import Outcome
from llmctl.report.model import RunReport, case_facts
from llmctl.report.tally import Tally
from llmctl.report.terminal import render_report, report_text
from llmctl.runs.records import CaseEvent, MetricScore, RunStatus
from tests.report.samples import failed, head, printed, report_of, result, timed_out


def report() -> RunReport:
    """Two banks, a failed case that must pass, a repeat that failed, and two results without evidence."""
    tally = Tally(case_facts([CaseEvent("triage", "parcel", {}, must_pass=True)]), kept=2)
    long = 'The answer is "other", not "billing": compared with expected, upper and lower case being the same.'
    results = [
        *(result(f"card-{number}", latency_ms=100.0 * number) for number in range(1, 9)),
        failed("lost", bank="router", prompt="router", repeat=2, output="line one\nline two", expected=None),
        failed("late", bank="router", prompt="router"),
        failed("parcel", scores=(MetricScore("exact", "exact", 1.0, 0.0, False, long),)),
        timed_out("slow"),
        timed_out("slower"),
    ]
    for one in results:
        tally.add(one)
    return tally.report(head(14, label="first try"))


AT_80 = """\
By target: each prompt on the bank of its name, model small
  bank    passed      rate [95 %]  coverage     p50     p95  tokens        cost
  router     0/2    0.0 % [0, 66]         ?  400 ms  400 ms     100     $0.0020
  triage     8/9  88.9 % [56, 99]         ?  400 ms  800 ms  >= 450  >= $0.0090

By tag
  tag    passed      rate [95 %]  coverage     p50     p95  tokens     cost
  smoke     8/8  100 % [67, 100]         ?  400 ms  800 ms     400  $0.0080

Failed: 3
  triage / parcel  must pass  triage, small
    expected  billing
    got       other
    why       exact: The answer is "other", not "billing": compared with
              expected, upper and lower case being the same.
  router / lost  router, small, repeat 2
    got       line one⏎line two
    why       exact: The answer is "other", not "billing".
  ... and 1 more

No evidence: 2 (timeout 2)
  timeout  There was no answer within 60 s.
    triage / slow, triage / slower

1 of 14 planned results were not made.
8 of 11 passed: 72.7 % (95 % interval 43 to 91); coverage 78.6 %; 3 failed;
2 without evidence; 13 calls sent; at least 550 tokens; cost at least $0.011;
14.2 s.
Run 0k3jd92ma1x7z (first try). Next: llmctl eval --resume 0k3jd92ma1x7z
"""

AT_140 = """\
By target: each prompt on the bank of its name, model small
  bank    passed      rate [95 %]  coverage     p50     p95  tokens        cost
  router     0/2    0.0 % [0, 66]         ?  400 ms  400 ms     100     $0.0020
  triage     8/9  88.9 % [56, 99]         ?  400 ms  800 ms  >= 450  >= $0.0090

By tag
  tag    passed      rate [95 %]  coverage     p50     p95  tokens     cost
  smoke     8/8  100 % [67, 100]         ?  400 ms  800 ms     400  $0.0080

Failed: 3
  triage / parcel  must pass  triage, small
    expected  billing
    got       other
    why       exact: The answer is "other", not "billing": compared with expected, upper and lower case being the same.
  router / lost  router, small, repeat 2
    got       line one⏎line two
    why       exact: The answer is "other", not "billing".
  ... and 1 more

No evidence: 2 (timeout 2)
  timeout  There was no answer within 60 s.
    triage / slow, triage / slower

1 of 14 planned results were not made.
8 of 11 passed: 72.7 % (95 % interval 43 to 91); coverage 78.6 %; 3 failed; 2 without evidence; 13 calls sent; at least 550 tokens;
cost at least $0.011; 14.2 s.
Run 0k3jd92ma1x7z (first try). Next: llmctl eval --resume 0k3jd92ma1x7z
"""  # noqa: E501


@pytest.mark.parametrize(("width", "expected"), [(80, AT_80), (140, AT_140)])
def test_the_whole_report(width: int, expected: str) -> None:
    assert printed(lambda console: render_report(console, report()), width) == expected


def test_lines_fit_the_console() -> None:
    for width in (80, 100, 140):
        lines = printed(lambda console: render_report(console, report()), width).split("\n")
        assert max(map(len, lines)) <= width
        assert all(line == line.rstrip() for line in lines)


def test_colour_only_on_a_terminal_and_never_with_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    def escapes(**options: object) -> bool:
        text = printed(lambda console: render_report(console, report()), **options)  # type: ignore[arg-type]
        return "\x1b[31m" in text

    assert not escapes()
    assert escapes(force_terminal=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not escapes(force_terminal=True)


def test_all_passed() -> None:
    text = printed(lambda console: render_report(console, report_of([result("a"), result("b")])), 100)
    assert "Failed" not in text
    assert "coverage" not in text
    assert "2 of 2 passed: 100 % (95 % interval 34 to 100); 2 calls sent; 100 tokens; cost $0.0020; 14.2 s.\n" in text
    assert text.endswith("Run 0k3jd92ma1x7z. Next: llmctl show 0k3jd92ma1x7z\n")


def test_a_failed_case_is_what_comes_next() -> None:
    text = printed(lambda console: render_report(console, report_of([result("a"), failed("b")])))
    assert text.endswith("Run 0k3jd92ma1x7z. Next: llmctl show 0k3jd92ma1x7z b\n")


def test_an_empty_run_never_looks_like_a_pass() -> None:
    text = printed(lambda console: render_report(console, report_of([], planned=0)))
    assert text == ("No result: nothing was evaluated.\nRun 0k3jd92ma1x7z. Next: llmctl show 0k3jd92ma1x7z\n")


def test_only_missing_evidence_has_no_rate() -> None:
    text = printed(lambda console: render_report(console, report_of([timed_out("a")])))
    assert "0 of 0 passed: no pass rate; coverage 0.0 %; 1 without evidence;" in text


def test_an_interrupted_run_says_what_is_missing() -> None:
    interrupted = report_of([result("a")], planned=3, status=RunStatus.INTERRUPTED)
    text = printed(lambda console: render_report(console, interrupted))
    assert "2 of 3 planned results were not made.\n" in text
    assert "coverage 33.3 %" in text
    assert text.endswith("Run 0k3jd92ma1x7z interrupted. Next: llmctl eval --resume 0k3jd92ma1x7z\n")


def test_a_stopped_run_says_why_and_the_command_stays_in_one_line() -> None:
    reason = "The budget of $5.00 is used up: 12 of 20 calls were not sent."
    stopped = report_of([result("a"), failed("b")], planned=20, status=RunStatus.STOPPED, error=reason)
    lines = printed(lambda console: render_report(console, stopped)).splitlines()
    assert " ".join(lines[-3:-1]) == f"Run 0k3jd92ma1x7z stopped: {reason}"
    assert lines[-1] == "Next: llmctl eval --resume 0k3jd92ma1x7z"


def test_a_run_that_goes_on_or_has_everything_is_not_resumed() -> None:
    going_on = report_of([result("a")], planned=3, status=RunStatus.RUNNING)
    assert "Next: llmctl show" in printed(lambda console: render_report(console, going_on))
    whole = report_of([result("a")], status=RunStatus.INTERRUPTED)
    assert "interrupted. Next: llmctl show" in printed(lambda console: render_report(console, whole))


def test_a_run_from_what_is_stored_sent_nothing() -> None:
    text = printed(lambda console: render_report(console, report_of([result(name, cached=True) for name in "ab"])))
    assert "no call sent, 2 answers reused" in text


def test_a_failed_run_says_why() -> None:
    stopped = report_of([result("a")], status=RunStatus.FAILED, error="The disk is full.")
    assert "Run 0k3jd92ma1x7z failed: The disk is full." in printed(lambda console: render_report(console, stopped))


def test_unknown_cost_stays_unknown() -> None:
    unknown = report_of([result("a", cost_usd=None), result("b", cost_usd=None)])
    assert "cost unknown" in printed(lambda console: render_report(console, unknown))
    partly = report_of([result("a", cost_usd=None), result("b")])
    assert "cost at least $0.0010" in printed(lambda console: render_report(console, partly))


def test_reused_answers_are_said() -> None:
    reused = report_of([result("a", cached=True), result("b")])
    text = " ".join(printed(lambda console: render_report(console, reused)).split())
    assert "; 1 call sent, 1 answer reused; 100 tokens; cost $0.0020, spent now $0.0010; 14.2 s." in text


def test_a_reason_that_all_share_is_said_once() -> None:
    down = report_of([timed_out(f"case-{number}", outcome=Outcome.PROVIDER_ERROR) for number in range(15)])
    text = printed(lambda console: render_report(console, down))
    assert text.count("There was no answer within 60 s.") == 1
    assert all(f" case-{number}" in text for number in range(15))


def test_a_broken_evaluator_says_what_broke() -> None:
    scores = (
        MetricScore("exact", "exact", 1.0, 0.0, False, "Not the same."),
        MetricScore("close", "semantic", 1.0, None, None, "The embedding model did not start.", error=True),
    )
    broken = report_of([result("a", passed=None, score=None, scores=scores)])
    text = printed(lambda console: render_report(console, broken))
    assert "No evidence: 1 (evaluator 1)\n  evaluator  close: The embedding model did not start.\n" in text
    assert "Not the same." not in text


def test_observed_metrics_are_not_reasons() -> None:
    scores = (
        MetricScore("exact", "exact", 1.0, 0.0, False, "Not the same."),
        MetricScore("tone", "contains", 0.0, 0.0, False, "It says sorry."),
    )
    text = printed(lambda console: render_report(console, report_of([failed("a", scores=scores)])))
    assert "exact: Not the same." in text
    assert "It says sorry." not in text


def test_names_that_do_not_fit_stand_above_their_numbers() -> None:
    wide = report_of([result("a", prompt="p" * 40, model="m" * 40)])
    lines = printed(lambda console: render_report(console, wide)).split("\n")
    assert lines[2] == f"  triage  {'p' * 40}  {'m' * 27}…"
    assert lines[3].split()[:2] == ["1/1", "100"]


def test_a_console_too_narrow_for_a_line_gets_it_whole() -> None:
    # The terminal folds it; a line broken by us would be pasted with the break in it.
    assert printed(lambda console: render_report(console, report()), 20) == report_text(report(), 20).plain
