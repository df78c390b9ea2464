"""What an applicant or a reporter sees of their own case: no id of anybody who works here, no particulars, no code of
another case."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.http import described
from domain import kinds
from domain.connections import outlook
from domain.connections.case import Connection
from domain.evidence.papers import digest_of_words, papers_of
from domain.evidence.sending import sendings_of
from domain.kernel.facts import Recorded
from domain.kinds import State
from domain.repairs.case import Repair
from domain.standard.standards import Rules
from infra.eventstore.commands import Stream
from infra.eventstore.service import Service
from infra.identity.follow import APPLICATION
from infra.identity.refusals import NoSuchLink

Step = Literal["1", "2", "done", "stopped"]
Action = Literal["documents", "withdrawal", "deliverables"]


class Missing(BaseModel):
    """A document that is still owed."""

    document: Annotated[str, Field(description="Code of the document.")]
    name_zh: Annotated[str, Field(description="Its Chinese name.")]


class Handed(BaseModel):
    """Something that was, or is to be, handed over to the applicant."""

    deliverable: Annotated[str, Field(description="Code of what is handed over.")]
    name_zh: Annotated[str, Field(description="Its Chinese name.")]
    confirmed: Annotated[bool, Field(description="Whether it is known to have arrived.")]


class Issued(BaseModel):
    """A paper that the applicant was issued."""

    kind: Annotated[str, Field(examples=["one-time-notice"], description="Kind of paper, as a code.")]
    number: Annotated[int, Field(description="Which one of its kind in the case, from 1.")]
    name_zh: Annotated[str, Field(description="Its Chinese name.")]
    at: Annotated[datetime, Field(description="When it was issued.")]
    digest: Annotated[str, Field(description="SHA-256 of its words, which stands on it.")]
    sent_at: Annotated[
        datetime | None, Field(description="When a message with its link was sent; null: none was, or not yet.")
    ]
    sent_by: Annotated[str | None, Field(description="By which way, for example sms; null: it was not sent.")]


class PublicCase(BaseModel):
    """A case as the person sees whose it is."""

    case_number: described.CaseNumber
    kind: Annotated[Literal["connection", "repair"], Field(description="An application, or a reported fault.")]
    step: Annotated[
        Step,
        Field(
            description="Of the two steps the one that it is in. An application: 1 apply, sign and pay, 2 install and "
            "water on. A fault: 1 until a crew is there, 2 until it is repaired. Or done, or stopped."
        ),
    ]
    received_at: Annotated[datetime, Field(description="When it was applied for, or reported.")]
    promised_at: Annotated[
        datetime | None, Field(description="Until when what comes next is promised; null: nothing is promised now.")
    ]
    tentative: described.Tentative
    who_has_it: Annotated[
        Literal["applicant", "utility", "nobody"], Field(description="For whom it waits; nobody: it is over.")
    ]
    missing: Annotated[list[Missing], Field(description="The documents that are still owed, in order.")] = []
    deliverables: Annotated[list[Handed], Field(description="What was sent, and whether it arrived.")] = []
    papers: Annotated[
        list[Issued],
        Field(description="What was issued to the applicant, in order: notices, acceptance, quote, contract."),
    ] = []
    visits: Annotated[list[datetime], Field(description="When somebody comes: beginnings of the booked visits.")] = []
    answered_at: Annotated[
        datetime | None, Field(description="When the reporter was told what became of it; null where they were not.")
    ] = None
    may: Annotated[
        list[Action],
        Field(description="What can be sent now: documents, a withdrawal, that a deliverable arrived."),
    ] = []


def public_case(service: Service, case_id: UUID, report: int) -> PublicCase:
    """The case as it stands now. ``report``: of an incident the report that is asked about (0: an application). Follows
    an incident that was merged into another. Refuses ``no-such-link`` where the report is somewhere else by now."""
    kind = kinds.CONNECTION if report == APPLICATION else kinds.REPAIR
    history = [recorded for _, recorded in service.history(case_id)]
    state: State = kinds.folded(kind, history)
    if isinstance(state, Repair):
        return _repair(service, state, report)
    if isinstance(state, Connection):
        return _connection(service, state, history)
    raise NoSuchLink()


def _connection(service: Service, case: Connection, history: Sequence[Recorded]) -> PublicCase:
    rules, at = service.rules, service.clock.now()
    names = rules.in_force(at).connection
    promised, turn = outlook.promised(case, rules), outlook.turn(case, rules, at)
    step = outlook.user_step(case)
    lacking = set(outlook.lacking(case, rules))
    missing = [
        Missing(document=each.code, name_zh=each.name_zh)
        for each in outlook.documents(case, rules)
        if each.code in lacking
    ]
    handed = [
        Handed(
            deliverable=each,
            name_zh=names.deliverables.get(each, each),
            confirmed=any(confirmed == each for confirmed, _ in case.confirmed),
        )
        for each in case.sent
    ]
    is_over = step == "done" or (case.stopped is not None and case.stopped.final)
    may: list[Action] = ["documents", "withdrawal"] if not is_over else []
    if any(not each.confirmed for each in handed):
        may.append("deliverables")
    return PublicCase(
        case_number=case.number,
        kind="connection",
        step=step,
        received_at=case.received_at,
        promised_at=promised.at if promised is not None else None,
        tentative=promised.tentative if promised is not None else False,
        who_has_it=turn.whose if turn is not None else "nobody",
        missing=missing,
        deliverables=handed,
        papers=_issued(history, rules),
        visits=sorted(each.begin for each in case.visits.values() if each.is_open),
        may=may,
    )


def _issued(history: Sequence[Recorded], rules: Rules) -> list[Issued]:
    sent = {event: each for event, each in sendings_of(history).items() if each.failed is None}
    return [
        Issued(
            kind=paper.kind,
            number=paper.number,
            name_zh=paper.title.zh,
            at=paper.at,
            digest=digest_of_words(paper),
            sent_at=sent[paper.event_id].at if paper.event_id in sent else None,
            sent_by=sent[paper.event_id].way if paper.event_id in sent else None,
        )
        for paper in papers_of(kinds.CONNECTION, history, rules)
    ]


def _repair(service: Service, case: Repair, report: int) -> PublicCase:
    if case.merged_into is not None:
        into = service.load(Stream(kinds.REPAIR, case.merged_into))[0]
        found = moved_to(case, into, report)
        if found is None:
            raise NoSuchLink()
        return _repair(service, into, found)
    made = case.report(report)
    if made is None:
        raise NoSuchLink()
    is_over = case.closed or case.over is not None
    owed = [each for each in case.ledger.values() if each.met_at is None and not each.cancelled and each.due_at]
    nearest = min(owed, key=lambda each: each.due_at or each.opened_at, default=None) if not is_over else None
    return PublicCase(
        case_number=case.number,
        kind="repair",
        step="done" if is_over else "2" if case.arrived else "1",
        received_at=made.moment.at,
        promised_at=nearest.due_at if nearest is not None else None,
        tentative=nearest.tentative if nearest is not None else False,
        who_has_it="nobody" if is_over else "utility",
        answered_at=max((moment.at for number, moment in case.answered if number == report), default=None),
    )


def moved_to(case: Repair, into: State, report: int) -> int | None:
    """The number that a report has in the incident that took it over, by its person."""
    before = next((each for each in case.reported if each.number == report), None)
    if before is None or not isinstance(into, Repair):
        return None
    return next((each.number for each in into.reported if each.subject.id == before.subject.id), None)
