"""A new standard on its way to the public: drafted by one person, approved by a second one.

Sources: the published promises (steps, documents, working days, fees, trips) bind what a standard may ask for, and
catch-all wording for documents was abolished; approval by a second person is our decision. Every guard stands at the
draft and again at the approval, since the rules in force may have changed in between.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import get_args

from domain.connections import promises
from domain.connections.facts import DocumentWay
from domain.connections.stages import STAGES
from domain.kernel import messages
from domain.kernel.refusals import Refusal, UnknownApplicantCategory, UnknownFaultKind, UnknownRole, UnknownWay
from domain.kernel.roles import ADDRESSEES, ROLES, SYSTEM
from domain.kinds import POWERS
from domain.metering import abnormal_use as abnormal
from domain.metering import reading_rounds as books
from domain.outages import promises as outage_promises
from domain.publication.documents import no_such_draft, require_new_version, require_to_come
from domain.publication.publishing import StandardDrafted, Standards
from domain.publication.refusals import (
    BadDay,
    BeyondThePromise,
    CatchAllDocument,
    CategoryIncomplete,
    DeskWithoutOwner,
    IntakeUnclear,
    NobodyCalled,
    NoMainDocument,
    PowerMissing,
    PromiseChangedInSilence,
    PromiseMissing,
    RungUnclear,
    TableEmpty,
    UnknownChannel,
    UnknownCommitment,
    UnknownDesk,
    UnknownDocumentWay,
    UnknownNotice,
    UnknownPower,
    UnknownRegion,
    UnknownSeverity,
    UnknownStage,
    UnknownZone,
)
from domain.repairs import orders
from domain.repairs.promises import PROMISES
from domain.standard.context import CommandContext, require_power, require_second_person
from domain.standard.fees import CataloguePublished, plain
from domain.standard.powers import NAMED_BEFORE, roles_with
from domain.standard.standards import (
    ALERT_CHANGES,
    ALERT_TEXTS,
    ALERT_WORDS,
    ANSWER_STANDS,
    ANSWER_WORDS,
    OUTAGE_STANDS,
    OUTAGE_WORDS,
    AlertPolicy,
    EscalationStep,
    Promise,
    ReadingPolicy,
    Rules,
    Rung,
    Severity,
    Standard,
    StandardPublished,
    Zone,
    require_known,
)
from domain.standard.values import require_clean, require_codes, require_range

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
MOST_DAYS = 366
MOST_MINUTES = 366 * 24 * 60
MOST_KIND_DAYS = 1000


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
    return StandardDrafted(document)


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
    return waiting.document


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
    require_clean(document)
    _require_calendar(document, regions)
    _require_promise(known, ctx, document)
    _require_within_the_promise(ctx, document)
    _require_tables(document)
    _require_categories(document)
    _require_numbers(document)
    _require_ladders(document)
    _require_powers(document)


# ---- the promise


def _require_promise(known: Standards, ctx: CommandContext, document: Standard) -> None:
    """A promise is kept as it is, or a new one is published under a new name. Refuses ``promise-missing``,
    ``promise-changed-in-silence``, ``out-of-range``."""
    promise = document.promise
    if promise is None:
        raise PromiseMissing()
    require_new_version(promise.version, ())
    for name in ("steps", "documents", "fees", "trips_remote", "trips_otherwise"):
        require_range(f"promise: {name}", getattr(promise, name), 0, 100)
    require_range("promise: working_days", promise.working_days, 1, MOST_DAYS)
    kept = {ctx.standard.promise, ctx.rules.in_force(document.effective_from).promise}
    if promise not in kept and _was_given(known, promise.version):
        raise PromiseChangedInSilence(promise)


def _was_given(known: Standards, version: str) -> bool:
    return any(each.promise is not None and each.promise.version == version for each in known.published)


def _require_within_the_promise(ctx: CommandContext, document: Standard) -> None:
    """Refuses ``beyond-the-promise``: more steps, documents, days or fees than the standard's own promise allows."""
    assert document.promise is not None, "looked at before"
    for what, found, most in _measured(ctx, document, document.promise):
        if found > most:
            raise BeyondThePromise(
                found=f"{found} {what}",
                needed=f"at most {most}, as promise {document.promise.version} says",
                next_step="keep to the promise, or publish a new promise with the standard",
                next_step_zh="超出公开承诺，请遵守承诺，或随标准公布新的承诺",
            )


