"""What people paste: telephones, order numbers and instants as they come from other programs and from paper."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.fields import pasted_text, plain_phone
from infra.eventstore.shipped_rules import order_number, order_stream
from tests.api_world import DISPATCHER, MORNING, Client, FakeService, app_over, fault, staff

HOTLINE = staff("hotline", channel="hotline")


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def client(service: FakeService) -> Client:
    return Client(app_over(service))


@pytest.mark.parametrize(
    ("pasted", "plain"),
    [
        ("13800000000", "13800000000"),
        ("0743-8220000", "0743-8220000"),
        ("+86 138 0000 0000", "+86 138 0000 0000"),
        ("\u202d13800000000\u202c", "13800000000"),
        ("１３８００００００００", "13800000000"),
        ("(0743) 8220000", "0743 8220000"),
        ("（0743）8220000", "0743 8220000"),
        ("0743—8220000", "0743-8220000"),
        ("0743 - 822 0000", "0743-822 0000"),
        ("0743-8220000转801", "0743-8220000转801"),
        ("0743-8220000 ext. 801", "0743-8220000转801"),
        ("0743-8220000分机801", "0743-8220000转801"),
        ("138\u200b0000\u200b0000;", "13800000000"),
        ("打李四家", None),
        ("1234", None),
        ("", None),
    ],
)
def test_a_telephone_is_read_as_people_paste_it(pasted: str, plain: str | None) -> None:
    assert plain_phone(pasted) == plain


@given(st.text(max_size=60))
def test_a_plain_telephone_is_its_own_plain_form_and_text_has_nothing_unseen(text: str) -> None:
    plain = plain_phone(text)
    assert plain is None or plain_phone(plain) == plain
    assert pasted_text(pasted_text(text)) == pasted_text(text)
    assert pasted_text(text).isprintable()


def told(client: Client, headers: dict[str, str] = HOTLINE, **reporter: Any) -> str:
    answer = client.post("/api/v1/repairs", fault(reporter=reporter or None), headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["case_id"])


def first_event(service: FakeService) -> Any:
    (case,) = [events for events in service.events.values() if b"FaultReported" in events[0]]
    return json.loads(case[0])


@pytest.mark.parametrize("phone", ["\u202d138 0000 0000\u202c", "问隔壁王姐", "看门大爷知道 0743"])
def test_a_report_is_never_lost_for_its_telephone(client: Client, service: FakeService, phone: str) -> None:
    told(client, name="张\u200b三", phone=phone)
    event = first_event(service)
    plain = plain_phone(phone)
    assert ("contact-unclear" in event["data"]["flags"]) == (plain is None)
    assert event["data"]["answer_owed"] is True
    (subject,) = service.subjects
    assert subject.particulars == {"name": "张三", **({"phone": plain} if plain else {"phone_as_given": phone})}


@pytest.mark.parametrize(
    "reporter",
    [
        {},
        {"phone": "13812345678", "name": "   "},
        {"phone": "13812345678", "name": "张\x00三"},
        {"phone": "13812345678", "name": "张\u202e三", "address": "1 号\n2 栋"},
        {"phone": "1" * 30, "address": "\u2028"},
    ],
)
def test_whatever_stands_in_the_reporters_fields_the_report_is_taken(
    client: Client, service: FakeService, reporter: dict[str, str]
) -> None:
    answer = client.post("/api/v1/repairs", fault(reporter=reporter), headers=HOTLINE)
    assert answer.status_code == 201, answer.text
    (subject,) = service.subjects
    assert all(value.isprintable() and value for value in subject.particulars.values())


@pytest.mark.parametrize("minutes", [-31, -480, -14_000_000, 3, 480], ids=lambda minutes: f"{minutes} minutes off")
def test_a_report_is_never_lost_for_the_clock_of_its_phone(client: Client, service: FakeService, minutes: int) -> None:
    """Before, it was refused, and the public was to ask a second person."""
    off = (MORNING + timedelta(minutes=minutes)).isoformat()
    answer = client.post("/api/v1/repairs", fault(happened_at=off))
    assert answer.status_code == 201, answer.text
    (told,) = [json.loads(each) for each in service.events[UUID(answer.json()["case_id"])][:1]]
    assert datetime.fromisoformat(told["time"]) == MORNING
    assert told["data"]["flags"] == ["clock-doubted"]
    own_times = {"happened_at": MORNING.isoformat(), "reported_at": (MORNING - timedelta(minutes=5)).isoformat()}
    assert client.post("/api/v1/repairs", fault(**own_times)).status_code == 201
    clerk = client.post("/api/v1/repairs", fault(happened_at=off), headers=staff("hotline", channel="hotline"))
    assert clerk.json()["code"] == ("second-person-needed" if minutes < 0 else "future-time")


def test_a_burst_found_by_a_patrol_is_taken_and_owes_no_answer(client: Client, service: FakeService) -> None:
    case_id = told(client, DISPATCHER)
    assert first_event(service)["data"]["answer_owed"] is False
    path = f"/api/v1/repairs/{case_id}"
    for step, body in (("dispatch", {"crew": "crew-1"}), ("completion", {})):
        assert client.post(f"{path}/{step}", body, headers=DISPATCHER).status_code == 200
    windows = {each["commitment"] for each in client.get(f"/api/v1/cases/{case_id}").json()["windows"]}
    assert "repair.arrival" in windows
    assert "repair.answer" not in windows
    shown = client.get(path, headers=DISPATCHER).json()
    assert "answer" not in [step["action"] for step in shown["next_actions"]]
    order = client.post(f"{path}/reports/1/answer/order", {"way": "sms"}, headers=HOTLINE)
    assert order.json()["code"] == "reporter-missing"


@pytest.mark.parametrize("number", ["js20260916_00123", "〔2026〕123-4", "JS20260916-00123", "jx/2026/17"])
def test_an_order_number_is_taken_as_its_body_writes_it(client: Client, service: FakeService, number: str) -> None:
    order = {"source": "hotline-12345", "number": number}
    answer = client.post("/api/v1/repairs", fault() | {"order": order}, headers=HOTLINE)
    assert answer.status_code == 201, answer.text
    assert first_event(service)["data"]["order"]["number"] == number


@pytest.mark.parametrize(
    ("one", "other"),
    [("js_2026〔3〕", "JS-2026-3"), ("JS20260916-00123", "js20260916-00123"), ("〔2026〕123", "[2026]123")],
)
def test_how_a_number_is_written_makes_no_other_order(one: str, other: str) -> None:
    assert order_stream("hotline-12345", one) == order_stream("hotline-12345", other)


@given(st.from_regex(r"\A[A-Z0-9][A-Z0-9-]{0,39}\Z"))
def test_a_number_of_before_keeps_its_stream(number: str) -> None:
    assert order_number(number) == number


def test_seven_digits_of_a_second_are_taken_and_rounded_as_readings_are(client: Client, service: FakeService) -> None:
    body = fault() | {"happened_at": "2026-09-16T08:59:00.1234567+08:00"}
    assert client.post("/api/v1/repairs", body, headers=HOTLINE).status_code == 201
    assert first_event(service)["time"] == "2026-09-16T00:59:00.123457Z"
