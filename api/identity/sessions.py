"""Signing in and out: sessions of people, tokens of machines."""

from __future__ import annotations

from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.http.answers import COMMAND_ERRORS, QUERY_ERRORS
from api.http.dependencies import ServiceDep, the_service
from api.http.fields import Nothing
from api.http.identity import COOKIE, Identity, asked_at, came_by_tls, identified, token_of
from api.http.powers import needs
from api.http.refusals import BadBody
from api.http.strict import StrictRoute, read_body
from api.identity import bodies
from api.identity.bodies import RecoveryCodes, SecondFactor, SessionView, TokenAnswer
from infra.eventstore.service import Service
from infra.identity.accounts import Accounts, Opened, csrf_token
from infra.identity.demo_accounts import DEMO_ACCOUNTS
from infra.identity.oidc import Provider, opened_hint
from infra.identity.refusals import NoDemo, SessionEnded
from infra.keys import KeyFileError, master_key

FORM_LIMIT_BYTES = 4 * 1024
"""Of a machine's form: an id and a secret."""

HINT_COOKIE = "tongshui_oidc_hint"
"""Keeps the ID token of a sign-in at the provider, sealed, until the sign-out."""
HINT_PATH = "/api/v1/session/end"
LOGIN_PAGE = "/login"
"""Where the provider sends the browser back to after a sign-out; the provider must know it."""

router = APIRouter(prefix="/api/v1/session", tags=["session 登录"], route_class=StrictRoute, responses=COMMAND_ERRORS)
queries = APIRouter(prefix="/api/v1/session", tags=["session 登录"], route_class=StrictRoute, responses=QUERY_ERRORS)
tokens = APIRouter(prefix="/api/v1/token", tags=["session 登录"], route_class=StrictRoute, responses=COMMAND_ERRORS)


@queries.get("", summary="Who asks 当前身份", openapi_extra=needs(None))
async def who(request: Request, service: ServiceDep) -> SessionView:
    identity = await identified(request)
    token, by_cookie = token_of(request)
    return _view(identity, service, csrf_token(token) if token and by_cookie and identity.session else None)


@router.post("", summary="Sign in 登录", openapi_extra=needs(None))
async def sign_in(body: bodies.SignIn, service: ServiceDep, request: Request, response: Response) -> SessionView:
    """A person's session: a cookie for a browser, a token for a program that asks for one (`bearer`)."""
    code = body.code.strip() if body.code is not None else None

    def opened() -> Opened:
        password = body.password.get_secret_value()
        return Accounts(service).sign_in(body.login.strip(), password, code, browser=not body.bearer)

    return started(await run_in_threadpool(opened), request, response)


@router.post("/demo", summary="Be one of the demo's people 演示身份", openapi_extra=needs(None))
async def be(body: bodies.DemoChoice, service: ServiceDep, request: Request, response: Response) -> SessionView:
    """Only in the demo, where nothing is real."""

    def opened() -> Opened:
        accounts = Accounts(service)
        person = accounts.person(body.actor) if body.actor in DEMO_ACCOUNTS else None
        if not service.settings.demo or person is None:
            raise NoDemo()
        return accounts.open_session(person, browser=True)

    return started(await run_in_threadpool(opened), request, response)


@router.post("/role", summary="Act in another of your roles 切换岗位", openapi_extra=needs(None))
async def switch(body: bodies.RoleChoice, service: ServiceDep, request: Request) -> SessionView:
    token = _token(request)
    await run_in_threadpool(Accounts(service).switch_role, token, body.role)
    request.state.identity = None
    return await who(request, service)


@router.post("/end", summary="Sign out 退出", openapi_extra=needs(None))
async def sign_out(body: Nothing, service: ServiceDep, request: Request, response: Response) -> SessionView:
    """Whoever came by the identity provider is told where to sign out there too (`leave_at`)."""
    session = (await identified(request)).session
    await run_in_threadpool(Accounts(service).close, _token(request))
    response.delete_cookie(COOKIE, path="/")
    response.delete_cookie(HINT_COOKIE, path=HINT_PATH)
    response.headers["Cache-Control"] = "no-store"
    by_provider = session is not None and session.by_provider
    leave_at = await run_in_threadpool(_leave_at, request, service) if by_provider else None
    return SessionView(actor="anonymous", role="public", roles=["public"], signed_in=False, leave_at=leave_at)


@router.post("/password", summary="Set your password 修改密码", openapi_extra=needs(None))
async def change_password(
    body: bodies.PasswordChange, service: ServiceDep, request: Request, response: Response
) -> SessionView:
    """Every other session of yours ends."""
    token, old, new = _token(request), body.old.get_secret_value(), body.new.get_secret_value()
    opened = await run_in_threadpool(Accounts(service).change_password, token, old, new)
    return started(opened, request, response)


