"""The page of an application for water: what its steps, papers, money, pauses, visits and supply points need beside the
case itself, with forms that are filled in as far as the case says it; the link for the applicant, papers and files."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from fastapi.responses import Response
from starlette.routing import Route

from api.http.trace import note_outcome
from api.pages.actions import actions_of
from api.pages.calls import ApiRefused, at
from api.pages.files import read_form
from api.pages.forms import sent_values
from api.pages.page import CHINA, PageOf, page, see_other

routes: list[Route] = []

Values = Mapping[str, Any]
Offer = Callable[..., str]
USUAL_DN_MM = 20
USUAL_DIAL_M3 = 99_999
USUAL_Q3_M3H = "2.5"
"""The meter of a household, which most applications are for; whoever fits another one says so."""
_FILE_HEADERS = ("Content-Disposition", "X-Content-Type-Options", "Cache-Control")


async def part(opened: PageOf, case: Values, detail: Values) -> dict[str, Any]:
    """What the page of an application shows beside the case: its papers, its files, the addresses of its forms."""
    case_id = case["case_id"]
    filled = await known_values(opened, detail)
    papers = (await opened.calls.get(at("cases", case_id, "papers")))["papers"] if opened.may("case.read") else []
    files = await _files(opened, case_id)
    return {
        "offer": offers(opened, case, filled),
        "papers": papers,
        "files": files,
        "file_of": _files_of_documents(case["timeline"], {each["digest"] for each in files if each["state"] == "kept"}),
        "stages": _stages(opened, detail),
        "fee_names": fee_names(opened),
        "money": money(detail),
        "section": opened.standard.connection,
        "squads": opened.standard.crews.squads,
        "delivered": _delivered(case["timeline"]),
        "points": list(range(1, detail["supply_points"] + 1))[:50],
        "new_key": lambda: str(uuid4()),
    }


def offers(opened: PageOf, case: Values, filled: Mapping[str, Values]) -> Offer:
    """A function: an operation, and what is to stand in its form, to the address of the form; empty where whoever looks
    may not send it."""
    every = actions_of(opened.request.app)

    def offer(operation: str, **more: Any) -> str:
        action = every[operation]
        if not opened.signed_in or not opened.may(action.power):
            return ""
        known = {name.replace("__", "."): value for name, value in more.items()}
        given = {"case_id": case["case_id"], "case_number": case["case_number"], "next": f"/cases/{case['case_id']}"}
        return f"/do/{operation}?{urlencode(given | dict(filled.get(operation, {})) | known, doseq=True)}"

    return offer


async def known_values(opened: PageOf, detail: Values) -> dict[str, dict[str, Any]]:
    """Operation → what the case says of its form already."""
    now = opened.now.astimezone(CHINA)
    stamp, number = now.strftime("%Y%m%d-%H%M%S"), detail["case_number"]
    owed = [each for each in detail["fees"] if each["balance"] > 0]
    back = refundable(detail)
    pending = next((each["pause"] for each in detail["pauses"] if each["state"] == "pending"), None)
    standing = [each for each in detail["pauses"] if each["state"] == "approved" and each["ended_at"] is None]
    booked = next((each for each in detail["visits"] if each["state"] == "booked"), None)
    dry = next((each for each in range(1, detail["supply_points"] + 1) if each not in detail["points_on"]), 1)
    steps = {each["action"] for each in detail["next_actions"]}
    found: dict[str, dict[str, Any]] = {
        "connections_survey": {"feasible": "true"},
        "connections_inspect": {"passed": "true"},
        "connections_sign_contract": {"contract": f"HT-{number}"},
        "connections_issue_quote": _quote(opened, detail),
        "connections_pay": {"payment": f"SK-{stamp}"} | _lines((each["fee"], each["balance"]) for each in owed),
        "connections_refund": {"refund": f"TF-{stamp}"} | _lines(back.items()),
        "connections_install_meter": {"point": dry} | _meter(opened, now.date()),
        "connections_turn_water_on": {"point": dry} | (_meter(opened, now.date()) if "install-meter" in steps else {}),
        "connections_supply_document": {"way": "seen"}
        | ({"document": detail["missing"][0]} if detail["missing"] else {}),
    }
    if pending is not None:
        found["connections_approve_pause"] = found["connections_decline_pause"] = {"pause": pending}
    if standing:
        found["connections_end_pause"] = found["connections_revoke_pause"] = {"pause": standing[-1]["pause"]}
    if booked is not None:
        found["connections_make_visit"] = {"visit": booked["visit"]}
        found["connections_approve_on_site"] = {"visit": booked["visit"], "squad": booked["squad"]}
    later = [each["code"] for each in detail["documents"] if not each["in"] and not each["main"]]
    if later:
        days = opened.standard.connection.papers.longest_working_days
        due = await opened.calls.get("/due", **{"from": now.date().isoformat(), "working_days": days})
        found["connections_promise_papers"] = {"papers": later, "deadline": due["due_on"]}
    return found


def refundable(detail: Values) -> dict[str, int]:
    """Fee → what goes back of it, in fen: what is left over, or everything where the case stopped for good."""
    is_over = detail["stopped"] is not None and detail["stopped"]["final"]
    owed = {each["fee"]: 0 if is_over else each["quoted"] for each in detail["fees"]}
    kept = {each["fee"]: each["paid"] - each["refunded"] for each in detail["fees"]}
    return {fee: kept[fee] - owed[fee] for fee in kept if kept[fee] > owed[fee]}


def money(detail: Values) -> dict[str, int]:
    """The sums of the fees, in fen."""
    sums = {name: sum(each[name] for each in detail["fees"]) for name in ("quoted", "paid", "refunded", "balance")}
    return sums | {"back": sum(refundable(detail).values())}


def fee_names(opened: PageOf) -> dict[str, str]:
    """Code of a fee → its Chinese name, by the catalogue in force."""
    catalogue = opened.service.rules.catalogue(opened.now)
    return {each.code: each.name_zh for each in catalogue.items} if catalogue is not None else {}


# ---- what is done at one press


@page("/cases/{case_id:uuid}/notice", methods=("POST",), into=routes)
async def give_notice(opened: PageOf) -> Response:
    """The one-time notice: every document that was ticked, each with what is wrong with it."""
    values = sent_values(await read_form(opened.request))
    ticked = values.get("tick", [])
    named = [ticked] if isinstance(ticked, str) else list(ticked)
    items = [{"document": each, "defect": values.get(f"defect.{each}", "missing")} for each in named]
    key = str(values.get("key", "")) or None
    await opened.calls_of(values).post(at("connections", _case_id(opened), "notice"), {"items": items}, key=key)
    return see_other(f"/cases/{_case_id(opened)}")


@page("/cases/{case_id:uuid}/follow", methods=("POST",), into=routes)
async def new_link(opened: PageOf) -> Response:
    """A new secret link for the applicant, as a QR code; the one from before opens nothing from now on."""
    values = sent_values(await read_form(opened.request))
    answer = await opened.calls_of(values).post(at("cases", _case_id(opened), "follow"), {})
    return opened.render(
        "follow_code.html",
        case_id=_case_id(opened),
        picture=await qr_of(opened, answer["follow"]),
        link=answer["follow"],
    )


@page("/cases/{case_id:uuid}/papers", methods=("POST",), into=routes)
async def paper_in_full(opened: PageOf) -> Response:
    """A paper as PDF with the person as far as the role's work needs it; on record."""
    values = sent_values(await read_form(opened.request))
    path = at("cases", _case_id(opened), "papers", f"{values.get('kind', '')}.pdf")
    body = json.dumps({"reason": values.get("reason", "")}).encode()
    answer = await opened.calls_of(values).send(
        "POST",
        path,
        query={"number": values.get("number")},
        headers=[(b"content-type", b"application/json")],
        body=body,
    )
    return _file(answer)


