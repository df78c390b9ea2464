"""The pages of the dispatcher and the hotline: incidents, crews, whoever waits for an answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from fastapi.responses import Response
from starlette.routing import Route

from api.http.trace import note_outcome
from api.pages.actions import actions_of
from api.pages.calls import ApiRefused
from api.pages.case import NEXT, codes_of
from api.pages.do import choices_of
from api.pages.files import read_form
from api.pages.forms import sent_values
from api.pages.labels import label_of
from api.pages.page import PageOf, page, see_other
from api.pages.sent import kept_for_back, remember_case, sent_before
from domain.kernel.facts import Name

routes: list[Route] = []

ROWS = 100
ALERTS = 40
TURNS = ("dispatcher", "crew", "hotline")
"""Whose turn an incident can be."""
CALL_BACKS = 30
"""Incidents whose reporters are shown on the hotline's page."""
SUGGESTED = 3
"""Free crews that a row offers."""


@page("/dispatch", into=routes)
async def dispatch(opened: PageOf) -> Response:
    """Open incidents, the most overdue first: what is next in each, and the nearest free crews to send at one press."""
    turn = opened.param("turn") if opened.param("turn") in TURNS else None
    crew, district = opened.param("crew") or None, opened.param("district") or None
    listed = await opened.calls.get("/dispatch", crew=crew, role=turn, limit=ROWS)
    rows = [each for each in listed["incidents"] if district in (None, each["district"])]
    alerts = await _alerts(opened)
    return opened.render(
        "dispatch.html",
        rows=rows,
        more=listed["more"],
        free=await _free(opened, rows),
        alerts=alerts,
        board=_districts(opened, listed["incidents"]),
        codes=codes_of(opened),
        turn=turn,
        turns=TURNS,
        crew=crew,
        district=district,
        steps=_steps(opened),
        new_key=lambda: str(uuid4()),
    )


@page("/crews", into=routes)
async def crews(opened: PageOf) -> Response:
    """The crews: on shift or not, where, on which incident."""
    listed = await opened.calls.get("/crews")
    return opened.render(
        "crews.html", crews=listed["crews"], codes=codes_of(opened), skills=opened.standard.crews.crew_skills
    )


@page("/hotline", into=routes)
async def hotline(opened: PageOf) -> Response:
    """Take a report in half a minute; who waits for an answer; orders of the 12345 hotline."""
    return kept_for_back(await _hotline(opened, {}))


@page("/hotline", methods=("POST",), into=routes)
async def take_report(opened: PageOf) -> Response:
    """Take a report down. Where an incident is open that it may belong to, ask first whether it does."""
    values = sent_values(await read_form(opened.request))
    if (before := sent_before(opened, values)) is not None:
        return before
    calls = opened.calls_of(values)
    into = str(values.get("into", ""))
    try:
        if not into and values.get("kind") and values.get("district"):
            found = await calls.get("/repairs/suggestions", kind=values["kind"], district=values["district"])
            if found["incidents"]:
                return await _hotline(opened, values, similar=found["incidents"])
        operation = "repairs_link_report" if into not in ("", "new") else "repairs_report_fault"
        action = actions_of(opened.request.app)[operation]
        body = action.form(choices_of(opened)).body({name: values[name] for name in values if name not in _OURS})
        key = str(values.get("key", "")) or None
        answer = await calls.post(action.path_with({"case_id": into}), body, key=key)
    except ApiRefused as refused:
        note_outcome(opened.request.scope, refused.code)
        return await _hotline(opened, values, refused=refused)
    taken = see_other(f"/hotline?{urlencode({'taken': answer['case_number'], 'case': answer['case_id']})}")
    return remember_case(opened, taken, values, answer["case_id"])


_OURS = frozenset({"csrf", "key", "into", "next"})


async def _hotline(
    opened: PageOf,
    values: Mapping[str, Any],
    *,
    similar: Sequence[Mapping[str, Any]] = (),
    refused: ApiRefused | None = None,
) -> Response:
    waiting = (await opened.calls.get("/dispatch", role="hotline", limit=CALL_BACKS))["incidents"]
    reports = [await opened.calls.get(f"/repairs/{each['case_id']}") for each in waiting]
    orders = await opened.calls.get("/cases", kind="order", open=True, limit=ROWS)
    wrong = (refused.problem.get("fields") or ()) if refused is not None else ()
    return opened.render(
        "hotline.html",
        status=refused.status if refused is not None else 200,
        values=values,
        similar=similar,
        problem=refused.problem if refused is not None else None,
        labels={each["field"]: label_of("repairs_report_fault", each["field"]) for each in wrong},
        waiting=reports,
        orders=orders["cases"],
        codes=codes_of(opened),
        kinds=opened.standard.repair.fault_kinds,
        sources={code: each.name_zh for code, each in opened.standard.repair.order_sources.items()},
        key=values.get("key") or str(uuid4()),
    )


# ---- parts


async def _alerts(opened: PageOf) -> list[dict[str, Any]]:
    if not opened.may("alerts.read"):
        return []
    role = opened.role if opened.signed_in else None
    found: list[dict[str, Any]] = (await opened.calls.get("/alerts", role=role, limit=ALERTS))["alerts"]
    return found


async def _free(opened: PageOf, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """District → the free crews nearest to it, for the districts where an incident waits for one."""
    if not opened.may("crew.read"):
        return {}
    wanted = dict.fromkeys(each["district"] for each in rows if each["crew"] is None)
    return {
        district: (await opened.calls.get("/crews/suggestions", district=district))["crews"][:SUGGESTED]
        for district in wanted
    }


def _districts(opened: PageOf, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How many incidents of the list each district has, the most overdue first: open, of these overdue and without a
    crew, and those that wait for nothing but an answer."""
    now = opened.now
    answers = Counter(each["district"] for each in rows if not each["open"])
    every = Counter({each["district"]: 0 for each in rows})
    rows = [each for each in rows if each["open"]]
    every.update(each["district"] for each in rows)
    late = Counter(each["district"] for each in rows if each["due_at"] and datetime.fromisoformat(each["due_at"]) < now)
    waiting = Counter(each["district"] for each in rows if each["crew"] is None)
    found = [
        {"code": code, "open": count, "late": late[code], "waiting": waiting[code], "answers": answers[code]}
        for code, count in every.items()
    ]
    return sorted(found, key=lambda each: (-each["late"], -each["open"]))


def _steps(opened: PageOf) -> dict[str, tuple[str, Name]]:
    """What the API calls next → the command that does it, where the role of whoever looks may send it."""
    every = actions_of(opened.request.app)
    led = {step: every[operations[0]] for step, operations in NEXT.items()}
    return {step: (action.operation, action.name) for step, action in led.items() if opened.may(action.power)}
