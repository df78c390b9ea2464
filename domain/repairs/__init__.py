"""The repair case 报修: one incident, from its first report to water and a closed file.

Facts from the field (reports, acknowledgement, arrival, assessment, work, completion, restoration) are never refused
for their order; what is odd about them is flagged. Instructions (dispatch, reassess, close) may be refused.
"""

from domain.kernel.facts import Moment
from domain.repairs.answers import KIND as ANSWER_MESSAGE
from domain.repairs.answers import answer_reporter, deliver_answer, fail_answer, order_answer
from domain.repairs.apologies import apologise
from domain.repairs.case import CREW_ELSEWHERE, Repair, Report, evolve
from domain.repairs.checks import no_such_case
from domain.repairs.details import correct, identify_pipe
from domain.repairs.dismissal import dismiss
from domain.repairs.dispatch import acknowledge, decline, dispatch, withdraw
from domain.repairs.facts import (
    ApologyMade,
    ArrivalEvidence,
    CaseClosed,
    CrewArrived,
    CrewDispatched,
    CrewWithdrawn,
    DetailCorrected,
    DispatchAcknowledged,
    DispatchDeclined,
    EvidenceRejected,
    FaultReported,
    IncidentDismissed,
    IncidentMerged,
    OrderReference,
    PaidServiceConsented,
    PaidServiceStarted,
    PipeIdentified,
    RepairCompleted,
    ReporterAnswered,
    ReportLinked,
    ReportUnlinked,
    SeverityAssessed,
    SeverityReassessed,
    ShiftHandedOver,
    UserSideFound,
    WaterRestored,
    WorkLogged,
)
from domain.repairs.field import arrive, close, complete, hand_over, log_work, restore_water, takes_over
from domain.repairs.imported import require_reporter
from domain.repairs.promises import ANSWER, ARRIVAL, ASSESSMENT, COMPLETION, CONTINUITY, PROMISES, obligations
from domain.repairs.rejection import reject_evidence
from domain.repairs.reports import (
    Merged,
    Unlinked,
    kinds_that_may_be_one,
    link_report,
    merge,
    report_fault,
    unlink_report,
)
from domain.repairs.severity import assess, reassess
from domain.repairs.user_side import consent, find_user_side, start_paid_service

__all__ = [
    "ANSWER",
    "ANSWER_MESSAGE",
    "ARRIVAL",
    "ASSESSMENT",
    "COMPLETION",
    "CONTINUITY",
    "CREW_ELSEWHERE",
    "PROMISES",
    "ApologyMade",
    "ArrivalEvidence",
    "CaseClosed",
    "CrewArrived",
    "CrewDispatched",
    "CrewWithdrawn",
    "DetailCorrected",
    "DispatchAcknowledged",
    "DispatchDeclined",
    "EvidenceRejected",
    "FaultReported",
    "IncidentDismissed",
    "IncidentMerged",
    "Merged",
    "Moment",
    "OrderReference",
    "PaidServiceConsented",
    "PaidServiceStarted",
    "PipeIdentified",
    "Repair",
    "RepairCompleted",
    "Report",
    "ReportLinked",
    "ReportUnlinked",
    "ReporterAnswered",
    "SeverityAssessed",
    "SeverityReassessed",
    "ShiftHandedOver",
    "Unlinked",
    "UserSideFound",
    "WaterRestored",
    "WorkLogged",
    "acknowledge",
    "answer_reporter",
    "apologise",
    "arrive",
    "assess",
    "close",
    "complete",
    "consent",
    "correct",
    "decline",
    "deliver_answer",
    "dismiss",
    "dispatch",
    "evolve",
    "fail_answer",
    "find_user_side",
    "hand_over",
    "identify_pipe",
    "kinds_that_may_be_one",
    "link_report",
    "log_work",
    "merge",
    "no_such_case",
    "obligations",
    "order_answer",
    "reassess",
    "reject_evidence",
    "report_fault",
    "require_reporter",
    "restore_water",
    "start_paid_service",
    "takes_over",
    "unlink_report",
    "withdraw",
]
