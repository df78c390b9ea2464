"""Group commit: commands that wait together are decided together and appended in one transaction.

One transaction for each command caps near 850 commands a second; coalesced it is several thousand. A batch holds at
most one command for each stream, so a decision never works on what another one in the batch is about to change.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, cast
from uuid import UUID

import msgspec
from eventsourcing.persistence import InterfaceError, OperationalError, PersistenceError, StoredEvent

from domain.crews.crews import CrewFormed
from domain.crews.register import CrewRegister, FormedCrew, crew_register
from domain.deadlines.windows import WINDOW_FACTS, Window, WindowFact, WindowLedger, overturned, record
from domain.evidence import sending
from domain.kernel.copies import changed
from domain.kernel.facts import EventToAppend, Recorded, event_id
from domain.kernel.personal import PersonalValue, PersonalValueFound, kind_in, texts
from domain.kernel.refusals import Refusal, restored
from domain.kinds import RULE_TYPES, State, asks, concluded, folded, follows, windows
from domain.settling import require_second_person_to_overturn
from domain.standard import alerts
from domain.standard.standards import Rules
from infra.clock import Clock
from infra.eventstore import case_numbers
from infra.eventstore.application import StoreApplication
from infra.eventstore.commands import (
    BusyError,
    Command,
    IdempotencyKey,
    KeyReusedError,
    NewAlert,
    NewMessage,
    NextAsk,
    Receipt,
    Snapshot,
    Stamp,
    StoreUnavailableError,
    Stream,
    StreamEvent,
    UnreadableStreamError,
)
from infra.eventstore.envelope import EVENT_LIMIT_BYTES, Envelope, read, recorded_of
from infra.eventstore.recorder import AlreadyAppended, Appended, KeyRow, RulesChanged
from infra.refusals import EventTooLarge

log = logging.getLogger(__name__)

BATCH_COMMANDS = 100
BATCH_EVENTS = 500
BATCH_BYTES = 256 * 1024
FOLLOWS_AT_MOST = 16
RULES_LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 8.0
"""How long a command waits for a busy case, or a store that does not answer, before its sender is told."""


@dataclass(slots=True)
class PendingWrite:
    """A command on its way, with the future its sender holds."""

    command: Command
    future: Future[Receipt]
    key: IdempotencyKey
    tries: int = 0
    number: str | None = None
    """Of the case that it opens, once it has one: a command that is decided again keeps it."""
    since: float = field(default_factory=time.monotonic)

    @property
    def streams(self) -> set[UUID]:
        """Those that the command may append to. No two commands of a batch have one in common."""
        return {self.command.case.id, *(stream.id for stream in self.command.others)}

    @property
    def seen(self) -> set[UUID]:
        """Those that its decision may look at."""
        return self.streams | {stream.id for stream in self.command.reads}


Judged = tuple[Stream, int, Sequence[Window]]
"""A stream of a command, its version after the command, and its windows as they stand then."""


@dataclass(slots=True)
class Decided:
    """A command's events, ready for the append."""

    waiting: PendingWrite
    envelopes: list[Envelope]
    stored: list[StoredEvent]
    first_version: int
    last_version: int
    asks: dict[str, Any]
    refusal: Refusal | None = None
    messages: tuple[NewMessage, ...] = ()
    alerts: tuple[NewAlert, ...] = ()
    judged: Sequence[Judged] = ()

    @property
    def publishes_rules(self) -> bool:
        return any(event.topic in RULE_TYPES for event in self.stored)

    @property
    def size_bytes(self) -> int:
        return sum(len(event.state) for event in self.stored)


