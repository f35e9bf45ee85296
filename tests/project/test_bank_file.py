from __future__ import annotations

from pathlib import Path

import pytest

from llmctl.canonical import digest, written
from llmctl.errors import Place
from llmctl.project.models import Bank, CaseReference, EvaluatorSpec, GateRules, RateRule
from tests.project.files import Files

DESIGN = """\
prompts: [triage]
models: [small, fake/echo]
description: Tickets of a shop.
pass_score: 0.5
defaults:
  vars:
    brand: Acme
  tags: [all]
evaluators:
  - exact: {ignore_case: true}
    extract: /queue
  - not: {contains: sorry}
    metric: tone
    weight: 0
cases:
  - id: card-declined
    vars:
      ticket: My card was declined, twice!
    expected: billing
    tags: [billing, smoke]
    must_pass: true
    group: conversation-17
  - id: nonsense
    vars:
      ticket: "{{ 7 * 7 }}"
      brand: Other
    inherit: false
    pass_score: 1
    evaluators:
      - one_of: [other, unknown]
        extract: /queue
gate:
  min_pass_rate: 0.9
  max_new_failures: 0
  tags: {smoke: {min_pass_rate: {rate: 1, confidence: 0.9}}}
"""


@pytest.fixture
def design(files: Files) -> Bank:
    files.write("prompts/triage.yaml", "template: x")
    return files.bank(DESIGN, "support/triage")


def test_every_key_of_the_design_arrives(design: Bank) -> None:
    assert (design.name, design.path) == ("support/triage", Path("testbanks/support/triage.yaml"))
    assert (design.prompts, design.models, design.description) == (
        ("triage",),
        ("small", "fake/echo"),
        "Tickets of a shop.",
    )
    assert design.gate == GateRules(RateRule(0.9), 0, tags={"smoke": GateRules(RateRule(1.0, 0.9))})
    first, second = design.read_cases([])
    assert (first.bank, first.id, first.expected, first.has_expected) == (
        "support/triage",
        "card-declined",
        "billing",
        True,
    )
    assert (first.tags, first.must_pass, first.group) == (("all", "billing", "smoke"), True, "conversation-17")
    assert (first.pass_score, second.pass_score) == (0.5, 1.0)
    assert first.vars == {"brand": "Acme", "ticket": "My card was declined, twice!"}
    assert second.vars == {"brand": "Other", "ticket": "{{ 7 * 7 }}"}
    assert (second.has_expected, second.tags, second.must_pass, second.group) == (False, ("all",), False, None)
    assert str(first.place) == "testbanks/support/triage.yaml:16:5"


def test_evaluators_are_shared_unless_a_case_says_otherwise(design: Bank) -> None:
    first, second = design.read_cases([])
    exact, negated = first.evaluators
    assert (exact.name, exact.args, exact.extract, exact.weight) == ("exact", {"ignore_case": True}, "/queue", 1.0)
    assert (negated.name, negated.args, negated.metric_name, negated.weight) == ("not", None, "tone", 0.0)
    assert [(child.name, child.args) for child in negated.children] == [("contains", "sorry")]
    assert [spec.name for spec in second.evaluators] == ["one_of"]


def test_arguments_know_where_they_stand(design: Bank) -> None:
    first, second = design.read_cases([])
    exact = first.evaluators[0]
    (one_of,) = second.evaluators
    file = Path("testbanks/support/triage.yaml")
    assert exact.place == Place(file, 10, 5)
    assert exact.arg_places == {(): Place(file, 10, 12), ("ignore_case",): Place(file, 10, 26)}
    assert one_of.arg_places[1,] == Place(file, 30, 25)


def specs(files: Files, entry: str) -> tuple[EvaluatorSpec, ...]:
    return files.cases(f"evaluators:\n  - {entry}\ncases: [{{id: a, evaluators: [exact]}}]")[0].evaluators


