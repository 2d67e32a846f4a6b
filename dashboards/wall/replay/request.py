"""Reads the parameters of a replay: interval, speed, which data it shows and by which clock; pure. Next: `counts.py`.

Which data also says by what time they are known, the axis of the replay, in milliseconds. `then`: the time at which
something was stored (real time). `corrected`: the time at which it happened (site time).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple, cast
from zoneinfo import ZoneInfo

from dashboards.wall.model.refusal import RequestRefused
from streams.kernels.counts.site_clock import SiteClock
from streams.text import Text

Known = Literal["then", "corrected"]

LONGEST_HOURS: Final = 48
FASTEST: Final = 60
ROUNDED_MS: Final = 1000
"""The last snapshot may lie a little behind the end: a site's clock that runs fast does not show every moment."""
_NAMES: Final = ("from", "to", "at", "speed", "known")
_EXPECTED: Final = Text(
    "应为当地时间如 2026-11-07T09:00、带时区的时间如 2026-11-07T09:00+08:00，或自 1970 年起的毫秒数",
    "expected the site's local time such as 2026-11-07T09:00, a time with its offset such as 2026-11-07T09:00+08:00, "
    "or milliseconds since 1970 (UTC)",
)


class Moment(NamedTuple):
    """One moment on both clocks, in milliseconds."""

    site: int
    real: int

    def on(self, known: Known) -> int:
        """Return it on the axis of a replay."""
        return self.real if known == "then" else self.site


def moment_of(site_ms: int, clock: SiteClock) -> Moment:
    """Return the first moment of both clocks at which the site's shows `site_ms` or, if it is coarse, a little more."""
    real = clock.real(site_ms)
    while clock.now(real) < site_ms:
        real += 1
    return Moment(clock.now(real), real)


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """A replay of the site time from `start` to `end`, from `at` on (ms); `speed` is in site seconds a beat."""

    start: int
    end: int
    at: int
    speed: float
    known: Known


def parse_replay_request(given: Mapping[str, str], zone: str, *, now: int) -> ReplayRequest:
    """Read the parameters of a request; `now` is site time. Raises RequestRefused (400), naming parameter and value."""
    unknown = sorted(set(given) - set(_NAMES))
    if unknown:
        raise _wrong(unknown[0], given[unknown[0]], f"应为 {'、'.join(_NAMES)}", f"expected {', '.join(_NAMES)}")
    start, end = _time(given, "from", zone), _time(given, "to", zone, latest=now)
    at = _time(given, "at", zone) if "at" in given else start
    _check_order(given, start, end, now=now, zone=zone)
    if not start <= at <= end + ROUNDED_MS:
        raise _wrong("at", given["at"], "应在 from 与 to 之间", "expected a time between from and to")
    return ReplayRequest(start, end, min(at, end), _speed(given.get("speed", "1")), _known(given.get("known", "then")))


def check_recorded(replay: ReplayRequest, since: int, zone: str) -> None:
    """Refuse (400) a replay of known data from before the store recorded it; `since` is site time."""
    if replay.known == "then" and replay.start < since:
        first = _shown(since, zone)
        raise _wrong(
            "from",
            _shown(replay.start, zone),
            f"“当时所知”自 {first} 起才有记录；请选更晚的时间，或用 known=corrected",
            f"what was known then is recorded from {first} on; choose a later time, or known=corrected",
        )


def _check_order(given: Mapping[str, str], start: int, end: int, *, now: int, zone: str) -> None:
    if end > now:
        shown = _shown(now, zone)
        raise _wrong("to", given["to"], f"不得晚于现在（{shown}）", f"expected no later than now ({shown})")
    if start >= end:
        raise _wrong("from", given["from"], f"应早于 to（{given['to']}）", f"expected before to ({given['to']})")
    hours = (end - start) / 3_600_000
    if hours > LONGEST_HOURS:
        raise _wrong(
            "to",
            given["to"],
            f"回放 {hours:.1f} 小时；最长 {LONGEST_HOURS} 小时，请缩短区间",
            f"a replay of {hours:.1f} h; expected at most {LONGEST_HOURS} h: choose a shorter interval",
        )


def _time(given: Mapping[str, str], name: str, zone: str, *, latest: int = 0) -> int:
    """Read a time as milliseconds; a plus sign that became a blank on the way is read as one.

    A local time that the clock shows twice is the first one, or the second unless that is after `latest`.
    """
    text = given.get(name, "").strip()
    if text.isascii() and text.isdigit() and len(text) <= 15:
        return int(text)
    if len(text) < len("2026-11-07T09:00"):  # a day alone is no moment
        raise _wrong(name, text, _EXPECTED.zh, _EXPECTED.en)
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return _milliseconds(moment) if moment.tzinfo else _local_time(moment, zone, latest)
    except (ValueError, OverflowError):
        raise _wrong(name, text, _EXPECTED.zh, _EXPECTED.en) from None


def _local_time(moment: datetime, zone: str, latest: int) -> int:
    first, second = (_milliseconds(moment.replace(tzinfo=ZoneInfo(zone), fold=fold)) for fold in (0, 1))
    return second if first < second <= latest else first


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 1 <= speed <= FASTEST:
        raise _wrong("speed", text, f"应为 1 至 {FASTEST} 的数", f"expected a number from 1 to {FASTEST}")
    return speed


def _known(text: str) -> Known:
    if text not in ("then", "corrected"):
        raise _wrong(
            "known",
            text,
            "应为 then（当时所知）或 corrected（事后更正）",
            "expected then (as known then) or corrected (as known today)",
        )
    return cast("Known", text)


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _shown(ms: int, zone: str) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M:%S")


def _wrong(name: str, value: str, zh: str, en: str) -> RequestRefused:
    shown = ascii(value[:64])
    return RequestRefused(400, f"{name} 为 {shown}：{zh}", f"{name} is {shown}: {en}")
