"""Which answer a new case expects: the one that is given, else a correction, else the logged one if it was accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmctl.errors import ProjectError, UnfinishedError, UsageError
from llmctl.traffic.logged_call import LoggedFeedback
from llmctl.traffic.to_bank.sources import CaseSource

__all__ = ["Expected", "expected_of", "read_expected", "verdict_words"]

_UP = 1.0
_LARGEST_BYTES = 10 * 2**20


@dataclass(frozen=True, slots=True)
class Expected:
    """An expected answer."""

    value: object
    given: bool
    """False: there is none."""
    origin: str
    """`a correction`; where there is none, why."""


def expected_of(source: CaseSource, given: Expected | None = None, *, only_correction: bool = False) -> Expected:
    """What the case of a source expects.

    Args:
        source: the call or the result.
        given: what the user says, if anything: it wins.
        only_correction: nothing but a correction will do.

    Raises:
        UsageError: there is no correction.
    """
    if given is not None:
        return given
    correction = _correction(source.feedback)
    if correction is not None:
        return correction
    if only_correction:
        raise UsageError(
            f"Nobody has corrected {source.id}.",
            hint="`llmctl feedback add` takes a correction; --expected FILE gives the answer here.",
        )
    if source.has_expected:
        return Expected(source.expected, True, "the case of the run")
    if accepted := _accepted(source.feedback):
        if source.answer is None:
            return Expected(None, False, "the accepted answer was not logged")
        return Expected(source.answer, True, accepted)
    return Expected(None, False, "neither a correction nor a thumb up says what is right")


def read_expected(path: Path) -> Expected:
    """An expected answer from a file: `.json`, `.yaml` and `.yml` as data, else its text without the last line end.

    Raises:
        UsageError: there is no such file, or it is no text.
        ProjectError: the data holds mistakes.
        UnfinishedError: it cannot be read.
    """
    text = _text_of(path)
    if path.suffix.lower() not in (".json", ".yaml", ".yml"):
        return Expected(text.removesuffix("\n").removesuffix("\r"), True, "a file")
    from llmctl.project.syntax.yaml_reader import read_yaml

    document = read_yaml(text.encode(), Path(path.name))
    if document.problems or not document.readable:
        raise ProjectError(list(document.problems))
    return Expected(document.data, True, "a file")


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f"There is no file {path}.") from None
    except OSError as error:
        raise UnfinishedError(f"The file {path} cannot be read: {error.strerror}.") from None
    if len(data) > _LARGEST_BYTES:
        raise UsageError(f"The file {path} is larger than 10 MB.", hint="Is it the right file?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"The file {path} is no UTF-8 text.") from None


def verdict_words(feedback: Sequence[LoggedFeedback]) -> list[str]:
    """What people thought of the answer, in a few words: `thumbs down`, `corrected`, `edited 40 %`."""
    return list(dict.fromkeys(word for one in feedback if (word := _word(one))))


def _word(said: LoggedFeedback) -> str | None:
    match said.kind, said.value:
        case "rating", value if value is not None:
            return "thumbs up" if value >= _UP else "thumbs down"
        case "correction", _:
            return "corrected"
        case "edit", None:
            return "abandoned"
        case "edit", value:
            return "accepted" if value == 0 else f"edited {value:.0%}".replace("%", " %")
        case _:
            return None


def _correction(feedback: Sequence[LoggedFeedback]) -> Expected | None:
    """The last one; what somebody wrote as a correction wins over what became of the answer."""
    written = [one.text for one in feedback if one.kind == "correction" and one.text]
    if written:
        return Expected(written[-1], True, "a correction")
    edited = [one.text for one in feedback if one.kind == "edit" and one.value and one.text]
    return Expected(edited[-1], True, "the edited answer") if edited else None


def _accepted(feedback: Sequence[LoggedFeedback]) -> str | None:
    """Why the answer counts as right; one voice against it is enough for it not to."""
    words = verdict_words(feedback)
    if "thumbs down" in words or "abandoned" in words:
        return None
    return next((f"the answer, {word}" for word in words if word in ("thumbs up", "accepted")), None)
