"""Draws line charts as SVG, without scripts or files from elsewhere; next: `page.py`. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Point: TypeAlias = tuple[float, float]

COLOURS: Final = ("#1f5fa8", "#c25a12", "#4b7a2b")
_WIDTH, _HEIGHT = 760, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 744, 30, 216
"""Where the axes end."""


@dataclass(frozen=True)
class Series:
    """One line: points in the order of x; `dots` draws each point, too."""

    name: str
    points: Sequence[Point]
    dots: bool = False


@dataclass(frozen=True)
class Axis:
    """An axis: its title, the places of its marks, and their labels."""

    title: str
    ticks: Sequence[tuple[float, str]]

    def place(self, value: float, begin: float, end: float) -> float:
        """Return where a value is on an axis drawn from `begin` to `end`; one beyond the axis is at its end."""
        low, high = self.ticks[0][0], self.ticks[-1][0]
        share = (value - low) / ((high - low) or 1)
        return begin + min(max(share, 0.0), 1.0) * (end - begin)


def axis(title: str, highest: float) -> Axis:
    """Return an axis from 0 to a round number not below `highest`, with four to six marks."""
    step = _round_step(max(highest, 1e-9) / 5)
    count = max(1, math.ceil(highest / step - 1e-9))
    return Axis(title, [(number * step, f"{number * step:,.10g}") for number in range(count + 1)])


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


def chart(title: str, across: Axis, up: Axis, series: Sequence[Series], mark: tuple[float, str] | None = None) -> str:
    """Return one chart of at most three series as an SVG element; a point beyond an axis is drawn at its end.

    `mark` is a height that means something, and its name.
    """
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>",
    ]
    for value, text in up.ticks:
        y = _y(value, up)
        parts += [_level("grid", y), _text("tick", _LEFT - 6, y + 4, text, anchor="end")]
    for value, text in across.ticks:
        parts.append(_text("tick", _x(value, across), _BOTTOM + 16, text, anchor="middle"))
    parts.append(_text("axis", (_LEFT + _RIGHT) / 2, _HEIGHT - 8, across.title, anchor="middle"))
    parts.append(_text("axis", 4, 14, up.title))
    if mark is not None:
        y = _y(mark[0], up)
        parts += [_level("mark", y), _text("tick", _RIGHT, y - 4, mark[1], anchor="end")]
    for each, colour in zip(series, COLOURS, strict=False):
        placed = [(_x(x, across), _y(y, up)) for x, y in each.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f'<polyline class="line" stroke="{colour}" points="{path}"/>')
        if each.dots:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in placed]
    return "\n".join([*parts, *_legend(series), "</svg>"])


def _x(value: float, across: Axis) -> float:
    return across.place(value, _LEFT, _RIGHT)


def _y(value: float, up: Axis) -> float:
    return up.place(value, _BOTTOM, _TOP)


def _level(kind: str, y: float) -> str:
    return f'<line class="{kind}" x1="{_LEFT}" y1="{y:.1f}" x2="{_RIGHT}" y2="{y:.1f}"/>'


def _text(kind: str, x: float, y: float, text: str, *, anchor: str = "start", fill: str = "") -> str:
    colour = f' fill="{fill}"' if fill else ""
    return f'<text class="{kind}" text-anchor="{anchor}" x="{x:.1f}" y="{y:.1f}"{colour}>{escape(text)}</text>'


def _legend(series: Sequence[Series]) -> list[str]:
    parts, x = [], _RIGHT
    for each, colour in reversed(list(zip(series, COLOURS, strict=False))):
        parts.append(_text("legend", x, 14, each.name, anchor="end", fill=colour))
        # A Chinese letter takes about twice the room of a Latin one.
        x -= 24 + sum(13 if ord(letter) > 0x2E80 else 7 for letter in each.name)
    return parts
