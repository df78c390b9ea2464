"""Who may ask at all: this machine, whoever comes by TLS, and front ends that the settings trust; by our own names.

What comes from elsewhere without TLS could be read and changed on its way, with the password or the session in it. And
a web page that somebody opens could reach us through a name of its own that it points at our address (DNS rebinding).
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.errors import answer
from api.http.refusals import EdgeRefusal, NotLoopback, WrongHost
from api.http.trace import note_outcome
from infra.http_address import is_loopback
from infra.settings import Settings

WILDCARDS = {"0.0.0.0", "::"}
"""Addresses to listen on that nobody can ask for."""
_HOST = re.compile(r"(?:\[(?P<bracketed>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9.-]+))(?::[0-9]{1,5})?", re.ASCII)


class Doorkeeper:
    """Turns away peers that come in the open from elsewhere, and host names that are not ours."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._names = {settings.http_host.lower(), *(name.lower() for name in settings.http_names)} - WILDCARDS
        self._front_ends = frozenset(settings.trusted_proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        error = self._objection(scope)
        if error is None:
            await self._app(scope, receive, send)
            return
        note_outcome(scope, error.code)
        await answer(error)(scope, receive, send)

    def _objection(self, scope: Scope) -> EdgeRefusal | None:
        client = scope.get("client")
        address = client[0] if client is not None and scope["scheme"] != "https" else None
        if address is not None and not is_loopback(address) and address not in self._front_ends:
            return NotLoopback()
        hosts = Headers(scope=scope).getlist("host")
        # One host and no other: of two, a front end could have checked the one that we do not read.
        name = host_name(hosts[0]) if len(hosts) == 1 else ""
        return None if is_loopback(name) or name.lower() in self._names else WrongHost()


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets. "" where the header is not a name or an address, with at
    most a port behind it (RFC 9110, 7.2): what two programs could read differently names nobody."""
    matched = _HOST.fullmatch(host)
    return (matched["bracketed"] or matched["name"]) if matched is not None else ""
