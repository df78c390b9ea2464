"""The facts of a repair case. Facts from the field carry flags: what is odd about them is said, never refused.

``confirmed_by``: the second person, where a fact was told later than its channel allows (our decision: four eyes).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from domain.kernel.facts import Name, fact
from domain.kernel.subjects import Subject
from domain.standard.standards import Precision, Severity, Zone

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

    source: str
    number: str


@fact("报修", "fault reported", topic="repair", stage="reported")
class FaultReported:
    """Somebody reported a fault and an incident was opened; the clock of its promises starts at ``happened_at``.

    ``mass``: the code of the mass incident that it belongs to. ``cell``: the square of some 200 m that it lies in,
    where the place was told; never a position. ``origin``: over which of its own ways the source of imported history
    was told, a code of the standard.
    """

    case_number: str
    kind: str
    district: str
    zone: Zone
    subject: Subject
    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None
    mass: str | None = None
    order: OrderReference | None = None
    cell: str | None = None
    precision: Precision = "second"
    origin: str | None = None


@fact("并入报修", "further report", topic="repair")
class ReportLinked:
    """A further report of the same incident, number ``report`` (≥ 2); an earlier one starts the clock earlier."""

    report: int
    subject: Subject
    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None
    order: OrderReference | None = None
    precision: Precision = "second"
    origin: str | None = None


@fact("拆分报修", "report unlinked", topic="repair")
class ReportUnlinked:
    """Report number ``report`` is of another fault after all: the case ``new_case`` begins with it, at its own time."""

    report: int
    new_case: UUID


@fact("并入其他工单", "merged into another incident", topic="repair")
class IncidentMerged:
    """The incident is the same burst as another one: its reports and their orders go on in the case ``into``, and it
    owes nothing of its own any more, for the other one's clock starts at the first report of both. ``confirmed_by``:
    the second person, where a settled verdict falls with it."""

    into: UUID
    confirmed_by: str | None = None


@fact("回复报修人", "reporter answered", topic="repair")
class ReporterAnswered:
    """Whoever made report number ``report`` was told what became of it. ``way``: a code of the standard; ``digest``: of
    what was sent, or None for what was said. ``order`` and ``receipt``: where the program sent it, the event that
    ordered it and the way's own receipt.
    """

    report: int
    way: str
    digest: str | None
    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None
    order: UUID | None = None
    receipt: str | None = None


@fact("致歉", "apology made", topic="repair")
class ApologyMade:
    """Whoever made report number ``report`` was told that a promise was not kept, and that we are sorry. ``way``: a
    code of the standard; ``digest``: of what was sent, or None for what was said."""

    report: int
    way: str
    digest: str | None
    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None


@fact("下达回复", "answer ordered", topic="repair")
class AnswerOrdered:
    """The program is to tell whoever made report number ``report`` what became of it; ``digest``: of its words."""

    report: int
    way: str
    digest: str


@fact("回复未送达", "answer failed", topic="repair")
class AnswerFailed:
    """An answer that was ordered could not be delivered, and why, as a code of the way."""

    report: int
    order: UUID
    reason: str


@fact("派单", "crew sent", topic="repair", stage="dispatched")
class CrewDispatched:
    """The dispatcher sent a crew."""

    crew: str


@fact("接单", "acknowledged", topic="repair", stage="acknowledged")
class DispatchAcknowledged:
    """The crew confirmed that it is on its way."""

    crew: str
    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None


@fact("拒单", "declined", topic="repair")
class DispatchDeclined:
    """The crew that was sent said no. ``reason``: a code of the standard."""

    crew: str
    reason: str
    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None


@fact("调出班组", "crew taken away", topic="repair")
class CrewWithdrawn:
    """The dispatcher took the crew away for another incident."""

    crew: str


@dataclass(frozen=True, slots=True)
class ArrivalEvidence:
    """What proves an arrival. A fix inside the geofence or not, never coordinates; lengths in metres.

    ``inside_geofence`` and ``distance_m`` None: nobody has told where the site is.
    """

    inside_geofence: bool | None
    distance_m: int | None
    accuracy_m: int
    photo_digest: str | None


@fact("到场", "crew on site", topic="repair", stage="on_site")
class CrewArrived:
    """A crew is on site."""

    crew: str
    evidence: ArrivalEvidence | None
    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None


@fact("定级", "assessed", topic="repair", stage="assessed")
class SeverityAssessed:
    """The repair's class as assessed on site: small 小修, medium 中修 or major 大修."""

    severity: Severity
    reason: str
    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None


