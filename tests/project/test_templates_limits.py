"""Hostile templates: each ends soon, in little memory, with a sentence, and reaches nothing but its data."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from llmctl.project.templates import TemplateError, compile_template
from llmctl.project.templates.budget import MAX_STEPS

LONG = "y" * 900_000
TURNS = f"the template's loops turn more than {MAX_STEPS:,} times"
WORK = "the template does more work than a prompt can need; shorten its loops or its texts"
SIZE = "the template makes a text of more than 1,000,000 characters"
NUMBER = "a number in the template is too large"
WIDTH = "a width in the format is too large"
CODE = "the template has more than 50,000 words of code"
DEEP = "the template's macros call each other more than 40 deep"
DOUBLE_LIST = "{% set x = [1] %}" + "{% set x = [x, x] %}" * 40


def _refusal(text: str, **variables: object) -> str:
    with pytest.raises(TemplateError) as caught:
        compile_template(text).render(variables)
    return caught.value.message


@contextmanager
def _bounded(*, memory: bool) -> Iterator[None]:
    """At most some seconds and 100 MB; without limits these take hours or all there is."""
    begin = time.process_time()
    if memory:
        tracemalloc.start()
    yield
    if memory:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 100 * 2**20
    assert time.process_time() - begin < 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}", TURNS),
        ("{% for a in range(999) %}{% for b in range(999) if false %}{% endfor %}{% endfor %}", TURNS),
        ("{% for a in long %}{% endfor %}", TURNS),
        ("{{ range(10 ** 9) }}", "`range` makes at most 100,000 numbers"),
        ("{% for i in range(90000) %}" + "x" * 900_000 + "{% endfor %}", SIZE),
        ("{% set s %}{% for i in range(90000) %}" + "x" * 900_000 + "{% endfor %}{% endset %}", WORK),
        (
            "{% macro m() %}" + "x" * 900_000 + "{% endmacro %}{% set s %}" + "{{ m() }}" * 200 + "{% endset %}",
            WORK,
        ),
        ("{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}", DEEP),
        ("{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(38) }}", TURNS),
        ("{% set t = [1] %}{% for x in t recursive %}a{{ loop(t) }}{% endfor %}", DEEP),
        ("{% set t = range(300) %}{% for x in t recursive %}{{ loop(t) if loop.depth < 30 }}{% endfor %}", TURNS),
        ("{{ 'a' * 1000000000 }}", SIZE),
        ("{{ 1000000000 * 'a' }}", SIZE),
        ("{{ [1] * 1000000000 }}", SIZE),
        ("{{ 9 ** 999999999 }}", NUMBER),
        ("{% set ns = namespace(n=9) %}{% for i in range(99) %}{% set ns.n = ns.n * ns.n %}{% endfor %}", NUMBER),
        ("{{ " + "9" * 6_000 + " }}", NUMBER),
        ("{{ 1e99999 }}", NUMBER),
        ("{{ '%1000000000d' % 1 }}", WIDTH),
        ("{{ '%.1000000000f' % 1.5 }}", WIDTH),
        ("{{ '%*d' % (1000000000, 1) }}", WIDTH),
        ("{{ '%1000000000d'|format(1) }}", WIDTH),
        ("{{ ('%999d' * 9000) % range(9000) }}", SIZE),
        ("{{ ('%(a)s' * 9000)|format(a=long) }}", SIZE),
        ("{{ 'x'|center(1000000000) }}", SIZE),
        ("{{ 'x'.center(1000000000) }}", SIZE),
        ("{{ 'x'.ljust(1000000000) }}", SIZE),
        ("{{ '1'.zfill(1000000000) }}", SIZE),
        ("{{ 'x'|indent(1000000000) }}", SIZE),
        ("{{ long|replace('y', '\n')|indent(900) }}", SIZE),
        ("{{ 'aaaa'|replace('a', long) }}", SIZE),
        ("{{ 'aaaa'.replace('', long) }}", SIZE),
        ("{{ range(99)|join(long) }}", SIZE),
        ("{{ long.join(['a', 'b', 'c']) }}", SIZE),
        ("{{ 1.5|round(999999999) }}", "the filter `round` takes a number and at most 30 digits"),
        ("{{ long }}{{ long }}", SIZE),
        ("{% set x = 'a' %}" + "{% set x = x ~ x %}" * 40, SIZE),
        ("{% set x = 'a' %}" + "{% set x = x + x %}" * 40, SIZE),
        ("{% set x = [1] %}" + "{% set x = x + x %}" * 40, SIZE),
        ("{% set x = 'a' %}" + "{% set x %}{{ x }}{{ x }}{% endset %}" * 40, WORK),
        ("{% set x = 'ab' %}" + "{% set x = x|replace('a', x) %}" * 40, SIZE),
        ("{% set n = namespace(s='a') %}{% for i in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}", SIZE),
        (DOUBLE_LIST + "{{ x }}", WORK),
        (DOUBLE_LIST + "{{ x|string }}", WORK),
        (DOUBLE_LIST + "{{ x|join }}", WORK),
        (DOUBLE_LIST + "{{ x|tojson }}", WORK),
        (DOUBLE_LIST + "{% set y = x %}" + DOUBLE_LIST + "{{ x == y }}", WORK),
        (DOUBLE_LIST + "{{ x in [[x, x]] }}", WORK),
        (DOUBLE_LIST + "{{ x is eq([x]) }}", WORK),
        (DOUBLE_LIST + "{{ '%s' % [x] }}", WORK),
        (DOUBLE_LIST + "{% for i in [1] %}{{ loop.changed(x) }}{% endfor %}", WORK),
        (DOUBLE_LIST + "{{ [[x], [x]]|sort }}", WORK),
        ("{% for i in range(90000) %}{{ 'a' if long[1:] == '' }}{% endfor %}", WORK),
        ("{% for i in range(90000) %}{{ 'a' if long|upper == '' }}{% endfor %}", WORK),
        ("{% for i in range(90000) %}{{ 'a' if long.count('yx') }}{% endfor %}", WORK),
        ("{% for i in range(90000) %}{{ 'a' if numbers.count(-1) }}{% endfor %}", WORK),
        ("{% for i in range(90000) %}{{ 'a' if numbers|last == numbers|sort|first }}{% endfor %}", WORK),
        ("{% for i in range(90000) %}{{ 'a' if 'x' in long }}{% endfor %}", WORK),
        ("{% for i in range(999) %}{{ range(9999)|map('upper')|list|length }}{% endfor %}", WORK),
        ("{{ range(99999)|map('string')|map('upper')|map('lower')|map('title')|map('trim')|list }}", WORK),
        ("{{ '(' * 9 }}{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}", "the template is nested too deep"),
        ("{% for a in b %}" * 30 + "{% endfor %}" * 30, "the template is nested too deep"),
        ("{% if a %}" * 3_000 + "{% endif %}" * 3_000, "the template is nested too deep"),
        ("{{ [" + "1," * 60_000 + "] }}", CODE),
        ("{{ x }}" * 20_000, CODE),
        ("x" * 1_000_001, "the template has more than 1,000,000 characters"),
        (
            "{% set n = namespace(l=[]) %}{% for i in range(90000) %}{% set n.l = [n.l] %}{% endfor %}{{ n.l }}",
            "the value cannot be written as JSON text",
        ),
    ],
    ids=lambda value: value[:60],
)
def test_a_bomb_ends_with_a_sentence(text: str, message: str) -> None:
    # Measuring memory makes long loops five times as long.
    with _bounded(memory=message in (SIZE, NUMBER, WIDTH)):
        assert _refusal(text, long=LONG, numbers=[*range(9_000)], b=[1], a=True, x=1) == message


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__ }}",
        "{{ ''['__class__'] }}",
        "{{ ''|attr('__class__') }}",
        "{{ x.__class__.__mro__ }}",
        "{{ x.a.__class__ }}",
        "{{ '{0.__class__}'.format(x) }}",
        "{{ '{0}'.format_map(x) }}",
        "{{ 'a'.encode() }}",
        "{{ 'a'.translate }}",
        "{{ 7 .to_bytes(999999999) }}",
        "{{ range.__init__ }}",
        "{{ range.call }}",
        "{{ namespace.call.__globals__ }}",
        "{{ dict.call }}",
        "{{ self }}",
        "{{ self._TemplateReference__context }}",
        "{{ cycler }}",
        "{{ joiner() }}",
        "{{ lipsum() }}",
        "{{ x.items.call }}",
        "{% macro m() %}{% endmacro %}{{ m }}",
        "{% macro m() %}{% endmacro %}{{ m._func }}",
        "{% macro m() %}{% endmacro %}{{ m.__call__.__globals__ }}",
        "{% macro m() %}{% endmacro %}{{ [m] }}",
        "{% set n = namespace() %}{{ n._Namespace__attrs }}",
        "{% set n = namespace() %}{{ n.__class__ }}",
        "{% for i in [1] %}{{ loop }}{% endfor %}",
        "{% for i in [1] %}{{ loop._iterator }}{% endfor %}",
        "{% for i in [1] %}{% for j in loop %}{% endfor %}{% endfor %}",
        "{{ [1]|map('llmctl spent')|list }}",
        "{{ [1]|map('llmctl printed')|list }}",
        "{{ ['__class__']|map('attr')|list }}",
        "{{ [x]|map(attribute='__class__')|list }}",
        "{{ [x]|map(attribute='a.__class__')|join }}",
        "{{ [x]|sum(attribute='__class__') }}",
        "{% import 'os' as os %}",
        "{% extends 'x' %}",
        "{% from 'x' import y %}",
        "{% block b %}{% endblock %}",
    ],
)
def test_nothing_but_data_is_in_reach(text: str) -> None:
    assert _refusal(text, x={"a": "text"})


def test_a_budget_is_for_one_rendering() -> None:
    template = compile_template("{% for i in range(60000) %}{% endfor %}ok")
    assert [template.render({}) for _ in range(3)] == ["ok"] * 3


def test_honest_work_stays_within_the_limits() -> None:
    document = "A sentence of a long document. " * 6_000
    history = [{"role": "user", "text": f"line {n} " * 20} for n in range(2_000)]
    text = (
        "{{ document|trim }}\n{% for m in history %}{{ loop.index }}/{{ history|length }} {{ m.role|upper }}:"
        " {{ m.text|replace('line', 'row')|trim }}\n{% if m.role == 'user' and m.role in ['user'] %}-{% endif %}"
        "{% endfor %}"
    )
    rendered = compile_template(text).render({"document": document, "history": history})
    assert rendered.count("USER") == 2_000
    assert rendered.startswith(document.strip())
