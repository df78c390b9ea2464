"""Who asks for a command: their proven identity (``api.http.identity``), the channel, and the key of the request."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any
from uuid import uuid4

from fastapi import Depends, Header, Request

from api.http.carried import carried_in
from api.http.dependencies import ServiceDep
from api.http.fields import Body
from api.http.identity import PUBLIC_CHANNELS, Identity, identified
from api.http.powers import power_of
from api.http.refusals import BadHeader, BadParameter
from api.http.strict import StrictRequest
from api.http.trace import note_correlation
from domain.approvals.refusals import SecondPersonNotAsked
from domain.kernel.personal import KIND_NAMES, kind_in
from domain.kernel.refusals import UnknownCode, UnknownRole
from domain.kernel.roles import ROLES
from domain.publication.refusals import UnknownChannel
from domain.standard.context import CommandContext, Person
from domain.standard.powers import roles_with
from infra.eventstore.commands import IdempotencyKey, Stamp
from infra.eventstore.service import Service
from infra.identity.proxy_secret import proxy_secret

SECOND_PERSON_FIELDS = ("confirmed_by", "approved_by")
"""Fields of bodies that name a second person."""
INTERNAL_CHANNELS = frozenset({"system"})

_WORD = r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, over which channel, and the key under which a repeated request is the same request. ``power``: what the
    route says that its command needs; None: nothing. ``case_secret``: what ids of the public's cases are made with.
    ``if_match``: the version that the case must still have; None: whatever it has."""

    stamp: Stamp
    key: IdempotencyKey | None
    power: str | None = None
    identity: Identity | None = None
    case_secret: str = ""
    if_match: int | None = None


ActorHeader = Annotated[
    str | None, Header(alias="X-Actor", pattern=_WORD, description="who asks; only a trusted front end may say so")
]
RoleHeader = Annotated[
    str | None,
    Header(
        alias="X-Role",
        max_length=64,
        description="which of your roles you act in; a trusted front end says any of: " + ", ".join(ROLES),
    ),
]
ChannelHeader = Annotated[
    str | None,
    Header(
        alias="X-Channel",
        max_length=64,
        description="a channel of the standard in force; left out: the usual one of the role",
    ),
]
CorrelationHeader = Annotated[
    str | None,
    Header(
        alias="X-Correlation-Id",
        pattern=_WORD,
        description="an id of yours that every event of the request carries; left out: one of ours",
    ),
]
ConfirmedByHeader = Annotated[
    str | None,
    Header(
        alias="X-Confirmed-By",
        pattern=_WORD,
        description="the second person; only a trusted front end may say so, everybody else asks them at /approvals",
    ),
]
ConfirmedRoleHeader = Annotated[
    str | None,
    Header(
        alias="X-Confirmed-Role",
        max_length=64,
        description="the second person's role; only a trusted front end may say so",
    ),
]
KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,128}$",
        description="repeat a request under its key, in the same role: it is done once, and answered as it was",
    ),
]

IfMatchHeader = Annotated[
    str | None,
    Header(
        alias="If-Match",
        pattern=r'^"[0-9]{1,9}"$',
        description="the `ETag` of the case as you saw it: where it has changed since, the command is refused "
        "`case-changed`; left out: whatever happened meanwhile",
    ),
]


async def the_caller(
    request: Request,
    service: ServiceDep,
    actor: ActorHeader = None,
    role: RoleHeader = None,
    channel: ChannelHeader = None,
    correlation_id: CorrelationHeader = None,
    confirmed_by: ConfirmedByHeader = None,
    confirmed_role: ConfirmedRoleHeader = None,
    key: KeyHeader = None,
    if_match: IfMatchHeader = None,
) -> Caller:
    """The caller by the request's headers. Refuses ``bad-header``, ``unknown-role``, ``unknown-channel`` and
    ``second-person-not-asked``."""
    identity = await identified(request)
    actor, role, channel = identity.actor, identity.role, channel or identity.channel
    # Headers and paths end in events, the store's keys and logs.
    ids = {"X-Actor": actor, "X-Correlation-Id": correlation_id, "X-Confirmed-By": confirmed_by}
    for name, value in ids.items():
        _require_impersonal(BadHeader, name, value or "")
    for name, value in request.path_params.items():
        _require_impersonal(BadParameter, name, str(value))
    if confirmed_role is not None:
        _require_listed(UnknownRole, "X-Confirmed-Role", confirmed_role, ROLES)
    _require_listed(UnknownChannel, "X-Channel", channel, _channels(service, identity))
    command_id = str(uuid4())
    carried = carried_in(request.scope)
    if carried is not None or not _may_name_others(request, service, identity, channel):
        await _require_nobody_typed(request, confirmed_by, confirmed_role)
    if carried is not None:
        confirmed_by, confirmed_role = carried.second.actor, carried.second.role
    stamp = Stamp(
        actor,
        role,
        channel,
        command_id,
        correlation_id or command_id,
        causation_id=None,
        confirmed_by=confirmed_by,
        confirmed_role=confirmed_role,
    )
    note_correlation(request.scope, stamp.correlation_id)
    return Caller(
        stamp,
        await _idempotency_key(request, identity, _kept(key, service)),
        power_of(request.scope.get("route")),
        identity,
        proxy_secret(service.settings),
        int(if_match.strip('"')) if if_match is not None else None,
    )


