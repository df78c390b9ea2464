"""How a connection case stands, as an answer. Nobody's particulars are in it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from domain.connections import outlook
from domain.connections.case import Account, Connection, PapersPledge, UsageClass
from domain.connections.promises import papers_in, standard_of
from domain.kernel.facts import Moment
from domain.standard.standards import Rules


class DocumentView(BaseModel):
    """A document that the applicant owes; ``since``: when it came in."""

    code: str
    name_zh: str
    main: bool
    # `in` in JSON; here it is a word of the language.
    is_in: bool = Field(alias="in")
    since: datetime | None


class FeeView(BaseModel):
    """One line of money, in fen (分). ``balance``: still to be paid; below zero: to be refunded."""

    fee: str
    quoted: int
    paid: int
    refunded: int
    balance: int


class NextActionView(BaseModel):
    """What can be done next, as the power it needs; by whom first of all, and by whom else."""

    action: str = Field(examples=["sign-contract"])
    role: str
    roles: list[str]


class PauseView(BaseModel):
    """A pause; the clock stands while it is approved and not revoked."""

    pause: int
    reason: str
    state: Literal["pending", "approved", "declined", "revoked"]
    since: datetime
    ended_at: datetime | None


class VisitView(BaseModel):
    """A home visit."""

    visit: UUID
    squad: str
    purpose: str
    begin: datetime
    end: datetime
    state: Literal["booked", "made", "cancelled"]
    made_at: datetime | None


class CommitmentView(BaseModel):
    """The applicant's commitment to supply papers later."""

    papers: list[str]
    deadline: date
    due_at: datetime
    consequence: Literal["end", "suspend"]
    state: Literal["running", "kept", "broken", "repaired"]
    barred_until: datetime | None


class CustomerView(BaseModel):
    """Whose the water is, as the vault has them, under which contract; ``since``: from when on."""

    subject: UUID
    revision: int
    contract: str | None
    since: datetime


class ClassView(BaseModel):
    """What the water is used for: price class → percent; ``since``: from when on."""

    usage_split: dict[str, int]
    household_size: int | None
    since: datetime


class SupplyPointView(BaseModel):
    """A supply point with water, as it stands now; ``coming``: changes of class that are told already."""

    point: int
    meter: str
    customer: CustomerView
    use: ClassView
    coming: list[ClassView]


class StopView(BaseModel):
    """Why nothing goes on: ended, withdrawn, refused, suspended; ``final``: for good."""

    kind: str
    reason: str
    since: datetime
    final: bool


class ConnectionView(BaseModel):
    """A connection case and what comes next in it. ``step``: 1 apply, sign, pay; 2 install and water on."""

    case_id: UUID
    case_number: str
    version: int
    category: str
    channel: str
    desk: str | None
    owner: str | None
    stage: str
    step: outlook.UserStep
    supply_points: int
    points_on: list[int]
    accounts: list[SupplyPointView]
    received_at: datetime
    notice_at: datetime | None
    admitted_at: datetime | None
    basis: str | None
    documents: list[DocumentView]
    missing: list[str]
    declined_outstanding: bool
    barred: bool
    commitment: CommitmentView | None
    promised_at: datetime | None
    tentative: bool
    gross_minutes: int
    net_minutes: int | None
    working_days_counted: int
    working_days_stood: int
    quote: int | None
    catalogue: str | None
    contract: str | None
    fees: list[FeeView]
    pauses: list[PauseView]
    visits: list[VisitView]
    appearances: int
    stopped: StopView | None
    next_actions: list[NextActionView]
    standard: str


