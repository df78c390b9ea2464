"""Accounts from the command line: the first administrator, and tokens for who works at a terminal."""

from __future__ import annotations

import click

from app.cli.terminal import command, fail, located_settings, main, say

FIRST_ROLES = ("operator",)


@main.group()
def admin() -> None:
    """Accounts of an installation."""


@admin.command(name="init")
@click.argument("actor", default="admin-1")
@command
def first_administrator(actor: str) -> None:
    """Make the first account that manages accounts, and print its password for the first sign-in, once."""
    from domain.people.people import Work
    from infra.eventstore.service import open_service
    from infra.identity.accounts import Accounts
    from infra.identity.demo_accounts import join_by_program
    from infra.identity.registry import actors

    settings = located_settings()
    service = open_service(settings)
    try:
        people = (Accounts(service).person(known) for known in actors(service))
        managing = [each for each in people if each and not each.has_left and {*FIRST_ROLES} & {*each.work.roles}]
        if managers := [each.number for each in managing]:
            fail(
                f"admin-exists: found {', '.join(managers)}; needed an installation without an administrator; "
                "have them give you an account, or set a new password with `tongshui admin reset`"
            )
        join_by_program(service, actor, Work(FIRST_ROLES))
        secret = Accounts(service).new_secret(actor)
    finally:
        service.close()
    say(f"account {actor}, role {FIRST_ROLES[0]}. Sign in within a day at /login with this password; it is shown once:")
    click.echo(secret)


@admin.command()
@click.argument("actor")
@command
def reset(actor: str) -> None:
    """Set a new password for an account whose owner lost it, and print it, once. For who runs the installation."""
    from infra.eventstore.service import open_service
    from infra.identity.accounts import Accounts

    service = open_service(located_settings())
    try:
        person = Accounts(service).person(actor)
        if person is None or person.has_left:
            fail(f"no-such-person: found nobody with the id {actor}; needed an account; see /api/v1/people")
        secret = Accounts(service).reset(actor)
    finally:
        service.close()
    say(f"the new password of {actor}, for the first sign-in within a day; it is shown once:")
    click.echo(secret)


@main.command()
@click.argument("actor")
@click.option("--code", default=None, help="The six digits, where the account has a second factor.")
@command
def token(actor: str, code: str | None) -> None:
    """Sign in at a terminal and print a token, for `curl --oauth2-bearer`. Asks for the password; the demo's people
    have none."""
    from infra.eventstore.service import open_service
    from infra.identity.accounts import Accounts

    settings = located_settings()
    service = open_service(settings)
    try:
        accounts = Accounts(service)
        person = accounts.person(actor)
        if person is not None and not accounts.has_secret(actor):
            opened = accounts.open_session(person, browser=False)
        else:
            password = click.prompt("Password", hide_input=True, err=True)
            opened = accounts.sign_in(actor, password, code, browser=False)
    finally:
        service.close()
    click.echo(opened.token)
