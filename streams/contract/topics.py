"""Creates and checks the Kafka topics: names, partitions and settings of each, in one list.

What is missing is created: topics, and partitions of changelogs. Nothing is deleted, no setting is changed; differences
are reported.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

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

Admin: TypeAlias = Any  # kafka-python has no types
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

_THE_SAME: Final = ("cleanup.policy", "message.timestamp.type")
_AT_LEAST: Final = ("retention.ms", "max.message.bytes", "segment.bytes")
SHOWN: Final = ("cleanup.policy", "retention.ms", "max.message.bytes", "message.timestamp.type")


class TopicsError(RuntimeError):
    """The topics cannot be described or created; the message says why."""


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


def match_changelogs(admin: Admin, kafka: KafkaSettings) -> list[TopicPlan]:
    """Give changelogs as many partitions as their topics have; return those that were changed.

    A log and its snapshot must have the same number of partitions: the group assigns both to the same worker then.
    """
    pairs = {topic.value: changelog(kafka, topic) for topic in (*SOURCES, Topic.ALARM_INPUTS)}
    found = _found(admin, [*pairs, *pairs.values()])
    partitions = {name: len(each["partitions"]) for name, each in found.items()}
    more = {
        changelog: partitions[topic]
        for topic, changelog in pairs.items()
        if changelog in partitions and partitions.get(topic, 0) > partitions[changelog]
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


def create(admin: Admin, wanted: Sequence[TopicPlan]) -> list[TopicPlan]:
    """Create those of the topics that are missing, and wait until they can be used; return them."""
    names = [plan.name for plan in wanted]
    there, copies = _found(admin, names), _copies(admin)
    made = []
    for plan in wanted:
        if plan.name in there:
            continue
        options = {"num_partitions": plan.partitions, "replication_factor": copies, "configs": dict(plan.config)}
        with suppress(TopicAlreadyExistsError):  # somebody was quicker
            admin.create_topics({plan.name: options})
            made.append(plan)
    if made:
        admin.wait_for_topics([plan.name for plan in made])
    return made


def describe(admin: Admin, names: Sequence[str]) -> dict[str, TopicFound]:
    """Return those of the topics that are there, with what is set for them."""
    found = _found(admin, names)
    if not found:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in found]
    configs = admin.describe_configs(resources, config_filter="all")["topic"]
    return {
        name: TopicFound(
            name,
            len(each["partitions"]),
            min(len(partition["replica_nodes"]) for partition in each["partitions"]),
            {key: entry["value"] for key, entry in configs[name].items()},
        )
        for name, each in found.items()
    }


def _found(admin: Admin, names: Sequence[str]) -> dict[str, Any]:
    return {each["name"]: each for each in admin.describe_topics(list(names)) if each["error_code"] == 0}


def differences(plan: TopicPlan, found: TopicFound | None, *, copies: int) -> list[str]:
    """Say what is not as it should be, and what to do; a longer retention and larger messages are all right.

    So are more partitions: workers read all that there are.
    """
    if found is None:
        return [f"{plan.name}: is missing; `gatepulse topics apply` creates it"]
    name, sentences = plan.name, []
    if found.partitions < plan.partitions:
        advice = (
            f"kafka-topics --alter --topic {name} --partitions {plan.partitions}, or set kafka.partitions to what it "
            "has; workers read added partitions without a restart"
        )
        if name.endswith(_CHANGELOG):
            advice = "`gatepulse topics apply` adds them"
        sentences.append(f"{name}: {found.partitions} partitions, expected {plan.partitions}; {advice}")
    if found.copies < copies:
        sentences.append(f"{name}: kept {found.copies} times, expected {copies}; reassign its partitions")
    for key, value in plan.config.items():
        if not _fits(key, found.config, value):
            alter = f"kafka-configs --alter --entity-type topics --entity-name {name} --add-config {key}={value}"
            sentences.append(f"{name}: {key} is {found.config[key]}, expected {value}; {alter}")
    return sentences


def _fits(key: str, found: Config, wanted: str) -> bool:
    """Compare what must fit; the other settings are a choice that the owner of the brokers may make differently."""
    if key in _THE_SAME:
        return found[key] == wanted
    return key not in _AT_LEAST or int(found[key]) == -1 or int(found[key]) >= int(wanted)  # -1: for ever


def _copies(admin: Admin) -> int:
    return min(_MOST_COPIES, len(admin.describe_cluster()["brokers"]))


@contextmanager
def _admin(kafka: KafkaSettings) -> Iterator[Any]:
    try:
        brokers = kafka.brokers.split(",")
        options = {"bootstrap_timeout_ms": _PATIENCE_MS, **kafka.client}
        with closing(KafkaAdminClient(bootstrap_servers=brokers, **options)) as client:
            yield client
    except KafkaError as error:
        raise TopicsError(
            f"The brokers at {kafka.brokers} do not do it: {error!r}. See whether they run, and kafka.brokers."
        ) from error
