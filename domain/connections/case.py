"""The connection case as its facts have it, and the fold that gets there. A fold never refuses: rules are in the
decisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from domain.connections.facts import (
    ApplicantAppeared,
    ApplicationAdmitted,
    ApplicationReceived,
    ApplicationRefused,
    ApplicationWithdrawn,
    ApprovedOnSite,
    CaseEnded,
    CaseResumed,
    CaseRouted,
    CaseSuspended,
    ConstructionCompleted,
    ConstructionStarted,
    ContractSigned,
    CustomerChanged,
    CustomerRenamed,
    DeliverableReceived,
    DeliverableSent,
    DesignApproved,
    DocumentRejected,
    DocumentSupplied,
    FinalInspectionMade,
    FurtherRequestMade,
    HomeVisitBooked,
    HomeVisitCancelled,
    HomeVisitMade,
    HomeVisitReassigned,
    MeterInstalled,
    MeterReplaced,
    MeterVerified,
    MoneyLine,
    NoticeItem,
    OneTimeNoticeGiven,
    OutstandingDeclined,
    OwnerReplaced,
    PapersCommitmentBroken,
    PapersCommitmentRepaired,
    PapersCommitmentUpheld,
    PaperSent,
    PapersPromised,
    PauseApproved,
    PauseDeclined,
    PauseEnded,
    PauseRequested,
    PauseRevoked,
    PaymentReceived,
    PaymentReversed,
    QuoteIssued,
    RefundMade,
    RefundReversed,
    SupplyPoint,
    SurveyMade,
    UsageClassChanged,
    WaterTurnedOn,
)
from domain.deadlines.windows import WindowFact, WindowLedger, record
from domain.kernel.copies import changed
from domain.kernel.facts import Moment, Recorded
from domain.kernel.frozen import frozen
from domain.kernel.satisfaction import Given, SatisfactionGiven, given
from domain.kernel.subjects import Subject
from domain.metering.meters import MeterDetails


@frozen
class Document:
    """A document of the case: the moments it came in, and those at which it did not do."""

    supplied: tuple[Moment, ...] = ()
    rejected: tuple[Moment, ...] = ()

    @property
    def since(self) -> Moment | None:
        """The first moment since when it has been in, without a rejection after it; None: it is not in."""
        return self.since_by(None)

    def since_by(self, instant: datetime | None) -> Moment | None:
        """The same as it stood at an instant (None: now)."""
        # Of two at one instant the rejection comes later: nobody rejects what is not there yet.
        last = max((m.at for m in self.rejected if instant is None or m.at <= instant), default=None)
        standing = [m for m in self.supplied if (instant is None or m.at <= instant) and (last is None or m.at > last)]
        return min(standing, default=None)


@frozen
class PapersPledge:
    """The applicant's written commitment to supply papers later."""

    made: Moment
    promise: PapersPromised
    broken: PapersCommitmentBroken | None = None
    repaired: Moment | None = None

    def bars(self, at: datetime) -> bool:
        """Whether the person is barred from papers outstanding because of it."""
        return self.broken is not None and self.repaired is None and at < self.broken.barred_until


@frozen
class Pause:
    """One pause. It counts once ``approved`` and while not ``revoked``."""

    reason: str
    since: Moment
    requested_by: str
    approved: Moment | None = None
    declined: bool = False
    ended: Moment | None = None
    revoked: Moment | None = None

    @property
    def is_pending(self) -> bool:
        return self.approved is None and not self.declined

    @property
    def counts(self) -> bool:
        return self.approved is not None and self.revoked is None


@frozen
class Visit:
    """A home visit. ``made``: the squad was there; ``cancelled``: nobody comes."""

    squad: str
    purpose: str
    begin: datetime
    end: datetime
    made: Moment | None = None
    cancelled: bool = False

    @property
    def is_open(self) -> bool:
        return self.made is None and not self.cancelled


@frozen
class Interruption:
    """The case stopped at ``since`` and went on at ``until`` (None: it did not). ``kind``: ended, withdrawn, refused or
    suspended; ``final``: for good."""

    since: Moment
    reason: str
    final: bool
    until: Moment | None = None
    kind: str = "ended"


@frozen
class Payment:
    """One payment or refund by its own number; a reversed one counts nothing."""

    lines: tuple[MoneyLine, ...]
    reversed: bool = False


@frozen
class Customer:
    """Whose a supply point's water is from ``since`` on; ``pseudonym``: theirs across cases, where it is known."""

    since: datetime
    subject: Subject
    pseudonym: UUID | None
    contract: str | None


