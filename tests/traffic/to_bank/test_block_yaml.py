"""A case that is written into a bank's file reads back exactly, whatever its texts look like."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmctl.canonical import plain
from llmctl.importers.bank.block_yaml import block_item
from llmctl.importers.bank.text import UneditableError, YamlEdits
from llmctl.project.syntax.yaml_reader import read_yaml
from llmctl.safe_text import replace_surrogates

HOSTILE = (
    "key: value",
    "# no comment",
    "a # b",
    "--- \nnext document",
    "---",
    "...",
    "!!python/object/apply:os.system [ls]",
    "&anchor *alias",
    "{{ 7 * 7 }}",
    "- item\n- item",
    "\ttab",
    "tab\tinside\n\tand before",
    "trailing blank \nnext",
    "\n\nleading",
    "  indented\nless",
    "end\n",
    "ends\n\n",
    "one\r\ntwo",
    "nul\0bell\x07del\x7fnel\x85",
    "\u2028line\u2029para",
    "\ufeffmark",
    "half \ud83d",
    "no",
    "1.10",
    "010",
    "null",
    "~",
    "",
    " ",
    "@at `tick` %percent |pipe >fold",
    "'single' \"double\" \\back",
    "wide \U0001f600 \U000e0001",
    "|-\n  block",
    "cases:\n  - id: other",
)
TEXTS = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=60),
    st.text(alphabet=" \t\n:#-'\"{}[]|>&*!%@`\\abc0", max_size=60),
)
VALUES = st.recursive(
    st.one_of(
        TEXTS, st.integers(-(2**62), 2**62), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)


def clean(value: object) -> object:
    """What a file can hold: half surrogate pairs have no bytes."""
    match value:
        case str():
            return replace_surrogates(value)
        case dict():
            return {clean(key): clean(one) for key, one in value.items()}
        case list():
            return [clean(one) for one in value]
        case _:
            return value


def read_back(text: str) -> dict[str, object]:
    document = read_yaml(text.encode(), Path("bank.yaml"))
    assert not document.problems, [problem.message for problem in document.problems]
    assert isinstance(document.data, dict)
    return document.data


@pytest.mark.parametrize("column", [0, 2, 7])
@settings(max_examples=150, deadline=None)
@given(variables=st.dictionaries(TEXTS, VALUES, min_size=1, max_size=3), expected=VALUES, comment=TEXTS)
@example(variables={"a": "x\n"}, expected="y\n", comment="")
def test_what_is_written_reads_back(column: int, variables: dict[str, object], expected: object, comment: str) -> None:
    case = {"id": "new", "vars": variables, "expected": expected}
    item = block_item(case, column, comment)
    data = read_back(f"cases:\n{item}\n{' ' * column}- id: next\nlast: 1\n")
    assert data["last"] == 1
    assert isinstance(data["cases"], list)
    assert plain(data["cases"][0]) == clean(case)
    assert data["cases"][1] == {"id": "next"}


def test_long_texts_are_blocks_and_short_ones_stand_on_a_line() -> None:
    case = {"id": "new", "vars": {"ticket": "Hello,\n\nwhere is it?\n", "n": 3}, "tags": ["a", "b c"]}
    assert block_item(case, 2, "from traffic\n1f") == (
        "  # from traffic⏎1f\n"
        "  - id: new\n"
        "    vars:\n"
        "      ticket: |\n"
        "        Hello,\n"
        "\n"
        "        where is it?\n"
        "      n: 3\n"
        "    tags: [a, b c]"
    )


def test_blanks_at_the_end_of_a_line_stand_in_quotes_where_no_editor_takes_them() -> None:
    assert block_item({"a": "one \ntwo"}, 0) == '- a: "one \\ntwo"'


def test_a_megabyte_reads_back() -> None:
    for text in ("word \x1b " * 150_000, "a line: #\n" * 100_000, "x" * 1_000_000):
        data = read_back("cases:\n" + block_item({"id": "new", "vars": {"t": text}}, 2) + "\n")
        assert data == {"cases": [{"id": "new", "vars": {"t": text}}]}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("cases:\n- id: a\n", "cases:\n- id: a\nITEM0\n"),
        ("cases:\n  - id: a   # why\n# end\n", "cases:\n  - id: a   # why\nITEM2\n# end\n"),
        ("cases:\n  - id: a\n\n  - id: b\ngate: {}\n", "cases:\n  - id: a\n\n  - id: b\n\nITEM2\ngate: {}\n"),
        ("cases: [] # none\ngate: {}\n", "cases: # none\nITEM2\ngate: {}\n".replace("cases: #", "cases: #")),
        ("prompts: [p]\n\n", "prompts: [p]\ncases:\nITEM2\n\n"),
        (
            "cases:\n  - id: a\n    t: |\n      text\n\ngate: {}\n",
            "cases:\n  - id: a\n    t: |\n      text\nITEM2\n\ngate: {}\n",
        ),
    ],
)
def test_an_item_goes_to_the_end_and_nothing_else_changes(before: str, after: str) -> None:
    edits = YamlEdits(before)
    edits.append_block("cases", lambda column: f"{' ' * column}- id: {column}")
    for column in (0, 2):
        after = after.replace(f"ITEM{column}", f"{' ' * column}- id: {column}")
    assert edits.result() == after


@pytest.mark.parametrize("text", ["cases: [{id: a}]\n", "{cases: [{id: a}]}\n", "{prompts: [p]}\n", "cases:\n  a: 1\n"])
def test_what_cannot_be_edited_is_said(text: str) -> None:
    with pytest.raises(UneditableError):
        YamlEdits(text).append_block("cases", lambda column: f"{column}")
