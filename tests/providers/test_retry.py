from __future__ import annotations

import pytest

from llmctl.outcome import Outcome
from llmctl.providers.retry import out_of_time, retry_after_s, wait_s
from llmctl.providers.wire import Answer, Retry

NEVER, ONCE, AGAIN, AT_ONCE = (Answer(Outcome.PROVIDER_ERROR, error="x.", retry=retry) for retry in Retry)


@pytest.mark.parametrize(
    ("answers", "retry_after", "wait"),
    [
        ([NEVER], None, None),
        ([ONCE], None, 0.25),
        ([ONCE, ONCE], None, None),
        ([AGAIN], None, 0.25),
        ([AGAIN, AGAIN], None, 0.5),
        ([AGAIN, AGAIN, AGAIN], None, None),
        ([AGAIN], 7.0, 7.0),
        ([AGAIN], 0.0, 0.0),
        ([AGAIN, AGAIN], 0.0, 0.5),
        ([AGAIN, AGAIN], 7.0, 7.0),
        ([AGAIN], 3600.0, 3600.0),
        ([NEVER], 1.0, None),
        ([AT_ONCE], None, 0.0),
        ([AT_ONCE, AGAIN], None, 0.25),
        ([AT_ONCE, AGAIN, AGAIN], None, 0.5),
        ([AT_ONCE, AGAIN, AGAIN, AGAIN], None, None),
        ([AT_ONCE, AT_ONCE], None, 0.25),
        ([AT_ONCE, AT_ONCE, AT_ONCE, AT_ONCE], None, None),
        ([AGAIN, AT_ONCE], None, 0.0),
        ([AT_ONCE, ONCE], None, 0.25),
    ],
)
def test_wait(answers: list[Answer], retry_after: float | None, wait: float | None) -> None:
    assert wait_s(answers, max_attempts=3, retry_after=retry_after, jitter=0.0) == wait


def test_jitter_never_comes_back_before_the_time_asked_for() -> None:
    waits = [wait_s([AGAIN], max_attempts=3, retry_after=10.0, jitter=j / 10) for j in range(11)]
    assert all(wait is not None and 10.0 <= wait <= 11.0 for wait in waits)
    assert len(set(waits)) == 11


def test_back_off_is_bounded() -> None:
    assert wait_s([AGAIN] * 90, max_attempts=99, retry_after=None, jitter=1.0) == 8.0


def test_a_wait_that_is_too_long_is_said() -> None:
    answer = out_of_time(Answer(Outcome.PROVIDER_ERROR, error="HTTP 429: slow down."), 3600.0, 171.26, 210.0)
    assert answer.error == (
        "HTTP 429: slow down. The next attempt would have to wait 3600 s, and of this call's 210 s 171 s are left."
    )


NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2", 2.0),
        ("1.5", 1.5),
        ("0", 0.0),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2023 22:13:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("nan", None),
        ("²", None),
    ],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    assert retry_after_s({"retry-after": text}, NOW) == seconds


@pytest.mark.parametrize(("text", "seconds"), [("250", 0.25), ("0", 0.0), ("x", 7.0)])
def test_retry_after_in_milliseconds(text: str, seconds: float) -> None:
    assert retry_after_s({"retry-after-ms": text, "retry-after": "7"}, NOW) == seconds