@frozen
class UsageClass:
    """What a supply point's water is used for from ``since`` on: price class → percent."""

    since: datetime
    usage_split: Mapping[str, int]
    household_size: int | None


@frozen
class Account:
    """A supply point with water as billing keeps it: who the customer was from when on, and what the water is used for,
    each by instant; of two at one instant the one told last is there alone. ``metered``: since when its present meter
    is in."""

    customers: tuple[Customer, ...]
    classes: tuple[UsageClass, ...]
    metered: datetime

    def customer_at(self, at: datetime) -> Customer:
        """The customer at an instant; before the first one, the first."""
        return _in_force(self.customers, at)

    def class_at(self, at: datetime) -> UsageClass:
        """The class of use at an instant; before the first one, the first."""
        return _in_force(self.classes, at)


Dated = TypeVar("Dated", Customer, UsageClass)


def _in_force(dated: tuple[Dated, ...], at: datetime) -> Dated:
    return next((one for one in reversed(dated) if one.since <= at), dated[0])


def _entered(dated: tuple[Dated, ...], new: Dated) -> tuple[Dated, ...]:
    kept = [one for one in dated if one.since != new.since]
    kept.append(new)
    return tuple(sorted(kept, key=lambda one: one.since))


@frozen
class Connection:
    """The application as its facts have it. ``on``: supply point → when water flowed first, and the event.
    ``unpaid``: the stretches during which something of a quote was left to pay. ``accounts``: supply point → what
    billing's account says; ``changes``: how often that was changed. ``papers_sent``: the events whose papers the
    program sent."""

    number: str
    category: str
    supply_points: int
    subject: Subject
    received: Moment
    channel: str
    points: tuple[SupplyPoint, ...] = ()
    applicant: UUID | None = None
    barred: bool = False
    declined_outstanding: bool = False
    district: str | None = None
    desk: str | None = None
    owner: str | None = None
    appearances: tuple[Moment, ...] = ()
    documents: Mapping[str, Document] = field(default_factory=dict)
    notice: tuple[Moment, tuple[NoticeItem, ...]] | None = None
    requests: tuple[Moment, ...] = ()
    commitment: PapersPledge | None = None
    admitted: Moment | None = None
    basis: str | None = None
    outstanding: tuple[str, ...] = ()
    interruptions: tuple[Interruption, ...] = ()
    surveys: tuple[tuple[Moment, SurveyMade], ...] = ()
    design: Moment | None = None
    on_site: Moment | None = None
    construction_started: Moment | None = None
    construction_completed: Moment | None = None
    inspections: tuple[tuple[Moment, bool], ...] = ()
    meters: Mapping[int, MeterDetails] = field(default_factory=dict)
    on: Mapping[int, Moment] = field(default_factory=dict)
    accounts: Mapping[int, Account] = field(default_factory=dict)
    changes: int = 0
    quote: QuoteIssued | None = None
    contract: ContractSigned | None = None
    payments: Mapping[str, Payment] = field(default_factory=dict)
    unpaid: tuple[tuple[Moment, Moment | None], ...] = ()
    refunds: Mapping[str, Payment] = field(default_factory=dict)
    visits: Mapping[UUID, Visit] = field(default_factory=dict)
    sent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    confirmed: frozenset[tuple[str, str]] = frozenset()
    papers_sent: frozenset[UUID] = frozenset()
    pauses: Mapping[int, Pause] = field(default_factory=dict)
    satisfaction: Given = field(default_factory=dict)
    ledger: WindowLedger = field(default_factory=dict)

    @property
    def all_on(self) -> bool:
        return len(self.on) >= self.supply_points

    @property
    def received_at(self) -> datetime:
        return self.received.at

    @property
    def stopped(self) -> Interruption | None:
        """Why nothing goes on at present; None: the case is under way, or done."""
        # One for good outweighs a suspension: who withdraws a suspended case means to end it.
        standing = sorted((stop for stop in self.interruptions if stop.until is None), key=lambda stop: not stop.final)
        return standing[0] if standing else None

    @property
    def feasible(self) -> bool | None:
        """What the last survey found; None before the first."""
        return max(self.surveys, key=lambda survey: survey[0])[1].feasible if self.surveys else None

    @property
    def inspected(self) -> bool:
        """Whether the last final inspection was passed."""
        return bool(self.inspections) and max(self.inspections)[1]

    def has(self, document: str) -> bool:
        """Whether the document is in."""
        return self.supplied_since(document) is not None

    def supplied_since(self, document: str, by: datetime | None = None) -> Moment | None:
        """Since when it has been in, as it stood at the instant ``by`` (None: now); None: it was not in."""
        known = self.documents.get(document)
        return known.since_by(by) if known is not None else None

    def paid_fen(self, fee: str) -> int:
        """What was paid on that line, reversals taken off."""
        return _sum(self.payments, fee)

    def refunded_fen(self, fee: str) -> int:
        """What went back on that line, reversals taken off."""
        return _sum(self.refunds, fee)

    def quoted_fen(self, fee: str) -> int:
        """What the quote in force asks on that line; 0 where it asks nothing."""
        lines = self.quote.lines if self.quote is not None else ()
        return sum(line.amount_fen for line in lines if line.fee == fee)

    def balance_fen(self, fee: str) -> int:
        """Still to be paid on that line; below zero: to be refunded."""
        return self.quoted_fen(fee) - self.paid_fen(fee) + self.refunded_fen(fee)

    @property
    def fees(self) -> tuple[str, ...]:
        """Every line that has a quote or money on it, in alphabetical order."""
        quoted = {line.fee for line in self.quote.lines} if self.quote is not None else set()
        moved = {line.fee for one in (*self.payments.values(), *self.refunds.values()) for line in one.lines}
        return tuple(sorted(quoted | moved))

    @property
    def is_paid(self) -> bool:
        """Whether nothing is left to pay on the quote in force."""
        return self.quote is not None and all(self.balance_fen(fee) <= 0 for fee in self.fees)


