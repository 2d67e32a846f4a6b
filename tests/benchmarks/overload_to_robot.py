"""Measures the delay from an overload to a robot's message: `python -m tests.benchmarks.overload_to_robot [N]`.

N changes (240), half of them overloads that begin and half that end, at forty entrances, in real time: a real Kafka,
ClickHouse, worker and relay, as a demo starts them, and 40 other events a second. A webhook hears each change at once;
a WeCom robot, which takes 20 messages a minute, must hear of each in a message of its own or in the "N more suppressed"
of one. On the way the worker and the relay are killed; their supervisor brings them back.

Prints one JSON object: seconds from the moment that `crowds.due` works out from the events to the robot, over changes
that are not near a kill and over those that are (from 5 s before to 20 s after it); in which step the time went; what
was missing, sent twice, or dated another second than the one after it was due. Exit code 1 if anything was.
"""

import json
import os
import re
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from kafka import KafkaConsumer, TopicPartition

from streams.contract.events import Topic
from tests.infra.alerting.crowds import Crowd, crowds, due, entrance_ids, profile
from tests.infra.alerting.whole import WORKER, Background, SentChange, Whole, whole
from tests.support.processes import eventually

ENTRANCES: Final = 40
BACKGROUND: Final = 40  # events/s; the mean of an expo's peak day is 44
KILLED: Final = ((0.35, WORKER), (0.65, "relay"))
"""What is killed after which share of the time."""
NEAR_KILL: Final = (-5.0, 20.0)  # s
SAME_CHANGE: Final = 25.0  # s; changes of one kind at one entrance are more than a minute apart
PATIENCE: Final = 40.0  # s after the last change is due
STEPS: Final = ("judged", "published", "accepted", "sent")
"""Due → the second for which it is judged → the worker publishes it → the relay has it → the robot too."""
Key = tuple[str, int]
"""A change by its episode's id and number."""


@dataclass
class Change:
    """A change that robots must receive, due at a moment (s UTC); `messages` are what the webhook received of it."""

    due: float
    entrance: str
    state: str
    messages: list[SentChange] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.messages[0].at - self.due

    def near(self, kills: Mapping[str, float]) -> bool:
        """Whether it is due near a kill."""
        return any(NEAR_KILL[0] <= self.due - at <= NEAR_KILL[1] for at in kills.values())


