"""Creates and checks the Kafka topics: names, partitions and settings of each, in one list.

What is missing is created; what is there is never changed or deleted, but what differs is reported.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from streams.contract.events import Topic
from streams.kernels.counts.calendar import DAY_MS
from streams.settings import KafkaSettings

SOURCES: Final = (Topic.TURNSTILES, Topic.VEHICLES, Topic.CORRECTIONS)
_CHANGELOG: Final = ".snapshots-changelog"
_MOST_COPIES: Final = 3
_PATIENCE_MS: Final = 10_000
LARGEST_SNAPSHOT: Final = 32 << 20
"""Bytes of one snapshot at most, for the producer and for the changelogs. A segment of large frames with hours of late
events needs 1.2 MB; the largest state that all limits allow needs 28 MB (kernels/counts/test_bounds.py)."""

Config = Mapping[str, str]
# A log that is compacted has numbers without a record: for a worker a hole, at which it ends. So: delete.
_EVENTS: Final[dict[str, str]] = {
    "cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS), "max.message.bytes": str(1 << 20),
    "message.timestamp.type": "LogAppendTime",  # when an event arrived is for the broker to say, not for a gateway
}  # fmt: skip
_REJECTED: Final[dict[str, str]] = _EVENTS | {"retention.ms": str(30 * DAY_MS)}
# Only full segments are compacted, and a worker reads its whole changelog when it starts: so they are small.
_NEWEST: Final[dict[str, str]] = {
    "cleanup.policy": "compact", "max.message.bytes": str(1 << 20), "segment.bytes": str(16 << 20),
    "min.cleanable.dirty.ratio": "0.1",
}  # fmt: skip
_LARGE: Final[dict[str, str]] = _NEWEST | {
    "max.message.bytes": str(LARGEST_SNAPSHOT),
    "segment.bytes": str(LARGEST_SNAPSHOT + (8 << 20)),  # a record must fit a segment, too
}


class TopicsError(RuntimeError):
    """The topics cannot be looked at or created; the message says why."""


@dataclass(frozen=True)
class TopicPlan:
    """One topic as it should be."""

    name: str
    partitions: int
    config: Config


@dataclass(frozen=True)
class TopicFound:
    """One topic as it is."""

    name: str
    partitions: int
    copies: int
    config: Config


def plans(kafka: KafkaSettings) -> tuple[TopicPlan, ...]:
    """List every topic that workers with these settings use, the changelogs of their snapshots among them."""
    several = kafka.partitions
    return (
        *(TopicPlan(topic.value, several, _EVENTS) for topic in SOURCES),
        TopicPlan(Topic.TOTALS.value, several, _NEWEST),
        TopicPlan(Topic.REJECTED.value, 1, _REJECTED),
        TopicPlan(Topic.ALARM_INPUTS.value, 1, _EVENTS | {"retention.ms": str(DAY_MS)}),
        TopicPlan(Topic.ALARMS.value, 1, _NEWEST),
        TopicPlan(Topic.PARKED.value, 1, _LARGE),
        *(TopicPlan(changelog(kafka, topic), several, _LARGE) for topic in SOURCES),
        TopicPlan(changelog(kafka, Topic.ALARM_INPUTS), 1, _LARGE),
    )


def changelog(kafka: KafkaSettings, topic: Topic) -> str:
    """Name the topic that has the snapshots of a topic's partitions."""
    return f"{kafka.group}-{topic.value}{_CHANGELOG}"


def apply(kafka: KafkaSettings) -> list[TopicPlan]:
    """Create what is missing, with up to three copies as there are brokers; return what was created.

    Where partitions were added to a topic, its changelog gets as many.
    """
    with _admin(kafka) as admin:
        return create(admin, plans(kafka)) + match_changelogs(admin, kafka)


def output_topics(kafka: KafkaSettings) -> tuple[TopicPlan, ...]:
    """List the topics that only workers write: whatever was in them, they can be created again at any time."""
    return tuple(plan for plan in plans(kafka) if plan.name not in SOURCES)


def match_changelogs(admin: Any, kafka: KafkaSettings) -> list[TopicPlan]:  # noqa: ANN401 - kafka-python has no types
    """Give changelogs as many partitions as their topics have; return those that were changed.

    A log and its snapshot must have the same number of partitions: the group assigns both to the same worker then.
    """
    pairs = {topic.value: changelog(kafka, topic) for topic in (*SOURCES, Topic.ALARM_INPUTS)}
    known = {each["name"]: each for each in admin.describe_topics([*pairs, *pairs.values()]) if each["error_code"] == 0}
    more = {
        changelog: len(known[topic]["partitions"])
        for topic, changelog in pairs.items()
        if topic in known
        and changelog in known
        and len(known[topic]["partitions"]) > len(known[changelog]["partitions"])
    }
    if more:
        admin.create_partitions(more)
    return [TopicPlan(name, count, _LARGE) for name, count in more.items()]


