"""Builders: connection cases told by whoever may tell them, through the decisions, without any store."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from domain import kinds
from domain.connections import charges, intake, papers, site
from domain.connections.case import Connection
from domain.connections.facts import MoneyLine, NoticeItem, SupplyPoint
from domain.kernel.facts import Fact
from domain.kernel.refusals import Refusal
from domain.standard.context import CommandContext, Person
from domain.standard.flat import with_changes
from domain.standard.standards import Rules
from infra.eventstore.shipped_rules import shipped_rules
from tests.unit.cases import CASE, NINE, SUBJECT, Play, meter

RULES = shipped_rules()
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
DIGEST = "sha256:" + "0" * 64
VISIT = UUID(int=70)

IDENTITY = intake.Supplied("identity", "verified")
PROPERTY = intake.Supplied("property-right", "upload", DIGEST)
PAPERS = (IDENTITY, PROPERTY)
"""Both documents of a private applicant; the second one is deferrable."""
LINES = (("water-loss", Decimal(1)), ("installation", Decimal(10)))
MONEY = (MoneyLine("water-loss", 6_000), MoneyLine("installation", 128_500))
FIFTH_CLOSE = NINE.replace(day=22, hour=9, minute=30)
"""The close of the fifth working day after NINE: Tuesday 2026-09-22, 17:30 in China (the 20th is worked)."""

Decision = Callable[[Any, CommandContext], Any]


def refused(code: str) -> pytest.RaisesExc[Refusal]:
    """A refusal with exactly that code, that says in both languages what to do next."""

    def told(refusal: Refusal) -> bool:
        words = (refusal.found, refusal.needed, refusal.next_step, refusal.next_step_zh)
        return refusal.code == code and all(words)

    return pytest.RaisesExc(Refusal, check=told)


def with_policy(**changes: Any) -> Rules:
    """The shipped rules with another policy on papers."""
    standards = tuple(with_changes(one, papers=replace(one.connection.papers, **changes)) for one in RULES.standards)
    return replace(RULES, standards=standards)


MAIN_PAPERS_ADMIT = with_policy(admits="main-papers")
"""The shipped rules, but that the main papers admit without a written promise of the others."""


class Case:
    """A connection case in the making. ``tell`` runs a decision as the store does: what it says is recorded, with what
    follows by rule and what the rulebook concludes; a refused attempt that is a fact is recorded, and raised again."""

    def __init__(self, *, channel: str = "website", rules: Rules = RULES, case_id: UUID = CASE) -> None:
        self.play = Play(kinds.CONNECTION, rules, case_id)
        self.channel = channel
        self.at = NINE
        self.facts: list[Fact] = []
        self.told_facts: list[tuple[Fact, datetime]] = []
        """The same with when each happened."""

    @property
    def state(self) -> Connection:
        assert isinstance(self.play.state, Connection)
        return self.play.state

    def told(
        self,
        role: str,
        happened_at: datetime | None = None,
        actor: str | None = None,
        second: Person | None = None,
    ) -> CommandContext:
        by = Person(actor or f"{role}-1", role)
        return CommandContext(
            happened_at or self.at,
            self.at,
            self.channel,
            self.play.rules,
            by,
            second.actor if second is not None else "second-1" if happened_at is not None else None,
            confirmed_role=second.role if second is not None else None,
        )

    def tell(
        self,
        role: str,
        decision: Decision,
        *,
        at: datetime | None = None,
        happened_at: datetime | None = None,
        actor: str | None = None,
        second: Person | None = None,
    ) -> list[Fact]:
        """``at``: the clock moves there first. Returns the decision's facts."""
        self.at = at or self.at
        ctx = self.told(role, happened_at, actor, second)
        try:
            said = decision(self.play.state, ctx)
        except Refusal as refusal:
            if refusal.attempt is not None:
                self._record((refusal.attempt,), self.at, ctx)
            raise
        facts = list(said) if isinstance(said, tuple) else [said]
        self._record(facts, ctx.happened_at, ctx)
        return facts

    def _record(self, facts: Iterable[Fact], happened_at: datetime, ctx: CommandContext) -> None:
        listed = tuple(facts)
        self.facts.extend(listed)
        self.told_facts.extend((fact, happened_at) for fact in listed)
        self.play.say(listed, happened_at, self.at, by=ctx.by, channel=ctx.channel)

    def wait(self, until: datetime) -> list[Fact]:
        """The clock moves on, and the watch asks. Returns what came on record."""
        self.at = until
        before = len(self.play.followed)
        concluded = self.play.conclude(until)
        return [*self.play.followed[before:], *concluded]

    # ---- steps in short

    def supply(self, supplied: intake.Supplied, role: str = "counter", **when: Any) -> list[Fact]:
        return self.tell(role, lambda case, ctx: papers.supply_document(case, ctx, supplied=supplied), **when)

    def notice(self, *items: tuple[str, str], **when: Any) -> list[Fact]:
        named = [NoticeItem(*item) for item in items]
        return self.tell("counter", lambda case, ctx: papers.give_notice(case, ctx, items=named), **when)

    def promise(self, deadline: datetime, *documents: str, barred: bool = False, **when: Any) -> list[Fact]:
        return self.tell(
            "applicant",
            lambda case, ctx: papers.promise_papers(
                case,
                ctx,
                papers=documents or ("property-right",),
                deadline=(deadline + 8 * HOUR).date(),
                commitment_digest=DIGEST,
                barred=barred,
            ),
            **when,
        )

    def quote(self, *lines: tuple[str, Decimal], role: str = "squad", **when: Any) -> list[Fact]:
        return self.tell(role, lambda case, ctx: charges.issue_quote(case, ctx, lines=lines or LINES), **when)

    def sign(self, contract: str = "HT-1", **when: Any) -> list[Fact]:
        sign = charges.sign_contract
        return self.tell("applicant", lambda case, ctx: sign(case, ctx, contract=contract, digest=DIGEST), **when)

    def pay(self, *lines: MoneyLine, payment: str = "PAY-1", **when: Any) -> list[Fact]:
        return self.tell(
            "cashier", lambda case, ctx: charges.pay(case, ctx, payment=payment, lines=lines or MONEY), **when
        )

    def survey(self, *findings: str, feasible: bool = True, **when: Any) -> list[Fact]:
        survey = site.survey
        return self.tell("squad", lambda case, ctx: survey(case, ctx, feasible=feasible, findings=findings), **when)

    def design(self, **when: Any) -> list[Fact]:
        return self.tell("squad", lambda case, ctx: site.design(case, ctx, drawing_digest=DIGEST), **when)

    def start(self, **when: Any) -> list[Fact]:
        return self.tell("crew", lambda case, ctx: site.start_construction(case, ctx, crew="crew-1"), **when)

    def complete(self, **when: Any) -> list[Fact]:
        return self.tell("crew", site.complete_construction, **when)

    def inspect(self, *defects: str, **when: Any) -> list[Fact]:
        inspect = site.inspect
        return self.tell("inspector", lambda case, ctx: inspect(case, ctx, passed=not defects, defects=defects), **when)

    def turn_on(
        self, point: int = 1, number: str | None = "M-1", *, meter_changes: Any = None, **when: Any
    ) -> list[Fact]:
        details = meter(number, **(meter_changes or {})) if number is not None else None
        on = site.turn_water_on
        return self.tell("crew", lambda case, ctx: on(case, ctx, point=point, meter=details), **when)

    def ready(self) -> Case:
        """All that lies between admission and the meters, at once."""
        self.survey()
        self.design()
        self.quote()
        self.sign()
        self.pay()
        self.start()
        self.complete()
        self.inspect()
        return self


def received(
    *documents: intake.Supplied,
    channel: str = "website",
    role: str = "counter",
    at: datetime = NINE,
    points: int = 1,
    places: tuple[SupplyPoint, ...] = (),
    barred: bool = False,
    rules: Rules = RULES,
    case_id: UUID = CASE,
    **form: Any,
) -> Case:
    """An application of a private person, with these documents."""
    case = Case(channel=channel, rules=rules, case_id=case_id)
    filled = intake.Form("private", points, SUBJECT, places, documents, **form)
    case.tell(
        role,
        lambda known, ctx: intake.receive(known, ctx, case_number="BZ-2026-000001", form=filled, barred=barred, turn=1),
        at=at,
    )
    return case


def admitted(**changes: Any) -> Case:
    """An application that came with both papers, and so was admitted."""
    return received(*PAPERS, **changes)


def kinds_of(facts: Iterable[Fact]) -> list[str]:
    return [type(fact).__name__ for fact in facts]
