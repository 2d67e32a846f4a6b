"""Acknowledges and shelves alarms: sends an operator's command to the topic `alarm.inputs`."""

import time
from contextlib import closing
from typing import Final

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError

from sinks.clickhouse import ClickHouseReader
from streams.contract.events import Topic
from streams.contract.stored_episodes import episode_columns
from streams.kernels.alarms.episodes import Episode
from streams.kernels.alarms.inputs import AlarmInput, Command
from streams.settings import KafkaSettings

_TIMEOUT: Final = 15.0
_encode = msgspec.json.Encoder().encode


class AlarmCommandError(RuntimeError):
    """A command had no effect; the message says why, and what to do."""


def episodes(reader: ClickHouseReader, *, also_cleared: bool = False) -> list[Episode]:
    """Read the open episodes, the oldest first; `also_cleared`: all that are stored. Raises StoreError."""
    condition = "1" if also_cleared else "cleared_at IS NULL"
    view = f"gatepulse.alarm_episodes WHERE {condition} ORDER BY raised_at, episode"
    return [Episode(*row) for row in reader.query(f"SELECT {episode_columns()} FROM {view}")]  # noqa: S608  # ours


def send(kafka: KafkaSettings, command: Command) -> None:
    """Send a command and wait for the broker. Raises AlarmCommandError."""
    brokers = kafka.brokers.split(",")
    try:
        with closing(KafkaProducer(bootstrap_servers=brokers, acks="all", **kafka.client)) as producer:
            value = _encode(AlarmInput(commands=[command]))
            producer.send(Topic.ALARM_INPUTS.value, value, partition=0).get(timeout=_TIMEOUT)
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
