"""Several answers to the same case: pass@k, pass^k, flaky cases, and where the variance comes from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from llmctl.stats.checks import Integers
from llmctl.stats.intervals import Interval, wilson

__all__ = ["Repeats", "mean_pass_at_k", "mean_pass_hat_k", "pass_at_k", "pass_hat_k", "repeats"]


def pass_at_k(answers: int, passed: int, k: int) -> float:
    """The probability that at least one of k answers passes, drawn from those of one case without replacement.

    1 - C(n - c, k) / C(n, k): Chen et al. (2021), Evaluating Large Language Models Trained on Code, arXiv:2107.03374,
    equation 1.

    Raises:
        ValueError: counts that are none, or fewer answers than k.
    """
    _check(answers, passed, k)
    return (math.comb(answers, k) - math.comb(answers - passed, k)) / math.comb(answers, k)


def pass_hat_k(answers: int, passed: int, k: int) -> float:
    """The probability that all of k answers pass (pass^k), drawn from those of one case without replacement.

    C(c, k) / C(n, k): Yao et al. (2024), tau-bench, arXiv:2406.12045, section 2.

    Raises:
        ValueError: counts that are none, or fewer answers than k.
    """
    _check(answers, passed, k)
    return math.comb(passed, k) / math.comb(answers, k)


def mean_pass_at_k(answers: ArrayLike, passed: ArrayLike, k: int) -> float | None:
    """The mean of `pass_at_k` over the cases that have k answers or more; None where there are none.

    Raises:
        ValueError: counts that are none, or k below 1.
    """
    return _mean(answers, passed, k, pass_at_k)


def mean_pass_hat_k(answers: ArrayLike, passed: ArrayLike, k: int) -> float | None:
    """The mean of `pass_hat_k` over the cases that have k answers or more; None where there are none.

    Raises:
        ValueError: counts that are none, or k below 1.
    """
    return _mean(answers, passed, k, pass_hat_k)


@dataclass(frozen=True, slots=True)
class Repeats:
    """What repeats say, over the cases that have two answers or more; all others say nothing of it.

    Shares and variances are None where there is no such case.
    """

    cases: int
    """With two answers or more."""
    flaky: int
    """Of them those that have both passed and failed."""
    fewest: int
    """Answers of a case."""
    most: int
    within: float | None
    """The variance of the answers of one case, p (1 - p), without bias: the mean of p_i (1 - p_i) k / (k - 1)."""
    between: float | None
    """The variance of the true pass rates of cases, without bias, at least 0; None with one case."""

    @property
    def flake_rate(self) -> float | None:
        """The share of cases that are flaky. It grows with the number of answers: show `most` beside it."""
        return self.flaky / self.cases if self.cases else None

    @property
    def flake_interval(self) -> Interval | None:
        """Of the flake rate, 95 % (Wilson's)."""
        return wilson(self.flaky, self.cases)

    @property
    def disagreement(self) -> float | None:
        """The probability that two answers to one case differ, the mean of 2 p (1 - p), for any number of repeats."""
        return None if self.within is None else 2 * self.within

    @property
    def intraclass_correlation(self) -> float | None:
        """The share of the variance that lies between cases (ICC); None where nothing varies."""
        if self.within is None or self.between is None or self.within + self.between == 0:
            return None
        return self.between / (self.within + self.between)


def repeats(answers: ArrayLike, passed: ArrayLike) -> Repeats:
    """Split what was seen into what differs between cases and what differs between answers to one case.

    By the method of moments, as in Miller (2024), Adding Error Bars to Evals, arXiv:2411.00640, section 3: the variance
    of case means is that of the true rates plus that of the answers divided by their number.

    Args:
        answers: for each case its answers with a verdict.
        passed: for each case those that passed.

    Raises:
        ValueError: counts that are none.
    """
    n, c = _counts(answers, passed)
    n, c = n[n >= 2], c[n >= 2]
    if n.size == 0:
        return Repeats(0, 0, 0, 0, None, None)
    rates = c / n
    noise = rates * (1 - rates) / (n - 1)
    between = max(0.0, float(rates.var(ddof=1) - noise.mean())) if n.size > 1 else None
    flaky = int(np.count_nonzero((c > 0) & (c < n)))
    return Repeats(int(n.size), flaky, int(n.min()), int(n.max()), float((noise * n).mean()), between)


def _check(answers: int, passed: int, k: int) -> None:
    if not 0 <= passed <= answers:
        raise ValueError(f"{passed} passed of {answers} is no count")
    if not 1 <= k <= answers:
        raise ValueError(f"k lies between 1 and the {answers} answers, not {k}")


def _counts(answers: ArrayLike, passed: ArrayLike) -> tuple[Integers, Integers]:
    n, c = np.asarray(answers), np.asarray(passed)
    if n.shape != c.shape or n.ndim != 1:
        raise ValueError(f"each case has two counts, not {n.shape} and {c.shape}")
    if not ((c >= 0) & (c <= n) & (n == np.floor(n)) & (c == np.floor(c))).all():
        raise ValueError("each case has whole counts, and passes at most as often as it was answered")
    return n.astype(np.int64), c.astype(np.int64)


def _mean(answers: ArrayLike, passed: ArrayLike, k: int, of_case: Callable[[int, int, int], float]) -> float | None:
    """Over distinct pairs of counts, of which there are few however many cases there are."""
    if k < 1:
        raise ValueError(f"k is 1 or more, not {k}")
    n, c = _counts(answers, passed)
    n, c = n[n >= k], c[n >= k]
    if n.size == 0:
        return None
    distinct, counts = np.unique(n + 1j * c, return_counts=True)
    values = (of_case(int(pair.real), int(pair.imag), k) for pair in distinct)
    return math.fsum(value * int(count) for value, count in zip(values, counts, strict=True)) / n.size