def connection_view(case_id: UUID, case: Connection, version: int, rules: Rules, at: datetime) -> ConnectionView:
    """The case as it stands at ``at``."""
    promised, times = outlook.promised(case, rules), outlook.times(case, rules, at)
    return ConnectionView(
        case_id=case_id,
        case_number=case.number,
        version=version,
        category=case.category,
        channel=case.channel,
        desk=case.desk,
        owner=case.owner,
        stage=outlook.stage(case),
        step=outlook.user_step(case),
        supply_points=case.supply_points,
        points_on=sorted(case.on),
        accounts=[_account(point, case, account, at) for point, account in sorted(case.accounts.items())],
        received_at=case.received_at,
        notice_at=case.notice[0].at if case.notice is not None else None,
        admitted_at=_at(case.admitted),
        basis=case.basis,
        documents=_documents(case, rules),
        missing=list(outlook.lacking(case, rules)),
        declined_outstanding=case.declined_outstanding,
        barred=case.barred,
        commitment=_commitment(case, case.commitment, rules),
        promised_at=promised.at if promised is not None else None,
        tentative=promised.tentative if promised is not None else False,
        gross_minutes=_minutes(times.gross),
        net_minutes=_minutes(times.net) if times.net is not None else None,
        working_days_counted=times.counted,
        working_days_stood=times.stood,
        quote=case.quote.quote if case.quote is not None else None,
        catalogue=case.quote.catalogue if case.quote is not None else None,
        contract=case.contract.contract if case.contract is not None else None,
        fees=_fees(case),
        pauses=_pauses(case),
        visits=_visits(case),
        appearances=len(case.appearances),
        stopped=_stopped(case),
        next_actions=_next_actions(case, rules, at),
        standard=standard_of(case, rules).version,
    )


def _account(point: int, case: Connection, account: Account, at: datetime) -> SupplyPointView:
    customer, use = account.customer_at(at), account.class_at(at)
    return SupplyPointView(
        point=point,
        meter=case.meters[point].number,
        customer=CustomerView(
            subject=customer.subject.id,
            revision=customer.subject.revision,
            contract=customer.contract,
            since=customer.since,
        ),
        use=_class(use),
        coming=[_class(one) for one in account.classes if one.since > max(at, use.since)],
    )


def _class(use: UsageClass) -> ClassView:
    return ClassView(usage_split=dict(use.usage_split), household_size=use.household_size, since=use.since)


def _at(moment: Moment | None) -> datetime | None:
    return outlook.moment_at(moment)


def _minutes(span: timedelta) -> int:
    return int(span / timedelta(minutes=1))


def _documents(case: Connection, rules: Rules) -> list[DocumentView]:
    return [
        DocumentView.model_validate({**asdict(found), "in": found.since is not None})
        for found in outlook.documents(case, rules)
    ]


def _fees(case: Connection) -> list[FeeView]:
    return [
        FeeView(
            fee=line.fee,
            quoted=line.quoted_fen,
            paid=line.paid_fen,
            refunded=line.refunded_fen,
            balance=line.balance_fen,
        )
        for line in outlook.fees(case)
    ]


def _pauses(case: Connection) -> list[PauseView]:
    return [
        PauseView(
            pause=number,
            reason=pause.reason,
            state="revoked"
            if pause.revoked
            else "approved"
            if pause.approved
            else "declined"
            if pause.declined
            else "pending",
            since=pause.since.at,
            ended_at=_at(pause.ended),
        )
        for number, pause in sorted(case.pauses.items())
    ]


def _visits(case: Connection) -> list[VisitView]:
    return [
        VisitView(
            visit=id_,
            squad=visit.squad,
            purpose=visit.purpose,
            begin=visit.begin,
            end=visit.end,
            state="cancelled" if visit.cancelled else "made" if visit.made else "booked",
            made_at=_at(visit.made),
        )
        for id_, visit in sorted(case.visits.items(), key=lambda pair: pair[1].begin)
    ]


def _commitment(case: Connection, commitment: PapersPledge | None, rules: Rules) -> CommitmentView | None:
    due_at = outlook.papers_promised_until(case, rules)
    if commitment is None or due_at is None:
        return None
    broken = commitment.broken
    return CommitmentView(
        papers=list(commitment.promise.papers),
        deadline=commitment.promise.deadline,
        due_at=due_at,
        consequence=commitment.promise.consequence,
        state="repaired"
        if commitment.repaired
        else "broken"
        if broken
        else "kept"
        if papers_in(case) is not None
        else "running",
        barred_until=broken.barred_until if broken is not None and commitment.repaired is None else None,
    )


def _stopped(case: Connection) -> StopView | None:
    stop = case.stopped
    if stop is None:
        return None
    return StopView(kind=stop.kind, reason=stop.reason, since=stop.since.at, final=stop.final)


def _next_actions(case: Connection, rules: Rules, at: datetime) -> list[NextActionView]:
    return [
        NextActionView(action=found.action, role=found.role, roles=list(found.roles))
        for found in outlook.next_actions(case, rules, at)
    ]
