"""Makes up sites of any size, by numbers of entrances, halls and lanes; next: `traffic.py`. Pure."""

from typing import Final

from streams.site.model import Site
from streams.site.reader import parse_site

CATEGORIES: Final = ("guest", "exhibitor", "visitor", "media", "staff", "security")
"""As many as the expo has."""
_MOST_LANES: Final = 999
_ENTRANCES_A_HALL: Final = 10
_HEAD: Final = """
id = "growth"
title = { zh = "虚构场所", en = "Made up" }
time_zone = "Asia/Shanghai"

[opening]
daily = "00:00-24:00"

[[unit]]
id = "U"
grid = "G"
title = { zh = "单元", en = "Unit" }

[[grid]]
id = "G"
title = { zh = "网格", en = "Grid" }

[[zone]]
id = "Z"
unit = "U"
title = { zh = "责任区", en = "Zone" }
team = { zh = "责任区队", en = "Zone team" }
"""


class WrongSizeError(ValueError):
    """A site of this size cannot be made; the message names the figure and what is expected."""


def lanes_of(entrances: int, devices: int) -> list[int]:
    """Share devices out among entrances, as evenly as it goes. Raises WrongSizeError."""
    if entrances < 1:
        raise WrongSizeError(f"entrances: {entrances}; expected 1 or more")
    least, more = divmod(devices, entrances)
    lanes = [least + 1] * more + [least] * (entrances - more)
    if not 1 <= lanes[-1] <= lanes[0] <= _MOST_LANES:
        raise WrongSizeError(
            f"devices: {devices} for {entrances} entrances; expected 1 to {_MOST_LANES} for each, "
            f"{entrances} to {entrances * _MOST_LANES}"
        )
    return lanes


def profile(entrances: int, devices: int) -> str:
    """Return the profile, in TOML, of a site with so many entrances and lanes for persons. Raises WrongSizeError."""
    lanes = lanes_of(entrances, devices)
    halls = range((entrances - 1) // _ENTRANCES_A_HALL + 1)
    return "".join(
        [_HEAD, *map(_category, CATEGORIES), *map(_hall, halls), *(_entrance(i, n) for i, n in enumerate(lanes))]
    )


def site(entrances: int, devices: int) -> Site:
    """Return the same site as programs see it. Raises WrongSizeError."""
    return parse_site(profile(entrances, devices), source="made up")


def _category(name: str) -> str:
    return f'\n[[category]]\nid = "{name}"\ntitle = {{ zh = "{name}", en = "{name}" }}\ncolour = "#808080"\n'


def _hall(number: int) -> str:
    title = f'{{ zh = "{number}号厅", en = "Hall {number}" }}'
    return f'\n[[area]]\nid = "H{number}"\ntitle = {title}\ncapacity = {{ person = 1000000 }}\n'


def _entrance(number: int, lanes: int) -> str:
    title = f'{{ zh = "{number}号口", en = "Entrance {number}" }}'
    return (
        f'\n[[entrance]]\nid = "E{number}"\ntitle = {title}\nkind = "person"\nouter = "outside"\n'
        f'inner = "H{number // _ENTRANCES_A_HALL}"\nzone = "Z"\nlanes = {lanes}\n'
    )
