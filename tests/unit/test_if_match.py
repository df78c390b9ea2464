"""Of two people who look at one case, the second finds out that the first has changed it."""

from __future__ import annotations

import pytest

from tests.api_world import Client, FakeService, app_over, fault, staff


@pytest.fixture
def client() -> Client:
    return Client(app_over(FakeService()))


def reported(client: Client) -> tuple[str, str]:
    """A case's path, and its ETag."""
    case_id = client.post("/api/v1/repairs", fault()).json()["case_id"]
    return f"/api/v1/repairs/{case_id}", client.get(f"/api/v1/cases/{case_id}").headers["etag"]


def test_the_etag_of_a_case_is_its_version(client: Client) -> None:
    case, tag = reported(client)
    view = client.get(case.replace("repairs", "cases"))
    assert tag == f'"{view.json()["version"]}"'
    told = client.post(f"{case}/dispatch", {"crew": "crew-1"}, headers=staff("dispatcher"))
    assert told.status_code == 200
    assert client.get(case.replace("repairs", "cases")).headers["etag"] == f'"{told.json()["last_version"]}"'


def test_a_command_about_a_case_that_changed_meanwhile_is_refused_and_changes_nothing(client: Client) -> None:
    case, tag = reported(client)
    dispatcher = staff("dispatcher") | {"If-Match": tag}
    assert client.post(f"{case}/dispatch", {"crew": "crew-1"}, headers=dispatcher).status_code == 200
    now = client.get(case.replace("repairs", "cases")).headers["etag"]
    late = client.post(f"{case}/dispatch", {"crew": "crew-2"}, headers=dispatcher)
    assert (late.status_code, late.json()["code"]) == (412, "case-changed")
    assert tag.strip('"') in late.json()["needed"]
    assert now.strip('"') in late.json()["found"]
    assert client.get(case.replace("repairs", "cases")).headers["etag"] == now


def test_a_repeated_command_is_answered_as_it_was(client: Client) -> None:
    case, tag = reported(client)
    headers = staff("dispatcher") | {"If-Match": tag, "Idempotency-Key": "dispatch-1"}
    first = client.post(f"{case}/dispatch", {"crew": "crew-1"}, headers=headers)
    again = client.post(f"{case}/dispatch", {"crew": "crew-1"}, headers=headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize("said", ["3", 'W/"3"', "*", '"x"', ""])
def test_what_is_no_etag_of_ours_is_refused(client: Client, said: str) -> None:
    case, _ = reported(client)
    answer = client.post(f"{case}/dispatch", {"crew": "crew-1"}, headers=staff("dispatcher") | {"If-Match": said})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-header")
