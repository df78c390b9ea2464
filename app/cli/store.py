"""The store itself."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli.terminal import command, given_settings, main, say


@main.group()
def store() -> None:
    """The store of events."""


@store.command("recover")
@click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@click.option(
    "--new-generation", is_flag=True, help="Give up what was published since, and begin above every published position."
)
@click.option("--actor", default="operator", show_default=True, help="Your staff id; a new generation is on record.")
@click.option(
    "--keep",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="Where what is given up is kept; left out: a new file in the data directory.",
)
@click.option("--rebuild-billing", is_flag=True, help="Empty billing's books too, where they hold what is given up.")
@command
def store_recover(dry_run: bool, new_generation: bool, actor: str, keep: Path | None, rebuild_billing: bool) -> None:
    """Bring a store that was restored from an older backup level with Kafka. Everything else must be stopped.

    Appends back what was published since the backup, after checking that both agree up to there. What cannot come back
    from Kafka is named. With --new-generation what the store has not is given up, kept in a file, and the topics are
    made anew. Where PostgreSQL and Kafka are embedded, and nothing runs, they are started for it.
    """
    from app import admin as office
    from app import processes as bootstrap
    from app.up import parts_alone

    who = office.stamp(actor, "operator").actor
    with parts_alone(given_settings(), say) as settings:
        lines = (
            bootstrap.begin_generation(settings, who, keep, rebuild_billing=rebuild_billing, dry_run=dry_run)
            if new_generation
            else bootstrap.recover_store(settings, dry_run=dry_run)
        )
        for line in lines:
            click.echo(line)
