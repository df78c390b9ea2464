"""Evidence: the files behind the digests of the log."""

from __future__ import annotations

import json

import click

from app.cli.terminal import command, located_settings, main, say


@main.group()
def evidence() -> None:
    """The files behind the digests of the log."""


@evidence.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@command
def status(as_json: bool) -> None:
    """Files by state, unfinished uploads, reads. Exit 1 where files wait for a scanner."""
    from infra.eventstore.service import open_service
    from infra.evidence import upkeep

    service = open_service(located_settings())
    try:
        found = upkeep.status(service)
    finally:
        service.close()
    if as_json:
        click.echo(json.dumps(found))
    else:
        for state, counts in found["files"].items():
            click.echo(f"{state}: {counts['files']} files, {counts['bytes']} bytes")
        uploads = found["open_uploads"]
        click.echo(f"unfinished uploads: {uploads['uploads']}, {uploads['bytes']} bytes")
        click.echo(f"objects still to delete: {found['objects_to_delete']}; reads: {found['reads']}")
    if "quarantined" in found["files"]:
        raise click.exceptions.Exit(1)


@evidence.command()
@command
def purge() -> None:
    """Do now what the API does every hour: ask the scanner again, destroy what is past its term, tell what was done."""
    from infra.eventstore.service import open_service
    from infra.evidence import upkeep

    service = open_service(located_settings())
    try:
        done = upkeep.keep_up(service)
    finally:
        service.close()
    say(done.words or "nothing to do")
