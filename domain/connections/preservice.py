"""Service ahead of building 服务前置: what a company gets before it builds, without having applied for water.

Source: pipe data, guidance on secondary supply and on the connecting pipe before building, for companies, published.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from domain.connections.refusals import AlreadyGiven, CompaniesOnly, UnknownDeliverable, UnknownPreservice
from domain.connections.requirements import as_told
from domain.kernel.facts import Recorded, fact
from domain.kernel.fields import CaseNumber, Digest, Flags, SecondPerson
from domain.kernel.refusals import CaseExists, DatesOutOfOrder, UnknownApplicantCategory
from domain.kernel.subjects import Subject
from domain.repairs.checks import require_told_in_time
from domain.standard.context import CommandContext, require_power
from domain.standard.values import require_known

PAYER_CLASS = "company"
"""The payer class whose categories may ask."""


@fact("服务前置申请", "pre-service asked", topic="connection")
class PreServiceRequested:
    """A company asks for a service ahead of building."""

    number: CaseNumber
    service: Annotated[str, "What was asked for, as a code of the standard."]
    category: Annotated[str, "Category of the applicant, as a code of the standard."]
    subject: Annotated[Subject, "Reference to the person in the vault; the particulars themselves are in no event."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("服务前置", "pre-service given", topic="connection")
class PreServiceGiven:
    """It got what it asked for: a deliverable, known by the digest of what was handed over."""

    deliverable: Annotated[str, "Code of what is handed over, for example plan, budget, drawings, contract or invoice."]
    digest: Digest
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@dataclass(frozen=True, slots=True)
class PreService:
    """A request, and what was given: (deliverable, digest) in order."""

    number: str
    service: str
    category: str
    requested_at: datetime
    given: tuple[tuple[str, str], ...] = ()


def evolve(state: PreService | None, recorded: Recorded) -> PreService | None:
    """The request after a fact."""
    match recorded.fact:
        case PreServiceRequested(number=number, service=service, category=category):
            return PreService(number, service, category, recorded.happened_at)
        case PreServiceGiven(deliverable=deliverable, digest=digest) if state is not None:
            return replace(state, given=(*state.given, (deliverable, digest)))
        case _:
            return state


def request(
    state: PreService | None, ctx: CommandContext, *, number: str, service: str, category: str, subject: Subject
) -> PreServiceRequested:
    """Take a request in.

    Refuses ``wrong-role``, ``case-exists``, ``unknown-preservice``, ``unknown-applicant-category``, ``companies-only``
    and what ``require_told_in_time`` does.
    """
    require_power(ctx, "preservice.request")
    if state is not None:
        raise CaseExists(
            found=f"request {state.number}",
            needed="a new request",
            next_step="nothing is to be done",
            next_step_zh="该服务申请已登记，无需操作",
        )
    standard = ctx.standard
    require_told_in_time(ctx)
    require_known(UnknownPreservice, service, standard.connection.preservices)
    require_known(UnknownApplicantCategory, category, standard.connection.applicant_categories)
    if standard.connection.payer_classes.get(category) != PAYER_CLASS:
        companies = sorted(code for code, payer in standard.connection.payer_classes.items() if payer == PAYER_CLASS)
        raise CompaniesOnly(category, companies)
    return as_told(ctx, PreServiceRequested(number, service, category, subject))


def give(state: PreService, ctx: CommandContext, *, deliverable: str, digest: str) -> PreServiceGiven:
    """Hand something over.

    Refuses ``wrong-role``, ``dates-out-of-order`` (given before it was asked for), ``unknown-deliverable``,
    ``already-given`` and what ``require_told_in_time`` does.
    """
    require_power(ctx, "preservice.give")
    if ctx.happened_at < state.requested_at:
        raise DatesOutOfOrder(
            found=f"given at {ctx.happened_at.isoformat()}",
            needed=f"not before it was asked for, {state.requested_at.isoformat()}",
            next_step="correct the time",
            next_step_zh="提供时间早于申请时间，请更正",
        )
    require_told_in_time(ctx)
    require_known(UnknownDeliverable, deliverable, ctx.standard.connection.deliverables)
    if (deliverable, digest) in state.given:
        raise AlreadyGiven(deliverable)
    return as_told(ctx, PreServiceGiven(deliverable, digest))
