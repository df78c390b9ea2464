"""The processor of meter readings: stores each once, judges it by its meter's history, writes down what stands out.

The topic is not from the store and has no positions: the read position is the offset, kept in the transaction that
writes the rows, and the natural key (meter, time of reading) makes what was sent twice one row. In order, a reading is
judged by the history row of its meter; one that comes late has all of the meter's readings judged anew, so that the
outcome never depends on the order. Meters are known from the events that put them in; readings of others wait until
theirs comes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import psycopg
from psycopg import Cursor
from psycopg.sql import SQL, Identifier, Literal

from domain.kernel.refusals import Refusal
from domain.metering.readings import (
    LITRES_IN_M3,
    Aside,
    Dial,
    DialReading,
    History,
    JudgedReading,
    after,
    aside,
    judge_all,
    judge_reading,
)
from domain.standard.sections.metering import ReadingPolicy
from domain.standard.standards import Rules, require_not_future
from infra.clock import Clock
from infra.decoders import converter
from infra.kafka.cluster import Partition, PartitionLog, Record
from infra.kafka.meter_readings import BadRowError, MeterReading, from_json
from infra.readers.dead_letters import save_dead_letters
from infra.readers.record import UNDECODABLE, Event
from infra.readers.rule import DeadLetter, dead_letter_of
from infra.settings import Settings
from infra.sql import sql

log = logging.getLogger(__name__)

READER = "readings"
GONE = "readings-gone"
"""The code of the dead letter for readings that the log lost before they were read."""
METER_READER = "meters"
REPLACED = "water.connection.MeterReplaced.v1"
METER_EVENTS = ("water.connection.MeterInstalled.v1", "water.connection.WaterTurnedOn.v1", REPLACED)


class _Known(NamedTuple):
    """What is known of a meter; ``first_in_at``: since when it measures; ``out_at``: since when it measures nothing
    (None: it is in)."""

    dial: Dial
    history: History | None
    out_at: datetime | None
    first_in_at: datetime


class _ReadPosition(NamedTuple):
    """How far a partition is read. ``of_the_old_topic``: readings that nobody had read when the topic was made anew."""

    next_offset: int
    of_the_old_topic: int


class _Gone(NamedTuple):
    """How many readings were lost, and the dead letter that tells it (None: none were)."""

    readings: int
    dead_letter: DeadLetter | None


class _In(NamedTuple):
    initial_litres: int
    dial_max_m3: int
    at: datetime
    first_at: datetime


class _Meter(msgspec.Struct):
    number: str
    initial_reading_m3: str
    dial_max_m3: int


class _MeterIn(msgspec.Struct):
    meter: _Meter


class _MeterOut(msgspec.Struct):
    old_meter: str
    final_reading_m3: str


_METER_IN = converter(_MeterIn)
_METER_OUT = converter(_MeterOut)


class Processor:
    """Stores and judges batches of records. Free of Faust and of Kafka: whoever reads the topic hands them in.

    ``stored`` and ``set_aside`` count the rows of this process.
    """

    def __init__(self, settings: Settings, rules: Callable[[], Rules], clock: Clock) -> None:
        self.settings = settings
        self.stored = 0
        self.set_aside = 0
        self._rules = rules
        self._clock = clock
        self._months: set[tuple[int, int]] = set()

    # ---- readings

    def begin(
        self,
        connection: psycopg.Connection[Any],
        assigned: Sequence[Partition],
        topic_id: UUID,
        look: Callable[[], Mapping[Partition, PartitionLog]],
    ) -> dict[Partition, int]:
        """Where to read from: behind what is stored, as far as the log still has it. ``look``: the logs as they are.

        A topic made anew, and a log that lost its tail, are read from their first record: the read position is taken
        back, and what is stored already is dropped by its key. Readings that the log does not have any more, and that
        were not read, are counted, and told as one dead letter of a partition.
        """
        numbers = sorted(partition.partition for partition in assigned)
        with connection.transaction(), connection.cursor() as cursor:
            read_positions = self._lock_read_positions(cursor, numbers, topic_id)
            # Looked at behind the lock: a read position that another process moved on meanwhile is no lost tail.
            where = look()
            gone = [_gone(p, read_positions[p.partition], where[p]) for p in assigned]
            starts = {p: _start(read_positions[p.partition], where[p]) for p in assigned}
            self._save_read_positions(cursor, {p.partition: start for p, start in starts.items()}, topic_id)
            self._save_seen(cursor, where, {p: each.readings for p, each in zip(assigned, gone, strict=True)})
            save_dead_letters(cursor, READER, [each.dead_letter for each in gone if each.dead_letter is not None])
        return starts

    def see(self, connection: psycopg.Connection[Any], where: Mapping[Partition, PartitionLog]) -> None:
        """Note where the logs end, for whoever looks how far behind the reading is."""
        with connection.transaction(), connection.cursor() as cursor:
            self._save_seen(cursor, where, {})

    def store(self, connection: psycopg.Connection[Any], records: Sequence[Record], topic_id: UUID) -> None:
        """A batch in one transaction: rows, histories, anomalies, dead letters, read positions."""
        found, dead_letters = self._parsed(records, topic_id)
        self._make_months(connection, [reading.read_at for _, reading in found])
        ends = {record.partition: record.next_offset for record in records}
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute(sql("readings_lock_shared"))
            read_positions = self._lock_read_positions(cursor, sorted(ends), topic_id)
            fresh = [
                reading for record, reading in found if record.offset >= read_positions[record.partition].next_offset
            ]
            stored, aside = self.take(cursor, fresh)
            save_dead_letters(cursor, READER, dead_letters)
            moved = {partition: max(end, read_positions[partition].next_offset) for partition, end in ends.items()}
            self._save_read_positions(cursor, moved, topic_id)
        self.stored += stored
        self.set_aside += aside

    def _parsed(
        self, records: Sequence[Record], topic_id: UUID
    ) -> tuple[list[tuple[Record, MeterReading]], list[DeadLetter]]:
        now = self._clock.now()
        standard = self._rules().in_force(now)
        found: list[tuple[Record, MeterReading]] = []
        dead_letters: list[DeadLetter] = []
        for record in records:
            if record.damage is not None:
                dead_letters.append(_letter(record, topic_id, UNDECODABLE, record.damage.reason))
                continue
            try:
                reading = from_json(record.value or b"")
                require_not_future(standard, reading.read_at, now)
            except BadRowError as error:
                dead_letters.append(_letter(record, topic_id, "bad-reading", str(error)))
            except Refusal as refusal:
                dead_letters.append(_letter(record, topic_id, refusal.code, "read_at is later than now"))
            else:
                found.append((record, reading))
        return found, dead_letters

    def _lock_read_positions(
        self, cursor: Cursor[Any], partitions: Sequence[int], topic_id: UUID
    ) -> dict[int, _ReadPosition]:
        names = {"topic": self.settings.readings_topic, "topic_id": topic_id, "partitions": list(partitions)}
        cursor.execute(sql("readings_offsets_begin"), names)
        cursor.execute(sql("readings_offsets_lock"), names)
        return {
            partition: _ReadPosition(offset, 0) if known == topic_id else _ReadPosition(0, max(0, end - offset))
            for partition, known, offset, end in cursor.fetchall()
        }

    def _save_seen(
        self, cursor: Cursor[Any], where: Mapping[Partition, PartitionLog], lost: Mapping[Partition, int]
    ) -> None:
        cursor.execute(
            sql("readings_offsets_seen"),
            {
                "topic": self.settings.readings_topic,
                "partitions": [partition.partition for partition in where],
                "end_offsets": [its.end for its in where.values()],
                "lost": [lost.get(partition, 0) for partition in where],
            },
        )

    def _save_read_positions(self, cursor: Cursor[Any], read_positions: Mapping[int, int], topic_id: UUID) -> None:
        cursor.execute(
            sql("readings_offsets_save"),
            {
                "topic": self.settings.readings_topic,
                "topic_id": topic_id,
                "partitions": list(read_positions),
                "next_offsets": list(read_positions.values()),
            },
        )

    def _make_months(
        self, connection: psycopg.Connection[Any], times: Iterable[datetime], *, remember: bool = True
    ) -> None:
        """The table's part of each month, before the transaction that needs it: making one locks the whole table.

        Not to be remembered within a transaction that may yet roll back.
        """
        for year, month in sorted({(at.year, at.month) for at in times} - self._months):
            first, end = (
                datetime(year, month, 1, tzinfo=UTC),
                datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC),
            )
            name = Identifier("readings", f"readings_{year:04d}_{month:02d}")
            with connection.transaction():
                connection.execute(sql("readings_lock"))
                connection.execute(
                    SQL(sql("readings_make_month")).format(name=name, first=Literal(first), end=Literal(end))
                )
            if remember:
                self._months.add((year, month))

    # ---- judging

    def take(self, cursor: Cursor[Any], wanted: Sequence[MeterReading], anew: Collection[str] = ()) -> tuple[int, int]:
        """Store and judge readings in the cursor's transaction. Returns how many were new, and how many set aside.

        ``anew``: meters among them all of whose readings are to be judged again.
        """
        unique = {(reading.meter, reading.read_at, reading.litres): reading for reading in wanted}
        meters = _known(cursor, {reading.meter for reading in unique.values()})
        strangers = [reading for reading in unique.values() if reading.meter not in meters]
        known = [reading for reading in unique.values() if reading.meter in meters]
        sound: list[MeterReading] = []
        kept: dict[Aside, list[MeterReading]] = {"unknown-meter": strangers} if strangers else {}
        for reading in known:
            reason = _why_aside(meters[reading.meter], reading)
            (sound if reason is None else kept.setdefault(reason, [])).append(reading)
        fresh, contradicting = _insert(cursor, sound)
        if contradicting:
            kept["contradicts"] = contradicting
        for reason, readings in kept.items():
            _set_aside(cursor, readings, reason)
        self._judge(cursor, meters, fresh, anew)
        return len(fresh), sum(map(len, kept.values()))

    def _judge(
        self, cursor: Cursor[Any], meters: Mapping[str, _Known], fresh: Sequence[MeterReading], anew: Collection[str]
    ) -> None:
        now = self._clock.now()
        policy = self._rules().in_force(now).metering.readings
        of_meter: dict[str, list[DialReading]] = {}
        for reading in fresh:
            of_meter.setdefault(reading.meter, []).append(DialReading(reading.read_at, reading.litres))
        late = [m for m, new in of_meter.items() if _is_late(meters[m].history, new)]
        late += [meter for meter in anew if meter in meters and meter not in late]
        whole = _all_of(cursor, late)
        histories: dict[str, History] = {}
        anomalies: list[tuple[str, DialReading, JudgedReading]] = []
        for meter in dict.fromkeys((*of_meter, *late)):
            new, (dial, history, *_) = of_meter.get(meter, []), meters[meter]
            found, ended = (
                judge_all(whole[meter], dial, policy) if meter in whole else _onward(history, new, dial, policy)
            )
            if ended is not None:
                histories[meter] = ended
            anomalies += [(meter, reading, judged) for reading, judged in found if judged.flags]
        _save_histories(cursor, histories)
        _save_anomalies(cursor, late, anomalies, now)

    # ---- meters

    def meet(self, cursor: Cursor[Any], events: Sequence[Event]) -> list[DeadLetter]:
        """Take note of the meters that were put in and taken out, and take up the readings that waited for them. Gives
        the dead letters of the events that do not tell a meter."""
        found: dict[str, _In] = {}
        ends: list[MeterReading] = []
        dead_letters: list[DeadLetter] = []
        for event in events:
            if event.type in METER_EVENTS:
                try:
                    meter = _METER_IN(event.data).meter
                    at = event.happened_at
                    into = _In(_litres(meter.initial_reading_m3), meter.dial_max_m3, at, at)
                    last = _last_of(event) if event.type == REPLACED else None
                except (msgspec.ValidationError, ArithmeticError, ValueError) as error:
                    dead_letters.append(dead_letter_of(event, {}, "bad-data", type(error).__name__))
                else:
                    # Put in again further on in the batch: what it was first put in with is what its use counts from.
                    first = found.get(meter.number, into)
                    found[meter.number] = first._replace(
                        at=max(first.at, into.at), first_at=min(first.first_at, into.first_at)
                    )
                    ends += [last] if last is not None else []
        if found:
            self._introduce(cursor, found)
        if ends:
            self._end(cursor, ends)
        return dead_letters

    def _introduce(self, cursor: Cursor[Any], found: Mapping[str, _In]) -> None:
        # Alone: a batch that looked before and sets aside afterwards would leave its readings waiting for ever.
        cursor.execute(sql("readings_lock"))
        initial, dials, times, first_times = zip(*found.values(), strict=True)
        values = {
            "meters": list(found),
            "initial": list(initial),
            "dials": list(dials),
            "times": list(times),
            "first_times": list(first_times),
        }
        cursor.execute(sql("readings_meet_meters"), values)
        met = [row[0] for row in cursor.fetchall()]
        cursor.execute(sql("readings_take_up"), {"meters": met})
        self.take(cursor, [MeterReading(meter, at, litres) for meter, at, litres in cursor.fetchall()])

    def _end(self, cursor: Cursor[Any], ends: Sequence[MeterReading]) -> None:
        """Each of these is a meter's last reading: what was stored of later is set aside, and the rest judged anew."""
        self._make_months(cursor.connection, [reading.read_at for reading in ends], remember=False)
        meters = [reading.meter for reading in ends]
        cursor.execute(sql("readings_take_out"), {"meters": meters, "times": [reading.read_at for reading in ends]})
        cursor.execute(sql("readings_after_the_end"), {"meters": meters})
        self.take(cursor, ends, anew=set(meters))


