"""Whatever a command prints loses the keys of its environment: a screen is shared, and a CI log is kept."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from llmctl.cli.session import Session

__all__ = ["private_output"]


@contextmanager
def private_output(session: Session) -> Iterator[None]:
    """Within the block stdout and stderr show no key, reports, warnings, errors and tracebacks alike."""
    sys.stdout, sys.stderr = (_Private(stream, session) for stream in (sys.stdout, sys.stderr))
    try:
        yield
    finally:
        # Either may have been replaced by None since, where nobody reads it any more.
        if isinstance(sys.stdout, _Private):
            sys.stdout = sys.stdout.stream
        if isinstance(sys.stderr, _Private):
            sys.stderr = sys.stderr.stream


class _Private:
    """A stream of text; all but writing is the stream's own."""

    def __init__(self, stream: TextIO, session: Session) -> None:
        self.stream = stream
        self._session = session

    def write(self, text: str) -> int:
        return self.stream.write(self._session.redactor.exact(text))

    def writelines(self, lines: Iterator[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)
