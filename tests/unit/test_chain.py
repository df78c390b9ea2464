"""What Kafka has and what is under way, piece by piece. As a whole: test_protocol_model.py."""

from __future__ import annotations

from uuid import UUID

import pytest

from infra.kafka.cluster import Partition, Record, route
from infra.relay.chain import (
    NOTHING,
    ChainPosition,
    Outbox,
    OutgoingEvent,
    OutOfStep,
    Tail,
    Walk,
    begin_behind,
    first_walk,
    last_linked,
    runs,
)

CASE = UUID(int=1)
HOME, COPY = route("water.repair.WindowLapsed.v1", CASE, 2)
BOTH = (HOME, COPY)


def record(position: int, previous: int, *, offset: int, epoch: int = 1) -> Record:
    headers = {"previousposition": str(previous).encode(), "epoch": str(epoch).encode(), "generation": b"g"}
    return Record(*HOME, offset, b"k", f'{{"position":{position}}}'.encode(), headers)


def rubbish(offset: int) -> Record:
    return Record(*HOME, offset, None, b"?", {})


def row(position: int, name: str = "water.repair.WindowLapsed.v1") -> OutgoingEvent:
    return OutgoingEvent(position, str(CASE), name, b"{}")


def outbox(tails: dict[Partition, Tail] | None = None, *, begin: int = 0) -> Outbox:
    return Outbox(tails or dict.fromkeys(BOTH, Tail(0, 0)), begin=begin, epoch=7, partitions=2, prefix="water.")


# ---- the walk


def test_a_walk_ends_at_the_last_record_of_the_unbroken_chain() -> None:
    log = [record(3, 0, offset=0), record(5, 3, offset=1), record(9, 7, offset=2), record(12, 9, offset=3)]
    assert last_linked(log).linked == ChainPosition(5, 1, 1)


def test_a_walk_steps_over_repetitions_and_rubbish() -> None:
    log = [record(3, 0, offset=0), rubbish(1), record(3, 0, offset=2), record(5, 3, offset=3, epoch=2)]
    walk = last_linked(log)
    assert (walk.linked, walk.foreign) == (ChainPosition(5, 3, 2), 1)


def test_a_walk_over_nothing_has_come_to_nothing() -> None:
    assert last_linked([]).linked == NOTHING


def test_a_checkpoint_stands_where_its_record_lies() -> None:
    walk = last_linked([record(5, 3, offset=1), record(9, 5, offset=2)], ChainPosition(5, 1, 1))
    assert (walk.stands, walk.disproved, walk.linked.position) == (True, False, 9)


@pytest.mark.parametrize(
    "found", [record(5, 3, offset=1, epoch=2), record(4, 3, offset=1), rubbish(1)], ids=["epoch", "position", "rubbish"]
)
def test_a_checkpoint_falls_where_another_record_lies(found: Record) -> None:
    walk = last_linked([found], ChainPosition(5, 1, 1))
    assert (walk.stands, walk.disproved) == (False, True)


def test_a_checkpoint_falls_where_no_record_comes() -> None:
    """Compacted away, and the log's tail cut behind it: nothing may be left out by what was acknowledged once."""
    walk = last_linked([], ChainPosition(5, 1, 1))
    assert (walk.stands, walk.disproved, walk.linked) == (False, True, NOTHING)


@pytest.mark.parametrize(
    ("checkpoint", "head", "start", "verifies"),
    [
        (None, None, 2, False),
        (NOTHING, None, 2, False),
        (ChainPosition(5, 4, 1), None, 4, True),
        (ChainPosition(5, 4, 1), 2, 4, True),
        (ChainPosition(5, 4, 1), 1, 2, False),
        (ChainPosition(5, 8, 1), None, 2, False),
        (ChainPosition(5, 1, 1), None, 2, False),
    ],
    ids=["none", "nothing was written", "within the log", "all is there", "the head is gone", "cut", "all is gone"],
)
def test_a_walk_begins_at_the_checkpoint_where_the_log_has_it(
    checkpoint: ChainPosition | None, head: int | None, start: int, verifies: bool
) -> None:
    walk, at = first_walk(checkpoint, 2, 8, head)
    assert (at, walk.stands, walk.disproved) == (start, checkpoint == NOTHING, verifies)


def test_a_walk_tells_where_the_chain_begins() -> None:
    assert last_linked([rubbish(3), record(5, 0, offset=4), record(6, 5, offset=5)]).head == 4
    assert last_linked([record(5, 3, offset=4), record(6, 5, offset=5)]).head is None
    # Of a log that was filled again behind what is left, the beginning that readers can use.
    assert last_linked([record(6, 5, offset=5), record(5, 0, offset=6), record(6, 5, offset=7)]).head == 6


def test_the_first_record_of_a_partition_is_remembered_when_it_is_acknowledged() -> None:
    box = outbox({HOME: Tail(0, 40), COPY: Tail(3, 9)})
    box.take([row(4)])
    assert box.heads == {}
    box.acknowledged(HOME, 40)
    box.acknowledged(COPY, 9)
    assert box.heads == {HOME: 40}


