"""What persons ask about their particulars: the requests, the overdue first, and what is done about each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args
from uuid import uuid4

from fastapi.responses import Response
from starlette.routing import Route

from api.http.trace import note_outcome
from api.pages.calls import ApiRefused, at
from api.pages.case import KIND_NAMES
from api.pages.files import read_form
from api.pages.forms import sent_values
from api.pages.labels import word
from api.pages.page import PageOf, page
from domain.kernel.facts import Name
from domain.rights.rights import GROUNDS, RIGHTS, ClerksCheck

routes: list[Route] = []

STATES: Mapping[str, Name] = {
    "received": Name("待答复", "to be answered"),
    "granted": Name("已同意，待办理", "granted, to be done"),
    "refused": Name("已拒绝", "refused"),
    "done": Name("已办结", "done"),
}
CHECKS: tuple[str, ...] = get_args(ClerksCheck)


@page("/rights", into=routes)
async def requests(opened: PageOf) -> Response:
    """The requests; how to take one down for somebody at the counter."""
    return await _shown(opened)


@page("/rights", methods=("POST",), into=routes)
async def find(opened: PageOf) -> Response:
    """Whose particulars they are, by telephone: by POST, so that no telephone is in an address. It is on record."""
    values = sent_values(await read_form(opened.request))
    calls = opened.calls_of(values)
    try:
        found = await calls.post("/subjects/search", {"phone": values.get("phone", "")})
    except ApiRefused as refused:
        note_outcome(opened.request.scope, refused.code)
        return await _shown(opened, refused=refused)
    return await _shown(opened, subjects=found["subjects"])


@page("/rights/{request_id:uuid}/copy", methods=("POST",), into=routes)
async def copy(opened: PageOf) -> Response:
    """The copy for the person: to read and print; of an export the file, which is given once."""
    values = sent_values(await read_form(opened.request))
    request_id = str(opened.request.path_params["request_id"])
    calls = opened.calls_of(values)
    found = await calls.post(at("rights", request_id, "copy"), {})
    if values.get("right") == "export":
        headers = {
            "Content-Disposition": f'attachment; filename="particulars-{request_id[:8]}.json"',
            "Cache-Control": "no-store",
        }
        return Response(json.dumps(found, ensure_ascii=False, indent=1), media_type="application/json", headers=headers)
    return opened.render("rights_copy.html", found=found, kinds=KIND_NAMES, word=word)


async def _shown(opened: PageOf, *, subjects: Any = None, refused: ApiRefused | None = None) -> Response:
    is_all = opened.param("all") == "1"
    listed = (await opened.calls.get("/rights", open=None if is_all else "true"))["requests"]
    listed.sort(key=lambda each: (each["state"] in ("refused", "done"), each["due_at"]))
    return opened.render(
        "rights.html",
        status=refused.status if refused is not None else 200,
        problem=refused.problem if refused is not None else None,
        requests=listed,
        is_all=is_all,
        subjects=subjects,
        states=STATES,
        kinds=KIND_NAMES,
        rights=[(code, word(code)) for code in RIGHTS],
        checks=[(code, word(code)) for code in CHECKS],
        grounds=[(code, word(code)) for code in GROUNDS],
        word=word,
        new_key=lambda: str(uuid4()),
    )
