"""The times at which `crowds.py` expects overloads are those at which the platform's rules raise them."""

from itertools import pairwise

from simulators.incidents.stage import Stage
from simulators.incidents.traffic import Ground
from streams.site.reader import parse_site
from tests.infra.alerting.crowds import GAP, PERIOD, PERSONS, RULE, crowds, due, entrance_ids, profile

BEGIN = 1_762_909_200_000
NAMES = entrance_ids(6)


def test_each_crowd_is_one_overload_that_begins_and_ends_in_the_second_after_it_is_due() -> None:
    ground = Ground(parse_site(profile(len(NAMES)), source="crowds"), BEGIN)
    coming = crowds(NAMES, 3, seed=7)
    first, *others = (
        ground.steady(each.entrance, rate=60 / GAP, start=each.at - GAP / 2, end=each.at - GAP / 2 + PERSONS * GAP)
        for each in coming
    )
    changes = Stage(ground.site, step=1000).play(first.plus(*others), until=ground.at(coming[-1].at + 2 * PERIOD))
    found = sorted((each.what, each.subject, each.changed_at) for each in changes)
    expected = sorted(
        (state, crowd.entrance, ground.at(moment)) for crowd in coming for state, moment in due(crowd.moments).items()
    )
    assert {each.rule for each in changes} == {RULE}
    assert len(found) == len(expected) == 2 * len(coming)
    for (*one, changed), (*other, moment) in zip(found, expected, strict=True):
        assert one == other
        assert 0 <= changed - moment <= 1000


def test_crowds_at_one_entrance_keep_their_distance() -> None:
    for entrance in NAMES:
        times = [each.at for each in crowds(NAMES, 3) if each.entrance == entrance]
        assert all(abs(later - earlier - PERIOD) < 1e-6 for earlier, later in pairwise(times))
