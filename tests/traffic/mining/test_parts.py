"""The parts of mining: outliers by a robust measure, likeness, the pool, the ranking."""

from __future__ import annotations

import math
import random

import pytest

from llmctl.outcome import Outcome
from llmctl.traffic.logged_call import LoggedCall, LoggedFeedback
from llmctl.traffic.mining.novelty import Known
from llmctl.traffic.mining.outliers import ENOUGH, Spread, upper_fence
from llmctl.traffic.mining.pool import Pool, question_digest
from llmctl.traffic.mining.reasons import Finding, Reason, rank
from llmctl.traffic.mining.signals import Opinion, findings_of
from llmctl.traffic.replay.findings.schemas import LoggedSchemas
from llmctl.traffic.store import Key
from llmctl.traffic.to_bank.expected import expected_of, verdict_words
from llmctl.traffic.to_bank.shingles import NEAR, jaccard, nearest, shingles
from llmctl.traffic.to_bank.sources import CaseSource

SCHEMA = {
    "type": "json_schema",
    "json_schema": {"schema": {"type": "object", "required": ["queue"], "properties": {"queue": {"enum": ["a", "b"]}}}},
}


def test_the_fence_is_the_median_and_k_deviations() -> None:
    values = [float(number) for number in range(31)]  # median 15, median absolute deviation 8
    assert upper_fence(values) == pytest.approx(15 + 3.5 * 1.4826 * 8)
    assert upper_fence(values[: ENOUGH - 1]) is None
    assert upper_fence([1.0] * 100) is None
    mostly_equal = [0.0] * 60 + [1.0] * 20  # mean absolute deviation 0.25
    assert upper_fence(mostly_equal) == pytest.approx(3.5 * 1.2533 * 0.25)


def test_outliers_are_by_model_and_the_farthest_come_first() -> None:
    spread, numbers = Spread(), random.Random(1)
    for number in range(200):
        spread.add(number, "small", 100 * math.exp(numbers.gauss(0, 0.3)))
        spread.add(1_000 + number, "large", 5_000 * math.exp(numbers.gauss(0, 0.3)))
    spread.add(500, "small", 4_000)
    spread.add(501, "small", 9_000)
    spread.add(502, "rare", 1_000_000)
    for value in (None, 0.0, -1.0, math.nan, math.inf):
        spread.add(503, "small", value)
    found = spread.outliers(10)
    assert [one.number for one in found] == [501, 500]
    assert found[0].value == pytest.approx(9_000, rel=1e-3)
    assert found[0].typical == pytest.approx(100, rel=0.1)
    assert [one.number for one in spread.outliers(1)] == [501]


def test_likeness_of_texts() -> None:
    one = shingles("Where is my parcel? I have waited for nine days now.")
    assert jaccard(one, shingles("where  is my PARCEL?\nI have waited for nine days now.")) == 1
    assert jaccard(one, shingles("Where is my parcel? I have waited for ten days now.")) < NEAR
    assert jaccard(one, shingles("Quelle est cette recette bretonne ?")) == 0
    assert jaccard(shingles(""), shingles("")) == 1
    assert jaccard(shingles("a"), shingles("b")) == 0
    assert nearest(one, {"a": shingles("no"), "b": one}) == ("b", 1)
    assert nearest(one, {}) is None


def test_inputs_unlike_the_bank_are_below_what_its_cases_are_to_each_other() -> None:
    words = ("red", "blue", "tiny", "lost", "late", "wet", "old", "new")
    cases = [f"Where is my parcel {word}? I have waited for days." for word in words]
    known = Known(cases)
    like, unlike = known.likeness(
        ["Where is my parcel big? I have waited for days.", "Bake a cake with 3 eggs"]
    ).tolist()
    assert unlike < known.threshold <= like
    assert known.likeness([cases[0]]).tolist() == pytest.approx([1], abs=1e-5)
    few = Known(cases[:2])
    assert few.threshold == pytest.approx(0.2)
    assert Known([]).likeness(["x"]).tolist() == [0]
    assert Known([]).threshold == 0


def test_the_pool_keeps_the_best_and_each_question_once() -> None:
    pool = Pool(3)
    for number, reason in enumerate([Reason.SLOW, Reason.ERROR, Reason.TRUNCATED, Reason.CORRECTED, Reason.EMPTY]):
        pool.offer(question_digest("abcde"[number]), Key("i", number), (Finding(reason),))
    assert [one.findings[0].reason for one in pool.best()] == [Reason.CORRECTED, Reason.TRUNCATED, Reason.EMPTY]
    pool.offer(question_digest("worse"), Key("i", 8), (Finding(Reason.ERROR),))
    assert Key("i", 8) not in [one.key for one in pool.best()]
    pool.offer(question_digest("D"), Key("i", 9), (Finding(Reason.SLOW),))
    best = pool.best()[0]
    assert (best.key, best.calls) == (Key("i", 3), 2)
    pool.offer(question_digest("d"), Key("i", 3), (Finding(Reason.SLOW),))
    assert {one.reason for one in pool.best()[0].findings} == {Reason.CORRECTED, Reason.SLOW}
    assert pool.best()[0].calls == 2


