from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.providers.http.unpacking import Unpacker, unpacker_of
from tests.providers.wire_bytes import cut

BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15, "raw deflate": -15}


def unpacker(name: str) -> Unpacker:
    found = unpacker_of(name.removeprefix("raw "))
    assert found is not None
    return found


@given(
    body=st.binary(max_size=500),
    times=st.sampled_from([1, 1, 1000]),
    places=st.lists(st.integers(0, 600), max_size=6),
    name=st.sampled_from(sorted(BITS)),
)
def test_what_was_packed_comes_out(body: bytes, times: int, places: list[int], name: str) -> None:
    one, body = unpacker(name), body * times
    packed = zlib.compress(body, wbits=BITS[name])
    if name == "gzip":  # also several, one after the other
        packed, body = packed * 2, body * 2
    assert b"".join(piece for part in cut(packed, places) for piece in one.pieces(part)) == body
    assert one.whole


@pytest.mark.parametrize("name", BITS)
def test_a_bomb_comes_out_in_pieces(name: str) -> None:
    one = unpacker(name)
    sizes = [len(piece) for piece in one.pieces(zlib.compress(b"\0" * 50_000_000, wbits=BITS[name]))]
    assert max(sizes) == 256 * 1024 and sum(sizes) == 50_000_000 and one.whole


@pytest.mark.parametrize("name", BITS)
def test_a_half_is_not_whole(name: str) -> None:
    packed = zlib.compress(b"x" * 1000, wbits=BITS[name])
    one = unpacker(name)
    whole = [one.whole]
    for part in (packed[:-1], packed[-1:]):
        list(one.pieces(part))
        whole.append(one.whole)
    assert whole == [True, False, True]


@pytest.mark.parametrize(("name", "data"), [("gzip", b"{}"), ("gzip", b"\x1f\x8b\x08\xff"), ("deflate", b"\xffx")])
def test_what_is_not_packed_is_an_error(name: str, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"incorrect|invalid|unknown"):
        list(unpacker(name).pieces(data))


@pytest.mark.parametrize("name", ["br", "zstd", "compress", "gzip, br", "", "GZIP "])
def test_others_are_not_known(name: str) -> None:
    assert unpacker_of(name) is None


def test_what_is_left_when_all_bytes_are_used_up_comes_out_too() -> None:
    """A full piece may leave its last matches within `zlib`, which asks for no byte more."""
    body = b"\0" * (256 * 1024 + 21)
    one = unpacker("raw deflate")
    assert b"".join(one.pieces(zlib.compress(body, wbits=-15))) == body and one.whole
