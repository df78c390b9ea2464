"""What the Faust shell makes of a fetch: messages that carry many records, until a rebalance."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.structs import ConsumerRecord
from faust.types import TP

from infra.readers.faust_app import CHUNK, RECORDS, PositionedConsumer

HERE, ELSEWHERE = TP("t", 0), TP("t", 1)


def record(tp: TP, offset: int) -> Any:
    return ConsumerRecord(tp.topic, tp.partition, offset, 0, 0, b"k", b"v", None, 1, 1, [])


class Fetching(PositionedConsumer):
    """A consumer that has fetched; everything that it would ask Faust for is here."""

    should_stop = False
    sought = 0

    def __init__(self, found: dict[TP, list[Any]], *, active: bool = True, linger_s: float = 0.0) -> None:
        monitor = SimpleNamespace(track_tp_end_offset=lambda tp, offset: None)
        self.app = SimpleNamespace(consumer_generation_id=1, monitor=monitor, source=SimpleNamespace(linger_s=linger_s))
        self._taken_at = -1000.0
        self.flow_active = active
        self._buffered_partitions: set[TP] = set()
        self._acked: dict[TP, list[int]] = defaultdict(list)
        self._acked_index: dict[TP, set[int]] = defaultdict(set)
        self._found = found

    async def _wait_next_records(self, timeout: float) -> Any:
        return self._found, {HERE}

    async def perform_seek(self) -> None:
        self.sought += 1

    def highwater(self, tp: TP) -> int:
        return 0


def handed_on(consumer: Fetching, *, rebalance_after: int | None = None) -> list[Any]:
    async def run() -> list[Any]:
        messages = []
        async for _, message in consumer.getmany(1.0):
            messages.append(message)
            if len(messages) == rebalance_after:
                consumer.app.consumer_generation_id += 1
        return messages

    return asyncio.run(run())


def test_a_fetch_is_handed_on_in_chunks_and_in_order() -> None:
    records = [record(HERE, offset) for offset in range(2 * CHUNK + 50)]
    messages = handed_on(Fetching({HERE: records}))
    assert [len(message.headers[RECORDS]) for message in messages] == [CHUNK, CHUNK, 50]
    assert [one for message in messages for one in message.headers[RECORDS]] == records
    assert [message.offset for message in messages] == [CHUNK - 1, 2 * CHUNK - 1, 2 * CHUNK + 49]


def test_who_lingers_takes_again_only_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    consumer = Fetching({HERE: [record(HERE, 0)]}, linger_s=100.0)
    assert [len(handed_on(consumer)) for _ in range(2)] == [1, 1]
    assert slept[0] == 0.0
    assert 99.0 < slept[1] <= 100.0


def test_partitions_that_are_paused_are_left_out() -> None:
    messages = handed_on(Fetching({HERE: [record(HERE, 0)], ELSEWHERE: [record(ELSEWHERE, 0)]}))
    assert [message.tp for message in messages] == [HERE]


def test_a_rebalance_ends_the_handing_on() -> None:
    records = [record(HERE, offset) for offset in range(3 * CHUNK)]
    assert len(handed_on(Fetching({HERE: records}), rebalance_after=1)) == 1


def test_what_was_fetched_before_partitions_were_taken_away_is_read_again() -> None:
    consumer = Fetching({HERE: [record(HERE, 0)]}, active=False)
    assert handed_on(consumer) == []
    assert consumer.sought == 1


def test_kafka_is_told_the_end_of_what_was_handed_on_and_nothing_is_kept() -> None:
    consumer = Fetching({})
    consumer._acked[HERE] = [199, 399]
    consumer._acked_index[HERE] = {199, 399}
    assert consumer._new_offset(HERE) == 400
    assert consumer._new_offset(HERE) is None
    assert consumer._acked_index[HERE] == set()
