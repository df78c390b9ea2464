"""A standard: one published version of all promises. Every number of the service is here, as data.

Sources of the numbers in the first standard: the published "0225" promises and four of the eight repair promises; where
they are silent, the practice of other water companies or the utility's own decision, marked so in
``infra/data/README.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Literal, TypeVar

from domain.deadlines.calendar import Calendar, CalendarPublished, CalendarVersion, local_date, versions
from domain.deadlines.limits import DayEnd, DayUnit, Intake
from domain.kernel.facts import fact
from domain.kernel.fields import ChineseName, NotifiedRoles, Version
from domain.kernel.law import NO_LAW, BasisOf, Citation, Law
from domain.kernel.refusals import Refusal, UnknownCode
from domain.standard.fees import CataloguePublished
from domain.standard.refusals import FutureTime, UnknownDistrict

R = TypeVar("R", bound=Refusal)
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

    name: Annotated[str, "Code of the reminder."]
    notify: NotifiedRoles
    minutes: Annotated[int | None, "Minutes after the start; null where it is set otherwise."] = None
    percent: Annotated[int | None, "Percent of the span from start to end; null where it is set otherwise."] = None
    working_day: Annotated[
        int | None, "It is reached at the close of this working day, counted from 1; null where it is set otherwise."
    ] = None
    unless_acknowledged: Annotated[bool, "Whether nobody is told once the crew has confirmed."] = False


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """One step of the ladder after a lapse, until somebody acknowledges it: who is told, by which ways, and when.

    Exactly one of the three says when: ``minutes`` after the end that ran out, round the clock; ``percent`` of the span
    from the window's opening to that end, beyond it; the close of the ``working_days``-th working day after it.
    ``urgent``: told at any hour.
    """

    name: Annotated[str, "Code of the escalation level."]
    notify: NotifiedRoles
    ways: Annotated[tuple[str, ...], "By which ways the roles are told, as codes."]
    minutes: Annotated[
        int | None, "Minutes after the end that ran out, round the clock; null where it is set otherwise."
    ] = None
    percent: Annotated[
        int | None,
        "Percent of the span from the window's opening to its end, beyond that end; null where it is set otherwise.",
    ] = None
    working_days: Annotated[
        int | None, "It is reached at the close of this working day after the end; null where it is set otherwise."
    ] = None
    urgent: Annotated[bool, "Whether it is told at any hour."] = False


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

    ways: Annotated[Mapping[str, tuple[str, ...]], "Nearing or lapsed → by which ways it is told."] = field(
        default_factory=dict
    )
    urgent: Annotated[tuple[str, ...], "Promises, or all of a kind (<kind>.*), that are told at any hour."] = ()
    quiet_from: Annotated[time, "Time of day from which on the quiet ways wait."] = time(22)
    quiet_until: Annotated[time, "Time of day until which the quiet ways wait."] = time(7)
    quiet_ways: Annotated[tuple[str, ...], "Ways that wait at night with what is not urgent."] = ()
    most_per_hour: Annotated[
        int, "Most messages that a role gets by one way in an hour; the rest is collected into a digest."
    ] = 12
    digest_minutes: Annotated[int, "Fewest minutes between two digests."] = 15
    mass_minutes: Annotated[int, "Fewest minutes between two messages about the cases of one mass incident."] = 30
    texts: Annotated[Mapping[str, str], "Kind of message → its text; words in braces are filled in."] = field(
        default_factory=dict
    )
    names: Annotated[Mapping[str, str], "Promise → what messages call it."] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class District:
    """A district of the supply area and the zone whose arrival promise it has."""

    name_zh: ChineseName
    zone: Annotated[Zone, "Whether the district is in town or out of it: which arrival limit holds."]


@dataclass(frozen=True, slots=True)
class Promise:
    """What the public was told about connections, in numbers. A standard keeps within it or publishes another one."""

    version: Version
    working_days: Annotated[int, "Most working days until water is on."]
    steps: Annotated[int, "Most steps."]
    documents: Annotated[int, "Most documents."]
    fees: Annotated[int, "Most fees."]
    trips_remote: Annotated[int, "Most trips of who applied over a remote channel."]
    trips_otherwise: Annotated[int, "Most trips of everybody else."]


@dataclass(frozen=True, slots=True)
class Step:
    """A step 环节 that the applicant sees."""

    code: Annotated[str, "Code of the step."]
    name_zh: ChineseName


@dataclass(frozen=True, slots=True)
class DocumentRequirement:
    """A document that an applicant owes. ``main`` False: it may be outstanding at admission (容缺).

    ``met_by``: the ways that meet it, of upload, seen, shared, verified.
    """

    code: Annotated[str, "Code of the document."]
    name_zh: ChineseName
    main: Annotated[bool, "Whether nothing can be admitted without it."]
    met_by: Annotated[tuple[str, ...], "The ways that meet it, of upload, seen, shared and verified."]


@dataclass(frozen=True, slots=True)
class PapersPolicy:
    """Admission with papers outstanding (容缺受理).

    ``admits``: ``main-papers`` admits by itself once the main papers are in, unless the applicant is barred or has
    declined; ``with-commitment`` waits for the written commitment too. ``longest_working_days``: the latest deadline a
    commitment may have, never later than the case's own. ``bar_months``: how long a broken commitment bars.
    """

    admits: Annotated[
        Literal["main-papers", "with-commitment"],
        "What admits by itself: the main papers, or they with the written promise of the rest.",
    ]
    when_broken: Annotated[Literal["end", "suspend"], "What happens where the promise of papers is broken."]
    longest_working_days: Annotated[int, "The latest deadline that a promise of papers may have, in working days."]
    bar_months: Annotated[int, "Months for which a broken promise bars the applicant."]


@dataclass(frozen=True, slots=True)
class PauseReason:
    """A reason for which the clock may stand, at most ``cap_working_days`` of a case."""

    name_zh: ChineseName
    cap_working_days: Annotated[int, "Most working days of one such pause."]


@dataclass(frozen=True, slots=True)
class Desk:
    """Where applications of some categories are handed on to, and the named people who own them."""

    name_zh: ChineseName
    owners: Annotated[tuple[str, ...], "Actor ids of who answers for cases at the desk."]


@dataclass(frozen=True, slots=True)
class SeverityClass:
    """A class of repair (小修, 中修, 大修) in words that a crew can check on site."""

    name_zh: ChineseName
    criteria_zh: Annotated[str, "What makes a repair one of the class, in Chinese."]


@dataclass(frozen=True, slots=True)
class OrderSource:
    """A body whose work orders come with a number and a deadline of their own (12345 政务服务便民热线).

    ``reply_working_days``: by when an order is replied to that names no deadline itself.
    """

    name_zh: ChineseName
    reply_working_days: Annotated[int, "Working days in which the body wants its reply."]


@dataclass(frozen=True, slots=True)
class ReadingPolicy:
    """When a consumption is out of the ordinary (用量异常).

    ``compared_with``: how many earlier consumptions the median is of; fewer than ``compared_at_least`` say nothing.
    ``dial_over_percent``: a dial is taken to have started anew where it stood within so much of its end and stands
    within so much of its beginning; any other smaller reading is a falling one. ``still_gap_minutes``: readings that
    lie further apart cannot show that water never stood still in between. ``zero_hours``: no use over a shorter time is
    nothing odd.
    """

    compared_with: Annotated[int, "Of how many earlier consumptions the median is."] = 6
    compared_at_least: Annotated[int, "With fewer earlier consumptions nothing is said."] = 3
    high_percent: Annotated[int, "Percent of the median above which a consumption is high."] = 200
    high_more_m3: Annotated[int, "And at least so many m³ above the median."] = 5
    dial_over_percent: Annotated[int, "Percent of the dial within which a dial is taken to have started anew."] = 10
    never_still_hours: Annotated[int, "Hours without standing still after which a leak is likely."] = 24
    still_gap_minutes: Annotated[int, "Readings further apart cannot show that water never stood still in between."] = (
        60
    )
    zero_hours: Annotated[int, "No use over a shorter time is nothing odd."] = 0


@dataclass(frozen=True, slots=True)
class PlannedOutagePolicy:
    """How a planned outage is held to the law of 2026 (供水条例 §23, since 2026-06-01). What counts as a large effect,
    the tolerance and the minutes are our decision: the law names no number. The effect is large where one of the three
    holds, and then the outage needs the authority's approval and water in the meantime."""

    large_from_users: Annotated[
        int | None, "Users without water from which on the effect is large; null: their number does not decide."
    ]
    large_from_hours: Annotated[
        int | None, "Announced hours without water from which on the effect is large; null: they do not decide."
    ]
    sensitive_places: Annotated[
        Mapping[str, str], "Code → Chinese name of the kinds of place whose water makes the effect large."
    ]
    supply_ways: Annotated[Mapping[str, str], "Code → how people get water in the meantime."]
    start_tolerance_minutes: Annotated[
        int,
        "Minutes before and after the announced beginning in which water may go off; otherwise the notice is broken.",
    ]
    change_notice_minutes: Annotated[
        int, "Minutes in which users who were told of an outage are told that it is cancelled or takes longer."
    ]


