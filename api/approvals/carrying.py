"""Sends an asked command through the application once more, as whoever asked, with the second person beside them."""

from __future__ import annotations

import json

from fastapi import Request, Response

from api.approvals.operations import PREFIX
from api.http.carried import PLACE, Carried
from api.http.within import send_within
from infra.approvals.asked_commands import AskedCommand


async def carry(request: Request, command: AskedCommand, carried: Carried) -> Response:
    """The answer of the command, as the application gives it. Raises ``CommandPassed`` where it was tried out only."""
    answer = await send_within(
        request,
        "POST",
        f"{PREFIX}{command.path}",
        [
            (b"content-type", b"application/json"),
            (b"x-channel", command.channel.encode()),
            (b"x-correlation-id", command.correlation_id.encode()),
        ],
        body=json.dumps(command.body, ensure_ascii=False).encode(),
        scope={PLACE: carried},
    )
    return Response(answer.body, answer.status, media_type=answer.media_type)
