"""What came of an order book, for a terminal or as one JSON object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from app.demo.tickets.run import Counted, TicketReplay

MOST_LINES = 30


def as_json(found: TicketReplay) -> str:
    """One JSON object."""
    return msgspec.json.encode({**msgspec.to_builtins(found), "accounted_for": found.is_accounted_for}).decode()


def as_text(found: TicketReplay) -> str:
    """For people."""
    return "\n".join(_lines(found))


def _lines(found: TicketReplay) -> Iterator[str]:
    total = sum(found.rows.values())
    yield (
        f"{found.source}: {total} rows, {found.requests} requests, {found.asked} questions of the watch, "
        f"{found.events} events in {found.seconds:g} s"
    )
    yield f"rows 行: {_said(found.rows)}"
    if found.changes:
        yield f"changes 更正: {_said(found.changes)}"
    yield f"odd, and taken or refused all the same 异常: {_said(found.flags)}"
    if found.parts_refused:
        yield f"refused of what was told further 后续被拒: {_said(found.parts_refused)}"
    yield f"incidents 工单 {found.incidents}, reports 报修 {found.reports}: {_said(found.stages)}"
    yield f"by class 等级: {_said(found.classes)}"
    yield f"reports by the source's channel, from the store 来源: {_said(found.origins)}"
    for commitment, verdicts in found.windows.items():
        yield f"{commitment}: {_said(verdicts)}"
    yield f"completed to the second 修复: {_said(found.completed)}"
    for name, table in found.tables.items():
        yield ""
        yield f"{'tickets by ' + name:<44}{'rows':>8}{'refused':>9}{'closed':>8}{'≤ 4 h':>8}{'≤ 8 h':>8}"
        for words, counted in list(table.items())[:MOST_LINES]:
            yield _counted(words, counted)
        if len(table) > MOST_LINES:
            yield f"… and {len(table) - MOST_LINES} more (--json has them all)"
        yield _counted("all", found.all_tickets)
    yield ""
    if found.is_accounted_for:
        yield "every row is accounted for 件件有着落"
    for sentence in found.unaccounted:
        yield f"NOT ACCOUNTED FOR: {sentence}"


def _counted(words: str, counted: Counted) -> str:
    return (
        f"{' '.join(words.split())[:43]:<44}{counted.tickets:>8}{counted.refused:>9}{counted.closed:>8}"
        f"{counted.within_4_h:>8}{counted.within_8_h:>8}"
    )


def _said(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"
