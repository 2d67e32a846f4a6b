"""One overload from the turnstiles to the robots, with the worker and Alertmanager killed on the way."""

import re
import time
from pathlib import Path

from tests.infra.alerting.crowds import PERSONS, RULE, profile
from tests.infra.alerting.whole import WORKER, Whole, whole
from tests.support.processes import eventually, needs_kafka
from tests.support.prometheus import needs_prometheus

ENTRANCE = "E01"
SECONDS = 45.0  # in which a change must have come through, on a slow machine and after a restart


@needs_kafka
@needs_prometheus
def test_an_overload_is_told_once_and_its_end_once_over_kills_of_worker_and_alertmanager(tmp_path: Path) -> None:
    with whole(tmp_path, profile(1, lanes=3)) as way:
        way.await_work()
        for _ in range(PERSONS):
            way.pass_in(ENTRANCE)
        time.sleep(1.0)
        way.kill(WORKER)
        assert eventually(lambda: _told(way) == ["raised"], SECONDS), way.heard()

        way.kill("alertmanager")
        for lane in (2, 3):  # two lanes are opened: the same persons a minute, but a third of them per lane
            way.pass_in(ENTRANCE, lane=lane)
        assert eventually(lambda: _told(way) == ["raised", "cleared"], SECONDS), way.heard()

        time.sleep(6.0)  # Prometheus has sent everything again meanwhile
        assert _told(way) == ["raised", "cleared"]
        assert way.made() == len({(each.alarm, each.change) for each in way.heard()}) == 2
        assert eventually(lambda: len(way.wecom.heard) == 2)
        for number, text in enumerate(way.wecom.heard, start=1):
            assert re.search(rf"^#{number} {RULE}:{ENTRANCE}:", text, re.MULTILINE)


def _told(way: Whole) -> list[str]:
    return [each.state for each in way.heard()]