def _why_aside(meter: _Known, reading: MeterReading) -> Aside | None:
    return aside(meter.dial, DialReading(reading.read_at, reading.litres), meter.first_in_at, meter.out_at)


def _last_of(event: Event) -> MeterReading:
    out = _METER_OUT(event.data)
    return MeterReading(out.old_meter, event.happened_at, _litres(out.final_reading_m3))


def _start(read_position: _ReadPosition, log_: PartitionLog) -> int:
    return max(read_position.next_offset, log_.first) if read_position.next_offset <= log_.end else log_.first


def _gone(partition: Partition, read_position: _ReadPosition, log_: PartitionLog) -> _Gone:
    """The readings that are not in the log any more and were not read."""
    # Where the log ends before the read position it lost its tail; what was read of it is stored.
    cut = max(0, log_.first - read_position.next_offset) if read_position.next_offset <= log_.end else 0
    readings = cut + read_position.of_the_old_topic
    if not readings:
        return _Gone(0, None)
    why = "the topic was made anew" if read_position.of_the_old_topic else "retention deleted them"
    log.error("%s: %d readings were gone before they were read: %s", partition, readings, why)
    reason = f"{readings} readings from this offset on were gone before they were read: {why}"
    return _Gone(readings, _dead_letter_at(partition, read_position.next_offset, log_.topic_id, GONE, reason))