def inspect_topics(kafka: KafkaSettings) -> tuple[list[TopicFound], list[str]]:
    """Return the topics that are there, and a sentence for each thing that is not as it should be."""
    wanted = plans(kafka)
    with _admin(kafka) as admin:
        found = describe(admin, [plan.name for plan in wanted])
        copies = _copies(admin)
    several = {changelog(kafka, topic): found[topic].partitions for topic in SOURCES if topic in found}
    wanted = tuple(replace(plan, partitions=max(plan.partitions, several.get(plan.name, 0))) for plan in wanted)
    sentences = [sentence for plan in wanted for sentence in differences(plan, found.get(plan.name), copies=copies)]
    return [found[plan.name] for plan in wanted if plan.name in found], sentences


def create(admin: Any, wanted: Sequence[TopicPlan]) -> list[TopicPlan]:  # noqa: ANN401 - kafka-python has no types
    """Create those of the topics that are missing, and wait until they can be used; return them."""
    there = describe(admin, [plan.name for plan in wanted])
    missing = [plan for plan in wanted if plan.name not in there]
    copies = _copies(admin)
    made = []
    for plan in missing:
        options = {"num_partitions": plan.partitions, "replication_factor": copies, "configs": dict(plan.config)}
        try:
            admin.create_topics({plan.name: options})
        except TopicAlreadyExistsError:
            continue  # somebody was quicker
        made.append(plan)
    if made:
        admin.wait_for_topics([plan.name for plan in made])
    return made


def describe(admin: Any, names: Sequence[str]) -> dict[str, TopicFound]:  # noqa: ANN401 - as above
    """Return those of the topics that are there, with what is set for them."""
    known = {each["name"]: each for each in admin.describe_topics(list(names)) if each["error_code"] == 0}
    if not known:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in known]
    configs = admin.describe_configs(resources, config_filter="all")["topic"]
    return {
        name: TopicFound(
            name,
            len(each["partitions"]),
            min(len(partition["replica_nodes"]) for partition in each["partitions"]),
            {key: entry["value"] for key, entry in configs[name].items()},
        )
        for name, each in known.items()
    }


def differences(plan: TopicPlan, found: TopicFound | None, *, copies: int) -> list[str]:
    """Say what is not as it should be, and what to do; a longer retention and larger messages are all right.

    So are more partitions: workers read all that there are.
    """
    if found is None:
        return [f"{plan.name}: is missing; `gatepulse topics apply` creates it"]
    sentences = []
    if found.partitions < plan.partitions:
        sentences.append(
            f"{plan.name}: {found.partitions} partitions, expected {plan.partitions}; "
            + ("`gatepulse topics apply` adds them" if plan.name.endswith(_CHANGELOG) else _more_partitions(plan))
        )
    if found.copies < copies:
        sentences.append(f"{plan.name}: kept {found.copies} times, expected {copies}; reassign its partitions")
    for key, value in plan.config.items():
        if key in _FITS and not _FITS[key](found.config[key], value):
            sentences.append(
                f"{plan.name}: {key} is {found.config[key]}, expected {value}; "
                f"kafka-configs --alter --entity-type topics --entity-name {plan.name} --add-config {key}={value}"
            )
    return sentences


def _more_partitions(plan: TopicPlan) -> str:
    return (
        f"kafka-topics --alter --topic {plan.name} --partitions {plan.partitions}, or set kafka.partitions to what it "
        "has; workers read added partitions without a restart"
    )


def _same(found: str, wanted: str) -> bool:
    return found == wanted


def _enough(found: str, wanted: str) -> bool:
    return int(found) == -1 or int(found) >= int(wanted)  # -1: for ever


_FITS: Final = {
    "cleanup.policy": _same, "retention.ms": _enough, "max.message.bytes": _enough, "message.timestamp.type": _same,
    "segment.bytes": _enough,
}  # fmt: skip
"""What must fit; the other settings are a choice that the owner of the brokers may make differently."""
SHOWN: Final = ("cleanup.policy", "retention.ms", "max.message.bytes", "message.timestamp.type")


def _copies(admin: Any) -> int:  # noqa: ANN401 - as above
    return min(_MOST_COPIES, len(admin.describe_cluster()["brokers"]))


@contextmanager
def _admin(kafka: KafkaSettings) -> Iterator[Any]:
    try:
        client = KafkaAdminClient(
            bootstrap_servers=kafka.brokers.split(","), bootstrap_timeout_ms=_PATIENCE_MS, **kafka.client
        )
        try:
            yield client
        finally:
            client.close()
    except KafkaError as error:
        raise TopicsError(
            f"The brokers at {kafka.brokers} do not do it: {error!r}. See whether they run, and kafka.brokers."
        ) from error
