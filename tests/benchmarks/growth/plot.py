"""Plots how cost grows with one size while the others stay the same; next: `page.py`. Pure."""

from collections.abc import Callable, Sequence
from math import log10
from typing import Final

from infra.loadtest.plots import Axis, Series, axis, chart
from tests.benchmarks.growth.cases import Case, Measured
from tests.benchmarks.growth.tables import microseconds

_STYLE: Final = (
    "<style>text{font:12px sans-serif}.grid{stroke:#ddd}.tick{fill:#555}.line{fill:none;stroke-width:2}"
    "svg{background:#fff}</style>"
)
_SIZES: Final[tuple[tuple[str, Callable[[Case], int]], ...]] = (
    ("entrances 出入口", lambda case: case.entrances),
    ("devices 设备", lambda case: case.devices),
    ("passages 事件", lambda case: case.events),
)


def growth(results: Sequence[Measured]) -> str:
    """Draw µs a passage of a backlog against each size, as times its smallest; an SVG file's text."""
    backlog = [each for each in results if each.case.kind == "backlog"]
    lines = [Series(name, _line(backlog, size), dots=True) for name, size in _SIZES]
    highest = max((microseconds(each) for each in backlog), default=1.0)
    across = Axis("times the smallest 相对最小规模的倍数", [(power, f"{10**power} ×") for power in range(3)])
    drawn = chart("µs a passage 每事件微秒", across, axis("µs a passage 每事件微秒", highest), lines)
    head, body = drawn.split("\n", 1)
    alone = head.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')
    return f"{alone}\n{_STYLE}\n{body}\n"


def _line(backlog: Sequence[Measured], size: Callable[[Case], int]) -> list[tuple[float, float]]:
    """Return the cases in which this size alone differs from most others, from the smallest on."""
    others = [each for _, each in _SIZES if each is not size]
    usual = {each: _usual([each(measured.case) for measured in backlog]) for each in others}
    alone = [each for each in backlog if all(other(each.case) == usual[other] for other in others)]
    found = sorted((size(each.case), microseconds(each)) for each in alone)
    return [(log10(value / found[0][0]), cost) for value, cost in found]


def _usual(values: Sequence[int]) -> int:
    return max(set(values), key=values.count)
