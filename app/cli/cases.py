"""What people ask about a case, and about a limit."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import threading
from datetime import date, datetime, timedelta
from typing import BinaryIO

import click

from app.cli.terminal import command, fail, instant, kafka_settings, located_settings, main, say

LAST_START = date(2190, 1, 1)
"""Of a limit that `due` is asked about: beyond it the calendar's arithmetic comes to its end."""


@main.command()
@click.argument("case")
@click.option("--as-of", "as_of", default=None, help="RFC 3339, or China time where it names no zone. Left out: now.")
@click.option("--json", "as_json", is_flag=True, help="One CloudEvents JSON a line, as published.")
@command
def timeline(case: str, as_of: str | None, as_json: bool) -> None:
    """Everything that happened to CASE (id or number), rebuilt from Kafka alone; with --as-of as it was known then.

    Exit 1 where the topics do not have all of it. Columns: version, happened at, reported at (where a device or an
    operator said so), recorded at (China time), fact, who (role, channel, second person), details with the versions of
    standard and calendar.
    """
    from consumers.timeline import as_known_at, describe, timeline_and_seen, verdicts

    events, gaps = timeline_and_seen(kafka_settings(), case)
    for gap in gaps:
        say(f"incomplete: not on the topics: {gap}; see `tongshui status`")
    if as_of is not None:
        events = as_known_at(events, instant(as_of))
        say(f"as known at {as_of}: {len(events)} events were on record")
    for line in [event.raw.decode() for event in events] if as_json else describe(events):
        click.echo(line)
    for line in [] if as_json or as_of is None else verdicts(events):
        click.echo(line)
    if gaps:
        sys.exit(1)


@main.command()
@click.argument("case")
@click.argument("commitment")
@click.option("--as-of", "as_of", default=None, help="RFC 3339, or China time where it names no zone. Left out: now.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@command
def explain(case: str, commitment: str, as_of: str | None, as_json: bool) -> None:
    """Why the window of COMMITMENT (for example connection.water_on) of CASE (id or number) stands as it does.

    What counted and what did not, with the event and the rule behind it; with --as-of as it was known then.
    """
    import msgspec

    from infra.eventstore.service import open_service
    from projections.reports.explain import explain_named, lines

    at = instant(as_of) if as_of is not None else None
    with contextlib.closing(open_service(located_settings())) as service:
        found = explain_named(service, case, commitment, at)
    for line in [msgspec.json.encode(found).decode()] if as_json else lines(found):
        click.echo(line)


@main.command()
@click.option("--case", help="Only this case, by id or number.")
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.File("rb"),
    help="Events as JSON lines instead of the topics; may be given again. The public ones belong to them.",
)
@click.option(
    "--grace-seconds",
    type=click.IntRange(0, 86_400),
    default=60,
    show_default=True,
    help="What ran out within so much of the newest event need not be on record yet.",
)
@click.option("--steps", is_flag=True, help="Also as the record stood after each decision, not only as it stands now.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, the counts last.")
@command
def verify(case: str | None, files: tuple[BinaryIO, ...], grace_seconds: int, steps: bool, as_json: bool) -> None:
    """Recount every verdict from Kafka alone, by a second implementation, and compare it with the record.

    Prints each disagreement with the events concerned, how much of the store was seen, and the counts; ends with 1
    where something differs or the topics do not have everything. A kind of case that is not recounted is named.
    """
    from consumers.recount import verify as recount
    from consumers.recount.published_events import from_lines

    if files:
        events, seen = [event for file in files for event in from_lines(file)], None
    else:
        events, seen = recount.from_topics(kafka_settings())
    report = recount.verify(events, case=case, grace=timedelta(seconds=grace_seconds), steps=steps, seen=seen)
    for line in recount.as_json(report) if as_json else recount.describe(report):
        click.echo(line)
    if not report.agrees:
        sys.exit(1)


@main.command()
@click.argument("stream", type=click.Choice(["breach"]))
@click.option("--from-start", is_flag=True, help="All there ever was, then go on.")
@click.option("--json", "as_json", is_flag=True, help="One CloudEvents JSON a line, as published.")
@command
def tail(stream: str, from_start: bool, as_json: bool) -> None:
    """Follow the breach stream until Ctrl-C: nearing, lapsed, retracted, and who must act."""
    from consumers.tail import follow_breaches

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    follow_breaches(kafka_settings(), stop, click.echo, from_start=from_start, as_json=as_json)


@main.command()
@click.option("--from", "start", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The day that does not count.")
@click.option("--working-days", required=True, type=click.IntRange(1, 2500))
@click.option("--region", default="CN", show_default=True, help="Of the shipped calendars.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@command
def due(start: datetime, working_days: int, region: str, as_json: bool) -> None:
    """The day on which a limit of working days ends. Needs nothing running."""
    from domain.deadlines.calendar import from_published
    from infra.eventstore.shipped_rules import SHIPPED_REGION, shipped_regions

    shipped = shipped_regions()
    if region not in shipped:
        fail(f"unknown-region: found {region}; needed one of {', '.join(sorted(shipped))}")
    calendar = from_published(shipped[name] for name in dict.fromkeys((SHIPPED_REGION, region)))
    first, last = date(min(calendar.moved).year, 1, 1), LAST_START
    if not first <= start.date() <= last:
        # A year before the first notice would silently be counted Monday to Friday.
        fail(f"outside-calendar: found {start.date()}; needed a day from {first} to {last}")
    day: date = calendar.add_working_days(start.date(), working_days)
    tentative, source = calendar.is_tentative(day), shipped[region].source
    if as_json:
        click.echo(
            json.dumps(
                {"due": day.isoformat(), "tentative": tentative, "calendar": calendar.version, "source": source},
                ensure_ascii=False,
            )
        )
    else:
        note = "  tentative 暂定: that year's notice is not out" if tentative else ""
        click.echo(f"{day.isoformat()} {day:%a}  calendar {calendar.version} ({source}){note}")