class Writer:
    """One thread that takes commands, decides them and appends what follows."""

    def __init__(self, store: StoreApplication, clock: Clock, rules: Rules, load_rules: Callable[[], Rules]) -> None:
        self.rules = rules
        self._load_rules = load_rules
        self._looked_at = time.monotonic()
        self._store = store
        self._clock = clock
        self._queue: queue.SimpleQueue[PendingWrite | None] = queue.SimpleQueue()
        self._held: list[PendingWrite] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, command: Command) -> Future[Receipt]:
        """Queue a command. The future gives the receipt, or raises Refusal, KeyReusedError, BusyError or
        StoreUnavailableError (then nothing is known to be written: send the command again with the same key)."""
        # A command without a client's key gets its own: a commit lost on the wire is found by it and not made twice.
        key = command.key or IdempotencyKey("command", command.stamp.command_id, b"")
        waiting = PendingWrite(command, Future(), key)
        if self._closed.is_set():
            waiting.future.set_exception(StoreUnavailableError("the writer is closed"))
        else:
            self._queue.put(waiting)
        return waiting.future

    def try_out(self, command: Command) -> None:
        """Decide a command as the store stands, and write nothing. Raises what ``submit``'s future would: a refusal,
        UnreadableStreamError, or what the store raises."""
        waiting = PendingWrite(command, Future(), IdempotencyKey("trial", command.stamp.command_id, b""))
        rules = self.current_rules()
        states, unreadable = _folded([waiting], self._store.log.select_many(list(_streams_of([waiting]))))
        if unreadable:
            raise UnreadableStreamError(f"a stream of the command cannot be read: {waiting.seen}")
        try:
            decided = Decision(waiting, states, rules, self._clock, self._store, self._crews([waiting])).made()
        except Refusal as refusal:
            raise self._citing(refusal) from None
        if decided.refusal is not None:
            raise self._citing(decided.refusal)

    def close(self) -> None:
        """Finish what is queued and stop."""
        self._closed.set()
        self._queue.put(None)
        self._thread.join(timeout=PATIENCE_SECONDS + 5)

    # ---- the thread

    def _run(self) -> None:
        while True:
            batch = self._next_batch()
            if batch:
                self._serve(batch)
            elif self._closed.is_set() and not self._held:
                return

    def _next_batch(self) -> list[PendingWrite]:
        arrived, self._held = self._held, []
        if not arrived:
            first = self._queue.get()
            if first is not None:
                arrived.append(first)
        while len(arrived) < BATCH_COMMANDS:
            try:
                more = self._queue.get_nowait()
            except queue.Empty:
                break
            if more is not None:
                arrived.append(more)
        return self._one_for_each_stream(arrived)

    def _one_for_each_stream(self, arrived: Iterable[PendingWrite]) -> list[PendingWrite]:
        batch: list[PendingWrite] = []
        touched: set[UUID] = set()
        keys: set[tuple[str, str]] = set()
        for waiting in arrived:
            key = (waiting.key.scope, waiting.key.key)
            if touched & waiting.streams or key in keys:
                self._held.append(waiting)
            else:
                batch.append(waiting)
            # Streams of a held command are taken too: a later one must not overtake it.
            touched |= waiting.streams
            keys.add(key)
        return batch

    def _serve(self, batch: list[PendingWrite]) -> None:
        while batch:
            try:
                batch = self._serve_once(batch)
            except (OperationalError, InterfaceError) as error:
                batch = self._wait_for_store(batch, error)
            except Exception as error:  # the thread must go on; the senders are told
                log.exception("a batch of %d commands failed", len(batch))
                for waiting in batch:
                    _fail(waiting, error)
                return

    def _serve_once(self, batch: list[PendingWrite]) -> list[PendingWrite]:
        """Decide and append once. Returns the commands that must be decided again."""
        used, events = self._store.log.select_keys_and_events(
            [waiting.key for waiting in batch], list(_streams_of(batch))
        )
        batch = self._answer_known(batch, used)
        if not batch:
            return []
        rules = self.current_rules()
        states, unreadable = _folded(batch, events)
        for waiting in batch:
            if unreadable & waiting.seen:
                _fail(waiting, UnreadableStreamError(f"a stream of the command cannot be read: {waiting.seen}"))
        batch = [waiting for waiting in batch if not unreadable & waiting.seen]
        crews = self._crews(batch)
        decided = [done for waiting in batch if (done := self._decide(waiting, states, crews)) is not None]
        again: list[PendingWrite] = []
        for part in parts(decided):
            again += self._append(part, rules.position)
        return again

    def current_rules(self) -> Rules:
        """The rules as published; looked at once a second, and at once where an append says that they changed."""
        if time.monotonic() - self._looked_at > RULES_LOOK_SECONDS:
            self._refresh_rules()
        return self.rules

    def refreshed_rules(self) -> Rules:
        """The rules as published, looked at now."""
        self._refresh_rules()
        return self.rules

    def _refresh_rules(self) -> None:
        if self._store.log.rules_position() > self.rules.position:
            self.rules = self._load_rules()
            log.info("rules of position %d: calendar %s", self.rules.position, self.rules.calendar.version)
        self._looked_at = time.monotonic()

    def _answer_known(
        self, batch: list[PendingWrite], used: Mapping[tuple[str, str], dict[str, Any]]
    ) -> list[PendingWrite]:
        new = []
        for waiting in batch:
            row = used.get((waiting.key.scope, waiting.key.key))
            if row is None:
                new.append(waiting)
            elif bytes(row["digest"]) != waiting.key.digest:
                _fail(waiting, KeyReusedError(waiting.key.key))
            elif row["refusal"] is not None:
                _fail(waiting, self._citing(restored(**row["refusal"])))
            else:
                _answer(waiting, _replayed(row))
        return new

    def _crews(self, batch: Sequence[PendingWrite]) -> CrewRegister | None:
        """The crews that were formed, read from the store with the streams; None where no command names a crew.

        The append does not hold them against newer ones, as it holds rules: a crew is never unmade, so the register
        can only lack one that was formed since, and who names it in that same moment is refused and sends it again.
        """
        if not any(waiting.command.names_crew for waiting in batch):
            return None
        return register_of(self._store.log.crews_formed())

    def _decide(
        self, waiting: PendingWrite, states: dict[UUID, tuple[State, int]], crews: CrewRegister | None
    ) -> Decided | None:
        try:
            return Decision(waiting, states, self.rules, self._clock, self._store, crews).made()
        except Refusal as refusal:
            _fail(waiting, self._citing(refusal))
        except Exception as error:  # a defect in one decision must not fail the batch
            log.exception("a decision failed")
            _fail(waiting, error)
        return None

    def _citing(self, refusal: Refusal) -> Refusal:
        return self.rules.citing(refusal, self._clock.now())

    def _append(self, part: Sequence[Decided], rules_position: int) -> list[PendingWrite]:
        silent = [decided for decided in part if not decided.stored]
        for decided in silent:
            _answer(decided.waiting, _receipt(decided, 0, None))
        speaking = [decided for decided in part if decided.stored]
        if not speaking:
            return []
        self._give_numbers(speaking)
        appended = Appended()
        try:
            # As they were encoded when they were decided; the application would encode every one again.
            self._store.log.insert_events(
                [event for decided in speaking for event in decided.stored],
                keys=_key_rows(speaking),
                **beside(speaking),
                next_asks=[each for decided in speaking for each in next_asks(decided)],
                appended=appended,
                rules_position=rules_position,
            )
        except RulesChanged:
            self._refresh_rules()
            return [decided.waiting for decided in speaking]
        except AlreadyAppended as taken:
            return self._after_conflict(speaking, taken, rules_position)
        if any(decided.publishes_rules for decided in speaking):
            self._refresh_rules()  # before the answer: who published is served by the new rules from here on
        position = appended.first_position - 1
        for decided in speaking:
            position += len(decided.stored)
            if decided.refusal is not None:
                _fail(decided.waiting, self._citing(decided.refusal))
            else:
                _answer(decided.waiting, _receipt(decided, position, appended))
        return []

    def _give_numbers(self, decided: Sequence[Decided]) -> None:
        """Put their numbers into the commands that open a case: nothing refuses them any more."""
        opening = [each for each in decided if case_numbers.lacks_number(each.stored)]
        fresh = [each.waiting for each in opening if each.waiting.number is None]
        if fresh:
            year = self._clock.now().year
            for waiting, count in zip(fresh, self._store.log.next_case_numbers(len(fresh)), strict=True):
                waiting.number = case_numbers.number_of(year, count)
        for each in opening:
            number = each.waiting.number
            assert number is not None
            each.stored = case_numbers.in_events(each.stored, number)
            each.messages = case_numbers.in_messages(each.messages, number)
            each.alerts = case_numbers.in_alerts(each.alerts, number)

    def _after_conflict(
        self, part: Sequence[Decided], taken: AlreadyAppended, rules_position: int
    ) -> list[PendingWrite]:
        """The commands that met something taken are decided again; the rest goes at once."""
        again: list[PendingWrite] = []
        rest: list[Decided] = []
        for decided in part:
            waiting = decided.waiting
            pairs = {(e.originator_id, e.originator_version) for e in decided.envelopes}
            if not pairs & taken.versions and (waiting.key.scope, waiting.key.key) not in taken.keys:
                rest.append(decided)
                continue
            waiting.tries += 1
            # Patience counts in time, not tries: who just won has a head start on the next round, so a burst from one
            # process can win many times in a row.
            if time.monotonic() - waiting.since > PATIENCE_SECONDS:
                _fail(waiting, BusyError(f"case {waiting.command.case.id} was changed by others {waiting.tries} times"))
            else:
                again.append(waiting)
        return again + self._append(rest, rules_position)

    def _wait_for_store(self, batch: list[PendingWrite], error: PersistenceError) -> list[PendingWrite]:
        log.warning("the store does not answer, %d commands wait: %s", len(batch), str(error).splitlines()[0])
        still = []
        for waiting in batch:
            if waiting.future.done():
                continue
            if time.monotonic() - waiting.since > PATIENCE_SECONDS:
                unavailable = StoreUnavailableError("PostgreSQL did not take the command in time")
                unavailable.__cause__ = error  # says whether it is away or cannot write
                _fail(waiting, unavailable)
            else:
                still.append(waiting)
        self._closed.wait(0.2)
        return still


