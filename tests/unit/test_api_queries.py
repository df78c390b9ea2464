"""Queries over HTTP: a case from the store, the board's numbers, due dates, names, health."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.app import create_app
from api.board.cases import repair_stage
from api.pages.static_files import STATIC
from api.publication.reference import known_region
from app.status_report import _is_well, clock_lines, postgres_address, room_lines, supervised_lines, watch_lines
from domain import kinds
from domain.deadlines.calendar import CalendarPublished, from_published
from domain.kernel.facts import Recorded
from infra.disk_space import Disk
from infra.eventstore.commands import Stream
from infra.eventstore.envelope import CloudEvent, read
from infra.eventstore.service import Service
from infra.settings import Settings
from infra.status import CanaryStatus, Process, StoppedReader
from tests.api_world import (
    DISPATCHER,
    MORNING,
    REPORTER,
    Client,
    FakeService,
    app_over,
    application,
    fault,
    ready_for_water,
    turned_on,
)
from tests.statuses import STATUS


@pytest.fixture
def service() -> FakeService:
    return FakeService(demo=True)


@pytest.fixture
def client(service: FakeService) -> Client:
    return Client(app_over(service))


# ---- one case


def test_a_case_shows_its_state_its_windows_and_its_timeline(client: Client, service: FakeService) -> None:
    case_id = client.post("/api/v1/repairs", fault(), headers={"X-Actor": "staff-7", "X-Role": "hotline"}).json()[
        "case_id"
    ]
    client.post(f"/api/v1/repairs/{case_id}/dispatch", {"crew": "crew-1"}, headers=DISPATCHER)
    service.clock.move(timedelta(minutes=40))
    client.post(
        f"/api/v1/repairs/{case_id}/arrival",
        {"crew": "crew-1", "happened_at": "2026-09-16T01:25:00Z"},
        headers=DISPATCHER,
    )
    shown = client.get(f"/api/v1/cases/{case_id}").json()
    assert {name: shown[name] for name in ("family", "stage", "open", "crew", "zone", "reports", "severity")} == {
        "family": "repair",
        "stage": "on_site",
        "open": True,
        "crew": "crew-1",
        "zone": "urban",
        "reports": 1,
        "severity": None,
    }
    arrival = next(window for window in shown["windows"] if window["commitment"] == "repair.arrival")
    assert (arrival["state"], arrival["on_time"], arrival["lapses"], arrival["standard"]) == (
        "met",
        True,
        0,
        "2026-06-1",
    )
    first = shown["timeline"][0]
    assert (first["fact"], first["actor"], first["role"]) == ("FaultReported", "staff-7", "hotline")
    late = next(entry for entry in shown["timeline"] if entry["fact"] == "CrewArrived")
    assert (late["happened_at"], late["recorded_at"]) == ("2026-09-16T01:25:00Z", "2026-09-16T01:40:00Z")
    opened = next(entry for entry in shown["timeline"] if entry["fact"] == "WindowOpened")
    assert opened["standard"] == "2026-06-1"
    assert [entry["version"] for entry in shown["timeline"]] == list(range(1, shown["version"] + 1))


def test_a_lapse_that_fell_away_is_shown_as_retracted(client: Client, service: FakeService) -> None:
    case_id = client.post("/api/v1/repairs", fault()).json()["case_id"]
    service.clock.move(timedelta(minutes=45))
    client.post(f"/api/v1/repairs/{case_id}/dispatch", {"crew": "crew-1"}, headers=DISPATCHER)
    standing = client.get(f"/api/v1/cases/{case_id}").json()["windows"][0]
    assert (standing["state"], standing["lapses"], standing["retracted"]) == ("lapsed", 1, 0)
    client.post(
        f"/api/v1/repairs/{case_id}/arrival",
        {"crew": "crew-1", "happened_at": "2026-09-16T01:20:00Z"},
        headers=DISPATCHER,
    )
    fallen = client.get(f"/api/v1/cases/{case_id}").json()["windows"][0]
    assert (fallen["state"], fallen["lapses"], fallen["retracted"]) == ("met", 0, 1)


def test_a_connection_case_shows_the_calendar_it_is_judged_by(client: Client) -> None:
    case_id = ready_for_water(client, supply_points=2)
    assert turned_on(client, case_id, 2).status_code == 200
    shown = client.get(f"/api/v1/cases/{case_id}").json()
    assert (shown["family"], shown["stage"], shown["points_on"]) == ("connection", "partly_on", [2])
    window = next(window for window in shown["windows"] if window["commitment"] == "connection.water_on")
    assert (window["due_at"], window["calendar"]) == ("2026-09-22T09:30:00Z", "CN@2026-1")


def test_a_case_is_read_once_whichever_kind_it_is_of(
    client: Client, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = ready_for_water(client)
    stored = service.events[UUID(case_id)]
    parsed: list[bytes] = []

    def noting(state: bytes) -> tuple[CloudEvent, Recorded]:
        parsed.append(state)
        return read(state)

    monkeypatch.setattr("tests.api_world.read", noting)
    shown = client.get(f"/api/v1/cases/{case_id}").json()
    assert parsed == stored
    told = [json.loads(state) for state in stored]
    assert [
        (each["version"], each["position"], each["event_id"], each["type"], each["happened_at"], each["recorded_at"])
        for each in shown["timeline"]
    ] == [
        (each["caseversion"], each["position"], each["id"], each["type"], each["time"], each["recordedat"])
        for each in told
    ]
    assert [each["reported_at"] for each in shown["timeline"]] == [each.get("reportedat") for each in told]
    assert [each["data"] for each in shown["timeline"]] == [each["data"] for each in told]


def test_a_case_never_shows_anybodys_particulars(client: Client) -> None:
    case_id = client.post("/api/v1/repairs", fault()).json()["case_id"]
    text = client.get(f"/api/v1/cases/{case_id}").text
    assert not [value for value in REPORTER.values() if value in text]


def test_a_stream_that_is_no_case_is_not_shown(client: Client, service: FakeService) -> None:
    case_id = ready_for_water(client)
    assert turned_on(client, case_id).status_code == 200
    (meter,) = (id_ for id_ in service.events if str(id_) != case_id)
    answer = client.get(f"/api/v1/cases/{meter}")
    assert (answer.status_code, answer.json()["code"]) == (404, "no-such-case")


def test_a_stage_is_the_furthest_step_on_record(client: Client, service: FakeService) -> None:
    case_id = client.post("/api/v1/repairs", fault()).json()["case_id"]
    stages = []
    for step, body in (
        ("completion", {}),
        ("arrival", {"crew": "crew-1"}),
        ("closure", {}),
    ):
        assert client.post(f"/api/v1/repairs/{case_id}/{step}", body, headers=DISPATCHER).status_code == 200
        stages.append(repair_stage(service.load(Stream(kinds.REPAIR, UUID(case_id)))[0]))
    assert stages == ["completed", "completed", "closed"]
    received = client.post("/api/v1/connections", application()).json()["case_id"]
    assert client.get(f"/api/v1/cases/{received}").json()["stage"] == "received"
    assert client.get(f"/api/v1/cases/{ready_for_water(client)}").json()["stage"] == "inspected"


# ---- the board


def counted(**changes: Any) -> dict[str, Any]:
    row = {"family": "connection", "category": "private", "channel": "counter", "severity": None}
    return {**row, "stage": "received", "open": True, "cases": 1, "reports": 0, **changes}


def test_counts_stand_beside_the_published_ones(client: Client, service: FakeService) -> None:
    service.answers["count_cases"] = lambda _: [
        counted(cases=5),
        counted(category="business", channel="website", stage="water_on", open=False, cases=2),
        counted(category="village-group", channel="wechat"),
        counted(category="private", channel="crew-phone"),
        counted(family="repair", category=None, severity="small", stage="closed", open=False, cases=3, reports=4),
        counted(family="repair", category=None, severity=None, stage="reported", cases=2, reports=2),
    ]
    service.answers["count_windows"] = lambda _: [
        {
            "commitment": "repair.arrival",
            "running": 2,
            "met": 3,
            "met_on_time": 2,
            "lapsed": 1,
            "cancelled": 0,
            "unknown": 0,
            "lapses": 2,
            "retracted": 1,
        }
    ]
    shown = client.get("/api/v1/counts").json()
    connections = shown["connections"]
    assert (connections["total"], connections["open"], connections["water_on"]) == (9, 7, 2)
    assert [(each["code"], each["count"], each["published"]) for each in connections["by_category"]] == [
        ("business", 2, 37),
        ("institution", 0, 14),
        ("prefecture-platform", 0, 2),
        ("private", 6, 187),
        ("other", 1, None),
    ]
    assert [(each["code"], each["count"], each["published"]) for each in connections["by_channel"]] == [
        ("online", 3, 20),
        ("hotline", 0, 10),
        ("platform", 0, 2),
        ("counter", 5, 208),
        ("other", 1, None),
    ]
    assert shown["repairs"] == {
        "total": 5,
        "open": 2,
        "closed": 3,
        "reports": 6,
        "by_severity": {"small": 3, "medium": 0, "major": 0, "unassessed": 2},
    }
    assert (shown["lapses_standing"], shown["lapses_retracted"]) == (2, 1)


def test_the_published_parts_sum_to_240_and_the_report_says_238(client: Client) -> None:
    connections = client.get("/api/v1/counts").json()["connections"]
    assert (connections["published_sum"], connections["published_reported"]) == (240, 238)
    for groups in ("by_category", "by_channel"):
        assert sum(each["published"] for each in connections[groups]) == 240


def test_a_real_installation_shows_its_own_counts_and_no_other_utilitys_figures() -> None:
    service = FakeService()
    service.answers["count_cases"] = lambda _: [counted(category="business", channel="website")]
    service.answers["count_windows"] = lambda _: []
    connections = Client(app_over(service)).get("/api/v1/counts").json()["connections"]
    assert (connections["published_sum"], connections["published_reported"]) == (None, None)
    shown = [*connections["by_category"], *connections["by_channel"]]
    assert {each["published"] for each in shown} == {None}
    assert [each["count"] for each in shown if each["code"] in ("business", "online")] == [1, 1]


def test_windows_say_when_the_limit_cut_some_off(client: Client, service: FakeService) -> None:
    window = {
        "case_id": uuid4(),
        "commitment": "repair.arrival",
        "family": "repair",
        "number": 1,
        "opened_at": MORNING,
        "due_at": MORNING + timedelta(minutes=30),
        "tentative": False,
        "standard": "2026-06-1",
        "calendar": None,
        "state": "running",
        "met_at": None,
        "on_time": None,
        "lapses": 0,
        "retracted": 0,
        "settles_at": None,
        **dict.fromkeys(("case_number", "kind", "category", "district", "crew", "severity", "stage", "mass")),
    }
    service.answers["windows_running"] = lambda params: [window] * min(3, params["limit"])
    assert [client.get(f"/api/v1/windows?limit={n}").json()["more"] for n in (2, 3)] == [True, False]
    assert client.get("/api/v1/windows?running=false").json()["windows"] == []


# ---- due dates (the worked table of the service's papers)


@pytest.mark.parametrize(
    ("start", "due_on"),
    [
        ("2026-02-13", "2026-02-27"),
        ("2026-04-30", "2026-05-11"),
        ("2026-05-03", "2026-05-11"),
        ("2026-09-17", "2026-09-23"),
        ("2026-09-19", "2026-09-24"),
        ("2026-09-30", "2026-10-13"),
    ],
)
def test_a_due_date_counts_chinas_working_days(client: Client, start: str, due_on: str) -> None:
    shown = client.get(f"/api/v1/due?from={start}&working_days=5&region=CN").json()
    assert (shown["due_on"], shown["tentative"], shown["region"]) == (due_on, False, "CN")
    assert shown["due_at"] == f"{due_on}T09:30:00Z"
    assert (len(shown["counted"]), shown["counted"][-1]) == (5, due_on)


def test_a_due_date_beyond_the_published_notices_is_tentative(client: Client) -> None:
    assert client.get("/api/v1/due?from=2026-12-28").json()["tentative"] is True


def test_without_a_number_of_days_the_standards_own_holds(client: Client) -> None:
    assert client.get("/api/v1/due?from=2026-02-13").json()["working_days"] == 5


def test_the_region_of_a_chain_is_its_narrowest() -> None:
    national = CalendarPublished("CN", "2026-1", MORNING.date(), (), (), "test")
    local = CalendarPublished("CN-Xiangxi", "7", MORNING.date(), (), (), "test")
    assert known_region(from_published([national, local])) == "CN-Xiangxi"


# ---- names, demo, health


def test_names_of_codes_come_from_the_standard(client: Client) -> None:
    shown = client.get("/api/v1/labels").json()
    assert shown["fault_kinds"]["leak"] == "漏水"
    assert shown["districts"]["zhenxi"] == {"name_zh": "镇溪街道", "zone": "urban"}
    assert "website" in shown["channels"]
    assert "system" not in shown["channels"]


def test_the_demo_says_what_is_real_and_nothing_where_it_does_not_run(client: Client) -> None:
    assert Client(app_over(FakeService())).get("/api/v1/demo").json() == {}
    shown = client.get("/api/v1/demo").json()
    assert shown["running"] is True
    assert "Kitchener" in json.dumps(shown["real"])
    assert "Boston" in json.dumps(shown["real"])
    assert "applications" in json.dumps(shown["simulated"])


@pytest.fixture
def with_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.health.collect", lambda *_, **__: STATUS)


@pytest.mark.usefixtures("with_status")
def test_health_tells_head_lag_and_parts(client: Client) -> None:
    shown = client.get("/healthz").json()
    assert (shown["status"], shown["head_position"], shown["clock_factor"]) == ("ok", 120, 60.0)
    assert (shown["relay"]["lag"], shown["relay"]["last_error"]) == (2, "KafkaError: gone")
    assert shown["readers"] == [{"name": "board", "lag": 10}]
    assert [(part["name"], part["up"], part["alive"]) for part in shown["parts"]] == [
        ("board", True, 1),
        ("relay", True, 1),
        ("watch", False, 0),
    ]


@pytest.mark.usefixtures("with_status")
def test_metrics_tell_what_postgresql_knows_and_what_was_asked_here(client: Client) -> None:
    client.post("/api/v1/repairs", fault())
    client.post("/api/v1/repairs", fault(kind="nothing-we-know"))
    client.get("/nowhere/at/all")
    text = client.get("/metrics").text
    for line in (
        "tongshui_store_up 1.0",
        "tongshui_log_head_position 120.0",
        "tongshui_relay_all_out_position 118.0",
        "tongshui_relay_lag_events 2.0",
        "tongshui_relay_tails_lost_total 1.0",
        'reader_lag_positions{build="1",partition="0",reader="board",schema="views",topic="water.repair.v1"} 10.0',
        'tongshui_windows_running{commitment="repair.arrival"} 3.0',
        'tongshui_lapses_total{commitment="repair.arrival"} 5.0',
        'tongshui_retractions_total{commitment="repair.arrival"} 2.0',
        'tongshui_dead_letters_total{reader="board"} 2.0',
        'tongshui_outbox_messages{state="dead"} 2.0',
        "tongshui_outbox_oldest_seconds 61.5",
        'tongshui_lapse_lateness_milliseconds{quantile="0.99"} 80.0',
        "tongshui_watch_asked_total 9.0",
        "tongshui_watch_missed_total 1.0",
        'tongshui_watch_open_windows{commitment="repair.arrival"} 4.0',
        'tongshui_lapse_lateness_seconds_bucket{le="0.05"} 3.0',
        'tongshui_lapse_lateness_seconds_bucket{le="0.1"} 4.0',
        'tongshui_lapse_lateness_seconds_bucket{le="+Inf"} 6.0',
        "tongshui_lapse_lateness_seconds_count 6.0",
        "tongshui_lapse_lateness_seconds_sum 7.25",
        "tongshui_canary_silence_seconds 12.0",
        'tongshui_watch_canary_lateness_seconds{pid="10"} 0.021',
        'tongshui_watch_canaries_sung_total{pid="10"} 5.0',
        'tongshui_watch_canaries_heard_total{pid="10"} 4.0',
        'tongshui_http_requests_total{method="POST",outcome="ok",route="/api/v1/repairs",status="201"} 1.0',
        'requests_total{method="POST",outcome="unknown-fault-kind",route="/api/v1/repairs",status="422"} 1.0',
        'tongshui_http_requests_total{method="(any)",outcome="no-such-path",route="(no such path)",status="404"} 1.0',
        'tongshui_http_request_seconds_count{method="POST",route="/api/v1/repairs"} 2.0',
    ):
        assert line in text, line


def test_metrics_tell_of_a_reader_that_was_stopped_and_of_billings_open_differences(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = StoppedReader("billing", 51, "water.connection.v1", 0, 90, "bad-data", MORNING)
    monkeypatch.setattr("api.health.collect", lambda *_, **__: replace(STATUS, stopped=(stop,), billing_differences=3))
    text = client.get("/metrics").text
    assert 'tongshui_reader_stopped{reader="billing"} 1.0' in text
    assert "tongshui_billing_differences 3.0" in text


def test_making_the_application_connects_to_nothing() -> None:
    class Untouchable:
        settings = Settings()

        def __getattr__(self, name: str) -> object:
            raise AssertionError(f"the service's {name} was used")

    create_app(Untouchable())  # type: ignore[arg-type]
    assert Service.__module__ == "infra.eventstore.service"


# ---- the page, as text


def test_the_page_is_served_with_a_policy_that_lets_nothing_foreign_in(client: Client) -> None:
    for path in ("/", "/board", "/docs"):
        answer = client.get(path)
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        for name in re.findall(r'(?:src|href)="([^"]+)"', answer.text):
            if name.startswith("/static/"):
                assert client.get(name).status_code == 200, name


def test_nothing_of_the_page_comes_from_elsewhere_and_nothing_enters_as_markup() -> None:
    files = {path.name: path.read_text(encoding="utf-8") for path in STATIC.iterdir() if path.is_file()}
    assert {"site.css", "wall.css", "board.js", "docs.html", "docs.js", "icon.svg"} <= files.keys()
    for name, text in files.items():
        foreign = re.findall(r"(?:https?:)?//[\w.-]+\.\w+", text.replace("http://www.w3.org/2000/svg", ""))
        assert not foreign, f"{name} names {foreign}"
        for unsafe in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            " style=",
            "onclick=",
        ):
            assert unsafe not in text, f"{name} has {unsafe}"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cannot_write": "No space left on device"}, "store      CANNOT WRITE: No space left on device: make room"),
        ({"disks": (Disk("data", 3_000_000, is_low=True),)}, "LOW for data: make room"),
    ],
    ids=["the store cannot write", "a disk is nearly full"],
)
def test_a_store_without_room_is_not_well(change: dict[str, Any], said: str) -> None:
    status = replace(STATUS, watching=None)
    assert _is_well(status, None, 30.0)
    assert not _is_well(replace(status, **change), None, 30.0)
    assert said in "\n".join(room_lines(replace(status, **change)))
    assert room_lines(replace(status, disks=(Disk("data", 3_000_000_000, is_low=False),))) == [
        "disk       data 3000 MB free"
    ]


@pytest.mark.usefixtures("with_status")
def test_health_is_503_while_the_store_answers_and_cannot_write(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = replace(STATUS, cannot_write="could not extend file: No space left on device")
    monkeypatch.setattr("api.health.collect", lambda *_, **__: full)
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["code"]) == (503, "store-cannot-write")
    assert answer.json()["found"] == full.cannot_write
    assert "tongshui_store_writable 0.0" in client.get("/metrics").text


@pytest.mark.parametrize(
    ("ahead_s", "within_s", "shown_s", "said"),
    [
        (93.0, 0.001, 92.999, "clock      of watch pid 10 is 93.0 s ahead of PostgreSQL's"),
        (-7.5, 0.5, -7.0, "clock      of watch pid 10 is 7.0 s behind PostgreSQL's"),
        (3.0, 2.5, 0.5, None),  # a slow answer: it may well be right
        (1.9, 0.001, 1.899, None),
    ],
)
def test_a_process_whose_clock_differs_is_named(
    ahead_s: float, within_s: float, shown_s: float, said: str | None
) -> None:
    detail = {"clock": {"ahead_s": ahead_s, "within_s": within_s}}
    process = Process("watch", 10, STATUS.processes[0].started_at, 1.0, True, detail)
    assert process.clock_ahead_s == pytest.approx(shown_s)
    lines = clock_lines(replace(STATUS, processes=(process,)), 2.0)
    assert [line.partition(":")[0] for line in lines] == ([said] if said else [])
    gone = replace(process, up=False)
    assert clock_lines(replace(STATUS, processes=(gone,)), 2.0) == []


def test_the_watch_says_what_it_has_done_and_in_its_first_minute_nothing_untrue() -> None:
    assert STATUS.watching is not None
    assert watch_lines(STATUS.watching) == [
        "watch      evaluated 9 times, missed 1 cases; 4 windows in the index at the last sweep",
        "canary     pid 10, sent 5, received 4, the last 12 s ago, 21 ms late",
    ]
    young = replace(STATUS.watching, open_windows={}, canaries=(CanaryStatus(10, 0, 0, None, 33.0, up=True),))
    assert watch_lines(young) == [
        "watch      evaluated 9 times, missed 1 cases; index not counted yet",
        "canary     pid 10, sent 0, none received yet; its watch began 33 s ago",
    ]


@pytest.mark.parametrize(("waiting_s", "well"), [(0.0, True), (30.0, True), (30.5, False)])
def test_an_event_that_waits_too_long_to_be_on_kafka_is_not_well(waiting_s: float, well: bool) -> None:
    assert STATUS.relay is not None
    status = replace(STATUS, relay=replace(STATUS.relay, waiting_s=waiting_s), watching=None)
    assert _is_well(status, None, 30.0) is well


def test_a_part_that_is_being_started_is_not_called_down_beside_a_server_that_answers() -> None:
    parts = {
        "postgres": {"pid": 7, "up": False, "restarts": 1},
        "kafka": {"pid": None, "up": False, "restarts": 0},
        "relay": {"pid": 8, "up": True, "restarts": 0},
    }
    state = {"pid": 1, "started": "2026-09-16T01:00:00Z", "parts": parts}
    lines = [line.split()[:2] for line in supervised_lines(state, {"postgres"})[1:]]
    assert lines == [["postgres", "starting"], ["kafka", "DOWN"], ["relay", "up"]]


def test_the_stores_address_is_shown_without_user_and_password() -> None:
    url = "postgresql://billing:secret@db.example:5433/water?sslmode=require"
    assert postgres_address(Settings(database_url=url)) == "db.example:5433, database water"
