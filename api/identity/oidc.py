"""Signing in at the identity provider: the browser is led there, and comes back with a code."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from api.http.answers import QUERY_ERRORS, documented
from api.http.dependencies import ServiceDep
from api.http.errors import answer, page_answer
from api.http.identity import asked_at, came_by_tls
from api.http.powers import needs
from api.http.strict import StrictRoute
from api.http.trace import note_outcome
from api.identity.sessions import keep_hint, started
from domain.kernel.refusals import Refusal
from infra.eventstore.service import Service
from infra.identity.accounts import Accounts, Opened
from infra.identity.oidc import ATTEMPT_S, Attempt, Provider, sealed_hint
from infra.keys import master_key

COOKIE = "tongshui_oidc"
PATH = "/api/v1/session/oidc"
ERRORS = QUERY_ERRORS | documented(
    _401="oidc-state-mismatch, oidc-denied, oidc-provider-error, oidc-code-refused, oidc-token-invalid, "
    "oidc-claim-missing",
    _403="oidc-account-unknown",
    _404="oidc-not-set-up",
    _429="too-many-requests",
    _503="oidc-provider-unavailable, store-unavailable, vault-closed",
)
_REDIRECT = {"description": "The browser is led on.", "headers": {"Location": {"schema": {"type": "string"}}}}

router = APIRouter(
    prefix=PATH,
    tags=["session 登录"],
    route_class=StrictRoute,
    responses={**ERRORS, 303: _REDIRECT},
    default_response_class=RedirectResponse,
)


@router.get("", summary="Sign in at the identity provider 统一身份认证", openapi_extra=needs(None), status_code=303)
async def begin_at_provider(
    request: Request,
    service: ServiceDep,
    next: Annotated[  # noqa: A002 - the name is the parameter's
        str | None, Query(max_length=2_048, description="The path of the page to come to after it.")
    ] = None,
) -> Response:
    """The attempt is kept in a cookie of the browser for ten minutes, sealed."""
    provider: Provider = request.app.state.oidc

    def led() -> tuple[str, str]:
        provider.require_set_up()
        attempt = Attempt.begin(next, provider.now())
        sealed = attempt.sealed(master_key(service.settings))
        return provider.authorization_url(attempt, _callback(request, service)), sealed

    try:
        url, sealed = await run_in_threadpool(led)
    except Refusal as refused:
        return _refused(request, refused)
    response = RedirectResponse(url, 303, {"Cache-Control": "no-store"})
    # Lax: the browser comes back from another site, and must bring it.
    response.set_cookie(
        COOKIE,
        sealed,
        max_age=ATTEMPT_S,
        path=PATH,
        httponly=True,
        samesite="lax",
        secure=came_by_tls(request, service),
    )
    return response


@router.get("/callback", summary="Come back from it 认证回调", openapi_extra=needs(None), status_code=303)
async def come_back(
    request: Request,
    service: ServiceDep,
    state: Annotated[str | None, Query(max_length=256, description="As it was given to the provider.")] = None,
    code: Annotated[str | None, Query(max_length=4_096, description="What the provider gives its token for.")] = None,
    error: Annotated[str | None, Query(max_length=256, description="Why the provider gives no code.")] = None,
    iss: Annotated[str | None, Query(max_length=2_048, description="Which provider says it (RFC 9207).")] = None,
) -> Response:
    """The same session as after a password, and on to the page that was asked for. A browser is answered with a page
    where it fails."""
    provider: Provider = request.app.state.oidc

    def opened() -> tuple[Opened, str, str | None]:
        provider.require_set_up()
        attempt = Attempt.of(request.cookies.get(COOKIE), state, master_key(service.settings), provider.now())
        given = provider.require_code(code, error, iss)
        named = provider.named(attempt, given, _callback(request, service))
        session = Accounts(service).sign_in_by_provider(named.actor, has_second_factor=named.has_second_factor)
        return session, attempt.next, sealed_hint(named.id_token, master_key(service.settings))

    try:
        session, path, hint = await run_in_threadpool(opened)
    except Refusal as refused:
        response = _refused(request, refused)
    else:
        if session.session.is_limited:
            path = f"/login?next={quote(path, safe='')}"
        response = RedirectResponse(path, 303)
        started(session, request, response)
        keep_hint(response, hint, request)
    # An answer ends the attempt, whatever it is: it cannot be sent again.
    response.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="lax", secure=came_by_tls(request, service))
    return response


# ---- parts


def _callback(request: Request, service: Service) -> str:
    """Where the provider sends the browser back to."""
    return f"{asked_at(request, service)}{PATH}/callback"


def _refused(request: Request, refused: Refusal) -> Response:
    """A page for a browser, problem+json for everybody else."""
    note_outcome(request.scope, refused.code)
    if "text/html" not in request.headers.get("Accept", ""):
        return answer(refused)
    return page_answer(request, refused, "/login", ("返回登录", "back to sign in"))
