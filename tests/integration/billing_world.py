"""Billing's tests: cases with money on a real store, and their records fed to the books without any Kafka."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import uuid4

import psycopg

from consumers.billing import READER, live_build, step
from consumers.billing.consumer import TABLE, topics
from domain.connections import accounts, charges, intake
from domain.connections.facts import MoneyLine
from domain.kernel.subjects import Subject
from domain.standard.context import CommandContext
from infra.eventstore.service import Service
from infra.kafka.cluster import Record
from infra.readers.dead_letters import DeadLetterLimit
from infra.readers.loop import store_batch
from infra.readers.rule import Applied
from infra.settings import Settings
from tests.commands import DIGEST, Application
from tests.published import records, topic_ids
from tests.unit.cases import SUBJECT


def paid_twice_and_refunded(service: Service) -> Application:
    """Quoted, paid, the payment bounced, paid again, quoted lower, the difference refunded twice, once in error."""
    case = Application(service).ready()
    case.say("cashier", lambda c, ctx: charges.reverse_payment(c, ctx, payment="PAY-1", reason="bounced"))
    money = (MoneyLine("water-loss", 6_000), MoneyLine("installation", 128_500))
    case.say("cashier", lambda c, ctx: charges.pay(c, ctx, payment="PAY-2", lines=money))
    lower = (("water-loss", Decimal(1)), ("installation", Decimal(9)))
    case.say("squad", lambda c, ctx: charges.issue_quote(c, ctx, lines=lower))
    back = (MoneyLine("installation", 1_000),)
    for number in ("REF-1", "REF-2"):
        case.say("cashier", partial(charges.refund, refund=number, lines=back))
    case.say("cashier", lambda c, ctx: charges.reverse_refund(c, ctx, refund="REF-2", reason="twice"))
    return case


def withdrawn_after_payment(service: Service) -> Application:
    """Paid, then the applicant withdrew and got everything back."""
    case = Application(service).ready()
    case.say("counter", lambda c, ctx: intake.withdraw(c, ctx, reason="no-longer-needed"))
    money = (MoneyLine("water-loss", 6_000), MoneyLine("installation", 128_500))
    case.say("cashier", lambda c, ctx: charges.refund(c, ctx, refund="REF-1", lines=money))
    return case


def other_hands(case: Application) -> None:
    """Point 1's customer has another name, point 2 another class and then another customer."""
    split = {"residential": 40, "non-residential": 60}
    said: dict[str, Any] = {"reason": "use-changed", "document_digest": DIGEST}
    case.say("counter", partial(_classed, usage_split=split, household_size=None, **said))
    case.say("counter", partial(_handed_over, reason="sale", document_digest=DIGEST))
    renamed = partial(accounts.rename_customer, point=1, subject=Subject(SUBJECT.id, 2), same_name=False)
    case.say("counter", partial(renamed, document_digest=DIGEST))


def _classed(case: Any, ctx: CommandContext, **said: Any) -> Any:
    return accounts.change_class(case, ctx, point=2, **said)


def _handed_over(case: Any, ctx: CommandContext, **said: Any) -> Any:
    newcomer: dict[str, Any] = {"subject": Subject(uuid4(), 1), "customer": uuid4(), "reading_m3": Decimal("7.5")}
    return accounts.change_customer(case, ctx, point=2, contract="HT-2", **newcomer, **said)


def history(service: Service) -> list[Application]:
    """Two points with water, money that went back and forth, one that withdrew, one that was only received."""
    done = Application(service, points=2)
    done.turn_on(1, "M-1")
    done.turn_on(2, "M-2")
    other_hands(done)
    return [done, paid_twice_and_refunded(service), withdrawn_after_payment(service), Application(service)]


def mine(settings: Settings) -> list[Record]:
    """The records of the topics that billing reads."""
    return [record for record in records(settings) if record.topic in topics(settings)]


def feed(settings: Settings, connection: psycopg.Connection[Any], batch: Sequence[Record]) -> Applied:
    """One batch as the process takes it. ``connection``: autocommit, rows as tuples."""
    build = live_build(connection)
    return store_batch(
        connection,
        batch,
        table=TABLE,
        reader=READER,
        build=build,
        topic_ids=topic_ids(settings),
        step=partial(step, build=build),
        limit=DeadLetterLimit(settings),
        settings=settings,
    )
