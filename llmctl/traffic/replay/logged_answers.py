"""The answers that a log holds, as those of a run that sends nothing."""

from __future__ import annotations

import threading
from array import array
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import orjson

from llmctl.errors import StoreError
from llmctl.outcome import Outcome
from llmctl.runs.codec import repaired
from llmctl.runs.reuse import KnownAnswer, KnownAnswers
from llmctl.store.layout import Layout
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.replay.records import ChosenCall

__all__ = ["LoggedAnswers", "observed_outcome"]


class LoggedAnswers(KnownAnswers):
    """The logged answer of each unit of a plan, in its order: eight bytes of memory each, the rest in a file."""

    def __init__(self, store: Path) -> None:
        """The file has no name, and goes with the process.

        Raises:
            StoreError: the disk is full.
        """
        super().__init__(store)
        layout = Layout(store)
        layout.prepare()
        self._file: IO[bytes] = TemporaryFile(dir=layout.scratch, prefix="logged-")  # noqa: SIM115 - closed in `close`
        self._offsets = array("Q", [0])
        self._turn = threading.Lock()

    def add(self, chosen: ChosenCall) -> None:
        """The answer of the next unit.

        Raises:
            StoreError: the disk is full.
        """
        data = _dumped(_data(chosen))
        try:
            self._file.write(data)
        except OSError as error:
            raise StoreError(f"The logged answers cannot be kept: {error.strerror or error}.") from None
        self._offsets.append(self._offsets[-1] + len(data))
        self.count += 1

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and number < self.count

    def answer(self, number: int) -> KnownAnswer:
        """The logged answer of a unit. From any thread."""
        start, end = self._offsets[number], self._offsets[number + 1]
        with self._turn:
            self._file.flush()
            self._file.seek(start)
            fields = orjson.loads(self._file.read(end - start))
        return KnownAnswer(**{**fields, "outcome": Outcome(fields["outcome"])})

    def close(self) -> None:
        """Delete the file."""
        self._file.close()


def observed_outcome(call: LoggedCall) -> Outcome | None:
    """How the call ended; where the log does not say so, what it holds of the answer does. None: it holds nothing."""
    if call.outcome is not None:
        return call.outcome
    if call.output or call.tool_calls:
        return Outcome.ANSWERED
    if call.error is not None:
        return Outcome.PROVIDER_ERROR
    return None if call.output is None else Outcome.EMPTY


def _data(chosen: ChosenCall) -> dict[str, object]:
    """The fields of a `KnownAnswer`; an answer that the log does not hold is none that could be judged."""
    call = chosen.call
    outcome = observed_outcome(call)
    return {
        "call_id": chosen.id,
        "outcome": (outcome or Outcome.SKIPPED).value,
        "output": call.output,
        "tool_calls": list(call.tool_calls),
        "finish_reason": call.finish_reason,
        "input_tokens": call.input_tokens,
        "output_tokens": call.output_tokens,
        "cost_usd": call.cost_usd,
        "latency_ms": call.latency_ms,
        "ttft_ms": call.ttft_ms,
        "error": call.error or (None if outcome else "The log does not hold the answer."),
    }


def _dumped(data: dict[str, object]) -> bytes:
    try:
        return orjson.dumps(data)
    except TypeError:  # a lone surrogate, or a number beyond 64 bits
        return orjson.dumps(repaired(data))