def _streams_of(batch: Sequence[PendingWrite]) -> dict[UUID, Stream]:
    commands = [waiting.command for waiting in batch]
    return {stream.id: stream for each in commands for stream in (each.case, *each.others, *each.reads)}


def _folded(
    batch: Sequence[PendingWrite], events: Iterable[tuple[UUID, bytes]]
) -> tuple[dict[UUID, tuple[State, int]], set[UUID]]:
    """The states and versions of the batch's streams, and which streams hold something that this program cannot read.
    ``events``: JSON of them, by stream and version."""
    streams = _streams_of(batch)
    states: dict[UUID, tuple[State, int]] = dict.fromkeys(streams, (None, 0))
    unreadable: set[UUID] = set()
    for id_, rows in groupby(events, key=itemgetter(0)):
        if id_ not in streams:
            continue  # of a command that was answered before
        try:
            facts = [recorded_of(text) for _, text in rows]
        except (KeyError, msgspec.DecodeError):
            log.exception("an event of stream %s cannot be read by this program", id_)
            unreadable.add(id_)
            continue
        states[id_] = (folded(streams[id_].kind, facts), facts[-1].version)
    return states, unreadable


class Decision:
    """One command against the streams it named."""

    def __init__(
        self,
        waiting: PendingWrite,
        states: dict[UUID, tuple[State, int]],
        rules: Rules,
        clock: Clock,
        store: StoreApplication,
        crews: CrewRegister | None = None,
    ) -> None:
        self._waiting = waiting
        self._crews = crews if waiting.command.names_crew else None
        self._command = waiting.command
        self._rules = rules
        self._store = store
        self._at = clock.now()
        # Only the command's own streams: a copy of the batch's for each command would cost more than the deciding.
        self._states = {id_: states[id_][0] for id_ in waiting.seen}
        self._versions = {id_: states[id_][1] for id_ in waiting.streams}
        self._envelopes: list[Envelope] = []
        self._messages: list[NewMessage] = []
        self._alerts: list[NewAlert] = []
        self._judged: list[Judged] = []

    def made(self) -> Decided:
        case = self._command.case
        first = self._versions[case.id] + 1
        said, refusal = self._decided()
        self._screen(said)
        for stream, stated in said:
            self._say(stream, stated, self._command.stamp_of(stream))
        ask_again, *_ = [self._conclude(stream, said) for stream in (case, *self._command.others)]
        stored = [self._store.mapper.to_stored_event(envelope) for envelope in self._envelopes]
        _refuse_large(stored)
        last, messages = self._versions[case.id], tuple(self._messages)
        staff = tuple(self._alerts)
        return Decided(
            self._waiting, self._envelopes, stored, first, last, ask_again, refusal, messages, staff, self._judged
        )

    def _decided(self) -> tuple[Sequence[StreamEvent], Refusal | None]:
        try:
            seen = Snapshot(self._at, self._rules, dict(self._states), self._crews, dict(self._versions))
            return self._command.decide(seen), None
        except Refusal as refused:
            if refused.attempt is None:
                raise
            return [(self._command.case, EventToAppend(refused.attempt, self._at))], refused

    def _screen(self, said: Sequence[StreamEvent]) -> None:
        """Refuse ``personal-value``, whichever door a fact came in by. What is on record in the command's streams may
        be repeated, as the number of a meter that goes out: work must go on where it was let in before. So must what
        the program says by itself, which is nothing else than that."""
        stamp = self._command.stamp
        if stamp.role == "system":
            return
        ids = {"actor": stamp.actor, "confirmed_by": stamp.confirmed_by, "correlation_id": stamp.correlation_id}
        for where, text in chain(texts(ids), *(texts(stated.fact) for _, stated in said)):
            kind = kind_in(text)
            if kind is not None and text not in {known for _, known in texts(tuple(self._states.values()))}:
                raise PersonalValueFound(PersonalValue(kind, where))

    def _conclude(self, stream: Stream, said: Sequence[StreamEvent]) -> dict[str, datetime]:
        """What the rulebook adds, and when to ask again. (Window facts change no window: they are judged once.)"""
        self._follow(stream)
        found = windows(stream.kind, self._states[stream.id], self._rules, self._at)
        facts = concluded(stream.kind, self._states[stream.id], found, self._at)
        if overturned(facts):
            ctx = Snapshot(self._at, self._rules, {}).context(self._command.stamp)
            require_second_person_to_overturn(ctx, [stated.fact for _, stated in said], facts)
        if facts:
            self._say_verdicts(stream, facts)
        self._judged.append((stream, self._versions[stream.id], found))
        return asks(found)

    def _follow(self, stream: Stream) -> None:
        """What follows by rule, until nothing more does. It is nobody's word but the program's."""
        for _ in range(FOLLOWS_AT_MOST):
            facts = follows(stream.kind, self._states[stream.id], self._rules, self._at)
            if not facts:
                return
            for stated in facts:
                self._say(stream, stated, _by_rule(self._command.stamp))
        raise RuntimeError(f"what follows by rule in a {stream.kind.name} does not come to an end")

    def _say_verdicts(self, stream: Stream, facts: Sequence[WindowFact]) -> None:
        """As ``_say``, of facts about windows: they change nothing of a case but its ledger, and no paper tells
        them."""
        stamp, state, version = self._command.stamp, self._states[stream.id], self._versions[stream.id]
        ledger: WindowLedger = state.ledger
        for fact in facts:
            version += 1
            envelope = Envelope(stream.id, version, stream.kind.topic, fact, self._at, None, stamp)
            self._envelopes.append(envelope)
            heard = _alert_of(envelope, state, ledger, self._rules, self._at)
            if heard is not None:
                self._alerts.append(heard)
            ledger = record(ledger, fact)
        self._states[stream.id] = changed(state, ledger=ledger)
        self._versions[stream.id] = version

    def _say(self, stream: Stream, stated: EventToAppend, stamp: Stamp) -> None:
        version = self._versions[stream.id] + 1
        envelope = Envelope(
            stream.id, version, stream.kind.topic, stated.fact, stated.happened_at, stated.reported_at, stamp
        )
        self._envelopes.append(envelope)
        recorded = Recorded(
            stated.fact,
            event_id(stream.id, version),
            version,
            stated.happened_at,
            stamp.actor,
            stamp.role,
            stamp.channel,
        )
        before = self._states[stream.id]
        self._states[stream.id] = stream.kind.evolve(before, recorded)
        self._versions[stream.id] = version
        if before is not None and isinstance(stated.fact, WINDOW_FACTS):
            heard = _alert_of(envelope, before, before.ledger, self._rules, self._at)
            if heard is not None:
                self._alerts.append(heard)
        paper = sending.message_of(recorded, self._states[stream.id], self._rules, self._at)
        if paper is not None and paper.way in self._store.paper_ways:
            self._messages.append(NewMessage(recorded.event_id, stream.id, paper))
        if stated.tells is not None:
            self._messages.append(NewMessage(recorded.event_id, stream.id, stated.tells))


