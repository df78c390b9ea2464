"""The sender: takes what is due from the outbox, delivers it, and tells the case. Several may run.

A row is leased (``FOR UPDATE SKIP LOCKED``); every write names the lease, so a sender that was away longer than its
lease changes nothing any more. One that dies after the handing over and before writing it down hands the message over
again under the same idempotency key: at least once to the way, exactly once to the case.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
from eventsourcing.persistence import PersistenceError
from psycopg_pool import PoolTimeout

from domain.kernel.refusals import Refusal
from domain.standard import alerts
from infra.eventstore.commands import BusyError, StoreUnavailableError
from infra.eventstore.service import Service
from infra.outbox.alerts import AlertPlanner
from infra.outbox.delivery import Delivery, DeliveryError, Outgoing, Way, pause_s
from infra.outbox.gateway import Gateway, Webhook
from infra.outbox.mail import Mail
from infra.outbox.page import Page
from infra.outbox.results import Ended, command_of
from infra.settings import Settings
from infra.sql import sql

log = logging.getLogger(__name__)

AT_ONCE = 8
RECORD_AGAIN_S = 5.0
AWAY = (psycopg.OperationalError, psycopg.InterfaceError, PersistenceError, PoolTimeout)
MessageRow = dict[str, Any]


def ways_of(settings: Settings) -> dict[str, Way]:
    """The adapters of all ways, as the settings have them."""
    gateway = Gateway(settings)
    return {"sms": gateway, "wechat": gateway, "email": Mail(settings), "page": Page(), "webhook": Webhook(settings)}


class Sender:
    """One process of it. ``sent`` and ``failed`` count this process's attempts."""

    def __init__(self, service: Service, ways: Mapping[str, Way], rng: random.Random | None = None) -> None:
        self.sent = 0
        self.failed = 0
        self._service = service
        self._ways = ways
        self._rng = rng or random.Random()
        self._settings = service.settings
        self.teller = AlertPlanner(service)

    def run(self, stop: threading.Event) -> None:
        """Send until ``stop`` is set; while PostgreSQL is away, wait."""
        while not stop.is_set():
            try:
                busy = self.teller.turn() + self.work()
            except AWAY as error:
                log.warning("the store does not answer (%s); the sender waits", type(error).__name__)
                busy = 0
            if not busy:
                stop.wait(self._settings.outbox_poll_ms / 1000)

    def work(self) -> int:
        """Take what is due, at most a handful, and see each through. How many were taken."""
        with self._service.connection() as connection:
            lease = {"most": AT_ONCE, "lease_s": self._settings.outbox_lease_s}
            rows: list[MessageRow] = connection.execute(sql("outbox_take"), lease).fetchall()
        if rows:
            with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="sender") as pool:
                list(pool.map(self._see_through, rows))
        return len(rows)

    def _see_through(self, row: MessageRow) -> None:
        if row["state"] != "waiting":
            self._tell_the_case(row)
            return
        try:
            found = self._attempt(row)
        except DeliveryError as error:
            self._not_taken(row, error)
        except AWAY:
            raise
        except Exception as error:  # a defect of an adapter; its words may name somebody, so they are not logged
            log.error("the way %s failed with %s at message %s", row["way"], type(error).__name__, row["id"])
            self._not_taken(row, DeliveryError("way-failed"))
        else:
            self._taken(row, found)

    def _attempt(self, row: MessageRow) -> Delivery:
        way = self._ways.get(row["way"])
        if way is None:
            raise DeliveryError("unknown-way", permanent=True)
        address = self._address(row["subject_id"], way) if row["subject_id"] is not None else self._contact(row)
        return way.deliver(
            Outgoing(
                id=row["id"],
                kind=row["kind"],
                way=row["way"],
                title=row["title"],
                text=row["text"],
                digest=row["digest"],
                audience=row["audience"],
                address=address,
            )
        )

    def _address(self, subject: UUID, way: Way) -> dict[str, str]:
        """What the way needs of the person's particulars, and nothing else of them."""
        found = self._service.vault.newest(subject)
        if found is None:
            raise DeliveryError("subject-unknown", permanent=True)
        address = {name: found[name] for name in way.needs if found.get(name)}
        if way.needs and not address:
            raise DeliveryError("no-address", permanent=True)
        return address

    def _contact(self, row: MessageRow) -> dict[str, str] | None:
        """Where the role is told that a message to staff is for; None: the way itself knows who is in it."""
        if row["kind"] not in (alerts.KIND, alerts.GROUP_KIND) or row["way"] not in ("email", "webhook"):
            return None
        contact = self._settings.staff_contacts.get(row["audience"][0])
        address = getattr(contact, row["way"], "")
        if not address:
            raise DeliveryError("no-contact", permanent=True)
        return {row["way"]: address}

    def _taken(self, row: MessageRow, found: Delivery) -> None:
        self.sent += 1
        answered_at = self._service.clock.now()
        proof = {
            "answered_at": answered_at,
            "receipt": found.receipt,
            "status": found.status,
            "proof_digest": found.digest,
        }
        if self._write("outbox_sent", row, proof):
            self._tell_the_case(row | proof | {"state": "sent"})

    def _not_taken(self, row: MessageRow, error: DeliveryError) -> None:
        self.failed += 1
        settings = self._settings
        dead = error.permanent or row["attempts"] >= settings.outbox_tries
        first, longest = settings.outbox_pause_s, settings.outbox_longest_pause_s
        pause = 0.0 if dead else pause_s(row["attempts"], first, longest, self._rng)
        log.log(
            logging.ERROR if dead else logging.WARNING,
            "message %s by %s, attempt %d: %s; %s",
            row["id"],
            row["way"],
            row["attempts"],
            error.code,
            "given up" if dead else f"again in {pause:.1f} s",
        )
        answered_at = self._service.clock.now()
        self._write(
            "outbox_failed", row, {"dead": dead, "error": error.code, "pause_s": pause, "answered_at": answered_at}
        )

    def _tell_the_case(self, row: MessageRow) -> None:
        """The end of a message, as a fact; tried until the case has it."""
        command = command_of(_ended(row))
        try:
            if command is not None:
                self._service.run(command)
        except (Refusal, BusyError, StoreUnavailableError) as error:
            why = error.code if isinstance(error, Refusal) else "store-unavailable"
            log.error("the case of message %s does not take its end: %s", row["id"], why)
            self._write("outbox_record_later", row, {"error": f"case: {why}", "pause_s": RECORD_AGAIN_S})
            return
        self._write("outbox_recorded", row, {})

    def _write(self, query: str, row: MessageRow, changed: Mapping[str, Any]) -> bool:
        """Write how it went. False where the lease is somebody else's by now: what they write counts."""
        with self._service.connection() as connection:
            done = connection.execute(sql(query), {"id": row["id"], "lease": row["lease"], **changed})
        return done.rowcount == 1


def _ended(row: MessageRow) -> Ended:
    taken = row["state"] == "sent"
    return Ended(
        id=row["id"],
        case_id=row["case_id"],
        kind=row["kind"],
        round=row["round"],
        at=row["answered_at"],
        receipt=row["receipt"] or "",
        status=row["status"] or "",
        digest=row["proof_digest"] or "",
        failed=None if taken else row["last_error"],
        way=row["way"],
        about=row["about"] or {},
    )
