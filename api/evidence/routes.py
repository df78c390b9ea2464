"""Evidence 凭证: files come in parts, are kept sealed under their digest, and are read by who works on their case.

A file is told by its SHA-256 before it comes, so what an event names and what is kept are the same bytes. It is kept as
it is: a picture's EXIF data, place and time included, stays in it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from api.evidence.bodies import Beginning, EvidenceList, EvidenceOfCase, Kept, Place, UploadView
from api.http.answers import CASE_ERRORS, COMMAND_ERRORS, documented
from api.http.caller import CallerDep
from api.http.dependencies import ServiceDep
from api.http.identity import Identity, identified
from api.http.powers import needs
from api.http.refusals import TooManyUploads, WrongOffset
from api.http.scoping import ScopeDep, place_by, require_in_scope
from api.http.strict import StrictRoute, read_body
from domain import particulars
from domain.evidence import access
from domain.evidence.access import CaseOfFile
from domain.evidence.classes import CLASSES, EvidenceClass, class_with
from domain.evidence.refusals import (
    EvidenceGone,
    EvidenceNotKept,
    EvidenceQuarantined,
    EvidenceTooLarge,
    EvidenceTypeNotTaken,
    NoSuchEvidenceFile,
    SubjectNotOnCase,
    UnknownEvidenceClass,
)
from domain.kernel.facts import Recorded
from domain.kernel.refusals import NoSuchCase
from domain.particulars import Asker
from domain.people.scope import Scope
from domain.standard.values import require_known
from domain.vault.refusals import SubjectErasedAlready
from infra.eventstore.service import Service
from infra.evidence.sealing import DamagedError
from infra.evidence.store import PART_BYTES, Claim, File, TooManyUploadsError, Upload, WrongOffsetError
from infra.evidence.upkeep import tell

log = logging.getLogger(__name__)

router = APIRouter(prefix="/api/v1/evidence", tags=["evidence 凭证"], route_class=StrictRoute)

IdentityDep = Annotated[Identity, Depends(identified)]
UploadId = Annotated[UUID, Path(description="id of the upload")]
DigestPath = Annotated[
    str, Path(pattern=r"^sha256:[0-9a-f]{64}$", description="SHA-256 of the file, as sha256: and 64 hex digits")
]
Offset = Annotated[
    int, Header(alias="Upload-Offset", ge=0, le=1 << 40, description="where the part begins, in bytes from 0")
]
KEEP = "evidence.keep"
PART = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
FILE = {
    200: {
        "description": "The file.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
STORE_ERRORS = documented(_503="store-unavailable, store-cannot-write, evidence-store-unavailable, vault-closed")
UPLOAD_ERRORS = COMMAND_ERRORS | STORE_ERRORS | documented(_404="no-such-upload")


@router.post(
    "",
    status_code=201,
    summary="Begin to upload a file 开始上传凭证",
    responses=COMMAND_ERRORS
    | STORE_ERRORS
    | documented(
        _404="no-such-case",
        _413="evidence-too-large",
        _422="unknown-evidence-class, evidence-type-not-taken, subject-not-on-case, bad-body",
        _429="too-many-uploads, too-many-requests",
    ),
    openapi_extra=needs(KEEP),
)
def begin(body: Beginning, service: ServiceDep, who: IdentityDep, scope: ScopeDep, response: Response) -> UploadView:
    """The same claim again goes on with the upload that there is: ``offset`` says where."""
    require_known(UnknownEvidenceClass, body.evidence_class, CLASSES)
    known = _class_of(service, body.evidence_class)
    if body.media_type not in known.media_types:
        raise EvidenceTypeNotTaken(body.media_type, known.media_types)
    if body.size_bytes > known.most_bytes:
        raise EvidenceTooLarge(body.size_bytes, known.most_bytes)
    claim = Claim(
        body.digest,
        body.evidence_class,
        body.media_type,
        body.size_bytes,
        body.case_id,
        _subject(service, body, known, scope),
    )
    try:
        upload = service.evidence.begin(claim, actor=who.actor, role=who.role, at=service.clock.now())
    except TooManyUploadsError:
        raise TooManyUploads() from None
    response.headers["Location"] = f"/api/v1/evidence/uploads/{upload.id}"
    return _view(service, upload, response)


@router.get(
    "/uploads/{upload_id}",
    summary="How far an upload has come 查询上传进度",
    responses=UPLOAD_ERRORS,
    openapi_extra=needs(KEEP),
)
def progress(upload_id: UploadId, service: ServiceDep, who: IdentityDep, response: Response) -> UploadView:
    """Of an upload of one's own."""
    return _view(service, service.evidence.upload(upload_id, actor=who.actor), response)


