"""The page of who answers complaints: those that wait, what is overdue first."""

from __future__ import annotations

from fastapi.responses import Response
from starlette.routing import Route

from api.pages.calls import ApiRefused
from api.pages.files import read_form
from api.pages.forms import sent_values
from api.pages.labels import word
from api.pages.page import PageOf, page

routes: list[Route] = []


@page("/complaints", into=routes)
async def complaints(opened: PageOf) -> Response:
    """Complaints, what is overdue first; how satisfied people are."""
    return await _listed(opened)


@page("/complaints/{complaint_id:uuid}/person", methods=("POST",), into=routes)
async def person(opened: PageOf) -> Response:
    """How whoever complained can be reached, for who answers; on record."""
    values = sent_values(await read_form(opened.request))
    calls = opened.calls_of(values)
    complaint_id = str(opened.request.path_params["complaint_id"])
    try:
        found = await calls.post(f"/complaints/{complaint_id}/particulars", {})
    except ApiRefused as refused:
        return opened.refused(refused)
    return await _listed(opened, reached={complaint_id: found["subjects"]})


async def _listed(opened: PageOf, reached: dict[str, list[dict[str, str]]] | None = None) -> Response:
    listed = await opened.calls.get("/complaints")
    satisfied = await opened.calls.get("/figures/satisfaction")
    return opened.render(
        "complaints.html",
        complaints=listed["complaints"],
        satisfied=satisfied["kinds"],
        reached=reached or {},
        word=lambda code: opened.name(word(code)),
    )
