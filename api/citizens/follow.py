"""A case by its secret link: how it stands, what is missing, what its holder may do, and the link as a QR code.

A browser that opens the link is led to its page; a program is answered with JSON.
The code is part of the path, as of any link that people open or scan. It is in no log (a log line has the route's
template), in no answer but this one's, and no page is told where its reader came from (``Referrer-Policy``).
"""

from __future__ import annotations

import io
from hashlib import sha256
from typing import Annotated, Literal
from uuid import UUID

import segno
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api.citizens.views import Missing, PublicCase, public_case
from api.connections import bodies
from api.connections.commands import supplied
from api.evidence.bodies import Kept
from api.evidence.papers import PDF, IdentityDep, KindOfPaper, Number, paper_of_applicant
from api.evidence.routes import PART, STORE_ERRORS
from api.http.answers import CASE_ERRORS, COMMAND_ERRORS, QUERY_ERRORS, Accepted, documented
from api.http.caller import CallerDep
from api.http.commanding import CommandRunner, runner_of
from api.http.dependencies import CaseId, ServiceDep
from api.http.fields import Body, Digest, FromTheField, Nothing
from api.http.fields import Code as CodeField
from api.http.identity import FOLLOW, identified
from api.http.limits import RateLimits
from api.http.powers import needs
from api.http.strict import StrictRoute, read_body
from domain import kinds
from domain.connections import intake, papers, visits
from domain.connections.case import Connection
from domain.connections.refusals import no_such_application
from domain.evidence.classes import class_with
from domain.evidence.media_types import HEAD_BYTES, media_type_of
from domain.evidence.refusals import EvidenceEmpty, EvidenceTypeNotTaken, TooManyFiles
from domain.standard.scopes import CITIZEN_ROLES
from domain.vault.refusals import SubjectErasedAlready
from infra.eventstore.commands import Stamp, Stream
from infra.eventstore.service import Service
from infra.evidence.store import Claim, File
from infra.evidence.upkeep import tell
from infra.identity.follow import APPLICATION, Followed, FollowLinks
from infra.identity.refusals import NoSuchLink

_LINK_ERRORS = documented(_404="no-such-link")
Code = Annotated[str, Path(max_length=64, description="the code of the link; keep it to yourself")]

router = APIRouter(prefix="/api/v1/follow", tags=["follow 查询链接"], route_class=StrictRoute)
staff = APIRouter(prefix="/api/v1/cases", tags=["follow 查询链接"], route_class=StrictRoute, responses=COMMAND_ERRORS)

Runner = Annotated[CommandRunner, Depends(runner_of(kinds.CONNECTION))]

FILE_BYTES = 10 * 1024 * 1024
"""A file that comes by a link at most: a photograph of a phone. It comes in one piece."""
PAGE = "/follow/"
"""Where the page of a link lies, which its QR code opens."""


class Papers(BaseModel):
    """The documents of an application that are still owed."""

    missing: Annotated[list[Missing], Field(description="The documents, in the standard's order.")]


class ReceiptByLink(FromTheField):
    """What arrived."""

    deliverable: Annotated[CodeField, Field(examples=["plan"], description="Code of what arrived.")]
    digest: Annotated[
        Digest | None,
        Field(description="SHA-256 of what arrived; left out: the newest that was sent and is not confirmed yet."),
    ] = None


class LinkOf(Body):
    """Whose link it is."""

    report: Annotated[
        int, Field(ge=0, le=100_000, description="Number of the report in the incident; 0: an application's link.")
    ] = APPLICATION


class FollowLink(BaseModel):
    """A secret link."""

    follow: Annotated[str, Field(description="Address below which its holder follows the case. Give it to them alone.")]


async def the_link(request: Request) -> Followed:
    """What the link of the path opens. Refuses ``no-such-link``."""
    link = (await identified(request)).link
    if link is None:
        raise NoSuchLink()
    return link


async def the_application(request: Request) -> UUID:
    """The application of the path's link. Refuses ``no-such-link``, and ``no-such-case`` for an incident's link."""
    link = await the_link(request)
    if link.report != APPLICATION:
        raise no_such_application()
    return link.case_id


