"""The power of the paired tests, exactly: what the formulas of `power.py` only approach."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from llmctl.stats.checks import Floats, Integers, share
from llmctl.stats.distributions import normal_quantile
from llmctl.stats.power import cases_for_drop, cases_to_pass
from llmctl.stats.tango import tango_z

__all__ = ["cases_for_drop_exact", "cases_to_pass_exact", "midp_power", "pass_power", "smallest_drop_exact"]

_MOST_CASES = 100_000
"""Above this the formula of `power.py` is as good."""


def midp_power(cases: int, loss: float, gain: float, alpha: float = 0.05) -> float:
    """The probability that the one-sided mid-p of McNemar's test is at most alpha.

    The number of discordant pairs is binomial; given it, losses are. So the power is a mean over Bin(n, loss + gain) of
    binomial tails beyond the critical value of each number. With loss = gain it is the size of the test.

    Args:
        cases: pairs.
        loss: probability that a pair passes in the baseline and fails in the candidate.
        gain: probability of the contrary.
        alpha: level of the test, which looks for a drop.

    Raises:
        ValueError: probabilities that are none, or a negative number of cases.
    """
    _check(cases, loss, gain)
    share("alpha", alpha)
    if loss + gain == 0:
        return 0.0
    return _power(*_discordant(cases, loss + gain), loss / (loss + gain), alpha)


def smallest_drop_exact(cases: int, discordance: float, *, alpha: float = 0.05, power: float = 0.8) -> float | None:
    """The smallest drop that this many pairs show with this power, one-sided; None where not even the largest is.

    Raises:
        ValueError: a share outside its range, or a negative number of cases.
    """
    share("power", power)
    if midp_power(cases, discordance, 0.0, alpha) < power:
        return None
    numbers, weights = _discordant(cases, discordance)
    low, high = 0.0, discordance
    while high - low > 1e-9:  # the power grows with the drop: critical values do not depend on it
        drop = (low + high) / 2
        if _power(numbers, weights, (1 + drop / discordance) / 2, alpha) < power:
            low = drop
        else:
            high = drop
    return high


def cases_for_drop_exact(drop: float, discordance: float, *, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """The fewest pairs that show this drop with this power, one-sided; None above 100,000 (the formula does there).

    The power saws a little as cases are added. The number given has it, and none of the ten before it has.

    Args:
        drop: loss rate minus gain rate, above 0 and up to `discordance`.
        discordance: share of pairs that differ.
        alpha: of a false alarm.
        power: probability that the drop is seen.

    Raises:
        ValueError: shares that are none.
    """
    if not 0 < drop <= discordance:
        raise ValueError(f"a drop of {drop} with a share {discordance} of pairs that differ cannot be")
    loss, gain = (discordance + drop) / 2, (discordance - drop) / 2
    size = cases_for_drop(loss, gain, alpha=alpha, power=power)
    if size is None or size.cases > _MOST_CASES:
        return None
    return _fewest(size.cases, lambda cases: midp_power(cases, loss, gain, alpha) >= power)


def pass_power(cases: int, loss: float, gain: float, margin: float, alpha: float = 0.05) -> float:
    """The probability that Tango's test excludes a drop of `margin`: of a pass.

    With loss = gain it is how often a candidate without any change passes; with loss - gain = margin how often one
    passes that should not, which is near alpha and not bounded by it.

    Args:
        cases: pairs.
        loss: probability that a pair passes in the baseline and fails in the candidate.
        gain: probability of the contrary.
        margin: the largest drop that is tolerated, a share.
        alpha: level of the test.

    Raises:
        ValueError: probabilities that are none, or a negative number of cases.
    """
    _check(cases, loss, gain)
    share("alpha", alpha)
    share("a margin", margin)
    if cases == 0:
        return 0.0
    from scipy.special import bdtr

    numbers, weights = _discordant(cases, loss + gain)
    z = normal_quantile(alpha)
    most = np.array([_most_losses(int(number), cases, margin, z) for number in numbers])
    losing = loss / (loss + gain) if loss + gain else 0.0
    passed = np.where(most < 0, 0.0, np.where(most >= numbers, 1.0, bdtr(np.maximum(most, 0), numbers, losing)))
    return min(1.0, float(weights @ passed))


def cases_to_pass_exact(margin: float, discordance: float, *, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """The fewest pairs with which a candidate without any change passes the margin with this probability.

    None above 100,000, where the formula `power.cases_to_pass` does. As in `cases_for_drop_exact`, none of the ten
    numbers before it is enough.

    Raises:
        ValueError: a share outside its range.
    """
    size = cases_to_pass(margin, discordance, alpha=alpha, power=power)
    if size.cases > _MOST_CASES:
        return None
    half = discordance / 2
    return _fewest(size.cases, lambda cases: pass_power(cases, half, half, margin, alpha) >= power)


def _check(cases: int, loss: float, gain: float) -> None:
    if cases < 0 or not (loss >= 0 and gain >= 0 and loss + gain <= 1):
        raise ValueError(f"{cases} pairs with probabilities {loss} and {gain} cannot be")


def _fewest(guess: int, enough: Callable[[int], bool]) -> int:
    """The smallest number near a guess that is enough, of which none of the ten before it is."""
    cases = guess
    while not enough(cases):
        cases += max(1, cases // 50)
    best = cases
    while cases > 1 and best - cases < 10:
        cases -= 1
        if enough(cases):
            best = cases
    return best


def _most_losses(discordant: int, cases: int, margin: float, z: float) -> int:
    """The most losses among so many discordant pairs with which the margin still passes; -1 where it never does."""
    low, high = -1, discordant + 1
    while high - low > 1:
        losses = (low + high) // 2
        if tango_z(losses, discordant - losses, cases, margin) <= z:
            low = losses
        else:
            high = losses
    return low


def _discordant(cases: int, discordance: float) -> tuple[Integers, Floats]:
    """The numbers of discordant pairs that occur, ten standard deviations around their mean, and how often they do."""
    from scipy.special import gammaln, xlog1py, xlogy

    centre, reach = cases * discordance, 10 * math.sqrt(cases * discordance * (1 - discordance)) + 20
    numbers = np.arange(max(0, math.floor(centre - reach)), min(cases, math.ceil(centre + reach)) + 1, dtype=np.int64)
    ways = gammaln(cases + 1) - gammaln(numbers + 1) - gammaln(cases - numbers + 1)
    logs = ways + xlogy(numbers, discordance) + xlog1py(cases - numbers, -discordance)
    return numbers, np.exp(logs)


def _power(numbers: Integers, weights: Floats, losing: float, alpha: float) -> float:
    """The mean over numbers of discordant pairs of P(losses are critical), each lost with probability `losing`."""
    from scipy.special import bdtrc

    critical = _critical_losses(numbers, alpha)
    reached = np.where(critical > numbers, 0.0, bdtrc(np.minimum(critical, numbers) - 1.0, numbers, losing))
    return min(1.0, float(weights @ reached))


def _critical_losses(numbers: Integers, alpha: float) -> Integers:
    """For each number of discordant pairs the fewest losses whose mid-p is at most alpha; one more where none is."""
    guess = np.floor(numbers / 2 - normal_quantile(alpha) * np.sqrt(numbers) / 2).astype(np.int64)
    critical = np.clip(guess, 0, numbers + 1)
    while (low := (critical > 0) & (_mid_p(critical - 1, numbers) <= alpha)).any():
        critical = critical - low
    while (high := (critical <= numbers) & (_mid_p(critical, numbers) > alpha)).any():
        critical = critical + high
    return critical


def _mid_p(losses: Integers, numbers: Integers) -> Floats:
    """P(X > losses) + P(X = losses) / 2 for X ~ Bin(number, 1/2); 0 beyond the number."""
    above, reached = _half_tail(losses, numbers), _half_tail(losses - 1, numbers)
    middle: Floats = (above + reached) / 2
    return middle


def _half_tail(losses: Integers, numbers: Integers) -> Floats:
    """P(X > losses)."""
    from scipy.special import bdtrc

    inside = np.clip(losses, 0, numbers)
    tail: Floats = np.where(losses < 0, 1.0, np.where(losses >= numbers, 0.0, bdtrc(inside, numbers, 0.5)))
    return tail
