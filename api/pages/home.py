"""The first page: what somebody without an account comes for, and what waits for somebody who has one; signing in."""

from __future__ import annotations

from fastapi.responses import Response
from starlette.routing import Route

from api.pages.page import PageOf, page

routes: list[Route] = []


@page("/login", into=routes)
async def login(opened: PageOf) -> Response:
    """Sign in, choose a role, set a password and a second factor; in the demo, be one of its people."""
    return opened.render("login.html")


@page("/", into=routes)
async def home(opened: PageOf) -> Response:
    """The first page."""
    running = (await opened.calls.get("/outages", state="running"))["outages"]
    standard = opened.standard
    return opened.render(
        "home.html",
        running=running,
        districts=standard.districts,
        promise=standard.connection.promise,
        days=standard.connection.connection_working_days,
        arrival=standard.repair.arrival_minutes,
        completion=standard.repair.completion_minutes,
    )
