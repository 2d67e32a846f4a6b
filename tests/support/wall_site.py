"""A small site for the wall's tests, and rows of it that a test changes one at a time.

outside --N1--> venue --H1--> hall     persons; N1 has three lanes, N2 (also into the venue) has two
outside --P1--> park                   vehicles
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dashboards.wall.model.figures import EntranceNow, WallSnapshot
from dashboards.wall.model.options import WallOptions
from dashboards.wall.model.rows import (
    STEP,
    AreaRow,
    DeviceRow,
    EntranceTotalRow,
    FlowRow,
    ForecastRow,
    LogRow,
    QueueRow,
    Span,
    StepRow,
    TodayRow,
    TrendRows,
    WallRows,
    span_of,
)
from dashboards.wall.model.scopes import Scope
from dashboards.wall.model.snapshot import snapshot_of
from streams.kernels.alarms.episodes import Episode
from streams.kernels.counts.site_clock import SiteClock
from streams.site.model import Site
from streams.site.reader import parse_site

NASTY = "<img src=x onerror=alert(1)>"

AROUND = """
id = "small"
title = { zh = "小展馆", en = "Small hall" }
time_zone = "Asia/Shanghai"
opening = { daily = "08:00-20:00" }
grid = [{ id = "G", title = { zh = "格", en = "Grid" } }]
unit = [{ id = "U", grid = "G", title = { zh = "元", en = "Unit" } }]
zone = [{ id = "Z", unit = "U", title = { zh = "区", en = "Zone" }, team = { zh = "组", en = "Team" } }]
category = [{ id = "visitor", title = { zh = "观展", en = "Visitor" }, colour = "#22c55e" }]
vehicle_class = [{ id = "car", title = { zh = "车", en = "Car" }, colour = "#2222ee" }]
area = [
  { id = "venue", title = { zh = "公共区", en = "Venue" }, capacity = { person = 1000 } },
  { id = "hall", title = { zh = "一号馆", en = "Hall" }, capacity = { person = 200 } },
  { id = "park", title = { zh = "停车场", en = "Park" }, capacity = { vehicle = 50 } },
]
"""


def _entrance(name: str, zh: str, en: str, *, kind: str, way: tuple[str, str], lanes: int) -> str:
    titles = f'title = {{ zh = "{zh}", en = "{en}" }}'
    sides = f'kind = "{kind}"\nouter = "{way[0]}"\ninner = "{way[1]}"'
    return f'[[entrance]]\nid = "{name}"\n{titles}\n{sides}\nzone = "Z"\nlanes = {lanes}\n'


PROFILE = "\n".join(
    [
        AROUND,
        _entrance("N1", "北一口", "North 1", kind="person", way=("outside", "venue"), lanes=3),
        _entrance("N2", NASTY, "North 2", kind="person", way=("outside", "venue"), lanes=2),
        _entrance("H1", "馆门", "Door", kind="person", way=("venue", "hall"), lanes=1),
        _entrance("P1", "车场口", "Cars", kind="vehicle", way=("outside", "park"), lanes=1),
    ]
)

ZONE = "Asia/Shanghai"
SITE: Site = parse_site(PROFILE, source="small.toml")
CLOCK = SiteClock()
OPTIONS = WallOptions(clock=CLOCK)
PERSONS = Scope("person")


def at(clock: str, day: str = "2026-11-07") -> int:
    """Return the time `clock` in Shanghai in milliseconds since 1970-01-01 UTC."""
    return round(datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=ZoneInfo(ZONE)).timestamp() * 1000)


NOON = at("12:00:30")


def log(complete_to: int, *, partition: int = 0, cluster: str = "live", rejected: int = 0) -> LogRow:
    return LogRow(f"{cluster}/turnstile.passages/{partition}", cluster, rejected, complete_to)


def alarm_log(judged_to: int, *, cluster: str = "live") -> LogRow:
    return LogRow(f"{cluster}/alarm.inputs/0", cluster, 0, judged_to)


def alarm(subject: str = "N1", **given: Any) -> Episode:
    """Return an overload of an entrance that nobody has acknowledged, raised at a quarter to twelve."""
    raised = given.get("raised_at", at("11:45:00"))
    rule = given.get("rule", "entrance-overload")
    usual = Episode(
        f"{rule}:{subject}:{raised}", rule, subject, "", "Z", "orange", "raised", "raised", 1, 14.26, 11.0,
        "persons/min/lane", raised, raised,
    )  # fmt: skip
    return replace(usual, **given)


def forecast(area: str, level: int, minutes: int | None, **given: Any) -> ForecastRow:
    """Return a forecast from half a minute before noon, for the figures of noon."""
    earliest, latest = (None, None) if minutes is None else (minutes * 3 // 4, minutes * 3 // 2)
    usual = ForecastRow(area, "person", level, NOON - 30_000, minutes, earliest, latest)
    return usual._replace(**given)


def queue(entrance: str, wait: float | None, **given: Any) -> QueueRow:
    """Return a reckoning of a queue from the last full minute before noon's figures, with two lanes open."""
    low, high = (None, None) if wait is None else (wait / 2, wait * 2)
    return QueueRow(entrance, NOON - 30_000, 2, wait, low, high)._replace(**given)


