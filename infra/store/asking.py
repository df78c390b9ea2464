"""Questions by the hundred: cases are loaded in one query, judged one by one, and what is new is appended at once.

The window watch asks this way. A question says nothing itself, so it needs no place in the writer's queue, no key and
no future: one whose commit was lost on the wire is asked again, and finds what it said on record. The rest is as with
commands: a case that changed meanwhile is loaded and judged anew, and newer rules are looked up before anything is
appended.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

import msgspec
from eventsourcing.persistence import InterfaceError, OperationalError, StoredEvent

from domain import kinds
from domain.facts import Recorded, Stated, event_id
from domain.kinds import Kind, State
from domain.standards import Rules
from domain.windows import WindowLapsed
from infra.clock import Clock
from infra.store.application import StoreApplication
from infra.store.commands import NewMessage, Receipt, Stamp
from infra.store.envelope import EVENT_LIMIT_BYTES, Envelope, read
from infra.store.recorder import Appended, RulesChanged, Taken
from infra.store.writer import BATCH_BYTES, BATCH_EVENTS, FOLLOWS_AT_MOST

log = logging.getLogger(__name__)

ROUNDS = 5
"""How often a case that others change meanwhile is judged anew before it is left to the next question."""


@dataclass(slots=True)
class Loaded:
    """A case as the store has it; ``readable`` False: it holds an event that this program cannot read."""

    kind: Kind
    state: State = None
    version: int = 0
    readable: bool = True


@dataclass(slots=True)
class Answered:
    """What the domain says about a case, ready for the append."""

    case_id: UUID
    first_version: int
    last_version: int
    asks: dict[str, datetime]
    stored: list[StoredEvent] = field(default_factory=list)
    messages: list[NewMessage] = field(default_factory=list)
    lapsed: list[datetime] = field(default_factory=list)
    """The due instants of new lapses."""


class Questions:
    """Asks the domain about cases. Belongs to one thread."""

    def __init__(
        self,
        store: StoreApplication,
        clock: Clock,
        rules: Callable[[], Rules],
        refreshed: Callable[[], Rules],
        asker: str,
    ) -> None:
        """``rules``: those known now; ``refreshed``: looked up anew. ``asker``: the part that asks."""
        self._store = store
        self._clock = clock
        self._rules = rules
        self._refreshed = refreshed
        self._asker = asker

    def ask(self, cases: Sequence[UUID]) -> dict[UUID, Receipt | None]:
        """Append what the rulebook concludes by now, in the order of ``cases``.

        None: a stream that owes nothing by any time. A case that cannot be read, or that others kept changing, is left
        out. Raises what the store raises where PostgreSQL is away.
        """
        answers: dict[UUID, Receipt | None] = {}
        rules, left = self._rules(), list(dict.fromkeys(cases))
        for _ in range(ROUNDS):
            loaded = self.load(left)
            answers |= dict.fromkeys([case_id for case_id in left if case_id not in loaded], None)
            judged = [one for case_id in left if (one := self._judged(case_id, loaded, rules)) is not None]
            left, rules = self._append_all(judged, rules, answers)
            if not left:
                return answers
        log.warning("%d cases were changed by others %d times in a row; they stay due", len(left), ROUNDS)
        return answers

    def load(self, cases: Sequence[UUID]) -> dict[UUID, Loaded]:
        """The cases as they are, by one query; streams that owe nothing are left out."""
        loaded: dict[UUID, Loaded] = {}
        for case_id, type_name, text in self._store.log.select_typed(cases):
            case = loaded.get(case_id)
            if case is None:
                kind = kinds.opened_as(type_name)
                if kind is None:
                    continue
                case = loaded[case_id] = Loaded(kind)
            if not case.readable:
                continue
            try:
                _, recorded = read(text)
            except (KeyError, msgspec.DecodeError):
                log.exception("an event of stream %s cannot be read by this program", case_id)
                case.readable = False
                continue
            case.state = case.kind.evolve(case.state, recorded)
            case.version = recorded.version
        return loaded

    # ---- steps

    def _judged(self, case_id: UUID, loaded: Mapping[UUID, Loaded], rules: Rules) -> Answered | None:
        case = loaded.get(case_id)
        if case is None or not case.readable:
            return None
        try:
            return _Judging(case_id, case, rules, self._clock.now(), self._asker, self._store).answered()
        except Exception:  # a defect in one case's rules must not keep all others from their answers
            log.exception("asking about case %s failed; it stays due", case_id)
            return None

    def _append_all(
        self, judged: Sequence[Answered], rules: Rules, answers: dict[UUID, Receipt | None]
    ) -> tuple[list[UUID], Rules]:
        """Append in parts. Returns the cases to be asked again, and the rules to ask under."""
        answers.update(_receipts([one for one in judged if not one.stored], None))
        again: list[UUID] = []
        waiting = _parts([one for one in judged if one.stored])
        while waiting:
            part = waiting.pop(0)
            try:
                appended = self._append(part, rules)
            except RulesChanged:
                rest = [one.case_id for each in (part, *waiting) for one in each]
                return again + rest, self._refreshed()
            except Taken as taken:
                changed = {case_id for case_id, _ in taken.versions}
                again += [one.case_id for one in part if one.case_id in changed]
                if rest_of_it := [one for one in part if one.case_id not in changed]:
                    waiting.insert(0, rest_of_it)
            except (OperationalError, InterfaceError):
                raise
            except Exception:
                # What PostgreSQL does not take from one case must not keep all others from their lapses.
                log.exception("appending what %d cases say failed", len(part))
                waiting[:0] = [[one] for one in part] if len(part) > 1 else []
            else:
                answers.update(_receipts(part, appended))
        return again, rules

    def _append(self, part: Sequence[Answered], rules: Rules) -> Appended:
        appended = Appended()
        self._store.log.insert_events(
            [event for one in part for event in one.stored],
            messages=[message for one in part for message in one.messages],
            appended=appended,
            rules_position=rules.position,
            lapsed=[due_at for one in part for due_at in one.lapsed],
        )
        return appended


class _Judging:
    """One case, judged."""

    def __init__(
        self, case_id: UUID, case: Loaded, rules: Rules, at: datetime, asker: str, store: StoreApplication
    ) -> None:
        command_id = str(uuid4())
        self._id = case_id
        self._case = case
        self._state = case.state
        self._rules = rules
        self._at = at
        self._store = store
        self._stamp = Stamp(asker, "system", "system", command_id, correlation_id=command_id)
        self._answered = Answered(case_id, case.version + 1, case.version, {})

    def answered(self) -> Answered:
        kind = self._case.kind
        self._follow()
        found = kinds.windows(kind, self._state, self._rules, self._at)
        for fact in kinds.concluded(kind, self._state, found):
            self._say(Stated(fact, self._at), self._stamp)
            if isinstance(fact, WindowLapsed):
                self._answered.lapsed.append(fact.due_at)
        self._answered.asks = kinds.asks(found)
        return self._answered

    def _follow(self) -> None:
        """What follows by rule, until nothing more does. It is nobody's word but the program's."""
        kind = self._case.kind
        by_rule = Stamp("tongshui", "system", "system", self._stamp.command_id, self._stamp.correlation_id)
        for _ in range(FOLLOWS_AT_MOST):
            facts = kinds.follows(kind, self._state, self._rules, self._at)
            if not facts:
                return
            for stated in facts:
                version = self._say(stated, by_rule)
                recorded = Recorded(
                    stated.fact,
                    event_id(self._id, version),
                    version,
                    stated.happened_at,
                    by_rule.actor,
                    by_rule.role,
                    by_rule.channel,
                )
                self._state = kind.evolve(self._state, recorded)
        raise RuntimeError(f"what follows by rule in a {kind.name} does not come to an end")

    def _say(self, stated: Stated, stamp: Stamp) -> int:
        answered = self._answered
        answered.last_version += 1
        version, family = answered.last_version, self._case.kind.family
        envelope = Envelope(self._id, version, family, stated.fact, stated.happened_at, stated.reported_at, stamp)
        stored = self._store.mapper.to_stored_event(envelope)
        if len(stored.state) > EVENT_LIMIT_BYTES:
            raise RuntimeError(f"an event of {len(stored.state)} bytes; at most {EVENT_LIMIT_BYTES} are stored")
        answered.stored.append(stored)
        if stated.tells is not None:
            answered.messages.append(NewMessage(event_id(self._id, version), self._id, stated.tells))
        return version


def _receipts(part: Sequence[Answered], appended: Appended | None) -> dict[UUID, Receipt]:
    """``appended`` None: nothing was."""
    position = appended.first_position - 1 if appended is not None else 0
    receipts = {}
    for one in part:
        position += len(one.stored)
        receipts[one.case_id] = Receipt(
            case_id=one.case_id,
            first_version=one.first_version,
            last_version=one.last_version,
            position=position,
            recorded_at=appended.recorded_at if appended is not None else None,
            replayed=False,
            next_ask_at=one.asks,
        )
    return receipts


def _parts(judged: Sequence[Answered]) -> list[list[Answered]]:
    """Appends of at most BATCH_EVENTS events and BATCH_BYTES bytes; a case's events are never parted."""
    parts: list[list[Answered]] = []
    events = size = 0
    for one in judged:
        its_size = sum(len(event.state) for event in one.stored)
        if not parts or events + len(one.stored) > BATCH_EVENTS or size + its_size > BATCH_BYTES:
            parts.append([])
            events = size = 0
        parts[-1].append(one)
        events += len(one.stored)
        size += its_size
    return parts
