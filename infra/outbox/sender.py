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

from domain import kinds
from domain.approvals import telling
from domain.evidence import sending
from domain.evidence.papers import Paper, papers_of
from domain.kernel.messages import digest_of, filled
from domain.kernel.refusals import Refusal
from domain.kinds import Kind
from domain.outages.notices import KIND as NOTICE
from domain.standard import alerts
from infra.eventstore.commands import BusyError, StoreUnavailableError
from infra.eventstore.service import Service
from infra.identity.follow import APPLICATION, FollowLinks
from infra.outbox.alerts import AlertPlanner
from infra.outbox.delivery import Attached, Delivery, DeliveryError, Outgoing, Way, pause_s
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
TO_STAFF = (alerts.KIND, alerts.GROUP_KIND, telling.KIND)
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
        self._links = FollowLinks(service)

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
        text, digest = row["text"], row["digest"]
        if row["kind"] == sending.KIND:
            text = filled(text, {sending.LINK: self._link(row["case_id"])})
            digest = digest_of(text.encode())
        address = self._address(row["subject_id"], way) if row["subject_id"] is not None else self._contact(row)
        return way.deliver(
            Outgoing(
                id=row["id"],
                kind=row["kind"],
                way=row["way"],
                title=row["title"],
                text=text,
                digest=digest,
                audience=row["audience"],
                address=address,
                attached=self._attached(row),
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

    def _link(self, case_id: UUID) -> str:
        """Where the applicant reads their papers: the secret link of the case, or where they revoked it, the page that
        their telephone opens. It is made for the attempt, and kept nowhere."""
        code = self._links.standing(case_id, APPLICATION)
        return self._settings.public_url + (f"/follow/{code}" if code is not None else "/my")

    def _attached(self, row: MessageRow) -> Attached | None:
        """The paper of an outage notice by mail, which names nobody. Where the standard's words of that day cannot be
        found again, the words of the message go alone."""
        if (row["kind"], row["way"]) != (NOTICE, "email"):
            return None
        paper = self._paper_by(kinds.OUTAGE, row)
        if paper is None:
            return None
        from infra.evidence.pdf import made  # 16 MB, and most installations tell nobody by mail

        pdf = made(paper, {}, issuer=self._settings.utility_name, is_masked=False)
        return Attached(f"{paper.case_number}-{paper.kind}-{paper.number}.pdf", pdf)

    def _paper_by(self, kind: Kind, row: MessageRow) -> Paper | None:
        history = [recorded for _, recorded in self._service.history(row["case_id"])]
        found = papers_of(kind, history, self._service.rules)
        return next((each for each in found if each.event_id == row["id"]), None)

    def _paper(self, row: MessageRow) -> Paper | None:
        """The paper that a message tells of. Raises LookupError where its case has none by that event."""
        if row["kind"] != sending.KIND:
            return None
        paper = self._paper_by(kinds.CONNECTION, row)
        if paper is None:
            raise LookupError(f"the case has no paper by the event {row['id']}")
        return paper

    def _contact(self, row: MessageRow) -> dict[str, str] | None:
        """Where the role is told that a message to staff is for; None: the way itself knows who is in it."""
        if row["kind"] not in TO_STAFF or row["way"] not in ("email", "webhook"):
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
        try:
            command = command_of(_ended(row, self._paper(row)))
            if command is not None:
                self._service.run(command)
        except (Refusal, BusyError, StoreUnavailableError, LookupError) as error:
            why = error.code if isinstance(error, Refusal) else "store-unavailable"
            why = "no-such-paper" if isinstance(error, LookupError) else why
            log.error("the case of message %s does not take its end: %s", row["id"], why)
            self._write("outbox_record_later", row, {"error": f"case: {why}", "pause_s": RECORD_AGAIN_S})
            return
        self._write("outbox_recorded", row, {})

    def _write(self, query: str, row: MessageRow, changed: Mapping[str, Any]) -> bool:
        """Write how it went. False where the lease is somebody else's by now: what they write counts."""
        with self._service.connection() as connection:
            done = connection.execute(sql(query), {"id": row["id"], "lease": row["lease"], **changed})
        return done.rowcount == 1


def _ended(row: MessageRow, paper: Paper | None) -> Ended:
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
        paper=paper,
    )
