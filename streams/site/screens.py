"""Reads which tiles a wall screen has and where, from a site profile; `static/tile.js` of the wall draws a tile."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from streams.site.validation import ProfileTable
from streams.text import KINDS, Kind, Text

Shows = Literal["entered", "inside", "flow", "ranking", "plan", "trend"]

TILES: Final[dict[Shows, tuple[str, ...]]] = {
    "entered": ("kind",),
    "inside": ("kind", "area"),
    "flow": ("kind", "area"),
    "ranking": ("kind", "area", "zone"),
    "plan": ("kind",),
    "trend": ("kind", "area"),
}
"""What a tile can show, and by what that can be narrowed down."""

_LETTER: Final = re.compile(r"[A-Za-z]")
_MOST: Final = 40
_FEW: Final = 3
"""Entrances of a kind."""


@dataclass(frozen=True)
class Tile:
    """One tile: what it shows; of one kind, one area or one zone, if that is given ("")."""

    shows: Shows
    kind: Kind | Literal[""] = ""
    area: str = ""
    zone: str = ""


@dataclass(frozen=True)
class Screen:
    """What one display shows. In a layout each letter is a cell, and all cells of one letter are one tile.

    `wide` is the layout for displays of 5:2 and wider; without one it is as `layout`.
    """

    id: str
    title: Text
    tiles: dict[str, Tile]
    layout: tuple[str, ...]
    wide: tuple[str, ...]


def read_screen(table: ProfileTable, *, areas: Collection[str], zones: Collection[str]) -> Screen:
    """Return a screen of a site with these areas and zones; mistakes are noted in the table."""
    tiles = _read_tiles(table.table("tiles"), {"area": areas, "zone": zones})
    layout = _read_layout(table, "layout", tiles)
    wide = _read_layout(table, "wide", tiles) if table.has("wide") else layout
    return Screen(table.identifier("id"), table.title(), tiles, layout, wide)


def overview(title: Text, *, persons: int, vehicles: int) -> Screen:
    """Return the screen of a site whose profile names none, by its number of entrances of each kind.

    Where all entrances of a kind fit into a few lines, the trend has the place that a long ranking takes elsewhere.
    """
    kind: Kind = "person" if persons else "vehicle"
    tiles = {
        "E": Tile("entered", kind),
        "I": Tile("inside", kind),
        "F": Tile("flow", kind),
        "V": Tile("entered", "vehicle"),
        "R": Tile("ranking"),
        "M": Tile("plan"),
        "T": Tile("trend", kind),
    }
    figures, beside = "EEEEEIIIIIFFFFVVVV", "FFFVVV"
    if not (persons and vehicles):
        del tiles["V"]
        figures, beside = "EEEEEEIIIIIIFFFFFF", "FFFFFF"
    layout: tuple[str, ...] = 2 * (figures,) + 3 * ("RRRRRRRRRRRMMMMMMM",) + 2 * ("RRRRRRRRRRRTTTTTTT",)
    if max(persons, vehicles) <= _FEW:
        layout = 4 * (figures,) + 5 * ("RRRRRRRRRRRMMMMMMM",) + 5 * ("TTTTTTTTTTTTTTTTTT",)
    wide = tuple(f"{letters}RRRRRRRMMMTTTT" for letters in ("EEEIII", beside))
    return Screen("overview", title, tiles, layout, wide)


def _read_tiles(table: ProfileTable, choices: Mapping[str, Collection[str]]) -> dict[str, Tile]:
    """Read `{ R = "ranking", V = { shows = "entered", kind = "vehicle" } }`."""
    tiles = {}
    for letter in table.content:
        if not _LETTER.fullmatch(letter):
            table.wrong(letter, "expected one letter from A to Z, as it stands in the layout")
        value = table.take(letter, f"one of {', '.join(TILES)}", str, dict, fits=_is_tile)
        if isinstance(value, dict):
            tiles[letter] = _read_tile(table.table(letter), choices)
        elif value:
            tiles[letter] = Tile(value)
    return tiles


def _is_tile(value: str | dict[str, Any]) -> bool:
    return isinstance(value, dict) or value in TILES


def _read_tile(table: ProfileTable, choices: Mapping[str, Collection[str]]) -> Tile:
    shows = table.one_of("shows", tuple(TILES))
    given: dict[str, Any] = {}
    for name in TILES.get(shows, ()):
        if table.has(name):
            given[name] = table.one_of(name, KINDS) if name == "kind" else table.reference(name, name, choices[name])
    return Tile(shows, **given)


def _read_layout(table: ProfileTable, key: str, tiles: Collection[str]) -> tuple[str, ...]:
    lines = tuple(table.text(key, "lines of letters, a letter for each tile").split())
    for wrong in _wrong_in(lines, tiles):
        table.wrong(key, wrong)
    return lines


def _wrong_in(lines: tuple[str, ...], tiles: Collection[str]) -> list[str]:
    """Return what is wrong with a layout."""
    width = max(map(len, lines), default=0)
    short = next((number for number, line in enumerate(lines, 1) if len(line) != width), None)
    if short is not None:
        return [f"line {short} has {len(lines[short - 1])} letters; expected {width} in each line"]
    if width > _MOST or len(lines) > _MOST:
        return [f"is {width} letters wide and {len(lines)} lines high; expected {_MOST} at most"]
    letters = set("".join(lines)) - {"."}  # an empty cell
    wrong = [f"'{letter}' is no tile; tiles are {', '.join(tiles)}" for letter in sorted(letters - set(tiles))]
    wrong += [f"tile '{letter}' is nowhere in it" for letter in tiles if lines and letter not in letters]
    return wrong + [
        f"the cells of '{letter}' are no rectangle" for letter in sorted(letters) if not _is_rectangle(lines, letter)
    ]


def _is_rectangle(lines: tuple[str, ...], letter: str) -> bool:
    cells = [(row, column) for row, line in enumerate(lines) for column, found in enumerate(line) if found == letter]
    rows, columns = {row for row, _ in cells}, {column for _, column in cells}
    whole = (max(rows) - min(rows) + 1) * (max(columns) - min(columns) + 1)
    return len(cells) == whole
