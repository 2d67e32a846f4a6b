"""The settings of a distortion, and how they are written on a command line; next: `distort.py`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SHARE = re.compile(r"(\d+(?:\.\d+)?)(%?)")
_EXAMPLE = "duplicates=5%,disorder=5m,late=1%:2h,malformed=0.5%,lost=0.1%,skip=N3-L07:37,clock=N3-L07:+2m"
_CLOCK = re.compile(r"(?P<device>.+?):(?:(?P<restart>=1970)|(?P<sign>[+-])(?P<offset>[^:]+)(?::(?P<events>\d+))?)")


class DistortionError(ValueError):
    """A distortion is written in a way that cannot be understood."""


@dataclass(frozen=True)
class Skip:
    """A device whose counter jumps: `count` sequence numbers are never used."""

    device: str
    count: int


@dataclass(frozen=True)
class WrongClock:
    """A device whose clock is off by `offset_ms`, for `events` events (None: for good).

    With `offset_ms` None it begins again at 1970-01-01, as one does that has lost its battery.
    """

    device: str
    offset_ms: int | None
    events: int | None = None


@dataclass(frozen=True)
class Drift:
    """A device whose clock runs faster than time by a share (below 0: slower)."""

    device: str
    share: float


@dataclass(frozen=True)
class Offline:
    """A device without a connection for so long (site time); then it uploads everything at once, in its order."""

    device: str
    for_ms: int


@dataclass(frozen=True)
class Distortion:
    """Shares are of all events, from 0 to 1; delays are site time in milliseconds.

    `duplicates` are sent once more within `again_within_ms`, everything is delivered within `disorder_ms`, and
    `late` events up to `late_by_ms` later still; `malformed` lines are sent besides; `lost` events never arrive.
    Faults of single devices begin with about the eleventh event of each.
    """

    duplicates: float = 0.0
    again_within_ms: int = 600_000
    disorder_ms: int = 0
    late: float = 0.0
    late_by_ms: int = 7_200_000
    malformed: float = 0.0
    lost: float = 0.0
    skips: tuple[Skip, ...] = ()
    clocks: tuple[WrongClock, ...] = ()
    drifts: tuple[Drift, ...] = ()
    offline: tuple[Offline, ...] = ()

    @property
    def devices(self) -> tuple[tuple[str, str], ...]:
        """Every device that is named, behind the name of the distortion that names it."""
        named: dict[str, tuple[Skip | WrongClock | Drift | Offline, ...]] = {
            "skip": self.skips, "clock": self.clocks, "drift": self.drifts, "offline": self.offline,
        }  # fmt: skip
        return tuple((name, each.device) for name, some in named.items() for each in some)

    def without_devices(self) -> Distortion:
        """Return what goes wrong with all devices alike, without the faults of single ones."""
        return replace(self, skips=(), clocks=(), drifts=(), offline=())

    @classmethod
    def parse(cls, text: str) -> Distortion:
        """Read figures such as `duplicates=5%,disorder=5m,late=1%:2h,malformed=0.5%,lost=0.1%,skip=N3-L07:37`.

        `duplicates=5%:24h` sets how late a duplicate may come. For single devices, each as often as is wanted:
        `skip=N3-L07:37`, `clock=N3-L07:+1d`, `clock=N3-L07:-1d:50` (for 50 events), `clock=N3-L07:=1970`,
        `drift=N3-L07:1%`, `offline=N3-L07:3h`. Empty text is no distortion. Raises `DistortionError`.
        """
        distortion = cls()
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if name not in _READERS or not equals:
                raise DistortionError(
                    f"'{part}': '{name}' is not a distortion; expected {', '.join(_READERS)}, as in {_EXAMPLE}"
                )
            distortion = _READERS[name](distortion, value)
        return distortion


def _share(name: str, text: str) -> float:
    match = _SHARE.fullmatch(text)
    share = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= share <= 1:
        raise DistortionError(f"{name}: '{text}' is not a share; expected 5% or 0.05, at most 100%")
    return share


def _duration(name: str, text: str) -> int:
    match = _DURATION.fullmatch(text)
    if not match:
        raise DistortionError(f"{name}: '{text}' is not a duration; expected a number and ms, s, m, h or d, like 5m")
    return round(float(match[1]) * _SECONDS[match[2]] * 1000)


def _skip(text: str) -> Skip:
    device, _, count = text.rpartition(":")
    if not device or not count.isdecimal() or not int(count):
        raise DistortionError(f"skip: '{text}' is not a device and a number; expected one like N3-L07:37")
    return Skip(device, int(count))


def _clock(text: str) -> WrongClock:
    found = _CLOCK.fullmatch(text)
    if not found or found["events"] == "0":
        raise DistortionError(
            f"clock: '{text}' is not a device, how far off its clock is, and perhaps for how many events; "
            "expected one like N3-L07:-1d, N3-L07:+2m:50 or N3-L07:=1970"
        )
    if found["restart"]:
        return WrongClock(found["device"], None)
    sign = 1 if found["sign"] == "+" else -1
    events = int(found["events"]) if found["events"] else None
    return WrongClock(found["device"], sign * _duration("clock", found["offset"]), events)


def _drift(text: str) -> Drift:
    device, _, share = text.rpartition(":")
    if not device or not share:
        raise DistortionError(
            f"drift: '{text}' is not a device and how much faster its clock runs; expected one like N3-L07:1% or "
            "N3-L07:-1%"
        )
    sign = -1 if share[0] == "-" else 1
    return Drift(device, sign * _share("drift", share.removeprefix("-").removeprefix("+")))


def _offline(text: str) -> Offline:
    device, _, duration = text.rpartition(":")
    if not device or not duration:
        raise DistortionError(f"offline: '{text}' is not a device and a duration; expected one like N3-L07:3h")
    return Offline(device, _duration("offline", duration))


def _duplicates(known: Distortion, text: str) -> Distortion:
    share, _, within = text.partition(":")
    delay = _duration("duplicates", within) if within else known.again_within_ms
    return replace(known, duplicates=_share("duplicates", share), again_within_ms=delay)


def _late(known: Distortion, text: str) -> Distortion:
    share, _, within = text.partition(":")
    delay = _duration("late", within) if within else known.late_by_ms
    return replace(known, late=_share("late", share), late_by_ms=delay)


_READERS: dict[str, Callable[[Distortion, str], Distortion]] = {
    "duplicates": _duplicates,
    "disorder": lambda known, text: replace(known, disorder_ms=_duration("disorder", text)),
    "late": _late,
    "malformed": lambda known, text: replace(known, malformed=_share("malformed", text)),
    "lost": lambda known, text: replace(known, lost=_share("lost", text)),
    "skip": lambda known, text: replace(known, skips=(*known.skips, _skip(text))),
    "clock": lambda known, text: replace(known, clocks=(*known.clocks, _clock(text))),
    "drift": lambda known, text: replace(known, drifts=(*known.drifts, _drift(text))),
    "offline": lambda known, text: replace(known, offline=(*known.offline, _offline(text))),
}