def _sum(money: Mapping[str, Payment], fee: str) -> int:
    return sum(line.amount_fen for one in money.values() if not one.reversed for line in one.lines if line.fee == fee)


# ---- the fold

CaseStep = Callable[[Connection, Any, Moment], Connection]


def evolve(case: Connection | None, recorded: Recorded) -> Connection | None:
    """The application after a fact of its stream; never refuses."""
    fact = recorded.fact
    moment = Moment(recorded.happened_at, recorded.event_id)
    if isinstance(fact, ApplicationReceived):
        return _received(fact, moment, recorded.channel)
    if case is None:
        return None
    if isinstance(fact, WindowFact):
        return changed(case, ledger=record(case.ledger, fact))
    if isinstance(fact, PauseRequested):
        pause = Pause(fact.reason, moment, recorded.actor)
        return changed(case, pauses={**case.pauses, fact.pause: pause})
    step = STEPS.get(type(fact))
    return step(case, fact, moment) if step is not None else case


def _received(fact: ApplicationReceived, moment: Moment, channel: str) -> Connection:
    return Connection(
        number=fact.case_number,
        category=fact.category,
        supply_points=fact.supply_points,
        subject=fact.subject,
        received=moment,
        channel=channel,
        points=fact.points,
        applicant=fact.applicant,
        barred=fact.barred,
        declined_outstanding=fact.declined_outstanding,
        district=fact.district,
    )


def _supplied(case: Connection, fact: DocumentSupplied, moment: Moment) -> Connection:
    known = case.documents.get(fact.document, Document())
    after = changed(known, supplied=(*known.supplied, moment))
    return changed(case, documents={**case.documents, fact.document: after})


def _rejected(case: Connection, fact: DocumentRejected, moment: Moment) -> Connection:
    known = case.documents.get(fact.document, Document())
    after = changed(known, rejected=(*known.rejected, moment))
    return changed(case, documents={**case.documents, fact.document: after})


def _admitted(case: Connection, fact: ApplicationAdmitted, moment: Moment) -> Connection:
    return changed(case, admitted=moment, basis=fact.basis, outstanding=fact.outstanding)


def _stop(kind: str, *, final: bool = True) -> CaseStep:
    def step(case: Connection, fact: Any, moment: Moment) -> Connection:
        stop = Interruption(moment, fact.reason, final, kind=kind)
        return changed(case, interruptions=(*case.interruptions, stop))

    return step


def _resumed(case: Connection, fact: CaseResumed, moment: Moment) -> Connection:
    stops = tuple(stop if stop.until else changed(stop, until=moment) for stop in case.interruptions)
    return changed(case, interruptions=stops)


def _commitment(**changes: Callable[[Any, Moment], Any]) -> CaseStep:
    def step(case: Connection, fact: Any, moment: Moment) -> Connection:
        if case.commitment is None:
            return case
        values = {name: value(fact, moment) for name, value in changes.items()}
        return changed(case, commitment=changed(case.commitment, **values))

    return step


