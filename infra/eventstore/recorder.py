"""The append: one lock, gapless positions, time that never goes backwards.

A subclass of the event-sourcing library's recorder; its reads are the library's, its append is ours. The library's own
append is pipelined under LOCK TABLE and was seen to hang for ever, holding the lock, on 500 events of 1 kB; and its
sequence-numbered positions are not gapless. Ours is pipelined too, and does not hang: it sends a few statements, each
for the whole batch, whose answers fit into a socket's buffer.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from eventsourcing.persistence import IntegrityError, StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder
from psycopg import Connection, Cursor
from psycopg.rows import DictRow, tuple_row
from psycopg.types.json import Jsonb

from domain.kinds import REGISTRY, RULE_TYPES, VAULT
from domain.standard.alerts import RANKS, Alert, Closing
from domain.vault.vault import SubjectErased
from infra.clock import REAL, Clock
from infra.eventstore.commands import IdempotencyKey, NewAlert, NewLink, NewMessage, NewSubject, NextAsk
from infra.eventstore.envelope import seal
from infra.identity.first_links import put_first_links
from infra.sql import sql
from infra.vault.vault import Vault

LATENESS_SECONDS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0),
    math.inf,
)
"""Upper ends of the buckets in which the lateness of lapses is counted. More may be added; none may be moved."""


ERASED = REGISTRY.names[VAULT.topic, SubjectErased]
"""Public type of the event that a subject was erased."""


SOON_S = 2.0
"""Within so many real seconds the watch must be woken; it looks at its index every second without being told."""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A command's key, to be written in the append's transaction with where its events went."""

    key: IdempotencyKey
    case_id: UUID
    first_version: int
    last_version: int
    last_event: int
    """Index, in the batch, of the command's last event; -1 where the command wrote none."""
    refusal: Mapping[str, str] | None = None
    """Of a refused command whose attempt is on record: the refusal's words."""


class AlreadyAppended(IntegrityError):
    """Nothing was written: some (case, version) pairs or command keys of the batch exist already."""

    def __init__(self, versions: frozenset[tuple[UUID, int]], keys: Mapping[tuple[str, str], DictRow]) -> None:
        super().__init__(f"{len(versions)} versions and {len(keys)} keys are taken")
        self.versions = versions
        self.keys = keys


class RulesChanged(IntegrityError):
    """Nothing was written: rules were published since those that the batch was decided under."""


@dataclass(slots=True)
class Appended:
    """Filled by an append: what the batch was recorded under."""

    first_position: int = 0
    recorded_at: datetime | None = None


