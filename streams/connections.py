"""Connects to brokers and store as the settings say, for every process."""

from kafka.admin import KafkaAdminClient

from sinks.clickhouse import ClickHouseReader, ClickHouseSink, OnRetry, StoreAddress
from streams.settings import Settings


def store_address(settings: Settings) -> StoreAddress:
    """Return the address of the store for writing, by its owner."""
    store = settings.store
    return StoreAddress(store.host, store.port, store.user, store.password.get_secret_value())


def views_address(settings: Settings) -> StoreAddress:
    """Return the address of the store for reading the public views."""
    store = settings.store
    return StoreAddress(store.host, store.port, store.reader, store.reader_password.get_secret_value())


def views_reader(settings: Settings) -> ClickHouseReader:
    """Return a reader of the public views."""
    return ClickHouseReader(views_address(settings))


def store_sink(settings: Settings, on_retry: OnRetry | None = None) -> ClickHouseSink:
    """Return what writes rows into the store."""
    return ClickHouseSink(store_address(settings), on_retry=on_retry)


def cluster_name(settings: Settings) -> str:
    """Return the name of this incarnation of the brokers: as set, or the id that the cluster gives itself."""
    if settings.kafka.cluster:
        return settings.kafka.cluster
    client = KafkaAdminClient(bootstrap_servers=settings.kafka.brokers.split(","), **settings.kafka.client)
    try:
        return str(client.describe_cluster()["cluster_id"])
    finally:
        client.close()
