"""Report a fault 报修: what it is, where it is, how we can tell you; the first three fields are enough."""

from __future__ import annotations

from uuid import uuid4

from fastapi.responses import Response
from starlette.routing import Route

from api.http.trace import note_outcome
from api.pages.actions import actions_of
from api.pages.calls import ApiRefused
from api.pages.citizens import Filled, code_in, files_of, keep_file, received
from api.pages.do import choices_of
from api.pages.english import in_both
from api.pages.files import read_form
from api.pages.forms import Field, sent_values
from api.pages.labels import label_of
from api.pages.page import PageOf, page
from api.pages.sent import kept_for_back, sent_before
from domain.kernel.facts import Name

routes: list[Route] = []

OPERATION = "repairs_report_fault"
TAKEN = ("kind", "district", "reporter.name", "reporter.phone", "reporter.address", "place.latitude", "place.longitude")
"""Fields of the command that this form has."""


@page("/report", into=routes)
async def show(opened: PageOf) -> Response:
    """The form."""
    return kept_for_back(_form(Filled(opened, {"kind": opened.param("kind"), "district": opened.param("district")})))


@page("/report", methods=("POST",), into=routes)
async def send(opened: PageOf) -> Response:
    """Send the report; its photographs follow by the link of its answer."""
    form = await read_form(opened.request)
    values = sent_values(form)
    if (before := sent_before(opened, values)) is not None:
        return before
    calls = opened.calls_of(values)
    command = actions_of(opened.request.app)[OPERATION].form(choices_of(opened))
    try:
        body = command.body({name: values[name] for name in TAKEN if name in values})
        answer = await calls.post("/repairs", body, key=str(values.get("key", "")) or None)
    except ApiRefused as refused:
        note_outcome(opened.request.scope, refused.code)
        return _form(Filled(opened, values, refused))
    failed: dict[str, str] = {}
    if answer["follow"]:
        for name, file in files_of(form):
            try:
                await keep_file(calls, code_in(answer["follow"]), await file.read())
            except ApiRefused as refused:
                failed[name] = refused.code
    return received(opened, answer, values, failed)


def _form(filled: Filled) -> Response:
    opened, values = filled.opened, filled.values
    return opened.render(
        "report.html",
        status=filled.status,
        problem=filled.problem,
        labels={name: label_of(OPERATION, name) for name in filled.wrong},
        kinds=opened.standard.repair.fault_kinds,
        minutes=opened.standard.repair.arrival_minutes,
        values=values,
        where=_where(filled),
        who=_who(filled),
        key=values.get("key") or str(uuid4()),
    )


def _where(filled: Filled) -> list[Field]:
    standard, say = filled.opened.standard, filled.opened.say
    districts = [(code, in_both(each.name_zh, code)) for code, each in standard.districts.items()]
    example = say("路名、小区、楼栋或旁边的标志，例如：人民北路公交站旁", "street, house, or what stands beside it")
    return [
        filled.field(
            "district", Name("在哪个街道或乡镇", "which district"), "select", required=True, choices=districts
        ),
        filled.field(
            "reporter.address",
            Name("具体位置", "where exactly"),
            hint=example,
            maxlength=200,
            autocomplete="street-address",
        ),
    ]


def _who(filled: Filled) -> list[Field]:
    why = filled.opened.say(
        "抢修人员找不到位置时联系您，修好后告诉您", "so that the crew finds it, and we tell you once it is done"
    )
    phone, name = Name("电话（可不填）", "telephone (optional)"), Name("怎么称呼您（可不填）", "your name (optional)")
    return [
        filled.field("reporter.phone", phone, hint=why, maxlength=64, autocomplete="tel"),
        filled.field("reporter.name", name, maxlength=80, autocomplete="name"),
    ]
