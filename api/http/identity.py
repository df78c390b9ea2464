"""Who asks, as it is proven: by a session's cookie, by a token, or by a front end that we trust to know.

Everybody else is of the public. What a request merely says about itself (``X-Actor``, ``X-Role``) counts only where a
trusted front end says it; where nobody proves it, the request is refused, so that a mistake is seen.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from api.http.carried import carried_in
from api.http.dependencies import the_service
from api.http.limits import RateLimits, address_of
from api.http.powers import power_of
from api.http.refusals import BadHeader, CsrfTokenMissing, IdentityNotProven
from api.http.scoping import require_object_in_scope
from domain.kernel.refusals import UnknownRole
from domain.kernel.roles import ROLES
from domain.people.people import Work
from domain.people.scope import Scope, scope_of
from domain.standard.context import Person, require_one_of
from domain.standard.powers import roles_with
from domain.standard.scopes import CITIZEN_ROLES
from infra.eventstore.service import Service
from infra.identity.accounts import Accounts, Session, csrf_token
from infra.identity.citizens import Citizens
from infra.identity.follow import Followed, FollowLinks
from infra.identity.proxy_secret import proxy_secret
from infra.identity.refusals import NotYourRole, SessionEnded

COOKIE = "tongshui_session"
CSRF_HEADER = "X-CSRF-Token"
PROXY_HEADER = "X-Proxy-Secret"
SAYS_WHO = ("X-Actor", "X-Role", "X-Channel", "X-Confirmed-By", "X-Confirmed-Role", CSRF_HEADER, PROXY_HEADER)
"""Headers about who asks; one that comes twice is refused, since two readers could each take another one."""
SIGN_IN = frozenset(
    {"/api/v1/session", "/api/v1/session/demo", "/api/v1/token", "/api/v1/my/code", "/api/v1/my/session"}
)
"""Where a session begins: one that there is already does not count, and may be over."""
BY_REDIRECT = frozenset({"/api/v1/session/oidc", "/api/v1/session/oidc/callback"})
"""Where a sign-in at the identity provider begins and ends: by GET, since the browser is led there."""
WATCHES = frozenset({"/healthz", "/metrics"})
"""What an installation is watched by: not counted, since a watcher that is refused raises an alarm."""
FOLLOW = "/api/v1/follow/"
"""Below it the path holds the code of a secret link, which says who asks whatever else the request says."""
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
ANONYMOUS = "anonymous"
PUBLIC_ROLE = "public"
PUBLIC_CHANNELS = ("website", "wechat")
"""The channels over which the public comes by itself; the first one where it does not say."""
VISITOR = "visitor"
"""Who looks at the demo without an account: there is nothing real in it, so everything may be read."""
_CHANNELS = {
    "crew": "crew-phone",
    "crew-lead": "crew-phone",
    "squad": "crew-phone",
    "hotline": "hotline",
    "counter": "counter",
    "platform": "platform",
}
"""Role → the channel over which it speaks where it does not say; the office for every other."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks. ``work``: what they are bound to (crew, squad, districts); None: nothing is known of it. ``link``: the
    secret link of a case that they came with; ``cases``: of an applicant or a reporter, those that name them."""

    actor: str
    role: str
    by: Literal["session", "token", "proxy", "link", "nobody"]
    work: Work | None = None
    session: Session | None = None
    link: Followed | None = None
    cases: frozenset[UUID] | None = None

    @property
    def person(self) -> Person:
        """The actor and the role, as decisions know them."""
        return Person(self.actor, self.role)

    @property
    def channel(self) -> str:
        """The channel where the request does not say one."""
        if self.by in ("proxy", "link", "nobody") or self.role in ("public", *CITIZEN_ROLES):
            return PUBLIC_CHANNELS[0]
        return _CHANNELS.get(self.role, "office")


async def identified(request: Request) -> Identity:
    """Who asks; found once for each request. Refuses ``bad-header``, ``session-ended``, ``csrf-token-missing``,
    ``identity-not-proven``, ``not-your-role``, ``unknown-role``."""
    known: Identity | None = getattr(request.state, "identity", None)
    if known is None:
        known = request.state.identity = await _identified(request)
    return known


async def _case_scope(request: Request) -> Scope:
    identity = await identified(request)
    return scope_of("case.read", identity.role, identity.work, identity.cases)


CaseScopeDep = Annotated[Scope, Depends(_case_scope)]
"""Which cases who asks may read: for a route of another power whose answer names cases."""


async def guard(request: Request) -> None:
    """Of every route: who asks is found, whoever lacks the power that the route needs is refused ``wrong-role``, a
    machine that was not granted it ``scope-not-granted``, and what is not theirs ``not-yours``. The body is read after
    that; what depends on it is asked for where a command is decided."""
    identity = await identified(request)
    _take_token(request, identity)
    power = power_of(request.scope.get("route"))
    if power is not None:
        service = the_service(request)
        standard = service.rules.in_force(service.clock.now())
        require_one_of(identity.person, roles_with(standard, power), power)
    _require_granted(request, identity, power)
    await require_object_in_scope(request, scope_of(power, identity.role, identity.work, identity.cases))


def _require_granted(request: Request, identity: Identity, power: str | None) -> None:
    """Refuse ``scope-not-granted`` to a machine that was granted some of its roles' powers, and not what this needs."""
    if identity.work is None or not identity.work.scopes:
        return
    if power is not None:
        identity.work.require_granted(power)
    service = the_service(request)
    history = service.rules.in_force(service.clock.now()).repair.history_channels
    if request.headers.get("X-Channel") in history:
        identity.work.require_granted("history.import")


