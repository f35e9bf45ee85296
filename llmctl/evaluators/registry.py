"""From names in banks to evaluators: llmctl's own, and those of plugins (entry points `llmctl.evaluators`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from llmctl.errors import Place, Problem, ProjectError, Severity, UsageError
from llmctl.evaluators.arguments import make
from llmctl.evaluators.base import Evaluator
from llmctl.evaluators.built import BuiltEvaluator
from llmctl.evaluators.extract import Extractor, compile_extract
from llmctl.evaluators.findings import ArgumentError, Finding, HasWarnings
from llmctl.evaluators.fulfils import fulfils
from llmctl.evaluators.keys import evaluator_key
from llmctl.evaluators.references import has_references, resolve
from llmctl.evaluators.wording import nearest, quote
from llmctl.project.models import Case, CaseReference, EvaluatorSettings, EvaluatorSpec

__all__ = ["COMBINATORS", "arguments_of", "build", "evaluator_class", "names"]

_GROUP = "llmctl.evaluators"
_OWN = {
    "all": "combinators:All",
    "any": "combinators:Any",
    "bleu": "similarity.bleu:Bleu",
    "choice": "choice:Choice",
    "chrf": "similarity.chrf:Chrf",
    "command": "code.command:Command",
    "contains": "contains:Contains",
    "contains_all": "contains_all:ContainsAll",
    "contains_any": "contains_any:ContainsAny",
    "cost": "call.cost:Cost",
    "ends_with": "ends_with:EndsWith",
    "exact": "exact:Exact",
    "finish_reason": "call.finish_reason:FinishReason",
    "gleu": "similarity.gleu:Gleu",
    "html": "structure.html:Html",
    "json": "structure.json_equal:Json",
    "json_match": "structure.json_match:JsonMatch",
    "json_schema": "structure.json_schema:JsonSchema",
    "judge": "judge.judge:Judge",
    "latency": "call.latency:Latency",
    "length": "length:Length",
    "levenshtein": "similarity.levenshtein:Levenshtein",
    "list": "list_items:ListItems",
    "not": "combinators:Not",
    "number": "number:Number",
    "one_of": "one_of:OneOf",
    "python": "code.python_function:Python",
    "python_syntax": "structure.python_syntax:PythonSyntax",
    "refusal": "refusal:Refusal",
    "regex": "regex_search:Regex",
    "rouge": "similarity.rouge:Rouge",
    "semantic": "similarity.semantic:Semantic",
    "sql": "structure.sql:Sql",
    "starts_with": "starts_with:StartsWith",
    "time_to_first_token": "call.time_to_first_token:TimeToFirstToken",
    "token_f1": "similarity.token_f1:TokenF1",
    "tokens": "call.tokens:Tokens",
    "tool_calls": "structure.tool_calls:ToolCalls",
    "xml": "structure.xml:Xml",
    "yaml": "structure.yaml_text:Yaml",
}
COMBINATORS = frozenset({"all", "any", "not"})
"""Evaluators that stand around others."""

_CACHE_SIZE = 2_000


@lru_cache(maxsize=1)
def _plugins() -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=_GROUP)}


def names() -> frozenset[str]:
    """The names of all evaluators. Nothing of them is imported for it.

    Raises:
        UsageError: a plugin takes the name of one of llmctl's own evaluators.
    """
    clash = next((point for name, point in _plugins().items() if name in _OWN), None)
    if clash is not None:
        raise UsageError(
            f'A plugin ({clash.value}) calls its evaluator "{clash.name}", which is one of llmctl\'s own.',
            hint="Rename it in the plugin, or uninstall the plugin.",
        )
    return frozenset(_OWN) | frozenset(_plugins())


@lru_cache(maxsize=256)
def evaluator_class(name: str) -> type[Evaluator]:
    """The class behind a name.

    Raises:
        ArgumentError: there is none, or a plugin cannot be loaded.
    """
    if name in _OWN:
        module, _, attribute = _OWN[name].partition(":")
        found: object = getattr(import_module(f"llmctl.evaluators.{module}"), attribute)
    elif name in _plugins():
        try:
            found = _plugins()[name].load()
        except Exception as error:  # whatever a plugin's import raises, the user's files are not to blame
            message = f"the plugin behind `{name}` cannot be loaded: {type(error).__name__}: {error}"
            raise ArgumentError([Finding(message)]) from error
    else:
        raise ArgumentError([Finding(f"there is no evaluator {quote(name, 60)}", hint=nearest(name, names()))])
    if not isinstance(found, type) or not issubclass(found, Evaluator):
        raise ArgumentError([Finding(f"the plugin behind `{name}` is no llmctl evaluator")])
    return found


def build(spec: EvaluatorSpec, case: Case | None, settings: EvaluatorSettings) -> BuiltEvaluator:
    """An evaluator ready to judge the case; one that takes nothing from the case is built only once.

    With `case` None, what only a case can show (its references, its expected answer) is not checked.

    Raises:
        ProjectError: the evaluator's arguments are wrong, or do not fit the case; every problem has its place.
    """
    built = _for_all_cases(spec, settings)
    if built is None:
        built = _build(spec, case, settings)
    if case is not None:
        _check_case(built, case)
    return built


@dataclass(frozen=True, slots=True)
class _Shared:
    """An evaluator for every case, beside its spec: held here, the spec's id goes to no other one."""

    spec: EvaluatorSpec
    settings: EvaluatorSettings
    built: BuiltEvaluator | None


