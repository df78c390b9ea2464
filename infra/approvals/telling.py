"""Puts the messages to who is asked for an approval into the outbox, each once, and takes back what became moot."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import psycopg
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from domain.approvals.telling import KIND, Telling, WaitingRequest, telling_of
from infra.eventstore.service import Service
from infra.identity.accounts import Accounts
from infra.outbox.reach import reachable
from infra.sql import sql

AT_ONCE = 200
PAGE = "/approvals"


class ApprovalTeller:
    """One process's part in it. Several may look at once: a request is one's at a time, and a message has the id that
    follows from its request, so it is written once whoever is killed when."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._reachable = frozenset(reachable(service.settings))

    def turn(self) -> int:
        """Tell what is to be told now; how many messages were written. Raises what PostgreSQL raises."""
        now = self._service.clock.now()
        standard = self._service.rules.in_force(now)
        link = self._service.settings.public_url + PAGE
        written = 0
        with self._service.connection() as connection:
            connection.execute(sql("approvals_withdraw_messages"), {"kind": KIND, "at": now})
            with connection.transaction():
                wanted = {"at": now, "minutes": standard.approvals.approval_reminder_minutes, "most": AT_ONCE}
                for row in connection.execute(sql("approvals_to_tell"), wanted).fetchall():
                    telling = telling_of(self._request(row), standard, self._reachable, link, now)
                    if telling is not None:
                        written += self._write(connection, row["id"], telling, now)
        return written

    def _request(self, row: Mapping[str, Any]) -> WaitingRequest:
        role, actor = row["asked_role"], row["asked_actor"]
        person = Accounts(self._service).person(actor) if actor is not None else None
        roles = (role,) if role is not None else person.work.roles if person is not None else ()
        whom = "本岗位" if role is not None else f"账号 {actor} "
        told = row["told_at"] is not None
        return WaitingRequest(row["asked_at"], row["expires_at"], roles, whom, told, row["reminded_at"] is not None)

    def _write(self, connection: psycopg.Connection[DictRow], request: UUID, telling: Telling, now: datetime) -> int:
        rows = [
            {
                "id": str(uuid5(request, f"{telling.occasion} {message.audience[0]} {message.way}")),
                "kind": message.kind,
                "way": message.way,
                "title": message.title,
                "text": message.text,
                "digest": message.digest,
                "audience": list(message.audience),
                "about": {"approval": str(request), "occasion": telling.occasion},
            }
            for message in telling.messages
        ]
        put = connection.execute(sql("approvals_put_messages"), {"rows": Jsonb(rows)}).rowcount if rows else 0
        if telling.complete:
            values = {"id": request, "at": now, "reminded": telling.occasion == "expiring"}
            connection.execute(sql("approvals_told"), values)
        return put
