"""Reader of feedback of one's own: `--map FIELD=PATH` says where each field stands."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from llmctl.errors import UsageError
from llmctl.traffic.logged_call import LoggedFeedback
from llmctl.traffic.readers.base import Document, Entry, Reader, SetAside
from llmctl.traffic.readers.paths import Path, parse_path
from llmctl.traffic.readers.values import epoch_s, json_text, number, text

__all__ = ["mapped_feedback"]

_SAYS = ("rating", "score", "label", "correction", "comment")
_FIELDS = ("id", *_SAYS, "name", "source", "at")
_RATINGS = {
    **dict.fromkeys(("up", "thumbs_up", "thumbsup", "like", "liked", "good", "positive", "👍"), 1.0),
    **dict.fromkeys(("true", "yes", "1", "1.0", "+1"), 1.0),
    **dict.fromkeys(("down", "thumbs_down", "thumbsdown", "dislike", "disliked", "bad", "negative", "👎"), 0.0),
    **dict.fromkeys(("false", "no", "0", "0.0", "-1", "-1.0"), 0.0),
}
_NO_CALL, _NOTHING = "it does not say of which call", "nothing is said in it"


class _Unreadable(Exception):
    """A mapped value is not what its field needs; the reason."""


class _Mapped:
    """Feedback of one's own."""

    name = "mapped"
    title = "Any CSV, JSONL or Parquet, by --map"

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self.paths = paths

    def recognises(self, value: Mapping[str, object]) -> int:  # noqa: ARG002
        """Nothing by itself: it reads what it is told to."""
        return 0

    def read(self, documents: Iterable[Document]) -> Iterator[Entry | SetAside]:
        """Each thing that a row says, apart."""
        for document in documents:
            try:
                said = list(self._said(document.value))
            except _Unreadable as reason:
                yield SetAside(document.line, str(reason))
                continue
            if not said or not said[0].target:
                yield SetAside(document.line, _NOTHING if not said else _NO_CALL)
                continue
            yield from (Entry(document.line, document.raw, one) for one in said)

    def _said(self, value: Mapping[str, object]) -> Iterator[LoggedFeedback]:
        def found(field: str) -> object:
            path = self.paths.get(field)
            given = path.find(value) if path is not None else None
            return None if isinstance(given, str) and not given.strip() else given

        target, name, source, at = text(found("id")), text(found("name")), text(found("source")), epoch_s(found("at"))
        for kind in _SAYS:
            given = found(kind)
            if given is not None:
                amount = _amount(kind, given, self.paths[kind])
                said = None if amount is not None else json_text(given)
                yield LoggedFeedback(kind, amount, said, name, source, target.strip() if target else None, at)


def _amount(kind: str, given: object, path: Path) -> float | None:
    """The number that a rating or a score is; None: the kind has none."""
    if kind == "score":
        found = number(given)
        if found is None:
            raise _Unreadable(f"score: {path.text} is not a number")
        return found
    if kind == "rating":
        rating = _RATINGS.get(str(given).strip().lower())
        if rating is None:
            raise _Unreadable(f"rating: {path.text} is neither up nor down")
        return rating
    return None


def mapped_feedback(maps: Sequence[str]) -> Reader:
    """The reader that `--map FIELD=PATH` describes: `id`, and a rating, score, label, correction or comment.

    Raises:
        UsageError: one cannot be read, stands there twice, or what is needed is missing.
    """
    paths: dict[str, Path] = {}
    for word in maps:
        field, equals, place = (part.strip() for part in word.partition("="))
        if not equals or not field or not place:
            raise UsageError(f"--map takes FIELD=PATH, not {word}.", hint="For example --map id=message_id")
        if field not in _FIELDS:
            close = difflib.get_close_matches(field, _FIELDS, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"There are {', '.join(_FIELDS)}."
            raise UsageError(f'Feedback has no field "{field}".', hint=hint)
        if field in paths:
            raise UsageError(f"--map {field} is given twice.")
        try:
            paths[field] = parse_path(place)
        except ValueError as mistake:
            raise UsageError(f"--map {field}: the path {place} {mistake}.") from None
    if "id" not in paths or not paths.keys() & set(_SAYS):
        raise UsageError(
            "--map does not say of which call, or what was said.",
            hint="For example --map id=message_id --map rating=thumb --map comment=note",
        )
    return _Mapped(paths)
