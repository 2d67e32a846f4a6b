"""Each change in the topic `alarms` reaches a robot once, with Kafka and the relay killed."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.process.ports import free_port
from infra.servers.kafka.server import KafkaServer
from streams.contract import topics
from streams.settings import KafkaSettings
from tests.infra.relay.test_process import EPISODE, delivered, kill_9, restart, sent
from tests.support.alarms_topic import AlarmsTopic, await_follows, follows
from tests.support.alerts import notice, settings
from tests.support.chats import Chat, chatting
from tests.support.processes import alive, eventually, kill, needs_kafka, running
from tests.support.relay_server import RelayServer

SECONDS = 60.0  # in which a change must have come through, on a slow machine and after a restart


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[KafkaServer]:
    """Run a broker with the topics of a worker."""
    with running(KafkaServer(tmp_path / "kafka")) as kafka:
        topics.apply(KafkaSettings(brokers=kafka.bootstrap))
        yield kafka


@needs_kafka
def test_each_change_is_sent_once_over_kills_of_the_broker_and_the_relay(tmp_path: Path, kafka: KafkaServer) -> None:
    chat, port = Chat("webhook", per_minute=600), free_port()
    server = RelayServer(tmp_path, settings(tmp_path, {"webhook": ""}, port=port), port=port)
    with chatting(chat), AlarmsTopic.of(kafka.bootstrap) as topic:
        (tmp_path / "webhook.url").write_text(chat.url)
        server.env = topic.environment
        with running(server):
            await_follows(server)
            topic.write(notice(1))
            assert eventually(lambda: delivered(server) == 1, SECONDS)

            assert kafka.pid is not None
            kill(kafka.pid)
            assert eventually(lambda: not alive(kafka.pid or 0))
            assert eventually(lambda: not follows(server), SECONDS)  # its metrics say so
            kill_9(server)
            restart(server)  # with the brokers away
            assert not follows(server)
            restart(kafka)
            topic.write(notice(2), notice(2))
            assert eventually(lambda: delivered(server) == 1, SECONDS)

            kill_9(server)
            topic.write(notice(3), notice(4, what="cleared"))
            restart(server)
            assert eventually(lambda: delivered(server) == 2, SECONDS)
            time.sleep(0.5)
            assert sent(chat) == [(EPISODE, change) for change in (1, 2, 3, 4)]
            assert not any(content["data"]["doubtful"] for _, content in chat.letters)


@needs_kafka
def test_a_topic_that_is_made_anew_under_a_running_relay_is_noticed(tmp_path: Path, kafka: KafkaServer) -> None:
    from kafka.admin import KafkaAdminClient  # noqa: PLC0415

    chat, port = Chat("webhook", per_minute=600), free_port()
    server = RelayServer(tmp_path, settings(tmp_path, {"webhook": ""}, port=port), port=port)
    with chatting(chat), AlarmsTopic.of(kafka.bootstrap) as topic:
        (tmp_path / "webhook.url").write_text(chat.url)
        server.env = topic.environment
        with running(server):
            await_follows(server)
            topic.write(notice(1), notice(2), notice(3))
            assert eventually(lambda: delivered(server) == 3, SECONDS)
            admin = KafkaAdminClient(bootstrap_servers=[kafka.bootstrap])
            admin.delete_topics(["alarms"])
            admin.close()
            assert eventually(lambda: bool(topics.apply(KafkaSettings(brokers=kafka.bootstrap))), SECONDS)
            for number in range(5):
                topic.write(notice(1, episode=f"over-{number}"), notice(2, episode=f"over-{number}", what="cleared"))
            topic.write(notice(4))
            assert eventually(lambda: (EPISODE, 4) in sent(chat), SECONDS)
            assert [change for name, change in sent(chat) if name == EPISODE] == [1, 2, 3, 4]
