"""A new standard on its way to the public: drafted by one person, approved by a second one.

Sources: the published promises (steps, documents, working days, fees, trips) bind what a standard may ask for, and
catch-all wording for documents was abolished; approval by a second person is our decision. Every guard stands at the
draft and again at the approval, since the rules in force may have changed in between.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import get_args

from domain.connections import promises
from domain.connections.facts import DocumentWay
from domain.connections.stages import STAGES
from domain.kernel.refusals import UnknownRole
from domain.kernel.roles import ROLES, SYSTEM
from domain.kinds import POWERS
from domain.metering import abnormal_use as abnormal
from domain.metering import reading_rounds as books
from domain.outages import promises as outage_promises
from domain.publication.documents import no_such_draft, require_new_version, require_to_come
from domain.publication.publishing import StandardDrafted, Standards
from domain.publication.refusals import (
    BeyondThePromise,
    PowerMissing,
    PromiseChangedInSilence,
    PromiseMissing,
    UnknownChannel,
    UnknownPower,
    UnknownRegion,
    UnknownStage,
)
from domain.repairs import orders
from domain.repairs.promises import PROMISES
from domain.standard.context import CommandContext, require_power, require_second_person
from domain.standard.fees import CataloguePublished
from domain.standard.flat import StandardPublished, as_published
from domain.standard.powers import NAMED_BEFORE, roles_with
from domain.standard.refusals import NobodyCalled, UnknownCommitment, UnknownDocumentWay
from domain.standard.sections.connection import Promise
from domain.standard.standards import Rules, Standard
from domain.standard.values import require_clean, require_codes, require_fields, require_known

COMMITMENTS = frozenset(
    {
        *PROMISES,
        *outage_promises.PROMISES,
        *promises.PROMISES,
        *orders.PROMISES,
        *abnormal.PROMISES,
        *books.PROMISES,
    }
)
"""What the program can watch. A ladder for anything else would never be climbed."""


def draft(
    state: Standards | None, ctx: CommandContext, *, document: Standard, regions: Collection[str]
) -> StandardDrafted:
    """Draft a new standard; nothing runs under it. ``regions``: those with a published calendar.

    Refuses ``wrong-role``, ``bad-version``, ``version-used`` and what ``_require_sound`` refuses.
    """
    require_power(ctx, "standard.draft")
    known = state or Standards()
    require_new_version(document.version, {*known.drafts, *(each.version for each in known.published)})
    _require_sound(known, ctx, document, regions)
    return StandardDrafted(as_published(document))


def approve(
    state: Standards | None, ctx: CommandContext, *, version: str, regions: Collection[str]
) -> StandardPublished:
    """Approve a draft as a second person: it is published, and in force from its date on.

    Refuses ``wrong-role``, ``no-such-draft``, ``same-person`` and what ``_require_sound`` refuses.
    """
    require_power(ctx, "standard.approve")
    waiting = state.drafts.get(version) if state is not None else None
    if state is None or waiting is None:
        raise no_such_draft(version)
    require_second_person(ctx, waiting.drafted_by, f"standard {version}")
    _require_sound(state, ctx, waiting.document, regions)
    return as_published(waiting.document)


def try_out(state: Standards | None, ctx: CommandContext, *, document: Standard, regions: Collection[str]) -> Standard:
    """Look at a standard as its draft would be looked at, for a trial that publishes nothing: nobody's power is needed,
    and neither when it would be in force nor whether its version is given already matters.

    Refuses ``bad-version`` and what ``draft`` refuses of a document itself.
    """
    require_new_version(document.version, ())
    _require_worked_by(state or Standards(), ctx, document, regions)
    return document


def _require_sound(known: Standards, ctx: CommandContext, document: Standard, regions: Collection[str]) -> None:
    require_to_come(document.effective_from, ctx.at)
    _require_worked_by(known, ctx, document, regions)


def _require_worked_by(known: Standards, ctx: CommandContext, document: Standard, regions: Collection[str]) -> None:
    require_clean(as_published(document))
    _require_calendar(document, regions)
    _require_promise(known, ctx, document)
    _require_within_the_promise(ctx, document)
    document.require_sound()
    _require_names(document)


# ---- the promise


def _require_promise(known: Standards, ctx: CommandContext, document: Standard) -> None:
    """A promise is kept as it is, or a new one is published under a new name. Refuses ``promise-missing``,
    ``promise-changed-in-silence``, ``out-of-range``."""
    promise = document.connection.promise
    if promise is None:
        raise PromiseMissing()
    require_new_version(promise.version, ())
    require_fields(promise, Promise, "promise: ")
    kept = {ctx.standard.connection.promise, ctx.rules.in_force(document.effective_from).connection.promise}
    if promise not in kept and _was_given(known, promise.version):
        raise PromiseChangedInSilence(promise)


def _was_given(known: Standards, version: str) -> bool:
    return any(
        each.connection.promise is not None and each.connection.promise.version == version for each in known.published
    )


def _require_within_the_promise(ctx: CommandContext, document: Standard) -> None:
    """Refuses ``beyond-the-promise``: more steps, documents, days or fees than the standard's own promise allows."""
    assert document.connection.promise is not None, "looked at before"
    for what, found, most in _measured(ctx, document, document.connection.promise):
        if found > most:
            raise BeyondThePromise(
                found=f"{found} {what}",
                needed=f"at most {most}, as promise {document.connection.promise.version} says",
                next_step="keep to the promise, or publish a new promise with the standard",
                next_step_zh="超出公开承诺，请遵守承诺，或随标准公布新的承诺",
            )


