"""Whole applications said straight to a store, fact by fact: for tests of what is counted from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4, uuid5

from domain import kinds
from domain.connections.consultations import ConsultationGiven
from domain.connections.facts import (
    ApplicantAppeared,
    ApplicationReceived,
    ApplicationWithdrawn,
    CaseRouted,
    ChargeRefused,
    ConstructionCompleted,
    ConstructionStarted,
    ContractSigned,
    DeliverableSent,
    DesignApproved,
    DocumentSupplied,
    FinalInspectionMade,
    FurtherRequestRefused,
    HomeVisitBooked,
    HomeVisitCancelled,
    HomeVisitMade,
    HomeVisitReassigned,
    MoneyLine,
    NoticeItem,
    OneTimeNoticeGiven,
    PapersPromised,
    PauseApproved,
    PauseDeclined,
    PauseEnded,
    PauseRequested,
    PauseRevoked,
    PaymentReceived,
    PaymentReversed,
    QuoteIssued,
    QuoteLine,
    RefundMade,
    RefundReversed,
    SurveyMade,
    WaterTurnedOn,
)
from domain.connections.preservice import PreServiceGiven, PreServiceRequested
from domain.kernel.facts import EventToAppend, Fact
from domain.publication.works import WorkCompleted, WorkRegistered, WorkStarted
from infra.clock import ManualClock
from infra.eventstore.commands import Command, Snapshot, Stamp, Stream, StreamEvent
from infra.eventstore.service import Service
from tests.unit.cases import SUBJECT, meter

DIGEST = "sha256:" + "0" * 64
LINES = (QuoteLine("water-loss", Decimal(1), 6_000), QuoteLine("installation", Decimal("12.5"), 160_625))


class Told:
    """One application on a store. Facts happen when the clock says so."""

    def __init__(
        self, service: Service, *, category: str = "private", channel: str = "website", points: int = 1
    ) -> None:
        self.service = service
        self.channel = channel
        self.stream = Stream(kinds.CONNECTION, uuid4())
        number = f"BZ-{self.stream.id.hex[:8]}"
        self.say(ApplicationReceived(number, category, points, SUBJECT), CaseRouted("household", "owner-1"))

    @property
    def case_id(self) -> UUID:
        return self.stream.id

    def say(self, *facts: Fact, at: datetime | None = None, actor: str = "owner-1", role: str = "case-owner") -> None:
        def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
            return [(self.stream, EventToAppend(fact, at or snapshot.at)) for fact in facts]

        stamp = Stamp(actor, role, self.channel, str(uuid4()), "test")
        self.service.run(Command(self.stream, stamp, decide))

    def supply(self, *documents: str) -> None:
        self.say(*(DocumentSupplied(document, "upload", DIGEST) for document in documents))

    def to_the_last_step(self) -> None:
        """Survey to final inspection, quote and payment included."""
        self.say(SurveyMade(True, ()), DesignApproved(DIGEST), QuoteIssued(1, "2021-1", "person", LINES))
        self.say(ContractSigned("HT-1", 1, DIGEST), self.payment("P-1"))
        self.say(ConstructionStarted("crew-1"), ConstructionCompleted(), FinalInspectionMade(True, ()))

    def turn_on(self, *points: int) -> None:
        self.say(*(WaterTurnedOn(point, SUBJECT, meter(f"M-{self.case_id.hex[:6]}-{point}")) for point in points))

    def payment(self, number: str) -> PaymentReceived:
        return PaymentReceived(number, tuple(MoneyLine(line.fee, line.amount_fen) for line in LINES))

    def visit(self, number: int) -> UUID:
        return uuid5(self.case_id, f"visit {number}")


def in_time(service: Service, clock: ManualClock) -> Told:
    """Online, everything in, on within two days; a banned charge was refused."""
    case = Told(service)
    case.supply("identity", "property-right")
    clock.move(timedelta(hours=2))
    case.to_the_last_step()
    case.say(ChargeRefused("account-opening", "开户费", "banned-charge", 5_000, "2021-1"), actor="counter-1")
    case.say(DeliverableSent("invoice", "email", DIGEST))
    clock.move(timedelta(days=1))
    case.turn_on(1)
    return case


def outstanding_at_home(service: Service, clock: ManualClock) -> Told:
    """At the counter with one paper outstanding, kept at home; two points; a pause, and one that was declined."""
    case = Told(service, channel="counter", points=2)
    case.supply("identity")
    case.say(ApplicantAppeared("counter", "application"))
    case.say(PapersPromised(("property-right",), date(2026, 9, 21), "end", DIGEST))
    begin = clock.now() + timedelta(hours=20)
    case.say(HomeVisitBooked(case.visit(1), "squad-1", "papers", begin, begin + timedelta(hours=1)))
    case.say(HomeVisitReassigned(case.visit(1), "squad-2", begin, begin + timedelta(hours=1)))
    case.say(HomeVisitBooked(case.visit(2), "squad-3", "survey", begin, begin + timedelta(hours=1)))
    case.say(HomeVisitCancelled(case.visit(2), "applicant-defers"))
    case.say(PauseRequested(1, "government-permit", DIGEST), actor="squad-1")
    case.say(PauseApproved(1), actor="manager-1")
    case.say(PauseRequested(2, "site-not-ready", DIGEST), PauseDeclined(2))
    clock.move(timedelta(hours=21))
    case.say(HomeVisitMade(case.visit(1), "squad-2", ("property-right",)), actor="squad-2", role="squad")
    case.supply("property-right")
    case.say(PauseEnded(1))
    case.to_the_last_step()
    case.turn_on(1)
    clock.move(timedelta(hours=2))
    case.turn_on(2)
    return case


def paper_not_kept(service: Service, clock: ManualClock) -> Told:
    """Over the hotline with a paper outstanding that never came: the case ends at the close of its day."""
    case = Told(service, channel="hotline")
    case.supply("identity")
    case.say(PapersPromised(("property-right",), date(2026, 9, 18), "end", DIGEST))
    return case


def withdrawn(service: Service, clock: ManualClock) -> Told:
    """At the counter twice, paid, reversed, paid again, refunded; a notice that was to be widened; then withdrawn."""
    case = Told(service, category="business", channel="counter")
    items = (NoticeItem("licence", "missing"), NoticeItem("design-drawings", "missing"))
    case.say(OneTimeNoticeGiven(items), ApplicantAppeared("counter", "application"))
    case.say(FurtherRequestRefused((NoticeItem("licence", "not-stamped"),)), actor="counter-2", role="counter")
    clock.move(timedelta(minutes=30))
    case.say(ApplicantAppeared("counter", "papers"))
    case.say(QuoteIssued(1, "2021-1", "company", LINES), case.payment("P-7"), PaymentReversed("P-7", "bounced"))
    case.say(case.payment("P-8"), RefundMade("R-1", (MoneyLine("water-loss", 6_000),)), RefundReversed("R-1", "error"))
    case.say(RefundMade("R-2", (MoneyLine("installation", 160_625),)), ApplicationWithdrawn("other-source"))
    return case


def late(service: Service, clock: ManualClock) -> Told:
    """On after its day, with a pause that was approved and revoked."""
    case = Told(service, category="institution", channel="platform")
    case.supply("licence", "design-drawings")
    case.say(PauseRequested(1, "site-not-ready", DIGEST))
    case.say(PauseApproved(1), PauseEnded(1), PauseRevoked(1, "not-a-reason"), actor="manager-1")
    return case


def besides(service: Service, clock: ManualClock) -> None:
    """A consultation, a service before building that was given twice, one that was not, a work done and one begun."""
    consultation, given, asked, done, begun = (uuid4() for _ in range(5))
    say(service, Stream(kinds.CONSULTATION, consultation), ConsultationGiven("ZX-1", "technical"))
    for stream, number in ((given, "QZ-1"), (asked, "QZ-2")):
        fact = PreServiceRequested(number, "pipe-information", "business", SUBJECT)
        say(service, Stream(kinds.PRESERVICE, stream), fact)
    clock.move(timedelta(minutes=1))
    for deliverable in ("drawings", "plan"):
        say(service, Stream(kinds.PRESERVICE, given), PreServiceGiven(deliverable, DIGEST))
    for stream, number in ((done, "GC-1"), (begun, "GC-2")):
        work = Stream(kinds.WORK, stream)
        say(service, work, WorkRegistered(number, "pump-room", "wuling", "武陵社区加压泵房"), WorkStarted())
    say(service, Stream(kinds.WORK, done), WorkCompleted(356))


def say(service: Service, stream: Stream, *facts: Fact) -> None:
    """Facts straight into a stream."""

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        return [(stream, EventToAppend(fact, snapshot.at)) for fact in facts]

    service.run(Command(stream, Stamp("manager-1", "manager", "office", str(uuid4()), "test"), decide))


Maker = Callable[[Service, ManualClock], Told]
MAKERS: tuple[Maker, ...] = (in_time, outstanding_at_home, paper_not_kept, withdrawn, late)


def tell_all(service: Service, clock: ManualClock) -> dict[str, Told]:
    """One of each; by the end nine days have passed and every limit was asked about."""
    told = {maker.__name__: maker(service, clock) for maker in MAKERS}
    besides(service, clock)
    clock.move(timedelta(days=9))
    for case in told.values():
        case.say()
    told["late"].to_the_last_step()
    told["late"].turn_on(1)
    return told
