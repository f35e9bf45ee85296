"""Specs of model-graded evals as a `judge`: the grader's prompt as the rubric, its choices as labels."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from llmctl.canonical import written
from llmctl.errors import Place
from llmctl.importers.conversion import Notes
from llmctl.importers.samples import ANSWERED, Entry

__all__ = ["Graded", "GradedSpec", "graded_entries"]


@dataclass(frozen=True, slots=True)
class GradedSpec:
    """How a model grades, as the registry says it."""

    eval_name: str
    data: Mapping[str, object]
    args: Mapping[str, object]
    """`modelgraded_spec_args`: what fills the spec's own placeholders."""
    place: Place


@dataclass(frozen=True, slots=True)
class Graded:
    """The evaluators that say the same."""

    question: str
    """The key of a sample that is sent."""
    variables: tuple[str, ...]
    """Further keys of a sample that the grader is shown."""
    arguments: Mapping[str, object]
    shows_question: bool
    decides: bool
    needs_ideal: bool

    def entries(self, question_variable: str) -> tuple[Entry, ...]:
        """For a bank whose cases hold the question in that variable."""
        shown = [*([question_variable] if self.shows_question else []), *self.variables]
        judge: dict[str, object] = {"judge": {**self.arguments, "vars": shown or False}, "metric": "graded"}
        return (judge,) if self.decides else (ANSWERED, {**judge, "weight": 0})


class _UnconvertibleError(Exception):
    """Why there is no judge that grades like this."""


def graded_entries(spec: GradedSpec, judge: str | None, notes: Notes) -> Graded | None:
    """The judge of a spec; None where there is none, which is noted. `judge` is the model that grades."""
    try:
        return _graded(spec, judge, notes)
    except _UnconvertibleError as error:
        notes.left_out(f"eval {spec.eval_name}", str(error), spec.place)
        return None


def _graded(spec: GradedSpec, judge: str | None, notes: Notes) -> Graded:
    question, answer = _pair(spec.data)
    choices = _choices(spec.data.get("choice_strings"))
    fields = _Fields(question, answer, spec.args, [])
    rubric = fields.filled(_prompt_text(spec.data))
    scores = _scores(spec.data.get("choice_scores"), choices)
    arguments: dict[str, object] = {"model": judge} if judge else {}
    arguments |= {"rubric": rubric, "labels": scores or {choice: float(i == 0) for i, choice in enumerate(choices)}}
    best = [choice for choice, score in scores.items() if score == max(scores.values())]
    arguments["pass_labels"] = best or choices[:1]
    if "ideal" in fields.used:
        arguments["reference"] = True
    _note(spec, scores, best, notes)
    variables = tuple(name for name in dict.fromkeys(fields.used) if name not in (question, answer, "ideal"))
    return Graded(
        question,
        variables,
        arguments,
        question in fields.used,
        decides=bool(scores),
        needs_ideal="ideal" in fields.used,
    )


def _note(spec: GradedSpec, scores: Mapping[str, float], best: list[str], notes: Notes) -> None:
    what = f"{spec.eval_name}: model-graded"
    asked = "A `judge` with the spec's prompt as its rubric; llmctl asks in its own form, the reason first."
    notes.changed(what, asked, spec.place)
    if scores:
        passing = " and ".join(f"`{label}`" for label in best)
        notes.changed(
            what, f"There choices have scores and nothing passes or fails; here {passing} passes.", spec.place
        )
    else:
        why = "Its choices have no scores: the judge is recorded with weight 0; set `labels` and `pass_labels`."
        notes.changed(what, why, spec.place)


def _pair(data: Mapping[str, object]) -> tuple[str, str]:
    """The key of the sample that is sent, and the placeholder of the answer."""
    pairs = data.get("input_outputs")
    if not isinstance(pairs, Mapping) or len(pairs) != 1:
        raise _UnconvertibleError("It grades the answers to several questions together; a case here has one.")
    (question, answer), *_ = pairs.items()
    return str(question), str(answer)


def _choices(value: object) -> list[str]:
    texts = list(value) if isinstance(value, str | list) and not str(value).startswith("from_n") else []
    choices = [written(one) for one in texts]
    if len(choices) < 2 or len({choice.casefold() for choice in choices}) < len(choices):
        raise _UnconvertibleError("Its choices depend on how many answers are graded together, or are no choices.")
    return choices


def _scores(value: object, choices: list[str]) -> dict[str, float]:
    """A score in [0, 1] for each choice; none where the spec has none."""
    try:
        if value == "from_strings":
            raw = {choice: float(choice) for choice in choices}
        elif isinstance(value, Mapping):
            named = {written(key): score for key, score in value.items()}
            raw = {choice: float(str(named[choice])) for choice in choices}
        else:
            return {}
    except (ValueError, KeyError):
        raise _UnconvertibleError("The scores of its choices are no numbers, or one is missing.") from None
    low, high = min(raw.values()), max(raw.values())
    if low == high:
        return {}
    if low < 0 or high > 1:
        raw = {choice: (score - low) / (high - low) for choice, score in raw.items()}
    return raw


def _prompt_text(data: Mapping[str, object]) -> str:
    match data.get("prompt"):
        case str(text) if text.strip():
            return text
        case [*messages] if messages:
            return "\n\n".join(written(one.get("content")) for one in messages if isinstance(one, Mapping))
        case _:
            raise _UnconvertibleError("Its spec has no prompt.")


@dataclass(frozen=True, slots=True)
class _Fields:
    """Fills the placeholders of a grader's prompt: what a case brings is shown beside the rubric, not in it."""

    question: str
    answer: str
    args: Mapping[str, object]
    used: list[str]

    def filled(self, text: str) -> str:
        try:
            return "".join(self._pieces(text)).strip()
        except ValueError:
            raise _UnconvertibleError("Its prompt cannot be read as a Python format string.") from None

    def _pieces(self, text: str) -> Iterator[str]:
        for before, name, _, _ in string.Formatter().parse(text):
            yield before
            if name is not None:
                yield self._value(name)

    def _value(self, name: str) -> str:
        if name in self.args:
            return written(self.args[name])
        if not name.isidentifier():
            raise _UnconvertibleError(f"Its prompt uses `{{{name}}}`.")
        self.used.append(name)
        fixed = {self.answer: "(the OUTPUT)", "ideal": "(the REFERENCE)", self.question: "(the INPUT)"}
        return fixed.get(name, f"(`{name}` in the INPUT)")
