"""How a connection case stands, as an answer. Nobody's particulars are in it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.http import described
from domain.connections import outlook
from domain.connections.case import Account, Connection, PapersPledge, UsageClass
from domain.connections.promises import papers_in, standard_of
from domain.kernel.facts import Moment
from domain.standard.standards import Rules


class DocumentView(BaseModel):
    """A document that the applicant owes; ``since``: when it came in."""

    code: Annotated[str, Field(description="Code of the document.")]
    name_zh: described.ChineseName
    main: Annotated[bool, Field(description="Whether nothing can be admitted without it.")]
    # `in` in JSON; here it is a word of the language.
    is_in: bool = Field(alias="in", description="Whether it is in.")
    since: Annotated[datetime | None, Field(description="When it came in; null while it is not in.")]


class FeeView(BaseModel):
    """One line of money, in fen (分). ``balance``: still to be paid; below zero: to be refunded."""

    fee: Annotated[str, Field(description="Code of the fee.")]
    quoted: Annotated[int, Field(description="What was quoted, in fen.")]
    paid: Annotated[int, Field(description="What was paid, in fen, reversals taken off.")]
    refunded: Annotated[int, Field(description="What was refunded, in fen, reversals taken off.")]
    balance: Annotated[int, Field(description="What is still to be paid, in fen; below zero: to be refunded.")]


class TurnView(BaseModel):
    """For whom a case waits, and what the clock of its working days does meanwhile."""

    whose: Annotated[
        Literal["applicant", "utility"],
        Field(description="`applicant`: the utility can do nothing more without them; `utility`: it can."),
    ]
    clock: Annotated[
        Literal["runs", "stands", "none"],
        Field(
            description="`runs`; `stands`: today does not count, for a pause or a stage that the standard does not "
            "count; `none`: nothing is promised until the applicant has done what the notice asked for."
        ),
    ]


class NextActionView(BaseModel):
    """What can be done next, as the power it needs; by whom first of all, and by whom else."""

    action: str = Field(
        examples=["sign-contract"],
        description="What can be done next, as the power that it needs, without its kind of case.",
    )
    role: Annotated[
        str, Field(description="Role whose it is first of all; empty where only the public or nobody has the power.")
    ]
    roles: Annotated[list[str], Field(description="Every role that may do it, the first one among them.")]


class PauseView(BaseModel):
    """A pause; the clock stands while it is approved and not revoked."""

    pause: Annotated[int, Field(description="Number of the pause in its case, from 1.")]
    reason: Annotated[str, Field(description="Why, as a code of the standard.")]
    state: Annotated[
        Literal["pending", "approved", "declined", "revoked"],
        Field(
            description=(
                "Whether a second person has yet to decide on it, approved it, declined it, or it was "
                "revoked afterwards."
            )
        ),
    ]
    since: Annotated[datetime, Field(description="From when on the clock stands.")]
    ended_at: Annotated[datetime | None, Field(description="When the pause ended; null while it lasts.")]


class VisitView(BaseModel):
    """A home visit."""

    visit: Annotated[UUID, Field(description="Id of the visit.")]
    squad: Annotated[str, Field(description="Code of the squad.")]
    purpose: Annotated[str, Field(description="What the squad comes for, as a code of the standard.")]
    begin: Annotated[datetime, Field(description="Beginning of the time in which the squad comes.")]
    end: Annotated[datetime, Field(description="End of the time in which the squad comes.")]
    state: Annotated[
        Literal["booked", "made", "cancelled"],
        Field(description="Whether the visit is booked, was made, or was cancelled."),
    ]
    made_at: Annotated[datetime | None, Field(description="When the squad was there; null while it was not.")]


class CommitmentView(BaseModel):
    """The applicant's commitment to supply papers later."""

    papers: Annotated[list[str], Field(description="Codes of the papers that are supplied later.")]
    deadline: Annotated[date, Field(description="Day by which the papers are there.")]
    due_at: Annotated[datetime, Field(description="Instant at which the deadline ends.")]
    consequence: Annotated[
        Literal["end", "suspend"],
        Field(description="What happens where they are not: the case ends, or it is suspended."),
    ]
    state: Annotated[
        Literal["running", "kept", "broken", "repaired"],
        Field(description="Whether the promise runs, was kept, was broken, or was broken and made good."),
    ]
    barred_until: Annotated[
        datetime | None,
        Field(description="Until when the applicant may not promise papers again; null where nothing bars them."),
    ]


class CustomerView(BaseModel):
    """Whose the water is, as the vault has them, under which contract; ``since``: from when on."""

    subject: Annotated[
        UUID, Field(description="Id of the customer in the vault; the particulars themselves are in no event.")
    ]
    revision: Annotated[int, Field(description="Revision of the customer's particulars in the vault.")]
    contract: Annotated[str | None, Field(description="Number of the contract; null where there is none yet.")]
    since: Annotated[datetime, Field(description="From when on it is the customer.")]


class ClassView(BaseModel):
    """What the water is used for: price class → percent; ``since``: from when on."""

    usage_split: Annotated[
        dict[str, int], Field(description="Price class → percent of the use; the percents sum to 100.")
    ]
    household_size: Annotated[
        int | None, Field(description="Persons in the household; null where it is no household or is not known.")
    ]
    since: Annotated[datetime, Field(description="From when on it holds.")]


