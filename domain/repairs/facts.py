"""The facts of a repair case. Facts from the field carry flags: what is odd about them is said, never refused.

``confirmed_by``: the second person, where a fact was told later than its channel allows (our decision: four eyes).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from domain.kernel.facts import Name, fact
from domain.kernel.fields import (
    CaseNumber,
    CrewCode,
    Digest,
    EvidenceDigest,
    Flags,
    ReasonCode,
    ReportNumber,
    SecondPerson,
    Way,
)
from domain.kernel.subjects import Subject
from domain.standard.sections.common import Zone
from domain.standard.sections.repair import Severity
from domain.standard.standards import Precision

STAGES: Mapping[str, Name] = {
    "reported": Name("已报修", "reported"),
    "dispatched": Name("已派单", "dispatched"),
    "acknowledged": Name("已接单", "acknowledged"),
    "on_site": Name("已到场", "on site"),
    "assessed": Name("已定级", "assessed"),
    "dismissed": Name("无需抢修", "dismissed"),
    "completed": Name("已修复", "completed"),
    "restored": Name("已恢复供水", "restored"),
    "closed": Name("已关单", "closed"),
}
"""The stages of such a case, in order."""

STOPS: Mapping[str, Name] = {
    "merged": Name("已并单", "merged"),
}
"""What it is at instead of a stage while it stands still, or once it is over."""


@dataclass(frozen=True, slots=True)
class OrderReference:
    """The work order of another body (12345 热线工单) that a report came with: its source and its own number there."""

    source: Annotated[str, "Code of the body whose order it is."]
    number: Annotated[str, "The order's number at that body."]


AnswerOwed = Annotated[
    bool, "Whether somebody is to be told what became of it; false where whoever found it left no way to be told."
]


@fact("报修", "fault reported", topic="repair", stage="reported")
class FaultReported:
    """Somebody reported a fault and an incident was opened; the clock of its promises starts at ``happened_at``.

    ``mass``: the code of the mass incident that it belongs to. ``cell``: the square of some 200 m that it lies in,
    where the place was told; never a position. ``origin``: over which of its own ways the source of imported history
    was told, a code of the standard.
    """

    case_number: CaseNumber
    kind: Annotated[str, "Kind of fault, as a code of the standard."]
    district: Annotated[str, "Code of the district."]
    zone: Annotated[Zone, "Whether the district is in town or out of it: which arrival limit holds."]
    subject: Annotated[Subject, "Reference to the person in the vault; the particulars themselves are in no event."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None
    mass: Annotated[str | None, "Code of the mass incident that it belongs to; null where it belongs to none."] = None
    order: Annotated[
        OrderReference | None, "The order of another body that the report came with; null where it came with none."
    ] = None
    cell: Annotated[
        str | None, "Square of some 200 m that it lies in, never a position; null where no place was told."
    ] = None
    precision: Annotated[
        Precision, "How exactly the instant is known: second; day (its beginning is told); by (it had happened by it)."
    ] = "second"
    origin: Annotated[
        str | None,
        "How the source of imported history was told, as a code; null for what was reported here.",
    ] = None
    answer_owed: AnswerOwed = True


@fact("并入报修", "further report", topic="repair")
class ReportLinked:
    """A further report of the same incident, number ``report`` (≥ 2); an earlier one starts the clock earlier."""

    report: ReportNumber
    subject: Annotated[Subject, "Reference to the person in the vault; the particulars themselves are in no event."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None
    order: Annotated[
        OrderReference | None, "The order of another body that the report came with; null where it came with none."
    ] = None
    precision: Annotated[
        Precision, "How exactly the instant is known: second; day (its beginning is told); by (it had happened by it)."
    ] = "second"
    origin: Annotated[
        str | None,
        "How the source of imported history was told, as a code; null for what was reported here.",
    ] = None
    answer_owed: AnswerOwed = True


@fact("拆分报修", "report unlinked", topic="repair")
class ReportUnlinked:
    """Report number ``report`` is of another fault after all: the case ``new_case`` begins with it, at its own time."""

    report: ReportNumber
    new_case: Annotated[UUID, "Id of the incident that begins with the report."]


@fact("并入其他工单", "merged into another incident", topic="repair")
class IncidentMerged:
    """The incident is the same burst as another one: its reports and their orders go on in the case ``into``, and it
    owes nothing of its own any more, for the other one's clock starts at the first report of both. ``confirmed_by``:
    the second person, where a settled verdict falls with it."""

    into: Annotated[UUID, "Id of the incident that goes on."]
    confirmed_by: SecondPerson = None


@fact("回复报修人", "reporter answered", topic="repair")
class ReporterAnswered:
    """Whoever made report number ``report`` was told what became of it. ``way``: a code of the standard; ``digest``: of
    what was sent, or None for what was said. ``order`` and ``receipt``: where the program sent it, the event that
    ordered it and the way's own receipt.
    """

    report: ReportNumber
    way: Way
    digest: Annotated[str | None, "SHA-256 of the file or the words, as sha256: and 64 hex digits."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None
    order: Annotated[
        UUID | None, "Id of the event that ordered the answer; null where the program did not send it."
    ] = None
    receipt: Annotated[str | None, "The way's own receipt; null where it gave none."] = None


@fact("致歉", "apology made", topic="repair")
class ApologyMade:
    """Whoever made report number ``report`` was told that a promise was not kept, and that we are sorry. ``way``: a
    code of the standard; ``digest``: of what was sent, or None for what was said."""

    report: ReportNumber
    way: Way
    digest: Annotated[str | None, "SHA-256 of the file or the words, as sha256: and 64 hex digits."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("下达回复", "answer ordered", topic="repair")
class AnswerOrdered:
    """The program is to tell whoever made report number ``report`` what became of it; ``digest``: of its words."""

    report: ReportNumber
    way: Way
    digest: Digest


@fact("回复未送达", "answer failed", topic="repair")
class AnswerFailed:
    """An answer that was ordered could not be delivered, and why, as a code of the way."""

    report: ReportNumber
    order: Annotated[UUID, "Id of the event that ordered the answer."]
    reason: Annotated[str, "Why it could not be delivered, as a code of the way."]


@fact("派单", "crew sent", topic="repair", stage="dispatched")
class CrewDispatched:
    """The dispatcher sent a crew."""

    crew: CrewCode
    flags: Flags = ()


@fact("接单", "acknowledged", topic="repair", stage="acknowledged")
class DispatchAcknowledged:
    """The crew confirmed that it is on its way."""

    crew: CrewCode
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("拒单", "declined", topic="repair")
class DispatchDeclined:
    """The crew that was sent said no. ``reason``: a code of the standard."""

    crew: CrewCode
    reason: Annotated[str, "Why the crew said no, as a code of the standard."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("途中受阻", "crew delayed", topic="repair")
class CrewDelayed:
    """The crew is held up on its way and says when it expects to be on site. No promise moves with it."""

    crew: CrewCode
    expected_at: Annotated[datetime, "When the crew expects to be on site."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("调出班组", "crew taken away", topic="repair")
class CrewWithdrawn:
    """The dispatcher took the crew away for another incident."""

    crew: CrewCode


@dataclass(frozen=True, slots=True)
class ArrivalEvidence:
    """What proves an arrival. A fix inside the geofence or not, never coordinates; lengths in metres.

    ``inside_geofence`` and ``distance_m`` None: nobody has told where the site is.
    """

    inside_geofence: Annotated[
        bool | None, "Whether the device was near enough to the incident; null where the place is not known."
    ]
    distance_m: Annotated[int | None, "Metres from the incident; null where the place is not known."]
    accuracy_m: Annotated[int, "Accuracy of the device's position in metres."]
    photo_digest: Annotated[str | None, "SHA-256 of the photo, as sha256: and 64 hex digits; null without one."]


@fact("到场", "crew on site", topic="repair", stage="on_site")
class CrewArrived:
    """A crew is on site."""

    crew: CrewCode
    evidence: Annotated[ArrivalEvidence | None, "What proves the arrival; null where nothing does."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@dataclass(frozen=True, slots=True)
class SuppliedEvidence:
    """What proves an arrival and was told after it: a fix, of which is kept how it lies to the geofence and never
    coordinates, or a photo, or both. Lengths in metres."""

    inside_geofence: Annotated[
        bool | None,
        "Whether the device was near enough to the incident; null where the place is not known or there is no fix.",
    ]
    distance_m: Annotated[int | None, "Metres from the incident; null where the place is not known or there is no fix."]
    accuracy_m: Annotated[int | None, "Accuracy of the device's position in metres; null where there is no fix."]
    photo_digest: Annotated[str | None, "SHA-256 of the photo, as sha256: and 64 hex digits; null without one."]


@fact("补充到场证据", "arrival evidence supplied", topic="repair")
class ArrivalEvidenceSupplied:
    """What proves an arrival that was told without evidence. ``confirmed_by``: the second person, where the evidence
    came later than the standard allows."""

    arrival: Annotated[UUID, "Id of the event that told the arrival."]
    evidence: Annotated[SuppliedEvidence, "What proves the arrival."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("定级", "assessed", topic="repair", stage="assessed")
class SeverityAssessed:
    """The repair's class as assessed on site: small 小修, medium 中修 or major 大修."""

    severity: Annotated[Severity, "Class of the repair: small, medium or major."]
    reason: ReasonCode
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("重新定级", "reassessed", topic="repair", stage="assessed")
class SeverityReassessed:
    """The repair got another class on site, for a reason and on evidence (digest of a photo or a form).

    ``approved_by``: the second person; None where so little of the window had run that nobody else was needed.
    """

    severity: Annotated[Severity, "Class of the repair: small, medium or major."]
    reason: ReasonCode
    evidence_digest: Annotated[str, "SHA-256 of the proof, as sha256: and 64 hex digits."]
    approved_by: Annotated[str | None, "Actor id of who approved the other class; null where nobody needed to."] = None
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("作业记录", "work logged", topic="repair")
class WorkLogged:
    """The crew is at work on a major repair; ``note`` is a code of the standard."""

    note: Annotated[str, "What was done, as a code of the standard."]
    crew: CrewCode
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("交接班", "shift handed over", topic="repair")
class ShiftHandedOver:
    """One crew handed the work over to another on site; counts as a log of the work."""

    from_crew: Annotated[str, "Code of the crew that leaves."]
    to_crew: Annotated[str, "Code of the crew that takes over."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("表后故障", "behind the meter", topic="repair")
class UserSideFound:
    """The fault lies behind the meter, on the user's own pipe."""

    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("同意有偿服务", "paid service agreed", topic="repair")
class PaidServiceConsented:
    """The user agreed in writing to a paid service on the own pipe; ``consent_digest`` is of that paper."""

    consent_digest: Annotated[str, "SHA-256 of the signed consent, as sha256: and 64 hex digits."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("有偿服务开始", "paid service begun", topic="repair")
class PaidServiceStarted:
    """The crew began the paid service behind the meter."""

    crew: CrewCode
    flags: Flags = ()


@fact("修复完成", "repair completed", topic="repair", stage="completed")
class RepairCompleted:
    """The repair is done; meets the completion promise."""

    flags: Flags = ()
    confirmed_by: SecondPerson = None
    precision: Annotated[
        Precision, "How exactly the instant is known: second; day (its beginning is told); by (it had happened by it)."
    ] = "second"


@fact("恢复供水", "water restored", topic="repair", stage="restored")
class WaterRestored:
    """Water flows again for everybody that the incident cut off."""

    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("无需抢修", "dismissed", topic="repair", stage="dismissed")
class IncidentDismissed:
    """The incident needed no repair of ours: a false alarm, another body's, a duplicate. Nothing is owed from then on.

    ``reason``: a code of the standard; ``evidence_digest``: of a photo or a paper.
    """

    reason: ReasonCode
    evidence_digest: EvidenceDigest = None
    flags: Flags = ()
    confirmed_by: SecondPerson = None
    precision: Annotated[
        Precision, "How exactly the instant is known: second; day (its beginning is told); by (it had happened by it)."
    ] = "second"


EvidenceOf = Literal["arrival", "completion", "restoration"]


@fact("证据不予认可", "evidence rejected", topic="repair")
class EvidenceRejected:
    """What was told from the field did not happen so: the event ``rejects`` counts for no promise any more. It stays on
    record. ``reason``: a code of the standard; ``evidence_digest``: of a photo or a paper. ``left``: of what a record
    still counts; ``reopens``: the closed file is open again."""

    rejects: Annotated[UUID, "Id of the event that does not count."]
    of: Annotated[EvidenceOf, "What the rejected event was proof of: arrival, completion or restoration."]
    reason: ReasonCode
    left: Annotated[tuple[EvidenceOf, ...], "Which of arrival, completion and restoration a record still counts for."]
    reopens: Annotated[bool, "Whether a closed file is open again."]
    evidence_digest: EvidenceDigest = None
    confirmed_by: SecondPerson = None


@fact("管段信息", "pipe identified", topic="repair")
class PipeIdentified:
    """Which pipe failed: its number in the register, its material as a code of the standard, its diameter in
    millimetres, the year in which it was laid. None: not known."""

    asset: Annotated[str | None, "Number of the pipe in the register; null where it is not known."]
    material: Annotated[str | None, "Material of the pipe, as a code; null where it is not known."]
    dn_mm: Annotated[int | None, "Nominal diameter in millimetres; null where it is not known."]
    laid_in: Annotated[int | None, "Year in which the pipe was laid; null where it is not known."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("更正", "corrected", topic="repair")
class DetailCorrected:
    """A detail of the incident is another one: ``old`` is what stood there, ``new`` what stands there now (None:
    nothing). Both stay on record."""

    detail: Annotated[
        str, "Which detail is corrected: kind, asset, material, dn-mm, laid-in, or one of the standard's own."
    ]
    old: Annotated[str | None, "What stood there; null: nothing."]
    new: Annotated[str | None, "What stands there now; null: nothing."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("关单", "closed", topic="repair", stage="closed")
class CaseClosed:
    """The dispatcher closed the file."""
