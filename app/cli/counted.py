"""What is counted, and what is replayed."""

from __future__ import annotations

import contextlib
import sys
from datetime import datetime
from pathlib import Path

import click

from app.cli.terminal import command, fail, given_settings, located_settings, main, say

DAY = click.DateTime(["%Y-%m-%d"])


@main.command()
@click.option("--from", "first", default=None, type=DAY, help="The first day in China; left out: from the beginning.")
@click.option("--to", "last", default=None, type=DAY, help="The last day, included; left out: until now.")
@click.option("--published", "beside", is_flag=True, help="Ours beside the figures that were published.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@command
def figures(first: datetime | None, last: datetime | None, beside: bool, as_json: bool) -> None:
    """Our own counts of a period, from the read models; applications by the day they came in."""
    from infra.eventstore.service import open_service
    from projections.reports.figures import figures as count
    from projections.reports.figures_text import as_text

    if first is not None and last is not None and first > last:
        fail(f"dates-out-of-order: found {first.date()} to {last.date()}; needed a first day not later than the last")
    with contextlib.closing(open_service(located_settings())) as service:
        now = service.clock.now()
        customers = service.rules.in_force(now).outages.customers
        with service.connection() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            found = count(connection, first and first.date(), last and last.date(), at=now, customers=customers)
    click.echo(as_text(found, beside=beside, as_json=as_json))


@main.command("what-if")
@click.option("--standard", "wanted", required=True, help="A file, or the name of a shipped example: four-days …")
@click.option("--from", "first", default=None, type=DAY, help="The first day in China; left out: from the beginning.")
@click.option("--to", "last", default=None, type=DAY, help="The last day, included; left out: until now.")
@click.option("--by", default="channel,district,class,crew", show_default=True, help="What to sum by besides.")
@click.option("--cases", default=20, show_default=True, type=click.IntRange(0, 10_000), help="How many to list.")
@click.option("--chart", type=click.Path(dir_okay=False, path_type=Path), help="Draw it into this .svg or .html.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, every change; the counts last.")
@command
def what_if(
    wanted: str,
    first: datetime | None,
    last: datetime | None,
    by: str,
    cases: int,
    chart: Path | None,
    as_json: bool,
) -> None:
    """Judge the cases that began in a period also by another standard; print what would be different.

    The file is a whole standard or, with "based_on", what differs from a published one; it is looked at as its draft
    would be. Nothing is written to store, topics, read models or the watch.
    """
    from domain.what_if import DIMENSIONS
    from projections.reports.what_if import Period, trial
    from projections.reports.what_if_chart import page, svg
    from projections.reports.what_if_text import as_lines, json_lines

    dimensions = [each.strip() for each in by.split(",") if each.strip()]
    if strange := [each for each in dimensions if each not in DIMENSIONS]:
        fail(f"bad-parameter: found --by {strange[0][:40]}; needed some of {', '.join(DIMENSIONS)}")
    if chart is not None and chart.suffix not in (".svg", ".html"):
        fail(f"bad-parameter: found --chart {chart.name[:60]}; needed a name that ends with .svg or .html")
    period = Period(first.date() if first else None, last.date() if last else None)
    with trial(located_settings(), _trial_document(wanted), period) as found:
        told = []
        for line in json_lines(found) if as_json else as_lines(found, listed=cases, by=dimensions):
            click.echo(line)
            told += [] if as_json else [line]
    if chart is not None:
        drawn = svg(found, dimensions) if chart.suffix == ".svg" else page(found, told, dimensions)
        chart.write_text(drawn, encoding="utf-8")
        say(f"chart 图表: {chart}")


def _trial_document(wanted: str) -> bytes:
    """The file of that name, or the shipped example."""
    from infra.eventstore.documents import FILE_LIMIT_BYTES
    from infra.eventstore.shipped_rules import shipped_trials

    path, shipped = Path(wanted), shipped_trials()
    if not path.is_file():
        if wanted not in shipped:
            fail(f"no-such-file: found no {wanted[:80]}; needed a file, or one of {', '.join(sorted(shipped))}")
        return shipped[wanted]
    with path.open("rb") as file:
        return file.read(FILE_LIMIT_BYTES + 1)


@main.group()
def replay() -> None:
    """Play what happened again: one case from the store, or the published period through the rulebook."""


@replay.command("case")
@click.argument("case")
@click.option("--json", "as_json", is_flag=True, help="One JSON a line: the case after each of its events.")
@command
def replay_case(case: str, as_json: bool) -> None:
    """Fold CASE (id or number) anew from the store; after each event its stage and every window on record."""
    import msgspec

    from infra.eventstore.service import open_service
    from projections.reports import replay as replaying

    service = open_service(located_settings())
    try:
        found = replaying.replay_case(service, case)
    finally:
        service.close()
    if as_json:
        text = [msgspec.json.encode(step).decode() for step in found.steps]
    else:
        text = [*replaying.lines(found.steps), *replaying.to_come(found)]
    for line in text:
        click.echo(line)


@replay.command("published")
@click.option("--seed", default=225, show_default=True, help="Of everything that is made up.")
@click.option("--database", default=None, help="An empty database; left out: an embedded one that is gone afterwards.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@command
def replay_published(seed: int, database: str | None, as_json: bool) -> None:
    """Play the published period's 240 applications through the rulebook; our figures beside the published ones.

    Exit 1 where an application is not accounted for, or a step was refused that should not have been.
    """
    from app.demo.replay import replay_published as play
    from app.demo.replay import report

    found = play(given_settings(), seed, database)
    click.echo(report(found, as_json=as_json))
    sys.exit(0 if found.is_accounted_for and not found.astray else 1)


@replay.command("tickets")
@click.option("--source", required=True, type=click.Choice(["boston", "kitchener"]), help="Whose order book it is.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--changes", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Kitchener's changes.")
@click.option("--limit", type=click.IntRange(1), default=None, help="Only so many of the first rows.")
@click.option("--database", default=None, help="An empty database, or one it was played on; left out: one for the run.")
@click.option("--watched", is_flag=True, help="Ask at every instant that falls due, not once all is told; slower.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@command
def replay_tickets(
    source: str, file: Path, changes: Path | None, limit: int | None, database: str | None, watched: bool, as_json: bool
) -> None:
    """Play the real municipal tickets in FILE (.csv, .csv.gz, .csv.xz) as imported history, each at its own date.

    Every row is opened, linked or refused with a reason. Exit 1 where the sums do not add up.
    """
    from app.demo.tickets import boston, kitchener, report
    from app.demo.tickets.run import replay as play

    if source == "boston" and changes is not None:
        fail("no-changes: found --changes for boston; needed none: its publisher kept no snapshots")
    book = boston.read_book(file, limit) if source == "boston" else kitchener.read_book(file, changes, limit)
    found = play(given_settings(), book, database, watched=watched)
    click.echo(report.as_json(found) if as_json else report.as_text(found))
    sys.exit(0 if found.is_accounted_for else 1)


@main.command("compare-verdicts")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--limit", type=click.IntRange(1), default=None, help="Only so many of the first rows.")
@click.option("--database", default=None, help="An empty database; left out: one for the run.")
@click.option("--derive", is_flag=True, help="Only show how the limit of each kind is found in the due times.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@command
def compare_verdicts(file: Path, limit: int | None, database: str | None, derive: bool, as_json: bool) -> None:
    """Judge the City of Boston's tickets in FILE by the city's own rule, and compare with its own verdicts.

    Its calendar and standard are published as data; due times and verdicts are those on record. Exit 1 where a
    difference has no explanation.
    """
    import msgspec

    from app.demo.tickets import verdicts

    if derive:
        for line in verdicts.derived(file):
            click.echo(line)
        return
    found = verdicts.compare(given_settings(), file, limit, database)
    for line in [msgspec.json.encode(found).decode()] if as_json else verdicts.as_text(found):
        click.echo(line)
    sys.exit(0 if found.is_explained else 1)
