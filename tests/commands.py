"""Commands for tests, sent straight to the store: whole cases in a line or two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from domain import kinds
from domain.connections import charges, intake, site
from domain.connections.case import Connection
from domain.connections.facts import MoneyLine
from domain.kernel.facts import EventToAppend, Fact
from domain.metering import meters as usage
from domain.repairs import answers, field, reports
from domain.repairs import dispatch as repair_dispatch
from domain.repairs import severity as repair_severity
from domain.repairs.case import Repair
from domain.repairs.facts import ArrivalEvidence, SuppliedEvidence
from domain.standard.context import CommandContext, Person
from infra.eventstore.commands import Command, Receipt, Snapshot, Stamp, Stream, StreamEvent
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import meter_stream
from tests.unit.cases import ON_SITE, SUBJECT, meter


def stamp(channel: str = "crew-phone", role: str = "crew") -> Stamp:
    return Stamp(f"{role}-1", role, channel, str(uuid4()), "test")


class Incident:
    """A repair case on a real store."""

    def __init__(self, service: Service, *, district: str = "qianzhou") -> None:
        self.service = service
        self.stream = Stream(kinds.REPAIR, uuid4())
        self.receipt = self._run(
            lambda case, ctx: reports.report_fault(
                case, ctx, case_number="BX-1", kind="leak", district_code=district, subject=SUBJECT
            )
        )

    @property
    def case_id(self) -> UUID:
        return self.stream.id

    def dispatch(self, crew: str = "crew-1") -> Receipt:
        return self._run(lambda case, ctx: repair_dispatch.dispatch(case, ctx, crew=crew), role="dispatcher")

    def arrive(
        self, at: datetime | None = None, crew: str = "crew-1", evidence: ArrivalEvidence | None = ON_SITE
    ) -> Receipt:
        return self._run(lambda case, ctx: field.arrive(case, ctx, crew=crew, evidence=evidence), at)

    def supply_evidence(self) -> Receipt:
        """A photo, for the arrival that was told first. Refused where none was."""
        photo = SuppliedEvidence(None, None, None, DIGEST)

        def supply(case: Repair, ctx: CommandContext) -> Fact:
            told = next((moment.by for moment in case.arrived), self.case_id)
            return field.supply_evidence(case, ctx, arrival=told, evidence=photo)

        return self._run(supply)

    def assess(self, severity: Any, at: datetime | None = None) -> Receipt:
        return self._run(lambda case, ctx: repair_severity.assess(case, ctx, severity=severity, reason="seen"), at)

    def complete(self, at: datetime | None = None) -> Receipt:
        return self._run(field.complete, at)

    def answer(self) -> Receipt:
        return self._run(
            lambda case, ctx: answers.answer_reporter(case, ctx, report=1, way="phone", digest=None), role="hotline"
        )

    def close(self) -> Receipt:
        return self._run(field.close, role="dispatcher")

    def _run(
        self, decision: Callable[[Any, CommandContext], Fact], at: datetime | None = None, role: str = "crew"
    ) -> Receipt:
        def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
            happened_at = at or snapshot.at
            ctx = CommandContext(happened_at, snapshot.at, "crew-phone", snapshot.rules, Person(f"{role}-1", role))
            return [(self.stream, EventToAppend(decision(snapshot.of(self.stream), ctx), happened_at))]

        return self.service.run(Command(self.stream, stamp(), decide))


class Application:
    """A connection case on a real store: received with both papers and so admitted, and on to water."""

    def __init__(self, service: Service, *, points: int = 1) -> None:
        self.service = service
        self.stream = Stream(kinds.CONNECTION, uuid4())
        form = intake.Form("private", points, SUBJECT, documents=PAPERS)
        self.say("counter", lambda case, ctx: intake.receive(case, ctx, case_number="BZ-1", form=form, turn=1))

    def ready(self) -> Application:
        """Surveyed, designed, quoted, contracted, paid, built and inspected: all but the meters."""
        for role, decision in STEPS_TO_WATER:
            self.say(role, decision)
        return self

    def turn_on(self, point: int, number: str) -> Receipt:
        """Water on behind a new meter, after all that comes before it."""
        if self.state.construction_started is None:
            self.ready()
        other = meter_stream(number)

        def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
            ctx = _told(snapshot, "crew")
            facts = site.turn_water_on(snapshot.of(self.stream), ctx, point=point, meter=meter(number))
            taken = usage.put_into_service(snapshot.of(other), number=number, case_id=self.stream.id, point=point)
            return [
                *((self.stream, EventToAppend(fact, snapshot.at)) for fact in facts),
                (other, EventToAppend(taken, snapshot.at)),
            ]

        return self.service.run(Command(self.stream, stamp("office", "crew"), decide, others=(other,)))

    @property
    def state(self) -> Connection:
        case: Connection = self.service.load(self.stream)[0]
        return case

    def say(self, role: str, decision: Callable[[Any, CommandContext], Fact], at: datetime | None = None) -> Receipt:
        """A decision by somebody in that role; what it gives happened ``at`` (default: now)."""

        def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
            ctx = _told(snapshot, role, at)
            facts = decision(snapshot.of(self.stream), ctx)
            listed = facts if isinstance(facts, tuple) else (facts,)
            return [(self.stream, EventToAppend(fact, ctx.happened_at)) for fact in listed]

        return self.service.run(Command(self.stream, stamp("office", role), decide))


DIGEST = "sha256:" + "0" * 64
PAPERS = (intake.Supplied("identity", "verified"), intake.Supplied("property-right", "upload", DIGEST))
"""Both documents of a private applicant."""
LINES = (("water-loss", Decimal(1)), ("installation", Decimal(10)))
MONEY = (MoneyLine("water-loss", 6000), MoneyLine("installation", 128_500))
STEPS_TO_WATER: tuple[tuple[str, Callable[[Any, CommandContext], Fact]], ...] = (
    ("squad", lambda case, ctx: site.survey(case, ctx, feasible=True, findings=())),
    ("squad", lambda case, ctx: site.design(case, ctx, drawing_digest=DIGEST)),
    ("squad", lambda case, ctx: charges.issue_quote(case, ctx, lines=LINES)),
    ("counter", lambda case, ctx: charges.sign_contract(case, ctx, contract="HT-1", digest=DIGEST)),
    ("cashier", lambda case, ctx: charges.pay(case, ctx, payment="PAY-1", lines=MONEY)),
    ("crew", lambda case, ctx: site.start_construction(case, ctx, crew="crew-1")),
    ("crew", site.complete_construction),
    ("inspector", lambda case, ctx: site.inspect(case, ctx, passed=True, defects=())),
)
"""What lies between an application of a private person with all papers and its meters: role and decision."""


def _told(snapshot: Snapshot, role: str, at: datetime | None = None) -> CommandContext:
    by = Person(f"{role}-1", role)
    if role == "cashier":
        return CommandContext(
            at or snapshot.at, snapshot.at, "office", snapshot.rules, by, "manager-1", confirmed_role="manager"
        )
    return CommandContext(at or snapshot.at, snapshot.at, "office", snapshot.rules, by)


def ask(service: Service, stream: Stream) -> Receipt:
    """Ask the domain about a case, as the watch does."""
    return service.run(Command(stream, stamp("system"), decide=lambda snapshot: ()))
