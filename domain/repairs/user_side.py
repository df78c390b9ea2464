"""Behind the meter the pipe is the user's: a paid service there needs the user's consent first (practice of other water
companies)."""

from __future__ import annotations

from domain.crews.register import require_formed
from domain.repairs.case import Repair
from domain.repairs.checks import field_flags, from_the_field, known_to, require_open
from domain.repairs.facts import PaidServiceConsented, PaidServiceStarted, UserSideFound
from domain.repairs.refusals import ConsentMissing, NotUserSide, ServiceStarted
from domain.standard.context import CommandContext, require_power


def find_user_side(case: Repair, ctx: CommandContext) -> UserSideFound:
    """The fault lies behind the meter. What the incident promises stays as it is: the crew still comes and looks."""
    known = known_to(case, ctx)
    return from_the_field(known, ctx, UserSideFound(field_flags(known, ctx, crew=None, before=known.user_side)))


def consent(case: Repair, ctx: CommandContext, *, consent_digest: str) -> PaidServiceConsented:
    """The user agreed in writing to a paid service."""
    known = known_to(case, ctx)
    flags = field_flags(known, ctx, crew=None, before=known.consented)
    return from_the_field(known, ctx, PaidServiceConsented(consent_digest, flags))


def start_paid_service(case: Repair, ctx: CommandContext, *, crew: str) -> PaidServiceStarted:
    """Begin the paid service, now. Refuses ``wrong-role``, ``case-closed``, ``not-user-side``, ``consent-missing``,
    ``service-started`` and ``unknown-crew``."""
    require_power(ctx, "repair.start-paid-service")
    require_open(case)
    if not case.user_side:
        raise NotUserSide(case)
    if not case.consented:
        raise ConsentMissing(case)
    if case.paid_service:
        raise ServiceStarted(case)
    return PaidServiceStarted(crew, require_formed(ctx, crew, on_it=case.crew))
