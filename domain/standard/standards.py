"""A standard: one published version of all promises. Every number of the service is here, as data.

Sources of the numbers in the first standard: the published "0225" promises and four of the eight repair promises; where
they are silent, the practice of other water companies or the utility's own decision, marked so in
``infra/data/README.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Literal

from domain.deadlines.calendar import Calendar, CalendarPublished, CalendarVersion, versions
from domain.deadlines.limits import DayEnd, DayUnit, Intake
from domain.kernel.facts import fact
from domain.kernel.refusals import UnknownCode
from domain.standard.fees import CataloguePublished
from domain.standard.refusals import FutureTime, UnknownDistrict

Zone = Literal["urban", "other"]
Severity = Literal["small", "medium", "major"]
CompletionStart = Literal["report", "arrival", "assessment"]
Precision = Literal["second", "day", "by"]
"""How closely a time is known: of ``day`` only the day is, and the instant is that day's beginning; ``by`` the instant
it had happened (imported history that says no more than how it ended)."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of a ladder before the end of a window: who is told, and when.

    Exactly one of the three says when: ``minutes`` after the start, ``percent`` of the span, or the close of the
    ``working_day``-th working day. ``unless_acknowledged``: the rung falls away once a crew has acknowledged.
    """

    name: str
    notify: tuple[str, ...]
    minutes: int | None = None
    percent: int | None = None
    working_day: int | None = None
    unless_acknowledged: bool = False


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """One step of the ladder after a lapse, until somebody acknowledges it: who is told, by which ways, and when.

    Exactly one of the three says when: ``minutes`` after the end that ran out, round the clock; ``percent`` of the span
    from the window's opening to that end, beyond it; the close of the ``working_days``-th working day after it.
    ``urgent``: told at any hour.
    """

    name: str
    notify: tuple[str, ...]
    ways: tuple[str, ...]
    minutes: int | None = None
    percent: int | None = None
    working_days: int | None = None
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """How staff are told that a promise nears its end or ran out, and when they are left alone.

    ``ways``: by which ways a ``nearing`` and a ``lapsed`` is told (a step after a lapse says its own; "page" is the
    list on the page). ``urgent``: the commitments (or ``<kind>.*``) whose nearing and lapse are told at any hour.
    From ``quiet_from`` to ``quiet_until`` the ``quiet_ways`` wait for what is not urgent. ``most_per_hour``: so many
    messages a role gets by one way in an hour; what is more waits and comes as one digest, at most every
    ``digest_minutes``. ``mass_minutes``: alerts of cases of one mass incident are one message, at most every so many
    minutes. ``texts``: of each kind of message; a word in braces is filled in. ``names``: what they call the
    commitments. A standard without ways tells nobody.
    """

    ways: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    urgent: tuple[str, ...] = ()
    quiet_from: time = time(22)
    quiet_until: time = time(7)
    quiet_ways: tuple[str, ...] = ()
    most_per_hour: int = 12
    digest_minutes: int = 15
    mass_minutes: int = 30
    texts: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class District:
    """A district of the supply area and the zone whose arrival promise it has."""

    name_zh: str
    zone: Zone


@dataclass(frozen=True, slots=True)
class Promise:
    """What the public was told about connections, in numbers. A standard keeps within it or publishes another one."""

    version: str
    working_days: int
    steps: int
    documents: int
    fees: int
    trips_remote: int
    trips_otherwise: int


@dataclass(frozen=True, slots=True)
class Step:
    """A step 环节 that the applicant sees."""

    code: str
    name_zh: str


@dataclass(frozen=True, slots=True)
class DocumentRequirement:
    """A document that an applicant owes. ``main`` False: it may be outstanding at admission (容缺).

    ``met_by``: the ways that meet it, of upload, seen, shared, verified.
    """

    code: str
    name_zh: str
    main: bool
    met_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PapersPolicy:
    """Admission with papers outstanding (容缺受理).

    ``admits``: ``main-papers`` admits by itself once the main papers are in, unless the applicant is barred or has
    declined; ``with-commitment`` waits for the written commitment too. ``longest_working_days``: the latest deadline a
    commitment may have, never later than the case's own. ``bar_months``: how long a broken commitment bars.
    """

    admits: Literal["main-papers", "with-commitment"]
    when_broken: Literal["end", "suspend"]
    longest_working_days: int
    bar_months: int


@dataclass(frozen=True, slots=True)
class PauseReason:
    """A reason for which the clock may stand, at most ``cap_working_days`` of a case."""

    name_zh: str
    cap_working_days: int


@dataclass(frozen=True, slots=True)
class Desk:
    """Where applications of some categories are handed on to, and the named people who own them."""

    name_zh: str
    owners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SeverityClass:
    """A class of repair (小修, 中修, 大修) in words that a crew can check on site."""

    name_zh: str
    criteria_zh: str


@dataclass(frozen=True, slots=True)
class OrderSource:
    """A body whose work orders come with a number and a deadline of their own (12345 政务服务便民热线).

    ``reply_working_days``: by when an order is replied to that names no deadline itself.
    """

    name_zh: str
    reply_working_days: int


@dataclass(frozen=True, slots=True)
class ReadingPolicy:
    """When a consumption is out of the ordinary (用量异常).

    ``compared_with``: how many earlier consumptions the median is of; fewer than ``compared_at_least`` say nothing.
    ``dial_over_percent``: a dial is taken to have started anew where it stood within so much of its end and stands
    within so much of its beginning; any other smaller reading is a falling one. ``still_gap_minutes``: readings that
    lie further apart cannot show that water never stood still in between. ``zero_hours``: no use over a shorter time is
    nothing odd.
    """

    compared_with: int = 6
    compared_at_least: int = 3
    high_percent: int = 200
    high_more_m3: int = 5
    dial_over_percent: int = 10
    never_still_hours: int = 24
    still_gap_minutes: int = 60
    zero_hours: int = 0


@dataclass(frozen=True, slots=True)
class KindLimit:
    """A completion limit in days for one kind of fault, whatever its class: so many working or civil days, until the
    close of business or until the time of day at which it began."""

    days: int
    unit: DayUnit = "working"
    ends: DayEnd = "close"


@fact("发布标准", "standard published", topic="public", changes_rules=True)
class StandardPublished:
    """A standard was published. The whole document; later versions replace it from their date on."""

    version: str
    effective_from: datetime
    arrival_minutes: Mapping[Zone, int]
    completion_minutes: Mapping[Severity, int | None]
    unassessed_as: Severity
    connection_working_days: int
    close_of_business: time
    calendar_regions: tuple[str, ...]
    ladders: Mapping[str, tuple[Rung, ...]]
    notify_on_lapse: Mapping[str, tuple[str, ...]]
    districts: Mapping[str, District]
    fault_kinds: Mapping[str, str]
    applicant_categories: Mapping[str, str]
    allowed_lateness_minutes: Mapping[str, int | None]
    future_tolerance_seconds: int
    max_supply_points: int
    meter_verification_years: tuple[tuple[int, int], ...]
    # What follows came with the second shipped version; the defaults read a standard that was published before.
    promise: Promise | None = None
    steps: tuple[Step, ...] = ()
    documents: Mapping[str, tuple[DocumentRequirement, ...]] = field(default_factory=dict)
    document_ways: Mapping[str, str] = field(default_factory=dict)
    defects: Mapping[str, str] = field(default_factory=dict)
    hidden_defects: Mapping[str, str] = field(default_factory=dict)
    notice_minutes: Mapping[str, int] = field(default_factory=dict)
    notice_working_days: int = 1
    silence_working_days: int = 5
    papers: PapersPolicy = PapersPolicy("main-papers", "end", 5, 12)
    pause_reasons: Mapping[str, PauseReason] = field(default_factory=dict)
    pause_cap_working_days: int = 0
    remote_channels: tuple[str, ...] = ()
    desks: Mapping[str, Desk] = field(default_factory=dict)
    routing: Mapping[str, str] = field(default_factory=dict)
    refusal_reasons: Mapping[str, str] = field(default_factory=dict)
    withdrawal_reasons: Mapping[str, str] = field(default_factory=dict)
    survey_findings: Mapping[str, str] = field(default_factory=dict)
    inspection_defects: Mapping[str, str] = field(default_factory=dict)
    deliverables: Mapping[str, str] = field(default_factory=dict)
    delivery_ways: Mapping[str, str] = field(default_factory=dict)
    payer_classes: Mapping[str, str] = field(default_factory=dict)
    price_version: str = ""
    price_classes: Mapping[str, str] = field(default_factory=dict)
    squads: Mapping[str, str] = field(default_factory=dict)
    visit_purposes: Mapping[str, str] = field(default_factory=dict)
    consultation_topics: Mapping[str, str] = field(default_factory=dict)
    preservices: Mapping[str, str] = field(default_factory=dict)
    works_kinds: Mapping[str, str] = field(default_factory=dict)
    severity_classes: Mapping[Severity, SeverityClass] = field(default_factory=dict)
    calendar_warning_from: str = "11-15"
    crew_skills: Mapping[str, str] = field(default_factory=dict)
    decline_reasons: Mapping[str, str] = field(default_factory=dict)
    mass_causes: Mapping[str, str] = field(default_factory=dict)
    outage_notice_hours: int = 24
    # Of outages: what came with notices that the program sends.
    emergency_notice_minutes: int | None = None
    emergency_report_minutes: int | None = None
    outage_cancel_reasons: Mapping[str, str] = field(default_factory=dict)
    notice_ways: Mapping[str, str] = field(default_factory=dict)
    outage_texts: Mapping[str, str] = field(default_factory=dict)
    customers: int | None = None
    # Of repairs: a number that a standard does not have promises nothing.
    completion_from: CompletionStart = "report"
    assessment_minutes: int | None = None
    reassessment_second_person_percent: int = 75
    continuity_minutes: int | None = None
    work_notes: Mapping[str, str] = field(default_factory=dict)
    fault_families: Mapping[str, str] = field(default_factory=dict)
    link_suggestion_minutes: int = 0
    # Of imported history, of incidents that needed no repair, and of what is known about a fault. The codes of
    # ``incident_details`` stand under the detail that they are of.
    history_channels: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)
    dismissal_reasons: Mapping[str, str] = field(default_factory=dict)
    rejection_reasons: Mapping[str, str] = field(default_factory=dict)
    pipe_materials: Mapping[str, str] = field(default_factory=dict)
    incident_details: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    answer_minutes: int | None = None
    answer_ways: Mapping[str, str] = field(default_factory=dict)
    answer_texts: Mapping[str, str] = field(default_factory=dict)
    # Commitments of repairs after whose lapse whoever reported is owed an apology.
    apologies: tuple[str, ...] = ()
    order_sources: Mapping[str, OrderSource] = field(default_factory=dict)
    geofence_metres: int = 200
    late_upload_minutes: int = 10
    readings: ReadingPolicy = ReadingPolicy()
    # Of abnormal use, of meters and of reading rounds: a number that a standard does not have promises nothing.
    usage_audit_minutes: int | None = None
    usage_notice_minutes: int | None = None
    usage_ways: Mapping[str, str] = field(default_factory=dict)
    usage_dismissals: Mapping[str, str] = field(default_factory=dict)
    usage_outcomes: Mapping[str, str] = field(default_factory=dict)
    leak_findings: Mapping[str, str] = field(default_factory=dict)
    meter_replacements: Mapping[str, str] = field(default_factory=dict)
    reading_exceptions: Mapping[str, str] = field(default_factory=dict)
    # Of what follows a lapse: commitment, ``<kind>.*`` or ``*`` → the ladder that goes on; and how staff are told.
    escalations: Mapping[str, tuple[EscalationStep, ...]] = field(default_factory=dict)
    alerts: AlertPolicy = AlertPolicy()
    # Of limits that other offices count otherwise, and of what a trial may ask: without them nothing is counted so.
    # ``uncounted_stages``: stage of a connection → how many working days of it the clock may stand.
    kind_limits: Mapping[str, KindLimit] = field(default_factory=dict)
    intake: Intake | None = None
    uncounted_stages: Mapping[str, int] = field(default_factory=dict)
    # Of what changes once water is on: reasons, and how far ahead a change of class may be told; 0: not at all.
    class_changes: Mapping[str, str] = field(default_factory=dict)
    customer_changes: Mapping[str, str] = field(default_factory=dict)
    class_change_ahead_days: int = 0
    powers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def settles_after(self) -> timedelta | None:
        """How long after its instant a verdict stays open: as long as a fact may come, by the slowest channel that has
        a limit, without a second person (our decision). None where no channel has one."""
        limits = [minutes for minutes in self.allowed_lateness_minutes.values() if minutes is not None]
        return timedelta(minutes=max(limits)) if limits else None

    def allowed_trips(self, channel: str) -> int | None:
        """How often the applicant may have to appear in person; None where nothing was promised about it."""
        if self.promise is None:
            return None
        return self.promise.trips_remote if channel in self.remote_channels else self.promise.trips_otherwise


Standard = StandardPublished

ALERT_CHANGES = ("nearing", "lapsed")
"""What a standard says the ways of; a step of the ladder after a lapse says its own."""
ALERT_TEXTS = ("nearing", "lapsed", "escalated", "retracted", "met", "cancelled", "mass", "digest", "corrections")
"""What a standard may have a text to staff for."""
ALERT_WORDS = ("number", "commitment", "due", "step", "cases", "count", "mass")
"""What a text to staff may name in braces."""
ANSWER_STANDS = ("completed", "dismissed")
"""How an incident can end: what a standard may have a text for."""
ANSWER_WORDS = ("number", "kind", "district", "at")
"""What a text to a reporter may name in braces."""
OUTAGE_STANDS = ("planned", "emergency", "emergency-until", "extended", "restored", "cancelled")
"""How an outage can stand: what a standard may have a text for."""
OUTAGE_WORDS = ("number", "districts", "begin", "end", "restored")
"""What a text on an outage may name in braces."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What judges: every published standard, calendar and fee catalogue. ``position``: the log's, of the newest."""

    standards: tuple[Standard, ...]
    calendars: Mapping[tuple[str, ...], tuple[CalendarVersion, ...]]
    catalogues: tuple[CataloguePublished, ...] = ()
    position: int = 0

    def in_force(self, at: datetime) -> Standard:
        """The standard that governs a limit which starts at ``at``; the oldest one for anything earlier still."""
        return self._begun(at) or min(self.standards, key=lambda standard: standard.effective_from)

    def _begun(self, at: datetime) -> Standard | None:
        latest: Standard | None = None
        for standard in self.standards:
            # Of two with one date the one published last counts.
            if standard.effective_from <= at and (latest is None or latest.effective_from <= standard.effective_from):
                latest = standard
        return latest

    def version(self, name: str) -> Standard | None:
        """The standard of that version; None where none was published under it."""
        return next((standard for standard in reversed(self.standards) if standard.version == name), None)

    def calendars_of(self, standard: Standard) -> tuple[CalendarVersion, ...]:
        """Every version of the calendar that the standard counts by, oldest first."""
        return self.calendars[standard.calendar_regions]

    @property
    def newest(self) -> Standard:
        """The standard with the latest date, in force already or not."""
        return max(reversed(self.standards), key=lambda standard: standard.effective_from)

    @property
    def calendar(self) -> Calendar:
        """The calendar as it stands now, of the newest standard's regions."""
        return self.calendars_of(self.newest)[-1].calendar

    def catalogue(self, at: datetime) -> CataloguePublished | None:
        """The fee catalogue in force at ``at``; None before the first."""
        begun = [catalogue for catalogue in reversed(self.catalogues) if catalogue.effective_from <= at]
        return max(begun, key=lambda catalogue: catalogue.effective_from, default=None)


