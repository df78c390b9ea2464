"""/figures, /charges, /disclosure and /desk over HTTP, from real read models."""

from __future__ import annotations

from typing import Any

import pytest

from infra.clock import ManualClock
from infra.eventstore.service import Service
from tests.api_read_models import project
from tests.api_world import Client, app_of, staff
from tests.connection_history import Told, tell_all

AUTHORITY = staff("price-authority")


@pytest.fixture
def told(service: Service, clock: ManualClock) -> dict[str, Told]:
    """Five applications, with the read models filled from them."""
    found = tell_all(service, clock)
    project(service, [event for case in found.values() for event in service.load(case.stream)[1]])
    return found


@pytest.fixture
def client(service: Service, told: dict[str, Told]) -> Client:
    return Client(app_of(service))


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), body
    assert body["next_step"]
    assert body["next_step_zh"]
    return body


# ---- figures


@pytest.mark.parametrize("path", ["/api/v1/figures", "/api/v1/disclosure"])
def test_a_real_installation_shows_no_other_utilitys_figures(client: Client, path: str) -> None:
    found = client.get(path).json()
    assert found["figures"]["applications"] == 5
    assert (found["published"], found["contradictions"]) == ([], [])


def test_anybody_may_ask_for_the_figures(service: Service, told: dict[str, Told]) -> None:
    service.settings = service.settings.model_copy(update={"demo": True})
    answer = Client(app_of(service)).get("/api/v1/figures")
    assert answer.status_code == 200
    found = answer.json()
    assert found["figures"]["applications"] == 5
    assert found["figures"]["gross"]["median"] > 0
    assert [one["code"] for one in found["contradictions"]] == ["total", "documents"]
    assert {"code": "channel:counter", "name": "counter", "name_zh": "窗口", "ours": 2, "published": "208"} in found[
        "published"
    ]


def test_figures_of_a_period_without_applications_are_zero_and_have_no_rates(client: Client) -> None:
    found = client.get("/api/v1/figures?from=2030-01-01&to=2030-12-31").json()["figures"]
    assert (found["applications"], found["on_time_percent"], found["gross"]["p90"]) == (0, None, None)
    assert (found["first"], found["last"]) == ("2030-01-01", "2030-12-31")


@pytest.mark.parametrize("path", ["/api/v1/figures", "/api/v1/charges"])
def test_a_period_that_ends_before_it_begins_is_refused(client: Client, path: str) -> None:
    problem(client.get(f"{path}?from=2026-09-02&to=2026-09-01", headers=AUTHORITY), 422, "dates-out-of-order")


@pytest.mark.parametrize("query", ["from=yesterday", "to=2026-13-01", "from=%00"])
def test_a_day_that_is_none_is_refused(client: Client, query: str) -> None:
    problem(client.get(f"/api/v1/figures?{query}"), 422, "bad-parameter")


@pytest.mark.parametrize(
    "path", ["figures?to=", "figures/satisfaction?to=", "charges?to=", "cases?to=", "indicators?to="]
)
def test_the_last_day_that_there_is_is_a_day_like_others(client: Client, path: str) -> None:
    auditor = staff("auditor")
    assert client.get(f"/api/v1/{path}9999-12-31", headers=auditor).status_code == 200


# ---- charges


@pytest.mark.parametrize("role", ["price-authority", "market-regulator", "auditor", "manager"])
def test_who_supervises_charging_sees_every_charge(client: Client, role: str) -> None:
    found = client.get("/api/v1/charges?limit=500", headers=staff(role)).json()
    assert {line["kind"] for line in found["charges"]} == {
        "quoted",
        "paid",
        "payment-reversed",
        "refunded",
        "refund-reversed",
        "refused",
    }
    assert found["next"] is None
    assert sum(one["lines"] for one in found["sums"]) == len(found["charges"])


