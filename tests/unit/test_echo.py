"""No error repeats the value of a query's parameter: it may hold anything, and error pages and logs are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from tests.api_world import Client, FakeService, app_over, fault

WORDS = ("q13987654321", "Q-13987654321", "%00q13987654321", "q13987654321" * 9)
VALUES: Mapping[str, tuple[str, ...]] = {
    "date": ("2014-12-31", "9998-12-29", "1900-01-07"),
    "date-time": ("2014-12-31T01:02:03Z", "9998-12-29T01:02:03Z"),
    "uuid": ("13987654-3210-4000-8000-000000000000",),
    "integer": ("-139876543", "1398765432101398765432", "98765"),
}
NO_ANSWER = {"/api/v1/breaches/stream"}
IN_POSTGRESQL = {
    "/api/v1/figures",
    "/api/v1/figures/satisfaction",
    "/api/v1/disclosure",
    "/api/v1/charges",
    "/api/v1/indicators",
}
"""What is counted there; only their refusals can be seen here."""


@pytest.fixture(scope="module")
def client() -> Client:
    return Client(app_over(FakeService()))


@pytest.fixture(scope="module")
def case_id(client: Client) -> str:
    return str(client.post("/api/v1/repairs", fault()).json()["case_id"])


def values(schema: Mapping[str, Any]) -> list[str]:
    """What is sent for a parameter of that form: values of its form that are extreme, and what is of no form."""
    forms = [schema, *schema.get("anyOf", ())]
    own = [value for each in forms for name in ("format", "type") for value in VALUES.get(each.get(name, ""), ())]
    return [*own, *WORDS]


def queries(document: Mapping[str, Any]) -> list[tuple[str, str, list[str], dict[str, str]]]:
    """Path, parameter, values for it, and what the other parameters must be."""
    found = []
    for path, methods in document["paths"].items():
        given = [each for each in methods.get("get", {}).get("parameters", ()) if each["in"] == "query"]
        must = {each["name"]: "2026-02-13" if "date" in str(each) else "leak" for each in given if each.get("required")}
        found += [(path, each["name"], values(each["schema"]), must) for each in given if path not in NO_ANSWER]
    return found


def test_no_error_repeats_the_value_of_a_parameter(client: Client, case_id: str) -> None:
    refused, repeated = 0, []
    for path, name, sent, must in queries(client.app.openapi()):
        url = path.replace("{case_id}", case_id).replace("{commitment}", "repair.arrival").replace("{source}", "12345")
        for value in sent:
            answer = client.get(url, params={**must, name: value})
            assert answer.status_code < 500 or path in IN_POSTGRESQL, (path, name, value, answer.text)
            if 400 <= answer.status_code < 500:
                refused += 1
                if value.rstrip("Z") in answer.text or value.strip("%0") in answer.text:
                    repeated.append((path, name, value, answer.json()["found"]))
    assert refused > 100
    assert not {each[:2] for each in repeated}


def test_a_period_that_ends_before_it_begins_is_not_repeated(client: Client) -> None:
    answer = client.get("/api/v1/figures?from=2026-02-13&to=2026-01-02")
    assert answer.status_code == 422
    assert not [day for day in ("2026-02-13", "2026-01-02") if day in answer.text]


def test_an_unknown_parameter_is_not_repeated(client: Client) -> None:
    assert UUID(int=0).hex not in client.get(f"/nowhere?{UUID(int=0).hex}={UUID(int=0).hex}").text


@pytest.mark.parametrize(
    "address", ["/api/v1/dispatch?crew=%00", "/api/v1/readings/anomalies?meter=%00", "/api/v1/crews/%00/shift/start"]
)
def test_a_nul_in_an_address_is_refused_before_it_reaches_postgresql(client: Client, address: str) -> None:
    answer = client.post(address) if "/shift/" in address else client.get(address)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-parameter")
