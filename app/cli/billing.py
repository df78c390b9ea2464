"""Billing, and its books."""

from __future__ import annotations

import sys

import click

from app.cli.run import run_process
from app.cli.terminal import command, connected, fail, located_settings, main, say, with_reason


@main.group(invoke_without_command=True)
@click.pass_context
@command
def billing(context: click.Context) -> None:
    """计费 The billing consumer, where no command follows; a second one is a hot standby. Else: its books."""
    if context.invoked_subcommand is None:
        run_process("run_billing")


@billing.command("status")
@command
def billing_status() -> None:
    """How the books stand. Exit 1 where they do not balance, something is odd, or a difference is open."""
    from consumers.billing import desk

    with connected() as connection:
        lines, well = desk.status(connection)
    for line in lines:
        click.echo(line)
    sys.exit(0 if well else 1)


@billing.command("accounts")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@command
def billing_accounts(limit: int) -> None:
    """The newest accounts: number, case/point, meter, water on, contract, class, who answers for it, receivable."""
    from consumers.billing import desk

    with connected() as connection:
        for line in desk.accounts(connection, most=limit):
            click.echo(line)


@billing.command("ledger")
@click.argument("case")
@command
def billing_ledger(case: str) -> None:
    """Every posting of CASE (id, number or account number) with the event it comes from, and the balances."""
    from consumers.billing import desk

    with connected() as connection:
        for line in desk.case_ledger(connection, case):
            click.echo(line)


@billing.command("use")
@click.argument("account", type=int)
@command
def billing_use(account: int) -> None:
    """What there is to bill of ACCOUNT: each accepted reading with its use, and which of them are held."""
    from consumers.billing import desk

    with connected() as connection:
        for line in desk.use(connection, account):
            click.echo(line)


@billing.command("reconcile")
@command
def billing_reconcile() -> None:
    """Compare the books with the store now: count, sum and hash for each kind and fee. Exit 1 where they differ."""
    from consumers.billing import reconcile

    with connected() as connection:
        found = reconcile.reconcile_and_keep(connection, located_settings())
    for line in reconcile.lines(found):
        click.echo(line)
    sys.exit(1 if found.differences else 0)


@billing.command("differences")
@click.option("--all", "every", is_flag=True, help="Those that are settled, too.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
@command
def billing_differences(every: bool, limit: int) -> None:
    """What reconciliations found, each with its number."""
    from consumers.billing import desk

    with connected() as connection:
        for line in desk.differences(connection, every=every, most=limit):
            click.echo(line)


@billing.command("resolve")
@click.argument("number")
@with_reason
@command
def billing_resolve(number: str, actor: str, reason: str) -> None:
    """Settle the difference NUMBER, for example DZ-3. One that is still there is found again, under a new number."""
    from consumers.billing import reconcile

    digits = number.upper().removeprefix("DZ-")
    if not digits.isdecimal() or len(digits) > 18:
        fail(f"bad-arguments: found {number[:40]!r}; needed the number of a difference, for example DZ-3")
    with connected() as connection:
        reconcile.resolve(connection, int(digits), by=actor, reason=reason)
    click.echo(f"DZ-{digits} is resolved 差异已结")


@billing.command("rebuild")
@command
def billing_rebuild() -> None:
    """Make the books anew from all topics, beside those in use, and put them in their place. Exit 1 where the new ones
    do not agree with the store: then the old ones stay."""
    from consumers.billing.rebuild import rebuild

    found = rebuild(located_settings(), say)
    for part, (rows, digest) in found.new.items():
        click.echo(f"{part:<10} {rows} rows 行  {digest}")
    if found.is_same:
        click.echo(f"build {found.build} says what the old books said 新旧账一致")
    else:
        click.echo(f"build {found.build} differs from the old books in 新旧账不同: {', '.join(found.changed)}")
