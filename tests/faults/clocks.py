"""Fault scenarios with devices that were offline or have a wrong clock, and a worker whose own clock jumps."""

import datetime as dt
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np

from simulators.ledger.ledger import read_ledger
from simulators.ledger.tables import take
from simulators.sending.plan import site_time
from streams.contract.events import Reason
from tests.faults.catalogue import Layout, Limits, fault
from tests.faults.trial import Trial

_HOUR_MS: Final = 3_600_000
_RIGHT_AT_FIRST: Final = 10
"""Events of a device before anything befalls it, all of them by nine; see simulators/distortion/distort.py."""
_EARLY: Final = dt.time(7, 30)

_OFFLINE: Final = "M1-L01"
_IN_WINDOWS: Final = """
SELECT sum(passages) FROM gatepulse.entrance_counts_10s
WHERE entrance = 'M1' AND toUnixTimestamp(window_start) * 1000 < %(before)s
"""
_COMPLETE_TO: Final = """
SELECT toUnixTimestamp64Milli(min(complete_to)) FROM gatepulse.progress WHERE topic = 'turnstile.passages'
"""
_AHEAD: Final = "SELECT count() FROM gatepulse.progress WHERE complete_to > now() + 60"
_INSIDE: Final = """
SELECT inside FROM gatepulse.occupancy_history
WHERE area = 'venue' AND kind = 'person' AND toUnixTimestamp(window_start) * 1000 < %(before)s
ORDER BY window_start DESC LIMIT 1
"""


@fault("T14", layout=Layout(scenario="expo", speed=240.0, start_at=_EARLY), limits=Limits(recovery=90.0))
def device_offline(trial: Trial) -> None:
    """A device is offline for 3 h of the site's time and then uploads; the figures of these hours are corrected."""
    with trial.load(distortion=f"offline={_OFFLINE}:3h,duplicates=5%", scenario=trial.rush):
        _until_site(trial, dt.time(9, 30))
        before = _site_ms(trial) // 10_000 * 10_000
        due = trial.plant.clock.real(before) + 2_000
        trial.until(lambda: _complete_to(trial) > due, "the views to be that far")
        (known, inside), looked = _shown(trial, before), _site_ms(trial)
        _until_site(trial, dt.time(12))
        trial.wait(trial.size(full=60.0, quick=2.0))
    trial.counted_so_far()
    corrected, inside_then = _shown(trial, before)
    rows = read_ledger(trial.ledgers).passages
    kept = take(rows, np.flatnonzero(rows["device"].equal(_OFFLINE))[_RIGHT_AT_FIRST:])
    offline = looked < int(kept["true_ts"][0]) + 3 * _HOUR_MS
    passed = kept["outcome"].equal("passed") & (kept["ts"] < before)
    uploaded, came_in = int(passed.sum()), int((passed & kept["direction"].equal("in")).sum())
    net = 2 * came_in - uploaded
    trial.expect(
        "its passages came into their own windows",
        corrected - known == uploaded if offline and uploaded else None,
        f"{uploaded} kept by the device, {corrected - known} more than before",
    )
    trial.expect(
        "the number inside was corrected for the past",
        inside_then - inside == net,
        f"{net} expected, {inside_then - inside} more than before",
    )
    trial.note(f"{uploaded} passages, {net:+d} persons corrected")


