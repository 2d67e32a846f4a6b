"""The colours and limits of every dashboard; the colours are those of the wall page (`wall/static/wall.css`).

Read next: `panels.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from grafana_foundation_sdk.builders.dashboard import FieldColor
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig as Thresholds
from grafana_foundation_sdk.models.dashboard import (
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

from dashboards.messages.alarm_words import LEVEL_NAMES
from streams.site.model import Site
from streams.text import Text

COLOURS: Final[Mapping[str, str]] = {
    "text": "#eaf1f8",
    "faint": "#5d6e80",
    "in": "#43b9f5",
    "out": "#b59bff",
    "good": "#4fd08b",
    "yellow": "#ffd54a",
    "orange": "#ff9838",
    "red": "#ff5252",
}
"""By the names of the variables in the wall page's stylesheet."""

AGE_STEPS: Final = ((5, "yellow"), (30, "red"))
"""Seconds behind from which figures are stale, and from which nobody should act on them."""

ANY: Final = ((1, "yellow"),)
"""One is worth a look."""


def thresholds(
    steps: Sequence[tuple[float, str]], *, calm: str = "in", mode: ThresholdsMode = ThresholdsMode.ABSOLUTE
) -> Thresholds:
    """Colour by limits: `calm` below the first of `steps` (limit, colour)."""
    lowest = Threshold(value=None, color=COLOURS[calm])
    return Thresholds().mode(mode).steps([lowest, *(Threshold(limit, COLOURS[name]) for limit, name in steps)])


def share_of_capacity(site: Site, *, calm: str = "in", mode: ThresholdsMode = ThresholdsMode.ABSOLUTE) -> Thresholds:
    """Colour per cent of a capacity by the site's levels; in mode PERCENTAGE the panel's maximum is the capacity."""
    return thresholds([(percent, name) for name, percent in site.levels.items()], calm=calm, mode=mode)


def colours_at(site: Site) -> Text:
    """Say at which levels a share of a capacity changes its colour."""
    *lower, last = map(str, site.levels.values())
    first = f"{', '.join(lower)} and " if lower else ""
    return Text(f"{' / '.join([*lower, last])} % 变色。", f"colours at {first}{last} %.")


def fixed(name: str) -> FieldColor:
    """Use one colour."""
    return FieldColor().mode(FieldColorModeId.FIXED).fixed_color(COLOURS[name])


def level_mapping() -> list[object]:
    """Show the level of an alarm in both languages, in its colour."""
    words = {
        level: ValueMappingResult(text=f"{title.zh} / {title.en}", color=COLOURS[level], index=place)
        for place, (level, title) in enumerate(LEVEL_NAMES.items())
    }
    return [ValueMap(options=words).to_json()]
