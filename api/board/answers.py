"""The JSON forms of answers. Times are RFC 3339 in UTC; codes are English, names beside them Chinese."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from api.http import described
from api.http.answers import BreachChange, CaseKind, WindowState
from domain.deadlines.explain import WindowExplained


class WindowView(BaseModel):
    """A running, met, lapsed or cancelled limit, or one of imported history that nobody can judge (unknown).

    ``lapses`` are those that stand, ``retracted`` fell away. Until ``settles_at`` the verdict, met or lapsed, is open;
    a settled one falls only on the word of two persons.
    """

    commitment: described.PromiseCode = Field(examples=["repair.arrival"])
    number: Annotated[int, Field(description="Number of the newest fact about the window, from 1.")]
    state: Annotated[
        WindowState,
        Field(
            description=(
                "Whether the limit runs, was met, lapsed, was cancelled, or is of imported history that "
                "nobody can judge."
            )
        ),
    ]
    opened_at: Annotated[datetime, Field(description="When the limit began.")]
    due_at: Annotated[datetime | None, Field(description="When the limit ends; null where it has no end.")]
    tentative: described.Tentative
    met_at: Annotated[datetime | None, Field(description="When the promise was fulfilled; null while it is not.")]
    on_time: Annotated[
        bool | None,
        Field(description="Whether it was fulfilled in time; null where it is not fulfilled, or had no end."),
    ]
    lapses: Annotated[int, Field(description="How many lapses stand.")]
    retracted: Annotated[int, Field(description="How many lapses fell away again.")]
    settles_at: Annotated[
        datetime | None,
        Field(
            description=(
                "Until then the verdict, met or lapsed, is open; null where none stands, or none is ever settled."
            )
        ),
    ]
    standard: Annotated[str, Field(description="Version of the standard that it follows.")]
    calendar: described.CountedBy
    basis: Annotated[
        list[str],
        Field(
            description=(
                "Codes of the articles of law in force when the limit began that its promise rests on; empty where "
                "it is the utility's own promise alone."
            )
        ),
    ] = []
    provisional_until: Annotated[
        datetime | None,
        Field(
            description=(
                "Until then it counts as met, for evidence may still follow; null where it is met for good, or not "
                "at all."
            )
        ),
    ] = None


class WindowExplanation(BaseModel):
    """Why a window stood as it did at ``window.as_of``, by what was known then. ``text`` says the same in lines for
    people, in English and Chinese."""

    case_id: described.CaseId
    case_number: described.CaseNumber
    family: Annotated[CaseKind, Field(description="Kind of case.")]
    window: Annotated[WindowExplained, Field(description="The window, with all of its parts.")]
    text: Annotated[list[str], Field(description="The same in lines for people, in English and Chinese.")]


class TimelineEntry(BaseModel):
    """One event of a case: what happened, when, when it was recorded, by whom, under which standard and calendar."""

    version: described.EventNumber
    position: described.EventPosition
    event_id: described.EventId
    type: str = Field(examples=["water.repair.CrewArrived.v1"], description="Public type name of the event.")
    fact: str = Field(examples=["CrewArrived"], description="Name of the fact, without topic and version.")
    happened_at: described.HappenedAt
    reported_at: Annotated[
        datetime | None,
        Field(
            description="When the device took it down, where it could send it only later; null where it is not known."
        ),
    ]
    recorded_at: described.RecordedAt
    actor: Annotated[str, Field(description="Actor id of who told it.")]
    role: Annotated[str, Field(description="The role in which somebody acted.")]
    channel: Annotated[str, Field(description="The channel over which it was told, as a code of the standard.")]
    standard: Annotated[
        str | None, Field(description="Version of the standard that the verdict follows; null where it is no verdict.")
    ]
    calendar: described.CountedBy
    data: Annotated[
        dict[str, Any],
        Field(description="What the event carries beside its envelope, as its JSON Schema describes it."),
    ]


class CaseView(BaseModel):
    """A case as the store has it now. Nobody's particulars are in it. ``family``: the kind of case."""

    case_id: described.CaseId
    family: str = Field(examples=["repair"], description="Kind of case.")
    case_number: described.CaseNumber
    stage: Annotated[str, Field(description="How far it has come: the furthest step that is on record, as a code.")]
    open: described.IsOpen
    opened_at: Annotated[datetime, Field(description="When the case began.")]
    version: Annotated[int, Field(description="How many events the case has.")]
    kind: Annotated[
        str | None,
        Field(
            description=(
                "Kind of fault of an incident; source of an order; planned or emergency of an outage; "
                "null of other cases."
            )
        ),
    ] = None
    district: Annotated[
        str | None,
        Field(description="Code of the district; of an outage the first of its districts; null of other cases."),
    ] = None
    zone: Annotated[
        str | None,
        Field(
            description=(
                "Whether the district is in town or out of it: which arrival limit holds; null of other "
                "cases than incidents."
            )
        ),
    ] = None
    crew: Annotated[
        str | None,
        Field(description="Code of the crew that is on it; null where none is, and of other cases than incidents."),
    ] = None
    severity: described.Severity = None
    reports: Annotated[
        int | None,
        Field(
            description="How many reports the incident has, 0 once it is merged into another one; null of other cases."
        ),
    ] = None
    details: Annotated[
        dict[str, str] | None,
        Field(
            description=(
                "Detail → what is known of it, for example the pipe's material; null of other cases than incidents."
            )
        ),
    ] = None
    category: described.Category = None
    supply_points: Annotated[
        int | None, Field(description="How many places want water; null of other cases than connections.")
    ] = None
    points_on: Annotated[
        list[int] | None,
        Field(description="Numbers of the supply points with water; null of other cases than connections."),
    ] = None
    admitted_at: Annotated[
        datetime | None,
        Field(description="When the application was admitted; null while it is not, and of other cases."),
    ] = None
    affected_users: Annotated[
        int | None, Field(description="Users without water; null of other cases than outages.")
    ] = None
    meters: dict[int, str] | None = Field(default=None, description="supply point → the meter that is in there")
    meter: Annotated[str | None, Field(description="Number of the meter; null of other cases than abnormal use.")] = (
        None
    )
    held: Annotated[
        bool | None, Field(description="Whether billing waits for the case; null of other cases than abnormal use.")
    ] = None
    book: Annotated[
        str | None, Field(description="Code of the meter route; null of other cases than reading rounds.")
    ] = None
    unread: Annotated[
        int | None, Field(description="How many meters are still unread; null of other cases than reading rounds.")
    ] = None
    windows: Annotated[list[WindowView], Field(description="The verdicts on record, one window for each promise.")]
    timeline: Annotated[list[TimelineEntry], Field(description="Every event of the case, in order of version.")]


