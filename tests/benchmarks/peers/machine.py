"""Describes the machine, and the versions of all contenders."""

import datetime as dt
import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from infra.servers.kafka.install import VERSION
from tests.benchmarks.peers.contender import PEERS_PYTHON

_PEERS: Final = ("bytewax", "pathway", "quixstreams", "faust-streaming", "confluent-kafka", "orjson")
_OURS: Final = ("faust-streaming", "aiokafka", "msgspec", "numpy", "chdb-core")
_ASK: Final = (
    "import json, sys; from importlib.metadata import version as v; print(json.dumps([*map(v, sys.argv[1:])]))"
)


def describe() -> dict[str, Any]:
    """Return the machine and the versions."""
    return {
        "on": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "versions": _versions(),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _versions() -> dict[str, dict[str, str]]:
    """Return the versions of what all use, of gatepulse's own environment, and of the peers'."""
    asked = subprocess.run([PEERS_PYTHON, "-c", _ASK, *_PEERS], capture_output=True, text=True, check=True).stdout
    java = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True).stderr.splitlines()[0]
    return {
        "all": {"Python": platform.python_version(), "Kafka": VERSION, "Java": java.split('"')[1]},
        "gatepulse": {name: version(name) for name in _OURS},
        "peers": dict(zip(_PEERS, json.loads(asked), strict=True)),
    }