def test_a_pool_under_load_is_bounded_and_right() -> None:
    pool, numbers = Pool(50), random.Random(3)
    offered: dict[str, float] = {}
    for number in range(3_000):
        word = f"q{''.join(chr(97 + int(digit)) for digit in str(number % 1_700))}"
        findings = (Finding(Reason.UNLIKE, strength=numbers.random()),)
        offered[word] = max(offered.get(word, 0), rank(findings))
        pool.offer(question_digest(word), Key("i", number), findings)
    best = [one.rank for one in pool.best()]
    assert len(best) == 50
    assert best == sorted(best, reverse=True)
    assert best[0] == max(offered.values())


def test_questions_that_differ_in_numbers_only_are_one() -> None:
    assert question_digest("Order 12,  please") == question_digest("order 99, please")
    assert question_digest("Order 12") != question_digest("Parcel 12")


def test_a_stronger_reason_comes_first_and_more_reasons_help() -> None:
    order = [
        Reason.CORRECTED,
        Reason.THUMBS_DOWN,
        Reason.SCHEMA,
        Reason.TRUNCATED,
        Reason.UNLIKE,
        Reason.SLOW,
        Reason.ERROR,
    ]
    ranks = [rank((Finding(reason),)) for reason in order]
    assert ranks == sorted(ranks, reverse=True)
    both = (Finding(Reason.THUMBS_DOWN), Finding(Reason.SLOW))
    assert rank((Finding(Reason.THUMBS_DOWN),)) < rank(both) < rank((Finding(Reason.CORRECTED),))


@pytest.mark.parametrize(
    ("call", "reasons"),
    [
        (LoggedCall("f", outcome=Outcome.ANSWERED, output="x"), []),
        (LoggedCall("f", outcome=Outcome.REFUSED), ["refused"]),
        (LoggedCall("f", outcome=Outcome.TRUNCATED, output="x"), ["truncated"]),
        (LoggedCall("f", outcome=Outcome.PROVIDER_ERROR), ["error"]),
        (
            LoggedCall("f", outcome=Outcome.ANSWERED, output="{", response_format={"type": "json_object"}),
            ["breaks its schema"],
        ),
        (LoggedCall("f", outcome=Outcome.ANSWERED, output='{"queue": "a"}', response_format=SCHEMA), []),
        (
            LoggedCall("f", outcome=Outcome.ANSWERED, output='{"queue": "c"}', response_format=SCHEMA),
            ["breaks its schema"],
        ),
        (LoggedCall("f", outcome=Outcome.ANSWERED, output="", tool_calls=({},), response_format=SCHEMA), []),
    ],
)
def test_what_a_call_itself_says(call: LoggedCall, reasons: list[str]) -> None:
    assert [one.reason.value for one in findings_of(call, None, LoggedSchemas())] == reasons


def test_what_people_thought() -> None:
    call = LoggedCall("f", outcome=Outcome.ANSWERED, output="x")
    opinion = Opinion(down=True, corrected=True, edited=0.6, abandoned=True)
    found = findings_of(call, opinion, LoggedSchemas())
    assert [one.reason.value for one in found] == ["corrected", "thumbs down", "large edit", "abandoned"]
    assert found[2].said == "60 % of it"
    assert findings_of(call, Opinion(False, False, 0.1, False), LoggedSchemas()) == ()


def source(*said: LoggedFeedback, answer: object = "shipping") -> CaseSource:
    return CaseSource("c", "c", {}, None, None, None, answer, said, "traffic c")


UP, DOWN = LoggedFeedback("rating", 1), LoggedFeedback("rating", 0)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ((), None),
        ((UP,), "shipping"),
        ((UP, DOWN), None),
        ((LoggedFeedback("edit", 0.0, "shipping"),), "shipping"),
        ((LoggedFeedback("edit", 0.4, "returns"),), "returns"),
        ((LoggedFeedback("edit", None),), None),
        ((UP, LoggedFeedback("edit", None)), None),
        ((LoggedFeedback("correction", text="a"), UP, LoggedFeedback("correction", text="b")), "b"),
        ((LoggedFeedback("correction", text="a"), LoggedFeedback("edit", 0.4, "returns")), "a"),
        ((LoggedFeedback("score", 1.0), LoggedFeedback("comment", text="fine")), None),
    ],
)
def test_which_answer_is_expected(said: tuple[LoggedFeedback, ...], expected: str | None) -> None:
    found = expected_of(source(*said))
    assert (found.value if found.given else None) == expected
    assert found.origin


def test_verdicts_in_words() -> None:
    said = [UP, UP, LoggedFeedback("edit", 0.4, "x"), LoggedFeedback("comment", text="no")]
    assert verdict_words(said) == ["thumbs up", "edited 40 %"]
    assert not expected_of(source(UP, answer=None)).given
