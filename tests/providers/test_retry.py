from __future__ import annotations

import pytest

from llmctl.outcome import Outcome
from llmctl.providers.retry import retry_after_s, wait_s
from llmctl.providers.wire import Answer, Retry


@pytest.mark.parametrize(
    ("retry", "attempts", "retry_after", "wait"),
    [
        (Retry.NEVER, 1, None, None),
        (Retry.ONCE, 1, None, 0.25),
        (Retry.ONCE, 2, None, None),
        (Retry.AGAIN, 1, None, 0.25),
        (Retry.AGAIN, 2, None, 0.5),
        (Retry.AGAIN, 3, None, None),
        (Retry.AGAIN, 1, 7.0, 7.0),
        (Retry.AGAIN, 1, 0.0, 0.0),
        (Retry.AGAIN, 1, 3600.0, 60.0),
        (Retry.NEVER, 1, 1.0, None),
    ],
)
def test_wait(retry: Retry, attempts: int, retry_after: float | None, wait: float | None) -> None:
    answer = Answer(Outcome.PROVIDER_ERROR, retry=retry)
    assert wait_s(answer, attempts=attempts, max_attempts=3, retry_after=retry_after, jitter=0.0) == wait


def test_jitter_never_comes_back_before_the_time_asked_for() -> None:
    answer = Answer(Outcome.PROVIDER_ERROR, retry=Retry.AGAIN)
    waits = [wait_s(answer, attempts=1, max_attempts=3, retry_after=10.0, jitter=j / 10) for j in range(11)]
    assert all(wait is not None and 10.0 <= wait <= 11.0 for wait in waits)
    assert len(set(waits)) == 11


def test_back_off_is_bounded() -> None:
    answer = Answer(Outcome.PROVIDER_ERROR, retry=Retry.AGAIN)
    assert wait_s(answer, attempts=90, max_attempts=99, retry_after=None, jitter=1.0) == 8.0


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
