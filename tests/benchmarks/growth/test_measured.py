"""The kernels' measurement counts all passages, in a process of its own."""

import pytest

from tests.benchmarks.growth.cases import PARTS, Case, Measured, cases_of
from tests.benchmarks.growth.kernels import measure, run_cases


def test_a_backlog_is_counted_whole_and_every_part_costs_something() -> None:
    measured = measure(Case("backlog", 20, 60, 30_000))
    assert set(measured.spent) == set(PARTS)
    assert all(seconds > 0 for seconds in measured.spent.values())
    assert measured.rows > 30_000
    assert measured.snapshot > 0


def test_live_passages_are_flushed_four_times_a_second_and_kept_once() -> None:
    measured = measure(Case("live", 20, 60, 4_000, rate=1_000))
    assert 0 < measured.records <= 16 * 20  # in 4 s, at most those of all entrances each time
    assert measured.snapshots == 4 + 1  # and one in the end


def test_more_devices_make_a_larger_snapshot_and_more_passages_do_not() -> None:
    few, more = (measure(Case("live", 20, devices, 20_000, rate=10_000)) for devices in (60, 600))
    longer = measure(Case("live", 20, 60, 40_000, rate=10_000))
    assert more.snapshot > few.snapshot * 1.5
    assert longer.snapshot < few.snapshot * 1.5


def test_cases_run_one_after_the_other_in_processes_of_their_own() -> None:
    reported: list[Measured] = []
    cases = [Case("backlog", 20, 60, 5_000), Case("live", 20, 60, 500, rate=1_000)]
    assert [each.case for each in run_cases(cases, reported.append)] == cases
    assert [each.case for each in reported] == cases


def test_a_site_that_cannot_be_made_fails_the_run_and_says_why() -> None:
    with pytest.raises(ValueError, match="devices: 5 for 20 entrances"):
        run_cases([Case("backlog", 20, 5, 100)], lambda _: None)


def test_each_size_is_measured_at_three_values_while_the_others_stay() -> None:
    backlog = [(each.entrances, each.devices, each.events) for each in cases_of(most=10_000_000) if not each.rate]
    assert {20, 200, 2_000} == {entrances for entrances, *rest in backlog if rest == [2_000, 1_000_000]}
    assert {200, 2_000, 20_000} == {devices for n, devices, m in backlog if (n, m) == (200, 1_000_000)}
    assert {10**5, 10**6, 10**7} == {events for n, m, events in backlog if (n, m) == (200, 2_000)}