@page("/evidence/{digest}", into=routes)
async def file(opened: PageOf) -> Response:
    """A file of evidence, by its digest; who looked is on record."""
    return _file(await opened.calls.send("GET", at("evidence", opened.request.path_params["digest"])))


async def qr_of(opened: PageOf, follow: str) -> str:
    """The QR code of a secret link, as the address of a picture; empty where there is no link."""
    code = follow.rstrip("/").rpartition("/")[2]
    if not code:
        return ""
    try:
        picture = (await opened.calls.send("GET", at("follow", code, "qr"))).body
    except ApiRefused as refused:
        note_outcome(opened.request.scope, refused.code)
        return ""
    return f"data:image/svg+xml;base64,{base64.b64encode(picture).decode()}"


# ---- parts


def _case_id(opened: PageOf) -> str:
    return str(opened.request.path_params["case_id"])


def _file(answer: Any) -> Response:
    kept = {name: value for name in _FILE_HEADERS for value in answer.all(name)}
    return Response(answer.body, media_type=answer.media_type, headers=kept)


async def _files(opened: PageOf, case_id: str) -> list[Values]:
    """The files of the case; none for whom it is no work of theirs to see them."""
    if not opened.signed_in or not opened.may("evidence.read"):
        return []
    try:
        found: list[Values] = (await opened.calls.get("/evidence", case_id=case_id))["evidence"]
    except ApiRefused as refused:
        if refused.status not in (403, 503):
            raise
        return []
    return found


