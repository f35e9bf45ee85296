"""Targets side by side as a chart, `.svg`: pass rate with its interval against cost, or against latency.

Written by hand: no package that draws is needed, nothing in the file is loaded or run, and it prints well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO
from xml.sax.saxutils import escape

from llmctl.compare.targets.report import BankComparison, ComparedTarget, TargetComparison
from llmctl.report.compare_words import target_name
from llmctl.report.numbers import latency, money
from llmctl.safe_text import one_line, safe_text

__all__ = ["write_comparison_svg"]

_WIDTH, _HEIGHT = 760, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 30, 56, 56
_LOGARITHMIC_FROM = 20.0
"""Where the largest value is so many times the smallest, the axis is logarithmic."""
_LINE_PX = 14
_HALO: dict[str, str | int] = {"paint_order": "stroke", "stroke": "#ffffff", "stroke_width": 3}
"""Around a name, which may lie on another target's line."""
_INK, _FAINT, _FRONT, _REST = "#1f2430", "#c9ced8", "#1b6ac9", "#7a8291"


@dataclass(frozen=True, slots=True)
class _Axis:
    """From values to pixels."""

    title: str
    low: float
    high: float
    start_px: float
    end_px: float
    write: Callable[[float], str]
    logarithmic: bool = False

    def place(self, value: float) -> float:
        low, high, at = (math.log(one) if self.logarithmic else one for one in (self.low, self.high, value))
        share = (at - low) / (high - low) if high > low else 0.5
        return self.start_px + share * (self.end_px - self.start_px)

    @property
    def ticks(self) -> list[float]:
        if self.logarithmic:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            marks = [base * 10.0**power for power in range(first, last + 1) for base in (1, 2, 5)]
            return [mark for mark in marks if self.low <= mark <= self.high]
        step = _round_step((self.high - self.low) / 5)
        first = math.ceil(self.low / step - 1e-9)
        return [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _round_step(step: float) -> float:
    """The next of 1, 2 and 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(base * power for base in (1, 2, 5, 10) if base * power >= step * (1 - 1e-9))


def write_comparison_svg(file: TextIO, report: TargetComparison) -> None:
    """Write a chart for each bank, one below the other."""
    banks = [bank for bank in report.banks if bank.shared]
    height = _HEIGHT * max(1, len(banks))
    file.write(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="12" role="img">\n'
    )
    file.write(f"<title>{_text(f'Targets of {report.title}', 200)}</title>\n")
    file.write(f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>\n')
    if not banks:
        file.write(_label(_WIDTH / 2, _HEIGHT / 2, "Nothing can be compared.", "middle"))
    for number, bank in enumerate(banks):
        file.write(f'<g transform="translate(0 {number * _HEIGHT})">\n')
        file.writelines(_panel(bank))
        file.write("</g>\n")
    file.write("</svg>\n")


def _panel(bank: BankComparison) -> Iterator[str]:
    value, across = _across(bank.targets)
    up = _up(bank.targets)
    yield _label(_LEFT, 22, one_line(bank.bank, 60), "start", font_size=15, font_weight="bold")
    said = f"{bank.shared:,} cases, the same for every target. Lines: 95 % intervals. Filled: on the Pareto front."
    yield _label(_LEFT, 40, said, "start", fill=_REST)
    yield from _grid(across, up)
    drawn = [(target, across.place(value(target) or 0.0), up.place(_rate(target))) for target in bank.targets]
    for target, x, y in drawn:
        yield from _point(target, x, y, up)
    yield from _names(drawn)


def _across(targets: Sequence[ComparedTarget]) -> tuple[Callable[[ComparedTarget], float | None], _Axis]:
    """Cost where it is known of all and not the same, else the median latency."""

    def cost(target: ComparedTarget) -> float | None:
        return target.cost_per_1000_usd

    def median(target: ComparedTarget) -> float | None:
        return target.latency_p50_ms

    costs = [target.cost_per_1000_usd for target in targets]
    if None not in costs and len(set(costs)) > 1:
        return cost, _scale("cost of 1,000 cases", [one or 0.0 for one in costs], money)
    return median, _scale("median latency", [target.latency_p50_ms or 0.0 for target in targets], latency)


def _scale(title: str, values: Sequence[float], write: Callable[[float], str]) -> _Axis:
    least, most = min(values), max(values)
    ends = (_LEFT, _WIDTH - _RIGHT)
    if least > 0 and most / least >= _LOGARITHMIC_FROM:
        return _Axis(f"{title} (logarithmic)", least / 1.5, most * 1.5, *ends, write, logarithmic=True)
    return _Axis(title, 0.0, most * 1.1 or 1.0, *ends, write)


def _up(targets: Sequence[ComparedTarget]) -> _Axis:
    lows = [target.rate.interval.low if target.rate.interval else _rate(target) for target in targets]
    low = max(0.0, math.floor(10 * min(lows) - 1e-9) / 10)
    return _Axis("pass rate", low, 1.0, _HEIGHT - _BOTTOM, _TOP, lambda share: f"{100 * share:.0f} %")


def _grid(across: _Axis, up: _Axis) -> Iterator[str]:
    for tick in up.ticks:
        y = up.place(tick)
        yield _line(_LEFT, y, _WIDTH - _RIGHT, y, _FAINT, 0.6)
        yield _label(_LEFT - 8, y + 4, up.write(tick), "end")
    bottom = _HEIGHT - _BOTTOM
    yield _line(_LEFT, bottom, _WIDTH - _RIGHT, bottom, _INK, 1)
    for tick in across.ticks:
        x = across.place(tick)
        yield _line(x, bottom, x, bottom + 5, _INK, 1)
        yield _label(x, bottom + 20, across.write(tick), "middle")
    yield _label((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 14, across.title, "middle", fill=_REST)


def _point(target: ComparedTarget, x: float, y: float, up: _Axis) -> Iterator[str]:
    colour = _FRONT if target.on_front else _REST
    interval = target.rate.interval
    if interval:
        yield _line(x, up.place(interval.low), x, up.place(interval.high), colour, 1.5)
    fill = colour if target.on_front else "#ffffff"
    tip = f"{target_name(target.name)}: {100 * _rate(target):.1f} %"
    yield (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5.5" fill="{fill}" stroke="{colour}" stroke-width="1.8">'
        f"<title>{_text(tip, 200)}</title></circle>\n"
    )


def _names(drawn: Sequence[tuple[ComparedTarget, float, float]]) -> Iterator[str]:
    """A name beside each point, on the side with more room, moved down where it would lie on another."""
    taken: list[tuple[float, bool]] = []
    for target, x, y in sorted(drawn, key=lambda one: one[2]):
        left = x > _WIDTH * 0.6
        line = y + 4
        while any(side is left and abs(line - other) < _LINE_PX for other, side in taken):
            line += 1
        taken.append((line, left))
        name = one_line(str(target.name), 44)
        weight = "bold" if target.on_front else "normal"
        yield _label(x - 11 if left else x + 11, line, name, "end" if left else "start", font_weight=weight, **_HALO)


def _rate(target: ComparedTarget) -> float:
    return target.rate.passed / target.rate.evidence if target.rate.evidence else 0.0


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width:g}"/>\n'
    )


def _label(x: float, y: float, text: str, anchor: str, **style: str | int) -> str:
    """Text at a point; `style`: attributes such as `fill`."""
    attributes = {"fill": _INK, **style}
    written = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{written}>{_text(text, 200)}</text>\n'


def _text(text: str, width: int) -> str:
    return escape(safe_text(one_line(text, width)))
