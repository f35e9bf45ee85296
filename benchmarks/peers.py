"""The loops that llmctl is compared with: the same requests, and nothing else. `python -m benchmarks.peers aiohttp`.

Each is what somebody writes in ten minutes: read the cases, ask, parse the answer. Nothing is scored, nothing is kept.
The output is one JSON object: calls, run_s (from the first call to the last answer), and the latency that the loop
would have recorded beyond the server's own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.lag import lag_of
from benchmarks.project import SYSTEM

__all__ = ["main"]

Ask = Callable[[list[dict[str, str]]], Awaitable[float | None]]
"""One call; how many milliseconds it took beyond the server's own, where that is known."""

_PARAMS: dict[str, Any] = {"temperature": 0, "max_tokens": 24}


def _messages(path: Path) -> Iterator[list[dict[str, str]]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            text = f"Customer of Acme wrote:\n{json.loads(line)['ticket']}"
            yield [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]


async def _loop(ask: Ask, path: Path, concurrency: int) -> dict[str, object]:
    waiting = _messages(path)
    lags: list[float] = []
    calls = 0

    async def work() -> None:
        nonlocal calls
        for messages in waiting:
            lag = await ask(messages)
            calls += 1
            if lag is not None:
                lags.append(lag)

    begun = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    run_s = time.perf_counter() - begun
    return {"calls": calls, "run_s": run_s, "lag": lag_of(lags)}


async def _aiohttp(base_url: str, path: Path, concurrency: int) -> dict[str, object]:
    import aiohttp

    url = f"{base_url}/chat/completions"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency)) as session:

        async def ask(messages: list[dict[str, str]]) -> float:
            begun = time.perf_counter()
            async with session.post(url, json={"model": "bench-1", "messages": messages, **_PARAMS}) as response:
                answer = await response.json()
            took_ms = (time.perf_counter() - begun) * 1000
            if not answer["choices"][0]["message"]["content"]:
                raise ValueError("an answer is empty")
            return took_ms - float(response.headers["x-server-ms"])

        return await _loop(ask, path, concurrency)


async def _litellm(base_url: str, path: Path, concurrency: int) -> dict[str, object]:
    os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
    import litellm

    litellm.suppress_debug_info = True

    async def ask(messages: list[dict[str, str]]) -> None:
        answer = await litellm.acompletion(
            "openai/bench-1", messages, api_base=base_url, api_key="none", max_retries=0, **_PARAMS
        )
        if not answer.choices[0].message.content:
            raise ValueError("an answer is empty")

    return await _loop(ask, path, concurrency)


def main() -> None:
    """Run one of the loops."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("loop", choices=["aiohttp", "litellm"])
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    given = parser.parse_args()
    run = _aiohttp if given.loop == "aiohttp" else _litellm
    print(json.dumps(asyncio.run(run(given.base_url, given.cases, given.concurrency))))  # noqa: T201


if __name__ == "__main__":
    main()
