"""A replay equals what the live wall showed, however late, repeated or disordered the events were."""

from dataclasses import replace

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.dashboards.wall.replay.stage import SITE, TWENTY_PAST, Corrected, Delivery, Stage
from tests.support.events import Event
from tests.support.size import examples

MINUTE = 60_000
HALF_HOUR = 30 * MINUTE
FEW = settings(
    max_examples=examples(48),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # an example takes a second: not to be made smaller
)
_LANES = {lane: gate for gate in SITE.entrances for lane in gate.lanes}


@st.composite
def events(draw: st.DrawFn, kind: str) -> Event:
    """Any event of the last day: of few lanes and numbers, so that it may be one that has come before."""
    lane = draw(st.sampled_from(["N1-L01", "N1-L02", "H1-L01"] if kind == "person" else ["P1-L01"]))
    seq, epoch = draw(st.integers(1, 9)), draw(st.integers(0, 1))
    # Later numbers are later, so that most times are believed; it may be 25 hours ago or five minutes ahead.
    ago = draw(st.sampled_from([0, 1, 2, 7, 30, 70, 600])) * MINUTE
    ts = TWENTY_PAST - ago - (10 - seq) * 9_000 + epoch * 4 * MINUTE
    return Event(
        seq=seq,
        epoch=epoch,
        device=lane,
        ts=ts + draw(st.integers(-9_000, 9_000)),
        entrance=_LANES[lane].id,
        direction=draw(st.sampled_from(["in", "out"])),
        outcome=draw(st.sampled_from(["passed", "passed", "denied"])),
        category="visitor" if kind == "person" else "car",
        credential=draw(st.sampled_from(["", "c1", "c2", "c3"])),
    )


@st.composite
def deliveries(draw: st.DrawFn) -> Delivery:
    """Some events in one of the logs."""
    log = draw(st.sampled_from(["a", "a", "b", "cars"]))
    some = draw(st.lists(events("vehicle" if log == "cars" else "person"), max_size=5))
    return Delivery(log, tuple(some))


@st.composite
def corrections(draw: st.DrawFn, number: int) -> Corrected:
    """A correction of today or yesterday."""
    ts = TWENTY_PAST - draw(st.sampled_from([0, 1, 10, 100, 700])) * MINUTE - draw(st.integers(0, 20_000))
    amount = draw(st.integers(-5, 20))
    area = draw(st.sampled_from(["venue", "hall"]))
    if draw(st.booleans()):
        return Corrected(f"c{number}", ts, absolute=amount, area=area)
    return Corrected(f"c{number}", ts, delta=amount, area=area)


@st.composite
def flushes(draw: st.DrawFn) -> list[tuple[list[Delivery], list[Corrected]]]:
    """What comes in one flush after the other."""
    return [
        (draw(st.lists(deliveries(), max_size=3)), [draw(corrections(number))] if draw(st.booleans()) else [])
        for number in range(draw(st.integers(1, 4)))
    ]


@FEW
@given(batches=flushes())
def test_then_shows_at_every_moment_what_the_wall_showed(
    stage: Stage, batches: list[tuple[list[Delivery], list[Corrected]]]
) -> None:
    stage.clear()
    seen = []
    for some, corrected in batches:
        moment = stage.flush(some, corrected)
        seen.append((moment, stage.live(moment)))
    whole = stage.history(seen[0][0], "then", end=seen[-1][0], chunk_ms=60)
    for moment, live in seen:
        notices = [each for each in live.health.notices if each.kind != "unsettled"]  # it is settled by now
        shown = msgspec.structs.replace(live, health=msgspec.structs.replace(live.health, notices=notices))
        assert stage.replayed(moment, "then") == shown  # seeking
        assert stage.drawn(whole, moment) == shown  # going on from the first moment
    assert stage.trends(whole, seen[-1][0]) == stage.live_trends(seen[-1][0])


