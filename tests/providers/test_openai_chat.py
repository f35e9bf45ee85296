from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from llmctl.outcome import Outcome
from llmctl.project.models import ModelConfig
from llmctl.providers.openai_chat import parse_json, read_response, request_json
from llmctl.providers.records import ChatRequest
from llmctl.providers.routes import resolve

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "responses.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_response(case: Mapping[str, Any]) -> None:
    body = json.dumps(case["json"]) if "json" in case else case["body"]
    answer = read_response(case.get("status", 200), body.encode())
    got = {
        "outcome": str(answer.outcome),
        "output": answer.output,
        "finish_reason": answer.finish_reason,
        "served_model": answer.served_model,
        "tool_calls": len(answer.tool_calls),
        "error": answer.error,
        "retry": answer.retry.value,
        "input_tokens": answer.usage.input_tokens,
        "output_tokens": answer.usage.output_tokens,
        "cached_tokens": answer.usage.cached_tokens,
        "reasoning_tokens": answer.usage.reasoning_tokens,
    }
    wanted = {name: value for name, value in case.items() if name in got}
    assert {name: got[name] for name in wanted} == wanted


def test_every_outcome_without_an_answer_says_why() -> None:
    for case in CASES:
        body = json.dumps(case["json"]) if "json" in case else case["body"]
        answer = read_response(case.get("status", 200), body.encode())
        assert bool(answer.error) != answer.outcome.scored, case["name"]


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"choices": ' + b"9" * 5000 + b"}", b"\xff\xfe{}", b'{"a": "\xff"}']
)
def test_hostile_json_is_malformed(body: bytes) -> None:
    assert read_response(200, body).outcome is Outcome.MALFORMED


@given(st.binary(max_size=200), st.sampled_from([200, 204, 301, 400, 401, 404, 418, 429, 500, 599]))
def test_any_bytes_give_an_answer(body: bytes, status: int) -> None:
    assert read_response(status, body).outcome is not Outcome.ANSWERED


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "content", "error", "usage", "tool_calls", "refusal", "finish_reason", "code"]
            ),
            inner,
        )
    ),
)


@given(JSON)
def test_any_json_gives_an_answer(value: object) -> None:
    answer = read_response(200, json.dumps(value).encode())
    assert (answer.error is None) == answer.outcome.scored
    (answer.output or "").encode()


@given(JSON)
def test_any_choice_gives_an_answer(value: object) -> None:
    answer = read_response(200, json.dumps({"choices": [{"message": value, "finish_reason": "stop"}]}).encode())
    assert (answer.error is None) == answer.outcome.scored


def test_not_a_number_is_read() -> None:
    assert parse_json(b'{"a": NaN}').keys() == {"a"}


def sent(model: ModelConfig, request: ChatRequest, *, streamed: bool = False) -> Any:
    return json.loads(request_json(resolve(model), request, streamed=streamed))


def test_request_holds_everything() -> None:
    model = ModelConfig("gpt", "openai/gpt-4o-mini")
    tool = {"type": "function", "function": {"name": "f"}}
    request = ChatRequest(
        model.model,
        ({"role": "user", "content": "hi"},),
        params={"temperature": 0, "max_tokens": 3},
        tools=(tool,),
        tool_choice="auto",
        response_format={"type": "json_object"},
        options={"top_k": 1},
    )
    assert sent(model, request) == {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0,
        "max_tokens": 3,
        "tools": [tool],
        "tool_choice": "auto",
        "response_format": {"type": "json_object"},
        "top_k": 1,
    }


def test_parameters_take_the_provider_s_names() -> None:
    request = ChatRequest("", (), params={"max_completion_tokens": 5, "seed": 1})
    assert sent(ModelConfig("m", "mistral/x"), request) == {
        "model": "x",
        "messages": [],
        "max_tokens": 5,
        "random_seed": 1,
    }
    limit = ChatRequest("", (), params={"max_tokens": 5})
    assert sent(ModelConfig("m", "openai/o3"), limit)["max_completion_tokens"] == 5
    assert sent(ModelConfig("m", "openai/gpt-4o"), limit)["max_tokens"] == 5


def test_a_stream_asks_for_its_usage_where_that_is_known() -> None:
    request = ChatRequest("", ())
    assert sent(ModelConfig("m", "openai/gpt-4o"), request, streamed=True)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in sent(ModelConfig("m", "mistral/x"), request, streamed=True)
