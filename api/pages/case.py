"""The page of a case, whichever kind it is of: how it stands, its limits, what can be done next, everything recorded.

The kinds of case show what is particular to them in parts of their own (``templates/case_<kind>.html``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi.responses import Response
from starlette.routing import Route

from api.pages import connection_case
from api.pages.actions import Action, actions_of
from api.pages.calls import at
from api.pages.page import PageOf, page, see_other
from domain.kernel.facts import Name
from projections import names

routes: list[Route] = []

PREFIXES: Mapping[str, str] = {
    "repair": "/repairs/{case_id}/",
    "connection": "/connections/{case_id}/",
    "outage": "/outages/{case_id}/",
    "usage": "/usage/{case_id}/",
    "book": "/reading-books/{case_id}/",
}
"""Kind of case → where the commands on such a case lie."""

KIND_NAMES: Mapping[str, Name] = {
    "repair": Name("报修", "repair"),
    "connection": Name("报装", "application"),
    "order": Name("热线工单", "order"),
    "outage": Name("停水", "outage"),
    "usage": Name("用量异常", "abnormal use"),
    "book": Name("抄表", "reading round"),
}

NEXT: Mapping[str, tuple[str, ...]] = {
    "dispatch": ("repairs_dispatch",),
    "acknowledge": ("repairs_acknowledge", "repairs_decline"),
    "arrive": ("repairs_arrive", "repairs_delay"),
    "assess": ("repairs_assess",),
    "log-work": ("repairs_log_work",),
    "complete": ("repairs_complete",),
    "restore": ("repairs_restore_water",),
    "close": ("repairs_close",),
    "give-notice": ("connections_give_notice",),
    "supply-document": ("connections_supply_document",),
    "promise-papers": ("connections_promise_papers",),
    "admit": ("connections_admit",),
    "survey": ("connections_survey",),
    "design": ("connections_design",),
    "quote": ("connections_issue_quote",),
    "sign-contract": ("connections_sign_contract",),
    "pay": ("connections_pay",),
    "construct": ("connections_start_construction", "connections_complete_construction"),
    "inspect": ("connections_inspect",),
    "install-meter": ("connections_turn_water_on", "connections_install_meter"),
    "turn-water-on": ("connections_turn_water_on",),
    "make-visit": ("connections_make_visit",),
    "approve-pause": ("connections_approve_pause", "connections_decline_pause"),
    "end-pause": ("connections_end_pause",),
    "resume": ("connections_resume",),
    "repair-commitment": ("connections_repair_commitment",),
    "refund": ("connections_refund",),
    "refuse": ("connections_refuse",),
    "approve-on-site": ("connections_approve_on_site",),
}
"""What the API calls next → the commands that do it."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A command that the page offers: the address of its form, its name."""

    href: str
    name: Name
    operation: str


@page("/cases/{case_id:uuid}", into=routes)
async def case(opened: PageOf) -> Response:
    """A case with its limits, its timeline and what can be done; with ``as_of`` or ``step`` the timeline as it was on
    record then."""
    case_id = str(opened.request.path_params["case_id"])
    found = await opened.calls.get(f"/cases/{case_id}")
    detail = await _detail(opened, found["family"], case_id)
    is_application = found["family"] == "connection" and bool(detail)
    more = await connection_case.part(opened, found, detail) if is_application else {}
    instants = instants_of(found["timeline"])
    as_of = chosen_instant(opened, instants)
    known = known_by(found["timeline"], as_of)
    return opened.render(
        "case.html",
        case=found,
        as_of=as_of if known is not None else "",
        timeline=found["timeline"] if known is None else known,
        instants=instants,
        detail=detail,
        kind_name=KIND_NAMES[found["family"]],
        next_actions=await next_actions(opened, found, detail),
        **more,
        others=other_actions(opened, found),
        codes=codes_of(opened),
        similar=await similar_incidents(opened, found),
    )


@page("/c/{number}", into=routes)
async def by_number(opened: PageOf) -> Response:
    """The case with a number, as people know it."""
    found = await opened.calls.get("/cases", number=opened.request.path_params["number"].upper())
    if not found["cases"]:
        return opened.render("not_found.html", status=404)
    return see_other(f"/cases/{found['cases'][0]['case_id']}")