@dataclass(frozen=True, slots=True)
class KindLimit:
    """A completion limit in days for one kind of fault, whatever its class: so many working or civil days, until the
    close of business or until the time of day at which it began."""

    days: Annotated[int, "How many days."]
    unit: Annotated[DayUnit, "Whether working days or civil days are counted."] = "working"
    ends: Annotated[
        DayEnd, "Whether a limit ends at the close of business or at the time of day at which it began."
    ] = "close"


@dataclass(frozen=True, slots=True)
class VerificationPeriod:
    """How long the verification of a meter holds, up to a diameter and a permanent flow rate Q3.

    ``q3_assumed``: a meter whose Q3 is not recorded is taken to be within. ``replaced``: it is verified once, and
    replaced when that ends; the others are verified again.
    """

    dn_mm: Annotated[int, "Largest nominal diameter in millimetres."]
    years: Annotated[int, "Years that a verification holds, until the day before its anniversary."]
    q3_m3h: Annotated[Decimal | None, "Largest permanent flow rate Q3 in m³/h; null: any."] = None
    q3_assumed: Annotated[bool, "Whether a meter whose Q3 is not recorded is taken to be within."] = False
    replaced: Annotated[bool, "Whether the meter is replaced at the end instead of verified again."] = False

    def holds_for(self, dn_mm: int, q3_m3h: Decimal | None) -> bool:
        """Whether it is the period of such a meter."""
        if dn_mm > self.dn_mm:
            return False
        return self.q3_m3h is None or (self.q3_assumed if q3_m3h is None else q3_m3h <= self.q3_m3h)


