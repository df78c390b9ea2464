"""One's own cases by telephone: a one-time code, a session, the cases.

Whether anybody is known by a telephone is told to nobody: the answer comes before the work is done.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Path, Request, Response
from pydantic import BaseModel, Field, SecretStr
from starlette.concurrency import run_in_threadpool

from api.citizens.follow import FollowLink
from api.citizens.own import own_reports
from api.citizens.views import PublicCase, public_case
from api.http.answers import COMMAND_ERRORS, QUERY_ERRORS, documented
from api.http.dependencies import ServiceDep
from api.http.fields import Body, Nothing
from api.http.identity import FOLLOW, identified
from api.http.limits import RateLimits
from api.http.powers import needs
from api.http.strict import StrictRoute
from api.identity.bodies import SessionView
from api.identity.sessions import started
from domain.kernel.refusals import Refusal
from infra.eventstore.service import Service
from infra.identity.citizens import CODE_S, Citizens
from infra.identity.follow import FollowLinks
from infra.identity.refusals import NoSuchLink, SessionEnded

router = APIRouter(prefix="/api/v1/my", tags=["my 我的"], route_class=StrictRoute)

Phone = Annotated[SecretStr, Field(min_length=5, max_length=32, description="The telephone. It is in no log.")]


class CodeRequest(Body):
    """Where the code is to go."""

    phone: Phone


class CodeSent(BaseModel):
    """The same for every telephone."""

    seconds: Annotated[int, Field(description="How long a code holds, if a case names the telephone.")]


class PhoneSignIn(Body):
    """The telephone and the code that it got. ``bearer``: for a program, which gets a token instead of a cookie."""

    phone: Phone
    code: Annotated[SecretStr, Field(min_length=6, max_length=16, description="The six digits.")]
    bearer: Annotated[bool, Field(description="Whether a token is wanted instead of a cookie.")] = False


class MyCases(BaseModel):
    """The cases that name the telephone."""

    cases: Annotated[list[PublicCase], Field(description="The newest first.")]


@router.post(
    "/code",
    status_code=202,
    summary="Send a one-time code 获取验证码",
    responses=COMMAND_ERRORS | documented(_429="too-many-requests"),
    openapi_extra=needs(None),
)
async def send_code(body: CodeRequest, request: Request, service: ServiceDep, later: BackgroundTasks) -> CodeSent:
    """Answers the same whether a case names the telephone or not."""
    limits: RateLimits = request.app.state.limits
    citizens, phone = Citizens(service), body.phone.get_secret_value()
    of_phone = await run_in_threadpool(service.vault.phone_hash, phone)
    limits.phone.take((of_phone or b"").hex())
    later.add_task(citizens.send_code, phone)
    return CodeSent(seconds=int(CODE_S))


@router.post(
    "/session",
    summary="Sign in with the code 验证码登录",
    responses=COMMAND_ERRORS | documented(_401="wrong-phone-code"),
    openapi_extra=needs(None),
)
async def sign_in(body: PhoneSignIn, request: Request, service: ServiceDep, response: Response) -> SessionView:
    """A session of an hour, for the cases that name the telephone."""
    phone, code = body.phone.get_secret_value(), body.code.get_secret_value()
    opened = await run_in_threadpool(Citizens(service).sign_in, phone, code, browser=not body.bearer)
    return started(opened, request, response)


@router.get("/cases", summary="My cases 我的案件", responses=QUERY_ERRORS, openapi_extra=needs(None))
async def my_cases(request: Request, service: ServiceDep) -> MyCases:
    phone_hash, cases = await _whose(request)
    found = await run_in_threadpool(_cases, service, phone_hash, cases)
    return MyCases(cases=sorted(found, key=lambda each: each.received_at, reverse=True))


@router.post(
    "/cases/{case_number}/follow",
    summary="The secret link of a case of mine 取得查询链接",
    responses=COMMAND_ERRORS | documented(_401="session-ended", _404="no-such-link"),
    openapi_extra=needs(None),
)
async def link_of_mine(
    case_number: Annotated[str, Path(max_length=40, description="number of the case")],
    body: Nothing,
    request: Request,
    service: ServiceDep,
    response: Response,
) -> FollowLink:
    """The link that holds, or a new one where none does: whoever lost theirs needs nobody to get it again."""
    phone_hash, cases = await _whose(request)
    response.headers["Cache-Control"] = "no-store"
    return FollowLink(follow=FOLLOW + await run_in_threadpool(_link, service, phone_hash, cases, case_number))


async def _whose(request: Request) -> tuple[bytes, frozenset[UUID]]:
    """The telephone of the session, hashed, and the cases that name it. Refuses ``session-ended``."""
    identity = await identified(request)
    session = identity.session
    if session is None or session.phone_hash is None or identity.cases is None:
        raise SessionEnded()
    return session.phone_hash, identity.cases


def _link(service: Service, phone_hash: bytes, cases: frozenset[UUID], case_number: str) -> str:
    """Refuses ``no-such-link`` where no such case names the telephone."""
    mine = service.vault.with_phone_now(phone_hash).keys()
    for case_id in cases:
        for report in own_reports(service, case_id, mine):
            try:
                if public_case(service, case_id, report).case_number == case_number:
                    return FollowLinks(service).give(case_id, report)
            except Refusal:
                continue  # the report was moved in this moment
    raise NoSuchLink()


def _cases(service: Service, phone_hash: bytes, cases: frozenset[UUID]) -> list[PublicCase]:
    mine = service.vault.with_phone_now(phone_hash).keys()
    found = []
    for case_id in cases:
        for report in own_reports(service, case_id, mine):
            try:
                found.append(public_case(service, case_id, report))
            except Refusal:
                continue  # the report was moved in this moment
    return found
