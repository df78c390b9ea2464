"""What of a person's particulars somebody's work needs, by the case as it stands. All else is masked.

Our decision: a crew needs the place and the telephone of the incident that it is on, until it is closed; a squad those
whom it visits today; hotline, counter and case owner need whoever waits for their answer. Nobody needs a card number.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime

from domain.connections.case import Connection
from domain.connections.preservice import PreService
from domain.deadlines.calendar import local_date
from domain.kernel.facts import Recorded
from domain.kernel.subjects import Subject
from domain.kinds import CONSULTATION, PRESERVICE, Kind, State, opened_as
from domain.people.people import Work
from domain.repairs.case import Repair
from domain.repairs.facts import FaultReported, ReportUnlinked

PLACE = frozenset({"phone", "phone_as_given", "address", "latitude", "longitude"})
"""To find the place, and whoever opens the door."""
VISIT = PLACE | {"name"}
ANSWER = frozenset({"name", "phone", "phone_as_given", "address"})
"""To tell somebody something, and to know that it is they."""
NOTHING: frozenset[str] = frozenset()

CREW = ("crew", "crew-lead")
SQUAD = ("squad",)
DESKS = ("hotline", "counter", "case-owner")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the role, and what they are bound to (``work``; None: not known, and taken as not bound)."""

    role: str
    work: Work | None = None


def kind_with_subjects(type_name: str) -> Kind | None:
    """The kind of case whose stream begins with an event of that public type; None where it is about nobody."""
    match type_name:
        case "water.connection.ConsultationGiven.v1":
            return CONSULTATION
        case "water.connection.PreServiceRequested.v1":
            return PRESERVICE
        case _:
            return opened_as(type_name)


def subjects_of(history: Iterable[Recorded]) -> tuple[Subject, ...]:
    """Whom a case's facts name, each once, the newest revision, in the order in which they came. A reporter whose
    report was moved to another case is none of this one's any more."""
    found: dict[object, tuple[Subject, int | None]] = {}
    for recorded in history:
        if isinstance(recorded.fact, ReportUnlinked):
            number = recorded.fact.report
            found = {id_: each for id_, each in found.items() if each[1] != number}
        report = 1 if isinstance(recorded.fact, FaultReported) else getattr(recorded.fact, "report", None)
        for field in fields(recorded.fact):
            subject = getattr(recorded.fact, field.name)
            if isinstance(subject, Subject) and (
                subject.id not in found or found[subject.id][0].revision < subject.revision
            ):
                found[subject.id] = (subject, report)
    return tuple(subject for subject, _ in found.values())


def is_over(state: State) -> bool:
    """Whether the case needs nobody any more: it is done, was stopped for good or went into another one."""
    if isinstance(state, Repair):
        return state.closed or state.over is not None or state.merged_into is not None
    if isinstance(state, Connection):
        return state.all_on or (state.stopped is not None and state.stopped.final)
    return bool(state.given) if isinstance(state, PreService) else True


def needed_fields(state: State, subject: Subject, asker: Asker, at: datetime) -> frozenset[str]:
    """The fields of that subject that the asker's work on the case needs at that instant."""
    if isinstance(state, Repair):
        return _of_repair(state, subject, asker)
    if isinstance(state, Connection):
        return _of_connection(state, subject, asker, at)
    if isinstance(state, PreService) and not state.given:
        return ANSWER if asker.role in DESKS else NOTHING
    return NOTHING


def _of_repair(case: Repair, subject: Subject, asker: Asker) -> frozenset[str]:
    reports = [each for each in case.reported if each.number not in case.unlinked and each.subject.id == subject.id]
    if not reports or not _in_districts(case.district, asker.work):
        return NOTHING
    if asker.role in CREW:
        is_theirs = case.crew is not None and (asker.work is None or asker.work.crew == case.crew)
        return PLACE if is_theirs and not case.closed else NOTHING
    if asker.role in DESKS and case.merged_into is None:
        told = {number for number, _ in case.answered}
        return ANSWER if any(each.number in case.answers_owed - told for each in reports) else NOTHING
    return NOTHING


def _of_connection(case: Connection, subject: Subject, asker: Asker, at: datetime) -> frozenset[str]:
    customers = {account.customer_at(at).subject.id for account in case.accounts.values()}
    if subject.id != case.subject.id and subject.id not in customers:
        return NOTHING  # a customer from before
    if asker.role in SQUAD:
        today = [
            visit.squad for visit in case.visits.values() if visit.is_open and local_date(visit.begin) == local_date(at)
        ]
        is_theirs = bool(today) if asker.work is None else asker.work.squad in today
        return VISIT if is_theirs else NOTHING
    if asker.role in DESKS:
        is_over = case.all_on or (case.stopped is not None and case.stopped.final)
        return NOTHING if is_over else ANSWER
    return NOTHING


def _in_districts(district: str, work: Work | None) -> bool:
    return work is None or not work.districts or district in work.districts