def _files_of_documents(timeline: Sequence[Values], kept: set[str]) -> dict[str, dict[str, Any]]:
    """Document → how it came last, and the digest of its file where that is kept."""
    supplied = [each["data"] for each in timeline if each["fact"] == "DocumentSupplied"]
    return {
        each["document"]: {"way": each["way"], "digest": each.get("digest") if each.get("digest") in kept else None}
        for each in supplied
    }


def _delivered(timeline: Sequence[Values]) -> list[dict[str, Any]]:
    """What was handed over: deliverable, digest, when, and whether it arrived."""
    found: dict[str, dict[str, Any]] = {}
    for each in timeline:
        name = each["data"].get("deliverable")
        if name is None:
            continue
        if each["fact"] == "DeliverableReceived":
            found.setdefault(name, {"deliverable": name, "at": each["happened_at"]})["arrived_at"] = each["happened_at"]
        else:
            found[name] = {"deliverable": name, "at": each["happened_at"], **each["data"], "arrived_at": None}
    return list(found.values())


def _stages(opened: PageOf, detail: Values) -> list[dict[str, Any]]:
    """The two steps of an applicant, each with whether it is over."""
    reached = {"1": 0, "2": 1, "done": 2}.get(detail["step"], 0)
    return [
        {"name": each.name_zh, "code": each.code, "state": "done" if n < reached else "now" if n == reached else ""}
        for n, each in enumerate(opened.standard.connection.steps)
    ]


def _lines(amounts: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for row, (fee, fen) in enumerate(amounts):
        found |= {f"lines.{row}.fee": fee, f"lines.{row}.amount_fen": fen}
    return found


def _quote(opened: PageOf, detail: Values) -> dict[str, Any]:
    """A line for each fee that applies to such an applicant; how many of a unit, the clerk says."""
    catalogue = opened.service.rules.catalogue(opened.now)
    payer = opened.standard.connection.payer_classes.get(detail["category"])
    items = catalogue.items if catalogue is not None else ()
    owed = [each for each in items if each.active and payer in each.payer_classes]
    found: dict[str, Any] = {}
    for row, each in enumerate(owed):
        quantity = {"fixed": detail["supply_points"], "per-mille-of": 1}.get(each.formula.kind, "")
        found |= {f"lines.{row}.fee": each.code, f"lines.{row}.quantity": quantity}
    return found


def _meter(opened: PageOf, today: date) -> dict[str, Any]:
    """The usual meter, verified today for as long as the standard lets one of its size be."""
    section = opened.standard.metering
    usual = Decimal(USUAL_Q3_M3H)
    terms = [(each.dn_mm, each.years) for each in section.meter_verification if each.holds_for(USUAL_DN_MM, usual)]
    years = next(years for dn_mm, years in terms or section.meter_verification_years if dn_mm >= USUAL_DN_MM)
    # It ends before the anniversary; after 28 February no year lacks the day.
    ends = date(today.year + years, today.month, min(today.day, 28)) - timedelta(days=1)
    return {
        "meter.dn_mm": USUAL_DN_MM,
        "meter.verified_on": today.isoformat(),
        "meter.expires_on": ends.isoformat(),
        "meter.initial_reading_m3": "0",
        "meter.dial_max_m3": USUAL_DIAL_M3,
        "meter.q3_m3h": USUAL_Q3_M3H,
    }
