"""A load on the API: repairs and applications told by many at once, each command sent again until it is answered."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from infra.clock import ScaledClock
from tests.api_world import PAPERS, STEPS_TO_WATER
from tests.faults.installation import Installation
from tests.proven import PROVEN

AT_ONCE = 32
MOST_WAITING = 2 * AT_ONCE
"""No case begins while more commands than this wait for an answer: a slow machine gets a smaller load, not a queue."""
START = datetime(2026, 9, 18, 6, 30, tzinfo=UTC)
"""Friday, 14:30 in China: three hours before the close of the fifth working day after ADMITTED."""
ADMITTED = datetime(2026, 9, 11, 3, 0, tzinfo=UTC)
CLOSE = datetime(2026, 9, 18, 9, 30, tzinfo=UTC)
"""When water must be on at applications admitted at ADMITTED."""
RECEIVED = "ApplicationReceived CaseRouted DocumentSupplied DocumentSupplied ApplicationAdmitted"
WORKS = (
    "SurveyMade",
    "DesignApproved",
    "QuoteIssued",
    "ContractSigned",
    "PaymentReceived",
    "ConstructionStarted",
    "ConstructionCompleted",
    "FinalInspectionMade",
)
"""The facts of STEPS_TO_WATER."""
INSTRUCTIONS = ("QuoteIssued", "ContractSigned")


@dataclass(frozen=True)
class Accepted:
    """A command that was accepted: its key and the answer, and when that came (monotonic seconds)."""

    key: str
    facts: tuple[str, ...]
    """What it must have put on record, but for verdicts."""
    case_id: str
    first_version: int
    last_version: int
    position: int
    at: float


@dataclass
class Load:
    """Everything that was sent and answered."""

    url: str
    clock: ScaledClock
    cases_a_second: float
    seed: int = 20
    accepted: list[Accepted] = field(default_factory=list)
    sent: int = 0
    """Requests, those sent again counted each time."""
    faults: Counter[str] = field(default_factory=Counter)
    """Why a request had to be sent again: problem codes, or the transport's error."""
    refused: Counter[str] = field(default_factory=Counter)
    replayed: int = 0
    error: BaseException | None = None

    def __post_init__(self) -> None:
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._few = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._rng = random.Random(self.seed)
        self._begun = time.monotonic()

    def start(self) -> None:
        self._begun = time.monotonic()
        self._thread.start()

    def finish(self, patience_s: float = 60) -> None:
        """Begin no further case, and wait until those begun are told to their end; in vain once nothing has been
        accepted for ``patience_s``."""
        self._enough.set()
        while self._thread.is_alive():
            accepted = len(self.accepted)
            self._thread.join(patience_s)
            stuck = self._thread.is_alive() and len(self.accepted) == accepted
            assert not stuck, f"the load stands still: {self._waiting} commands wait, faults {dict(self.faults)}"
        if self.error is not None:
            raise self.error

    @property
    def a_second(self) -> float:
        """Accepted commands a second so far."""
        return len(self.accepted) / (time.monotonic() - self._begun)

    def answered_since(self, at: float) -> bool:
        return bool(self.accepted) and self.accepted[-1].at > at

    # ---- in its thread

    def _run(self) -> None:
        try:
            asyncio.run(self._tell())
        except BaseException as error:  # handed over in finish()
            self.error = error

    async def _tell(self) -> None:
        rng = random.Random(self.seed)
        stories: list[asyncio.Task[None]] = []
        async with httpx.AsyncClient(
            base_url=self.url, timeout=15, limits=httpx.Limits(max_connections=AT_ONCE)
        ) as client:
            self._client = client
            while not self._enough.is_set():
                await asyncio.sleep(1 / self.cases_a_second)
                if self._waiting > MOST_WAITING:
                    continue
                stories.append(asyncio.create_task(self._story(len(stories), random.Random(rng.random()))))
            await asyncio.gather(*stories)

    def _story(self, number: int, rng: random.Random) -> Coroutine[Any, Any, None]:
        return self._connection(number, rng) if number % 3 == 0 else self._repair(number, rng)

    async def _repair(self, number: int, rng: random.Random) -> None:
        """On time, late, reported afterwards, or nobody comes; then mended, or left undone."""
        fate = rng.choices(("on time", "late", "told afterwards", "nobody"), (60, 15, 20, 5))[0]
        crew, begun = f"crew-{number:05d}", self.clock.now()  # its own: none is ever sent while it is elsewhere
        say = _Teller(self, f"repair {number}", "repairs", crew)
        district = rng.choice(("qianzhou", "zhenxi", "donghe", "aizhai"))
        body = {"reporter": {"phone": "0743-8220000"}, "kind": "leak", "district": district}
        if fate == "nobody":
            begun -= timedelta(minutes=200)  # so that its completion, too, runs out while the load lasts
        await say("FaultReported", "", body | {"happened_at": begun.isoformat(), "confirmed_by": "tester-2"})
        if fate == "nobody":
            return
        await self._wait(begun, rng.uniform(1, 4))
        await say("CrewDispatched", "/dispatch", {"crew": crew})
        if rng.random() < 0.7:
            await say("DispatchAcknowledged", "/acknowledgement", {"crew": crew})
        there = {"on time": rng.uniform(6, 25), "late": rng.uniform(35, 70)}.get(fate, rng.uniform(8, 25))
        told = rng.uniform(35, 60) if fate == "told afterwards" else there
        await self._wait(begun, told)
        at = begun + timedelta(minutes=there)
        await say("CrewArrived", "/arrival", {"crew": crew, "happened_at": at.isoformat()})
        if rng.random() < 0.1:
            return
        await self._wait(begun, told + rng.uniform(2, 6))
        severity = rng.choice(("small", "medium", "major"))
        await say("SeverityAssessed", "/assessment", {"severity": severity, "reason": "as-seen"})
        await self._wait(begun, told + rng.uniform(10, 30))
        await say("RepairCompleted", "/completion", {})
        await say("WaterRestored", "/restoration", {})
        await say("CaseClosed", "/closure", {})

    async def _connection(self, number: int, rng: random.Random) -> None:
        """Admitted five working days ago, so that the limit of all of them runs out at the same instant."""
        points, fate = rng.choice((1, 1, 2)), rng.choices(("soon", "late", "told afterwards"), (60, 25, 15))[0]
        say = _Teller(self, f"application {number}", "connections", "counter-1")
        person = {"name": "张三", "phone": f"0743-82{number:05d}", "address": "示例路1号"}
        body = {"applicant": person, "category": "private", "supply_points": points, "documents": PAPERS}
        await say(RECEIVED, "", body | {"happened_at": ADMITTED.isoformat()}, role="counter")
        for hours, (fact, (step, told, role)) in enumerate(zip(WORKS, STEPS_TO_WATER, strict=True)):
            claimed = (
                {"happened_at": (ADMITTED + timedelta(hours=hours)).isoformat()} if fact not in INSTRUCTIONS else {}
            )
            await say(fact, f"/{step}", told | claimed, role=role)
        begun = self.clock.now()
        if fate != "soon":
            begun = max(begun, CLOSE)
        for point in range(1, points + 1):
            await self._wait(begun, rng.uniform(5, 40))
            at = CLOSE - timedelta(minutes=30) if fate == "told afterwards" else self.clock.now()
            body = {"meter": _meter(number, point), "happened_at": at.isoformat()}
            await say("MeterInstalled WaterTurnedOn", f"/supply-points/{point}/water-on", body, role="crew")

    async def _wait(self, begun: datetime, minutes: float) -> None:
        left = begun + timedelta(minutes=minutes) - self.clock.now()
        await asyncio.sleep(max(0.0, left.total_seconds() / self.clock.factor))

    async def send(
        self, path: str, body: dict[str, Any], key: str, facts: str, actor: str, role: str
    ) -> dict[str, Any]:
        """Send a command under its key until it is answered."""
        # The correlation id goes into every event that the command caused: they are counted by it.
        headers = {
            **PROVEN,
            "X-Actor": actor,
            "X-Role": role,
            # Imported history has no arrival promise to break until an arrival is told.
            "X-Channel": "hotline" if facts == "FaultReported" else "import",
            "Idempotency-Key": key,
            "X-Correlation-Id": key,
        }
        self._waiting += 1
        try:
            answer = await self._answered(path, body, headers, facts)
        finally:
            self._waiting -= 1
        self.replayed += answer.headers.get("Idempotency-Replayed") == "true"
        found: dict[str, Any] = answer.json()
        versions = (found["first_version"], found["last_version"], found["position"])
        self.accepted.append(Accepted(key, tuple(facts.split()), found["case_id"], *versions, at=time.monotonic()))
        return found

    async def _answered(self, path: str, body: dict[str, Any], headers: dict[str, str], facts: str) -> httpx.Response:
        again = self._rng.random() < 0.1
        while True:
            async with self._few:
                self.sent += 1
                try:
                    answer = await self._client.post(f"/api/v1{path}", json=body, headers=headers)
                except httpx.TransportError as error:
                    self.faults[type(error).__name__] += 1
                    answer = None
            if answer is not None and answer.status_code < 300:
                if not again:
                    return answer
                again = False  # one answer in ten is taken for lost on the wire
                continue
            if answer is not None:
                code = str(answer.json().get("code"))
                if answer.status_code < 500 and code != "busy":
                    self.refused[code] += 1
                    raise AssertionError(f"{facts} was refused: {answer.text}")
                self.faults[code] += 1
            await asyncio.sleep(0.2)


