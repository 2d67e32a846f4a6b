"""A real plant counts extreme lines, rejects lines on which its code fails, and logs no values.

One plant for all of it: a broker, a store and a worker take a quarter of a minute to start.
"""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from confluent_kafka import Producer

from streams.kernels.counts.identity import MOST_MISSING
from tests.faults.catalogue import Layout
from tests.faults.failing_worker import FATAL
from tests.faults.plant import Plant

TURNSTILES: Final = "turnstile.passages"
_SECONDS: Final = 180
_GOOD: Final = {"entrance": "N1", "direction": "in", "outcome": "passed", "category": "visitor"}


def event(device: str, seq: int, **fields: Any) -> bytes:
    return json.dumps({"device": device, "seq": seq, "ts": int(time.time() * 1000), **_GOOD, **fields}).encode()


def send(plant: Plant, topic: str, *values: bytes, key: str = "N1", partition: int = -1) -> None:
    producer = Producer({"bootstrap.servers": plant.bootstrap, "log_level": 0})
    for value in values:
        producer.produce(topic, value=value, key=key.encode(), partition=partition)
    assert producer.flush(30) == 0


def ask(plant: Plant, sql: str) -> Any:
    reader = plant.reader()
    try:
        return reader.query(sql)[0][0]
    finally:
        reader.close()


def until(wanted: Any, look: Callable[[], Any]) -> None:
    """Wait until a look sees what is wanted."""
    end, seen = time.monotonic() + _SECONDS, None
    while time.monotonic() < end:
        seen = look()
        if seen == wanted:
            return
        time.sleep(0.3)
    assert seen == wanted


def passages(plant: Plant, entrance: str) -> Callable[[], int]:
    return lambda: ask(plant, f"SELECT sum(passages) FROM gatepulse.entrance_totals WHERE entrance = '{entrance}'")


def unfit_lines() -> Iterator[bytes]:
    """Write lines that are rejected, one for each way, with a canary in whatever field a line has."""
    yield b'{"device": "canary-no-json'
    yield b'"canary-text"'
    yield b"\xff\xfecanary-no-utf8"
    yield event("canary device with blanks", 1)
    yield event("canary-d1", 1, entrance="canary-entrance")
    yield event("canary-d2", 1, category="canary-category")
    yield event("canary-d3", 1, direction="canary-direction")
    yield event("canary-d4", 1, outcome="canary-outcome")
    yield event("canary-d5", 1, health="canary-health")
    yield event("canary-d6", 1, temperature="canary-temperature")
    yield event("canary-d7", 1, credential="canary-" * 20)
    yield event("canary-d8", 1, ts=1)
    yield event("canary-d9", 1, ts=4_000_000_000_000)
    yield json.dumps({"device": "canary-d10", "seq": "canary-seq", **_GOOD}).encode()


def fit_lines() -> Iterator[bytes]:
    """Write lines that are counted, with a canary in each text."""
    yield event("canary-e1", 1, credential="canary-credential", reason="canary-reason", **{"canary-field": "canary-x"})
    yield event("canary-e2", 1, credential="canary-refused")
    yield event("canary-e3", 1, outcome="denied", reason="canary-why", health="abnormal", temperature=38.5)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    with Plant(Layout(worker="failing_worker.py"), tmp_path_factory.mktemp("plant")) as running:
        until(True, lambda: ask(running, "SELECT count() >= 4 FROM gatepulse.progress"))
        yield running


def test_lines_with_the_largest_numbers_are_counted_and_what_they_lack_adds_up(plant: Plant) -> None:
    send(plant, TURNSTILES, *(event(f"N1-L0{n}", 2**63 - 1) for n in (1, 2, 3)))
    send(plant, TURNSTILES, *(event(f"N1-M{n:02}", time.time_ns()) for n in range(11)))
    send(plant, TURNSTILES, *(event("N2-L01", n, entrance="N2") for n in range(1, 6)), key="N2")
    until(14, passages(plant, "N1"))
    until(5, passages(plant, "N2"))
    until(14 * MOST_MISSING, lambda: ask(plant, "SELECT sum(missing) FROM gatepulse.completeness"))
    assert [str(end) for end in plant.worker.ends] == []


def test_what_the_code_fails_on_is_set_aside_after_one_end_and_everything_else_goes_on(plant: Plant) -> None:
    before, n1, n2 = len(plant.worker.ends), passages(plant, "N1")(), passages(plant, "N2")()
    fatal = [event(FATAL, n, credential=f"canary-who-{n}") for n in range(1, 4)]
    frame = b"\n".join([event("N1-L05", 1), fatal[1], event("N1-L05", 2)])
    send(plant, TURNSTILES, event("N1-L04", 1), fatal[0], event("N1-L04", 2), frame, fatal[2], event("N1-L04", 3))
    send(plant, TURNSTILES, *(event("N2-L02", n, entrance="N2") for n in range(1, 6)), key="N2")
    until(n1 + 5, passages(plant, "N1"))
    until(n2 + 5, passages(plant, "N2"))
    unfit = "SELECT count() FROM gatepulse.rejections WHERE reason = 'unprocessable'"
    until(3, lambda: ask(plant, unfit))
    assert ask(plant, f"{unfit} AND detail LIKE '%canary%'") == 0
    assert len(plant.worker.ends) == before + 1
    raised = "SELECT count() FROM gatepulse.alarm_episodes WHERE rule = 'unprocessable' AND cleared_at IS NULL"
    until(1, lambda: ask(plant, raised))
    accounted = "sum(received) = sum(counted) + sum(duplicate) + sum(late) + sum(rejected)"
    until(1, lambda: ask(plant, f"SELECT {accounted} FROM gatepulse.progress"))
    # more of them end nobody
    send(plant, TURNSTILES, event(FATAL, 9), event("N1-L04", 4))
    until(n1 + 6, passages(plant, "N1"))
    assert len(plant.worker.ends) == before + 1


def test_whatever_happens_no_log_shows_a_value_of_an_event(plant: Plant) -> None:
    n1 = passages(plant, "N1")()
    owner = plant.owner()
    owner.execute("ALTER TABLE gatepulse_store.entered ADD CONSTRAINT c CHECK credential != 'canary-refused'")
    send(plant, TURNSTILES, *unfit_lines(), *fit_lines())
    send(plant, "corrections", b'{"id": "canary-id", "actor": "canary-actor"}', b"canary", key="venue")
    until(n1 + 2, passages(plant, "N1"))
    until(True, lambda: ask(plant, "SELECT count() > 0 FROM gatepulse.parked"))
    assert ask(plant, "SELECT countIf(reason LIKE '%canary%') FROM gatepulse.parked") == 0
    plant.worker.kill()
    send(plant, TURNSTILES, event("canary-last", 1))
    until(n1 + 3, passages(plant, "N1"))
    owner.disconnect()
    assert found_in(plant.path) == []


def found_in(path: Path) -> list[str]:
    """List the files of a plant with a canary in them, except for what the servers store."""
    stored = ("clickhouse", "kafka")
    folders = [each for each in path.iterdir() if each.name not in stored]
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    assert any(file.name == "worker-1.log" for file in files)
    return [str(file.relative_to(path)) for file in files if b"canary" in file.read_bytes()]
