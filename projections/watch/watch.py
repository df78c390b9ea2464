"""The window watch: takes what is due from the index, asks the domain about it, writes down when to ask next.

The watch decides nothing. It may ask too often or about the wrong case: the domain, which sees the whole case, answers
with a lapse in the case's own stream, or with the next time to ask. Several watches share the work by short leases.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from infra.clock import Clock
from infra.postgres.connections import connect, wait_for_notification
from infra.settings import Settings
from infra.sql import sql
from projections.watch.canary import DueCanary

log = logging.getLogger(__name__)

AT_MOST = 500
AT_LEAST = 20
BATCH_S = 0.5
"""A batch that takes longer is followed by a smaller one: on a machine that is busy with other things leases would run
out under the asking, and two watches would do the same work."""
LEASE_S = 2.0
"""What was taken and not answered by then is anybody's again."""
LOOK_AT_LEAST_EVERY_S = 1.0
"""The index is looked at this often even if no notification comes."""
SWEEP_EVERY_S = 60.0
SWEEP_LOOK_S = 1.0
"""How often it is seen whether a sweep is due."""
SWEEP_ALL_EVERY_S = 24 * 3600.0
SWEPT_AT_ONCE = 50
BREATH_S = 0.02
"""After so many cases the sweeper lets others have the processor: what is due now comes first."""
CANARY_EVERY_S = 60.0
SET_BACK_S = 1.0
"""A clock that goes back by less is one that was trimmed, and has made nothing early that matters."""
DUTY_LOCK = 225_000_003
"""Advisory lock of the one watch on duty."""


@dataclass(frozen=True, slots=True)
class Question:
    """A case to ask about."""

    family: str
    case_id: UUID


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The domain's answer at a case version: commitment → when to ask again; a commitment not named: never."""

    question: Question
    case_version: int
    next_ask_at: Mapping[str, datetime]


Ask = Callable[[Sequence[Question]], Sequence[Evaluated]]
"""Asks the domain, and stores what it says. A question without an answer stays due and is asked again."""


@dataclass(slots=True)
class Canary:
    """Falls due each minute like a window, and goes nowhere but to whoever listens: silence or lateness is an alarm."""

    due_at: datetime
    lateness_ms: float = 0.0
    sent: int = 0


def _to_nobody(canary: DueCanary) -> None:
    """What a watch without a listener does with its canary."""