_cache: dict[int, _Shared] = {}


def _for_all_cases(spec: EvaluatorSpec, settings: EvaluatorSettings) -> BuiltEvaluator | None:
    """The evaluator as it is for every case; None when it takes something from the case."""
    kept = _cache.get(id(spec))
    if kept is None or (kept.settings is not settings and kept.settings != settings):
        if len(_cache) >= _CACHE_SIZE:
            _cache.clear()
        built = None if has_references(spec) else _build(spec, None, settings)
        kept = _cache[id(spec)] = _Shared(spec, settings, built)
    return kept.built


def _build(spec: EvaluatorSpec, case: Case | None, settings: EvaluatorSettings) -> BuiltEvaluator:
    problems: list[Problem] = []
    try:
        evaluator = _evaluator(spec, case, settings)
    except ArgumentError as error:
        problems += [_problem(spec, finding) for finding in error.findings]
    extract = _extract(spec, problems)
    against = _against(spec, case, problems)
    if problems:
        raise ProjectError(problems)
    key = evaluator_key(evaluator, spec, against, settings.semantic.model)
    odd = evaluator.warnings() if fulfils(evaluator, HasWarnings) else ()
    warnings = [_problem(spec, finding, Severity.WARNING) for finding in odd]
    warnings += [warning for child in getattr(evaluator, "children", ()) for warning in child.warnings]
    built = BuiltEvaluator(
        evaluator, spec, spec.metric_name, spec.weight, extract, against, spec.has_against, key, tuple(warnings)
    )
    _check_against(built)
    return built


def _evaluator(spec: EvaluatorSpec, case: Case | None, settings: EvaluatorSettings) -> Evaluator:
    cls = evaluator_class(spec.name)
    if spec.name in COMBINATORS:
        return _combinator(cls, spec, case, settings)
    defaults = getattr(cls, "defaults", None)
    return make(cls, arguments_of(cls, spec, resolve(spec.args, case)), defaults(settings) if defaults else {})


def arguments_of(cls: type[Evaluator], spec: EvaluatorSpec, args: object) -> object:
    """What stands under the name. A mapping is the arguments, but for one that came from the case or from a file."""
    if not isinstance(args, Mapping) or cls.value_field is None:
        return args
    elsewhere = isinstance(spec.args, CaseReference) or (("file",) in spec.arg_places and "file" not in args)
    return {cls.value_field: args} if elsewhere else args


