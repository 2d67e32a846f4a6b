"""The wall's process starts without a store and ends cleanly."""

import json
import signal
import subprocess
import sys
import urllib.request

import pytest

PROGRAM = """
from dashboards.wall.model.options import WallOptions
from dashboards.wall.http.run import run_wall
from sinks.clickhouse import StoreAddress
from streams.site.reader import load_site

nobody = StoreAddress("127.0.0.1", 1, "reader", "")
run_wall(nobody, load_site("expo"), WallOptions(), host="127.0.0.1", port=0,
         ready=lambda url: print(url, flush=True), send=print)
print("ended in order", flush=True)
"""


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_without_a_store_and_ends_in_order(ending: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        with urllib.request.urlopen(url + "snapshot.json", timeout=20) as answer:  # noqa: S310 - our own server
            assert json.load(answer)["beat"]["snapshot"]["today"]["person"]["entries"] is None
        process.send_signal(ending)
        said, wrong = process.communicate(timeout=20)
        assert process.returncode == 0, wrong.decode()
        assert said.endswith(b"ended in order\n")
