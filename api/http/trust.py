"""Who may ask at all. Until there are identities: this machine, under its own name.

Actor and role come from headers that nobody checks, so a peer elsewhere could claim to be anyone. And a web page that
somebody opens on this machine could reach us through a name of its own that it points at loopback (DNS rebinding).
"""

from __future__ import annotations

import re
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.errors import answer
from api.http.refusals import EdgeRefusal, NotLoopback, WrongHost
from api.http.trace import note_outcome

_HOST = re.compile(r"(?:\[(?P<bracketed>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9.-]+))(?::[0-9]{1,5})?", re.ASCII)


class LoopbackOnly:
    """Turns away peers and host names that are not this machine's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        error = _objection(scope)
        if error is None:
            await self._app(scope, receive, send)
            return
        note_outcome(scope, error.code)
        await answer(error)(scope, receive, send)


def _objection(scope: Scope) -> EdgeRefusal | None:
    client = scope.get("client")
    if client is not None and not is_loopback(client[0]):
        return NotLoopback()
    hosts = Headers(scope=scope).getlist("host")
    # One host and no other: of two, a front end could have checked the one that we do not read.
    if len(hosts) != 1 or not is_loopback(host_name(hosts[0])):
        return WrongHost()
    return None


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets. "" where the header is not a name or an address, with at
    most a port behind it (RFC 9110, 7.2): what two programs could read differently names nobody."""
    matched = _HOST.fullmatch(host)
    return (matched["bracketed"] or matched["name"]) if matched is not None else ""


def is_loopback(name: str) -> bool:
    """Whether an address or name is this machine's own."""
    if name.lower() == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
