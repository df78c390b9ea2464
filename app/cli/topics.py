"""The topics: whether they are as they must be, and making one anew."""

from __future__ import annotations

import sys

import click

from app.cli.terminal import command, impersonal, kafka_settings, located_settings, main


@main.group()
def topics() -> None:
    """The topics on Kafka: their settings, their history, and making one anew."""


@topics.command("check")
@click.option("--whole", is_flag=True, help="Also read every event and say how much of the store is there; slow.")
@command
def topics_check(whole: bool) -> None:
    """Hold every topic's settings, partitions and replicas against what they must be. Exit 1 where one is not."""
    from consumers.coverage import TopicReading
    from infra.kafka.cluster import admin_client
    from infra.kafka.topic_settings import findings

    settings = kafka_settings()
    with admin_client(settings) as admin:
        found = findings(admin, settings)
    for finding in found:
        click.echo(str(finding))
    click.echo(f"topics: {len(found)} findings")
    is_well = not found
    if whole:
        for topics_read in (settings.home_topics, (settings.breach_topic,)):
            reading = TopicReading(settings, topics_read)
            for _ in reading:
                pass
            for line in reading.seen.lines():
                click.echo(line)
            is_well = is_well and reading.seen.is_whole
    sys.exit(0 if is_well else 1)


@topics.command("remake")
@click.argument("topic")
@click.option("--yes", is_flag=True, help="Do it; left out: only say what would be done.")
@command
def topics_remake(topic: str, yes: bool) -> None:
    """Delete TOPIC and make it anew with the right number of partitions; the relay fills it from the store.

    Refused where the topic has records that the store does not have. Readers outside read the topic from its first
    record again and drop what they have.
    """
    from infra.relay.topic_remake import remake

    for line in remake(located_settings(), topic, dry_run=not yes):
        click.echo(line)


@topics.command("disown")
@click.argument("topic")
@click.argument("partition", type=int)
@click.argument("offset", type=int)
@click.option("--by", required=True, help="Who says so.", callback=impersonal)
@click.option("--reason", required=True, help="How it was found out.", callback=impersonal)
@command
def topics_disown(topic: str, partition: int, offset: int, by: str, reason: str) -> None:
    """Say that the record at OFFSET is forged, so that the relay steps over it instead of refusing to run.

    Never for a store that was restored from a backup: there the record may be the only copy of an event; see `tongshui
    store recover`.
    """
    from infra.relay.disowned import disown

    click.echo(disown(located_settings(), topic, partition, offset, by=by, reason=reason))
