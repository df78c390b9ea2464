"""Everything on one machine, and each process by itself."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from typing import TYPE_CHECKING

import click

from app.cli.terminal import command, given_settings, located_settings, main, say

if TYPE_CHECKING:
    from app.forks import ForkServer

DEMO_FACTOR = 600.0
YEAR_FROM = "2026-09-14"
DAY = click.DateTime(["%Y-%m-%d"])
CLOSED = 0o077
"""The umask of whatever an installation writes: it is for this user alone."""


@main.command()
@click.option("--external", is_flag=True, help="PostgreSQL and Kafka run elsewhere; take them from the settings.")
@click.option("--workers", default=1, show_default=True, help="Processes of each kind of stream processor.")
@click.option("--small", is_flag=True, help="Parts share memory: forks of one process, 200 MB less, sooner up.")
@command
def up(external: bool, workers: int, small: bool) -> None:
    """Run every part and keep it running until Ctrl-C."""
    from app.up import supervisor

    os.umask(CLOSED)
    settings = given_settings()
    forks = fork_server() if small else None  # before the first thread
    supervisor(settings, say, external=external, workers=workers, forks=forks).run()


def fork_server() -> ForkServer:
    """What starts parts as forks: every module is imported here, once."""
    from app.forks import ForkServer
    from app.processes import preload

    preload()

    @command
    def run(name: str) -> None:
        run_process(f"run_{name}")

    return ForkServer(run)


@main.command()
@click.option(
    "--until-proven", is_flag=True, help="End, exit 0, once a lapse and a retraction were seen and all agrees."
)
@click.option("--factor", default=DEMO_FACTOR, show_default=True, help="Seconds of service time in a real second.")
@click.option("--seed", default=225, show_default=True, help="Of everything that the demo makes up.")
@click.option("--fresh/--keep", default=True, help="Start from an empty data directory, or go on with the last demo's.")
@click.option("--year", is_flag=True, help="First put a year of the city on record, at full speed; then it rests.")
@click.option("--from", "first", default=YEAR_FROM, type=DAY, show_default=True, help="The first day of that year.")
@command
def demo(until_proven: bool, factor: float, seed: int, fresh: bool, year: bool, first: datetime) -> None:
    """Run the demo city: everything embedded, a scaled clock, real fault reports, simulated crews."""
    from app.demo.run import run_demo

    os.umask(CLOSED)
    settings, year_from = given_settings(), first.date() if year else None
    sys.exit(
        run_demo(settings, say, until_proven=until_proven, factor=factor, seed=seed, fresh=fresh, year_from=year_from)
    )


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@command
def status(as_json: bool) -> None:
    """Each part: up or not, positions, lag, lateness. Exit 1 where something is down or a reader stands still."""
    from app.status_report import status_report

    text, well = status_report(given_settings(), as_json=as_json)
    click.echo(text)
    sys.exit(0 if well else 1)


@main.command()
@command
def migrate() -> None:
    """Bring the database to this program's schema, create the topics, publish the shipped rules."""
    from infra.eventstore.service import open_service
    from infra.kafka.cluster import ensure_canary_topic, ensure_checkpoint_topic, ensure_readings_topic, ensure_topics
    from infra.postgres.migrate import migrate as bring
    from infra.vault.upkeep import seal_particulars

    settings = located_settings()
    for name in bring(settings.database_url) or ["nothing to do"]:
        say(f"migrate: {name}")
    if sealed := seal_particulars(settings):
        say(f"migrate: particulars of {sealed} rows sealed")
    cluster = ensure_topics(settings)
    ensure_readings_topic(settings)
    ensure_canary_topic(settings)
    ensure_checkpoint_topic(settings)
    say(f"migrate: {len(cluster.topics)} topics on cluster {cluster.id}")
    service = open_service(settings)
    standard = service.rules.in_force(service.clock.now())
    say(f"migrate: standard {standard.version}, calendar {service.rules.calendar.version}")
    service.close()


@main.command("database-rights")
@command
def database_rights() -> None:
    """Print the SQL that gives each process a role of its own, for a database that `up` did not make."""
    from infra.postgres.roles import statements

    for statement in statements():
        click.echo(f"{statement.as_string()};")


# ---- one process each


def _process(name: str, what: str, runner: str) -> None:
    @main.command(name=name, help=what)
    @command
    def run() -> None:
        run_process(runner)


def run_process(runner: str) -> None:
    from app import processes as bootstrap
    from app.logs import start_logging
    from infra import first_use

    settings = located_settings(runner.removeprefix("run_"))
    first_use.prepare()
    start_logging(settings)
    getattr(bootstrap, runner)(settings)


_process("relay", "Publish the store to Kafka. Run two: one is active, the other stands by.", "run_relay")
_process("views", "A stream worker of the read models. Run as many as there are partitions.", "run_views")
_process("watch", "A stream worker of the window watch. Run as many as there are partitions.", "run_watch")
_process("readings", "A stream worker of the meter readings. Run as many as there are partitions.", "run_readings")
_process("sender", "The sender of notices and answers. Run as many as you like.", "run_sender")
_process("notary", "Sign checkpoints over the store. Run two: one is active, the other stands by.", "run_notary")
_process("api", "The HTTP API and the page.", "run_api")
