"""Around every request: figures, one log line, headers of caution, and an answer for what nobody foresaw.

A log line has the route's template, never the path with its query, and an incident has where it happened, never the
exception's words: a driver's message may quote a row, and with it a person's particulars.
"""

from __future__ import annotations

import logging
import traceback
from time import perf_counter
from uuid import uuid4

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http import trace
from api.http.errors import answer_in
from api.http.metrics import UNMATCHED, ProcessMetrics
from api.http.refusals import InternalError

log = logging.getLogger("tongshui.http")

CAUTION = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    # Of what is no page: nothing of it may run, nothing may frame it. Pages bring their own.
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}
HTTPS_ONLY = ("Strict-Transport-Security", "max-age=31536000")
"""Whoever came by TLS comes by nothing else for a year (RFC 6797); a front end says it for itself."""
API = "/api/v1/"
"""Answers below it hold cases and people: no cache keeps them, unless the route says how long it may."""
CLIENT_GONE = 499
"""In log and figures, for want of an answer: the number that proxies write for a client that went away first."""


class Outer:
    """The outermost layer of ours."""

    def __init__(self, app: ASGIApp, figures: ProcessMetrics) -> None:
        self._app = app
        self._figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _Watched(scope, send)
        try:
            await self._app(scope, receive, request.send)
        except ClientDisconnect:
            request.client_gone()
        except Exception as error:
            await request.unforeseen(error, receive)
        finally:
            self._count(request)

    def _count(self, request: _Watched) -> None:
        route = _template(request.scope)
        method = request.scope["method"] if route != UNMATCHED else "(any)"
        seconds = perf_counter() - request.began
        outcome = request.trace.outcome or "ok"
        self._figures.request(route, method, request.status, outcome, None if request.is_stream else seconds)
        log.info(
            "%s %s %d %s %.1f ms correlation=%s",
            method,
            route,
            request.status,
            outcome,
            seconds * 1_000,
            request.trace.correlation_id or "-",
        )


class _Watched:
    """One request on its way through."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope = scope
        self.trace = trace.begin(scope)
        self.began = perf_counter()
        self.status = 0
        self.is_stream = False
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            self.is_stream = headers.get("content-type", "").startswith("text/event-stream")
            for name, value in CAUTION.items():
                headers.setdefault(name, value)
            if self.scope["scheme"] == "https":
                headers.setdefault(*HTTPS_ONLY)
            if self.scope["path"].startswith(API):
                headers.setdefault("Cache-Control", "no-store")
            if self.trace.correlation_id is not None:
                headers["X-Correlation-Id"] = self.trace.correlation_id
        await self._send(message)

    def client_gone(self) -> None:
        """The client closed while its body was read: nothing was done, and nobody is there to be answered."""
        self.trace.outcome = "client-gone"
        self.status = self.status or CLIENT_GONE

    async def unforeseen(self, error: Exception, receive: Receive) -> None:
        incident = str(uuid4())
        self.trace.outcome = "internal-error"
        log.error("incident %s: %s\n%s", incident, type(error).__name__, where(error))
        if self.status:
            # The answer has begun; only breaking the connection tells the client that it is not whole.
            raise RuntimeError(f"incident {incident}") from None
        await answer_in(self.scope, InternalError(incident))(self.scope, receive, self.send)


def where(error: BaseException) -> str:
    """The frames of an exception and of what caused it, innermost last, without any of their words."""
    parts: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(parts) < 5:
        parts.append(
            f"{type(seen).__module__}.{type(seen).__qualname__}\n{''.join(traceback.format_tb(seen.__traceback__))}"
        )
        seen = seen.__cause__ or seen.__context__
    return "".join(reversed(parts))


def _template(scope: Scope) -> str:
    route = scope.get("route")
    path = getattr(route, "path_format", None) or getattr(route, "path", None)
    return path if isinstance(path, str) else UNMATCHED