class SupplyPointView(BaseModel):
    """A supply point with water, as it stands now; ``coming``: changes of class that are told already."""

    point: Annotated[int, Field(description="Number of the supply point in its case, from 1.")]
    meter: Annotated[str, Field(description="Number of the meter that is in.")]
    customer: Annotated[CustomerView, Field(description="Whose the water is now.")]
    use: Annotated[ClassView, Field(description="What the water is used for now.")]
    coming: Annotated[list[ClassView], Field(description="Changes of class that are told already and do not hold yet.")]


class StopView(BaseModel):
    """Why nothing goes on: ended, withdrawn, refused, suspended; ``final``: for good."""

    kind: Annotated[str, Field(description="How it stopped: ended, withdrawn, refused or suspended.")]
    reason: Annotated[str, Field(description="Why, as a code.")]
    since: Annotated[datetime, Field(description="When it stopped.")]
    final: Annotated[bool, Field(description="Whether it is for good.")]


class ConnectionView(BaseModel):
    """A connection case and what comes next in it. ``step``: 1 apply, sign, pay; 2 install and water on."""

    case_id: described.CaseId
    case_number: described.CaseNumber
    version: Annotated[int, Field(description="Version of the case: how many events it has.")]
    category: Annotated[str, Field(description="Category of the applicant, as a code of the standard.")]
    channel: Annotated[str, Field(description="The channel over which it was applied for, as a code of the standard.")]
    desk: Annotated[str | None, Field(description="Code of the desk; null where no desk has it.")]
    owner: Annotated[str | None, Field(description="Actor id of who answers for the case; null where nobody does yet.")]
    stage: described.Stage
    step: Annotated[
        outlook.UserStep,
        Field(
            description=(
                "The step that the applicant sees: 1 apply, sign and pay, 2 install and water on; or done, or stopped."
            )
        ),
    ]
    supply_points: Annotated[int, Field(description="How many places want water.")]
    points_on: Annotated[list[int], Field(description="Numbers of the supply points with water.")]
    accounts: Annotated[list[SupplyPointView], Field(description="The supply points with water, as they stand now.")]
    received_at: Annotated[datetime, Field(description="When the application was received.")]
    notice_at: Annotated[datetime | None, Field(description="When the one-time notice was given; null where none was.")]
    admitted_at: Annotated[datetime | None, Field(description="When it was admitted; null while it is not.")]
    basis: Annotated[
        str | None,
        Field(
            description=(
                "Why it is admitted: the office, complete papers, papers outstanding, or silence; null while it is not."
            )
        ),
    ]
    documents: Annotated[
        list[DocumentView], Field(description="Every document that the applicant owes, in the standard's order.")
    ]
    missing: Annotated[list[str], Field(description="Codes of the documents that are not in.")]
    declined_outstanding: Annotated[bool, Field(description="Whether the applicant wants no papers outstanding.")]
    barred: Annotated[
        bool, Field(description="Whether a broken promise of papers bars the applicant from promising papers again.")
    ]
    commitment: Annotated[
        CommitmentView | None,
        Field(description="The applicant's promise to supply papers later; null where none was made."),
    ]
    promised_at: Annotated[
        datetime | None,
        Field(
            description=(
                "Until when water is promised; null where the case stopped, or waits for papers after its notice."
            )
        ),
    ]
    tentative: Annotated[
        bool, Field(description="Whether the promised end follows a calendar that is not published yet.")
    ]
    gross_minutes: Annotated[int, Field(description="Minutes from receipt until water is on everywhere, or until now.")]
    net_minutes: Annotated[
        int | None,
        Field(
            description=(
                "Minutes from admission until water is on everywhere, or until now, without the pauses "
                "that count; null before admission."
            )
        ),
    ]
    working_days_counted: Annotated[int, Field(description="Working days of the limit that have counted so far.")]
    working_days_stood: Annotated[
        int, Field(description="Working days of the limit during which the clock has stood so far.")
    ]
    quote: Annotated[
        int | None, Field(description="Number of the quote in its case, from 1; null where there is none.")
    ]
    catalogue: Annotated[
        str | None,
        Field(description="Version of the fee catalogue that the quote follows; null where there is no quote."),
    ]
    contract: Annotated[str | None, Field(description="Number of the contract; null where there is none yet.")]
    fees: Annotated[list[FeeView], Field(description="Every line that has a quote or money on it.")]
    pauses: Annotated[list[PauseView], Field(description="The pauses, in order of their numbers.")]
    visits: Annotated[list[VisitView], Field(description="The home visits, in order of their beginnings.")]
    appearances: Annotated[int, Field(description="How often the applicant had to come in person.")]
    stopped: Annotated[StopView | None, Field(description="Why nothing goes on; null where it does.")]
    next_actions: Annotated[list[NextActionView], Field(description="What can be done next.")]
    turn: Annotated[
        TurnView | None,
        Field(description="For whom the case waits; null where it stopped or every supply point has water."),
    ]
    standard: Annotated[str, Field(description="Version of the standard that the case follows.")]


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
        turn=_turn(case, rules, at),
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


def _turn(case: Connection, rules: Rules, at: datetime) -> TurnView | None:
    found = outlook.turn(case, rules, at)
    return TurnView(whose=found.whose, clock=found.clock) if found is not None else None


def _next_actions(case: Connection, rules: Rules, at: datetime) -> list[NextActionView]:
    return [
        NextActionView(action=found.action, role=found.role, roles=list(found.roles))
        for found in outlook.next_actions(case, rules, at)
    ]
