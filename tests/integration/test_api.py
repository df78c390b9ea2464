"""The API on real PostgreSQL: commands into the store, queries from read models, over a real socket."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest

from api.board.breaches import latest, page
from api.http import cursor as cursors
from api.http.cursor import Cursor
from domain import kinds
from domain.kernel.subjects import Subject
from infra.clock import ManualClock
from infra.eventstore.commands import Command, Stamp, Stream
from infra.eventstore.service import Service
from infra.status import collect
from tests.api_read_models import project
from tests.api_world import (
    APPLICANT,
    DISPATCHER,
    METER,
    PAPERS,
    REPORTER,
    Client,
    app_of,
    application,
    fault,
    ready_for_water,
    served,
    staff,
    turned_on,
    wait_for,
)
from tests.commands import Incident
from tests.proven import LOOKER


@pytest.fixture
def client(service: Service) -> Client:
    return Client(app_of(service))


def stored(service: Service) -> list[dict[str, Any]]:
    """Every case event in the store, in order of position."""
    with service.connection() as connection:
        rows = connection.execute("SELECT state FROM store.stored_events ORDER BY notification_id").fetchall()
    events = [json.loads(row["state"]) for row in rows]
    return [event for event in events if event["type"].split(".")[1] in ("repair", "connection")]


def ask(service: Service, case_id: str) -> None:
    """What the window watch does when a limit comes due."""
    stamp = Stamp("watch", "system", "system", str(uuid4()), "watch")
    service.run(Command(Stream(kinds.REPAIR, UUID(case_id)), stamp, lambda snapshot: []))


def posted(client: Client, path: str, body: Any = None, **options: Any) -> dict[str, Any]:
    answer = client.post(path, body, **options)
    assert answer.status_code < 300, answer.text
    accepted: dict[str, Any] = answer.json()
    return accepted


def lapsed_and_retracted(client: Client, service: Service, clock: ManualClock) -> str:
    """A repair whose crew came in time and told so too late: a lapse on record, then retracted."""
    case_id: str = posted(client, "/api/v1/repairs", fault())["case_id"]
    posted(client, f"/api/v1/repairs/{case_id}/dispatch", {"crew": "crew-1"}, headers=DISPATCHER)
    arrived_at = clock.now() + timedelta(minutes=25)
    clock.move(timedelta(minutes=40))
    ask(service, case_id)
    posted(
        client,
        f"/api/v1/repairs/{case_id}/arrival",
        {"crew": "crew-1", "happened_at": arrived_at.isoformat()},
        headers=staff("crew", channel="crew-phone"),
    )
    return case_id


def test_commands_end_in_the_store_and_the_case_can_be_read_at_once(
    client: Client, service: Service, clock: ManualClock
) -> None:
    case_id = lapsed_and_retracted(client, service, clock)
    shown = client.get(f"/api/v1/cases/{case_id}").json()
    facts = [entry["fact"] for entry in shown["timeline"]]
    assert facts.index("WindowLapsed") < facts.index("WindowRetracted")
    arrival = next(window for window in shown["windows"] if window["commitment"] == "repair.arrival")
    assert (arrival["state"], arrival["on_time"], arrival["lapses"], arrival["retracted"]) == ("met", True, 0, 1)
    assert shown["case_number"].startswith("BX-2026-")


def test_particulars_are_in_the_vault_and_nowhere_else(client: Client, service: Service) -> None:
    case_id = posted(client, "/api/v1/repairs", fault())["case_id"]
    posted(client, "/api/v1/connections", application())
    with service.connection() as connection:
        kept = connection.execute("SELECT subject_id, revision FROM vault.subjects ORDER BY recorded_at").fetchall()
        events = connection.execute("SELECT convert_from(state, 'UTF8') AS text FROM store.stored_events").fetchall()
        keys = connection.execute("SELECT * FROM store.command_keys").fetchall()
    subjects = [Subject(row["subject_id"], row["revision"]) for row in kept]
    assert service.particulars(subjects) == [REPORTER, APPLICANT]
    everything = json.dumps([row["text"] for row in events], ensure_ascii=False) + str(keys)
    everything += client.get(f"/api/v1/cases/{case_id}").text
    assert not [value for value in {*REPORTER.values(), *APPLICANT.values()} if value in everything]


def test_twenty_times_the_same_request_at_once_is_one_case(client: Client, service: Service) -> None:
    headers = {"Idempotency-Key": "storm"}
    with ThreadPoolExecutor(20) as senders:
        answers = list(senders.map(lambda _: client.post("/api/v1/repairs", fault(), headers=headers), range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 19
    assert [event["type"] for event in stored(service)].count("water.repair.FaultReported.v1") == 1


def test_one_meter_at_two_supply_points_at_once_serves_one(client: Client, service: Service) -> None:
    cases = [ready_for_water(client) for _ in range(6)]
    with ThreadPoolExecutor(6) as senders:
        answers = list(senders.map(lambda each: turned_on(client, each, meter=METER), cases))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]
    refused = {answer.json()["code"] for answer in answers if answer.status_code == 409}
    assert refused == {"meter-already-in-service"}
    assert [event["type"] for event in stored(service)].count("water.connection.WaterTurnedOn.v1") == 1


def test_what_is_refused_writes_nothing(client: Client, service: Service) -> None:
    case_id = posted(client, "/api/v1/repairs", fault())["case_id"]
    before = _everything(service)
    for path, body in (
        (f"/api/v1/repairs/{case_id}/closure", {}),
        (f"/api/v1/repairs/{uuid4()}/reports", {"reporter": REPORTER}),
        ("/api/v1/repairs", fault(happened_at="2027-01-01T00:00:00Z")),
        ("/api/v1/repairs", fault(kind="dragon")),
        ("/api/v1/repairs", fault(colour="blue")),
        ("/api/v1/connections", application(supply_points=100_000)),
    ):
        assert 400 <= client.post(path, body, headers=DISPATCHER | {"Idempotency-Key": "k1"}).status_code < 500
    assert client.raw("/api/v1/repairs", b"{nope").status_code == 400
    assert _everything(service) == before


def _everything(service: Service) -> list[int]:
    with service.connection() as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM store.stored_events) AS events,"
            " (SELECT position FROM store.log_head) AS head,"
            " (SELECT count(*) FROM store.command_keys) AS keys, (SELECT count(*) FROM vault.subjects) AS subjects"
        ).fetchone()
    assert row is not None
    return list(row.values())


# ---- read models


def test_the_board_shows_what_the_read_models_hold(client: Client, service: Service, clock: ManualClock) -> None:
    late = lapsed_and_retracted(client, service, clock)
    standing = posted(client, "/api/v1/repairs", fault(kind="burst"), headers={"X-Channel": "hotline"})["case_id"]
    for minutes in (6, 25):
        clock.move(timedelta(minutes=minutes))
        ask(service, standing)
    form, at_the_counter = application(documents=PAPERS), staff("counter", channel="counter")
    connection_id = posted(client, "/api/v1/connections", form, headers=at_the_counter)["case_id"]
    project(service, stored(service))

    counts = client.get("/api/v1/counts").json()
    assert (counts["repairs"]["total"], counts["repairs"]["open"]) == (2, 2)
    assert (counts["lapses_standing"], counts["lapses_retracted"]) == (1, 1)
    by_channel = {each["code"]: each["count"] for each in counts["connections"]["by_channel"]}
    assert by_channel == {"online": 0, "hotline": 0, "platform": 0, "counter": 1}

    running = client.get("/api/v1/windows").json()["windows"]
    due = [window["due_at"] for window in running]
    assert due == [*sorted(each for each in due if each), None], "a count has no end, and comes last"
    assert {window["state"] for window in running} == {"running"}
    assert {window["case_id"] for window in running} == {late, standing, connection_id}
    assert {window["kind"] for window in running} == {"leak", "burst", None}
    only = client.get("/api/v1/windows?kind=connection").json()["windows"]
    assert [window["commitment"] for window in only] == ["connection.water_on", "connection.trips"]
    states = {window["state"] for window in client.get("/api/v1/windows?running=false").json()["windows"]}
    assert states == {"running", "met", "lapsed"}

    changes = client.get("/api/v1/breaches").json()["breaches"]
    assert {each["change"] for each in changes} == {"nearing", "lapsed", "escalated", "retracted"}
    assert all(each["case_number"] for each in changes)

    repairs = client.get("/api/v1/cases?kind=repair&open=true").json()["cases"]
    assert [each["case_id"] for each in repairs] == [standing, late]
    number = repairs[0]["case_number"]
    assert [each["case_id"] for each in client.get(f"/api/v1/cases?number={number}").json()["cases"]] == [standing]
    assert client.get("/api/v1/cases?open=false").json()["cases"] == []


def breach(service: Service, partition: int, position: int) -> None:
    """Make a breach row visible."""
    with service.connection() as connection:
        connection.execute(
            "INSERT INTO views.breaches VALUES (%s, %s, %s, gen_random_uuid(), 'lapsed', 'repair', gen_random_uuid(),"
            " 'repair.arrival', now(), 1, NULL, '{}', NULL, now())",
            [service.settings.breach_topic, partition, position],
        )


def test_a_row_that_becomes_visible_behind_another_partitions_is_not_skipped(service: Service) -> None:
    breach(service, 0, 18)
    first = page(service, Cursor({0: 0, 1: 0, 2: 0, 3: 0}), 10)
    breach(service, 1, 17)
    second = page(service, cursors.parse(first.next, service.settings.partitions), 10)
    assert [row.position for row in first.breaches] == [18]
    assert [row.position for row in second.breaches] == [17]
    assert latest(service, 1).next == "0:18,1:17,2:0,3:0"


# ---- over a socket


@contextmanager
def listening(url: str, after: str | None = None, last_id: str | None = None) -> Iterator[Iterator[tuple[str, int]]]:
    """Open the stream; gives (id, position) pairs as they come."""
    headers = {**LOOKER, **({"Last-Event-ID": last_id} if last_id else {})}
    params = {"after": after} if after else {}
    with (
        httpx.Client(timeout=20) as client,
        client.stream("GET", f"{url}/api/v1/breaches/stream", headers=headers, params=params) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _pairs(answer.iter_lines())


def _pairs(lines: Iterator[str]) -> Iterator[tuple[str, int]]:
    last_id = ""
    for line in lines:
        if line.startswith("id: "):
            last_id = line.removeprefix("id: ")
        elif line.startswith("data: "):
            yield last_id, json.loads(line.removeprefix("data: "))["position"]


def test_the_stream_resumes_where_it_broke_off(service: Service) -> None:
    breach(service, 0, 5)
    with served(app_of(service)) as url:
        with listening(url, after="0") as first:
            last_id, position = next(first)
            assert position == 5
            breach(service, 1, 9)
            last_id, position = next(first)
            assert position == 9
        breach(service, 2, 7)
        with listening(url, after="0", last_id=last_id) as second:
            assert next(second)[1] == 7
            breach(service, 0, 11)
            assert next(second)[1] == 11


def test_without_a_place_the_stream_begins_now(service: Service) -> None:
    breach(service, 0, 5)
    with served(app_of(service)) as url, listening(url) as stream:
        breach(service, 0, 6)
        assert next(stream)[1] == 6


def test_a_server_stops_at_once_although_somebody_listens(service: Service) -> None:
    ended = threading.Event()

    def listen(url: str) -> None:
        with listening(url, after="0") as stream:
            next(stream)
            begun.set()
            list(stream)
            ended.set()

    begun = threading.Event()
    breach(service, 0, 1)
    with served(app_of(service)) as url:
        reader = threading.Thread(target=listen, args=[url], daemon=True)
        reader.start()
        assert begun.wait(20)
    assert ended.wait(20), "the listener was not told that the stream ended"


def test_ten_megabytes_are_turned_away_with_an_answer_that_arrives(service: Service) -> None:
    body = b'{"reporter": "' + b"x" * 10 * 1024 * 1024 + b'"}'
    with served(app_of(service)) as url:
        for _ in range(3):
            answer = httpx.post(
                f"{url}/api/v1/repairs", content=body, headers={"Content-Type": "application/json"}, timeout=20
            )
            assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
        answer = httpx.post(
            f"{url}/api/v1/repairs",
            content=(body[at : at + 8_192] for at in range(0, len(body), 8_192)),
            headers={"Content-Type": "application/json"},
            timeout=20,
        )
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
        assert httpx.post(f"{url}/api/v1/repairs", json=fault(), timeout=20).status_code == 201


def test_a_request_that_stalls_does_not_hold_up_another(service: Service) -> None:
    with served(app_of(service)) as url:
        port = int(url.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)) as stalled:
            stalled.sendall(
                b"POST /api/v1/repairs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                b"Content-Length: 100\r\n\r\n{"
            )
            assert httpx.post(f"{url}/api/v1/repairs", json=fault(), timeout=20).status_code == 201


# ---- health and status


def test_status_reads_positions_lag_beats_and_lateness(service: Service) -> None:
    told_late = Incident(service).receipt.position
    with service.connection() as connection:
        head = connection.execute("SELECT position FROM store.log_head").fetchone()
        assert head is not None
        connection.execute("INSERT INTO store.relay_state (cluster_id, epoch, all_out) VALUES ('old', 1, 1)")
        connection.execute(
            "INSERT INTO store.relay_state (cluster_id, epoch, all_out, tails_lost, updated_at)"
            " VALUES ('now', 4, %s, 2, clock_timestamp() + interval '1 second')",
            [head["position"] - 1],
        )
        for cluster, topic_id, position in (("old", 1, 900), ("now", 2, 40), ("now", 3, 55)):
            connection.execute(
                "INSERT INTO store.relay_checkpoint VALUES (%s, %s, 'water.repair.v1', 0, %s, 1, 1)",
                [cluster, f"00000000-0000-0000-0000-{topic_id:012d}", position],
            )
        for schema, reader, position in (("views", "board", 50), ("watch", "watch", 60)):
            connection.execute(
                f"INSERT INTO {schema}.places (reader, build, topic, partition, position)"
                " VALUES (%s, 1, 'water.repair.v1', 0, %s)",
                [reader, position],
            )
        connection.execute(
            "INSERT INTO store.process_beats VALUES ('relay', 7, now(), clock_timestamp()),"
            " ('watch', 8, now(), clock_timestamp() - interval '1 minute')"
        )
        connection.execute(
            "INSERT INTO store.dead_letters"
            " (reader, topic, topic_id, partition, record_offset, code, reason, size_bytes, sha256)"
            " VALUES ('board', 't', gen_random_uuid(), 0, 1, 'not-json', 'r', 1, 'x')"
        )
        # The third is on record with what a crew told hours later: the watch was not late for it.
        for position, late in ((1, "100 milliseconds"), (2, "300 milliseconds"), (told_late, "9 hours")):
            connection.execute(
                "INSERT INTO views.breaches VALUES ('t', 0, %s, gen_random_uuid(), 'lapsed', 'repair',"
                " gen_random_uuid(), 'repair.arrival', now(), 1, NULL, '{}', NULL, now() + %s::interval)",
                [position, late],
            )
        status = collect(connection, service.settings)
        cheap = collect(connection, service.settings, figures=False)
    assert status.head.position == head["position"]
    assert status.relay is not None
    assert (status.relay.cluster_id, status.relay.lag, status.relay.tails_lost) == ("now", 1, 2)
    assert {(each.reader, each.published, each.lag) for each in status.readers} == {("board", 55, 5), ("watch", 55, 0)}
    assert {(each.name, each.up) for each in status.processes} == {("relay", True), ("watch", False)}
    assert status.dead_letters == {"board": 1}
    assert status.lateness is not None
    assert (status.lateness.lapses, status.lateness.p50_ms, status.lateness.max_ms) == (2, 200, 300)
    assert [(each.commitment, each.lapses) for each in status.promises] == [("repair.arrival", 3)]
    assert (cheap.lateness, cheap.promises, cheap.dead_letters) == (None, (), {})


def test_health_and_metrics_of_a_fresh_installation(client: Client) -> None:
    health = client.get("/healthz")
    assert health.status_code == 200
    assert health.json()["relay"] is None
    text = client.get("/metrics").text
    assert "tongshui_store_up 1.0" in text
    assert f"tongshui_log_head_position {float(health.json()['head_position'])}" in text


@pytest.mark.slow  # a quarter of a minute, most of it PostgreSQL's connections running into their time limits
def test_health_is_503_when_postgresql_refuses(client: Client, service: Service, database: str) -> None:
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    with psycopg.connect(database, dbname="postgres", autocommit=True) as outside:
        outside.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        outside.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        answer = client.get("/healthz")
        assert (answer.status_code, answer.json()["code"]) == (503, "store-unavailable")
        assert "tongshui_store_up 0.0" in client.get("/metrics").text
        outside.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    wait_for(lambda: client.get("/healthz").status_code == 200, what="health after PostgreSQL came back")
