"""Commands for tests, sent straight to the store: whole cases in a line or two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from domain import connection, kinds, repair, usage
from domain.facts import Fact, Stated
from infra.rules import meter_stream
from infra.service import Service
from infra.store.commands import Command, Receipt, Said, Sight, Stamp, Stream
from tests.unit.cases import SUBJECT, meter


def stamp(channel: str = "crew-phone") -> Stamp:
    return Stamp("tester", "crew", channel, str(uuid4()), "test")


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
        return self._run(lambda case, told: repair.dispatch(case, crew=crew))

    def arrive(self, at: datetime | None = None, crew: str = "crew-1") -> Receipt:
        return self._run(lambda case, told: repair.arrive(case, told, crew=crew, evidence=None), at)

    def assess(self, severity: Any, at: datetime | None = None) -> Receipt:
        return self._run(lambda case, told: repair.assess(case, told, severity=severity, reason="seen"), at)

    def complete(self, at: datetime | None = None) -> Receipt:
        return self._run(repair.complete, at)

    def close(self) -> Receipt:
        return self._run(lambda case, told: repair.close(case))

    def _run(self, decision: Callable[[Any, repair.Told], Fact], at: datetime | None = None) -> Receipt:
        def decide(sight: Sight) -> Sequence[Said]:
            happened_at = at or sight.at
            told = repair.Told(happened_at, sight.at, "crew-phone", sight.standard)
            return [(self.stream, Stated(decision(sight.of(self.stream), told), happened_at))]

        return self.service.run(Command(self.stream, stamp(), decide))


class Application:
    """A connection case on a real store, received and admitted."""

    def __init__(self, service: Service, *, points: int = 1) -> None:
        self.service = service
        self.stream = Stream(kinds.CONNECTION, uuid4())
        self._run(
            lambda case, sight: connection.receive(
                case,
                case_number="BZ-1",
                category="private",
                supply_points=points,
                subject=SUBJECT,
                happened_at=sight.at,
                at=sight.at,
                standard=sight.standard,
            )
        )
        self._run(
            lambda case, sight: connection.admit(case, happened_at=sight.at, at=sight.at, standard=sight.standard)
        )

    def turn_on(self, point: int, number: str) -> Receipt:
        other = meter_stream(number)

        def decide(sight: Sight) -> Sequence[Said]:
            fact = connection.turn_water_on(
                sight.of(self.stream),
                point=point,
                meter=meter(number),
                happened_at=sight.at,
                at=sight.at,
                standard=sight.standard,
            )
            taken = usage.put_into_service(sight.of(other), number=number, case_id=self.stream.id, point=point)
            return [(self.stream, Stated(fact, sight.at)), (other, Stated(taken, sight.at))]

        return self.service.run(Command(self.stream, stamp("counter"), decide, others=(other,)))

    def _run(self, decision: Callable[[Any, Sight], Fact]) -> Receipt:
        def decide(sight: Sight) -> Sequence[Said]:
            return [(self.stream, Stated(decision(sight.of(self.stream), sight), sight.at))]

        return self.service.run(Command(self.stream, stamp("counter"), decide))


def ask(service: Service, stream: Stream) -> Receipt:
    """Ask the domain about a case, as the watch does."""
    return service.run(Command(stream, stamp("system"), decide=lambda sight: ()))
