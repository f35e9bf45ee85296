from __future__ import annotations

import time
from pathlib import Path

import pytest

from llmctl.canonical import WrittenBool, WrittenFloat, WrittenInt, written
from llmctl.project.syntax.document import EMPTY, Document
from llmctl.project.syntax.yaml_nodes import MAX_DEPTH, PythonLoader, compose
from llmctl.project.syntax.yaml_reader import read_yaml

FILE = Path("prompts/a.yaml")


def read(text: str | bytes) -> Document:
    return read_yaml(text.encode() if isinstance(text, str) else text, FILE)


def only(document: Document) -> tuple[str, str, str | None]:
    (problem,) = document.problems
    return str(problem.place), problem.message, problem.hint


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("no", "no", str),
        ("on", "on", str),
        ("12:30", "12:30", str),
        ("2024-01-01", "2024-01-01", str),
        ("1_000", "1_000", str),
        ("5", 5, int),
        ("010", 10, WrittenInt),
        ("+5", 5, WrittenInt),
        ("-0", 0, WrittenInt),
        ("0o17", 15, WrittenInt),
        ("0x1F", 31, WrittenInt),
        ("1.5", 1.5, float),
        ("1.10", 1.1, WrittenFloat),
        (".5", 0.5, WrittenFloat),
        ("1e3", 1000.0, WrittenFloat),
        ("true", True, bool),
        ("True", 1, WrittenBool),
        ("null", None, type(None)),
        ("~", None, type(None)),
        (".inf", ".inf", str),
        (".NaN", ".NaN", str),
        ("1e400", "1e400", str),
        ("18446744073709551615", 2**64 - 1, int),
        ("18446744073709551616", "18446744073709551616", str),
        ("9" * 5000, "9" * 5000, str),
        ("'5'", "5", str),
        ("0o8", "0o8", str),
        ("1.", 1.0, WrittenFloat),
        ("-", "-", str),
    ],
)
def test_plain_scalars_follow_yaml_1_2_and_keep_their_text(text: str, value: object, kind: type) -> None:
    document = read(f"[{text}]" if text != "-" else '["-"]')
    assert document.problems == ()
    assert isinstance(document.data, list)
    (found,) = document.data
    assert (found, type(found)) == (value, kind)
    assert kind is type(None) or written(found) == text.strip("'")


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a: 1\na: 2", "2:1", "`a` stands twice in this mapping; first on line 1."),
        ("a: {b: c, d}", "1:11", "`d` has no value."),
        ("a:\nb: 1", "1:1", "`a` has no value."),
        ("a:\n  - x\n  -", "3:4", "This item of the list is empty."),
        ("a: !!python/none x", "1:4", "Tags such as `!!python/none` are not supported."),
        ("a: !mine {b: c}", "1:4", "Tags such as `!mine` are not supported."),
        ("5: x", "1:1", "A key must be text, and `5` is not."),
        ("true: x", "1:1", "A key must be text, and `true` is not."),
        ("? [a]\n: x", "1:3", "A key must be text, not a list or mapping."),
        ("a: &x {b: c}\nd:\n  <<: *x", "3:3", "Merge keys (`<<`) are not supported."),
        ("a: &x [*x]", "1:4", "An alias inside this value refers to the value itself."),
        ("a: b\n---\nc: d", "2:1", "A second document begins here."),
        ("a:\n\tb: c", "2:1", "A tab stands where spaces are needed."),
        ("a: @b", "1:4", "A text cannot begin with `@`."),
        ("a: %b", "1:4", "A text cannot begin with `%`."),
        ("a: 'b", "1:4", "A quote is opened here and never closed."),
        ("a: [1, 2", "1:9", "A `,` or `]` is missing in the list that begins on line 1."),
        ("a: {b: 1", "1:9", "A `,` or `}` is missing in the mapping that begins on line 1."),
        ("a: b: c", "1:5", "A text that holds `: ` needs quotes."),
        ("a: 1\nb\n", "2:1", "This line has no `:` after its key."),
        ('a: "\\q"', "1:5", "`\\` before this character means nothing."),
        ("a: *b", "1:4", "`*` here refers to an anchor that does not exist."),
        ("a: x\x00", "1:5", "The invisible character U+0000 cannot stand in YAML."),
        ("a: 'x\u2028y'", "1:6", "The invisible character U+2028 cannot stand in YAML."),
        (b"a: 1\nb: caf\xe9", "2:7", "The byte 0xE9 is not UTF-8."),
    ],
)
def test_a_mistake_is_one_sentence_in_its_place(text: str | bytes, place: str, message: str) -> None:
    where, said, _ = only(read(text))
    assert (where, said) == (f"prompts/a.yaml:{place}", message)


