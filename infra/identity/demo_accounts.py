"""The demo's people: an account for each role, so that a visitor can be any of them. Nobody has one elsewhere.

Who is of a crew or a squad is bound to it; the crew lead leads several and is bound to none.
"""

from __future__ import annotations

from collections.abc import Mapping

from domain.people.people import Work, join
from infra.eventstore.commands import Command, Snapshot, Stamp, StreamEvent
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import person_stream

DEMO_ACCOUNTS: Mapping[str, Work] = {
    "hotline-1": Work(("hotline",)),
    "counter-1": Work(("counter",)),
    "owner-1": Work(("case-owner",)),
    "cashier-1": Work(("cashier",)),
    "squad-person-1": Work(("squad",), squad="squad-1"),
    "inspector-1": Work(("inspector",)),
    "dispatcher-1": Work(("dispatcher",)),
    "duty-dispatcher-1": Work(("duty-dispatcher",)),
    "duty-manager-1": Work(("duty-manager",)),
    "crew-person-1": Work(("crew",), crew="crew-01"),
    "crew-lead-1": Work(("crew-lead",)),
    "reader-1": Work(("meter-reader",)),
    "manager-1": Work(("manager",)),
    "manager-2": Work(("manager",)),
    "director-1": Work(("deputy-director",)),
    "auditor-1": Work(("auditor",)),
    "price-authority-1": Work(("price-authority",)),
    "market-regulator-1": Work(("market-regulator",)),
    "operator-1": Work(("operator",)),
}
"""Id → what the account may act as."""


def join_demo_accounts(service: Service) -> None:
    """Let the demo's people join, who have not yet."""
    for actor, work in DEMO_ACCOUNTS.items():
        join_by_program(service, actor, work)


def join_by_program(service: Service, actor: str, work: Work) -> bool:
    """Let somebody join by the program itself, as the first account of an installation does. False: they have an
    account already. Raises what ``join`` refuses."""
    stream = person_stream(actor)
    if service.load(stream)[0] is not None:
        return False
    command = f"join:{actor}"
    stamp = Stamp("tongshui", "system", "system", command_id=command, correlation_id=command)

    def decide(snapshot: Snapshot) -> list[StreamEvent]:
        ctx = snapshot.context(stamp)
        return [(stream, ctx.event(join(snapshot.of(stream), ctx, actor=actor, kind="person", work=work)))]

    service.run(Command(stream, stamp, decide))
    return True