CallerDep = Annotated[Caller, Depends(the_caller)]


def context_now(caller: Caller, service: Service) -> CommandContext:
    """What a caller asks now, under the rules of now: who may see something is decided by it."""
    now = service.clock.now()
    return CommandContext(now, now, caller.stamp.channel, service.rules, Person(caller.stamp.actor, caller.stamp.role))


def _may_name_others(request: Request, service: Service, identity: Identity, channel: str) -> bool:
    """Whether a second person counts who is only named: a trusted front end vouches for both, and imported history
    tells who confirmed a fact from the field then. It is told by whoever has the power for it."""
    if identity.by == "proxy":
        return True
    standard = service.rules.in_force(service.clock.now())
    return (
        channel in standard.repair.history_channels
        and identity.role in roles_with(standard, "history.import")
        and _is_from_the_field(request.scope.get("route"))
    )


def _is_from_the_field(route: Any) -> bool:
    body_field = getattr(route, "body_field", None)
    form = body_field.field_info.annotation if body_field is not None else None
    return isinstance(form, type) and issubclass(form, Body) and form.tells_facts


async def _require_nobody_typed(request: Request, confirmed_by: str | None, confirmed_role: str | None) -> None:
    typed = confirmed_by is not None or confirmed_role is not None
    if typed or (isinstance(request, StrictRequest) and names_second_person(await request.json())):
        raise SecondPersonNotAsked()


def names_second_person(body: Any) -> bool:
    """Whether a second person is named in a body, wherever in it."""
    if isinstance(body, dict):
        named = any(body.get(name) is not None for name in SECOND_PERSON_FIELDS)
        return named or any(names_second_person(each) for each in body.values())
    return isinstance(body, list) and any(names_second_person(each) for each in body)


def _channels(service: Service, identity: Identity) -> tuple[str, ...]:
    if identity.by == "nobody":
        return PUBLIC_CHANNELS
    # The standard's own list: a channel it does not know would have no allowed lateness, and nothing would be late.
    standard = service.rules.in_force(service.clock.now())
    return tuple(sorted(set(standard.allowed_lateness_minutes) - INTERNAL_CHANNELS))


def _require_impersonal(bad: type[BadHeader | BadParameter], name: str, value: str) -> None:
    if (kind := kind_in(value)) is not None:
        raise bad(
            found=f"{name} holds what looks like {KIND_NAMES[kind][0]}",
            needed="an opaque id",
            next_step="use an id that does not tell who it is",
            next_step_zh="请使用不含个人信息的编号",
        )


def _require_listed(unknown: type[UnknownCode], header: str, value: str, listed: tuple[str, ...]) -> None:
    if value not in listed:
        raise unknown(
            None,
            listed,
            next_step=f"send {header} with one of the listed words",
            next_step_zh=f"请在 {header} 中填写列出的代码",
        )


def _kept(key: str | None, service: Service) -> str | None:
    """The key as the store keeps it. Clients make keys of their own numbers, of which some look like telephones: such a
    one is kept as a digest under a secret, and works as every other."""
    if key is None or kind_in(key) is None:
        return key
    return hmac.new(proxy_secret(service.settings).encode(), key.encode(), sha256).hexdigest()


async def _idempotency_key(request: Request, identity: Identity, key: str | None) -> IdempotencyKey | None:
    if (carried := carried_in(request.scope)) is not None:
        return carried.key
    if key is None:
        return None
    digest = sha256()
    # The role is part of what was asked: in another one the answer could be another, and may not be theirs to see.
    for part in (identity.role.encode(), request.method.encode(), request.url.path.encode(), await request.body()):
        digest.update(len(part).to_bytes(8, "big") + part)
    if identity.by == "nobody":
        # Nobody knows who of the public it is: two who choose one key are two, unless they say the very same.
        return IdempotencyKey(f"public:{digest.hexdigest()}", key, digest.digest())
    return IdempotencyKey(f"actor:{identity.actor}", key, digest.digest())
