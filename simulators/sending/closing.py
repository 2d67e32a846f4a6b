"""Closes a day that was cut short: sets every area to 0 by an audited correction, so that the next begins empty."""

from dataclasses import asdict
from pathlib import Path

from simulators.ledger.ledger import LedgerWriter
from simulators.sending.corrections import OccupancyCorrection, send_correction
from simulators.sending.producer import make_producer
from sinks.clickhouse import ClickHouseReader
from streams.kernels.counts.site_clock import SiteClock
from streams.settings import KafkaSettings

_INSIDE = "SELECT area, kind, inside FROM gatepulse.occupancy WHERE inside != 0 ORDER BY area, kind"


def close_yesterday(reader: ClickHouseReader, kafka: KafkaSettings, *, ts: int, ledger: Path, clock: SiteClock) -> int:
    """Set every area to 0 as of `ts` (site time, ms) where the store has another value; return how many."""
    left = reader.query(_INSIDE)
    if not left:
        return 0
    producer = make_producer(kafka.brokers)
    with LedgerWriter(ledger, meta={"scenario": "closing", "clock": asdict(clock)}) as writer:
        for area, kind, inside in left:
            reason = f"closing round: nobody inside, {inside} counted"
            correction = OccupancyCorrection(
                area=area, kind=kind, ts=ts, actor="closing round", reason=reason, absolute=0
            )
            send_correction(producer, correction, writer)
    producer.close()
    return len(left)
