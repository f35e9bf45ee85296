from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.project.syntax.document import Document
from llmctl.project.syntax.toml_reader import read_toml

FILE = Path("llmctl.toml")

TEXT = """\
top = 1 # not = here
[project]
prompts = "a#b"
"quo\\"ted".x = [1, {y = 2, z = "}"}, \"\"\"a
b\"\"\"\" ]

[models.small]
price = {input = 0.15, output = 0.60}
[[list]]
a = 1
[[list]]
a = 'it''s' # the end
[list.sub]
q = '''
x = 1'''
after = 2
""".replace("'it''s'", "'its'")


def read(text: str | bytes) -> Document:
    return read_toml(text.encode() if isinstance(text, str) else text, FILE)


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("top",), "1:1", "1:7"),
        (("project",), "2:2", "2:1"),
        (("project", "prompts"), "3:1", "3:11"),
        (("project", 'quo"ted', "x"), "4:12", "4:16"),
        (("project", 'quo"ted', "x", 1, "z"), "4:28", "4:32"),
        (("project", 'quo"ted', "x", 2), "4:38", "4:38"),
        (("models", "small", "price", "output"), "8:24", "8:33"),
        (("models", "small", "price", "missing"), "8:1", "8:9"),
        (("list", 1, "a"), "12:1", "12:5"),
        (("list", 1, "sub", "after"), "16:1", "16:9"),
    ],
)
def test_places_of_keys_and_values(path: tuple[str | int, ...], key: str, value: str) -> None:
    document = read(TEXT)
    assert document.problems == ()
    assert str(document.place(path, key=True)) == f"llmctl.toml:{key}"
    assert str(document.place(path)) == f"llmctl.toml:{value}"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a = \n", "1:5", "A value is missing here, or its text has no quotes."),
        ("a = b", "1:5", "A value is missing here, or its text has no quotes."),
        ("  a = 1\n  a = 2", "2:3", "This key stands twice."),
        ("[a]\n[a]", "2:1", "This table stands twice."),
        ("a = 'x", "1:7", "A quote is opened before this and never closed."),
        ("a 1", "1:3", "A `=` is missing after this key."),
        ("a = 1 b = 2", "1:7", "Text between quotes ends before this; one key stands on one line."),
        ("a = 1\r\nb == 2", "2:4", "A value is missing here, or its text has no quotes."),
        ("a = 2024-01-01", "1:5", "Dates and times are not supported here."),
        ("a = [1, nan]", "1:9", "`nan` is not a finite number."),
        ("a = 18446744073709551616", "1:5", "This whole number needs more than 64 bits."),
        (b"a = '\xff'", "1:6", "The byte 0xFF is not UTF-8."),
    ],
)
def test_a_mistake_is_one_sentence_in_its_place(text: str | bytes, place: str, message: str) -> None:
    (problem,) = read(text).problems
    assert (str(problem.place), problem.message) == (f"llmctl.toml:{place}", message)


@pytest.mark.parametrize("text", ["a = " + "[" * 3000, "a = " + "[" * 70 + "]" * 70, "a = " + "9" * 5000])
def test_hostile_files_are_refused_in_one_sentence(text: str) -> None:
    assert len(read(text).problems) == 1


KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
SCALARS = st.integers(-5, 5) | st.booleans() | st.text(st.sampled_from("a\"'#]}=\\ ,."), max_size=6)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)


def as_toml(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case dict():
            return "{" + ", ".join(f"{quoted(key)} = {as_toml(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(as_toml(item) for item in value) + "]"
        case str():
            return quoted(value)
        case _:
            return str(value)


def quoted(text: str) -> str:
    return '"' + "".join(c if c.isalnum() and c.isascii() else f"\\U{ord(c):08x}" for c in text) + '"'


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_every_value_is_found_where_it_is_written(values: dict[str, object]) -> None:
    text = "".join(f"{quoted(key)} = {as_toml(item)}\n" for key, item in values.items())
    document = read(text)
    assert document.data == values

    def look(value: object, path: tuple[str | int, ...]) -> None:
        place = document.place(path)
        assert place.line
        assert place.column
        assert text.split("\n")[place.line - 1][place.column - 1 :].startswith(as_toml(value))
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for step, item in items:
            look(item, (*path, step))

    for key, item in values.items():
        look(item, (key,))