def _measured(ctx: CommandContext, document: Standard, promise: Promise) -> Iterator[tuple[str, int, int]]:
    yield "steps", len(document.steps), promise.steps
    yield "working days", document.connection_working_days, promise.working_days
    for category, required in document.documents.items():
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


# ---- tables of codes, and what refers to them


def _require_tables(document: Standard) -> None:
    """Refuses ``bad-code``, ``code-twice``, ``table-empty``, ``unknown-fault-kind``, ``bad-day``."""
    for name in _TABLES:
        require_codes(name, list(getattr(document, name)))
    require_codes("steps", [step.code for step in document.steps])
    if (held := document.planned_outages) is not None:
        require_codes("planned_outages: sensitive_places", list(held.sensitive_places))
        require_codes("planned_outages: supply_ways", list(held.supply_ways))
        if not held.supply_ways:
            raise TableEmpty("planned_outages: supply_ways")
    for name in ("steps", "applicant_categories", "districts", "fault_kinds", "squads", "allowed_lateness_minutes"):
        if not getattr(document, name):
            raise TableEmpty(name)
    _require_texts(document)
    for kind in document.fault_families:
        require_known(UnknownFaultKind, kind, document.fault_kinds)
    for kind in document.kind_limits:
        require_known(UnknownFaultKind, kind, document.fault_kinds)
    for stage in document.uncounted_stages:
        require_known(UnknownStage, stage, STAGES)
    _require_intake(document)
    for detail, codes in document.incident_details.items():
        require_codes(f"incident_details: {detail}", list(codes))
    try:
        date.fromisoformat(f"2000-{document.calendar_warning_from}")
    except ValueError:
        raise BadDay(document) from None


def _require_texts(document: Standard) -> None:
    """Refuses ``unknown-way`` for a way that the program cannot send by, ``unknown-notice`` for a text about what an
    outage or an incident never is, or with a word in braces that nothing stands for."""
    for way in document.notice_ways:
        require_known(UnknownWay, way, messages.WAYS)
    for texts, about, words in (
        (document.outage_texts, OUTAGE_STANDS, OUTAGE_WORDS),
        (document.answer_texts, ANSWER_STANDS, ANSWER_WORDS),
        (document.alerts.texts, ALERT_TEXTS, ALERT_WORDS),
    ):
        for stands, text in texts.items():
            require_known(UnknownNotice, stands, about)
            for word in re.findall(r"\{([^{}]*)\}", text):
                require_known(UnknownNotice, word, words)


_TABLES = (
    "districts",
    "fault_kinds",
    "applicant_categories",
    "allowed_lateness_minutes",
    "documents",
    "document_ways",
    "defects",
    "hidden_defects",
    "notice_minutes",
    "pause_reasons",
    "remote_channels",
    "desks",
    "routing",
    "refusal_reasons",
    "withdrawal_reasons",
    "survey_findings",
    "inspection_defects",
    "deliverables",
    "delivery_ways",
    "payer_classes",
    "price_classes",
    "squads",
    "visit_purposes",
    "consultation_topics",
    "preservices",
    "works_kinds",
    "crew_skills",
    "decline_reasons",
    "mass_causes",
    "outage_cancel_reasons",
    "notice_ways",
    "outage_texts",
    "work_notes",
    "fault_families",
    "history_channels",
    "origins",
    "dismissal_reasons",
    "rejection_reasons",
    "pipe_materials",
    "incident_details",
    "answer_ways",
    "answer_texts",
    "usage_ways",
    "usage_dismissals",
    "usage_outcomes",
    "leak_findings",
    "meter_replacements",
    "reading_exceptions",
    "kind_limits",
    "uncounted_stages",
    "class_changes",
    "customer_changes",
)


def _require_intake(document: Standard) -> None:
    """Refuses ``intake-unclear`` for hours in which nobody takes anything in."""
    hours = document.intake
    if hours is not None and hours.opens >= hours.until:
        raise IntakeUnclear(hours)