def beside(part: Sequence[Decided]) -> dict[str, Any]:
    """What is written in the events' own transaction, whoever appends them: arguments of the recorder."""
    return {
        "subjects": [d.waiting.command.subject for d in part if d.waiting.command.subject],
        "links": [d.waiting.command.link for d in part if d.waiting.command.link and d.refusal is None],
        "messages": [message for d in part for message in d.messages],
        "alerts": [alert for d in part for alert in d.alerts],
    }


def next_asks(decided: Decided) -> Iterator[NextAsk]:
    """When to ask about the windows of those streams again that a fact of the command about a window went to."""
    for stream, version, found in decided.judged:
        facts = [each.fact for each in decided.envelopes if each.originator_id == stream.id]
        told = {cast(WindowFact, fact).commitment for fact in facts if isinstance(fact, WINDOW_FACTS)}
        if told:
            instants = dict.fromkeys(told) | {window.commitment: window.next_ask_at for window in found}
            for commitment, at in instants.items():
                yield NextAsk(stream.id, commitment, stream.kind.topic, at, version, commitment in told)


def _alert_of(said: Envelope, case: State, ledger: WindowLedger, rules: Rules, at: datetime) -> NewAlert | None:
    """What a fact about a window of the case raises and closes of alerts; ``ledger``: what was on record before it."""
    fact = cast(WindowFact, said.fact)
    known = ledger.get(fact.commitment)
    # A window that called nobody has nothing to close: most promises are kept without anybody being called.
    has_called = known is not None and (known.neared or known.lapse_count)
    alert, closing = alerts.raised(fact, rules), alerts.closed(fact) if has_called else None
    if alert is None and closing is None:
        return None
    case_id, version = said.originator_id, said.originator_version
    mass = getattr(case, "mass", None)
    return NewAlert(event_id(case_id, version), case_id, version, case.number, mass, at, alert, closing)


