"""The one place that wires real parts together. Importing it connects to nothing; each function is one process."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from eventsourcing.persistence import InterfaceError, OperationalError, PersistenceError
from psycopg.types.json import Jsonb

from domain import kinds
from domain.kinds import Kind, State
from infra import first_use
from infra.clock import REAL, Clock, real_now
from infra.eventstore import recompute, recover
from infra.eventstore.commands import BusyError, Receipt, StoreUnavailableError
from infra.eventstore.envelope import folded
from infra.eventstore.service import Service, open_service
from infra.eventstore.shipped_rules import shipped_rules
from infra.postgres.connections import connect
from infra.postgres.migrate import migrate
from infra.readers.dead_letter_desk import Mender, repair_marked
from infra.relay.relay import Relay
from infra.repeating import repeating
from infra.settings import Settings
from infra.sql import sql

if TYPE_CHECKING:
    from projections.watch.watch import Ask, Question, Watch

log = logging.getLogger(__name__)

BEAT_EVERY_S = 2.0
FORGET_EVERY = 10
"""Beats: so often, those of processes that are long gone are deleted."""
RECOMPUTE_LOOK_S = 1.0
SWITCH_S = 0.001


# ---- liveness


class Beats:
    """Tells, every two seconds, that a process lives and what it has to show for itself."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._started_at = real_now()
        self._connection: psycopg.Connection[Any] | None = None
        self._beaten = 0
        self._lock = threading.Lock()

    def beat(self, detail: dict[str, Any]) -> None:
        """Write one beat; while PostgreSQL is away there is none, which is what it should look like."""
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = connect(self._settings)
                    # A beat that a crash of PostgreSQL takes back is two seconds old and worth no wait for the disk.
                    self._connection.execute("SET synchronous_commit = off")
                detail = detail | {"clock": _compared(self._connection)}
                self._connection.execute(
                    sql("beat"),
                    {"name": self._name, "pid": os.getpid(), "started_at": self._started_at, "detail": Jsonb(detail)},
                )
                if self._beaten % FORGET_EVERY == 0:
                    self._connection.execute(sql("forget_beats"))
                self._beaten += 1
            except (psycopg.OperationalError, psycopg.InterfaceError):
                self._connection = None

    def beating(self, detail: Callable[[], dict[str, Any]]) -> AbstractContextManager[None]:
        """Beat from a thread while the body runs."""
        return repeating("beats", lambda: self.beat(detail()), BEAT_EVERY_S)


def _compared(connection: psycopg.Connection[Any]) -> dict[str, float]:
    """How far this process's clock is ahead of PostgreSQL's, in seconds, and within what: half of the question's way
    there and back, for nobody knows when on its way it was answered."""
    asked_at = real_now()
    row = connection.execute(sql("clock_now")).fetchone()
    within = (real_now() - asked_at) / 2
    assert row is not None
    return {"ahead_s": (asked_at + within - row[0]).total_seconds(), "within_s": abs(within.total_seconds())}


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


# ---- asking the domain


def asker(service: Service) -> Ask:
    """What the watch asks with: each case is loaded, judged, and what is new appended to its own stream."""
    from projections.watch.watch import Evaluated

    evaluator = service.evaluator("window-watch")

    def ask(questions: Sequence[Question]) -> list[Evaluated]:
        with _in_the_watchs_words():
            receipts = evaluator.evaluate([question.case_id for question in questions])
        answers = []
        for question in questions:
            if question.case_id not in receipts:
                continue  # stays due, and is asked again when its lease is over
            receipt = receipts[question.case_id]
            if receipt is None:
                answers.append(Evaluated(question, 0, {}))  # a stream that owes nothing is not to be asked about again
            else:
                answers.append(Evaluated(question, receipt.last_version, receipt.next_ask_at))
        return answers

    return ask


def looker(service: Service) -> Ask:
    """What the sweeper looks with: what the domain would answer now, storing nothing."""
    from projections.watch.watch import Evaluated

    def look(questions: Sequence[Question]) -> list[Evaluated]:
        with _in_the_watchs_words():
            kind_of = service.kinds_of([question.case_id for question in questions])
            states = _states(service, kind_of)
        known = [question for question in questions if question.case_id in kind_of]
        return [_outlook(kind_of[question.case_id], question, *states[question.case_id]) for question in known]

    def _outlook(kind: Kind, question: Question, state: State, version: int) -> Evaluated:
        now = service.clock.now()
        asks = dict(kinds.next_ask_at(kind, state, service.rules, now))
        # Something that time has already changed and that is not on record was missed: it is to be asked about now.
        asks.update({fact.commitment: now for fact in kinds.conclusion(kind, state, service.rules, now)})
        if kinds.follows(kind, state, service.rules, now):
            asks |= dict.fromkeys(asks or state.ledger, now)
        return Evaluated(question, version, asks)

    return look


