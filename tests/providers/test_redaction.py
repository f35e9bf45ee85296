from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.providers.redaction import Redactor, allowed_headers

CANARY = "canary-4f1c9a7e2b"


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnop1234",
        "sk-ant-api03-abcdefghijklmnop",
        "gsk_abcdefghijklmnopqrst",
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "hf_abcdefghijklmnopqrstuv",
        "xoxb-123456789012-abcdef",
    ],
)
def test_what_looks_like_a_key_is_replaced(secret: str) -> None:
    assert Redactor({}).text(f'the key "{secret}", it said') == 'the key "[redacted]", it said'


def test_a_bearer_token_is_replaced() -> None:
    assert Redactor({}).text("Authorization: Bearer abcdef.0123456789-xyz=") == "Authorization: Bearer [redacted]"


@pytest.mark.parametrize(
    "text", ["task-management-is-a-long-word", "Bearer of bad news", "sk-short", "risk-free-and-cheap"]
)
def test_ordinary_words_stay(text: str) -> None:
    assert Redactor({}).text(text) == text


@given(st.text(), st.text(), st.sampled_from(["MY_API_KEY", "HF_TOKEN", "aws_secret_access_key", "DB_PASSWORD"]))
def test_keys_of_the_environment_never_remain(before: str, after: str, name: str) -> None:
    redactor = Redactor({name: f" {CANARY}\n"})
    assert CANARY not in redactor.text(f"{before}{CANARY}{after}")
    assert CANARY not in redactor.exact(json.dumps({before: CANARY + after}))


def test_a_key_that_json_escapes() -> None:
    key = 'pass"word\\123'
    assert "word" not in Redactor({"X_PASSWORD": key}).text(json.dumps({"echo": key}))


def test_the_longer_of_two_keys_goes_first() -> None:
    redactor = Redactor({"A_TOKEN": "abcdefgh", "B_TOKEN": "abcdefgh-and-more"})
    assert redactor.text("abcdefgh-and-more") == "[redacted]"


def test_short_and_other_values_stay() -> None:
    redactor = Redactor({"A_API_KEY": "none", "HOME": "/home/somebody"})
    assert redactor.text("none of /home/somebody") == "none of /home/somebody"


@given(st.lists(st.one_of(st.text(), st.sampled_from([CANARY, "sk-abcdefghijklmnopqrst", CANARY[:9], "Bearer x"]))))
def test_one_look_at_many_texts_misses_none(texts: list[str]) -> None:
    redactor = Redactor({"A_API_KEY": CANARY})
    if not redactor.any_may_hold(texts):
        assert [redactor.text(text) for text in texts] == texts


def test_one_look_finds_a_key_in_each_place() -> None:
    redactor = Redactor({"A_API_KEY": CANARY})
    for key in (CANARY, "sk-abcdefghijklmnopqrst"):
        for place in range(3):
            assert redactor.any_may_hold(["one", "two", *["three"] * place, key, "four"])
    assert not redactor.any_may_hold(["one", "two", "", "four"])


def test_answers_keep_what_only_looks_like_a_key() -> None:
    redactor = Redactor({"A_API_KEY": CANARY})
    calls = ({"function": {"arguments": f"{CANARY} sk-abcdefghijklmnopqrst"}},)
    assert redactor.structure(calls) == ({"function": {"arguments": "[redacted] sk-abcdefghijklmnopqrst"}},)


def test_headers_by_allow_list() -> None:
    headers = {
        "Content-Type": "x",
        "Set-Cookie": "secret",
        "X-RateLimit-Left": "3",
        "X-Request-ID": "r",
        "Via": "proxy",
    }
    assert allowed_headers(headers) == {"content-type": "x", "x-ratelimit-left": "3", "x-request-id": "r"}
