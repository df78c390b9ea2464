"""The protocol of store, relay, Kafka and readers as a seeded model: every fault it knows, in any order.

Store, broker, producer and processes are toys; what decides is the product's own code: ``infra.readers.rule.apply``,
``start_offset`` and ``HoldAlarm``, ``infra.relay.chain``'s walk and outbox, ``infra.kafka.cluster.route``. A run is one
number, its seed. ``flaws`` names deliberate mistakes (FLAWS); a run with a flaw that is ever given the chance must
raise Broken.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from itertools import count
from uuid import UUID, uuid5

from infra.kafka.cluster import Partition, PartitionLog, Record, route
from infra.readers.record import Event, link_of, parse
from infra.readers.rule import Applied, HoldAlarm, ReadPosition, apply, start_offset
from infra.relay.chain import (
    ChainPosition,
    Outbox,
    OutgoingEvent,
    OutOfStep,
    Send,
    Tail,
    Walk,
    begin_behind,
    first_walk,
    runs,
)

PREFIX = "m."
PARTITIONS = 2
NAMES = ("m.repair.v1", "m.breach.v1")
ALL = tuple(Partition(name, number) for name in NAMES for number in range(PARTITIONS))
CASES = tuple(UUID(int=number) for number in range(1, 7))
TYPES = ("water.repair.CaseClosed.v1", "water.repair.WindowLapsed.v1")
STEPS = 70
HOLD_TICKS = 4.0
PATIENCE = 400
"""Rounds without faults after which everything must have arrived."""

FLAWS = (
    "reader-rejects-old-epochs",
    "reader-applies-over-gaps",
    "reader-stores-read position-apart",
    "reader-drops-nothing",
    "reader-trusts-offsets",
    "reader-never-goes-back",
    "reader-does-not-compare",
    "relay-does-not-walk",
    "relay-does-not-verify",
    "relay-goes-on-after-a-failure",
    "relay-ignores-losses",
    "relay-ignores-leaders",
    "relay-sends-from-all-out",
    "relay-never-lowers-all-out",
    "relay-checkpoints-what-was-sent",
    "relay-does-not-compare",
    "relay-ignores-lost-heads",
    "relay-walks-for-nobody",
    "generation-keeps-topics",
    "reader-keeps-what-was-given-up",
)


class Broken(AssertionError):
    """An invariant does not hold."""


class Refused(Exception):
    """The relay refuses to run: Kafka has what the store has not."""


class Crashed(Exception):
    """A send failed; the session is over."""


@dataclass
class Store:
    """The log of events and the relay's rows, as one database that can be restored from a backup."""

    rows: list[OutgoingEvent] = field(default_factory=list)
    checkpoints: dict[tuple[int, Partition], ChainPosition] = field(default_factory=dict)
    all_out: dict[int, int] = field(default_factory=dict)
    heads: dict[tuple[int, Partition], int] = field(default_factory=dict)
    """Where chains begin, by cluster and partition."""
    walks: set[Partition] = field(default_factory=set)
    """Partitions that a reader wants to be read from their first record."""
    epoch: int = 0
    cluster: int = 0
    life: int = 0
    head: int = 0

    def append(self, rng: random.Random) -> None:
        position, case, name = self.head + 1, rng.choice(CASES), rng.choice(TYPES)
        self.head = position
        state = (
            f'{{"specversion":"1.0","id":"{uuid5(case, str(position))}","type":"{name}","subject":"{case}",'
            f'"time":"2026-02-13T01:02:03Z","caseversion":{position},"data":{{"life":{self.life}}},'
            f'"position":{position},"recordedat":"2026-02-13T01:02:03Z"}}'
        )
        self.rows.append(OutgoingEvent(position, str(case), name, state.encode()))

    def behind(self, position: int, limit: int) -> list[OutgoingEvent]:
        """In order; positions have holes where a generation began."""
        first = bisect_right(self.rows, position, key=lambda row: row.position)
        return self.rows[first : first + limit]

    def at(self, position: int) -> OutgoingEvent | None:
        found = self.behind(position - 1, 1)
        return found[0] if found and found[0].position == position else None

    def expected(self) -> dict[Partition, list[int]]:
        """The positions of each partition, in order."""
        found: dict[Partition, list[int]] = {partition: [] for partition in ALL}
        for row in self.rows:
            for partition in route(row.type_name, row.case_id, PARTITIONS, PREFIX):
                found[partition].append(row.position)
        return found

    def backup(self) -> Store:
        rows, checkpoints, all_out = list(self.rows), dict(self.checkpoints), dict(self.all_out)
        heads, walks = dict(self.heads), set(self.walks)
        return Store(rows, checkpoints, all_out, heads, walks, self.epoch, self.cluster, self.life, self.head)


