"""Topics are made with patience: brokers that are slow are waited for, what is on its way is no failure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from kafka.errors import PolicyViolationError, RequestTimedOutError, TopicAlreadyExistsError

from infra.kafka import cluster
from infra.kafka.cluster import ensure_readings_topic
from infra.settings import Settings

SETTINGS = Settings(kafka_bootstrap="127.0.0.1:1")


class SlowBrokers:
    """Answers the wish for a topic with an error, and has it after so many seconds."""

    def __init__(self, answer: type[Exception], needs_s: float) -> None:
        self.answer = answer
        self.needs_s = needs_s
        self.is_there = False

    def create_topics(self, wanted: dict[str, Any], **options: Any) -> dict[str, Any]:
        code = self.answer.errno  # type: ignore[attr-defined]
        return {"topics": [{"name": name, "error_code": code, "error_message": None} for name in wanted]}

    def wait_for_topics(self, names: Sequence[str], timeout_ms: int) -> None:
        self.is_there = timeout_ms / 1000 >= self.needs_s


def made(brokers: SlowBrokers, monkeypatch: pytest.MonkeyPatch) -> cluster.Cluster:
    @contextmanager
    def admin_client(settings: Settings) -> Iterator[SlowBrokers]:
        yield brokers

    def look_up(admin: SlowBrokers, names: Sequence[str]) -> cluster.Cluster:
        there = {name: cluster.Topic(name, UUID(int=1), (0, 0, 0, 0)) for name in names} if admin.is_there else {}
        return cluster.Cluster("c", there)

    monkeypatch.setattr(cluster, "admin_client", admin_client)
    monkeypatch.setattr(cluster, "look_up", look_up)
    return ensure_readings_topic(SETTINGS)


@pytest.mark.parametrize("answer", [RequestTimedOutError, TopicAlreadyExistsError])
def test_a_topic_that_comes_after_a_minute_is_waited_for(
    answer: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = made(SlowBrokers(answer, needs_s=60), monkeypatch)
    assert found.topics.keys() == {SETTINGS.readings_topic}


def test_a_wish_that_is_refused_for_good_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PolicyViolationError, match=SETTINGS.readings_topic):
        made(SlowBrokers(PolicyViolationError, needs_s=0), monkeypatch)
