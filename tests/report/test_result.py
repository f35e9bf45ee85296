"""One result, as `show RUN CASE` shows it."""

from __future__ import annotations

import json

import pytest

from llmctl.canonical import WrittenFloat
from llmctl.outcome import Outcome
from llmctl.providers.records import Attempt, Call
from llmctl.report.documents import json_text, shown_json
from llmctl.report.result import ShownResult, render_result, sent_messages
from llmctl.runs.records import CaseEvent, MetricScore, TargetEvent
from tests.report.samples import HOSTILE, controls, failed, printed, timed_out

REQUEST = json.dumps(
    {
        "model": "gpt-4o-mini",
        "messages": [
            {"role": "system", "content": "You route tickets.\n  billing: cards"},
            {"role": "user", "content": "Ticket: My card was declined, twice!"},
        ],
    }
)


def shown() -> ShownResult:
    scores = (
        MetricScore("exact", "exact", 1.0, 0.0, False, 'The answer is "other".', extracted="other"),
        MetricScore("tone", "not", 0.0, 1.0, True, "It does not say sorry."),
        MetricScore("close", "semantic", 0.5, None, None, "The model did not start.", error=True),
    )
    call = Call(
        "k",
        "openai",
        "openai/gpt-4o-mini",
        "direct",
        "https://api.openai.com/v1",
        Outcome.ANSWERED,
        tool_calls=({"name": "route"},),
        attempts=(
            Attempt(1, 0.0, 1_200.0, Outcome.PROVIDER_ERROR, 503, "The server is busy.", retry_after_s=2.0),
            Attempt(
                2,
                0.0,
                210.0,
                Outcome.ANSWERED,
                200,
                request_id="req_1",
                request_body=REQUEST,
                response_body='{"choices": []}',
                response_headers={"x-request-id": "req_1"},
            ),
        ),
    )
    return ShownResult(
        "0k3jd92ma1x7z",
        failed("card", ttft_ms=33.0, scores=scores, cached=True, output='{"queue":\n "other"}', tags=("smoke",)),
        CaseEvent("triage", "card", {"ticket": "My card"}, must_pass=True, group="g1"),
        call,
        TargetEvent("triage", "triage", "small", "openai/gpt-4o-mini", "direct", "https://api.openai.com/v1"),
    )


EXPECTED = """\
triage / card  failed
  run       0k3jd92ma1x7z
  target    prompt triage, model small (openai/gpt-4o-mini), repeat 1
  outcome   answered (finish reason stop)
  usage     latency 400 ms; first token 33 ms; tokens 40 in, 10 out; cost
            $0.0010; an answer from an earlier call
  score     0
  why       exact: The answer is "other", not "billing".
  case      must pass; group g1; tags smoke

messages
  system    You route tickets.
              billing: cards
  user      Ticket: My card was declined, twice!

expected
  billing

output
  {"queue":
   "other"}

tool calls
  {"name": "route"}

metrics
  exact     failed, score 0
            The answer is "other".
            extracted: other
  tone      passed, score 1, weight 0
            It does not say sorry.
  close     no verdict, score none, weight 0.5
            The model did not start.

attempts
  1   provider_error; HTTP 503; 1.20 s; asked to wait 2 s: The server is busy.
  2   answered; HTTP 200; 210 ms; request id req_1
"""


def test_the_whole_result() -> None:
    assert printed(lambda console: render_result(console, shown())) == EXPECTED


def test_payloads_are_shown_when_asked_for() -> None:
    text = printed(lambda console: render_result(console, shown(), payloads=True), 400)
    assert text.startswith(EXPECTED.split("  usage", maxsplit=1)[0])
    assert f"\nrequest 2\n  {REQUEST}\n" in text
    assert '\nresponse 2\n  {"choices": []}\n' in text
    assert "\nresponse headers 2\n  x-request-id: req_1\n" in text


def test_a_result_alone() -> None:
    text = printed(lambda console: render_result(console, ShownResult("0k3jd92ma1x7z", timed_out("slow"))))
    assert text.startswith("triage / slow  no evidence\n")
    assert "tokens unknown in, unknown out; cost unknown" in text
    assert "\noutput\n  nothing: There was no answer within 60 s.\n" in text
    assert "messages" not in text
    assert "metrics" not in text


def test_without_messages_the_variables_are_shown() -> None:
    case = CaseEvent("triage", "slow", {"ticket": "My card", "version": WrittenFloat(1.1, "1.10")})
    text = printed(lambda console: render_result(console, ShownResult("0k3jd92ma1x7z", timed_out("slow"), case)))
    assert "\nvariables\n  ticket    My card\n  version   1.10\n" in text


@pytest.mark.parametrize(
    "body", ["", "not JSON", "[]", "{}", '{"messages": "x"}', '{"messages": ["x"]}', "[" * 200_000]
)
def test_a_body_that_is_no_chat_request_has_no_messages(body: str) -> None:
    attempt = Attempt(1, 0.0, 1.0, Outcome.ANSWERED, request_body=body)
    assert sent_messages(Call("k", "p", "m", "direct", "", Outcome.ANSWERED, attempts=(attempt,))) is None


def test_very_long_text_is_cut_and_says_so() -> None:
    text = printed(lambda console: render_result(console, ShownResult("r", failed("a", output="x" * 100_000))))
    assert "... 80,000 more characters" in text
    assert len(text) < 40_000


def test_an_empty_output_is_visible() -> None:
    text = printed(lambda console: render_result(console, ShownResult("r", failed("a", output=""))))
    assert '\noutput\n  ""\n' in text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_hostile_reaches_the_terminal(hostile: str) -> None:
    body = json.dumps({"messages": [{"role": hostile, "content": hostile}, {"content": [{"text": hostile}]}]})
    attempt = Attempt(1, 0.0, 1.0, Outcome.ANSWERED, 200, hostile, None, hostile, None, body, hostile, {"x": hostile})
    call = Call("k", "p", "m", "direct", "", Outcome.ANSWERED, tool_calls=({"a": hostile},), attempts=(attempt,))
    score = MetricScore(hostile, "exact", 1.0, 0.0, False, hostile, extracted=hostile)
    result = failed(
        hostile, bank=hostile, prompt=hostile, model=hostile, output=hostile, expected=hostile, reason=hostile,
        finish_reason=hostile, tags=(hostile,), scores=(score,),
    )  # fmt: skip
    case = CaseEvent(hostile, hostile, {hostile: hostile}, group=hostile)
    target = TargetEvent(hostile, hostile, hostile, hostile, "direct", "")
    one = ShownResult(hostile, result, case, call, target)
    without_call = ShownResult(hostile, result, case)
    for width in (80, 140):
        assert controls(printed(lambda console: render_result(console, one, payloads=True), width)) == []
        assert controls(printed(lambda console: render_result(console, without_call), width)) == []
    document = json_text(shown_json([one]))
    assert controls(document) == []
    assert json.loads(document)["results"][0]["verdict"] == "failed"