@fact("重新定级", "reassessed", topic="repair", stage="assessed")
class SeverityReassessed:
    """The repair got another class on site, for a reason and on evidence (digest of a photo or a form).

    ``approved_by``: the second person; None where so little of the window had run that nobody else was needed.
    """

    severity: Severity
    reason: str
    evidence_digest: str
    approved_by: str | None = None
    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None


@fact("作业记录", "work logged", topic="repair")
class WorkLogged:
    """The crew is at work on a major repair; ``note`` is a code of the standard."""

    note: str
    crew: str
    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None


@fact("交接班", "shift handed over", topic="repair")
class ShiftHandedOver:
    """One crew handed the work over to another on site; counts as a log of the work."""

    from_crew: str
    to_crew: str
    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None


@fact("表后故障", "behind the meter", topic="repair")
class UserSideFound:
    """The fault lies behind the meter, on the user's own pipe."""

    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None


@fact("同意有偿服务", "paid service agreed", topic="repair")
class PaidServiceConsented:
    """The user agreed in writing to a paid service on the own pipe; ``consent_digest`` is of that paper."""

    consent_digest: str
    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None


@fact("有偿服务开始", "paid service begun", topic="repair")
class PaidServiceStarted:
    """The crew began the paid service behind the meter."""

    crew: str


@fact("修复完成", "repair completed", topic="repair", stage="completed")
class RepairCompleted:
    """The repair is done; meets the completion promise."""

    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None
    precision: Precision = "second"


@fact("恢复供水", "water restored", topic="repair", stage="restored")
class WaterRestored:
    """Water flows again for everybody that the incident cut off."""

    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None


@fact("无需抢修", "dismissed", topic="repair", stage="dismissed")
class IncidentDismissed:
    """The incident needed no repair of ours: a false alarm, another body's, a duplicate. Nothing is owed from then on.

    ``reason``: a code of the standard; ``evidence_digest``: of a photo or a paper.
    """

    reason: str
    evidence_digest: str | None = None
    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None
    precision: Precision = "second"


EvidenceOf = Literal["arrival", "completion", "restoration"]


@fact("证据不予认可", "evidence rejected", topic="repair")
class EvidenceRejected:
    """What was told from the field did not happen so: the event ``rejects`` counts for no promise any more. It stays on
    record. ``reason``: a code of the standard; ``evidence_digest``: of a photo or a paper. ``left``: of what a record
    still counts; ``reopens``: the closed file is open again."""

    rejects: UUID
    of: EvidenceOf
    reason: str
    left: tuple[EvidenceOf, ...]
    reopens: bool
    evidence_digest: str | None = None
    confirmed_by: str | None = None


@fact("管段信息", "pipe identified", topic="repair")
class PipeIdentified:
    """Which pipe failed: its number in the register, its material as a code of the standard, its diameter in
    millimetres, the year in which it was laid. None: not known."""

    asset: str | None
    material: str | None
    dn_mm: int | None
    laid_in: int | None
    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None


@fact("更正", "corrected", topic="repair")
class DetailCorrected:
    """A detail of the incident is another one: ``old`` is what stood there, ``new`` what stands there now (None:
    nothing). Both stay on record."""

    detail: str
    old: str | None
    new: str | None
    flags: tuple[str, ...] = ()
    confirmed_by: str | None = None


@fact("关单", "closed", topic="repair", stage="closed")
class CaseClosed:
    """The dispatcher closed the file."""
