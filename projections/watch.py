"""The window watch: takes what is due from the index, asks the domain about it, writes down when to ask next.

The watch decides nothing. It may ask too often or about the wrong case: the domain, which sees the whole case, answers
with a lapse in the case's own stream, or with the next time to ask. Several watches share the work by short leases.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

import msgspec
import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from infra.clock import Clock
from infra.reader import connect
from infra.settings import Settings
from infra.sql import sql

log = logging.getLogger(__name__)

AT_MOST = 500
LEASE_S = 2.0
"""What was taken and not answered by then is anybody's again."""
LOOK_AT_LEAST_EVERY_S = 1.0
"""The index is looked at this often even if no notification comes."""
SWEEP_EVERY_S = 60.0
SWEEP_ALL_EVERY_S = 24 * 3600.0
CANARY_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Question:
    """A case to ask about."""

    family: str
    case_id: UUID


@dataclass(frozen=True, slots=True)
class Answer:
    """The domain's answer at a case version: commitment → when to ask again; a commitment not named: never."""

    question: Question
    case_version: int
    next_ask_at: Mapping[str, datetime]


Ask = Callable[[Sequence[Question]], Sequence[Answer]]
"""Asks the domain, and stores what it says. A question without an answer stays due and is asked again."""


@dataclass(slots=True)
class Canary:
    """Falls due each minute like a window, goes nowhere but here: silence or lateness is an alarm."""

    due_at: datetime
    lateness_ms: float = 0.0
    sung: int = 0


@dataclass(slots=True)
class Watch:
    """One watch process's loop; run any number of them."""

    settings: Settings
    clock: Clock
    ask: Ask
    look: Ask
    """As ``ask``, but stores nothing: what the domain would answer, for the sweeper."""
    asked: int = 0
    missed: int = 0
    canary: Canary = field(init=False)
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
                    connection.row_factory = dict_row  # type: ignore[assignment]
                    connection.execute("LISTEN tongshui_due")
                    while not stop.is_set():
                        self.turn(connection, stop)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                log.warning("the watch has no PostgreSQL, trying again: %s", error)
                stop.wait(0.3)

    def turn(self, connection: psycopg.Connection[Any], stop: threading.Event) -> None:
        """Ask about all that is due, then wait for the next due instant or for news."""
        while not stop.is_set() and self.ask_due(connection):
            pass
        self.sing()
        if time.monotonic() - self._swept_at > SWEEP_EVERY_S:
            self.sweep(connection)
        wait_s = self._wait_s(connection)
        if wait_s > 0:
            for _ in connection.notifies(timeout=wait_s, stop_after=1):
                pass

    def ask_due(self, connection: psycopg.Connection[Any]) -> int:
        """Take what is due, ask, write the answers. Returns how many cases were taken."""
        questions, asked_for = self._take(connection)
        if questions:
            self.write(connection, self.ask(questions), asked_for)
            self.asked += len(questions)
        return len(questions)

    def sing(self) -> None:
        """Take note of how late the canary is, once it is due."""
        now = self.clock.now()
        if now >= self.canary.due_at:
            lateness = (now - self.canary.due_at).total_seconds() / self.clock.factor
            self.canary.lateness_ms = lateness * 1000
            self.canary.sung += 1
            self.canary.due_at = self._later(CANARY_EVERY_S)

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
        for start in range(0, len(questions), AT_MOST):
            missed += self._compare(connection, questions[start : start + AT_MOST])
        connection.execute(sql("sweep_move"), {"position": upto, "missed": missed})
        self.missed += missed
        self._swept_at = time.monotonic()
        if whole:
            self._swept_all_at = self._swept_at
        if missed:
            log.error("the sweeper found %d cases whose windows the index did not have; asking about them", missed)
        return missed

    # ---- steps

    def _later(self, real_s: float) -> datetime:
        return self.clock.now() + timedelta(seconds=real_s * self.clock.factor)

    def _take(self, connection: psycopg.Connection[Any]) -> tuple[list[Question], dict[UUID, datetime]]:
        """What to ask now; and which of it somebody asked for, to be forgotten once it is answered."""
        with connection.transaction():
            asked = connection.execute(sql("watch_take_asked"), {"most": AT_MOST, "lease_s": LEASE_S}).fetchall()
            due = connection.execute(
                sql("watch_take"), {"now": self.clock.now(), "most": AT_MOST, "lease_s": LEASE_S}
            ).fetchall()
        # In due order, so that what has waited longest after a stop goes first; each case once.
        due.sort(key=lambda row: row["next_ask_at"])
        questions = list(dict.fromkeys(Question(row["family"], row["case_id"]) for row in (*asked, *due)))
        return questions, {row["case_id"]: row["asked_for_at"] for row in asked}

    def write(
        self, connection: psycopg.Connection[Any], answers: Sequence[Answer], asked_for: Mapping[UUID, datetime]
    ) -> None:
        """Write answers into the index, and forget the questions of ``asked_for`` that they answer."""
        rows = [
            {
                "case_id": answer.question.case_id,
                "commitment": commitment,
                "family": answer.question.family,
                "next_ask_at": at,
                "case_version": answer.case_version,
            }
            for answer in answers
            for commitment, at in answer.next_ask_at.items()
        ]
        cases = [
            {
                "case_id": answer.question.case_id,
                "case_version": answer.case_version,
                "commitments": list(answer.next_ask_at),
            }
            for answer in answers
        ]
        with connection.transaction():
            connection.execute(sql("watch_answer"), {"rows": Jsonb(msgspec.to_builtins(rows))})
            connection.execute(sql("watch_silence"), {"cases": Jsonb(msgspec.to_builtins(cases))})
            answered = [answer.question.case_id for answer in answers if answer.question.case_id in asked_for]
            if answered:
                taken_at = [asked_for[case_id] for case_id in answered]
                connection.execute(sql("watch_forget_asked"), {"ids": answered, "asked_for_at": taken_at})

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


def _differs(answer: Answer, index: Mapping[tuple[UUID, str], datetime | None]) -> bool:
    """The index would ask too late or never. Asking too early is no harm: the answer puts it right."""
    for commitment, at in answer.next_ask_at.items():
        indexed = index.get((answer.question.case_id, commitment))
        if indexed is None or indexed > at:
            return True
    return False
