"""Two plots as SVG text: points with a logarithmic x (Figure 1), and lines over shots."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_WIDTH, _HEIGHT = 760, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 300, 20, 52
# Colours that people with any kind of colour blindness tell apart (Okabe and Ito); marks differ
# besides, and every mark has its number in the legend.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5c00", "#333333")


@dataclass(frozen=True)
class Series:
    """Points `(x, y)` of one name; x above 0."""

    name: str
    points: tuple[tuple[float, float], ...]


def chart(series: Sequence[Series], x_name: str, y_name: str, *, joined: bool) -> str:
    """An SVG picture with a legend; joined: with lines between the points of a series."""
    xs = [x for one in series for x, _ in one.points]
    ys = [y for one in series for _, y in one.points]
    place_x, ticks_x = _log_axis(min(xs), max(xs), xs if joined else ())
    place_y, ticks_y = _linear_axis(min(ys), max(ys))
    height = max(_HEIGHT, _TOP + _BOTTOM + 22 * len(series))
    parts = [_frame(x_name, y_name)]
    parts += [_tick_x(place_x(value), _short(value)) for value in ticks_x]
    parts += [_tick_y(place_y(value), f"{value:g}") for value in ticks_y]
    for number, one in enumerate(series):
        colour = _COLOURS[number % len(_COLOURS)]
        places = [(place_x(x), place_y(y)) for x, y in sorted(one.points)]
        if joined and len(places) > 1:
            line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}"/>')
        parts += [_mark(x, y, number + 1, colour) for x, y in places]
        parts.append(_legend(number, one.name, colour))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" font-family="sans-serif" font-size="12" role="img">'
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>{"".join(parts)}</svg>'
    )


Placing = Callable[[float], float]


def _log_axis(low: float, high: float, at: Sequence[float]) -> tuple[Placing, list[float]]:
    """Ticks at given values, or at 1, 2 and 5 times powers of ten around the range."""
    ticks = sorted(set(at))
    if not ticks:
        powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
        steps = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
        below = max(step for step in steps if step <= low)
        above = min(step for step in steps if step >= high and step > below)
        ticks = [step for step in steps if below <= step <= above]
        if len(ticks) > 7:
            ticks = [t for t in ticks if math.log10(t).is_integer() or t in (below, above)]
    start, end = math.log(min(ticks)), math.log(max(ticks))
    room = (end - start) * 0.05 or 0.5
    start, end = start - room, end + room
    across = _WIDTH - _LEFT - _RIGHT
    return lambda value: _LEFT + (math.log(value) - start) / (end - start) * across, ticks


def _linear_axis(low: float, high: float) -> tuple[Placing, list[float]]:
    """Round ticks that enclose the range."""
    step = next(s for s in _steps() if (high - low) / s <= 6)
    first, last = math.floor(low / step), math.ceil(high / step)
    if first == last:
        first, last = first - 1, last + 1
    ticks = [round(index * step, 6) for index in range(first, last + 1)]
    down = _HEIGHT - _TOP - _BOTTOM
    span = ticks[-1] - ticks[0]
    return lambda value: _TOP + (ticks[-1] - value) / span * down, ticks


def _steps() -> list[float]:
    return [factor * 10.0**power for power in range(-2, 4) for factor in (1, 2, 5)]


def _short(value: float) -> str:
    """`8.7M`, `20k`, `16`."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"


def _frame(x_name: str, y_name: str) -> str:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    middle = (_TOP + bottom) / 2
    return (
        f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" fill="none" stroke="#444"/>'
        f'<text x="{(_LEFT + right) / 2}" y="{_HEIGHT - 10}" text-anchor="middle">'
        f"{html.escape(x_name)}</text>"
        f'<text transform="translate(16 {middle}) rotate(-90)" text-anchor="middle">'
        f"{html.escape(y_name)}</text>"
    )


def _tick_x(x: float, text: str) -> str:
    bottom = _HEIGHT - _BOTTOM
    return (
        f'<path d="M{x:.1f} {_TOP}V{bottom}" stroke="#e5e5e5"/>'
        f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{text}</text>'
    )


def _tick_y(y: float, text: str) -> str:
    return (
        f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#e5e5e5"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
    )


def _mark(x: float, y: float, number: int, colour: str) -> str:
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="{colour}"/>'
        f'<text x="{x:.1f}" y="{y + 3.5:.1f}" text-anchor="middle" fill="#fff" font-size="10">'
        f"{number}</text>"
    )


def _legend(index: int, name: str, colour: str) -> str:
    x, y = _WIDTH - _RIGHT + 24, _TOP + 12 + 22 * index
    short = name if len(name) <= 42 else f"{name[:41]}…"
    return (
        f"{_mark(x, y, index + 1, colour)}"
        f'<text x="{x + 14}" y="{y + 4}"><title>{html.escape(name)}</title>'
        f"{html.escape(short)}</text>"
    )
