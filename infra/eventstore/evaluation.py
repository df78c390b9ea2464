"""Evaluation by the hundred: cases are loaded in one query, judged one by one, and what is new is appended at once.

The window watch evaluates this way. An evaluation brings no fact of its own, so it needs no place in the writer's
queue, no key and no future: one whose commit was lost on the wire is repeated, and finds on record what it appended.
The rest is as with commands: a case that changed meanwhile is loaded and judged anew, and newer rules are looked up
before anything is appended.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from uuid import UUID

import msgspec
from eventsourcing.persistence import InterfaceError, OperationalError

from domain import kinds
from domain.deadlines.windows import WindowLapsed
from domain.standard.standards import Rules
from infra.clock import Clock
from infra.eventstore.application import StoreApplication
from infra.eventstore.commands import IdempotencyKey, Receipt, Stream, evaluation_of
from infra.eventstore.envelope import recorded_of
from infra.eventstore.recorder import AlreadyAppended, Appended, RulesChanged
from infra.eventstore.writer import Decided, Decision, PendingWrite, beside, parts

log = logging.getLogger(__name__)

NOBODY: Future[Receipt] = Future()
KEYLESS = IdempotencyKey("command", "", b"")
"""A question has nobody who waits for its answer in another thread, and no key that is looked at."""
ROUNDS = 5
"""How often a case that others change meanwhile is judged anew before it is left to the next question."""


class Evaluator:
    """Evaluates cases: appends what the rulebook concludes by now. Belongs to one thread."""

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

    def evaluate(self, cases: Sequence[UUID]) -> dict[UUID, Receipt | None]:
        """Append what the rulebook concludes by now, in the order of ``cases``.

        None: a stream that owes nothing by any time. A case that cannot be read, or that others kept changing, is left
        out. Raises what the store raises where PostgreSQL is away.
        """
        answers: dict[UUID, Receipt | None] = {}
        rules, left = self._rules(), list(dict.fromkeys(cases))
        for _ in range(ROUNDS):
            judged, silent = self._judged(left, rules)
            answers |= dict.fromkeys([case_id for case_id in left if case_id in silent], None)
            found = [judged[case_id] for case_id in left if case_id in judged]
            left, rules = self._append_all(found, rules, answers)
            if not left:
                return answers
        log.warning("%d cases were changed by others %d times in a row; they stay due", len(left), ROUNDS)
        return answers

    # ---- steps

    def _judged(self, cases: Sequence[UUID], rules: Rules) -> tuple[dict[UUID, Decided], set[UUID]]:
        """What each case says, and the streams that owe nothing; loaded by one query, and judged one after the other:
        a case that is judged while it lies in the processor's cache costs a fifth less."""
        judged: dict[UUID, Decided] = {}
        silent = set(cases)
        for case_id, rows in groupby(self._store.log.select_typed(cases), key=itemgetter(0)):
            events = list(rows)
            kind = kinds.opened_as(events[0][1])
            if kind is None:
                continue
            silent.discard(case_id)
            decided = self.decided(Stream(kind, case_id), events, rules)
            if decided is not None:
                judged[case_id] = decided
        return judged, silent

    def decided(self, case: Stream, events: Sequence[tuple[UUID, str, bytes]], rules: Rules) -> Decided | None:
        """What the case says by now, from its stored events; None: it cannot be read, or judged, by this program."""
        try:
            facts = [recorded_of(text) for _, _, text in events]
        except (KeyError, msgspec.DecodeError):
            log.exception("an event of stream %s cannot be read by this program", case.id)
            return None
        command = evaluation_of(case, self._asker)
        waiting = PendingWrite(command, NOBODY, KEYLESS)
        try:
            loaded = kinds.folded(case.kind, facts), facts[-1].version
            return Decision(waiting, {case.id: loaded}, rules, self._clock, self._store).made()
        except Exception:  # a defect in one case's rules must not keep all others from their answers
            log.exception("asking about case %s failed; it stays due", case.id)
            return None

    def _append_all(
        self, judged: Sequence[Decided], rules: Rules, answers: dict[UUID, Receipt | None]
    ) -> tuple[list[UUID], Rules]:
        """Append in parts. Returns the cases to be asked again, and the rules to ask under."""
        answers.update(_receipts([one for one in judged if not one.stored], None))
        again: list[UUID] = []
        waiting = list(parts([one for one in judged if one.stored]))
        while waiting:
            part = waiting.pop(0)
            try:
                appended = self._append(part, rules)
            except RulesChanged:
                rest = [_case_of(one) for each in (part, *waiting) for one in each]
                return again + rest, self._refreshed()
            except AlreadyAppended as taken:
                changed = {case_id for case_id, _ in taken.versions}
                again += [_case_of(one) for one in part if _case_of(one) in changed]
                if rest_of_it := [one for one in part if _case_of(one) not in changed]:
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

    def _append(self, part: Sequence[Decided], rules: Rules) -> Appended:
        appended = Appended()
        envelopes = [envelope for one in part for envelope in one.envelopes]
        # As they were encoded when they were decided; the application would encode every one again.
        self._store.log.insert_events(
            [event for one in part for event in one.stored],
            **beside(part),
            appended=appended,
            rules_position=rules.position,
            lapsed=[_found_from(each.fact) for each in envelopes if isinstance(each.fact, WindowLapsed)],
        )
        return appended


def _found_from(lapsed: WindowLapsed) -> datetime:
    """From when on the watch could find the lapse: from its end, or from when it counted as met no longer."""
    return lapsed.provisional_until or lapsed.due_at


def _case_of(one: Decided) -> UUID:
    return one.waiting.command.case.id


def _receipts(part: Sequence[Decided], appended: Appended | None) -> dict[UUID, Receipt]:
    """``appended`` None: nothing was."""
    position = appended.first_position - 1 if appended is not None else 0
    receipts = {}
    for one in part:
        position += len(one.stored)
        receipts[_case_of(one)] = Receipt(
            case_id=_case_of(one),
            first_version=one.first_version,
            last_version=one.last_version,
            position=position,
            recorded_at=appended.recorded_at if appended is not None else None,
            replayed=False,
            next_ask_at=one.asks,
        )
    return receipts