LinkDep = Annotated[Followed, Depends(the_link)]
ApplicationDep = Annotated[UUID, Depends(the_application)]


@router.get(
    "/{code}",
    summary="Your case 我的案件",
    response_model=PublicCase,
    responses=QUERY_ERRORS | _LINK_ERRORS | {303: {"description": "A browser is led to the page of the link."}},
    openapi_extra=needs(None),
)
def the_case(code: Code, link: LinkDep, request: Request, service: ServiceDep) -> PublicCase | Response:
    """For a browser that opened the link (`Accept: text/html`) its page; JSON for everybody else."""
    if "text/html" in request.headers.get("Accept", ""):
        return RedirectResponse(PAGE + code, 303)
    return public_case(service, link.case_id, link.report)


@router.get(
    "/{code}/papers",
    summary="What is missing 待补材料",
    responses=QUERY_ERRORS | _LINK_ERRORS,
    openapi_extra=needs(None),
)
def the_papers(code: Code, application: ApplicationDep, service: ServiceDep) -> Papers:
    return Papers(missing=public_case(service, application, APPLICATION).missing)


@router.get(
    "/{code}/papers/{kind}.pdf",
    summary="A paper of your application as PDF 文书 PDF",
    response_class=Response,
    responses=QUERY_ERRORS
    | PDF
    | documented(_404="no-such-link, no-such-case, no-such-paper", _503="store-unavailable, vault-closed"),
    openapi_extra=needs(None),
)
def paper(
    code: Code,
    kind: KindOfPaper,
    application: ApplicationDep,
    service: ServiceDep,
    who: IdentityDep,
    number: Number = None,
) -> Response:
    """What `papers` of the case lists. Your particulars are masked on it: a link may be passed on."""
    return paper_of_applicant(service, who, application, kind, number)


@router.get(
    "/{code}/qr",
    summary="The link as a QR code 查询二维码",
    response_class=Response,
    responses=QUERY_ERRORS
    | _LINK_ERRORS
    | {
        200: {
            "description": "the picture",
            "content": {
                "image/svg+xml": {"schema": {"type": "string"}},
                "image/png": {"schema": {"type": "string", "format": "binary"}},
            },
        }
    },
    openapi_extra=needs(None),
)
def qr_code(
    code: Code,
    link: LinkDep,
    request: Request,
    form: Annotated[Literal["svg", "png"], Query(alias="format", description="a drawing (SVG) or a picture")] = "svg",
) -> Response:
    picture = io.BytesIO()
    segno.make(f"{str(request.base_url).rstrip('/')}{PAGE}{code}", error="m").save(picture, kind=form, scale=6)
    media = {"svg": "image/svg+xml", "png": "image/png"}[form]
    return Response(picture.getvalue(), media_type=media, headers={"Cache-Control": "no-store"})


@router.post(
    "/{code}/documents",
    summary="Hand in a document that is missing 补交材料",
    responses=COMMAND_ERRORS,
    openapi_extra=needs("connection.supply-document"),
)
async def hand_in(code: Code, application: ApplicationDep, body: bodies.DocumentHandedIn, runner: Runner) -> Accepted:
    return await runner.field(
        application, body, lambda case, ctx: papers.supply_document(case, ctx, supplied=supplied(body))
    )


@router.post(
    "/{code}/withdrawal",
    summary="Withdraw the application 撤回申请",
    responses=COMMAND_ERRORS,
    openapi_extra=needs("connection.withdraw"),
)
async def withdraw(code: Code, application: ApplicationDep, body: bodies.Reason, runner: Runner) -> Accepted:
    return await runner.instruct(application, lambda case, ctx: intake.withdraw(case, ctx, reason=body.reason))


@router.post(
    "/{code}/deliverables/receipt",
    summary="It arrived 签收",
    responses=COMMAND_ERRORS,
    openapi_extra=needs("connection.confirm-delivery"),
)
async def confirm(code: Code, application: ApplicationDep, body: ReceiptByLink, runner: Runner) -> Accepted:
    return await runner.field(
        application,
        body,
        lambda case, ctx: visits.confirm_delivery(
            case, ctx, deliverable=body.deliverable, digest=body.digest or _newest_sent(case, body.deliverable)
        ),
    )


