"""The settings of a distortion, and how they are written on a command line; next: `distort.py`."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

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

    def without_devices(self) -> Self:
        """Return what goes wrong with all devices alike, without the faults of single ones."""
        return replace(self, skips=(), clocks=(), drifts=(), offline=())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read figures such as `duplicates=5%,disorder=5m,late=1%:2h,malformed=0.5%,lost=0.1%,skip=N3-L07:37`.

        `duplicates=5%:24h` sets how late a duplicate may come. For single devices, each as often as is wanted:
        `skip=N3-L07:37`, `clock=N3-L07:+1d`, `clock=N3-L07:-1d:50` (for 50 events), `clock=N3-L07:=1970`,
        `drift=N3-L07:1%`, `offline=N3-L07:3h`. Empty text is no distortion. Raises `DistortionError`.
        """
        read = cls()
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if name not in _READERS or not equals:
                raise DistortionError(
                    f"'{part}': '{name}' is not a distortion; expected {', '.join(_READERS)}, as in {_EXAMPLE}"
                )
            read = replace(read, **_READERS[name](read, value))
        return read


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


def _within(name: str, delay: str, text: str) -> dict[str, Any]:
    """Read a share, and perhaps how much later these come."""
    share, _, within = text.partition(":")
    return {name: _share(name, share)} | ({delay: _duration(name, within)} if within else {})


def _of_device(name: str, text: str, what: str, example: str) -> tuple[str, str]:
    device, _, value = text.rpartition(":")
    if not device or not value:
        raise DistortionError(f"{name}: '{text}' is not a device and {what}; expected one like {example}")
    return device, value


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
    device, share = _of_device("drift", text, "how much faster its clock runs", "N3-L07:1% or N3-L07:-1%")
    sign = -1 if share[0] == "-" else 1
    return Drift(device, sign * _share("drift", share.removeprefix("-").removeprefix("+")))


def _offline(text: str) -> Offline:
    device, duration = _of_device("offline", text, "a duration", "N3-L07:3h")
    return Offline(device, _duration("offline", duration))


_READERS: dict[str, Callable[[Distortion, str], dict[str, Any]]] = {
    "duplicates": lambda _, text: _within("duplicates", "again_within_ms", text),
    "disorder": lambda _, text: {"disorder_ms": _duration("disorder", text)},
    "late": lambda _, text: _within("late", "late_by_ms", text),
    "malformed": lambda _, text: {"malformed": _share("malformed", text)},
    "lost": lambda _, text: {"lost": _share("lost", text)},
    "skip": lambda known, text: {"skips": (*known.skips, _skip(text))},
    "clock": lambda known, text: {"clocks": (*known.clocks, _clock(text))},
    "drift": lambda known, text: {"drifts": (*known.drifts, _drift(text))},
    "offline": lambda known, text: {"offline": (*known.offline, _offline(text))},
}
"""What each word on the command line changes in the distortion that is known so far."""
