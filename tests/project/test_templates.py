"""Templates: strict, exact, rendered once, and messages as providers take them."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.canonical import WrittenBool, WrittenFloat, WrittenInt
from llmctl.project.models import Message, PlaceholderMessage, Prompt
from llmctl.project.templates import (
    TemplateError,
    compile_template,
    prompt_variables,
    render_messages,
)


def _render(text: str, **variables: object) -> str:
    return compile_template(text).render(variables)


def _refusal(text: str, **variables: object) -> str:
    with pytest.raises(TemplateError) as caught:
        _render(text, **variables)
    return f"{caught.value.line}: {caught.value.message}"


def _prompt(*messages: Message | PlaceholderMessage) -> Prompt:
    return Prompt("p", Path("prompts/p.yaml"), messages)


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("Hello {{ name }}!\n\n", "Hello Ann!\n\n"),
        ("{{ v }} {{ 7 * 7 }}", "{{ 7 * 7 }} 49"),
        ("{{ price }} {{ code }} {{ flag }} {{ yes }} {{ half }}", "1.10 010 True true 0.5"),
        ("{{ order }}", '{"id":1,"tags":["a",null]}'),
        ("{{ order.id }} {{ order['tags'][0] }} {{ order.tags[-2] }}", "1 a a"),
        ("{{ nothing or '' }}{{ nothing is none }}", "true"),
        ("{{ missing|default('d') }}{% if missing is defined %}x{% endif %}", "d"),
        ("{% for t in tags %}{{ loop.index }}.{{ t }}{{ ';' if not loop.last }}{% endfor %}", "1.a;2.b"),
        ("{% for k, v in order.items() %}{{ k }},{% endfor %}", "id,tags,"),
        ("{{ tags|join(', ') }} {{ tags|length }} {{ tags|first|upper }}", "a, b 2 A"),
        ("{{ [price, yes]|join('/') }} {{ price ~ '€' }} {{ 'n: ' ~ 1 }}", "1.10/true 1.10€ n: 1"),
        ("{{ name.upper() }} {{ ' x '.strip() }} {{ 'a,b'.split(',') }}", 'ANN x ["a","b"]'),
        ("{{ name[1:] }} {{ name[::-1] }} {{ tags[:1] }}", 'nn nnA ["a"]'),
        ("{{ 'Ann' == name }} {{ 'a' in tags }} {{ 1 < 2 < 3 }}", "true true true"),
        ("{{ order|tojson }}", '{"id": 1, "tags": ["a", null]}'),
        ("{{ '%.2f' % half }} {{ '%s and %s'|format(1, 'b') }}", "0.50 1 and b"),
        ("{{ 'x'|center(5) }}|{{ 'a\nb'|indent(2) }}|{{ 'aa'|replace('a', 'b', 1) }}", "  x  |a\n  b|ba"),
        ("{{ 'x'.rjust(3) }}{{ '7'.zfill(3) }}{{ '-'.join(tags) }}", "  x007a-b"),
        ("{{ rows|map(attribute='n')|sum }} {{ rows|selectattr('n', 'gt', 1)|list }}", '3 [{"n":2}]'),
        ("{% for g in rows|groupby('n') %}{{ g.grouper }}{{ g.list|length }}{% endfor %}", "1121"),
        ("{% macro m(x, y='d') %}<{{ x }}{{ y }}>{% endmacro %}{{ m(1) }}{{ m(2, y=3) }}", "<1d><23>"),
        ("{% macro m() %}[{{ caller(1) }}]{% endmacro %}{% call(x) m() %}{{ x }}{% endcall %}", "[1]"),
        ("{% set ns = namespace(n=0) %}{% for t in tags %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}", "2"),
        ("{% filter upper %}a{{ name }}{% endfilter %}{% with q=1 %}{{ q }}{% endwith %}", "AANN1"),
        (
            "{% set x %}a{{ name }}{% endset %}{{ x }}{{ 'a' if false }}{% raw %}{{ x }}{% endraw %}{# c #}",
            "aAnn{{ x }}",
        ),
        ("{% for t in tree recursive %}{{ t.n }}{{ loop(t.c) }}{% endfor %}", "123"),
        ("<b> & {{ html }} {{ html|e }}", "<b> & <i> &lt;i&gt;"),
        ("{{ range(3)|list }} {{ dict(a=1) }} {{ 2 ** 10 }} {{ 7 // 2 }} {{ 7 % 4 }}", '[0,1,2] {"a":1} 1024 3 3'),
        ("{{ 1.257|round(1) }} {{ '12'|int + 1 }} {{ [3, 1]|sort }} {{ [1, 1]|unique|list }}", "1.3 13 [1,3] [1]"),
        ("{{ order.copy }}", "x"),
    ],
)
def test_what_templates_can_do(text: str, rendered: str) -> None:
    order: dict[str, object] = {"id": 1, "tags": ["a", None]}
    variables: dict[str, object] = {
        "name": "Ann",
        "v": "{{ 7 * 7 }}",
        "price": WrittenFloat(1.1, "1.10"),
        "code": WrittenInt(10, "010"),
        "flag": WrittenBool(True, "True"),
        "yes": True,
        "half": 0.5,
        "nothing": None,
        "order": {"copy": "x"} if "copy" in text else order,
        "tags": ["a", "b"],
        "rows": [{"n": 1}, {"n": 2}],
        "tree": [{"n": 1, "c": [{"n": 2, "c": []}]}, {"n": 3, "c": []}],
        "html": "<i>",
    }
    assert _render(text, **variables) == rendered


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("a\nb {{ brnad }}", "2: the variable `brnad` is not given; did you mean `brand`?"),
        ("{{ zzz }}", "1: the variable `zzz` is not given"),
        ("\n{% if\nzzz %}{% endif %}", "2: the variable `zzz` is not given"),
        ("{{ order.totl }}", "1: the mapping has no key `totl`; did you mean `total`?"),
        ("{{ order.total.x }}", "1: a number has no `x`"),
        ("{{ nothing.x }}", "1: null has no `x`"),
        ("{{ tags[7] }}", "1: the list has no item `7`; it has 1"),
        ("{{ nothing }}", "1: `nothing` is null; write {{ nothing or '' }} or give it a value"),
        ("{{ order.none }}", "1: `order.none` is null; write {{ order.none or '' }} or give it a value"),
        ("{{ nothing|upper }}", "1: null cannot be put into a text; give it a value, or write `or ''` after it"),
        ("{{ 'a' ~ nothing }}", "1: null cannot be put into a text; give it a value, or write `or ''` after it"),
        ("{{ order.items }}", "1: `order.items` is a function, not a value; for a key of that name write ['items']"),
        ("{{ brand + 1 }}", "1: `+` cannot be used on a text and a number; write `~` to put texts together"),
        ("{{ 1 / 0 }}", "1: division by zero"),
        ("{{ brand() }}", "1: only macros and the methods of texts, lists and mappings can be called"),
        ("{% for x in 5 %}{% endfor %}", "1: the loop needs a list, a mapping or a text"),
        ("{{ tags|sum }}", "1: the filter `sum` takes numbers only; `join` puts texts together"),
        ("\n{{ x", "2: unexpected end of template, expected 'end of print statement'"),
        ("a\n{% if x %}\n", "2: `{% if %}` is never closed"),
        ("{% nope %}", "1: there is no tag `{% nope %}`"),
        ("{% if x %}{% endfor %}", "1: `{% endfor %}` does not close `{% if %}`"),
        ("{% endif %}", "1: there is no tag `{% endif %}` to close"),
        ("{% if 0 %}\n{{ x|uper }}{% endif %}", "2: there is no filter `uper` in prompts; did you mean `upper`?"),
        ("{{ x is strng }}", "1: there is no test `strng` in prompts; did you mean `string`?"),
        ("{{ x|random }}", "1: there is no filter `random` in prompts"),
        ("{% include 'x' %}", "1: `{% include %}` is not available in prompts"),
        ("{% autoescape true %}{% endautoescape %}", "None: `{% autoescape %}` is not available in prompts"),
    ],
)
def test_mistakes_are_plain_sentences_with_their_line(text: str, refusal: str) -> None:
    variables: dict[str, object] = {
        "brand": "Acme",
        "order": {"total": 5, "none": None},
        "nothing": None,
        "tags": ["a"],
    }
    assert _refusal(text, **variables).startswith(refusal)


def test_a_value_is_never_rendered() -> None:
    hostile = "{{ 7 * 7 }}{% for x in range(9) %}{{ x }}{% endfor %}{# #}"
    assert _render("{{ a }}|{{ [a]|join }}|{{ a ~ '' }}", a=hostile) == "|".join([hostile] * 3)


@given(st.text())
def test_a_text_comes_out_as_it_went_in(text: str) -> None:
    assert _render("<{{ x }}>", x=text) == f"<{text}>"


@given(st.text(st.characters(exclude_characters="{}%#\r")))
def test_a_template_without_tags_is_itself(text: str) -> None:
    assert _render(text) == text


PIECES = [*"{}%# |x.()[]'~+*\n0a,=:", "for ", "in ", "if ", "{{", "}}", "{%", "%}", "end"]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_any_text_renders_or_says_why(text: str) -> None:
    try:
        _render(text, x=[1, "a"], a={"x": 1})
    except TemplateError as error:
        assert error.message
        assert "Traceback" not in error.message


@pytest.mark.parametrize(
    "value",
    [
        sys,
        print,
        object(),
        MappingProxyType({}),
        {1},
        b"x",
        [{"a": [sys]}],
        {"a": lambda: 1},
        {1: 2},
        type,
        Exception(),
    ],
)
def test_only_plain_data_may_enter(value: object) -> None:
    assert "`x`" in _refusal("{{ x }}", x=value)


def test_a_value_that_the_template_does_not_use_is_not_looked_at() -> None:
    assert _render("a", x=sys) == "a"


def test_values_are_not_changed_by_a_template() -> None:
    value: dict[str, object] = {"a": [1]}
    for attack in ("{{ x.update({'b': 1}) }}", "{{ x.a.append(2) }}", "{{ x.pop('a') }}", "{% set x.a = 1 %}"):
        _refusal(attack, x=value)
    assert value == {"a": [1]}


@pytest.mark.parametrize(
    ("text", "variables", "required"),
    [
        ("{{ x }}", "x", "x"),
        ("{{ x.y|default('') }}", "x", "x"),
        ("{{ x|default(y) }}", "xy", "y"),
        ("{% if x is defined %}{{ x }}{% endif %}", "x", ""),
        ("{% if x is defined %}{% else %}{{ x }}{% endif %}", "x", "x"),
        ("{% if x is not defined %}a{% elif x %}{{ x }}{% endif %}", "x", ""),
        ("{% if x is defined and x.y %}{{ x }}{% endif %}", "x", ""),
        ("{% if x is defined or y %}{{ x }}{% endif %}", "xy", "xy"),
        ("{% if x is undefined or x %}{% endif %}", "x", ""),
        ("{% if not (x is undefined or y is undefined) %}{{ x ~ y }}{% endif %}", "xy", ""),
        ("{{ x if x is defined else y }}", "xy", "y"),
        ("{% if x %}{{ y }}{% endif %}", "xy", "xy"),
        ("{% set x = x|default(1) %}{{ x }}", "x", ""),
        ("{% set x = 1 %}{{ x }}", "", ""),
        ("{% if a %}{% set x = 1 %}{% endif %}{{ x }}", "ax", "ax"),
        ("{% if a %}{% set x = 1 %}{% else %}{% set x = 2 %}{% endif %}{{ x }}", "ax", "a"),
        ("{{ x|default('') }}{% for x in y %}{{ x }}{{ loop.index }}{% endfor %}", "xy", "y"),
        ("{% for a in b if a > c %}{% else %}{{ d }}{% endfor %}", "bcd", "bcd"),
        ("{% macro m(a, b=c) %}{{ a ~ z }}{{ caller() }}{% endmacro %}{{ m(q) }}", "cqz", "cqz"),
        ("{% macro m() %}{{ caller(1) }}{% endmacro %}{% call(a) m() %}{{ a ~ b }}{% endcall %}", "b", "b"),
        ("{% with a = b %}{{ a }}{% endwith %}{% filter upper %}{{ c }}{% endfilter %}", "bc", "bc"),
        ("{% set x %}{{ a }}{% endset %}{{ x }}{{ range(3) }}", "a", "a"),
    ],
)
def test_variables_and_those_a_case_must_have(text: str, variables: str, required: str) -> None:
    template = compile_template(text)
    assert sorted(template.variables) == sorted(variables)
    assert sorted(template.required) == sorted(required)


def test_messages_are_rendered_in_order() -> None:
    prompt = _prompt(
        Message("system", "You are {{ brand }}.\n"), PlaceholderMessage("history"), Message("user", "{{ q }}")
    )
    history = [
        {"role": "user", "content": "{{ q }}"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "n": WrittenFloat(1.1, "1.10")}]},
        {"role": "tool", "content": WrittenFloat(1.1, "1.10"), "tool_call_id": "1"},
    ]
    variables: Mapping[str, object] = MappingProxyType({"brand": "Acme", "q": "why?", "history": history})
    assert render_messages(prompt, variables) == (
        {"role": "system", "content": "You are Acme.\n"},
        {"role": "user", "content": "{{ q }}"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "n": 1.1}]},
        {"role": "tool", "content": "1.10", "tool_call_id": "1"},
        {"role": "user", "content": "why?"},
    )
    assert prompt_variables(prompt) == {"brand", "history", "q"}


@pytest.mark.parametrize("variables", [{}, {"history": None}, {"history": ""}, {"history": []}, {"history": "[]"}])
def test_a_placeholder_without_messages_is_nothing(variables: dict[str, object]) -> None:
    assert render_messages(_prompt(PlaceholderMessage("history")), variables) == ()


def test_a_placeholder_takes_json_text_from_a_cell() -> None:
    cell = '[{"role": "user", "content": "hi"}]'
    assert render_messages(_prompt(PlaceholderMessage("h")), {"h": cell}) == ({"role": "user", "content": "hi"},)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no json", "`h` must be a list of messages, or such a list as JSON text"),
        ("[" * 100_000, "`h` must be a list of messages, or such a list as JSON text"),
        ({"role": "user"}, "`h` must be a list of messages, each with `role` and `content`"),
        (7, "`h` must be a list of messages, each with `role` and `content`"),
        (["hi"], "`h[0]` must be a mapping with `role` and `content`"),
        ([{"role": "usr", "content": "x"}], "`h[0]` needs a `role`: one of system, user, assistant, developer, tool"),
        (
            [{"role": ["user"], "content": "x"}],
            "`h[0]` needs a `role`: one of system, user, assistant, developer, tool",
        ),
        ([{"role": "user", "content": ["x"]}], "`h[0]` needs a `content`, which must be a text"),
        ([{"role": "user", "content": None}], "`h[0]` needs a `content`, which must be a text"),
        ([{"role": "user", "content": "x", "name": sys}], "`h` is no plain data: it holds a module"),
    ],
)
def test_a_placeholder_that_holds_no_messages(value: object, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render_messages(_prompt(Message("system", "x"), PlaceholderMessage("h")), {"h": value})
    assert (caught.value.message, caught.value.message_index) == (message, 1)


def test_an_error_names_its_message() -> None:
    prompt = _prompt(Message("system", "x"), Message("user", "a\n{{ q }}"), Message("user", "{{ broken"))
    with pytest.raises(TemplateError) as rendering:
        render_messages(prompt, {})
    assert (rendering.value.message_index, rendering.value.line) == (1, 2)
    with pytest.raises(TemplateError) as compiling:
        prompt_variables(prompt)
    assert (compiling.value.message_index, compiling.value.line) == (2, 1)


def test_one_text_is_compiled_once() -> None:
    assert compile_template("same {{ text }}") is compile_template("same " + "{{ text }}")


def test_twenty_thousand_small_templates_are_quick() -> None:
    template = compile_template("You route tickets of {{ brand }}.\nTicket: {{ ticket }}\n")
    begin = time.process_time()
    for number in range(20_000):
        template.render({"brand": "Acme", "ticket": "My card was declined, twice!", "number": number})
    # 0.1 s where this was written; the brief is 1 s.
    assert time.process_time() - begin < 3
