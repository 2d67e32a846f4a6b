"""The state of all alarms is restored from a snapshot, of a small site and of a large one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.kernels.alarms import snapshot
from streams.kernels.alarms.inputs import Inside, LogFlow, OccupancyReading, SourceProblem
from streams.kernels.alarms.log import AlarmLog
from streams.kernels.alarms.recent import SPAN
from streams.kernels.alarms.snapshot import freeze, thaw
from streams.kernels.counts.live import Measure
from streams.worker.snapshot_records import pack, unpack
from tests.support.alarm_feed import DENIED, IN, NAME, OUT, TEN, Events, Feed, gate

Other = Callable[[AlarmLog], dict[str, Any]]
GATES = [gate("N1"), gate("N2"), gate("N3")]
cells = st.lists(
    st.tuples(
        st.integers(0, 90), st.sampled_from(["N1", "N2", "N3"]), st.sampled_from(list(Measure)), st.integers(1, 9)
    ),
    unique_by=lambda each: each[:3],
    max_size=20,
)


def as_of_a_large_site(log: AlarmLog) -> dict[str, Any]:
    """Write a state as that of a site with many entrances."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot, "FEW_ENTRANCES", 0)
        return freeze(log)


OTHERS = [as_of_a_large_site]


def read(second: int, **more: Any) -> OccupancyReading:
    inside = [Inside("hall", "person", second, None), Inside("yard", "vehicle", -1, 40)]
    problems = [SourceProblem("turnstile.passages/0", "offset-gap", second)]
    return replace(
        OccupancyReading((TEN + second) * 1000, inside, {"N1": 3, "N3": second}, {"N2": 1}, problems), **more
    )


def busy(second: int) -> Events:
    """Let somebody through each gate every now and then."""
    some: Events = [("N1-1", IN), ("N1-2", OUT)] if second % 2 else [("N2-1", IN)]
    return [*some, *([("N3-1", DENIED)] if second % 7 == 0 else [])]


def figures(log: AlarmLog) -> list[list[int]]:
    spans = [(1, 0), (60, 0), (60, 60), (300, 0), (300, 300), (SPAN, 0)]
    return [log.recent.last(measure, span, before=ago).tolist() for measure in Measure for span, ago in spans]


@pytest.mark.parametrize("other", OTHERS)
def test_a_state_written_otherwise_is_taken_up_with_the_same_sums_and_goes_on_the_same(other: Other) -> None:
    feed = Feed(GATES)
    feed.play(busy, start=TEN, end=TEN + 700)
    feed.tell(LogFlow("log", "person", 9, 0, [(TEN + 705, "N2", IN, 3), (TEN + 706, "N3", OUT, 2)], []))
    feed.tell(readings=[read(600), read(701), read(702, missing=None, conflicts=None)])
    old = thaw(unpack(pack(other(feed.alarms))), NAME, feed.place)
    assert freeze(old) == freeze(feed.alarms)
    assert figures(old) == figures(feed.alarms) != figures(Feed(GATES).alarms)
    seconds = old.recent.coming.keys // old.recent.width
    assert seconds.tolist() == [TEN + 699, TEN + 699, TEN + 705, TEN + 706]  # the last one is not complete yet


@pytest.mark.parametrize("other", OTHERS)
def test_what_such_a_state_knew_adds_nothing_when_it_is_told_again(other: Other) -> None:
    feed = Feed(GATES)
    feed.play(busy, start=TEN, end=TEN + 300)
    again = [(TEN + 299, "N1", IN, 1), (TEN + 299, "N1", OUT, 1)]
    before = freeze(feed.alarms)
    feed.alarms = thaw(other(feed.alarms), NAME, feed.place)
    feed.tell(LogFlow("log", "person", 9, 0, [*again], []))
    after = freeze(feed.alarms)
    assert [after[name] for name in ("kept", "coming", "known")] == [before[n] for n in ("kept", "coming", "known")]


@given(cells, st.integers(0, 90))
def test_a_state_that_was_kept_is_the_state_that_is_taken_up(
    inputs: list[tuple[int, str, Measure, int]], entered: int
) -> None:
    feed = Feed(GATES)
    feed.alarms.recent.enter(TEN)
    feed.alarms.recent.ingest(
        LogFlow("log", "person", 1, 0, [(TEN + second, name, measure, n) for second, name, measure, n in inputs], [])
    )
    feed.alarms.recent.enter(TEN + entered)
    for plain in (freeze(feed.alarms), *(other(feed.alarms) for other in OTHERS)):
        again = thaw(unpack(pack(plain)), NAME, feed.place)
        assert freeze(again) == freeze(feed.alarms)
        assert figures(again) == figures(feed.alarms)


def test_when_the_profile_has_other_entrances_each_keeps_its_own_counts() -> None:
    feed = Feed(GATES)
    feed.play(busy, start=TEN, end=TEN + 300)
    feed.tell(LogFlow("log", "person", 9, 0, [(TEN + 400, "N1", IN, 3), (TEN + 400, "N3", OUT, 2)], []))
    changed = Feed([gate("N0"), gate("N3"), gate("N2")]).place
    for plain in (freeze(feed.alarms), *(other(feed.alarms) for other in OTHERS)):
        again = thaw(plain, NAME, changed).recent
        for measure in Measure:
            _, second, third = feed.alarms.recent.last(measure, 300).tolist()
            assert again.last(measure, 300).tolist() == [0, third, second]
        again.enter(TEN + 400)
        assert again.last(OUT, 1).tolist() == [0, 2, 0]


def test_a_reading_is_taken_up_as_it_was_kept_without_entrances_that_are_gone() -> None:
    feed = Feed(GATES)
    feed.alarms.areas.restore(read(1))
    feed.alarms.areas.coming = [read(2), read(3, missing=None)]
    again = thaw(unpack(pack(freeze(feed.alarms))), NAME, feed.place).areas
    assert (again.reading, again.coming) == (read(1), [read(2), read(3, missing=None)])
    smaller = Feed([gate("N1")]).place
    for written in (freeze, *OTHERS):
        fewer = thaw(unpack(pack(written(feed.alarms))), NAME, smaller)
        assert fewer.leaks.in_order(fewer.areas.reading.missing or {}).tolist() == [3]  # type: ignore[union-attr]  # there is one


def test_a_snapshot_stays_what_it_was_when_more_is_heard() -> None:
    """It is written after the rows, which takes a while: it must not know what came behind its next offset."""
    site = Feed(GATES)
    site.tell(LogFlow("log", "person", 1, TEN * 1000, [], [], {"N1": 1}))
    kept = freeze(site.alarms)
    then = pack(kept)
    site.tell(
        LogFlow("log", "person", 2, TEN * 1000, [], [], {"N1": 7}), LogFlow("new", "person", 1, 0, [], [], {"N2": 3})
    )
    assert pack(kept) == then