@contextmanager
def _in_the_watchs_words() -> Iterator[None]:
    """A store that does not answer, as psycopg has it: the watch waits for PostgreSQL then, and does not end."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise psycopg.OperationalError(str(error)) from error


def _states(service: Service, kind_of: Mapping[UUID, Kind]) -> dict[UUID, tuple[State, int]]:
    return folded(service.store.log.select_many(list(kind_of)), kind_of)


# ---- one function for each process

EVERY_MODULE = (
    *("api.app", "api.server", "consumers.billing", "consumers.notary.notary", "infra.readers.faust_app"),
    *("infra.outbox.sender", "projections.read_models.mend", "projections.read_models.views"),
    *("projections.readings.cases", "projections.readings.processor", "projections.readings.source"),
    *("projections.watch.canary", "projections.watch.due", "projections.watch.watch"),
)
"""What the processes import when they begin."""


def preload() -> None:
    """Import what any process needs, and make what is made at its first use: forks then share it."""
    for name in EVERY_MODULE:
        import_module(name)
    first_use.prepare()


def run_relay(settings: Settings) -> None:
    """The relay: publishes the store to Kafka until told to stop. Raises BusRefusal where it must not run."""
    with Beats(settings, "relay").beating(dict):
        Relay(settings).run(stop_on_signals())


def run_views(settings: Settings) -> None:
    """One Faust worker of the read models; ends the process when told to stop."""
    from infra.readers.faust_app import ModelStream as ModelStream
    from infra.readers.faust_app import build_app, run_worker
    from projections.read_models.mend import view_menders
    from projections.read_models.views import VIEWS

    again = partial(repair_marked, settings=settings, menders=view_menders())
    stream = ModelStream(settings, "views", VIEWS, again=again)
    run_worker(build_app(stream, "views", Beats(settings, "views").beat))


def menders(settings: Settings) -> dict[str, Mender]:
    """Reader → how its dead letters are repaired: every reader of the store's events."""
    from consumers import billing
    from projections.read_models.mend import due_menders, view_menders
    from projections.readings.processor import METER_READER, Processor

    rules, clock = shipped_rules(), REAL
    # Which meters are in is taken from events alone; the rules judge readings, and none are read here.
    processor = Processor(settings, lambda: rules, clock)
    meters = {METER_READER: Mender("readings.places", processor.meet)}
    return {**view_menders(), **due_menders(), **meters, billing.READER: billing.mender()}


def run_watch(settings: Settings) -> None:
    """One Faust worker of the window watch, with the watch itself in a thread; ends the process when told to stop."""
    from infra.readers.faust_app import ModelStream as ModelStream
    from infra.readers.faust_app import build_app, run_worker
    from projections.read_models.mend import due_menders
    from projections.watch.canary import Canaries
    from projections.watch.due import LINGER_S, DueIndex
    from projections.watch.watch import Watch

    service = open_service(settings)
    canaries = Canaries(settings)
    watch = Watch(settings, service.clock, asker(service), looker(service), canaries.send)
    threading.Thread(
        target=partial(_until_death, partial(_recompute, service, watch)), name="recompute", daemon=True
    ).start()
    index = DueIndex()
    beats = Beats(settings, "watch")

    def beat(detail: dict[str, Any]) -> None:
        canary = {"sung": watch.canary.sent, "heard": canaries.received, "lateness_ms": canaries.lateness_ms}
        shown = {"asked": watch.asked, "missed": watch.missed, "on_duty": watch.on_duty, "canary": canary}
        beats.beat(detail | shown)

    collect_less()
    # Whoever computes hands over sooner: a lapse takes the turn ten times, each time behind Faust and the sweeper.
    sys.setswitchinterval(SWITCH_S)
    for name, work in (("watch", watch.run), ("sweeper", watch.run_sweeps), ("canary", canaries.run)):
        threading.Thread(target=partial(_until_death, work), name=name, daemon=True).start()
    again = partial(repair_marked, settings=settings, menders=due_menders())
    stream = ModelStream(settings, "watch", [index], index.poisoned, again, linger_s=LINGER_S)
    run_worker(build_app(stream, "watch", beat))


def spare_from_collection() -> None:
    """Let the collector never look again at what there is now: it stays until the end, and to look at all of it stops
    a process for some 200 ms each time."""
    gc.collect()
    gc.freeze()


def collect_less() -> None:
    """Judging makes many small objects that are all gone after the batch; looking for cycles among them, with all of
    Faust in the heap, takes a third of the time of a storm."""
    spare_from_collection()
    gc.set_threshold(50_000, 50, 100)


