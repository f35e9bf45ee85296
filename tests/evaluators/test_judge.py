"""What a judge is asked, and what its score depends on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, KeptBackError, Models, Question, Reply, Score
from llmctl.evaluators.built import BuiltEvaluator
from llmctl.evaluators.judge.judge import MAX_TOKENS, Judge, JudgeScore
from llmctl.evaluators.judge.prompt import marker_of
from llmctl.evaluators.judge.scheme import pair_scheme, scale_scheme
from llmctl.evaluators.keys import score_key
from llmctl.evaluators.registry import build
from llmctl.evaluators.verdict import Subject, judge
from llmctl.outcome import Outcome
from llmctl.project.models import EvaluatorSettings, JudgeSettings

from .entries import SETTINGS, case_of, spec_of, wrong_samples

SUBJECT = Subject("Thank you.", vars={"ticket": "Hi", "brand": "Acme"}, expected="Thanks.", has_expected=True)


def built(**arguments: Any) -> BuiltEvaluator:
    return build(spec_of({"judge": {"rubric": "It is polite.", "model": "m", **arguments}}), None, SETTINGS)


class Asked:
    """Keeps the questions, and answers each with the first verdict that passes."""

    def __init__(self) -> None:
        self.questions: list[Question] = []

    async def ask(self, question: Question) -> Reply:
        self.questions.append(question)
        verdict = question.schema["properties"]["verdict"]["enum"][-1]  # type: ignore[index]
        return Reply(Outcome.ANSWERED, json.dumps({"reason": "r", "verdict": verdict}))


async def asked(subject: Subject = SUBJECT, **arguments: Any) -> list[Question]:
    model = Asked()
    await judge([built(**arguments)], subject, Models(ask=model.ask))
    return model.questions


async def test_one_question_in_full() -> None:
    [question] = await asked()
    system, user = question.messages
    assert system["role"] == "system" and user["role"] == "user"
    assert "Rubric:\nIt is polite." in system["content"]
    assert system["content"].endswith('The verdict is exactly one of: "pass", "fail".')
    marker = marker_of(['{"ticket":"Hi","brand":"Acme"}', "Thank you."])
    assert user["content"] == (
        f"Marker: {marker}\n\n"
        f'<<<INPUT {marker}>>>\n{{"ticket":"Hi","brand":"Acme"}}\n<<<END INPUT {marker}>>>\n\n'
        f"<<<OUTPUT {marker}>>>\nThank you.\n<<<END OUTPUT {marker}>>>\n\n"
        "Judge the OUTPUT by the rubric. Answer with the JSON object only."
    )
    assert list(question.schema["properties"]) == ["reason", "verdict"]  # type: ignore[call-overload]
    assert question.params == {"max_tokens": MAX_TOKENS, "temperature": 0}


async def test_the_system_message_is_the_same_for_every_output() -> None:
    [one], [other] = await asked(Subject("a")), await asked(Subject("b"))
    assert one.messages[0] == other.messages[0] and one.messages[1] != other.messages[1]


async def test_what_is_shown_is_chosen() -> None:
    [nothing] = await asked(vars=False)
    assert "INPUT" not in nothing.messages[1]["content"] and "REFERENCE" not in nothing.messages[1]["content"]
    [some] = await asked(vars=["brand"], reference=True)
    assert '{"brand":"Acme"}' in some.messages[1]["content"]
    assert ">>>\nThanks.\n<<<END REFERENCE" in some.messages[1]["content"]


async def test_votes_are_draws_and_not_at_temperature_0() -> None:
    questions = await asked(votes=3)
    assert [question.draw for question in questions] == [1, 2, 3]
    assert all(question.messages == questions[0].messages for question in questions)
    assert all("temperature" not in question.params for question in questions)


async def test_a_pair_is_asked_in_both_orders() -> None:
    first, second = await asked(pairwise=True)
    texts = [question.messages[1]["content"] for question in (first, second)]
    assert texts[0].index("Thank you.") < texts[0].index("Thanks.")
    assert texts[1].index("Thanks.") < texts[1].index("Thank you.")
    assert all(text.index("<<<ANSWER A") < text.index("<<<ANSWER B") for text in texts)
    assert first.schema["properties"]["verdict"]["enum"] == ["A", "B", "tie"]  # type: ignore[index]


async def test_examples_are_turns_that_went_before() -> None:
    examples = [{"output": "Go away.", "verdict": "Fail", "why": "It is rude."}]
    [question] = await asked(examples=examples)
    assert [message["role"] for message in question.messages] == ["system", "user", "assistant", "user"]
    assert "Go away." in question.messages[1]["content"]
    assert json.loads(question.messages[2]["content"]) == {"reason": "It is rude.", "verdict": "fail"}


async def test_grades_are_offered_as_numbers() -> None:
    [question] = await asked(scale="1-3", threshold=2)
    assert question.schema["properties"]["verdict"] == {"type": "integer", "enum": [1, 2, 3]}  # type: ignore[index]
    assert "1 is the worst grade, 3 the best" in question.messages[0]["content"]


@pytest.mark.parametrize(("grade", "score"), [(1, 0.0), (2, 0.25), (5, 1.0)])
def test_grades_are_spread_over_the_scores(grade: int, score: float) -> None:
    assert scale_scheme(1, 5, 4).scores[grade] == score


async def test_votes_give_a_rate_and_its_spread() -> None:
    replies = iter(["pass", "fail", "pass", "pass"])

    async def ask(question: Question) -> Reply:
        return Reply(Outcome.ANSWERED, json.dumps({"reason": "r", "verdict": next(replies)}))

    verdict = await judge([built(votes=4)], SUBJECT, Models(ask=ask))
    assert (verdict.passed, verdict.score) == (True, 0.75)
    assert verdict.scores[0].explanation.count("\n- ") == 4


def test_several_votes_are_one_verdict() -> None:
    assert scale_scheme(1, 5, 4).summary([5, 1, 2, 4]) == 2
    assert pair_scheme(tie_passes=False).summary(["better", "worse", "better"]) == "better"


async def test_what_was_kept_back_leaves_no_verdict_and_others_are_waited_for() -> None:
    answered: list[int] = []

    async def ask(question: Question) -> Reply:
        if question.draw == 1:
            raise KeptBackError
        answered.append(question.draw)
        return Reply(Outcome.ANSWERED, '{"reason": "r", "verdict": "pass"}')

    for entry in (
        {"any": [{"judge": {"rubric": "r", "model": "m", "votes": 3}}]},
        {"judge": {"rubric": "r", "model": "m", "votes": 3}},
    ):
        with pytest.raises(KeptBackError):
            await judge([build(spec_of(entry), None, SETTINGS)], SUBJECT, Models(ask=ask))
        assert answered == [2, 3]
        answered.clear()


async def test_a_score_carries_its_verdicts() -> None:
    async def ask(question: Question) -> Reply:
        return Reply(Outcome.ANSWERED, '{"reason": "r", "verdict": "fail"}')

    result = built().judge(Context("x", ask=ask))
    judged = await result  # type: ignore[misc]
    assert isinstance(judged.score, JudgeScore)
    assert judged.score.verdicts == ("fail",)


async def test_without_an_expected_answer_a_reference_is_an_error() -> None:
    with pytest.raises(EvaluatorError, match="no expected answer"):
        score = Judge(rubric="r", model="m", reference=True).score(Context("x", ask=Asked().ask))
        assert not isinstance(score, Score)
        await score


def test_the_settings_stand_in_for_the_model() -> None:
    settings = EvaluatorSettings(judge=JudgeSettings("gpt"))
    assert build(spec_of({"judge": "It is polite."}), None, settings).asks == ("gpt",)
    assert build(spec_of({"judge": {"rubric": "r", "model": "m"}}), None, settings).asks == ("m",)
    assert build(spec_of({"not": {"judge": "r"}}), None, settings).asks == ("gpt",)


CHANGES: list[dict[str, Any]] = [
    {"rubric": "It is rude."},
    {"model": "n"},
    {"votes": 3},
    {"reference": True},
    {"vars": False},
    {"examples": [{"output": "x", "verdict": "pass"}]},
    {"scale": "1-5", "threshold": 3},
    {"scale": "1-5", "threshold": 4},
    {"labels": ["a", "b"], "pass_labels": "a"},
    {"labels": ["b", "a"], "pass_labels": "a"},
    {"pairwise": True},
    {"pairwise": True, "tie": "pass"},
]


def test_every_argument_is_in_the_score_key() -> None:
    context = SUBJECT.context()
    keys = {score_key(built(**change), context, Models(asked={"m": "1", "n": "1"})) for change in [{}, *CHANGES]}
    assert len(keys) == len(CHANGES) + 1


def test_who_judges_is_in_the_score_key_and_what_it_does_not_see_is_not() -> None:
    context = SUBJECT.context()
    plain = score_key(built(), context, Models(asked={"m": "1"}))
    assert plain != score_key(built(), context, Models(asked={"m": "2"}))
    assert plain == score_key(built(), Subject("Thank you.", vars=SUBJECT.vars).context(), Models(asked={"m": "1"}))
    assert plain != score_key(built(), Subject("Thank you.").context(), Models(asked={"m": "1"}))


def test_samples_are_not_judged_without_a_call() -> None:
    spec = spec_of({"judge": {"rubric": "r", "model": "m"}, "good": ["a"], "bad": ["b"]})
    assert wrong_samples(spec, case_of({}), SETTINGS) == []
