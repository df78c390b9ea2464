"""A request that the application sends to itself: by a command that a second person approved, and by the pages, which
know nothing but what the API tells every client."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from fastapi import Request
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.types import Message

from api.http.errors import answer
from api.http.refusals import NoSuchPath

_OF_THE_REQUEST = ("route", "endpoint", "path_params", "router")
"""What the router writes down about the request that is being answered; the other one gets its own."""

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the application answered: the status, the headers as they were sent, the whole body."""

    status: int
    headers: Headers
    body: bytes

    @property
    def media_type(self) -> str:
        """The content type, with its parameters; JSON where none was sent."""
        return next((value.decode("latin-1") for name, value in self.headers if name == b"content-type"), _JSON)

    def all(self, name: str) -> list[str]:
        """The values of a header, in order."""
        wanted = name.lower().encode()
        return [value.decode("latin-1") for each, value in self.headers if each == wanted]


_JSON = "application/json"


def decoded(path: str) -> str | None:
    """The path with what is percent-encoded in its parts decoded, as a server hands it to the application. None where a
    part would become several, or another place: it names nothing of ours, and must not be taken for another path."""
    parts = [unquote(each) for each in path.split("/")]
    return None if any("/" in each or each in (".", "..") for each in parts) else "/".join(parts)


async def send_within(
    request: Request,
    method: str,
    path: str,
    headers: Headers,
    *,
    query: bytes = b"",
    body: bytes = b"",
    scope: Mapping[str, Any] | None = None,
) -> Answer:
    """Send a request to the application that answers ``request``: from the same client, under the same trace.
    ``path``: percent-encoded; ``scope``: what it carries that no client can send. Answers ``no-such-path`` where a part
    of the path holds a slash."""
    routed = decoded(path)
    if routed is None:
        refused = answer(NoSuchPath())
        return Answer(refused.status_code, refused.raw_headers, bytes(refused.body))
    inner = {name: value for name, value in request.scope.items() if name not in _OF_THE_REQUEST} | {
        "method": method,
        "path": routed,
        "raw_path": path.encode("ascii", "replace"),
        "query_string": query,
        "headers": [
            (b"host", request.headers.get("host", "").encode("latin-1")),
            (b"content-length", str(len(body)).encode()),
            *headers,
        ],
        "state": {},
        **(scope or {}),
    }
    collected = _Collected()
    incoming: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if not incoming:
            # Whoever sends it stays until the answer is whole: one that streams ends where nobody listens any more.
            await asyncio.Event().wait()
        return incoming.pop()

    # The router alone: the request that sends it has passed what lies around it, and is counted and logged once.
    await AsyncExitStackMiddleware(request.app.router)(inner, receive, collected.send)
    return Answer(collected.status, collected.headers, bytes(collected.body))


class _Collected:
    """What the application sends."""

    def __init__(self) -> None:
        self.status = 500
        self.headers: Headers = ()
        self.body = bytearray()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message["headers"])
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
