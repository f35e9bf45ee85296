"""How numbers are written for people: never rounded to a better fact, and unknown where they are unknown."""

from __future__ import annotations

import math

from llmctl.report.model import Amount, Summary
from llmctl.stats.intervals import Interval

__all__ = [
    "UNKNOWN",
    "calls",
    "count",
    "coverage",
    "duration",
    "interval_text",
    "latency",
    "money",
    "money_amount",
    "percent",
    "rate",
    "rate_sentence",
    "short_count",
    "token_amount",
    "tokens",
]

NONE = "-"
"""Where there is no number."""
UNKNOWN = "unknown"


def count(number: int) -> str:
    """`12,345`."""
    return f"{number:,}"


def short_count(number: float) -> str:
    """`987`, `12.3k`, `4.5M`: at most six characters."""
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        # 999,950 would be written 1000.0k.
        if number >= size * 0.99995 and number >= 1000:
            return f"{number / size:.1f}{suffix}"
    return f"{number:.0f}"


def percent(part: float, whole: float) -> str:
    """`90.0 %`; 100 only where the part is the whole, and 0 only where it is nothing."""
    share = 100 * part / whole
    if part < whole and share > 99.9:
        share = 99.9
    if part > 0 and share < 0.1:
        share = 0.1
    return "100 %" if part == whole else f"{share:.1f} %"


def interval_text(interval: Interval) -> str:
    """`[70, 97]` in per cent, with one decimal where it is narrower than five points."""
    low, high = 100 * interval.low, 100 * interval.high
    digits = 0 if high - low >= 5 else 1
    # Rounded outward: the interval as printed holds the interval as computed.
    step = 10**digits
    low, high = math.floor(low * step + 1e-9) / step, math.ceil(high * step - 1e-9) / step
    return f"[{low:.{digits}f}, {high:.{digits}f}]"


def rate(summary: Summary) -> str:
    """`90.0 % [69, 98]`, or `-` without evidence."""
    if summary.interval is None:
        return NONE
    return f"{percent(summary.passed, summary.evidence)} {interval_text(summary.interval)}"


def rate_sentence(summary: Summary) -> str:
    """`90.0 % (95 % interval 69 to 98)`."""
    if summary.interval is None:
        return "no pass rate"
    low, high = interval_text(summary.interval).strip("[]").split(", ")
    return f"{percent(summary.passed, summary.evidence)} (95 % interval {low} to {high})"


def coverage(summary: Summary) -> str:
    """`95.0 %`, or `?` where the plan of this part is not known."""
    if summary.covered:
        return "100 %"
    return percent(summary.evidence, summary.planned) if summary.planned else "?"


def latency(milliseconds: float | None) -> str:
    """`210 ms`, `1.42 s`, `14.2 s`, `142 s`."""
    if milliseconds is None:
        return NONE
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms" if milliseconds >= 10 or milliseconds == 0 else f"{milliseconds:.1f} ms"
    seconds = milliseconds / 1000
    digits = 2 if seconds < 9.995 else 1 if seconds < 99.95 else 0
    return f"{seconds:.{digits}f} s"


def duration(seconds: float | None) -> str:
    """`4.2 s`, `3 min 12 s`, `1 h 5 min`."""
    if seconds is None:
        return NONE
    if seconds < 59.95:
        return f"{max(seconds, 0):.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def money(usd: float) -> str:
    """`$1.23`, and below a dollar two significant digits: `$0.0021`."""
    if usd == 0 or usd >= 1:
        return f"${usd:,.2f}"
    digits = max(2, 1 - math.floor(math.log10(usd)))
    return f"${usd:.{digits}f}"


def money_amount(amount: Amount, *, at_least: str = ">=") -> str:
    """A sum of money: exact, `>= $0.12` where a part is unknown, or `unknown`."""
    if not amount.unknown:
        return money(amount.known)
    return f"{at_least} {money(amount.known)}" if amount.known else UNKNOWN


def tokens(summary: Summary) -> Amount:
    """Tokens in and out together."""
    return Amount(
        summary.input_tokens.known + summary.output_tokens.known,
        summary.input_tokens.unknown + summary.output_tokens.unknown,
    )


def calls(summary: Summary) -> str:
    """`1,200 calls sent, 800 answers reused`."""
    sent = f"{count(summary.sent) if summary.sent else 'no'} {'call' if summary.sent in (0, 1) else 'calls'} sent"
    reused = f"{count(summary.cached)} {'answer' if summary.cached == 1 else 'answers'} reused"
    return f"{sent}, {reused}" if summary.cached else sent


def token_amount(amount: Amount, *, short: bool = False, at_least: str = ">=") -> str:
    """A sum of tokens: exact, `>= 1,234` where a part is unknown, or `unknown`."""
    text = short_count(amount.known) if short else count(round(amount.known))
    if not amount.unknown:
        return text
    return f"{at_least} {text}" if amount.known else UNKNOWN
