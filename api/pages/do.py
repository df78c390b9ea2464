"""One page for every command: its form, what the API said against it, and whom to ask where it needs a second person.

``/do/<operation>?case_id=…&next=…`` fills in the parameters of the command's path and any field of its form from the
address, so that a page links to a form that is half filled in. Works without a script. A form carries the key under
which its command is carried out once, however often it is sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from fastapi.responses import Response
from starlette.datastructures import FormData
from starlette.routing import Route

from api.http.identity import PUBLIC_ROLE
from api.http.trace import note_outcome
from api.pages.actions import Action, actions_of
from api.pages.calls import ApiRefused
from api.pages.files import keep_files, read_form
from api.pages.forms import YUAN, Field, sent_values
from api.pages.labels import Choices, label_of
from api.pages.page import PageOf, own_path, page, see_other
from api.pages.sent import kept_for_back, remember_case, sent_before
from domain.kernel.facts import Name
from domain.kernel.refusals import ASKING
from domain.kernel.roles import ROLES
from domain.standard.powers import roles_with
from projections import names

routes: list[Route] = []

Known = Mapping[str, Sequence[tuple[str, Name]]]
"""Field → the codes that it may hold just now, with their names."""
_OURS = frozenset({"csrf", "key", "next", "if_match", "ask", "ask_reason", "case_number"})
"""Fields of a form that belong to no command."""
MADE_HERE: Mapping[str, str] = {"connections_book_visit": "visit"}
"""Operation → the field that holds an id, which the page makes up and nobody types."""
EMPTY_IN_ROW = Name("未填写；不需要这一行时，请把整行清空", "is empty; leave the whole row empty if you do not want it")
"""What is said of a field of a row that was left empty."""
_ROW = re.compile(r"\.\d+\.")


@page("/do/{operation}", into=routes)
async def show(opened: PageOf) -> Response:
    """The form of a command."""
    action = _action(opened)
    if action is None:
        return opened.render("not_found.html", status=404)
    given = sent_values(opened.request.query_params)
    if (
        not opened.signed_in
        and action.power is not None
        and PUBLIC_ROLE not in roles_with(opened.standard, action.power)
    ):
        return opened.to_login()
    form = await form_page(opened, action, given)
    return form if action.parameters else kept_for_back(form)


@page("/do/{operation}", methods=("POST",), into=routes)
async def send(opened: PageOf) -> Response:
    """Send a command; on success lead on to where its form was reached from."""
    action = _action(opened)
    if action is None:
        return opened.render("not_found.html", status=404)
    sent = await read_form(opened.request)
    values = sent_values(sent)
    if not action.parameters and (before := sent_before(opened, values)) is not None:
        return before
    try:
        answer = await carry_out(opened, action, sent, values)
    except KeyError:
        return opened.render("not_found.html", status=404)
    except ApiRefused as refused:
        note_outcome(opened.request.scope, refused.code)
        return await form_page(
            opened, action, values, refused, asks=ASKING in str(refused.problem.get("next_step", ""))
        )
    sent_on = see_other(_next(values, answer))
    makes_case = not action.parameters and isinstance(answer, dict) and "case_id" in answer
    return remember_case(opened, sent_on, values, answer["case_id"]) if makes_case else sent_on


async def carry_out(opened: PageOf, action: Action, sent: FormData, values: dict[str, Any]) -> Any:
    """Send the command that a form says, with its files kept first; what the API answers. ``ask``: a second person is
    asked instead. The digests of the files are put into ``values``. Raises ``ApiRefused``, and KeyError where a
    parameter of the path is missing."""
    calls = opened.calls_of(values)
    path = action.path_with({name: str(values.get(name, "")) for name in action.parameters})
    case_id = str(values.get("case_id", "")) or None
    classes = {name: action.file_class(name) for name in sent}
    files = await keep_files(calls, sent, classes, case_id)
    fields = {name: value for name, value in values.items() if name not in _OURS and name not in action.parameters}
    body = action.form(choices_of(opened)).body(fields | files)
    # What was kept stays in the form when the command itself is refused: nobody photographs the same thing twice.
    values.update(files)
    if ask := str(values.get("ask", "")):
        asked = {"path": path, "body": body, "role": ask, "reason": str(values.get("ask_reason", ""))}
        return await calls.post("/approvals", asked)
    key = str(values.get("key", "")) or None
    return await calls.post(path, body, key=key, if_match=str(values.get("if_match", "")) or None)


async def form_page(
    opened: PageOf,
    action: Action,
    values: Mapping[str, Any],
    refused: ApiRefused | None = None,
    *,
    asks: bool = False,
) -> Response:
    """The page with the form of a command, as it was filled in, and what the API said against it."""
    made = MADE_HERE.get(action.operation)
    if made is not None:
        values = {**values, made: values.get(made) or str(uuid4())}
    unseen = frozenset(action.parameters) | ({made} if made is not None else set())
    form = action.form(choices_of(opened, await known_codes(opened, action)))
    problem = _rows_said(refused.problem, values) if refused is not None else None
    wrong = opened.wrong(problem)
    fields = form.fields(values, wrong, unseen)
    return opened.render(
        "do.html",
        status=refused.status if refused is not None else 200,
        action=action,
        fields=fields,
        parameters={name: values.get(name, "") for name in sorted(unseen)},
        values=values,
        problem=problem,
        labels={name: _label(action, fields, name) for name in wrong},
        asks=asks,
        asked_roles=asked_roles(opened, action),
        key=values.get("key") or str(uuid4()),
        next_page=own_path(str(values.get("next", ""))),
    )


async def known_codes(opened: PageOf, action: Action) -> dict[str, list[tuple[str, Name]]]:
    """The codes that change by the day: the crews that are on shift, free ones first."""
    properties = action.properties
    wanted = [name for name in ("crew", "to_crew", "from_crew") if name in properties]
    if not wanted or not opened.may("crew.read"):
        return {}
    listed = (await opened.calls.get("/crews"))["crews"]
    on_shift = [each for each in listed if each["on_shift"]] or listed
    shown = [(each["crew"], crew_name(each)) for each in sorted(on_shift, key=lambda each: bool(each["busy"]))]
    return dict.fromkeys(wanted, shown)


def crew_name(crew: Mapping[str, Any]) -> Name:
    """A crew as a list names it: its name, and whether it is free."""
    zh, en = ("忙", "busy") if crew["busy"] else ("空闲", "free")
    return Name(f"{crew['name_zh']}（{crew['crew']}，{zh}）", f"{crew['crew']} ({en})")


def choices_of(opened: PageOf, known: Known | None = None) -> Choices:
    """The codes that hold now."""
    return Choices(opened.standard, opened.service.rules.catalogue(opened.now), known or {})


def _action(opened: PageOf) -> Action | None:
    return actions_of(opened.request.app).get(opened.request.path_params["operation"])


def asked_roles(opened: PageOf, action: Action) -> list[tuple[str, Name]]:
    """The roles that can be asked to stand behind a command: those who may send it themselves, and who leads them."""
    able = roles_with(opened.standard, action.power) if action.power is not None else ()
    leading = ("manager", "duty-manager", "deputy-director")
    found = [role for role in ROLES if role in {*able, *leading} and role not in ("public", "applicant", "reporter")]
    return [(role, names.ROLES[role]) for role in found]


def _rows_said(problem: Mapping[str, Any], values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The refusal, where an entry of a row is missing with what to do about it: a row that is not wanted is to be left
    empty as a whole, also where the page proposed it."""
    listed = problem.get("fields") or ()
    said = [
        each | {"problem": EMPTY_IN_ROW.en, "problem_zh": EMPTY_IN_ROW.zh}
        if _ROW.search(each["field"]) and not values.get(each["field"]) and not values.get(each["field"] + YUAN)
        else each
        for each in listed
    ]
    return {**problem, "fields": said} if said else problem


def _label(action: Action, fields: Sequence[Field], name: str) -> Name:
    """What a field of the form is called; of one in a row, which row, and what was chosen in it."""
    label = label_of(action.operation, _ROW.sub(".", name))
    rows = next((each for each in fields if each.widget == "rows" and name.startswith(f"{each.name}.")), None)
    if rows is None:
        return label
    place = int(name.removeprefix(f"{rows.name}.").partition(".")[0])
    entries = rows.fields[place].fields if place < len(rows.fields) else ()
    chosen = next((dict(each.choices).get(each.value) for each in entries if each.choices and each.value), None)
    zh, en = (f"{chosen.zh} · ", f"{chosen.en}, ") if chosen is not None else ("", "")
    return Name(f"第 {place + 1} 行 · {zh}{label.zh}", f"row {place + 1}, {en}{label.en}")


def _next(values: Mapping[str, Any], answer: Any) -> str:
    case_id = answer.get("case_id") if isinstance(answer, dict) else None
    wanted = own_path(str(values.get("next", "")), "")
    return wanted or (f"/cases/{case_id}" if case_id else "/")
