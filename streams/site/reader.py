"""Reads a site profile from TOML into a `Site`, and lists every mistake with its line and key.

`validation` collects mistakes, `toml_lines` finds their lines, `alarm_limits`, `plan` and `screens` read their parts.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from streams.kernels.counts.place import MOST_AREAS, MOST_LANES, MOST_SITE_CATEGORIES, MOST_SITE_ENTRANCES
from streams.site.alarm_limits import read_alarms
from streams.site.model import (
    OUTSIDE,
    WEEKDAYS,
    Area,
    Category,
    Entrance,
    Grid,
    Opening,
    PlanRectangle,
    Site,
    Unit,
    Zone,
)
from streams.site.plan import read_plan
from streams.site.screens import Screen, check_screens, overview, read_screen
from streams.site.toml_lines import error_line, key_lines
from streams.site.validation import IDENTIFIER, Findings, Mistake, ProfileTable
from streams.text import KINDS, Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.text import Kind

_AT_MOST = "a profile has {most} at most: make it several sites"
BUILTIN = Path(__file__).with_name("profiles")


class SiteError(ValueError):
    """A site profile cannot be used; every mistake in it is listed with its line and key."""

    def __init__(self, source: str, mistakes: Iterable[Mistake]) -> None:
        self.source = source
        self.mistakes = tuple(sorted(mistakes, key=lambda mistake: mistake.line))
        super().__init__("\n".join(f"{source}:{mistake}" for mistake in self.mistakes))


def load_site(name: str | Path) -> Site:
    """Read a profile: a path to a TOML file, or the name of one of `builtin_sites()`.

    Raises `SiteError` with every mistake in the file.
    """
    path = Path(name)
    if str(name) in builtin_sites():
        path = BUILTIN / f"{name}.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        names = ", ".join(builtin_sites())
        hint = f"cannot be read ({error}); give a UTF-8 file, or the name of a profile that comes along: {names}"
        raise SiteError(str(name), [Mistake(1, "the profile", hint)]) from error
    return parse_site(text, source=path.name)


def builtin_sites() -> tuple[str, ...]:
    """Return the names of the profiles that come with gatepulse."""
    return tuple(sorted(path.stem for path in BUILTIN.glob("*.toml")))


def parse_site(text: str, *, source: str) -> Site:
    """Return the site that `text` describes; the `SiteError` that lists what is wrong names `source`."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        mistake = Mistake(error_line(error), "the profile", f"is not TOML: {error}")
        raise SiteError(source, [mistake]) from error
    findings = Findings(key_lines(text))
    site = _read_site(ProfileTable(content, (), findings), findings)
    if findings.mistakes:
        raise SiteError(source, findings.mistakes)
    return site


def describe_site(site: Site) -> str:
    """Say in one line what a valid profile holds."""
    lanes = sum(len(entrance.lanes) for entrance in site.entrances)
    return (
        f"{site.id}: {len(site.areas)} areas, {len(site.entrances)} entrances with {lanes} lanes, "
        f"{len(site.categories)} categories, {len(site.vehicle_classes)} vehicle classes, "
        f"{len(site.zones)} zones"
    )


def _read_site(top: ProfileTable, findings: Findings) -> Site:
    """Read every table, then what holds between them."""
    grids, units, zones = _read_zones(top, findings)
    day_starts = top.day_starts("day_starts")
    areas = tuple(_read_area(table) for table in _listed(top, "area", findings, most=MOST_AREAS))
    entrances = tuple(_read_entrance(table, day_starts) for table in _listed(top, "entrance", findings))
    site = Site(
        id=top.identifier("id"),
        title=_title(top),
        time_zone=top.time_zone("time_zone"),
        opening=_read_opening(top.table("opening"), day_starts),
        capacity=_amounts(top, "capacity"),
        grids=grids,
        units=units,
        zones=zones,
        areas=areas,
        entrances=entrances,
        categories=_read_categories(top, "category", findings, needed="person", entrances=entrances),
        vehicle_classes=_read_categories(top, "vehicle_class", findings, needed="vehicle", entrances=entrances),
        alarms=read_alarms(top),
        screens=tuple(_read_screen(table, findings) for table in _listed(top, "screen", findings, least=0)),
        day_starts=day_starts,
    )
    top.end()
    site = site if site.screens else replace(site, screens=(_overview(site),))
    _check_entrances(site, findings)
    check_screens(site.screens, areas=[area.id for area in areas], zones=[zone.id for zone in zones], findings=findings)
    _check_reach(site, findings)
    return site


def _listed(
    top: ProfileTable, key: str, findings: Findings, *, least: int = 1, most: int = MOST_SITE_ENTRANCES
) -> list[ProfileTable]:
    """Return the tables of an array whose elements have an id each, no two alike."""
    tables = top.tables(key, least=least)
    if len(tables) > most:
        findings.add(tables[most].at("id"), f"there are {len(tables)} of these; {_AT_MOST.format(most=most)}")
    findings.unique("id", [(str(table.peek("id")), table.at("id")) for table in tables if table.has("id")])
    return tables


