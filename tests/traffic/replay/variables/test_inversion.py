"""Templates inverted: the values come back, or it is said why not, and never wrong ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmctl.project.models import FilePart, ImagePart, Message, PlaceholderMessage, Prompt, TextPart
from llmctl.project.templates import TemplateError
from llmctl.project.templates.render import render_messages
from llmctl.traffic.replay.variables.forms import NotInvertible
from llmctl.traffic.replay.variables.inversion import Inversion, invert
from llmctl.traffic.replay.variables.logged import comparable
from llmctl.traffic.replay.variables.matching import Work
from llmctl.traffic.replay.variables.recovered import Kind
from llmctl.traffic.replay.variables.shape import shape_of

HISTORY = [
    {"role": "user", "content": "Where is it?"},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f"}}]},
    {"role": "tool", "content": "on its way", "tool_call_id": "1"},
]


def prompt(*messages: str | Message | PlaceholderMessage) -> Prompt:
    made = tuple(Message("user", one) if isinstance(one, str) else one for one in messages)
    return Prompt("p", Path("p.yaml"), made)


def inverted(of: Prompt, messages: Sequence[Mapping[str, Any]]) -> Inversion:
    return invert(shape_of(of), comparable(messages), Work(10_000_000))


def round_trip(of: Prompt, variables: Mapping[str, object]) -> Inversion:
    return inverted(of, render_messages(of, variables))


@pytest.mark.parametrize(
    ("templates", "variables"),
    [
        (["Ticket: {{ ticket }}"], {"ticket": "It is\nbroken {{ 7 }} "}),
        (["{{ ticket }}"], {"ticket": ""}),
        (["Nothing to fill in"], {}),
        (["{{ user.name }} of {{ user['city'] }}"], {"user": {"name": "Ann", "city": "Rome"}}),
        (["{{ a ~ ', ' ~ b }}"], {"a": "x", "b": "y"}),
        (["{% raw %}{{ a }}{% endraw %} {{ a }}{# said #}"], {"a": "x"}),
        (["{{ '{{' }} {{ a }}"], {"a": "x"}),
        (["Of {{ brand }}", "{{ brand }}{{ ticket }}"], {"brand": "Acme", "ticket": "Acme"}),
        (["{% if context %}Known: {{ context }}\n{% endif %}Q: {{ q }}"], {"context": "red", "q": "Why?"}),
        (["{% if context %}Known: {{ context }}\n{% endif %}Q: {{ q }}"], {"context": "", "q": "Why?"}),
        (["{% if name is defined %}Dear {{ name }}{% else %}Hello{% endif %}"], {"name": "Ann"}),
        (["{% if name is defined %}Dear {{ name }}{% else %}Hello{% endif %}"], {}),
        (["{% if tone == 'short' %}Be short.{% elif tone == 'long' %}Take your time.{% endif %}"], {"tone": "long"}),
        (["{% if user %}Dear {{ user.name }}{% else %}Hello{% endif %}"], {"user": {"name": "Ann"}}),
        (["{% if a and b %}{{ a }}+{{ b }}{% else %}{{ a }}|{{ b }}{% endif %}"], {"a": "x", "b": ""}),
    ],
)
def test_variables_come_back(templates: list[str], variables: dict[str, object]) -> None:
    found = round_trip(prompt(*templates), variables)
    assert (found.kind, found.variables) == (Kind.FOUND, variables)


@pytest.mark.parametrize(
    ("templates", "variables", "unclear"),
    [
        (["{{ a }}{{ b }}"], {"a": "x", "b": "y"}, ("a", "b")),
        (["{{ a }} from {{ b }}"], {"a": "a letter from Ann", "b": "Rome"}, ("a", "b")),
        (["{% if gold %}Dear{% else %}Hello{% endif %} {{ name }}"], {"gold": "yes", "name": "Ann"}, ("gold",)),
        (["{% if tone != 'short' %}Take your time.{% endif %}"], {"tone": "long"}, ("tone",)),
        (["{% if a %}{{ a }}: {% endif %}{{ b }}"], {"a": "x", "b": "y"}, ("a", "b")),
        (["{% if a is defined and a %}{{ a }}{% endif %}!"], {"a": ""}, ("a",)),
    ],
)
def test_more_than_one_solution_is_said(
    templates: list[str], variables: dict[str, object], unclear: tuple[str, ...]
) -> None:
    found = round_trip(prompt(*templates), variables)
    assert (found.kind, found.variables, found.unclear) == (Kind.AMBIGUOUS, None, unclear)


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ a | trim }}", "changes a value by the filter `trim` before it prints it"),
        ("{{ a + b }}", "prints an expression"),
        ("{{ a[0] }}", "prints an expression"),
        ("{% for one in a %}{{ one }}{% endfor %}", "has a `{% for %}`"),
        ("{% set a = b %}{{ a }}", "has a `{% set %}`"),
        ("{% if a | length > 2 %}x{% endif %}", "decides a branch by more than a variable's own value (the value)"),
        ("{% macro m() %}{% endmacro %}", "has a `{% macro %}`"),
        ("{{ a", "cannot be read: unexpected end of template, expected 'end of print statement'"),
        ("{% if a %}1{% endif %}{% if b %}2{% endif %}" * 4, None),
        ("".join(f"{{% if a{n} %}}1{{% endif %}}" for n in range(7)), "has more than 64 ways through its branches"),
        ("".join(f"{{{{ a{n} }}}}," for n in range(201)), "prints more than 200 variables"),
        ("{{ a }}," * 2_000, "has more than 2,000 parts"),
        (
            f"{{% if {'(' * 40}a{' or b) and c)' * 20} %}}x{{% endif %}}",
            "decides a branch by too many questions at once",
        ),
    ],
)
def test_what_cannot_be_undone_is_said(template: str, reason: str | None) -> None:
    if reason is None:
        shape_of(prompt(template))
        return
    with pytest.raises(NotInvertible) as said:
        shape_of(prompt(template))
    assert str(said.value) == reason


def test_a_solution_counts_only_when_it_renders_to_the_same() -> None:
    # As text "false" is true: rendered again, the other branch would be taken.
    of = prompt("{% if flag %}yes{% else %}no{% endif %} {{ flag }}")
    assert round_trip(of, {"flag": False}).kind is Kind.NO_MATCH
    assert inverted(prompt("{{ a.items }}"), [{"role": "user", "content": "x"}]).kind is Kind.NO_MATCH


def test_a_branch_without_a_value_is_no_solution() -> None:
    # ": y" could be an empty `a` in the first branch, if that branch were taken then.
    found = inverted(prompt("{% if a %}{{ a }}: {% endif %}{{ b }}"), [{"role": "user", "content": ": y"}])
    assert found.variables == {"a": "", "b": ": y"}


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "system", "content": "Ticket: x"}],
        [{"role": "user", "content": "Ticket: x"}, {"role": "assistant", "content": "y"}],
        [{"role": "user", "content": "Ticket: x", "name": "Ann"}],
        [{"role": "user", "content": None}],
        [{"role": "user", "content": [{"type": "text", "text": "Ticket: "}, {"type": "text", "text": "x"}]}],
    ],
)
def test_messages_of_another_make_do_not_match(messages: list[dict[str, Any]]) -> None:
    assert inverted(prompt("Ticket: {{ ticket }}"), messages).kind is Kind.NO_MATCH


def test_a_content_of_one_part_is_its_text() -> None:
    part = {"type": "text", "text": "Ticket: x", "cache_control": {"type": "ephemeral"}}
    messages = [{"role": "user", "content": [part], "tool_calls": None}]
    assert inverted(prompt("Ticket: {{ ticket }}"), messages).variables == {"ticket": "x"}


def test_parts_and_addresses_of_images() -> None:
    of = prompt(Message("user", (TextPart("See {{ what }}"), ImagePart(url="https://a.example/{{ id }}.png"))))
    assert round_trip(of, {"what": "this", "id": "7"}).variables == {"what": "this", "id": "7"}
    assert inverted(of, [{"role": "user", "content": "See this"}]).kind is Kind.NO_MATCH


def test_files_are_not_inverted() -> None:
    with pytest.raises(NotInvertible, match="attaches a file"):
        shape_of(prompt(Message("user", (FilePart("{{ name }}.pdf"),))))


@pytest.mark.parametrize("history", [[], HISTORY[:1], HISTORY])
def test_a_placeholder_takes_a_run_of_messages(history: list[dict[str, Any]]) -> None:
    of = prompt(Message("system", "Of {{ brand }}"), PlaceholderMessage("history"), "{{ ticket }}")
    variables = {"brand": "Acme", "history": history, "ticket": "Where is it?"}
    assert round_trip(of, variables).variables == variables


def test_two_placeholders_side_by_side_are_ambiguous() -> None:
    of = prompt(PlaceholderMessage("before"), PlaceholderMessage("after"), "{{ ticket }}")
    found = round_trip(of, {"before": HISTORY[:1], "after": [], "ticket": "x"})
    assert (found.kind, found.unclear) == (Kind.AMBIGUOUS, ("after", "before"))


def test_two_placeholders_with_a_message_between_them() -> None:
    of = prompt(PlaceholderMessage("before"), Message("system", "Now:"), PlaceholderMessage("after"), "{{ ticket }}")
    variables = {"before": HISTORY, "after": HISTORY[:1], "ticket": "x"}
    assert round_trip(of, variables).variables == variables


def test_many_placeholders_are_too_much() -> None:
    of = prompt(*(PlaceholderMessage(f"p{number}") for number in range(5)), "Nobody says this")
    messages = [{"role": "user", "content": "x"}] * 60
    assert inverted(of, messages).kind is Kind.TOO_MUCH


def test_known_values_leave_one_way() -> None:
    of = prompt("{{ a }} from {{ b }}")
    messages = [{"role": "user", "content": "a letter from Ann from Rome"}]
    found = invert(shape_of(of), comparable(messages), Work(1_000_000), {("b",): "Rome"})
    assert found.variables == {"a": "a letter from Ann", "b": "Rome"}


NAMES = ("a", "b", "c")
PLAIN = st.sampled_from(["", "x", "y", ": ", "x y", "\n"])
PRINTED = st.sampled_from([f"{{{{ {name} }}}}" for name in NAMES])
TESTS = st.sampled_from(["a", "not b", "c is defined", "a == 'x'", "b and c", "a or c", "b is not defined", "c != 'y'"])


def _joined(parts: list[str]) -> str:
    return "".join(parts)


FLAT = st.lists(PLAIN | PRINTED, max_size=4).map(_joined)
BRANCHES = st.tuples(TESTS, FLAT, FLAT).map(lambda one: f"{{% if {one[0]} %}}{one[1]}{{% else %}}{one[2]}{{% endif %}}")
TEMPLATES = st.lists(PLAIN | PRINTED | BRANCHES, min_size=1, max_size=4).map(_joined)
VALUES = st.sampled_from(["", "x", "y", "x y", "x: y", ": "])
VARIABLES = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, VALUES))


@settings(max_examples=400, deadline=None)
@given(st.lists(TEMPLATES, min_size=1, max_size=3), VARIABLES)
def test_never_a_wrong_value(templates: list[str], variables: dict[str, str]) -> None:
    of = prompt(*templates)
    try:
        messages = render_messages(of, variables)
        shape_of(of)
    except (TemplateError, NotInvertible):
        return
    found = inverted(of, messages)
    assert found.kind in (Kind.FOUND, Kind.AMBIGUOUS)
    if found.variables is not None:
        # A variable of a branch that was not taken left no trace, and is not made up.
        assert found.variables == {name: variables[name] for name in found.variables}
