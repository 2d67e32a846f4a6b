"""Plots events a second of all contenders as SVG: median as a dot, range as a line. Pure.

The axis is logarithmic, since the slowest and the fastest are a hundredfold apart.
"""

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from infra.loadtest.plots import COLOURS
from tests.benchmarks.peers.contender import Contender
from tests.benchmarks.peers.judge import Spread, Summary

_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 760, 230, 90, 40, 40
_ROW: Final = 40
_APART: Final = 15
_STYLE: Final = (
    "text { font: 13px system-ui, sans-serif; fill: #333; } .tick { fill: #666; font-size: 12px; } "
    ".grid { stroke: #ddd; } .range { stroke-width: 3; stroke-linecap: round; opacity: .5; }"
)


def plot(summaries: Sequence[Summary], lineup: Sequence[Contender]) -> str:
    """Return the whole picture; whoever never came to an end is left out."""
    rates = {(each.contender, each.frame): each.rate for each in summaries if each.rate}
    frames = sorted({frame for _, frame in rates})
    shown = [contender for contender in lineup if any((contender.name, frame) in rates for frame in frames)]
    decades = _decades([rate for rate in rates.values() if rate])
    height = _TOP + _ROW * len(shown) + _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>Events a second on one core</title><style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        *_legend(frames),
        *_grid(decades, height),
    ]
    for number, contender in enumerate(shown):
        y = _TOP + _ROW * (number + 0.5)
        parts.append(f'<text x="{_LEFT - 12}" y="{y + 4:.0f}" text-anchor="end">{escape(contender.title)}</text>')
        for place, frame in enumerate(frames):
            rate = rates.get((contender.name, frame))
            if rate:
                offset = (place - (len(frames) - 1) / 2) * _APART
                parts += _dot(rate, decades, y + offset, COLOURS[place % len(COLOURS)])
    return "\n".join([*parts, "</svg>", ""])


def _decades(rates: Sequence[Spread]) -> tuple[int, int]:
    """Return the powers of ten below the lowest and above the highest rate."""
    lowest = min((rate.low for rate in rates), default=1.0)
    highest = max((rate.high for rate in rates), default=10.0)
    return math.floor(math.log10(lowest)), math.ceil(math.log10(highest))


def _x(rate: float, decades: tuple[int, int]) -> float:
    low, high = decades
    return _LEFT + (math.log10(rate) - low) / max(high - low, 1) * (_WIDTH - _LEFT - _RIGHT)


def _grid(decades: tuple[int, int], height: int) -> list[str]:
    parts = []
    for decade in range(decades[0], decades[1] + 1):
        x = _x(10.0**decade, decades)
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{height - _BOTTOM}"/>')
        text = f"{10**decade:,}"
        parts.append(f'<text class="tick" x="{x:.1f}" y="{height - _BOTTOM + 18}" text-anchor="middle">{text}</text>')
    return parts


def _dot(rate: Spread, decades: tuple[int, int], y: float, colour: str) -> list[str]:
    low, middle, high = (_x(each, decades) for each in (rate.low, rate.median, rate.high))
    return [
        f'<line class="range" stroke="{colour}" x1="{low:.1f}" y1="{y:.1f}" x2="{high:.1f}" y2="{y:.1f}"/>',
        f'<circle cx="{middle:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>',
        f'<text class="tick" x="{high + 8:.1f}" y="{y + 4:.1f}">{rate.median:,.0f}</text>',
    ]


def _legend(frames: Sequence[int]) -> list[str]:
    parts = ['<text x="12" y="22">events a second, one core</text>']
    for place, frame in enumerate(frames):
        x, colour = _LEFT + 170 * place, COLOURS[place % len(COLOURS)]
        parts.append(f'<circle cx="{x}" cy="18" r="4" fill="{colour}"/>')
        parts.append(f'<text x="{x + 10}" y="22">{frame} to a message</text>')
    return parts
