"""One PostgreSQL and one Apache Kafka for the whole run; a fresh database and fresh topics for each test."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings as hypothesis_settings

from domain.standard.standards import Rules
from infra.clock import ManualClock
from infra.embedded import EmbeddedKafka, EmbeddedPostgres
from infra.eventstore.service import Service, open_service
from infra.eventstore.shipped_rules import shipped_rules
from infra.settings import Settings
from tests.databases import UNSAFE, copied, make_template
from tests.proven import PROXY

hypothesis_settings.register_profile("default", deadline=None, print_blob=True)
hypothesis_settings.register_profile("deep", deadline=None, print_blob=True, max_examples=20_000)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

_numbers = itertools.count(1)

LONGEST = (
    "test_kill_under_load",
    "test_impersonal",
    "test_foreign_writers",
    "test_up",
    "test_relay",
    "test_embedded",
    "test_closed_parts",
    "test_smoke",
    "test_rebuild",
    "test_evidence",
    "test_public_pages",
    "test_samples",
    "test_tickets",
    "test_poison",
    "test_outbox",
    "test_figures_api",
    "test_page",
    "test_recover",
    "test_topic_history",
    "test_secured",
    "test_permissions",
    "test_notary",
    "test_counter",
    "test_citizens",
    "test_every_page",
    "test_burst",
    "test_supervision",
    "test_field",
    "test_relay_faults",
)
"""Files of tests that take long. They come first: of two workers, neither is to wait at the end for the other."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Say last what was not tested, or add it to the file named by ``NOT_TESTED``, which ``make test`` prints at its
    very end: a test that was skipped looks like one that passed."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(config, "workerinput"):
        return
    lines = not_tested(reporter.stats.get("skipped", ()))
    if not lines:
        return
    if kept := os.environ.get("NOT_TESTED"):
        with Path(kept).open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
    else:
        for line in lines:
            reporter.write_line(line, yellow=True)


def not_tested(skipped: Sequence[pytest.TestReport | pytest.CollectReport]) -> list[str]:
    """A line for each reason, with how many tests of which files were skipped for it."""
    reasons: dict[str, list[str]] = {}
    for report in skipped:
        # Of a skip there are the file, the line and the words.
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons.setdefault(reason.removeprefix("Skipped: "), []).append(report.nodeid.partition("::")[0])
    return [
        f"NOT TESTED: {len(files)} of {', '.join(sorted(set(files)))}: {reason}" for reason, files in reasons.items()
    ]


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A short-lived folder for the parts of this run; short, because a socket's path must be."""
    path = Path(tempfile.mkdtemp(prefix="ts-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(home: Path) -> Iterator[EmbeddedPostgres]:
    """The run's PostgreSQL, with the migrated database `template` that test databases are copied from."""
    with EmbeddedPostgres(home / "postgres", settings=UNSAFE) as server:
        make_template(server)
        yield server


@pytest.fixture(scope="session")
def kafka(home: Path) -> Iterator[EmbeddedKafka]:
    """The run's Apache Kafka."""
    with EmbeddedKafka(home / "kafka") as broker:
        yield broker


@pytest.fixture
def database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A fresh migrated database; gives its connection string."""
    name = f"test_{next(_numbers)}"
    yield copied(postgres, name)
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def settings(database: str, kafka: EmbeddedKafka, tmp_path: Path) -> Settings:
    """Settings of a whole installation of its own: a fresh database and topics that nobody else has."""
    return Settings(
        data_dir=tmp_path,
        database_url=database,
        kafka_bootstrap=kafka.bootstrap,
        proxy_secret=PROXY,
        topic_prefix=f"test{next(_numbers)}.water.",
        disclosed_figures_s=0,
    )


@pytest.fixture
def store_settings(database: str, tmp_path: Path) -> Settings:
    """Settings for tests that need the store but no Kafka."""
    return Settings(
        data_dir=tmp_path,
        database_url=database,
        kafka_bootstrap="127.0.0.1:1",
        proxy_secret=PROXY,
        disclosed_figures_s=0,
    )


@pytest.fixture
def clock() -> ManualClock:
    """Wednesday 2026-09-16, 09:00 in China."""
    return ManualClock(datetime(2026, 9, 16, 1, 0, tzinfo=UTC))


@pytest.fixture
def service(store_settings: Settings, clock: ManualClock) -> Iterator[Service]:
    """A service on a fresh database with a clock that the test moves."""
    opened = open_service(store_settings, clock=clock)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def rules() -> Rules:
    """The shipped rules."""
    return shipped_rules()
