"""JSON in every arrangement, whole and damaged."""

from __future__ import annotations

import io
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.traffic.documents.found import MAX_DOCUMENT_BYTES, Unreadable
from llmctl.traffic.documents.json_lines import json_documents
from llmctl.traffic.readers.base import Document


def found(text: bytes) -> list[tuple[int, object]]:
    """Line, and the value or the reason."""
    return [
        (one.line, one.reason if isinstance(one, Unreadable) else one.value) for one in json_documents(io.BytesIO(text))
    ]


CUT = "cut off at the end of the file"
NOT_CLOSED = "the list is cut off at the end of the file"
NOT_UTF8 = "not UTF-8 text (--encoding names another)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"a":1}\n{"a":2}\r\n\n{"a":3}', [(1, {"a": 1}), (2, {"a": 2}), (4, {"a": 3})]),
        (b'{"a":1}\n{"a":2', [(1, {"a": 1}), (2, CUT)]),
        (b'\xef\xbb\xbf{"a":1}\n\xef\xbb\xbf{"a":2}\n', [(1, {"a": 1}), (2, {"a": 2})]),
        (b'{"a":1}\nnoise\n{"a":2}\n', [(1, {"a": 1}), (2, "not JSON"), (3, {"a": 2})]),
        (b'{"a":"\xe9"}\n{"a":2}\n', [(1, NOT_UTF8), (2, {"a": 2})]),
        (b'\0\0{"a":1}\0\n\0\0\n', [(1, {"a": 1}), (2, "nothing but NUL bytes")]),
        (
            b'{"a":NaN,"b":1e999}\n{"a":"\\ud83d"}\n',
            [(1, {"a": None, "b": None}), (2, {"a": "\N{REPLACEMENT CHARACTER}"})],
        ),
        (b'{"a":1}{"a":2} {"a":3}\n', [(1, {"a": 1}), (1, {"a": 2}), (1, {"a": 3})]),
        (b'{\n "a": 1\n}\n{\n "a": 2\n}\n', [(1, {"a": 1}), (4, {"a": 2})]),
        (b'{"a":1}\n{\n "a": 2\n}\n{"a":3}\n', [(1, {"a": 1}), (2, {"a": 2}), (5, {"a": 3})]),
        (b'[{"a":1},{"a":"}]["}]', [(1, {"a": 1}), (1, {"a": "}]["})]),
        (b'[\n  {"a":1},\n  {"a":2}\n]\n{"b":1}\n', [(2, {"a": 1}), (3, {"a": 2}), (5, {"b": 1})]),
        (b'[{"a":1},{"a":2},{"a":', [(1, {"a": 1}), (1, {"a": 2}), (1, CUT), (1, NOT_CLOSED)]),
        (b'[\n{"a":1},\n{"a":2 "x"},\n{"a":3}\n]\n', [(2, {"a": 1}), (3, "not JSON"), (4, {"a": 3})]),
        (b'[\n  {\n    "a": 1 x\n  },\n  {\n    "a": 2\n  }\n]\n', [(2, "not JSON"), (5, {"a": 2})]),
        (b'{\n "a": "open\n}\n{\n "a": 2\n}\n', [(1, CUT), (4, {"a": 2})]),
        (b'[1,2]\n"x"\n{"a":1}\n', [(1, "not JSON"), (2, "not JSON"), (3, {"a": 1})]),
        (b"[]\n", []),
        (b"[ ]\n", []),
        (b"[[]]\n", [(1, "not JSON")]),
        (b"[" * 100_000 + b"]" * 100_000 + b'\n{"a":2}\n', [(1, "not JSON"), (2, {"a": 2})]),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b'\n{"a":2}\n', [(1, "nested too deeply"), (2, {"a": 2})]),
        (b'\x1e{"a":1}\n\x1e{"a":2}\n', [(1, {"a": 1}), (2, {"a": 2})]),
        (b'2026-11-20 10:00:00 INFO app: {"a":{"b":1}}\n', [(1, {"a": {"b": 1}})]),
        (b'INFO {"a":1} done\nINFO {"a":\n', [(1, "not JSON"), (2, "not JSON")]),
        (b'{"a":1,"a":2}\n', [(1, {"a": 2})]),
        (b'{"a":123456789012345678901234567890}\n', [(1, {"a": 1.2345678901234568e29})]),
        (b"", []),
    ],
)
def test_arrangements(text: bytes, expected: list[tuple[int, object]]) -> None:
    got = found(text)
    reasons = [(line, "not JSON" if what == "not a JSON object" else what) for line, what in got]
    assert reasons == expected


def test_raw_is_the_text_as_it_stands() -> None:
    text = b'{"b" : 1.10, "a":"\\u00e9"}\n[ {"x":  2} ]\n'
    raws = [one.raw for one in json_documents(io.BytesIO(text)) if isinstance(one, Document)]
    assert raws == ['{"b" : 1.10, "a":"\\u00e9"}', '{"x":  2}']


def test_a_line_that_is_too_long_takes_bounded_memory() -> None:
    class Long(io.RawIOBase):
        """`{"a":"xxx...` of 200 MB, then a good line."""

        def __init__(self) -> None:
            self.left = 200 * 2**20
            self.tail = b'"}\n{"a":1}\n'

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: object) -> int:
            view = memoryview(buffer)  # type: ignore[arg-type]
            if self.left:
                size = min(len(view), self.left)
                view[:size] = b"x" * size
                self.left -= size
                return size
            size = min(len(view), len(self.tail))
            view[:size], self.tail = self.tail[:size], self.tail[size:]
            return size

    tracemalloc.start()
    try:
        got = list(json_documents(io.BufferedReader(Long(), 2**20)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [(one.line, isinstance(one, Unreadable)) for one in got] == [(1, True), (2, False)]
    assert peak < 3 * MAX_DOCUMENT_BYTES


VALUES = st.dictionaries(
    st.text(max_size=5), st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(), st.lists), max_size=4
)


@given(st.lists(VALUES, max_size=6), st.sampled_from(["lines", "list", "pretty list", "pretty", "joined"]))
def test_every_arrangement_holds_the_same(values: list[dict[str, object]], arrangement: str) -> None:
    match arrangement:
        case "lines":
            text = "\n".join(json.dumps(value, ensure_ascii=False) for value in values)
        case "list":
            text = json.dumps(values)
        case "pretty list":
            text = json.dumps(values, indent=2, ensure_ascii=False)
        case "pretty":
            text = "\n".join(json.dumps(value, indent=1) for value in values)
        case _:
            text = "".join(map(json.dumps, values))
    assert [value for _, value in found(text.encode("utf-8", "replace"))] == [
        json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")) for value in values
    ]


@given(st.binary(max_size=400))
def test_any_bytes_end(text: bytes) -> None:
    for one in json_documents(io.BytesIO(text)):
        assert one.line >= 1


@given(st.lists(VALUES, min_size=1, max_size=5), st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_damage_costs_its_own_line_alone(values: list[dict[str, object]], at: int, damage: bytes) -> None:
    lines = [json.dumps(value).encode() for value in values]
    number = at % len(lines)
    lines[number] = b'{"broken: ' + damage.replace(b"\n", b"").replace(b'"', b"")
    got = [value for _, value in found(b"\n".join([*lines, b""]))]
    sound = [value for index, value in enumerate(values) if index != number]
    assert [value for value in got if not isinstance(value, str)] == sound
    assert len([value for value in got if isinstance(value, str)]) == 1
