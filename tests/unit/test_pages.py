"""The pages: clients of the API that know nothing else, forms made from its document, both languages."""

from __future__ import annotations

import json
import re
from datetime import UTC
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import FormData

from api.http.within import Answer as WithinAnswer
from api.http.within import decoded
from api.pages import files
from api.pages.actions import Action, actions_of
from api.pages.calls import _problem, at
from api.pages.case import NEXT, PREFIXES, known_by
from api.pages.connection_case import refundable
from api.pages.forms import NOT_ASKED, YUAN, Form, in_fen, in_yuan, plain_values, sent_values
from api.pages.labels import Choices, has_label, label_of
from api.pages.language import split_title
from api.pages.page import own_path
from api.pages.repairs import _districts
from infra.eventstore.shipped_rules import shipped_catalogue, shipped_rules
from projections import names
from tests.api_world import MORNING, Client, FakeService, app_over

NO_FORM = frozenset(
    {
        # Documents and batches that programs send, and particulars that are sent as files.
        "publication_draft_standard",
        "publication_draft_catalogue",
        "publication_publish_law",
        "publication_try_law",
        "publication_publish_calendar",
        "publication_try_calendar",
        "publication_what_if",
        "mass_incidents_report_many",
        "readings_send",
        "evidence_begin",
        "approvals_ask",
        "session_token",
    }
)
"""Operations whose body no form of a page asks for field by field."""


@pytest.fixture(scope="module")
def actions() -> dict[str, Action]:
    return dict(actions_of(app_over(FakeService())))


@pytest.fixture(scope="module")
def choices() -> Choices:
    rules = shipped_rules()
    newest = max(rules.standards, key=lambda each: each.effective_from)
    return Choices(newest, shipped_catalogue(), {})


def leaves(form: Form, fields: Any) -> list[Any]:
    return [leaf for each in fields for leaf in (leaves(form, each.fields) if each.fields else [each])]


def test_every_field_of_every_form_has_a_name_in_both_languages(actions: dict[str, Action], choices: Choices) -> None:
    nameless = set()
    for action in actions.values():
        if action.operation in NO_FORM:
            continue
        for each in leaves(action.form(choices), action.form(choices).fields({})):
            key = re.sub(r"\.\d+\.", ".", each.name)
            if not has_label(action.operation, key):
                nameless.add((action.operation, key))
            assert (
                re.search("[\u4e00-\u9fff]", label_of(action.operation, key).zh) or (action.operation, key) in nameless
            )
    assert sorted(nameless) == []


def test_every_choice_has_a_chinese_name(actions: dict[str, Action], choices: Choices) -> None:
    unnamed = set()
    for action in actions.values():
        if action.operation in NO_FORM:
            continue
        for each in leaves(action.form(choices), action.form(choices).fields({})):
            unnamed |= {(each.name, code) for code, name in each.choices if not re.search("[\u4e00-\u9fff]", name.zh)}
    assert sorted(unnamed) == []


def test_every_next_action_of_the_api_has_its_command(actions: dict[str, Action]) -> None:
    led = {operation for operations in NEXT.values() for operation in operations}
    assert led <= actions.keys()
    # These are about one report, one arrival or one charge: their links stand beside it.
    beside = {"answer", "apologise", "supply-evidence"}
    assert {*names.ACTIONS, *names.REPAIR_ACTIONS} - NEXT.keys() == beside
    for prefix in PREFIXES.values():
        assert any(action.path.startswith(prefix) for action in actions.values())


# ---- forms and bodies

_TEXTS = st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=12)


def bodies(form: Form, schema: Any) -> st.SearchStrategy[Any]:
    """Bodies of a schema, as JSON."""
    schema = form._plain(schema)
    if "properties" in schema:
        known = {name: each for name, each in schema["properties"].items() if name not in NOT_ASKED}
        return st.fixed_dictionaries({}, optional={name: bodies(form, each) for name, each in known.items()}).filter(
            bool
        )
    kind = schema.get("type")
    if kind == "array":
        return st.lists(bodies(form, schema["items"]), min_size=1, max_size=3)
    if kind == "object":
        return st.dictionaries(st.sampled_from(["residential", "non-residential"]), st.integers(0, 100), min_size=1)
    if kind == "integer":
        return st.integers(0, 10**6)
    if kind == "number":
        return st.floats(-90, 90, allow_nan=False)
    if kind == "boolean":
        return st.booleans()
    if schema.get("format") == "date-time":
        return st.datetimes(timezones=st.just(UTC)).map(lambda each: each.isoformat())
    return _TEXTS


@given(st.data())
def test_a_body_goes_through_its_form_unchanged(data: st.DataObject) -> None:
    every = _every_form()
    form = data.draw(st.sampled_from(every))
    body = data.draw(bodies(form, form.schema))
    assert form.body(plain_values(body)) == body


