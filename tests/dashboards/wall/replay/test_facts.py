"""A replay shows late deliveries, corrections, restarts, midnight and outages rightly; on a real store."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from dashboards.wall.model.figures import WallSnapshot
from dashboards.wall.model.rows import WallRows
from sinks import schema
from sinks.rows import TABLES, Migration, migrations
from streams.kernels.counts.columns import Block
from streams.kernels.counts.place import EntranceSides
from streams.site.model import Site
from tests.dashboards.wall.replay.stage import SITE, TWENTY_PAST, Corrected, Delivery, Stage
from tests.support.deliveries import settle
from tests.support.events import PLACE, Event
from tests.support.odd_sites import BERLIN_LONG, BERLIN_SHORT, ms
from tests.support.wall_site import at, gate

MINUTE = 60_000
QUARTER_PAST = TWENTY_PAST - 5 * MINUTE


def entry(seq: int, ts: int, **given: Any) -> Event:
    """One visitor through N1, each with a credential of her own."""
    usual: dict[str, Any] = {"seq": seq, "ts": ts, "credential": f"c{seq}"}
    return Event(**usual | given)


def persons(picture: WallSnapshot) -> tuple[int | None, int | None, int | None]:
    """Return entries, distinct persons, and how many are inside."""
    today = picture.today["person"]
    return today.entries, today.distinct, picture.inside["person"].inside


def corrected(stage: Stage, *times: int) -> list[WallRows]:
    """Replay what is known today of some moments (site time), going on from the first."""
    begin = stage.clock.real(times[0])
    history = stage.history(begin, "corrected", end=stage.clock.real(times[-1]))
    return [history.rows(each) for each in times]


def rows(table: str, *given: dict[str, Any]) -> Block:
    return Block(table, {name: [row.get(name) for row in given] for name in TABLES[table].columns})


def test_a_late_delivery_is_shown_when_it_came_and_corrected_when_it_happened(stage: Stage) -> None:
    on_time, late = entry(2, TWENTY_PAST - MINUTE), entry(1, TWENTY_PAST - 10 * MINUTE, device="N1-L02")
    before = stage.flush([Delivery("a", (on_time,))])
    after = stage.flush([Delivery("a", (late,))])
    assert persons(stage.replayed(before, "then")) == (1, 1, 1)
    assert persons(stage.replayed(after, "then")) == (2, 2, 2)
    #             late    on time
    #  00:09   |  00:10    00:19  |  00:20
    found = corrected(stage, TWENTY_PAST - 11 * MINUTE, TWENTY_PAST - 9 * MINUTE, TWENTY_PAST)
    assert [[row.entries for row in reading.today] for reading in found] == [[], [1], [2]]
    assert [(row.minute, row.before, row.hour) for row in found[1].flows] == [(1, 0, 1)]
    assert [(row.minute, row.before, row.hour) for row in found[2].flows] == [(1, 0, 2)]


def test_what_comes_again_changes_nothing_not_even_when_it_was_known(stage: Stage) -> None:
    first = stage.flush([Delivery("a", (entry(1, TWENTY_PAST - MINUTE),))])
    stage.client.execute("INSERT INTO gatepulse_store.deliveries SELECT * FROM gatepulse_store.deliveries")
    stage.client.execute("INSERT INTO gatepulse_store.devices SELECT * FROM gatepulse_store.devices")
    stage.client.execute("INSERT INTO gatepulse_store.log_progress SELECT * FROM gatepulse_store.log_progress")
    again = stage.flush()
    assert persons(stage.replayed(first, "then")) == persons(stage.replayed(again, "then")) == (1, 1, 1)
    assert gate("N1", stage.replayed(first, "then")).heard == 1


def test_a_correction_counts_from_when_it_was_known_or_from_the_end_of_its_window(stage: Stage) -> None:
    #   00:15:03    00:15:07        00:15:20
    #   1 comes in  10 are counted  1 comes in
    some = entry(1, QUARTER_PAST + 3000), entry(2, QUARTER_PAST + 20_000)
    before = stage.flush([Delivery("a", some)])
    after = stage.flush(corrections=[Corrected("count", QUARTER_PAST + 7000, absolute=10)])
    last = stage.flush(corrections=[Corrected("more", QUARTER_PAST + 30_000, delta=-3)])
    assert [persons(stage.replayed(each, "then"))[2] for each in (before, after, last)] == [2, 11, 8]
    found = corrected(stage, *(QUARTER_PAST + each for each in (2000, 4000, 7000, 9999, 20_000, 30_000)))
    venue = [next(row for row in reading.areas if row.area == "venue") for reading in found]
    assert [row.inside for row in venue] == [0, 1, 10, 10, 11, 8]
    assert [row.as_of for row in venue[:2]] == [None, QUARTER_PAST + 3000]


def test_an_anchor_of_yesterday_that_comes_today_moves_todays_occupancy(stage: Stage) -> None:
    yesterday = TWENTY_PAST - 5 * 60 * MINUTE
    some = entry(1, yesterday - 60_000), entry(2, yesterday + 60_000), entry(3, QUARTER_PAST)
    before = stage.flush([Delivery("a", some)])
    after = stage.flush(corrections=[Corrected("count", yesterday, absolute=100)])
    whole = stage.history(before, "then", end=after)
    assert [persons(stage.drawn(whole, each))[2] for each in (before, after)] == [3, 102]


def test_an_upload_of_what_happened_yesterday_moves_who_is_inside_when_it_comes(stage: Stage) -> None:
    evening = TWENTY_PAST - 6 * 60 * MINUTE
    before = stage.flush([Delivery("a", (entry(1, evening), entry(2, QUARTER_PAST)))])
    after = stage.flush([Delivery("a", (entry(1, evening + MINUTE, device="N1-L02"),))])
    whole = stage.history(before, "then", end=after)
    for moment, expected in ((before, (1, 1, 2)), (after, (1, 1, 3))):
        assert persons(stage.replayed(moment, "then")) == expected
        assert persons(stage.drawn(whole, moment)) == expected


def test_a_device_that_begins_to_count_anew_still_lacks_what_it_lacked(stage: Stage) -> None:
    first = stage.flush([Delivery("a", (entry(1, QUARTER_PAST), entry(4, QUARTER_PAST + 1000)))])
    restarted = stage.flush([Delivery("a", (entry(3, QUARTER_PAST + 60_000, epoch=1),))])
    filled = stage.flush([Delivery("b", (entry(2, QUARTER_PAST + 500),))])
    missing = [stage.replayed(each, "then").health.missing for each in (first, restarted, filled)]
    assert missing == [2, 4, 3]
    by_event_time = corrected(stage, QUARTER_PAST, QUARTER_PAST + 1000, QUARTER_PAST + 60_000)
    assert [sum(row.missing for row in reading.devices) for reading in by_event_time] == [0, 1, 3]


def test_the_day_begins_anew_at_the_sites_midnight_and_those_inside_stay(stage: Stage) -> None:
    night = at("23:50:00", "2026-11-06")
    stage.flush([Delivery("a", (entry(1, night), entry(2, at("00:10:00"))))])
    before, after, late = corrected(stage, night + MINUTE, at("00:05:00"), at("00:12:00"))
    assert [reading.span.day.isoformat() for reading in (before, after, late)] == ["2026-11-06", *["2026-11-07"] * 2]
    assert [[row.entries for row in reading.today] for reading in (before, after, late)] == [[1], [], [1]]
    assert [sum(row.inside for row in reading.areas) for reading in (before, after, late)] == [1, 1, 2]
    assert [row.hour for row in late.flows] == [2]  # 23:50 is within the hour


FOUR = replace(SITE, day_starts=240)
BERLIN = replace(SITE, time_zone="Europe/Berlin")
"""Open day and night, as the stage is."""


@pytest.mark.parametrize(
    ("site", "begin", "days"),
    [
        (FOUR, (dt.date(2026, 11, 7), "04:00"), ("2026-11-06", "2026-11-07")),
        (BERLIN, (BERLIN_LONG + dt.timedelta(1), "00:00"), ("2026-10-25", "2026-10-26")),
        (BERLIN, (BERLIN_SHORT + dt.timedelta(1), "00:00"), ("2027-03-28", "2027-03-29")),
        (replace(SITE, time_zone="Asia/Kathmandu"), (BERLIN_LONG, "00:00"), ("2026-10-24", "2026-10-25")),
        (replace(SITE, time_zone="Africa/Cairo"), (dt.date(2026, 4, 24), "01:00"), ("2026-04-23", "2026-04-24")),
    ],
)
def test_both_walls_begin_the_day_when_the_site_does(
    stage: Stage, site: Site, begin: tuple[dt.date, str], days: tuple[str, str]
) -> None:
    """Two come 23 hours ago and one before the day ends, then one after it has begun; the clock says 20 past."""
    start = ms(site, *begin)
    stage.clear(site, begin=start + 20 * MINUTE)
    early, last, first = start - 23 * 60 * MINUTE, start - 10_000, start + 5 * MINUTE
    stage.flush([Delivery("a", (entry(1, early), entry(2, early + 1000), entry(3, last), entry(4, first)))])
    before, after = corrected(stage, start - 1000, start + 10 * MINUTE)
    assert (before.span.day.isoformat(), after.span.day.isoformat()) == days
    assert [[row.entries for row in reading.today] for reading in (before, after)] == [[3], [1]]
    assert [[(row.entries, row.distinct) for row in reading.today] for reading in (before, after)] == [
        [(3, 3)],
        [(1, 1)],
    ]
    moment = stage.flush([Delivery("a", (entry(5, first + MINUTE),))])
    live, trends = stage.live(moment), stage.live_trends(moment)
    whole = stage.history(moment, "then")
    assert persons(live) == (2, 2, 5)
    assert live.day == days[1]
    assert stage.drawn(whole, moment) == live
    assert stage.trends(whole, moment) == trends
    assert trends[0].start_ms == start


def test_an_outage_of_storage_is_shown_as_the_staleness_it_was(stage: Stage) -> None:
    stored = stage.flush([Delivery("a", (entry(1, QUARTER_PAST),))])
    fresh, old = stage.replayed(stored, "then"), stage.replayed(stored + 60_000, "then")
    assert (fresh.stale, old.stale) == (False, True)
    assert fresh.age_ms is not None
    assert old.age_ms == fresh.age_ms + 60_000
    assert stage.replayed(stored + 60_000, "corrected").age_ms == 0


def test_a_parked_batch_holds_the_age_until_it_is_resolved(stage: Stage) -> None:
    log = str(stage.logs["a"].name)
    note = {"id": "p", "log": log, "table": "passages", "rows": 1, "reason": "no", "at": 0, "version": 0, "resolved": 0}
    seen = []
    stage.flush([Delivery("a", (entry(1, QUARTER_PAST),))])
    held = stage.clock.real(TWENTY_PAST) - 30_000
    for blocks in ([rows("parked_batches", note | {"complete_to": held})], [],
                   [rows("parked_batches", note | {"complete_to": held, "version": 1, "resolved": 1})]):  # fmt: skip
        if blocks:
            stage.write(blocks)
        moment = stage.flush()
        seen.append((moment, stage.live(moment)))
    assert [live.complete_to_ms == held for _, live in seen] == [True, True, False]
    assert [stage.replayed(moment, "then") for moment, _ in seen] == [live for _, live in seen]


RAISED = {
    "episode": "e", "rule": "entrance-overload", "subject": "N1", "kind": "", "zone": "Z", "level": "orange",
    "state": "raised", "what": "raised", "change": 1, "value": 12.5, "limit": 11.0, "unit": "persons/min/lane",
    "raised_at": QUARTER_PAST, "changed_at": QUARTER_PAST, "actor": "", "detail": "", "log": "live/alarm.inputs/0",
}  # fmt: skip
OVER = RAISED | {
    "change": 2, "state": "cleared-unacknowledged", "what": "cleared", "cleared_at": QUARTER_PAST + MINUTE,
    "changed_at": QUARTER_PAST + MINUTE,
}  # fmt: skip


def test_alarms_and_queues_are_those_of_the_moment(stage: Stage) -> None:
    stage.write([rows("alarm_changes", RAISED, OVER)])
    queue = {"entrance": "N1", "lanes": 3, "saturated_for": 0, "wait": 4.0, "wait_low": 2.0, "wait_high": None}
    stage.write([rows("entrance_queues", queue | {"at": QUARTER_PAST})])
    stage.flush([Delivery("a", (entry(1, QUARTER_PAST - MINUTE),))])
    moments = [QUARTER_PAST + each for each in (-1, 1000, 2 * MINUTE, 25 * MINUTE)]
    found = corrected(stage, *moments)
    states = ["raised", "cleared-unacknowledged", "cleared-unacknowledged"]
    assert [[row.state for row in reading.episodes or ()] for reading in found] == [[], *([each] for each in states)]
    assert [[row.wait for row in reading.queues] for reading in found] == [[], [4.0], [4.0], []]


def test_alarms_are_shown_then_from_when_the_wall_could_show_them(stage: Stage) -> None:
    seen = []
    for each in ([], [RAISED], [OVER], [OVER | {"change": 3, "state": "cleared", "actor": "Wang"}]):
        if each:
            stage.write([rows("alarm_changes", *each)])
        moment = stage.flush()
        seen.append((moment, stage.live(moment)))
    assert [len(live.strip.alarms) for _, live in seen] == [0, 1, 1, 0]
    whole = stage.history(seen[0][0], "then", end=seen[-1][0])
    for moment, live in seen:
        assert stage.replayed(moment, "then") == stage.drawn(whole, moment) == live


def test_a_trend_shows_no_step_that_was_not_over_yet(stage: Stage) -> None:
    stage.flush([Delivery("a", (entry(1, at("00:02:00")), entry(2, at("00:07:00"))))])
    begin = stage.clock.real(at("00:06:00"))
    history = stage.history(begin, "corrected", end=stage.clock.real(TWENTY_PAST))
    [early, *_] = stage.trends(history, begin)
    assert (list(early.entered["visitor"]), list(early.inside)) == ([1], [1])
    [later, *_] = stage.trends(history, stage.clock.real(at("00:10:00")))
    assert (list(later.entered["visitor"]), list(later.inside)) == ([1, 1], [1, 2])


def test_a_store_of_an_earlier_version_is_replayed_by_event_time(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = migrations()
    for name in schema.DATABASES:
        stage.client.execute(f"DROP DATABASE {name} SYNC")
    _apply(stage, everything[:10], monkeypatch)
    with monkeypatch.context() as before:
        _write_as_before(stage, before)
        stage.clear()
        stage.flush([Delivery("a", (entry(1, QUARTER_PAST), entry(3, QUARTER_PAST + MINUTE)))])
    _apply(stage, everything, monkeypatch)
    found = corrected(stage, QUARTER_PAST - 1, QUARTER_PAST, QUARTER_PAST + MINUTE)
    assert [[row.entries for row in reading.today] for reading in found] == [[], [1], [2]]
    assert [sum(row.missing for row in reading.devices) for reading in found] == [0, 0, 1]
    moment = stage.flush([Delivery("a", (entry(4, TWENTY_PAST),))])
    assert stage.replayed(moment, "then") == stage.live(moment)


def test_what_was_retracted_is_in_no_replay(stage: Stage) -> None:
    whole = tuple(entry(n, QUARTER_PAST + n * 1000) for n in range(1, 6))
    stage.flush([Delivery("a", whole)])
    stage.flush([Delivery("b", whole[3:])])
    gates = {gate.id: EntranceSides(gate.outer, gate.inner) for gate in SITE.entrances}
    settle(stage.owner, place=replace(PLACE, sides=gates))
    moment = stage.flush([Delivery("a", (entry(6, TWENTY_PAST),))])
    assert persons(stage.live(moment)) == (6, 6, 6)
    assert stage.replayed(moment, "then") == stage.live(moment)
    assert [row.entries for row in corrected(stage, QUARTER_PAST, TWENTY_PAST)[-1].today] == [6]


def _write_as_before(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers write the tables and columns that they wrote before deliveries were kept."""
    since = {"log_progress": ("first_offset", "records", "lost", "tail"), "devices": ("closed",)}
    older = dict(TABLES)
    for name, more in since.items():
        types = {each: kind for each, kind in TABLES[name].types.items() if each not in more}
        older[name] = replace(TABLES[name], types=types)
    for module in ("sinks.clickhouse", "sinks.sink"):
        monkeypatch.setattr(f"{module}.TABLES", older)
    write = stage.write

    def written(blocks: Sequence[Block]) -> None:
        named = [("passages" if each.table == "deliveries" else each.table, each.columns) for each in blocks]
        write([Block(table, {name: held[name] for name in older[table].columns}) for table, held in named])

    monkeypatch.setattr(stage, "write", written)


def _apply(stage: Stage, files: list[Migration], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "migrations", lambda: files)
    schema.apply(stage.client)
