"""What is counted of repairs: by channel and kind, and the promises by first and by final class."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from app.demo.stage import fill
from domain import kinds
from infra.clock import ManualClock
from infra.eventstore.commands import Stream, evaluation_of
from infra.eventstore.service import Service
from projections.reports.figures import figures
from projections.reports.figures_text import lines
from projections.reports.repair_figures import RepairFigures, Verdicts
from tests.api_world import DIGEST, REPORTER, Client, app_of, fault, staff

CREW = staff("crew", channel="crew-phone")
DISPATCHER = staff("dispatcher")
NONE = Verdicts(0, 0, 0, 0, 0, None)


def there(crew: str) -> dict[str, Any]:
    """The body of an arrival, with the phone's own measure as its evidence."""
    return {"crew": crew, "evidence": {"inside_geofence": True, "distance_m": 20, "accuracy_m": 8}}


class City:
    """Incidents over HTTP, on a real store."""

    def __init__(self, service: Service, clock: ManualClock) -> None:
        self.service, self.clock = service, clock
        self.client = Client(app_of(service))

    def post(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        answer = self.client.post(f"/api/v1{path}", body, headers=headers)
        assert answer.status_code < 300, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def repair(self, *steps: tuple[float, str, dict[str, Any]], **report: Any) -> None:
        """An incident reported now; the steps so many minutes after the report."""
        begun = self.clock.now()
        case_id = self.post("/repairs", fault(**report), staff("hotline", channel="hotline"))["case_id"]
        for after, step, body in steps:
            self.clock.set(begun + timedelta(minutes=after))
            by = DISPATCHER if step.startswith("reports") else CREW
            self.post(f"/repairs/{case_id}/{step}", body, by)

    def count(self, connection: psycopg.Connection[Any], **days: date) -> RepairFigures:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute("SELECT originator_id AS id, topic FROM store.stored_events WHERE originator_version = 1")
            cases = [(row["id"], kinds.opened_as(row["topic"])) for row in cursor]
        for case_id, kind in cases:
            if kind is not None:
                self.service.run(evaluation_of(Stream(kind, case_id), "window-watch"))
        fill(self.service.settings, connection)
        return figures(connection, days.get("first"), days.get("last")).repairs


@pytest.fixture
def city(service: Service, clock: ManualClock) -> City:
    return City(service, clock)


@pytest.fixture
def connection(service: Service) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(service.settings.database_url, autocommit=True, row_factory=dict_row) as opened:
        yield opened


SMALL = {"severity": "small", "reason": "valve"}


def test_an_incident_that_was_classed_twice_counts_under_both(city: City, connection: psycopg.Connection[Any]) -> None:
    """Small at first, and late as such; medium at last, and in time as such: the lapse stays under both."""
    reassessed = {"severity": "medium", "reason": "dn-100", "evidence_digest": DIGEST, "approved_by": "manager-1"}
    city.repair((20, "arrival", there("c-1")), (25, "assessment", SMALL), (60, "completion", {}))
    city.repair(
        (20, "arrival", there("c-2")),
        (25, "assessment", SMALL),
        (245, "reassessment", reassessed),
        (300, "completion", {}),
    )
    found = city.count(connection)
    by_class = {each.severity: each for each in found.classes}
    assert (found.incidents, found.reclassified, found.open) == (2, 1, 2)
    assert (by_class["small"].first, by_class["small"].final) == (2, 1)
    assert (by_class["medium"].first, by_class["medium"].final) == (0, 1)
    assert by_class["small"].by_first == Verdicts(1, 1, 0, 0, 0, 50.0)
    assert by_class["small"].by_final == Verdicts(1, 0, 0, 0, 0, 100.0)
    assert by_class["medium"].by_final == Verdicts(0, 1, 0, 0, 0, 0.0), "no class takes a lapse away"
    assert (by_class["small"].median_minutes, by_class["medium"].median_minutes) == (60, 300)
    assert by_class["major"].by_final == NONE


def test_minutes_count_from_the_first_report_also_where_it_was_linked_later(
    city: City, connection: psycopg.Connection[Any]
) -> None:
    """Before, they counted from the report that was told first: ten minutes too few, and even fewer than none."""
    begun = city.clock.now()
    earlier = {"reporter": REPORTER, "happened_at": (begun - timedelta(minutes=10)).isoformat()}
    done_before_it_was_told = {"happened_at": (begun - timedelta(minutes=5)).isoformat()}
    there_first = there("c-1") | {"happened_at": (begun - timedelta(minutes=9)).isoformat()}
    city.repair((1, "reports", earlier), (20, "arrival", there_first), (25, "completion", done_before_it_was_told))
    unassessed = {each.severity: each for each in city.count(connection).classes}["unassessed"]
    assert (unassessed.median_minutes, unassessed.p90_minutes) == (5, 5)


def test_a_late_told_first_look_is_the_first_class(city: City, connection: psycopg.Connection[Any]) -> None:
    seen = city.clock.now() + timedelta(minutes=22)
    city.repair(
        (20, "arrival", there("c-1")),
        (30, "assessment", {"severity": "major", "reason": "trunk"}),
        (40, "assessment", SMALL | {"happened_at": seen.isoformat()}),
    )
    found = {each.severity: (each.first, each.final) for each in city.count(connection).classes}
    assert found == {"small": (1, 0), "medium": (0, 0), "major": (0, 1), "unassessed": (0, 0)}


def test_reports_arrivals_answers_and_orders_are_counted(city: City, connection: psycopg.Connection[Any]) -> None:
    order = {"source": "hotline-12345", "number": "JS-1"}
    city.repair(
        (5, "reports", {"reporter": REPORTER, "order": order}),
        (45, "arrival", there("c-1")),
        (60, "completion", {}),
        (70, "reports/1/answer", {"way": "phone"}),
    )
    city.post("/orders/hotline-12345/JS-1/reply", {"digest": DIGEST}, staff("hotline"))
    city.repair(kind="burst", district="aizhai")
    city.clock.move(timedelta(days=2))
    found = city.count(connection)
    assert (found.incidents, found.reports, found.by_channel) == (2, 3, {"hotline": 2})
    assert (found.by_kind, found.by_district) == ({"burst": 1, "leak": 1}, {"aizhai": 1, "zhenxi": 1})
    assert found.arrival == Verdicts(0, 2, 0, 0, 0, 0.0)
    assert (found.arrival_median_minutes, found.answers) == (45, Verdicts(1, 0, 0, 0, 0, 100.0))
    assert (found.orders, found.orders_replied.on_time) == (1, 1)
    text = "\n".join(lines(figures(connection)))
    assert "抢修工单 incidents" in text
    assert "热线工单 orders" in text


def test_incidents_that_were_merged_are_one_and_every_report_counts_once(
    city: City, connection: psycopg.Connection[Any]
) -> None:
    city.repair()
    city.repair((5, "reports", {"reporter": REPORTER}))
    first, second = (
        row["originator_id"]
        for row in connection.execute(
            "SELECT originator_id FROM store.stored_events WHERE originator_version = 1"
            " AND topic = 'water.repair.FaultReported.v1' ORDER BY notification_id"
        )
    )
    city.post(f"/repairs/{second}/merging", {"into": str(first)}, DISPATCHER)
    found = city.count(connection)
    assert (found.incidents, found.reports, found.open) == (1, 3, 1)
    listed = city.client.get("/api/v1/dispatch").json()["incidents"]
    assert [(row["case_id"], row["reports"]) for row in listed] == [(str(first), 3)]


def test_whose_arrival_lapsed_is_listed_until_everybody_had_an_apology(
    city: City, connection: psycopg.Connection[Any]
) -> None:
    city.repair((5, "reports", {"reporter": REPORTER}), (45, "arrival", there("c-1")), (50, "assessment", SMALL))
    sorry = {"action": "apologise", "role": "hotline"}
    steps = []
    for report in (1, 1, 2):
        city.count(connection)
        (listed,) = city.client.get("/api/v1/dispatch").json()["incidents"]
        steps.append(sorry in listed["next_actions"])
        city.post(f"/repairs/{listed['case_id']}/reports/{report}/apology", {"way": "phone"}, staff("hotline"))
    city.count(connection)
    (listed,) = city.client.get("/api/v1/dispatch").json()["incidents"]
    assert (steps, listed["next_actions"]) == ([True, True, True], [{"action": "dispatch", "role": "dispatcher"}])


def test_a_patrols_find_that_is_repaired_waits_for_nobodys_answer(
    city: City, connection: psycopg.Connection[Any]
) -> None:
    arrived: tuple[float, str, dict[str, Any]] = (10, "arrival", there("c-1"))
    done: tuple[float, str, dict[str, Any]] = (60, "completion", {})
    city.repair(arrived, (12, "assessment", SMALL), done, reporter=None)
    city.repair(arrived, (12, "assessment", SMALL), done)
    city.count(connection)
    listed = city.client.get("/api/v1/dispatch").json()["incidents"]
    steps = {row["case_number"]: [each["action"] for each in row["next_actions"]] for row in listed}
    assert sorted(steps.values()) == [["answer"], ["close"]]


def test_nobody_is_told_sorry_for_a_patrols_find_whose_arrival_lapsed(
    city: City, connection: psycopg.Connection[Any]
) -> None:
    city.repair((40, "arrival", there("c-1")), reporter=None)
    city.repair((40, "arrival", there("c-1")))
    city.count(connection)
    listed = city.client.get("/api/v1/dispatch").json()["incidents"]
    assert [row["lapses"] for row in listed] == [1, 1]
    steps = {row["case_number"]: [each["action"] for each in row["next_actions"]] for row in listed}
    assert sorted(steps.values()) == [["dispatch"], ["dispatch", "apologise"]]


def test_a_crew_that_is_held_up_is_expected_until_it_is_there(city: City, connection: psycopg.Connection[Any]) -> None:
    case_id = city.post("/repairs", fault(), staff("hotline", channel="hotline"))["case_id"]
    city.post(f"/repairs/{case_id}/dispatch", {"crew": "c-1"}, DISPATCHER)
    later = {"crew": "c-1", "expected_at": "2026-09-16T01:50:00Z"}
    seen = []
    for step, body in (("delay", later), ("arrival", there("c-1"))):
        city.post(f"/repairs/{case_id}/{step}", body, CREW)
        city.count(connection)
        (listed,) = city.client.get("/api/v1/dispatch").json()["incidents"]
        seen.append(listed["expected_at"])
    assert seen == ["2026-09-16T01:50:00Z", None]


def test_the_most_overdue_incident_is_listed_first_and_is_never_the_one_cut_off(
    city: City, connection: psycopg.Connection[Any]
) -> None:
    city.repair(kind="burst")
    city.clock.move(timedelta(minutes=20))
    city.repair(kind="leak")
    city.clock.move(timedelta(minutes=45))  # both arrivals have run out, and nobody has arrived
    city.repair(kind="no-water")
    city.count(connection)
    answer = city.client.get("/api/v1/dispatch").json()
    assert [row["kind"] for row in answer["incidents"]] == ["burst", "leak", "no-water"]
    first, _, last = answer["incidents"]
    assert (first["commitment"], first["lapses"]) == ("repair.arrival", 1)
    assert first["due_at"] < answer["at"] < last["due_at"]
    cut = city.client.get("/api/v1/dispatch?limit=1").json()
    assert ([row["kind"] for row in cut["incidents"]], cut["more"]) == (["burst"], True)


def test_an_incident_counts_in_the_period_of_its_first_report(city: City, connection: psycopg.Connection[Any]) -> None:
    city.repair()
    assert city.count(connection, first=date(2026, 9, 16), last=date(2026, 9, 16)).incidents == 1
    assert figures(connection, date(2026, 9, 17)).repairs.incidents == 0