def _every_form() -> list[Form]:
    if not _FORMS:
        rules = shipped_rules()
        newest = max(rules.standards, key=lambda each: each.effective_from)
        choices = Choices(newest, shipped_catalogue(), {})
        every = actions_of(app_over(FakeService())).values()
        _FORMS.extend(each.form(choices) for each in every if each.properties and each.operation not in NO_FORM)
    return _FORMS


_FORMS: list[Form] = []


def test_a_time_of_a_form_is_a_time_in_china_and_what_is_empty_is_left_out(
    actions: dict[str, Action], choices: Choices
) -> None:
    form = actions["repairs_report_fault"].form(choices)
    sent = {
        "kind": "burst",
        "district": "",
        "happened_at": "2026-09-16T14:05",
        "reporter.phone": "",
        "place.latitude": "x",
    }
    assert form.body(sent) == {
        "kind": "burst",
        "happened_at": "2026-09-16T14:05:00+08:00",
        "place": {"latitude": "x"},
    }


# ---- language, addresses


def test_a_title_is_split_into_its_languages() -> None:
    assert split_title("Send a crew 派单") == ("派单", "Send a crew")
    assert split_title("A paper as PDF 文书 PDF") == ("文书 PDF", "A paper as PDF")
    assert split_title("Health") == ("Health", "Health")


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example", "/\\evil.example", "x", "/a\nb", ""])
def test_a_form_leads_on_to_our_own_pages_only(elsewhere: str) -> None:
    assert own_path(elsewhere) == "/"
    assert own_path("/cases/1?x=2#v3") == "/cases/1?x=2#v3"


def test_the_language_is_chinese_until_english_is_chosen() -> None:
    client = Client(app_over(FakeService()))
    assert '<html lang="zh-CN"' in client.get("/").text
    assert '<html lang="en"' in client.get("/?lang=en").text
    assert '<html lang="en"' in client.get("/", headers={"Cookie": "tongshui_language=en"}).text
    chosen = client.get("/language?to=en&next=/design")
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/design")
    assert "tongshui_language=en" in chosen.headers["set-cookie"]
    assert "set-cookie" not in client.get("/language?to=xx&next=//evil.example").headers


def test_what_the_api_refuses_is_told_on_the_page_with_its_code() -> None:
    client = Client(app_over(FakeService()))
    refused = client.request("POST", "/do/repairs_report_fault", content=b"kind=burst", headers=FORM)
    assert refused.status_code == 422
    assert "bad-body" in refused.text
    assert 'value="burst" selected' in refused.text, "what was filled in stays"


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


# ---- bounds


def test_a_form_is_bounded_and_so_are_all_that_arrive_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(app_over(FakeService()))
    monkeypatch.setattr(files, "FORM_LIMIT_BYTES", 1000)
    monkeypatch.setattr(files, "ARRIVING_LIMIT_BYTES", 3000)
    monkeypatch.setattr(files, "SMALL_FORM_BYTES", 0)
    large = client.request("POST", "/do/repairs_report_fault", content=b"kind=" + b"x" * 1000, headers=FORM)
    assert (large.status_code, "body-too-large" in large.text) == (413, True)
    monkeypatch.setattr(files._arriving, "bytes", 2995)
    crowded = client.request("POST", "/do/repairs_report_fault", content=b"kind=burst", headers=FORM)
    assert (crowded.status_code, "too-many-uploads" in crowded.text) == (429, True)
    assert files._arriving.bytes == 2995, "what did not stay is counted no more"


def test_a_form_with_a_token_that_is_not_the_sessions_does_nothing() -> None:
    """A browser sends the cookie with it, and cannot know the token that the form of our page repeats."""
    service = FakeService()
    client = Client(app_over(service), proxy_secret=None)
    headers = {**FORM, "Cookie": "tongshui_session=somebody"}
    body = b"kind=burst&district=zhenxi&csrf=wrong"
    answer = client.request("POST", "/do/repairs_report_fault", content=body, headers=headers)
    assert answer.status_code in (401, 403)
    assert service.commands == []


# ---- money


@given(st.integers(1, 10**10))
def test_money_is_entered_in_yuan_and_sent_in_fen(fen: int) -> None:
    assert in_fen(in_yuan(str(fen))) == fen


@pytest.mark.parametrize(
    ("entered", "fen"), [("1,234.5", 123_450), ("60", 6_000), ("¥ 0.01", 1), (" 12，000 ", 1_200_000)]
)
def test_money_is_read_as_people_write_it(entered: str, fen: int) -> None:
    assert in_fen(entered) == fen