def run(folder: Path, count: int) -> dict[str, Any]:
    """Play, kill, wait, and compare."""
    names, load = entrance_ids(ENTRANCES), os.getloadavg()[0]
    coming = crowds(names, -(-count // (2 * ENTRANCES)))[: count // 2]
    with whole(folder, profile(ENTRANCES), say=say) as way:
        way.await_work()
        with Background(way, names, a_second=BACKGROUND):
            changes, kills = play(way, coming)
            await_all(way, changes)
        strange = give(changes, way.webhook_changes())
        made, first_published = way.made(), published(way)
    calm = [change for change in changes if change.messages and not change.near(kills)]
    return {
        "changes": len(changes),
        "made": made,
        "another_second": sum(
            not 0 <= each.changed_ms / 1000 - one.due <= 1 for one in changes for each in one.messages
        ),
        "missing": sum(not change.messages for change in changes),
        "twice": strange + sum(len(change.messages) - 1 for change in changes if change.messages),
        "wecom": judge_wecom([read_wecom(text) for text in way.wecom.texts], len(changes)),
        "seconds": {
            state: quantiles([each.seconds for each in calm if each.state == state]) for state in ("raised", "cleared")
        },
        "near_a_kill": quantiles([each.seconds for each in changes if each.messages and each.near(kills)]),
        "steps": steps(calm, first_published, accepted(folder)),
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
    }


# -- playing -----------------------------------------------------------------------------------------------------------


def play(way: Whole, coming: Sequence[Crowd]) -> tuple[list[Change], dict[str, float]]:
    """Let all crowds pass, and kill in between; return the changes that are due of it, and when what was killed."""
    begin, kills = time.time() + 1.0, dict[str, float]()
    killer = threading.Thread(target=kill_all, args=(way, begin, coming[-1].at, kills), daemon=True)
    killer.start()
    passed: list[list[float]] = [[] for _ in coming]
    for moment, number in sorted((moment, number) for number, crowd in enumerate(coming) for moment in crowd.moments):
        time.sleep(max(0.0, begin + moment - time.time()))
        passed[number].append(way.pass_in(coming[number].entrance))
    killer.join()
    assert len(kills) == len(KILLED), f"of {KILLED} only these were killed: {kills}"
    changes = [
        Change(at, crowd.entrance, state)
        for crowd, times in zip(coming, passed, strict=True)
        for state, at in due(times).items()
    ]
    return changes, kills


def kill_all(way: Whole, begin: float, seconds: float, kills: dict[str, float]) -> None:
    """Kill each process at its share of the seconds, and note when that was (s UTC)."""
    for share, name in KILLED:
        time.sleep(max(0.0, begin + share * seconds - time.time()))
        kills[name] = way.kill(name)
        say(f"kill -9 {name}")


def await_all(way: Whole, changes: Sequence[Change]) -> None:
    """Return when all has been sent, or should have been, and duplicates, too."""
    say("waiting for the last messages …")
    last, count = max(change.due for change in changes), len(changes)
    time.sleep(max(0.0, last - time.time()))
    eventually(
        lambda: len(way.webhook_changes()) >= count and _sent_changes(map(read_wecom, list(way.wecom.texts))) >= count,
        PATIENCE,
    )
    time.sleep(3.0)


# -- judging -----------------------------------------------------------------------------------------------------------


def give(changes: Sequence[Change], sent: Sequence[SentChange]) -> int:
    """Give each change what was sent of it; return how much was sent of none."""
    strange = 0
    for each in sent:
        moment = each.changed_ms / 1000
        near = [
            change
            for change in changes
            if (change.entrance, change.state) == (each.subject, each.state) and abs(change.due - moment) < SAME_CHANGE
        ]
        for change in near:
            change.messages.append(each)
        strange += not near
    return strange


def read_wecom(text: str) -> tuple[str, int]:
    """Return which change a message tells in full, and how many more it counts."""
    head = re.search(r"^#\d+ \S+$", text, re.MULTILINE)
    more = re.search(r"另有 (\d+) 条 / \1 more suppressed", text)
    return head[0] if head else "", int(more[1]) if more else 0


def judge_wecom(messages: Sequence[tuple[str, int]], changes: int) -> dict[str, int]:
    """Compare what a robot with a limit has received with the number of changes."""
    sent, heads = _sent_changes(messages), Counter(head for head, _ in messages)
    return {
        "messages": len(messages),
        "told": sent,
        "missing": max(0, changes - sent),
        "twice": max(0, sent - changes, len(messages) - len(heads)),
    }


def _sent_changes(messages: Iterable[tuple[str, int]]) -> int:
    return sum(1 + more for _, more in messages)


def quantiles(seconds: Sequence[float]) -> dict[str, float]:
    """Return number, median, p90, p99 and maximum."""
    if not seconds:
        return {"n": 0}
    found = np.quantile(seconds, [0.5, 0.9, 0.99, 1]).round(2).tolist()
    return {"n": len(seconds)} | dict(zip(("median", "p90", "p99", "max"), found, strict=True))


# -- where the time goes -----------------------------------------------------------------------------------------------


def published(way: Whole) -> dict[Key, float]:
    """Return when the worker first published each change (s UTC)."""
    place = TopicPartition(Topic.ALARMS.value, 0)
    consumer = KafkaConsumer(bootstrap_servers=way.stack.kafka.brokers, auto_offset_reset="earliest", group_id=None)
    consumer.assign([place])
    end, found = consumer.end_offsets([place])[place], dict[Key, float]()
    while consumer.position(place) < end:
        for record in consumer.poll(timeout_ms=1000).get(place, []):
            change = json.loads(record.value)
            found.setdefault((change["episode"], change["change"]), record.timestamp / 1000)
    consumer.close()
    return found


def accepted(folder: Path) -> dict[Key, float]:
    """Return from the relay's outbox when it took each change in (s UTC)."""
    with closing(sqlite3.connect(folder / "robots" / "state" / "outbox.sqlite")) as outbox:
        rows = outbox.execute("SELECT alarm, change, accepted_ms FROM notices WHERE robot = 'webhook'").fetchall()
    return {(alarm, change): at / 1000 for alarm, change, at in rows}


def steps(changes: Sequence[Change], *seen: Mapping[Key, float]) -> dict[str, dict[str, float]]:
    """Return for each step how long it took; `seen` is when each change was published and accepted."""
    took: dict[str, list[float]] = {name: [] for name in STEPS}
    for change in changes:
        sent = change.messages[0]
        moments = [each.get((sent.alarm, sent.change)) for each in seen]
        known = [change.due, sent.changed_ms / 1000, *moments, sent.at]
        for name, before, after in zip(STEPS, known, known[1:], strict=False):
            if before is not None and after is not None:
                took[name].append(after - before)
    return {name: quantiles(seconds) for name, seconds in took.items()}


def say(text: str) -> None:
    """Print progress at once, on stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - a script's progress


def failed(result: Mapping[str, Any]) -> bool:
    """Whether anything was missing, sent twice or dated wrong."""
    wrong = [result[name] for name in ("missing", "twice", "another_second")]
    return any([*wrong, result["wecom"]["missing"], result["wecom"]["twice"], result["made"] != result["changes"]])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        result = run(Path(scratch), int(sys.argv[1]) if len(sys.argv) > 1 else 240)
    json.dump(result, sys.stdout, indent=1)
    sys.stdout.write("\n")
    sys.exit(failed(result))