@pytest.mark.parametrize(
    ("entry", "args"),
    [
        ("exact", None),
        ("exact: null", None),
        ("contains: 5", 5),
        ("contains: ''", ""),
        ("one_of: [a, 1.10]", ["a", 1.1]),
        ("contains: {from: vars.greeting}", CaseReference(("vars", "greeting"))),
        ("contains: {text: {from: expected/total/0}}", {"text": CaseReference(("expected", "total", "0"))}),
        ("one_of: [{from: expected}, b]", [CaseReference(("expected",)), "b"]),
        ("contains: {from: vars.x, to: y}", {"from": "vars.x", "to": "y"}),
        ("contains: {file: words.txt}", "one\ntwo\n"),
        ("one_of: {file: words.json}", ["one", 2]),
        ("json_schema: {schema: {file: words.yaml}}", {"schema": {"type": "object"}}),
    ],
)
def test_arguments_of_an_evaluator(files: Files, entry: str, args: object) -> None:
    files.write("testbanks/words.txt", "one\r\ntwo\r\n")
    files.write("testbanks/words.json", '\n["one", 2]\n')
    files.write("testbanks/words.yaml", "type: object")
    assert specs(files, entry)[0].args == args


def test_common_keys_of_an_evaluator(files: Files) -> None:
    entry = "{contains: a, weight: 2, metric: m, extract: 'x(.)', against: null, good: a, bad: [b, 1.10]}"
    (spec, _) = specs(files, entry)
    assert (spec.weight, spec.metric, spec.extract, spec.good, spec.bad) == (2.0, "m", "x(.)", ("a",), ("b", "1.10"))
    assert (spec.against, spec.has_against) == (None, True)
    assert specs(files, "{exact: {}, against: {from: expected.total}}")[0].against == CaseReference(
        ("expected", "total")
    )
    assert not specs(files, "exact")[0].has_against


def test_evaluators_nest(files: Files) -> None:
    (spec, _) = specs(files, "any: [exact, {all: [{contains: a}, {not: {contains: b}}]}]")
    exact, both = spec.children
    assert (spec.args, exact.name, [child.name for child in both.children]) == (None, "exact", ["contains", "not"])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1.10", "1.10"),
        ("True", "True"),
        ("no", "no"),
        ("010", "010"),
        ("null", None),
        ("''", ""),
        ("{a: 1}", {"a": 1}),
        ("[1.10]", [1.1]),
        ("{file: answer.txt}", "yes\n"),
        ("{file: answer.json}", {"total": 5}),
    ],
)
def test_a_scalar_expected_answer_is_the_text_as_written(files: Files, line: str, expected: object) -> None:
    files.write("testbanks/answer.txt", "yes\n")
    files.write("testbanks/answer.json", '{"total": 5}')
    (case,) = files.cases(f"evaluators: [exact]\ncases:\n  - expected: {line}\n")
    assert (case.expected, case.has_expected) == (expected, True)


def test_variables_are_values_that_print_as_written(files: Files) -> None:
    files.write("testbanks/order.json", '{"a": 1}\r\n')
    text = "evaluators: [exact]\ncases:\n  - vars: {a: 1.10, b: no, c: {d: [1]}, e: null, f: {file: order.json}}\n"
    (case,) = files.cases(text)
    assert [written(value) for value in case.vars.values()] == ["1.10", "no", '{"d":[1]}', "null", '{"a": 1}\n']


def test_an_id_is_a_hash_of_the_variables_as_text(files: Files) -> None:
    text = "evaluators: [exact]\ncases:\n  - vars: {a: 1.10, b: {c: [True, null]}}\n  - id: 010\n    vars: {a: x}\n"
    hashed, named = files.cases(text)
    assert hashed.id == digest({"a": "1.10", "b": {"c": ["True", "null"]}})[:16]
    assert named.id == "010"


def test_inserting_or_sorting_cases_changes_no_id(files: Files) -> None:
    def ids(names: str) -> set[str]:
        cases = "".join(f"  - vars: {{a: {name}}}\n" for name in names)
        return {case.id for case in files.cases(f"evaluators: [exact]\ncases:\n{cases}")}

    assert ids("xyz") < ids("ywzx")


