"""The figures that an expo day is made from, each with its source; `people.py` and `vehicles.py` use them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Self, TypeVar

Value = TypeVar("Value")


def _each(**items: Value) -> Mapping[str, Value]:
    """Return the default of a field that has a value for each category or class of vehicles."""
    table: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType(items))
    return table


def _hours(**shares: float) -> tuple[float, ...]:
    """Return the shares of the 24 hours; `h10=31` gives the hour from 10:00 a weight of 31."""
    return tuple(float(shares.get(f"h{hour}", 0)) for hour in range(24))


@dataclass(frozen=True)
class PeopleSpec:
    """How many people come when, what they are and what they do.

    "Documents" are what the organisers published about the editions of 2019 and 2021. "Assumed" means that they
    have no number and this one is ours. Shares need not add up to 1.
    """

    entries: int = 227_000
    """Persons who pass in from outside on the peak day (documents, 2019)."""

    returning: int = 27_000
    """Entries of persons who were inside before on that day (assumed; 910,000 by noon of the last of six days were
    counted as entries, never as persons)."""

    returns_from: int = 13
    """The hour from which people come back (assumed: after lunch)."""

    entries_by_hour: tuple[float, ...] = _hours(
        h6=0.8, h7=3.2, h8=7, h9=9.5, h10=31, h11=6, h12=3.5, h13=5, h14=29, h15=3, h16=1.3, h17=0.5, h18=0.2
    )
    """Percent of the entries in each hour: two peak hours of 19 entries a second each, which is 60 % of 227,000
    (the field's figures); the rest is assumed."""

    scans: float = 7.0
    """Scans of a visitor in all (the field's figures): one in, one out, the rest at the doors of halls."""

    party_sizes: tuple[float, ...] = (50, 27, 10, 8, 3, 2)
    """Shares of people arriving alone, in twos, in threes, ... (assumed)."""

    shares: Mapping[str, float] = _each(guest=3.0, exhibitor=14.0, visitor=74.0, media=2.0, staff=4.5, security=2.5)
    """Categories of those who arrive once the public is let in (six credential types: documents, 2021; shares
    assumed)."""

    early_shares: Mapping[str, float] = _each(
        guest=1.0, exhibitor=52.0, visitor=0.0, media=3.0, staff=26.0, security=18.0
    )
    """Categories of those who arrive before (assumed)."""

    public_from: int = 9
    """The hour at which the public is let in (assumed)."""

    stay_hours: Mapping[str, float] = _each(guest=2.0, exhibitor=6.5, visitor=2.4, media=3.5, staff=8.0, security=8.5)
    """Median stay of each category, spread log-normally (assumed)."""

    locking_up: tuple[str, ...] = ("staff", "security")
    """Categories that may stay until after closing (assumed)."""

    read_fails: float = 0.006
    """Share of entries with a refusal first, the second try passing (assumed)."""

    wrong_doors: float = 0.002
    """Share of visits to a hall before which another hall's door refused (assumed)."""

    not_passed: float = 0.004
    """Share of passages before which the lane was released and nobody went through (assumed)."""

    turned_away: int = 1_000
    """Persons who are refused and never come in (assumed)."""

    anonymous: float = 0.001
    """Share of entries whose credential could not be read and who were let in by hand (assumed)."""

    unknown_health: float = 0.02
    """Share of entries whose health data had not arrived; it is refreshed six times a day (documents, 2021)."""

    fever: float = 37.3
    """Degrees Celsius above which the health status is abnormal (usual limit of the time)."""

    service_ms: int = 2_200
    """One person a lane takes at least this long: 27 a minute. At most 3 s a person were allowed at the check
    (documents, 2019) and lanes rated 40 a minute deliver 18 to 28 (makers)."""


@dataclass(frozen=True)
class VehicleTraffic:
    """One class of vehicles: entries a day, how long they stay, where they go and when they come."""

    entries: int
    stay_minutes: float
    areas: tuple[str, ...]
    by_hour: tuple[float, ...]
    trips: int = 1


_WORKDAY = _hours(h6=1, h7=5, h8=9, h9=14, h10=24, h11=8, h12=5, h13=8, h14=18, h15=4, h16=2, h17=1, h18=1)
_SHUTTLING = _hours(**{f"h{hour}": 1.0 for hour in range(7, 20)})
_DELIVERING = _hours(h5=2, h6=4, h7=3, h8=1, h17=1, h18=2)


@dataclass(frozen=True)
class VehicleSpec:
    """How many vehicles come, of which class (all assumed: the documents only state that they are counted)."""

    traffic: Mapping[str, VehicleTraffic] = _each(
        car=VehicleTraffic(5_200, 190, ("P1", "P2"), _WORKDAY),
        taxi=VehicleTraffic(1_200, 7, ("P4",), _WORKDAY),
        coach=VehicleTraffic(700, 240, ("P3",), _WORKDAY),
        shuttle=VehicleTraffic(1_200, 9, ("P4",), _SHUTTLING, trips=20),
        lorry=VehicleTraffic(400, 50, ("yard",), _DELIVERING),
        service=VehicleTraffic(200, 120, ("yard", "P2"), _SHUTTLING),
    )

    turned_away: int = 90
    """Vehicles that are refused at the barrier."""

    service_ms: int = 8_000
    """One vehicle a lane: 450 an hour where the plate is read while it rolls; stop-and-ticket lanes manage 250 to
    300 (weak source)."""


Spec = TypeVar("Spec", PeopleSpec, VehicleSpec, VehicleTraffic)


@dataclass(frozen=True)
class ExpoSpec:
    """A whole day."""

    people: PeopleSpec = field(default_factory=PeopleSpec)
    vehicles: VehicleSpec = field(default_factory=VehicleSpec)
    walk_ms: int = 20_000
    """Nobody gets from one lane to the next in less (assumed)."""

    def scaled(self, share: float) -> Self:
        """Return the figures of a day with only a share of the people and vehicles, at least one of each."""
        if share == 1.0:
            return self

        def fewer(spec: Spec, *numbers: str) -> Spec:
            return replace(spec, **{name: max(1, round(getattr(spec, name) * share)) for name in numbers})

        traffic = {name: fewer(each, "entries") for name, each in self.vehicles.traffic.items()}
        return replace(
            self,
            people=fewer(self.people, "entries", "returning", "turned_away"),
            vehicles=replace(fewer(self.vehicles, "turned_away"), traffic=traffic),
        )