def _litres(cubic_metres: str) -> int:
    return int(Decimal(cubic_metres) * LITRES_IN_M3)


def _letter(record: Record, topic_id: UUID, code: str, reason: str) -> DeadLetter:
    partition = Partition(record.topic, record.partition)
    return _dead_letter_at(partition, record.offset, topic_id, code, reason, record.value or b"")


def _dead_letter_at(
    partition: Partition, offset: int, topic_id: UUID, code: str, reason: str, value: bytes = b""
) -> DeadLetter:
    return DeadLetter(
        topic=partition.topic,
        topic_id=topic_id,
        partition=partition.partition,
        offset=offset,
        position=None,
        code=code,
        reason=reason,
        size_bytes=len(value),
        sha256=sha256(value).hexdigest(),
        case_id=None,
    )


def _is_late(history: History | None, new: Sequence[DialReading]) -> bool:
    return history is not None and min(new).read_at <= history.last.read_at


def _onward(
    history: History | None, new: Sequence[DialReading], dial: Dial, policy: ReadingPolicy
) -> tuple[list[tuple[DialReading, JudgedReading]], History | None]:
    """As ``judge_all``, from a history on."""
    found = []
    for reading in sorted(new):
        judged = judge_reading(history, reading, dial, policy)
        found.append((reading, judged))
        history = after(history, reading, judged, policy)
    return found, history


