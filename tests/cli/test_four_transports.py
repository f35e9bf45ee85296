"""One bank through `direct`, `litellm`, `local` and `fake`: the rows that are kept are of one kind."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from llmctl.errors import ModelError
from llmctl.providers.local import weights
from llmctl.providers.records import Call
from llmctl.runs.history import History
from tests.cli.conftest import Invoke, write
from tests.support.openai_server import OpenAIServer

OWN_TO_EACH_CALL = {"key", "provider", "model", "transport", "endpoint", "started_at", "latency_ms", "attempts"}
OWN_TO_EACH_ANSWER = {"output", "usage", "served_model", "finish_reason", "outcome"}


def has_weights() -> bool:
    try:
        weights.find("smollm2-135m")
    except ModelError:
        return False
    return True


def calls(root: Path, model: str) -> dict[str, Call]:
    history = History(root / ".llmctl")
    run = history.find("@last")
    return {
        result.case_id: history.calls.call(result.call_id)
        for result in history.results(run)
        if result.model == model and result.call_id
    }


def record(call: Call, *but: set[str]) -> dict[str, object]:
    left_out = set().union(*but)
    fields = {field.name: getattr(call, field.name) for field in dataclasses.fields(call)}
    return {name: value for name, value in fields.items() if name not in left_out}


def messages(call: Call) -> object:
    return json.loads(call.attempts[-1].request_body)["messages"]


@pytest.mark.skipif(not has_weights(), reason="the local model is not here: run `llmctl models pull`")
def test_the_same_bank_on_four_transports(project: Path, llmctl: Invoke) -> None:
    with OpenAIServer() as server:
        config = f"""
        [models.direct]
        model = "openai/echo"
        api_base = "{server.url}"
        [models.litellm]
        model = "openai/echo"
        api_base = "{server.url}"
        transport = "litellm"
        [models.fake]
        model = "fake/echo"
        [models.local]
        model = "local/smollm2-135m"
        params = {{max_tokens = 4, temperature = 0}}
        """
        write(project, "llmctl.toml", config)
        names = ["direct", "litellm", "fake", "local"]
        result = llmctl("eval", *(part for name in names for part in ("-m", name)))
    assert result.code == 0, result.err
    by_model = {name: calls(project, name) for name in names}
    for case in ("card", "parcel", "hours"):
        direct, litellm, fake, local = (by_model[name][case] for name in names)
        assert record(direct, OWN_TO_EACH_CALL) == record(litellm, OWN_TO_EACH_CALL)
        assert record(direct, OWN_TO_EACH_CALL, {"usage", "served_model", "cost_usd"}) == record(
            fake, OWN_TO_EACH_CALL, {"usage", "served_model", "cost_usd"}
        )
        assert record(direct, OWN_TO_EACH_CALL, OWN_TO_EACH_ANSWER, {"cost_usd"}) == record(
            local, OWN_TO_EACH_CALL, OWN_TO_EACH_ANSWER, {"cost_usd"}
        )
        assert messages(direct) == messages(litellm) == messages(fake) == messages(local)
        assert (direct.cost_usd, local.cost_usd) == (None, 0.0)  # `echo` has no known price
        for call in (direct, litellm, fake, local):
            assert call.output and call.served_model and call.finish_reason
            assert call.usage.input_tokens and call.usage.output_tokens
            assert [attempt.number for attempt in call.attempts] == [1]
            assert call.attempts[0].request_body and call.attempts[0].response_body