def _recompute(service: Service, watch: Watch, stop: threading.Event) -> None:
    """Look for newly published rules, and bring every open deadline to them."""
    from projections.watch.watch import Evaluated, Question

    def answered(receipts: Sequence[tuple[Kind, Receipt]]) -> None:
        answers = [
            Evaluated(Question(kind.topic, receipt.case_id), receipt.last_version, receipt.next_ask_at)
            for kind, receipt in receipts
        ]
        with service.connection() as connection:
            watch.write(connection, answers, {})

    while not stop.wait(RECOMPUTE_LOOK_S):
        try:
            recompute.run(service, answered)
        except (psycopg.OperationalError, psycopg.InterfaceError, PersistenceError, StoreUnavailableError, BusyError):
            log.warning("the recompute job is interrupted, and begins anew", exc_info=True)


def _until_death(run: Callable[[threading.Event], None]) -> None:
    """A process whose thread has died would look alive and do half its work: end it, the supervisor starts it anew."""
    try:
        run(threading.Event())
    except BaseException:
        log.exception("a thread failed in a way that has no name; the process ends")
        logging.shutdown()
        os._exit(70)


def run_api(settings: Settings, *, clock: Clock | None = None) -> None:
    """The HTTP API and the page, until told to stop."""
    from api.app import create_app
    from api.server import make_server
    from infra.approvals.asked_commands import closing_overdue
    from infra.eventstore.key_purge import purging_keys
    from infra.evidence.upkeep import keeping_up
    from infra.identity.citizen_key import citizen_key
    from infra.identity.demo_accounts import join_demo_accounts
    from infra.identity.proxy_secret import proxy_secret

    service = open_service(settings, clock=clock)
    try:
        # Made while there is room on the disk.
        proxy_secret(settings)
        citizen_key(settings)
        if settings.demo:
            join_demo_accounts(service)
        beating = Beats(settings, "api").beating(dict)
        with beating, purging_keys(service), closing_overdue(service), keeping_up(service):
            server = make_server(create_app(service), host=settings.http_host, port=settings.http_port)
            spare_from_collection()
            server.run()
    finally:
        service.close()


def run_billing(settings: Settings) -> None:
    """The billing consumer, until told to stop."""
    from consumers import billing

    shown = billing.Shown()
    with Beats(settings, "billing").beating(shown.as_detail):
        billing.run(settings, stop_on_signals(), shown=shown)


def run_notary(settings: Settings) -> None:
    """The notary, until told to stop. Raises NotaryRefusal where it must not sign."""
    from consumers.notary.notary import Notary

    notary = Notary(settings)
    with Beats(settings, "notary").beating(lambda: {"size": notary.size, "signed": notary.signed_position}):
        notary.run(stop_on_signals())


def run_sender(settings: Settings) -> None:
    """The sender of what is to be told, until told to stop."""
    from infra.outbox.sender import Sender, ways_of

    service = open_service(settings)
    sender = Sender(service, ways_of(settings))
    try:
        with Beats(settings, "sender").beating(lambda: {"sent": sender.sent, "failed": sender.failed}):
            sender.run(stop_on_signals())
    finally:
        service.close()


def run_readings(settings: Settings) -> None:
    """One Faust worker of the meter readings, with what tells the cases in a thread; ends the process when told to."""
    from infra.readers.faust_app import build_app, run_worker
    from projections.readings.cases import UsageCaseWriter
    from projections.readings.processor import Processor
    from projections.readings.source import Readings

    service = open_service(settings)
    teller = UsageCaseWriter(settings, service)
    readings = Readings(Processor(settings, lambda: service.rules, service.clock), on_stored=teller.wake)
    beats = Beats(settings, "readings")
    for name, work in (("meters", readings.meet_meters), ("cases", teller.run)):
        threading.Thread(target=partial(_until_death, work), name=name, daemon=True).start()
    run_worker(
        build_app(readings, "readings", lambda detail: beats.beat(detail | {"cases_told": teller.cases_informed}))
    )


# ---- the store behind Kafka


def recover_store(settings: Settings, *, dry_run: bool) -> list[str]:
    """Append back from Kafka what a restored store lacks; a line for each thing done."""
    if not dry_run:
        migrate(settings.database_url)  # an older backup may be of an older schema
    return recover.recover(settings, dry_run=dry_run)


def begin_generation(
    settings: Settings, actor: str, keep: Path | None, *, rebuild_billing: bool, dry_run: bool
) -> list[str]:
    """Give up what a restored store lacks; a line for each thing done."""
    from projections.read_models.views import VIEWS

    if not dry_run:
        migrate(settings.database_url)
    due = recover.ReadModel("watch", "due", ("watch.due", "watch.ask_now"))
    models = [recover.ReadModel("views", model.name, (model.table,)) for model in VIEWS]
    default = settings.data_dir / f"given-up-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl"
    return recover.begin_generation(
        settings,
        actor=actor,
        keep=keep or default,
        read_models=[*models, due],
        rebuild_billing=rebuild_billing,
        dry_run=dry_run,
    )
