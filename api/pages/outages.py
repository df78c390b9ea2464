"""Outages 停水 where somebody lives: running, planned, over. The address holds the district, so it can be kept."""

from __future__ import annotations

from fastapi.responses import Response
from starlette.routing import Route

from api.pages.page import PageOf, page
from domain.kernel.facts import Name

routes: list[Route] = []

GROUPS = (
    ("running", Name("正在停水", "Water is off now")),
    ("planned", Name("计划停水", "Planned")),
    ("over", Name("已恢复供水", "Over")),
    ("cancelled", Name("已取消", "Cancelled")),
)
SHOWN = 20
"""Of those that are over, or cancelled."""


@page("/outages", into=routes)
async def show(opened: PageOf) -> Response:
    """The outages of a district, or of all."""
    districts = opened.standard.districts
    district = opened.param("district") if opened.param("district") in districts else ""
    found = (await opened.calls.get("/outages", district=district or None))["outages"]
    told = (await opened.calls.get("/notices", limit=100))["notices"]
    groups = []
    for code, name in GROUPS:
        listed = [each for each in found if each["state"] == code]
        groups.append((code, name, listed if code in ("running", "planned") else listed[:SHOWN]))
    return opened.render(
        "outages.html",
        district=district,
        districts=districts,
        groups=groups,
        # The latest notice of each, as it was sent.
        texts={each["case_id"]: each["text"] for each in reversed(told)},
    )
