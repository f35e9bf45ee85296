"""Laws of redaction: no known key in any usual encoding, nothing twice, nothing for nothing."""

from __future__ import annotations

import base64
import html
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, quote_plus

import orjson
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from llmctl.providers.key_shapes import replace_key_shapes
from llmctl.providers.redacted_stream import RedactedStream, redact_pieces
from llmctl.providers.redaction import REDACTED, Redactor

KEYS = st.one_of(
    st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="[]"), min_size=8, max_size=60),
    st.text(st.characters(categories=("L", "N", "P", "S"), exclude_characters="[]"), min_size=8, max_size=12),
    st.from_regex(r"sk-[a-zA-Z0-9_-]{16,40}", fullmatch=True),
)
LONG_KEYS = st.from_regex(r"[a-zA-Z0-9+/\"\\-]{260,400}", fullmatch=True)


def _json(text: str, *, ascii_only: bool = True) -> str:
    return json.dumps(text, ensure_ascii=ascii_only)[1:-1]


def _every_letter(text: str) -> str:
    units = text.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


USUAL: dict[str, Callable[[str], str]] = {
    "plain": lambda key: key,
    "json": _json,
    "json, not ascii": lambda key: _json(key, ascii_only=False),
    "json, escaped slashes": lambda key: _json(key).replace("/", "\\/"),
    "json in json": lambda key: _json(_json(key)),
    "url": quote,
    "url, slashes too": lambda key: quote(key, safe=""),
    "form": quote_plus,
}
ALL = USUAL | {
    "json in json in json": lambda key: _json(_json(_json(key))),
    "json, every letter": _every_letter,
    "url, lower case": lambda key: "".join(f"%{byte:02x}" for byte in key.encode()),
    "url in url": lambda key: quote(quote(key, safe=""), safe=""),
    "html": html.escape,
    "html, numbers": lambda key: "".join(f"&#x{ord(letter):x};" for letter in key),
    "html in json": lambda key: _json(html.escape(key), ascii_only=False),
    "url in json": lambda key: _json(quote(key, safe="")),
}


@settings(deadline=None, max_examples=50)
@given(KEYS, st.sampled_from(sorted(ALL)))
@example('pass"word\\123', "json in json in json")
@example("aaaa\\\\\\\\bbb", "json in json")
@example("correct horse battery staple", "form")
def test_a_known_key_is_replaced_in_every_encoding(key: str, encoding: str) -> None:
    redactor = Redactor({"MY_API_KEY": key})
    assert redactor.exact(f"<{ALL[encoding](key)}>") == f"<{REDACTED}>"


@settings(deadline=None, max_examples=50)
@given(LONG_KEYS, st.sampled_from(sorted(USUAL)))
def test_a_long_key_is_replaced_in_the_usual_encodings(key: str, encoding: str) -> None:
    redactor = Redactor({"SERVICE_CREDENTIALS": key})
    assert redactor.exact(f"<{USUAL[encoding](key)}>") == f"<{REDACTED}>"


@settings(deadline=None, max_examples=50)
@given(KEYS, st.binary(max_size=20), st.binary(max_size=20), st.booleans())
@example("canary-4f1c9a7e2b", b"user:", b"", False)
def test_a_known_key_is_replaced_within_base64(key: str, before: bytes, after: bytes, url_safe: bool) -> None:
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    redacted = Redactor({"MY_API_KEY": key}).exact(encode(before + key.encode() + after).decode())
    assert REDACTED in redacted
    # What is left of it is what stood around it, and less than two characters of the key.
    assert len(redacted) - len(REDACTED) <= 4 * (len(before) + len(after)) / 3 + 10


@settings(deadline=None, max_examples=50)
@given(KEYS, st.text(max_size=30), st.text(max_size=30), st.sampled_from(sorted(ALL)))
def test_whatever_stands_around_it(key: str, before: str, after: str, encoding: str) -> None:
    redactor = Redactor({"MY_API_KEY": key})
    for redacted in (redactor.text, redactor.exact):
        assert key not in redacted(f"{before}{ALL[encoding](key)}{after}")