class Broker:
    """Logs that can lose their tails, their heads or records between, and a cluster that can be lost whole."""

    def __init__(self) -> None:
        self.cluster = 1
        self.made = False
        self.leaders = dict.fromkeys(ALL, 0)
        self.empty()

    def empty(self) -> None:
        self.logs: dict[Partition, list[Record]] = {partition: [] for partition in ALL}
        self.compacted: set[Partition] = set()
        self.firsts = dict.fromkeys(ALL, 0)
        self.ends = dict.fromkeys(ALL, 0)

    def log(self, partition: Partition) -> PartitionLog:
        return PartitionLog(self.topic_id(partition.topic), self.firsts[partition], self.ends[partition])

    def records(self, partition: Partition, offset: int, limit: int | None = None) -> list[Record]:
        """From an offset on. Offsets have holes where records were compacted away."""
        log = self.logs[partition]
        first = bisect_left(log, offset, key=lambda record: record.offset)
        return log[first : None if limit is None else first + limit]

    def topic_id(self, name: str) -> UUID:
        return UUID(int=self.cluster * 1_000 + NAMES.index(name))

    def topic_ids(self) -> dict[str, UUID]:
        return {name: self.topic_id(name) for name in NAMES}

    def append(self, send: Send, epoch: int) -> int:
        headers = {
            "previousposition": str(send.previous).encode(),
            "epoch": str(epoch).encode(),
            "generation": b"g",
        }
        return self.add(send.partition, send.key, send.value, headers)

    def add(self, partition: Partition, key: bytes, value: bytes | None, headers: dict[str, bytes]) -> int:
        offset = self.ends[partition]
        self.logs[partition].append(Record(*partition, offset, key, value, headers))
        self.ends[partition] += 1
        return offset

    def rubbish(self, partition: Partition, value: bytes | None) -> None:
        self.add(partition, b"?", value, {})

    def cut(self, partition: Partition, records: int) -> None:
        """A log only ever loses its tail to a new leader, or to a restart, which counts as one."""
        self.leaders[partition] += 1
        end = max(self.firsts[partition], self.ends[partition] - records)
        self.ends[partition] = end
        self.logs[partition] = [record for record in self.logs[partition] if record.offset < end]

    def behead(self, partition: Partition, records: int) -> None:
        """Retention, or an administrator, deletes from the beginning."""
        first = min(self.ends[partition], self.firsts[partition] + records)
        self.firsts[partition] = first
        self.logs[partition] = self.records(partition, first)

    def compact(self, partition: Partition, rng: random.Random) -> None:
        """Records go anywhere but at the end; nothing else tells of it."""
        log = self.logs[partition]
        self.compacted.add(partition)
        self.logs[partition] = [record for record in log[:-1] if rng.random() < 0.6] + log[-1:]

    def lose(self) -> None:
        self.cluster += 1
        self.made = False
        self.empty()


@dataclass
class Ticket:
    """One record under way: what became of it as the sender is told."""

    send: Send
    offset: int | None = None
    failed: bool = False


