"""What a replay says in sentences: how much changed, how much of it is the model's own noise, and what broke."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from llmctl.compare.diff_report import Difference
from llmctl.report.diff_words import bounds, points
from llmctl.report.numbers import NONE, count, interval_text, percent
from llmctl.safe_text import one_line
from llmctl.traffic.replay.findings.report import (
    Break,
    CandidateFindings,
    Comparison,
    Fault,
    Kind,
    Noise,
    ReplayReport,
    Share,
    WorstCall,
)
from llmctl.traffic.replay.records import Choice, Lane, Mode

__all__ = [
    "LANES",
    "break_text",
    "broken_sentence",
    "choice_sentences",
    "comparison_title",
    "evidence_sentences",
    "gap_sentences",
    "is_worse",
    "kind_text",
    "replay_headline",
    "replay_title",
    "share_text",
    "worst_marks",
]

LANES: Final = {Lane.OBSERVED: "logged", Lane.BASELINE: "asked again", Lane.CANDIDATE: "candidate"}
"""What each lane is called."""


def replay_title(report: ReplayReport) -> str:
    """`Replay, verbatim, run 01JD...`."""
    return f"Replay, {report.mode}" + (f", run {one_line(report.run_id, 60)}" if report.run_id else "")


def choice_sentences(choice: Choice | None) -> Iterator[str]:
    """What of the traffic was taken, and what became of the rest."""
    if choice is None:
        return
    rest = [
        *([f"{_calls(choice.duplicates)} that another one stands for"] if choice.duplicates else []),
        *([f"{_calls(choice.not_sampled)} not drawn"] if choice.not_sampled else []),
    ]
    yield f"{_calls(choice.chosen)} of {count(choice.looked_at)} taken" + (f"; {', '.join(rest)}." if rest else ".")
    if choice.set_aside:
        reasons = ", ".join(
            f"{one_line(reason, 120)} {count(number)}" for reason, number in choice.set_aside.most_common()
        )
        yield f"{_calls(choice.set_aside.total())} set aside: {reasons}."


def replay_headline(found: CandidateFindings) -> str:
    """The first sentence on a candidate: how many answers differ, beside how many differ by themselves."""
    change = found.comparison(Lane.OBSERVED, Lane.CANDIDATE)
    if change is None or change.differs.rate is None:
        return _scored(found)
    if found.noise is None:
        return f"Changed {share_text(change.differs)} of requests."
    noise = found.noise
    return (
        f"Changed {percent(noise.candidate.rate or 0, 1)} of requests; the model itself changed "
        f"{percent(noise.rerun.rate or 0, 1)}; the difference is {_points(noise.difference)}."
    )


def _scored(found: CandidateFindings) -> str:
    """The same where no answer was made anew."""
    judged = next((lane.passed for lane in found.lanes if lane.passed), None)
    if judged is None:
        return "Nothing can be compared: no call has an answer in both lanes."
    return f"{share_text(judged)} of the logged answers pass."


def is_worse(found: CandidateFindings) -> bool | None:
    """Whether the change shows beyond noise: of broken answers, else of pass rates; None: the evidence is open."""
    signs = [_sign(one.difference) for one in found.passes[-1:]]
    if found.noise is not None:
        broken = _sign(found.noise.broken)
        signs.append(None if broken is None else not broken)
    if False in signs:
        return True
    return False if True in signs else None


def _sign(difference: Difference) -> bool | None:
    if difference.low is not None and difference.low > 0:
        return True
    return False if difference.high is not None and difference.high < 0 else None


def evidence_sentences(found: CandidateFindings) -> Iterator[str]:
    """What stands below the first sentence: broken answers, and what the noise is."""
    change = found.comparison(Lane.OBSERVED, Lane.CANDIDATE)
    if change is None or change.differs.rate is None:
        return
    yield broken_sentence(change)
    if found.noise is None:
        yield (
            "How many answers the logged model itself would change is not known: `--baseline rerun` asks it again, "
            "and tells noise from change."
        )
    else:
        yield from _noise(found.noise)


def broken_sentence(change: Comparison) -> str:
    """`Broken 8.5 % [7, 10]: refusal 82, truncated 67.`; what was mended stands beside it."""
    broken, mended = change.kinds[Kind.BROKEN], change.kinds[Kind.MENDED]
    also = f" Mended {share_text(mended)}." if mended.calls else ""
    if not broken.calls:
        upper = f" (at most {_upper(broken)} of requests like these, 95 %)" if broken.interval else ""
        return f"No answer is broken{upper}.{also}"
    return f"Broken {share_text(broken)}: {', '.join(_faults(change))}.{also}"


def _faults(change: Comparison) -> Iterator[str]:
    for fault, share in change.faults.items():
        steps = ", ".join(f"{count(number)} at step {step}" for step, number in list(change.steps.items())[:5])
        more = " ..." if len(change.steps) > 5 else ""
        where = f" ({steps}{more})" if fault is Fault.TOOL_CALL and steps else ""
        yield f"{fault} {count(share.calls)}{where}"


def _noise(noise: Noise) -> Iterator[str]:
    low, high = noise.difference.low, noise.difference.high
    if low is not None and high is not None and low <= 0 <= high:
        yield "The interval holds 0: that nothing changed at all is not excluded."
    yield f"Broken beyond the re-run: {_points(noise.broken)}, over {_calls(noise.calls)} with both answers."


def gap_sentences(found: CandidateFindings) -> Iterator[str]:
    """What is not compared, what stands for more than itself, and how the intervals were made."""
    if found.weight != found.calls:
        verb = "stands" if found.calls == 1 else "stand"
        yield f"{_calls(found.calls)} {verb} for {count(found.weight)} logged ones: rates count all of these."
    for change in found.comparisons:
        if change.not_compared:
            verb = "was" if change.not_compared == 1 else "were"
            yield (
                f"{_calls(change.not_compared)} of {count(found.calls)} {verb} not compared "
                f"({comparison_title(change)}): no answer on one side, or the log does not hold it."
            )
    first = next(iter(found.comparisons), None)
    if first is not None and first.clusters != first.calls:
        yield (
            f"{_calls(first.calls)} are {count(first.clusters)} independent ones (conversations, repeats): "
            "the intervals are wider for it."
        )


def comparison_title(change: Comparison) -> str:
    """`logged -> candidate`."""
    return f"{LANES[change.before]} -> {LANES[change.after]}"


def share_text(share: Share | None) -> str:
    """`8.5 % [7, 10]`; `-` where nothing was compared."""
    if share is None or share.rate is None:
        return NONE
    text = percent(share.rate, 1)
    return f"{text} {interval_text(share.interval)}" if share.interval else text


def kind_text(share: Share) -> str:
    """`8.5 %`, without its interval: where many stand in a row."""
    return NONE if share.rate is None else "0" if not share.calls else percent(share.rate, 1)


def break_text(broken: Break | None) -> str:
    """`tool call, step 2: ...`; its detail may hold text of a model."""
    if broken is None:
        return ""
    step = f", step {broken.step}" if broken.step is not None else ""
    detail = f": {one_line(broken.detail, 300)}" if broken.detail else ""
    return f"{broken.fault}{step}{detail}"


def worst_marks(case: WorstCall, mode: Mode) -> list[str]:
    """What stands beside the id of a call."""
    marks = []
    if mode is not Mode.OUTPUT_ONLY:
        marks.append(f"broken ({break_text(case.broken)})" if case.kind is Kind.BROKEN else case.kind.value)
        if case.similarity is not None and case.kind is not Kind.BROKEN:
            marks.append(f"{percent(case.similarity, 1)} of the words alike")
        if case.passed is False and case.passed_before:
            marks.append("newly failing")
        if case.rerun is not None and case.rerun not in (Kind.SAME, Kind.EQUIVALENT, Kind.NOT_COMPARED):
            marks.append(f"{case.rerun} when asked again, too")
    if case.weight > 1:
        marks.append(f"stands for {count(case.weight)} calls")
    return marks


def _points(difference: Difference) -> str:
    """`+9.0 points (95 %: +2.0 to +16.0)`."""
    inside = bounds(difference.low, difference.high).strip("[]").replace(", ", " to ")
    text = f"{points(difference.value)} points"
    return f"{text} (95 %: {inside})" if inside else text


def _upper(share: Share) -> str:
    return f"{interval_text(share.interval).strip('[]').split(', ')[1]} %" if share.interval else ""


def _calls(number: int) -> str:
    return f"{count(number)} {'call' if number == 1 else 'calls'}"