def test_an_area_is_known_since_its_first_passages_though_they_cancel_out(stage: Stage) -> None:
    def passage(seq: int, direction: str) -> Event:
        return Event(seq=seq, device="N1-L01", ts=TWENTY_PAST - 40 * MINUTE + seq, entrance="N1", direction=direction)

    stage.clear()
    moment = stage.flush([Delivery("a", (passage(1, "in"), passage(2, "out")))])
    venue, *_ = stage.trends(stage.history(moment, "then"), moment)
    assert list(venue.inside) == [0, 0, 0, 0]
    assert stage.live_trends(moment)[0] == venue


@FEW
@given(batches=flushes())
def test_corrected_shows_now_what_the_wall_shows_now(
    stage: Stage, batches: list[tuple[list[Delivery], list[Corrected]]]
) -> None:
    stage.clear()
    for some, corrected in batches:
        believed = [replace(each, events=tuple(_believable(each.events))) for each in some]
        stage.flush(believed, corrected)
    moment = stage.flush()
    live, replayed = stage.live(moment), stage.replayed(moment, "corrected")
    for name in ("day", "today", "inside", "areas", "flows", "entrances", "newest_ms"):
        assert getattr(replayed, name) == getattr(live, name), name
    for name in ("missing", "worst", "lanes", "heard", "silent"):
        assert getattr(replayed.health, name) == getattr(live.health, name), name


def _believable(some: tuple[Event, ...]) -> list[Event]:
    """Give events times that agree with their numbers: what is not believed has no passage that could be replayed."""
    start = TWENTY_PAST - 100 * MINUTE
    return [replace(each, ts=start + each.epoch * 30 * MINUTE + each.seq * 2 * MINUTE) for each in some]


def test_a_loss_is_said_from_the_moment_on_at_which_it_was_accepted(stage: Stage) -> None:
    stage.clear()
    before = stage.flush([Delivery("a", (Event(seq=1, device="N1-L01", ts=TWENTY_PAST - MINUTE, entrance="N1"),))])
    accepted = before + 1
    stage.lose(records=1_200, until=before, accepted_at=accepted)
    after = stage.flush()
    assert stage.replayed(before, "then").health.notices == []
    for shown in (stage.live(after), stage.replayed(after, "then"), stage.replayed(before, "corrected")):
        assert [(each.kind, each.size) for each in shown.health.notices] == [("lost", 1_200)]
        assert (shown.today["person"].lost, shown.inside["person"].lost) == (1_200, 1_200)
    unspoiled = stage.replayed(before, "then")
    assert (unspoiled.today["person"].lost, unspoiled.inside["person"].lost) == (0, 0)


def test_a_figure_lacks_nothing_before_the_loss_happened_even_as_corrected_later(stage: Stage) -> None:
    stage.clear()
    before = stage.flush([Delivery("a", (Event(seq=1, device="N1-L01", ts=TWENTY_PAST - MINUTE, entrance="N1"),))])
    stage.lose(records=5, until=before + 2, accepted_at=before + 3)
    assert stage.replayed(before, "corrected").today["person"].lost == 0
    assert stage.replayed(before + 3, "corrected").today["person"].lost == 5


def test_an_area_that_was_counted_by_hand_since_is_certain_again_live_and_in_a_replay(stage: Stage) -> None:
    stage.clear()
    begin = stage.flush([Delivery("a", (Event(seq=1, device="N1-L01", ts=TWENTY_PAST - MINUTE, entrance="N1"),))])
    stage.lose(records=7, until=begin - HALF_HOUR, accepted_at=begin)  # ten to midnight: yesterday
    uncertain = stage.flush()
    stage.flush(corrections=[Corrected("c", TWENTY_PAST - MINUTE, absolute=3)])
    counted = stage.flush()
    for shown, venue in (
        (stage.replayed(uncertain, "then"), 7), (stage.replayed(counted, "then"), 0), (stage.live(counted), 0),
    ):  # fmt: skip
        lost = {area.id: area.lost for area in shown.areas if area.kind == "person"}
        assert lost == {"venue": venue, "hall": 7}
        assert (shown.today["person"].lost, shown.inside["person"].lost) == (0, 7)
        assert shown.health.notices == []
