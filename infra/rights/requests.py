"""Requests of persons about their particulars as the store has them, and what is kept of a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain import kinds, particulars
from domain.kernel.subjects import Subject
from domain.rights.rights import Keeping, RightsRequest
from infra.complaints.complaints import Complaints
from infra.eventstore.commands import Stream
from infra.eventstore.service import Service
from infra.sql import sql

MOST_LISTED = 500
MOST_READS = 1000


@dataclass(frozen=True, slots=True)
class CaseOfPerson:
    """A case that names a person, and when its last event happened."""

    id: UUID
    number: str
    kind: str
    is_over: bool
    last_at: datetime


class RightsRequests:
    """The requests of one installation."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def state(self, request: UUID) -> RightsRequest | None:
        """How a request stands by its events; None: there is none."""
        state: RightsRequest | None = self._service.load(Stream(kinds.RIGHTS, request))[0]
        return state

    def found(
        self, *, open_only: bool = False, subjects: Sequence[UUID] | None = None
    ) -> list[tuple[UUID, RightsRequest]]:
        """Requests, the oldest first, at most ``MOST_LISTED``. ``open_only``: neither refused nor done. ``subjects``:
        those that name one of them."""
        named = [str(each) for each in subjects] if subjects is not None else None
        rows = self._rows("rights_requests", open=open_only, subjects=named, most=MOST_LISTED)
        states = ((row["id"], self.state(row["id"])) for row in rows)
        return [(id_, state) for id_, state in states if state is not None]

    def cases(self, subject: UUID) -> list[CaseOfPerson]:
        """The cases that name the person now."""
        found = []
        for row in self._rows("rights_cases", subject=str(subject)):
            history = self._service.history(row["case_id"])
            recorded = [each for _, each in history]
            kind = particulars.kind_with_subjects(history[0][0].type) if history else None
            if kind is None or not any(each.id == subject for each in particulars.subjects_of(recorded)):
                continue
            state = kinds.folded(kind, recorded)
            last_at = max(each.happened_at for each in recorded)
            found.append(CaseOfPerson(row["case_id"], state.number, kind.name, particulars.is_over(state), last_at))
        return found

    def keeping(self, cases: Sequence[CaseOfPerson]) -> Keeping:
        """How long somebody is kept whom these cases name."""
        days = self._service.rules.in_force(self._service.clock.now()).rights.particulars_keep_days
        last_at = max((each.last_at for each in cases), default=None)
        case_runs = not all(each.is_over for each in cases)
        kept_until = last_at + timedelta(days=days) if last_at is not None and not case_runs else None
        return Keeping(case_runs, kept_until)

    def keeping_of(self, subject: UUID) -> Keeping:
        """How long the person is kept. A complaint of theirs that waits for its answer is a case that runs: whoever
        answers has to reach them."""
        keeping = self.keeping(self.cases(subject))
        waits = bool(Complaints(self._service).found(open_only=True, subjects=[subject]))
        return replace(keeping, case_runs=True, kept_until=None) if waits else keeping

    def revisions(self, subject: UUID) -> Mapping[Subject, Mapping[str, str]]:
        """Everything that the vault keeps of the person, in plain. Raises KeyFileError."""
        return {Subject(subject, number): kept for number, kept in self._service.vault.revisions(subject).items()}

    def reads(self, subject: UUID) -> list[dict[str, Any]]:
        """Who was shown the person: the newest first, at most ``MOST_READS``."""
        return self._rows("rights_reads", subject=subject, most=MOST_READS)

    def files(self, subject: UUID) -> list[dict[str, Any]]:
        """The files that were handed in for the person and are kept."""
        return self._rows("rights_files", subject=subject)

    def _rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        with self._service.connection() as connection:
            rows: list[dict[str, Any]] = connection.execute(sql(query), values).fetchall()
        return rows
