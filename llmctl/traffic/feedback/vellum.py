"""Reader of Vellum's actuals: what an execution should have answered, and how good its answer was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from llmctl.traffic.logged_call import LoggedFeedback
from llmctl.traffic.readers.base import Document, Entry, SetAside
from llmctl.traffic.readers.values import epoch_s, first, json_text, mapping, number, objects, text

__all__ = ["VellumActuals"]

_CERTAIN, _LIKELY = 95, 80
_CALLS = ("externalId", "external_id", "executionId", "execution_id", "id")
"""The application's own id first: it is what its log has."""
_OUTPUTS = ("outputKey", "output_key", "outputName", "output_name", "outputId", "output_id")
_TEXTS = ("desiredOutput", "desired_output", "text", "value")
_TIMES = ("timestamp", "createdAt", "created_at")
_SAYS = frozenset({"quality", "label", *_TEXTS})
_OWN = frozenset({*_OUTPUTS, *_CALLS[:4], *_TEXTS[:2]})
_NO_CALL = "it does not say of which call"
_NOTHING = "nothing is said in it"


class VellumActuals:
    """Actuals as they are submitted (`actuals: [...]` for one execution, or each with its own id), or one a line.

    `quality` (0 to 1) is a score, the text or desired output a correction, `label` a label.
    """

    name = "vellum"
    title = "Vellum: actuals of prompts and workflows"

    def recognises(self, value: Mapping[str, Any]) -> int:
        """By a list of actuals, or by an id of an execution with a quality."""
        if objects(value.get("actuals")):
            return _CERTAIN
        if not _OWN & value.keys() or not _SAYS & value.keys():
            return 0
        return _CERTAIN if "quality" in value else _LIKELY if "label" in value else 0

    def read(self, documents: Iterable[Document]) -> Iterator[Entry | SetAside]:
        """Each thing that an actual says, apart."""
        for document in documents:
            whole = document.value
            actuals = objects(whole.get("actuals")) or [dict(whole)]
            for actual in actuals:
                target = text(first(actual, _CALLS)) or text(first(whole, _CALLS))
                said = list(_said(actual, target))
                if target is None or not said:
                    yield SetAside(document.line, _NOTHING if target else _NO_CALL)
                    continue
                raw = document.raw if len(actuals) == 1 else json_text(actual)
                yield from (Entry(document.line, raw, one) for one in said)


def _said(actual: Mapping[str, Any], target: str | None) -> Iterator[LoggedFeedback]:
    said_of = partial(
        LoggedFeedback,
        name=text(first(actual, _OUTPUTS)),
        source=text(mapping(actual.get("metadata")).get("source")),
        target=target,
        at=epoch_s(first(actual, _TIMES)),
    )
    if (quality := number(actual.get("quality"))) is not None:
        yield said_of("score", quality)
    if label := text(actual.get("label")):
        yield said_of("label", text=label)
    desired = first(actual, _TEXTS)
    if desired is not None:
        yield said_of("correction", text=json_text(desired))
