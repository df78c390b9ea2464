"""A case by its secret link: how it stands, what is missing, what its holder may do, and the link as a QR code.

The code is part of the path, as of any link that people open or scan. It is in no log (a log line has the route's
template), in no answer but this one's, and no page is told where its reader came from (``Referrer-Policy``).
"""

from __future__ import annotations

import io
from typing import Annotated, Literal
from uuid import UUID

import segno
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api.citizens.views import Missing, PublicCase, public_case
from api.connections import bodies
from api.connections.commands import supplied
from api.http.answers import CASE_ERRORS, COMMAND_ERRORS, QUERY_ERRORS, Accepted, documented
from api.http.commanding import CommandRunner, runner_of
from api.http.dependencies import CaseId, ServiceDep
from api.http.fields import Body, Nothing
from api.http.identity import FOLLOW, identified
from api.http.powers import needs
from api.http.strict import StrictRoute
from domain import kinds
from domain.connections import intake, papers, visits
from domain.connections.refusals import no_such_application
from infra.identity.follow import APPLICATION, Followed, FollowLinks
from infra.identity.refusals import NoSuchLink

_LINK_ERRORS = documented(_404="no-such-link")
Code = Annotated[str, Path(max_length=64, description="the code of the link; keep it to yourself")]

router = APIRouter(prefix="/api/v1/follow", tags=["follow 查询链接"], route_class=StrictRoute)
staff = APIRouter(prefix="/api/v1/cases", tags=["follow 查询链接"], route_class=StrictRoute, responses=COMMAND_ERRORS)

Runner = Annotated[CommandRunner, Depends(runner_of(kinds.CONNECTION))]


class Papers(BaseModel):
    """The documents of an application that are still owed."""

    missing: Annotated[list[Missing], Field(description="The documents, in the standard's order.")]


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


@router.get("/{code}", summary="Your case 我的案件", responses=QUERY_ERRORS | _LINK_ERRORS, openapi_extra=needs(None))
def the_case(code: Code, link: LinkDep, service: ServiceDep) -> PublicCase:
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
    segno.make(f"{str(request.base_url).rstrip('/')}{FOLLOW}{code}", error="m").save(picture, kind=form, scale=6)
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
async def confirm(code: Code, application: ApplicationDep, body: bodies.DeliverableReceipt, runner: Runner) -> Accepted:
    return await runner.field(
        application,
        body,
        lambda case, ctx: visits.confirm_delivery(case, ctx, deliverable=body.deliverable, digest=body.digest),
    )


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
