"""Draws line charts as SVG, without scripts or files from elsewhere; next: `page.py`. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Point: TypeAlias = tuple[float, float]

_WIDTH, _HEIGHT = 760, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 16, 30, 44
COLOURS: Final = ("#1f5fa8", "#c25a12", "#4b7a2b")


@dataclass(frozen=True)
class Series:
    """One line: points in the order of x; `dots` draws each point, too."""

    name: str
    points: Sequence[Point]
    dots: bool = False


@dataclass(frozen=True)
class Mark:
    """A horizontal line that means something."""

    name: str
    y: float


@dataclass(frozen=True)
class Axis:
    """An axis: its title, the places of its marks, and their labels."""

    title: str
    ticks: Sequence[tuple[float, str]]

    @property
    def low(self) -> float:
        """Return the lowest value on it."""
        return self.ticks[0][0]

    @property
    def high(self) -> float:
        """Return the highest value on it."""
        return self.ticks[-1][0]


def axis(title: str, highest: float, unit: str = "") -> Axis:
    """Return an axis from 0 to a round number not below `highest`, with four to six marks."""
    step = _round_step(max(highest, 1e-9) / 5)
    count = max(1, math.ceil(highest / step - 1e-9))
    return Axis(title, [(number * step, f"{number * step:,.10g}{unit}") for number in range(count + 1)])


def _round_step(least: float) -> float:
    """Return the next of 1, 2, 5, 10, 20, … that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * (1 - 1e-9))


def percentile_place(percentile: float) -> float:
    """Return the place of a percentile on an axis on which each nine more is a step: 0, 90, 99, 99.9 → 0 to 3."""
    return -math.log10(max(1 - percentile / 100, 1e-5))


PERCENTILES: Final = Axis(
    "percentile 百分位", [(percentile_place(each), f"{each:g} %") for each in (0, 90, 99, 99.9, 99.99)]
)


def chart(title: str, across: Axis, up: Axis, series: Sequence[Series], marks: Sequence[Mark] = ()) -> str:
    """Return one chart as an SVG element; a point beyond an axis is drawn at its end."""
    place = _placer(across, up)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>",
        *_grid(across, up, place),
        *(_mark(each, across, place) for each in marks),
        *(_line(each, colour, place) for each, colour in zip(series, _colours(series), strict=True)),
        *_legend(series),
        "</svg>",
    ]
    return "\n".join(parts)


def _colours(series: Sequence[Series]) -> list[str]:
    return [COLOURS[number % len(COLOURS)] for number in range(len(series))]


def _placer(across: Axis, up: Axis) -> Callable[[float, float], Point]:
    def place(x: float, y: float) -> Point:
        return (
            _LEFT + _share(x, across) * (_WIDTH - _LEFT - _RIGHT),
            _HEIGHT - _BOTTOM - _share(y, up) * (_HEIGHT - _TOP - _BOTTOM),
        )

    return place


def _share(value: float, along: Axis) -> float:
    return min(max((value - along.low) / ((along.high - along.low) or 1), 0.0), 1.0)


def _grid(across: Axis, up: Axis, place: Callable[[float, float], Point]) -> list[str]:
    parts = []
    for value, text in up.ticks:
        x, y = place(across.low, value)
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" text-anchor="end" x="{x - 6:.1f}" y="{y + 4:.1f}">{escape(text)}</text>')
    for value, text in across.ticks:
        x, y = place(value, up.low)
        parts.append(f'<text class="tick" text-anchor="middle" x="{x:.1f}" y="{y + 16:.1f}">{escape(text)}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    below = f'x="{middle}" y="{_HEIGHT - 8}"'
    parts.append(f'<text class="axis" text-anchor="middle" {below}>{escape(across.title)}</text>')
    parts.append(f'<text class="axis" x="4" y="14">{escape(up.title)}</text>')
    return parts


def _mark(mark: Mark, across: Axis, place: Callable[[float, float], Point]) -> str:
    (x1, y), (x2, _) = place(across.low, mark.y), place(across.high, mark.y)
    return (
        f'<line class="mark" x1="{x1:.1f}" y1="{y:.1f}" x2="{x2:.1f}" y2="{y:.1f}"/>'
        f'<text class="tick" text-anchor="end" x="{x2:.1f}" y="{y - 4:.1f}">{escape(mark.name)}</text>'
    )


def _line(series: Series, colour: str, place: Callable[[float, float], Point]) -> str:
    placed = [place(x, y) for x, y in series.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in placed)
    return f'<polyline class="line" stroke="{colour}" points="{path}"/>' + (dots if series.dots else "")


def _legend(series: Sequence[Series]) -> list[str]:
    parts, x = [], _WIDTH - _RIGHT
    for each, colour in reversed(list(zip(series, _colours(series), strict=True))):
        where = f'text-anchor="end" x="{x}" y="14"'
        parts.append(f'<text class="legend" {where} fill="{colour}">{escape(each.name)}</text>')
        x -= 24 + _text_width(each.name)
    return parts


def _text_width(text: str) -> int:
    """Return about how wide a text is: a Chinese letter takes twice the room of a Latin one."""
    return sum(13 if ord(letter) > 0x2E80 else 7 for letter in text)
