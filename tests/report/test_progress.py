"""Live progress: what it says, where, and that it leaves the terminal as it was."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable

import pytest
from rich.console import Console

from llmctl.report.progress import Progress
from tests.report.samples import HOSTILE, controls, failed, result, timed_out


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def log(work: Callable[[Progress, Clock], None], planned: int = 40, *, quiet: bool = False) -> str:
    """What progress writes to a log file while the work goes on."""
    file, clock = io.StringIO(), Clock()
    with Progress(Console(file=file, width=120), planned, quiet=quiet, clock=clock) as progress:
        work(progress, clock)
    return file.getvalue()


def terminal(work: Callable[[Progress, Clock], None], file: io.StringIO) -> None:
    """The same on a terminal."""
    clock = Clock()
    console = Console(file=file, width=120, force_terminal=True, color_system=None)
    with Progress(console, 40, clock=clock) as progress:
        work(progress, clock)


def test_the_line_counts_everything() -> None:
    clock = Clock()
    progress = Progress(Console(file=io.StringIO()), 40, clock=clock)
    for number in range(6):
        progress.update(result(str(number)))
    progress.update(failed("a"))
    progress.update(timed_out("b"))
    clock.now_s += 2
    assert progress.line() == (
        "8/40  6 passed  1 failed  1 without evidence  4.0/s  >= 350 tokens  >= $0.0070  8.0 s left"
    )


def test_answers_that_nobody_judges_are_no_missing_evidence() -> None:
    progress = Progress(Console(file=io.StringIO()), 40, clock=Clock())
    for number in range(6):
        progress.update(result(str(number), passed=None, score=None, scores=()))
    progress.update(timed_out("b"))
    assert progress.line().startswith("7/40  6 answered  1 without evidence  ")


def test_reused_answers_do_not_make_it_look_fast() -> None:
    clock = Clock()
    progress = Progress(Console(file=io.StringIO()), 40, clock=clock)
    for number in range(20):
        progress.update(result(str(number), cached=True))
    clock.now_s += 2
    assert "left" not in progress.line()
    progress.update(result("sent"))
    assert "20 reused  0.5/s" in progress.line()
    assert progress.line().endswith("$0.0010  38.0 s left")


def test_unknown_cost_stays_unknown() -> None:
    progress = Progress(Console(file=io.StringIO()), 40, clock=Clock())
    progress.update(result("a", cost_usd=None))
    assert "unknown" in progress.line()
    assert "$" not in progress.line()


def test_the_end_has_no_time_left() -> None:
    clock = Clock()
    progress = Progress(Console(file=io.StringIO()), 1, clock=clock)
    clock.now_s += 1
    progress.update(result("a"))
    assert "left" not in progress.line()


def test_a_log_gets_a_line_every_ten_seconds_and_one_at_the_end() -> None:
    def work(progress: Progress, clock: Clock) -> None:
        for second in range(25):
            clock.now_s += 1
            progress.update(result(str(second)))
            progress.tick()

    lines = log(work).splitlines()
    assert [line.split()[0] for line in lines] == ["10/40", "20/40", "25/40"]


def test_a_log_does_not_say_the_end_twice() -> None:
    def work(progress: Progress, clock: Clock) -> None:
        progress.update(result("a"))
        clock.now_s += 10
        progress.tick()

    assert log(work).count("\n") == 1


def test_the_phase_is_said_and_ends_with_the_first_result() -> None:
    def work(progress: Progress, clock: Clock) -> None:
        progress.phase("starting the local model")
        clock.now_s += 5
        assert progress.line() == "starting the local model ..."
        progress.update(result("a"))
        clock.now_s += 1
        assert "1.0/s" in progress.line()  # the wait for the model is not the pace of the run

    assert log(work).splitlines()[0] == "starting the local model ..."


def test_quiet_says_nothing() -> None:
    def work(progress: Progress, clock: Clock) -> None:
        progress.phase("starting the local model")
        progress.update(result("a"))
        clock.now_s += 60
        progress.tick()

    assert log(work, quiet=True) == ""


def test_a_terminal_gets_one_region_that_is_gone_at_the_end() -> None:
    file = io.StringIO()

    def work(progress: Progress, clock: Clock) -> None:
        progress.phase("starting the local model")
        progress.update(result("a"))
        clock.now_s += 60

    terminal(work, file)
    text = file.getvalue()
    assert text.startswith("\x1b[?25l")
    assert "1/40  1 passed" in text
    assert text.count("\n") <= 2
    assert text.rstrip("\r").endswith("\x1b[2K")


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
@pytest.mark.parametrize("on_terminal", [True, False])
def test_the_cursor_and_the_threads_are_as_before_after_a_break(error: type[BaseException], on_terminal: bool) -> None:
    file, before = io.StringIO(), set(threading.enumerate())

    def work(progress: Progress, clock: Clock) -> None:
        progress.update(result("a"))
        raise error

    with pytest.raises(error):
        terminal(work, file) if on_terminal else log(work)
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=10)
        assert not thread.is_alive()
    if on_terminal:
        assert file.getvalue().rfind("\x1b[?25h") > file.getvalue().rfind("\x1b[?25l")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_phases_are_shown_as_text(hostile: str) -> None:
    def work(progress: Progress, clock: Clock) -> None:
        progress.phase(hostile)

    text = log(work)
    assert controls(text) == []
    assert text.count("\n") <= 1


def test_update_draws_nothing() -> None:
    file = io.StringIO()
    progress = Progress(Console(file=file, force_terminal=True), 10)
    for number in range(10):
        progress.update(result(str(number)))
    assert file.getvalue() == ""
