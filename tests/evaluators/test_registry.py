"""Building evaluators: names, places of mistakes, arguments of every kind, plugins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from llmctl.canonical import WrittenBool, WrittenFloat, WrittenInt
from llmctl.errors import Place, Problem, ProjectError, Severity, UsageError
from llmctl.evaluators import registry
from llmctl.evaluators.registry import build, names
from llmctl.evaluators.verdict import Subject, Verdict, judge_now
from llmctl.project.models import Case, CaseReference, EvaluatorSettings, EvaluatorSpec, SemanticSettings

from .entries import PLACE, case_of, spec_of

SETTINGS = EvaluatorSettings()
FILE = Path("testbanks/t.yaml")


def _problems(spec: EvaluatorSpec, case: Case | None = None) -> list[Problem]:
    with pytest.raises(ProjectError) as caught:
        build(spec, case, SETTINGS)
    return caught.value.problems


def _passes(spec: EvaluatorSpec, output: str, case: Case | None = None) -> bool | None:
    verdict = judge_now([build(spec, case, SETTINGS)], Subject(output))
    assert isinstance(verdict, Verdict)
    return verdict.passed


def test_a_mistake_stands_at_its_argument() -> None:
    [problem] = _problems(spec_of({"contains": {"text": "a", "ignorecase": True}}))
    assert problem == Problem(
        '`contains` has no argument "ignorecase".', Place(FILE, 11, 3), 'Did you mean "ignore_case"?'
    )


def test_all_mistakes_of_an_evaluator_are_said_at_once() -> None:
    spec = spec_of({"number": {"value": "x", "tolerance": "wide", "find": "sum", "bogus": 1}, "extract": "("})
    assert [problem.place.line for problem in _problems(spec) if problem.place] == [13, 11, 12, 1]


def test_a_mistake_deep_in_an_argument_stands_at_the_nearest_place() -> None:
    spec = spec_of({"json_schema": {"schema": {"properties": {"a": {"type": "strng"}}}}})
    places: dict[tuple[str | int, ...], Place] = {
        (): PLACE,
        ("schema",): Place(FILE, 5, 1),
        ("schema", "properties", "a"): Place(FILE, 7, 1),
    }
    [problem] = _problems(replace(spec, arg_places=places))
    assert problem.place == Place(FILE, 7, 1)


def test_warnings_do_not_stop_it() -> None:
    schema = {"requird": ["a"], "properties": {"d": {"format": "dat"}}, "x-note": 1}
    built = build(spec_of({"not": {"json_schema": {"schema": schema}}}), None, SETTINGS)
    assert [(warning.severity, warning.hint) for warning in built.warnings] == [
        (Severity.WARNING, 'Did you mean "required"?'),
        (Severity.WARNING, 'Did you mean "date"?'),
    ]


def test_a_case_without_expected_is_said_at_the_case() -> None:
    [problem] = _problems(spec_of({"any": ["exact", {"contains": "a"}]}), case_of({"id": "card"}))
    assert problem.place == Place(FILE, 99, 1)
    assert 'Case "card" has no expected answer, and `any`' in problem.message
    build(spec_of({"any": ["exact", {"contains": "a"}]}), None, SETTINGS)  # without a case it cannot be known


def test_a_reference_without_a_value_is_said_at_the_argument() -> None:
    spec = spec_of({"contains": {"ignore_case": True, "text": {"from": "vars.greetin"}}})
    [problem] = _problems(spec, case_of({"id": "card", "vars": {"greeting": "hi"}}))
    assert problem == Problem('Case "card" has no vars.greetin.', Place(FILE, 11, 3), 'Did you mean "greeting"?')
    assert "there is no case here" in _problems(spec)[0].message


def test_references_are_taken_from_each_case() -> None:
    spec = spec_of({"any": [{"exact": {"from": "vars.a"}}, {"exact": {"value": {"from": "expected/0"}}}]})
    for word in ("x", "y"):
        case = case_of({"vars": {"a": word}, "expected": [word + word]})
        assert _passes(spec, word, case)
        assert _passes(spec, word + word, case)
        assert not _passes(spec, "z", case)


def test_a_mapping_from_a_file_or_the_case_is_the_value_not_the_arguments() -> None:
    schema = {"type": "object"}
    from_file = EvaluatorSpec("json_schema", schema, arg_places={(): PLACE, ("file",): PLACE})
    assert _passes(from_file, "{}")
    from_case = EvaluatorSpec("json_schema", CaseReference(("vars", "s")))
    assert _passes(from_case, "{}", case_of({"vars": {"s": schema}}))
    assert "no argument" in _problems(EvaluatorSpec("json_schema", schema))[0].message


def test_scalars_count_as_written_where_text_is_compared_and_as_values_elsewhere() -> None:
    assert _passes(EvaluatorSpec("exact", WrittenFloat(1.1, "1.10")), "1.10")
    assert _passes(EvaluatorSpec("exact", {"value": [WrittenInt(8, "010")]}), "010")
    assert _passes(EvaluatorSpec("contains", {"text": "A", "ignore_case": WrittenBool(True, "True")}), "a")
    assert _passes(EvaluatorSpec("length", {"max": WrittenInt(2, "+2")}), "ab")
    assert _passes(
        EvaluatorSpec("json", {"value": [WrittenFloat(1.1, "1.10"), WrittenBool(True, "True")]}), "[1.1,true]"
    )


def test_the_threshold_of_semantic_comes_from_the_settings() -> None:
    spec = spec_of({"semantic": "a"})
    keys = set()
    for semantic in (SemanticSettings(), SemanticSettings(threshold=0.5), SemanticSettings(model="other")):
        settings = EvaluatorSettings(semantic)
        built = build(spec, None, settings)
        assert getattr(built.evaluator, "threshold") == semantic.threshold  # noqa: B009
        keys.add(built.key)
    assert len(keys) == 3
    own = build(spec_of({"semantic": {"value": "a", "threshold": 0.3}}), None, SETTINGS)
    assert getattr(own.evaluator, "threshold") == 0.3  # noqa: B009


def test_what_takes_nothing_from_the_case_is_built_once() -> None:
    spec = spec_of({"not": {"exact": {"ignore_case": True}}})
    one, other = (build(spec, case_of({"id": name, "expected": name}), SETTINGS) for name in "ab")
    assert one is other
    assert build(spec_of({"not": {"exact": {"ignore_case": True}}}), None, SETTINGS) is not one


def test_names_are_known_without_importing_the_evaluators() -> None:
    assert {"exact", "not", "any", "all", "json_schema", "semantic"} <= names()
    assert len(names()) >= 16
    for name in names():
        assert registry.evaluator_class(name).name == name


PLUGIN = '''
from dataclasses import dataclass
from typing import ClassVar
from llmctl.evaluators.base import Context, Evaluator, Score

@dataclass(frozen=True, slots=True)
class Shouts(Evaluator):
    """The output is in capitals."""
    name: ClassVar = "shouts"
    value_field: ClassVar = "share"
    share: float = 1.0

    def score(self, context: Context) -> Score:
        share = float(context.output.isupper())
        return Score(share, share >= self.share, "capitals")

NOT_ONE = 5
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A distribution on the path, whose entry points a test writes."""
    (tmp_path / "shouting_plugin.py").write_text(PLUGIN, encoding="utf-8")
    info = tmp_path / "shouting-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shouting\nVersion: 1.0\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    _forget()
    yield info / "entry_points.txt"
    _forget()


