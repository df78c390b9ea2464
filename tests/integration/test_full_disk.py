"""A disk that is full: the store answers and takes no command. It is said so, and ends by itself once there is room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.status_report import status_report
from infra.embedded import EmbeddedPostgres
from infra.eventstore import writer
from infra.eventstore.service import Service, open_service
from infra.identity.citizen_key import FILE_NAME, citizen_key
from infra.postgres.migrate import migrate
from infra.settings import Settings
from tests.api_world import Client, app_of, fault
from tests.faults.installation import new_home, wait_until
from tests.proven import PROXY
from tests.small_disk import fill, small_disk

SIZE_MB = 160


@pytest.fixture(scope="module")
def disk() -> Iterator[Path]:
    with new_home() as home, small_disk(home / "disk", SIZE_MB) as place:
        yield place


@pytest.fixture(scope="module")
def service(disk: Path) -> Iterator[Service]:
    """A service whose store lies on the small disk."""
    little_log = {"max_wal_size": "32MB", "min_wal_size": "32MB"}
    with EmbeddedPostgres(disk / "postgres", settings=little_log) as server:
        migrate(server.conninfo())
        settings = Settings(
            data_dir=disk, database_url=server.conninfo(), kafka_bootstrap="127.0.0.1:1", proxy_secret=PROXY
        )
        opened = open_service(settings.model_copy(update={"disk_floor_mb": 16}))
        citizen_key(settings)  # as a start of the API makes it
        yield opened
        opened.close()


@pytest.fixture
def full(disk: Path, service: Service) -> Iterator[Path]:
    """The disk without a byte of room; the file that takes it up."""
    filler = fill(disk)
    yield filler
    filler.unlink(missing_ok=True)
    wait_until(lambda: Client(app_of(service)).get("/healthz").status_code == 200, what="health with room again")


def test_health_is_503_with_the_reason_while_the_disk_is_full_and_well_again_once_it_is_not(
    service: Service, full: Path
) -> None:
    client = Client(app_of(service))
    answer = client.get("/healthz")
    assert answer.status_code == 503
    problem = answer.json()
    assert problem["code"] == "store-cannot-write"
    assert "No space left on device" in problem["found"]
    assert "make room" in problem["next_step"]
    assert client.get("/api/v1/cases").status_code == 200  # what only reads goes on
    full.unlink()
    assert client.get("/healthz").status_code == 200
    assert client.post("/api/v1/repairs", fault()).status_code == 201


def test_a_command_on_a_full_disk_is_refused_by_its_reason(
    service: Service, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few still find room on pages that are there already; then each is refused, and taken under its key later."""
    monkeypatch.setattr(writer, "PATIENCE_SECONDS", 0.5)
    client = Client(app_of(service))
    for number in range(200):
        key = {"Idempotency-Key": f"full-{number}"}
        answer = client.post("/api/v1/repairs", fault(), headers=key)
        if answer.status_code != 201:
            break
    assert (answer.status_code, answer.json()["code"]) == (503, "store-cannot-write")
    assert "No space left on device" in answer.json()["found"]
    full.unlink()
    assert client.post("/api/v1/repairs", fault(), headers=key).status_code == 201


def test_a_file_of_ours_that_finds_no_room_is_told_by_its_reason_too(service: Service, full: Path) -> None:
    """The key of the links, where a start did not make it; with room it is made."""
    client = Client(app_of(service))
    path = service.settings.data_dir / FILE_NAME
    kept = path.rename(path.with_name("kept"))
    try:
        answer = client.post("/api/v1/repairs", fault())
        assert (answer.status_code, answer.json()["code"]) == (503, "store-cannot-write")
        assert answer.json()["found"] == "No space left on device"
    finally:
        full.unlink()
        kept.replace(path)


def test_status_and_metrics_say_that_the_disk_is_full_and_then_that_it_is_not(
    service: Service, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.kafka.cluster.REPLY_MS", 100)  # no Kafka here
    client = Client(app_of(service))
    text, well = status_report(service.settings, as_json=False)
    assert ("kafka      DOWN: " in text, well) == (True, False)
    assert "store      CANNOT WRITE: " in text
    assert "disk       data 0 MB free, postgres 0 MB free" in text
    assert "LOW for data, postgres" in text
    figures = client.get("/metrics").text
    assert "tongshui_store_writable 0.0" in figures
    assert 'tongshui_disk_low{of="data"} 1.0' in figures

    full.unlink()
    text, _ = status_report(service.settings, as_json=False)
    assert "CANNOT WRITE" not in text
    assert "LOW" not in text
    figures = client.get("/metrics").text
    assert "tongshui_store_writable 1.0" in figures
    assert 'tongshui_disk_low{of="data"} 0.0' in figures


def test_a_read_only_server_is_told_too(service: Service) -> None:
    client = Client(app_of(service))
    with psycopg.connect(service.settings.database_url, dbname="postgres", autocommit=True) as outside:
        for told, status in (("SET default_transaction_read_only = on", 503), ("RESET ALL", 200)):
            outside.execute(f"ALTER DATABASE tongshui {told}")
            outside.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'tongshui'")
            wait_until(lambda status=status: client.get("/healthz").status_code == status)  # type: ignore[misc]
            if status == 503:
                assert client.get("/healthz").json()["code"] == "store-cannot-write"
