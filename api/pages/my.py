"""One's own cases by telephone and one-time code 我的业务, and what is kept of oneself 个人信息."""

from __future__ import annotations

import json
from collections.abc import Mapping
from uuid import uuid4

from fastapi.responses import Response
from starlette.routing import Route

from api.http.trace import note_outcome
from api.http.within import Answer
from api.pages.calls import ApiRefused, Calls, at
from api.pages.citizens import code_in
from api.pages.files import read_form
from api.pages.forms import sent_values
from api.pages.page import HEADERS, PageOf, page, see_other
from domain.kernel.facts import Name

routes: list[Route] = []

RIGHTS: Mapping[str, tuple[Name, Name]] = {
    "see": (Name("查看", "see"), Name("保存了我的哪些信息", "what is kept of me")),
    "export": (Name("导出", "export"), Name("取得一份可以带走的副本", "a copy to take away")),
    "correct": (Name("更正", "correct"), Name("姓名、电话或地址有误", "a wrong name, telephone or address")),
    "restrict": (Name("限制使用", "restrict"), Name("暂停使用我的信息", "no use for the time being")),
    "erase": (Name("删除", "erase"), Name("业务结束后删除我的信息", "once my cases are over")),
}
"""Right → what it is called, and what one gets by it."""
STATES: Mapping[str, Name] = {
    "received": Name("已提出，等待答复", "asked, to be answered"),
    "granted": Name("已同意", "granted"),
    "refused": Name("未同意", "refused"),
    "done": Name("已办结", "done"),
}
GROUNDS: Mapping[str, Name] = {
    "identity-not-proven": Name("未能核实身份", "it was not proven who asks"),
    "not-held": Name("没有保存您的信息", "nothing of you is kept"),
    "case-running": Name("有业务正在办理", "a case of yours is running"),
    "retention-runs": Name("保存期限未满", "the time for which it is kept is not over"),
    "others-rights": Name("涉及他人权益", "it would touch the rights of others"),
    "law-requires-it": Name("法律要求保存", "the law requires that it is kept"),
}


@page("/my", into=routes)
async def show(opened: PageOf) -> Response:
    """The cases of a telephone; where nobody is signed in by one, the form for it."""
    try:
        found = await opened.calls.get("/my/cases")
    except ApiRefused as refused:
        if refused.code != "session-ended":
            raise
        return opened.render("my_enter.html", phone="")
    return opened.render("my.html", cases=found["cases"])


@page("/my/code", methods=("POST",), into=routes)
async def send_code(opened: PageOf) -> Response:
    """Have the code sent, and ask for it."""
    values = sent_values(await read_form(opened.request))
    phone = str(values.get("phone", ""))
    try:
        sent = await opened.calls.post("/my/code", {"phone": phone})
    except ApiRefused as refused:
        note_outcome(opened.request.scope, refused.code)
        # Within the minute the code that was sent before still counts.
        asked = phone if refused.code == "too-many-requests" else ""
        return opened.render("my_enter.html", status=refused.status, phone=asked, problem=refused.problem)
    return opened.render("my_enter.html", phone=phone, minutes=sent["seconds"] // 60)


@page("/my/session", methods=("POST",), into=routes)
async def sign_in(opened: PageOf) -> Response:
    """Sign in with the code."""
    values = sent_values(await read_form(opened.request))
    phone, code = str(values.get("phone", "")), str(values.get("code", ""))
    try:
        answer = await opened.calls.command("/my/session", {"phone": phone, "code": code})
    except ApiRefused as refused:
        note_outcome(opened.request.scope, refused.code)
        return opened.render("my_enter.html", status=refused.status, phone=phone, problem=refused.problem)
    return _with_cookies(answer, see_other("/my"))


@page("/my/end", methods=("POST",), into=routes)
async def sign_out(opened: PageOf) -> Response:
    """Sign out."""
    calls, _ = await _sent(opened)
    return _with_cookies(await calls.command("/session/end", {}), see_other("/my"))


@page("/my/open", methods=("POST",), into=routes)
async def open_case(opened: PageOf) -> Response:
    """Go to a case of one's own, by its link."""
    calls, values = await _sent(opened)
    found = await calls.post(at("my", "cases", values.get("case_number", ""), "follow"), {})
    return see_other(f"/follow/{code_in(found['follow'])}")


# ---- what is kept of oneself


@page("/my/rights", into=routes)
async def rights(opened: PageOf) -> Response:
    """One's requests, and the form for another one."""
    return await _rights(opened)


@page("/my/rights", methods=("POST",), into=routes)
async def ask(opened: PageOf) -> Response:
    """Ask for something."""
    calls, values = await _sent(opened)
    try:
        await calls.post("/my/rights", {"right": values.get("right", "")}, key=str(values.get("key", "")) or None)
    except ApiRefused as refused:
        note_outcome(opened.request.scope, refused.code)
        return await _rights(opened, refused)
    return see_other("/my/rights?done=1")


@page("/my/rights/{request_id:uuid}/copy", methods=("POST",), into=routes)
async def take_copy(opened: PageOf) -> Response:
    """The copy of what is kept: as a page, or as a file to take away."""
    calls, values = await _sent(opened)
    try:
        copy = await calls.post(at("my", "rights", opened.request.path_params["request_id"], "copy"), {})
    except ApiRefused as refused:
        note_outcome(opened.request.scope, refused.code)
        return await _rights(opened, refused)
    if values.get("as") == "file":
        text = json.dumps(copy, ensure_ascii=False, indent=2)
        named = {"Content-Disposition": 'attachment; filename="particulars.json"'}
        return Response(text, media_type="application/json", headers={**HEADERS, **named})
    return opened.render("my_copy.html", copy=copy)


async def _rights(opened: PageOf, refused: ApiRefused | None = None) -> Response:
    try:
        found = await opened.calls.get("/my/rights")
    except ApiRefused as ended:
        if ended.code != "session-ended":
            raise
        return opened.render("my_enter.html", phone="")
    return opened.render(
        "my_rights.html",
        status=refused.status if refused is not None else 200,
        requests=found["requests"],
        problem=refused.problem if refused is not None else None,
        rights=RIGHTS,
        states=STATES,
        grounds=GROUNDS,
        done=bool(opened.param("done")),
        key=str(uuid4()),
    )


async def _sent(opened: PageOf) -> tuple[Calls, Mapping[str, str]]:
    values = sent_values(await read_form(opened.request))
    return opened.calls_of(values), values


def _with_cookies(answer: Answer, response: Response) -> Response:
    """The response with the cookies that the API set."""
    for cookie in answer.all("set-cookie"):
        response.headers.append("set-cookie", cookie)
    return response
