"""What fields that many facts share mean: each alias is the type and its description in the event contract."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

CaseId = Annotated[UUID, "Id of the case."]
CaseNumber = Annotated[str, "The number that people know the case by."]
ChineseName = Annotated[str, "Its Chinese name, as people are shown it."]
CrewCode = Annotated[str, "The crew's code."]
Digest = Annotated[str, "SHA-256 of the file or the words, as sha256: and 64 hex digits."]
DocumentDigest = Annotated[str, "SHA-256 of the document, as sha256: and 64 hex digits."]
EvidenceDigest = Annotated[str | None, "SHA-256 of the proof, as sha256: and 64 hex digits; null where there is none."]
Flags = Annotated[
    tuple[str, ...], "What is odd about the fact, as codes; empty where nothing is. It is told, never refused."
]
Litres = Annotated[int, "What the dial showed, in litres."]
MeterNumber = Annotated[str, "Number of the meter."]
NotifiedRoles = Annotated[tuple[str, ...], "Roles that are told, as codes."]
PauseNumber = Annotated[int, "Number of the pause in its case, from 1."]
PointNumber = Annotated[int, "Number of the supply point in its case, from 1."]
PromiseCode = Annotated[str, "The promise's code, for example repair.arrival."]
ReadAt = Annotated[datetime, "When the dial was read."]
ReasonCode = Annotated[str, "Why, as a code of the standard."]
ReportNumber = Annotated[int, "Number of the report in its incident, from 1."]
SecondPerson = Annotated[str | None, "Actor id of the second person; null where none was needed."]
SquadCode = Annotated[str, "Code of the squad."]
Version = Annotated[str, "Version of the document, by which decisions and windows name it."]
VisitId = Annotated[UUID, "Id of the visit."]
Way = Annotated[str, "By which way, as a code of the standard (for example sms, phone, at-the-door)."]
