"""The text of commands that wait for a second person: sealed beside the store, opened for who is asked and to carry it
out, forgotten once the request is decided or its time is over."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from domain import kinds
from domain.approvals import approvals
from domain.approvals.approvals import Approval
from domain.people.actors import canonical
from infra.approvals.telling import ApprovalTeller
from infra.eventstore.commands import Command, Snapshot, Stamp, Stream, StreamEvent
from infra.eventstore.service import Service
from infra.repeating import repeating
from infra.sql import sql
from infra.vault.vault import asked_command_context

log = logging.getLogger(__name__)

MOST_LISTED = 200
CLOSE_EVERY_S = 60.0
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class AskedCommand:
    """A command as it was asked for: its path below /api/v1, its body, why it needs somebody, and who asked over which
    channel. ``by``: how the asker was proven. ``salt``: a random text, so that the digest tells nothing."""

    path: str
    body: dict[str, Any]
    reason: str
    actor: str
    role: str
    by: str
    channel: str
    correlation_id: str
    salt: str

    @property
    def digest(self) -> str:
        """``sha256:`` and 64 hex digits, of the whole."""
        return "sha256:" + sha256(self.as_text()).hexdigest()

    def as_text(self) -> bytes:
        """The JSON that is sealed, and of which the digest is."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True).encode()


def new_salt() -> str:
    """A random text for a command's digest."""
    return secrets.token_hex(32)


def stream_of(approval: UUID) -> Stream:
    """The stream of an approval request."""
    return Stream(kinds.APPROVAL, approval)


class AskedCommands:
    """The commands of one installation that wait for a second person."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def keep(
        self,
        approval: UUID,
        command: AskedCommand,
        *,
        asked_role: str | None,
        asked_actor: str | None,
        asked_at: datetime,
        expires_at: datetime,
    ) -> None:
        """Seal a command; one that is kept already stays as it is. Raises KeyFileError."""
        sealed = self._service.vault.seal(command.as_text(), asked_command_context(approval))
        self._do(
            "approvals_keep",
            id=approval,
            asker=canonical(command.actor),
            asked_role=asked_role,
            asked_actor=canonical(asked_actor) if asked_actor is not None else None,
            asked_at=asked_at,
            expires_at=expires_at,
            sealed=sealed,
        )

    def opened(self, approval: UUID) -> AskedCommand | None:
        """The command; None: it is forgotten, or there never was one. Raises KeyFileError."""
        with self._service.connection() as connection:
            row = connection.execute(sql("approvals_command"), {"id": approval}).fetchone()
        if row is None or row["sealed"] is None:
            return None
        text = self._service.vault.open(bytes(row["sealed"]), asked_command_context(approval))
        return AskedCommand(**json.loads(text))

    def forget(self, approval: UUID) -> None:
        """Keep the command's text no longer."""
        self._do("approvals_forget", id=approval)

    def of(self, actor: str, roles: Sequence[str]) -> list[tuple[UUID, Approval]]:
        """The requests that an actor asked for, or that are asked of them or of one of their roles: the newest first,
        at most ``MOST_LISTED``."""
        wanted = {"actor": canonical(actor), "roles": list(roles), "most": MOST_LISTED}
        with self._service.connection() as connection:
            ids = [row["id"] for row in connection.execute(sql("approvals_of"), wanted).fetchall()]
        states = self._service.states([stream_of(id_) for id_ in ids])
        return [(id_, states[id_]) for id_ in ids if states.get(id_) is not None]

    def waiting(self, actor: str, roles: Sequence[str]) -> int:
        """How many requests wait for an answer of somebody."""
        wanted = {"actor": canonical(actor), "roles": list(roles), "at": self._service.clock.now()}
        with self._service.connection() as connection:
            row = connection.execute(sql("approvals_waiting"), wanted).fetchone()
        return int(row["waiting"]) if row is not None else 0

    def state(self, approval: UUID) -> Approval | None:
        """How a request stands by its events; None: there is none."""
        state: Approval | None = self._service.load(stream_of(approval))[0]
        return state

    def close_overdue(self) -> int:
        """Put on record what nobody answered in time, and forget the text of every command whose time is over. How
        many."""
        with self._service.connection() as connection:
            values = {"at": self._service.clock.now(), "most": AT_ONCE}
            due = [row["id"] for row in connection.execute(sql("approvals_due"), values).fetchall()]
        closed = 0
        for approval in due:
            self.put_expiry_on_record(approval)
            state = self.state(approval)
            if state is None or state.state != "waiting":
                self.forget(approval)
                closed += 1
        return closed

    def put_expiry_on_record(self, approval: UUID) -> None:
        """Write down that a request expired, where it did and that is not on record. Raises what a command raises."""
        stream, command_id = stream_of(approval), str(uuid4())

        def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
            ctx = snapshot.context(stamp)
            return [(stream, ctx.event(each)) for each in approvals.expire(snapshot.of(stream), snapshot.at)]

        stamp = Stamp("tongshui", "system", "system", command_id, command_id)
        self._service.run(Command(stream, stamp, decide))

    def _do(self, query: str, **values: Any) -> None:
        with self._service.connection() as connection:
            connection.execute(sql(query), values)


def closing_overdue(service: Service, *, every_s: float = CLOSE_EVERY_S) -> AbstractContextManager[None]:
    """Close what is overdue and tell second persons what waits for them, from a thread while the body runs, at once and
    then every ``every_s`` seconds."""
    teller = ApprovalTeller(service)

    def close() -> None:
        teller.turn()
        if closed := AskedCommands(service).close_overdue():
            log.info("the time of %d approval requests is over", closed)

    return repeating("approvals", close, every_s)
