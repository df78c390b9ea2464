"""The page of the clerk for abnormal use: what stands out, from the look again to the outcome; reading rounds."""

from __future__ import annotations

from fastapi.responses import Response
from starlette.routing import Route

from api.pages.actions import actions_of
from api.pages.page import PageOf, page

routes: list[Route] = []

STEPS = (
    ("usage_confirm", "核实", "confirm"),
    ("usage_notify", "告知", "tell the user"),
    ("usage_offer_help", "查漏", "offer help"),
    ("usage_dismiss", "排除", "it is nothing"),
    ("usage_conclude", "办结", "conclude"),
)
"""What is done about abnormal use, in its usual order: operation, Chinese and English name."""
ANOMALIES = 20


@page("/usage", into=routes)
async def usage(opened: PageOf) -> Response:
    """Cases of abnormal use, the oldest first; reading rounds; readings that stand out."""
    wanted = None if opened.param("all") else True
    cases = await opened.calls.get("/usage", open=wanted)
    books = await opened.calls.get("/reading-books", open=True) if opened.may("book.view") else {"books": []}
    anomalies = await opened.calls.get("/readings/anomalies", limit=ANOMALIES) if opened.may("readings.read") else []
    every = actions_of(opened.request.app)
    return opened.render(
        "usage.html",
        cases=cases["cases"],
        books=books["books"],
        anomalies=anomalies,
        steps=STEPS,
        may={operation: opened.may(every[operation].power) for operation, _, _ in STEPS},
    )
