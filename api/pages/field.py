"""The pages of who works outside, on a telephone: a crew's jobs, a squad's visits, a reader's meters.

All three are one page (``field.html``, ``static/field.js``) over a list of tasks with their forms, as JSON from here.
The script keeps the list and whatever was entered on the telephone, so that the page works without a net: each entry
keeps the instant at which it happened and the key under which it is carried out once, and is sent when there is a net
again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

from fastapi.responses import JSONResponse, Response
from starlette.routing import Route

from api.pages.actions import Action, actions_of
from api.pages.calls import ApiRefused
from api.pages.case import NEXT, codes_of
from api.pages.do import choices_of, known_codes
from api.pages.forms import Field
from api.pages.page import PageOf, at_time, page, short_time
from domain.kernel.facts import Name
from projections import names

routes: list[Route] = []

CREW_ACTIONS = (
    "repairs_acknowledge",
    "repairs_delay",
    "repairs_arrive",
    "repairs_assess",
    "repairs_log_work",
    "repairs_identify_pipe",
    "repairs_complete",
    "repairs_restore_water",
    "repairs_hand_over",
    "repairs_find_user_side",
    "repairs_decline",
)
"""What a crew does on an incident, in its usual order. Facts from the field are taken in whatever order they come."""
CREW_USUALLY = (
    "repairs_acknowledge",
    "repairs_arrive",
    "repairs_assess",
    "repairs_complete",
    "repairs_restore_water",
)
"""The steps that nearly every incident has: what is offered first while nobody can be asked what is next."""
VISIT_ACTIONS = (
    "connections_make_visit",
    "connections_survey",
    "connections_approve_on_site",
    "connections_start_construction",
    "connections_complete_construction",
    "connections_inspect",
    "connections_install_meter",
    "connections_turn_water_on",
)
"""What a squad, a surveyor or an inspector does at a place that wants water."""
_BY_PHONE = frozenset({"evidence.inside_geofence", "evidence.distance_m", "evidence.accuracy_m"})
"""Fields that say in other words what the position of the telephone says."""
MOST_APPLICATIONS = 60
"""Applications in which something to survey or to inspect is looked for."""


Listing = Callable[[PageOf], Awaitable[dict[str, Any]]]


def tasks(path: str) -> Callable[[Listing], Listing]:
    """Enter what lists the tasks of a page, as JSON. A refusal is told as the problem that it is: the script keeps what
    it has and shows it."""

    def enter(listing: Listing) -> Listing:
        @page(path, into=routes)
        async def answered(opened: PageOf) -> Response:
            try:
                found = await listing(opened)
            except ApiRefused as refused:
                return JSONResponse(dict(refused.problem), refused.status, {"Cache-Control": "no-store"})
            clock = {"at": opened.now.isoformat(), "factor": opened.service.clock.factor}
            return JSONResponse(
                found | clock | {"actor": opened.who.get("actor")}, headers={"Cache-Control": "no-store"}
            )

        return listing

    return enter


@page("/crew", into=routes)
async def crew(opened: PageOf) -> Response:
    """The jobs of a crew."""
    return _shell(opened, "/crew/tasks", Name("我的工单", "My jobs"))


@tasks("/crew/tasks")
async def crew_tasks(opened: PageOf) -> dict[str, Any]:
    """The jobs of a crew with their forms. ``crew`` in the address where the account is bound to none."""
    code = opened.who.get("crew") or opened.param("crew") or None
    if code is None:
        listed = await opened.calls.get("/crews")
        choose = [[each["crew"], each["name_zh"] or each["crew"]] for each in listed["crews"]]
        return {"forms": {}, "tasks": [], "choose": choose}
    listed = await opened.calls.get("/dispatch", crew=code)
    forms = await _forms(opened, CREW_ACTIONS, {"crew": code, "from_crew": code})
    # The list is a moment behind the store; what is next must not be, right after something was told.
    own = [
        each | {name: detail[name] for name in ("severity", "next_actions")}
        for each in listed["incidents"]
        if each["open"]
        for detail in [await opened.calls.get(f"/repairs/{each['case_id']}")]
    ]
    return {"owner": code, "forms": forms, "tasks": [_incident(opened, each) for each in own], "choose": []}


@page("/visits", into=routes)
async def visits(opened: PageOf) -> Response:
    """Today's visits of a squad, and what a surveyor or an inspector has to look at."""
    return _shell(opened, "/visits/tasks", Name("上门与现场", "Visits and sites"))


