"""A worker that has work and makes no progress is detected; a waiting, recovering or idle one is not."""

import asyncio
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import faust

from infra.servers.broker import PROTOCOL, EmbeddedBroker
from streams.contract.topics import SOURCES
from streams.settings import KafkaSettings
from streams.sources.brokers import Brokers
from streams.worker.counting import Counting
from streams.worker.main import recovered
from streams.worker.process_ends import StalledError
from streams.worker.watchdog import StallDetector, WorkerStatus, log_ends, start_watchdog, waiting_at
from tests.support.processes import running

LOG = ("turnstile.passages", 0)
OTHER = ("turnstile.passages", 1)
IDLE = WorkerStatus(turns=0, recovering=None, storing=False, counted={LOG: 10}, checkpointed={LOG: 10}, end={LOG: 10})
PATIENCE = 3


def verdicts(*statuses: WorkerStatus) -> list[str | None]:
    """Let a watch look; its event loop turns between two."""
    watch = StallDetector(PATIENCE)
    return [watch.observe(replace(each, turns=turn)) for turn, each in enumerate(statuses)]


def test_a_worker_with_nothing_to_do_may_stand_still() -> None:
    assert verdicts(*[IDLE] * 20) == [None] * 20


def test_a_worker_that_leaves_records_lying_is_noticed_after_as_many_looks_as_patience_has() -> None:
    behind = replace(IDLE, end={LOG: 15})
    trouble = "turnstile.passages/0: records wait at offset 10, and none is counted"
    assert verdicts(IDLE, *[behind] * 4) == [None, None, None, trouble, trouble]


def test_one_record_counted_is_enough_to_begin_anew() -> None:
    behind = replace(IDLE, end={LOG: 15})
    further = replace(IDLE, counted={LOG: 11}, checkpointed={LOG: 11}, end={LOG: 15})
    assert verdicts(behind, behind, behind, further, further, further) == [None] * 6


def test_of_two_partitions_one_standing_still_is_enough() -> None:
    polls = [
        WorkerStatus(0, None, storing=False, counted={LOG: 10, OTHER: at}, checkpointed={}, end={LOG: 15, OTHER: 99})
        for at in range(5)
    ]
    assert verdicts(*polls)[-1] == "turnstile.passages/0: records wait at offset 10, and none is counted"


def test_counting_without_checkpoints_is_noticed() -> None:
    polls = [replace(IDLE, counted={LOG: 10 + n}, end={LOG: 50}) for n in range(1, 6)]
    assert verdicts(*polls)[-1] == "turnstile.passages/0: counted, and no checkpoint since offset 10"


def test_waiting_for_the_store_is_nobodys_fault_here() -> None:
    waiting = replace(IDLE, counted={LOG: 12}, end={LOG: 15}, storing=True)
    assert verdicts(*[waiting] * 20) == [None] * 20


def test_a_write_during_a_look_does_not_make_a_stall_forgotten() -> None:
    """Writes are short and come all the time: half of all polls may fall into one."""
    behind = replace(IDLE, end={LOG: 15})
    writing = replace(behind, storing=True)
    polls = [behind, behind, writing, behind, writing, writing, behind]
    trouble = "turnstile.passages/0: records wait at offset 10, and none is counted"
    assert verdicts(*polls) == [None] * 6 + [trouble]


def test_what_gets_on_during_a_write_has_got_on() -> None:
    behind = replace(IDLE, end={LOG: 15})
    further = replace(behind, counted={LOG: 12}, checkpointed={LOG: 12})
    polls = [behind, behind, behind, replace(further, storing=True), further, further]
    assert verdicts(*polls) == [None] * 6


def test_a_worker_that_looks_for_the_lines_it_fails_on_gets_on() -> None:
    polls = [replace(IDLE, end={LOG: 15}, rehearsals=n) for n in range(1, 20)]
    assert verdicts(*polls) == [None] * 19


def test_a_broker_that_does_not_answer_is_waited_for() -> None:
    away = replace(IDLE, end=None)
    behind = replace(IDLE, end={LOG: 15})
    assert verdicts(*[away] * 20, behind, behind) == [None] * 22


def test_a_recovery_that_gets_on_may_take_its_time_and_one_that_hangs_may_not() -> None:
    assert verdicts(*[replace(IDLE, recovering=(1, n)) for n in range(20)]) == [None] * 20
    hanging = replace(IDLE, recovering=(1, 7))
    assert verdicts(*[hanging] * 5)[-1] == "the assignment of partitions does not end"


