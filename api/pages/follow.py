"""An applicant's or a reporter's own case by its secret link 查进度: how it stands, what they owe, what they can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from fastapi.responses import Response
from starlette.datastructures import FormData
from starlette.routing import Route

from api.http.trace import note_outcome
from api.pages.calls import ApiRefused, Calls, as_told_by_the_api
from api.pages.citizens import FILE, code_in, files_of, follow_path, hand_in, keep_file
from api.pages.english import in_both
from api.pages.files import read_form
from api.pages.forms import sent_values
from api.pages.labels import word
from api.pages.page import PageOf, page, see_other
from domain.evidence.refusals import EvidenceEmpty
from domain.kernel.facts import Name

routes: list[Route] = []

DONE: Mapping[str, Name] = {
    "documents": Name("材料已收到", "The document is in"),
    "photo": Name("照片已收到", "The photograph is in"),
    "withdrawal": Name("申请已撤回", "The application is withdrawn"),
    "receipt": Name("已确认收到", "You confirmed that it arrived"),
    "satisfaction": Name("谢谢您的评价", "Thank you for saying so"),
    "complaint": Name("投诉已收到", "Your complaint is in"),
    "escalation": Name("已记录您转主管部门", "It is on record that you take it to the authority"),
    "complaint-withdrawal": Name("投诉已撤回", "The complaint is withdrawn"),
    "revocation": Name("链接已停用", "The link opens nothing any more"),
}
"""What was done last → what the page says of it."""
NOT_KEPT: Mapping[str, Name] = {
    "evidence-type-not-taken": Name("不是图片或 PDF", "it is no picture and no PDF"),
    "evidence-infected": Name("未通过安全扫描", "the scanner calls it infected"),
    "body-too-large": Name("超过 10 MB", "it is larger than 10 MB"),
    "too-many-files": Name("文件数已达上限", "the case has as many files as it may have"),
    "too-many-requests": Name("上传过于频繁", "too many at once"),
}
"""Code of the refusal of a file → why it was not kept."""
NOT_NOW = Name("暂时无法保存", "it could not be kept just now")


@page("/follow", into=routes)
async def enter(opened: PageOf) -> Response:
    """Where a link is pasted, or a telephone is told."""
    given = opened.param("link")
    if code := code_in(given):
        return see_other(f"/follow/{code}")
    return opened.render("follow_enter.html")


@page("/follow/{code}", into=routes)
async def show(opened: PageOf) -> Response:
    """The case."""
    try:
        return await _case(opened)
    except ApiRefused as refused:
        if refused.code != "no-such-link":
            raise
        note_outcome(opened.request.scope, refused.code)
        if opened.param("sent") == "before":
            # They sent a form again that has made a case: it is in, and only its link is gone.
            return opened.render("follow_enter.html", sent_before=refused.code)
        return opened.render("follow_enter.html", status=refused.status, problem=refused.problem)


@page("/follow/{code}/{what}", methods=("POST",), into=routes)
async def act(opened: PageOf) -> Response:
    """What the holder of the link does: each of ``DONE``."""
    code, what = opened.request.path_params["code"], opened.request.path_params["what"]
    if what not in DONE:
        return opened.render("not_found.html", status=404)
    form = await read_form(opened.request)
    try:
        await _act(opened.calls, code, what, form, sent_values(form))
    except EvidenceEmpty as empty:
        note_outcome(opened.request.scope, empty.code)
        return await _case(opened, as_told_by_the_api(empty))
    except ApiRefused as refused:
        note_outcome(opened.request.scope, refused.code)
        return await _case(opened, refused)
    if what == "revocation":
        return opened.render("follow_enter.html", done=DONE[what])
    return see_other(f"/follow/{code}?done={what}")


async def _act(calls: Calls, code: str, what: str, form: FormData, values: Mapping[str, Any]) -> None:
    key = str(values.get("key", "")) or None
    if what in ("documents", "photo") and not any(files_of(form)):
        raise EvidenceEmpty()
    match what:
        case "documents":
            for name, file in files_of(form):
                await hand_in(calls, code, name.removeprefix(FILE), await file.read())
        case "photo":
            for _, file in files_of(form):
                await keep_file(calls, code, await file.read())
        case "withdrawal":
            await calls.post(follow_path(code, "withdrawal"), {"reason": values.get("reason", "")}, key=key)
        case "receipt":
            body = {"deliverable": values.get("deliverable", "")}
            await calls.post(follow_path(code, "deliverables", "receipt"), body, key=key)
        case "satisfaction":
            reasons = values.get("reasons", [])
            score = str(values.get("score", ""))
            said = {"score": int(score) if score in ("1", "2", "3", "4", "5") else score}
            body = said | {"reasons": reasons if isinstance(reasons, list) else [reasons]}
            await calls.post(follow_path(code, "satisfaction"), body, key=key)
        case "complaint":
            await calls.post(follow_path(code, "complaints"), {"topic": values.get("topic", "")}, key=key)
        case "escalation" | "complaint-withdrawal":
            done = "escalation" if what == "escalation" else "withdrawal"
            path = follow_path(code, "complaints", str(values.get("complaint", "")) or "-", done)
            await calls.post(path, {}, key=key)
        case _:
            await calls.post(follow_path(code, "revocation"), {}, key=key)


async def _case(opened: PageOf, refused: ApiRefused | None = None) -> Response:
    code = opened.request.path_params["code"]
    case = await opened.calls.get(follow_path(code))
    failed = [each.partition(":") for each in opened.request.query_params.getlist("failed")]
    return opened.render(
        "follow.html",
        status=refused.status if refused is not None else 200,
        code=code,
        case=case,
        complaints=(await opened.calls.get(follow_path(code, "complaints")))["complaints"],
        word=lambda code: opened.name(word(code)),
        problem=refused.problem if refused is not None else None,
        link=f"{opened.address}/follow/{code}",
        is_new=bool(opened.param("new")),
        done=DONE.get(opened.param("done")),
        failed=[(_name_of(opened, name), opened.name(NOT_KEPT.get(code, NOT_NOW))) for name, _, code in failed],
        reasons=opened.standard.connection.withdrawal_reasons,
        steps=_steps(opened, case),
        keys=(str(uuid4()) for _ in iter(int, 1)),
        file=FILE,
    )


def _steps(opened: PageOf, case: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The two steps of a case, each with its name and how it stands: done, now, bad, or nothing yet."""
    if case["kind"] == "connection":
        listed = [in_both(step.name_zh, step.code) for step in opened.standard.connection.steps]
    else:
        listed = [Name("抢修人员到场", "a crew is there"), Name("修复通水", "it is repaired")]
    at = {"1": 0, "2": 1, "done": len(listed)}.get(case["step"], 0)
    now = "bad" if case["step"] == "stopped" else "now"
    states = ["done" if number < at else now if number == at else "" for number in range(len(listed))]
    return [(opened.name(each), state) for each, state in zip(listed, states, strict=True)]


def _name_of(opened: PageOf, document: str) -> str:
    """What a document that could not be kept is called."""
    every = (one for owed in opened.standard.connection.documents.values() for one in owed)
    found = next((one.name_zh for one in every if one.code == document), None)
    return opened.called(found) if found else opened.say("照片", "photograph")