def register_of(formed: Iterable[bytes]) -> CrewRegister:
    """The register from the JSON of ``CrewFormed`` events; of two of one crew the later one holds."""
    facts = [cast(CrewFormed, read(text)[1].fact) for text in formed]
    return crew_register(FormedCrew(fact.crew, fact.name_zh) for fact in facts)


def _by_rule(stamp: Stamp) -> Stamp:
    return replace(stamp, actor="tongshui", role="system", channel="system")


def _refuse_large(stored: Sequence[StoredEvent]) -> None:
    for event in stored:
        if len(event.state) > EVENT_LIMIT_BYTES:
            raise EventTooLarge(len(event.state), EVENT_LIMIT_BYTES)


def parts(decided: Sequence[Decided]) -> Iterable[list[Decided]]:
    """Batches of at most BATCH_EVENTS events and BATCH_BYTES bytes. Who publishes rules goes first and alone: the rest
    was decided under the rules before, and its append will say so."""
    yield from ([one] for one in decided if one.publishes_rules)
    part: list[Decided] = []
    events = size = 0
    for one in decided:
        if one.publishes_rules:
            continue
        if part and (events + len(one.stored) > BATCH_EVENTS or size + one.size_bytes > BATCH_BYTES):
            yield part
            part, events, size = [], 0, 0
        part.append(one)
        events += len(one.stored)
        size += one.size_bytes
    if part:
        yield part


