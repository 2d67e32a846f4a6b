"""The made-up sites and passages are valid, and of the size that was asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contract.codec import PassageCodec
from streams.kernels.counts.batch import Batch
from streams.site.kernel_views import vocabulary_of
from tests.benchmarks.growth.kernels import START_MS
from tests.benchmarks.growth.places import WrongSizeError, lanes_of, profile, site
from tests.benchmarks.growth.traffic import ON_THE_WAY_MS, Slice, Traffic


@given(st.integers(1, 300), st.integers(0, 2000))
def test_devices_are_shared_out_among_all_entrances_and_none_is_left(entrances: int, more: int) -> None:
    lanes = lanes_of(entrances, min(entrances + more, entrances * 999))
    assert sum(lanes) == min(entrances + more, entrances * 999)
    assert len(lanes) == entrances
    assert max(lanes) - min(lanes) <= 1


@pytest.mark.parametrize(("entrances", "devices"), [(20, 2_000), (200, 200), (2_000, 20_000)])
def test_a_site_of_any_size_is_a_valid_profile(entrances: int, devices: int) -> None:
    made = site(entrances, devices)
    assert len(made.entrances) == entrances
    assert len({lane for each in made.entrances for lane in each.lanes}) == devices
    assert "growth" in profile(entrances, devices)


def test_a_size_that_cannot_be_is_refused_with_what_is_expected() -> None:
    with pytest.raises(WrongSizeError, match="devices: 5 for 20 entrances; expected 1 to 999 for each, 20 to 19980"):
        lanes_of(20, 5)
    with pytest.raises(WrongSizeError, match="entrances: 0; expected 1 or more"):
        lanes_of(0, 5)


def test_every_line_is_a_passage_that_the_codec_accepts() -> None:
    made = site(20, 60)
    part = Traffic(made, events=2_000, start_ms=START_MS, seconds=100).next(2_000)
    batch = PassageCodec("person", vocabulary_of(made)).read(part.records(7))
    assert batch.rejections == []
    assert len(batch) == 2_000
    assert (batch.first, batch.after) == (7, 2_007)
    assert (batch.arrived - batch.ts == ON_THE_WAY_MS).all()
    assert [made.entrances[i].id for i in part.entrance.tolist()] == batch.entrance.tolist()
    assert part.passed == int((batch.outcome == 0).sum())
    assert 0 < len(set(batch.credential)) <= 500


@given(st.lists(st.integers(1, 400), min_size=1, max_size=8))
def test_slices_of_any_size_number_each_device_on_without_a_hole(sizes: list[int]) -> None:
    batch = _read(sizes)
    by_device: dict[str, list[int]] = {}
    for device, seq in zip(batch.device, batch.seq.tolist(), strict=True):
        by_device.setdefault(device, []).append(seq)
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in by_device.values())
    assert (np.diff(batch.ts) >= 0).all()


def test_passages_fill_the_time_that_was_asked_for_and_end_with_it() -> None:
    traffic = Traffic(site(4, 8), events=1_000, start_ms=START_MS, seconds=50)
    ts = np.concatenate([traffic.next(300).ts for _ in range(4)])
    assert len(ts) == 1_000
    assert START_MS <= ts[0] < START_MS + 50
    assert START_MS + 49_950 <= ts[-1] < START_MS + 50_000
    assert traffic.next(300).lines == []


def test_what_goes_on_later_keeps_its_pace_and_its_numbers() -> None:
    traffic = Traffic(site(4, 8), events=1_000, start_ms=START_MS, seconds=50)
    before = traffic.next(500)
    traffic.go_on_at(START_MS + 3_600_000)
    after = traffic.next(500)
    assert before.ts[-1] < START_MS + 25_000
    assert START_MS + 3_600_000 <= after.ts[0] <= START_MS + 3_600_050
    assert len(set(before.lines) | set(after.lines)) == 1_000


def _read(sizes: list[int]) -> Batch:
    made = site(3, 9)
    traffic = Traffic(made, events=sum(sizes), start_ms=START_MS, seconds=60)
    parts = [traffic.next(size) for size in sizes]
    whole = Slice(
        [line for part in parts for line in part.lines],
        np.concatenate([part.ts for part in parts]),
        np.concatenate([part.entrance for part in parts]),
    )
    return PassageCodec("person", vocabulary_of(made)).read(whole.records(0))
