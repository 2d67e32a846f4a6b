"""Where the brokers and the store are, as the settings say: every process of ours gets its connections here."""

from kafka.admin import KafkaAdminClient

from sinks.clickhouse import ClickHouseReader, StoreAddress
from streams.settings import Settings


def addresses(settings: Settings) -> tuple[StoreAddress, StoreAddress]:
    """Return the address of the store for writing, and the one for reading the views."""
    store = settings.store
    writer = StoreAddress(store.host, store.port, store.user, store.password.get_secret_value())
    reader = StoreAddress(store.host, store.port, store.reader, store.reader_password.get_secret_value())
    return writer, reader


def views_reader(settings: Settings) -> ClickHouseReader:
    """Return a reader of the public views."""
    return ClickHouseReader(addresses(settings)[1])


def cluster_name(settings: Settings) -> str:
    """Return the name of this incarnation of the brokers: as set, or the id that the cluster gives itself."""
    if settings.kafka.cluster:
        return settings.kafka.cluster
    client = KafkaAdminClient(bootstrap_servers=settings.kafka.brokers.split(","), **settings.kafka.client)
    try:
        return str(client.describe_cluster()["cluster_id"])
    finally:
        client.close()
