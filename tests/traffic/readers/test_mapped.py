"""`--map FIELD=PATH`: what a path finds, what a field becomes, and what is said of mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pytest

from llmctl.errors import UsageError
from llmctl.outcome import Outcome
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.base import Document, Entry, SetAside
from llmctl.traffic.readers.mapped import mapped_reader
from llmctl.traffic.readers.paths import parse_path

HI = {"role": "user", "content": "Hi"}


def read(maps: Sequence[str], *values: Mapping[str, Any]) -> list[LoggedCall | SetAside]:
    documents = [Document(value, orjson.dumps(value).decode(), line) for line, value in enumerate(values, 1)]
    found: list[LoggedCall | SetAside] = []
    for one in mapped_reader(maps).read(documents):
        if isinstance(one, Entry):
            assert isinstance(one.record, LoggedCall)
            found.append(one.record)
        else:
            found.append(one)
    return found


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.b", 1),
        ("/a/b", 1),
        ("a.list[0].x", 2),
        ("a.list[-1]", 3),
        ("a.list.0.x", 2),
        ("/a/list/0/x", 2),
        ('a["odd.key"]', 4),
        ("dotted.name", 5),
        ("text.inner", 6),
        ("a.list[9]", None),
        ("a.b.c", None),
        ("none", None),
    ],
)
def test_what_a_path_finds(path: str, expected: object) -> None:
    value = {
        "a": {"b": 1, "list": [{"x": 2}, 3], "odd.key": 4},
        "dotted.name": 5,
        "dotted": {"name": "not this"},
        "text": '{"inner": 6}',
    }
    assert parse_path(path).find(value) == expected


def test_a_record_has_what_the_fields_say() -> None:
    maps = [
        *("messages=req.messages", "output=resp.text", "model=req.model", "latency_s=took", "started_at=/when"),
        *("input_tokens=in", "cost_usd=usd", "tags=tags", "status=code", "finish_reason=why", "id=key"),
        *("email=req.messages[-1].content", "variables.order=order", "metadata.team=team", "params.temperature=temp"),
    ]
    value = {
        "req": {"messages": [HI], "model": "gpt-4o"},
        "resp": {"text": "Hel"},
        "took": "1.5",
        "when": "2026-11-20T09:00:00Z",
        "in": "58",
        "usd": "0.002",
        "tags": "a, b",
        "code": 200,
        "why": "length",
        "key": 17,
        "order": 7,
        "team": "mail",
        "temp": 0.5,
    }
    assert read(maps, value) == [
        LoggedCall(
            "mapped",
            source_id="17",
            started_at=1795165200.0,
            latency_ms=1500.0,
            provider="openai",
            model="gpt-4o",
            status=200,
            messages=(HI,),
            params={"temperature": 0.5},
            outcome=Outcome.TRUNCATED,
            output="Hel",
            finish_reason="length",
            input_tokens=58,
            cost_usd=0.002,
            variables={"email": "Hi", "order": 7},
            tags=("a", "b"),
            metadata={"team": "mail"},
        )
    ]


def test_a_prompt_is_what_the_user_says_after_the_system_prompt() -> None:
    (call,) = read(["system=s", "prompt=p"], {"s": "S", "p": "Hi"})
    assert isinstance(call, LoggedCall)
    assert call.messages == ({"role": "system", "content": "S"}, HI)
    assert call.outcome is None


def test_a_failed_call_is_told_by_its_status_or_its_error() -> None:
    calls = read(["prompt=p", "status=s", "error=e"], {"p": "a", "s": 503}, {"p": "a", "e": "Request timed out"})
    assert [one.outcome for one in calls if isinstance(one, LoggedCall)] == [Outcome.PROVIDER_ERROR, Outcome.TIMEOUT]


def test_what_cannot_be_a_record_is_set_aside_with_its_line_and_reason() -> None:
    found = read(["prompt=p", "latency_ms=t"], {"p": "a", "t": "fast"}, {"q": 1}, {"p": "b", "t": ""})
    assert found[:2] == [
        SetAside(1, "latency_ms: t is not a duration"),
        SetAside(2, "the mapped fields hold neither messages nor a prompt, variables or an output"),
    ]
    assert isinstance(found[2], LoggedCall)


@pytest.mark.parametrize(
    ("maps", "says"),
    [
        (["messages"], "takes FIELD=PATH"),
        (["=x"], "takes FIELD=PATH"),
        (["prompt="], "takes FIELD=PATH"),
        (["messages=a..b"], "cannot be read from character 2"),
        (["messages=a[x]"], "cannot be read from character 2"),
        (["messages=/a~2"], "is no JSON pointer"),
        (["mesages=a"], 'no field "mesages"'),
        (["model=a"], "does not say what was asked or answered"),
        (["prompt=a", "prompt=b"], "given twice"),
        (["prompt=p", "email=a", "variables.email=b"], "given twice"),
    ],
)
def test_a_mistake_is_one_sentence(maps: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says.replace("(", r"\(")):
        mapped_reader(maps)
