"""Outages: approval and notice before one is planned, notice while one is an emergency, and the index."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.kernel.refusals import Refusal
from domain.outages import index
from domain.outages.index import Spell
from domain.outages.notices import KIND
from domain.standard.flat import with_changes
from infra.eventstore.shipped_rules import shipped_rules
from infra.outbox.results import Ended, command_of
from tests.api_world import DIGEST, MORNING, Client, FakeService, app_over, fault, staff

PLANNED = {
    "districts": ["zhenxi", "donghe"],
    "affected_users": 1200,
    "begin": "2026-09-17T02:00:00Z",
    "end": "2026-09-17T08:00:00Z",
    "approval": "示例文号〔2026〕7号",
    "supply": "tanker",
}
PATH = "/api/v1/outages"


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def client(service: FakeService) -> Client:
    return Client(app_over(service))


def told(
    client: Client, path: str, body: dict[str, Any], status: int = 200, code: str | None = None, role: str = "manager"
) -> dict[str, Any]:
    answer = client.post(f"{PATH}/{path}", body, headers=staff(role))
    found: dict[str, Any] = answer.json()
    assert (answer.status_code, found.get("code")) == (status, code), answer.text
    return found


def planned(client: Client, **changes: Any) -> str:
    return str(told(client, "planned", PLANNED | changes, 201)["case_id"])


def emergency(client: Client, **changes: Any) -> str:
    incident = client.post("/api/v1/repairs", fault()).json()["case_id"]
    body = {"incident": incident, "districts": ["zhenxi"], "affected_users": 300, **changes}
    return str(told(client, "emergency", body, 201)["case_id"])


def facts(service: FakeService, case_id: str) -> list[str]:
    """The facts of the case but those of its windows."""
    names = [json.loads(event)["type"].split(".")[2] for event in service.events[UUID(case_id)]]
    return [name for name in names if not name.startswith("Window")]


# ---- planned


def test_a_planned_outage_runs_from_notice_to_water(client: Client, service: FakeService) -> None:
    case_id = planned(client)
    told(client, f"{case_id}/notices", {"way": "wechat", "digest": DIGEST})
    told(client, f"{case_id}/notices/proof", {"notice": 1, "digest": DIGEST})
    service.clock.move(timedelta(hours=25))
    told(client, f"{case_id}/start", {})
    told(client, f"{case_id}/extension", {"end": "2026-09-17T10:00:00Z"})
    told(client, f"{case_id}/water", {"point": "renmin-square", "litres": 4000}, role="crew")
    service.clock.move(timedelta(hours=7))
    told(client, f"{case_id}/restoration", {}, role="crew")
    shown = client.get(f"{PATH}/{case_id}").json()
    assert shown["case_number"] == "TS-2026-000001"
    assert (shown["started_at"], shown["restored_at"]) == ("2026-09-17T02:00:00Z", "2026-09-17T09:00:00Z")
    assert shown["water_litres"] == 4000
    assert (shown["end"], shown["proven"], shown["incident"]) == ("2026-09-17T10:00:00Z", [1], None)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"approval": None}, 409, "outage-not-approved"),
        ({"approval": ""}, 422, "bad-body"),
        ({"begin": "2026-09-17T00:59:59Z"}, 409, "notice-too-short"),
        ({"begin": "2026-09-15T02:00:00Z"}, 409, "notice-too-short"),
        ({"end": "2026-09-17T02:00:00Z"}, 422, "dates-out-of-order"),
        ({"districts": ["atlantis"]}, 422, "unknown-district"),
        ({"districts": ["zhenxi", "zhenxi"]}, 422, "code-twice"),
        ({"districts": []}, 422, "bad-body"),
        ({"affected_users": 0}, 422, "bad-body"),
        ({"begin": "2026-09-17T02:00:00"}, 422, "naive-time"),
        ({"affected_users": -1}, 422, "bad-body"),
        ({"latitude": 28.3}, 422, "bad-body"),
    ],
)
def test_an_outage_that_does_not_do_is_not_planned(
    client: Client, service: FakeService, changes: dict[str, Any], status: int, code: str
) -> None:
    told(client, "planned", PLANNED | changes, status, code)
    assert service.events == {}


def test_notice_of_exactly_24_hours_is_enough(client: Client) -> None:
    planned(client, begin=(MORNING + timedelta(hours=24)).isoformat())


def test_the_public_plans_and_reports_no_outage(client: Client) -> None:
    told(client, "planned", PLANNED, 403, "wrong-role", role="public")
    case_id = planned(client)
    told(client, f"{case_id}/notices", {"way": "wechat", "digest": DIGEST}, 403, "wrong-role", role="public")


def test_water_is_not_turned_off_without_notice_in_time(client: Client, service: FakeService) -> None:
    case_id = planned(client)
    told(client, f"{case_id}/start", {}, 409, "notice-too-short")
    service.clock.move(timedelta(hours=2))
    told(client, f"{case_id}/notices", {"way": "wechat", "digest": DIGEST})
    service.clock.move(timedelta(hours=23))
    told(client, f"{case_id}/start", {}, 409, "notice-too-short")
    told(client, f"{case_id}/new-times", {"begin": "2026-09-18T02:00:00Z", "end": "2026-09-18T08:00:00Z"})
    told(client, f"{case_id}/notices", {"way": "wechat", "digest": DIGEST})
    service.clock.move(timedelta(hours=24))
    told(client, f"{case_id}/start", {})
    told(client, f"{case_id}/start", {}, 409, "outage-started")


def test_while_a_mass_incident_holds_no_outage_is_planned_there(client: Client, service: FakeService) -> None:
    form = {"mass": "frost-a", "cause": "frost", "districts": ["donghe"]}
    assert client.post("/api/v1/mass-incidents", form, headers=staff("manager")).status_code == 201
    told(client, "planned", PLANNED, 409, "mass-running")
    planned(client, districts=["hexi"])
    emergency(client)
    service.clock.move(timedelta(minutes=1))
    assert client.post("/api/v1/mass-incidents/frost-a/end", {}, headers=staff("manager")).status_code == 200
    planned(client, begin="2026-09-17T03:00:00Z")


# ---- in an emergency


def test_an_emergency_belongs_to_an_incident_and_begins_at_once(client: Client, service: FakeService) -> None:
    case_id = emergency(client, happened_at="2026-09-16T00:40:00Z")
    told(client, f"{case_id}/report", {"document": "示例报告〔2026〕1号"})
    told(client, f"{case_id}/start", {}, 409, "outage-started")
    told(client, f"{case_id}/restoration", {"happened_at": "2026-09-16T00:50:00Z"})
    assert facts(service, case_id) == ["EmergencyOutageBegan", "OutageReported", "OutageRestored"]
    body = {"incident": str(uuid4()), "districts": ["zhenxi"], "affected_users": 300}
    told(client, "emergency", body, 404, "no-such-case")


def test_an_incident_that_was_over_is_no_emergency(client: Client, service: FakeService) -> None:
    """Before, works that nobody had announced owed their notice an hour later, under any incident of last year."""

    def incident(path: str, body: dict[str, Any]) -> str:
        case_id = str(client.post("/api/v1/repairs", fault()).json()["case_id"])
        answer = client.post(f"/api/v1/repairs/{case_id}/{path}", body, headers=staff("dispatcher"))
        assert answer.status_code == 200, answer.text
        return case_id

    over = {
        "repair-completed": incident("completion", {}),
        "already-dismissed": incident("dismissal", {"reason": "false-alarm"}),
        "incident-merged": incident("merging", {"into": incident("acknowledgement", {"crew": "crew-1"})}),
    }
    begun_at = service.clock.now().isoformat()
    service.clock.move(timedelta(minutes=20))
    for code, case_id in over.items():
        body = {"incident": case_id, "districts": ["zhenxi"], "affected_users": 300}
        told(client, "emergency", body, 409, code)
        if code != "incident-merged":
            told(client, "emergency", body | {"happened_at": begun_at}, 201)


def test_water_never_comes_back_before_it_was_off_nor_twice(client: Client) -> None:
    case_id = emergency(client, happened_at="2026-09-16T00:40:00Z")
    told(client, f"{case_id}/restoration", {"happened_at": "2026-09-16T00:39:59Z"}, 422, "dates-out-of-order")
    told(client, f"{case_id}/restoration", {"happened_at": "2026-09-16T02:00:00Z"}, 422, "future-time")
    told(client, f"{case_id}/restoration", {"happened_at": "2026-09-16T00:40:00Z"})
    told(client, f"{case_id}/restoration", {}, 409, "outage-restored")
    told(client, f"{case_id}/extension", {"end": "2026-09-16T09:00:00Z"}, 409, "outage-restored")
    told(client, f"{planned(client)}/restoration", {}, 409, "outage-not-started")


@pytest.mark.parametrize(
    ("step", "body", "status", "code"),
    [
        ("notices", {"way": "smoke-signals", "digest": DIGEST}, 422, "unknown-way"),
        ("notices", {"way": "wechat", "digest": "sha256:0"}, 422, "bad-body"),
        ("notices/proof", {"notice": 1, "digest": DIGEST}, 404, "no-such-notice"),
        ("notices/proof", {"notice": 0, "digest": DIGEST}, 422, "bad-body"),
        ("notices/order", {"way": "pigeon"}, 422, "unknown-way"),
        ("notices/order", {"way": "sms", "text": "自拟"}, 422, "bad-body"),
        ("report", {"document": "13812345678"}, 422, "bad-body"),
        ("water", {"point": "人民北路 1 号", "litres": 10}, 422, "bad-body"),
        ("water", {"point": "square", "litres": 0}, 422, "bad-body"),
        ("extension", {"end": "2026-09-16T00:00:00Z"}, 422, "dates-out-of-order"),
    ],
)
def test_what_is_badly_told_of_an_outage_is_refused(
    client: Client, service: FakeService, step: str, body: dict[str, Any], status: int, code: str
) -> None:
    case_id = emergency(client)
    told(client, f"{case_id}/{step}", body, status, code)
    assert facts(service, case_id) == ["EmergencyOutageBegan"]


def test_no_end_is_announced_that_is_past_already(client: Client, service: FakeService) -> None:
    case_id = emergency(client)
    service.clock.move(timedelta(hours=2))
    told(client, f"{case_id}/extension", {"end": "2026-09-16T02:30:00Z"}, 422, "dates-out-of-order")
    told(client, f"{case_id}/extension", {"end": "2026-09-16T03:30:00Z"})


def test_an_unknown_outage_has_nothing_to_tell(client: Client) -> None:
    told(client, f"{uuid4()}/restoration", {}, 404, "no-such-case")
    assert client.get(f"{PATH}/{uuid4()}").json()["code"] == "no-such-case"


# ---- ordered, delivered, failed


def ended(service: FakeService, order: UUID, case_id: str, **how: Any) -> None:
    """The sender brings the end of an ordered notice into the case."""
    command = command_of(Ended(order, UUID(case_id), KIND, 1, service.clock.now(), **how))
    assert command is not None
    service.run(command)


TAKEN = {"receipt": "r-1", "status": "accepted", "digest": DIGEST}


def ordered(client: Client, service: FakeService, case_id: str, way: str = "sms") -> UUID:
    told(client, f"{case_id}/notices/order", {"way": way})
    return service.messages[-1].event_id


def test_the_text_is_the_standards_and_says_how_the_outage_stands(client: Client, service: FakeService) -> None:
    case_id = planned(client)
    ordered(client, service, case_id)
    told(client, f"{case_id}/notices", {"way": "wechat", "digest": DIGEST})
    service.clock.move(timedelta(hours=25))
    told(client, f"{case_id}/start", {})
    told(client, f"{case_id}/extension", {"end": "2026-09-17T10:00:00Z"})
    ordered(client, service, case_id)
    service.clock.move(timedelta(hours=7))
    told(client, f"{case_id}/restoration", {})
    ordered(client, service, case_id)
    where = "镇溪街道、峒河街道"
    assert [sent.message.text for sent in service.messages] == [
        f"【停水通知】因供水设施施工，{where}计划于9月17日10:00至9月17日16:00停水，请提前储水。停水编号TS-2026-000001。",
        f"【停水延长】{where}自9月17日10:00起的停水延长至9月17日18:00，给您带来不便，敬请谅解。停水编号TS-2026-000001。",
        f"【恢复供水】{where}已于9月17日17:00恢复供水，初期如有浑浊请放水片刻。停水编号TS-2026-000001。",
    ]
    assert {sent.message.audience for sent in service.messages} == {("zhenxi", "donghe")}


def test_an_emergency_and_a_cancellation_have_texts_of_their_own(client: Client, service: FakeService) -> None:
    case_id = emergency(client)
    ordered(client, service, case_id)
    told(client, f"{case_id}/extension", {"end": "2026-09-16T09:00:00Z"})
    ordered(client, service, case_id)
    cancelled = planned(client)
    told(client, f"{cancelled}/cancellation", {"reason": "weather"})
    ordered(client, service, cancelled)
    beginnings = [sent.message.text for sent in service.messages]
    assert "恢复时间确定后另行通知" in beginnings[0]
    assert "预计9月16日17:00恢复供水" in beginnings[1]
    assert beginnings[2].startswith("【停水取消】")
    assert all("{" not in text for text in beginnings)


def test_the_same_words_are_not_ordered_twice_unless_they_failed(client: Client, service: FakeService) -> None:
    case_id = planned(client)
    order = ordered(client, service, case_id)
    told(client, f"{case_id}/notices/order", {"way": "sms"}, 409, "notice-ordered")
    ordered(client, service, case_id, "email")
    ended(service, order, case_id, failed="gateway-timeout")
    assert client.get(f"{PATH}/{case_id}").json()["undelivered"] == 1
    again = ordered(client, service, case_id)
    ended(service, again, case_id, **TAKEN)
    told(client, f"{case_id}/notices/order", {"way": "sms"}, 409, "notice-ordered")


def test_the_end_of_a_message_is_on_record_once(client: Client, service: FakeService) -> None:
    case_id = planned(client)
    order = ordered(client, service, case_id)
    for _ in range(2):
        ended(service, order, case_id, **TAKEN)
        service.forget_keys()
    ended(service, order, case_id, failed="gateway-timeout")
    assert facts(service, case_id)[1:] == ["OutageNoticeOrdered", "OutageNoticeSent", "OutageNoticeProven"]


def test_a_proof_of_what_was_never_ordered_is_refused(client: Client, service: FakeService) -> None:
    case_id = planned(client)
    with pytest.raises(Refusal) as refused:
        ended(service, uuid4(), case_id, **TAKEN)
    assert refused.value.code == "no-such-notice"
    with pytest.raises(Refusal) as unknown:
        ended(service, uuid4(), str(uuid4()), **TAKEN)
    assert unknown.value.code == "no-such-case"


def test_a_standard_without_ways_or_texts_orders_nothing() -> None:
    older = with_changes(shipped_rules().standards[0], outage_texts={})
    service = FakeService(replace(shipped_rules(), standards=(older,)))
    client = Client(app_over(service))
    case_id = planned(client, supply=None)
    told(client, f"{case_id}/notices/order", {"way": "sms"}, 409, "no-notice-text")
    assert service.messages == []


# ---- cancelled


def test_a_planned_outage_is_cancelled_before_it_begins_and_never_after(client: Client, service: FakeService) -> None:
    case_id = planned(client)
    told(client, f"{case_id}/cancellation", {"reason": "bored"}, 422, "unknown-outage-reason")
    told(client, f"{case_id}/cancellation", {"reason": "weather"}, 403, "wrong-role", role="crew")
    told(client, f"{case_id}/cancellation", {"reason": "weather"})
    shown = client.get(f"{PATH}/{case_id}").json()
    assert (shown["cancelled_at"], shown["started_at"]) == ("2026-09-16T01:00:00Z", None)
    told(client, f"{case_id}/cancellation", {"reason": "weather"}, 409, "outage-cancelled")
    told(client, f"{case_id}/start", {}, 409, "outage-cancelled")
    told(client, f"{case_id}/extension", {"end": "2026-09-18T08:00:00Z"}, 409, "outage-cancelled")
    told(client, f"{emergency(client)}/cancellation", {"reason": "weather"}, 409, "outage-started")


# ---- told too late


def test_what_is_told_later_than_its_channel_allows_needs_a_second_person(client: Client, service: FakeService) -> None:
    case_id = emergency(client)
    service.clock.move(timedelta(hours=3))
    late = {"document": "示例报告〔2026〕1号", "happened_at": "2026-09-16T02:00:00Z"}
    told(client, f"{case_id}/report", late, 409, "second-person-needed")
    told(client, f"{case_id}/report", late | {"confirmed_by": "manager-1"}, 409, "second-person-needed")
    told(client, f"{case_id}/report", late | {"confirmed_by": "manager-2"})
    stored = [json.loads(event) for event in service.events[UUID(case_id)]]
    (reported,) = [event["data"] for event in stored if event["type"].endswith("OutageReported.v1")]
    assert (reported["flags"], reported["confirmed_by"]) == (["backdated"], "manager-2")


@pytest.mark.parametrize(
    ("step", "body"),
    [
        ("report", {"document": "示例报告〔2026〕1号"}),
        ("notices", {"way": "door", "digest": DIGEST}),
        ("water", {"point": "p-1", "litres": 500}),
        ("restoration", {}),
    ],
)
def test_what_a_phone_took_down_and_sent_later_is_kept_with_both_times_and_flagged(
    client: Client, service: FakeService, step: str, body: dict[str, Any]
) -> None:
    case_id = emergency(client)
    service.clock.move(timedelta(minutes=30))
    times = {"happened_at": "2026-09-16T01:10:00Z", "reported_at": "2026-09-16T01:12:00Z"}
    told(client, f"{case_id}/{step}", body | times)
    said = next(e for e in map(json.loads, reversed(service.events[UUID(case_id)])) if ".Window" not in e["type"])
    assert (said["time"], said["reportedat"], said["data"]["flags"]) == (*times.values(), ["uploaded-late"])
    told(client, f"{case_id}/{step}", body | times | {"reported_at": "2026-09-16T01:05:00Z"}, 422, "dates-out-of-order")


# ---- the index


def test_the_index_is_the_time_that_each_customer_was_without_water() -> None:
    def off(minutes: float, users: int) -> Spell:
        return Spell(MORNING, MORNING + timedelta(minutes=minutes), users)

    assert index.index_minutes(index.lost_minutes([off(60, 100), off(30, 400)]), 1000) == pytest.approx(18.0)
    assert index.index_minutes(index.lost_minutes([]), 1000) == 0
    assert index.index_minutes(6000, None) is None


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500), st.integers(1, 1000)), max_size=6),
    st.lists(st.integers(0, 1100), max_size=4),
)
def test_an_outage_over_the_bounds_of_periods_counts_once_in_all(
    spans: list[tuple[int, int, int]], cuts: list[int]
) -> None:
    spells = [
        Spell(MORNING + timedelta(minutes=begin), MORNING + timedelta(minutes=begin + length), users)
        for begin, length, users in spans
    ]
    bounds = [None, *(MORNING + timedelta(minutes=cut) for cut in sorted(cuts)), None]
    parts = [index.lost_minutes(spells, first=first, last=last) for first, last in pairwise(bounds)]
    assert sum(parts) == pytest.approx(index.lost_minutes(spells))
    assert index.lost_minutes(spells) == sum(length * users for _, length, users in spans)
