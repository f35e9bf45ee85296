"""Whatever a document holds: no reader of OpenAI's and Anthropic's logs raises, and none drops it in silence."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmctl.traffic.readers.base import Document, Entry
from llmctl.traffic.readers.registry import reader_named, readers
from llmctl.traffic.readers.waiting import Waiting

SAMPLES = Path(__file__).parent.parent / "samples"
NAMES = (
    "openai_chat",
    "openai_responses",
    "anthropic_messages",
    "openai_batch",
    "anthropic_batch",
    "openai_stored",
    "rows",
)
KEYS = (
    *(
        "request",
        "response",
        "messages",
        "role",
        "content",
        "choices",
        "message",
        "tool_calls",
        "function",
        "arguments",
    ),
    *(
        "model",
        "usage",
        "prompt_tokens",
        "error",
        "status",
        "input",
        "output",
        "type",
        "text",
        "id",
        "custom_id",
        "body",
    ),
    *(
        "params",
        "result",
        "metadata",
        "prompt",
        "tools",
        "system",
        "object",
        "data",
        "delta",
        "latency",
        "timestamp",
        "source",
    ),
)
TEXTS = (
    *KEYS,
    "message",
    "function_call",
    "tool_use",
    "tool_result",
    "chat.completion.chunk",
    "response",
    "user",
    "{}",
    "",
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2000) | st.floats(allow_nan=False) | st.sampled_from(TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=25,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.dictionaries(st.sampled_from(KEYS), values, max_size=6), min_size=1, max_size=3))
def test_every_document_is_a_record_or_is_set_aside(contents: list[Mapping[str, object]]) -> None:
    documents = [Document(value, orjson.dumps(value).decode(), line) for line, value in enumerate(contents, 1)]
    for name in NAMES:
        reader = reader_named(name)
        assert all(0 <= reader.recognises(one.value) <= 100 for one in documents)
        found = list(reader.read(iter(documents)))
        kept = "\n".join(one.raw for one in found if isinstance(one, Entry))
        aside = {one.line for one in found if not isinstance(one, Entry)}
        for one in documents:
            assert one.raw in kept or one.line in aside or one.value.get("object") == "chat.completion.chunk"


def test_what_waits_is_bounded() -> None:
    waiting = Waiting(most_characters=10)
    gone = [one.line for line in range(5) for one in waiting.add(str(line), Document({}, "abcd", line))]
    assert gone == [0, 1, 2]
    assert [one.line for one in waiting.take("4")] == [4]
    assert [one.line for one in waiting.rest()] == [3]


ODD: tuple[object, ...] = (
    None,
    0,
    -1,
    1.5,
    True,
    "",
    "x",
    "{}",
    "[1]",
    [],
    {},
    [None],
    [[]],
    [{}],
    {"type": 5},
    [{"role": []}],
)


def _paths(value: Any, before: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*before, key)
        yield from _paths(item, (*before, key))


def _spoilt(document: Any, chance: random.Random) -> Any:
    """The document with one to three of its values replaced by something odd."""
    document = copy.deepcopy(document)
    for _ in range(chance.randint(1, 3)):
        *way, last = chance.choice([path for path in _paths(document) if path] or [("x",)])
        place = document
        for key in way:
            place = place[key]
        place[last] = copy.deepcopy(chance.choice(ODD))
    return document


def test_a_sample_with_odd_values_is_a_record_or_is_set_aside() -> None:
    files = [path for path in SAMPLES.glob("*.jsonl") if path.name.startswith(("openai_", "anthropic_"))]
    samples = [orjson.loads(line) for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    chance = random.Random(7)
    for _ in range(1_000):
        document = Document(_spoilt(chance.choice(samples), chance), "raw", 1)
        for name in NAMES:
            assert 0 <= reader_named(name).recognises(document.value) <= 100
            assert [one.line for one in reader_named(name).read([document])] == [1]


def test_no_reader_raises_on_any_sample_with_odd_values() -> None:
    lines = [line for path in SAMPLES.glob("*.jsonl") for line in path.read_text(encoding="utf-8").splitlines()]
    samples = [orjson.loads(line) for line in lines if line.strip()]
    chance = random.Random(11)
    for _ in range(300):
        document = Document(_spoilt(chance.choice(samples), chance), "raw", 1)
        for reader in readers():
            assert 0 <= reader.recognises(document.value) <= 100
            list(reader.read([document]))
