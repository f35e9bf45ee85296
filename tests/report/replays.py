"""Reports of replays, plain and hostile."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from llmctl.outcome import Outcome
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.replay.findings import FindingsRequest, ReplayReport, measure
from llmctl.traffic.replay.records import Choice, ChosenCall, LaneAnswer, Mode, ReplayedCall

__all__ = ["ASKED", "hostile_replay", "noisy", "one_change", "replay_of"]

ASKED = "My card was declined."


def replay_of(*calls: ReplayedCall, mode: Mode = Mode.VERBATIM, worst: int = 10) -> ReplayReport:
    """The report of these calls."""
    choice = Choice(1_340, len(calls), Counter({"no messages were logged": 12}), 40, 988)
    request = FindingsRequest(mode, "triage on gpt", worst=worst, run_id="1m85d44r48p5r", choice=choice)
    return measure(calls, request)


def one_change(
    observed: str,
    candidate: LaneAnswer | str,
    baseline: str | None = None,
    *,
    number: int = 1,
    weight: int = 1,
    prompt: str | None = "triage",
    tags: tuple[str, ...] = (),
) -> ReplayedCall:
    """A call whose answers are these."""
    call = LoggedCall(
        "openai_chat", model="gpt-4o", prompt_name=prompt, tags=tags, messages=({"role": "user", "content": ASKED},)
    )
    after = LaneAnswer(Outcome.ANSWERED, candidate) if isinstance(candidate, str) else candidate
    again = None if baseline is None else LaneAnswer(Outcome.ANSWERED, baseline)
    before = LaneAnswer(Outcome.ANSWERED, observed, latency_ms=100.0, cost_usd=0.001)
    return ReplayedCall(
        ChosenCall(f"{number:016x}", call, weight), before, again, replace(after, latency_ms=250.0, cost_usd=0.003)
    )


def noisy(changed: int = 31, rerun: int = 22, of: int = 100) -> list[ReplayedCall]:
    """Calls of which some change, and others when they are asked again."""
    return [
        one_change(
            "billing",
            "shipping" if number < changed else "billing",
            "other" if number >= of - rerun else "billing",
            number=number,
            prompt="triage" if number % 2 else "reply",
        )
        for number in range(of)
    ]


def hostile_replay(text: str) -> ReplayReport:
    """A report in which every text that may come from elsewhere is this one."""
    call = LoggedCall(
        text, model=text, prompt_name=text, tags=(text, "x"), messages=({"role": "user", "content": text},)
    )
    tool = {"id": text, "type": "function", "function": {"name": text, "arguments": text}}
    answers = (
        LaneAnswer(Outcome.ANSWERED, text, passed=True),
        LaneAnswer(Outcome.ANSWERED, text + "b", (tool,), finish_reason=text),
        LaneAnswer(Outcome.ANSWERED, f"{text} c {text}", passed=False, reason=text),
        LaneAnswer(Outcome.PROVIDER_ERROR, None, error=text),
    )
    calls = [
        ReplayedCall(ChosenCall(f"{text}{number}", call), answers[0], answers[0], after)
        for number, after in enumerate(answers)
    ]
    choice = Choice(9, 4, Counter({text: 5}))
    return measure(calls, FindingsRequest(Mode.VERBATIM, text, run_id=text, choice=choice, notes=(text,)))