class CaseRow(BaseModel):
    """A case in the list; read from Kafka's read model, so a moment behind the store."""

    case_id: described.CaseId
    family: Annotated[CaseKind, Field(description="Kind of case.")]
    case_number: described.CaseNumber
    kind: described.Kind
    category: described.Category
    channel: Annotated[str, Field(description="The channel over which the case began, as a code of the standard.")]
    district: described.District
    zone: Annotated[
        str | None,
        Field(
            description=(
                "Whether the district is in town or out of it: which arrival limit holds; null of other "
                "cases than incidents."
            )
        ),
    ]
    crew: described.Crew
    severity: described.Severity
    stage: described.Stage
    open: described.IsOpen
    opened_at: Annotated[datetime, Field(description="When the case began.")]
    supply_points: Annotated[int, Field(description="How many places want water; 0 of other cases than connections.")]
    points_on: Annotated[
        int, Field(description="How many supply points have water; 0 of other cases than connections.")
    ]
    reports: Annotated[int, Field(description="How many reports the incident has; 0 of other cases.")]
    flags: Annotated[int, Field(description="How many facts of the case have something odd about them.")]
    version: described.EventsRead
    position: Annotated[
        int, Field(description="Position in the store's log of the newest event that the read model has of the case.")
    ]
    mass: described.Mass


class Cases(BaseModel):
    """Cases, the latest first."""

    cases: Annotated[list[CaseRow], Field(description="The cases, the latest first.")]


class BoardWindow(WindowView):
    """A window with what a board shows of its case."""

    case_id: described.CaseId
    family: Annotated[CaseKind, Field(description="Kind of case.")]
    case_number: described.CaseNumberIfRead
    kind: described.Kind
    category: described.Category
    district: described.District
    crew: described.Crew
    severity: described.Severity
    stage: Annotated[
        str | None,
        Field(
            description="How far the case has come, as a code; null where the read model does not have the case yet."
        ),
    ]
    mass: Annotated[str | None, Field(description="the mass incident 群发事件 that the incident is tagged with")]