class LogHeadRecorder(PostgresApplicationRecorder):
    """Appends under the one row of ``store.log_head``; positions are gapless, recording times never fall."""

    clock: Clock = REAL
    vault: Vault | None = None
    """Seals particulars; None: of a store that is opened to read."""
    clock_behind_seconds: float = 0.0
    """How far the clock was behind the log at the last append; more than a second is an alarm."""

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        keys: Sequence[KeyRow] = (),
        subjects: Sequence[NewSubject] = (),
        links: Sequence[NewLink] = (),
        messages: Sequence[NewMessage] = (),
        alerts: Sequence[NewAlert] = (),
        next_asks: Sequence[NextAsk] = (),
        appended: Appended | None = None,
        rules_position: int | None = None,
        lapsed: Sequence[datetime] = (),
        **_: Any,
    ) -> Sequence[int] | None:
        """Append in one transaction. Returns the positions, in order. ``rules_position``: of the newest rules that the
        batch was decided under (None: it was not decided by rules). ``lapsed``: the due instants of lapses that the
        window watch found; how late they are on record is counted in the same transaction. ``next_asks``: go into the
        watch's index, which then has nothing to ask about these events when they come through the stream.

        Raises, with nothing written, Taken where a (case, version) or a key exists already and RulesChanged where newer
        rules were published; OperationalError where PostgreSQL did not answer in time, in which case the commit may or
        may not have stuck (the keys tell).
        """
        # Statements are sent together and answered together, first those that look and then those that write: while
        # one waits for each answer, every other append waits for the head.
        with (
            self.datastore.get_connection() as connection,
            connection.pipeline(),
            connection.transaction(),
            connection.cursor() as cursor,
        ):
            head = _locked_head(connection, stored_events, keys, rules_position)
            recorded_at = self._recording_time(head["recorded_at"])
            first = head["position"] + 1
            positions = list(range(first, first + len(stored_events)))
            self._insert(cursor, stored_events, positions, recorded_at)
            self._insert_keys(cursor, keys, positions, recorded_at)
            self._insert_subjects(cursor, subjects)
            self._erase_subjects(cursor, stored_events)
            put_first_links(cursor, links)
            self._insert_messages(cursor, messages)
            self._count_lateness(cursor, lapsed)
            self._insert_alerts(cursor, alerts)
            self._insert_next_asks(cursor, next_asks)
            if positions:
                moved = {"position": positions[-1], "recorded_at": recorded_at}
                cursor.execute(sql("move_head"), moved, prepare=True)
                self._move_rules(cursor, stored_events, positions)
                cursor.execute(sql("announce"), {"position": positions[-1]}, prepare=True)
        if appended is not None:
            appended.first_position, appended.recorded_at = first, recorded_at
        return positions

    def select_many(self, ids: Sequence[UUID]) -> list[tuple[UUID, bytes]]:
        """(stream, JSON) of all events of the given streams, by stream and version; one query, not one by one."""
        with self.datastore.get_connection() as connection, connection.cursor() as cursor:
            cursor.execute(sql("events_of"), {"ids": list(ids)}, prepare=True)
            return [(row["originator_id"], bytes(row["state"])) for row in cursor]

    def select_typed(self, ids: Sequence[UUID]) -> list[tuple[UUID, str, bytes]]:
        """(stream, public type, JSON) of all events of the given streams, by stream and version."""
        with (
            self.datastore.get_connection() as connection,
            connection.cursor(binary=True, row_factory=tuple_row) as cursor,
        ):
            cursor.execute(sql("events_of"), {"ids": list(ids)}, prepare=True)
            return [(stream, name, state) for stream, _, name, state in cursor.fetchall()]

    def first_types(self, ids: Sequence[UUID]) -> dict[UUID, str]:
        """The public type of each stream's first event; streams that there are not are left out."""
        with self.datastore.get_connection() as connection, connection.cursor() as cursor:
            cursor.execute(sql("first_types"), {"ids": list(ids)}, prepare=True)
            return {row["originator_id"]: row["topic"] for row in cursor}

    def crews_formed(self) -> list[bytes]:
        """The JSON of the newest ``CrewFormed`` of each crew, in the order of their streams' ids."""
        with self.datastore.get_connection() as connection, connection.cursor() as cursor:
            cursor.execute(sql("crews_formed"), prepare=True)
            return [bytes(row["state"]) for row in cursor]

    def next_case_numbers(self, count: int) -> list[int]:
        """So many counts that no case has."""
        with self.datastore.get_connection() as connection, connection.cursor() as cursor:
            cursor.execute(sql("next_case_numbers"), {"count": count}, prepare=True)
            return [int(row["number"]) for row in cursor]

    def last_version(self, stream: UUID) -> int:
        """The version of the stream's last event; 0 before the first."""
        with self.datastore.get_connection() as connection, connection.cursor() as cursor:
            cursor.execute(sql("last_version"), {"id": stream}, prepare=True)
            row = cursor.fetchone()
            return int(row["version"]) if row is not None else 0

    def select_keys(self, keys: Sequence[IdempotencyKey]) -> dict[tuple[str, str], DictRow]:
        """The rows of those keys that were used: (scope, key) → row."""
        if not keys:
            return {}
        with self.datastore.get_connection() as connection:
            return _by_key(_ask_for_keys(connection, keys))

    def select_keys_and_events(
        self, keys: Sequence[IdempotencyKey], ids: Sequence[UUID]
    ) -> tuple[dict[tuple[str, str], DictRow], list[tuple[UUID, bytes]]]:
        """As ``select_keys``, then ``select_many``: both asked in one go."""
        with (
            self.datastore.get_connection() as connection,
            connection.pipeline(),
            connection.cursor(binary=True, row_factory=tuple_row) as cursor,
        ):
            used = _ask_for_keys(connection, keys)
            cursor.execute(sql("events_of"), {"ids": list(ids)}, prepare=True)
            return _by_key(used), [(stream, state) for stream, _, _, state in cursor]

    def rules_position(self) -> int:
        """The position of the newest published rules."""
        with self.datastore.get_connection() as connection, connection.cursor() as cursor:
            cursor.execute(sql("log_head"), prepare=True)
            head = cursor.fetchone()
            return int(head["rules_position"]) if head is not None else 0

    # ---- steps of the append

    def _move_rules(
        self, cursor: Cursor[DictRow], stored_events: Sequence[StoredEvent], positions: Sequence[int]
    ) -> None:
        published = [
            position for event, position in zip(stored_events, positions, strict=True) if event.topic in RULE_TYPES
        ]
        if published:
            cursor.execute(sql("move_rules"), {"position": published[-1]})

    def seal(self, state: bytes, position: int, recorded_at: datetime) -> bytes:
        """The bytes to store. The library's own recorder tests, which store bytes that are not JSON, override it."""
        return seal(state, position, recorded_at)

    def _recording_time(self, last: Any) -> datetime:
        now = self.clock.now()
        if not isinstance(last, datetime):
            return now
        self.clock_behind_seconds = max(0.0, (last - now).total_seconds())
        return max(now, last)

    def _insert(
        self,
        cursor: Cursor[DictRow],
        stored_events: Sequence[StoredEvent],
        positions: Sequence[int],
        recorded_at: datetime,
    ) -> None:
        cursor.execute(
            sql("insert_events"),
            {
                "ids": [event.originator_id for event in stored_events],
                "versions": [event.originator_version for event in stored_events],
                "types": [event.topic for event in stored_events],
                "states": [
                    self.seal(bytes(event.state), position, recorded_at)
                    for event, position in zip(stored_events, positions, strict=True)
                ],
                "positions": list(positions),
            },
            prepare=True,
        )

    def _insert_keys(
        self, cursor: Cursor[DictRow], keys: Sequence[KeyRow], positions: Sequence[int], recorded_at: datetime
    ) -> None:
        if not keys:
            return
        cursor.execute(
            sql("insert_keys"),
            {
                "scopes": [row.key.scope for row in keys],
                "keys": [row.key.key for row in keys],
                "digests": [row.key.digest for row in keys],
                "case_ids": [row.case_id for row in keys],
                "firsts": [row.first_version for row in keys],
                "lasts": [row.last_version for row in keys],
                "positions": [positions[row.last_event] if row.last_event >= 0 else 0 for row in keys],
                "refusals": [Jsonb(dict(row.refusal)) if row.refusal is not None else None for row in keys],
                "recorded_at": recorded_at,
            },
            prepare=True,
        )

    def _insert_subjects(self, cursor: Cursor[DictRow], subjects: Sequence[NewSubject]) -> None:
        if not subjects:
            return
        if self.vault is None:
            raise RuntimeError("a store that was opened without its vault takes no particulars")
        self.vault.put(cursor, subjects)

    def _erase_subjects(self, cursor: Cursor[DictRow], stored_events: Sequence[StoredEvent]) -> None:
        """Whoever is erased by an event is erased with it: a subject's stream has the subject's id."""
        erased = [UUID(str(event.originator_id)) for event in stored_events if event.topic == ERASED]
        if erased and self.vault is not None:
            self.vault.erase(cursor, erased)

    def _count_lateness(self, cursor: Cursor[DictRow], lapsed: Sequence[datetime]) -> None:
        if not lapsed:
            return
        now = self.clock.now()  # not the recording time, which stays ahead of a clock that was set back
        late_s = [max(0.0, (now - due_at).total_seconds()) / self.clock.factor for due_at in lapsed]
        counts, seconds = [0] * len(LATENESS_SECONDS), [0.0] * len(LATENESS_SECONDS)
        for each in late_s:
            bucket = bisect_left(LATENESS_SECONDS, each)
            counts[bucket] += 1
            seconds[bucket] += each
        rows = [(le, *found) for le, *found in zip(LATENESS_SECONDS, counts, seconds, strict=True) if found[0]]
        cursor.execute(
            sql("count_lateness"),
            {"le": [row[0] for row in rows], "lapses": [row[1] for row in rows], "seconds": [row[2] for row in rows]},
            prepare=True,
        )

    def _insert_messages(self, cursor: Cursor[DictRow], messages: Sequence[NewMessage]) -> None:
        if not messages:
            return
        said = [new.message for new in messages]
        rows = [
            {
                "id": str(new.event_id),
                "case_id": str(new.case_id),
                "kind": message.kind,
                "way": message.way,
                "title": message.title,
                "text": message.text,
                "digest": message.digest,
                "audience": list(message.audience),
                "subject_id": str(message.to.id) if message.to is not None else None,
            }
            for new, message in zip(messages, said, strict=True)
        ]
        cursor.execute(sql("outbox_put"), {"rows": Jsonb(rows)}, prepare=True)

    def _insert_alerts(self, cursor: Cursor[DictRow], alerts: Sequence[NewAlert]) -> None:
        if raised := [_alert_row(new, new.alert) for new in alerts if new.alert is not None]:
            cursor.execute(sql("alerts_raise"), {"rows": _rows(raised)}, prepare=True)
        if closings := [_closing_row(new, new.closing) for new in alerts if new.closing is not None]:
            cursor.execute(sql("alerts_close"), {"rows": _rows(closings)}, prepare=True)

    def _insert_next_asks(self, cursor: Cursor[DictRow], next_asks: Sequence[NextAsk]) -> None:
        if not next_asks:
            return
        cursor.execute(
            sql("watch_schedule"),
            {
                "cases": [each.case_id for each in next_asks],
                "commitments": [each.commitment for each in next_asks],
                "families": [each.family for each in next_asks],
                "next": [each.at for each in next_asks],
                "versions": [each.version for each in next_asks],
                "told": [each.told for each in next_asks],
            },
            prepare=True,
        )
        soon = self.clock.now() + timedelta(seconds=SOON_S * self.clock.factor)
        if any(each.at is not None and each.at <= soon for each in next_asks):
            cursor.execute(sql("announce_due"))