def _visit(**changes: Callable[[Any, Moment], Any]) -> CaseStep:
    def step(case: Connection, fact: Any, moment: Moment) -> Connection:
        known = case.visits.get(fact.visit)
        if known is None:
            return case
        values = {name: value(fact, moment) for name, value in changes.items()}
        return changed(case, visits={**case.visits, fact.visit: changed(known, **values)})

    return step


def _booked(case: Connection, fact: HomeVisitBooked, moment: Moment) -> Connection:
    visit = Visit(fact.squad, fact.purpose, fact.begin, fact.end)
    return changed(case, visits={**case.visits, fact.visit: visit})


def _pause(**changes: Callable[[Any, Moment], Any]) -> CaseStep:
    def step(case: Connection, fact: Any, moment: Moment) -> Connection:
        known = case.pauses.get(fact.pause)
        if known is None:
            return case
        values = {name: value(fact, moment) for name, value in changes.items()}
        return changed(case, pauses={**case.pauses, fact.pause: changed(known, **values)})

    return step


def _approved_on_site(case: Connection, fact: ApprovedOnSite, moment: Moment) -> Connection:
    survey = (moment, SurveyMade(feasible=True, findings=()))
    return changed(case, on_site=moment, design=case.design or moment, surveys=(*case.surveys, survey))


def _installed(case: Connection, fact: MeterInstalled | MeterReplaced, moment: Moment) -> Connection:
    known = case.accounts.get(fact.point)
    accounts = {**case.accounts, fact.point: changed(known, metered=moment.at)} if known is not None else case.accounts
    return changed(case, meters={**case.meters, fact.point: fact.meter}, accounts=accounts)


def _verified(case: Connection, fact: MeterVerified, _: Moment) -> Connection:
    meter = case.meters.get(fact.point)
    if meter is None or meter.number != fact.meter:
        return case
    now = changed(meter, verified_on=fact.verified_on, expires_on=fact.expires_on, q3_m3h=fact.q3_m3h)
    return changed(case, meters={**case.meters, fact.point: now})


def _turned_on(case: Connection, fact: WaterTurnedOn, moment: Moment) -> Connection:
    account = Account(
        (Customer(moment.at, fact.subject, case.applicant, fact.contract),),
        (UsageClass(moment.at, fact.usage_split, fact.household_size),),
        moment.at,
    )
    return changed(
        case,
        on={**case.on, fact.point: moment},
        meters={**case.meters, fact.point: fact.meter},
        accounts={**case.accounts, fact.point: account},
    )


def _class_changed(case: Connection, fact: UsageClassChanged, _: Moment) -> Connection:
    def entered(account: Account) -> Account:
        new = UsageClass(fact.effective_at, fact.usage_split, fact.household_size)
        return changed(account, classes=_entered(account.classes, new))

    return _changed_account(case, fact.change, (fact.point,), entered)


def _customer_changed(case: Connection, fact: CustomerChanged, _: Moment) -> Connection:
    def entered(account: Account) -> Account:
        new = Customer(fact.effective_at, fact.subject, fact.customer, fact.contract)
        return changed(account, customers=_entered(account.customers, new))

    return _changed_account(case, fact.change, (fact.point,), entered)


def _customer_renamed(case: Connection, fact: CustomerRenamed, moment: Moment) -> Connection:
    def entered(account: Account) -> Account:
        new = changed(account.customer_at(moment.at), since=moment.at, subject=fact.subject)
        return changed(account, customers=_entered(account.customers, new))

    return _changed_account(case, fact.change, fact.points, entered)


def _changed_account(
    case: Connection, change: int, points: tuple[int, ...], entered: Callable[[Account], Account]
) -> Connection:
    changed_ones = {point: entered(case.accounts[point]) for point in points if point in case.accounts}
    return changed(case, accounts={**case.accounts, **changed_ones}, changes=max(case.changes, change))


def _paper_sent(case: Connection, fact: PaperSent, _: Moment) -> Connection:
    return changed(case, papers_sent=case.papers_sent | {fact.event_id})


def _sent(case: Connection, fact: DeliverableSent, moment: Moment) -> Connection:
    digests = (*case.sent.get(fact.deliverable, ()), fact.digest)
    return changed(case, sent={**case.sent, fact.deliverable: digests})


def _first(known: Moment | None, moment: Moment) -> Moment:
    return moment if known is None else min(known, moment)


def _reversed(money: Mapping[str, Payment], number: str) -> Mapping[str, Payment]:
    return {**money, number: changed(money[number], reversed=True)} if number in money else money


