"""Read model: one row for each case of abnormal use, as whoever looks after it needs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.kernel.copies import changed
from infra.readers.record import Event
from projections.read_models.model import Model, fact_name


@dataclass(frozen=True, slots=True)
class UsageRow:
    """``open``: something is still to be done. ``held``: billing holds the reading. Times are the first of their kind,
    but ``dismissed_at``, which is the last: it counts unless the anomaly was confirmed after it."""

    case_id: UUID
    case_number: str
    meter: str
    read_at: datetime
    litres: int
    used_litres: int | None
    signs: tuple[str, ...]
    connection: UUID | None
    point: int | None
    found_at: datetime
    revision: int
    standing: bool
    held: bool
    confirmed_at: datetime | None
    dismissed_at: datetime | None
    notified_at: datetime | None
    notified_by: str | None
    offered_at: datetime | None
    help_started_at: datetime | None
    help_finished_at: datetime | None
    finding: str | None
    outcome: str | None
    open: bool
    version: int
    position: int


RowStep = Callable[[UsageRow, dict[str, Any], datetime], UsageRow]


def _first(known: datetime | None, at: datetime) -> datetime:
    return at if known is None else min(known, at)


def _revised(row: UsageRow, data: dict[str, Any], at: datetime) -> UsageRow:
    if data["revision"] <= row.revision:
        return row
    signs = tuple(data["signs"])
    return changed(row, revision=data["revision"], standing=True, used_litres=data["used_litres"], signs=signs)


def _withdrawn(row: UsageRow, data: dict[str, Any], at: datetime) -> UsageRow:
    return changed(row, revision=data["revision"], standing=False) if data["revision"] > row.revision else row


def _notified(row: UsageRow, data: dict[str, Any], at: datetime) -> UsageRow:
    first = row.notified_at is None or at < row.notified_at
    return changed(row, notified_at=_first(row.notified_at, at), notified_by=data["way"] if first else row.notified_by)


STEPS: dict[str, RowStep] = {
    "AnomalyRevised": _revised,
    "AnomalyWithdrawn": _withdrawn,
    "AnomalyConfirmed": lambda row, _, at: changed(row, confirmed_at=_first(row.confirmed_at, at)),
    "AnomalyDismissed": lambda row, _, at: changed(row, dismissed_at=max(row.dismissed_at or at, at)),
    "UserNotified": _notified,
    "LeakHelpOffered": lambda row, _, at: changed(row, offered_at=_first(row.offered_at, at)),
    "LeakHelpStarted": lambda row, _, at: changed(row, help_started_at=_first(row.help_started_at, at)),
    "LeakHelpFinished": lambda row, data, at: changed(row, help_finished_at=at, finding=data["finding"]),
    "UsageOutcomeRecorded": lambda row, data, _: changed(row, outcome=data["outcome"]),
    # The hold follows the case by rule: it is open exactly as long as billing holds the reading.
    "ReadingHeld": lambda row, _data, _at: changed(row, held=True, open=True),
    "ReadingReleased": lambda row, _data, _at: changed(row, held=False, open=False),
}


def fold(row: UsageRow | None, event: Event) -> UsageRow | None:
    """The case's row after the event; meters and reading rounds have none."""
    name = fact_name(event)
    if name == "UsageAnomalyFound":
        return _found(event)
    if row is None:
        return None
    if name in STEPS:
        row = STEPS[name](row, event.data, event.happened_at)
    return changed(row, version=event.version, position=event.position)


def _found(event: Event) -> UsageRow:
    data = event.data
    return UsageRow(
        case_id=event.case_id,
        case_number=data["case_number"],
        meter=data["meter"],
        read_at=datetime.fromisoformat(data["read_at"]),
        litres=data["litres"],
        used_litres=data["used_litres"],
        signs=tuple(data["signs"]),
        connection=UUID(data["connection"]) if data["connection"] else None,
        point=data["point"],
        found_at=event.happened_at,
        revision=1,
        standing=True,
        held=False,
        confirmed_at=None,
        dismissed_at=None,
        notified_at=None,
        notified_by=None,
        offered_at=None,
        help_started_at=None,
        help_finished_at=None,
        finding=None,
        outcome=None,
        open=True,
        version=event.version,
        position=event.position,
    )


USAGE = Model(
    name="usage",
    table="views.usage",
    row=UsageRow,
    key=("case_id",),
    topics=("usage",),
    key_of=lambda event: (event.case_id,),
    fold=fold,
)
