"""Dead letters in the hands of a person: see them, look at the record, have it repaired or read again, settle it.

A repair is done after its cause: by a program that can read the record. It takes the event from the store, not from
Kafka, and makes the rows of its whole case anew up to the reader's read position, in one transaction with the letter's
state and under the lock of the read position. So the event has its effect exactly once and in its order, however late,
and whoever else repairs or reads at the same moment.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from kafka import KafkaProducer
from psycopg import Cursor
from psycopg.rows import dict_row

from infra.kafka.cluster import (
    BusRefusal,
    Partition,
    Record,
    case_key,
    client_config,
    consumer,
    logs,
    look_up_cluster,
    read_ranges,
    route,
)
from infra.readers.read_positions import lock_read_positions
from infra.readers.record import Event, Unreadable, parse
from infra.readers.rule import START, DeadLetter, ReadPosition
from infra.settings import Settings
from infra.sql import sql

log = logging.getLogger(__name__)

LOCAL = ZoneInfo("Asia/Shanghai")
STATES = ("open", "again", "repaired", "resolved")
DeadLetterRow = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Mender:
    """How a reader's rows are made anew from events.

    ``build``: of its read positions. ``mend`` gets the events of one case in one topic, up to the reader's read
    position, and gives the dead letters of those that it still cannot take.
    """

    table: str
    mend: Callable[[Cursor[Any], Sequence[Event]], Sequence[DeadLetter]]
    build: Callable[[psycopg.Connection[Any]], int] = lambda _: 1


# ---- see


def dead_letters(
    connection: psycopg.Connection[Any],
    *,
    number: int | None = None,
    reader: str | None = None,
    states: Sequence[str] | None = ("open", "again"),
    most: int = 50,
) -> list[DeadLetterRow]:
    """The newest ones first; ``states`` None: all."""
    wanted = {"id": number, "reader": reader, "states": list(states) if states is not None else None, "most": most}
    with connection.cursor(row_factory=dict_row) as cursor:
        return list(cursor.execute(sql("dead_letters"), wanted).fetchall())


def dead_letter(connection: psycopg.Connection[Any], number: int) -> DeadLetterRow:
    """Raises BusRefusal "no-such-letter"."""
    found = dead_letters(connection, number=number, states=None)
    if not found:
        raise BusRefusal(
            "no-such-letter",
            found=f"dead letter {number}",
            needed="the number of one",
            next_step="see `tongshui dead-letters list --all` 请核对编号",
        )
    return found[0]


def lines(found: Sequence[DeadLetterRow]) -> Iterator[str]:
    """One line each: number, state, reader, where, why, when."""
    if not found:
        yield "no dead letters 无死信"
    for row in found:
        position = f" position {row['position']}" if row["position"] is not None else " not of the store 非本系统"
        yield (
            f"{row['id']}  {row['state']}  {row['reader']}  {row['topic']}/{row['partition']}@{row['record_offset']}"
            f"{position}  {row['code']}: {row['reason']}  {row['recorded_at'].astimezone(LOCAL):%Y-%m-%d %H:%M:%S}"
            + (f"  by {row['settled_by']}: {row['note']}" if row["settled_by"] else "")
        )


def details(row: DeadLetterRow) -> Iterator[str]:
    """A letter, a line for each thing known."""
    for name in (
        "id",
        "state",
        "reader",
        "topic",
        "partition",
        "record_offset",
        "position",
        "case_id",
        "code",
        "reason",
        "size_bytes",
        "sha256",
        "recorded_at",
        "settled_at",
        "settled_by",
        "note",
    ):
        value = row[name].isoformat() if isinstance(row[name], datetime) else row[name]
        yield f"{name:<14}{value if value is not None else '–'}"


def raw(settings: Settings, row: DeadLetterRow) -> Record:
    """The record itself, from Kafka. It may hold personal data: for a person's eyes, never for a log.

    Raises BusRefusal "record-gone" where the topic was made anew or the log begins behind it, and KafkaError.
    """
    partition = Partition(row["topic"], row["partition"])
    cluster = look_up_cluster(settings, [partition.topic])
    offset = int(row["record_offset"])
    made = cluster.topic_ids.get(partition.topic)
    unknown = row["topic_id"] == UUID(int=0)
    if made is not None and (unknown or made == row["topic_id"]):
        with consumer(settings, client_id="tongshui-dead-letters", reset="none", max_records=1) as client:
            where = logs(client, cluster, [partition])[partition]
            if where.first <= offset < where.end:
                for _, records in read_ranges(client, {partition: (offset, offset + 1)}):
                    for record in records:
                        return record
    raise BusRefusal(
        "record-gone",
        found=f"{partition} of another life, or begun behind offset {offset}",
        needed="the log that the record was read from",
        next_step="nothing can be shown; where it has a position, `repair` takes the event from the store "
        "原记录已不在；有 position 的可用 repair 由存储修复",
    )


# ---- settle


def resolve(connection: psycopg.Connection[Any], number: int, *, by: str, reason: str) -> None:
    """Settle a letter without its event, for a reason. Raises BusRefusal "no-such-letter", "settled-already"."""
    _settle(connection, dead_letter(connection, number), "resolved", by, reason)


def mark(connection: psycopg.Connection[Any], settings: Settings, number: int, *, by: str, reason: str) -> str:
    """Have the reader itself try it once more; what is done, in words.

    A record of the chain is marked, and the running reader takes it at its next look. A meter reading, which is not in
    the store, is sent to its topic again: stored already, it is dropped by its key. Raises BusRefusal.
    """
    row = dead_letter(connection, number)
    if row["topic"] == settings.readings_topic:
        offset = _send_again(settings, row)
        _settle(connection, row, "resolved", by, f"sent again at offset {offset}: {reason}")
        return f"sent again at offset {offset} 已重新投递"
    _require_position(row)
    _settle(connection, row, "again", by, reason)
    return f"the reader {row['reader']} is to try it again 已标记，由读取方重读"


def release(connection: psycopg.Connection[Any], reader: str, *, by: str, reason: str) -> None:
    """Let a stopped reader go on, over as many dead letters again as the limit allows. Raises "not-stopped"."""
    found = connection.execute(sql("release_reader"), {"reader": reader, "by": by, "reason": reason}).fetchone()
    if found is None:
        raise BusRefusal(
            "not-stopped",
            found=f"the reader {reader}, which is not stopped",
            needed="one that `tongshui status` shows as stopped",
            next_step="nothing to do 无需放行",
        )


def _settle(connection: psycopg.Connection[Any], row: DeadLetterRow, state: str, by: str, note: str) -> None:
    values = {"id": row["id"], "state": state, "by": by, "note": note}
    if connection.execute(sql("settle_dead_letter"), values).fetchone() is None:
        raise _settled_already(row)


def _settled_already(row: DeadLetterRow) -> BusRefusal:
    return BusRefusal(
        "settled-already",
        found=f"dead letter {row['id']}, {row['state']} by {row['settled_by']}",
        needed="one that is open",
        next_step="nothing to do 已处理，无需重复",
    )


def _require_position(row: DeadLetterRow) -> int:
    if row["position"] is None:
        raise BusRefusal(
            "not-of-the-store",
            found=f"dead letter {row['id']}, a record that is no link of the chain",
            needed="an event that the store has too",
            next_step="find out who writes to the topic, and `resolve` it with that as the reason "
            "该记录并非本系统写入，查明来源后写明原因结案",
        )
    return int(row["position"])


def _send_again(settings: Settings, row: DeadLetterRow) -> int:
    if row["state"] not in ("open", "again"):
        raise _settled_already(row)
    record = raw(settings, row)
    if record.damage is not None:
        raise BusRefusal(
            "undecodable-batch",
            found=f"dead letter {row['id']}, a batch that cannot be decoded: {record.damage.reason}",
            needed="a record that can be read",
            next_step="ask whoever wrote it to send it again, and `resolve` the letter "
            "该批次无法解码，请写入方重发后结案",
        )
    producer = KafkaProducer(**client_config(settings), acks="all", client_id="tongshui-dead-letters")
    try:
        sent = producer.send(
            record.topic, record.value, record.key, headers=list(record.headers.items()), partition=record.partition
        )
        return int(sent.get(timeout=20).offset)
    finally:
        producer.close(timeout=5)


# ---- repair


def repair(
    connection: psycopg.Connection[Any],
    settings: Settings,
    number: int,
    menders: Mapping[str, Mender],
    *,
    by: str,
    reason: str,
) -> None:
    """Apply a letter's event to its reader, from the store's bytes, in one transaction. ``connection``: autocommit,
    rows as tuples.

    Raises BusRefusal: "no-such-letter", "settled-already", "not-of-the-store", "no-mender" (a reader that this program
    does not have), "not-passed" (the reader stands before it and will read it itself), "still-unreadable".
    """
    row = dead_letter(connection, number)
    position = _require_position(row)
    mender = menders.get(row["reader"])
    if mender is None:
        raise BusRefusal(
            "no-mender",
            found=f"the reader {row['reader']}",
            needed=f"one of {', '.join(sorted(menders))}",
            next_step="`resolve` it with a reason, or `resend` where it is a meter reading 该读取方无法由此修复",
        )
    with connection.transaction(), connection.cursor() as cursor:
        at = Partition(row["topic"], row["partition"])
        read_position = lock_read_positions(cursor, mender.table, row["reader"], mender.build(connection), [at]).get(
            at, START
        )
        state = cursor.execute(sql("lock_dead_letter"), {"id": number}).fetchone()
        if state is None or state[0] not in ("open", "again"):
            raise _settled_already(dead_letter(connection, number))
        events = _case_so_far(cursor, settings, row, position, read_position)
        still = [each for each in mender.mend(cursor, events) if each.position == position]
        if still:
            raise _still_unreadable(row, still[0].code, still[0].reason)
        cursor.execute(sql("settle_dead_letter"), {"id": number, "state": "repaired", "by": by, "note": reason})
    log.info("dead letter %d of %s is repaired", number, row["reader"])


def repair_marked(
    connection: psycopg.Connection[Any], settings: Settings, menders: Mapping[str, Mender]
) -> list[tuple[int, str | None]]:
    """Try those that are marked for these readers once more: number, and why it did not help. One that did not is open
    again, with the reason as its note."""
    done: list[tuple[int, str | None]] = []
    for (number,) in connection.execute(sql("dead_letters_again"), {"readers": list(menders)}).fetchall():
        row = dead_letter(connection, number)
        by = str(row["settled_by"] or "tongshui")
        try:
            repair(connection, settings, number, menders, by=by, reason=str(row["note"] or "read again"))
            done.append((number, None))
        except BusRefusal as refusal:
            log.warning("dead letter %d was read again and stays one: %s", number, refusal.code)
            values = {"id": number, "state": "open", "by": by, "note": f"{refusal.code}: {refusal.found}"}
            connection.execute(sql("settle_dead_letter"), values)
            done.append((number, refusal.code))
    return done


def _case_so_far(
    cursor: Cursor[Any], settings: Settings, row: DeadLetterRow, position: int, read_position: ReadPosition
) -> list[Event]:
    """The events of the letter's case in its topic, up to the reader's read position."""
    at = cursor.execute(sql("event_at"), {"position": position}).fetchone()
    if at is None or row["topic"] not in {topic for topic, _ in _routes(settings, str(at[1]), at[0])}:
        raise BusRefusal(
            "not-of-the-store",
            found=f"position {position}, at which the store has nothing that goes to {row['topic']}",
            needed="an event that the store has too",
            next_step="find out who writes to the topic, and `resolve` it with that as the reason "
            "该记录并非本系统写入，查明来源后写明原因结案",
        )
    if read_position.position < position:
        raise BusRefusal(
            "not-passed",
            found=f"the reader {row['reader']} at position {read_position.position}",
            needed=f"a reader that has passed position {position}",
            next_step="let it run: it reads the record itself 读取方尚未越过该记录，继续运行即可",
        )
    found: list[Event] = []
    for case_id, _, type_name, state in cursor.execute(sql("events_of"), {"ids": [at[0]]}).fetchall():
        for topic, partition in _routes(settings, str(type_name), case_id):
            if topic == row["topic"]:
                record = Record(topic, partition, -1, case_key(case_id), bytes(state), {"previousposition": b"0"})
                event = parse(record)
                if isinstance(event, Event) and event.position <= read_position.position:
                    found.append(event)
                elif isinstance(event, Unreadable) and event.position in (None, position):
                    raise _still_unreadable(row, event.code, event.reason)
    return found


def _routes(settings: Settings, type_name: str, case_id: UUID) -> tuple[Partition, ...]:
    return route(type_name, case_id, settings.partitions, settings.topic_prefix)


def _still_unreadable(row: DeadLetterRow, code: str, reason: str) -> BusRefusal:
    return BusRefusal(
        "still-unreadable",
        found=f"dead letter {row['id']}, {code}: {reason}",
        needed=f"a program whose reader {row['reader']} can take it",
        next_step="mend the program first, then repair 请先修复程序再修复该死信",
    )