@router.patch(
    "/uploads/{upload_id}",
    summary="Send a part of a file 上传分块",
    responses=UPLOAD_ERRORS | documented(_409="wrong-offset", _422="part-beyond-size, bad-header"),
    openapi_extra=needs(KEEP) | PART,
)
async def add_part(
    upload_id: UploadId, offset: Offset, request: Request, service: ServiceDep, who: IdentityDep, response: Response
) -> UploadView:
    """The body is the bytes themselves. A part that came before is taken again without harm; one that leaves a gap is
    refused with the offset that is wanted."""
    part = await read_body(request, PART_BYTES)
    try:
        upload = await run_in_threadpool(
            service.evidence.add, upload_id, offset, part, actor=who.actor, at=service.clock.now()
        )
    except WrongOffsetError as error:
        raise WrongOffset(offset, error.offset) from None
    return _view(service, upload, response)


@router.post(
    "/uploads/{upload_id}/completion",
    summary="Have the uploaded file checked and kept 完成上传",
    responses=UPLOAD_ERRORS
    | documented(_409="upload-incomplete", _422="evidence-digest-mismatch, evidence-type-mismatch, evidence-infected"),
    openapi_extra=needs(KEEP),
)
def complete(upload_id: UploadId, service: ServiceDep, caller: CallerDep, who: IdentityDep) -> Kept:
    """May be sent again: what is kept is told as it is. Where no scanner answers the file waits in quarantine."""
    file = service.evidence.complete(upload_id, actor=who.actor, at=service.clock.now())
    tell(service, file.digest, caller.stamp)
    return Kept(digest=file.digest, state=file.state, media_type=file.media_type, size_bytes=file.size_bytes)


@router.get(
    "",
    summary="The digests of a case, and which of their files are there 案件凭证清单",
    responses=CASE_ERRORS | STORE_ERRORS | documented(_403="wrong-role, not-your-case-evidence"),
    openapi_extra=needs("evidence.read"),
)
def of_case(
    case_id: Annotated[UUID, Query(description="id of the case")],
    service: ServiceDep,
    who: IdentityDep,
    response: Response,
) -> EvidenceList:
    """Every digest that an event of the case names, and every file that was handed in for it."""
    response.headers["Cache-Control"] = "no-store"
    case, recorded = _case(service, case_id)
    access.require_readable(service.rules.in_force(service.clock.now()), _asker(who), [case])
    named = access.digests_named(recorded)
    handed_in = dict(service.evidence.of_case(case_id))
    digests = list(dict.fromkeys([*named, *handed_in]))
    files = service.evidence.files(digests)
    return EvidenceList(
        case_id=case_id,
        at=service.clock.now(),
        evidence=[_of_case(each, files, handed_in.get(each), named.get(each, ())) for each in digests],
    )


