"""From tests, `defaultTest` and scenarios to single cases: defaults merged in, lists of variables multiplied out."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

import orjson

from llmctl.errors import ProjectError
from llmctl.importers.foreign_files import is_pattern
from llmctl.importers.promptfoo.config import At, Reader, children, code_file, names_file, refusal
from llmctl.importers.promptfoo.tests import MAX_TESTS, RawTest, TestSources, file_test

__all__ = ["Expanded", "RawAssertion", "expanded_tests"]

_KEYS = frozenset(
    [
        *("description", "vars", "provider", "providers", "prompts", "providerOutput", "assert", "threshold"),
        *("assertScoringFunction", "options", "metadata"),
    ]
)
_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_BINARY = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".svg", ".pdf", ".mp3", ".wav", ".mp4", ".m4a"})
_MAX_REPLACED = 50
_MAX_CHARACTERS = 1_000_000
_SCENARIO_KEYS = frozenset({"description", "config", "tests"})


@dataclass(frozen=True, slots=True)
class RawAssertion:
    """An assertion as its author wrote it, and where."""

    data: Mapping[str, object]
    at: At


@dataclass(frozen=True, slots=True)
class Expanded:
    """One case: everything that promptfoo would know of it when it is asked."""

    vars: Mapping[str, object]
    assertions: tuple[RawAssertion, ...]
    at: At
    description: str | None = None
    threshold: float | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    metadata: Mapping[str, object] = field(default_factory=dict)
    provider: object = None
    providers: tuple[str, ...] | None = None
    prompts: tuple[str, ...] | None = None
    multiplied: bool = False
    """Whether it comes from a scenario or from a list of variables."""


def expanded_tests(reader: Reader) -> list[Expanded]:
    """All cases of a config, in promptfoo's order.

    Raises:
        ProjectError: there are too many.
    """
    data, at = reader.data, reader.at
    sources = TestSources(reader)
    default = file_test(reader, data.get("defaultTest"), at / "defaultTest")
    expansion = _Expansion(reader, default or RawTest({}, at / "defaultTest"))
    tests = [expansion.of_test(test) for test in sources.all(data.get("tests"), at / "tests")]
    if not tests and data.get("scenarios") is None and data.get("tests") is None:
        tests = [expansion.of_test(RawTest({}, at))]
    tests += expansion.of_scenarios(data.get("scenarios"), at / "scenarios", sources)
    cases: list[Expanded] = []
    for test in tests:
        cases.extend(itertools.islice(expansion.combinations(test), MAX_TESTS + 1 - len(cases)))
        if len(cases) > MAX_TESTS:
            raise refusal(f"The config makes more than {MAX_TESTS:,} cases.", test.at.place)
    return cases


class _Expansion:
    def __init__(self, reader: Reader, default: RawTest) -> None:
        self._reader = reader
        self._notes = reader.notes
        self._default = default
        self._known_keys(default)
        self._default_vars = self._vars(default)
        self._read: dict[PurePosixPath, str] = {}

    def of_test(self, test: RawTest, *others: RawTest, multiplied: bool = False) -> Expanded:
        """A test with its defaults; `others` are what a scenario puts before it."""
        layers = [*others, test]
        for layer in layers:
            self._known_keys(layer)
        own = [_mapping(layer.data.get("options")) for layer in layers]
        options = {**_mapping(self._default.data.get("options")), **{k: v for one in own for k, v in one.items()}}
        defaults_count = not any(one.get("disableDefaultAsserts") is True for one in [options])
        asserted = [*([self._default] if defaults_count else []), *layers]
        threshold = self._last(layers, "threshold")
        description = self._last(layers, "description")
        return Expanded(
            vars={**self._default_vars, **{k: v for layer in layers for k, v in self._vars(layer).items()}},
            assertions=tuple(one for layer in asserted for one in self._assertions(layer)),
            at=test.at,
            description=description if isinstance(description, str) else None,
            threshold=float(threshold) if isinstance(threshold, int | float) else None,
            options=options,
            metadata={
                **_mapping(self._default.data.get("metadata")),
                **{k: v for layer in layers for k, v in _mapping(layer.data.get("metadata")).items()},
            },
            provider=self._last(layers, "provider"),
            providers=_names(self._last(layers, "providers")),
            prompts=_names(self._last(layers, "prompts")),
            multiplied=multiplied,
        )

    def of_scenarios(self, value: object, at: At, sources: TestSources) -> Iterator[Expanded]:
        """Each config of a scenario with each of its tests."""
        for scenario, here in self._scenarios(value, at):
            for key in scenario:
                if key not in _SCENARIO_KEYS:
                    self._notes.left_out(f"scenario key {key}", "llmctl has nothing for it.", (here / key).place)
            configs = list(sources.all(scenario.get("config"), here / "config"))
            tests = list(sources.all(scenario.get("tests"), here / "tests")) or [RawTest({}, here)]
            if len(configs) * len(tests) > MAX_TESTS:
                raise refusal(f"The scenario makes more than {MAX_TESTS:,} cases.", here.place)
            self._notes.converted("scenario", "one row for each config with each test", here.place)
            for config, test in itertools.product(configs, tests):
                yield self.of_test(test, config, multiplied=True)

    def combinations(self, test: Expanded) -> Iterator[Expanded]:
        """The case for each choice of one value from every list of texts."""
        if test.options.get("disableVarExpansion"):
            yield replace(test, vars=self._settled(test.vars, test.at))
            return
        choices = {name: self._choices(value, test.at / "vars" / name) for name, value in test.vars.items()}
        multiplied = test.multiplied or any(len(values) != 1 for values in choices.values())
        if multiplied and not test.multiplied:
            self._notes.converted("list of values of a variable", "one row for each combination", test.at.place)
        for combination in itertools.product(*choices.values()):
            variables = dict(zip(choices, combination, strict=True))
            yield replace(test, vars=self._settled(variables, test.at), multiplied=multiplied)

    def _scenarios(self, value: object, at: At) -> Iterator[tuple[Mapping[str, object], At]]:
        for index, item in enumerate(children(value) if value is not None else ()):
            here = at / index if isinstance(value, list) else at
            if isinstance(item, str):
                try:
                    document = self._reader.document(item, here)
                except ProjectError as error:
                    self._notes.left_out(item, error.problems[0].message, here.place)
                    continue
                for number, one in enumerate(children(document.data)):
                    if isinstance(one, dict):
                        yield one, At(document) / number if isinstance(document.data, list) else At(document)
            elif isinstance(item, dict):
                yield item, here
            else:
                self._notes.left_out("scenario", "A scenario is a mapping with `config` and `tests`.", here.place)

    def _known_keys(self, test: RawTest) -> None:
        for key in test.data:
            if key not in _KEYS:
                self._notes.left_out(f"test key {key}", "llmctl has nothing for it.", (test.at / key).place)
        if isinstance(test.data.get("vars"), dict) and "assert" in _mapping(test.data["vars"]):
            why = "It stands under `vars` and is a variable; if assertions were meant, it belongs one level up."
            self._notes.changed("vars.assert", why, (test.at / "vars" / "assert").place)
        for key, why in (
            ("providerOutput", "It is an answer that was recorded; llmctl asks the model."),
            ("assertScoringFunction", "It is a program; the weighted mean counts instead."),
        ):
            if test.data.get(key) is not None:
                self._notes.left_out(key, why, (test.at / key).place)

    def _last(self, layers: list[RawTest], key: str) -> object:
        given = [one.data[key] for one in [self._default, *layers] if one.data.get(key) is not None]
        return given[-1] if given else None

    def _vars(self, test: RawTest) -> Mapping[str, object]:
        """The variables of a test; files that hold them are read."""
        value = test.data.get("vars")
        if value is None or isinstance(value, dict):
            return _mapping(value)
        variables: dict[str, object] = {}
        for named in children(value):
            at = test.at / "vars"
            try:
                for path in self._reader.files.matches(str(named), at.place):
                    variables |= _mapping(self._reader.document(str(path), at).data)
            except ProjectError as error:
                self._notes.left_out(str(named), error.problems[0].message, at.place)
        return variables

    def _assertions(self, test: RawTest) -> Iterator[RawAssertion]:
        value = test.data.get("assert")
        if value is None:
            return
        at = test.at / "assert"
        for index, item in enumerate(children(value)):
            if isinstance(item, dict):
                yield RawAssertion(item, at / index)
            else:
                self._notes.left_out("assertion", "An assertion is a mapping with a `type`.", (at / index).place)

    def _choices(self, value: object, at: At) -> list[object]:
        if isinstance(value, str) and names_file(value) and is_pattern(value):
            try:
                paths = self._reader.files.matches(value, at.place)
            except ProjectError as error:
                self._notes.left_out(value, error.problems[0].message, at.place)
                return [value]
            if not paths:
                self._notes.left_out(value, "No file matches.", at.place)
            return [f"file://{path}" for path in paths] or [value]
        # A list whose first item is no text is one value, as in promptfoo.
        return value if isinstance(value, list) and value and isinstance(value[0], str) else [value]

    def _settled(self, variables: Mapping[str, object], at: At) -> Mapping[str, object]:
        """The values as a prompt gets them: files read, one line end less, other variables put in."""
        values = {name: self._value(value, at / "vars" / name) for name, value in variables.items()}
        return {name: self._resolved(name, value, values, at) for name, value in values.items()}

    def _value(self, value: object, at: At) -> object:
        if value is None:
            return ""
        if isinstance(value, str):
            if names_file(value):
                return self._file(value, at)
            return value.removesuffix("\n")
        return value

    def _file(self, named: str, at: At) -> str:
        if code_file(named):
            self._notes.left_out(named, "It is a program, which an import does not run; its name is kept.", at.place)
            return named
        try:
            path = self._reader.files.path(named, at.place)
            if path.suffix.lower() in _BINARY:
                why = "It is no text; put it into the prompt as an image or file part. Its name is kept."
                self._notes.left_out(named, why, at.place)
                return str(path)
            if path not in self._read:
                self._read[path] = self._text(path, at)
        except ProjectError as error:
            self._notes.left_out(named, error.problems[0].message, at.place)
            return named
        return self._read[path]

    def _text(self, path: PurePosixPath, at: At) -> str:
        if path.suffix.lower() in (".yaml", ".yml"):
            return orjson.dumps(self._reader.files.document(path, at.place).data).decode()
        return self._reader.files.text(path, at.place).strip()

    def _resolved(self, name: str, value: object, values: Mapping[str, object], at: At) -> object:
        """A value in which other variables are named, those put in as promptfoo does before it renders the prompt."""
        if not isinstance(value, str) or "{" not in value:
            return value
        for _ in range(_MAX_REPLACED):
            found = next((m for m in _PLACEHOLDER.finditer(value) if isinstance(values.get(m[1]), str)), None)
            if found is None or found[1] == name or len(value) > _MAX_CHARACTERS:
                break
            value = value.replace(found[0], str(values[found[1]]), 1)
        if "{{" in value or "{%" in value:
            why = "promptfoo renders the template in this value; llmctl sends values as they stand."
            self._notes.changed(f"variable {name}", why, (at / "vars" / name).place)
        return value


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _names(value: object) -> tuple[str, ...] | None:
    return None if value is None else tuple(str(one) for one in children(value))