class Producer:
    """Delivers in order within a partition; may fail one record and deliver the next, or deliver and not tell."""

    def __init__(self, broker: Broker, epoch: int) -> None:
        self.broker = broker
        self.epoch = epoch
        self.queue: dict[Partition, deque[Ticket]] = {partition: deque() for partition in ALL}

    def send(self, send: Send) -> Ticket:
        ticket = Ticket(send)
        self.queue[send.partition].append(ticket)
        return ticket

    def deliver(self, partition: Partition, outcome: str) -> None:
        if not self.queue[partition]:
            return
        ticket = self.queue[partition].popleft()
        if self.broker.made and outcome != "refused":
            ticket.offset = self.broker.append(ticket.send, self.epoch)
        ticket.failed = outcome != "told" or not self.broker.made

    @property
    def idle(self) -> bool:
        return not any(self.queue.values())


class Session:
    """A relay from one take-over to the next."""

    def __init__(self, store: Store, broker: Broker, flaws: Collection[str]) -> None:
        self.store = store
        self.broker = broker
        self.flaws = flaws
        broker.made = True
        self.cluster = broker.cluster
        self.leaders = dict(broker.leaders)
        store.epoch += 1
        store.cluster = self.cluster
        self.producer = Producer(broker, store.epoch)
        self.tickets: dict[Partition, deque[Ticket]] = {partition: deque() for partition in ALL}
        self.sent: dict[Partition, ChainPosition] = {}
        walks = {partition: self.walk(partition) for partition in ALL}
        begin = self.begin(walks.values())
        self.outbox = Outbox(
            {p: Tail(walk.linked.position, broker.ends[p]) for p, walk in walks.items()},
            begin=begin,
            epoch=store.epoch,
            partitions=PARTITIONS,
            prefix=PREFIX,
        )
        heads = {partition: walk.head for partition, walk in walks.items() if walk.head is not None}
        self.save({partition: walk.linked for partition, walk in walks.items()}, begin, heads)
        store.walks.clear()

    def walk(self, partition: Partition) -> Walk:
        where = self.broker.log(partition)
        checkpoint = self.store.checkpoints.get((self.cluster, partition))
        head = self.store.heads.get((self.cluster, partition))
        if "relay-ignores-lost-heads" in self.flaws:
            head = None
        if partition in self.store.walks and "relay-walks-for-nobody" not in self.flaws:
            checkpoint = None
        if "relay-does-not-walk" in self.flaws and checkpoint is not None:
            blind = Walk(checkpoint)
            blind.linked = checkpoint
            return blind
        if "relay-does-not-verify" in self.flaws and checkpoint is not None and checkpoint.position:
            trusting = Walk(checkpoint)
            trusting.linked, trusting._to_verify = checkpoint, None
            return self.follow(trusting, self.broker.records(partition, checkpoint.offset + 1))
        walk, start = first_walk(checkpoint, where.first, where.end, head)
        self.follow(walk, self.broker.records(partition, start))
        return self.follow(Walk(), self.broker.records(partition, where.first)) if walk.disproved else walk

    def follow(self, walk: Walk, records: Iterable[Record]) -> Walk:
        for record in records:
            link = walk.take(record)
            if link is not None and "relay-does-not-compare" not in self.flaws:
                known = self.store.at(link.position)
                if known is None or known.state != record.value:
                    raise Refused(f"position {link.position} at {record.topic}/{record.partition}:{record.offset}")
        return walk

    def begin(self, walks: Iterable[Walk]) -> int:
        all_out = self.store.all_out.get(self.cluster, 0)
        return all_out if "relay-sends-from-all-out" in self.flaws else begin_behind(walks, all_out)

    def pump(self, limit: int) -> None:
        for send in self.outbox.take(self.store.behind(self.outbox.read_to, limit)):
            self.tickets[send.partition].append(self.producer.send(send))
            ahead = len(self.tickets[send.partition]) - 1
            self.sent[send.partition] = ChainPosition(
                send.position, self.outbox._ends[send.partition] + ahead, self.producer.epoch
            )

    def collect(self) -> None:
        """Raises Crashed or OutOfStep, upon which the session is over."""
        if {"relay-goes-on-after-a-failure", "relay-ignores-losses"} & set(self.flaws):
            self.collect_blindly()
            return
        for partition, tickets in self.tickets.items():
            offsets = []
            while tickets and (tickets[0].failed or tickets[0].offset is not None):
                ticket = tickets.popleft()
                if ticket.failed or ticket.offset is None:
                    raise Crashed
                offsets.append(ticket.offset)
            for run in runs(partition, offsets):
                self.outbox.acknowledged(*run)

    def collect_blindly(self) -> None:
        """Record by record, with one of the two mistakes."""
        for partition, tickets in self.tickets.items():
            while tickets and (tickets[0].failed or tickets[0].offset is not None):
                ticket = tickets.popleft()
                if ticket.failed and "relay-goes-on-after-a-failure" not in self.flaws:
                    raise Crashed
                blind = ticket.failed or "relay-ignores-losses" in self.flaws
                offset = self.outbox._ends[partition] if blind else ticket.offset
                if ticket.failed:
                    self.outbox._ends[partition] -= 1
                assert offset is not None
                self.outbox.acknowledged(partition, self.outbox._ends[partition] if ticket.failed else offset)

    def look(self) -> None:
        self.check_leaders()
        if "relay-ignores-losses" not in self.flaws and "relay-goes-on-after-a-failure" not in self.flaws:
            self.outbox.look(self.broker.ends)
        heads = {p: self.store.heads.get((self.cluster, p), self.broker.firsts[p]) for p in ALL}
        if "relay-ignores-lost-heads" not in self.flaws and any(heads[p] < self.broker.firsts[p] for p in ALL):
            raise Crashed
        if self.store.walks and "relay-walks-for-nobody" not in self.flaws:
            raise Crashed

    def check_leaders(self) -> None:
        if self.broker.cluster != self.cluster:
            raise Crashed
        if self.broker.leaders != self.leaders and not {"relay-ignores-leaders", "relay-ignores-losses"} & set(
            self.flaws
        ):
            raise Crashed

    def checkpoint(self) -> None:
        self.check_leaders()
        if "relay-checkpoints-what-was-sent" in self.flaws:
            self.save(self.sent, self.outbox.read_to, {})
        else:
            self.save(self.outbox.take_checkpoints(), self.outbox.all_out, self.outbox.heads)

    def save(self, checkpoints: dict[Partition, ChainPosition], all_out: int, heads: dict[Partition, int]) -> None:
        self.store.heads |= {(self.cluster, partition): head for partition, head in heads.items()}
        self.store.checkpoints |= {(self.cluster, partition): its for partition, its in checkpoints.items()}
        kept = self.store.all_out.get(self.cluster, 0) if "relay-never-lowers-all-out" in self.flaws else 0
        self.store.all_out[self.cluster] = max(all_out, kept)


