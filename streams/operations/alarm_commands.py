"""What an operator does with an alarm: a command in the topic `alarm.inputs`, with its place among the facts."""

import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError

from sinks.clickhouse import ClickHouseReader
from streams.contract.events import Topic
from streams.kernels.alarms.episodes import Episode
from streams.kernels.alarms.inputs import AlarmInput, Command
from streams.settings import KafkaSettings

_TIMEOUT: Final = 15.0
_COLUMNS: Final = (
    "episode", "rule", "subject", "kind", "zone", "level", "state", "what", "change", "value", "limit", "unit",
    "raised_at", "changed_at", "acknowledged_at", "cleared_at", "actor", "detail",
)  # fmt: skip
_encode = msgspec.json.Encoder().encode


class AlarmCommandError(RuntimeError):
    """A command had no effect; the message says why, and what to do."""


def episodes(reader: ClickHouseReader, *, also_cleared: bool = False) -> list[Episode]:
    """Read the open episodes, the oldest first; `also_cleared`: all that are stored. Raises StoreError."""
    condition = "1" if also_cleared else "cleared_at IS NULL"
    columns = ", ".join(_COLUMNS)
    sql = f"SELECT {columns} FROM gatepulse.alarm_episodes WHERE {condition} ORDER BY raised_at, episode"  # noqa: S608  # ours
    rows = reader.query(sql)
    return [_episode(dict(zip(_COLUMNS, row, strict=True))) for row in rows]


def _episode(row: Mapping[str, Any]) -> Episode:
    times = {name: row[name] and round(row[name].timestamp() * 1000) for name in _COLUMNS if name.endswith("_at")}
    return Episode(**{**row, **times})


def send(kafka: KafkaSettings, command: Command) -> None:
    """Send a command and wait for the broker. Raises AlarmCommandError."""
    brokers = kafka.brokers.split(",")
    try:
        producer = KafkaProducer(bootstrap_servers=brokers, acks="all", **kafka.client)
        try:
            value = _encode(AlarmInput(commands=[command]))
            producer.send(Topic.ALARM_INPUTS.value, value, partition=0).get(timeout=_TIMEOUT)
        finally:
            producer.close()
    except KafkaError as error:
        raise AlarmCommandError(
            f"the brokers at {kafka.brokers} did not take it: {error!r}; is Kafka running?"
        ) from error


def find(reader: ClickHouseReader, name: str) -> Episode:
    """Return an episode by its id. Raises AlarmCommandError with the open ones if there is none."""
    known = {each.episode: each for each in episodes(reader, also_cleared=True)}
    if name in known:
        return known[name]
    there = ", ".join(each.episode for each in known.values() if each.open) or "none"
    raise AlarmCommandError(f"EPISODE: {name!r} is not known; open are: {there}")


def await_change(reader: ClickHouseReader, before: Episode, *, seconds: float = _TIMEOUT) -> Episode:
    """Wait until the store shows a newer change of an episode. Raises AlarmCommandError."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        now = find(reader, before.episode)
        if now.change > before.change:
            return now
        time.sleep(0.25)
    raise AlarmCommandError(
        f"{before.episode}: sent, but nothing has changed within {seconds:g} s; see whether the workers run and the "
        "store is up: the command takes effect once they are"
    )