def _locked_head(
    connection: Connection[DictRow],
    stored_events: Sequence[StoredEvent],
    keys: Sequence[KeyRow],
    rules_position: int | None,
) -> DictRow:
    """The row of the log's head, locked until the end of the transaction. Raises what ``insert_events`` does where
    something is taken already or rules were published."""
    connection.execute(sql("limit_append"), prepare=True)
    locked = connection.execute(sql("lock_head"), prepare=True)
    versions = _ask_for_versions(connection, stored_events)
    used = _ask_for_keys(connection, [row.key for row in keys]) if keys else None
    head = locked.fetchone()
    if head is None:
        raise psycopg.OperationalError("store.log_head has no row; run `tongshui migrate`")
    if rules_position is not None and head["rules_position"] > rules_position:
        raise RulesChanged(f"rules were published at position {head['rules_position']}")
    _refuse_taken(versions, used)
    return head


def _ask_for_versions(connection: Connection[DictRow], stored_events: Sequence[StoredEvent]) -> Cursor[DictRow]:
    return connection.execute(
        sql("taken_versions"),
        {
            "ids": [event.originator_id for event in stored_events],
            "versions": [event.originator_version for event in stored_events],
        },
        prepare=True,
    )


def _ask_for_keys(connection: Connection[DictRow], keys: Sequence[IdempotencyKey]) -> Cursor[DictRow]:
    asked = {"scopes": [key.scope for key in keys], "keys": [key.key for key in keys]}
    return connection.execute(sql("command_keys"), asked, prepare=True)


