"""The process of the embedded Kafka broker: runs librdkafka's mock cluster through its C interface; see broker.py.

Run as ``python -m infra.servers.broker_child SPECIFICATION``, a JSON object with ``address_file`` and ``topics`` (name
to number of partitions). When it is ready it writes "host:port" into the address file; the reason why not is on stderr.
The functions are those of librdkafka's rdkafka_mock.h.
"""

import ctypes
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PRODUCER = 0
_ERROR_BYTES = 512
_REBALANCE_DELAY_MS = 500
ENTRY_CHANGED = 70
"""Exit code: the installed library has no mock cluster that we know."""


class MockUnavailable(RuntimeError):
    """librdkafka's mock cluster is not to be had from the installed confluent-kafka."""


def load_librdkafka() -> ctypes.CDLL:
    """Find the librdkafka inside the confluent-kafka wheel; raises MockUnavailable."""
    import confluent_kafka  # noqa: F401, PLC0415 - importing it loads the library, whose place the kernel then knows

    for line in Path("/proc/self/maps").read_text().splitlines():
        path = line.split(maxsplit=5)[-1]
        if "librdkafka" in Path(path).name:
            return _declared(ctypes.CDLL(path))
    raise MockUnavailable("confluent-kafka was imported, but no librdkafka is loaded.")


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    pointer, number, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
    declarations: dict[str, tuple[Any, list[Any]]] = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_conf_set": (number, [pointer, text, text, text, ctypes.c_size_t]),
        "rd_kafka_new": (pointer, [number, pointer, text, ctypes.c_size_t]),
        "rd_kafka_mock_cluster_new": (pointer, [pointer, number]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_topic_create": (number, [pointer, text, number, number]),
        "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [pointer, ctypes.c_int32]),
    }
    for name, (result, arguments) in declarations.items():
        try:
            function = getattr(library, name)
        except AttributeError as error:
            raise MockUnavailable(f"librdkafka has no function {name}.") from error
        function.restype, function.argtypes = result, arguments
    return library


def open_cluster(library: ctypes.CDLL, topics: Mapping[str, int]) -> str:
    """Start one mock broker in this process with these topics; returns "host:port". It lasts as long as the process."""
    reason = ctypes.create_string_buffer(_ERROR_BYTES)
    configuration = library.rd_kafka_conf_new()
    library.rd_kafka_conf_set(configuration, b"log_level", b"3", reason, _ERROR_BYTES)
    handle = library.rd_kafka_new(_PRODUCER, configuration, reason, _ERROR_BYTES)
    cluster = library.rd_kafka_mock_cluster_new(handle, 1) if handle else None
    if not cluster:
        raise MockUnavailable(f"librdkafka opens no mock cluster: {reason.value.decode() or 'no reason given'}")
    library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, _REBALANCE_DELAY_MS)
    for name, partitions in topics.items():
        code = library.rd_kafka_mock_topic_create(cluster, name.encode(), partitions, 1)
        if code != 0:
            raise MockUnavailable(f"topic {name} with {partitions} partitions: refused with librdkafka error {code}")
    bootstraps: bytes = library.rd_kafka_mock_cluster_bootstraps(cluster)
    return bootstraps.decode()


def main() -> None:
    """Open the cluster, write its address, wait to be ended."""
    wanted = json.loads(sys.argv[1])
    try:
        library = load_librdkafka()
    except (ImportError, MockUnavailable) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(ENTRY_CHANGED)
    try:
        address = open_cluster(library, wanted["topics"])
    except MockUnavailable as error:
        sys.exit(str(error))
    place = Path(wanted["address_file"])
    fresh = place.with_name(place.name + ".new")
    fresh.write_text(address)
    fresh.replace(place)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