@settings(deadline=None, max_examples=50)
@given(st.lists(KEYS, min_size=1, max_size=3), st.lists(st.text(max_size=10), min_size=3, max_size=3))
def test_redacting_twice_is_redacting_once(keys: list[str], around: list[str]) -> None:
    redactor = Redactor({f"A{number}_TOKEN": key for number, key in enumerate(keys)})
    text = "".join(part for pair in zip(around, (keys * 3)[:3], strict=True) for part in pair)
    for redacted in (redactor.text, redactor.exact):
        assert redacted(redacted(text)) == redacted(text)


@settings(deadline=None, max_examples=50)
@given(KEYS, st.text(max_size=200))
@example("canary-4f1c9a7e2b", "CANARY-4F1C9A7E2B is another key")
@example("canary-4f1c9a7e2b", "canary-4f1c9a7e2")
def test_text_without_a_key_is_left_alone(key: str, text: str) -> None:
    assume(key[:8] not in text and "\\" not in text and "%" not in text and "&#" not in text)
    redactor = Redactor({"MY_API_KEY": key})
    assert redactor.exact(text) is text


def test_another_case_is_another_key() -> None:
    redactor = Redactor({"MY_API_KEY": "canary-4f1c9a7e2b"})
    assert redactor.text("CANARY-4F1C9A7E2B") == "CANARY-4F1C9A7E2B"


@settings(deadline=None, max_examples=50)
@given(KEYS, st.text(max_size=20), st.integers(min_value=8, max_value=59), st.sampled_from(["", ".", "…"]))
def test_a_key_that_was_cut_off_does_not_remain(key: str, before: str, length: int, end: str) -> None:
    assume(length < len(key) and not key[:length].endswith((".", "…")))
    redacted = Redactor({"MY_API_KEY": key}).exact(f"{before}{key[:length]}{end}")
    assert redacted.endswith(REDACTED)
    assert key[:8] not in redacted.removeprefix(before)


def test_overlapping_keys_go_as_one() -> None:
    redactor = Redactor({"A_TOKEN": "abcdefgh-1234", "B_TOKEN": "-1234-more-of-it", "C_TOKEN": "abcdefgh"})
    assert redactor.text("(abcdefgh-1234-more-of-it)") == f"({REDACTED})"


# --- pieces -----------------------------------------------------------------------------------------------------------


def _shown(redactor: Redactor, pieces: list[str]) -> str:
    shown: list[str] = []
    stream = RedactedStream(redactor, shown.append)
    for piece in pieces:
        stream(piece)
    stream.end()
    return "".join(shown)


def _split(text: str, cuts: list[int]) -> list[str]:
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[start:end] for start, end in itertools.pairwise(places)]


CUTS = st.lists(st.integers(min_value=0, max_value=10_000), max_size=12)


@settings(deadline=None, max_examples=50)
@given(st.lists(KEYS, min_size=1, max_size=2), st.sampled_from(sorted(USUAL)), st.text(max_size=15), CUTS)
@example(["abcdefgh", "abcdefgh-and-more"], "plain", "", [8])
@example(["abcdefgh-1234", "-1234-more-of-it"], "plain", "", [13, 14])
def test_a_stream_shows_no_key_however_it_is_cut(keys: list[str], encoding: str, after: str, cuts: list[int]) -> None:
    redactor = Redactor({f"A{number}_TOKEN": key for number, key in enumerate(keys)})
    text = f"It is {USUAL[encoding](keys[-1])}{after}."
    shown = _shown(redactor, _split(text, cuts))
    assert keys[-1] not in shown
    assert shown.startswith("It is ")
    assert REDACTED in shown


@settings(deadline=None, max_examples=50)
@given(KEYS, st.text(max_size=60), CUTS)
def test_a_stream_without_a_key_is_shown_whole(key: str, text: str, cuts: list[int]) -> None:
    assume(key[:8] not in text)
    assert _shown(Redactor({"MY_API_KEY": key}), _split(text, cuts)) == text


def test_a_stream_is_shown_at_once_where_nothing_begins_like_a_key() -> None:
    shown: list[str] = []
    stream = RedactedStream(Redactor({"MY_API_KEY": "canary-4f1c9a7e2b"}), shown.append)
    stream("one ")
    stream("two can")
    assert shown == ["one ", "two "]
    stream("not")
    assert shown == ["one ", "two ", "cannot"]


