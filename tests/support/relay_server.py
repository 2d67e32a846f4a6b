"""Runs the relay as a process of its own."""

import sys
from collections.abc import Sequence

from infra.alerting.server import LoopbackServer


class RelayServer(LoopbackServer):
    """The relay (`infra.relay`); its settings are a TOML file that names `port`, and a `state` that outlives it.

    `env` has the settings of the brokers; None: this process's own.
    """

    name, suffix, ready = "relay", "toml", "/healthy"

    def _command(self) -> Sequence[str]:
        return [sys.executable, "-m", "infra.relay", str(self.config_path)]
