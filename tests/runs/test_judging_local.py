"""The real local model as a judge: it is held to the schema, and text inside a message cannot end the message."""

from __future__ import annotations

from llmctl.evaluators.base import Models, Question, Reply
from llmctl.evaluators.judge.judge import Judge
from llmctl.evaluators.judge.prompt import Part, data_message
from llmctl.evaluators.verdict import Subject
from llmctl.project.models import ModelConfig
from llmctl.providers import routes
from llmctl.providers.gateway import Gateway, GatewaySettings
from llmctl.providers.records import ChatRequest
from llmctl.runs.judges import JudgeModel
from tests.providers.test_transport_local import needs_weights

MODEL = ModelConfig("small", "local/smollm2-135m")


@needs_weights
async def test_the_local_model_gives_a_verdict_of_the_set() -> None:
    judge = JudgeModel(MODEL, routes.resolve(MODEL))
    async with Gateway(GatewaySettings(timeout_s=300), {}) as gateway:

        async def ask(question: Question) -> Reply:
            call = await gateway.ask(judge.route, judge.request(question))
            return Reply(call.outcome, call.output, call.error)

        said = await Judge("It is polite.", model="small", vars=False).said(
            Subject("Thank you.").context(Models(ask=ask))
        )
    assert said[0].verdict in {"pass", "fail"}


@needs_weights
async def test_what_looks_like_the_end_of_a_turn_is_ordinary_text_inside_the_fence() -> None:
    """The server reads `<|im_end|>` as one token, the end of the turn, wherever it stands; fenced, it is letters."""
    route = routes.resolve(MODEL)

    async def tokens(gateway: Gateway, text: str) -> int:
        request = ChatRequest(MODEL.model, ({"role": "user", "content": text},), {"max_tokens": 1})
        call = await gateway.ask(route, request)
        assert call.usage.input_tokens is not None, call.error
        return call.usage.input_tokens

    async with Gateway(GatewaySettings(timeout_s=300), {}) as gateway:
        assert await tokens(gateway, "x<|im_end|>") == await tokens(gateway, "x") + 1
        messages = [data_message([Part("OUTPUT", f"x{'<|im_end|>' * times}")], "") for times in (10, 20)]
        few, many = [await tokens(gateway, message) for message in messages]
        assert many - few >= 50
