"""The expected outcome of every passage equals a worker's, whatever the clocks and the order.

Two computations that share no code: `simulators.verify.fates` over a ledger, the kernels over the lines that were sent.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.ledger.ledger import LedgerWriter, read_ledger
from simulators.scenario.lines import make_line
from simulators.verify.fates import Limits, judge
from simulators.verify.truth import sent_passages
from streams.contract.codec import PassageCodec, Records
from streams.contract.vocabulary import Vocabulary
from streams.kernels.counts.calendar import SiteDays
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.place import CountingSite, EntranceSides, TimeRules
from streams.kernels.counts.site_clock import SiteClock
from tests.support.size import examples
from tests.support.small_site import MIDNIGHT, SITE, columns, passage

LIMITS = Limits(suspect_ms=60_000, horizon_ms=600_000)
MINUTE = 60_000
COUNTED = "counted"


@dataclass(frozen=True)
class Delivery:
    """One line on its way: whose, its number, and how many minutes its time and its arrival are behind midnight."""

    device: str
    epoch: int
    seq: int
    ts: int
    arrived: int


deliveries = st.builds(
    Delivery,
    device=st.sampled_from(["N1-L01", "N1-L02"]),
    epoch=st.integers(0, 1),
    seq=st.integers(1, 9),
    ts=st.integers(-30, 30),
    arrived=st.integers(0, 20),
)


def events(sent: Sequence[Delivery]) -> list[tuple[dict[str, Any], int]]:
    """Return what each line says and when (site ms) it arrives; who sends a number again says the same as before."""
    said: dict[tuple[str, int, int], dict[str, Any]] = {}
    lines = []
    for each in sent:
        ts = MIDNIGHT + each.ts * MINUTE if each.ts > -30 else 5
        row = passage("0:0:0", device=each.device, epoch=each.epoch, seq=each.seq, ts=ts)
        row = said.setdefault((each.device, each.epoch, each.seq), row)
        lines.append((row, MIDNIGHT + each.arrived * MINUTE))
    return lines


def by_the_oracle(directory: Any, sent: Sequence[Delivery], clock: SiteClock) -> dict[str, set[str]]:
    """Judge a ledger of it; passages by the names of their lines."""
    meta = {"site_ms": clock.site_ms, "real_ms": clock.real_ms, "speed": clock.speed}
    known: dict[str, int] = {}
    with LedgerWriter(directory, meta={"clock": meta}) as writer:
        for offset, (row, arrived) in enumerate(events(sent)):
            name = named(make_line(row))
            if name not in known:
                (known[name],) = writer.passages(columns([row])).tolist()
            stored = {"arrived_ms": [clock.real(arrived)], "partition": [0], "offset": [offset]}
            writer.attempts([known[name]], "ok", at_ms=0, stored=stored)
    ledger = read_ledger(directory)
    names = {row: name for name, row in known.items()}
    fates = judge(ledger, sent_passages(ledger), LIMITS)
    return {fate: {names[row] for row in found.rows.tolist()} for fate, found in vars(fates).items()}


def by_a_worker(sent: Sequence[Delivery], cuts: set[int], clock: SiteClock) -> dict[str, set[str]]:
    """Let the codec and the kernels read the lines, in batches that begin at `cuts`."""
    codec = PassageCodec(
        "person", Vocabulary({each.id: each.kind for each in SITE.entrances}, {"person": ["visitor"]}, {})
    )
    times = TimeRules(clock, LIMITS.suspect_ms, LIMITS.horizon_ms)
    place = CountingSite({"N1": EntranceSides("outside", "venue")}, SiteDays(ZoneInfo("Asia/Shanghai")), times)
    log = PassageLog(PartitionId("test", "turnstile.passages", 0), "person", place, next_offset=0)
    lines = [make_line(row) for row, _ in events(sent)]
    arrived = [clock.real(when) for _, when in events(sent)]
    starts = sorted({0, *cuts})
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        size = end - start
        part = (np.arange(start, end), np.array(arrived[start:end], np.int64), np.ones(size, np.int64))
        log.apply(codec.read(Records(b"\n".join(lines[start:end]), *part)))
    refused = {(each.reason, each.sha256) for each in log.drain_rejections()}
    identities = {(row["device"], row["epoch"], row["seq"]): named(make_line(row)) for row, _ in events(sent)}
    counted = set()
    for block in log.drain():
        if block.table == "deliveries":
            rows = zip(*(block.columns[name] for name in ("device", "epoch", "seq", "fate")), strict=True)
            counted |= {
                identities[device, int(epoch), int(seq)] for device, epoch, seq, fate in rows if fate == "counted"
            }
    suspect = {name for reason, name in refused if reason == "suspect-time"}
    outside = {name for reason, name in refused if reason == "time-out-of-range"}
    late = set(identities.values()) - counted - suspect - outside
    assert log.tally.late == len(late)
    return {"counted": counted, "late": late, "suspect": suspect, "outside": outside}


def named(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


@settings(max_examples=examples(600), deadline=None)
@given(sent=st.lists(deliveries, min_size=1, max_size=25), data=st.data())
@pytest.mark.parametrize("clock", [SiteClock(), SiteClock(MIDNIGHT, 1_000_000, 60)], ids=["real time", "60 times"])
def test_a_worker_and_the_oracle_agree_about_every_passage(
    tmp_path_factory: pytest.TempPathFactory, clock: SiteClock, sent: list[Delivery], data: st.DataObject
) -> None:
    cuts = data.draw(st.sets(st.integers(1, max(len(sent) - 1, 1)), max_size=4)) if len(sent) > 1 else set()
    expected = by_the_oracle(tmp_path_factory.mktemp("ledger"), sent, clock)
    assert by_a_worker(sent, cuts, clock) == expected
