"""A made-up site: a hall with two entrances, one of which has a plan, and a yard for cars."""

from streams.site.model import Site
from streams.site.reader import parse_site
from tests.support.small_site import PROFILE, entrance

_N3 = entrance("N3", "北3", "North 3", lanes=10)


def site(more: str = "") -> Site:
    """Return the small site with an entrance N3 of ten lanes, and lines of its plan."""
    return parse_site(f"{PROFILE}{_N3}{more}", source="planned.toml")


AN_HOUR_AND_A_HALF = 'open_lanes = 6\nexpected = { "08:00" = 5400, "09:30" = 0 }\nways = { N1 = 4 }\nlane_rate = 10\n'
"""90 persons a minute for 90 minutes, against six lanes of ten persons a minute."""