def _forget() -> None:
    registry._plugins.cache_clear()
    registry.evaluator_class.cache_clear()


def test_a_plugin_is_an_evaluator_like_any_other(plugin: Path) -> None:
    plugin.write_text("[llmctl.evaluators]\nshouts = shouting_plugin:Shouts\n", encoding="utf-8")
    assert "shouts" in names()
    assert _passes(spec_of("shouts"), "HELLO") is True
    assert _passes(spec_of({"shouts": 0.5}), "hello") is False
    assert "must be a number" in _problems(spec_of({"shouts": {"share": "x"}}))[0].message


def test_a_plugin_that_cannot_be_loaded_is_a_located_problem(plugin: Path) -> None:
    plugin.write_text(
        "[llmctl.evaluators]\nbroken = no_such_module:X\nnumberless = shouting_plugin:NOT_ONE\n", encoding="utf-8"
    )
    [problem] = _problems(spec_of("broken"))
    assert problem.place == PLACE
    assert "ModuleNotFoundError" in problem.message
    assert "is no llmctl evaluator" in _problems(spec_of("numberless"))[0].message


def test_a_plugin_cannot_take_the_name_of_an_evaluator(plugin: Path) -> None:
    plugin.write_text("[llmctl.evaluators]\nexact = shouting_plugin:Shouts\n", encoding="utf-8")
    with pytest.raises(UsageError, match="exact"):
        names()
