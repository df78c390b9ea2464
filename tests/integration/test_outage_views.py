"""Outages over a real PostgreSQL: asked about like every case, listed, counted, and the tag of a mass incident."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.rows import dict_row

from app.cli import main
from app.processes import asker, looker
from infra.clock import ManualClock
from infra.eventstore.consistency_check import actual_rows, disagreements
from infra.eventstore.service import Service
from infra.kafka.cluster import Record
from infra.readers.faust_app import ModelStream
from infra.settings import Settings
from projections.read_models.outages import OUTAGES
from projections.read_models.views import VIEWS
from projections.reports.figures import figures
from projections.reports.figures_text import lines
from projections.watch.watch import Question
from tests.api_world import DIGEST, MORNING, Client, app_of, fault, staff
from tests.published import records, topic_ids

HOUR = timedelta(hours=1)


class _Stream(ModelStream):
    """The stream shell without Kafka: topic ids are made up."""

    def feed(self, batch: Sequence[Record]) -> None:
        self._topic_ids = topic_ids(self.settings)
        self.until_stored(batch, stopping=lambda: False)


@pytest.fixture
def stream(service: Service) -> Iterator[_Stream]:
    made = _Stream(service.settings, "views", VIEWS)
    yield made
    made.close()


@pytest.fixture
def client(service: Service) -> Client:
    return Client(app_of(service))


@pytest.fixture
def connection(service: Service) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(service.settings.database_url, autocommit=True, row_factory=dict_row) as opened:
        yield opened


def post(client: Client, path: str, body: dict[str, Any]) -> str:
    answer = client.post(f"/api/v1/{path}", body, headers=staff("manager"))
    assert answer.status_code < 300, answer.text
    return str(answer.json().get("case_id"))


def ask(service: Service, case_id: str) -> None:
    """What the window watch does when a limit comes due."""
    (answer,) = asker(service)([Question("repair", UUID(case_id))])
    assert answer.case_version > 0


def tell(client: Client, service: Service, clock: ManualClock) -> dict[str, str]:
    """Four outages: over after an extension, running, planned, cancelled; by what becomes of them."""
    incident = post(client, "repairs", fault(kind="burst"))
    running = post(client, "outages/emergency", {"incident": incident, "districts": ["hexi"], "affected_users": 100})
    form = {"districts": ["zhenxi", "donghe"], "affected_users": 600, "approval": "示例文号〔2026〕7号"}
    soon = form | {"begin": "2026-09-17T14:00:00Z", "end": "2026-09-17T17:00:00Z"}
    over = post(client, "outages/planned", soon)
    later = form | {"begin": "2026-09-20T02:00:00Z", "end": "2026-09-20T08:00:00Z"}
    planned, cancelled = (post(client, "outages/planned", later) for _ in range(2))
    post(client, f"outages/{over}/notices", {"way": "wechat", "digest": DIGEST})
    post(client, f"outages/{over}/notices/proof", {"notice": 1, "digest": DIGEST})
    post(client, f"outages/{cancelled}/cancellation", {"reason": "weather"})
    clock.move(HOUR)
    ask(service, running)
    clock.set(MORNING + 37 * HOUR)
    post(client, f"outages/{over}/start", {})
    clock.move(2 * HOUR)
    post(client, f"outages/{over}/extension", {"end": "2026-09-17T18:00:00Z"})
    post(client, f"outages/{over}/water", {"point": "renmin-square", "litres": 4000})
    clock.move(2 * HOUR)
    post(client, f"outages/{over}/restoration", {})
    return {"over": over, "running": running, "planned": planned, "cancelled": cancelled}


@pytest.fixture
def told(client: Client, service: Service, clock: ManualClock, stream: _Stream) -> dict[str, str]:
    found = tell(client, service, clock)
    stream.feed(records(stream.settings))
    return found


# ---- the watch


def test_the_watch_finds_an_outage_by_its_first_event_and_its_lapse_is_on_record_once(
    client: Client, service: Service, clock: ManualClock
) -> None:
    told = tell(client, service, clock)
    for _ in range(2):
        ask(service, told["running"])
    shown = client.get(f"/api/v1/cases/{told['running']}").json()
    assert (shown["family"], shown["kind"], shown["district"], shown["affected_users"]) == (
        "outage",
        "emergency",
        "hexi",
        100,
    )
    assert [(w["commitment"], w["state"], w["lapses"]) for w in shown["windows"]] == [
        ("outage.notice", "lapsed", 1),
        ("outage.report", "lapsed", 1),
    ]
    (looked,) = looker(service)([Question("repair", UUID(told["planned"]))])
    assert set(looked.next_ask_at) == {"outage.notice", "outage.restore"}


# ---- the read models


def test_every_outage_has_a_row_and_repairs_are_counted_as_before(client: Client, told: dict[str, str]) -> None:
    rows = client.get("/api/v1/outages").json()["outages"]
    assert [(row["case_id"], row["state"]) for row in rows] == [
        (told[state], state) for state in ("running", "planned", "over", "cancelled")
    ]
    over = next(row for row in rows if row["state"] == "over")
    assert (over["started_at"], over["restored_at"], over["end_at"]) == (
        "2026-09-17T14:00:00Z",
        "2026-09-17T18:00:00Z",
        "2026-09-17T18:00:00Z",
    )
    assert (over["notices"], over["proven"], over["water_litres"]) == (1, 1, 4000)
    assert [row["case_id"] for row in client.get("/api/v1/outages?state=planned").json()["outages"]] == [
        told["planned"]
    ]
    of_hexi = client.get("/api/v1/outages?district=hexi").json()["outages"]
    assert [row["case_id"] for row in of_hexi] == [row["case_id"] for row in rows if "hexi" in row["districts"]]
    assert 0 < len(of_hexi) < len(rows)
    assert client.get("/api/v1/outages?state=lost").json()["code"] == "bad-parameter"
    cases = client.get("/api/v1/cases?kind=outage").json()["cases"]
    assert {(case["kind"], case["stage"], case["open"]) for case in cases} == {
        ("emergency", "water_off", True),
        ("planned", "water_back", False),
        ("planned", "outage_planned", True),
        ("planned", "cancelled", False),
    }
    counts = client.get("/api/v1/counts").json()
    assert (counts["repairs"]["total"], counts["repairs"]["reports"]) == (1, 1)


def test_the_board_and_the_breach_stream_show_an_outages_number(client: Client, told: dict[str, str]) -> None:
    windows = client.get("/api/v1/windows?kind=outage").json()["windows"]
    assert {(w["case_id"], w["commitment"]) for w in windows} == {
        (told["running"], "outage.report"),
        (told["planned"], "outage.notice"),
        (told["planned"], "outage.restore"),
    }
    assert all(w["case_number"].startswith("TS-2026-") for w in windows)
    lapsed = [b for b in client.get("/api/v1/breaches").json()["breaches"] if b["change"] == "lapsed"]
    assert {(b["family"], b["commitment"], b["district"]) for b in lapsed} == {
        ("outage", "outage.notice", "hexi"),
        ("outage", "outage.change-notice", "zhenxi"),
    }
    assert lapsed[0]["case_number"].startswith("TS-2026-")


@pytest.mark.parametrize("seed", range(2))
def test_any_batches_with_any_redelivery_give_the_same_outages(
    client: Client,
    service: Service,
    clock: ManualClock,
    stream: _Stream,
    connection: psycopg.Connection[Any],
    seed: int,
) -> None:
    tell(client, service, clock)
    rng, everything, place = random.Random(seed), records(stream.settings), 0
    while place < len(everything):
        back = rng.randrange(place + 1)
        place = min(len(everything), place + rng.randrange(1, 15))
        stream.feed(everything[back:place])
    assert disagreements(stream.settings, connection, VIEWS) == []
    connection.execute("UPDATE views.outages SET notices = 7 WHERE notices = 1")
    assert [found.split(":")[0] for found in disagreements(stream.settings, connection, VIEWS)] == ["outages"]
    assert len(actual_rows(connection, OUTAGES)) == 4


# ---- the index


def test_the_index_counts_the_part_inside_the_period_and_a_running_outage_until_now(
    told: dict[str, str], connection: psycopg.Connection[Any], clock: ManualClock
) -> None:
    def lost(first: date | None = None, last: date | None = None) -> int:
        return figures(connection, first, last, at=clock.now(), customers=120_000).outages.lost_minutes

    # 600 users from 22:00 to 02:00 in China, over midnight; 100 users from 09:00 the day before until now, 02:00.
    assert lost() == 600 * 240 + 100 * 41 * 60
    assert lost(last=date(2026, 9, 16)) == 100 * 15 * 60
    assert lost(date(2026, 9, 17), date(2026, 9, 17)) == 600 * 120 + 100 * 24 * 60
    assert lost(first=date(2026, 9, 18)) == (600 + 100) * 120
    found = figures(connection, at=clock.now(), customers=120_000).outages
    assert (found.planned, found.emergency, found.cancelled, found.noticed) == (1, 1, 1, 1)
    assert (found.affected_users, found.water_litres) == (700, 4000)
    assert found.index_minutes == round(found.lost_minutes / 120_000, 3) == 3.25
    assert figures(connection).outages.index_minutes is None


def test_the_index_is_among_the_figures_that_anybody_may_ask_for(client: Client, told: dict[str, str]) -> None:
    shown = client.get("/api/v1/figures").json()["figures"]["outages"]
    assert (shown["customers"], shown["index_minutes"]) == (120_000, 3.25)
    assert client.get("/api/v1/figures?from=2027-01-01").json()["figures"]["outages"]["planned"] == 0


def test_the_index_is_said_at_the_terminal(told: dict[str, str], connection: psycopg.Connection[Any]) -> None:
    text = "\n".join(lines(figures(connection, customers=120_000)))
    assert "停水指标 outage index" in text
    assert "1.2 min (144000 user-minutes 户·分钟 / 120000 customers 用户)" in text


# ---- mass incidents


def test_a_mass_incident_tags_windows_and_breaches_and_hides_no_lapse(
    client: Client, service: Service, clock: ManualClock, stream: _Stream
) -> None:
    untagged = post(client, "repairs", fault())
    post(client, "mass-incidents", {"mass": "frost-a", "cause": "frost", "districts": ["zhenxi"]})
    tagged = post(client, "repairs", fault(kind="burst"))
    other = post(client, "repairs", fault(district="hexi"))
    clock.move(HOUR)
    for case_id in (untagged, tagged, other):
        ask(service, case_id)
    stream.feed(records(stream.settings))
    windows = client.get("/api/v1/windows?running=false").json()["windows"]
    assert {(w["case_id"], w["mass"]) for w in windows} == {(untagged, None), (tagged, "frost-a"), (other, None)}
    lapsed = [b for b in client.get("/api/v1/breaches").json()["breaches"] if b["change"] == "lapsed"]
    assert {(b["case_id"], b["mass"]) for b in lapsed} == {(untagged, None), (tagged, "frost-a")}
    (mass,) = client.get("/api/v1/mass-incidents").json()["mass_incidents"]
    assert (mass["incidents"], mass["open"], mass["lapses"], mass["retracted"]) == (1, 1, 1, 0)
    counts = client.get("/api/v1/counts").json()
    assert counts["lapses_standing"] == 2, "what is tagged stays counted"
    listed = client.get("/api/v1/cases").json()["cases"]
    assert {case["case_id"]: case["mass"] for case in listed}[tagged] == "frost-a"


# ---- the outbox at the terminal


def test_the_outbox_is_seen_and_tried_anew_at_the_terminal(
    client: Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = {"districts": ["zhenxi"], "affected_users": 600, "approval": "示例文号〔2026〕7号"}
    outage = post(client, "outages/planned", form | {"begin": "2026-09-20T02:00:00Z", "end": "2026-09-20T08:00:00Z"})
    post(client, f"outages/{outage}/notices/order", {"way": "sms"})
    settings: Settings = service.settings
    monkeypatch.setenv("TONGSHUI_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("TONGSHUI_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    with service.connection() as connection:
        connection.execute("UPDATE outbox.messages SET state = 'dead', recorded = true, last_error = 'gateway-timeout'")
        row = connection.execute("SELECT id FROM outbox.messages").fetchone()
    assert row is not None
    shown = CliRunner().invoke(main, ["outbox", "list", "--state", "dead"])
    assert str(row["id"]) in shown.output
    assert "gateway-timeout" in shown.output
    assert "1 tried anew" in CliRunner().invoke(main, ["outbox", "retry", str(row["id"])]).output
    again = CliRunner().invoke(main, ["outbox", "retry", str(row["id"])])
    assert (again.exit_code, "no-such-message" in again.output) == (1, True)
    assert CliRunner().invoke(main, ["outbox", "retry"]).exit_code == 1
    assert "nothing there" in CliRunner().invoke(main, ["outbox", "list", "--state", "dead"]).output
