from __future__ import annotations

from pathlib import Path

import pytest

from llmctl.errors import Place, ProjectError, UsageError
from llmctl.project.models import ModelConfig, Price
from llmctl.providers.environment import ignored_variables, missing_keys
from llmctl.providers.prices import FREE, cost_usd
from llmctl.providers.records import Usage
from llmctl.providers.routes import TransportName, resolve


def model(text: str, **more: object) -> ModelConfig:
    return ModelConfig("m", text, **more)  # type: ignore[arg-type]


def test_an_endpoint_of_the_table_is_called_directly() -> None:
    route = resolve(model("groq/llama-3.1-8b-instant"))
    assert (route.provider, route.transport, route.wire_model) == ("groq", TransportName.DIRECT, "llama-3.1-8b-instant")
    assert (route.url, route.api_key_env) == ("https://api.groq.com/openai/v1/chat/completions", "GROQ_API_KEY")


@pytest.mark.parametrize(
    ("text", "provider", "transport", "wire_model"),
    [
        ("gpt-4o", "openai", "direct", "gpt-4o"),
        ("ft:gpt-4o:acme", "openai", "direct", "ft:gpt-4o:acme"),
        ("openrouter/openai/gpt-4o", "openrouter", "direct", "openai/gpt-4o"),
        ("fireworks_ai/llama-v3", "fireworks_ai", "direct", "accounts/fireworks/models/llama-v3"),
        ("fireworks_ai/accounts/x/models/y", "fireworks_ai", "direct", "accounts/x/models/y"),
        ("anthropic/claude-sonnet-4-5", "anthropic", "litellm", "claude-sonnet-4-5"),
        ("bedrock/some-model", "bedrock", "litellm", "some-model"),
        ("openai/o1-pro", "openai", "litellm", "o1-pro"),  # served by OpenAI's other protocol only
        ("fake/echo", "fake", "fake", "echo"),
    ],
)
def test_who_carries_it(text: str, provider: str, transport: str, wire_model: str) -> None:
    route = resolve(model(text))
    assert (route.provider, route.transport, route.wire_model, route.model) == (provider, transport, wire_model, text)


def test_the_config_can_force_a_transport() -> None:
    assert resolve(model("openai/gpt-4o", transport="litellm")).transport is TransportName.LITELLM
    route = resolve(model("acme/model", transport="direct", api_base="http://10.0.0.5:8000/v1/"))
    assert (route.transport, route.url) == (TransportName.DIRECT, "http://10.0.0.5:8000/v1/chat/completions")
    assert resolve(model("brandnew/model", transport="litellm")).provider == "brandnew"


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (model("opnai/gpt-4o"), 'no provider "opnai"'),
        (model("meta-llama/Llama-3-8b"), 'no provider "meta-llama"'),
        (model("no-such-model"), 'no model "no-such-model"'),
        (model("fake/nothing"), 'no model "fake/nothing"'),
        (model("fake/echo", options={"anser": "x"}), 'no option "anser"'),
        (model("hosted_vllm/llama"), "needs the address"),
        (model("acme/model", transport="direct"), "no OpenAI-compatible endpoint"),
        (model("openai/x", api_base="localhost:8000"), "not an address"),
        (model("openai/x", api_base="http://host:port/v1"), "not an address"),
        (model("openai/x", api_base="https://me:secret@host/v1"), "password"),
        (model("openai/x", params={"api_key": "sk-x"}), '"api_key" cannot stand in the params'),
        (model("openai/x", options={"api_base": "http://evil"}), '"api_base" cannot stand in the options'),
    ],
)
def test_mistakes(config: ModelConfig, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        resolve(config)
    assert "secret" not in str(caught.value)


def test_a_mistake_names_its_place_and_the_nearest_spelling() -> None:
    place = Place(Path("llmctl.toml"), 3, 1)
    with pytest.raises(ProjectError) as caught:
        resolve(model("opnai/gpt-4o", place=place))
    (problem,) = caught.value.problems
    assert (problem.place, problem.hint) == (place, 'Did you mean "openai/gpt-4o"?')


def test_missing_keys_name_the_variable_and_the_file() -> None:
    routes = [
        resolve(model("openai/gpt-4o", place=Place(Path("llmctl.toml"), 3))),
        resolve(ModelConfig("two", "together_ai/x")),
        resolve(ModelConfig("own", "openai/x", api_key_env="MY_KEY", api_base="https://gateway.example/v1")),
        resolve(ModelConfig("here", "openai/x", api_base="http://127.0.0.1:8000/v1")),
        resolve(ModelConfig("ollama", "ollama/llama3")),
        resolve(ModelConfig("fake", "fake/echo")),
    ]
    missing = missing_keys([*routes, *routes], {"OPENAI_API_KEY": "  "})
    assert [item.message for item in missing] == [
        'The model "m" (llmctl.toml:3) needs a key in OPENAI_API_KEY.',
        'The model "two" needs a key in TOGETHERAI_API_KEY or TOGETHER_API_KEY.',
        'The model "own" needs a key in MY_KEY.',
    ]
    keys = {"OPENAI_API_KEY": "a", "TOGETHER_API_KEY": "b", "MY_KEY": "c"}
    assert missing_keys(routes, keys) == []
    assert [route.api_key(keys) for route in routes] == ["a", "b", "c", None, None, None]


@pytest.mark.parametrize(
    "base", ["http://127.0.0.1:1/v1", "http://localhost/v1", "http://[::1]:8000", "http://a.localhost"]
)
def test_a_server_of_one_s_own_machine_gets_no_key_unless_asked(base: str) -> None:
    environ = {"OPENAI_API_KEY": "a"}
    assert resolve(model("openai/x", api_base=base)).api_key(environ) is None
    assert resolve(model("openai/x", api_base=base, api_key_env="OPENAI_API_KEY")).api_key(environ) == "a"


def test_variables_that_would_move_an_endpoint_are_named() -> None:
    routes = [resolve(model("openai/gpt-4o")), resolve(model("fake/echo"))]
    environ = {"OPENAI_BASE_URL": "http://evil", "GROQ_API_BASE": "http://evil", "OPENAI_API_BASE": ""}
    (sentence,) = ignored_variables(routes, environ)
    assert sentence.startswith("OPENAI_BASE_URL is set, and ignored")
    assert resolve(model("openai/gpt-4o")).url == "https://api.openai.com/v1/chat/completions"


def test_the_price_of_the_config_wins() -> None:
    route = resolve(model("openai/gpt-4o", price=Price(1.0, 2.0)))
    assert cost_usd(Usage(1_000_000, 1_000_000), route.price) == pytest.approx(3.0)
    assert resolve(model("fake/echo")).price == FREE
    assert resolve(model("openai/some-new-model")).price is None