def _title(table: ProfileTable, key: str = "title") -> Text:
    names = table.table(key)
    title = Text(zh=names.text("zh", "a Chinese title"), en=names.text("en", "an English title"))
    names.end()
    return title


def _amounts(table: ProfileTable, key: str) -> dict[Kind, int]:
    return cast("dict[Kind, int]", table.amounts(key, KINDS))


def _read_opening(table: ProfileTable, day_starts: int) -> Opening:
    """Read `daily`, or a value for each weekday, or `daily` with the exceptions."""
    daily = table.hours("daily", day_starts) if table.has("daily") else None
    exceptions = WEEKDAYS if not table.has("daily") else tuple(day for day in WEEKDAYS if table.has(day))
    week = {day: table.hours(day, day_starts) for day in exceptions}
    table.end()
    return Opening(tuple(week.get(day, daily) for day in WEEKDAYS))


def _read_zones(top: ProfileTable, findings: Findings) -> tuple[tuple[Grid, ...], tuple[Unit, ...], tuple[Zone, ...]]:
    """Read grid > unit > zone; each names the one it lies in."""
    grids, units, zones, places = [], [], [], []
    for table in _listed(top, "grid", findings, least=0):
        grids.append(Grid(table.identifier("id"), _title(table)))
        table.end()
    for table in _listed(top, "unit", findings, least=0):
        units.append(Unit(table.identifier("id"), _title(table), table.identifier("grid")))
        places.append((units[-1].grid, table.at("grid")))
        table.end()
    findings.known("grid", [grid.id for grid in grids], places)
    grid_of = {unit.id: unit.grid for unit in units}
    places = []
    for table in _listed(top, "zone", findings):
        unit = table.identifier("unit")
        zone_id = table.identifier("id")
        zones.append(Zone(zone_id, _title(table), _title(table, "team"), unit, grid_of.get(unit, "")))
        places.append((unit, table.at("unit")))
        table.end()
    findings.known("unit", list(grid_of), places)
    return tuple(grids), tuple(units), tuple(zones)


def _read_area(table: ProfileTable) -> Area:
    capacity, comfort = _amounts(table, "capacity"), _amounts(table, "comfort")
    kinds = tuple(kind for kind in KINDS if kind in capacity)
    if table.has("kinds"):
        named = table.take("kinds", "a list of 'person' and 'vehicle'", list) or []
        if not named or not set(map(str, named)) <= set(KINDS):
            table.wrong("kinds", f"expected a list of 'person' and 'vehicle', found {named}")
        kinds = tuple(kind for kind in KINDS if kind in named)
    elif not capacity:
        table.wrong("capacity", "is missing; expected a table like { person = 10000 }, or kinds = ['person']")
    for kind in capacity.keys() | comfort.keys():
        if kind not in kinds:
            table.wrong("kinds", f"'{kind}' has a capacity here but is not among the kinds")
        if comfort.get(kind, 0) > capacity.get(kind, comfort.get(kind, 0)):
            table.wrong("comfort", f"{kind}: {comfort[kind]} is above the capacity of {capacity[kind]}")
    area = Area(table.identifier("id"), _title(table), capacity, kinds, comfort, _read_place(table))
    if area.id == OUTSIDE:
        table.wrong("id", f"'{OUTSIDE}' is always there; leave it out")
    table.end()
    return area


def _read_place(table: ProfileTable) -> PlanRectangle | None:
    """Read `place = [left, top, width, height]`; an area without one finds its own place on the plan."""
    if not table.has("place"):
        return None
    expected = "[left, top, width, height], four numbers with a width and a height above 0"
    value = table.take("place", expected, list)
    if value is None:
        return None
    numbers = [each for each in value if isinstance(each, int | float) and not isinstance(each, bool)]
    if len(numbers) != len(value) or len(numbers) != 4 or min(numbers[2:]) <= 0:
        table.wrong("place", f"expected {expected}, found {value}")
        return None
    return PlanRectangle(*map(float, numbers))


def _read_screen(table: ProfileTable, findings: Findings) -> Screen:
    screen = read_screen(table, _title(table), findings)
    table.end()
    return screen


def _overview(site: Site) -> Screen:
    kinds = Counter(entrance.kind for entrance in site.entrances)
    return overview(site.title, persons=kinds["person"], vehicles=kinds["vehicle"])


def _read_entrance(table: ProfileTable, day_starts: int) -> Entrance:
    entrance_id = table.identifier("id")
    lanes = _read_lanes(table, entrance_id)
    entrance = Entrance(
        id=entrance_id,
        title=_title(table),
        kind=cast("Kind", table.one_of("kind", KINDS)),
        outer=table.identifier("outer"),
        inner=table.identifier("inner"),
        lanes=lanes,
        zone=table.identifier("zone"),
        gateway=table.identifier("gateway") if table.has("gateway") else "",
        plan=read_plan(table, len(lanes), day_starts=day_starts),
    )
    table.end()
    return entrance


