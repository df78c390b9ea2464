"""Who may do what on the embedded Kafka: each reader what it reads, the relay alone what it publishes."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from app.supervisor import running_state
from consumers.billing.consumer import topics as billing_topics
from infra.embedded import EmbeddedError, kafka_logins
from infra.embedded.files import write_whole
from infra.kafka.access import ADMIN, PRINCIPALS, Grant, grants
from infra.kafka.cluster import chained_topics
from infra.settings import Settings
from projections.read_models.views import VIEWS
from projections.watch.due import DueIndex

SETTINGS = Settings(topic_prefix="town.")


def test_each_reader_may_read_what_its_models_read() -> None:
    readers = {
        "views": {SETTINGS.home_topic(topic) for model in VIEWS for topic in model.topics},
        "watch": {SETTINGS.home_topic(topic) for topic in DueIndex().topics} | {SETTINGS.canary_topic},
        "billing": set(billing_topics(SETTINGS)),
        "readings": {SETTINGS.readings_topic, SETTINGS.home_topic("connection")},
    }
    found = grants(SETTINGS)
    for reader, read in readers.items():
        assert {Grant(reader, "topic", topic, "READ") for topic in read} <= found, reader


def test_nobody_but_the_relay_may_write_or_delete_events() -> None:
    stored = {*chained_topics(SETTINGS), SETTINGS.dead_letter_topic}
    writers = {each.principal for each in grants(SETTINGS) if each.name in stored and each.right == "WRITE"}
    assert writers == {"relay"}
    deleters = {each.principal for each in grants(SETTINGS) if each.right == "DELETE"}
    assert deleters == {"operator"}
    assert {each.principal for each in grants(SETTINGS)} == set(PRINCIPALS)


def test_passwords_are_made_once_and_a_new_name_gets_one_of_its_own(tmp_path: Path) -> None:
    made = kafka_logins.settled_logins(tmp_path)
    assert set(made) == {ADMIN, *PRINCIPALS}
    assert kafka_logins.settled_logins(tmp_path) == made
    file = tmp_path / "logins.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    write_whole(file, json.dumps({name: made[name] for name in made if name != "views"}))
    again = kafka_logins.settled_logins(tmp_path)
    assert again | {"views": ""} == made | {"views": ""}
    assert again["views"] != made["views"]


@pytest.mark.parametrize("text", [None, "{"])
def test_passwords_that_cannot_be_read_are_named(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "logins.json").write_text(text)
    with pytest.raises(EmbeddedError, match="kafka-logins-unreadable") as failed:
        kafka_logins.logins(tmp_path)
    assert str(tmp_path / "logins.json") in failed.value.found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user for a moment")
def test_another_user_is_told_that_the_data_are_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    lock = tmp_path / "up.lock"
    lock.touch(mode=0o600)
    for parent in (tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(parent.stat().st_mode | 0o011)
    os.seteuid(65_534)
    try:
        with pytest.raises(EmbeddedError, match="data-directory-closed"):
            running_state(tmp_path / "up.json")
    finally:
        os.seteuid(0)