def _require_categories(document: Standard) -> None:
    """Every category of applicant has its documents, its desk and its payer class, and nothing else has.

    Refuses ``category-incomplete``, ``unknown-applicant-category``, ``unknown-desk``, ``desk-without-owner``,
    ``no-main-document``, ``catch-all-document``, ``unknown-document-way``, ``code-twice``, ``bad-code``.
    """
    for name in ("documents", "routing", "payer_classes"):
        table = getattr(document, name)
        for category in table:
            require_known(UnknownApplicantCategory, category, document.applicant_categories)
        for category in document.applicant_categories:
            if not table.get(category):
                raise _incomplete(category, name)
    for desk in document.routing.values():
        require_known(UnknownDesk, desk, document.desks)
    _require_owners(document)
    for way in document.document_ways:
        require_known(UnknownDocumentWay, way, get_args(DocumentWay))
    for category in document.documents:
        _require_documents(document, category)


def _incomplete(category: str, name: str) -> Refusal:
    return CategoryIncomplete(category, name)


def _require_owners(document: Standard) -> None:
    for code, desk in document.desks.items():
        require_codes(f"the owners of {code}", desk.owners)
        if not desk.owners:
            raise DeskWithoutOwner(code)


def _require_documents(document: Standard, category: str) -> None:
    required = document.documents[category]
    require_codes(f"the documents of {category}", [each.code for each in required])
    if not any(each.main for each in required):
        raise NoMainDocument(category)
    for each in required:
        if is_catch_all(each.name_zh) or each.code in _CATCH_ALL_CODES:
            raise CatchAllDocument(category, each)
        for way in each.met_by or ("no way at all",):
            require_known(UnknownDocumentWay, way, document.document_ways)


_CATCH_ALL_CODES = frozenset({"other", "others", "misc", "miscellaneous", "further", "etc"})
_CATCH_ALL = re.compile(
    "(?:其他|其它|其余|有关|相关|等|所需|必要)的?(?:材料|资料|文件|证件|证明|手续)|等有关|等相关|等其他"
)


def is_catch_all(name_zh: str) -> bool:
    """Whether a document's name leaves open what is asked for (兜底表述)."""
    return _CATCH_ALL.search(plain(unicodedata.normalize("NFKC", name_zh))) is not None


# ---- numbers


def _require_numbers(document: Standard) -> None:
    """Refuses ``out-of-range``, ``unknown-channel``, ``unknown-zone``, ``unknown-severity``."""
    for what, value, least, most in _numbers(document):
        require_range(what, value, least, most)
    for channel in (*document.remote_channels, *document.notice_minutes, *document.history_channels):
        require_known(UnknownChannel, channel, document.allowed_lateness_minutes)
    for zone in get_args(Zone):
        require_known(UnknownZone, zone, document.arrival_minutes)
    for severity in get_args(Severity):
        require_known(UnknownSeverity, severity, document.completion_minutes)


