"""Let an early answer arrive: a request that is turned away before its body was read is read on for a while, unseen.

A server that answers and closes while bytes still come in makes the peer's machine throw the answer away (the closing
becomes a reset), and the client sees a broken pipe in place of the 413 that tells it what to do. So the answer goes
out at once, whole, and what still comes is discarded piece by piece within bounds; then the connection closes.
"""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LINGER_BYTES = 32 * 1024 * 1024
LINGER_SECONDS = 3.0


class Linger:
    """Outermost: holds the end of an answer back until the rest of the request has been thrown away."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        body = _Incoming(receive)

        async def sending(message: Message) -> None:
            ends = message["type"] == "http.response.body" and not message.get("more_body", False)
            if not ends or body.whole:
                await send(message)
                return
            await send({**message, "more_body": True})
            await body.discard()
            await send({"type": "http.response.body", "body": b""})

        await self._app(scope, body.receive, sending)


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


class _Incoming:
    """A request's body on its way in; ``whole`` once its end was seen."""

    def __init__(self, receive: Receive) -> None:
        self.whole = False
        self._receive = receive

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self.whole = True
        return message

    async def discard(self) -> None:
        """Read on and keep nothing, at most LINGER_BYTES and for LINGER_SECONDS."""
        left = LINGER_BYTES
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while left > 0 and not self.whole:
                    left -= len((await self.receive()).get("body", b""))
        except TimeoutError:
            return
