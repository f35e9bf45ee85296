"""Where the stored answers to judges' questions lie: twenty bytes a call, looked up when a question is asked.

What a judge is asked depends on an answer that is not there when the plan is made. So all that its models have answered
is noted once, in the order of the keys, and found by halving.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping

from llmctl.errors import StoreError
from llmctl.runs.call_history import CallHistory, JudgeCall
from llmctl.runs.judges import JudgeModel
from llmctl.runs.line_reader import LineReader
from llmctl.runs.reuse import KnownAnswer, Rules, read_answer, seconds
from llmctl.store.layout import Layout

__all__ = ["JudgedCalls"]

_OPEN_JOURNALS = 16


class JudgedCalls:
    """Answers that need not be asked for again, by call key. Used from one thread at a time."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._prefixes = array("Q")
        self._runs: list[str] = []
        self._run_of = array("i")
        self._positions = array("q")
        self._readers: dict[str, LineReader] = {}

    def find(self, history: CallHistory, judges: Iterable[JudgeModel], rules: Rules) -> None:
        """Note what the judges' models have answered.

        Raises:
            StoreError: the store cannot be read.
        """
        oldest = {
            judge.route.model: rules.now - seconds(rules.max_age) if judge.route.floats else 0.0 for judge in judges
        }
        if not oldest or not (rules.others or rules.own):
            return
        indexes: dict[str, int] = {}
        last = ""
        for call in history.judge_calls(sorted(oldest), run_id=None if rules.others else rules.own):
            if call.key != last and self._counts(call, oldest, rules):
                last = call.key
                self._add(call, indexes)

    def _counts(self, call: JudgeCall, oldest: Mapping[str, float], rules: Rules) -> bool:
        """Whether it is young enough for its model, or the run's own."""
        return call.location.run_id == rules.own or call.location.started_at >= oldest[call.model]

    def _add(self, call: JudgeCall, indexes: dict[str, int]) -> None:
        index = indexes.setdefault(call.location.run_id, len(self._runs))
        if index == len(self._runs):
            self._runs.append(call.location.run_id)
        self._prefixes.append(int(call.key[:16], 16))
        self._run_of.append(index)
        self._positions.append(call.location.position)

    def __len__(self) -> int:
        return len(self._prefixes)

    def answer(self, key: str) -> KnownAnswer | None:
        """The stored answer to the call with this key; None where there is none, or its journal is gone by now."""
        place = bisect_left(self._prefixes, int(key[:16], 16))
        if place == len(self._prefixes) or self._prefixes[place] != int(key[:16], 16):
            return None
        try:
            return read_answer(self._reader(self._runs[self._run_of[place]]), self._positions[place], key)
        except StoreError:
            return None

    def _reader(self, run_id: str) -> LineReader:
        reader = self._readers.get(run_id)
        if reader is None:
            if len(self._readers) >= _OPEN_JOURNALS:
                self.close()
            reader = self._readers[run_id] = LineReader(self._layout.journal(run_id))
        return reader

    def close(self) -> None:
        """Close the journals that answers were read from."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
