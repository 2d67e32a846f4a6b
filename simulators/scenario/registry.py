"""Finds scenarios by name; to add one, write a file and add a line here."""

from typing import Final

from simulators.scenario.expo.expo import EXPO
from simulators.scenario.hall import HALL
from simulators.scenario.scenario import Scenario

SCENARIOS: Final = (EXPO, HALL)


class UnknownScenarioError(ValueError):
    """There is no scenario of that name."""


def find_scenario(name: str) -> Scenario:
    """Return the scenario of that name. Raises UnknownScenarioError, which lists all."""
    known = {scenario.name: scenario for scenario in SCENARIOS}
    if name not in known:
        raise UnknownScenarioError(f"scenario '{name}' is not known; expected one of {', '.join(known)}")
    return known[name]