def test_every_mistake_is_found_not_only_the_first() -> None:
    lines = [problem.place and problem.place.line for problem in read("a: 1\na: 2\nb:\nc: !x y\n5: z").problems]
    assert lines == [2, 3, 4, 5]


def test_an_accidental_null_is_not_an_explicit_one() -> None:
    document = read("a: null\nb: ~\nc: ''\nd:\ne: [null, '']\nf:\n  -")
    assert document.data == {"a": None, "b": None, "c": "", "d": EMPTY, "e": [None, ""], "f": [EMPTY]}
    assert [problem.message for problem in document.problems] == [
        "`d` has no value.",
        "This item of the list is empty.",
    ]


def test_a_comma_in_braces_is_told_apart_from_a_missing_value() -> None:
    assert "comma" in (only(read("a: {ticket: declined, twice}"))[2] or "")
    assert "indentation" in (only(read("a:\nb: c"))[2] or "")


def test_byte_order_mark_and_windows_line_ends_are_no_mistake() -> None:
    document = read(b"\xef\xbb\xbfa: |\r\n  one\r\n  two\r\n")
    assert (document.problems, document.data) == ((), {"a": "one\ntwo\n"})
    assert document.place(("a",), key=True).column == 1


def test_utf_16_is_named() -> None:
    assert only(read("a: b".encode("utf-16")))[1:] == ("The file is UTF-16.", "Save it as UTF-8.")


def test_an_alias_stands_for_its_value_and_a_bomb_is_refused() -> None:
    assert read("a: &x [1]\nb: *x").data == {"a": [1], "b": [1]}
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
    )
    document = read(bomb)
    assert not document.readable
    assert "more than 2,000,000 values" in only(document)[1]


def test_aliases_cannot_nest_deeper_than_brackets_can() -> None:
    chain = "a: &a0 [x]\n" + "".join(f"k{n}: &a{n + 1} [*a{n}]\n" for n in range(200))
    assert "nested deeper" in only(read(chain))[1]


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 50_000, "- " * 5_000 + "x"])
def test_depth_is_limited(text: str) -> None:
    assert only(read(text))[1] == f"The file is nested deeper than {MAX_DEPTH} levels."


def test_nothing_written_is_empty() -> None:
    for text in ("", "# only a comment\n", "---\n"):
        assert read(text).data is EMPTY or read(text).data is None


def test_places_of_keys_values_and_texts() -> None:
    document = read("messages:\n  - role: user\n    content: |-\n      Hello\n  - {role: system, content: 'Hi'}\n")
    at = document.place
    assert str(at(("messages", 0, "role"))) == "prompts/a.yaml:2:11"
    assert str(at(("messages", 0, "role"), key=True)) == "prompts/a.yaml:2:5"
    assert str(at(("messages", 1))) == "prompts/a.yaml:5:5"
    assert str(at(("messages", 1, "missing", "deeper"))) == "prompts/a.yaml:5:5"
    assert document.text_place(("messages", 0, "content")).line == 4
    assert document.text_place(("messages", 1, "content")).column == 30


def test_a_tab_in_the_line_and_a_wide_character_leave_the_column_in_characters() -> None:
    document = read("a: {b: '\t日本', c: 1, c: 2}")
    (problem,) = document.problems
    assert problem.place is not None
    assert problem.place.column == 21
    assert problem.excerpt is not None
    assert problem.excerpt[20] == "c"


def test_twenty_thousand_cases_load_in_a_few_seconds() -> None:
    case = "  - id: case-{0}\n    vars:\n      ticket: Declined, number {0}!\n    expected: billing\n    tags: [a, b]\n"
    text = "cases:\n" + "".join(case.format(number) for number in range(20_000))
    start = time.process_time()
    document = read(text)
    assert isinstance(document.data, dict)
    assert len(document.data["cases"]) == 20_000
    assert time.process_time() - start < 10  # 1 s on a quiet machine


@pytest.mark.parametrize("text", ["a: {b: [1, 'x', &y no]}\nc: *y\n", "a: !t b\n", "- - a\n  - {c: d}\n- |\n  text\n"])
def test_the_loader_without_libyaml_sees_the_same_graph(text: str) -> None:
    assert repr(compose(text, PythonLoader)) == repr(compose(text))