class Reader:
    """A read model: what it applied and its places are durable, together; offsets and topic ids are not."""

    def __init__(self, name: str, broker: Broker, flaws: Collection[str], built: Store | None = None) -> None:
        self.name = name
        self.broker = broker
        self.flaws = flaws
        self.read_positions: dict[Partition, ReadPosition] = {}
        self.applied: dict[Partition, list[int]] = {partition: [] for partition in ALL}
        if built is not None:
            self.applied = built.expected()
            self.read_positions = dict.fromkeys(ALL, ReadPosition(built.head))
        self.restart(verify=True)

    def restart(self, *, verify: bool) -> None:
        """A crash, a rebalance, another worker: all that is left is what is stored."""
        self.topic_ids = self.broker.topic_ids()
        self.alarm = HoldAlarm(HOLD_TICKS)
        self.newest_epoch = dict.fromkeys(ALL, 0)
        self.offsets = {partition: self.start(partition, verify=verify) for partition in ALL}

    def start(self, partition: Partition, *, verify: bool) -> int:
        read_position = self.read_positions.get(partition)
        where = self.broker.log(partition)
        if "reader-trusts-offsets" in self.flaws:
            return read_position.offset + 1 if read_position else 0
        start = start_offset(read_position, where)
        if verify and read_position is not None and 0 <= read_position.offset == start - 1:
            found = self.broker.records(partition, read_position.offset, 1)
            link = link_of(found[0]) if found and found[0].offset == read_position.offset else None
            return start if link and link.position == read_position.position else where.first
        return start

    def poll(self, partition: Partition, limit: int, now: float, *, crash: bool) -> None:
        where = self.broker.log(partition)
        if not where.first <= self.offsets[partition] <= where.end and "reader-trusts-offsets" not in self.flaws:
            self.offsets[partition] = where.first
        records = self.broker.records(partition, self.offsets[partition], limit)
        applied = apply(self.seen(partition, records), self.forgetful(), self.topic_ids)
        if crash:
            if "reader-stores-read position-apart" in self.flaws:
                self.write(partition, applied)
            self.restart(verify=False)
            return
        self.offsets[partition] = records[-1].offset + 1 if records else self.offsets[partition]
        self.write(partition, applied)
        self.read_positions |= applied.read_positions
        self.alarm.update(applied, now)

    def go_back(self, store: Store, now: float) -> None:
        """Read partitions again that stand still for too long."""
        if "reader-does-not-compare" not in self.flaws:
            out = {p: its.position for (cluster, p), its in store.checkpoints.items() if cluster == store.cluster}
            self.alarm.compare(out, self.read_positions, now)
        for partition in self.alarm.due(now):
            self.ask(store, partition)
            if "reader-never-goes-back" not in self.flaws and "reader-trusts-offsets" not in self.flaws:
                self.offsets[partition] = 0

    def ask(self, store: Store, partition: Partition) -> None:
        """Have the relay walk a partition. Only where nothing else can tell of a hole: this net under the other rules
        must not hide that one of them is broken."""
        if partition in self.broker.compacted:
            store.walks.add(partition)

    def take_back(self, position: int) -> None:
        """Undo what was applied beyond a position, and read again from there."""
        for partition, applied in self.applied.items():
            self.applied[partition] = [p for p in applied if p <= position]
        self.read_positions = {
            p: replace_position(its, min(its.position, position)) for p, its in self.read_positions.items()
        }

    def write(self, partition: Partition, applied: Applied) -> None:
        self.applied[partition].extend(event.position for event in applied.events)

    def forgetful(self) -> dict[Partition, ReadPosition]:
        """Places; with the flaw, as if whatever follows in the log were new."""
        if "reader-drops-nothing" not in self.flaws:
            return self.read_positions
        return {
            partition: replace_position(read_position, 0) for partition, read_position in self.read_positions.items()
        }

    def seen(self, partition: Partition, records: list[Record]) -> list[Record]:
        if "reader-rejects-old-epochs" in self.flaws:
            return [record for record in records if self.is_newest(partition, record)]
        if "reader-applies-over-gaps" in self.flaws:
            return [without_chain(record) for record in records]
        return records

    def is_newest(self, partition: Partition, record: Record) -> bool:
        link = link_of(record)
        epoch = link.epoch if link else 0
        self.newest_epoch[partition] = max(epoch, self.newest_epoch[partition])
        return epoch == self.newest_epoch[partition]


