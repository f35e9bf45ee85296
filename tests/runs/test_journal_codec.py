from __future__ import annotations

import dataclasses
import json
import math
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.canonical import WrittenFloat
from llmctl.runs.codec import CodecError, UnknownEvent, decode, encode
from llmctl.runs.records import BankEvent, CaseEvent, Event, ResultEvent
from tests.runs.journal_examples import BANK, RUN_ID, case, events, result, same, whole_run


def resealed(fields: dict[str, object]) -> bytes:
    """A line with a right checksum, as another version of the writer would make it."""
    rest = json.dumps({name: value for name, value in fields.items() if name != "crc"}).encode()[1:]
    return b'{"crc":"%08x",%s' % (zlib.crc32(rest), rest)


@given(events, st.integers(1, 2**40))
def test_every_event_comes_back_as_it_was(event: Event, seq: int) -> None:
    decoded = decode(encode(event, seq)[:-1])
    assert decoded.seq == seq
    assert type(decoded.event) is type(event)
    assert same(decoded.event, event)


def test_written_scalars_tuples_and_enums_come_back() -> None:
    for event in whole_run(RUN_ID):
        assert same(decode(encode(event, 1)[:-1]).event, event)
    price = decode(encode(case(1), 1)[:-1]).event
    assert isinstance(price, CaseEvent)
    assert str(price.vars["price"]) == "1.10"


@given(events)
def test_a_line_is_json_without_a_line_break(event: Event) -> None:
    line = encode(event, 7)
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    parsed = json.loads(line)
    assert list(parsed)[:3] == ["crc", "seq", "type"]
    rest = line[len(b'{"crc":"12345678",') : -1]
    assert parsed["crc"] == f"{zlib.crc32(rest):08x}"


surrogates = st.text(st.characters() | st.characters(categories=["Cs"]), min_size=1)


@given(surrogates)
def test_a_lone_surrogate_becomes_its_visible_escape(text: str) -> None:
    event = dataclasses.replace(result(1), output=text, reason=text)
    read = decode(encode(event, 1)[:-1]).event
    assert isinstance(read, ResultEvent)
    assert read.output == text.encode("utf-8", "backslashreplace").decode()
    assert read.scores == event.scores


def test_a_surrogate_in_a_key_does_not_stop_the_journal() -> None:
    read = decode(encode(CaseEvent("b", "c", {"\ud800": ["\udcff"]}), 1)[:-1]).event
    assert isinstance(read, CaseEvent)
    assert read.vars == {"\\ud800": ["\\udcff"]}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (WrittenFloat(math.inf, ".inf"), ".inf"),
        (2**64, "18446744073709551616"),
        (-(2**63) - 1, "-9223372036854775809"),
    ],
)
def test_a_number_that_json_cannot_hold_becomes_its_text(value: object, text: str) -> None:
    read = decode(encode(CaseEvent("b", "c", {"x": [value]}, expected={"y": value}), 1)[:-1]).event
    assert isinstance(read, CaseEvent)
    assert read.vars == {"x": [text]}
    assert read.expected == {"y": text}


def test_unknown_fields_are_left_out_and_missing_ones_get_their_default() -> None:
    fields = json.loads(encode(result(1), 3))
    fields["new"] = {"a": 1}
    fields["scores"][0]["newer"] = 2
    del fields["tags"]
    read = decode(resealed(fields)).event
    assert read == dataclasses.replace(result(1), tags=())


def test_an_event_of_a_newer_type_is_no_damage() -> None:
    decoded = decode(resealed({"seq": 5, "type": "verdict", "x": 1}))
    assert decoded.event == UnknownEvent("verdict")
    assert decoded.seq == 5


def test_a_missing_field_is_damage() -> None:
    fields = json.loads(encode(BANK, 1))
    del fields["path"]
    with pytest.raises(CodecError, match="cannot be read"):
        decode(resealed(fields))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"garbage",
        b"\x00" * 100,
        b'{"crc":"',
        b'{"crc":"00000000","seq":1}',
        b'{"crc":"%08x",]' % zlib.crc32(b"]"),
        b'{"crc":"%08x",%s' % (zlib.crc32(b'"a":%s1' % (b"[" * 5000)), b'"a":%s1' % (b"[" * 5000)),
    ],
)
def test_garbage_is_damage(line: bytes) -> None:
    with pytest.raises(CodecError):
        decode(line)


@given(st.integers(0), st.integers(0, 7))
def test_a_flipped_bit_is_damage(place: int, bit: int) -> None:
    line = bytearray(encode(result(1), 1)[:-1])
    line[place % len(line)] ^= 1 << bit
    with pytest.raises(CodecError):
        decode(bytes(line))


def test_something_that_is_no_data_is_an_error_of_the_program() -> None:
    with pytest.raises(TypeError):
        encode(BankEvent("b", "p", object()), 1)  # type: ignore[arg-type]