def make_rules(
    standards: Iterable[Standard],
    calendars: Iterable[tuple[datetime, CalendarPublished]],
    catalogues: Iterable[CataloguePublished] = (),
    position: int = 0,
) -> Rules:
    """Rules from everything that was published, calendars with the time of publication.

    Raises LookupError where no standard is published, or a region that one of them counts by.
    """
    known, published = tuple(standards), tuple(calendars)
    if not known:
        raise LookupError("no standard is published: run `tongshui migrate`")
    chains = {standard.calendar_regions for standard in known}
    return Rules(known, {chain: versions(chain, published) for chain in chains}, tuple(catalogues), position)


def district(standard: Standard, code: str) -> District:
    """The district with that code. Refuses ``unknown-district``."""
    found = standard.districts.get(code)
    if found is None:
        raise UnknownDistrict(code, standard)
    return found


def require_known(unknown: type[UnknownCode], found: str, known: Iterable[str]) -> None:
    """Refuse as ``unknown`` where ``found`` is none of ``known``."""
    if found not in (listed := set(known)):
        raise unknown(found, listed)


def is_backdated(standard: Standard, channel: str, happened_at: datetime, at: datetime) -> bool:
    """Whether a fact comes later than the channel's allowed lateness (允许迟报). A channel without a limit: never."""
    allowed = standard.allowed_lateness_minutes.get(channel)
    return allowed is not None and (at - happened_at).total_seconds() > allowed * 60


def require_not_future(standard: Standard, happened_at: datetime, at: datetime) -> None:
    """Refuse ``future-time``: nothing can have happened later than now (plus the tolerance for device clocks)."""
    if (happened_at - at).total_seconds() > standard.future_tolerance_seconds:
        raise FutureTime(
            found=f"happened_at {happened_at.isoformat()}",
            needed=f"not later than {at.isoformat()} (+ {standard.future_tolerance_seconds} s)",
        )
