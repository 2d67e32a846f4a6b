"""The command `gatepulse foresight`; what it computes is in `streams/forecasting`."""

import asyncio
from contextlib import closing, suppress

from streams.connections import store_sink, views_reader
from streams.forecasting.reading import ForecastReader
from streams.forecasting.watch import Foresight
from streams.logging import configure_logging
from streams.settings import load_settings
from streams.site.kernel_views import clock_of
from streams.site.reader import load_site


def foresight() -> None:
    """Forecast each minute how full areas will be and how long people wait, and give advice."""
    settings = load_settings()
    configure_logging(settings.log.level)
    sink = store_sink(settings)
    with suppress(KeyboardInterrupt), closing(views_reader(settings)) as reader:
        asyncio.run(Foresight(ForecastReader(reader, load_site(settings.site)), sink, clock_of(settings)).run())
