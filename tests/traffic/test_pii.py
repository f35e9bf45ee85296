"""What personal data looks like, and what only looks like it."""

from __future__ import annotations

import json

import pytest

from llmctl.traffic.pii import Pseudonyms, find_pii


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to jane.doe+x@example.co.uk.", "Write to <EMAIL_1>."),
        ("a@b.de, c@d.de, A@B.DE", "<EMAIL_1>, <EMAIL_2>, <EMAIL_1>"),
        ("Card 4111 1111 1111 1111!", "Card <CARD_1>!"),
        ("Card 4111-1111-1111-1112", "Card 4111-1111-1111-1112"),
        ("5500000000000004", "<CARD_1>"),
        ("IBAN DE89 3704 0044 0532 0130 00 please", "IBAN <IBAN_1> please"),
        ("DE88370400440532013000", "DE88370400440532013000"),
        ("from 192.168.10.7 and 2001:db8::8a2e:370:7334", "from <IP_1> and <IP_2>"),
        ("version 1.2.3, 999.1.1.1, at 12:30:45", "version 1.2.3, 999.1.1.1, at 12:30:45"),
        ("call +49 (30) 1234-5678 or (415) 555-2671", "call <PHONE_1> or <PHONE_2>"),
        ("020 7946 0958, 415-555-2671, 06 12 34 56 78", "<PHONE_1>, <PHONE_2>, <PHONE_3>"),
        ("2026-11-23 20:41:00, order 4711, 1790000000123, $1,234.56", None),
        ("chatcmpl-98127381273812738127 req_0123456789abcdef", None),
        ('{"content":"hi\\nfoo@bar.org\\t+15005550006"}', '{"content":"hi\\n<EMAIL_1>\\t<PHONE_1>"}'),
        ("std::vector and a::b", None),
    ],
)
def test_text(text: str, expected: str | None) -> None:
    assert Pseudonyms().text(text) == (text if expected is None else expected)


def test_numbers_in_json_stay() -> None:
    raw = '{"created":5500000000000004,"content":"5500000000000004","j@x.de":[1.5,null]}'
    pseudonyms = Pseudonyms()
    assert json.loads(pseudonyms.raw(raw)) == {
        "created": 5500000000000004,
        "content": "<CARD_1>",
        "<EMAIL_1>": [1.5, None],
    }
    assert pseudonyms.counts == {"CARD": 1, "EMAIL": 1}


def test_counting() -> None:
    assert find_pii("a@b.de and a@b.de, 10.0.0.1") == {"EMAIL": 2, "IP": 1}
    assert not find_pii("nothing here")