@router.post("/second-factor", summary="Begin a second factor 启用动态验证码", openapi_extra=needs(None))
async def begin_second_factor(body: Nothing, service: ServiceDep, request: Request) -> SecondFactor:
    return SecondFactor(uri=await run_in_threadpool(Accounts(service).begin_second_factor, _token(request)))


@router.post("/second-factor/confirmation", summary="Confirm it 确认动态验证码", openapi_extra=needs(None))
async def confirm_second_factor(
    body: bodies.Confirmation, service: ServiceDep, request: Request, response: Response
) -> RecoveryCodes:
    opened, codes = await run_in_threadpool(Accounts(service).confirm_second_factor, _token(request), body.code)
    return RecoveryCodes(codes=list(codes), session=started(opened, request, response))


_CREDENTIALS = {
    "required": True,
    "content": {
        "application/x-www-form-urlencoded": {
            "schema": {
                "type": "object",
                "required": ["grant_type", "client_id", "client_secret"],
                "properties": {
                    "grant_type": {"const": "client_credentials", "description": "The only grant that there is."},
                    "client_id": {"type": "string", "description": "The machine's login."},
                    "client_secret": {"type": "string", "description": "Its secret."},
                },
            }
        }
    },
}


@tokens.post("", summary="A machine's token 机器令牌", openapi_extra={**needs(None), "requestBody": _CREDENTIALS})
async def token(request: Request, response: Response, service: ServiceDep) -> TokenAnswer:
    """Client credentials (RFC 6749 section 4.4): a form with `grant_type`, `client_id` and `client_secret`."""
    form = parse_qs((await read_body(request, FORM_LIMIT_BYTES)).decode("ascii", "replace"))
    grant, client, secret = (form.get(name, [""])[0] for name in ("grant_type", "client_id", "client_secret"))
    if grant != "client_credentials" or not client or not secret:
        raise BadBody(
            found="a form without grant_type=client_credentials, client_id and client_secret",
            needed="these three",
            next_step="send them as application/x-www-form-urlencoded",
            next_step_zh="请以表单提交 grant_type=client_credentials、client_id 和 client_secret",
        )
    opened, lasts_s = await run_in_threadpool(Accounts(service).machine_token, client, secret)
    response.headers["Cache-Control"] = "no-store"
    return TokenAnswer(access_token=opened.token, expires_in=int(lasts_s), scope=" ".join(opened.session.work.scopes))


# ---- parts


def keep_hint(response: Response, hint: str | None, request: Request) -> None:
    """Have the browser keep what the provider wants to see when its owner signs out, until then."""
    if hint is None:
        response.delete_cookie(HINT_COOKIE, path=HINT_PATH)
        return
    secure = came_by_tls(request, the_service(request))
    response.set_cookie(HINT_COOKIE, hint, path=HINT_PATH, httponly=True, samesite="strict", secure=secure)


def _leave_at(request: Request, service: Service) -> str | None:
    provider: Provider = request.app.state.oidc
    try:
        hint = opened_hint(request.cookies.get(HINT_COOKIE), master_key(service.settings))
    except KeyFileError:
        hint = None
    return provider.end_session_url(hint, f"{asked_at(request, service)}{LOGIN_PAGE}")


def _token(request: Request) -> str:
    token, _ = token_of(request)
    if token is None:
        raise SessionEnded()
    return token


def started(opened: Opened, request: Request, response: Response) -> SessionView:
    """The answer that a session begins with: the cookie, or the token itself."""
    session = opened.session
    identity = Identity(session.actor, session.role, "session", session.work, session)
    response.headers["Cache-Control"] = "no-store"
    view = _view(identity, None, csrf_token(opened.token) if session.for_browser else None)
    if not session.for_browser:
        return view.model_copy(update={"token": opened.token})
    secure = came_by_tls(request, the_service(request))
    response.set_cookie(COOKIE, opened.token, path="/", httponly=True, samesite="strict", secure=secure)
    return view


def _view(identity: Identity, service: Service | None, csrf: str | None) -> SessionView:
    session, work = identity.session, identity.work
    demo = service is not None and service.settings.demo
    return SessionView(
        actor=identity.actor,
        role=identity.role,
        roles=list(work.roles) if work is not None else [identity.role],
        crew=work.crew if work is not None else None,
        squad=work.squad if work is not None else None,
        districts=list(work.districts) if work is not None else [],
        signed_in=session is not None,
        limited=session is not None and session.is_limited,
        csrf_token=csrf,
        by_provider=session is not None and session.by_provider,
        provider=service.settings.oidc_name if service is not None and service.settings.oidc_issuer else None,
        demo_accounts=[
            bodies.DemoAccount(
                actor=actor,
                role=given.roles[0],
                bound_to=[each for each in (given.crew, given.squad, *given.districts) if each is not None],
            )
            for actor, given in DEMO_ACCOUNTS.items()
        ]
        if demo
        else [],
    )