def flow(entrance: str, direction: str, passages: int, *, end: int = NOON - 30_000) -> FlowRow:
    """Return passages that were even over the five minutes before `end` and absent before."""
    even = passages // 5
    return FlowRow(entrance, direction, even, passages - even, passages, passages, end - 5 * 60_000)


def span(logs: Sequence[LogRow] = (), real_ms: int = NOON, clock: SiteClock = CLOCK) -> Span:
    return span_of(logs, clock, real_ms, SITE)


def reading(real_ms: int = NOON, *, logs: Sequence[LogRow] | None = None, **rows: Any) -> WallRows:
    """Return a reading of a running site, one second old; `rows` replace its tables."""
    logs = [log(real_ms - 1000), alarm_log(real_ms - 900)] if logs is None else logs
    where = span(logs, real_ms)
    flows = [("N1", "in", 50), ("N1", "out", 10), ("N2", "in", 100), ("P1", "in", 5)]
    usual = WallRows(
        real_ms,
        where,
        logs,
        today=[TodayRow("person", 900, 300, 700, 5), TodayRow("vehicle", 40, 10, 39, 0)],
        areas=[
            AreaRow("venue", "person", real_ms, 480, 1000),
            AreaRow("hall", "person", real_ms, 120, 200),
            AreaRow("park", "vehicle", real_ms, 30, 50),
        ],
        totals=[
            EntranceTotalRow(entrance, direction, passages)
            for entrance, passed in {"N1": (600, 200), "N2": (300, 100), "H1": (150, 30), "P1": (40, 10)}.items()
            for direction, passages in zip(("in", "out"), passed, strict=True)
        ],
        flows=[flow(*each, end=where.end) for each in flows],
        devices=[DeviceRow(lane, gate.id, 0, real_ms - 2000) for gate in SITE.entrances for lane in gate.lanes],
        episodes=(),
    )  # fmt: skip
    return replace(usual, **rows)


def trend_reading(where: Span, scope: Scope = PERSONS) -> TrendRows:
    """Return a morning in which 30 came in and 10 went out in one step."""
    newest = where.end - where.end % STEP - STEP
    return TrendRows(where, scope, [StepRow(newest, "in", "visitor", 30), StepRow(newest, "out", "visitor", 10)])


def snapshot(of: WallRows | None = None, clock: SiteClock = CLOCK) -> WallSnapshot:
    return snapshot_of(reading() if of is None else of, SITE, WallOptions(clock=clock))


def gate(name: str, picture: WallSnapshot) -> EntranceNow:
    return next(row for row in picture.entrances if row.id == name)
