"""Apply for water 用水报装: one form, what it needs by kind of applicant, the promised day before it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from fastapi.responses import Response
from starlette.routing import Route

from api.http.trace import note_outcome
from api.pages.actions import actions_of
from api.pages.calls import ApiRefused
from api.pages.citizens import FILE, Filled, code_in, files_of, hand_in, received
from api.pages.do import choices_of
from api.pages.files import read_form
from api.pages.forms import Field, sent_values
from api.pages.labels import label_of
from api.pages.page import PageOf, page
from api.pages.sent import kept_for_back, sent_before
from domain.kernel.facts import Name

routes: list[Route] = []

OPERATION = "connections_receive"
USUAL_CLASS: Mapping[str, str] = {"private": "residential", "village-group": "residential"}
"""Kind of applicant → the price class that the form proposes for the whole use; ``OTHERWISE`` for every other."""
OTHERWISE = "non-residential"


@page("/apply", into=routes)
async def show(opened: PageOf) -> Response:
    """The kinds of applicant; once one is chosen, its form."""
    given = {"category": opened.param("category"), "district": opened.param("district")}
    return kept_for_back(await _form(Filled(opened, given)))


@page("/apply", methods=("POST",), into=routes)
async def send(opened: PageOf) -> Response:
    """Send the application, and hand in what was chosen by the link of its answer."""
    form = await read_form(opened.request)
    values = sent_values(form)
    if (before := sent_before(opened, values)) is not None:
        return before
    calls = opened.calls_of(values)
    try:
        answer = await calls.post("/connections", _body(opened, values), key=str(values.get("key", "")) or None)
    except ApiRefused as refused:
        note_outcome(opened.request.scope, refused.code)
        return await _form(Filled(opened, values, refused))
    failed: dict[str, str] = {}
    if answer["follow"]:
        for name, file in files_of(form):
            document = name.removeprefix(FILE)
            try:
                await hand_in(calls, code_in(answer["follow"]), document, await file.read())
            except ApiRefused as refused:
                failed[document] = refused.code
    return received(opened, answer, values, failed)


async def _form(filled: Filled) -> Response:
    opened, values = filled.opened, filled.values
    disclosed = await opened.calls.get("/disclosure")
    chosen = next((each for each in disclosed["documents"] if each["category"] == values.get("category")), None)
    if chosen is None:
        return opened.render("apply_choose.html", disclosed=disclosed)
    return opened.render(
        "apply.html",
        status=filled.status,
        chosen=chosen,
        due=await opened.calls.get("/due", **{"from": opened.today.isoformat()}),
        problem=filled.problem,
        labels={name: label_of(OPERATION, name) for name in filled.wrong},
        who=_who(filled, is_person=chosen["category"] in USUAL_CLASS),
        points=_points(filled),
        classes=opened.standard.connection.price_classes,
        usual=values.get("use") or USUAL_CLASS.get(chosen["category"], OTHERWISE),
        values=values,
        is_mixed=any(value for name, value in values.items() if name.startswith("usage_split.")),
        key=values.get("key") or str(uuid4()),
        file=FILE,
    )


def _who(filled: Filled, *, is_person: bool) -> list[Field]:
    say = filled.opened.say
    company = Name("单位名称", "name of the company or body"), Name("统一社会信用代码", "unified social credit code")
    person = Name("姓名", "your name"), Name("身份证号码", "number of your identity card")
    name, number = person if is_person else company
    reached = say("用于联系您和查询进度", "so that we can reach you, and you can follow your case")
    example = say("例如：人民北路 1 号 2 栋 301", "for example: 1 Renmin North Road, block 2, flat 301")
    autocomplete = "name" if is_person else "organization"
    return [
        filled.field("applicant.name", name, required=True, maxlength=80, autocomplete=autocomplete),
        filled.field(
            "applicant.phone",
            Name("联系电话", "telephone"),
            hint=reached,
            required=True,
            maxlength=64,
            autocomplete="tel",
        ),
        filled.field(
            "applicant.address",
            Name("用水地址", "address of the water"),
            hint=example,
            required=True,
            maxlength=200,
            autocomplete="street-address",
        ),
        filled.field(
            "applicant.id_number", number, hint=say("可不填", "may be left out"), maxlength=18, autocomplete="off"
        ),
    ]


def _points(filled: Filled) -> list[Field]:
    say = filled.opened.say
    return [
        filled.field(
            "supply_points",
            Name("需要几个用水点（装几块水表）", "how many places want water (one meter each)"),
            "number",
            hint=say("一户通常是 1 个", "one household is usually one"),
            required=True,
            otherwise="1",
            min=1,
            max=filled.opened.standard.connection.max_supply_points,
            step=1,
        ),
        filled.field(
            "grid_codes",
            Name("网格编码（不知道可不填）", "grid code (leave it out if you do not know it)"),
            hint=say(
                "供水单位给每个网格的编号，如 QZ-07，不是门牌号；抄表员、社区或 12345 能告诉您。"
                "有几个用水点就写几个，用空格隔开。不填由勘察人员现场登记。",
                "The utility's number of the grid cell, such as QZ-07, and no house number: your meter reader, the "
                "community or 12345 can tell it. One for each place, with blanks between. If you leave it out, the "
                "surveyor takes it down.",
            ),
            maxlength=200,
            autocomplete="off",
        ),
    ]


def _body(opened: PageOf, values: Mapping[str, Any]) -> dict[str, Any]:
    """The body that the form says. The grid codes are one field, and the use holds for each of them."""
    codes = str(values.get("grid_codes", "")).replace(",", " ").replace("，", " ").replace("、", " ").split()
    classes = opened.standard.connection.price_classes
    mixed = {f"usage_split.{code}": values.get(f"usage_split.{code}", "") for code in classes}
    split = {name: share for name, share in mixed.items() if share not in ("", "0")}
    split = split or {f"usage_split.{values.get('use', OTHERWISE)}": "100"}
    points = {
        f"points.{row}.{name}": value
        for row, code in enumerate(codes)
        for name, value in {"address_code": code.upper(), **split}.items()
    }
    form = actions_of(opened.request.app)[OPERATION].form(choices_of(opened))
    return form.body({**values, **points})