@pytest.mark.parametrize("entered", ["0.001", "x", "NaN", "Infinity", "1e400000000"])
def test_what_is_no_amount_is_left_for_the_api_to_refuse(entered: str) -> None:
    assert in_fen(entered) == entered


def test_a_payment_is_prefilled_in_yuan_and_read_back_in_fen(actions: dict[str, Action], choices: Choices) -> None:
    form = actions["connections_pay"].form(choices)
    lines = next(
        each
        for each in form.fields({"lines.0.fee": "water-loss", "lines.0.amount_fen": "6000"})
        if each.name == "lines"
    )
    amount = next(each for each in lines.fields[0].fields if each.name == "lines.0.amount_fen")
    assert (amount.widget, amount.value) == ("yuan", "60.00")
    fee = next(each for each in lines.fields[0].fields if each.name == "lines.0.fee")
    assert fee.widget == "select", "a row can be left empty"
    sent = {"payment": "PAY-1", "lines.0.fee": "water-loss", f"lines.0.amount_fen{YUAN}": "60.00", "lines.1.fee": ""}
    assert form.body(sent) == {"payment": "PAY-1", "lines": [{"fee": "water-loss", "amount_fen": 6000}]}


def test_what_goes_back_is_the_rest_or_everything_where_the_case_stopped() -> None:
    fees = [
        {"fee": "water-loss", "quoted": 6000, "paid": 6000, "refunded": 0, "balance": 0},
        {"fee": "installation", "quoted": 100, "paid": 500, "refunded": 150, "balance": -250},
    ]
    assert refundable({"stopped": None, "fees": fees}) == {"installation": 250}
    assert refundable({"stopped": {"final": False}, "fees": fees}) == {"installation": 250}
    assert refundable({"stopped": {"final": True}, "fees": fees}) == {"water-loss": 6000, "installation": 350}


def test_a_small_form_is_taken_whatever_others_are_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "ARRIVING_LIMIT_BYTES", 0)
    answer = Client(app_over(FakeService())).request(
        "POST", "/do/repairs_report_fault", content=b"kind=x", headers=FORM
    )
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}],
)
def test_a_form_of_another_site_is_refused_before_it_is_read(headers: dict[str, str]) -> None:
    client = Client(app_over(FakeService()), proxy_secret=None)
    answer = client.request("POST", "/do/repairs_report_fault", content=b"kind=burst", headers={**FORM, **headers})
    assert (answer.status_code, "cross-site-form" in answer.text) == (403, True)


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:8225"}, {}]
)
def test_a_form_of_ours_is_read(headers: dict[str, str]) -> None:
    client = Client(app_over(FakeService()), proxy_secret=None)
    answer = client.request("POST", "/do/repairs_report_fault", content=b"kind=burst", headers={**FORM, **headers})
    assert "bad-body" in answer.text


@pytest.mark.parametrize("address", ["//[", "https://[", "/\\["])
def test_an_address_that_is_none_leads_to_the_first_page(address: str) -> None:
    client = Client(app_over(FakeService()))
    assert client.get("/language", params={"to": "en", "next": address}).headers["location"] == "/"


def test_the_chosen_language_beats_the_one_that_the_address_asked_for() -> None:
    client = Client(app_over(FakeService()))
    chosen = client.get("/language", params={"to": "zh", "next": "/design?lang=en&x=1"})
    assert chosen.headers["location"] == "/design?x=1"
    dark = client.get("/theme", params={"to": "dark", "next": "/design?lang=en&x=1"})
    assert dark.headers["location"] == "/design?lang=en&x=1", "the colours leave the language as it is"


@pytest.mark.parametrize("query", ["crew=%00", "next=" + "x" * 5000])
def test_what_no_page_sends_is_refused(query: str) -> None:
    answer = Client(app_over(FakeService())).get(f"/do/repairs_report_fault?{query}")
    assert (answer.status_code, "bad-request" in answer.text) == (400, True)


def test_texts_that_are_no_text_and_numbers_without_end_break_nothing(
    actions: dict[str, Action], choices: Choices
) -> None:
    sent = sent_values(FormData([("topic", "\ud800"), ("score", "9" * 5000)]))
    assert sent["topic"].encode() == b"?"
    form = actions["connections_pay"].form(choices)
    many = {"lines.0.amount_fen": "9" * 5000, "lines.999.fee": "x"}
    lines = next(each for each in form.fields(many) if each.name == "lines")
    assert len(lines.fields) <= 50
    assert in_fen("9" * 5000) == "9" * 5000


def test_the_row_of_a_problem_is_the_forms_row() -> None:
    problem = {"code": "bad-body", "fields": [{"field": "lines.2.quantity", "problem": "", "problem_zh": ""}]}
    refused = _problem(WithinAnswer(422, (), json.dumps(problem).encode()))
    assert refused["fields"][0]["field"] == "lines.1.quantity"


