"""The teller: makes messages to staff out of alerts, holds back what may wait, and takes back what is moot.

It runs in the sender's process, one sender at a time (an advisory lock of the transaction): the hour's count and the
quiet hours are then nobody else's to race for. Whether a message is sent, how often it is tried and when it is given up
is the outbox's.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import psycopg
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from domain import kinds
from domain.kernel.messages import digest_of
from domain.kernel.refusals import Refusal
from domain.standard import alerts
from domain.standard.alerts import CORRECTED_FROM, AlertMessage, AlertWithdrawn, Plan, SentMessage, WaitingAlert
from infra.eventstore.commands import (
    BusyError,
    Command,
    IdempotencyKey,
    Snapshot,
    Stamp,
    StoreUnavailableError,
    Stream,
    StreamEvent,
)
from infra.eventstore.service import Service
from infra.outbox.reach import reachable
from infra.sql import sql

log = logging.getLogger(__name__)

AT_ONCE = 1_000
LOOKED_AT = 5_000
WITHDRAWN_AT_ONCE = 50


class AlertPlanner:
    """One sender's part in it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._reachable = reachable(service.settings)

    def turn(self) -> int:
        """Do what is to be done now; how many messages were made or withdrawals recorded."""
        made = 0
        with self._service.connection() as connection, connection.transaction():
            lock = connection.execute(sql("alerts_lock")).fetchone()
            if lock is not None and lock["ours"]:
                connection.execute(sql("alerts_expand"), {"most": AT_ONCE, "reachable": self._reachable})
                self._settle(connection)
                made = self._tell(connection)
        return made + self._record_withdrawals()

    # ---- steps

    def _settle(self, connection: psycopg.Connection[DictRow]) -> None:
        """Alerts that were closed: what was not sent is withdrawn, what was is corrected."""
        found = connection.execute(sql("alerts_to_settle"), {"most": AT_ONCE}).fetchall()
        ids = [row["id"] for row in found]
        if not ids:
            return
        connection.execute(sql("alerts_withdraw_waiting"), {"ids": ids})
        connection.execute(sql("alerts_withdraw_messages"), {"ids": ids})
        connection.execute(sql("alerts_correct"), {"ids": ids, "corrected_from": CORRECTED_FROM})
        connection.execute(sql("alerts_settled"), {"ids": ids})

    def _tell(self, connection: psycopg.Connection[DictRow]) -> int:
        now = self._service.clock.now()
        rows = connection.execute(sql("alerts_waiting"), {"now": now, "most": LOOKED_AT}).fetchall()
        if not rows:
            return 0
        standard = self._service.rules.in_force(now)
        looked_back = max(60, standard.alerting.alerts.digest_minutes, standard.alerting.alerts.mass_minutes)
        since = now - timedelta(minutes=looked_back)
        made = [SentMessage(**row) for row in connection.execute(sql("alerts_made"), {"since": since})]
        planned = alerts.plan([WaitingAlert(**row) for row in rows], made, standard, now)
        self._store(connection, planned, now)
        return len(planned.messages)

    def _store(self, connection: psycopg.Connection[DictRow], planned: Plan, now: datetime) -> None:
        ids = [_id_of(message) for message in planned.messages]
        if planned.messages:
            rows = [_message(id_, message, now) for id_, message in zip(ids, planned.messages, strict=True)]
            connection.execute(sql("alerts_put_messages"), {"rows": Jsonb(rows)})
            told = [
                _telling(each, message_id=str(id_))
                for id_, message in zip(ids, planned.messages, strict=True)
                for each in message.tells
            ]
            connection.execute(sql("alerts_tell"), {"rows": Jsonb(told)})
        if planned.held:
            held = [_telling(each, until=until.isoformat()) for each, until in planned.held]
            connection.execute(sql("alerts_hold"), {"rows": Jsonb(held)})

    def _record_withdrawals(self) -> int:
        """Each on its case's timeline; tried again at the next turn where the case does not take it now."""
        with self._service.connection() as connection:
            found = connection.execute(sql("alerts_withdrawn"), {"most": WITHDRAWN_AT_ONCE}).fetchall()
        recorded = 0
        for row in found:
            try:
                self._service.run(_withdrawal(row))
            except (Refusal, BusyError, StoreUnavailableError) as error:
                why = error.code if isinstance(error, Refusal) else "store-unavailable"
                log.error("the case of alert %s does not take its withdrawal: %s", row["alert"], why)
                continue
            with self._service.connection() as connection:
                connection.execute(sql("alerts_withdrawal_recorded"), {"alert": row["alert"], "change": row["change"]})
            recorded += 1
        return recorded


def _telling(each: WaitingAlert, **more: str) -> dict[str, str]:
    return {"alert": str(each.alert), "role": each.role, "way": each.way, "change": each.change, **more}


def _id_of(message: AlertMessage) -> UUID:
    said = message.newest
    return uuid5(said.alert, f"{message.role} {message.way} {said.change} {message.group or ''}")


def _message(id_: UUID, message: AlertMessage, now: datetime) -> dict[str, Any]:
    said = message.newest
    alone = message.group is None
    about = {"alert": str(said.alert), "commitment": said.commitment, "change": said.change, "role": message.role}
    return {
        "id": str(id_),
        "case_id": str(said.case_id) if alone else None,
        "kind": alerts.KIND if alone else alerts.GROUP_KIND,
        "way": message.way,
        "title": message.title,
        "text": message.text,
        "digest": digest_of(message.text.encode()),
        "audience": [message.role],
        "about": about if alone else None,
        "made_at": now.isoformat(),
        "grouped": message.group,
    }


def _withdrawal(row: Mapping[str, Any]) -> Command:
    case = Stream(kind_of(row["commitment"]), row["case_id"])
    id_ = str(row["alert"])
    stamp = Stamp("sender", "system", "system", id_, correlation_id=id_, causation_id=id_)
    fact = AlertWithdrawn(
        row["alert"], row["commitment"], row["change"], row["cause"], tuple(row["roles"]), tuple(row["ways"])
    )

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(stamp)
        return [(case, ctx.event(alerts.tell(ctx, fact)))]

    return Command(case, stamp, decide, key=IdempotencyKey("alerts", f"{id_}:{row['change']}:withdrawn", b""))


def kind_of(commitment: str) -> kinds.Kind:
    """The kind of case whose promise it is: a promise is named after its kind."""
    return next(kind for kind in kinds.PROMISING if kind.name == commitment.partition(".")[0])
