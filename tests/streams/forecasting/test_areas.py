"""Flows of areas are computed from entrances' passages, and occupancy back in time."""

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.forecasting.areas import AreaKind, capacities, courses, flows, inside_before, site_total
from tests.support.small_site import SITE


def test_passages_become_flows_of_both_areas_and_of_the_site() -> None:
    passed = {("N1", "in"): np.array([5.0, 0]), ("N1", "out"): np.array([0.0, 1]), ("H1", "in"): np.array([2.0, 3])}
    found = flows(SITE, passed, minutes=2)
    entered, departed = found["venue", "person"]
    assert entered.tolist() == [5, 0]
    assert departed.tolist() == [2, 4]  # into the hall, and out of the gate
    assert ("hall", "person") not in found  # it has no capacity to be compared with
    assert found["park", "vehicle"][0].tolist() == [0, 0]


def test_the_site_counts_what_passes_its_boundary_alone() -> None:
    site = replace(SITE, capacity={"person": 300})
    passed = {("N1", "in"): np.array([5.0]), ("H1", "in"): np.array([2.0])}
    assert [each.tolist() for each in flows(site, passed, minutes=1)["small", "person"]] == [[5], [0]]
    assert capacities(site)["small", "person"] == 300


def test_rows_are_laid_out_by_minute_and_those_outside_are_left_out() -> None:
    columns: dict[str, Any] = {
        "minute": np.array([60_000, 180_000, 0]),
        "entrance": ["N1", "N1", "N1"],
        "direction": ["in", "in", "in"],
        "passages": np.array([4, 9, 9]),
    }
    assert courses(columns, start=60_000, minutes=2)["N1", "in"].tolist() == [4, 0]


def test_the_site_holds_what_its_areas_hold() -> None:
    inside: dict[AreaKind, int] = {("venue", "person"): 70, ("hall", "person"): 30, ("park", "vehicle"): 5}
    assert site_total(SITE, inside) == {**inside, ("small", "person"): 100, ("small", "vehicle"): 5}


@given(st.lists(st.integers(-50, 50), min_size=1), st.integers(-10, 500))
def test_going_back_from_what_is_inside_now_and_forth_again_agree(net: list[int], before: int) -> None:
    forth = before + np.cumsum(net)
    assert inside_before(np.array(net, float), forth[-1]).tolist() == forth.tolist()