class Windows(BaseModel):
    """Windows by due time, the next one first; ``more`` where the limit cut some off."""

    at: described.AnsweredAt
    windows: Annotated[list[BoardWindow], Field(description="The windows, the one due next first.")]
    more: described.More


class BreachRow(BaseModel):
    """One change of the breach stream. ``cursor`` is where to go on after it: ``after`` or ``Last-Event-ID``."""

    cursor: str = Field(
        examples=["0:17,1:12,2:0,3:44"], description="Where to go on after this row, with after or Last-Event-ID."
    )
    partition: Annotated[int, Field(description="Partition of the breach topic.")]
    position: described.EventPosition
    event_id: described.EventId
    change: Annotated[
        BreachChange,
        Field(description="What changed: a promise nears its end, ran out, is escalated, or its lapse fell away."),
    ]
    family: Annotated[CaseKind, Field(description="Kind of case.")]
    case_id: described.CaseId
    case_number: described.CaseNumberIfRead
    kind: described.Kind
    category: described.Category
    district: described.District
    crew: described.Crew
    mass: described.Mass
    commitment: described.PromiseCode
    due_at: Annotated[datetime | None, Field(description="When the limit ends or ended; null where it has no end.")]
    lapse: Annotated[int | None, Field(description="Number of the lapse in its window, from 1; null of a nearing.")]
    rung: Annotated[
        str | None, Field(description="Code of the reminder or of the escalation level; null where there is none.")
    ]
    notify: Annotated[list[str], Field(description="Roles that are told, as codes.")]
    reason: Annotated[str | None, Field(description="Why a lapse fell away, as a code; null of other changes.")]
    recorded_at: described.RecordedAt
    settles_at: Annotated[datetime | None, Field(description="of a lapse: until then it is open")]
    overturns: Annotated[bool, Field(description="a settled verdict fell with it")]


class Breaches(BaseModel):
    """A page of the breach stream in order of position; go on with ``after=<next>``."""

    breaches: Annotated[list[BreachRow], Field(description="The changes, in order of position.")]
    next: Annotated[str, Field(description="Where the next page goes on: send it as after.")]
    more: described.More


class PublishedTally(BaseModel):
    """A number of ours beside the published one, where there is one."""

    code: Annotated[str, Field(description="The code.")]
    name: Annotated[str, Field(description="Its English name, as people are shown it.")]
    name_zh: described.ChineseName
    count: Annotated[int, Field(description="How many there are by our own count.")]
    published: Annotated[int | None, Field(description="The published number; null where none was published.")]


class ConnectionCounts(BaseModel):
    """Applications; in the demo beside the published period, which is one utility's and no other's: None elsewhere."""

    total: Annotated[int, Field(description="How many applications there are.")]
    open: Annotated[int, Field(description="How many of them are still open.")]
    water_on: Annotated[int, Field(description="How many of them have water everywhere.")]
    by_category: Annotated[
        list[PublishedTally],
        Field(description="Applications of each category of applicant, beside the published numbers."),
    ]
    by_channel: Annotated[
        list[PublishedTally], Field(description="Applications over each channel, beside the published numbers.")
    ]
    published_sum: Annotated[
        int | None, Field(description="What the published parts come to; null where nothing published is shown.")
    ]
    published_reported: Annotated[
        int | None, Field(description="The total as it was published; null where nothing published is shown.")
    ]


class RepairCounts(BaseModel):
    """Incidents."""

    total: Annotated[int, Field(description="How many incidents there are.")]
    open: Annotated[int, Field(description="How many of them are still open.")]
    closed: Annotated[int, Field(description="How many of them are closed.")]
    reports: Annotated[int, Field(description="How many reports they have.")]
    by_severity: Annotated[dict[str, int], Field(description="Class of the repair, or unassessed → incidents.")]


class WindowCounts(BaseModel):
    """The limits of one commitment."""

    commitment: described.PromiseCode
    running: Annotated[int, Field(description="Windows whose limit runs.")]
    met: Annotated[int, Field(description="Windows whose promise was fulfilled.")]
    met_on_time: Annotated[int, Field(description="Windows whose promise was fulfilled in time.")]
    lapsed: Annotated[int, Field(description="Windows whose limit ran out and is still unmet.")]
    cancelled: Annotated[int, Field(description="Windows of which no end is owed any longer.")]
    unknown: Annotated[int, Field(description="Windows of imported history that nobody can judge.")]
    lapses: Annotated[int, Field(description="How many lapses stand.")]
    retracted: Annotated[int, Field(description="How many lapses fell away again.")]


