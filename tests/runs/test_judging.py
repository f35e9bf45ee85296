"""Judges' questions in a run: one call a key, recorded before it counts, kept back when the run stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from llmctl.errors import EvaluatorError, ExitCode
from llmctl.evaluators.base import KeptBackError, Question
from llmctl.outcome import Outcome
from llmctl.project.models import ModelConfig, Price
from llmctl.providers import routes
from llmctl.providers.gateway import Gateway, GatewaySettings
from llmctl.providers.records import Call
from llmctl.runs.call_ids import CallIds
from llmctl.runs.history import History
from llmctl.runs.journal import JournalWriter
from llmctl.runs.judged_calls import JudgedCalls
from llmctl.runs.judges import JudgeModel, price_problems
from llmctl.runs.judging import JudgeRoom, Judging
from llmctl.runs.records import CallEvent, CallPurpose, RunEvent
from llmctl.runs.reuse import Rules
from llmctl.runs.stop import Stop
from llmctl.store.layout import Layout

ANSWER = '{"reason": "r", "verdict": "pass"}'
SCHEMA = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "verdict": {"type": "string", "enum": ["pass", "fail"]}},
}
RUN = "1m83z0000abcd"


def judge_model(price: Price | None = None, model: str = "fake/script", **options: object) -> JudgeModel:
    options = {"answer": ANSWER, **options} if model == "fake/script" else options
    config = ModelConfig("judge", model, options=options, price=price)
    return JudgeModel(config, routes.resolve(config))


def question(text: str = "a", draw: int = 1) -> Question:
    return Question("judge", ({"role": "user", "content": text},), SCHEMA, {"max_tokens": 50}, draw)


@dataclass
class Bench:
    """A Judging with a real gateway and a real journal."""

    judging: Judging
    stop: Stop
    recorded: list[str] = field(default_factory=list)
    in_file: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    """Gets the position of each call that the journal holds."""


@asynccontextmanager
async def bench(
    store: Path,
    judge: JudgeModel,
    *,
    run_id: str = RUN,
    max_cost_usd: float | None = None,
    concurrency: int = 8,
    offline: bool = False,
    rules: Rules | None = None,
) -> AsyncIterator[Bench]:
    known = JudgedCalls(Layout(store))
    if rules is not None:
        known.find(History(store).calls, [judge], rules)
    settings = GatewaySettings(concurrency=concurrency, max_cost_usd=max_cost_usd, offline=offline)
    stop = Stop()
    with JournalWriter(Layout(store).journal(run_id)) as journal:
        await journal.write(RunEvent(run_id, 1.0, "llmctl eval"))
        recorded: list[str] = []
        in_file: asyncio.Queue[int] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def record(call_id: str, call: Call, told: Callable[[int], None]) -> None:
            def written(_error: Exception | None, position: int) -> None:
                told(position)
                loop.call_soon_threadsafe(in_file.put_nowait, position)

            recorded.append(call_id)
            journal.post(CallEvent(call_id, call, CallPurpose.JUDGE), written)

        async with Gateway(settings, {}) as gateway:
            room = JudgeRoom(gateway, record, journal.path, CallIds(run_id), stop)
            judging = Judging({"judge": judge}, known, room)
            try:
                yield Bench(judging, stop, recorded, in_file)
            finally:
                judging.close()


async def test_one_call_a_key_however_often_it_is_asked(tmp_path: Path) -> None:
    async with bench(tmp_path, judge_model(latency_ms=20)) as made:
        replies = await asyncio.gather(*(made.judging.ask(question()) for _ in range(5)))
        assert {reply.text for reply in replies} == {ANSWER}
        assert made.recorded == [f"{RUN}.1"]
        await made.in_file.get()
        assert (await made.judging.ask(question())).text == ANSWER
        assert made.recorded == [f"{RUN}.1"]
        await made.judging.ask(question(draw=2))
        assert made.recorded == [f"{RUN}.1", f"{RUN}.2"]
        count = made.judging.counts["judge"]
        assert (count.sent, count.reused) == (2, 5)


async def test_another_run_reuses_what_was_judged_also_while_this_one_goes_on(tmp_path: Path) -> None:
    judge = judge_model()
    async with bench(tmp_path, judge) as made:
        await made.judging.ask(question())
        await made.in_file.get()
        rules = Rules("7d", now=2e9)
        async with bench(tmp_path, judge, run_id="1m83z0000zzzz", rules=rules) as other:
            assert (await other.judging.ask(question())).text == ANSWER
            await other.judging.ask(question("b"))
            assert other.recorded == ["1m83z0000zzzz.1"]
            assert (other.judging.counts["judge"].sent, other.judging.counts["judge"].reused) == (1, 1)


async def test_a_floating_model_is_asked_again_after_a_while_unless_the_run_goes_on(tmp_path: Path) -> None:
    fake = judge_model()
    floating = JudgeModel(fake.model, fake.route)
    async with bench(tmp_path, fake) as made:
        await made.judging.ask(question())
        await made.in_file.get()

    def known(rules: Rules, judge: JudgeModel) -> int:
        found = JudgedCalls(Layout(tmp_path))
        found.find(History(tmp_path).calls, [judge], rules)
        return len(found)

    config = ModelConfig("judge", "openai/gpt-4o-mini")
    openai = JudgeModel(config, routes.resolve(config))
    assert openai.route.floats
    assert known(Rules("7d", now=1e12), floating) == 1
    assert known(Rules("7d", now=1e12), openai) == 0
    assert known(Rules("7d", now=1e12, others=False), floating) == 0
    assert known(Rules("7d", now=1e12, others=False, own=RUN), floating) == 1
    assert known(Rules("7d", now=1e12, others=False, own="1m83z0000zzzz"), floating) == 0


async def test_nothing_new_is_sent_when_the_run_stops(tmp_path: Path) -> None:
    async with bench(tmp_path, judge_model()) as made:
        await made.judging.ask(question("known"))
        await made.in_file.get()
        made.stop.request("enough")
        with pytest.raises(KeptBackError):
            await made.judging.ask(question("new"))
        assert (await made.judging.ask(question("known"))).text == ANSWER
        assert len(made.recorded) == 1


async def test_what_waits_for_its_turn_is_kept_back_too(tmp_path: Path) -> None:
    async with bench(tmp_path, judge_model(latency_ms=50), concurrency=1) as made:
        tasks = [asyncio.create_task(made.judging.ask(question(text))) for text in "abcb"]
        await asyncio.sleep(0)  # all have come as far as they can
        made.stop.request()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(result, KeptBackError) for result in results] == [False, True, True, True]
        assert len(made.recorded) == 1


async def test_a_spent_budget_stops_the_run(tmp_path: Path) -> None:
    judge = judge_model(Price(1_000_000.0, 1_000_000.0))  # a dollar a token
    async with bench(tmp_path, judge, max_cost_usd=400.0) as made:
        await made.judging.ask(question("a"))
        with pytest.raises(KeptBackError):
            for number in range(200):
                await made.judging.ask(question(str(number)))
        assert made.stop.reason == "the budget is used up"
        assert made.stop.code is ExitCode.STOPPED


async def test_a_judge_that_does_not_answer_any_more_stops_the_run(tmp_path: Path) -> None:
    async with bench(tmp_path, judge_model(faults=["401"] * 5)) as made:
        reply = await made.judging.ask(question("a"))
        assert reply.outcome is Outcome.PROVIDER_ERROR
        with pytest.raises(KeptBackError):
            await made.judging.ask(question("b"))
        assert made.stop.reason is not None and made.stop.reason.startswith("the judge gives no answers (")
        assert made.stop.code is ExitCode.UNFINISHED


async def test_offline_a_judge_elsewhere_is_not_asked_and_nothing_is_recorded(tmp_path: Path) -> None:
    async with bench(tmp_path, judge_model(model="openai/gpt-4o-mini"), offline=True) as made:
        reply = await made.judging.ask(question())
        assert reply.outcome is Outcome.SKIPPED and "not on this machine" in (reply.error or "")
        assert made.recorded == []
        assert not made.stop.requested


async def test_a_model_that_was_not_planned_is_an_error(tmp_path: Path) -> None:
    async with bench(tmp_path, judge_model()) as made:
        with pytest.raises(EvaluatorError, match="not found when the run was planned"):
            await made.judging.ask(Question("other", (), {}))


def test_the_schema_is_sent_where_the_model_takes_one() -> None:
    def format_of(model: str, drop: tuple[str, ...] = ()) -> object:
        config = ModelConfig("judge", model, drop=drop, options={"answer": "x"} if model == "fake/script" else {})
        return JudgeModel(config, routes.resolve(config)).request(question()).response_format

    wanted = {"type": "json_schema", "json_schema": {"name": "output", "strict": True, "schema": SCHEMA}}
    assert format_of("fake/script") == wanted
    assert format_of("openai/gpt-4o-mini") == wanted
    assert format_of("openai/gpt-3.5-turbo") is None  # the price table says that it takes none
    assert format_of("openai/a-model-of-our-own") == wanted
    assert format_of("openai/gpt-4o-mini", ("response_format",)) is None


def test_the_models_own_params_win_and_are_in_its_identity() -> None:
    config = ModelConfig("judge", "openai/gpt-4o-mini", params={"max_tokens": 7}, drop=("temperature",))
    judge = JudgeModel(config, routes.resolve(config))
    asked = Question("judge", ({"role": "user", "content": "x"},), SCHEMA, {"max_tokens": 50, "temperature": 0})
    assert judge.request(asked).params == {"max_tokens": 7}
    plain = ModelConfig("judge", "openai/gpt-4o-mini")
    assert judge.identity != JudgeModel(plain, routes.resolve(plain)).identity


def test_a_budget_needs_the_judges_price() -> None:
    assert price_problems([judge_model(Price(1, 1))]) == []
    config = ModelConfig("mine", "openai/a-model-of-our-own")
    [problem] = price_problems([JudgeModel(config, routes.resolve(config))])
    assert "[models.mine]: price =" in problem