def _waiting(step: CaseStep) -> CaseStep:
    """The step, and whether something is left to pay since then."""

    def both(case: Connection, fact: Any, moment: Moment) -> Connection:
        after = step(case, fact, moment)
        waits = bool(after.unpaid) and after.unpaid[-1][1] is None
        if waits == (after.quote is not None and not after.is_paid):
            return after
        if waits:
            return changed(after, unpaid=(*after.unpaid[:-1], (after.unpaid[-1][0], moment)))
        return changed(after, unpaid=(*after.unpaid, (moment, None)))

    return both


STEPS: Mapping[type, CaseStep] = {
    CaseRouted: lambda case, fact, _: changed(case, desk=fact.desk, owner=fact.owner),
    OwnerReplaced: lambda case, fact, _: changed(case, owner=fact.owner),
    ApplicantAppeared: lambda case, _, moment: changed(case, appearances=(*case.appearances, moment)),
    ApplicationWithdrawn: _stop("withdrawn"),
    ApplicationRefused: _stop("refused"),
    CaseEnded: _stop("ended"),
    CaseSuspended: _stop("suspended", final=False),
    CaseResumed: _resumed,
    DocumentSupplied: _supplied,
    DocumentRejected: _rejected,
    OneTimeNoticeGiven: lambda case, fact, moment: changed(case, notice=case.notice or (moment, fact.items)),
    FurtherRequestMade: lambda case, _, moment: changed(case, requests=(*case.requests, moment)),
    # A promise is only ever taken from somebody who is not barred, or not any longer.
    PapersPromised: lambda c, fact, moment: changed(c, commitment=PapersPledge(moment, fact), barred=False),
    OutstandingDeclined: lambda case, _fact, _moment: changed(case, declined_outstanding=True),
    PapersCommitmentBroken: _commitment(broken=lambda fact, _: fact),
    PapersCommitmentUpheld: _commitment(broken=lambda _fact, _moment: None),
    PapersCommitmentRepaired: _commitment(repaired=lambda _, moment: moment),
    ApplicationAdmitted: _admitted,
    SurveyMade: lambda case, fact, moment: changed(case, surveys=(*case.surveys, (moment, fact))),
    DesignApproved: lambda case, _, moment: changed(case, design=_first(case.design, moment)),
    ApprovedOnSite: _approved_on_site,
    ConstructionStarted: lambda c, _, moment: changed(c, construction_started=_first(c.construction_started, moment)),
    ConstructionCompleted: lambda case, _, moment: changed(case, construction_completed=moment),
    FinalInspectionMade: lambda c, fact, moment: changed(c, inspections=(*c.inspections, (moment, fact.passed))),
    MeterInstalled: _installed,
    MeterReplaced: _installed,
    MeterVerified: _verified,
    WaterTurnedOn: _turned_on,
    UsageClassChanged: _class_changed,
    CustomerChanged: _customer_changed,
    CustomerRenamed: _customer_renamed,
    QuoteIssued: _waiting(lambda case, fact, _: changed(case, quote=fact)),
    ContractSigned: lambda case, fact, _: changed(case, contract=fact),
    PaymentReceived: _waiting(
        lambda c, fact, _: changed(c, payments={**c.payments, fact.payment: Payment(fact.lines)})
    ),
    PaymentReversed: _waiting(lambda case, fact, _: changed(case, payments=_reversed(case.payments, fact.payment))),
    RefundMade: lambda case, fact, _: changed(case, refunds={**case.refunds, fact.refund: Payment(fact.lines)}),
    RefundReversed: lambda case, fact, _: changed(case, refunds=_reversed(case.refunds, fact.refund)),
    HomeVisitBooked: _booked,
    HomeVisitReassigned: _visit(
        squad=lambda fact, _: fact.squad, begin=lambda fact, _: fact.begin, end=lambda fact, _: fact.end
    ),
    HomeVisitMade: _visit(made=lambda _, moment: moment),
    HomeVisitCancelled: _visit(cancelled=lambda _fact, _moment: True),
    DeliverableSent: _sent,
    PaperSent: _paper_sent,
    DeliverableReceived: lambda c, fact, _: changed(c, confirmed=c.confirmed | {(fact.deliverable, fact.digest)}),
    PauseApproved: _pause(approved=lambda _, moment: moment),
    PauseDeclined: _pause(declined=lambda _fact, _moment: True),
    PauseEnded: _pause(ended=lambda _, moment: moment),
    PauseRevoked: _pause(revoked=lambda _, moment: moment),
    SatisfactionGiven: lambda c, fact, moment: changed(c, satisfaction=given(c.satisfaction, fact, moment.at)),
}
"""What each fact changes. One that is not here leaves the case as it is: it is on record and changes nothing."""
