"""The board for a wall or a desk: counts, running limits, the stream of lapses. Its script keeps it new."""

from __future__ import annotations

from fastapi.responses import Response
from starlette.routing import Route

from api.pages.english import ENGLISH
from api.pages.page import PageOf, page

routes: list[Route] = []


@page("/board", into=routes)
async def board(opened: PageOf) -> Response:
    """The board; with ``case`` in its address a case is open beside it."""
    return opened.render("board.html", english=ENGLISH if opened.language == "en" else {})
