from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.outcome import Outcome
from llmctl.providers.openai_stream import StreamReader
from llmctl.providers.wire import Answer


def event(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> bytes:
    chunk = {"model": "m-1", "choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}], **more}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}\n\n'
WHOLE = (
    b": hello\r\n\r\n"
    + event({"content": "Gr\u00fc\u00df "})
    + event({"content": "Gott"})
    + event(finish="stop")
    + USAGE
    + DONE
)


def read(*chunks: bytes) -> Answer:
    reader = StreamReader()
    for chunk in chunks:
        reader.feed(chunk)
    return reader.answer()


def test_a_stream_becomes_the_same_answer_as_a_whole_response() -> None:
    answer = read(WHOLE)
    assert (answer.outcome, answer.output, answer.finish_reason) == (Outcome.ANSWERED, "Gr\u00fc\u00df Gott", "stop")
    assert (answer.served_model, answer.usage.input_tokens, answer.usage.output_tokens) == ("m-1", 3, 2)


@given(st.lists(st.integers(0, len(WHOLE)), max_size=20))
def test_where_the_network_cuts_makes_no_difference(cuts: list[int]) -> None:
    ends = sorted({0, len(WHOLE), *cuts})
    assert read(*(WHOLE[a:b] for a, b in pairwise(ends))) == read(WHOLE)


def test_pieces_come_as_soon_as_they_are_whole() -> None:
    reader = StreamReader()
    first = event({"content": "bil"})
    assert reader.feed(first[:-1]) == []
    assert [piece.text for piece in reader.feed(first[-1:] + event({"content": "ling"}))] == ["bil", "ling"]


def test_a_tool_call_comes_in_pieces() -> None:
    answer = read(
        event(
            {
                "tool_calls": [
                    {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a"'}}
                ]
            }
        ),
        event({"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]}),
        event(
            {"tool_calls": [{"index": 1, "id": "c2", "type": "function", "function": {"name": "g", "arguments": ""}}]}
        ),
        event(finish="tool_calls"),
        DONE,
    )
    assert answer.outcome is Outcome.ANSWERED
    assert [call["function"] for call in answer.tool_calls] == [
        {"name": "f", "arguments": '{"a": 1}'},
        {"name": "g", "arguments": ""},
    ]


@pytest.mark.parametrize(
    ("stream", "outcome"),
    [
        (event({"content": "bil"}), Outcome.MALFORMED),
        (b"", Outcome.MALFORMED),
        (event({"content": "bil"}) + b"data: {cut\n\n" + event(finish="stop") + DONE, Outcome.MALFORMED),
        (event({"content": "bil"}) + b"data: 7\n\n" + DONE, Outcome.MALFORMED),
        (event({"content": "bil"}) + event(finish="length") + DONE, Outcome.TRUNCATED),
        (event({"content": "bil"}) + event(finish="stop"), Outcome.ANSWERED),
        (event({"content": "bil"}) + DONE, Outcome.ANSWERED),
        (event({"content": "bil"}) + event(finish="stop")[:-2], Outcome.ANSWERED),
        (event(finish="stop") + DONE, Outcome.EMPTY),
        (event({"refusal": "I can"}) + event({"refusal": "not."}) + event(finish="stop") + DONE, Outcome.REFUSED),
        (event(finish="content_filter") + DONE, Outcome.FILTERED),
        (event({"content": "x"}) + b'data: {"error": {"message": "boom", "code": 503}}\n\n', Outcome.PROVIDER_ERROR),
        (event({"content": "x"}) + b'data: {"error": {"message": "boom"}}\n\n' + DONE, Outcome.PROVIDER_ERROR),
    ],
)
def test_how_streams_end(stream: bytes, outcome: Outcome) -> None:
    assert read(stream).outcome is outcome


def test_a_pair_cut_between_two_pieces_is_one_character() -> None:
    answer = read(event({"content": "\ud83d"}), event({"content": "\ude00"}), event(finish="stop"), DONE)
    assert answer.output == "\U0001f600"


def test_a_line_without_end_is_read_in_linear_time() -> None:
    reader = StreamReader()
    for _ in range(20_000):
        assert reader.feed(b"x" * 1000) == []
    assert reader.answer().outcome is Outcome.MALFORMED