class _Teller:
    """Sends one case's commands, one after the other."""

    def __init__(self, load: Load, name: str, kind: str, actor: str) -> None:
        self._load = load
        self._name = name
        self._path = f"/{kind}"
        self._actor = actor
        self._number = 0

    async def __call__(self, facts: str, path: str, body: dict[str, Any], *, role: str = "operator") -> None:
        key = f"{self._name} {self._number}".replace(" ", "-")
        answer = await self._load.send(self._path + path, body, key, facts, self._actor, role)
        if self._number == 0:
            self._path += f"/{answer['case_id']}"
        self._number += 1


def _meter(number: int, point: int) -> dict[str, Any]:
    return {
        "number": f"WM{number:05d}{point:02d}",
        "body_code": f"LXS-{number:05d}-{point}",
        "dn_mm": 20,
        "verified_on": "2026-05-04",
        "expires_on": "2032-05-03",
        "initial_reading_m3": "0.000",
        "dial_max_m3": 99999,
    }


def clock_of(it: Installation) -> ScaledClock:
    """The installation's clock."""
    (row,) = it.query("SELECT real_at, service_at, factor FROM store.clock_anchor")
    return ScaledClock(row["real_at"], row["service_at"], row["factor"])


@contextmanager
def loaded(it: Installation, *, cases_a_second: float) -> Iterator[Load]:
    """A load on an installation for as long as the block lasts, and until what was begun is told."""
    load = Load(it.base_url, clock_of(it), cases_a_second)
    load.start()
    yield load
    load.finish()
