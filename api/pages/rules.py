"""The desk of who publishes the rules: standards, fees, calendars, law. A document comes as JSON, from a file or
pasted; first it is shown what it would change, then it is drafted or published."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from fastapi.responses import Response
from starlette.datastructures import FormData, UploadFile
from starlette.routing import Route

from api.http.strict import parse
from api.http.trace import note_outcome
from api.pages.actions import Action, actions_of
from api.pages.calls import ApiRefused, Calls, as_told_by_the_api
from api.pages.case import codes_of
from api.pages.do import asked_roles
from api.pages.documents import codes_named, differences, part_name, said
from api.pages.files import read_form
from api.pages.forms import sent_values
from api.pages.page import HEADERS, PageOf, page, see_other
from domain.kernel.facts import Name
from domain.kernel.law import LEGAL_RULES
from domain.kernel.refusals import ASKING, Refusal
from projections import names

routes: list[Route] = []


@dataclass(frozen=True, slots=True)
class Desk:
    """A kind of document: the path that shows it, the operation that drafts or publishes it, and the path that tells
    what a new one would change; None: the page itself compares it with the one in force."""

    path: str
    operation: str
    dry_run: str | None
    name: Name


DESKS: Mapping[str, Desk] = {
    "standards": Desk("/standards", "publication_draft_standard", None, Name("标准", "standards")),
    "fees": Desk("/fees", "publication_draft_catalogue", None, Name("收费目录", "fees")),
    "calendars": Desk("/calendars", "publication_publish_calendar", "/calendars/dry-run", Name("日历", "calendars")),
    "law": Desk("/law", "publication_publish_law", "/law/dry-run", Name("法律依据", "law")),
}
MOVES_SHOWN = 200
VALUES_SHOWN = 12
WHAT_IF = "publication_what_if"
EXAMPLES: Mapping[str, Name] = {
    "four-days": Name("四个工作日通水", "water in four working days"),
    "arrival-25": Name("25 分钟到场", "a crew within 25 minutes"),
    "stricter-classes": Name("更严的报修等级", "stricter classes of repair"),
    "payment-not-counted": Name("缴费不计时", "the time for payment does not count"),
}
"""The standards that are shipped to be tried."""
DIMENSIONS: Mapping[str, Name] = {
    "channel": Name("渠道", "channel"),
    "district": Name("片区", "district"),
    "class": Name("等级或类别", "class or category"),
    "crew": Name("班组", "crew"),
}
NONE = Name("无", "none")
OUTCOME_NAMES: Mapping[str, Name] = {
    **names.STATES,
    "open": Name("运行中", "running"),
    "no-end": Name("不设截止", "no end"),
    "not-owed": Name("无此承诺", "not owed"),
    "unknown": Name("无法判定", "nobody can say"),
}
"""What becomes of a promise, as a trial counts it."""


@page("/rules", into=routes)
async def rules(opened: PageOf) -> Response:
    """What is in force of everything that is published, and what waits."""
    return opened.render(
        "rules.html",
        desks=DESKS,
        standards=await opened.calls.get("/standards"),
        fees=await opened.calls.get("/fees"),
        calendars=await opened.calls.get("/calendars"),
        law=await opened.calls.get("/law"),
    )


@page("/rules/what-if", into=routes)
async def what_if(opened: PageOf) -> Response:
    """The form for a trial of another standard."""
    return _tried(opened, {"last": opened.today.isoformat()})


@page("/rules/what-if", methods=("POST",), into=routes)
async def try_standard(opened: PageOf) -> Response:
    """Judge the cases of a period by another standard, and show the difference. Nothing is written."""
    sent = await read_form(opened.request)
    values = sent_values(sent)
    try:
        values["text"] = await _text(sent, values)
        document = parse(values["text"].encode("utf-8", "replace")) if values["text"] else None
        body = {"standard": document, **{name: values.get(name) or None for name in ("example", "first", "last")}}
        if document is not None:  # what was pasted is tried, and no example is chosen any more
            body["example"] = values["example"] = None
        return _tried(opened, values, await opened.calls_of(values).post("/standards/what-if", body))
    except (ApiRefused, Refusal) as found:
        refused = found if isinstance(found, ApiRefused) else as_told_by_the_api(found)
        note_outcome(opened.request.scope, refused.code)
        return _tried(opened, values, refused=refused)
    finally:
        await sent.close()


@page("/rules/{what}", into=routes)
async def desk(opened: PageOf) -> Response:
    """One kind of document: what is in force, drafts, and the form for a new one."""
    return await _shown(opened, {})


@page("/rules/{what}", methods=("POST",), into=routes)
async def send(opened: PageOf) -> Response:
    """Show what a document would change, or draft it, publish it, or ask the second person to."""
    what, desk = opened.request.path_params["what"], _desk(opened)
    if desk is None:
        return opened.render("not_found.html", status=404)
    sent = await read_form(opened.request)
    values = sent_values(sent)
    action = actions_of(opened.request.app)[desk.operation]
    calls = opened.calls_of(values)
    trial: Any = None
    try:
        values["text"] = await _text(sent, values)
        body = _body(what, values, parse(values["text"].encode("utf-8", "replace")))
        if values.get("mode") == "send":
            answer = await _carry_out(calls, action, body, values)
            return see_other(f"/rules/{what}?done={answer.get('case_number') or 'asked'}")
        trial = await calls.post(desk.dry_run, body) if desk.dry_run else body
    except (ApiRefused, Refusal) as found:
        refused = found if isinstance(found, ApiRefused) else as_told_by_the_api(found)
        note_outcome(opened.request.scope, refused.code)
        return await _shown(opened, values, refused=refused)
    finally:
        await sent.close()
    return await _shown(opened, values, trial=trial)


@page("/rules/{what}/{version}.json", into=routes)
async def document(opened: PageOf) -> Response:
    """A published document as a file: whoever drafts the next one begins with it."""
    desk, version = _desk(opened), opened.request.path_params["version"]
    if desk is None or (found := _document(await opened.calls.get(desk.path), version)) is None:
        return opened.render("not_found.html", status=404)
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{version}.json"'}
    return Response(json.dumps(found, ensure_ascii=False, indent=2), media_type="application/json", headers=headers)


async def _carry_out(calls: Calls, action: Action, body: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    if ask := str(values.get("ask", "")):
        asked = {"path": action.path, "body": body, "role": ask, "reason": str(values.get("ask_reason", ""))}
        await calls.post("/approvals", asked)
        return {}
    return await calls.post(action.path, body, key=str(values.get("key", "")) or None)


async def _shown(
    opened: PageOf, values: Mapping[str, Any], *, trial: Any = None, refused: ApiRefused | None = None
) -> Response:
    what, desk = opened.request.path_params["what"], _desk(opened)
    if desk is None:
        return opened.render("not_found.html", status=404)
    found = await opened.calls.get(desk.path)
    action = actions_of(opened.request.app)[desk.operation]
    codes = codes_named(codes_of(opened))
    problem = refused.problem if refused is not None else None
    in_force = _document(found, found.get("in_force") or "") if what in ("standards", "fees") else None
    return opened.render(
        f"rules_{what}.html",
        status=refused.status if refused is not None else 200,
        what=what,
        desk=desk,
        desks=DESKS,
        found=found,
        in_force=in_force,
        values=values,
        trial=trial,
        changes=list(differences(in_force, trial)) if trial is not None and in_force is not None else [],
        changes_of={each["version"]: _changes(in_force, each) for each in found.get("drafts", ())},
        problem=problem,
        asks=problem is not None and ASKING in str(problem.get("next_step", "")),
        asked_roles=asked_roles(opened, action),
        may_send=opened.signed_in and opened.may(action.power),
        part=lambda part: opened.name(part_name(part, codes)),
        said=said,
        new_key=lambda: str(uuid4()),
        done=opened.param("done"),
        years=_years(found) if what == "calendars" else [],
        moves_shown=MOVES_SHOWN,
        articles=_articles(opened, found) if what == "law" else [],
        legal={**LEGAL_RULES, **names.COMMITMENTS},
        now_iso=opened.now.isoformat(),
    )


def _tried(opened: PageOf, values: Mapping[str, Any], found: Any = None, refused: ApiRefused | None = None) -> Response:
    codes = codes_of(opened)
    values_named = {**codes["category"], **codes["district"], **names.CHANNELS, **names.SEVERITIES, "none": NONE}
    listed = [each for each in (found or {}).get("values", ()) if each["before"] or each["after"]]
    return opened.render(
        "rules_what_if.html",
        status=refused.status if refused is not None else 200,
        what="what-if",
        desks=DESKS,
        values=values,
        found=found,
        problem=refused.problem if refused is not None else None,
        examples=EXAMPLES,
        outcomes=OUTCOME_NAMES,
        dimensions=DIMENSIONS,
        values_named=values_named,
        by={code: [each for each in listed if each["dimension"] == code][:VALUES_SHOWN] for code in DIMENSIONS},
        may_try=opened.signed_in and opened.may(actions_of(opened.request.app)[WHAT_IF].power),
    )


def _desk(opened: PageOf) -> Desk | None:
    return DESKS.get(opened.request.path_params["what"])


# ---- documents


async def _text(sent: FormData, values: Mapping[str, Any]) -> str:
    """The document of a form: the file where one was chosen, else what was pasted."""
    file = sent.get("file")
    if isinstance(file, UploadFile) and file.size:
        return (await file.read()).decode("utf-8-sig", "replace")
    return str(values.get("text", ""))


def _body(what: str, values: Mapping[str, Any], document: Any) -> dict[str, Any]:
    """The body of the command: the document itself, or of a calendar the notice with what the form says beside it."""
    if what != "calendars":
        return document if isinstance(document, dict) else {"document": document}
    told = {"region": str(values.get("region", "")) or "CN", "source": str(values.get("source", ""))}
    return {**told, "notice": document}


def _document(found: Mapping[str, Any], version: str) -> dict[str, Any] | None:
    """A published document of what the API answers, by its version."""
    if "articles" in found:
        kept = {name: found[name] for name in ("version", "articles", "reason")}
        return kept if found["version"] == version else None
    listed = found.get("standards", found.get("catalogues", []))
    return next((each for each in listed if each["version"] == version), None)


def _changes(in_force: Mapping[str, Any] | None, draft: Mapping[str, Any]) -> list[Any]:
    return list(differences(in_force or {}, draft.get("document", draft.get("catalogue"))))


def _years(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Region and year → how many days the notices make free or worked, and which; the newest year first."""
    shown = []
    for calendar in found["calendars"]:
        off = Counter(day["date"][:4] for day in calendar["days"] if day["off"])
        worked = Counter(day["date"][:4] for day in calendar["days"] if not day["off"])
        for year in sorted({*off, *worked}, reverse=True):
            days = [day for day in calendar["days"] if day["date"].startswith(year)]
            one = {"region": calendar["region"], "year": year, "off": off[year], "worked": worked[year], "days": days}
            shown.append(one)
    return shown


def _articles(opened: PageOf, found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The articles that the search of the page finds, those in force first."""
    wanted = opened.param("find").strip().casefold()
    on = opened.param("on")
    texts = ("code", "act_zh", "act_number", "summary_zh", "summary_en", "article")
    fit = [
        each
        for each in found["articles"]
        if (not wanted or any(wanted in str(each[name] or "").casefold() for name in texts))
        and (not on or (each["valid_from"] <= on and (each["valid_until"] is None or on <= each["valid_until"])))
    ]
    in_force = set(found["in_force"])
    return sorted(fit, key=lambda each: each["code"] not in in_force)