@tasks("/visits/tasks")
async def visits_tasks(opened: PageOf) -> dict[str, Any]:
    """The visits and sites with their forms: of the account's squad, of today and those that are late."""
    squad = opened.who.get("squad")
    booked = (await opened.calls.get("/visits", squad=squad))["visits"]
    ids = [each["case_id"] for each in booked]
    if not squad:
        # Whoever is of no squad has no visits, and looks for what is to be surveyed and inspected.
        listed = await opened.calls.get("/desk", limit=MOST_APPLICATIONS)
        ids += [each["case_id"] for each in listed["applications"]]
    due = {each["visit"] for each in booked}
    found = []
    for case_id in dict.fromkeys(ids):
        found += _visits(opened, await opened.calls.get(f"/connections/{case_id}"), due)
    forms = await _forms(opened, VISIT_ACTIONS, {"squad": squad})
    return {"owner": squad or "", "forms": forms, "tasks": found, "choose": []}


@page("/rounds", into=routes)
async def rounds(opened: PageOf) -> Response:
    """The meters that are still to be read."""
    return _shell(opened, "/rounds/tasks", Name("今日抄表", "Meters to read"))


@tasks("/rounds/tasks")
async def rounds_tasks(opened: PageOf) -> dict[str, Any]:
    """The unread meters of the reader's open rounds; of every reader's for whoever reads none."""
    listed = await opened.calls.get("/reading-books", open=True)
    every = [await opened.calls.get(f"/reading-books/{row['case_id']}") for row in listed["books"]]
    own = [each for each in every if each["reader"] == opened.who.get("actor")] or every
    forms = await _forms(opened, ("reading_books_exempt",), {})
    for form in forms.values():
        form["fields"] = [each for each in form["fields"] if each["name"] != "meter"]
    if opened.may("readings.send"):
        forms["readings_send"] = _reading_form(opened)
    meters = [each for book in own for each in _meters(book)]
    return {"owner": "", "forms": forms, "tasks": meters, "choose": []}


# ---- parts


def _shell(opened: PageOf, tasks: str, title: Name) -> Response:
    if not opened.signed_in and not opened.service.settings.demo:
        return opened.to_login()
    return opened.render("field.html", tasks=tasks, title=title)


async def _forms(opened: PageOf, operations: Sequence[str], filled: Mapping[str, Any]) -> dict[str, Any]:
    """Operation → its form as the script draws it. ``filled``: what is filled in and not shown."""
    every = actions_of(opened.request.app)
    values = {name: value for name, value in filled.items() if value}
    found = {}
    for action in (every[each] for each in operations):
        if not opened.may(action.power):
            continue
        form = action.form(choices_of(opened, await known_codes(opened, action)))
        properties = action.properties
        hidden = frozenset({*values, *action.parameters, "happened_at", "visit"}) | _BY_PHONE
        found[action.operation] = {
            "name": opened.name(action.name),
            "path": f"/api/v1{action.path}",
            "filled": {name: value for name, value in values.items() if name in properties},
            "fields": [_drawn(opened, action, each) for each in form.fields(values, hidden=hidden)],
        }
    return found


def _drawn(opened: PageOf, action: Action, field: Field) -> dict[str, Any]:
    is_fix = {"latitude", "longitude"} <= {each.name.rpartition(".")[2] for each in field.fields}
    return {
        "name": field.name,
        "label": opened.name(field.label),
        "widget": "position" if is_fix else field.widget,
        "required": field.required and not is_fix,
        "choices": [[code, opened.name(name)] for code, name in field.choices],
        "bounds": dict(field.bounds),
        "boolean": [code for code, _ in field.choices] == ["true", "false"],
        "fields": [_drawn(opened, action, each) for each in field.fields],
        "evidence_class": action.file_class(field.name) if field.widget == "file" else None,
    }


def _task(case: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": case["case_id"],
        "case_id": case["case_id"],
        "number": case["case_number"],
        "href": f"/cases/{case['case_id']}",
        "version": case["version"],
        **more,
    }


