"""A logged request is sent as it was, but for what is put over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmctl.project.message_files import MessageFiles
from llmctl.project.models import ModelConfig, Prompt
from llmctl.project.prompt_data import prompt_data, prompt_from_data
from llmctl.project.templates import TemplateError
from llmctl.providers.recorded_request import recorded_tools
from llmctl.providers.requests import call_key, request_for
from llmctl.providers.routes import resolve

MESSAGES = [
    {"role": "user", "content": "{{ 7 * 7 }}"},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]},
    {"role": "tool", "tool_call_id": "1", "content": "49"},
]
REQUEST = {
    "messages": MESSAGES,
    "tools": [{"type": "function"}],
    "tool_choice": "auto",
    "response_format": {"type": "json_object"},
    "params": {"temperature": 0.7, "seed": 5, "max_tokens": 9},
}
PROMPT = Prompt("logged", Path(), (), recorded=True)
MODEL = ModelConfig("m", "fake/echo")
FILES = MessageFiles(Path())


def test_everything_that_was_asked_is_sent_and_nothing_is_rendered() -> None:
    request = request_for(PROMPT, MODEL, {"request": REQUEST}, FILES)

    assert list(request.messages) == MESSAGES
    assert request.params == {"temperature": 0.7, "seed": 5, "max_tokens": 9}
    assert (list(request.tools), request.tool_choice) == ([{"type": "function"}], "auto")
    assert request.response_format == {"type": "json_object"}
    assert request.model == "fake/echo"


def test_the_models_parameters_go_over_it_and_those_of_the_prompt_over_both() -> None:
    model = ModelConfig("m", "fake/echo", params={"temperature": 0.1, "top_p": 0.5, "seed": 6})
    prompt = Prompt("logged", Path(), (), params={"temperature": 0}, recorded=True)

    request = request_for(prompt, model, {"request": REQUEST}, FILES)

    assert request.params == {"temperature": 0, "seed": 6, "max_tokens": 9, "top_p": 0.5}


def test_a_model_is_not_sent_what_it_drops() -> None:
    request = request_for(PROMPT, ModelConfig("m", "fake/echo", drop=("temperature",)), {"request": REQUEST}, FILES)
    assert request.params == {"seed": 5, "max_tokens": 9}


def test_one_limit_of_the_answers_length_takes_the_place_of_another() -> None:
    prompt = Prompt("logged", Path(), (), params={"max_completion_tokens": 3}, recorded=True)
    assert request_for(prompt, MODEL, {"request": REQUEST}, FILES).params == {
        "temperature": 0.7,
        "seed": 5,
        "max_completion_tokens": 3,
    }


@pytest.mark.parametrize("variables", [{}, {"request": "text"}, {"request": {}}, {"request": {"messages": "x"}}])
def test_a_case_without_a_request_cannot_be_sent(variables: dict[str, object]) -> None:
    with pytest.raises(TemplateError, match="no logged request"):
        request_for(PROMPT, MODEL, variables, FILES)


def test_half_a_surrogate_pair_cannot_be_sent() -> None:
    request = request_for(PROMPT, MODEL, {"request": {"messages": [{"role": "user", "content": "a\ud800"}]}}, FILES)
    assert request.messages[0]["content"] == "a\ufffd"


def test_the_tools_of_a_case_are_those_of_its_request() -> None:
    assert list(recorded_tools({"request": REQUEST})) == [{"type": "function"}]
    assert recorded_tools({}) == ()


def test_other_tools_make_another_call() -> None:
    route, other = resolve(MODEL), {**REQUEST, "tools": []}
    keys = {call_key(route, request_for(PROMPT, MODEL, {"request": one}, FILES), 1) for one in (REQUEST, other)}
    assert len(keys) == 2


@pytest.mark.parametrize("recorded", [True, False])
def test_a_prompt_comes_back_from_a_journal(recorded: bool) -> None:
    prompt = Prompt("logged", Path(), (), recorded=recorded)
    assert prompt_from_data(prompt_data(prompt)) == prompt
    assert prompt_data(prompt)["recorded"] is recorded