def _combinator(cls: type[Evaluator], spec: EvaluatorSpec, case: Case | None, settings: EvaluatorSettings) -> Evaluator:
    count = len(spec.children)
    if count == 0 or (spec.name == "not" and count > 1):
        wanted = "one evaluator" if spec.name == "not" else "a list of evaluators"
        raise ArgumentError([Finding(f"`{spec.name}` takes {wanted}")])
    problems = []
    children = []
    for child in spec.children:
        if child.weight != 1.0 or child.good or child.bad:
            message = f"`weight`, `good` and `bad` have no effect inside `{spec.name}`."
            problems.append(Problem(message, child.place, f"Write them beside `{spec.name}`."))
        try:
            children.append(_build(child, case, settings))
        except ProjectError as error:
            problems += error.problems
    if problems:
        raise ProjectError(problems)
    return cls(children=tuple(children))  # type: ignore[call-arg]


def _extract(spec: EvaluatorSpec, problems: list[Problem]) -> Extractor | None:
    if spec.extract is None:
        return None
    try:
        return compile_extract(spec.extract)
    except ValueError as error:
        problems.append(_problem(spec, Finding(f"`extract: {spec.extract}` {error}")))
        return None


def _against(spec: EvaluatorSpec, case: Case | None, problems: list[Problem]) -> object:
    try:
        return resolve(spec.against, case) if spec.has_against else None
    except ArgumentError as error:
        problems += [_problem(spec, Finding(f"in `against`: {one.message}", hint=one.hint)) for one in error.findings]
        return None


def _check_against(built: BuiltEvaluator) -> None:
    """`against` must be of use: read at all, and of a kind that can be compared."""
    spec = built.spec
    if not spec.has_against:
        return
    reason = None
    may_read = spec.name not in _OWN or spec.name in ("json", "tool_calls") or built.evaluator.runs_code
    unread = not may_read and not built.evaluator.needs_expected()
    if unread:
        reason = f"`against` has no effect on this `{spec.name}`: it compares with no expected answer"
    else:
        problem = _bare(built).expected_problem(built.against)
        reason = f"`{spec.name}` cannot use its `against`: {problem}" if problem else None
    if reason:
        raise ProjectError([_problem(spec, Finding(reason))])


def _bare(built: BuiltEvaluator) -> BuiltEvaluator:
    """The same without `against`: what then counts as the expected answer is looked at."""
    return BuiltEvaluator(built.evaluator, built.spec, built.metric, built.weight)


def _check_case(built: BuiltEvaluator, case: Case) -> None:
    spec = built.spec
    for check in built.case_checks:
        if lack := check(case.vars):
            message = f"`{spec.name}` cannot judge the case {quote(case.id)}: {lack}."
            raise ProjectError([Problem(message, case.place or spec.place)])
    if not case.has_expected:
        if built.needs_expected:
            message = f"Case {quote(case.id)} has no expected answer, and `{spec.name}` compares with it."
            hint = "Give the case `expected:`, or the evaluator a value of its own."
            raise ProjectError([Problem(message, case.place or spec.place, hint)])
        return
    problem = built.expected_problem(case.expected)
    if problem:
        message = f"`{spec.name}` cannot use the expected answer of case {quote(case.id)}: {problem}."
        raise ProjectError([Problem(message, case.place or spec.place)])


def _problem(spec: EvaluatorSpec, finding: Finding, severity: Severity = Severity.ERROR) -> Problem:
    message = finding.message[:1].upper() + finding.message[1:]
    return Problem(f"{message.rstrip('.')}.", _place(spec, finding.path), finding.hint, severity=severity)


def _place(spec: EvaluatorSpec, path: tuple[str | int, ...]) -> Place | None:
    """The place of the argument, or of the nearest thing around it that has one."""
    for length in range(len(path), -1, -1):
        place = spec.arg_places.get(path[:length])
        if place is not None:
            return place
    return spec.place