@settings(deadline=None, max_examples=50)
@given(KEYS, st.sampled_from(["openai", "anthropic"]), CUTS)
def test_the_kept_body_of_a_stream_does_not_spell_a_key(key: str, protocol: str, cuts: list[int]) -> None:
    redactor = Redactor({"MY_API_KEY": key})
    body = "".join(_event(protocol, piece) for piece in _split(f"It is {key}, really.", cuts))
    kept = redact_pieces(redactor.text(body), redactor)
    told = "".join(_told(protocol, line) for line in kept.split("\n") if line.startswith("data: "))
    assert key not in told
    assert told.startswith("It is ")
    assert told.endswith(", really.")


def _event(protocol: str, piece: str) -> str:
    event: object = {"choices": [{"delta": {"content": piece}, "finish_reason": None}]}
    if protocol == "anthropic":
        event = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": piece}}
    return f"data: {json.dumps(event)}\n\n"


def _told(protocol: str, line: str) -> str:
    event = json.loads(line.removeprefix("data: "))
    return str(event["choices"][0]["delta"]["content"] if protocol == "openai" else event["delta"]["text"])


def test_a_body_without_pieces_is_left_alone() -> None:
    body = orjson.dumps({"choices": [{"message": {"content": "It is none."}}], "content": "x"}).decode()
    assert redact_pieces(body, Redactor({"MY_API_KEY": "canary-4f1c9a7e2b"})) == body


# --- data -------------------------------------------------------------------------------------------------------------


class _Kind(StrEnum):
    ONE = "one"


@dataclass(frozen=True, slots=True)
class _Record:
    name: str
    kind: _Kind
    parts: tuple[dict[str, object], ...]


def test_data_loses_keys_everywhere() -> None:
    redactor = Redactor({"MY_API_KEY": "canary-4f1c9a7e2b"})
    record = _Record("a canary-4f1c9a7e2b", _Kind.ONE, ({"canary-4f1c9a7e2b": [1, "canary-4f1c9a7e2b", None]},))
    assert redactor.structure(record) == _Record("a [redacted]", _Kind.ONE, ({REDACTED: [1, REDACTED, None]},))


def test_data_without_a_key_is_the_same_object() -> None:
    record = _Record("a", _Kind.ONE, ({"b": [1, "c", None]},))
    assert Redactor({"MY_API_KEY": "canary-4f1c9a7e2b"}).structure(record) is record


# --- what is known, and by shape --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["API_KEY", "OPENAI_API_KEY", "TOKEN", "hf_token", "DB_PASSWORD", "GITHUB_PAT", "AWS_ACCESS_KEY_ID"],
)
def test_variables_that_hold_keys_are_known_by_name(name: str) -> None:
    assert Redactor({name: "canary-4f1c9a7e2b"}).text("canary-4f1c9a7e2b") == REDACTED


@pytest.mark.parametrize("name", ["PATH", "MONKEY", "TOKENIZERS_PARALLELISM", "KEYBOARD", "PWD"])
def test_other_variables_hold_none(name: str) -> None:
    assert Redactor({name: "canary-4f1c9a7e2b"}).text("canary-4f1c9a7e2b") == "canary-4f1c9a7e2b"


def test_a_variable_may_be_named_whatever_it_is_called() -> None:
    assert Redactor({"MINE": "canary-4f1c9a7e2b"}, ["MINE"]).text("canary-4f1c9a7e2b") == REDACTED


def test_several_keys_in_one_variable() -> None:
    redactor = Redactor({"OPENAI_API_KEYS": "canary-one-1,canary-two-2"})
    assert redactor.text("canary-two-2, then canary-one-1") == f"{REDACTED}, then {REDACTED}"


def test_the_password_within_a_url() -> None:
    redactor = Redactor({"DATABASE_URL": "postgres://me:s3cr%2Ft-word@host/db"})
    assert redactor.text("FATAL: s3cr/t-word is wrong") == f"FATAL: {REDACTED} is wrong"