@pytest.mark.parametrize("role", ["public", "applicant", "counter", "cashier", "case-owner", "squad"])
def test_nobody_else_does(client: Client, role: str) -> None:
    problem(client.get("/api/v1/charges", headers=staff(role)), 403, "wrong-role")


def test_charges_are_asked_for_by_kind(client: Client) -> None:
    found = client.get("/api/v1/charges?kind=refused", headers=AUTHORITY).json()
    assert [(line["banned"], line["amount_fen"], line["role"]) for line in found["charges"]] == [
        ("开户费", 5_000, "case-owner")
    ]
    assert found["sums"] == [{"kind": "refused", "lines": 1, "amount_fen": 5_000}]
    problem(client.get("/api/v1/charges?kind=stolen", headers=AUTHORITY), 422, "bad-parameter")


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_pages_follow_each_other_without_a_gap_and_tear_no_charge_apart(client: Client, limit: int) -> None:
    everything = client.get("/api/v1/charges?limit=500", headers=AUTHORITY).json()["charges"]
    found: list[Any] = []
    after: int | None = 0
    while after is not None:
        page = client.get(f"/api/v1/charges?limit={limit}&after={after}", headers=AUTHORITY).json()
        found += page["charges"]
        after = page["next"]
    assert found == everything


def test_a_charge_is_shown_with_all_its_lines_however_small_the_page(client: Client) -> None:
    page = client.get("/api/v1/charges?limit=1", headers=AUTHORITY).json()
    assert [(line["kind"], line["fee"]) for line in page["charges"]] == [
        ("quoted", "water-loss"),
        ("quoted", "installation"),
    ]
    assert page["next"] == page["charges"][0]["position"]


# ---- disclosure and desk


def test_what_is_public_is_in_one_answer(client: Client) -> None:
    found = client.get("/api/v1/disclosure").json()
    assert (found["standard"], found["catalogue"]) == ("2026-06-1", "2021-2")
    assert found["promise"]["working_days"] == 5
    assert all(len(one["documents"]) <= 2 for one in found["documents"])
    assert [fee["code"] for fee in found["fees"] if fee["chargeable"]] == [
        "water-loss",
        "installation",
        "survey-design",
    ]
    assert all(fee["legal_basis"] for fee in found["fees"])
    assert {"竣工导线测量费", "水钻工程费", "水表"} <= set(found["banned"])
    assert len(found["banned"]) == len(set(found["banned"]))
    installation = next(fee for fee in found["fees"] if fee["code"] == "installation")
    assert (installation["extent"], "建筑区划红线内" in installation["formula_zh"]) == ("inside-red-line", True)


def test_what_is_public_names_the_law_that_it_rests_on(client: Client) -> None:
    found = client.get("/api/v1/disclosure").json()
    basis = {limit["commitment"]: limit["basis"] for limit in found["limits"]}
    law = {each["code"]: each for each in found["law"]}
    assert basis["connection.silence"] == ["administrative-licence-32"]
    assert basis["connection.water_on"] == [], "the utility's own promise"
    assert len(basis["outage.notice"]) == 1
    assert set(basis["outage.notice"]) < set(law)
    assert law["fees-2020-129"]["source_kind"] == "primary"
    assert "仅见于二手来源" in law["administrative-licence-32"]["cited"]
    assert found["figures"]["applications"] == 5


def test_the_desk_holds_what_is_under_way(client: Client, service: Service) -> None:
    assert client.get("/api/v1/desk").json()["applications"] == []
    case = Told(service)
    project(service, service.load(case.stream)[1])
    (found,) = client.get("/api/v1/desk").json()["applications"]
    assert (found["stage"], found["state"], found["owner"]) == ("received", "running", "owner-1")
    assert client.get("/api/v1/desk?owner=owner-2").json()["applications"] == []
    assert len(client.get("/api/v1/desk?owner=owner-1&desk=household").json()["applications"]) == 1
    problem(client.get("/api/v1/desk?owner=<img>"), 422, "bad-parameter")
