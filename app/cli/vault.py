"""The vault: how particulars of persons are sealed."""

from __future__ import annotations

import json

import click

from app.cli.terminal import command, fail, located_settings, main, say


@main.group()
def vault() -> None:
    """Particulars of persons, and the master key that seals them."""


@vault.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@command
def status(as_json: bool) -> None:
    """What is sealed, with which master keys, and how often it was read. Exit 1 where a row lies open."""
    from infra.keys import KeyFileError
    from infra.vault import upkeep

    try:
        found = upkeep.status(located_settings())
    except KeyFileError as error:
        fail(str(error))
    if as_json:
        click.echo(json.dumps(found))
    else:
        click.echo(f"rows: {found['sealed']} sealed, {found['plain']} open; subjects erased: {found['erased']}")
        click.echo(f"reads: {found['reads']}, of them unmasked {found['unmasked']}")
        for key, pieces in found["keys"].items():
            role = "seals" if key == found["newest_key"] else "only opens"
            click.echo(f"master key {key}, {role}: " + ", ".join(f"{count} {what}" for what, count in pieces.items()))
    if found["plain"]:
        raise click.exceptions.Exit(1)


@vault.command()
@click.option("--new-key", is_flag=True, help="Make a new master key first; the old ones stay in the file.")
@command
def rotate(new_key: bool) -> None:
    """Seal everything with the newest master key of the key file. Processes may go on; it may be run again."""
    from infra.keys import KeyFileError
    from infra.vault import upkeep

    settings = located_settings()
    try:
        done = upkeep.rotate(settings, new_key=new_key)
        found = upkeep.status(settings)
    except KeyFileError as error:
        fail(str(error))
    say(f"{done} pieces sealed anew with the master key {found['newest_key']}; back up the key file now")
    old = [key for key in found["keys"] if key != found["newest_key"]]
    say(f"still sealed with older keys: {', '.join(old)}; run it again" if old else "older keys seal nothing any more")


@vault.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@command
def screen(as_json: bool) -> None:
    """Name the stored events that hold what looks like somebody's telephone, identity card, bank card or mail address.

    Each with its position, case, type, field and kind, never with the value. Exit 1 where there are any.
    """
    from dataclasses import asdict

    from infra.vault.screening import Looked, screened

    looked, count = Looked(), 0
    for finding in screened(located_settings(), looked):
        count += 1
        if as_json:
            click.echo(json.dumps(asdict(finding), ensure_ascii=False))
        else:
            case = finding.case_number or finding.case_id
            click.echo(f"{finding.position}  {case}  {finding.type}  {finding.field}  {finding.kind}")
    say(f"{looked.events} events, {count} findings" + ("; see docs: What to do about a finding" if count else ""))
    if count:
        raise click.exceptions.Exit(1)
