"""Parts of a day are joined; texts that are codes into different lists are refused."""

import numpy as np
import pytest

from simulators.scenario.day import Coded
from simulators.scenario.steps import Steps, joined, passed


def step(health: list[str]) -> Steps:
    one = np.zeros(1, np.int64)
    plain = passed(time=np.zeros(1), who=one, entrance=one, direction=one, category=one)
    return plain.with_optional(health=Coded(one, health))


def test_optional_texts_of_one_list_are_joined_and_of_two_lists_refused() -> None:
    words = ["expired"]
    column = joined([step(words), step(words)]).optional["health"]
    assert isinstance(column, Coded)
    assert column.codes.tolist() == [0, 0]
    with pytest.raises(ValueError, match="health: give all parts the same list of words"):
        joined([step(words), step(["blacklisted"])])
