"""What is told to people."""

from __future__ import annotations

from uuid import UUID

import click
import psycopg

from app.cli.terminal import command, fail, located_settings, main


@main.group()
def outbox() -> None:
    """What is to be told to people: see what waits or was given up, and have it tried anew."""


@outbox.command("list")
@click.option("--state", type=click.Choice(["waiting", "sent", "proven", "dead"]), default=None)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@command
def outbox_list(state: str | None, limit: int) -> None:
    """The latest messages: id, state, way, attempts, and why the last one failed. Never to whom."""
    from psycopg.rows import dict_row

    from infra.outbox import desk

    with psycopg.connect(located_settings().database_url, connect_timeout=5, row_factory=dict_row) as connection:
        for line in desk.lines(desk.messages(connection, state, limit)):
            click.echo(line)


@outbox.command("retry")
@click.argument("message", required=False, type=click.UUID)
@click.option("--all-dead", is_flag=True, help="Everything that was given up.")
@command
def outbox_retry(message: UUID | None, all_dead: bool) -> None:
    """Try MESSAGE anew, which was given up."""
    from psycopg.rows import dict_row

    from infra.outbox import desk

    if (message is None) != all_dead:
        fail("bad-arguments: found neither or both; needed the id of a message, or --all-dead")
    with psycopg.connect(located_settings().database_url, connect_timeout=5, row_factory=dict_row) as connection:
        click.echo(f"{desk.retry(connection, message)} tried anew 已重新发送")
