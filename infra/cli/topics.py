"""The commands `gatepulse topics apply|show`; which topics there are is in `streams/contract/topics.py`."""

import typer

from streams.contract import topics
from streams.settings import load_settings

app = typer.Typer()


class TopicsDiffer(RuntimeError):
    """Topics are not as they should be; the message has one sentence for each difference."""


@app.command()
def apply() -> None:
    """Create missing topics, and missing partitions of changelogs; exit 1 if a topic differs. No setting is changed."""
    kafka = load_settings().kafka
    for plan in topics.apply(kafka):
        typer.echo(f"created {plan.name}, partitions: {plan.partitions}, {plan.config['cleanup.policy']}")
    _raise_on(topics.inspect_topics(kafka)[1])


@app.command()
def show() -> None:
    """List the topics as they are; exit 1 when one is missing or differs."""
    found, differences = topics.inspect_topics(load_settings().kafka)
    for topic in found:
        config = ", ".join(f"{key} {topic.config[key]}" for key in topics.SHOWN)
        typer.echo(f"{topic.name}: partitions {topic.partitions}, copies {topic.copies}, {config}")
    _raise_on(differences)


def _raise_on(differences: list[str]) -> None:
    if differences:
        raise TopicsDiffer("\n".join(differences))
