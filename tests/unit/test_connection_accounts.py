"""Once water is on: another class, another customer, another name; each told once, in its order, refused otherwise."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.connections import accounts
from domain.connections.case import UsageClass, _entered, _in_force
from tests.api_world import (
    APPLICANT,
    DIGEST,
    METER,
    Client,
    FakeService,
    app_over,
    ready_for_water,
    staff,
    step,
    turned_on,
)
from tests.unit.cases import NINE

POINT = {"address_code": "QZ-07", "usage_split": {"residential": 100}, "household_size": 3}
SHOP: dict[str, Any] = {
    "usage_split": {"residential": 40, "non-residential": 60},
    "reason": "use-changed",
    "document_digest": DIGEST,
}
SOLD: dict[str, Any] = {
    "customer": {"name": "李四", "phone": "13912345678", "address": "人民北路 1 号", "id_number": "433101198001011239"},
    "contract": "HT-2",
    "reading_m3": "12.5",
    "reason": "sale",
    "document_digest": DIGEST,
}
RENAMED: dict[str, Any] = {"customer": {**APPLICANT, "name": "张叁"}, "document_digest": DIGEST}
DAY = timedelta(days=1)


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def client(service: FakeService) -> Client:
    return Client(app_over(service))


@pytest.fixture
def case_id(client: Client) -> str:
    """A home and a shop in one application, both with water."""
    found = ready_for_water(client, supply_points=2, points=[POINT, POINT])
    for point in (1, 2):
        assert turned_on(client, found, point, METER | {"number": f"JS-2026-000{point}"}).status_code == 200
    return found


def told(client: Client, case_id: str, path: str, body: dict[str, Any], code: str | None = None, **headers: str) -> Any:
    who = {**staff("counter"), **headers}
    answer = client.post(f"/api/v1/connections/{case_id}/supply-points/{path}", body, headers=who)
    assert answer.json().get("code") == code, answer.text
    return answer.json()


def last(service: FakeService, case_id: str) -> tuple[str, dict[str, Any]]:
    event = json.loads(service.events[UUID(case_id)][-1])
    return event["type"].split(".")[2], event["data"]


def shown(client: Client, case_id: str, point: int = 1) -> dict[str, Any]:
    listed = client.get(f"/api/v1/connections/{case_id}").json()["accounts"]
    return dict(next(one for one in listed if one["point"] == point))


# ---- class


def test_a_change_of_class_is_on_record_with_what_it_takes_the_place_of(
    service: FakeService, client: Client, case_id: str
) -> None:
    told(client, case_id, "1/class", SHOP | {"reading_m3": "8"})
    name, data = last(service, case_id)
    assert name == "UsageClassChanged"
    assert (data["change"], data["point"], data["reading_m3"], data["flags"]) == (1, 1, "8", [])
    assert (data["usage_split"], data["old_split"]) == (SHOP["usage_split"], POINT["usage_split"])
    assert data["price_version"] == service.rules.newest.connection.price_version
    use = shown(client, case_id)["use"]
    assert (use["usage_split"], use["household_size"]) == (SHOP["usage_split"], None)
    assert shown(client, case_id, 2)["use"]["usage_split"] == POINT["usage_split"]


def test_a_change_that_lies_ahead_is_shown_as_coming_until_its_day(
    service: FakeService, client: Client, case_id: str
) -> None:
    begin = service.clock.now() + 30 * DAY
    told(client, case_id, "1/class", SHOP | {"effective_at": begin.isoformat()})
    account = shown(client, case_id)
    assert account["use"]["usage_split"] == POINT["usage_split"]
    assert [one["usage_split"] for one in account["coming"]] == [SHOP["usage_split"]]
    service.clock.move(30 * DAY)
    account = shown(client, case_id)
    assert (account["use"]["usage_split"], account["coming"]) == (SHOP["usage_split"], [])


def test_one_told_of_the_same_instant_takes_the_place_of_the_one_before(
    service: FakeService, client: Client, case_id: str
) -> None:
    begin = (service.clock.now() + 30 * DAY).isoformat()
    told(client, case_id, "1/class", SHOP | {"effective_at": begin})
    right = {"non-residential": 100}
    told(client, case_id, "1/class", SHOP | {"effective_at": begin, "usage_split": right, "reason": "corrected"})
    assert [one["usage_split"] for one in shown(client, case_id)["coming"]] == [right]
    assert last(service, case_id)[1]["change"] == 2


def test_how_far_ahead_is_said_by_the_standard(service: FakeService, client: Client, case_id: str) -> None:
    late = (service.clock.now() + 93 * DAY).isoformat()
    told(client, case_id, "1/class", SHOP | {"effective_at": late}, "too-far-ahead")


def test_a_dial_is_not_read_before_its_day(service: FakeService, client: Client, case_id: str) -> None:
    begin = (service.clock.now() + DAY).isoformat()
    told(client, case_id, "1/class", SHOP | {"effective_at": begin, "reading_m3": "9"}, "reading-before-it-is-due")
    told(client, case_id, "1/customer", SOLD | {"effective_at": begin}, "reading-before-it-is-due")


def test_what_reaches_back_needs_a_second_person(service: FakeService, client: Client, case_id: str) -> None:
    service.clock.move(5 * DAY)
    since = (service.clock.now() - 3 * DAY).isoformat()
    for path, body in (("1/class", SHOP), ("1/customer", SOLD)):
        back = body | {"effective_at": since}
        told(client, case_id, path, back, "second-person-needed")
        told(client, case_id, path, back, "second-person-needed", **{"X-Confirmed-By": "counter-1"})
        told(client, case_id, path, back, **{"X-Confirmed-By": "manager-2"})
    assert shown(client, case_id)["customer"]["contract"] == "HT-2"


def test_nothing_is_changed_from_before_water_was_on_or_before_the_last_change(
    service: FakeService, client: Client, case_id: str
) -> None:
    on = service.clock.now()
    service.clock.move(timedelta(hours=2))
    second = {"X-Confirmed-By": "manager-2"}
    for path, body in (("1/class", SHOP), ("1/customer", SOLD)):
        before = body | {"effective_at": (on - timedelta(seconds=1)).isoformat()}
        told(client, case_id, path, before, "dates-out-of-order", **second)
        told(client, case_id, path, body)
    later = SHOP | {"usage_split": {"special": 100}, "effective_at": (on + timedelta(hours=1)).isoformat()}
    told(client, case_id, "1/class", later, "dates-out-of-order")


def test_a_reading_is_one_of_the_meter_that_is_in(service: FakeService, client: Client, case_id: str) -> None:
    service.clock.move(timedelta(hours=2))
    swap = {"final_reading_m3": "12.5", "reason": "expired", "meter": METER | {"number": "JS-2026-0009"}}
    assert step(client, case_id, "supply-points/1/meter-replacement", swap, "crew").status_code == 200
    before = (service.clock.now() - timedelta(hours=1)).isoformat()
    told(client, case_id, "1/customer", SOLD | {"effective_at": before}, "dates-out-of-order")
    told(client, case_id, "1/class", SHOP | {"effective_at": before, "reading_m3": "1"}, "dates-out-of-order")
    told(client, case_id, "1/class", SHOP | {"effective_at": before})
    assert shown(client, case_id)["meter"] == "JS-2026-0009"


def test_a_reading_below_the_first_is_flagged_and_not_refused(
    service: FakeService, client: Client, case_id: str
) -> None:
    high = METER | {"number": "JS-2026-0009", "initial_reading_m3": "7"}
    swap = {"final_reading_m3": "12.5", "reason": "expired", "meter": high}
    assert step(client, case_id, "supply-points/1/meter-replacement", swap, "crew").status_code == 200
    told(client, case_id, "1/customer", SOLD | {"reading_m3": "3"})
    assert last(service, case_id)[1]["flags"] == ["reading-below-initial"]


# ---- customer


def test_another_customer_is_known_by_reference_only(service: FakeService, client: Client, case_id: str) -> None:
    before = shown(client, case_id)["customer"]
    told(client, case_id, "1/customer", SOLD)
    name, data = last(service, case_id)
    assert name == "CustomerChanged"
    assert data["old_subject"] == {"id": before["subject"], "revision": 1}
    assert data["subject"]["id"] != before["subject"]
    assert "李四" not in json.dumps(data, ensure_ascii=False)
    assert service.subjects[-1].id == UUID(data["subject"]["id"])
    assert service.subjects[-1].particulars["name"] == "李四"
    after = shown(client, case_id)["customer"]
    assert (after["subject"], after["contract"]) == (data["subject"]["id"], "HT-2")
    assert shown(client, case_id, 2)["customer"] == before


def test_the_same_customer_is_no_other_one(client: Client, case_id: str) -> None:
    same = SOLD | {"customer": {**APPLICANT, "phone": "13100000000"}}
    told(client, case_id, "1/customer", same, "customer-unchanged")
    told(client, case_id, "1/customer", SOLD)
    told(client, case_id, "1/customer", SOLD | {"contract": "HT-3"}, "customer-unchanged")


def test_a_new_customer_signs_a_contract_of_their_own(client: Client, case_id: str) -> None:
    told(client, case_id, "1/customer", SOLD | {"contract": "HT-1"}, "contract-unchanged")


def test_a_customer_comes_with_a_reading_and_a_proof(client: Client, case_id: str) -> None:
    for field in ("reading_m3", "contract", "document_digest", "customer"):
        told(client, case_id, "1/customer", {k: v for k, v in SOLD.items() if k != field}, "bad-body")
    told(client, case_id, "1/customer", SOLD | {"price": 3}, "bad-body")


# ---- name


def test_a_new_name_is_a_further_revision_wherever_the_customer_has_water(
    service: FakeService, client: Client, case_id: str
) -> None:
    before = shown(client, case_id)["customer"]
    service.clock.move(DAY)
    told(client, case_id, "2/customer/name", RENAMED)
    name, data = last(service, case_id)
    assert (name, data["points"]) == ("CustomerRenamed", [1, 2])
    assert data["subject"] == {"id": before["subject"], "revision": 2}
    assert (service.subjects[-1].id, service.subjects[-1].revision) == (UUID(before["subject"]), 2)
    for point in (1, 2):
        after = shown(client, case_id, point)["customer"]
        assert (after["subject"], after["revision"], after["contract"]) == (before["subject"], 2, before["contract"])
    told(client, case_id, "1/customer/name", RENAMED, "name-unchanged")


def test_a_supply_point_of_somebody_else_keeps_its_name(service: FakeService, client: Client, case_id: str) -> None:
    told(client, case_id, "1/customer", SOLD)
    service.clock.move(DAY)
    told(client, case_id, "2/customer/name", RENAMED)
    assert last(service, case_id)[1]["points"] == [2]
    assert shown(client, case_id)["customer"]["revision"] == 1


def test_two_renamings_at_once_are_two_revisions(service: FakeService, client: Client, case_id: str) -> None:
    """The second one looked before the first was on record."""
    first = accounts.next_revision

    def raced(case: Any, point: int, at: Any) -> Any:
        found = first(case, point, at)
        if not hit:
            hit.append(True)
            faster = RENAMED | {"customer": {**APPLICANT, "name": "张肆"}}
            # Of its own thread: a request runs in an event loop, and one is running here.
            with ThreadPoolExecutor(1) as other:
                other.submit(told, client, case_id, "1/customer/name", faster).result()
            service.clock.move(DAY)
        return found

    hit: list[bool] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts, "next_revision", raced)
        told(client, case_id, "1/customer/name", RENAMED)
    assert [(one.revision, one.particulars["name"]) for one in service.subjects[1:]] == [(2, "张肆"), (3, "张叁")]
    assert shown(client, case_id)["customer"]["revision"] == 3


# ---- all of them


ALL = (("1/class", SHOP), ("1/customer", SOLD), ("1/customer/name", RENAMED))


@pytest.mark.parametrize(("path", "body"), ALL)
def test_before_water_is_on_there_is_no_account_to_change(client: Client, path: str, body: dict[str, Any]) -> None:
    told(client, ready_for_water(client), path, body, "water-not-on")


@pytest.mark.parametrize(("path", "body"), ALL)
def test_only_those_whom_the_standard_names_may(client: Client, case_id: str, path: str, body: dict[str, Any]) -> None:
    told(client, case_id, path, body, "wrong-role", **{"X-Role": "crew"})


@pytest.mark.parametrize(("path", "body"), ALL)
def test_sent_again_under_its_key_it_is_done_once(
    service: FakeService, client: Client, case_id: str, path: str, body: dict[str, Any]
) -> None:
    service.clock.move(DAY)
    key = {"Idempotency-Key": "change-1"}
    first = told(client, case_id, path, body, **key)
    subjects, events = len(service.subjects), len(service.events[UUID(case_id)])
    assert told(client, case_id, path, body, **key) == first
    assert (len(service.subjects), len(service.events[UUID(case_id)])) == (subjects, events)


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("1/class", {"usage_split": {"gold": 100}}, "unknown-price-class"),
        ("1/class", {"usage_split": {"residential": 99}}, "usage-split-not-whole"),
        ("1/class", {"reason": "whim"}, "unknown-class-change"),
        ("1/class", {"usage_split": POINT["usage_split"], "household_size": 3}, "class-unchanged"),
        ("1/customer", {"reason": "whim"}, "unknown-customer-change"),
        ("3/class", {}, "no-such-supply-point"),
        ("3/customer/name", {}, "no-such-supply-point"),
    ],
)
def test_what_the_rules_do_not_know_is_refused(
    client: Client, case_id: str, path: str, body: dict[str, Any], code: str
) -> None:
    told(client, case_id, path, dict(ALL)["1" + path[1:]] | body, code)


def test_another_size_of_household_is_a_change_of_class(client: Client, case_id: str) -> None:
    told(client, case_id, "1/class", SHOP | POINT_USE | {"household_size": 6, "reason": "household-changed"})
    assert shown(client, case_id)["use"]["household_size"] == 6


POINT_USE = {"usage_split": POINT["usage_split"]}


# ---- any order of what is told


CLASSES = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(("residential", "non-residential", "special"))), min_size=1, max_size=8
)


@given(CLASSES, st.integers(0, 6))
def test_at_any_instant_the_last_word_of_the_latest_day_before_it_counts(
    told_ones: list[tuple[int, str]], asked: int
) -> None:
    dated: tuple[UsageClass, ...] = (UsageClass(NINE, {"residential": 100}, None),)
    said = {0: "residential"}
    for days, price_class in told_ones:
        dated = _entered(dated, UsageClass(NINE + days * DAY, {price_class: 100}, None))
        said[days] = price_class
    latest = max(days for days in said if days <= asked)
    assert _in_force(dated, NINE + asked * DAY).usage_split == {said[latest]: 100}
    assert [one.since for one in dated] == sorted({one.since for one in dated})