SHAPES = [
    *(
        f"{prefix}{joint}abcdefghij0123456789"
        for prefix in ("sk", "gsk", "hf", "r8", "glpat", "nvapi")
        for joint in "-_"
    ),
    *(f"{prefix}abcdefghij0123456789abcd" for prefix in ("ghp_", "ghr_", "github_pat_")),
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "AKIAIOSFODNN7EXAMPLE",
    "xoxb-123456789012-abcdef",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w",
    *(f"{word}{space}abcdefgh12345678=" for word in ("Bearer", "bearer", "BEARER") for space in (" ", "%20")),
    *(f"{word} bWU6aHVudGVyMjI=" for word in ("Basic", "basic", "BASIC")),
    *(f"{name}: abcdefgh12345678" for name in ("x-api-key", "Api-Key", "API-KEY")),
    'x-api-key\\": \\"abcdefgh12345678\\"',
    *(f"?{name}=abcdefgh12345678" for name in ("key", "api_key", "apiKey", "access_token", "sig", "signature")),
    "https://me:hunter22@host",
    "https:\\/\\/abcdefgh12345678@host",
    "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----",
]


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("https://me:hunter22@host/x", "https://[redacted]@host/x"),
        ('{"url": "https:\\/\\/me:hunter22@host\\/x"}', '{"url": "https:\\/\\/[redacted]@host\\/x"}'),
        ("https://host/v1?a=b&key=abcdefghijklmnop1&c=d", "https://host/v1?a=b&key=[redacted]&c=d"),
        ("Authorization: Basic bWU6aHVudGVyMjI=", "Authorization: Basic [redacted]"),
        ('"x-api-key": "0123456789abcdef01"', '"x-api-key": "[redacted]"'),
        ("a eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w b", "a [redacted] b"),
        ("glpat-abcdefghijklmnop1234", "[redacted]"),
    ],
)
def test_more_shapes(text: str, redacted: str) -> None:
    assert Redactor({}).text(text) == redacted


def test_the_sieve_lets_every_shape_through() -> None:
    found = 0
    for shape in SHAPES:
        for around in ("", " ", "x_", '"', "\n"):
            text = f"{around}{shape}{around}"
            if replace_key_shapes(text, REDACTED) != text:
                found += 1
                assert Redactor({}).text(text) == replace_key_shapes(text, REDACTED)
    assert found > 100


PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow+/AB==\nabc\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize("wrap", [str, json.dumps, lambda text: json.dumps(json.dumps(text))])
def test_a_private_key(wrap: Callable[[str], str]) -> None:
    redacted = Redactor({}).text(wrap(f"before {PEM} after"))
    assert redacted == wrap("before [redacted] after")


def test_a_private_key_that_was_cut_off() -> None:
    assert Redactor({}).text(f'{{"error": {json.dumps(PEM[:60])}}}') == '{"error": "[redacted]"}'


@pytest.mark.parametrize(
    "text",
    [
        "Write to me@example.com: see https://host/a@b and 12:30@noon",
        "Basic internationalization of keys, a bearer of good news",
        "https://host:8080/path?key=short&token=x",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        "eyJ is how JWTs begin, sk- how keys do",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert Redactor({}).text(text) is text


@pytest.mark.parametrize(
    "piece", ["\\", "eyJ", "sk-", "://", "a:", "%25", "&#", "-----BEGIN PRIVATE KEY-----\\", "Basic a"]
)
def test_hostile_text_takes_no_time(piece: str) -> None:
    # A pattern that goes back and forth would need hours here; the test run's own time limit is the measure.
    redactor = Redactor({"A_TOKEN": '\\\\"\\\\\\"\\"\\\\', "B_TOKEN": "abcd\\\\efgh"})
    text = piece * (100_000 // len(piece))
    assert isinstance(redactor.text(text + "abcd"), str)


@pytest.mark.parametrize("key", ["0000000%", "0000000&", "%25%2525", "&amp;&&&&"])
def test_an_escape_that_begins_like_its_character_is_taken_whole(key: str) -> None:
    redactor = Redactor({"ACME_API_KEY": key})
    for text in (quote_plus(key), html.escape(key), key):
        assert redactor.exact(text) == REDACTED
