"""What `validate` looks for in the cases of a bank, beside all that would keep them from being run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from llmctl.errors import Problem, Severity
from llmctl.evaluators.samples import EvaluatorSamples, samples_of
from llmctl.project import templates
from llmctl.project.models import Bank, Case, CaseReference, EvaluatorSettings, EvaluatorSpec, Prompt
from llmctl.project.problem_list import MAX_FILE_PROBLEMS, ProblemList, has_errors

__all__ = ["CaseWatch"]


class CaseWatch:
    """Looks at each case of a bank on its way to whoever reads `bank`, so that a file is read only once."""

    def __init__(self, bank: Bank, prompts: Sequence[Prompt], settings: EvaluatorSettings) -> None:
        self.count = 0
        """How many cases were read."""
        self.sound = True
        """Whether reading them brought no error."""
        self.problems: list[Problem] = []
        self.bank = replace(bank, reader=self._read)
        """The same bank; its cases are looked at when they are read."""
        self._cases = bank.read_cases
        self._shared = bank.evaluators
        self._inherited = False
        self._said = ProblemList(self.problems, MAX_FILE_PROBLEMS)
        self._variables = _UnusedVariables(prompts)
        self.samples: list[EvaluatorSamples] = []
        """Those that wait for a model, or for code of the project."""
        self._samples = _Samples(settings, self.samples)

    def _read(self, problems: list[Problem]) -> Iterator[Case]:
        found: list[Problem] = []
        for case in self._cases(found):
            self._pass_on(found, problems)
            self._look_at(case)
            yield case
        self._pass_on(found, problems)
        self._said.close("like these")
        if self._shared and self.count and not self._inherited:
            self.problems.append(_unused(self._shared))

    def _pass_on(self, found: list[Problem], problems: list[Problem]) -> None:
        if found:
            self.sound = self.sound and not has_errors(found)
            problems.extend(found)
            found.clear()

    def _look_at(self, case: Case) -> None:
        self.count += 1
        if self._shared and not self._inherited:
            self._inherited = any(spec is self._shared[0] for spec in case.evaluators)
        for problem in (*self._variables.problems(case), *self._samples.problems(case)):
            self._said.add(problem)


def _unused(shared: Sequence[EvaluatorSpec]) -> Problem:
    message = "No case has the evaluators of its bank: each says `inherit: false`."
    if any(spec.good or spec.bad for spec in shared):
        message += " Their samples are never judged."
    return Problem(message, shared[0].place, severity=Severity.WARNING)


class _UnusedVariables:
    """Finds variables that neither a prompt nor an evaluator of the bank uses: probably misspelt."""

    def __init__(self, prompts: Sequence[Prompt]) -> None:
        self._named = ", ".join(prompt.name for prompt in prompts)
        # A program gets all variables, whatever it makes of them.
        self._off = not prompts or any(templates.uses_every_variable(prompt) for prompt in prompts)
        self._used = frozenset().union(*(templates.prompt_variables(prompt) for prompt in prompts))
        self._said: set[str] = set()
        self._evaluators: tuple[EvaluatorSpec, ...] = ()
        self._scored: frozenset[str] = frozenset()

    def problems(self, case: Case) -> Iterator[Problem]:
        """Each variable once."""
        if self._off:
            return
        if case.evaluators is not self._evaluators:  # most cases have those of the bank
            self._evaluators = case.evaluators
            self._scored = frozenset(name for spec in case.evaluators for name in _variables(spec))
        for name in case.vars:
            if name not in self._used and name not in self._scored and name not in self._said:
                if len(self._said) <= MAX_FILE_PROBLEMS:
                    self._said.add(name)
                message = f"Nothing uses the variable {name} of the case {case.id} (prompts: {self._named})."
                yield Problem(message, case.place, severity=Severity.WARNING)


def _variables(spec: EvaluatorSpec) -> Iterator[str]:
    """The variables that an evaluator takes from the case."""
    for child in spec.children:
        yield from _variables(child)
    values = [spec.against, *(spec.args.values() if isinstance(spec.args, Mapping) else [spec.args])]
    for value in values:
        if isinstance(value, CaseReference) and value.path[0] == "vars" and len(value.path) > 1:
            yield value.path[1]


class _Samples:
    """Finds `good:` and `bad:` answers that an evaluator judges the other way; puts aside those that wait."""

    def __init__(self, settings: EvaluatorSettings, waiting: list[EvaluatorSamples]) -> None:
        self._settings = settings
        self._waiting = waiting
        self._evaluators: tuple[EvaluatorSpec, ...] = ()
        self._judged: set[int] = set()

    def problems(self, case: Case) -> Iterator[Problem]:
        """Each evaluator once: those of the bank with its first case."""
        if case.evaluators is self._evaluators:
            return
        self._evaluators = case.evaluators
        for index, spec in enumerate(case.evaluators):
            if not (spec.good or spec.bad):
                continue
            key = hash((spec.place, index))  # not its identity: the next case's may get the same one
            if key not in self._judged:
                self._judged.add(key)
                yield from self._problems(spec, case)

    def _problems(self, spec: EvaluatorSpec, case: Case) -> list[Problem]:
        samples = samples_of(spec, case, self._settings)
        if samples is None:
            return []
        problems = samples.problems_at_once()
        if problems is None:
            self._waiting.append(samples)
        return problems or []
