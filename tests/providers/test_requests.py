from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from llmctl.canonical import WrittenFloat
from llmctl.errors import ProjectError, UsageError
from llmctl.project.app_target import AppTarget, CommandCall
from llmctl.project.message_files import MessageFiles
from llmctl.project.models import ImagePart, Message, ModelConfig, OutputFormat, Prompt, TextPart
from llmctl.providers.records import ChatRequest
from llmctl.providers.requests import build_request, call_key, request_for
from llmctl.providers.routes import resolve

MODEL = ModelConfig("gpt", "openai/gpt-4o-mini")
PROMPT = Prompt("triage", Path("prompts/triage.yaml"), ())
HELLO = ({"role": "user", "content": "hello"},)


def test_the_model_s_parameters_win_and_drop_comes_last() -> None:
    prompt = replace(PROMPT, params={"temperature": 0, "max_tokens": 24, "seed": 1})
    model = replace(MODEL, params={"temperature": 1, "top_p": 0.5}, drop=("seed", "top_p"), options={"top_k": 3})
    request = build_request(prompt, model, HELLO)
    assert request == ChatRequest(
        "openai/gpt-4o-mini", HELLO, params={"temperature": 1, "max_tokens": 24}, options={"top_k": 3}
    )


def test_output_formats() -> None:
    schema = {"type": "object"}
    assert build_request(PROMPT, MODEL, HELLO).response_format is None
    json_prompt = replace(PROMPT, output=OutputFormat.JSON)
    assert build_request(json_prompt, MODEL, HELLO).response_format == {"type": "json_object"}
    assert build_request(replace(json_prompt, schema=schema), MODEL, HELLO).response_format == {
        "type": "json_schema",
        "json_schema": {"name": "output", "strict": True, "schema": schema},
    }


def test_tools_pass_through() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    request = build_request(replace(PROMPT, tools=(tool,), tool_choice="required"), MODEL, HELLO)
    assert (request.tools, request.tool_choice) == ((tool,), "required")


def test_what_cannot_be_sent_is_made_sendable() -> None:
    request = build_request(
        replace(PROMPT, params={"temperature": WrittenFloat(1.1, "1.10")}),
        MODEL,
        [{"role": "user", "content": "a\ud800"}],
    )
    assert request.messages == ({"role": "user", "content": "a\ufffd"},)
    assert type(request.params["temperature"]) is float


@pytest.mark.parametrize("params", [{"api_base": "http://evil"}, {"model": "other"}, {"n": 2}, {"mock_response": "x"}])
def test_parameters_that_are_refused(params: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        build_request(replace(PROMPT, params=params), MODEL, HELLO)


BASE = ChatRequest("openai/gpt-4o-mini", HELLO, params={"temperature": 0, "seed": 1})


def test_the_key_does_not_depend_on_order_or_names() -> None:
    same = replace(BASE, params={"seed": 1, "temperature": 0})
    assert call_key(resolve(MODEL), BASE, 1) == call_key(resolve(replace(MODEL, name="other")), same, 1)
    assert len(call_key(resolve(MODEL), BASE, 1)) == 64


@pytest.mark.parametrize(
    "changed",
    [
        replace(BASE, messages=({"role": "user", "content": "hello "},)),
        replace(BASE, params={"temperature": 1, "seed": 1}),
        replace(BASE, tools=({"type": "function"},)),
        replace(BASE, tool_choice="none"),
        replace(BASE, response_format={"type": "json_object"}),
        replace(BASE, options={"top_k": 1}),
    ],
)
def test_whatever_can_change_the_answer_changes_the_key(changed: ChatRequest) -> None:
    assert call_key(resolve(MODEL), changed, 1) != call_key(resolve(MODEL), BASE, 1)


@pytest.mark.parametrize(
    "model",
    [
        replace(MODEL, model="openai/gpt-4o"),
        replace(MODEL, model="openrouter/gpt-4o-mini"),
        replace(MODEL, api_base="https://gateway.example/v1"),
    ],
)
def test_another_model_or_endpoint_changes_the_key(model: ModelConfig) -> None:
    assert call_key(resolve(model), BASE, 1) != call_key(resolve(MODEL), BASE, 1)


def test_each_repeat_and_each_weights_has_its_own_key() -> None:
    route = resolve(MODEL)
    keys = {call_key(route, BASE, 1), call_key(route, BASE, 2), call_key(replace(route, identity="ab12"), BASE, 1)}
    assert len(keys) == 3


def test_the_local_model_reads_every_prompt_afresh() -> None:
    local = ModelConfig("small", "local/smollm2-135m")
    prompt = Prompt("p", Path("p.yaml"), ())
    assert build_request(prompt, local, ()).options == {"cache_prompt": False}
    wished = replace(local, options={"cache_prompt": True})
    assert build_request(prompt, wished, ()).options == {"cache_prompt": True}
    assert build_request(prompt, replace(local, model="openai/gpt-4o"), ()).options == {}


def test_a_request_is_messages_or_a_payload(tmp_path: Path) -> None:
    files = MessageFiles(tmp_path)
    prompt = Prompt("p", Path("p.yaml"), (Message("user", "Hi {{ name }}"),))
    request = request_for(prompt, MODEL, {"name": "Ann\ud800"}, files)
    assert (request.messages, request.payload) == (({"role": "user", "content": "Hi Ann\ufffd"},), None)
    app = replace(prompt, messages=(), target=AppTarget(CommandCall(("app",))))
    asked = request_for(app, ModelConfig("command", "app/command"), {"n": WrittenFloat(1.1, "1.10")}, files)
    assert asked == ChatRequest("app/command", (), payload={"vars": {"n": 1.1}})
    assert type(asked.payload) is dict
    assert type(asked.payload["vars"]["n"]) is float


def test_keys_of_models_are_what_they_were_before_there_were_applications() -> None:
    """The key of a call that is stored must not change with llmctl."""
    assert call_key(resolve(MODEL), BASE, 1) == "12a4a5a87c63137345bc0078531cf270ee53fac39ab192e398788fb3118ce468"
    assert call_key(resolve(MODEL), replace(BASE, payload={}), 1) != call_key(resolve(MODEL), BASE, 1)


@pytest.mark.parametrize("part", [ImagePart(file="a.png"), ImagePart(url="https://a/b.png")])
def test_the_local_model_takes_no_images(part: ImagePart, tmp_path: Path) -> None:
    local = ModelConfig("small", "local/smollm2-135m")
    prompt = Prompt("p", Path("p.yaml"), (Message("user", (TextPart("x"), part)),))
    with pytest.raises(ProjectError) as caught:
        build_request(prompt, local, ())
    assert "the local model takes text only" in caught.value.problems[0].message
    build_request(replace(prompt, messages=(Message("user", (TextPart("x"),)),)), local, ())
