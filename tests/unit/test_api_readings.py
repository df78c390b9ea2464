"""A batch of readings: the good rows go on, the bad ones are named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from api.http.refusals import ReadingsUnavailable
from api.metering.readings import ROWS_AT_MOST
from infra.kafka.meter_readings import BadRowError, MeterReading, from_json, from_row, to_record
from tests.api_world import MORNING, Client, FakeService, app_over, staff

GOOD = {"meter": "js-2026-0001", "read_at": "2026-09-16T08:00:00+08:00", "value_m3": "12.345"}
PATH = "/api/v1/readings"
Z = "2026-09-16T01:00:00Z"


class Door:
    """In the place of Kafka: takes readings, or refuses them."""

    def __init__(self) -> None:
        self.taken: list[MeterReading] = []
        self.away = False

    def send(self, readings: list[MeterReading]) -> None:
        if self.away:
            raise ReadingsUnavailable()
        self.taken += readings


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def client(door: Door) -> Client:
    app = app_over(FakeService())
    app.state.intake = door
    return Client(app)


def send(client: Client, *rows: Any, role: str = "meter-reader") -> Any:
    return client.post(PATH, {"readings": list(rows)}, headers=staff(role))


def test_a_reading_is_taken_in_litres_and_in_utc_under_its_meters_number(client: Client, door: Door) -> None:
    answer = send(client, GOOD)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "refused": []})
    (reading,) = door.taken
    assert (reading.meter, reading.litres, reading.read_at.isoformat()) == (
        "JS-2026-0001",
        12_345,
        "2026-09-16T00:00:00+00:00",
    )


@pytest.mark.parametrize(
    ("row", "code", "field"),
    [
        ({**GOOD, "value_m3": "-0.001"}, "bad-reading", "value_m3"),
        ({**GOOD, "value_m3": 12.5}, "bad-reading", "value_m3"),
        ({**GOOD, "value_m3": "1e3"}, "bad-reading", "value_m3"),
        ({**GOOD, "value_m3": "1.2345"}, "bad-reading", "value_m3"),
        ({**GOOD, "value_m3": "NaN"}, "bad-reading", "value_m3"),
        ({**GOOD, "value_m3": "1234567890"}, "bad-reading", "value_m3"),
        ({**GOOD, "value_m3": "1\n"}, "bad-reading", "value_m3"),
        ({**GOOD, "read_at": "2026-09-16T09:30:00+08:00"}, "future-time", "read_at"),
        ({**GOOD, "read_at": "2026-09-16T08:00:00"}, "bad-reading", "read_at"),
        ({**GOOD, "read_at": "1999-12-31T23:59:59Z"}, "bad-reading", "read_at"),
        ({**GOOD, "read_at": "0001-01-01T00:00:00+08:00"}, "bad-reading", "read_at"),
        ({**GOOD, "meter": "水表"}, "bad-reading", "meter"),
        ({**GOOD, "meter": ""}, "bad-reading", "meter"),
        ({**GOOD, "meter": "JS-2026-0001\n"}, "bad-reading", "meter"),
        ({name: GOOD[name] for name in ("meter", "read_at")}, "bad-reading", "value_m3"),
        ({**GOOD, "phone-13812345678": "x"}, "bad-reading", ""),
        ([GOOD], "bad-reading", ""),
        (None, "bad-reading", ""),
    ],
)
def test_one_bad_row_is_named_and_the_good_ones_are_kept(
    client: Client, door: Door, row: Any, code: str, field: str
) -> None:
    answer = send(client, GOOD, row, {**GOOD, "value_m3": "13"})
    assert answer.status_code == 202
    told = answer.json()
    assert told["accepted"] == 2
    assert [(of["row"], of["code"], of["field"]) for of in told["refused"]] == [(2, code, field)]
    assert [reading.litres for reading in door.taken] == [12_345, 13_000]
    assert "13812345678" not in answer.text


def test_a_thousand_rows_are_one_batch_and_more_are_refused(client: Client, door: Door) -> None:
    assert send(client, *[GOOD] * ROWS_AT_MOST).json()["accepted"] == ROWS_AT_MOST
    answer = send(client, *[GOOD] * (ROWS_AT_MOST + 1))
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-body")
    assert send(client).status_code == 422
    assert len(door.taken) == ROWS_AT_MOST


def test_a_role_that_the_standard_does_not_name_sends_no_readings(client: Client, door: Door) -> None:
    answer = send(client, GOOD, role="public")
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong-role")
    assert door.taken == []


def test_nothing_is_promised_where_kafka_has_not_acknowledged(client: Client, door: Door) -> None:
    door.away = True
    answer = send(client, GOOD)
    assert (answer.status_code, answer.json()["code"]) == (503, "readings-unavailable")
    assert answer.headers["Retry-After"] == "2"


def test_what_stands_out_is_shown_to_whom_the_standard_names(door: Door) -> None:
    service = FakeService()
    row = {"meter": "JS-1", "read_at": MORNING, "used_litres": 30_000, "flags": ["high"], "found_at": MORNING}
    asked: list[Any] = []

    def rows(params: Mapping[str, Any]) -> list[dict[str, Any]]:
        asked.append(dict(params))
        return [row]

    service.answers["readings_anomalies"] = rows
    client = Client(app_over(service))
    answer = client.get(f"{PATH}/anomalies?meter=js-1", headers=staff("counter"))
    assert answer.json() == [{**row, "read_at": Z, "found_at": Z, "flags_zh": ["用量突增"]}]
    assert asked == [{"meter": "JS-1", "limit": 100}]
    assert client.get(f"{PATH}/anomalies", headers=staff("public")).json()["code"] == "wrong-role"


def test_readings_of_meters_that_nobody_knows_are_named_to_whom_the_standard_names() -> None:
    service = FakeService()
    row = {"meter": "JS-9", "read_at": MORNING, "litres": 1_000, "reason": "unknown-meter", "at": MORNING}
    asked: list[Any] = []

    def rows(params: Mapping[str, Any]) -> list[dict[str, Any]]:
        asked.append(dict(params))
        return [row]

    service.answers["readings_aside"] = rows
    client = Client(app_over(service))
    answer = client.get(f"{PATH}/set-aside?meter=js-9&reason=unknown-meter", headers=staff("meter-reader"))
    assert answer.json() == [{**row, "read_at": Z, "at": Z, "reason_zh": "水表未建档"}]
    assert asked == [{"meter": "JS-9", "reason": "unknown-meter", "limit": 100}]
    assert client.get(f"{PATH}/set-aside", headers=staff("public")).json()["code"] == "wrong-role"
    bad = client.get(f"{PATH}/set-aside?reason=lost", headers=staff("meter-reader"))
    assert (bad.status_code, bad.json()["code"]) == (422, "bad-parameter")


def test_what_is_sent_is_what_is_read_again() -> None:
    reading = from_row(GOOD)
    key, value = to_record(reading)
    assert key == b"JS-2026-0001"
    assert from_json(value) == reading


@pytest.mark.parametrize("value", [b"", b"{", b"\xff", b"[" * 100_000, b"[]", b'{"meter":"A-1"}'])
def test_a_record_that_is_no_reading_is_named_and_breaks_nothing(value: bytes) -> None:
    with pytest.raises(BadRowError):
        from_json(value)
