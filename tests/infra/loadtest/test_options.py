"""Wrong options of a load test are refused before anything starts, and defaults are chosen rightly."""

from pathlib import Path
from typing import Any

import pytest

from infra.loadtest import options
from infra.loadtest import target as targets
from infra.loadtest.load import Curve, burst, steady
from infra.loadtest.options import LoadOptions
from infra.loadtest.run import run_loadtest
from infra.loadtest.target import StoreHasCountsError, WrongLoadError
from infra.servers.clickhouse import EmbeddedClickHouse
from simulators.distortion.distort import UnknownDeviceError
from simulators.distortion.settings import DistortionError
from simulators.scenario.expo.expo import EXPO
from sinks import schema
from sinks.clickhouse import connect
from streams.settings import ClockSettings, KafkaSettings, Settings, StoreSettings

ELSEWHERE = Settings(kafka=KafkaSettings(brokers="127.0.0.1:9092,kafka.example.org:9092"))


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"rate": 100.0, "times": 3.0}, WrongLoadError, "--rate, --times: both set how many events come"),
        ({"times": 3.0, "shape": "burst"}, WrongLoadError, "leave out --shape burst"),
        ({"for_seconds": 4_000.0, "rate": 10.0}, WrongLoadError, "--for 4000: at most 3600 s"),
        ({"for_seconds": 3_000.0, "rate": 10_000.0}, WrongLoadError, "30,000,000 events in all, at most 20,000,000"),
        (
            {"rate": 100_000.0, "shape": "burst", "for_seconds": 5.0},
            WrongLoadError,
            "500,000 events/s, at most 200,000",
        ),
        (
            {"rate": 300_000.0, "for_seconds": 5.0},
            WrongLoadError,
            "300,000 events/s, at most 200,000; give a lower one",
        ),
        ({"times": 5_000.0}, WrongLoadError, "--rate, --times: 360,000 events/s, at most 200,000"),
        ({"report": Path("/nowhere/report.html")}, WrongLoadError, "there is no folder /nowhere; make it first"),
        ({"settings": ELSEWHERE, "times": 100.0, "for_seconds": 500.0}, WrongLoadError, "3,600,000 events in all"),
        ({"distortion": "rain=3%"}, DistortionError, "'rain' is not a distortion"),
        ({"distortion": "skip=X9-L99:3"}, UnknownDeviceError, "no device 'X9-L99'"),
        (
            {"settings": ELSEWHERE, "rate": 2_000.0, "for_seconds": 590.0},
            WrongLoadError,
            "at most 1,000,000 on brokers of the settings",
        ),
        (
            {"settings": ELSEWHERE, "rate": 10.0, "for_seconds": 601.0},
            WrongLoadError,
            "at most 600 s on brokers of the settings",
        ),
        ({"settings": ELSEWHERE, "workers": 2}, WrongLoadError, "with --to existing they are as they are"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_to_change(
    given: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        options.check(LoadOptions(scenario=EXPO, **given))


def test_brokers_that_are_not_on_this_machine_are_refused_unless_they_are_meant() -> None:
    with pytest.raises(WrongLoadError, match=r"kafka.brokers: kafka.example.org is not this machine.*--really"):
        targets.existing(ELSEWHERE, really=False, accounted=True)
    with pytest.raises(WrongLoadError, match=r"store.host: 10.0.0.7 is not this machine"):
        targets.existing(Settings(store=StoreSettings(host="10.0.0.7")), really=False, accounted=True)


def test_a_site_whose_clock_is_not_the_present_is_refused() -> None:
    with pytest.raises(WrongLoadError, match="events of a load test have the present time"):
        targets.existing(Settings(clock=ClockSettings(speed=60)), really=False, accounted=True)


def test_a_store_with_counts_that_no_ledger_accounts_for_is_refused(clickhouse: EmbeddedClickHouse) -> None:
    address = clickhouse.address
    owner = connect(address.owner)
    schema.apply(owner)
    try:
        owner.execute(
            "INSERT INTO gatepulse_store.log_progress (log, cluster, topic, partition, next_offset, received) VALUES",
            [("loadtest/corrections/0", "loadtest", "corrections", 0, 5, 5)],
        )
        reader = address.reader
        store = StoreSettings(host=address.host, port=address.port, reader=reader.user, reader_password=reader.password)
        with pytest.raises(StoreHasCountsError, match=r"it shows [\d,]+ events already"):
            targets.existing(Settings(store=store), really=False, accounted=False)
    finally:
        owner.execute("ALTER TABLE gatepulse_store.log_progress DELETE WHERE cluster = 'loadtest'")
        owner.disconnect()


def test_a_folder_with_ledgers_of_another_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledgers" / "1-generator-1").mkdir(parents=True)
    with pytest.raises(WrongLoadError, match="there are ledgers already"):
        run_loadtest(LoadOptions(scenario=EXPO, keep=tmp_path, broker="embedded"))


def test_several_workers_on_the_embedded_broker_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongLoadError, match="several workers need --broker kafka"):
        run_loadtest(LoadOptions(scenario=EXPO, keep=tmp_path, broker="embedded", workers=2))


def test_the_load_is_the_shape_that_was_asked_for() -> None:
    assert LoadOptions(scenario=EXPO, rate=50, for_seconds=4).load == steady(50, 4)
    assert LoadOptions(scenario=EXPO, rate=50, for_seconds=4, shape="burst").load == burst(50, 4)
    assert LoadOptions(scenario=EXPO, times=3, for_seconds=4).load == Curve(3, 4, "10:00", 3 * EXPO.peak)


def test_there_are_as_many_generators_as_the_rate_needs_and_no_more_than_processors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    rates = {
        rate: LoadOptions(scenario=EXPO, rate=rate).generators
        for rate in (100.0, 15_000.0, 15_001.0, 70_000.0, 200_000.0)
    }
    assert rates == {100: 1, 15_000: 1, 15_001: 2, 70_000: 5, 200_000: 8}
    assert LoadOptions(scenario=EXPO, rate=9_000, shape="burst").generators == 3
