"""What is published: the event contract, calendars, standards, fees, law."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import click

from app.cli.terminal import as_somebody, command, fail, impersonal, located_settings, main, say


@main.group()
def contract() -> None:
    """The event contract: what outside teams may rely on. Its documents are files, and served under /contract."""


@contract.command("check")
@command
def contract_check() -> None:
    """Whether the published documents are what the program says; exit 1 where one is not."""
    from api.contract import published

    stale = published.stale(published.published_examples())
    for path in stale:
        say(f"not what the program says: {path}")
    sys.exit(1 if stale else 0)


@contract.command("write")
@click.argument("histories", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@command
def contract_write(histories: tuple[Path, ...]) -> None:
    """Write the documents anew. HISTORIES: files of CloudEvents JSON lines; the first event of a type is its example,
    where it has none yet. Refused, and nothing written, where readers would break."""
    from api.contract import published

    lines = (line for file in histories for line in file.read_bytes().splitlines())
    examples = published.first_of_each_type(lines) | published.published_examples()
    try:
        changed = published.write(examples)
    except published.ContractBroken as broken:
        fail(str(broken))
    for path in changed:
        say(f"written: {path}")


@main.group()
def calendar() -> None:
    """The working-day calendars: show them, try a notice, publish it."""


@calendar.command("load")
@click.argument("file", type=click.File("rb"))
@click.option("--region", default="CN", show_default=True, help="An overlay's region is named after what it lies over.")
@click.option("--version", "name", default=None, help="Left out: counted up.")
@click.option(
    "--source", default=None, help="Which notice it is. Left out: the file's papers, or its name.", callback=impersonal
)
@click.option("--dry-run", is_flag=True, help="Publish nothing; list every open deadline that would move.")
@click.option("--confirmed-by", default=None, help="Staff id of who confirms what the notice leaves out.")
@click.option("--actor", default="operator", show_default=True, help="Your staff id.")
@click.option("--role", default="operator", show_default=True, help="The role in which you act.")
@command
def calendar_load(
    file: BinaryIO,
    region: str,
    name: str | None,
    source: str | None,
    dry_run: bool,
    confirmed_by: str | None,
    actor: str,
    role: str,
) -> None:
    """Publish a year's notice from FILE, in the form of the holiday-cn data set. Open deadlines move."""
    from app import admin as office

    wanted = office.calendar_wanted(
        file.read(), file.name, region=region, source=source, version=name, confirmed_by=confirmed_by
    )
    with office.at_the_office(located_settings()) as service:
        lines = (
            office.try_calendar(service, wanted)
            if dry_run
            else office.publish_calendar(service, wanted, office.stamp(actor, role))
        )
        for line in lines:
            click.echo(line)


@calendar.command("show")
@command
def calendar_show() -> None:
    """Which calendars are published, until when they are settled, and what is missing."""
    from app import admin as office

    with office.at_the_office(located_settings()) as service:
        for line in office.show_calendars(service):
            click.echo(line)


@main.group()
def standard() -> None:
    """The published promises and everything that goes with them."""


@standard.command("draft")
@click.argument("file", type=click.File("rb"))
@as_somebody
@command
def standard_draft(file: BinaryIO, actor: str, role: str) -> None:
    """Draft the standard in FILE; a second person approves it."""
    from app import admin as office

    with office.at_the_office(located_settings()) as service:
        click.echo(office.draft_standard(service, file.read(), office.stamp(actor, role)))


@standard.command("approve")
@click.argument("version")
@as_somebody
@command
def standard_approve(version: str, actor: str, role: str) -> None:
    """Approve the drafted standard VERSION: it is published."""
    from app import admin as office

    with office.at_the_office(located_settings()) as service:
        click.echo(office.approve_standard(service, version, office.stamp(actor, role)))


@main.group()
def fees() -> None:
    """The fee catalogue: drafted, reviewed by two authorities, published."""


@fees.command("draft")
@click.argument("file", type=click.File("rb"))
@as_somebody
@command
def fees_draft(file: BinaryIO, actor: str, role: str) -> None:
    """Draft the catalogue in FILE."""
    from app import admin as office

    with office.at_the_office(located_settings()) as service:
        click.echo(office.draft_catalogue(service, file.read(), office.stamp(actor, role)))


@fees.command("review")
@click.argument("version")
@click.option("--authority", required=True, type=click.Choice(["price-authority", "market-regulator"]))
@click.option("--outcome", required=True, type=click.Choice(["agreed", "objected"]))
@click.option("--document", required=True, help="The number of the written opinion.")
@click.option("--actor", required=True, help="The reviewer's staff id.")
@command
def fees_review(version: str, authority: str, outcome: str, document: str, actor: str) -> None:
    """Record an authority's opinion of the drafted catalogue VERSION."""
    from app import admin as office

    with office.at_the_office(located_settings()) as service:
        who = office.stamp(actor, authority)
        click.echo(office.review_catalogue(service, version, outcome, document, who))


@fees.command("publish")
@click.argument("version")
@as_somebody
@command
def fees_publish(version: str, actor: str, role: str) -> None:
    """Publish the catalogue VERSION that both authorities agreed to."""
    from app import admin as office

    with office.at_the_office(located_settings()) as service:
        click.echo(office.publish_catalogue(service, version, office.stamp(actor, role)))


@main.group()
def law() -> None:
    """The articles of law that promises, refusals and rules rest on, each with its validity."""


@law.command("list")
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), default=None, help="Only what is in force on this day.")
@command
def law_list(on: datetime | None) -> None:
    """Every article, with its validity and whether it was seen in a secondary source only."""
    from app import admin as office

    with office.at_the_office(located_settings()) as service:
        for line in office.list_law(service, on.date() if on is not None else None):
            click.echo(line)


@law.command("show")
@click.argument("code")
@command
def law_show(code: str) -> None:
    """The article CODE, whole: what it says, where it was seen, what it is the basis of."""
    from app import admin as office

    with office.at_the_office(located_settings()) as service:
        for line in office.show_article(service, code):
            click.echo(line)


@law.command("publish")
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Publish nothing; list what would change.")
@click.option("--actor", default="operator", show_default=True, help="Your staff id.")
@click.option("--role", default="operator", show_default=True, help="The role in which you act.")
@command
def law_publish(file: BinaryIO, dry_run: bool, actor: str, role: str) -> None:
    """Publish the articles in FILE: all of them, in the form of infra/data/law.json."""
    from app import admin as office

    raw = file.read()
    with office.at_the_office(located_settings()) as service:
        lines = (
            office.try_law(service, raw) if dry_run else [office.publish_law(service, raw, office.stamp(actor, role))]
        )
        for line in lines:
            click.echo(line)
