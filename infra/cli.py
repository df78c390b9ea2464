"""The command ``tongshui`` (通水, "water on")."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import BinaryIO, NoReturn, ParamSpec, TypeVar
from uuid import UUID

import click
import psycopg
from pydantic import ValidationError

from infra.settings import FAMILIES, Settings

P = ParamSpec("P")
R = TypeVar("R")

DEMO_FACTOR = 600.0
LAST_START = date(2190, 1, 1)
"""Of a limit that `due` is asked about: beyond it the calendar's arithmetic comes to its end."""


def say(line: str) -> None:
    """One line for the person at the terminal."""
    click.echo(line, err=True)


def fail(line: str, code: int = 1) -> NoReturn:
    """End with one clear line."""
    click.echo(f"tongshui: {line}", err=True)
    sys.exit(code)


@contextlib.contextmanager
def one_clear_line() -> Iterator[None]:
    """What an operator can mend is said in a line, without a traceback; everything else is a defect and shows one."""
    from kafka.errors import KafkaError

    from consumers.notary.note import NoteError
    from consumers.recount.policy import NoPolicyError
    from consumers.recount.said import BadLineError
    from consumers.timeline import UnknownCaseError
    from domain.refusals import Refusal
    from infra.bus import BusRefusal
    from infra.documents import DocumentError
    from infra.door import KafkaShut, postgres_code
    from infra.embedded.errors import EmbeddedError
    from infra.migrate import MigrationError
    from infra.store.commands import StoreUnavailableError

    try:
        yield
    except (
        EmbeddedError,
        BusRefusal,
        MigrationError,
        UnknownCaseError,
        NoPolicyError,
        BadLineError,
        NoteError,
    ) as error:
        fail(str(error))
    except DocumentError as error:
        fail(f"bad-document: {error}")
    except StoreUnavailableError as error:
        fail(f"store-unavailable: {error}; see `tongshui status`")
    except Refusal as error:
        fail(f"{error} ({error.next_step_zh})")
    except psycopg.errors.UndefinedTable:
        fail("not-migrated: found a database without our tables; needed those of this program; run `tongshui migrate`")
    except psycopg.OperationalError as error:
        said = str(error).splitlines()[0]
        fail(f"{postgres_code(str(error))}: {said}; see `tongshui status`, or TONGSHUI_DATABASE_URL")
    except KafkaShut as shut:
        fail(str(shut))
    except KafkaError as error:
        fail(f"kafka-unreachable: {type(error).__name__}: {error}; see `tongshui status`, or TONGSHUI_KAFKA_BOOTSTRAP")


def _settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "TONGSHUI_" + "_".join(map(str, first["loc"])).upper()
        fail(f"bad-setting: {name}: found {first['input']!r}; {first['msg']}")


def _located() -> Settings:
    from infra.up import with_addresses

    return with_addresses(_settings())


def command(work: Callable[P, R]) -> Callable[P, R]:
    """Wrap a command so that what an operator can mend is one line."""

    @wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with one_clear_line():
            return work(*args, **kwargs)

    return run


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="tongshui")
def main() -> None:
    """通水 tongshui: a water utility's promises, kept and proven.

    Settings are environment variables TONGSHUI_…; the data directory is TONGSHUI_DATA_DIR (default .tongshui).
    """


# ---- everything on one machine


@main.command()
@click.option("--external", is_flag=True, help="PostgreSQL and Kafka run elsewhere; take them from the settings.")
@click.option("--workers", default=1, show_default=True, help="Processes of each kind of stream processor.")
@command
def up(external: bool, workers: int) -> None:
    """Run every part and keep it running until Ctrl-C."""
    from infra.up import supervisor

    supervisor(_settings(), say, external=external, workers=workers).run()


@main.command()
@click.option(
    "--until-proven", is_flag=True, help="End, exit 0, once a lapse and a retraction were seen and all agrees."
)
@click.option("--factor", default=DEMO_FACTOR, show_default=True, help="Seconds of service time in a real second.")
@click.option("--seed", default=225, show_default=True, help="Of everything that the demo makes up.")
@click.option("--fresh/--keep", default=True, help="Start from an empty data directory, or go on with the last demo's.")
@command
def demo(until_proven: bool, factor: float, seed: int, fresh: bool) -> None:
    """Run the demo city: everything embedded, a scaled clock, real fault reports, simulated crews."""
    from infra.demo.run import run_demo

    sys.exit(run_demo(_settings(), say, until_proven=until_proven, factor=factor, seed=seed, fresh=fresh))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@command
def status(as_json: bool) -> None:
    """Each part: up or not, positions, lag, lateness. Exit 1 where something is down or a reader stands still."""
    from infra.report import status_report

    text, well = status_report(_settings(), as_json=as_json)
    click.echo(text)
    sys.exit(0 if well else 1)