def _read_lanes(table: ProfileTable, entrance_id: str) -> tuple[str, ...]:
    """Read lanes as a count, as `{ count = 4, device = "G60-{lane:02}" }`, or as a list of device ids."""
    expected = 'a number of lanes, { count = 4, device = "G60-{lane:02}" } or a list of device ids'
    value: Any = table.take("lanes", expected, int, dict, list)
    pattern = f"{entrance_id}-L{{lane:02}}"
    if isinstance(value, dict):
        inner = table.table("lanes")
        value = inner.take("count", "a number of lanes", int)
        pattern = inner.text("device", 'a pattern like "G60-{lane:02}"') or pattern
        inner.end()
    if isinstance(value, int):
        if not 1 <= value <= 999:
            table.wrong("lanes", f"expected 1 to 999 lanes, found {value}")
            return ()
        value = [_device(pattern, lane) for lane in range(1, value + 1)]
    lanes = tuple(map(str, value or ()))
    wrong = [lane for lane in lanes if not IDENTIFIER.fullmatch(lane)]
    if wrong or (value is not None and not lanes):
        table.wrong("lanes", f"'{wrong[0]}' is no device id" if wrong else f"expected {expected}, found none")
        return ()
    return lanes


def _device(pattern: str, lane: int) -> str:
    """Put the lane's number into a pattern such as 'N3-L{lane:02}'."""
    return re.sub(r"\{lane(?::0(\d))?\}", lambda place: str(lane).zfill(int(place[1] or 0)), pattern)


def _read_categories(
    top: ProfileTable, key: str, findings: Findings, *, needed: Kind, entrances: tuple[Entrance, ...]
) -> tuple[Category, ...]:
    """Read credential types or vehicle classes; they may be left out when no entrance is of that kind."""
    least = int(any(entrance.kind == needed for entrance in entrances))
    categories = []
    for table in _listed(top, key, findings, least=least, most=MOST_SITE_CATEGORIES):
        categories.append(Category(table.identifier("id"), _title(table), table.colour("colour")))
        table.end()
    return tuple(categories)


def _check_entrances(site: Site, findings: Findings) -> None:
    """Check that each entrance joins two areas its kind may be in, has a zone, and owns its devices."""
    areas = {OUTSIDE: KINDS} | {area.id: area.kinds for area in site.areas}
    beside = {entrance.id: entrance for entrance in site.entrances}
    devices = []
    for index, entrance in enumerate(site.entrances):
        at = ("entrance", index)
        sides = [(entrance.outer, (*at, "outer")), (entrance.inner, (*at, "inner"))]
        findings.known("area", list(areas), sides)
        findings.known("zone", [zone.id for zone in site.zones], [(entrance.zone, (*at, "zone"))])
        for area, path in sides:
            if entrance.kind and area in areas and entrance.kind not in areas[area]:
                findings.add(path, f"'{area}' holds no {entrance.kind}s; its kinds are {', '.join(areas[area])}")
        if entrance.inner == OUTSIDE:
            findings.add((*at, "inner"), f"'{OUTSIDE}' can only be the outer area")
        elif entrance.outer and entrance.outer == entrance.inner:
            findings.add(
                (*at, "inner"),
                f"joins '{entrance.inner}' to itself; expected another area than the outer one",
            )
        for other in entrance.plan.ways:
            findings.known("entrance", list(beside), [(other, (*at, "ways", other))])
            if other in beside and (beside[other].kind, beside[other].inner) != (entrance.kind, entrance.inner):
                findings.add(
                    (*at, "ways", other),
                    f"leads elsewhere; expected an entrance for {entrance.kind}s into '{entrance.inner}'",
                )
        devices += [(lane, (*at, "lanes")) for lane in entrance.lanes]
    findings.unique("device", devices)
    if len(devices) > MOST_LANES:
        _, path = devices[MOST_LANES]
        findings.add(path, f"there are {len(devices)} lanes; {_AT_MOST.format(most=MOST_LANES)}")


def _check_reach(site: Site, findings: Findings) -> None:
    """Everything that an area may hold must be able to get there from outside."""
    for kind in KINDS:
        reached = {OUTSIDE}
        joins = [{each.outer, each.inner} for each in site.entrances if each.kind == kind]
        while grown := {area for join in joins if join & reached for area in join} - reached:
            reached |= grown
        for index, area in enumerate(site.areas):
            if area.id and kind in area.kinds and area.id not in reached:
                findings.add(
                    ("area", index),
                    f"no {kind} can get into '{area.id}': no entrance leads there from outside",
                )