def _numbers(document: Standard) -> Iterator[tuple[str, int, int, int]]:
    """What a number is of, the number, and the least and the most it can be."""
    yield "connection_working_days", document.connection_working_days, 1, MOST_DAYS
    yield "notice_working_days", document.notice_working_days, 1, MOST_DAYS
    yield "silence_working_days", document.silence_working_days, 1, MOST_DAYS
    yield "pause_cap_working_days", document.pause_cap_working_days, 0, MOST_DAYS
    yield "papers: longest_working_days", document.papers.longest_working_days, 1, MOST_DAYS
    yield "papers: bar_months", document.papers.bar_months, 0, 120
    yield "future_tolerance_seconds", document.future_tolerance_seconds, 0, 3600
    # The least by law: 城市供水条例 §22 (in force until 2026-05-31), 供水条例 §23 (in force since 2026-06-01).
    yield "outage_notice_hours", document.outage_notice_hours, 24, 24 * 90
    yield "max_supply_points", document.max_supply_points, 1, 100_000
    for name, most in (
        ("emergency_notice_minutes", MOST_MINUTES),
        ("emergency_report_minutes", MOST_MINUTES),
        ("customers", 1_000_000_000),
        ("arrival_evidence_minutes", MOST_MINUTES),
    ):
        if (given := getattr(document, name)) is not None:
            yield name, given, 1, most
    yield "class_change_ahead_days", document.class_change_ahead_days, 0, 366
    percent = document.reassessment_second_person_percent
    yield "link_suggestion_minutes", document.link_suggestion_minutes, 0, MOST_MINUTES
    yield "reassessment_second_person_percent", percent, 0, 100
    yield "geofence_metres", document.geofence_metres, 1, 10_000
    yield "late_upload_minutes", document.late_upload_minutes, 1, MOST_MINUTES
    if (held := document.planned_outages) is not None:
        yield "planned_outages: large_from_users", held.large_from_users or 1, 1, 1_000_000_000
        yield "planned_outages: large_from_hours", held.large_from_hours or 1, 1, 24 * MOST_DAYS
        yield "planned_outages: start_tolerance_minutes", held.start_tolerance_minutes, 0, 24 * 60
        yield "planned_outages: change_notice_minutes", held.change_notice_minutes, 1, MOST_MINUTES
    for code, source in document.order_sources.items():
        yield f"order_sources: {code}", source.reply_working_days, 1, MOST_DAYS
    for name in ("assessment_minutes", "continuity_minutes", "answer_minutes"):
        yield name, getattr(document, name) or 1, 1, MOST_MINUTES
    for name in ("usage_audit_minutes", "usage_notice_minutes"):
        yield name, getattr(document, name) or 1, 1, MOST_MINUTES
    yield from _reading_numbers(document.readings)
    for code, promised in document.kind_limits.items():
        yield f"kind_limits: {code}", promised.days, 1, MOST_KIND_DAYS
    for code, days in document.uncounted_stages.items():
        yield f"uncounted_stages: {code}", days, 0, MOST_DAYS
    for code, reason in document.pause_reasons.items():
        yield f"pause_reasons: {code}", reason.cap_working_days, 0, MOST_DAYS
    for code, minutes in (*document.arrival_minutes.items(), *document.notice_minutes.items()):
        yield f"minutes for {code}", minutes, 1, MOST_MINUTES
    for code, limit in document.completion_minutes.items():
        yield f"completion_minutes: {code}", limit if limit is not None else 1, 1, MOST_MINUTES
    for code, lateness in document.allowed_lateness_minutes.items():
        yield f"allowed_lateness_minutes: {code}", lateness or 0, 0, MOST_MINUTES
    widest = 0
    for dn_mm, years in document.meter_verification_years:
        yield "meter_verification_years: a diameter of", dn_mm, widest + 1, 1_000_000
        yield "meter_verification_years: years of", years, 1, 50
        widest = dn_mm
    yield from _verification_numbers(document)


def _verification_numbers(document: Standard) -> Iterator[tuple[str, int, int, int]]:
    """Diameters do not go down, and the last period takes whatever meter there is."""
    widest = 1
    for period in document.meter_verification:
        yield "meter_verification: a diameter of", period.dn_mm, widest, 1_000_000
        yield "meter_verification: years of", period.years, 1, 50
        yield "meter_verification: a Q3 in litres an hour of", _litres(period.q3_m3h), 1, 100_000_000
        widest = period.dn_mm
    if document.meter_verification:
        last = document.meter_verification[-1]
        yield "meter_verification: the diameter of the last period,", last.dn_mm, 4_000, 1_000_000
        yield "meter_verification: limits of Q3 in the last period,", int(last.q3_m3h is not None), 0, 0
    if (days := document.meter_expiry_warning_days) is not None:
        yield "meter_expiry_warning_days", days, 1, 366


def _litres(q3_m3h: Decimal | None) -> int:
    """Litres an hour; 1 where any flow rate fits, 0 of what is no number."""
    if q3_m3h is None:
        return 1
    return int(q3_m3h * 1000) if q3_m3h.is_finite() else 0


def _reading_numbers(policy: ReadingPolicy) -> Iterator[tuple[str, int, int, int]]:
    yield "readings: compared_with", policy.compared_with, 1, 120
    yield "readings: compared_at_least", policy.compared_at_least, 1, policy.compared_with
    yield "readings: high_percent", policy.high_percent, 100, 10_000
    yield "readings: high_more_m3", policy.high_more_m3, 0, 1_000_000
    yield "readings: dial_over_percent", policy.dial_over_percent, 0, 50
    yield "readings: never_still_hours", policy.never_still_hours, 1, 24 * 31
    yield "readings: still_gap_minutes", policy.still_gap_minutes, 1, MOST_MINUTES
    yield "readings: zero_hours", policy.zero_hours, 0, 24 * MOST_DAYS


# ---- ladders, powers, the calendar


