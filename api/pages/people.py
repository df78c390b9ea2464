"""Who a case is about: masked, and in full where somebody's work needs it; and the search that finds a case."""

from __future__ import annotations

from typing import Any

from fastapi.responses import Response
from starlette.routing import Route

from api.http.trace import note_outcome
from api.pages.calls import ApiRefused
from api.pages.files import read_form
from api.pages.forms import sent_values
from api.pages.labels import word
from api.pages.page import PageOf, page

routes: list[Route] = []

REASONS = ("on-site", "call-back", "papers", "complaint")
"""What particulars may be needed for."""


@page("/cases/{case_id:uuid}/people", into=routes)
async def people(opened: PageOf) -> Response:
    """The persons of a case, masked."""
    return _shown(opened, await opened.calls.get(_path(opened)))


@page("/cases/{case_id:uuid}/people", methods=("POST",), into=routes)
async def unmask(opened: PageOf) -> Response:
    """The persons of a case in full, as far as the role's work needs it; on record."""
    values = sent_values(await read_form(opened.request))
    calls = opened.calls_of(values)
    try:
        found = await calls.post(_path(opened), {"reason": values.get("reason", "")})
    except ApiRefused as refused:
        note_outcome(opened.request.scope, refused.code)
        return _shown(opened, await opened.calls.get(_path(opened)), refused=refused)
    return _shown(opened, found, in_full=True)


@page("/search", into=routes)
async def search(opened: PageOf) -> Response:
    """Find a case by its number."""
    number = opened.param("number").strip().upper()
    found = (await opened.calls.get("/cases", number=number))["cases"] if number else None
    return opened.render("search.html", found=found, problem=None)


@page("/search", methods=("POST",), into=routes)
async def search_person(opened: PageOf) -> Response:
    """Find cases by a telephone or by a person's address: through the vault, on record. By POST, so that neither is in
    an address of ours."""
    values = sent_values(await read_form(opened.request))
    calls = opened.calls_of(values)
    try:
        if "address" in values:
            answer = await calls.post("/subjects/search/address", {"address": values["address"]})
        else:
            answer = await calls.post("/subjects/search", {"phone": values.get("phone", "")})
    except ApiRefused as refused:
        note_outcome(opened.request.scope, refused.code)
        return opened.render("search.html", status=refused.status, found=None, problem=refused.problem)
    cases = {each["case_id"]: each for person in answer["subjects"] for each in person["cases"]}
    return opened.render("search.html", found=list(cases.values()), problem=None)


def _path(opened: PageOf) -> str:
    return f"/cases/{opened.request.path_params['case_id']}/particulars"


def _shown(opened: PageOf, found: Any, *, in_full: bool = False, refused: ApiRefused | None = None) -> Response:
    return opened.render(
        "people.html",
        status=refused.status if refused is not None else 200,
        found=found,
        case_id=opened.request.path_params["case_id"],
        reasons=[(code, word(code)) for code in REASONS],
        shown=in_full,
        problem=refused.problem if refused is not None else None,
    )
