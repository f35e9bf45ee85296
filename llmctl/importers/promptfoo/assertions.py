"""promptfoo's assertions as evaluators: each by the builder of its type, tried before it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from llmctl.errors import ProjectError
from llmctl.importers.conversion import Notes
from llmctl.importers.entry_check import EntryCheck
from llmctl.importers.nunjucks import jinja_of
from llmctl.importers.promptfoo.assertion import Assertion, Builder, Entry, UnconvertibleError
from llmctl.importers.promptfoo.call_assertions import CALL_BUILDERS, GRADED_BY_A_MODEL
from llmctl.importers.promptfoo.config import At, Reader, children, code_file, javascript_text, names_file
from llmctl.importers.promptfoo.expansion import RawAssertion
from llmctl.importers.promptfoo.expressions import pointer_of
from llmctl.importers.promptfoo.javascript import javascript_entry
from llmctl.importers.promptfoo.sets import SetPart, set_entry
from llmctl.importers.promptfoo.structure_assertions import STRUCTURE_BUILDERS
from llmctl.importers.promptfoo.text_assertions import TEXT_BUILDERS
from llmctl.importers.promptfoo.types import UNCONVERTED
from llmctl.project.templates import TemplateError, compile_template

__all__ = ["BUILDERS", "AssertionConverter", "Converted", "TestContext"]

BUILDERS: Mapping[str, Builder] = {
    **TEXT_BUILDERS,
    **STRUCTURE_BUILDERS,
    **CALL_BUILDERS,
    "javascript": javascript_entry,
}
_KEYS = frozenset({"type", "value", "threshold", "weight", "metric", "provider", "rubricPrompt", "transform"})
_SET_KEYS = frozenset({"type", "assert", "weight", "metric", "threshold"})
_NOT_OF_THE_TEXT = frozenset({"latency", "cost", "finish-reason"})
_NEVER_TURNED = frozenset({"is-valid-openai-tools-call", "is-valid-openai-function-call", "is-valid-function-call"})
_TURNED = "promptfoo does not turn this one round by `not-`; here it is."
_PROGRAM = "its transform is a program; `extract` takes a part of a JSON output or what a pattern finds"
_TEXT_ENDINGS = (".json", ".yaml", ".yml", ".txt")


@dataclass(frozen=True, slots=True)
class TestContext:
    """What of its case an assertion reads."""

    __test__ = False  # for pytest, which takes the name for a test's

    vars: Mapping[str, object]
    options: Mapping[str, object] = field(default_factory=dict)
    has_threshold: bool = False


@dataclass(frozen=True, slots=True)
class Converted:
    """What became of one assertion."""

    entries: tuple[Mapping[str, object], ...] = ()
    complete: bool = True
    """False: it, or a part of it, is left out, and the case checks less than before."""


@dataclass(frozen=True, slots=True)
class _Part:
    """An assertion without its weight and metric."""

    entry: Entry
    weight: float
    metric: str | None


@dataclass(frozen=True, slots=True)
class AssertionConverter:
    """Converts assertions for their cases."""

    reader: Reader
    check: EntryCheck
    judge: Callable[[object, At], str | None]
    """The name of the model that a grader's provider stands for."""

    @property
    def notes(self) -> Notes:
        """Of the import."""
        return self.reader.notes

    def convert(self, raw: RawAssertion, context: TestContext) -> Converted:
        """The entries of one assertion; what could not be converted is noted."""
        kind = raw.data.get("type")
        if kind == "assert-set":
            return self._set(raw, context)
        part = self._part(raw, context)
        return Converted((), complete=_weightless(raw)) if part is None else Converted((_full(part),))

    def _part(self, raw: RawAssertion, context: TestContext) -> _Part | None:
        kind = raw.data.get("type")
        if not isinstance(kind, str):
            self.notes.left_out("assertion", "It has no `type`.", raw.at.place)
            return None
        try:
            part = self._typed(kind, raw, context)
        except UnconvertibleError as error:
            self.notes.left_out(kind, _sentence(error), raw.at.place)
            return None
        for sentence in part.entry.changed:
            self.notes.changed(kind, sentence, raw.at.place)
        self._odd_keys(raw)
        name = _evaluator_of(part.entry.data)
        self.notes.converted(kind, f"`{name}`", raw.at.place)
        if context.has_threshold and "levenshtein" in (name, name.removeprefix("not ")):
            why = "Its score is the similarity; promptfoo's is 0 or 1, which counts where a test has a threshold."
            self.notes.changed(kind, why, raw.at.place)
        return part

    def _odd_keys(self, raw: RawAssertion) -> None:
        for key in raw.data:
            if key not in _KEYS:
                self.notes.left_out(f"assertion key {key}", "llmctl has nothing for it.", (raw.at / key).place)
        if raw.data.get("rubricPrompt"):
            why = "The judge is asked by llmctl's own prompt."
            self.notes.left_out("rubricPrompt", why, (raw.at / "rubricPrompt").place)

    def _typed(self, kind: str, raw: RawAssertion, context: TestContext) -> _Part:
        negated = kind.startswith("not-")
        base = kind.removeprefix("not-")
        if base in UNCONVERTED and base not in BUILDERS:
            raise UnconvertibleError(UNCONVERTED[base])
        builder = BUILDERS.get(base)
        if builder is None:
            raise UnconvertibleError("promptfoo has no such type, or it is newer than this import")
        extract = None if base in _NOT_OF_THE_TEXT else self._extract(raw, context)
        weight, metric = self._weight(raw), self._rendered_metric(raw, context)
        assertion = Assertion(
            type=base,
            value=self._value(raw, context),
            at=raw.at / "value",
            threshold=_threshold(raw),
            judge=self._judge(base, raw, context),
        )
        entry = builder(assertion)
        changed = entry.changed
        data = entry.data if extract is None else _extracted(entry.data, extract)
        if negated and not entry.keeps_polarity:
            data = {"not": data}
            changed = (*changed, _TURNED) if base in _NEVER_TURNED else changed
        problem = self.check.problem(data)
        if problem is not None and "pip install" in f"{problem.message}{problem.hint or ''}":
            changed = (*changed, f"{problem.message} {problem.hint or ''}".strip())
        elif problem is not None:
            raise UnconvertibleError(f"{problem.message[:1].lower()}{problem.message[1:].rstrip('.')}")
        return _Part(Entry(data, changed, entry.graded), weight, metric)

    def _extract(self, raw: RawAssertion, context: TestContext) -> str | None:
        options = context.options
        of_test = options.get("transform") or options.get("postprocess")
        own = raw.data.get("transform")
        given = [one for one in (of_test, own) if one]
        if not given:
            return None
        pointers = [pointer_of(one) if isinstance(one, str) and not names_file(one) else None for one in given]
        if None in pointers:
            raise UnconvertibleError(_PROGRAM)
        return "".join(pointer for pointer in pointers if pointer)

    def _weight(self, raw: RawAssertion) -> float:
        weight = raw.data.get("weight", 1)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
            raise UnconvertibleError("its weight is no number from 0 on")
        return weight

    def _rendered_metric(self, raw: RawAssertion, context: TestContext) -> str | None:
        metric = raw.data.get("metric")
        return (_rendered(metric, context.vars) or None) if isinstance(metric, str) else None

    def _judge(self, base: str, raw: RawAssertion, context: TestContext) -> str | None:
        if base not in GRADED_BY_A_MODEL:
            return None
        own = raw.data.get("provider")
        at = raw.at / "provider" if own else raw.at
        return self.judge(own or context.options.get("provider"), at)

    def _value(self, raw: RawAssertion, context: TestContext) -> object:
        value = raw.data.get("value")
        if isinstance(value, list):
            return [self._one_value(item, raw.at / "value", context) for item in value]
        return self._one_value(value, raw.at / "value", context)

    def _one_value(self, value: object, at: At, context: TestContext) -> object:
        if not isinstance(value, str):
            return value
        if names_file(value):
            return self._file_value(value, at)
        if value.startswith("package:"):
            raise UnconvertibleError("its value is a JavaScript package")
        return _rendered(value, context.vars)

    def _file_value(self, named: str, at: At) -> object:
        if code_file(named):
            raise UnconvertibleError("its value is made by a program, which an import does not run")
        try:
            path = self.reader.files.path(named, at.place)
            if path.suffix.lower() not in _TEXT_ENDINGS:
                raise UnconvertibleError(f"{PurePosixPath(path).name} is no text, JSON or YAML file")
            if path.suffix.lower() == ".txt":
                return self.reader.files.text(path, at.place).strip()
            return self.reader.files.document(path, at.place).data
        except ProjectError as error:
            raise UnconvertibleError(error.problems[0].message.rstrip(".")) from None

    def _set(self, raw: RawAssertion, context: TestContext) -> Converted:
        """An assertion set: one entry that combines its parts, and one beside it for each part without weight."""
        for key in raw.data:
            if key not in _SET_KEYS:
                self.notes.left_out(f"assert-set key {key}", "llmctl has nothing for it.", (raw.at / key).place)
        parts: list[_Part] = []
        beside: list[Mapping[str, object]] = []
        complete = True
        for index, item in enumerate(children(raw.data.get("assert") or [])):
            child = RawAssertion(item if isinstance(item, dict) else {}, raw.at / "assert" / index)
            nested = child.data.get("type") == "assert-set"
            part = None if nested else self._part(child, context)
            if nested:
                self.notes.left_out("assert-set", "A set inside a set was not converted.", child.at.place)
            if part is None:
                complete = complete and _weightless(child)
            elif part.weight > 0:
                parts.append(part)
            else:
                beside.append(_full(part))
        return self._combined(raw, context, parts, beside, complete=complete)

    def _combined(
        self,
        raw: RawAssertion,
        context: TestContext,
        parts: list[_Part],
        beside: list[Mapping[str, object]],
        *,
        complete: bool,
    ) -> Converted:
        try:
            threshold = _threshold(raw)
            if threshold is not None and not complete:
                raise UnconvertibleError("one of its assertions could not be converted, and it has a threshold")
            if not parts:
                raise UnconvertibleError("none of its assertions counts")
            children_of_set = [SetPart(_with_metric(part), part.weight, part.entry.graded) for part in parts]
            entry = set_entry(children_of_set, threshold)
            weight, metric = self._weight(raw), self._rendered_metric(raw, context)
        except UnconvertibleError as error:
            self.notes.left_out("assert-set", _sentence(error), raw.at.place)
            return Converted(tuple(beside), complete=False)
        for sentence in entry.changed:
            self.notes.changed("assert-set", sentence, raw.at.place)
        self.notes.converted("assert-set", f"`{_evaluator_of(entry.data)}`", raw.at.place)
        return Converted((_full(_Part(entry, weight, metric)), *beside), complete=complete)


