"""The state and snapshot of a log are bounded by the site's size, not by what is sent."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise, product
from typing import Any, Final

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contract.events import LONGEST_REASON
from streams.contract.topics import LARGEST_SNAPSHOT
from streams.kernels.alarms import changes as alarm_changes
from streams.kernels.alarms import snapshot as alarm_snapshot
from streams.kernels.alarms.areas import MOST_COMING
from streams.kernels.alarms.episodes import Alarm, Episode
from streams.kernels.alarms.inputs import Inside, OccupancyReading
from streams.kernels.alarms.log import PATIENCE_SECONDS, AlarmLog
from streams.kernels.alarms.recent import MOST_KNOWN, REPUBLISHED_SECONDS, SPAN, CellCounts
from streams.kernels.alarms.rules import RULES, AlarmEntrance, AlarmSite
from streams.kernels.counts import changes, corrections
from streams.kernels.counts.admission import EPOCHS, RANGES, Device, Devices, most_of_all
from streams.kernels.counts.cells import Cells
from streams.kernels.counts.cells import pack as pack_key
from streams.kernels.counts.columns import Interner
from streams.kernels.counts.corrections import MOST_CORRECTIONS, CorrectionLog
from streams.kernels.counts.identity import Ranges
from streams.kernels.counts.live import MOST_UNPUBLISHED, Lag, Lane, Live, Seconds
from streams.kernels.counts.offset_bucket import Flow, Flows, OffsetBucket
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.passages import MOST_REASONS, OTHER, PassageLog
from streams.kernels.counts.place import (
    MOST_AREAS,
    MOST_CELLS,
    MOST_LANES,
    MOST_SITE_CATEGORIES,
    MOST_SITE_ENTRANCES,
    STRETCH_EVENTS,
    devices_of,
)
from streams.kernels.counts.snapshot import freeze, thaw
from streams.worker.snapshot_records import pack
from tests.support.events import HORIZON, LOG, NINE, PLACE, Event, batch

LETTERS: Final = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-", np.uint8)
PARTITIONS: Final = 16
ROOM: Final = 1 << 20
"""Bytes for what a record has besides, and for what a later version may add."""
SMALL = replace(PLACE, most_devices=3)
MOST: Final = devices_of(MOST_LANES)


def log(place: object = SMALL) -> PassageLog:
    return PassageLog(LOG, "person", place, next_offset=0)  # type: ignore[arg-type]  # a place


def test_events_of_one_device_too_many_are_rejected_and_all_others_are_counted() -> None:
    passages = log()
    devices = ["a", "b", "c", "d", "a", "d"]
    events = [Event(offset=n, device=name, seq=n + 1) for n, name in enumerate(devices)]
    passages.apply(batch(events, first=0, after=6))
    assert (passages.tally.counted, dict(passages.tally.rejected)) == (4, {"too-many-devices": 2})
    assert passages.tally.unaccounted == 0
    rejections = passages.drain_rejections()
    assert [each.position.offset for each in rejections] == [3, 5]
    assert "remembers 3 devices" in rejections[0].detail
    assert passages.devices.names.listed == ["a", "b", "c"]


def test_counters_that_begin_anew_for_ever_are_bounded_too() -> None:
    passages, most = log(), 3 * EPOCHS
    passages.apply(batch([Event(offset=n, epoch=n) for n in range(most + 5)], first=0, after=most + 5))
    assert (passages.tally.counted, dict(passages.tally.rejected)) == (most, {"too-many-devices": 5})
    passages.apply(batch([Event(offset=most + 5, epoch=1, seq=2)], first=most + 5, after=most + 6))
    assert passages.tally.counted == most + 1


names = st.sampled_from(["a", "b", "c", "d", "e", "f"])


@settings(deadline=None)
@given(
    st.lists(st.tuples(names, st.integers(0, 12), st.integers(1, 4)), min_size=1, max_size=60),
    st.sets(st.integers(1, 59)),
)
def test_which_devices_are_remembered_does_not_depend_on_how_a_log_is_cut(
    drawn: list[tuple[str, int, int]], cuts: set[int]
) -> None:
    events = [Event(offset=n, device=name, epoch=epoch, seq=seq) for n, (name, epoch, seq) in enumerate(drawn)]
    whole, parts = log(), log()
    whole.apply(batch(events, first=0, after=len(events)))
    edges = [0, *sorted(cut for cut in cuts if cut < len(events)), len(events)]
    for first, after in pairwise(edges):
        parts.apply(batch(events[first:after], first=first, after=after))
        parts = thaw(freeze(parts), LOG, "person", SMALL)
    left, right = freeze(whole), freeze(parts)
    assert left == right


def test_reasons_beyond_the_limit_count_as_other_however_a_log_is_cut() -> None:
    many = MOST_REASONS + 50
    events = [Event(offset=n, seq=n + 1, outcome="denied", reason=f"r{n}") for n in range(many)]
    whole, parts = log(PLACE), log(PLACE)
    whole.apply(batch(events, first=0, after=many))
    for n in range(many):
        parts.apply(batch([events[n]], first=n, after=n + 1))
    assert freeze(whole) == freeze(parts)
    assert whole.reasons.listed[-2:] == [f"r{MOST_REASONS - 1}", OTHER]
    [rows] = [
        block for block in whole.drain() if block.table == "refusals_1m" and OTHER in list(block.columns["reason"])
    ]
    assert list(rows.columns["refusals"]) == [50]


def drawn_names(draw: np.random.Generator, n: int) -> list[str]:
    """Draw ids of the longest kind, which no compression makes smaller."""
    text = draw.choice(LETTERS, (n, 64)).tobytes().decode()
    return [text[start : start + 64] for start in range(0, len(text), 64)]


def moments(draw: np.random.Generator, *shape: int) -> Any:  # lists within lists, as the shape is
    """Draw times within the horizon."""
    return (NINE - draw.integers(0, HORIZON, shape)).tolist()


def full_devices(draw: np.random.Generator, entrances: list[str]) -> Devices:
    """As many devices as there may be, as many epochs, and as many ranges just before the end of a stretch."""
    counters, ranges = most_of_all(EPOCHS, MOST), most_of_all(RANGES, MOST) + STRETCH_EVENTS
    least, more = divmod(ranges, counters)
    numbers = np.sort(draw.integers(1, 2**63 - 1, (counters, 2 * least + 2)), axis=1).tolist()
    times, epochs = moments(draw, counters, 2 * least + 4), draw.integers(0, 2**63 - 1, counters).tolist()
    at, closed = draw.integers(0, len(entrances), counters).tolist(), draw.integers(1, 2**62, counters).tolist()
    known = {}
    for n in range(counters):
        ends, then = numbers[n][: 2 * (least + (n < more))], times[n]
        low, high = ends[::2], ends[1::2]
        received = Ranges(low, high, then[: len(low)], then[-len(low) :], floor=high[0], closed=min(closed[n], high[0]))
        known[n % MOST, epochs[n]] = Device(received, entrances[at[n]], then[-1], then[-2])
    return Devices(Interner(drawn_names(draw, MOST)), known)


def full_live(draw: np.random.Generator, devices: list[str], entrances: list[str]) -> Live:
    """All devices with a lane and a lag, and as many cells as may wait to be published."""
    n = len(devices)
    at, times, figures = draw.integers(0, len(entrances), n).tolist(), moments(draw, n, 3), draw.integers(0, 10**8, n)
    lags = figures.tolist()
    live = Live()
    live.lanes = {
        name: Lane(entrances[at[i]], times[i][0], lags[-i - 1], times[i][1]) for i, name in enumerate(devices)
    }
    live.lags = {name: Lag(lags[i], times[i][2]) for i, name in enumerate(devices)}
    seconds = NINE // 1000 - draw.integers(0, HORIZON // 1000, 2 * MOST_UNPUBLISHED)
    keys = seconds << 17 | draw.integers(0, len(entrances), len(seconds)) << 3 | draw.integers(0, 4, len(seconds))
    live.cells = Seconds(Counter({key: 1 + key % 97 for key in np.unique(keys)[:MOST_UNPUBLISHED].tolist()}))
    return live


def full_segment(draw: np.random.Generator, areas: list[str]) -> OffsetBucket:
    """As many cells as there may be just before the end of a stretch, each in a minute and a day of its own."""
    n = MOST_CELLS + STRETCH_EVENTS

    def cells(first: int, span: int) -> Cells:
        columns = (MOST_SITE_ENTRANCES, MOST_SITE_CATEGORIES, 2, 3)
        keys = np.unique(
            pack_key(first - draw.integers(0, span, 2 * n), *(draw.integers(0, most, 2 * n) for most in columns))
        )
        keys = draw.choice(keys, n, replace=False)
        return Cells(dict(zip(keys.tolist(), draw.integers(1, 1000, n).tolist(), strict=True)))

    hours = HORIZON // 3_600_000
    tens, minutes, days = cells(NINE // 10_000, 360 * hours), cells(NINE // 60_000, 60 * hours), cells(20_412, 4)
    flows = {}
    windows, area = draw.integers(0, 360 * hours, 3 * n).tolist(), draw.integers(0, len(areas), 3 * n).tolist()
    for window, number, last in zip(windows, area, moments(draw, 3 * n), strict=True):
        flows[NINE // 10_000 - window, areas[number]] = Flow(last % 251, last % 241, last)
    flows = dict(list(flows.items())[: 2 * n])  # a passage leaves one area and enters another
    assert len(flows) == 2 * n
    return OffsetBucket(
        1, tens=tens, minutes=minutes, days=days, anonymous=Cells(dict(days.counts)), flows=Flows(flows)
    )


def fullest() -> PassageLog:
    """Return a log of the largest site with everything at its limit at once."""
    draw = np.random.default_rng(1)
    entrances, areas, categories = (
        drawn_names(draw, most) for most in (MOST_SITE_ENTRANCES, MOST_AREAS, MOST_SITE_CATEGORIES)
    )
    passages = PassageLog(LOG, "person", PLACE, next_offset=1 << 14)
    passages.entrances, passages.categories = Interner(entrances), Interner(categories)
    letters = draw.integers(0x4E00, 0x9FFF, (MOST_REASONS, LONGEST_REASON))
    passages.reasons = Interner(["".join(map(chr, row)) for row in letters.tolist()] + [OTHER])
    passages.devices = full_devices(draw, entrances)
    passages.live = full_live(draw, passages.devices.names.listed, entrances)
    passages.bucket = full_segment(draw, areas)
    passages.last_ts = dict(zip(entrances, moments(draw, MOST_SITE_ENTRANCES), strict=True))
    passages.boundary = dict.fromkeys(entrances, True)
    columns = np.meshgrid(np.arange(MOST_SITE_ENTRANCES), np.arange(MOST_SITE_CATEGORIES), np.arange(2))
    keys = pack_key(*(each.ravel() for each in (np.zeros_like(columns[0]), *columns, np.zeros_like(columns[0]))))
    passages.totals = Cells(dict(zip(keys.tolist(), draw.integers(1, 10**9, len(keys)).tolist(), strict=True)))
    return passages


def test_the_largest_snapshot_that_all_limits_allow_fits_its_record() -> None:
    passages = fullest()
    assert passages.devices.ranges == most_of_all(RANGES, MOST) + STRETCH_EVENTS
    assert len(passages.devices.known) == most_of_all(EPOCHS, MOST)
    assert len(pack(freeze(passages))) < LARGEST_SNAPSHOT - ROOM


def test_so_do_changes_of_everything_in_it() -> None:
    passages = fullest()
    changes.note_saved(passages)
    passages.bucket.saved = False
    passages.devices.drained = set(passages.devices.known)
    passages.totals.drained = set(passages.totals.counts)
    passages.seen_entrances = set(range(len(passages.entrances)))
    passages.live.drained_lanes, passages.live.changed_lags = set(passages.live.lanes), set(passages.live.lags)
    plain = changes.freeze_changes(passages)
    assert plain is not None
    assert len(plain["devices"]["number"]) == 8 * len(passages.devices.known)
    assert len(pack(plain, b"the digest before")) < LARGEST_SNAPSHOT - ROOM


def test_so_does_that_of_corrections() -> None:
    log = CorrectionLog(PartitionId("test", "corrections", 0), PLACE.times, next_offset=0)
    log.seen = set(drawn_names(np.random.default_rng(1), MOST_CORRECTIONS))
    assert len(pack(corrections.freeze(log))) < LARGEST_SNAPSHOT - ROOM


def fullest_alarms() -> AlarmLog:
    """Return the alarms of the largest site: each lane and gate in alarm, and all that is remembered at its limit."""
    draw = np.random.default_rng(1)
    entrances, lanes, areas = (drawn_names(draw, most) for most in (MOST_SITE_ENTRANCES, MOST_LANES, MOST_AREAS))
    of_gate = MOST_LANES // MOST_SITE_ENTRANCES
    gates = [
        AlarmEntrance(name, "person", name, areas[n % MOST_AREAS], lanes[n * of_gate : (n + 1) * of_gate])
        for n, name in enumerate(entrances)
    ]
    place = AlarmSite("site", gates, {"person": 10**6}, RULES, lambda _: True, PARTITIONS, 1000)
    log = AlarmLog(PartitionId("test", "alarm.inputs", 0), place, next_offset=1 << 14)
    logs = [str(PartitionId("c" * 22, "turnstile.passages", n, "t" * 22)) for n in range(PARTITIONS)]
    now = NINE // 1000

    def figures(most: int) -> dict[str, int]:
        return dict(zip(entrances, draw.integers(1, most, MOST_SITE_ENTRANCES).tolist(), strict=True))

    recent = log.recent
    recent.entered = now
    recent.sums = np.cumsum(draw.integers(1, 100, recent.sums.shape), axis=0)
    for name in logs:
        keys = recent.key(now - REPUBLISHED_SECONDS) + draw.choice(
            REPUBLISHED_SECONDS * recent.width, MOST_KNOWN // PARTITIONS, replace=False
        )
        recent.known[name] = dict(zip(keys.tolist(), draw.integers(1, 100, len(keys)).tolist(), strict=True))
    keys = recent.key(now + 1) + np.arange(PATIENCE_SECONDS * 2 * recent.width)
    recent.coming = CellCounts(keys, draw.integers(1, 100, len(keys)))
    for n, (lane, times, events) in enumerate(
        zip(lanes, moments(draw, MOST_LANES, 2), draw.integers(0, 10**6, MOST_LANES).tolist(), strict=True)
    ):
        for name in (logs[n % PARTITIONS], logs[(n + 1) % PARTITIONS]):
            log.silence.ingest(name, lane, times[0], events, entered=times[1])
    usual, parts = log.silence, len(log.silence.parts)
    usual.rate, usual.rest_rate = draw.random(parts), draw.random(parts)
    usual.seen, usual.rest_then, usual.revived = (draw.integers(0, NINE, parts) for _ in range(3))
    usual.minute_totals = [draw.integers(0, 10**9, parts) for _ in range(10)]
    log.leaks.restore({name: figures(10**9) for name in logs})
    inside = [Inside(area, kind, 123_456, 10**6) for area in areas for kind in ("person", "vehicle")]
    log.areas.coming = [
        OccupancyReading(NINE + n * 1000, inside, figures(10**6), figures(10**6)) for n in range(MOST_COMING)
    ]
    of_gates = ("entrance-overload", "refusals", "health", "silence-entrance", "drift-entrance", "conflicts")
    for rule, subject in [("silence-lane", each) for each in lanes] + list(product(of_gates, entrances)):
        at = moments(draw, 1)[0]
        episode = Episode(
            f"{rule}:{subject}:{at}", rule, subject, "", subject, "warning", "raised", "raised", 1, draw.random(), 1.0,
            "persons a minute and lane", at, at,
        )  # fmt: skip
        log.episodes[episode.episode] = episode
        log.alarms[rule, subject, ""] = Alarm(RULES[rule], subject, "", subject, episode=episode)
    return log


def test_so_does_that_of_the_alarms_of_the_largest_site() -> None:
    log = fullest_alarms()
    assert len(log.recent.window()) > 0.99 * SPAN * log.recent.width
    assert len(pack(alarm_snapshot.freeze(log))) < LARGEST_SNAPSHOT - ROOM


def test_so_do_changes_of_everything_in_it_within_a_minute() -> None:
    log = fullest_alarms()
    alarm_changes.note_saved(log)
    assert log.saved is not None
    nothing = [each * 0 - 1 for each in log.saved.usual]
    log.saved = replace(log.saved, entered=log.saved.entered - 60, usual=nothing, minute_totals=[])
    log.recent.changed_known = {name: set(known) for name, known in log.recent.known.items()}
    log.silence.changed_reports = set(log.silence.lane_reports)
    plain = alarm_changes.freeze_changes(log)
    assert plain is not None
    assert len(plain["heard"][0]) == 8 * 2 * MOST_LANES
    assert len(pack(plain, b"the digest before")) < LARGEST_SNAPSHOT - ROOM
    log.saved = replace(log.saved, entered=log.saved.entered - 1)
    assert alarm_changes.freeze_changes(log) is None


def test_unpublished_cells_are_bounded_and_the_newest_stay() -> None:
    cells = Seconds()
    cells.count(np.arange(10))
    cells.keep_newest(4)
    keys, counts = cells.drain_changed()
    assert (keys.tolist(), counts) == ([6, 7, 8, 9], [1, 1, 1, 1])
    assert dict(cells.counts) == dict.fromkeys([6, 7, 8, 9], 1)
