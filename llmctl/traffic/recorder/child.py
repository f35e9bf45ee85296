"""The process that writes recorded calls down: exchanges in, counts out, until stdin closes. Run as a module.

It outlives the recorder just as long as it takes to write what has reached it, so a recorder that is killed loses only
what it had not handed over yet. It works in short spells and rests between them, unless much waits: whoever passes
calls on, and the client beside it, need the processor more.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import BinaryIO

import orjson

from llmctl.providers.redaction import Redactor
from llmctl.traffic.journal import TrafficJournal
from llmctl.traffic.recorder.call_journal import CallJournal, RecordedCall
from llmctl.traffic.recorder.exchange import Exchange
from llmctl.traffic.recorder.frames import Kind, read_frame
from llmctl.traffic.recorder.heads import secrets_in
from llmctl.traffic.recorder.records import record_of
from llmctl.traffic.recorder.setting import LENGTH_BYTES, Setting

__all__ = ["main"]

_SPELL_S = 0.01
_REST = 3.0
"""A spell is followed by a rest of so many times its length."""


class _Child:
    """Its work."""

    def __init__(self, setting: Setting, say: Callable[[dict[str, object]], None]) -> None:
        self._setting = setting
        self._say = say
        self._redactor = Redactor({})
        self._redactor.learn(setting.keys)
        self._calls = CallJournal(
            lambda: TrafficJournal(setting.store, setting.head, self._redactor), lambda said: say({"failed": said})
        )
        self._spell_began = time.perf_counter()

    def work(self, source: BinaryIO) -> None:
        """Until the end of what comes."""
        lost: Counter[str] = Counter()
        while (frame := read_frame(source.read)) is not None:
            kind, value = frame
            if isinstance(value, Exchange):
                self._calls.write(partial(self._recorded, value))
                if self._calls.sync_if_due():
                    self._tell()
                if kind is Kind.CALL:
                    self._rest()
            elif kind is Kind.CLOSE:
                lost = Counter(value)  # type: ignore[call-overload]
                break
            else:
                self._calls.sync()
                self._tell(flushed=kind is Kind.FLUSH)
        self._calls.close(lost)
        self._tell(closed=True)

    def _recorded(self, exchange: Exchange) -> RecordedCall | str:
        self._redactor.learn(secrets_in(exchange.fields))
        return record_of(exchange, prompt_header=self._setting.prompt_header, provider=self._setting.provider)

    def _rest(self) -> None:
        worked_s = time.perf_counter() - self._spell_began
        if worked_s >= _SPELL_S:
            time.sleep(min(worked_s, 2 * _SPELL_S) * _REST)
            self._spell_began = time.perf_counter()

    def _tell(self, *, flushed: bool = False, closed: bool = False) -> None:
        self._say(
            {
                "import_id": self._calls.import_id,
                "recorded": self._calls.recorded,
                "lost": dict(self._calls.lost),
                "passed": dict(self._calls.passed),
                "flushed": flushed,
                "closed": closed,
            }
        )


def main() -> None:
    """Serve the parent."""
    for number in (signal.SIGINT, signal.SIGTERM):  # whoever ends the recorder ends it by closing stdin
        signal.signal(number, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    source = sys.stdin.buffer
    length = source.read(LENGTH_BYTES)
    if len(length) == LENGTH_BYTES:
        setting = pickle.loads(source.read(int.from_bytes(length)))  # the parent's own

        def say(message: dict[str, object]) -> None:
            try:
                answers.write(orjson.dumps(message) + b"\n")
            except OSError:  # the parent was killed: what has come is written all the same
                return

        _Child(setting, say).work(source)


if __name__ == "__main__":
    main()