@router.post(
    "/{code}/files",
    status_code=201,
    summary="Hand in a file 上传照片或材料",
    responses=COMMAND_ERRORS
    | STORE_ERRORS
    | documented(
        _409="too-many-files",
        _410="subject-erased",
        _413="body-too-large",
        _422="evidence-empty, evidence-type-not-taken, evidence-infected",
        _429="too-many-requests",
    ),
    openapi_extra=needs(None) | PART,
)
async def hand_in_file(code: Code, link: LinkDep, request: Request, service: ServiceDep, caller: CallerDep) -> Kept:
    """The body is the file itself, at most 10 MiB: a picture or a PDF of an application, a picture of a fault. It is
    checked by its content and the scanner, and kept as evidence of the case under its digest."""
    limits: RateLimits = request.app.state.limits
    limits.link_files.take(link.actor)
    content = await read_body(request, FILE_BYTES)
    file = await run_in_threadpool(_keep, service, link, content, caller.stamp)
    return Kept(digest=file.digest, state=file.state, media_type=file.media_type, size_bytes=file.size_bytes)


@router.post(
    "/{code}/revocation",
    status_code=204,
    response_class=Response,
    summary="Let the link open nothing any more 停用链接",
    responses=COMMAND_ERRORS,
    openapi_extra=needs(None),
)
async def revoke(code: Code, link: LinkDep, body: Nothing, service: ServiceDep) -> Response:
    """Hotline and counter can give a new one."""
    await run_in_threadpool(FollowLinks(service).revoke, code)
    return Response(status_code=204)


@staff.post(
    "/{case_id}/follow",
    summary="Give a new link; the one from before opens nothing 换发查询链接",
    responses=CASE_ERRORS,
    openapi_extra=needs("case.follow"),
)
def renew(case_id: CaseId, body: LinkOf, service: ServiceDep, response: Response) -> FollowLink:
    response.headers["Cache-Control"] = "no-store"
    public_case(service, case_id, body.report)
    return FollowLink(follow=FOLLOW + FollowLinks(service).renew(case_id, body.report))


# ---- parts


def _keep(service: Service, link: Followed, content: bytes, stamp: Stamp) -> File:
    if not content:
        raise EvidenceEmpty()
    code = "document" if link.report == APPLICATION else "photo"
    known = class_with(code, service.settings.evidence_most_mb, service.settings.evidence_keep_days)
    # By its first bytes: what a browser says of a file is no proof.
    media_type = media_type_of(content[:HEAD_BYTES])
    if media_type is None or media_type not in known.media_types:
        raise EvidenceTypeNotTaken(media_type, known.media_types)
    digest = f"sha256:{sha256(content).hexdigest()}"
    others = service.evidence.digests_from(link.case_id, CITIZEN_ROLES) - {digest}
    if len(others) >= service.settings.link_files_at_most:
        raise TooManyFiles(len(others), service.settings.link_files_at_most)
    claim = Claim(digest, code, media_type, len(content), link.case_id, _whose(service, link))
    file = service.evidence.keep(claim, content, actor=link.actor, role=link.role, at=service.clock.now())
    tell(service, file.digest, stamp)
    return file


def _whose(service: Service, link: Followed) -> UUID | None:
    """The person whom a file of an application is of; None of a fault's. Refuses ``subject-erased``."""
    if link.report != APPLICATION:
        return None
    case = service.load(Stream(kinds.CONNECTION, link.case_id))[0]
    subject = case.subject if isinstance(case, Connection) else None
    if subject is not None and service.vault.newest(subject.id) is None:
        raise SubjectErasedAlready()
    return subject.id if subject is not None else None


def _newest_sent(case: Connection, deliverable: str) -> str:
    """The digest of the newest of those that were sent and are not confirmed; "" where nothing was sent."""
    sent = case.sent.get(deliverable, ())
    waiting = [each for each in sent if (deliverable, each) not in case.confirmed]
    return (waiting or [*sent] or [""])[-1]
