"""Structure in outputs: laws of what is found and compared, and texts that are made to hang the readers."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmctl.evaluators.base import Context, Score
from llmctl.evaluators.keys import score_key
from llmctl.evaluators.registry import build
from llmctl.evaluators.structure.found_json import found_json, without_trailing_commas
from llmctl.evaluators.structure.found_text import candidates, fences, json_spans
from llmctl.evaluators.structure.html_reading import read_tree
from llmctl.evaluators.structure.json_compare import JsonRules, compare
from llmctl.evaluators.structure.json_similarity import json_similarity
from llmctl.evaluators.structure.json_text import json_difference, json_text
from llmctl.evaluators.structure.matching import in_order, most_pairs
from llmctl.evaluators.structure.sql_reading import read_sql
from llmctl.evaluators.structure.tool_call_reading import calls_in_text
from llmctl.evaluators.structure.xml_reading import ElementPath, Elements, xml_spans

from .entries import SETTINGS, spec_of

FAST = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text('ab "\\{}[],', max_size=6)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3)
)
CONTAINERS = st.lists(JSON, max_size=4) | st.dictionaries(st.text("ab", max_size=2), JSON, max_size=3)
MARKUP = st.text("<>/!-[]{}()\"'=`~&;:?ab \n#*@\\,.1p", max_size=80)

ENTRIES: list[Any] = [
    {"json": {"value": {"a": 1}, "find": True, "trailing_commas": True}},
    {"json_schema": {"schema": {"type": "object", "required": ["a"]}, "find": True}},
    {"json_match": {"value": [{"a": 1}, [2]], "order": "free", "mode": "partial", "find": True}},
    {"json_match": {"value": {"a": 1}, "measure": "similarity", "find": True}},
    {"xml": {"elements": ["a/b[2]"], "find": True}},
    {"xml": {}},
    {"html": {"elements": ["p"]}},
    {"html": {"find": True, "elements": ["main"]}},
    {"yaml": {"find": True, "schema": {"type": "object"}}},
    {"sql": {"find": True, "dialect": "postgres", "tables": ["t"], "columns": ["a"], "bare_aliases": False}},
    {"python_syntax": {"find": True, "imports": ["json"]}},
    {"tool_calls": {"value": ["f"], "measure": "f1", "schema": False}},
]
BUILT = [build(spec_of(entry), None, SETTINGS) for entry in ENTRIES]

NASTY = {
    "braces": "{" * 100_000,
    "open texts": '{"' * 50_000,
    "open lists": "[1," * 33_000,
    "deep list": "[" * 50_000 + "]" * 50_000,
    "escapes": '["\\"' * 25_000,
    "objects": '{"a":2} ' * 13_000,
    "truncated": '[{"a": [1, 2, {"b": "c"}]},' * 11_000,
    "open tags": "<a" * 50_000,
    "tags": "<a>" * 33_000,
    "closed tags": "<a>" * 13_000 + "</a>" * 13_000,
    "crossed tags": "<a><b></a></b>" * 20_000,
    "quotes in tags": "<a '\"<b'" * 13_000,
    "comments": "<!--" * 25_000,
    "scripts": "<script>" * 60_000,
    "tables": "<table>x<td>" * 25_000,
    "barriers": "<div><td>" + "<i>" * 13_000 + "</div>" * 13_000,
    "entities": "&a;" * 33_000,
    "fences": "```\n" * 25_000,
    "marks": "`" * 100_000,
    "stars": "*a " * 33_000,
    "indents": "".join(" " * indent + "a:\n" for indent in range(700)),
    "empty values": "a:\n" * 20_000,
    "dots": "import " + "a." * 20_000 + "a",
    "minus": "x = " + "-" * 13_000 + "1",
    "calls": "f" + "()" * 20_000,
    "structs": "SELECT " + "STRUCT(" * 500 + "1",
    "indexes": "SELECT a" + "[1]" * 6_000,
    "parentheses": "SELECT " + "(" * 19_000,
    "joins": "SELECT * FROM t" + " JOIN t" * 2_700,
    "semicolons": "SELECT 1;" * 2_200,
    "commas": "SELECT a" + ",a" * 9_000 + " FROM t",
    "calls as JSON": '[{"name": "f", "arguments": {}}' + ',{"name": "f", "arguments": {}}' * 9_000 + "]",
    "calls as lines": '{"name": "f", "arguments": {}}\n' * 9_000,
    "surrogate": "\ud800" * 1_000,
    "NUL": "\0" * 1_000,
}
LIMIT_S = 6.0
"""Far above what any of them takes alone, since other processes may be busy."""


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_no_text_takes_long(text: str) -> None:
    for built in BUILT:
        before = time.process_time()
        judged = built.judge(Context(output=text))
        assert time.process_time() - before < LIMIT_S, built.spec.name
        assert getattr(judged, "score") is not None or getattr(judged, "error")  # noqa: B009


@pytest.mark.parametrize("built", BUILT, ids=lambda built: built.spec.name)
@FAST
@given(output=MARKUP)
def test_every_evaluator_is_total_on_markup(built: Any, output: str) -> None:
    judged = built.judge(Context(output=output))
    assert isinstance(judged.score, Score), judged.error
    assert judged.explanation


@FAST
@given(value=CONTAINERS, before=st.text("ab .,:\n'", max_size=9), after=st.text("ab .,:\n'", max_size=9))
def test_json_is_found_in_any_prose_without_brackets(value: Any, before: str, after: str) -> None:
    [read] = found_json(f"{before}{json_text(value)}{after}")
    assert json_difference(read.value, value) is None


@FAST
@given(value=CONTAINERS)
def test_json_without_trailing_commas_stays_as_it_is(value: Any) -> None:
    text = json.dumps(value, indent=1)
    assert without_trailing_commas(text) == text


@FAST
@given(values=st.lists(CONTAINERS, max_size=3))
def test_values_are_found_in_order(values: list[Any]) -> None:
    text = " and ".join(json_text(value) for value in values)
    found = [json.loads(text[span.start : span.end]) for span in json_spans(text)]
    assert found == json.loads(json_text(values))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a\n```sql\nSELECT 1\n```\nb", [("sql", "SELECT 1", True)]),
        ("- x:\n  ~~~ YAML strict\n  a: 1\n    b\n  ~~~", [("yaml", "a: 1\n  b", True)]),
        ("````\n```\nx\n```\n````", [("", "```\nx\n```", True)]),
        ("```py\nx", [("py", "x", False)]),
        ("``` `no fence` ```\n", []),
        ("```\n      ```\nx\n```", [("", "      ```\nx", True)]),
        ("1. ```js\r\n   y\r\n   ```\r\n", [("js", "y", True)]),
    ],
)
def test_fences(text: str, found: list[tuple[str, str, bool]]) -> None:
    assert [(fence.language, fence.text, fence.closed) for fence in fences(text)] == found
    for fence in fences(text):
        assert text[fence.start : fence.end].count("\n") >= fence.text.count("\n")


def test_only_closed_fences_of_the_language_are_candidates() -> None:
    text = "```sql\nA\n```\n```json\nB\n```\n```\nC\n```\n```sql\nD"
    assert candidates(text, frozenset({"sql", ""})) == ["A", "C"]
    assert candidates("```json\nB\n```", frozenset({"sql"})) == ["```json\nB\n```"]


@FAST
@given(value=JSON)
def test_a_value_has_all_of_itself(value: Any) -> None:
    for rules in (JsonRules(), JsonRules(partial=True), JsonRules(free=True), JsonRules(free=True, tolerance=0.1)):
        done = compare(value, value, rules)
        assert done.score == 1.0
        assert not done.differences


@FAST
@given(one=JSON, other=JSON)
def test_values_agree_fully_when_they_are_equal_and_the_share_is_a_share(one: Any, other: Any) -> None:
    done = compare(one, other, JsonRules())
    assert 0 <= done.agreeing <= done.leaves
    assert (done.agreeing == done.leaves) == (json_difference(one, other) is None) == (not done.differences)


@FAST
@given(items=st.lists(JSON, max_size=5), data=st.data())
def test_the_order_of_items_is_free_and_their_number_is_not(items: list[Any], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(items))
    free = JsonRules(free=True)
    assert compare(shuffled, items, free).score == 1.0
    if items:
        assert compare([*shuffled, shuffled[0]], items, free).score < 1.0
        assert compare([*shuffled, shuffled[0]], items, JsonRules(free=True, partial=True)).score == 1.0


@FAST
@given(one=JSON, other=JSON)
def test_similarity_goes_both_ways(one: Any, other: Any) -> None:
    similar = json_similarity(one, other)
    assert 0 <= similar <= 1
    assert similar == pytest.approx(json_similarity(other, one))


def test_truth_values_count_as_numbers_as_in_python() -> None:
    assert json_similarity(True, False) == 0
    assert json_similarity(True, 1) == 1


def test_no_more_than_a_thousand_values_are_looked_at() -> None:
    found = list(found_json("[] " * 1_001))
    assert len(found) == 1_001
    assert "more than 1,000" in str(found[-1].problem)


def test_a_lone_quotation_mark_hides_no_comma_below_it() -> None:
    assert without_trailing_commas('a 5" tape:\n[1,]') == 'a 5" tape:\n[1]'


def test_numbers_of_any_size_have_a_similarity() -> None:
    assert json_similarity(10**400, 1.5) == pytest.approx(0)
    assert json_similarity(10**400, 10**400 + 10**399) == pytest.approx(1 - 1 / 21)


@FAST
@given(fits=st.lists(st.lists(st.integers(0, 4), unique=True, max_size=5), max_size=5))
def test_no_other_pairing_has_more_pairs(fits: list[list[int]]) -> None:
    pairs = most_pairs(fits)
    assert all(right in fits[left] for left, right in pairs.items())
    assert len(set(pairs.values())) == len(pairs)
    assert len(pairs) == _most(fits, 0, frozenset())


def _most(fits: list[list[int]], left: int, taken: frozenset[int]) -> int:
    if left == len(fits):
        return 0
    with_it = (1 + _most(fits, left + 1, taken | {right}) for right in fits[left] if right not in taken)
    return max([_most(fits, left + 1, taken), *with_it])


@pytest.mark.parametrize(
    ("one", "other", "length"), [("abc", "abc", 3), ("abc", "cab", 2), ("abc", "", 0), ("ab", "xaxb", 2)]
)
def test_the_longest_common_subsequence(one: str, other: str, length: int) -> None:
    assert in_order(len(one), len(other), lambda left, right: one[left] == other[right]) == length


def test_elements_of_a_broken_text_do_not_count() -> None:
    elements = Elements([ElementPath.of("a/b")])
    assert elements.read("<a><b/>") is not None
    assert elements.missing == ["a/b"]
    assert elements.read("<a><b/></a>") is None
    assert elements.missing == []


def test_the_outermost_elements_are_found() -> None:
    text = "x <a><b/></a> <c> <d>1</d> </e> <f/>"
    assert [text[span.start : span.end] for span in xml_spans(text)] == ["<a><b/></a>", "<d>1</d>", "<f/>"]


@pytest.mark.parametrize(
    ("text", "names", "loose"),
    [
        ("<p>a<ul><li>b</ul>c", {"p", "ul", "li"}, "c"),
        ("<ul><li>a<li>b</ul>", {"ul", "li"}, ""),
        ("<textarea><b></textarea>", {"textarea"}, ""),
        ("<a title='1 > 0'>x</a>", {"a"}, ""),
        ("<p title=it's>x</p>", {"p"}, ""),
        ("<!-- <b> -->", set(), ""),
        ("<button><p>a<div>b</div>c</button>", {"button", "p", "div"}, ""),
    ],
)
def test_html_is_taken_apart_as_browsers_do(text: str, names: set[str], loose: str) -> None:
    tree = read_tree(text)
    assert (tree.names, tree.loose_text) == (names, loose)


def test_what_a_statement_touches() -> None:
    [one] = read_sql("INSERT INTO a.t (x) SELECT u.y FROM users u WHERE EXISTS (SELECT 1 FROM b)", "postgres")
    assert [(use.action, use.database, use.name) for use in one.tables] == [
        ("insert", "a", "t"),
        ("select", None, "users"),
        ("select", None, "b"),
    ]
    assert [(use.action, use.table, use.name) for use in one.columns] == [
        ("insert", "t", "x"),
        ("select", "users", "y"),
    ]


def test_calls_are_read_in_the_order_of_the_text() -> None:
    text = 'First:\n{"name": "a", "args": {"x": "1"}}\nthen\n[{"function": {"name": "b", "arguments": "{}"}}]'
    assert [str(call) for call in calls_in_text(text)] == ['a({"x":"1"})', "b({})"]


def test_the_prompts_tools_are_part_of_the_key_of_a_score() -> None:
    built = build(spec_of({"tool_calls": {"schema": True}}), None, SETTINGS)
    tool = {"type": "function", "function": {"name": "f"}}
    assert score_key(built, Context(output="", tools=[tool])) != score_key(built, Context(output="", tools=[]))


def test_what_is_expected_of_calls_is_part_of_the_evaluators_key() -> None:
    one, other = ({"tool_calls": {"value": [{"name": "f", "arguments": {"a": a}}]}} for a in (1, 2))
    assert build(spec_of(one), None, SETTINGS).key != build(spec_of(other), None, SETTINGS).key
