"""The contender Kafka Streams on one core: compiles and runs `java/Count.java`; jars from Maven Central.

Chosen: the message key is the entrance, so nothing is repartitioned; a windowed count for each direction, in RocksDB
with a changelog and a cache of 64 MB, all as by default but for the cache; a grace of two days, since it costs nothing
and entrances of one partition are not in step when messages hold several events; the counts are asked of the stores.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from infra.servers.kafka.install import VERSION, library
from tests.benchmarks.peers.contender import Measured, Place, run_program
from tests.benchmarks.peers.input import Feed
from tests.benchmarks.peers.process import ContenderFailed

_SOURCES: Final = Path(__file__).with_name("java")
_PATIENCE: Final = 600.0


def start(place: Place, feed: Feed) -> Measured:
    """Compile and run it. Raises ContenderFailed."""
    jars, classes = _jars(), place.folder / "classes"
    _run(["javac", "-Xlint:all", "-Werror", "-d", str(classes), "-cp", f"{jars}/*", str(_SOURCES / "Count.java")])
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    return run_program(["java", "-Xmx1g", quiet, "-cp", f"{classes}:{jars}/*", "Count"], place, feed)


def _jars() -> Path:
    """Return the folder of the jars; fetch them if they are not there."""
    jars = library().with_name(f"kafka-streams-{VERSION}")
    if not jars.is_dir():
        with tempfile.TemporaryDirectory(prefix=f"{jars.name}-", dir=jars.parent) as scratch:
            shutil.copy(_SOURCES / "pom.xml", scratch)
            _run([
                "mvn", "--quiet", "--batch-mode", "--strict-checksums", f"-Dkafka.version={VERSION}",
                "--file", f"{scratch}/pom.xml", "dependency:copy-dependencies", "-DincludeScope=runtime",
                f"-DoutputDirectory={scratch}/jars",
            ])  # fmt: skip
            (Path(scratch) / "jars").rename(jars)
    return jars


def _run(command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        raise ContenderFailed(f"{command[0]} is missing: install it (Debian, Ubuntu: apt install openjdk-17-jdk maven)")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired as error:
        raise ContenderFailed(f"{command[0]} was not done within {_PATIENCE:g} s: try again") from error
    if done.returncode:
        raise ContenderFailed(f"{command[0]} failed:\n{(done.stdout + done.stderr)[-2000:]}")
