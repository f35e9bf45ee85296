"""Cases that go into a real bank's file: what is read from it afterwards is what went in, and nothing else changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmctl.errors import UsageError
from llmctl.importers.bank.adding import Addition
from llmctl.importers.bank.growing import GrowingBank, growing_bank
from llmctl.importers.bank.update import case_content
from llmctl.project.loader import load_config
from llmctl.traffic.to_bank.new_case import NewCase
from tests.traffic.to_bank.test_block_yaml import TEXTS, VALUES, clean

BANK = """\
# What the shop asks.
defaults: {vars: {brand: Acme, note: 1.10}}
evaluators: [{length: {min: 0}}]
cases:
  # the first one
  - {id: card, vars: {ticket: My card was declined}}   # keep me
gate: {min_pass_rate: 0.9}   # the rule
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "testbanks").mkdir()
    (tmp_path / "prompts").mkdir()
    (tmp_path / "llmctl.toml").write_text("[project]\n", encoding="utf-8")
    return tmp_path


def opened(root: Path, text: str = BANK, *, encoding: str = "utf-8") -> GrowingBank:
    (root / "testbanks/shop.yaml").write_bytes(text.encode(encoding))
    return growing_bank(load_config(root / "llmctl.toml", {}), "shop")


def added(growing: GrowingBank, *cases: NewCase) -> Addition:
    addition = growing.addition(cases)
    growing.write(addition)
    return addition


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    variables=st.dictionaries(TEXTS, VALUES, max_size=3), expected=st.none() | TEXTS, tags=st.lists(TEXTS, max_size=2)
)
def test_what_goes_in_comes_out(
    root: Path, variables: dict[str, object], expected: str | None, tags: list[str]
) -> None:
    growing = opened(root)
    assert growing.opened is not None
    before = growing.opened.cases["card"]
    case = NewCase("new", {"ticket": "?", **variables}, expected, expected is not None, tuple(filter(str.strip, tags)))
    added(growing, case)
    now = growing.opened.cases
    assert case_content(now["card"]) == case_content(before)
    wanted = {"brand": "Acme", **{str(clean(name)): clean(value) for name, value in case.vars.items()}}
    assert {name: value for name, value in now["new"].vars.items() if name != "note"} == {
        name: value for name, value in wanted.items() if name != "note"
    }
    assert (now["new"].has_expected, now["new"].expected) == (expected is not None, clean(expected))
    lines = (root / "testbanks/shop.yaml").read_text(encoding="utf-8").split("\n")
    assert lines[:6] == BANK.split("\n")[:6]
    assert lines[-2] == "gate: {min_pass_rate: 0.9}   # the rule"


def test_line_ends_and_the_byte_order_mark_stay(root: Path) -> None:
    growing = opened(root, BANK.replace("\n", "\r\n"), encoding="utf-8-sig")
    added(growing, NewCase("new", {"ticket": "two\nlines"}))
    data = (root / "testbanks/shop.yaml").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf# What")
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert growing.opened is not None
    assert growing.opened.cases["new"].vars["ticket"] == "two\nlines"


def test_what_the_bank_says_already_is_not_written_again(root: Path) -> None:
    growing = opened(root)
    added(growing, NewCase("new", {"brand": "Acme", "note": "1.1", "ticket": "x"}))
    text = (root / "testbanks/shop.yaml").read_text(encoding="utf-8")
    assert text.count("Acme") == 1
    assert '      note: "1.1"\n' in text


def test_a_value_that_names_a_file_is_its_text(root: Path) -> None:
    growing = opened(root)
    added(growing, NewCase("new", {"ticket": {"file": "secret.txt"}}))
    assert growing.opened is not None
    assert growing.opened.cases["new"].vars["ticket"] == '{"file":"secret.txt"}'


def test_an_invalid_bank_is_never_left(root: Path) -> None:
    growing = opened(root)
    for case in (
        NewCase("card", {"ticket": "an id that is taken"}),
        NewCase("", {"ticket": "x"}),
    ):
        with pytest.raises(UsageError):
            growing.addition([case])
    assert (root / "testbanks/shop.yaml").read_text(encoding="utf-8") == BANK


def test_a_bank_knows_what_it_has_got(root: Path) -> None:
    growing = opened(root)
    variables = {"ticket": "Where is my parcel?", "brand": "Acme"}
    assert growing.alike(variables) is None
    added(growing, NewCase("one", variables), NewCase("two", {"ticket": "something else entirely"}))
    found = growing.alike({**variables, "ticket": "where  is my PARCEL?"})
    assert found is not None
    assert (found.case_id, found.likeness) == ("one", 1)
    assert growing.taken == {"card", "one", "two"}
    text = (root / "testbanks/shop.yaml").read_text(encoding="utf-8")
    assert text.index("id: one") < text.index("id: two") < text.index("gate:")
