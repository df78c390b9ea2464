"""What a reader could not read."""

from __future__ import annotations

import sys

import click

from app.cli.terminal import command, connected, located_settings, main, say, with_reason


@main.group("dead-letters")
def dead_letters() -> None:
    """死信 Records that a reader could not take: see them, and once the cause is mended have them applied after all."""


@dead_letters.command("list")
@click.option("--reader", default=None, help="Only this reader's.")
@click.option("--all", "every", is_flag=True, help="Those that are settled, too.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@command
def dead_letters_list(reader: str | None, every: bool, limit: int) -> None:
    """The newest: number, state, reader, topic/partition@offset, position, why, when. Exit 1 while one is open."""
    from infra.readers import dead_letter_desk as desk

    with connected() as connection:
        found = desk.dead_letters(connection, reader=reader, states=None if every else ("open", "again"), most=limit)
    for line in desk.lines(found):
        click.echo(line)
    sys.exit(1 if any(row["state"] in ("open", "again") for row in found) else 0)


@dead_letters.command("show")
@click.argument("number", type=int)
@click.option("--raw", "with_record", is_flag=True, help="The record itself too, from Kafka.")
@command
def dead_letters_show(number: int, with_record: bool) -> None:
    """All that is known of dead letter NUMBER."""
    from infra.readers import dead_letter_desk as desk

    settings = located_settings()
    with connected() as connection:
        row = desk.dead_letter(connection, number)
    for line in desk.details(row):
        click.echo(line)
    if with_record:
        record = desk.raw(settings, row)
        say("the record may hold personal data: copy it into no log, mail or ticket 记录可能含个人信息，请勿外传")
        click.echo(f"key {record.key!r}")
        for name, value in record.headers.items():
            click.echo(f"header {name}: {value!r}")
        click.echo(record.value if record.value is not None else "no value 无内容")


@dead_letters.command("repair")
@click.argument("number", type=int)
@with_reason
@command
def dead_letters_repair(number: int, actor: str, reason: str) -> None:
    """Apply the event of NUMBER to its reader, from the store, once this program can read it: once, in its order."""
    from app import processes as bootstrap
    from infra.readers import dead_letter_desk as desk

    settings = located_settings()
    with connected() as connection:
        desk.repair(connection, settings, number, bootstrap.menders(settings), by=actor, reason=reason)
    click.echo(f"dead letter {number} is repaired 死信已修复")


@dead_letters.command("resend")
@click.argument("number", type=int)
@with_reason
@command
def dead_letters_resend(number: int, actor: str, reason: str) -> None:
    """Have the running reader try NUMBER once more; a meter reading is sent to its topic again."""
    from infra.readers import dead_letter_desk as desk

    settings = located_settings()
    with connected() as connection:
        click.echo(f"dead letter {number}: {desk.mark(connection, settings, number, by=actor, reason=reason)}")


@dead_letters.command("resolve")
@click.argument("number", type=int)
@with_reason
@command
def dead_letters_resolve(number: int, actor: str, reason: str) -> None:
    """Settle NUMBER without its event: it was none of ours, for example."""
    from infra.readers import dead_letter_desk as desk

    with connected() as connection:
        desk.resolve(connection, number, by=actor, reason=reason)
    click.echo(f"dead letter {number} is resolved 死信已结案")


@dead_letters.command("release")
@click.argument("reader")
@with_reason
@command
def dead_letters_release(reader: str, actor: str, reason: str) -> None:
    """Let READER go on, which the limit of dead letters has stopped; it may meet as many again."""
    from infra.readers import dead_letter_desk as desk

    with connected() as connection:
        desk.release(connection, reader, by=actor, reason=reason)
    click.echo(f"the reader {reader} may go on 已放行")