@fact("发布标准", "standard published", topic="public", changes_rules=True)
class StandardPublished:
    """A standard was published. The whole document; later versions replace it from their date on."""

    version: Version
    effective_from: Annotated[datetime, "From when on it is in force."]
    arrival_minutes: Annotated[Mapping[Zone, int], "Zone → minutes from the first report to a crew on site."]
    completion_minutes: Annotated[
        Mapping[Severity, int | None],
        "Class → minutes to the end of the repair; null: no end limit, continuous work instead.",
    ]
    unassessed_as: Annotated[Severity, "Class whose limit holds until the repair is classed."]
    connection_working_days: Annotated[int, "Working days from admission to water."]
    close_of_business: Annotated[
        time, "Time of day, on the calendar's wall clock, at which the last day of a limit ends."
    ]
    calendar_regions: Annotated[tuple[str, ...], "Codes of the calendars that count together."]
    ladders: Annotated[Mapping[str, tuple[Rung, ...]], "Promise → the reminders before its end."]
    notify_on_lapse: Annotated[Mapping[str, tuple[str, ...]], "Promise → roles that are told of a lapse."]
    districts: Annotated[Mapping[str, District], "Code of a district → its name and zone."]
    fault_kinds: Annotated[Mapping[str, str], "Code → Chinese name of the kinds of fault."]
    applicant_categories: Annotated[Mapping[str, str], "Code → Chinese name of the applicants' categories."]
    allowed_lateness_minutes: Annotated[
        Mapping[str, int | None],
        "Channel → minutes after which a fact told over it needs a second person; null: never.",
    ]
    future_tolerance_seconds: Annotated[
        int,
        "Seconds by which two clocks may differ: so far ahead an instant may lie, or before what it fulfils.",
    ]
    max_supply_points: Annotated[int, "Most supply points of an application."]
    meter_verification_years: Annotated[
        tuple[tuple[int, int], ...],
        "Pairs of largest nominal diameter in millimetres and years that a verification holds.",
    ]
    # What follows came with the second shipped version; the defaults read a standard that was published before.
    promise: Annotated[Promise | None, "What is published to applicants; null where nothing is."] = None
    steps: Annotated[tuple[Step, ...], "The steps of an application that applicants see."] = ()
    documents: Annotated[
        Mapping[str, tuple[DocumentRequirement, ...]], "Applicant category → the documents it needs."
    ] = field(default_factory=dict)
    document_ways: Annotated[Mapping[str, str], "Code → name of the ways in which a document may come."] = field(
        default_factory=dict
    )
    defects: Annotated[Mapping[str, str], "Code → name of what can be wrong with a document."] = field(
        default_factory=dict
    )
    hidden_defects: Annotated[Mapping[str, str], "Code → name of what could not be seen the first time."] = field(
        default_factory=dict
    )
    notice_minutes: Annotated[Mapping[str, int], "Channel → minutes to the one-time notice."] = field(
        default_factory=dict
    )
    notice_working_days: Annotated[int, "Working days to the one-time notice where the channel has no minutes."] = 1
    silence_working_days: Annotated[int, "Working days after which silence admits."] = 5
    papers: Annotated[PapersPolicy, "How papers may stay outstanding at admission."] = PapersPolicy(
        "main-papers", "end", 5, 12
    )
    pause_reasons: Annotated[Mapping[str, PauseReason], "Code → what a pause may be for, and how long."] = field(
        default_factory=dict
    )
    pause_cap_working_days: Annotated[int, "Most working days of all pauses of a case together."] = 0
    remote_channels: Annotated[tuple[str, ...], "Channels over which nobody needs to come."] = ()
    desks: Annotated[Mapping[str, Desk], "Code → the desks that take cases."] = field(default_factory=dict)
    routing: Annotated[Mapping[str, str], "Applicant category → desk."] = field(default_factory=dict)
    refusal_reasons: Annotated[Mapping[str, str], "Code → why an application may be refused."] = field(
        default_factory=dict
    )
    withdrawal_reasons: Annotated[Mapping[str, str], "Code → why an applicant withdraws."] = field(default_factory=dict)
    survey_findings: Annotated[Mapping[str, str], "Code → what a survey may find."] = field(default_factory=dict)
    inspection_defects: Annotated[Mapping[str, str], "Code → what an inspection may find."] = field(
        default_factory=dict
    )
    deliverables: Annotated[Mapping[str, str], "Code → what is handed over to the applicant."] = field(
        default_factory=dict
    )
    delivery_ways: Annotated[Mapping[str, str], "Code → how it may be handed over."] = field(default_factory=dict)
    payer_classes: Annotated[Mapping[str, str], "Code → name of the classes of who pays."] = field(default_factory=dict)
    price_version: Annotated[str, "Version of the water prices."] = ""
    price_classes: Annotated[Mapping[str, str], "Code → Chinese name of the price classes."] = field(
        default_factory=dict
    )
    squads: Annotated[Mapping[str, str], "Code → Chinese name of the squads."] = field(default_factory=dict)
    visit_purposes: Annotated[Mapping[str, str], "Code → what a squad may come for."] = field(default_factory=dict)
    consultation_topics: Annotated[Mapping[str, str], "Code → what a consultation may be about."] = field(
        default_factory=dict
    )
    preservices: Annotated[Mapping[str, str], "Code → what is offered before building."] = field(default_factory=dict)
    works_kinds: Annotated[Mapping[str, str], "Code → kinds of work for the community."] = field(default_factory=dict)
    severity_classes: Annotated[
        Mapping[Severity, SeverityClass], "Class → its name and what makes a repair one of it."
    ] = field(default_factory=dict)
    calendar_warning_from: Annotated[
        str, "Month and day (MM-DD) from which on a missing calendar of the next year is warned of."
    ] = "11-15"
    crew_skills: Annotated[Mapping[str, str], "Code → what a crew can do."] = field(default_factory=dict)
    decline_reasons: Annotated[Mapping[str, str], "Code → why a crew may say no."] = field(default_factory=dict)
    mass_causes: Annotated[Mapping[str, str], "Code → what may cause a mass incident."] = field(default_factory=dict)
    outage_notice_hours: Annotated[int, "Hours before a planned outage by which users are told."] = 24
    # Of outages: what came with notices that the program sends.
    emergency_notice_minutes: Annotated[
        int | None, "Minutes in which users are told of an emergency; null: no promise."
    ] = None
    emergency_report_minutes: Annotated[
        int | None, "Minutes in which the authority is told of an emergency; null: no promise."
    ] = None
    planned_outages: Annotated[
        PlannedOutagePolicy | None,
        "What decides whether a planned outage needs approval, and how it is held to its notice; null: every one needs "
        "approval, and its beginning is not held to what was announced (the law before 2026-06-01).",
    ] = None
    outage_cancel_reasons: Annotated[Mapping[str, str], "Code → why a planned outage may be cancelled."] = field(
        default_factory=dict
    )
    notice_ways: Annotated[Mapping[str, str], "Code → how users are told of an outage."] = field(default_factory=dict)
    outage_texts: Annotated[
        Mapping[str, str], "How an outage stands → the text that users are sent; words in braces are filled in."
    ] = field(default_factory=dict)
    customers: Annotated[
        int | None, "Customers of the utility, for figures per customer; null where it is not told."
    ] = None
    # Of repairs: a number that a standard does not have promises nothing.
    completion_from: Annotated[
        CompletionStart, "What the completion is counted from: the first report, the arrival or the assessment."
    ] = "report"
    assessment_minutes: Annotated[
        int | None, "Minutes from the first report in which a repair is classed; null: no promise."
    ] = None
    reassessment_second_person_percent: Annotated[
        int, "Percent of the limit after which another class needs a second person."
    ] = 75
    continuity_minutes: Annotated[
        int | None, "Most minutes between two records of work on a major repair; null: no promise."
    ] = None
    work_notes: Annotated[Mapping[str, str], "Code → what a record of work may say."] = field(default_factory=dict)
    fault_families: Annotated[Mapping[str, str], "Kind of fault → the group of kinds that may be one incident."] = (
        field(default_factory=dict)
    )
    link_suggestion_minutes: Annotated[int, "Minutes in which a further report may be the same incident."] = 0
    # Of imported history, of incidents that needed no repair, and of what is known about a fault. The codes of
    # ``incident_details`` stand under the detail that they are of.
    history_channels: Annotated[tuple[str, ...], "Channels over which history is imported."] = ()
    origins: Annotated[
        Mapping[str, str], "Code → over which of its own ways the source of imported history was told."
    ] = field(default_factory=dict)
    dismissal_reasons: Annotated[Mapping[str, str], "Code → why an incident may need no repair."] = field(
        default_factory=dict
    )
    rejection_reasons: Annotated[Mapping[str, str], "Code → why proof may be rejected."] = field(default_factory=dict)
    pipe_materials: Annotated[Mapping[str, str], "Code → what pipes are made of."] = field(default_factory=dict)
    incident_details: Annotated[Mapping[str, Mapping[str, str]], "Detail → its allowed codes and their names."] = field(
        default_factory=dict
    )
    answer_minutes: Annotated[
        int | None, "Minutes after the end of the repair in which a reporter is told; null: no promise."
    ] = None
    answer_ways: Annotated[Mapping[str, str], "Code → how a reporter is told."] = field(default_factory=dict)
    answer_texts: Annotated[
        Mapping[str, str], "How an incident ended → the text that a reporter is sent; words in braces are filled in."
    ] = field(default_factory=dict)
    # Commitments of repairs after whose lapse whoever reported is owed an apology.
    apologies: Annotated[tuple[str, ...], "Promises whose lapse is apologised for."] = ()
    order_sources: Annotated[Mapping[str, OrderSource], "Code → the bodies that send orders, and their limit."] = field(
        default_factory=dict
    )
    geofence_metres: Annotated[int, "Metres from the incident within which an arrival is proven."] = 200
    late_upload_minutes: Annotated[int, "Minutes after which a device's record counts as uploaded late."] = 10
    readings: Annotated[ReadingPolicy, "When a reading stands out."] = ReadingPolicy()
    # Of abnormal use, of meters and of reading rounds: a number that a standard does not have promises nothing.
    usage_audit_minutes: Annotated[int | None, "Minutes in which abnormal use is looked at; null: no promise."] = None
    usage_notice_minutes: Annotated[int | None, "Minutes in which the user is told of it; null: no promise."] = None
    usage_ways: Annotated[Mapping[str, str], "Code → how a user is told of abnormal use."] = field(default_factory=dict)
    usage_dismissals: Annotated[Mapping[str, str], "Code → why it may be nothing."] = field(default_factory=dict)
    usage_outcomes: Annotated[Mapping[str, str], "Code → what may come of it."] = field(default_factory=dict)
    leak_findings: Annotated[Mapping[str, str], "Code → what a search for a leak may find."] = field(
        default_factory=dict
    )
    meter_replacements: Annotated[Mapping[str, str], "Code → why a meter may be replaced."] = field(
        default_factory=dict
    )
    reading_exceptions: Annotated[Mapping[str, str], "Code → why a meter may be left unread."] = field(
        default_factory=dict
    )
    # Of what follows a lapse: commitment, ``<kind>.*`` or ``*`` → the ladder that goes on; and how staff are told.
    escalations: Annotated[
        Mapping[str, tuple[EscalationStep, ...]],
        "Promise, or a pattern of promises → the escalation levels after a lapse.",
    ] = field(default_factory=dict)
    alerts: Annotated[AlertPolicy, "How staff are told."] = AlertPolicy()
    # Of limits that other offices count otherwise, and of what a trial may ask: without them nothing is counted so.
    # ``uncounted_stages``: stage of a connection → how many working days of it the clock may stand.
    kind_limits: Annotated[Mapping[str, KindLimit], "Kind of fault → a limit of its own in days."] = field(
        default_factory=dict
    )
    intake: Annotated[
        Intake | None, "Hours of the office that takes reports in, for limits by another office's custom; null: always."
    ] = None
    uncounted_stages: Annotated[Mapping[str, int], "Stage → most working days of it that do not count."] = field(
        default_factory=dict
    )
    # Of what changes once water is on: reasons, and how far ahead a change of class may be told; 0: not at all.
    class_changes: Annotated[Mapping[str, str], "Code → why a class of use may change."] = field(default_factory=dict)
    customer_changes: Annotated[Mapping[str, str], "Code → why a customer may change."] = field(default_factory=dict)
    class_change_ahead_days: Annotated[int, "Most days by which a change may be told ahead."] = 0
    # Of meters: periods by diameter and Q3. A standard without them counts by ``meter_verification_years``.
    meter_verification: Annotated[
        tuple[VerificationPeriod, ...],
        "How long a verification holds; the first period that fits counts. Empty: by meter_verification_years.",
    ] = ()
    meter_expiry_warning_days: Annotated[
        int | None, "Days before the end of a verification from which on the meter is listed; null: it is not watched."
    ] = None
    powers: Annotated[Mapping[str, tuple[str, ...]], "Power → the roles that have it."] = field(default_factory=dict)

    @property
    def clock_tolerance(self) -> timedelta:
        """By how much two clocks may differ."""
        return timedelta(seconds=self.future_tolerance_seconds)

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
OUTAGE_STANDS = ("planned", "emergency", "emergency-until", "extended", "rescheduled", "restored", "cancelled")
"""How an outage can stand: what a standard may have a text for."""
OUTAGE_WORDS = ("number", "districts", "begin", "end", "restored")
"""What a text on an outage may name in braces."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What judges: every published standard, calendar and fee catalogue. ``position``: the log's, of the newest.
    ``laws``: every published version of the law, oldest first."""

    standards: tuple[Standard, ...]
    calendars: Mapping[tuple[str, ...], tuple[CalendarVersion, ...]]
    catalogues: tuple[CataloguePublished, ...] = ()
    position: int = 0
    laws: tuple[Law, ...] = ()

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

    @property
    def law(self) -> Law:
        """The law as it was published last: a correction counts for what lies before it too."""
        return self.laws[-1] if self.laws else NO_LAW

    def cited(self, kind: BasisOf, of: str, at: datetime) -> tuple[Citation, ...]:
        """The articles in force at an instant that are the basis of that promise, refusal or rule."""
        return self.law.cited(kind, of, local_date(at))

    def citing(self, refusal: R, at: datetime) -> R:
        """The refusal with the articles that it rests on at ``at``."""
        refusal.basis = self.cited("refusal", refusal.code, at)
        return refusal


def make_rules(
    standards: Iterable[Standard],
    calendars: Iterable[tuple[datetime, CalendarPublished]],
    catalogues: Iterable[CataloguePublished] = (),
    position: int = 0,
    laws: Iterable[Law] = (),
) -> Rules:
    """Rules from everything that was published, calendars with the time of publication.

    Raises LookupError where no standard is published, or a region that one of them counts by.
    """
    known, published = tuple(standards), tuple(calendars)
    if not known:
        raise LookupError("no standard is published: run `tongshui migrate`")
    chains = {standard.calendar_regions for standard in known}
    return Rules(
        known, {chain: versions(chain, published) for chain in chains}, tuple(catalogues), position, tuple(laws)
    )


def district(standard: Standard, code: str) -> District:
    """The district with that code. Refuses ``unknown-district``."""
    found = standard.districts.get(code)
    if found is None:
        raise UnknownDistrict(standard)
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
