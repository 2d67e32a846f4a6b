"""The type of a scenario: a function that makes a day, and the site it is for; `registry.py` lists them by name.

The day is the truth: who really went through which lane, and when. It is written to the ledger, and `verify`
compares every published count with it. `hall.py` is a small scenario to read first, and to copy.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

from simulators.scenario.day import Day
from streams.site.model import Site


class UnfitSiteError(ValueError):
    """The site is not laid out as the scenario needs it; the message names what is expected."""


class MakeDay(Protocol):
    """A function that makes a day up.

    The same arguments must give the same day. Everybody who comes in leaves before the day ends. Devices count from 1,
    under the `epoch`. A `share` below 1 makes a day with as many fewer people. Raises `UnfitSiteError` for a site on
    which it cannot happen.
    """

    def __call__(self, site: Site, *, date: dt.date, seed: int = 0, epoch: int = 0, share: float = 1.0) -> Day:
        """Return the day of `date`, its rows in the order of time."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A day that can be played on a site, and what is to be known of it before it is made."""

    name: str
    profile: str
    """The site profile: the name of one that comes along, or a TOML file."""
    date: dt.date
    """The day that is made up unless another one is given."""
    rush: dt.time
    """Site time at which the busiest part of the day begins."""
    events: int
    """About as many events a day."""
    peak: float
    """Events a second in the busiest minute, at most."""
    make_day: MakeDay
