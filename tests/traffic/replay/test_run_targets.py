"""Whom a logged call is asked again."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmctl.errors import ProjectError
from llmctl.project.models import Config, ModelConfig
from llmctl.providers.routes import TransportName
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.replay.logged_prompt import logged_prompt, request_of
from llmctl.traffic.replay.records import Mode
from llmctl.traffic.replay.request import ReplayRequest
from llmctl.traffic.replay.targets import LaneSet, LaneTargets, ObservedLanes, UnknownModelError

VERBATIM, OUTPUT_ONLY = Mode.VERBATIM, Mode.OUTPUT_ONLY


def config(*models: ModelConfig) -> Config:
    root = Path()
    return Config(root, root / "llmctl.toml", root, root, root, {model.name: model for model in models})


def lanes(request: ReplayRequest, *models: ModelConfig) -> LaneTargets:
    return LaneTargets.of(config(*models), {}, request)


def call(model: str | None = "gpt-4o", provider: str | None = "openai") -> LoggedCall:
    return LoggedCall("openai_chat", model=model, provider=provider)


def names(found: LaneSet) -> list[str]:
    return [f"{target.prompt.label}/{target.model.name}" for target in found.targets]


def test_candidates_alone_are_one_bank() -> None:
    found = lanes(ReplayRequest(VERBATIM, models=("fake/echo", "openai/gpt-5")))

    one, other = found.of_call(call()), found.of_call(call(None, None))

    assert one == other
    assert (one.bank, names(one)) == ("traffic", ["logged/fake/echo", "logged/openai/gpt-5"])


def test_a_rerun_is_asked_of_the_logged_model_last() -> None:
    found = lanes(ReplayRequest(VERBATIM, models=("fake/echo",), rerun=True)).of_call(call())

    assert (found.bank, names(found)) == ("traffic/openai/gpt-4o", ["logged/fake/echo", "logged/openai/gpt-4o"])


def test_a_candidate_that_is_the_logged_model_is_asked_once() -> None:
    found = lanes(ReplayRequest(VERBATIM, models=("openai/gpt-4o", "fake/echo"), rerun=True)).of_call(call())
    assert names(found) == ["logged/fake/echo", "logged/openai/gpt-4o"]


def test_a_logged_model_is_the_one_of_the_project_without_its_parameters() -> None:
    plain = ModelConfig("small", "openai/gpt-4o", api_base="http://127.0.0.1:1/v1")
    tuned = ModelConfig("gpt-4", "openai/gpt-4", params={"temperature": 0}, drop=("seed",), api_key_env="MINE")
    found = lanes(ReplayRequest(VERBATIM, rerun=True), plain, tuned)

    assert found.of_call(call()).targets[0].model == plain
    again = found.of_call(call("gpt-4")).targets[0].model
    assert (again.name, again.params, again.drop) == ("gpt-4 (as logged)", {}, ())
    assert again.api_key_env == "MINE"


@pytest.mark.parametrize(
    ("logged", "said"),
    [
        (call(None), "does not say which model"),
        (call("nosuch-model", None), "nosuch-model cannot be asked"),
    ],
)
def test_a_model_that_nobody_knows_is_said(logged: LoggedCall, said: str) -> None:
    found = lanes(ReplayRequest(VERBATIM, rerun=True))
    for _ in range(2):
        with pytest.raises(UnknownModelError, match=said):
            found.of_call(logged)


def test_logged_answers_need_no_model_that_can_be_asked() -> None:
    found = lanes(ReplayRequest(OUTPUT_ONLY)).of_call(call("nosuch-model", None))

    assert found.bank == "traffic/nosuch-model"
    assert [target.route.transport for target in found.targets] == [TransportName.LOGGED]


@pytest.mark.parametrize("rerun", [True, False])
def test_what_was_logged_lies_in_the_same_banks_as_what_is_asked(rerun: bool) -> None:
    asked = lanes(ReplayRequest(VERBATIM, models=("fake/echo",), rerun=rerun))

    observed = ObservedLanes(asked).of_call(call())

    assert observed.bank == asked.of_call(call()).bank
    assert len(observed.targets) == 1
    assert observed.targets[0].route.transport is TransportName.LOGGED


def test_a_misspelt_model_is_a_mistake_in_the_command() -> None:
    with pytest.raises(ProjectError):
        lanes(ReplayRequest(VERBATIM, models=("smal",)), ModelConfig("small", "fake/echo"))


def test_names_of_changed_parameters_are_short_and_their_own() -> None:
    one, other = (logged_prompt({"stop": ["x" * 100, text]}).label for text in ("a", "b"))

    assert logged_prompt({"temperature": 0, "seed": 1}).label == "logged+seed=1,temperature=0"
    assert one != other
    assert len(one) <= 60
    assert logged_prompt({"seed": 1}).digest != logged_prompt().digest


def test_how_an_answer_was_carried_is_not_asked_for_again() -> None:
    params = {"temperature": 1, "stream": True, "n": 3, "api_base": "http://else", "timeout": 3, "seed": 4}
    asked = request_of(LoggedCall("openai_chat", messages=({"role": "user", "content": "x"},), params=params))

    assert asked == {"messages": [{"role": "user", "content": "x"}], "params": {"temperature": 1, "seed": 4}}
