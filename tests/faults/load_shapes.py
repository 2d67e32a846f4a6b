"""Fault scenarios with a load that is not steady."""

import time
from typing import Final

from simulators.ledger.ledger import read_ledger
from sinks.clickhouse import ClickHouseReader
from tests.faults.catalogue import Limits, fault
from tests.faults.trial import NotInTimeError, Trial

_USUAL, _TIMES = 300.0, 10
_FRESH: Final = 5.0
_CALM: Final = 5.0
"""Seconds for which the figures must stay fresh before it counts."""
_WITHIN: Final = 120.0
_OLDEST: Final = "SELECT toUnixTimestamp64Milli(min(complete_to)), count() FROM gatepulse.progress"


class Latency:
    """How old the figures of the store are: seconds since everything that was in Kafka then was stored."""

    def __init__(self, reader: ClickHouseReader) -> None:
        self._reader = reader
        self._late_at = time.monotonic()
        self.worst = 0.0

    def look(self) -> float:
        """Return the age now."""
        ((complete_to, logs),) = self._reader.query(_OLDEST)
        age = time.time() - complete_to / 1000 if logs else float("inf")
        self.worst = max(self.worst, age)
        if age >= _FRESH:
            self._late_at = time.monotonic()
        return age

    def calm(self) -> bool:
        """Look, and say whether the figures have been fresh for some time."""
        self.look()
        return time.monotonic() - self._late_at >= _CALM


@fault("T27", limits=Limits(recovery=120.0))
def burst(trial: Trial) -> None:
    """Ten times as many events for a while: 3,000 a second instead of 300; figures must soon be fresh again."""
    seconds = trial.size(full=60.0, quick=10.0)
    reader = trial.plant.reader()
    try:
        with trial.load(rate=_USUAL):
            before = Latency(reader)
            trial.until(before.calm, "fresh figures before the burst")
            with trial.fault("ten times as many"), trial.load(rate=_USUAL * (_TIMES - 1)):
                during, begun = Latency(reader), time.monotonic()
                trial.until(
                    lambda: during.look() < 0 or time.monotonic() - begun > seconds, "end of the burst", seconds * 2
                )
            after, ended = Latency(reader), time.monotonic()
            try:
                trial.until(after.calm, "fresh figures", _WITHIN + _CALM)
                took = time.monotonic() - ended - _CALM
            except NotInTimeError:
                took = None
    finally:
        reader.close()
    sent = _rate(trial)
    trial.expect("fresh again in time", took is not None, f"not below {_FRESH:g} s within {_WITHIN:g} s")
    trial.expect("ten times as many were sent", True if sent > 0.9 * _USUAL * _TIMES else None, f"{sent:,.0f} a second")
    trial.note(
        f"age of the figures: {before.worst:.1f} s before, at most {during.worst:.1f} s during the burst of"
        f" {sent:,.0f} events/s, below {_FRESH:g} s again after {took or 0:.1f} s"
    )


def _rate(trial: Trial) -> float:
    """Return how many passages happened in a second in the middle of the burst."""
    episode, times = trial.episodes[-1], read_ledger(trial.ledgers).passages["true_ts"]
    middle = (episode.begun_ms + episode.ended_ms) // 2
    return float(((times >= middle - 2000) & (times < middle + 2000)).sum()) / 4
