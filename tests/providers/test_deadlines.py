"""One timer ends whatever takes too long, and nothing else."""

from __future__ import annotations

import asyncio

import pytest

from llmctl.providers.deadlines import Deadlines


async def for_ever() -> None:
    await asyncio.Event().wait()


async def test_what_is_in_time_is_returned() -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    assert await Deadlines().within(5, work()) == "done"


async def test_each_ends_at_its_own_time() -> None:
    deadlines, loop = Deadlines(), asyncio.get_running_loop()
    ended: list[float] = []

    async def wait(seconds: float) -> None:
        began = loop.time()
        with pytest.raises(TimeoutError):
            await deadlines.within(seconds, for_ever())
        assert loop.time() - began >= seconds - 0.001
        ended.append(seconds)

    # The second is due before the timer that the first has set; the third is found when that one rings.
    await asyncio.wait_for(asyncio.gather(wait(0.05), wait(0.01), wait(0.09)), 5)
    assert ended == [0.01, 0.05, 0.09]


async def test_a_task_goes_on_after_its_deadline() -> None:
    deadlines = Deadlines()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await deadlines.within(0.001, for_ever())
    task = asyncio.current_task()
    assert task is not None and task.cancelling() == 0
    await asyncio.sleep(0)


async def test_a_deadline_that_is_over_ends_at_once() -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(Deadlines().within(-1, for_ever()), 5)


async def test_who_is_cancelled_is_not_out_of_time() -> None:
    task = asyncio.create_task(Deadlines().within(5, for_ever()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_is_cancelled_at_the_deadline_ends() -> None:
    deadlines = Deadlines()

    async def stubborn() -> None:
        try:
            await for_ever()
        except asyncio.CancelledError:
            task.cancel()  # somebody else, while it still cleans up
            await asyncio.sleep(0)
            raise

    task = asyncio.create_task(deadlines.within(0.001, stubborn()))
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_failure_is_passed_on_and_forgotten() -> None:
    async def broken() -> None:
        raise ValueError("broken")

    deadlines = Deadlines()
    with pytest.raises(ValueError, match="broken"):
        await deadlines.within(0.01, broken())
    with pytest.raises(TimeoutError):  # meanwhile the deadline of the first passes, and cancels nobody
        await deadlines.within(0.03, for_ever())
    deadlines.close()