# ---- rows


def _known(cursor: Cursor[Any], meters: Iterable[str]) -> dict[str, _Known]:
    cursor.execute(sql("readings_known"), {"meters": list(meters)})
    found: dict[str, _Known] = {}
    for meter, initial, dial_max, read_at, litres, recent, flowing, out_at, first_in_at in cursor.fetchall():
        history = None if read_at is None else History(DialReading(read_at, litres), tuple(recent), flowing)
        found[meter] = _Known(Dial(initial, dial_max), history, out_at, first_in_at)
    return found


def _columns(readings: Sequence[MeterReading]) -> dict[str, Any]:
    return {
        "meters": [reading.meter for reading in readings],
        "times": [reading.read_at for reading in readings],
        "litres": [reading.litres for reading in readings],
    }


def _insert(cursor: Cursor[Any], known: Sequence[MeterReading]) -> tuple[list[MeterReading], list[MeterReading]]:
    """The readings that are new, and those that say something else than the one that came first."""
    if not known:
        return [], []
    cursor.execute(sql("readings_insert"), _columns(known))
    inserted = {(meter, at) for meter, at in cursor.fetchall()}
    fresh: dict[tuple[str, datetime], MeterReading] = {}
    others: list[MeterReading] = []
    for reading in known:
        key = (reading.meter, reading.read_at)
        if key in inserted and key not in fresh:
            fresh[key] = reading
        else:
            others.append(reading)
    return list(fresh.values()), _contradicting(cursor, others)


