"""One overload from the turnstiles to the robots, with worker, relay and broker killed on the way."""

import re
import time
from pathlib import Path

from tests.infra.alerting.crowds import PERSONS, RULE, profile
from tests.infra.alerting.whole import WORKER, Whole, whole
from tests.support.processes import eventually, needs_kafka

ENTRANCE = "E01"
SECONDS = 60.0  # in which a change must have come through, on a slow machine and after a restart


@needs_kafka
def test_each_change_of_an_overload_is_sent_once_over_kills_of_worker_relay_and_broker(tmp_path: Path) -> None:
    with whole(tmp_path, profile(1, lanes=3)) as way:
        way.await_work()
        for _ in range(PERSONS):
            way.pass_in(ENTRANCE)
        time.sleep(1.0)
        way.kill(WORKER)
        assert eventually(lambda: _sent(way) == ["raised"], SECONDS), way.webhook_changes()
        assert eventually(lambda: len(way.wecom.texts) == 1)
        time.sleep(1.0)  # the relay has noted that they have it

        way.kill("relay")
        for lane in (2, 3):  # two lanes are opened: the same persons a minute, but a third of them per lane
            way.pass_in(ENTRANCE, lane=lane)
        assert eventually(lambda: _sent(way) == ["raised", "cleared"], SECONDS), way.webhook_changes()

        way.kill("broker")
        # What arrives a quarter of a minute late is no news, and the broker takes its time: so crowds come until then.
        assert eventually(lambda: _crowd(way) == ["raised", "cleared", "raised"], 2 * SECONDS), way.webhook_changes()

        time.sleep(2.0)
        assert _sent(way) == ["raised", "cleared", "raised"]
        assert way.made() == len({(each.alarm, each.change) for each in way.webhook_changes()}) == 3
        assert eventually(lambda: len(way.wecom.texts) == 3)
        for number, text in zip((1, 2, 1), way.wecom.texts, strict=True):
            assert re.search(rf"^#{number} {RULE}:{ENTRANCE}:", text, re.MULTILINE)


def _crowd(way: Whole) -> list[str]:
    """Let a crowd pass, and return what has been sent two seconds later."""
    for _ in range(4 * PERSONS):
        way.pass_in(ENTRANCE)
    time.sleep(2.0)
    return _sent(way)


def _sent(way: Whole) -> list[str]:
    return [each.state for each in way.webhook_changes()]