@pytest.mark.parametrize(
    ("crew", "code"),
    [
        ("crew-1/position?", "no-such-path"),
        ("..", "no-such-path"),
        ("crew-1\0", "bad-parameter"),
        ("138 0013 8000", "bad-parameter"),
    ],
)
def test_a_part_of_a_path_reaches_the_api_as_it_was_entered_and_names_no_other_path(crew: str, code: str) -> None:
    """A telephone is one however its blanks are written in an address, and a slash makes no other command of it."""
    service = FakeService()
    headers = {**FORM, "X-Actor": "lead-1", "X-Role": "crew-lead"}
    body = urlencode({"crew": crew}).encode()
    answer = Client(app_over(service)).request("POST", "/do/crews_start_shift", content=body, headers=headers)
    assert f"<code>{code}</code>" in answer.text
    assert service.commands == []


@given(st.text(min_size=1, max_size=8).filter(lambda text: text not in (".", "..")))
def test_a_path_is_decoded_part_by_part(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    assert decoded(f"/a{at(text)}/b") == (None if "/" in text else f"/a/{text}/b")


def test_the_counts_of_the_districts_add_up_to_the_list() -> None:
    states = ((True, "A", None), (True, "B", "crew-1"), (False, "B", "crew-2"), (False, "C", None))
    rows = [{"open": is_open, "district": each, "crew": crew, "due_at": None} for is_open, each, crew in states]
    opened: Any = SimpleNamespace(now=MORNING)
    found = {each["code"]: (each["open"], each["answers"], each["waiting"]) for each in _districts(opened, rows)}
    assert found == {"A": (1, 0, 1), "B": (1, 1, 0), "C": (0, 1, 0)}


def test_a_row_that_lacks_an_entry_is_named_by_what_was_chosen_in_it() -> None:
    sent = {"case_id": str(UUID(int=1)), "lines.0.fee": "installation", "lines.0.quantity": "3"}
    sent |= {"lines.1.fee": "water-loss", "lines.1.quantity": ""}
    headers = {**FORM, "X-Actor": "counter-1", "X-Role": "counter"}
    path = "/do/connections_issue_quote"
    answer = Client(app_over(FakeService())).request("POST", path, content=urlencode(sent).encode(), headers=headers)
    assert "第 2 行 · 管网水损费（按户） · 数量" in answer.text
    assert answer.text.count("不需要这一行时，请把整行清空") == 2, "above the form and at the field"


def test_a_session_that_is_over_does_not_keep_the_public_from_reporting() -> None:
    service = FakeService()
    client = Client(app_over(service), proxy_secret=None)
    headers = {**FORM, "Cookie": "tongshui_session=long-over"}
    body = b"kind=burst&district=zhenxi"
    answer = client.request("POST", "/do/repairs_report_fault", content=body, headers=headers)
    assert answer.status_code == 303, answer.text
    assert "tongshui_session=" in answer.headers["set-cookie"], "the cookie is taken back"
    for cookie in ("tongshui_session=long-over", "", "theme=dark"):
        again = {**FORM, "Cookie": cookie} if cookie else FORM
        kept = client.request("POST", "/do/repairs_report_fault", content=body + b"&csrf=of-a-session", headers=again)
        assert kept.status_code == 401, "a form that was made for a session is never sent as the public's"
        assert "session-ended" in kept.text
    assert len(service.commands) == 1


@pytest.mark.parametrize(("client", "is_refused"), [("192.0.2.1", True), ("192.0.2.2", False)])
def test_behind_a_front_end_the_client_is_counted_and_not_the_front_end(
    monkeypatch: pytest.MonkeyPatch, client: str, is_refused: bool
) -> None:
    monkeypatch.setattr(files, "SMALL_FORM_BYTES", 0)
    monkeypatch.setitem(files._arriving.by_address, "192.0.2.1", files.ARRIVING_FROM_ONE_BYTES)
    headers = {**FORM, "X-Forwarded-For": client}
    front_end = Client(app_over(FakeService()))
    answer = front_end.request("POST", "/do/repairs_report_fault", content=b"kind=burst", headers=headers)
    assert ("too-many-uploads" in answer.text) is is_refused


@pytest.mark.parametrize("as_of", ["9999-12-31T23:59:59Z", "9999-12-31T12:00:00-12:00", "0001-01-01T00:00:00+14:00"])
def test_an_instant_that_no_zone_can_show_is_none(as_of: str) -> None:
    assert known_by([], as_of) is None
    assert known_by([], "2026-09-16T01:00:00Z") == []
