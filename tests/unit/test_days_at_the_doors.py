"""A day where an instant is needed: no door reads it as midnight. Each refuses it by name, or keeps it as a day.

Ticket files keep it (``test_tickets.py``); imported history may say it (``precision``). What is a civil day by its
nature (a verification, a holiday, the day from which an article holds, a reading round's) is a day at every door.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
from pydantic import TypeAdapter, ValidationError

from api.http.fields import Instant
from app.cli import terminal
from consumers.recount.published_events import BadLineError, from_lines
from infra.eventstore.documents import DocumentError, catalogue_of, standard_of
from infra.kafka.meter_readings import BadRowError, from_json, from_row
from infra.settings import Settings
from tests.api_world import Client, FakeService, app_over, fault, staff
from tests.unit.test_documents import shipped

DAY = "2026-09-16"
NOWHERE = "00000000-0000-0000-0000-000000000009"
DOCUMENT = app_over(FakeService()).openapi()


def is_instant(schema: Mapping[str, Any]) -> bool:
    return any(each.get("format") == "date-time" for each in (schema, *schema.get("anyOf", ())))


def instants_of_bodies() -> dict[str, Mapping[str, Any]]:
    """Form and field of every instant that a command's body may have, however deep, with its description."""
    schemas = DOCUMENT["components"]["schemas"]
    bodies = [methods["post"].get("requestBody") for methods in DOCUMENT["paths"].values() if "post" in methods]
    names = {name for body in bodies for name in REFERENCE.findall(json.dumps(body))}
    while further := {name for each in names for name in REFERENCE.findall(json.dumps(schemas[each]))} - names:
        names |= further
    fields = {
        f"{name}.{field}": schema for name in names for field, schema in schemas[name].get("properties", {}).items()
    }
    return {name: schema for name, schema in fields.items() if is_instant(schema)}


def instants_of_queries() -> list[tuple[str, str]]:
    """(path, parameter) of every instant that a question may name."""
    parameters = [
        (path, parameter)
        for path, methods in DOCUMENT["paths"].items()
        for parameter in methods.get("get", {}).get("parameters", ())
    ]
    return [(path, parameter["name"]) for path, parameter in parameters if is_instant(parameter["schema"])]


REFERENCE = re.compile(r"#/components/schemas/(\w+)")
BODIES, QUERIES = instants_of_bodies(), instants_of_queries()


@pytest.fixture(scope="module")
def client() -> Client:
    return Client(app_over(FakeService()))


def test_every_instant_of_a_body_is_of_the_one_type_that_refuses_a_day() -> None:
    example = TypeAdapter(Instant).json_schema()["examples"]
    assert {"FaultReport.happened_at", "OutsideOrder.reply_by", "StandardDocument.effective_from"} <= BODIES.keys()
    assert len(BODIES) > 90
    of_another = [name for name, schema in BODIES.items() if json.dumps(example) not in json.dumps(schema)]
    assert of_another == [], "use Instant of api/http/fields.py"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("repairs", "happened_at"),
        (f"repairs/{NOWHERE}/arrival", "reported_at"),
        (f"repairs/{NOWHERE}/delay", "expected_at"),
        ("connections", "happened_at"),
        ("outages/planned", "begin"),
        ("standards", "effective_from"),
        ("fees/catalogues", "effective_from"),
    ],
)
def test_an_instant_that_is_a_day_is_refused_by_its_name(client: Client, path: str, field: str) -> None:
    answer = client.post(f"/api/v1/{path}", {field: DAY}, headers=staff("manager"))
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "bad-body"), answer.text
    (found,) = [each for each in problem["fields"] if each["field"] == field]
    assert found["problem"].startswith("is a day without a time of day")
    assert found["problem_zh"].startswith("只有日期")


@pytest.mark.parametrize(("path", "name"), QUERIES)
def test_an_instant_of_a_question_that_is_a_day_is_refused(client: Client, path: str, name: str) -> None:
    asked = {name: DAY, "kind": "leak", "district": "zhenxi"}
    answer = client.get(path.format(case_id=NOWHERE, commitment="repair.arrival"), params=asked)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-parameter"), answer.text
    assert name in answer.json()["found"]


