"""Whose case it is: the case behind a secret link, or behind a number that somebody with the right telephone says."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from api.citizens.views import moved_to
from api.http.identity import Identity, identified
from domain import kinds
from domain.people.refusals import NotYours
from domain.repairs.case import Repair
from infra.eventstore.commands import Stream
from infra.eventstore.service import Service
from infra.identity.follow import APPLICATION, Followed
from infra.identity.refusals import NoSuchLink, SessionEnded


@dataclass(frozen=True, slots=True)
class OwnCase:
    """A case of somebody: its stream, its number, which report of it is theirs (0: an application), and the id of their
    entry in the vault."""

    stream: Stream
    number: str
    report: int
    subject: UUID


def own_case(service: Service, case_id: UUID, report: int) -> OwnCase:
    """The case as it goes on now: that of an incident that was merged is the other one. Refuses ``no-such-link`` where
    the report is somewhere else by now."""
    kind = kinds.CONNECTION if report == APPLICATION else kinds.REPAIR
    stream = Stream(kind, case_id)
    state: Any = service.load(stream)[0]
    if isinstance(state, Repair):
        if state.merged_into is not None:
            into = service.load(Stream(kind, state.merged_into))[0]
            found = moved_to(state, into, report)
            if found is None:
                raise NoSuchLink()
            return own_case(service, state.merged_into, found)
        made = state.report(report)
        if made is None:
            raise NoSuchLink()
        return OwnCase(stream, state.number, report, made.subject.id)
    if state is None:
        raise NoSuchLink()
    return OwnCase(stream, state.number, APPLICATION, state.subject.id)


def case_of_link(service: Service, link: Followed) -> OwnCase:
    """The case that the link opens. Refuses ``no-such-link``."""
    return own_case(service, link.case_id, link.report)


@dataclass(frozen=True, slots=True)
class Citizen:
    """Somebody who signed in with their telephone: their entries in the vault, and the cases that name them."""

    subjects: tuple[UUID, ...]
    cases: frozenset[UUID]

    def case(self, service: Service, number: str) -> OwnCase:
        """Their case of that number. Refuses ``not-yours``, also where there is none."""
        for case_id in sorted(self.cases):
            for report in own_reports(service, case_id, self.subjects):
                found = own_case(service, case_id, report)
                if found.number == number:
                    return found
        raise NotYours("a case that does not, or none", "your own cases")


async def the_citizen(request: Request, service: Service) -> Citizen:
    """Who asks. Refuses ``session-ended`` to who has no session of a citizen."""
    identity: Identity = await identified(request)
    session = identity.session
    if session is None or session.phone_hash is None or identity.cases is None:
        raise SessionEnded()
    found = await run_in_threadpool(service.vault.with_phone_now, session.phone_hash)
    return Citizen(tuple(sorted(found)), identity.cases)


def own_reports(service: Service, case_id: UUID, mine: Collection[UUID]) -> list[int]:
    """The numbers of somebody's reports in an incident; ``APPLICATION`` alone of an application. ``mine``: ids of their
    entries in the vault."""
    history = service.history(case_id)
    if kinds.opened_as(history[0][0].type) is not kinds.REPAIR:
        return [APPLICATION]
    case: Repair = kinds.folded(kinds.REPAIR, [recorded for _, recorded in history])
    return [each.number for each in case.reported if each.number not in case.unlinked and each.subject.id in mine]