async def next_actions(opened: PageOf, case: Mapping[str, Any], detail: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the API says is next, each with the commands that do it and whether the role of whoever looks may."""
    found = []
    filled = await connection_case.known_values(opened, detail) if case["family"] == "connection" and detail else {}
    for each in detail.get("next_actions", ()):
        operations = NEXT.get(each["action"], ())
        known = names.REPAIR_ACTIONS if case["family"] == "repair" else names.ACTIONS
        name = known.get(each["action"], Name(each["action"], each["action"]))
        several = len(operations) > 1
        offers = [
            Offered(
                href_of(action, case, filled.get(action.operation)),
                action.name if several else name,
                action.operation,
            )
            for action in _actions(opened, operations)
            if opened.may(action.power) and _fits(action.operation, detail)
        ]
        found.append({"name": name, "role": each["role"], "offers": offers})
    return found


def other_actions(opened: PageOf, case: Mapping[str, Any]) -> list[Offered]:
    """Every command on such a case that the role of whoever looks may send, in the order of the API."""
    prefix = PREFIXES.get(case["family"])
    if prefix is None or (not opened.signed_in and not opened.may("repair.tell")):
        return []
    return [
        Offered(href_of(action, case), action.name, action.operation)
        for action in actions_of(opened.request.app).values()
        if action.path.startswith(prefix) and set(action.parameters) == {"case_id"} and opened.may(action.power)
    ]


def href_of(action: Action, case: Mapping[str, Any], more: Mapping[str, Any] | None = None) -> str:
    """The address of a command's form for a case. ``more``: what stands in it already."""
    given = {"case_id": case["case_id"], "case_number": case["case_number"], "next": f"/cases/{case['case_id']}"}
    given |= {name: value for name, value in (more or {}).items() if value is not None}
    if "crew" in case and case["crew"] and action.operation != "repairs_dispatch":
        given.setdefault("crew", case["crew"])
    return f"/do/{action.operation}?{urlencode(given, doseq=True)}"


def codes_of(opened: PageOf) -> dict[str, Mapping[str, Any]]:
    """The names of the standard's codes that a case shows."""
    standard = opened.standard
    return {
        "kind": {**standard.repair.fault_kinds, **names.OUTAGE_KINDS},
        "district": {code: each.name_zh for code, each in standard.districts.items()},
        "category": standard.connection.applicant_categories,
        "documents": {one.code: one.name_zh for owed in standard.connection.documents.values() for one in owed},
        "deliverables": standard.connection.deliverables,
    }


async def similar_incidents(opened: PageOf, case: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Open incidents that an open one may be the same burst as, for whoever may merge them; none for other cases."""
    if case["family"] != "repair" or not case["open"] or not opened.signed_in or not opened.may("repair.unlink"):
        return []
    wanted = {"kind": case["kind"], "district": case["district"], "at": case["opened_at"]}
    found = (await opened.calls.get("/repairs/suggestions", **wanted))["incidents"]
    return [each for each in found if each["case_id"] != case["case_id"]]


def known_by(timeline: list[dict[str, Any]], as_of: str) -> list[dict[str, Any]] | None:
    """The rows of a timeline that were on record at an instant (ISO 8601 with its offset); None where the text is no
    such instant."""
    try:
        instant = datetime.fromisoformat(as_of)
    except ValueError:
        return None
    if instant.tzinfo is None or not 2 < instant.year < 9998:  # nearer to either end no zone can be shown
        return None
    return [each for each in timeline if datetime.fromisoformat(each["recorded_at"]) <= instant]


def instants_of(timeline: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The instants at which something was recorded, the latest first, with the facts that came then."""
    found: dict[str, dict[str, Any]] = {}
    for each in timeline:
        at = found.setdefault(
            each["recorded_at"], {"at": each["recorded_at"], "facts": [], "verdicts": [], "calendars": []}
        )
        at["facts"].append(each["fact"])
    return list(reversed(found.values()))


def chosen_instant(opened: PageOf, instants: Sequence[Mapping[str, Any]]) -> str:
    """The instant that the address asks for: ``as_of`` as it is, or ``step``, the how many-eth of the instants, which
    come the latest first. Empty: now, which is also the step after the last."""
    step = opened.param("step")
    if not step:
        return opened.param("as_of")
    number = int(step) if step.isascii() and step.isdecimal() and len(step) < 6 else 0
    return str(instants[-number]["at"]) if 0 < number <= len(instants) else ""


async def _detail(opened: PageOf, kind: str, case_id: str) -> Mapping[str, Any]:
    readers = {
        "repair": ("repair.read", "repairs"),
        "connection": ("connection.read", "connections"),
        "outage": (None, "outages"),
        "book": ("book.view", "reading-books"),
    }
    power, path = readers.get(kind, ("", ""))
    if not path or not (power is None or opened.may(power)):
        return {}
    found: Mapping[str, Any] = await opened.calls.get(at(path, UUID(case_id)))
    return found


def _actions(opened: PageOf, operations: Sequence[str]) -> list[Action]:
    every = actions_of(opened.request.app)
    return [every[each] for each in operations]


def _fits(operation: str, detail: Mapping[str, Any]) -> bool:
    """Of construction, which is begun and ended by two commands, the one that is next."""
    if operation == "connections_start_construction":
        return detail.get("stage") != "under_construction"
    if operation == "connections_complete_construction":
        return detail.get("stage") == "under_construction"
    return True
