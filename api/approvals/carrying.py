"""Sends an asked command through the application once more, as whoever asked, with the second person beside them."""

from __future__ import annotations

import json

from fastapi import Request, Response
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.types import Message

from api.approvals.operations import PREFIX
from api.http.carried import PLACE, Carried
from infra.approvals.asked_commands import AskedCommand

_OF_THE_REQUEST = ("route", "endpoint", "path_params", "router")
"""What the router writes down about the request that is being answered; the other one gets its own."""


async def carry(request: Request, command: AskedCommand, carried: Carried) -> Response:
    """The answer of the command, as the application gives it. Raises ``CommandPassed`` where it was tried out only."""
    body = json.dumps(command.body, ensure_ascii=False).encode()
    path = f"{PREFIX}{command.path}"
    scope = {name: value for name, value in request.scope.items() if name not in _OF_THE_REQUEST} | {
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [
            (b"host", request.headers.get("host", "").encode("latin-1")),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"x-channel", command.channel.encode()),
            (b"x-correlation-id", command.correlation_id.encode()),
        ],
        "state": {},
        PLACE: carried,
    }
    answer = _Answer()
    incoming: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return incoming.pop() if incoming else {"type": "http.disconnect"}

    # The router alone: the request that carries it has passed what lies around it, and is counted and logged once.
    await AsyncExitStackMiddleware(request.app.router)(scope, receive, answer.send)
    return Response(answer.body, answer.status, media_type=answer.media_type)


class _Answer:
    """What the application sends."""

    def __init__(self) -> None:
        self.status = 500
        self.media_type = "application/json"
        self.body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = dict(message["headers"])
            self.media_type = headers.get(b"content-type", b"application/json").decode("latin-1")
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