def _require_ladders(document: Standard) -> None:
    """Refuses ``unknown-commitment``, ``unknown-role``, ``rung-unclear``, ``out-of-range``, ``code-twice``, and what
    ``_require_escalations`` refuses."""
    for commitment in document.apologies:
        require_known(UnknownCommitment, commitment, PROMISES)
    for commitment in (*document.ladders, *document.notify_on_lapse):
        require_known(UnknownCommitment, commitment, COMMITMENTS)
    for commitment, told_on_lapse in document.notify_on_lapse.items():
        _require_addressees(commitment, told_on_lapse)
    for commitment, ladder in document.ladders.items():
        require_codes(f"the ladder of {commitment}", [reminder.name for reminder in ladder])
        for reminder in ladder:
            _require_reminder(commitment, reminder)
    _require_escalations(document)


def _require_reminder(commitment: str, reminder: Rung) -> None:
    said = {
        "percent": (reminder.percent, 100),
        "minutes": (reminder.minutes, MOST_MINUTES),
        "working_day": (reminder.working_day, MOST_DAYS),
    }
    _require_one_time(commitment, reminder.name, said)
    _require_addressees(commitment, reminder.notify)


def _require_one_time(commitment: str, name: str, said: Mapping[str, tuple[int | None, int]]) -> None:
    given = {name: (value, most) for name, (value, most) in said.items() if value is not None}
    if len(given) != 1:
        raise RungUnclear(commitment, name, given, said)
    for unit, (value, most) in given.items():
        require_range(f"{commitment}, {name}: {unit}", value, 1, most)


def _require_escalations(document: Standard) -> None:
    """Refuses what the ladders before the end refuse, and ``unknown-way``. A commitment whose lapse calls nobody out
    has no ladder after it: ``nobody-called``."""
    patterns = {*COMMITMENTS, *(f"{each.partition('.')[0]}.*" for each in COMMITMENTS), "*"}
    for pattern, levels in document.escalations.items():
        require_known(UnknownCommitment, pattern, patterns)
        if pattern in COMMITMENTS and not document.notify_on_lapse.get(pattern):
            raise NobodyCalled(pattern)
        require_codes(f"the ladder after {pattern}", [level.name for level in levels])
        for level in levels:
            _require_level(pattern, level)
    _require_alerts(document.alerts, patterns)


def _require_level(pattern: str, level: EscalationStep) -> None:
    said = {
        "minutes": (level.minutes, MOST_MINUTES),
        "percent": (level.percent, 1_000),
        "working_days": (level.working_days, MOST_DAYS),
    }
    _require_one_time(pattern, level.name, said)
    _require_addressees(pattern, level.notify)
    _require_staff_ways(level.ways)


def _require_alerts(alerts: AlertPolicy, patterns: Collection[str]) -> None:
    for change, ways in alerts.ways.items():
        require_known(UnknownNotice, change, ALERT_CHANGES)
        _require_staff_ways(ways)
    for pattern in alerts.urgent:
        require_known(UnknownCommitment, pattern, patterns)
    _require_staff_ways(alerts.quiet_ways)
    require_range("alerts: most_per_hour", alerts.most_per_hour, 1, 10_000)
    require_range("alerts: digest_minutes", alerts.digest_minutes, 1, MOST_MINUTES)
    require_range("alerts: mass_minutes", alerts.mass_minutes, 1, MOST_MINUTES)


def _require_staff_ways(ways: Iterable[str]) -> None:
    for way in ways:
        require_known(UnknownWay, way, messages.STAFF_WAYS)


def _require_addressees(commitment: str, notify: Iterable[str]) -> None:
    for role in tuple(notify) or (f"nobody for {commitment}",):
        require_known(UnknownRole, role, ADDRESSEES)


def _require_powers(document: Standard) -> None:
    """Refuses ``unknown-power``, ``power-missing``, ``unknown-role``."""
    for power, roles in document.powers.items():
        require_known(UnknownPower, power, (*POWERS, *NAMED_BEFORE.values()))
        for role in roles:
            require_known(UnknownRole, role, (*ROLES, SYSTEM))
    for power in sorted(POWERS):
        if not roles_with(document, power):
            raise PowerMissing(power)


def _require_calendar(document: Standard, regions: Collection[str]) -> None:
    """Refuses ``unknown-region``: the days of a standard could not be counted."""
    for region in document.calendar_regions or ("no region",):
        require_known(UnknownRegion, region, regions)
    require_codes("calendar_regions", [region.lower() for region in document.calendar_regions])