def _key_rows(decided: Sequence[Decided]) -> list[KeyRow]:
    rows = []
    last = -1
    for one in decided:
        last += len(one.envelopes)
        case_id = one.waiting.command.case.id
        rows.append(KeyRow(one.waiting.key, case_id, one.first_version, one.last_version, last, _words(one.refusal)))
    return rows


def _words(refusal: Refusal | None) -> dict[str, str] | None:
    if refusal is None:
        return None
    return {name: getattr(refusal, name) for name in ("code", "found", "needed", "next_step", "next_step_zh")}


def _receipt(decided: Decided, position: int, appended: Appended | None) -> Receipt:
    return Receipt(
        case_id=decided.waiting.command.case.id,
        first_version=decided.first_version,
        last_version=decided.last_version,
        position=position,
        recorded_at=appended.recorded_at if appended else None,
        replayed=False,
        next_ask_at=decided.asks,
        number=decided.waiting.number,
    )


def _replayed(row: dict[str, Any]) -> Receipt:
    return Receipt(
        case_id=row["case_id"],
        first_version=row["first_version"],
        last_version=row["last_version"],
        position=row["position"],
        recorded_at=row["recorded_at"],
        replayed=True,
        next_ask_at={},
    )


def _answer(waiting: PendingWrite, receipt: Receipt) -> None:
    if not waiting.future.cancelled():
        waiting.future.set_result(receipt)


def _fail(waiting: PendingWrite, error: BaseException) -> None:
    if not waiting.future.done():
        waiting.future.set_exception(error)
