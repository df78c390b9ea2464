"""``tongshui demo``: everything embedded on a scaled clock, the demo city played through the API."""

from __future__ import annotations

import asyncio
import logging
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime
from functools import partial
from pathlib import Path

import httpx
import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from app.demo import city, community, play
from app.demo.play import Player
from app.demo.replay import require_empty
from app.demo.script import Script
from app.demo.stage import Stage
from app.supervisor import Supervisor, running_state
from app.up import (
    DEMO_DIR,
    close_to_others,
    refuse_second,
    refuse_taken_port,
    state_file,
    supervisor,
    with_addresses,
)
from consumers.tail import follow
from domain.deadlines.calendar import LOCAL
from infra.clock import Clock, ManualClock, ScaledClock
from infra.embedded import EmbeddedPostgres
from infra.embedded.errors import EmbeddedError
from infra.eventstore.consistency_check import account_disagreements, disagreements
from infra.eventstore.service import open_service
from infra.eventstore.shipped_rules import shipped_rules
from infra.http_address import base_url, client_context
from infra.identity.proxy_secret import proxy_secret
from infra.postgres.migrate import migrate
from infra.readers.record import Event, Unreadable
from infra.settings import Settings
from infra.sql import sql
from projections.names import COMMITMENTS, FACTS, REASONS, ROLES, name
from projections.read_models.views import VIEWS

Say = Callable[[str], None]

PROGRAM = "tongshui"
SETTLE_S = 60.0
PROOF_S = 150.0
THREADS_END_S = 2.0
"""Nothing is lost with a request that is under way: its script is played again under the same key."""
NUMBER_S = 5.0
"""How long the API may take to say a case's number, each time it is asked."""
NUMBER_TRIES = 3