def _by_key(rows: Iterable[DictRow]) -> dict[tuple[str, str], DictRow]:
    return {(row["actor_scope"], row["key"]): row for row in rows}


def _refuse_taken(versions: Iterable[DictRow], keys: Iterable[DictRow] | None) -> None:
    taken = frozenset((row["originator_id"], row["originator_version"]) for row in versions)
    used = _by_key(keys) if keys is not None else {}
    if taken or used:
        raise AlreadyAppended(taken, used)


def _rows(rows: Sequence[Mapping[str, Any]]) -> Jsonb:
    return Jsonb(rows, dumps=msgspec.json.encode)


def _alert_row(new: NewAlert, alert: Alert) -> dict[str, Any]:
    return {
        "id": new.event_id,
        "case_id": new.case_id,
        "version": new.version,
        "case_number": new.case_number,
        "mass": new.mass,
        "change": alert.change,
        "commitment": alert.commitment,
        "lapse": alert.lapse,
        "step": alert.step,
        "due_at": alert.due_at,
        "roles": alert.roles,
        "ways": alert.ways,
        "urgent": alert.urgent,
        "raised_at": new.at,
        "expanded": set(alert.ways) <= {"page"},
    }


def _closing_row(new: NewAlert, closing: Closing) -> dict[str, Any]:
    return {
        "case_id": new.case_id,
        "version": new.version,
        "commitment": closing.commitment,
        "cause": closing.cause,
        "rank": RANKS[closing.cause],
        "only_change": closing.only,
        "lapse": closing.lapse,
        "step": closing.step,
        "due_at": closing.due_at,
        "by": closing.by,
        "at": new.at,
    }
