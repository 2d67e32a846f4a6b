"""`python -m infra.relay FILE` runs the relay with the settings of a file, as `gatepulse relay FILE` does."""

import sys
from pathlib import Path

from infra.process.ports import PortTaken
from infra.relay.options import RelayOptionsError, load_options
from infra.relay.outbox import OutboxError
from infra.relay.run import run
from streams.logging import configure_logging
from streams.settings import WrongSettingsError, load_settings
from streams.site.reader import SiteError

if __name__ == "__main__":
    configure_logging("info")
    try:
        run(load_options(Path(sys.argv[1])), load_settings().kafka)
    except (RelayOptionsError, SiteError, OutboxError, PortTaken, WrongSettingsError) as error:
        sys.exit(f"gatepulse relay: {error}")