class Counts(BaseModel):
    """Live counts."""

    at: described.AnsweredAt
    connections: Annotated[ConnectionCounts, Field(description="Counts of applications.")]
    repairs: Annotated[RepairCounts, Field(description="Counts of incidents.")]
    windows: Annotated[list[WindowCounts], Field(description="Counts of the limits of each promise.")]
    lapses_standing: Annotated[int, Field(description="How many lapses stand, of all promises.")]
    lapses_retracted: Annotated[int, Field(description="How many lapses fell away again, of all promises.")]


class DueDate(BaseModel):
    """Until when a limit runs, counted as the law counts: the starting day does not, the last one ends at the close of
    business."""

    region: Annotated[str, Field(description="Code of the calendar that counts.")]
    working_days: Annotated[int, Field(description="How many working days the limit has.")]
    counted_from: Annotated[date, Field(description="The starting day, which itself does not count.")]
    due_on: Annotated[date, Field(description="The last day of the limit.")]
    due_at: Annotated[datetime, Field(description="The close of business of the last day.")]
    tentative: described.Tentative
    counted: Annotated[list[date], Field(description="Every day that counts, in order.")]
    calendar: Annotated[str, Field(description="Version of the calendar that it was counted by.")]
    standard: described.StandardInForce
    basis: Annotated[list[str], Field(description="Codes of the articles of law in force by which days are counted.")]


class Labels(BaseModel):
    """The Chinese names of codes in the standard in force."""

    standard: described.StandardInForce
    fault_kinds: Annotated[dict[str, str], Field(description="Code → Chinese name of the kinds of fault.")]
    applicant_categories: Annotated[
        dict[str, str], Field(description="Code → Chinese name of the applicants' categories.")
    ]
    documents: Annotated[dict[str, str], Field(description="Code → Chinese name of the documents.")]
    defects: Annotated[dict[str, str], Field(description="Code → Chinese name of what can be wrong with a document.")]
    deliverables: Annotated[
        dict[str, str], Field(description="Code → Chinese name of what is handed over to the applicant.")
    ]
    squads: Annotated[dict[str, str], Field(description="Code → Chinese name of the squads.")]
    usage_ways: Annotated[
        dict[str, str], Field(description="Code → Chinese name of how a user is told of abnormal use.")
    ]
    usage_dismissals: Annotated[
        dict[str, str], Field(description="Code → Chinese name of why a reading may be nothing.")
    ]
    usage_outcomes: Annotated[
        dict[str, str], Field(description="Code → Chinese name of what may come of abnormal use.")
    ]
    leak_findings: Annotated[
        dict[str, str], Field(description="Code → Chinese name of what a search for a leak may find.")
    ]
    meter_replacements: Annotated[
        dict[str, str], Field(description="Code → Chinese name of why a meter may be replaced.")
    ]
    price_classes: Annotated[dict[str, str], Field(description="Code → Chinese name of the price classes.")]
    class_changes: Annotated[dict[str, str], Field(description="Code → Chinese name of why a class of use may change.")]
    customer_changes: Annotated[dict[str, str], Field(description="Code → Chinese name of why a customer may change.")]
    reading_exceptions: Annotated[
        dict[str, str], Field(description="Code → Chinese name of why a meter may be left unread.")
    ]
    fees: Annotated[
        dict[str, str],
        Field(description="Code → Chinese name of the fees of the catalogue in force; empty where none is."),
    ]
    districts: Annotated[
        dict[str, dict[str, str]], Field(description="Code of a district → its Chinese name and its zone.")
    ]
    channels: Annotated[list[str], Field(description="Codes of the channels over which somebody may send.")]
    roles: Annotated[list[str], Field(description="The roles in which somebody may act.")]


class DemoFacts(BaseModel):
    """What is real and what is simulated while the demo runs; empty otherwise."""

    running: Annotated[bool | None, Field(description="True while the demo runs; left out elsewhere.")] = None
    clock_factor: Annotated[
        float | None, Field(description="Seconds of service time in one real second; left out where no demo runs.")
    ] = None
    real: Annotated[
        list[dict[str, str]] | None,
        Field(description="What is real, in English (en) and Chinese (zh); left out where no demo runs."),
    ] = None
    simulated: Annotated[
        list[dict[str, str]] | None,
        Field(description="What is simulated, in English (en) and Chinese (zh); left out where no demo runs."),
    ] = None