@main.command()
@command
def migrate() -> None:
    """Bring the database to this program's schema, create the topics, publish the shipped rules."""
    from infra.bus import ensure_canary_topic, ensure_checkpoint_topic, ensure_readings_topic, ensure_topics
    from infra.migrate import migrate as bring
    from infra.service import open_service

    settings = _located()
    for name in bring(settings.database_url) or ["nothing to do"]:
        say(f"migrate: {name}")
    cluster = ensure_topics(settings)
    ensure_readings_topic(settings)
    ensure_canary_topic(settings)
    ensure_checkpoint_topic(settings)
    say(f"migrate: {len(cluster.topics)} topics on cluster {cluster.id}")
    service = open_service(settings)
    standard = service.rules.in_force(service.clock.now())
    say(f"migrate: standard {standard.version}, calendar {service.rules.calendar.version}")
    service.close()


# ---- what people ask


@main.command()
@click.argument("case")
@click.option("--as-of", "as_of", default=None, help="RFC 3339, or China time where it names no zone. Left out: now.")
@click.option("--json", "as_json", is_flag=True, help="One CloudEvents JSON a line, as published.")
@command
def timeline(case: str, as_of: str | None, as_json: bool) -> None:
    """Everything that happened to CASE (id or number), rebuilt from Kafka alone; with --as-of as it was known then.

    Columns: version, happened at, reported at (where a device or an operator said so), recorded at (China time), fact,
    who (role, channel, second person), details with the versions of standard and calendar.
    """
    from consumers.timeline import as_known_at, describe, missing_versions, verdicts
    from consumers.timeline import timeline as rebuild

    events = rebuild(_kafka_located(), case)
    if missing := missing_versions(events):
        say(f"incomplete: the topics do not have version {', '.join(map(str, missing))} of it; see `tongshui status`")
    if as_of is not None:
        events = as_known_at(events, _instant(as_of))
        say(f"as known at {as_of}: {len(events)} events were on record")
    for line in [event.raw.decode() for event in events] if as_json else describe(events):
        click.echo(line)
    for line in [] if as_json or as_of is None else verdicts(events):
        click.echo(line)


@main.command()
@click.argument("case")
@click.argument("commitment")
@click.option("--as-of", "as_of", default=None, help="RFC 3339, or China time where it names no zone. Left out: now.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@command
def explain(case: str, commitment: str, as_of: str | None, as_json: bool) -> None:
    """Why the window of COMMITMENT (for example connection.water_on) of CASE (id or number) stands as it does.

    What counted and what did not, with the event and the rule behind it; with --as-of as it was known then.
    """
    import msgspec

    from infra.service import open_service
    from projections.explain import explain_named, lines

    at = _instant(as_of) if as_of is not None else None
    with contextlib.closing(open_service(_located())) as service:
        found = explain_named(service, case, commitment, at)
    for line in [msgspec.json.encode(found).decode()] if as_json else lines(found):
        click.echo(line)


def _instant(text: str) -> datetime:
    from domain.calendar import LOCAL

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        fail(f"bad-parameter: found --as-of {text[:40]!r}; needed an instant, for example 2026-09-22T17:30:00+08:00")
    return found if found.tzinfo is not None else found.replace(tzinfo=LOCAL)


@main.command()
@click.option("--case", help="Only this case, by id or number.")
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.File("rb"),
    help="Events as JSON lines instead of the topics; may be given again. The public ones belong to them.",
)
@click.option(
    "--grace-seconds",
    type=click.IntRange(0, 86_400),
    default=60,
    show_default=True,
    help="What ran out within so much of the newest event need not be on record yet.",
)
@click.option("--steps", is_flag=True, help="Also as the record stood after each decision, not only as it stands now.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, the counts last.")
@command
def verify(case: str | None, files: tuple[BinaryIO, ...], grace_seconds: int, steps: bool, as_json: bool) -> None:
    """Recount every verdict from Kafka alone, by a second implementation, and compare it with the record.

    Prints each disagreement with the events concerned, and the counts; ends with 1 where there is one. A kind of case
    that is not recounted is named.
    """
    from consumers.recount import verify as recount
    from consumers.recount.said import from_lines

    lines = (event for file in files for event in from_lines(file))
    events = lines if files else recount.from_topics(_kafka_located())
    report = recount.verify(events, case=case, grace=timedelta(seconds=grace_seconds), steps=steps)
    for line in recount.as_json(report) if as_json else recount.describe(report):
        click.echo(line)
    if not report.agrees:
        sys.exit(1)


@main.command()
@click.argument("stream", type=click.Choice(["breach"]))
@click.option("--from-start", is_flag=True, help="All there ever was, then go on.")
@click.option("--json", "as_json", is_flag=True, help="One CloudEvents JSON a line, as published.")
@command
def tail(stream: str, from_start: bool, as_json: bool) -> None:
    """Follow the breach stream until Ctrl-C: nearing, lapsed, retracted, and who must act."""
    from consumers.tail import follow_breaches

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    follow_breaches(_kafka_located(), stop, click.echo, from_start=from_start, as_json=as_json)


def _kafka_located() -> Settings:
    """Settings for commands that live on Kafka alone."""
    settings = _settings()
    return settings if settings.kafka_bootstrap else _located()


