"""A distorted day delivers every event that is not lost, repeated and delayed as the settings ask for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.distortion.distort import Schedule, UnknownDeviceError, distort
from simulators.distortion.settings import Distortion, Drift, Offline, Skip, WrongClock
from tests.support.size import examples
from tests.support.small_day import small_day

DISTORTIONS = st.builds(
    Distortion,
    duplicates=st.floats(0, 1),
    again_within_ms=st.integers(0, 86_400_000),
    disorder_ms=st.integers(0, 600_000),
    late=st.floats(0, 1),
    late_by_ms=st.integers(0, 10_800_000),
    malformed=st.floats(0, 0.01),
    lost=st.floats(0, 1),
)


def schedule(seed: int = 0, **figures: object) -> Schedule:
    return distort(small_day(), Distortion(**figures), np.random.default_rng(seed))  # type: ignore[arg-type]  # by name


@settings(max_examples=examples(120), deadline=None)
@given(DISTORTIONS, st.integers(0, 100))
def test_every_event_is_scheduled_and_none_before_it_happens(distortion: Distortion, seed: int) -> None:
    day = small_day()
    made = distort(day, distortion, np.random.default_rng(seed))
    events = made.row[made.row >= 0]
    assert np.array_equal(np.unique(events), np.arange(len(day)))
    assert (np.diff(made.at) >= 0).all()
    assert (made.at[made.row >= 0] >= made.day.true_ts[events]).all()
    longest = distortion.disorder_ms + distortion.late_by_ms + distortion.again_within_ms
    assert (made.at[made.row >= 0] - made.day.true_ts[events]).max() <= longest
    assert sorted(-1 - made.row[made.row < 0]) == list(range(len(made.malformed)))
    # What is lost is not sent twice either.
    assert (np.bincount(events)[made.lost] == 1).all()


def test_without_distortion_everything_is_delivered_once_in_order() -> None:
    made = schedule()
    assert np.array_equal(made.row, np.arange(len(small_day())))
    assert np.array_equal(made.at, small_day().true_ts)
    assert not made.lost.any()


def test_shares_are_kept() -> None:
    made = schedule(duplicates=0.05, late=0.1, late_by_ms=7_200_000, malformed=0.02, lost=0.03)
    size = len(small_day())
    events = made.row[made.row >= 0]
    assert (len(events) - size) / size == pytest.approx(0.05, abs=0.01)
    assert made.lost.mean() == pytest.approx(0.03, abs=0.01)
    assert len(made.malformed) / size == pytest.approx(0.02, abs=0.01)
    once = np.unique(events, return_index=True)[1]
    delay = made.at[made.row >= 0][once] - made.day.true_ts
    assert (delay >= 720_000).mean() == pytest.approx(0.1, abs=0.02)
    assert delay.max() <= 7_200_000


def test_the_same_seed_distorts_alike() -> None:
    one, two = schedule(5, duplicates=0.1, disorder_ms=1000), schedule(5, duplicates=0.1, disorder_ms=1000)
    assert np.array_equal(one.at, two.at)
    assert np.array_equal(one.row, two.row)


def test_a_device_that_skips_leaves_a_gap_of_that_size() -> None:
    day = small_day()
    device = str(day.names.devices[np.bincount(day.device).argmax()])
    made = schedule(skips=(Skip(device, 37),))
    rows = np.flatnonzero(day.names.devices[day.device] == device)
    #  1 2 3 ... 10 | 48 49 ...
    steps = np.diff(made.day.seq[rows])
    assert steps[9] == 38
    assert np.delete(steps, 9).max() == 1
    assert made.gap_rows == (rows[10],)
    others = np.setdiff1d(np.arange(len(day)), rows)
    assert np.array_equal(made.day.seq[others], day.seq[others])


def test_a_gap_that_no_later_event_shows_is_no_gap() -> None:
    morning = small_day().take(slice(0, 50))
    seen = np.bincount(morning.device)
    quiet = str(morning.names.devices[np.flatnonzero((seen > 0) & (seen <= 10))[0]])
    made = distort(morning, Distortion(skips=(Skip(quiet, 5),)), np.random.default_rng(0))
    assert made.skips == ()
    assert np.array_equal(made.day.seq, morning.seq)


def busiest() -> tuple[str, np.ndarray]:
    """Return the device with the most events of the small day, and the rows of these."""
    day = small_day()
    device = np.bincount(day.device).argmax()
    return str(day.names.devices[device]), np.flatnonzero(day.device == device)


@pytest.mark.parametrize(("offset", "events"), [(86_400_000, None), (-86_400_000, 5), (120_000, None)])
def test_a_wrong_clock_is_off_from_the_eleventh_event_on(offset: int, events: int | None) -> None:
    device, rows = busiest()
    made = schedule(clocks=(WrongClock(device, offset, events),))
    off = made.day.ts - made.day.true_ts
    wrong = rows[10:] if events is None else rows[10:15]
    assert np.flatnonzero(off).tolist() == wrong.tolist()
    assert set(off[wrong].tolist()) == {offset}
    assert np.array_equal(made.at, small_day().true_ts)


def test_a_clock_that_lost_its_battery_begins_in_1970_and_goes_on_from_there() -> None:
    device, rows = busiest()
    made = schedule(clocks=(WrongClock(device, None),))
    after = rows[10:]
    assert made.day.ts[after[0]] == 0
    assert np.array_equal(np.diff(made.day.ts[after]), np.diff(small_day().true_ts[after]))


@pytest.mark.parametrize("share", [0.01, -0.01])
def test_a_drifting_clock_is_off_by_a_share_of_the_time_that_passes(share: float) -> None:
    device, rows = busiest()
    made = schedule(drifts=(Drift(device, share),))
    passed = made.day.true_ts[rows[10:]] - made.day.true_ts[rows[10]]
    off = (made.day.ts - made.day.true_ts)[rows[10:]]
    assert off == pytest.approx(passed * share, abs=1)
    assert abs(off[-1]) > 60_000


def test_a_device_that_was_offline_uploads_what_happened_meanwhile_at_once_and_in_its_order() -> None:
    device, rows = busiest()
    made = schedule(offline=(Offline(device, 10_800_000),), disorder_ms=60_000)
    day = made.day
    back = day.true_ts[rows[10]] + 10_800_000
    kept = rows[10:][day.true_ts[rows[10:]] < back]
    assert np.flatnonzero(made.uploaded).tolist() == kept.tolist()
    assert made.row[made.at == back].tolist() == kept.tolist()
    assert np.array_equal(day.ts, day.true_ts)
    assert len(kept) > 10


def test_a_device_with_few_events_is_left_alone() -> None:
    morning = small_day().take(slice(0, 50))
    quiet = str(morning.names.devices[morning.device[np.bincount(morning.device)[morning.device] <= 10][0]])
    faults = Distortion(clocks=(WrongClock(quiet, 1),), drifts=(Drift(quiet, 1),), offline=(Offline(quiet, 1),))
    made = distort(morning, faults, np.random.default_rng(0))
    assert np.array_equal(made.day.ts, morning.ts)
    assert not made.uploaded.any()


def test_an_unknown_device_is_named() -> None:
    with pytest.raises(UnknownDeviceError, match="no device 'X9'; expected one like 'N1-L01'"):
        schedule(skips=(Skip("X9", 1),))
