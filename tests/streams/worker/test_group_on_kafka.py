"""A consumer group on a real Kafka stabilises although its members commit while they wait to join."""

import asyncio
import uuid
from contextlib import AsyncExitStack, suppress

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import CommitFailedError
from aiokafka.structs import OffsetAndMetadata
from kafka.admin import KafkaAdminClient, NewTopic

from infra.servers.kafka.server import KafkaServer
from streams.worker.consumer import is_joining

_QUICK, _SLOW = 300, 2500
"""Milliseconds after which members notice that they must join again; the quick ones then wait for the slow one."""


async def _member(stack: AsyncExitStack, servers: str, topic: str, group: str, heartbeat: int) -> AIOKafkaConsumer:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=servers, group_id=group, enable_auto_commit=False, heartbeat_interval_ms=heartbeat,
        session_timeout_ms=10_000,
    )  # fmt: skip
    await consumer.start()
    stack.push_async_callback(consumer.stop)
    return consumer


async def _commit_for_ever(consumer: AIOKafkaConsumer, *, guarded: bool) -> None:
    while True:
        with suppress(CommitFailedError):
            if not (guarded and is_joining(consumer)):
                await consumer.commit({tp: OffsetAndMetadata(0, "") for tp in consumer.assignment()})
        await asyncio.sleep(0.1)


async def generations(servers: str, topic: str, *, guarded: bool) -> int:
    """Let a third member join, and return how many generations the group needed in the 12 s after it."""
    group = uuid.uuid4().hex
    async with AsyncExitStack() as stack:
        leader = await _member(stack, servers, topic, group, _QUICK)  # if a leader joins again, all must
        slow = await _member(stack, servers, topic, group, _SLOW)
        committing = asyncio.create_task(_commit_for_ever(leader, guarded=guarded))
        before = slow._coordinator.generation
        await _member(stack, servers, topic, group, _QUICK)
        await asyncio.sleep(12)
        committing.cancel()
        return int(slow._coordinator.generation - before)


def test_a_group_settles_although_a_member_commits_while_it_joins(kafka: KafkaServer) -> None:
    topic = uuid.uuid4().hex
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    admin.create_topics([NewTopic(topic, num_partitions=4, replication_factor=1)])
    admin.close()
    assert asyncio.run(generations(kafka.bootstrap, topic, guarded=True)) <= 2
