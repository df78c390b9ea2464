"""A whole installation whose database is put back to an earlier state: recovered, or begun anew, and all agree."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.embedded import EmbeddedPostgres
from tests.faults.cases import SLOW, even, tell_cases
from tests.faults.installation import Installation, installed
from tests.integration.relaying import expected, read_anew

pytestmark = pytest.mark.slow


@pytest.fixture
def it() -> Iterator[Installation]:
    with installed(**SLOW, hold_alarm_s=3, relay_look_ms=1000) as running:
        yield running


def cluster_of(it: Installation) -> Path:
    """Where PostgreSQL's files are; only while stopped."""
    postgres = EmbeddedPostgres(it.data / "postgres")
    return postgres._settled().data


def back_up(it: Installation) -> tuple[Path, Path]:
    """A copy of the stopped cluster, as an operator's file backup is."""
    assert it.stop() == 0
    data = cluster_of(it)
    copy = it.home / "backup"
    shutil.copytree(data, copy, symlinks=True, copy_function=_with_owner)
    return data, copy


def _with_owner(source: str, target: str) -> None:
    shutil.copy2(source, target)


def restore(it: Installation, data: Path, copy: Path) -> None:
    assert it.stop() == 0
    owner = data.stat()
    shutil.rmtree(data)
    shutil.copytree(copy, data, symlinks=True)
    for path in (data, *data.rglob("*")):
        shutil.chown(path, owner.st_uid, owner.st_gid)
    data.chmod(0o700)


@pytest.mark.parametrize("way", ["recovered", "new generation"])
def test_after_a_restore_relay_read_models_and_billing_agree(it: Installation, way: str) -> None:
    tell_cases(it, 4)
    even(it)
    data, copy = back_up(it)
    it.start()
    tell_cases(it, 4)
    even(it)
    head, events, tables = it.head(), it.events(), it.tables()
    restore(it, data, copy)

    if way == "recovered":
        assert it.run("store", "recover", "--dry-run").code == 0
        ended = it.run("store", "recover")
    else:
        ended = it.run("store", "recover", "--new-generation", "--actor", "op-1")
    assert ended.code == 0, ended
    assert "does not come back: particulars of" in ended.out
    it.start()
    even(it)

    if way == "recovered":
        assert [event["state"] for event in it.events()][:head] == [event["state"] for event in events]
        assert it.tables()["views.cases"] == tables["views.cases"]
    else:
        kept = next(it.data.glob("given-up-*.jsonl")).read_text().splitlines()
        assert len({json.loads(line)["value_base64"] for line in kept}) == head - len(it.events()) + 1
        assert it.events()[-1]["position"] == head + 1
    assert it.disagreements() == []
    numbers = {row["case_number"] for row in tables["views.cases"].values()}
    tell_cases(it, 2)
    even(it)
    assert read_anew(it.settings) == expected(it.settings)
    if way == "recovered":
        now = {row["case_number"] for row in it.tables()["views.cases"].values()}
        assert len(now) == len(numbers) + 4, "a number was given twice"
    assert it.run("status").code == 0