def _site_ms(trial: Trial) -> int:
    """Return what the site's clock shows."""
    return trial.plant.clock.now(time.time_ns() // 1_000_000)


def _until_site(trial: Trial, clock: dt.time) -> None:
    """Wait until the site's clock shows a time of the day."""
    at = site_time(trial.plant.site, trial.plant.scenario.date, clock)
    trial.until(lambda: _site_ms(trial) >= at, f"{clock} at the site", 180.0)


def _complete_to(trial: Trial) -> int:
    """Return up to which moment (real ms) the views have all that came from turnstiles."""
    ((complete_to,),) = _asked(trial, _COMPLETE_TO)
    return int(complete_to)


def _shown(trial: Trial, before: int) -> tuple[int, int]:
    """Return what the views say of the time before a moment: passages at the entrance, and persons inside."""
    ((passages,),) = _asked(trial, _IN_WINDOWS, {"before": before})
    ((inside,),) = _asked(trial, _INSIDE, {"before": before})
    return int(passages), int(inside)


_CLOCKS: Final = {
    "N1-L01": "+1d", "N2-L01": "-1d", "N3-L01": "=1970", "N4-L01": "-1d:50", "E1-L01": "+1d:50",
    "E2-L01": "+2m", "E3-L01": "-2m",
}  # fmt: skip
"""What is wrong with the clock of which device: for good, or for so many events."""
_DRIFTING: Final = {"W1-L01": "20%", "W2-L01": "-1%"}
_WRONG: Final = 50
_OUTSIDE: Final = """
SELECT count() FROM gatepulse.entrance_counts_10s
WHERE NOT toUnixTimestamp(window_start) * 1000 BETWEEN %(first)s AND %(last)s
"""


@fault("T15", layout=Layout(scenario="expo", speed=400.0, start_at=_EARLY), limits=Limits(recovery=90.0))
def wrong_clocks(trial: Trial) -> None:
    """Device clocks are off by ±2 min and ±1 day, drift, restart at 1970, and some are corrected again."""
    parts = [f"clock={device}:{what}" for device, what in _CLOCKS.items()]
    parts += [f"drift={device}:{share}" for device, share in _DRIFTING.items()]
    with trial.load(distortion=",".join(["duplicates=5%", *parts]), scenario=trial.rush):
        _until_site(trial, dt.time(trial.size(full=20, quick=11), 15))
        trial.wait(4.0)
    trial.counted_so_far()
    rows = read_ledger(trial.ledgers).passages
    sent = Counter(rows["device"].texts().tolist())
    shown = dict(_asked(trial, "SELECT device, count() FROM gatepulse.passages GROUP BY device"))
    for_good = dict.fromkeys(("N1-L01", "N2-L01", "N3-L01"), _RIGHT_AT_FIRST)
    for_a_time = {device: sent[device] - _WRONG for device in ("N4-L01", "E1-L01")}
    expected = for_good | for_a_time | {device: sent[device] for device in ("E2-L01", "E3-L01", "W2-L01")}
    found = {device: shown.get(device, 0) for device in expected}
    enough = min(for_a_time.values()) > _RIGHT_AT_FIRST
    trial.expect(
        "who is wrong by more than 5 min is not counted, all others are",
        found == expected if enough else None,
        f"expected {expected}, stored {found}",
    )
    drifted = (sent["W1-L01"], shown.get("W1-L01", 0))
    trial.expect("a clock that runs fast is believed at first", 0 < drifted[1] < drifted[0], f"sent, stored {drifted}")
    reasons = dict(_asked(trial, "SELECT reason, count() FROM gatepulse.rejections GROUP BY reason"))
    named = {Reason.SUSPECT_TIME.value, Reason.TIME_OUT_OF_RANGE.value}
    trial.expect("they are named with their reasons", set(reasons) == named, f"{reasons}")
    span = {"first": int(rows["true_ts"].min()) - 130_000, "last": int(rows["true_ts"].max()) + 310_000}
    ((polluted,),) = _asked(trial, _OUTSIDE, span)
    trial.expect("no other window has anything", polluted == 0, f"{polluted} rows outside the day")
    trial.note(f"{sum(reasons.values())} quarantined")


@fault(
    "T13x",
    layout=Layout(speed=400.0, settings={"TIME__HORIZON_SECONDS": "3600"}),
    limits=Limits(recovery=90.0),
)
def beyond_the_horizon(trial: Trial) -> None:
    """Events arrive up to 3 h late, where 1 h is the horizon: the others go to the late account only."""
    with trial.load(distortion="late=5%:3h,duplicates=5%", scenario=trial.rush):
        trial.wait(trial.size(full=60.0, quick=25.0))
    trial.counted_so_far()
    ((late,),) = _asked(trial, "SELECT sum(events) FROM gatepulse.late_passages")
    trial.expect("some were too late", True if late else None, f"{late} were")
    trial.note(f"{late} in the late account")


@fault("T16", layout=Layout(clock_of_workers=True))
def host_clock(trial: Trial) -> None:
    """The clock of the workers' machine jumps an hour ahead, and then to an hour behind; a worker is killed in each."""
    plant, seconds = trial.plant, trial.size(full=60.0, quick=7.0)
    with trial.load(distortion="duplicates=5%,disorder=2s"):
        for offset in (3_600, -3_600):
            with trial.fault(f"the workers' clock is put {offset:+d} s"):
                plant.host_clock.set(offset)
                trial.wait(seconds)
                trial.at_work()
                plant.worker.kill()
                trial.wait(2.0)
                trial.at_work()
        with trial.fault("the workers' clock is right again"):
            plant.host_clock.set(0)
            trial.wait(2.0)
        trial.at_work()
    seen = _seen(plant.worker.log_path)
    trial.expect("the worker saw its clock jump", seen == {-1, 0, 1} or None, f"hours off, as its log says: {seen}")
    ends = [end for end in trial.ends if not end.ours]
    trial.expect("no worker ended by itself", not ends, "; ".join(map(str, ends)))


@fault("T16b", layout=Layout(clock_of_workers=True))
def host_clock_in_a_quiet_hour(trial: Trial) -> None:
    """The clock of the workers' machine is an hour ahead while no events arrive, and is then corrected."""
    plant = trial.plant
    with trial.load():
        trial.wait(trial.size(full=10.0, quick=2.0))
    trial.counted_so_far()
    with trial.fault("the workers' clock is an hour ahead, and all is quiet", idle=True):
        plant.host_clock.set(3_600)
        trial.wait(trial.size(full=30.0, quick=5.0))
        plant.host_clock.set(0)
        trial.wait(2.0)
    with trial.load():
        trial.wait(trial.size(full=60.0, quick=5.0))
    trial.counted_so_far()
    ((ahead,),) = _asked(trial, _AHEAD)
    trial.expect("no log claims to be complete up to a time to come", ahead == 0, f"{ahead} logs do")


def _seen(log: Path) -> set[int]:
    """Return by how many hours the times in a worker's log are off."""
    times = [dt.datetime.fromisoformat(found) for found in re.findall(r'"timestamp": ?"([^"]+)"', log.read_text())]
    now = dt.datetime.now(dt.UTC)
    return {round((each - now).total_seconds() / 3600) for each in times}


def _asked(trial: Trial, question: str, values: dict[str, int] | None = None) -> list[tuple[Any, ...]]:
    reader = trial.plant.reader()
    try:
        return reader.query(question, values)
    finally:
        reader.close()