def test_imported_history_says_a_day_by_its_precision_and_never_by_a_bare_day(client: Client) -> None:
    headers = staff("operator", channel="import")
    body = fault(kind="leak", precision="day")
    assert client.post("/api/v1/repairs", body | {"happened_at": DAY}, headers=headers).status_code == 422
    begins = {"happened_at": f"{DAY}T00:00:00+08:00"}
    case_id = client.post("/api/v1/repairs", body | begins, headers=headers).json()["case_id"]
    found = {each["commitment"]: each["state"] for each in client.get(f"/api/v1/cases/{case_id}").json()["windows"]}
    assert found == {"repair.arrival": "unknown", "repair.completion": "unknown"}


def test_a_row_of_many_reports_that_has_a_day_is_refused_alone(client: Client) -> None:
    answer = client.post("/api/v1/repairs/bulk", {"reports": [fault(happened_at=DAY), fault()]}).json()
    assert [(row["code"], row["case_id"] is None) for row in answer["rows"]] == [("bad-body", True), (None, False)]
    assert "happened_at (is a day without a time of day" in answer["rows"][0]["found"]


# ---- readings


READING = {"meter": "JS-1", "read_at": DAY, "value_m3": "1.000"}


def test_a_reading_that_was_taken_on_some_day_is_refused_at_both_doors(client: Client) -> None:
    with pytest.raises(BadRowError, match=r"^read_at is missing or wrong"):
        from_row(READING)
    with pytest.raises(BadRowError, match=r"^read_at is missing or wrong"):
        from_json(json.dumps(READING).encode())
    # A day and a midnight of no place are no better.
    with pytest.raises(BadRowError, match=r"^read_at is missing or wrong"):
        from_json(json.dumps(READING | {"read_at": f"{DAY}T00:00:00"}).encode())
    answer = client.post("/api/v1/readings", {"readings": [READING]}, headers=staff("meter-reader"))
    assert (answer.status_code, "bad-reading" in answer.text, "read_at" in answer.text) == (202, True, True), (
        answer.text
    )


# ---- files and the terminal


@pytest.mark.parametrize("at", [DAY, f"{DAY}T00:00:00"])
@pytest.mark.parametrize(("name", "read"), [("standard-0225.json", standard_of), ("fees-0225.json", catalogue_of)])
def test_a_standard_or_a_fee_file_that_is_in_force_from_a_day_is_refused(name: str, read: Any, at: str) -> None:
    document = json.loads(shipped(name))
    with pytest.raises(DocumentError, match="effective_from"):
        read(json.dumps(document | {"effective_from": at}).encode())
    assert read(json.dumps(document | {"effective_from": f"{DAY}T00:00:00+08:00"}).encode()).version


@pytest.mark.parametrize("day", [DAY, "20260916"])
def test_as_of_a_day_is_refused_at_the_terminal(day: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        terminal.instant(day)
    assert "bad-parameter: found --as-of" in (said := capsys.readouterr().err)
    assert "a day without a time of day; needed an instant" in said
    assert terminal.instant(f"{DAY}T09:00").isoformat() == f"{DAY}T09:00:00+08:00"


def test_the_clock_starts_at_an_instant() -> None:
    for text in (DAY, f"{DAY}T00:00:00"):
        with pytest.raises(ValidationError, match="clock_start"):
            Settings(clock_start=text)  # type: ignore[arg-type]


def test_a_published_event_of_a_day_is_no_event() -> None:
    event = {
        "position": 1,
        "id": str(UUID(int=1)),
        "type": "water.repair.WaterRestored.v1",
        "subject": str(UUID(int=2)),
        "caseversion": 1,
        "time": f"{DAY}T01:00:00Z",
        "recordedat": f"{DAY}T01:00:00Z",
        "data": {},
    }
    assert len(list(from_lines([json.dumps(event).encode()]))) == 1
    for name in ("time", "recordedat"):
        with pytest.raises(BadLineError):
            list(from_lines([json.dumps(event | {name: DAY}).encode()]))
