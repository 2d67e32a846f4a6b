"""Fixtures that more than one package's tests need: a store and brokers, one of each per test session."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest
from clickhouse_driver import Client
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, sync_playwright
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from infra.servers.broker import EmbeddedBroker
from infra.servers.clickhouse import EmbeddedClickHouse
from infra.servers.kafka.install import install, missing
from infra.servers.kafka.server import KafkaServer
from sinks.clickhouse import ClickHouseReader, StoreAddress, connect
from tests.support.browser import QUIET
from tests.support.processes import running
from tests.support.size import examples
from tests.support.stores import Server, address_of, lay_out, mending

# How long an example takes depends on what else the machine is doing.
hypothesis.settings.register_profile("untimed", deadline=None, max_examples=examples(480))
hypothesis.settings.load_profile("untimed")

# Brokers that live for seconds spend more on the second compiler than they get back.
KafkaServer.jvm_options = ("-XX:TieredStopAtLevel=1",)

PLANTS = (
    "tests/faults/test_rounds.py", "tests/faults/test_operations.py", "tests/faults/test_set_aside.py", "tests/e2e/",
    "tests/infra/alerting/test_demo.py", "tests/infra/alerting/test_overload.py",
    "tests/infra/stack/test_kafka_demo.py", "tests/infra/loadtest/test_command.py",
)  # fmt: skip
"""Tests that run whole plants of processes. They wait for things to happen in time, so no two plants run at once."""
KAFKA = (
    "tests/streams/contract/test_topics.py", "tests/streams/operations/test_parked_rows.py",
    "tests/streams/worker/test_group_on_kafka.py",
)  # fmt: skip
"""Tests that share an Apache Kafka, whose start costs seconds of a core."""
LONGEST = (*PLANTS, *KAFKA, "tests/histories/", "tests/infra/servers/", "tests/dashboards/wall/")
"""What takes longest begins first, so that no process is left with it at the end."""
SPREAD = ("tests/histories/test_histories.py", "tests/simulators/incidents/")
"""Files whose tests may run in different processes; those of any other file share what they start."""


class _Scheduling(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Shares files out to processes: all plants to one of them, as all on Kafka, the tests of some files one by one."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(PLANTS):
            return "plants"
        if nodeid.startswith(KAFKA):
            return "kafka"
        return nodeid if nodeid.startswith(SPREAD) else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)  # unknown without xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _Scheduling:
    """Use our own distribution whenever tests run in several processes."""
    config.option.loadscopereorder = False
    return _Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest begin first."""
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: min((rank for name, rank in ranks.items() if item.nodeid.startswith(name)), default=99))


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedClickHouse]:
    """Start a ClickHouse server without databases of ours; `.address` says where and who may log in."""
    with running(EmbeddedClickHouse(tmp_path_factory.mktemp("clickhouse"))) as server:
        yield server


@pytest.fixture
def address(clickhouse: EmbeddedClickHouse) -> StoreAddress:
    """Where the user who writes logs in; the tables are there and empty."""
    found = address_of(clickhouse)
    with connect(found) as client:
        lay_out(client)
    return found


@pytest.fixture
def empty_clickhouse(address: StoreAddress, clickhouse: EmbeddedClickHouse) -> EmbeddedClickHouse:
    """Return the server itself; the tables are there and empty."""
    assert address == address_of(clickhouse)
    return clickhouse


@pytest.fixture
def client(address: StoreAddress) -> Iterator[Client]:
    """A plain connection of the user who writes."""
    with connect(address) as connected:
        yield connected


@pytest.fixture
def altered(client: Client) -> Iterator[Callable[[str], None]]:
    """Change tables and views behind the schema's back; they are made anew afterwards."""
    with mending(client):
        yield client.execute


@pytest.fixture
def reader(address: StoreAddress, clickhouse: EmbeddedClickHouse) -> Iterator[ClickHouseReader]:
    """A connection of the user who sees the views only."""
    assert address.port == clickhouse.address.port
    connected = ClickHouseReader(address_of(clickhouse, reader=True))
    yield connected
    connected.close()


@pytest.fixture
def server(address: StoreAddress) -> Server:
    """A store to write blocks into, for tests that then look at the views."""
    return Server(address)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a broker; its address. It has no topics: they appear, with 4 partitions, when first asked for."""
    with running(EmbeddedBroker(tmp_path_factory.mktemp("broker"))) as server:
        yield server.bootstrap


@pytest.fixture(scope="session")
def kafka_installed() -> Path:
    """Tell where Apache Kafka is, or skip: not every machine has Java."""
    lack = missing()
    if lack:
        pytest.skip(lack)
    return install()


@pytest.fixture(scope="session")
def kafka(kafka_installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:  # noqa: ARG001 - needed
    """Start an Apache Kafka without topics; tests create their own, under names that no other test uses."""
    with running(KafkaServer(tmp_path_factory.mktemp("kafka"))) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Debian's Chromium, or the one that playwright installed.

    While it runs, this thread has an event loop: `asyncio.run` needs another thread.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def only_page(browser: Browser) -> Iterator[Page]:
    """Open the page that the tests of a module share: a new one costs two seconds of a core."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def page(only_page: Page) -> Iterator[Page]:
    """Return a blank wall of 1920 × 1080; whatever its console says is wrong, fails the test.

    Tests share it, so nothing is to stay in it: for what does (routes, clocks, scripts) there is `new_page`.
    """
    with watched(only_page):
        only_page.mouse.move(0, 0)
        yield only_page
        only_page.evaluate("() => location.origin === 'null' || localStorage.clear()")
        only_page.goto("about:blank")


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Page]:
    """Open a `page` that nobody else has."""
    context = browser.new_context()
    with watched(context.new_page()) as page:
        yield page
        context.close()


@contextmanager
def watched(page: Page) -> Iterator[Page]:
    """Give a page the size of a wall, for a block that fails on whatever its console says is wrong."""
    page.set_viewport_size({"width": 1920, "height": 1080})
    wrong: list[str] = []

    def on_error(error: Error) -> None:
        wrong.append(str(error))

    def on_message(message: ConsoleMessage) -> None:
        if message.type == "error":
            wrong.append(message.text)

    page.on("pageerror", on_error)
    page.on("console", on_message)
    yield page
    page.remove_listener("pageerror", on_error)
    page.remove_listener("console", on_message)
    # A connection that a test cuts is the browser's to report and the page's to handle.
    assert [text for text in wrong if "Failed to load resource" not in text] == []
