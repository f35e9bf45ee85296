"""Units on disk: what was written is read back, in any order, by several readers at once."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.canonical import digest
from llmctl.errors import StoreError
from llmctl.providers.records import ChatRequest
from llmctl.runs.spool import SpooledUnit, UnitSpool

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def unit(number: int, *, key: object = None, target: int = 0) -> SpooledUnit:
    call_key = bytes.fromhex(digest(number if key is None else key))
    return SpooledUnit(call_key, 100 * number, number, target, number % 3 + 1, number)


def request(text: str) -> ChatRequest:
    return ChatRequest("fake/echo", ({"role": "user", "content": text},), {"temperature": 0}, payload=None)


def filled(folder: Path, count: int) -> UnitSpool:
    spool = UnitSpool(folder)
    for number in range(count):
        assert spool.add(unit(number, target=number % 2), request("x" * (number % 700) + str(number))) == number
    spool.flush()
    return spool


def test_units_come_back_in_any_order_by_several_readers(tmp_path: Path) -> None:
    spool = filled(tmp_path / "tmp", 3000)
    numbers = list(range(3000))
    Random(1).shuffle(numbers)
    first, second = spool.reader(), spool.reader()
    for number in numbers:
        other = 2999 - number
        assert first.unit(number) == unit(number, target=number % 2)
        assert second.request(other) == request("x" * (other % 700) + str(other))
    spool.close()


def test_an_answer_larger_than_a_block_is_read_whole(tmp_path: Path) -> None:
    spool = UnitSpool(tmp_path)
    for number in range(3):
        spool.add(unit(number), request("y" * 700_000 + str(number)))
    spool.flush()
    assert [spool.reader().request(number) for number in range(3)] == [
        request("y" * 700_000 + str(n)) for n in range(3)
    ]
    spool.close()


def test_units_by_target_and_repeated_keys(tmp_path: Path) -> None:
    spool = UnitSpool(tmp_path)
    for number, key in enumerate(["a", "b", "a", "c", "c", "c"]):
        spool.add(unit(number, key=key, target=number % 2), request("t"))
    spool.flush()
    assert list(spool.by_target(frozenset({1}))) == [1, 3, 5]
    assert list(spool.by_target(frozenset({0, 1}))) == [0, 1, 2, 3, 4, 5]
    reader = spool.reader()
    assert spool.repeated() == {reader.unit(0).prefix, reader.unit(3).prefix}
    spool.close()


def test_nothing_is_left_of_it(tmp_path: Path) -> None:
    spool = filled(tmp_path / "tmp", 10)
    assert not list((tmp_path / "tmp").iterdir())
    spool.close()
    UnitSpool(tmp_path / "never").close()
    assert not (tmp_path / "never").exists()


def test_a_file_that_was_cut_is_said(tmp_path: Path) -> None:
    spool = filled(tmp_path, 100)
    spool._opened().truncate(500)
    with pytest.raises(StoreError, match="damaged"):
        spool.reader().request(99)
    spool.close()


@given(content=json_values, options=json_values)
def test_any_request_comes_back(tmp_path_factory: pytest.TempPathFactory, content: object, options: object) -> None:
    spool = UnitSpool(tmp_path_factory.mktemp("spool"))
    asked = ChatRequest(
        "m", ({"content": content},), options={"o": options}, tools=({"a": options},), payload={"p": content}
    )
    spool.add(unit(0), asked)
    spool.flush()
    assert spool.reader().request(0) == asked
    spool.close()
