"""Calls of a connection that Ctrl-C and a time limit can end.

DuckDB looks for signals only between its tasks, and one task may take minutes. So its calls are made in a thread of
their own, while the caller waits and can be woken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from llmctl.errors import UnfinishedError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Interruptible", "interruptible"]

T = TypeVar("T")
_STEP_S = 0.1
"""How long a wait may be: on Windows Ctrl-C does not end one."""


class Interruptible:
    """The calls of one connection, one after the other."""

    def __init__(self, con: DuckDBPyConnection, worker: ThreadPoolExecutor, time_s: float | None) -> None:
        self._con = con
        self._worker = worker
        self._time_s = time_s
        self._deadline = None if time_s is None else time.monotonic() + time_s

    def execute(self, statement: str, parameters: Mapping[str, str] | None = None) -> None:
        """Carry out a statement.

        Raises:
            duckdb.Error: it is wrong.
            UnfinishedError: the time is up.
        """
        self._call(lambda: self._con.execute(statement, dict(parameters) if parameters else None))

    def fetchmany(self, rows: int) -> list[tuple[Any, ...]]:
        """The next rows of what was carried out last.

        Raises:
            duckdb.Error: a value cannot be computed.
            UnfinishedError: the time is up.
        """
        return self._call(lambda: self._con.fetchmany(rows))

    def columns(self) -> list[tuple[str, str]]:
        """Names and types of what was carried out last."""
        return [(str(name), str(kind)) for name, kind, *_ in self._con.description or ()]

    def _call(self, action: Callable[[], T]) -> T:
        self._check_time()
        future = self._worker.submit(action)
        try:
            while not wait([future], _STEP_S).done:
                self._check_time()
        except BaseException:
            self._interrupt(future)
            raise
        return future.result()

    def _check_time(self) -> None:
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise UnfinishedError(
                f"The query took longer than {self._time_s:g} s and was stopped.", hint="--timeout gives it more time."
            )

    def _interrupt(self, future: Future[T]) -> None:
        """Until it has ended: an interruption that comes before the query has begun is forgotten."""
        while not future.done():
            self._con.interrupt()
            wait([future], _STEP_S)


@contextmanager
def interruptible(con: DuckDBPyConnection, *, time_s: float | None = None) -> Iterator[Interruptible]:
    """The connection's calls within the block; `time_s`: for all of them together."""
    with ThreadPoolExecutor(1, "query") as worker:
        yield Interruptible(con, worker, time_s)