def run_demo(
    settings: Settings,
    say: Say,
    *,
    until_proven: bool,
    factor: float,
    seed: int,
    fresh: bool,
    year_from: date | None = None,
) -> int:
    """Run the demo. ``year_from``: first record the year that begins on that day, as fast as the machine goes; nothing
    is played after it.

    Returns the exit code: 0 also where the person ended it; 1 where the proof did not come.
    """
    settings = settings.model_copy(
        update={"clock_factor": factor, "clock_start": city.START, "demo": True, "log_level": "WARNING"}
    )
    settings = settings.model_copy(update={"data_dir": settings.data_dir / DEMO_DIR})
    if fresh:
        _clear(settings, say)
    if year_from is not None:
        start = datetime.combine(year_from, city.START.timetz())
        settings = settings.model_copy(update={"clock_start": _year_on_record(settings, say, seed, start)})
    begun = time.monotonic()
    keeper = supervisor(settings, say, external=False)
    before = {n: signal.signal(n, lambda *_: keeper.ask_to_stop()) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        with keeper:
            if keeper.wait(0):
                return 0
            _tell(settings, say, factor)
            with refusals_kept(settings.data_dir / "log" / "demo.log"):
                return _Show(with_addresses(settings), keeper, say, begun, seed, fresh).run(until_proven)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _clear(settings: Settings, say: Say) -> None:
    """Remove the last demo's data; never while it runs, never where the new one could not start because its port is
    taken, and never anything that is not a demo's own folder."""
    if running_state(state_file(settings)) is not None:
        raise EmbeddedError(
            "already-running",
            found=f"a demo running on {settings.data_dir}",
            needed="nothing that runs there",
            next_step="use it, or stop it with Ctrl-C where it runs",
        )
    refuse_taken_port(settings)
    if settings.data_dir.exists():
        say(f"demo: removing the data of the last demo in {settings.data_dir}")
        EmbeddedPostgres(settings.data_dir / "postgres").wipe()
        shutil.rmtree(settings.data_dir)


def _year_on_record(settings: Settings, say: Say, seed: int, start: datetime) -> datetime:
    """Play the year from ``start`` on into the empty store of the demo, before anything else of it runs. Returns the
    service time at its end, from which the demo's clock goes on.

    Raises EmbeddedError "database-not-empty", "already-running" and what PostgreSQL raises.
    """
    refuse_second(settings)
    close_to_others(settings)
    with EmbeddedPostgres(
        settings.data_dir / "postgres", say=say, log=settings.data_dir / "log" / "postgres.log"
    ) as db:
        # Nothing else reads it meanwhile, and what a power cut takes is played again: its commits need not wait.
        url = make_conninfo(db.conninfo(), options="-c synchronous_commit=off")
        playing = settings.model_copy(update={"database_url": url, "kafka_bootstrap": ""})
        migrate(playing.database_url)
        require_empty(playing.database_url, "a year is played from its first day", "leave out --keep")
        scripts = city.year(seed, shipped_rules(), start)
        say(f"demo: playing a year of the city, {sum(len(script.requests) for script in scripts):,} requests; minutes")
        clock = ManualClock(start)
        begun = time.monotonic()
        with closing(open_service(playing, clock=clock)) as service:
            stage = Stage(service, clock)
            asyncio.run(stage.play(scripts))
            with service.connection() as connection:
                head = connection.execute(sql("log_head")).fetchone()
        assert head is not None
        until = clock.now().astimezone(LOCAL)
        refused = ", ".join(f"{code} ×{count}" for code, count in stage.astray.most_common()) or "nothing astray"
        say(
            f"demo: a year is on record, until {until:%Y-%m-%d %H:%M}: {head['position']:,} events "
            f"in {time.monotonic() - begun:.0f} s, {stage.asked:,} questions of the watch, {refused}"
        )
        return clock.now()


def _tell(settings: Settings, say: Say, factor: float) -> None:
    say("")
    address = base_url(settings)
    say(f"  通水 demo city. Lapses and running limits: {address}/board 看板; click a case for its timeline.")
    say(f"  Be one of its people, without a password: {address}/login 登录. What the public sees: {address}/")
    say(f"  The service clock runs × {factor:g}: half an hour is {1800 / factor:g} s, a day is {86400 / factor:g} s.")
    say("  Real: kinds and times of day of the fault reports. Simulated: crews, arrivals, applications.")
    say("  In another terminal, from this folder (CASE is a number from the page, such as BX-2026-000001):")
    for arguments in ("status", "tail breach", "timeline CASE"):
        say(f"    TONGSHUI_DATA_DIR={settings.data_dir} {how_to_call()} {arguments}")
    say("  Ctrl-C stops everything.")
    say("")


def first_seen(record: Event, number: str, elapsed_s: float) -> str:
    """A lapse or its retraction as a sentence: seconds since the start, case number, promise, end, and who is called or
    why the lapse was taken back."""
    data = record.data
    kind = record.type.split(".")[2]
    said = [f"case {number}", f"promise {name(COMMITMENTS, data['commitment'])}"]
    if data.get("due_at"):
        said.append(f"due {datetime.fromisoformat(data['due_at']).astimezone(LOCAL):%m-%d %H:%M}")
    if called := data.get("notify"):
        said.append(f"called 通知 {', '.join(name(ROLES, role) for role in called)}")
    if reason := data.get("reason"):
        said.append(f"because {name(REASONS, reason)}")
    return f"{kind} {FACTS[kind].zh} after {elapsed_s:.1f} s from the start: {', '.join(said)}"


def how_to_call() -> str:
    """What to type for this very program: its name where the shell finds it, else its path."""
    program = Path(sys.executable).with_name(PROGRAM)
    found = shutil.which(PROGRAM)
    if found is not None and Path(found).resolve() == program.resolve():
        return PROGRAM
    here = Path.cwd()
    return str(program.relative_to(here) if program.is_relative_to(here) else program)


@contextmanager
def refusals_kept(log_file: Path) -> Iterator[None]:
    """Keep what the service refuses of the play in a file: nobody who watches can do anything about it."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    logger, handler = logging.getLogger(play.__name__), logging.FileHandler(log_file, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = True
        logger.removeHandler(handler)
        handler.close()


class _Show:
    """One run: the player and the breach stream in threads, until the person or the proof ends it."""

    def __init__(self, settings: Settings, keeper: Supervisor, say: Say, begun: float, seed: int, fresh: bool) -> None:
        self._settings = settings
        self._keeper = keeper
        self._say = say
        self._begun = begun
        self._seed = seed
        self._fresh = fresh
        self._stop = threading.Event()
        self._seen: set[str] = set()
        self._proven = threading.Event()
        self._failure: BaseException | None = None
        self._astray: Counter[str] = Counter()

    def run(self, until_proven: bool) -> int:
        threads = [
            threading.Thread(target=partial(self._guard, work), name=name, daemon=True)
            for name, work in (("player", self._play), ("breaches", self._follow))
        ]
        for thread in threads:
            thread.start()
        try:
            code = self._prove() if until_proven else self._until_stopped()
        finally:
            self._stop.set()
        for thread in threads:
            thread.join(timeout=THREADS_END_S)
        self._tell_refusals()
        return code

    def _tell_refusals(self) -> None:
        if self._astray:
            codes = ", ".join(f"{code} ×{count}" for code, count in self._astray.most_common())
            self._say(
                f"demo: the service refused {self._astray.total()} of the play's requests ({codes}), as it refuses "
                f"people: they came later than the script meant, on a busy machine; each is in "
                f"{self._settings.data_dir / 'log' / 'demo.log'}"
            )

    def _until_stopped(self) -> int:
        while not self._keeper.wait(0.5):
            if self._failure is not None:
                raise self._failure
        return 0

    def _prove(self) -> int:
        deadline = time.monotonic() + PROOF_S
        while not self._proven.is_set():
            if self._failure is not None:
                raise self._failure
            if self._keeper.wait(0.2):
                return 1
            if time.monotonic() > deadline:
                self._say(f"demo: NOT PROVEN: within {PROOF_S:.0f} s only {sorted(self._seen) or 'nothing'} was seen")
                return 1
        self._stop.set()
        wrong = self._settled_disagreements()
        for difference in wrong[:20]:
            self._say(f"demo: DISAGREES: {difference}")
        if not wrong:
            topic = self._settings.breach_topic
            self._say(f"demo: proven: a lapse and a retraction were seen on {topic}; every read model agrees")
        return 1 if wrong else 0

    def _settled_disagreements(self) -> list[str]:
        """Nobody sends any more; limits still run out, so agreement is looked for at a moment without lag."""
        wrong = ["nothing settled"]
        deadline = time.monotonic() + SETTLE_S
        with psycopg.connect(self._settings.database_url, autocommit=True, row_factory=dict_row) as connection:
            while time.monotonic() < deadline and wrong:
                with connection.transaction():
                    # One snapshot for store and tables: while they differ only because something is under way, the
                    # places lag behind the head and the next look decides.
                    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    wrong = disagreements(self._settings, connection, VIEWS)
                    wrong += account_disagreements(self._settings, connection)
                if wrong:
                    time.sleep(0.5)
        return wrong

    # ---- threads

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # told by the main thread
            self._failure = error

    def _play(self) -> None:
        with psycopg.connect(self._settings.database_url, row_factory=dict_row) as connection:
            row = connection.execute(sql("clock_anchor")).fetchone()
        assert row is not None
        if row["service_at"] != city.START:
            self._say("demo: a year was played before; the city rests, limits still run")
            return
        clock = ScaledClock(row["real_at"], row["service_at"], row["factor"])
        asyncio.run(self._play_city(clock, row["service_at"]))

    async def _play_city(self, clock: Clock, start: datetime) -> None:
        base = base_url(self._settings)
        player = Player(base, clock, proxy_secret(self._settings), client_context(self._settings))
        self._astray = player.astray
        # Before the opening's time is set: its first crew is sent a fraction of a second after it.
        await self._play_until_stopped(player, list(community.crews(start)))
        scripts = city.plan(self._seed, shipped_rules(), start, clock.now())
        if not self._fresh:  # the opening was played when everything was up for the first time
            scripts = [script for script in scripts if not script.name.startswith(city.OPENING)]
        await self._play_until_stopped(player, scripts)
        if not self._stop.is_set():
            self._say("demo: every script has been played; the city rests, limits still run")

    async def _play_until_stopped(self, player: Player, scripts: list[Script]) -> None:
        stop = asyncio.Event()
        playing = asyncio.create_task(player.play(scripts, stop))
        while not self._stop.is_set() and not playing.done():
            await asyncio.sleep(0.1)
        stop.set()
        await playing

    def _number_of(self, record: Event) -> str:
        """The number of the record's case, or its id where the API does not answer."""
        api = f"{base_url(self._settings)}/api/v1"
        verified = client_context(self._settings) or True
        for _ in range(NUMBER_TRIES):
            try:
                answer = httpx.get(f"{api}/cases/{record.case_id}", timeout=NUMBER_S, trust_env=False, verify=verified)
                return str(answer.raise_for_status().json()["case_number"])
            except (httpx.HTTPError, ValueError, KeyError):
                self._stop.wait(1)
        return str(record.case_id)

    def _follow(self) -> None:
        for record in follow(self._settings, self._settings.breach_topic, self._stop, self._say, from_start=True):
            if isinstance(record, Unreadable):
                continue
            name = record.type.split(".")[2]
            if name not in self._seen and name in ("WindowLapsed", "WindowRetracted"):
                number = self._number_of(record)
                self._say(f"demo: first {first_seen(record, number, time.monotonic() - self._begun)}")
                self._seen.add(name)
            if self._seen >= {"WindowLapsed", "WindowRetracted"}:
                self._proven.set()