@dataclass(slots=True)
class Watch:
    """One watch process's loop; run any number of them.

    One of them is on duty: it alone is woken when something becomes due, sleeps until the nearest instant and sweeps.
    The others stand by: they look about once a second, each at moments of its own, and are called when a take comes
    back full. So one notification or one due instant is one look at the index, however many watches there are, and a
    backlog is everybody's. Who is on duty holds an advisory lock that goes with its connection: when it dies the next
    one that looks takes over, a second later at most, and until then the others' looks find what is due.
    """

    settings: Settings
    clock: Clock
    ask: Ask
    look: Ask
    """As ``ask``, but stores nothing: what the domain would answer, for the sweeper."""
    send: Callable[[DueCanary], None] = _to_nobody
    """Is handed the canary when it is due; must not wait."""
    asked: int = 0
    missed: int = 0
    looks: int = 0
    """How often the index was asked for what is due."""
    on_duty: bool = False
    canary: Canary = field(init=False)
    _most: int = AT_MOST
    _latest: datetime | None = None
    _head_seen: int = 0
    _swept_at: float = field(default_factory=time.monotonic)
    _swept_all_at: float = -math.inf

    def __post_init__(self) -> None:
        self.canary = Canary(self._later(CANARY_EVERY_S))

    def run(self, stop: threading.Event) -> None:
        """Watch until ``stop`` is set. PostgreSQL away: reconnect and go on where the index stands."""
        while not stop.is_set():
            try:
                with connect(self.settings) as connection:
                    self._begin(connection)
                    while not stop.is_set():
                        self.turn(connection, stop)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                log.warning("the watch has no PostgreSQL, trying again: %s", error)
                stop.wait(0.3)
            finally:
                self.on_duty = False

    def run_sweeps(self, stop: threading.Event) -> None:
        """Sweep every minute while this watch is on duty. Beside ``run``, in a thread of its own: a look at what others
        told in a minute must not keep a lapse waiting."""
        while not stop.wait(SWEEP_LOOK_S):
            if not self.on_duty or time.monotonic() - self._swept_at <= SWEEP_EVERY_S:
                continue
            try:
                with connect(self.settings) as plain:
                    connection: psycopg.Connection[Any] = plain
                    connection.row_factory = dict_row
                    self.sweep(connection)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                log.warning("the sweeper has no PostgreSQL, trying again: %s", error)

    def turn(self, connection: psycopg.Connection[Any], stop: threading.Event) -> None:
        """Ask about all that is due, then wait for the next due instant or for news."""
        self._take_duty(connection)
        self._mind_the_clock(connection)
        while not stop.is_set() and self.ask_due(connection):
            pass
        wait_s = self._wait_s(connection) if self.on_duty else self._standby_s()
        if wait_s > 0:
            # What wakes us often comes more than once; one look is enough for all of it.
            wait_for_notification(connection, wait_s)
        else:
            wait_for_notification(connection, 0)

    def ask_due(self, connection: psycopg.Connection[Any]) -> int:
        """Take what is due, ask, write the answers. Returns how many cases were taken."""
        begun = time.monotonic()
        questions, asked_for, reached = self._take(connection)
        if questions:
            self.write(connection, self.ask(questions), asked_for)
            self.asked += len(questions)
            self._pace(len(questions), time.monotonic() - begun)
        self._send_canary(reached)
        return len(questions)

    def _pace(self, number: int, took_s: float) -> None:
        if took_s > BATCH_S:
            self._most = max(AT_LEAST, int(number * BATCH_S / took_s))
        else:
            self._most = min(AT_MOST, 2 * self._most)

    def _send_canary(self, reached: datetime) -> None:
        """The canary has its turn where a window that falls due at its instant would have had it."""
        if self.canary.due_at > reached:
            return
        late_s = max(0.0, (self.clock.now() - self.canary.due_at).total_seconds() / self.clock.factor)
        self.canary.lateness_ms = late_s * 1000
        self.canary.sent += 1
        self.canary.due_at = self._later(CANARY_EVERY_S)
        self.send(DueCanary(self.canary.sent, late_s, time.monotonic()))

    def sweep(self, connection: psycopg.Connection[Any], *, whole: bool | None = None) -> int:
        """Compare the store's open windows with the index; what differs is asked, counted, told. Returns how many."""
        if whole is None:
            # The first full look comes with the first sweep that has something to look at, so that a watch which is
            # restarted every day still does one every day.
            whole = self._head_seen > 0 and time.monotonic() - self._swept_all_at > SWEEP_ALL_EVERY_S
        # What was in the log at the last sweep has had its time to come through the stream since.
        upto = self._head_seen
        self._head_seen = _position(connection, sql("log_head"))
        after = 0 if whole else _position(connection, sql("sweep_place"))
        missed = 0
        rows = connection.execute(sql("sweep_cases"), {"after": after, "upto": upto}).fetchall()
        questions = [Question(row["family"], row["case_id"]) for row in rows]
        for start in range(0, len(questions), SWEPT_AT_ONCE):
            missed += self._compare(connection, questions[start : start + SWEPT_AT_ONCE])
            time.sleep(BREATH_S)
        connection.execute(sql("sweep_move"), {"position": upto, "missed": missed})
        connection.execute(sql("watch_count_open"))
        self.missed += missed
        self._swept_at = time.monotonic()
        if whole:
            self._swept_all_at = self._swept_at
        if missed:
            log.error("the sweeper found %d cases whose windows the index did not have; asking about them", missed)
        return missed

    # ---- steps

    def _begin(self, connection: psycopg.Connection[Any]) -> None:
        connection.row_factory = dict_row
        # A lease or an answer that a crash of PostgreSQL takes back is one more question. What is lost is always the
        # end of what was written, never a piece out of it, and the lapses themselves are not written over this one.
        connection.execute("SET synchronous_commit = off")
        connection.execute("LISTEN tongshui_help")
        row = connection.execute(sql("head_now")).fetchone()
        recorded_at = row["recorded_at"] if row else None
        self._latest = max((at for at in (recorded_at, self._latest) if at is not None), default=None)

    def _take_duty(self, connection: psycopg.Connection[Any]) -> None:
        if self.on_duty:
            return
        row = connection.execute(sql("watch_try_duty"), {"lock": DUTY_LOCK}).fetchone()
        if row is not None and row["won"]:
            self.on_duty = True
            # Before the next look, so that nothing becomes due unheard between the two.
            connection.execute("LISTEN tongshui_due")
            connection.execute("UNLISTEN tongshui_help")

    def _mind_the_clock(self, connection: psycopg.Connection[Any]) -> None:
        """A clock that was set back had been ahead: the lapses that it found too early are asked about again, and the
        domain takes them back until their time comes."""
        now, latest = self.clock.now(), self._latest
        self._latest = now
        if latest is None or (latest - now).total_seconds() / self.clock.factor < SET_BACK_S:
            return
        self.canary.due_at = min(self.canary.due_at, self._later(CANARY_EVERY_S))
        early = connection.execute(
            sql("watch_ask_early"), {"after": _position_at(connection, now), "now": now}
        ).fetchall()
        log.error(
            "the clock was %.0f s ahead; %d cases had lapses too early and are asked about again",
            (latest - now).total_seconds(),
            len(early),
        )

    def _standby_s(self) -> float:
        """Not all at the same moment; but the canary is never kept waiting."""
        canary_s = (self.canary.due_at - self.clock.now()).total_seconds() / self.clock.factor
        return max(0.0, min(LOOK_AT_LEAST_EVERY_S * random.uniform(0.5, 1.0), canary_s))

    def _later(self, real_s: float) -> datetime:
        return self.clock.now() + timedelta(seconds=real_s * self.clock.factor)

    def _take(self, connection: psycopg.Connection[Any]) -> tuple[list[Question], dict[UUID, datetime], datetime]:
        """What to ask now, and up to which instant that is all; which of it somebody asked for, to be forgotten once
        it is answered."""
        self.looks += 1
        now, most = self.clock.now(), min(AT_MOST, self._most)
        with connection.transaction():
            asked = connection.execute(
                sql("watch_take_asked"), {"most": most, "lease_s": LEASE_S}, prepare=True
            ).fetchall()
            due = connection.execute(
                sql("watch_take"), {"now": now, "most": most, "lease_s": LEASE_S}, prepare=True
            ).fetchall()
            if len(due) >= most or len(asked) >= most:
                connection.execute(sql("watch_call_for_help"))
        # In due order, so that what has waited longest after a stop goes first; each case once.
        due.sort(key=lambda row: row["next_ask_at"])
        questions = list(dict.fromkeys(Question(row["family"], row["case_id"]) for row in (*asked, *due)))
        reached = due[-1]["next_ask_at"] if len(due) >= most else now
        return questions, {row["case_id"]: row["asked_for_at"] for row in asked}, reached

    def write(
        self, connection: psycopg.Connection[Any], answers: Sequence[Evaluated], asked_for: Mapping[UUID, datetime]
    ) -> None:
        """Write answers into the index, and forget the questions of ``asked_for`` that they answer."""
        # In one order for all, so that no two watches wait for each other.
        answers = sorted(answers, key=lambda answer: answer.question.case_id)
        told = [(answer, name, at) for answer in answers for name, at in sorted(answer.next_ask_at.items())]
        cases, commitments = [each.question.case_id for each, _, _ in told], [name for _, name, _ in told]
        rows = {
            "cases": cases,
            "commitments": commitments,
            "families": [each.question.family for each, _, _ in told],
            "next": [at for _, _, at in told],
            "versions": [each.case_version for each, _, _ in told],
        }
        silence = {
            "cases": [answer.question.case_id for answer in answers],
            "versions": [answer.case_version for answer in answers],
            "told_cases": cases,
            "told_commitments": commitments,
        }
        with connection.transaction():
            connection.execute(sql("watch_lock"), {"cases": silence["cases"]}, prepare=True)
            connection.execute(sql("watch_answer"), rows, prepare=True)
            connection.execute(sql("watch_silence"), silence, prepare=True)
            answered = [answer.question.case_id for answer in answers if answer.question.case_id in asked_for]
            if answered:
                taken_at = [asked_for[case_id] for case_id in answered]
                connection.execute(sql("watch_forget_asked"), {"ids": answered, "asked_for_at": taken_at})
            # Last, because every watch writes to this row.
            connection.execute(sql("watch_count_asked"), {"asked": len(answers)})

    def _wait_s(self, connection: psycopg.Connection[Any]) -> float:
        now = self.clock.now()
        row = connection.execute(sql("watch_nearest"), {"now": now}).fetchone()
        nearest = min([self.canary.due_at, *([row["next_ask_at"]] if row else [])])
        wait_s: float = min(LOOK_AT_LEAST_EVERY_S, (nearest - now).total_seconds() / self.clock.factor)
        leased = connection.execute(sql("watch_leased"), {"now": now}).fetchone()
        if leased and leased["until"]:
            wait_s = min(wait_s, (leased["until"] - datetime.now(UTC)).total_seconds())
        return max(0.0, wait_s)

    def _compare(self, connection: psycopg.Connection[Any], questions: Sequence[Question]) -> int:
        rows = connection.execute(sql("watch_rows"), {"ids": [question.case_id for question in questions]}).fetchall()
        index = {(row["case_id"], row["commitment"]): row["next_ask_at"] for row in rows}
        different = [answer.question for answer in self.look(questions) if _differs(answer, index)]
        if different:
            connection.execute(
                sql("watch_ask_now"),
                {"ids": [question.case_id for question in different], "families": [q.family for q in different]},
            )
        return len(different)


def _position(connection: psycopg.Connection[Any], query: LiteralString) -> int:
    row = connection.execute(query).fetchone()
    return int(row["position"]) if row else 0


def _position_at(connection: psycopg.Connection[Any], at: datetime) -> int:
    """The last position that was recorded by an instant; recording times never fall along the log."""
    first, last = 0, _position(connection, sql("log_head"))
    while first < last:
        middle = (first + last + 1) // 2
        row = connection.execute(sql("recorded_at"), {"position": middle}).fetchone()
        first, last = (middle, last) if row is not None and row["at"] <= at else (first, middle - 1)
    return first


def _differs(answer: Evaluated, index: Mapping[tuple[UUID, str], datetime | None]) -> bool:
    """The index would ask too late or never. Asking too early is no harm: the answer puts it right."""
    for commitment, at in answer.next_ask_at.items():
        indexed = index.get((answer.question.case_id, commitment))
        if indexed is None or indexed > at:
            return True
    return False
