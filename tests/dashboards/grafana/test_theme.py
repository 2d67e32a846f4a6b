"""Grafana and the wall page have the same colours."""

import re
from pathlib import Path

import dashboards.wall
from dashboards.grafana.theme import COLOURS

CSS = (Path(dashboards.wall.__file__).parent / "static" / "wall.css").read_text(encoding="utf-8")


def test_every_colour_is_that_of_the_wall_page() -> None:
    of_the_wall = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", CSS.split("}")[0]))
    assert {name: of_the_wall.get(name) for name in COLOURS} == COLOURS
