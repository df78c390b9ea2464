"""The auditor's page: find a case, read what was known of it at an instant, and check the record against its proofs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fastapi.responses import Response
from starlette.routing import Route

from api.http.trace import note_outcome
from api.pages.calls import ApiRefused
from api.pages.case import KIND_NAMES, codes_of
from api.pages.page import PageOf, page

routes: list[Route] = []

ROWS, MOST_ROWS = 50, 500
"""How many cases are shown at first, and at most: the API lists the latest ones and no further."""
_NUMBER = re.compile(r"[A-Z0-9-]{1,40}")


@page("/audit", into=routes)
async def audit(opened: PageOf) -> Response:
    """Cases by number, kind and state; how to recount every verdict and to take the proofs along."""
    number = opened.param("number").strip().upper()
    kind = opened.param("kind") if opened.param("kind") in KIND_NAMES else None
    is_open = {"yes": True, "no": False}.get(opened.param("open"))
    asked = opened.param("rows")
    within = {
        "district": opened.param("district")[:32] or None,
        "from": opened.param("from")[:32] or None,
        "to": opened.param("to")[:32] or None,
    }
    shown = min(MOST_ROWS, max(ROWS, int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 6 else ROWS))
    possible = not number or _NUMBER.fullmatch(number) is not None
    listed: dict[str, Any] = {"cases": []}
    problem: ApiRefused | None = None
    asked_for = {"number": number or None, "kind": kind, "open": is_open, "limit": shown}
    try:
        if possible:
            listed = await opened.calls.get("/cases", **asked_for, **within)
    except ApiRefused as refused:
        if refused.status in (401, 403):
            raise
        note_outcome(opened.request.scope, refused.code)
        problem = refused  # what was entered stays in the form, with what is wrong with it
    cases: list[Mapping[str, Any]] = listed["cases"]
    return opened.render(
        "audit.html",
        status=problem.status if problem else 200,
        problem=problem.problem if problem else None,
        cases=cases,
        number=number,
        kind=kind,
        is_open=opened.param("open"),
        within=within,
        kinds=KIND_NAMES,
        codes=codes_of(opened),
        rows=shown,
        more_rows=min(MOST_ROWS, shown * 2) if len(cases) == shown and shown < MOST_ROWS else None,
        cut=len(cases) == MOST_ROWS,
        counts=await opened.calls.get("/counts"),
    )
