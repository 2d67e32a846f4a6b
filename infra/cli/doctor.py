"""The command `gatepulse doctor`; what it checks is in `infra/doctor`."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.logs import differences, problems
from infra.doctor.checks import StorePlace, all_right, render, run_checks
from sinks.rows import migrations
from streams import console
from streams.connections import store_address, views_address
from streams.contract.events import Topic
from streams.settings import load_settings
from streams.site.reader import load_site


def doctor(
    embedded: Annotated[bool, typer.Option(help="Try the embedded servers instead of the configured ones.")] = False,
) -> None:
    """Check versions, ports, broker, store, schema and clock."""
    settings = load_settings()
    store = settings.store
    place = StorePlace(store.host, store.port, store_address(settings), views_address(settings))
    checks = run_checks(
        directory=Path(),
        ports={"wall.port": settings.wall.port},
        time_zone=load_site(settings.site).time_zone,
        brokers=None if embedded else settings.kafka.brokers,
        topics=[topic.value for topic in Topic],
        store=None if embedded else place,
        schema_number=migrations()[-1].number,
        sources={}
        if embedded
        else {"topics": partial(differences, settings), "partitions": partial(problems, settings)},
    )
    console.OUT.print(render(checks))
    sys.exit(console.result(all_right(checks)))
