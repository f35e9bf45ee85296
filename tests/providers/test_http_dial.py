"""Sockets are connected to the first address that answers; names are looked up once for many."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from llmctl.providers.http import dial as http_dial
from llmctl.providers.http.dial import Address, Addresses, dial, interleaved

V4, V6 = socket.AF_INET, socket.AF_INET6


@pytest.fixture
def listener() -> Iterator[Address]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield Address(V4, listening.getsockname())


@pytest.fixture
def refused() -> Address:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return Address(V4, free.getsockname())


@pytest.fixture
def silent() -> Iterator[Address]:
    """Whose queue of connections is full, so that no other one stands."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        waiting = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(address)
            waiting.append(one)
        yield Address(V4, address)
        for one in waiting:
            one.close()


def peer(connected: socket.socket) -> Any:
    with connected:
        return connected.getpeername()


async def test_the_only_address(listener: Address, refused: Address) -> None:
    assert peer(await dial([listener])) == listener.place
    with pytest.raises(ConnectionRefusedError):
        await dial([refused])


async def test_the_next_one_at_once_where_one_refuses(listener: Address, refused: Address) -> None:
    assert peer(await dial([refused, refused, listener])) == listener.place


async def test_all_refuse(refused: Address) -> None:
    with pytest.raises(ConnectionRefusedError):
        await dial([refused, refused])


async def test_the_next_one_while_one_does_not_answer(listener: Address, silent: Address) -> None:
    assert peer(await asyncio.wait_for(dial([silent, listener]), 10)) == listener.place
    for _ in range(3):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_cancelling_leaves_nothing_behind(silent: Address) -> None:
    for addresses in ([silent], [silent, silent]):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(dial(addresses), 0.3)
    for _ in range(3):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_number_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", None)
    assert await Addresses("127.0.0.1", 80).get() == (Address(V4, ("127.0.0.1", 80)),)
    assert await Addresses("::1", 80).get() == (Address(V6, ("::1", 80)),)


async def test_many_share_a_look_up_and_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def look_up(host: bytes, port: int, *_: object) -> list[object]:
        asked.append(host)
        found = [(V4, ("10.0.0.1", port)), (V4, ("10.0.0.2", port)), (V6, ("::1", port, 0, 0))]
        return [(family, socket.SOCK_STREAM, 6, "", place) for family, place in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    addresses = Addresses("h", 80)
    first = [(await addresses.get())[0].place[0]]
    first += [found[0].place[0] for found in await asyncio.gather(*(addresses.get() for _ in range(3)))]
    assert first == ["10.0.0.1", "::1", "10.0.0.2", "10.0.0.1"]
    assert asked == [b"h"]
    addresses.forget()
    await addresses.get()
    assert asked == [b"h"] * 2
    monkeypatch.setattr(http_dial, "_KEPT_S", -1.0)
    addresses.forget()
    await addresses.get()
    await addresses.get()
    assert asked == [b"h"] * 4


async def test_a_look_up_that_fails_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def look_up(host: bytes, *_: object) -> list[object]:
        asked.append(host)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    addresses = Addresses("h", 80)
    for _ in range(2):
        failures = await asyncio.gather(*(addresses.get() for _ in range(3)), return_exceptions=True)
        assert all(isinstance(failure, socket.gaierror) for failure in failures)
    assert len(asked) == 2


async def test_who_is_cancelled_does_not_end_the_look_up_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    go = asyncio.get_running_loop().create_future()

    async def look_up(*_: object, **__: object) -> list[object]:
        await go
        return [(V4, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 80))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    addresses = Addresses("h", 80)
    first, second = (asyncio.create_task(addresses.get()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    go.set_result(None)
    assert await second == (Address(V4, ("10.0.0.1", 80)),)
    with pytest.raises(asyncio.CancelledError):
        await first


def test_the_families_take_turns() -> None:
    six, four = [Address(V6, (str(n),)) for n in range(3)], [Address(V4, (str(n),)) for n in range(2)]
    assert interleaved([*six, *four]) == [six[0], four[0], six[1], four[1], six[2]]
    assert interleaved(four) == four
    assert interleaved([four[0], *six]) == [four[0], *six]
