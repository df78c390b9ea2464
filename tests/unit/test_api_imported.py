"""Imported history, dismissals, pipes and corrections through the API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api_world import Client, FakeService, app_over, fault, staff

IMPORT = staff("operator", channel="import")
AT = "1985-01-01T05:00:00+00:00"


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def client(service: FakeService) -> Client:
    return Client(app_over(service))


def imported(client: Client, **changes: Any) -> str:
    body = {"kind": "leak", "district": "zhenxi", "happened_at": AT, **changes}
    answer = client.post("/api/v1/repairs", body, headers=IMPORT)
    assert answer.status_code == 201, answer.text
    return f"/api/v1/repairs/{answer.json()['case_id']}"


def case(client: Client, path: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(path.replace("/repairs/", "/cases/")).json()
    return found


def test_history_is_taken_at_its_own_date_without_a_reporter(client: Client, service: FakeService) -> None:
    found = case(client, imported(client, precision="day", origin="hotline"))
    assert found["opened_at"] == "1985-01-01T05:00:00Z"
    assert {window["commitment"]: window["state"] for window in found["windows"]} == {
        "repair.arrival": "unknown",
        "repair.completion": "unknown",
    }
    assert [subject.particulars for subject in service.subjects] == [{}]
    data = found["timeline"][0]["data"]
    assert (data["precision"], data["origin"]) == ("day", "hotline")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"precision": "day"}, "bad-precision"),
        ({"precision": "hour"}, "bad-body"),
        ({"origin": "hotline"}, "unknown-origin"),
    ],
)
def test_what_only_history_may_say_is_refused_from_others(client: Client, changes: dict[str, Any], code: str) -> None:
    answer = client.post("/api/v1/repairs", fault(**changes), headers=staff("hotline", channel="hotline"))
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_an_incident_is_dismissed_and_closed_without_a_repair(client: Client) -> None:
    path = imported(client)
    assert client.post(f"{path}/closure", headers=IMPORT).json()["code"] == "repair-not-completed"
    answer = client.post(f"{path}/dismissal", {"reason": "not-ours", "happened_at": AT}, headers=IMPORT)
    assert answer.status_code == 200, answer.text
    assert case(client, path)["stage"] == "dismissed"
    assert client.post(f"{path}/closure", headers=IMPORT).status_code == 200
    refused = client.post(f"{path}/dismissal", {"reason": "not-ours"}, headers=IMPORT)
    assert (refused.status_code, refused.json()["code"]) == (409, "case-closed")


def test_a_crew_is_free_of_a_dismissed_incident(client: Client, service: FakeService) -> None:
    path = imported(client)
    office = staff("dispatcher")
    assert client.post(f"{path}/dispatch", {"crew": "crew-1"}, headers=office).status_code == 200
    assert client.post(f"{path}/dismissal", {"reason": "false-alarm"}, headers=office).status_code == 200
    other = client.post("/api/v1/repairs", fault(), headers=staff("hotline", channel="hotline")).json()["case_id"]
    sent = client.post(f"/api/v1/repairs/{other}/dispatch", {"crew": "crew-1"}, headers=office)
    assert sent.status_code == 200, sent.text


def test_the_pipe_and_its_correction_are_shown_with_what_stood_there(client: Client) -> None:
    path = imported(client)
    pipe = {"asset": "135674", "material": "pvc", "dn_mm": 150, "laid_in": 2018}
    assert client.post(f"{path}/pipe", pipe, headers=IMPORT).status_code == 200
    for detail, old, new in (("material", "pvc", "pe"), ("asset", "135674", None), ("cause", None, "frost")):
        said = {"detail": detail, "old": old, "new": new}
        assert client.post(f"{path}/corrections", said, headers=IMPORT).status_code == 200
    found = case(client, path)
    assert found["details"] == {"cause": "frost", "dn-mm": "150", "laid-in": "2018", "material": "pe"}
    corrected = [entry["data"] for entry in found["timeline"] if entry["fact"] == "DetailCorrected"]
    assert [(each["old"], each["new"]) for each in corrected] == [("pvc", "pe"), ("135674", None), (None, "frost")]
    again = client.post(f"{path}/corrections", {"detail": "cause", "old": None, "new": "frost"}, headers=IMPORT)
    assert (again.status_code, again.json()["code"]) == (409, "nothing-to-correct")


@pytest.mark.parametrize("new", ["13812345678", "a b", "name@example.org", ""])
def test_a_correction_says_codes_only(client: Client, new: str) -> None:
    said = {"detail": "asset", "old": None, "new": new}
    assert client.post(f"{imported(client)}/corrections", said, headers=IMPORT).status_code == 422


def test_only_who_has_that_power_tells_history(client: Client, service: FakeService) -> None:
    """No reporter, no allowed lateness: the public must not be able to choose that channel."""
    for headers in (staff("public", channel="import"), staff("crew", channel="import")):
        answer = client.post("/api/v1/repairs", fault(happened_at=AT), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "wrong-role")
    assert service.events == {}