def replace_position(read_position: ReadPosition, position: int) -> ReadPosition:
    return ReadPosition(position, read_position.offset, read_position.topic_id)


def without_chain(record: Record) -> Record:
    if "previousposition" not in record.headers:
        return record
    headers = {**record.headers, "previousposition": b"0"}
    return Record(record.topic, record.partition, record.offset, record.key, record.value, headers)


@dataclass(frozen=True)
class Chances:
    """Relative frequency of each thing that can happen in a step."""

    append: int = 12
    pump: int = 14
    deliver: int = 20
    collect: int = 14
    checkpoint: int = 8
    take_over: int = 6
    read: int = 26
    crash_relay: int = 3
    hang_relay: int = 2
    zombie: int = 8
    look: int = 2
    cut: int = 3
    behead: int = 1
    compact: int = 1
    lose: int = 1
    rubbish: int = 2
    restart_reader: int = 3
    redeliver: int = 3
    rebuild: int = 1
    take_backup: int = 1


ORDINARY = Chances()
ROUGH = Chances(cut=9, rubbish=9, pump=9, read=14, lose=0, crash_relay=1, hang_relay=1, zombie=3)


class World:
    """One run."""

    def __init__(self, seed: int, flaws: Collection[str] = ()) -> None:
        self.rng = random.Random(seed)
        chances = self.rng.choice((ORDINARY, ROUGH))
        self.flaws = frozenset(flaws)
        self.store = Store()
        self.broker = Broker()
        self.session: Session | None = None
        self.zombie_sessions: list[Session] = []
        self.zombie_producers: list[Producer] = []
        self.readers = [Reader("live", self.broker, self.flaws)]
        self.names = count(1)
        self.backup = self.store.backup()
        self.now = 0.0
        self.happened: dict[str, int] = {}
        weights = vars(chances)
        self.steps: list[Callable[[], None]] = [getattr(self, name) for name in weights]
        self.weights = list(weights.values())

    def run(self) -> None:
        """Raises Broken where an invariant does not hold."""
        for step in self.rng.choices(self.steps, self.weights, k=STEPS):
            self.tick()
            self.happened[step.__name__] = self.happened.get(step.__name__, 0) + 1
            step()
        if self.rng.random() < 0.1 and self.is_all_there():
            self.restore()
        else:
            self.settle()

    def is_all_there(self) -> bool:
        """Whether Kafka has what was read from it. Where a log that lost records meets a store that was put back to
        before them, nothing is left that could tell: two losses at once are not promised to be noticed."""
        there = {p: {link.position for r in log if (link := link_of(r))} for p, log in self.broker.logs.items()}
        return all(set(applied) <= there[p] for reader in self.readers for p, applied in reader.applied.items())

    def tick(self) -> None:
        self.now += 1.0
        for reader in self.readers:
            reader.go_back(self.store, self.now)

    # ---- what happens

    def append(self) -> None:
        for _ in range(self.rng.randint(1, 3)):
            self.store.append(self.rng)

    def take_over(self) -> None:
        if self.session is None:
            self.session = self.new_session()

    def new_session(self) -> Session:
        try:
            return Session(self.store, self.broker, self.flaws)
        except Refused as refusal:
            raise Broken(f"the relay refuses though nothing was restored: {refusal}") from refusal

    def pump(self) -> None:
        if self.session:
            self.session.pump(self.rng.randint(1, 6))

    def deliver(self) -> None:
        if self.session:
            self.deliver_some(self.session.producer, ("told",) * 30 + ("untold", "refused"))

    def deliver_some(self, producer: Producer, outcomes: tuple[str, ...]) -> None:
        for partition in ALL:
            for _ in range(self.rng.randint(0, 4)):
                producer.deliver(partition, self.rng.choice(outcomes))

    def collect(self) -> None:
        self.guarded(lambda session: session.collect())

    def look(self) -> None:
        self.guarded(lambda session: session.look())

    def guarded(self, work: Callable[[Session], None]) -> None:
        """Any doubt ends the session; what its producer has under way may still arrive."""
        if self.session is None:
            return
        try:
            work(self.session)
        except (Crashed, OutOfStep):
            self.crash_relay()

    def checkpoint(self) -> None:
        self.guarded(lambda session: session.checkpoint())

    def crash_relay(self) -> None:
        if self.session:
            self.zombie_producers.append(self.session.producer)
            self.session = None

    def hang_relay(self) -> None:
        """It lost its lock without noticing: it goes on sending, but cannot write to the store any more."""
        if self.session:
            self.zombie_sessions.append(self.session)
            self.session = None

    def zombie(self) -> None:
        for session in list(self.zombie_sessions):
            session.pump(self.rng.randint(0, 3))
            self.deliver_some(session.producer, ("told", "told", "refused"))
            try:
                session.collect()
            except (Crashed, OutOfStep):
                self.zombie_sessions.remove(session)
                self.zombie_producers.append(session.producer)
        for producer in self.zombie_producers:
            self.deliver_some(producer, ("told", "refused", "refused"))
        self.zombie_producers = [producer for producer in self.zombie_producers if not producer.idle]

    def cut(self) -> None:
        self.broker.cut(self.rng.choice(ALL), self.rng.choice((1, 1, 2, 3, 5, 9)))

    def behead(self) -> None:
        self.broker.behead(self.rng.choice(ALL), self.rng.choice((1, 2, 5, 100)))

    def compact(self) -> None:
        self.broker.compact(self.rng.choice(ALL), self.rng)

    def lose(self) -> None:
        if self.rng.random() < 0.3:
            self.broker.lose()

    def rubbish(self) -> None:
        self.broker.rubbish(self.rng.choice(ALL), self.rng.choice((b"\xff", b"{}", None, b'{"position":3}')))

    def read(self) -> None:
        reader = self.rng.choice(self.readers)
        for partition in ALL:
            reader.poll(partition, self.rng.randint(0, 5), self.now, crash=self.rng.random() < 0.05)
        self.check_order()

    def restart_reader(self) -> None:
        self.rng.choice(self.readers).restart(verify=self.rng.random() < 0.5)

    def redeliver(self) -> None:
        reader, partition = self.rng.choice(self.readers), self.rng.choice(ALL)
        reader.offsets[partition] = max(0, reader.offsets[partition] - self.rng.randint(1, 6))

    def rebuild(self) -> None:
        if len(self.readers) < 4:
            self.readers.append(Reader(f"rebuilt {next(self.names)}", self.broker, self.flaws, built=self.store))

    def take_backup(self) -> None:
        """Of the whole database: events, checkpoints and epoch together."""
        self.backup = self.store.backup()

    # ---- what must hold

    def check_order(self) -> None:
        expected = self.store.expected()
        for reader in self.readers:
            for partition, applied in reader.applied.items():
                if applied != expected[partition][: len(applied)]:
                    raise Broken(f"{reader.name} applied {applied} of {partition}; stored are {expected[partition]}")

    def settle(self) -> None:
        """No more faults, nothing more stored: everything must arrive everywhere."""
        for _ in range(PATIENCE):
            self.tick()
            self.take_over()
            self.pump()
            self.quiet_delivery()
            self.collect()
            self.checkpoint()
            if self.rng.random() < 0.5:
                self.look()
            for reader in self.readers:
                for partition in ALL:
                    reader.poll(partition, 50, self.now, crash=False)
            self.check_order()
            if self.complete():
                return
        raise Broken(f"not everything arrived: {self.missing()}")

    def quiet_delivery(self) -> None:
        self.zombie_sessions.clear()
        self.zombie_producers.clear()
        if self.session:
            for partition in ALL:
                while self.session.producer.queue[partition]:
                    self.session.producer.deliver(partition, "told")

    def complete(self) -> bool:
        expected = self.store.expected()
        return all(reader.applied == expected for reader in self.readers) and self.is_readable_anew(expected)

    def is_readable_anew(self, expected: dict[Partition, list[int]]) -> bool:
        """A reader who comes today finds everything as well; where it would hold, it asks for a walk in time."""
        fresh = Reader("fresh", self.broker, ())
        for partition in ALL:
            fresh.poll(partition, len(self.broker.logs[partition]), self.now, crash=False)
        for partition in ALL:
            if fresh.applied[partition] != expected[partition]:
                fresh.ask(self.store, partition)
        return fresh.applied == expected

    def missing(self) -> str:
        expected = self.store.expected()
        return "; ".join(
            f"{reader.name} {partition}: {len(applied)} of {len(expected[partition])}"
            for reader in self.readers
            for partition, applied in reader.applied.items()
            if applied != expected[partition]
        )

    def restore(self) -> None:
        """The store comes back from a backup, perhaps with new events: the relay must see what Kafka has beyond it."""
        self.store = self.backup.backup()
        self.store.life += 1
        for _ in range(self.rng.randint(0, 3)):
            self.store.append(self.rng)
        known = {row.position: row.state for row in self.store.rows}
        links = [(link_of(record), record) for log in self.broker.logs.values() for record in log]
        contradicted = any(link is not None and known.get(link.position) != record.value for link, record in links)
        try:
            Session(self.store, self.broker, self.flaws)
        except Refused:
            if not contradicted:
                raise Broken("the relay refuses though Kafka has nothing but what is stored") from None
            self.recover()
        else:
            if contradicted:
                raise Broken("the relay runs though Kafka has what the restored store has not")

    def recover(self) -> None:
        """Append back what can be, else give up what is published, and go on; everything must arrive everywhere."""
        self.session = None
        self.zombie_sessions.clear()
        self.zombie_producers.clear()
        records = [(link.position, r) for log in self.broker.logs.values() for r in log if (link := link_of(r))]
        beyond = {position: r for position, r in records if not self.is_stored(position, r)}
        first, last = min(beyond), max(beyond)
        self.readers = self.readers[:1]  # those that were built from the store lie in the database that was put back
        if (
            self.is_unbroken(beyond)
            and max([read_position.position for read_position in self.readers[0].read_positions.values()], default=0)
            <= last
        ):
            for position in sorted(beyond):
                self.store.rows.append(row_of(position, beyond[position]))
            self.store.head = last
        else:
            # What is not on Kafka as the store has it may have been there otherwise, and been read.
            confirmed = {position for position, r in records if self.is_stored(position, r)}
            unconfirmed = [row.position for row in self.store.rows if row.position not in confirmed]
            fork = min([first, self.store.head + 1, *unconfirmed]) - 1
            self.begin_generation(fork, max(last, self.store.head))
        self.append()
        self.settle()

    def is_unbroken(self, beyond: dict[int, Record]) -> bool:
        """Whether the tail follows on the store: without a hole, and each link says what the store had before it."""
        if sorted(beyond) != list(range(self.store.head + 1, max(beyond) + 1)):
            return False
        whole = Store([*self.store.rows, *(row_of(position, r) for position, r in sorted(beyond.items()))]).expected()
        before = {(p, after): at for p, found in whole.items() for at, after in zip([0, *found], found, strict=False)}
        links = [(p, link) for p, log in self.broker.logs.items() for r in log if (link := link_of(r))]
        return all(before.get((p, link.position)) == link.previous for p, link in links)

    def is_stored(self, position: int, record: Record) -> bool:
        known = self.store.at(position)
        return known is not None and known.state == record.value

    def begin_generation(self, forked_behind: int, begins_behind: int) -> None:
        """Above every position that anybody has seen; topics are made anew; readers take back what is given up."""
        seen = [read_position.position for reader in self.readers for read_position in reader.read_positions.values()]
        self.store.head = max([begins_behind, *seen])
        if "generation-keeps-topics" not in self.flaws:
            self.broker.lose()
        for reader in self.readers:
            if "reader-keeps-what-was-given-up" not in self.flaws:
                reader.take_back(forked_behind)
            reader.restart(verify=True)


def row_of(position: int, record: Record) -> OutgoingEvent:
    """What the store had, from what was published."""
    event = parse(record)
    assert isinstance(event, Event)
    assert event.position == position
    return OutgoingEvent(position, str(event.case_id), event.type, event.raw)
