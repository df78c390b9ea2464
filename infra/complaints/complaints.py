"""Complaints as the store has them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from domain import kinds
from domain.complaints.complaints import Complaint
from infra.eventstore.commands import Stream
from infra.eventstore.service import Service
from infra.sql import sql

MOST_LISTED = 500


class Complaints:
    """The complaints of one installation."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def state(self, complaint: UUID) -> Complaint | None:
        """How a complaint stands by its events; None: there is none."""
        state: Complaint | None = self._service.load(Stream(kinds.COMPLAINT, complaint))[0]
        return state

    def found(self, *, open_only: bool = False, subjects: Sequence[UUID] | None = None) -> list[tuple[UUID, Complaint]]:
        """Complaints, of the oldest ``MOST_LISTED``: what is overdue first, then by the end of the limit.
        ``open_only``: those that wait for their answer. ``subjects``: those that name one of them."""
        named = [str(each) for each in subjects] if subjects is not None else None
        values = {"open": open_only, "subjects": named, "most": MOST_LISTED}
        with self._service.connection() as connection:
            rows = connection.execute(sql("complaints_found"), values).fetchall()
        states = [(row["id"], self.state(row["id"])) for row in rows]
        now = self._service.clock.now()
        found = [(id_, state) for id_, state in states if state is not None]
        return sorted(found, key=lambda each: (not each[1].is_overdue(now), each[1].due_at))
