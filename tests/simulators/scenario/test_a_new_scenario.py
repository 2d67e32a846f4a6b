"""A new scenario on a new site is simulated, counted and verified without any change to the product."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from infra.servers.broker import EmbeddedBroker
from infra.servers.clickhouse import EmbeddedClickHouse
from simulators.scenario.assemble import assemble
from simulators.scenario.day import IN, OUT, Day, SiteCodes
from simulators.scenario.scenario import Scenario
from simulators.scenario.steps import passed
from streams.site.model import Site
from tests.support.local_plant import TOPICS, LocalPlant
from tests.support.processes import running

PROFILE = """
id = "ferry"
title = { zh = "渡口", en = "Ferry" }
time_zone = "America/St_Johns"
[opening]
daily = "08:00-12:00"
[[area]]
id = "deck"
title = { zh = "甲板", en = "Deck" }
capacity = { person = 300 }
[[entrance]]
id = "gangway"
title = { zh = "舷梯", en = "Gangway" }
kind = "person"
outer = "outside"
inner = "deck"
zone = "pier"
lanes = 2
[[category]]
id = "passenger"
title = { zh = "乘客", en = "Passenger" }
colour = "#22c55e"
[[grid]]
id = "harbour"
title = { zh = "港口", en = "Harbour" }
[[unit]]
id = "pier"
grid = "harbour"
title = { zh = "码头", en = "Pier" }
[[zone]]
id = "pier"
unit = "pier"
title = { zh = "码头", en = "Pier" }
team = { zh = "码头组", en = "Pier team" }
"""
MINUTE = 60.0
CROSSINGS, ABOARD = 8, 60


def ferry_day(site: Site, *, date: dt.date, seed: int = 0, epoch: int = 0, share: float = 1.0) -> Day:
    """Let a ferry cross every half hour: all come aboard within ten minutes, and all leave within the next five."""
    rng = np.random.default_rng([seed, date.toordinal()])
    size = CROSSINGS * round(ABOARD * share)
    leaves = MINUTE * (30 * (np.arange(size) % CROSSINGS) + 12)
    people = passed(
        time=np.concatenate([leaves - MINUTE * rng.uniform(2, 12, size), leaves + MINUTE * rng.uniform(8, 13, size)]),
        who=np.tile(np.arange(size), 2),
        entrance=np.zeros(2 * size, np.int64),
        direction=np.repeat([IN, OUT], size),
        category=np.zeros(2 * size, np.int64),
    )
    return assemble(
        people, None, SiteCodes(site), rng=rng, date=date, seed=seed, epoch=epoch,
        begins=site.days.moment(date, 8 * 60), service_ms={"person": 2_000, "vehicle": 2_000},
        least_gap_ms=20_000,
    )  # fmt: skip


@pytest.fixture
def place(empty_clickhouse: EmbeddedClickHouse, tmp_path: Path) -> Iterator[LocalPlant]:
    """Start a broker for a ferry, on the day on which its clocks are put forward."""
    profile = tmp_path / "ferry.toml"
    profile.write_text(PROFILE, encoding="utf-8")
    ferry = Scenario(
        name="ferry", profile=str(profile), date=dt.date(2026, 3, 8), rush=dt.time(8), events=960, peak=1.0,
        make_day=ferry_day,
    )  # fmt: skip
    with running(EmbeddedBroker(tmp_path / "broker", topics=TOPICS)) as broker:
        yield LocalPlant(empty_clickhouse, broker, tmp_path, scenario=ferry, begins=dt.time(11, 57))


def test_it_is_simulated_counted_and_verified(place: LocalPlant) -> None:
    with place.worker() as worker:
        summary = place.play(seconds=6, distortion="duplicates=10%,malformed=2%")
        assert summary.events == 2 * CROSSINGS * ABOARD
        place.wait_until_counted(worker, seconds=60)
        place.check_every_view(least=summary.events - 1)
