"""Prints the alarms of a running audit on the demo's terminal; reads them from the audit's log file."""

import contextlib
import json
import threading
from collections.abc import Callable
from pathlib import Path

_POLL_SECONDS = 1.0


def repeat_alarms(
    log: Path, report: Callable[[str], None], stop: threading.Event, *, poll: float = _POLL_SECONDS
) -> None:
    """Pass the alarms that a running audit writes into its log to `report`, every `poll` seconds until `stop`."""
    seen = 0
    while not stop.wait(poll):
        if not log.exists():
            continue
        with log.open("rb") as file:
            file.seek(seen)
            lines = file.readlines()
        if lines and not lines[-1].endswith(b"\n"):
            lines.pop()
        seen += sum(map(len, lines))
        for line in lines:
            for alarm in _alarms(line):
                report(alarm)


def _alarms(line: bytes) -> list[str]:
    with contextlib.suppress(ValueError):
        entry = json.loads(line)
        if isinstance(entry, dict) and entry.get("level") == "error":
            first = "; ".join(entry.get("first", []))
            return [f"AUDIT: {entry.get('event')}: {entry.get('different')} rows of {entry.get('interval')}: {first}"]
    return []