def _sentence(error: UnconvertibleError) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def _threshold(raw: RawAssertion) -> float | None:
    threshold = raw.data.get("threshold")
    if threshold is None:
        return None
    if isinstance(threshold, bool) or not isinstance(threshold, int | float):
        raise UnconvertibleError("its threshold is no number")
    return threshold


def _weightless(raw: RawAssertion) -> bool:
    """Whether nothing is lost for the verdict when the assertion is left out."""
    return raw.data.get("weight") == 0


def _with_metric(part: _Part) -> Mapping[str, object]:
    return {**part.entry.data, **({"metric": part.metric} if part.metric else {})}


def _full(part: _Part) -> Mapping[str, object]:
    """The entry with what stands beside its name."""
    data = dict(_with_metric(part))
    if part.weight != 1:
        data["weight"] = part.weight
    return data


def _extracted(data: dict[str, object], extract: str) -> dict[str, object]:
    """The entry on a part of the output; beside the evaluator itself where that stands inside `not`."""
    inner = data.get("not")
    if isinstance(inner, dict):
        return {"not": _extracted(inner, extract)}
    own = data.get("extract")
    return {**data, "extract": f"{extract}{own}" if isinstance(own, str) else extract}


def _evaluator_of(data: Mapping[str, object]) -> str:
    name = next(key for key in data if key != "extract")
    inner = data[name]
    return f"not {_evaluator_of(inner)}" if name == "not" and isinstance(inner, dict) else name


def _rendered(text: str, variables: Mapping[str, object]) -> str:
    """A text as promptfoo renders it for a case: variables that are missing are empty, lists have commas.

    Raises:
        UnconvertibleError: its template is not one of ours.
    """
    if "{{" not in text and "{%" not in text and "{#" not in text:
        return text
    try:
        template = compile_template(jinja_of(text))
        shown = {
            name: javascript_text(value) if isinstance(value, list) else value for name, value in variables.items()
        }
        return template.render({name: "" for name in template.variables} | shown)
    except TemplateError as error:
        raise UnconvertibleError(f"its template is not one of ours ({error.message})") from None