def test_sending_begins_behind_everything_that_may_be_missing_somewhere() -> None:
    standing, lost = Walk(NOTHING), last_linked([record(3, 0, offset=0)])
    assert begin_behind([standing], 100) == 100
    assert begin_behind([standing, lost], 100) == 3
    assert begin_behind([Walk()], 100) == 0


# ---- the outbox


def test_every_route_of_an_event_continues_its_own_chain() -> None:
    box = outbox()
    box.take([row(1, "water.repair.CaseClosed.v1")])
    assert [(send.partition, send.position, send.previous) for send in box.take([row(2)])] == [
        (HOME, 2, 1),
        (COPY, 2, 0),
    ]


def test_what_kafka_has_is_not_sent_again() -> None:
    box = outbox({HOME: Tail(8, 3), COPY: Tail(4, 2)}, begin=4)
    assert [(send.partition, send.previous) for send in box.take([row(8)])] == [(COPY, 4)]
    assert [(send.partition, send.previous) for send in box.take([row(9)])] == [(HOME, 8), (COPY, 8)]


def test_all_is_out_up_to_the_first_record_under_way() -> None:
    box = outbox()
    for position in (1, 2, 3):
        box.take([row(position)])
    assert box.all_out == 0
    box.acknowledged(HOME, 0)
    box.acknowledged(HOME, 1)
    assert box.all_out == 0
    box.acknowledged(COPY, 0)
    assert box.all_out == 1
    for partition, offset in ((HOME, 2), (COPY, 1), (COPY, 2)):
        box.acknowledged(partition, offset)
    assert (box.all_out, box.pending, box.pending_bytes) == (3, 0, 0)


def test_a_run_of_records_is_acknowledged_as_each_of_them_is() -> None:
    """Rows taken together and a run of offsets, beside rows one at a time and each offset by itself."""
    rows = [row(position) for position in (1, 2, 4, 7)]
    one, many = outbox(), outbox()
    sends = [send for row in rows for send in one.take([row])]
    assert many.take(rows) == sends
    many.acknowledged(HOME, 0, 3)
    for offset in range(3):
        one.acknowledged(HOME, offset)
    assert (many.pending, many.pending_bytes, many.all_out, many.heads) == (5, 10, 0, {HOME: 0})
    assert (many.pending, many.pending_bytes, many.all_out, many.heads) == (
        one.pending,
        one.pending_bytes,
        one.all_out,
        one.heads,
    )
    many.acknowledged(COPY, 0, 4)
    assert many.all_out == 6, "between 4 and 7 the store has nothing"
    assert many.take_checkpoints() == {HOME: ChainPosition(4, 2, 7), COPY: ChainPosition(7, 3, 7)}
    with pytest.raises(OutOfStep):
        many.acknowledged(HOME, 4)


@pytest.mark.parametrize(
    ("offsets", "found"),
    [
        ([], []),
        ([5], [(5, 1)]),
        ([5, 6, 7], [(5, 3)]),
        ([5, 6, 8], [(5, 1), (6, 1), (8, 1)]),
        ([5, 7, 6, 8], [(5, 1), (7, 1), (6, 1), (8, 1)]),
        ([-1, -1], [(-1, 1), (-1, 1)]),
    ],
)
def test_only_offsets_one_behind_the_other_are_a_run(offsets: list[int], found: list[tuple[int, int]]) -> None:
    assert [(run.offset, run.number) for run in runs(HOME, offsets)] == found


def test_checkpoints_tell_what_was_acknowledged_since_last_asked() -> None:
    box = outbox({HOME: Tail(0, 40), COPY: Tail(0, 0)})
    box.take([row(1)])
    box.acknowledged(HOME, 40)
    assert box.take_checkpoints() == {HOME: ChainPosition(1, 40, 7)}
    assert box.take_checkpoints() == {}


@pytest.mark.parametrize(("offset", "lost"), [(39, True), (-1, True), (41, False)])
def test_an_offset_out_of_step_ends_the_session(offset: int, lost: bool) -> None:
    box = outbox({HOME: Tail(0, 40), COPY: Tail(0, 0)})
    box.take([row(1)])
    with pytest.raises(OutOfStep) as step:
        box.acknowledged(HOME, offset)
    assert step.value.lost is lost
    assert f"offset {offset} instead of 40" in str(step.value)


def test_a_log_that_is_not_as_long_as_it_must_be_is_noticed_without_sending() -> None:
    box = outbox({HOME: Tail(8, 3), COPY: Tail(8, 5)}, begin=8)
    box.look({HOME: 3, COPY: 5})
    with pytest.raises(OutOfStep, match="lost its tail"):
        box.look({HOME: 3, COPY: 4})
    box.take([row(9, "water.repair.CaseClosed.v1")])
    box.look({HOME: 4, COPY: 5})