def _measured(ctx: CommandContext, document: Standard, promise: Promise) -> Iterator[tuple[str, int, int]]:
    yield "steps", len(document.connection.steps), promise.steps
    yield "working days", document.connection.connection_working_days, promise.working_days
    for category, required in document.connection.documents.items():
        yield f"documents for {category}", len(required), promise.documents
    for catalogue in _charged_by(ctx.rules, document):
        charged = sum(item.active for item in catalogue.items)
        yield f"fees in catalogue {catalogue.version}", charged, promise.fees


def _charged_by(rules: Rules, document: Standard) -> Iterator[CataloguePublished]:
    """The catalogue in force when the standard begins, and those that follow while nothing newer governs."""
    begin = document.effective_from
    first = rules.catalogue(begin)
    if first is not None:
        yield first
    for later in rules.catalogues:
        if later.effective_from > begin and rules.in_force(later.effective_from).effective_from <= begin:
            yield later


# ---- what the program knows by name, and the calendar


def _require_names(document: Standard) -> None:
    """Refuses ``unknown-channel``, ``unknown-stage``, ``unknown-document-way``, ``unknown-power``, ``power-missing``,
    ``unknown-role``, and what ``_require_commitments`` refuses."""
    connection, repair = document.connection, document.repair
    for channel in (*connection.remote_channels, *connection.notice_minutes, *repair.history_channels):
        require_known(UnknownChannel, channel, document.allowed_lateness_minutes)
    for stage in connection.uncounted_stages:
        require_known(UnknownStage, stage, STAGES)
    for way in connection.document_ways:
        require_known(UnknownDocumentWay, way, get_args(DocumentWay))
    _require_commitments(document)
    for power, roles in document.powers.items():
        require_known(UnknownPower, power, (*POWERS, *NAMED_BEFORE.values()))
        for role in roles:
            require_known(UnknownRole, role, (*ROLES, SYSTEM))
    for power in sorted(POWERS):
        if not roles_with(document, power):
            raise PowerMissing(power)


def _require_commitments(document: Standard) -> None:
    """Refuses ``unknown-commitment``. A commitment whose lapse calls nobody out has no ladder after it:
    ``nobody-called``."""
    alerting = document.alerting
    for commitment in document.repair.apologies:
        require_known(UnknownCommitment, commitment, PROMISES)
    for commitment in (*alerting.ladders, *alerting.notify_on_lapse):
        require_known(UnknownCommitment, commitment, COMMITMENTS)
    patterns = {*COMMITMENTS, *(f"{each.partition('.')[0]}.*" for each in COMMITMENTS), "*"}
    for pattern in (*alerting.escalations, *alerting.alerts.urgent):
        require_known(UnknownCommitment, pattern, patterns)
    for pattern in alerting.escalations:
        if pattern in COMMITMENTS and not alerting.notify_on_lapse.get(pattern):
            raise NobodyCalled(pattern)


def _require_calendar(document: Standard, regions: Collection[str]) -> None:
    """Refuses ``unknown-region``: the days of a standard could not be counted."""
    for region in document.calendar_regions or ("no region",):
        require_known(UnknownRegion, region, regions)
    require_codes("calendar_regions", [region.lower() for region in document.calendar_regions])