def test_defaults_may_hold_any_key_and_the_case_wins(files: Files) -> None:
    text = (
        "evaluators: [exact]\n"
        "defaults: {vars: {a: 1, b: 1}, expected: yes, tags: [x], must_pass: true, group: g, inherit: false,\n"
        "  evaluators: [contains: d], pass_score: 0.3}\n"
        "cases:\n"
        "  - {id: plain}\n"
        "  - {id: own, vars: {b: 2}, expected: no, tags: [y, x], must_pass: false, group: h, inherit: true,\n"
        "     evaluators: [contains: c], pass_score: 0.4}\n"
    )
    plain, own = files.cases(text)
    assert (plain.vars, plain.expected, plain.tags, plain.must_pass, plain.group, plain.pass_score) == (
        {"a": 1, "b": 1},
        "yes",
        ("x",),
        True,
        "g",
        0.3,
    )
    assert [(spec.name, spec.args) for spec in plain.evaluators] == [("contains", "d")]
    assert (own.vars, own.expected, own.tags, own.must_pass, own.group, own.pass_score) == (
        {"a": 1, "b": 2},
        "no",
        ("x", "y"),
        False,
        "h",
        0.4,
    )
    assert [(spec.name, spec.args) for spec in own.evaluators] == [("exact", None), ("contains", "c")]


def test_the_digest_covers_the_files_that_the_bank_names(files: Files) -> None:
    text = "evaluators: [{contains: {file: words.txt}}]\ncases: [{id: a}]\n"
    files.write("testbanks/words.txt", "one\n")
    before = files.bank(text).digest
    files.write("testbanks/words.txt", "one\r\n")
    assert files.bank(text).digest == before
    files.write("testbanks/words.txt", "two\n")
    assert files.bank(text).digest != before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("evaluators: exact\ncases: [{id: a}]", ["1:13: `evaluators` must be a list, not the text `exact`."]),
        ("evaluators: [exact]\ncases: {id: a}", ["2:8: `cases` must be a list, not a mapping."]),
        ("evaluators: [exact]\ncases: [a]", ["2:9: Item 1 of `cases` must be a mapping, not the text `a`."]),
        ("evaluators: [exact]\ncases: [{id: a, turns: []}]", ["2:17: `turns` is planned and does not work yet."]),
        ("evaluators: [exact]\ncases: [{id: ''}]", ["2:14: `id` is empty."]),
        ("evaluators: [exact]\ncases: [{id: a, group: null}]", ["2:24: `group` is null."]),
        ("evaluators: [exact]\ndefaults: {id: a}\ncases: [{id: b}]", ["2:12: There is no key `id` in `defaults`."]),
        ("cases: [{id: a}]", ["1:9: The case `a` has no evaluator."]),
        ("cases: [{id: a}, {id: b}]", ["1:9: 2 cases have no evaluator."]),
        ("evaluators: [exact]", ["1:1: The bank has no cases."]),
        (
            "evaluators: [{contains: {from: vars}}]\ncases: [{id: a}]",
            ["1:32: `from: vars` does not say which variable."],
        ),
        ("evaluators: [{contains: {from: vars..x}}]\ncases: [{id: a}]", ["1:32: `from` names a value of the case."]),
        ("evaluators: [{any: []}]\ncases: [{id: a}]", ["1:20: `any` takes a list of evaluators."]),
        ("evaluators: [{exact: {}, good: {a: b}}]\ncases: [{id: a}]", ["1:32: `good` must be text, not a mapping."]),
        ("evaluators:\n  - exact:\n    ignore_case: true\ncases: [{id: a}]", ["2:5: `exact` has no value."]),
        ("evaluators: [exact]\ncases:\n  - id:", ["3:5: `id` has no value."]),
        ("evaluators: [exact]\ncases:\n  -", ["3:4: This item of the list is empty."]),
    ],
)
def test_one_sentence_for_one_mistake(files: Files, text: str, said: list[str]) -> None:
    assert files.try_bank(text) is None
    assert files.said() == [f"testbanks/b.yaml:{one}" for one in said]


def test_a_file_full_of_mistakes_says_so_in_bounds(files: Files) -> None:
    assert files.try_bank("evaluators: [exact]\ncases:\n" + "  - {id: a, tag: b}\n" * 1_000) is None
    assert len(files.problems) == 201
    assert files.problems[-1].message == "There are 800 more problems in these files."
