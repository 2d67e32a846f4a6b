"""A load test on existing servers is verified, and repeatable while its ledgers are available."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.loadtest import target as targets
from infra.loadtest.options import LoadOptions
from infra.loadtest.run import run_loadtest
from infra.loadtest.target import LoadTarget, StoreHasCountsError
from simulators.scenario.expo.expo import EXPO
from streams.settings import Settings, StoreSettings, WallSettings

SMALL = LoadOptions(scenario=EXPO, rate=100, for_seconds=3, as_json=True)


def settings(chain: LoadTarget) -> Settings:
    """Return the settings under which a chain is reached."""
    store, wall = chain.store, int(chain.wall_url.rstrip("/").rpartition(":")[2])
    reader = StoreSettings(
        host=store.host, port=store.port, reader=store.user, reader_password=SecretStr(store.password)
    )
    return Settings(kafka=chain.kafka, store=reader, wall=WallSettings(port=wall))


def test_a_chain_of_the_settings_is_proven_twice_but_never_without_the_ledgers_of_what_it_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with targets.embedded(
        "expo", tmp_path / "chain", threading.Event(), broker="embedded", workers=1, report=lambda _: None
    ) as chain:
        there = replace(SMALL, settings=settings(chain), keep=tmp_path / "kept")
        sent = []
        for _ in range(2):
            assert run_loadtest(there) == 0
            said = capsys.readouterr()
            found = json.loads(said.out)
            assert (found["difference"], found["broker"]) == (0, "existing"), said.err
            assert found["stored_ms"]["count"] == 300
            assert found["wall_ms"]["unseen"] == 0
            assert "at most 1,000,000 events in at most 600 s" in said.err
            sent.append(found["sent"])
        assert sent[1] == 2 * sent[0]  # the second proves what the first has sent as well
        with pytest.raises(StoreHasCountsError, match=f"it shows {sent[1]:,} events already"):
            run_loadtest(replace(there, keep=tmp_path / "elsewhere"))
