"""What is known of the fault and its pipe, and how it is corrected: what stood there stays on record.

Codes and numbers only, so that nobody's name gets into an event. The codes of closed lists (nature, cause …) are data
of the standard. A time that the source corrected is no detail: it is told as a further fact, and the rulebook judges.
"""

from __future__ import annotations

import re

from domain.kernel.refusals import Refusal, UnknownFaultKind
from domain.repairs.case import KIND, Repair
from domain.repairs.checks import eases_late, field_flags, from_the_field, known_to, require_other_person
from domain.repairs.facts import DetailCorrected, PipeIdentified
from domain.repairs.refusals import BadDetail, NothingToCorrect, PipeUnnamed, UnknownDetail, UnknownPipeMaterial
from domain.standard.context import CommandContext
from domain.standard.standards import Standard
from domain.standard.values import require_known

YOUNGER = "younger-than-the-fault"
"""The flag of a pipe that was laid after the fault: the register shows the one that replaced it."""
NOT_WHAT_WAS_KNOWN = "not-what-was-known"
"""The flag of a correction of something that did not stand there."""
ASSET_LENGTH = 10
ASSET = re.compile(rf"[A-Za-z0-9][A-Za-z0-9/-]{{0,{ASSET_LENGTH - 1}}}")
"""A number of the pipe register: ten characters at most, so that no telephone and no identity card fits."""
_NUMBERS = {"dn-mm": range(1, 10_001), "laid-in": range(1800, 2200)}


def identify_pipe(
    case: Repair,
    ctx: CommandContext,
    *,
    asset: str | None = None,
    material: str | None = None,
    dn_mm: int | None = None,
    laid_in: int | None = None,
) -> PipeIdentified:
    """Say which pipe failed, as far as it is known.

    Refuses ``future-time``, ``second-person-needed``, ``pipe-unnamed``, ``unknown-pipe-material``,
    ``bad-detail``.
    """
    known = known_to(case, ctx)
    said = {"asset": asset, "material": material, "dn-mm": dn_mm, "laid-in": laid_in}
    if all(value is None for value in said.values()):
        raise PipeUnnamed()
    for name, value in said.items():
        if value is not None:
            _require_value(ctx.standard, name, str(value))
    flags = field_flags(known, ctx, crew=None, before=())
    if laid_in is not None and laid_in > known.first_report.moment.at.year:
        flags += (YOUNGER,)
    return from_the_field(known, ctx, PipeIdentified(asset, material, dn_mm, laid_in, flags))


def correct(case: Repair, ctx: CommandContext, *, detail: str, old: str | None, new: str | None) -> DetailCorrected:
    """Correct a detail; ``old`` None fills in what was not known. Flagged where ``old`` is not what was known. Another
    kind of fault that moves a limit back once most of it has run, or takes a lapse back, needs another person.

    Refuses ``wrong-role``, ``future-time``, ``second-person-needed``, ``unknown-detail``,
    ``nothing-to-correct``, and for the value ``bad-detail``, ``unknown-fault-kind``, ``unknown-pipe-material``.
    """
    known = known_to(case, ctx, "repair.correct")
    require_known(UnknownDetail, detail, (KIND, "asset", "material", *_NUMBERS, *ctx.standard.repair.incident_details))
    if new == known.detail(detail):
        raise NothingToCorrect(detail, new, known)
    if new is not None:
        _require_value(ctx.standard, detail, new)
    elif detail == KIND:
        raise _bad(detail, "nothing", "a kind of fault: every incident has one")
    flags = field_flags(known, ctx, crew=None, before=())
    if old != known.detail(detail):
        flags += (NOT_WHAT_WAS_KNOWN,)
    fact = DetailCorrected(detail, old, new, flags)
    comes_late = detail == KIND and eases_late(known, ctx, fact)
    if comes_late:
        require_other_person(ctx, ctx.confirmed_by, "another kind of fault late in the window", "confirmed_by")
    return from_the_field(known, ctx, fact, is_late=comes_late)


def _require_value(standard: Standard, detail: str, value: str) -> None:
    if detail == KIND:
        require_known(UnknownFaultKind, value, standard.repair.fault_kinds)
    elif detail == "material":
        require_known(UnknownPipeMaterial, value, standard.repair.pipe_materials)
    elif detail == "asset":
        if not ASSET.fullmatch(value):
            raise _bad(detail, repr(value[:10]), "a number of the pipe register: letters, digits, / and -, at most 10")
    elif detail in _NUMBERS:
        allowed = _NUMBERS[detail]
        if not re.fullmatch("[0-9]{1,5}", value, re.ASCII) or int(value) not in allowed:
            raise _bad(detail, repr(value[:10]), f"a whole number from {allowed.start} to {allowed.stop - 1}")
    else:
        allowed_codes = standard.repair.incident_details[detail]
        if value not in allowed_codes:
            raise _bad(detail, repr(value), "one of " + ", ".join(sorted(allowed_codes)))


def _bad(detail: str, found: str, needed: str) -> Refusal:
    return BadDetail(detail, found, needed)