@router.get(
    "/{digest}",
    summary="A file, by its digest 调取凭证",
    response_class=Response,
    responses=CASE_ERRORS
    | STORE_ERRORS
    | FILE
    | documented(
        _403="wrong-role, not-your-case-evidence",
        _404="no-such-evidence-file",
        _409="evidence-quarantined, evidence-not-kept",
        _410="evidence-gone",
    ),
    openapi_extra=needs("evidence.read"),
)
def read(digest: DigestPath, service: ServiceDep, who: IdentityDep) -> Response:
    """Who asks is on record. It is sent as an attachment, as the bytes that were handed in."""
    file = service.evidence.file(digest)
    if file is None:
        raise NoSuchEvidenceFile()
    _require_readable(service, who, file)
    if file.state in ("purged", "erased"):
        raise EvidenceGone(file.state)
    if file.state == "quarantined":
        raise EvidenceQuarantined()
    # The first chunk is opened before anybody is answered: a file that is not there is not a broken answer.
    try:
        pieces = service.evidence.open(file) if file.state == "kept" else None
    except DamagedError as error:
        log.error("evidence %s: %s", digest, error)
        raise EvidenceNotKept(found="a file that was changed since it was sealed") from None
    if pieces is None:
        raise EvidenceNotKept()
    service.evidence.note(digest, actor=who.actor, role=who.role, at=service.clock.now())
    extension = file.media_type.partition("/")[2]
    name = f"{digest.removeprefix('sha256:')[:16]}.{extension}"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Length": str(file.size_bytes),
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return StreamingResponse(pieces, media_type=file.media_type, headers=headers)


# ---- parts


def _asker(who: Identity) -> Asker:
    return Asker(who.role, who.work)


def _class_of(service: Service, code: str) -> EvidenceClass:
    return class_with(code, service.settings.evidence_most_mb, service.settings.evidence_keep_days)


def _case(service: Service, case_id: UUID) -> tuple[CaseOfFile, list[Recorded]]:
    """The case and its facts. Refuses ``no-such-case``."""
    history = service.history(case_id)
    kind = particulars.kind_with_subjects(history[0][0].type) if history else None
    if kind is None:
        raise NoSuchCase()
    recorded = [each for _, each in history]
    return CaseOfFile(kind, case_id, place_by(service, kind, recorded)), recorded


def _subject(service: Service, body: Beginning, known: EvidenceClass, scope: Scope) -> UUID | None:
    """Whom the file is of. Refuses ``no-such-case``, ``not-yours``, ``subject-not-on-case``, ``subject-erased``."""
    if body.case_id is None:
        if body.subject_id is not None:
            raise SubjectNotOnCase()
        return None
    require_in_scope(service, scope, body.case_id, acts=True)
    _, recorded = _case(service, body.case_id)
    named = [each.id for each in particulars.subjects_of(recorded)]
    if body.subject_id is not None and body.subject_id not in named:
        raise SubjectNotOnCase()
    subject = body.subject_id or (named[0] if named and known.of_person else None)
    if subject is not None and service.vault.newest(subject) is None:
        raise SubjectErasedAlready()
    return subject


def _require_readable(service: Service, who: Identity, file: File) -> None:
    # Of a file that is gone they are told so who might have read it.
    links = [link for link in file.links if not link.is_over or file.sealed_key is None]
    ids = dict.fromkeys(link.case_id for link in links if link.case_id is not None)
    access.require_readable(
        service.rules.in_force(service.clock.now()),
        _asker(who),
        [_case(service, each)[0] for each in ids],
        is_from_asker=any(link.actor == who.actor for link in links),
    )


def _view(service: Service, upload: Upload, response: Response) -> UploadView:
    response.headers["Upload-Offset"] = str(upload.received_bytes)
    response.headers["Cache-Control"] = "no-store"
    return UploadView(
        upload_id=upload.id,
        digest=upload.claim.digest,
        offset=upload.received_bytes,
        size_bytes=upload.claim.size_bytes,
        part_bytes=PART_BYTES,
        is_complete=upload.is_complete,
        ends_at=upload.touched_at + timedelta(hours=service.settings.evidence_upload_hours),
    )


def _of_case(
    digest: str, files: Mapping[str, File], evidence_class: str | None, places: tuple[tuple[str, str], ...]
) -> EvidenceOfCase:
    file = files.get(digest)
    return EvidenceOfCase(
        digest=digest,
        state=file.state if file is not None else "missing",
        evidence_class=evidence_class,
        media_type=file.media_type if file is not None else None,
        size_bytes=file.size_bytes if file is not None else None,
        named_by=[Place(fact=fact, field=field) for fact, field in places],
    )
