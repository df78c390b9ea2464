"""Commands for tests, sent straight to the store: whole cases in a line or two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from domain import kinds
from domain import repairs as repair
from domain.connections import charges, intake, site
from domain.connections.case import Connection
from domain.connections.facts import MoneyLine
from domain.kernel.facts import Fact, Stated
from domain.metering import meters as usage
from domain.standard.context import Person, Told
from infra.eventstore.commands import Command, Receipt, Said, Sight, Stamp, Stream
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import meter_stream
from tests.unit.cases import SUBJECT, meter


def stamp(channel: str = "crew-phone", role: str = "crew") -> Stamp:
    return Stamp(f"{role}-1", role, channel, str(uuid4()), "test")


class Incident:
    """A repair case on a real store."""

    def __init__(self, service: Service, *, district: str = "qianzhou") -> None:
        self.service = service
        self.stream = Stream(kinds.REPAIR, uuid4())
        self.receipt = self._run(
            lambda case, told: repair.report_fault(
                case, told, case_number="BX-1", kind="leak", district_code=district, subject=SUBJECT
            )
        )

    @property
    def case_id(self) -> UUID:
        return self.stream.id

    def dispatch(self, crew: str = "crew-1") -> Receipt:
        return self._run(lambda case, told: repair.dispatch(case, told, crew=crew), role="dispatcher")

    def arrive(self, at: datetime | None = None, crew: str = "crew-1") -> Receipt:
        return self._run(lambda case, told: repair.arrive(case, told, crew=crew, evidence=None), at)

    def assess(self, severity: Any, at: datetime | None = None) -> Receipt:
        return self._run(lambda case, told: repair.assess(case, told, severity=severity, reason="seen"), at)

    def complete(self, at: datetime | None = None) -> Receipt:
        return self._run(repair.complete, at)

    def answer(self) -> Receipt:
        return self._run(
            lambda case, told: repair.answer_reporter(case, told, report=1, way="phone", digest=None), role="hotline"
        )

    def close(self) -> Receipt:
        return self._run(repair.close, role="dispatcher")

    def _run(self, decision: Callable[[Any, Told], Fact], at: datetime | None = None, role: str = "crew") -> Receipt:
        def decide(sight: Sight) -> Sequence[Said]:
            happened_at = at or sight.at
            told = Told(happened_at, sight.at, "crew-phone", sight.rules, Person(f"{role}-1", role))
            return [(self.stream, Stated(decision(sight.of(self.stream), told), happened_at))]

        return self.service.run(Command(self.stream, stamp(), decide))


class Application:
    """A connection case on a real store: received with both papers and so admitted, and on to water."""

    def __init__(self, service: Service, *, points: int = 1) -> None:
        self.service = service
        self.stream = Stream(kinds.CONNECTION, uuid4())
        form = intake.Form("private", points, SUBJECT, documents=PAPERS)
        self.say("counter", lambda case, told: intake.receive(case, told, case_number="BZ-1", form=form))

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

        def decide(sight: Sight) -> Sequence[Said]:
            told = _told(sight, "crew")
            facts = site.turn_water_on(sight.of(self.stream), told, point=point, meter=meter(number))
            taken = usage.put_into_service(sight.of(other), number=number, case_id=self.stream.id, point=point)
            return [*((self.stream, Stated(fact, sight.at)) for fact in facts), (other, Stated(taken, sight.at))]

        return self.service.run(Command(self.stream, stamp("office", "crew"), decide, others=(other,)))

    @property
    def state(self) -> Connection:
        case: Connection = self.service.load(self.stream)[0]
        return case

    def say(self, role: str, decision: Callable[[Any, Told], Fact], at: datetime | None = None) -> Receipt:
        """A decision by somebody in that role; what it gives happened ``at`` (default: now)."""

        def decide(sight: Sight) -> Sequence[Said]:
            told = _told(sight, role, at)
            facts = decision(sight.of(self.stream), told)
            listed = facts if isinstance(facts, tuple) else (facts,)
            return [(self.stream, Stated(fact, told.happened_at)) for fact in listed]

        return self.service.run(Command(self.stream, stamp("office", role), decide))


DIGEST = "sha256:" + "0" * 64
PAPERS = (intake.Supplied("identity", "verified"), intake.Supplied("property-right", "upload", DIGEST))
"""Both documents of a private applicant."""
LINES = (("water-loss", Decimal(1)), ("installation", Decimal(10)))
MONEY = (MoneyLine("water-loss", 6000), MoneyLine("installation", 128_500))
STEPS_TO_WATER: tuple[tuple[str, Callable[[Any, Told], Fact]], ...] = (
    ("squad", lambda case, told: site.survey(case, told, feasible=True, findings=())),
    ("squad", lambda case, told: site.design(case, told, drawing_digest=DIGEST)),
    ("squad", lambda case, told: charges.issue_quote(case, told, lines=LINES)),
    ("counter", lambda case, told: charges.sign_contract(case, told, contract="HT-1", digest=DIGEST)),
    ("cashier", lambda case, told: charges.pay(case, told, payment="PAY-1", lines=MONEY)),
    ("crew", lambda case, told: site.start_construction(case, told, crew="crew-1")),
    ("crew", site.complete_construction),
    ("inspector", lambda case, told: site.inspect(case, told, passed=True, defects=())),
)
"""What lies between an application of a private person with all papers and its meters: role and decision."""


def _told(sight: Sight, role: str, at: datetime | None = None) -> Told:
    return Told(at or sight.at, sight.at, "office", sight.rules, Person(f"{role}-1", role))


def ask(service: Service, stream: Stream) -> Receipt:
    """Ask the domain about a case, as the watch does."""
    return service.run(Command(stream, stamp("system"), decide=lambda sight: ()))
