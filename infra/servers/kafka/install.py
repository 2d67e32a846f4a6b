"""Installs Apache Kafka from Maven Central into a cache; `python -m infra.servers.kafka` does. Next: `server`.

The cache is `$XDG_CACHE_HOME/gatepulse`, or `~/.cache/gatepulse`: 54 MB (101 with recorded
classes) that every checkout on this machine shares.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

VERSION: Final = "4.3.1"
OLDEST_JAVA: Final = 17
_POM: Final = Path(__file__).with_name("pom.xml")
_REMEDY: Final = "install them (Debian, Ubuntu: apt install openjdk-17-jre-headless maven)"
_JAVA_VERSION: Final = re.compile(r'version "(?:1\.)?(\d+)')
_PATIENCE: Final = 600.0


class KafkaNotInstalledError(RuntimeError):
    """Apache Kafka is not there and cannot be fetched; the message names what to install."""


def java_version() -> int | None:
    """Return the major version of the `java` in the path, None without one."""
    java = shutil.which("java")
    if java is None:
        return None
    done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False)  # noqa: S603 - fixed
    found = _JAVA_VERSION.search(done.stderr + done.stdout)
    return int(found[1]) if found else None


def missing() -> str:
    """Return in one sentence what this machine lacks to run Kafka; empty when nothing does."""
    version = java_version()
    if version is None:
        return f"Kafka needs Java {OLDEST_JAVA} or newer, and there is no java: {_REMEDY}"
    if version < OLDEST_JAVA:
        return f"Kafka needs Java {OLDEST_JAVA} or newer, and this one is {version}: {_REMEDY}"
    if not library().is_dir() and shutil.which("mvn") is None:
        return f"Apache Kafka {VERSION} is fetched with Maven, and there is no mvn: {_REMEDY}"
    return ""


def library() -> Path:
    """Return the folder of Kafka's jars; it is renamed into its place once it is complete."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "gatepulse" / f"kafka-{VERSION}"


def class_archive() -> Path:
    """Return the file of the classes that a broker loads, whether they are recorded already or not."""
    return library().with_name(f"{library().name}.jsa")


def install() -> Path:
    """Return the folder of Kafka's jars; fetch them if they are not there. Raises KafkaNotInstalledError."""
    place = library()
    if lack := missing():
        raise KafkaNotInstalledError(f"{lack}.")
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_name(f"{place.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.is_dir():  # another one may have fetched it while we waited
            sys.stderr.write(f"Fetching Apache Kafka {VERSION} into {place} (once, 54 MB) ...\n")
            with tempfile.TemporaryDirectory(prefix=f"{place.name}-", dir=place.parent) as scratch:
                jars = Path(scratch) / "jars"
                _run_maven(Path(scratch), jars)
                jars.rename(place)
    return place


def _run_maven(folder: Path, jars: Path) -> None:
    shutil.copy(_POM, folder / "pom.xml")
    command = [
        "mvn", "--quiet", "--batch-mode", "--strict-checksums", f"-Dkafka.version={VERSION}",
        "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={jars}",
    ]  # fmt: skip
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_PATIENCE, check=False)  # noqa: S603 - ours
    except subprocess.TimeoutExpired as error:
        raise KafkaNotInstalledError(f"Maven did not fetch Kafka within {_PATIENCE:g} s: try again.") from error
    if done.returncode != 0 or not any(jars.glob("kafka_*.jar")):
        output = "\n".join((done.stdout + done.stderr).splitlines()[-10:])
        raise KafkaNotInstalledError(
            f"Maven could not fetch Apache Kafka {VERSION}: see whether this machine reaches Maven Central, "
            f"or set a mirror in ~/.m2/settings.xml, and try again. Its output:\n{output}"
        )
