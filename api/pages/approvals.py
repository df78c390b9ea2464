"""What a second person is asked: what waits for whoever looks, what they asked themselves, the command in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args
from uuid import uuid4

from fastapi.responses import Response
from starlette.routing import Route

from api.http.trace import note_outcome
from api.pages.actions import Action, actions_of
from api.pages.calls import ApiRefused, at
from api.pages.do import choices_of
from api.pages.files import read_form
from api.pages.forms import Field, in_yuan, plain_values, sent_values
from api.pages.labels import word
from api.pages.page import PageOf, at_time, page, see_other
from domain.approvals.approvals import DeclineReason
from domain.kernel.facts import Name

routes: list[Route] = []

STATES: Mapping[str, Name] = {
    "waiting": Name("待复核", "waits"),
    "given": Name("已同意", "approved"),
    "declined": Name("已退回", "declined"),
    "withdrawn": Name("已撤回", "withdrawn"),
    "expired": Name("已过期", "too late"),
}
TONES: Mapping[str, str] = {"waiting": "near", "given": "good", "declined": "bad"}
DECLINE_REASONS: tuple[str, ...] = get_args(DeclineReason)
ANSWERS: Mapping[str, str] = {"approve": "giving", "decline": "decline", "withdraw": "withdrawal"}
"""What the form says → where the API takes it."""
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T")


@page("/approvals", into=routes)
async def approvals(opened: PageOf) -> Response:
    """What waits for whoever looks, and what they asked."""
    found = await opened.calls.get("/approvals")
    return opened.render("approvals.html", found=found, operations=_operation_names(opened), states=STATES, tones=TONES)


@page("/approvals/{approval_id:uuid}", into=routes)
async def approval(opened: PageOf) -> Response:
    """One request with its command in words."""
    return await _shown(opened)


@page("/approvals/{approval_id:uuid}", methods=("POST",), into=routes)
async def answer(opened: PageOf) -> Response:
    """Approve, decline or take back."""
    values = sent_values(await read_form(opened.request))
    way = ANSWERS.get(str(values.get("answer", "")))
    if way is None:
        return opened.render("not_found.html", status=404)
    body = {"reason": values.get("reason", "")} if way == "decline" else {}
    calls = opened.calls_of(values)
    try:
        await calls.post(at("approvals", _id(opened), way), body, key=str(values.get("key", "")) or None)
    except ApiRefused as refused:
        note_outcome(opened.request.scope, refused.code)
        return await _shown(opened, refused)
    return see_other(f"/approvals/{_id(opened)}")


# ---- parts


def _id(opened: PageOf) -> str:
    return str(opened.request.path_params["approval_id"])


async def _shown(opened: PageOf, refused: ApiRefused | None = None) -> Response:
    found = await opened.calls.get(at("approvals", _id(opened)))
    waiting = {each["id"] for each in (await opened.calls.get("/approvals"))["waiting"]}
    action = actions_of(opened.request.app).get(found["operation"])
    return opened.render(
        "approval.html",
        status=refused.status if refused is not None else 200,
        problem=refused.problem if refused is not None else None,
        found=found,
        name=opened.name(action.name, found["operation"]) if action is not None else found["operation"],
        said=_in_words(opened, action, found["body"]) if action is not None and found["body"] else [],
        about=_about(action, found["path"]) if action is not None and found["path"] else {},
        can_answer=found["id"] in waiting,
        is_own=found["asked_by"] == opened.who.get("actor") and found["state"] == "waiting",
        states=STATES,
        tones=TONES,
        decline_reasons=[(code, word(code)) for code in DECLINE_REASONS],
        key=str(uuid4()),
    )


def _operation_names(opened: PageOf) -> dict[str, Name]:
    return {operation: action.name for operation, action in actions_of(opened.request.app).items()}


def _about(action: Action, path: str) -> dict[str, str]:
    """What the path says beside the case: which pause, which payment."""
    pattern = re.sub(r"\\?\{(\w+)\\?\}", r"(?P<\1>[^/]+)", action.path)
    matched = re.fullmatch(pattern, path)
    found = matched.groupdict() if matched is not None else {}
    return {name: value for name, value in found.items() if name != "case_id"}


def _in_words(opened: PageOf, action: Action, body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The body of the command as label and value, codes by their names, in the order of the form."""
    values = plain_values(body)
    said: list[tuple[str, str]] = []

    def walk(fields: Any) -> None:
        for each in fields:
            if each.fields:
                walk(each.fields)
            elif any(name == each.name or name.startswith(f"{each.name}.") for name in values):
                said.append((opened.name(each.label), _value(opened, each, values)))

    walk(action.form(choices_of(opened)).fields(values))
    return said


def _value(opened: PageOf, field: Field, values: Mapping[str, Any]) -> str:
    names = {code: opened.name(name) for code, name in field.choices}
    if field.widget == "shares":
        return ", ".join(f"{names.get(code, code)} {share}%" for code, share in field.value.items() if share)
    value = values[field.name]
    if field.widget == "yuan":
        return f"¥{in_yuan(str(value))}"
    several = value if isinstance(value, list) else [value]
    return opened.say("、", ", ").join(
        at_time(each) if _MOMENT.match(str(each)) else names.get(each, str(each)) for each in several
    )
