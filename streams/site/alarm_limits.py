"""Reads what a site profile changes of the alarm limits in `kernels/alarms/rules`: `[alarms.<rule>]`."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Final

from streams.kernels.alarms.rules import CAPACITY, LEVELS, RULES, AlarmLimit, LimitRule
from streams.site.validation import ProfileTable

_MOST: Final = 1_000_000_000
_MOST_PERCENT: Final = 255
"""The largest level that the view `forecasts` holds."""


def read_alarms(top: ProfileTable) -> Mapping[str, LimitRule]:
    """Return every rule, with the figures of the profile where it has some; mistakes are noted in the table."""
    if not top.has("alarms"):
        return RULES
    table = top.table("alarms")
    return {name: _read_rule(table.table(name), rule) if table.has(name) else rule for name, rule in RULES.items()}


def _read_rule(table: ProfileTable, rule: LimitRule) -> LimitRule:
    """Read `limits = { orange = 11 }`, `dead_band` in the rule's unit, and delays in seconds."""
    changed = replace(
        rule,
        limits=_read_limits(table) or rule.limits,
        dead_band=_number(table, "dead_band", rule.dead_band),
        on_delay=round(1000 * _number(table, "on_delay", rule.on_delay / 1000)),
        off_delay=round(1000 * _number(table, "off_delay", rule.off_delay / 1000)),
        repeat=round(1000 * _number(table, "repeat", rule.repeat / 1000)),
    )
    lowest = changed.limits[0].value
    if changed.dead_band and changed.dead_band >= lowest:
        table.wrong("dead_band", f"{changed.dead_band:g} leaves nothing of the lowest limit, {lowest:g} {rule.unit}")
    elif rule.at_limit and not lowest:
        table.wrong("limits", "0 would be exceeded for ever; expected limits above 0")
    elif rule.name == CAPACITY:
        for limit in changed.limits:
            if limit.value % 1 or limit.value > _MOST_PERCENT:
                table.wrong("limits", f"{limit.value:g} %: expected whole numbers from 1 to {_MOST_PERCENT}")
    return changed


def _read_limits(table: ProfileTable) -> tuple[AlarmLimit, ...]:
    if not table.has("limits"):
        return ()
    levels = table.table("limits")
    limits = tuple(AlarmLimit(level, _number(levels, level, 0.0)) for level in LEVELS if levels.has(level))
    if not limits:
        table.wrong("limits", f"expected a limit for one of {', '.join(LEVELS)}, found none")
    if any(upper.value <= lower.value for lower, upper in pairwise(limits)):
        table.wrong("limits", "expected limits that rise from yellow to red")
    return limits


def _number(table: ProfileTable, key: str, default: float) -> float:
    expected = f"a number from 0 to {_MOST:,}"
    return float(table.take(key, expected, int, float, fits=lambda n: 0 <= n <= _MOST, default=default))
