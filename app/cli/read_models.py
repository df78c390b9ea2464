"""The read models: what there is, and each of them anew."""

from __future__ import annotations

import click

from app.cli.terminal import command, connected, located_settings, main, say


@main.group("read-models")
def read_models() -> None:
    """读模型 The tables that are folded from events, and how they are made anew."""


@read_models.command("list")
@command
def read_models_list() -> None:
    """Each read model: name, table, topics that it reads; and a rebuild that is under way or did not end."""
    from projections.read_models.views import VIEWS
    from projections.rebuild.run import unfinished

    with connected() as connection:
        left = unfinished(connection)
    for model in VIEWS:
        waits = "  is being made anew 正在重建" if left is not None and model.name in left.waiting else ""
        click.echo(f"{model.name:<12} {model.table:<18} {', '.join(model.topics)}{waits}")
    if left is not None:
        click.echo(f"a rebuild is at event {left.position} 重建进行到该事件")


@read_models.command("rebuild")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--lanes",
    default=2,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Processes that fold; two cores carry two.",
)
@command
def read_models_rebuild(names: tuple[str, ...], lanes: int) -> None:
    """Make read models anew from the first event, beside those in use, and put them in their place; none named: all.

    Everything goes on meanwhile. What was killed or refused goes on from where it was when the command is given again.
    """
    from projections.rebuild.run import rebuild

    for name, found in rebuild(located_settings(), names, say, lanes=lanes).items():
        told = (
            "says what the old rows said 新旧一致"
            if found.are_none
            else f"{found.changed} changed 变更, {found.added} added 新增, {found.missing} gone 移除"
        )
        click.echo(f"{name:<12} {found.before} rows before, {found.after} now 行: {told}")


@read_models.command("abandon")
@command
def read_models_abandon() -> None:
    """Throw a rebuild away that did not end; the rows in use stay as they are."""
    from projections.rebuild.run import abandon

    found = abandon(located_settings())
    if found is None:
        click.echo("there was none 没有未完成的重建")
    else:
        click.echo(f"the rebuild of {', '.join(found.waiting)} is thrown away 已放弃重建")
