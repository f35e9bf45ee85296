"""Live progress: one region redrawn on a terminal, a line every ten seconds in a log, nothing when quiet."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from llmctl.report.counts import Counts
from llmctl.report.model import Amount
from llmctl.report.numbers import count, duration, money_amount, token_amount
from llmctl.runs.records import ResultEvent
from llmctl.safe_text import one_line

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

__all__ = ["LOG_INTERVAL_S", "REDRAWS_PER_S", "Progress"]

REDRAWS_PER_S = 4
LOG_INTERVAL_S = 10.0
_BAR_WIDTH = 24


class Progress:
    """Shows how far a run is; a context manager. `update` only counts: drawing is done by a thread of its own."""

    def __init__(
        self,
        console: Console,
        planned: int,
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare to show.

        Args:
            console: of stderr; whether it is a terminal decides between a region and lines.
            planned: how many results the plan holds.
            quiet: show nothing.
            clock: seconds, from any start.
        """
        self._console = console
        self._planned = planned
        self._quiet = quiet
        self._clock = clock
        self._counts = Counts()
        self._phase = ""
        self._started_s = self._logged_s = clock()
        self._logged = 0
        self._live: Live | None = None
        self._logger: threading.Thread | None = None
        self._ended = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Progress:
        self._started_s = self._logged_s = self._clock()
        if self._quiet:
            return self
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._start_live()
        else:
            self._logger = threading.Thread(target=self._log, name="progress", daemon=True)
            self._logger.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._live is not None:
            self._live.stop()  # shows the cursor again
        if self._logger is not None:
            self._logger.join()
            if self._counts.done > self._logged:
                self._print_line()

    def update(self, result: ResultEvent) -> None:
        """Count a result."""
        if self._phase:
            self.phase("")
        self._counts.add(result)

    def show(self, counts: Counts) -> None:
        """Take over what somebody else counts."""
        self._counts = counts

    def phase(self, text: str) -> None:
        """Say what is waited for before results can come; empty text or the first result ends it."""
        self._phase = text
        self._started_s = self._clock()
        if text and not self._quiet and self._live is None:
            with self._lock:
                self._print(f"{text} ...")

    def tick(self) -> None:
        """In a log: print a line if it is time. Called by the thread, at least once a second."""
        with self._lock:
            if not self._quiet and self._clock() - self._logged_s >= LOG_INTERVAL_S:
                self._print_line()

    def line(self) -> str:
        """`12/40  10 passed  2 failed  4.1/s  1,234 tokens  $0.0021  7 s left`."""
        if self._phase:
            return f"{self._phase} ..."
        counts = self._counts
        parts = [f"{count(counts.done)}/{count(self._planned)}"]
        if counts.unjudged:
            parts.append(f"{count(counts.unjudged)} answered")
        if counts.passed or not counts.unjudged:
            parts.append(f"{count(counts.passed)} passed")
        if counts.failed:
            parts.append(f"{count(counts.failed)} failed")
        if counts.errors > counts.unjudged:
            parts.append(f"{count(counts.errors - counts.unjudged)} without evidence")
        if counts.cached:
            parts.append(f"{count(counts.cached)} reused")
        pace = self._pace()
        if pace:
            parts.append(f"{pace:.1f}/s" if pace >= 1 else f"{pace:.2g}/s")
        parts.append(f"{token_amount(self._tokens())} tokens")
        parts.append(money_amount(counts.spent.amount))
        if pace and counts.done < self._planned:
            parts.append(f"{duration((self._planned - counts.done) / pace)} left")
        return "  ".join(parts)

    def _pace(self) -> float:
        """Answers a second. Reused ones come at once at the start, and say nothing about those still to be sent."""
        elapsed_s = self._clock() - self._started_s
        answered = self._counts.done - self._counts.cached
        return answered / elapsed_s if elapsed_s > 0 else 0.0

    def _tokens(self) -> Amount:
        counts = self._counts
        return Amount(
            counts.input_tokens.known + counts.output_tokens.known,
            counts.input_tokens.unknown + counts.output_tokens.unknown,
        )

    def _start_live(self) -> None:
        from rich.live import Live

        self._live = Live(
            get_renderable=self._region,
            console=self._console,
            refresh_per_second=REDRAWS_PER_S,
            transient=True,
            redirect_stdout=False,  # the report's stream is not ours
            redirect_stderr=self._console.file is sys.stderr,
        )
        self._live.start()

    def _region(self) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        width = self._console.width
        shows_bar = not self._phase and self._planned > 0 and width >= 100
        room = width - (_BAR_WIDTH + 2 if shows_bar else 1)
        text = Text(one_line(self.line(), max(room, 10)), no_wrap=True, overflow="crop")
        if not shows_bar:
            return text
        row = Table.grid(padding=(0, 1))
        row.add_row(ProgressBar(total=self._planned, completed=self._counts.done, width=_BAR_WIDTH), text)
        return row

    def _log(self) -> None:
        while not self._ended.wait(1.0):
            self.tick()

    def _print_line(self) -> None:
        self._logged_s = self._clock()
        self._logged = self._counts.done
        self._print(self.line())

    def _print(self, text: str) -> None:
        self._console.print(one_line(text, 400), soft_wrap=True, markup=False, emoji=False, highlight=False)