def _contradicting(cursor: Cursor[Any], others: Sequence[MeterReading]) -> list[MeterReading]:
    if not others:
        return []
    columns = _columns(others)
    cursor.execute(sql("readings_stored"), {"meters": columns["meters"], "times": columns["times"]})
    stored = {(meter, at): litres for meter, at, litres in cursor.fetchall()}
    return [reading for reading in others if stored[reading.meter, reading.read_at] != reading.litres]


def _set_aside(cursor: Cursor[Any], readings: Sequence[MeterReading], reason: str) -> None:
    if readings:
        cursor.execute(sql("readings_set_aside"), _columns(readings) | {"reasons": [reason] * len(readings)})


def _all_of(cursor: Cursor[Any], meters: Sequence[str]) -> dict[str, list[DialReading]]:
    found: dict[str, list[DialReading]] = {}
    if meters:
        cursor.execute(sql("readings_all_of"), {"meters": list(meters)})
        for meter, at, litres in cursor.fetchall():
            found.setdefault(meter, []).append(DialReading(at, litres))
    return found


def _save_histories(cursor: Cursor[Any], histories: Mapping[str, History]) -> None:
    if histories:
        cursor.execute(
            sql("readings_save_histories"),
            {
                "meters": list(histories),
                "times": [history.last.read_at for history in histories.values()],
                "litres": [history.last.litres for history in histories.values()],
                "recents": ["{" + ",".join(map(str, history.recent)) + "}" for history in histories.values()],
                "flowing": [history.flowing_since for history in histories.values()],
            },
        )


def _save_anomalies(
    cursor: Cursor[Any], anew: Sequence[str], anomalies: Sequence[tuple[str, DialReading, JudgedReading]], now: datetime
) -> None:
    """Write what stands out; of the meters judged ``anew``, forget what does not stand out any more."""
    meters = [meter for meter, _, _ in anomalies]
    times = [reading.read_at for _, reading, _ in anomalies]
    if anew:
        cursor.execute(sql("readings_forget_anomalies"), {"meters": list(anew), "kept": meters, "kept_times": times})
    if anomalies:
        used = [judged.litres for _, _, judged in anomalies]
        flags = ["{" + ",".join(judged.flags) + "}" for _, _, judged in anomalies]
        cursor.execute(
            sql("readings_save_anomalies"), {"meters": meters, "times": times, "used": used, "flags": flags, "now": now}
        )
