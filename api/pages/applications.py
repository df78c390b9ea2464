"""The counter's pages: the applications under way, and the form on which one is taken in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from fastapi.responses import Response
from starlette.datastructures import FormData, UploadFile
from starlette.routing import Route

from api.http.trace import note_outcome
from api.pages.actions import actions_of
from api.pages.calls import ApiRefused, at
from api.pages.case import codes_of, next_actions
from api.pages.connection_case import qr_of
from api.pages.do import choices_of
from api.pages.files import keep_file, read_form
from api.pages.forms import sent_values
from api.pages.labels import label_of
from api.pages.page import PageOf, page
from api.pages.sent import kept_for_back, remember_case, sent_before

routes: list[Route] = []

Values = Mapping[str, Any]
ROWS = 40
MOST_POINTS = 500
RECEIVE = "connections_receive"
FIRST_CATEGORY = "private"
"""What most who come to the counter are; only where the standard knows it."""
USUAL_CLASSES: Mapping[str, str] = {"person": "residential", "company": "non-residential"}
"""Who pays → the price class of most of them, where the standard has it."""
_OURS = frozenset({"csrf", "key", "next"})


@page("/desk", into=routes)
async def desk(opened: PageOf) -> Response:
    """The applications under way, by promised day: what waits for whoever looks, for others here, for the applicant."""
    owner = opened.param("owner", "mine" if opened.role == "case-owner" else "")
    wanted = str(opened.who.get("actor")) if owner == "mine" else owner or None
    listed = await opened.calls.get("/desk", owner=wanted, limit=ROWS)
    rows = [await _row(opened, each) for each in listed["applications"]]
    approvals = await opened.calls.get("/approvals") if opened.signed_in else {"waiting": []}
    return opened.render(
        "desk.html",
        groups=_groups(opened, rows),
        count=len(rows),
        more=listed["more"],
        owners=[each for one in opened.standard.connection.desks.values() for each in one.owners],
        owner=owner,
        codes=codes_of(opened),
        approvals=len(approvals["waiting"]),
    )


@page("/intake", into=routes)
async def intake(opened: PageOf) -> Response:
    """The form on which an application is taken in at the counter."""
    if not opened.signed_in:
        return opened.to_login()
    return kept_for_back(await _intake(opened, {"category": opened.param("category")}))


@page("/intake", methods=("POST",), into=routes)
async def take_in(opened: PageOf) -> Response:
    """Take an application in: the application itself with what was seen, then each scan as evidence of its case."""
    sent = await read_form(opened.request)
    values = sent_values(sent)
    if (before := sent_before(opened, values)) is not None:
        return before
    calls = opened.calls_of(values)
    key = str(values.get("key", "")) or str(uuid4())
    scans = await _scans(sent, values)
    await sent.close()
    try:
        action = actions_of(opened.request.app)[RECEIVE]
        body = action.form(choices_of(opened)).body(_as_sent(values, {code for code, _ in scans}))
        answer = await calls.post(action.path_with({}), body, key=key)
    except ApiRefused as refused:
        note_outcome(opened.request.scope, refused.code)
        return await _intake(opened, values, refused)
    problem = None
    try:
        for code, content in scans:
            digest = await keep_file(calls, content, "document", answer["case_id"])
            handed_in = {"document": code, "way": "upload", "digest": digest}
            await calls.post(at("connections", answer["case_id"], "documents"), handed_in, key=f"{key}:{code}"[:64])
    except ApiRefused as refused:
        # The application is in; what was refused is said beside it, and can be handed in on the page of the case.
        note_outcome(opened.request.scope, refused.code)
        problem = refused.problem
    detail = await opened.calls.get(at("connections", answer["case_id"]))
    taken = opened.render(
        "intake_taken.html",
        detail=detail,
        problem=problem,
        picture=await qr_of(opened, answer.get("follow") or ""),
        section=opened.standard.connection,
        key=str(uuid4()),
    )
    return remember_case(opened, taken, values, answer["case_id"])


async def _intake(opened: PageOf, values: Values, refused: ApiRefused | None = None) -> Response:
    section = opened.standard.connection
    categories = section.applicant_categories
    first = FIRST_CATEGORY if FIRST_CATEGORY in categories else next(iter(categories))
    asked = str(values.get("category", ""))
    category = asked if asked in categories else first
    due = await opened.calls.get("/due", **{"from": opened.today.isoformat()})
    wrong = (refused.problem.get("fields") or ()) if refused is not None else ()
    return opened.render(
        "intake.html",
        status=refused.status if refused is not None else 200,
        values=values,
        problem=refused.problem if refused is not None else None,
        labels={each["field"]: label_of(RECEIVE, each["field"].replace(".0.", ".")) for each in wrong},
        wrong={each["field"]: opened.say(each["problem_zh"], each["problem"]) for each in wrong},
        categories={first: categories[first], **categories},
        category=category,
        documents=section.documents.get(category or "", ()),
        ways=section.document_ways,
        classes=section.price_classes,
        usual=_usual_class(opened, str(category)),
        codes=codes_of(opened),
        due=due,
        most=min(section.max_supply_points, MOST_POINTS),
        key=values.get("key") or str(uuid4()),
    )


# ---- parts


async def _row(opened: PageOf, listed: Values) -> dict[str, Any]:
    """An application with what is missing, whose turn it is and what whoever looks may do next."""
    detail = await opened.calls.get(at("connections", listed["case_id"]))
    steps = await next_actions(opened, {**listed, "family": "connection"}, detail)
    roles = {role for each in detail["next_actions"] for role in each["roles"]}
    names = {each["code"]: each["name_zh"] for each in detail["documents"]}
    return {
        **listed,
        "detail": detail,
        "missing": [(code, names.get(code, code)) for code in detail["missing"]],
        "steps": steps,
        "whose": (detail["turn"] or {}).get("whose", "utility"),
        "is_mine": opened.role in roles,
    }


def _groups(opened: PageOf, rows: Sequence[Values]) -> list[tuple[str, str, list[Values]]]:
    """Name of the group, its title, its applications; the empty ones left out."""
    of_applicant = [each for each in rows if each["whose"] == "applicant"]
    ours = [each for each in rows if each["whose"] != "applicant"]
    mine = [each for each in ours if each["is_mine"]]
    others = [each for each in ours if not each["is_mine"]]
    found = [
        ("mine", opened.say("轮到我办理", "Waits for me"), mine),
        ("others", opened.say("轮到其他岗位", "Waits for somebody else here"), others),
        ("applicant", opened.say("等待申请人", "Waits for the applicant"), of_applicant),
    ]
    return [each for each in found if each[2]]


def _usual_class(opened: PageOf, category: str) -> str:
    """The price class that the use of such an applicant usually is of."""
    section = opened.standard.connection
    usual = USUAL_CLASSES.get(section.payer_classes.get(category, ""), "")
    return usual if usual in section.price_classes else next(iter(section.price_classes))


async def _scans(sent: FormData, values: Values) -> list[tuple[str, bytes]]:
    """The scans of the form, each with the code of the document that it is of."""
    return [
        (str(values.get(name.replace(".digest", ".document"), "")), await each.read())
        for name, each in sent.multi_items()
        if isinstance(each, UploadFile) and each.size
    ]


def _as_sent(values: Values, scanned: set[str]) -> dict[str, Any]:
    """The entries of the form as the command takes them: a document without a way is not there, a scan comes later, and
    every point of supply is like the first."""
    kept = {name: value for name, value in values.items() if name not in _OURS and not name.startswith("documents.")}
    rows = sorted({name.split(".")[1] for name in values if name.startswith("documents.")})
    for row in rows:
        code, way = str(values.get(f"documents.{row}.document", "")), str(values.get(f"documents.{row}.way", ""))
        if way not in ("", "upload") and code not in scanned:
            kept |= {f"documents.{row}.document": code, f"documents.{row}.way": way}
    first = {name: value for name, value in kept.items() if name.startswith("points.0.")}
    count = str(values.get("supply_points", ""))
    if not first.get("points.0.address_code"):
        return {name: value for name, value in kept.items() if name not in first}
    is_number = count.isascii() and count.isdecimal() and len(count) < 6
    for point in range(1, min(int(count), MOST_POINTS) if is_number else 1):
        kept |= {name.replace("points.0.", f"points.{point}.", 1): value for name, value in first.items()}
    return kept
