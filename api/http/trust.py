"""Who may ask at all. Until there are identities: this machine, under its own name.

Actor and role come from headers that nobody checks, so a peer elsewhere could claim to be anyone. And a web page that
somebody opens on this machine could reach us through a name of its own that it points at loopback (DNS rebinding).
"""

from __future__ import annotations

from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.errors import answer
from api.http.refusals import EdgeRefusal, NotLoopback, WrongHost
from api.http.trace import note_outcome


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
    if not is_loopback(host_name(Headers(scope=scope).get("host", ""))):
        return WrongHost()
    return None


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def is_loopback(name: str) -> bool:
    """Whether an address or name is this machine's own."""
    if name.lower() == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
