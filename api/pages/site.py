"""Every page that is rendered here, the choice of language and colours, and the page that shows the components."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import FileResponse, Response
from starlette.routing import Route

from api.http.language import LANGUAGE_COOKIE
from api.pages import (
    applications,
    apply,
    approvals,
    audit,
    board,
    case,
    charges,
    complaints,
    connection_case,
    disclosure,
    do,
    explained,
    field,
    follow,
    home,
    indicators,
    metering,
    my,
    outages,
    people,
    repairs,
    report,
    rights,
    rules,
)
from api.pages.language import THEME_COOKIE
from api.pages.page import HEADERS, PageOf, own_path, page, see_other, without_language
from api.pages.static_files import STATIC

A_YEAR = 365 * 24 * 3600

_routes: list[Route] = []


def routes() -> list[Route]:
    """The pages, as routes to put into the application. They stand outside of its guard: what they ask of the API
    passes it, with the cookie of whoever looks."""
    return [
        *home.routes,
        *apply.routes,
        *report.routes,
        *follow.routes,
        *my.routes,
        *outages.routes,
        *disclosure.routes,
        *applications.routes,
        *approvals.routes,
        *audit.routes,
        *indicators.routes,
        *board.routes,
        *case.routes,
        *connection_case.routes,
        *charges.routes,
        *complaints.routes,
        *do.routes,
        *explained.routes,
        *field.routes,
        *metering.routes,
        *people.routes,
        *repairs.routes,
        *rights.routes,
        *rules.routes,
        *_routes,
    ]


async def choose_language(request: Request) -> Response:
    """Remember the language, and go on."""
    after = without_language(own_path(request.query_params.get("next", "/")))
    return _remember(request, LANGUAGE_COOKIE, ("zh", "en"), after)


async def choose_theme(request: Request) -> Response:
    """Remember the colours, and go on."""
    return _remember(request, THEME_COOKIE, ("light", "dark"), own_path(request.query_params.get("next", "/")))


async def field_worker(_: Request) -> Response:
    """The worker that keeps the pages of who works outside; from here, since it may keep pages beside it only."""
    return FileResponse(STATIC / "field-worker.js", media_type="text/javascript", headers=HEADERS)


@page("/design", into=_routes)
async def design(opened: PageOf) -> Response:
    """The components of the pages, each as it is used."""
    return opened.render("design.html")


def _remember(request: Request, cookie: str, allowed: tuple[str, ...], after: str) -> Response:
    answer = see_other(after)
    chosen = request.query_params.get("to", "")
    if chosen in allowed:
        # A taste, no secret: it says nothing of who they are.
        answer.set_cookie(cookie, chosen, max_age=A_YEAR, samesite="lax", httponly=True)
    return answer


_routes += [
    Route("/language", choose_language, methods=["GET"], include_in_schema=False),
    Route("/field-worker.js", field_worker, methods=["GET"], include_in_schema=False),
    Route("/theme", choose_theme, methods=["GET"], include_in_schema=False),
]