def _take_token(request: Request, identity: Identity) -> None:
    """Refuse ``too-many-requests`` to who sends more than the settings allow: commands, queries, or attempts to sign
    in. What watches the process is never refused."""
    if carried_in(request.scope) is not None or request.url.path in WATCHES:
        return
    limits: RateLimits = request.app.state.limits
    is_command = request.method in UNSAFE
    if request.url.path in (SIGN_IN if is_command else BY_REDIRECT):
        if (address := _address(request)) is not None:
            limits.sign_in.take(address)
    elif identity.by in ("session", "token"):
        (limits.actor if is_command else limits.actor_queries).take(identity.actor)
    elif (address := _address(request)) is not None and is_public(identity):
        (limits.public if is_command else limits.public_queries).take(address)


def is_public(identity: Identity) -> bool:
    """Whether it is somebody whom nothing but their address, or the link of a case, tells from others."""
    return identity.by == "nobody" or identity.role == PUBLIC_ROLE or identity.link is not None


def counted_as(request: Request, identity: Identity) -> str | None:
    """Under which name who asks is counted: an actor's, or an address of the public; None: a front end speaks for many,
    and counts by itself."""
    if identity.by in ("session", "token"):
        return f"actor:{identity.actor}"
    address = _address(request) if is_public(identity) else None
    return f"address:{address}" if address is not None else None


def _address(request: Request) -> str | None:
    return address_of(request, by_front_end=is_trusted_proxy(request, the_service(request)))


async def _identified(request: Request) -> Identity:
    if (carried := carried_in(request.scope)) is not None:
        return carried.identity
    for name in SAYS_WHO:
        if len(request.headers.getlist(name)) > 1:
            raise BadHeader(found=f"{name} twice", needed="one", next_step="send it once", next_step_zh="请只填写一次")
    service = the_service(request)
    if request.scope.get("path", "").startswith(FOLLOW) and (code := request.path_params.get("code")) is not None:
        link = await run_in_threadpool(FollowLinks(service).find, code)
        return Identity(link.actor, link.role, "link", None, None, link, frozenset({link.case_id}))
    token, by_cookie = token_of(request)
    if token is not None and not (request.method == "POST" and request.url.path in SIGN_IN):
        return await _by_session(request, service, token, by_cookie=by_cookie)
    if is_trusted_proxy(request, service):
        role = _listed_role(request)
        return Identity(request.headers.get("X-Actor", ANONYMOUS), role, "proxy")
    if request.headers.get("X-Actor") or request.headers.get("X-Role", "public") != "public":
        raise IdentityNotProven()
    return _nobody(request, service)


def _nobody(request: Request, service: Service) -> Identity:
    if service.settings.demo and request.method == "GET":
        return Identity(VISITOR, "auditor", "nobody")
    return Identity(ANONYMOUS, "public", "nobody")


def token_of(request: HTTPConnection) -> tuple[str | None, bool]:
    """The token that the request shows, and whether a browser sent it by itself."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip(), False
    cookie = request.cookies.get(COOKIE)
    return cookie, cookie is not None


async def _by_session(request: Request, service: Service, token: str, *, by_cookie: bool) -> Identity:
    try:
        session = await run_in_threadpool(Accounts(service).session, token)
    except SessionEnded:
        if by_cookie and request.method == "GET":
            return _nobody(request, service)  # the browser sends an old cookie to every page, and to the one to sign in
        raise
    # A page of another site can make the browser send the cookie, and cannot read what is to be repeated here.
    shown = request.headers.get(CSRF_HEADER, "")
    if by_cookie and request.method in UNSAFE and not hmac.compare_digest(shown.encode(), csrf_token(token).encode()):
        raise CsrfTokenMissing()
    if (claimed := request.headers.get("X-Actor")) not in (None, session.actor):
        raise IdentityNotProven(f"X-Actor {'' if claimed is None else 'of somebody else'}")
    role = request.headers.get("X-Role", session.role)
    if role not in session.work.roles:
        raise NotYourRole(role if role in ROLES else "(unknown)", session.work.roles)
    power = power_of(request.scope.get("route"))
    if power is not None or (request.method in UNSAFE and not request.url.path.startswith("/api/v1/session")):
        session.require_whole()
    cases = None
    if session.phone_hash is not None:
        cases = await run_in_threadpool(Citizens(service).cases, session.phone_hash)
    return Identity(session.actor, role, "session" if by_cookie else "token", session.work, session, None, cases)


def is_trusted_proxy(request: HTTPConnection, service: Service) -> bool:
    """Whether a front end that the settings name sent it, and proved it."""
    said = request.headers.get(PROXY_HEADER)
    if said is None or request.client is None or request.client.host not in service.settings.trusted_proxies:
        return False
    return hmac.compare_digest(said.encode(), proxy_secret(service.settings).encode())


def came_by_tls(request: HTTPConnection, service: Service) -> bool:
    """Whether whoever asks came by TLS: to us, or to a front end of the settings, which says so."""
    if request.url.scheme == "https":
        return True
    from_front_end = request.client is not None and request.client.host in service.settings.trusted_proxies
    return from_front_end and request.headers.get("X-Forwarded-Proto") == "https"


def asked_at(request: Request, service: Service) -> str:
    """Scheme and name by which the browser asked, which is one of ours."""
    return f"{'https' if came_by_tls(request, service) else 'http'}://{request.url.netloc}"


def _listed_role(request: Request) -> str:
    role = request.headers.get("X-Role", "public")
    if role not in ROLES:
        raise UnknownRole(
            None,
            ROLES,
            next_step="send X-Role with one of the listed words",
            next_step_zh="请在 X-Role 中填写列出的代码",
        )
    return role