def _incident(opened: PageOf, each: Mapping[str, Any]) -> dict[str, Any]:
    codes = codes_of(opened)
    following = {operation for step in each["next_actions"] for operation in NEXT.get(step["action"], ())[:1]}
    kind, district = (opened.called(codes[name].get(each[name], ""), each[name]) for name in ("kind", "district"))
    return _task(
        each,
        title=f"{kind} · {district}",
        stage=opened.name(names.STAGES.get(each["stage"]), each["stage"]),
        due_at=each["due_at"],
        promise=opened.name(names.COMMITMENTS.get(each["commitment"] or ""), ""),
        note=opened.name(names.SEVERITIES.get(each["severity"] or ""), ""),
        next=[operation for operation in CREW_ACTIONS if operation in following],
        actions=list(CREW_ACTIONS),
        usual=list(CREW_USUALLY),
        parameters={"case_id": each["case_id"]},
        particulars="on-site",
    )


def _visits(opened: PageOf, detail: Mapping[str, Any], due: Collection[str]) -> list[dict[str, Any]]:
    """The visits of an application that are ``due``, by their ids, and still to be made; the application itself where
    it has none and a surveyor or an inspector has something to do."""
    dry = [each for each in range(1, detail["supply_points"] + 1) if each not in detail["points_on"]]
    point = dry[0] if dry else 1
    common = {
        "title": opened.called(codes_of(opened)["category"].get(detail["category"], ""), detail["category"]),
        "stage": opened.name(names.STAGES.get(detail["stage"]), detail["stage"]),
        "note": "",
        "particulars": "on-site",
        "actions": list(VISIT_ACTIONS),
        "usual": list(VISIT_ACTIONS),
    }
    following = [operation for step in detail["next_actions"] for operation in NEXT.get(step["action"], ())]
    # An approval at the door belongs to the visit, so it comes before the visit is over.
    before_design = {"connections_survey", "connections_design"} & set(following)
    at_door = (
        ["connections_approve_on_site"] if before_design else [each for each in following if each in VISIT_ACTIONS]
    )
    found = []
    for visit in detail["visits"]:
        # The list may be a moment behind the store: a visit that was made just now is in it.
        if visit["state"] != "booked" or visit["visit"] not in due:
            continue
        parameters = {"case_id": detail["case_id"], "visit": visit["visit"], "point": str(point)}
        when = f"{at_time(visit['begin'])}–{short_time(visit['end'])[6:]}"
        task = _task(detail, **common, due_at=visit["end"], promise=when, parameters=parameters)
        task |= {"filled": {"connections_approve_on_site": {"visit": visit["visit"], "squad": visit["squad"]}}}
        task |= {"id": visit["visit"], "next": list(dict.fromkeys([*at_door, "connections_make_visit"]))}
        found.append(task)
    mine = [each for each in following if each in VISIT_ACTIONS and each != "connections_make_visit"]
    if not found and mine and not opened.who.get("squad"):
        task = _task(detail, **common, due_at=detail["promised_at"], next=mine)
        task["promise"] = opened.name(names.COMMITMENTS.get("connection.water_on"), "")
        found.append(task | {"parameters": {"case_id": detail["case_id"], "point": str(point)}})
    return found


def _reading_form(opened: PageOf) -> dict[str, Any]:
    """The form of one reading, which travels in a batch of one."""
    value = {
        "name": "readings.0.value_m3",
        "label": opened.say("表盘读数（立方米）", "what the dial shows, in m³"),
        "widget": "text",
        "required": True,
        "decimal": True,
        "choices": [],
        "bounds": {"maxlength": 13},
        "fields": [],
    }
    return {
        "name": opened.say("登记读数", "enter the reading"),
        "path": "/api/v1/readings",
        "at": "readings.0.read_at",
        "filled": {},
        "fields": [value],
    }


def _meters(book: Mapping[str, Any]) -> list[dict[str, Any]]:
    due = next((each["due_at"] for each in book["windows"] if each["state"] == "running"), None)
    return [
        {
            "id": f"{book['case_id']}/{meter}",
            "case_id": book["case_id"],
            "number": book["case_number"],
            "href": f"/cases/{book['case_id']}",
            "title": f"{meter} · {book['book']}",
            "stage": book["month"],
            "note": "",
            "due_at": due,
            "promise": "",
            "next": ["readings_send"],
            "actions": ["readings_send", "reading_books_exempt"],
            "usual": [],
            "parameters": {"case_id": book["case_id"]},
            "filled": {"readings_send": {"readings.0.meter": meter}, "reading_books_exempt": {"meter": meter}},
            "particulars": None,
        }
        for meter in book["unread"]
    ]
