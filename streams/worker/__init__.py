"""The worker process: a Faust app that consumes the source topics, counts, flushes rows and writes checkpoints.

Reading order: `consumer` → `counting` → `partition_state` → `flush` → `checkpoint` → `takeup` → `agents` (Faust) →
`app` (wiring) → `main` (the process). Beside them: `isolation` and `rehearsal` find lines on which our code fails,
`settling` retracts what was counted twice, `source_watch` finds what is not read, `watchdog` ends a worker that hangs.
"""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:  # noqa: ANN401  # `faust -A streams.worker worker` looks for `app` in this package
    if name == "app":
        main, settings = import_module("streams.worker.main"), import_module("streams.settings")
        return main.started(settings.load_settings()).app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
