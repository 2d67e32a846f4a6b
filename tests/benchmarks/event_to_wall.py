"""How long someone at a turnstile waits for their place on the wall: `python -m tests.benchmarks.event_to_wall`.

Runs a demo at real-time speed and listens to the wall as a display does; `waiting.py` says what is compared.
Only entries after the catch-up count. The result is one JSON object: n, median, p90, p99, max in milliseconds.
"""

import json
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from simulators.ledger import read_ledger
from streams.site import load_site
from tests.benchmarks.waiting import entry_times, first_looks, quantiles

SETTLED_SECONDS = 40
"""After the start: the catch-up is over and everything runs evenly."""


def listen(url: str, shown: list[tuple[int, int, int]], stop: threading.Event) -> None:
    """Note (real ms, entries shown, real - site ms) of every message that the wall sends to a display."""
    with urllib.request.urlopen(f"{url}events", timeout=30) as stream:  # noqa: S310  # our own wall
        event = b""
        for line in stream:
            if stop.is_set():
                return
            if line.startswith(b"event:"):
                event = line[6:].strip()
            elif line.startswith(b"data:") and event == b"beat":
                snapshot = json.loads(line[5:])["snapshot"]
                entries = snapshot["today"]["person"]["entries"]
                if entries is not None:
                    shown.append((int(time.time() * 1000), entries, snapshot["real_ms"] - snapshot["site_ms"]))


def run(seconds: int, start_at: str) -> dict[str, Any]:
    """Play, listen, and work the distribution out."""
    with tempfile.TemporaryDirectory() as state:
        argv = ["demo", "--speed", "1", "--for", str(seconds), "--start-at", start_at, "--state", state, "--json"]
        demo = subprocess.Popen(
            [sys.executable, "-P", "-m", "infra.cli", *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        shown: list[tuple[int, int, int]] = []
        stop = threading.Event()
        assert demo.stderr is not None
        for line in demo.stderr:
            if found := re.search(r"wall: (http://\S+)", line):
                threading.Thread(target=listen, args=(found[1], shown, stop), daemon=True).start()
                break
        said, _ = demo.communicate()
        stop.set()
        ledger = read_ledger(next(Path(state, "ledgers").glob("*-day")))
        return latencies(ledger.passages, shown) | {"equal": json.loads(said)["ok"]}


def latencies(passages: Mapping[str, Any], shown: list[tuple[int, int, int]]) -> dict[str, Any]:
    """Compare entries in order of their time with what was shown."""
    real, entries, ahead = (np.array(column) for column in zip(*shown, strict=True))
    site_ts = entry_times(passages, load_site("expo"))
    happened = site_ts + ahead[-1]  # at speed 1, site time and real time are a constant apart
    looks = first_looks(entries, len(site_ts))
    counted = (happened > real[0] + SETTLED_SECONDS * 1000) & (looks < len(real))
    return quantiles(real[looks[counted]] - happened[counted])


if __name__ == "__main__":
    json.dump(run(int(sys.argv[1]) if len(sys.argv) > 1 else 120, "10:20"), sys.stdout)
    sys.stdout.write("\n")