def test_an_event_loop_that_does_not_turn_is_noticed_whatever_else_is_unknown() -> None:
    watch = StallDetector(PATIENCE)
    stuck = replace(IDLE, turns=7, end=None, storing=True)
    assert [watch.observe(stuck) for _ in range(4)] == [None, None, None, "the event loop does not turn"]


def test_a_start_may_take_four_times_as_long_and_not_longer() -> None:
    watch = StallDetector(PATIENCE)
    starting = replace(IDLE, turns=0, recovering=(0, 0))
    polls = [watch.observe(starting) for _ in range(4 * PATIENCE + 1)]
    assert polls == [None] * 4 * PATIENCE + ["it does not get to work after its start"]


def test_a_process_that_was_stopped_is_not_taken_for_one_that_hung() -> None:
    """Time passes by observations: however long it was stopped, there were none."""
    behind = replace(IDLE, end={LOG: 15})
    assert verdicts(behind, behind) == [None, None]


def test_the_watch_ends_the_process_with_what_it_saw() -> None:
    ended: list[BaseException] = []
    seen = threading.Event()

    def end(error: BaseException) -> None:
        ended.append(error)
        seen.set()

    thread = start_watchdog(lambda: replace(IDLE, turns=7), seconds=0.05, end=end, tick=0.01)
    assert seen.wait(5)
    thread.join(5)
    assert isinstance(ended[0], StalledError)
    assert "the event loop does not turn" in str(ended[0])


def test_a_look_that_fails_is_not_the_last_one() -> None:
    ended = threading.Event()
    statuses = iter([ValueError("not now")])

    def standing() -> WorkerStatus:
        for error in statuses:
            raise error
        return replace(IDLE, turns=7)

    thread = start_watchdog(standing, seconds=0.05, end=lambda _: ended.set(), tick=0.01)
    assert ended.wait(5)
    thread.join(5)


def test_the_ends_of_the_logs_are_the_brokers(tmp_path: Path) -> None:
    with running(EmbeddedBroker(tmp_path, topics=dict.fromkeys(SOURCES, 2))) as broker:
        brokers = Brokers(KafkaSettings(brokers=broker.bootstrap, api_version=".".join(map(str, PROTOCOL))))
        assert log_ends(brokers) == {(topic, number): 0 for topic in SOURCES for number in (0, 1)}
        brokers.close()


AWAY = """
from streams.sources.brokers import Brokers
from streams.settings import KafkaSettings
from streams.worker.watchdog import log_ends
print(log_ends(Brokers(KafkaSettings(brokers="127.0.0.1:9"))))
"""


def test_a_broker_that_is_not_there_is_known_not_to_be_there() -> None:
    """In a process of its own: kafka-python leaves the sockets of vain attempts to the garbage collector."""
    said = subprocess.run([sys.executable, "-c", AWAY], capture_output=True, text=True, check=True)
    assert said.stdout == "None\n"


def test_looking_at_a_worker_that_has_not_started_yet_makes_nothing_of_it_in_the_watchdogs_thread() -> None:
    # Faust makes what recovers tables when it is asked for it first, and binds it to the loop of whoever asks.
    async def scenario() -> None:
        app = faust.App("test", broker="kafka://127.0.0.1:1", store="memory://", autodiscover=False)
        tables = cast("Any", app.tables)
        assert await asyncio.to_thread(recovered, app) == 0
        assert (tables._recovery, tables._loop) == (None, None)
        tables.recovery.active_offsets = {"changelog": 7}
        assert tables.recovery.loop is asyncio.get_running_loop()
        assert await asyncio.to_thread(recovered, app) == 7

    asyncio.run(scenario())


def test_where_our_tasks_wait_is_named_without_values() -> None:
    async def theirs() -> None:
        await asyncio.sleep(60)

    async def look() -> list[str]:
        counting = object.__new__(Counting)
        counting._has_room = asyncio.Event()
        tasks = [asyncio.create_task(each) for each in (counting.apply(0, None, generation=0), theirs())]  # type: ignore[arg-type]
        await asyncio.sleep(0)
        found = waiting_at(asyncio.get_running_loop())
        for each in tasks:
            each.cancel()
        return found

    (place,) = asyncio.run(look())
    assert re.fullmatch(r"counting\.py:\d+ > locks\.py:\d+", place)