@main.command()
@click.option("--from", "start", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The day that does not count.")
@click.option("--working-days", required=True, type=click.IntRange(1, 2500))
@click.option("--region", default="CN", show_default=True, help="Of the shipped calendars.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@command
def due(start: datetime, working_days: int, region: str, as_json: bool) -> None:
    """The day on which a limit of working days ends. Needs nothing running."""
    from domain.calendar import from_published
    from infra.rules import SHIPPED_REGION, shipped_regions

    shipped = shipped_regions()
    if region not in shipped:
        fail(f"unknown-region: found {region}; needed one of {', '.join(sorted(shipped))}")
    calendar = from_published(shipped[name] for name in dict.fromkeys((SHIPPED_REGION, region)))
    first, last = date(min(calendar.moved).year, 1, 1), LAST_START
    if not first <= start.date() <= last:
        # A year before the first notice would silently be counted Monday to Friday.
        fail(f"outside-calendar: found {start.date()}; needed a day from {first} to {last}")
    day: date = calendar.add_working_days(start.date(), working_days)
    tentative, source = calendar.is_tentative(day), shipped[region].source
    if as_json:
        click.echo(
            json.dumps(
                {"due": day.isoformat(), "tentative": tentative, "calendar": calendar.version, "source": source},
                ensure_ascii=False,
            )
        )
    else:
        note = "  tentative 暂定: that year's notice is not out" if tentative else ""
        click.echo(f"{day.isoformat()} {day:%a}  calendar {calendar.version} ({source}){note}")


# ---- what is published


WHO = (
    click.option("--actor", required=True, help="Your staff id."),
    click.option("--role", required=True, help="The role in which you act, for example manager."),
)


def _as_somebody(run: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(WHO):
        run = option(run)
    return run


@main.group()
def contract() -> None:
    """The event contract: what outside teams may rely on. Its documents are files, and served under /contract."""


@contract.command("check")
@command
def contract_check() -> None:
    """Whether the published documents are what the program says; exit 1 where one is not."""
    from api.contract import published

    stale = published.stale(published.published_examples())
    for path in stale:
        say(f"not what the program says: {path}")
    sys.exit(1 if stale else 0)


@contract.command("write")
@click.argument("histories", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@command
def contract_write(histories: tuple[Path, ...]) -> None:
    """Write the documents anew. HISTORIES: files of CloudEvents JSON lines; the first event of a type is its example,
    where it has none yet. Refused, and nothing written, where readers would break."""
    from api.contract import published

    lines = (line for file in histories for line in file.read_bytes().splitlines())
    examples = published.first_of_each_type(lines) | published.published_examples()
    try:
        changed = published.write(examples)
    except published.ContractBroken as broken:
        fail(str(broken))
    for path in changed:
        say(f"written: {path}")


@main.group()
def calendar() -> None:
    """The working-day calendars: show them, try a notice, publish it."""


@calendar.command("load")
@click.argument("file", type=click.File("rb"))
@click.option("--region", default="CN", show_default=True, help="An overlay's region is named after what it lies over.")
@click.option("--version", "name", default=None, help="Left out: counted up.")
@click.option("--source", default=None, help="Which notice it is. Left out: the file's papers, or its name.")
@click.option("--dry-run", is_flag=True, help="Publish nothing; list every open deadline that would move.")
@click.option("--actor", default="operator", show_default=True, help="Your staff id.")
@click.option("--role", default="operator", show_default=True, help="The role in which you act.")
@command
def calendar_load(
    file: BinaryIO, region: str, name: str | None, source: str | None, dry_run: bool, actor: str, role: str
) -> None:
    """Publish a year's notice from FILE, in the form of the holiday-cn data set. Open deadlines move."""
    from infra import office

    wanted = office.calendar_wanted(file.read(), file.name, region=region, source=source, version=name)
    with office.at_the_office(_located()) as service:
        lines = (
            office.try_calendar(service, wanted)
            if dry_run
            else office.publish_calendar(service, wanted, office.stamp(actor, role))
        )
        for line in lines:
            click.echo(line)


@calendar.command("show")
@command
def calendar_show() -> None:
    """Which calendars are published, until when they are settled, and what is missing."""
    from infra import office

    with office.at_the_office(_located()) as service:
        for line in office.show_calendars(service):
            click.echo(line)


@main.group()
def standard() -> None:
    """The published promises and everything that goes with them."""


@standard.command("draft")
@click.argument("file", type=click.File("rb"))
@_as_somebody
@command
def standard_draft(file: BinaryIO, actor: str, role: str) -> None:
    """Draft the standard in FILE; a second person approves it."""
    from infra import office

    with office.at_the_office(_located()) as service:
        click.echo(office.draft_standard(service, file.read(), office.stamp(actor, role)))


@standard.command("approve")
@click.argument("version")
@_as_somebody
@command
def standard_approve(version: str, actor: str, role: str) -> None:
    """Approve the drafted standard VERSION: it is published."""
    from infra import office

    with office.at_the_office(_located()) as service:
        click.echo(office.approve_standard(service, version, office.stamp(actor, role)))


@main.group()
def fees() -> None:
    """The fee catalogue: drafted, reviewed by two authorities, published."""


@fees.command("draft")
@click.argument("file", type=click.File("rb"))
@_as_somebody
@command
def fees_draft(file: BinaryIO, actor: str, role: str) -> None:
    """Draft the catalogue in FILE."""
    from infra import office

    with office.at_the_office(_located()) as service:
        click.echo(office.draft_catalogue(service, file.read(), office.stamp(actor, role)))


@fees.command("review")
@click.argument("version")
@click.option("--authority", required=True, type=click.Choice(["price-authority", "market-regulator"]))
@click.option("--outcome", required=True, type=click.Choice(["agreed", "objected"]))
@click.option("--document", required=True, help="The number of the written opinion.")
@click.option("--actor", required=True, help="The reviewer's staff id.")
@command
def fees_review(version: str, authority: str, outcome: str, document: str, actor: str) -> None:
    """Record an authority's opinion of the drafted catalogue VERSION."""
    from infra import office

    with office.at_the_office(_located()) as service:
        who = office.stamp(actor, authority)
        click.echo(office.review_catalogue(service, version, outcome, document, who))


@fees.command("publish")
@click.argument("version")
@_as_somebody
@command
def fees_publish(version: str, actor: str, role: str) -> None:
    """Publish the catalogue VERSION that both authorities agreed to."""
    from infra import office

    with office.at_the_office(_located()) as service:
        click.echo(office.publish_catalogue(service, version, office.stamp(actor, role)))


# ---- the store itself


@main.group()
def store() -> None:
    """The store of events."""


@store.command("recover")
@click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@click.option(
    "--new-generation", is_flag=True, help="Give up what was published since, and begin above every published position."
)
@click.option("--actor", default="operator", show_default=True, help="Your staff id; a new generation is on record.")
@click.option(
    "--keep",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="Where what is given up is kept; left out: a new file in the data directory.",
)
@click.option("--rebuild-billing", is_flag=True, help="Empty billing's books too, where they hold what is given up.")
@command
def store_recover(dry_run: bool, new_generation: bool, actor: str, keep: Path | None, rebuild_billing: bool) -> None:
    """Bring a store that was restored from an older backup level with Kafka. Everything else must be stopped.

    Appends back what was published since the backup, after checking that both agree up to there. What cannot come back
    from Kafka is named. With --new-generation what the store has not is given up, kept in a file, and the topics are
    made anew. Where PostgreSQL and Kafka are embedded, and nothing runs, they are started for it.
    """
    from infra import bootstrap, office
    from infra.up import parts_alone

    who = office.stamp(actor, "operator").actor
    with parts_alone(_settings(), say) as settings:
        lines = (
            bootstrap.begin_generation(settings, who, keep, rebuild_billing=rebuild_billing, dry_run=dry_run)
            if new_generation
            else bootstrap.recover_store(settings, dry_run=dry_run)
        )
        for line in lines:
            click.echo(line)


# ---- what is told to people


@main.group()
def outbox() -> None:
    """What is to be told to people: see what waits or was given up, and have it tried anew."""


@outbox.command("list")
@click.option("--state", type=click.Choice(["waiting", "sent", "proven", "dead"]), default=None)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@command
def outbox_list(state: str | None, limit: int) -> None:
    """The latest messages: id, state, way, attempts, and why the last one failed. Never to whom."""
    from psycopg.rows import dict_row

    from infra.outbox import desk

    with psycopg.connect(_located().database_url, connect_timeout=5, row_factory=dict_row) as connection:
        for line in desk.lines(desk.messages(connection, state, limit)):
            click.echo(line)


@outbox.command("retry")
@click.argument("message", required=False, type=click.UUID)
@click.option("--all-dead", is_flag=True, help="Everything that was given up.")
@command
def outbox_retry(message: UUID | None, all_dead: bool) -> None:
    """Try MESSAGE anew, which was given up."""
    from psycopg.rows import dict_row

    from infra.outbox import desk

    if (message is None) != all_dead:
        fail("bad-arguments: found neither or both; needed the id of a message, or --all-dead")
    with psycopg.connect(_located().database_url, connect_timeout=5, row_factory=dict_row) as connection:
        click.echo(f"{desk.retry(connection, message)} tried anew 已重新发送")


# ---- what auditors ask


@main.group()
def audit() -> None:
    """Doubt us and check: exports, checkpoints, proofs. `verify` and `verify-bundle` need nothing running."""


@audit.command("export")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new folder.")
@click.option(
    "--hashes-only",
    "families",
    multiple=True,
    type=click.Choice(FAMILIES),
    help="Of this family leaf hashes alone, for who may not read it; may be given again.",
)
@command
def audit_export(out: Path, families: tuple[str, ...]) -> None:
    """Write every topic of events, the checkpoints and the leaf hashes into a folder, from Kafka alone."""
    from consumers.notary.export import export

    for line in export(_kafka_located(), out, hashes_only=families):
        click.echo(line)


KEY = click.option(
    "--key", "keys", multiple=True, help="A public key, or a file with it, that the auditor kept; may be given again."
)


@audit.command("verify")
@click.option(
    "--file",
    "files",
    multiple=True,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="A folder that `audit export` wrote, a file of events, or the list of what a new generation gave up; may be "
    "given again.",
)
@click.option(
    "--checkpoint",
    "kept",
    multiple=True,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint that the auditor kept; may be given again.",
)
@KEY
@click.option(
    "--leaves",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Leaf hashes of an earlier export: they name what was altered since.",
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@command
def audit_verify(
    files: tuple[Path, ...], kept: tuple[Path, ...], keys: tuple[str, ...], leaves: tuple[Path, ...], as_json: bool
) -> None:
    """Whether an export is the log that was signed: nothing changed, removed, added, reordered, cut off.

    Each finding is named with position and case. Exit 1 where there is one; 3 where all stands, but for a break: a new
    generation of the store between the kept checkpoint and the export, which is named.
    """
    from consumers.notary import verify as verifying
    from consumers.notary.export import gather
    from consumers.notary.note import read_note, verify_keys

    found = gather(files)
    evidence = verifying.Evidence(
        [read_note(path.read_text(encoding="utf-8")) for path in kept],
        found.notes,
        [*(path.read_bytes() for path in leaves), *found.leaves],
        [key for text in keys for key in verify_keys(text)],
    )
    report = verifying.with_cases(verifying.verify(found.files, evidence), found.files)
    for line in [verifying.as_json(report)] if as_json else verifying.describe(report):
        click.echo(line)
    sys.exit(report.exit_code)


@audit.command("bundle")
@click.argument("case")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new folder, or a new file named ….zip.")
@click.option(
    "--since",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint that the auditor kept: the bundle shows that the log went on from it.",
)
@command
def audit_bundle(case: str, out: Path, since: Path | None) -> None:
    """Everything about CASE (id or number) to hand over: events, schemas, checkpoint, proofs, a page to read."""
    from api.contract.published import schemas
    from consumers.notary.bundle import bundle
    from consumers.notary.note import read_note
    from projections import names

    facts = {
        name.split(".")[2]: str(schema["x-title-zh"]) for name, schema in schemas().items() if "x-title-zh" in schema
    }
    words = {**names.COMMITMENTS, **names.CHANNELS, **names.REASONS, **facts}
    kept = read_note(since.read_text(encoding="utf-8")) if since is not None else None
    for line in bundle(_kafka_located(), case, out, schemas=schemas(), words=words, since=kept):
        click.echo(line)


@audit.command("verify-bundle")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--checkpoint",
    "kept",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint that the auditor kept.",
)
@KEY
@command
def audit_verify_bundle(path: Path, kept: Path | None, keys: tuple[str, ...]) -> None:
    """Whether a bundle says what was signed. Offline. Exit 1 where it does not."""
    from consumers.notary.bundle import verify_bundle
    from consumers.notary.note import read_note, verify_keys

    note = read_note(kept.read_text(encoding="utf-8")) if kept is not None else None
    said, well = verify_bundle(path, kept=note, keys=[key for text in keys for key in verify_keys(text)])
    for line in said:
        click.echo(line)
    sys.exit(0 if well else 1)


@audit.command("keys")
@command
def audit_keys() -> None:
    """The notary's public keys: the one in use on this machine, and those that the topic tells were handed over to."""
    from consumers.notary.keys import Keys
    from consumers.notary.published import public_keys, read_logs

    settings = _kafka_located()
    current = Keys(settings).current()
    click.echo(f"in use here: {current.public}" if current is not None else "in use here: none")
    for log in read_logs(settings):
        for size, key in public_keys(log.notes):
            click.echo(f"{log.origin} from {size} events on: {key}")


@audit.command("rotate-key")
@command
def audit_rotate_key() -> None:
    """Lay down a new key beside the old one; the notary hands over to it at once, signing with both."""
    from consumers.notary.keys import Keys

    keys = Keys(_settings())
    say(f"a new key lies in {keys.next_file}; the running notary takes it up")
    click.echo(str(keys.lay_down_next().public))


# ---- what is counted, and replayed


DAY = click.DateTime(["%Y-%m-%d"])


@main.command()
@click.option("--from", "first", default=None, type=DAY, help="The first day in China; left out: from the beginning.")
@click.option("--to", "last", default=None, type=DAY, help="The last day, included; left out: until now.")
@click.option("--published", "beside", is_flag=True, help="Ours beside the figures that were published.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@command
def figures(first: datetime | None, last: datetime | None, beside: bool, as_json: bool) -> None:
    """Our own counts of a period, from the read models; applications by the day they came in."""
    from infra.service import open_service
    from projections.figures import figures as count
    from projections.figures_text import as_text

    if first is not None and last is not None and first > last:
        fail(f"dates-out-of-order: found {first.date()} to {last.date()}; needed a first day not later than the last")
    with contextlib.closing(open_service(_located())) as service:
        now = service.clock.now()
        customers = service.rules.in_force(now).customers
        with service.connection() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            found = count(connection, first and first.date(), last and last.date(), at=now, customers=customers)
    click.echo(as_text(found, beside=beside, as_json=as_json))


@main.command("what-if")
@click.option("--standard", "wanted", required=True, help="A file, or the name of a shipped example: four-days …")
@click.option("--from", "first", default=None, type=DAY, help="The first day in China; left out: from the beginning.")
@click.option("--to", "last", default=None, type=DAY, help="The last day, included; left out: until now.")
@click.option("--by", default="channel,district,class,crew", show_default=True, help="What to sum by besides.")
@click.option("--cases", default=20, show_default=True, type=click.IntRange(0, 10_000), help="How many to list.")
@click.option("--chart", type=click.Path(dir_okay=False, path_type=Path), help="Draw it into this .svg or .html.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, every change; the counts last.")
@command
def what_if(
    wanted: str,
    first: datetime | None,
    last: datetime | None,
    by: str,
    cases: int,
    chart: Path | None,
    as_json: bool,
) -> None:
    """Judge the cases that began in a period also by another standard; print what would be different.

    The file is a whole standard or, with "based_on", what differs from a published one; it is looked at as its draft
    would be. Nothing is written to store, topics, read models or the watch.
    """
    from domain.what_if import DIMENSIONS
    from projections.what_if import Period, trial
    from projections.what_if_chart import page, svg
    from projections.what_if_text import as_lines, json_lines

    dimensions = [each.strip() for each in by.split(",") if each.strip()]
    if strange := [each for each in dimensions if each not in DIMENSIONS]:
        fail(f"bad-parameter: found --by {strange[0][:40]}; needed some of {', '.join(DIMENSIONS)}")
    if chart is not None and chart.suffix not in (".svg", ".html"):
        fail(f"bad-parameter: found --chart {chart.name[:60]}; needed a name that ends with .svg or .html")
    period = Period(first.date() if first else None, last.date() if last else None)
    with trial(_located(), _trial_document(wanted), period) as found:
        told = []
        for line in json_lines(found) if as_json else as_lines(found, listed=cases, by=dimensions):
            click.echo(line)
            told += [] if as_json else [line]
    if chart is not None:
        drawn = svg(found, dimensions) if chart.suffix == ".svg" else page(found, told, dimensions)
        chart.write_text(drawn, encoding="utf-8")
        say(f"chart 图表: {chart}")


def _trial_document(wanted: str) -> bytes:
    """The file of that name, or the shipped example."""
    from infra.documents import FILE_LIMIT_BYTES
    from infra.rules import shipped_trials

    path, shipped = Path(wanted), shipped_trials()
    if not path.is_file():
        if wanted not in shipped:
            fail(f"no-such-file: found no {wanted[:80]}; needed a file, or one of {', '.join(sorted(shipped))}")
        return shipped[wanted]
    with path.open("rb") as file:
        return file.read(FILE_LIMIT_BYTES + 1)


@main.group()
def replay() -> None:
    """Play what happened again: one case from the store, or the published period through the rulebook."""


@replay.command("case")
@click.argument("case")
@click.option("--json", "as_json", is_flag=True, help="One JSON a line: the case after each of its events.")
@command
def replay_case(case: str, as_json: bool) -> None:
    """Fold CASE (id or number) anew from the store; after each event its stage and every window on record."""
    import msgspec

    from infra.service import open_service
    from projections import replay as replaying

    service = open_service(_located())
    try:
        found = replaying.replay_case(service, case)
    finally:
        service.close()
    if as_json:
        text = [msgspec.json.encode(step).decode() for step in found.steps]
    else:
        text = [*replaying.lines(found.steps), *replaying.to_come(found)]
    for line in text:
        click.echo(line)


@replay.command("published")
@click.option("--seed", default=225, show_default=True, help="Of everything that is made up.")
@click.option("--database", default=None, help="An empty database; left out: an embedded one that is gone afterwards.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@command
def replay_published(seed: int, database: str | None, as_json: bool) -> None:
    """Play the published period's 240 applications through the rulebook; our figures beside the published ones.

    Exit 1 where an application is not accounted for, or a step was refused that should not have been.
    """
    from infra.demo.replay import replay_published as play
    from infra.demo.replay import report

    found = play(_settings(), seed, database)
    click.echo(report(found, as_json=as_json))
    sys.exit(0 if found.is_accounted_for and not found.astray else 1)


@replay.command("tickets")
@click.option("--source", required=True, type=click.Choice(["boston", "kitchener"]), help="Whose order book it is.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--changes", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Kitchener's changes.")
@click.option("--limit", type=click.IntRange(1), default=None, help="Only so many of the first rows.")
@click.option("--database", default=None, help="An empty database, or one it was played on; left out: one for the run.")
@click.option("--watched", is_flag=True, help="Ask at every instant that falls due, not once all is told; slower.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@command
def replay_tickets(
    source: str, file: Path, changes: Path | None, limit: int | None, database: str | None, watched: bool, as_json: bool
) -> None:
    """Play the real municipal tickets in FILE (.csv, .csv.gz, .csv.xz) as imported history, each at its own date.

    Every row is opened, linked or refused with a reason. Exit 1 where the sums do not add up.
    """
    from infra.demo.tickets import boston, kitchener, report
    from infra.demo.tickets.run import replay as play

    if source == "boston" and changes is not None:
        fail("no-changes: found --changes for boston; needed none: its publisher kept no snapshots")
    book = boston.read_book(file, limit) if source == "boston" else kitchener.read_book(file, changes, limit)
    found = play(_settings(), book, database, watched=watched)
    click.echo(report.as_json(found) if as_json else report.as_text(found))
    sys.exit(0 if found.is_accounted_for else 1)


@main.command("compare-verdicts")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--limit", type=click.IntRange(1), default=None, help="Only so many of the first rows.")
@click.option("--database", default=None, help="An empty database; left out: one for the run.")
@click.option("--derive", is_flag=True, help="Only show how the limit of each kind is found in the due times.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@command
def compare_verdicts(file: Path, limit: int | None, database: str | None, derive: bool, as_json: bool) -> None:
    """Judge the City of Boston's tickets in FILE by the city's own rule, and compare with its own verdicts.

    Its calendar and standard are published as data; due times and verdicts are those on record. Exit 1 where a
    difference has no explanation.
    """
    import msgspec

    from infra.demo.tickets import verdicts

    if derive:
        for line in verdicts.derived(file):
            click.echo(line)
        return
    found = verdicts.compare(_settings(), file, limit, database)
    for line in [msgspec.json.encode(found).decode()] if as_json else verdicts.as_text(found):
        click.echo(line)
    sys.exit(0 if found.is_explained else 1)


# ---- what a reader could not read


def _with_reason(run: Callable[..., None]) -> Callable[..., None]:
    reason = click.option("--reason", required=True, help="Kept with it.")
    return click.option("--actor", required=True, help="Your staff id.")(reason(run))


@main.group("dead-letters")
def dead_letters() -> None:
    """死信 Records that a reader could not take: see them, and once the cause is mended have them applied after all."""


@dead_letters.command("list")
@click.option("--reader", default=None, help="Only this reader's.")
@click.option("--all", "every", is_flag=True, help="Those that are settled, too.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@command
def dead_letters_list(reader: str | None, every: bool, limit: int) -> None:
    """The newest: number, state, reader, topic/partition@offset, position, why, when. Exit 1 while one is open."""
    from infra import dead_letters as desk

    with _connection() as connection:
        found = desk.letters(connection, reader=reader, states=None if every else ("open", "again"), most=limit)
    for line in desk.lines(found):
        click.echo(line)
    sys.exit(1 if any(row["state"] in ("open", "again") for row in found) else 0)


@dead_letters.command("show")
@click.argument("number", type=int)
@click.option("--raw", "with_record", is_flag=True, help="The record itself too, from Kafka.")
@command
def dead_letters_show(number: int, with_record: bool) -> None:
    """All that is known of dead letter NUMBER."""
    from infra import dead_letters as desk

    settings = _located()
    with _connection() as connection:
        row = desk.letter(connection, number)
    for line in desk.details(row):
        click.echo(line)
    if with_record:
        record = desk.raw(settings, row)
        say("the record may hold personal data: copy it into no log, mail or ticket 记录可能含个人信息，请勿外传")
        click.echo(f"key {record.key!r}")
        for name, value in record.headers.items():
            click.echo(f"header {name}: {value!r}")
        click.echo(record.value if record.value is not None else "no value 无内容")


@dead_letters.command("repair")
@click.argument("number", type=int)
@_with_reason
@command
def dead_letters_repair(number: int, actor: str, reason: str) -> None:
    """Apply the event of NUMBER to its reader, from the store, once this program can read it: once, in its order."""
    from infra import bootstrap
    from infra import dead_letters as desk

    settings = _located()
    with _connection() as connection:
        desk.repair(connection, settings, number, bootstrap.menders(settings), by=actor, reason=reason)
    click.echo(f"dead letter {number} is repaired 死信已修复")


@dead_letters.command("resend")
@click.argument("number", type=int)
@_with_reason
@command
def dead_letters_resend(number: int, actor: str, reason: str) -> None:
    """Have the running reader try NUMBER once more; a meter reading is sent to its topic again."""
    from infra import dead_letters as desk

    settings = _located()
    with _connection() as connection:
        click.echo(f"dead letter {number}: {desk.mark(connection, settings, number, by=actor, reason=reason)}")


@dead_letters.command("resolve")
@click.argument("number", type=int)
@_with_reason
@command
def dead_letters_resolve(number: int, actor: str, reason: str) -> None:
    """Settle NUMBER without its event: it was none of ours, for example."""
    from infra import dead_letters as desk

    with _connection() as connection:
        desk.resolve(connection, number, by=actor, reason=reason)
    click.echo(f"dead letter {number} is resolved 死信已结案")


@dead_letters.command("release")
@click.argument("reader")
@_with_reason
@command
def dead_letters_release(reader: str, actor: str, reason: str) -> None:
    """Let READER go on, which the limit of dead letters has stopped; it may meet as many again."""
    from infra import dead_letters as desk

    with _connection() as connection:
        desk.release(connection, reader, by=actor, reason=reason)
    click.echo(f"the reader {reader} may go on 已放行")


def _connection() -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(_located().database_url, connect_timeout=5, autocommit=True)


# ---- billing


@main.group(invoke_without_command=True)
@click.pass_context
@command
def billing(context: click.Context) -> None:
    """计费 The billing consumer, where no command follows; a second one is a hot standby. Else: its books."""
    if context.invoked_subcommand is None:
        _run("run_billing")


@billing.command("status")
@command
def billing_status() -> None:
    """How the books stand. Exit 1 where they do not balance, something is odd, or a difference is open."""
    from consumers.billing import desk

    with _connection() as connection:
        lines, well = desk.status(connection)
    for line in lines:
        click.echo(line)
    sys.exit(0 if well else 1)


@billing.command("accounts")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@command
def billing_accounts(limit: int) -> None:
    """The newest accounts: number, case/point, meter, water on, contract, class, who answers for it, receivable."""
    from consumers.billing import desk

    with _connection() as connection:
        for line in desk.accounts(connection, most=limit):
            click.echo(line)


@billing.command("ledger")
@click.argument("case")
@command
def billing_ledger(case: str) -> None:
    """Every posting of CASE (id, number or account number) with the event it comes from, and the balances."""
    from consumers.billing import desk

    with _connection() as connection:
        for line in desk.case_ledger(connection, case):
            click.echo(line)


@billing.command("use")
@click.argument("account", type=int)
@command
def billing_use(account: int) -> None:
    """What there is to bill of ACCOUNT: each accepted reading with its use, and which of them are held."""
    from consumers.billing import desk

    with _connection() as connection:
        for line in desk.use(connection, account):
            click.echo(line)


@billing.command("reconcile")
@command
def billing_reconcile() -> None:
    """Compare the books with the store now: count, sum and hash for each kind and fee. Exit 1 where they differ."""
    from consumers.billing import reconcile

    with _connection() as connection:
        found = reconcile.reconcile_and_keep(connection, _located())
    for line in reconcile.lines(found):
        click.echo(line)
    sys.exit(1 if found.differences else 0)


@billing.command("differences")
@click.option("--all", "every", is_flag=True, help="Those that are settled, too.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
@command
def billing_differences(every: bool, limit: int) -> None:
    """What reconciliations found, each with its number."""
    from consumers.billing import desk

    with _connection() as connection:
        for line in desk.differences(connection, every=every, most=limit):
            click.echo(line)


@billing.command("resolve")
@click.argument("number")
@_with_reason
@command
def billing_resolve(number: str, actor: str, reason: str) -> None:
    """Settle the difference NUMBER, for example DZ-3. One that is still there is found again, under a new number."""
    from consumers.billing import reconcile

    digits = number.upper().removeprefix("DZ-")
    if not digits.isdecimal() or len(digits) > 18:
        fail(f"bad-arguments: found {number[:40]!r}; needed the number of a difference, for example DZ-3")
    with _connection() as connection:
        reconcile.resolve(connection, int(digits), by=actor, reason=reason)
    click.echo(f"DZ-{digits} is resolved 差异已结")


@billing.command("rebuild")
@command
def billing_rebuild() -> None:
    """Make the books anew from all topics, beside those in use, and put them in their place. Exit 1 where the new ones
    do not agree with the store: then the old ones stay."""
    from consumers.billing.rebuild import rebuild

    found = rebuild(_located(), say)
    for part, (rows, digest) in found.new.items():
        click.echo(f"{part:<10} {rows} rows 行  {digest}")
    if found.is_same:
        click.echo(f"build {found.build} says what the old books said 新旧账一致")
    else:
        click.echo(f"build {found.build} differs from the old books in 新旧账不同: {', '.join(found.changed)}")


# ---- one process each


def _process(name: str, what: str, runner: str) -> None:
    @main.command(name=name, help=what)
    @command
    def run() -> None:
        _run(runner)


def _run(runner: str) -> None:
    from infra import bootstrap

    settings = _located()
    bootstrap.start_logging(settings)
    getattr(bootstrap, runner)(settings)


_process("relay", "Publish the store to Kafka. Run two: one is active, the other stands by.", "run_relay")
_process("views", "A stream worker of the read models. Run as many as there are partitions.", "run_views")
_process("watch", "A stream worker of the window watch. Run as many as there are partitions.", "run_watch")
_process("readings", "A stream worker of the meter readings. Run as many as there are partitions.", "run_readings")
_process("sender", "The sender of notices and answers. Run as many as you like.", "run_sender")
_process("notary", "Sign checkpoints over the store. Run two: one is active, the other stands by.", "run_notary")
_process("api", "The HTTP API and the page.", "run_api")


if __name__ == "__main__":
    main()
