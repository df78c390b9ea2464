"""What is done about evidence while nobody asks: events that were not told yet, the scanner asked again, what is past
its term or was erased destroyed for good, uploads that nobody goes on with thrown away."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import DictRow

from domain.evidence import evidence
from domain.evidence.classes import CLASSES, class_with
from domain.evidence.evidence import EvidenceFile, PurgeReason
from infra.eventstore.commands import Command, Snapshot, Stamp, StreamEvent
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import evidence_stream
from infra.evidence.objects import object_name
from infra.evidence.scanner import scan
from infra.evidence.sealing import DamagedError
from infra.repeating import repeating
from infra.sql import sql

log = logging.getLogger(__name__)

LOOK_EVERY_S = 3600.0
BATCH = 200
UNFINISHED_HOURS = 24
"""A file that was being stored so long ago, and is not, was given up."""


@dataclass(slots=True)
class Done:
    """What was done, counted in files; uploads in uploads."""

    told: int = 0
    released: int = 0
    infected: int = 0
    past_term: int = 0
    objects_deleted: int = 0
    uploads_dropped: int = 0

    @property
    def words(self) -> str:
        """What was done, for people; empty where nothing was."""
        said = ((each.name.replace("_", " "), getattr(self, each.name)) for each in fields(self))
        return ", ".join(f"{name} {count}" for name, count in said if count)


def keep_up(service: Service) -> Done:
    """All of it, once. Raises psycopg's errors, ObjectsUnavailableError, and what ``Service.submit`` says. May be
    killed at any point, run twice at once, and run again."""
    done = Done()
    _drop_old_uploads(service, done)
    _ask_scanner(service, done)
    _end_terms(service, done)
    done.told = tell_all(service)
    _delete_objects(service, done)
    return done


def keeping_up(service: Service, *, every_s: float = LOOK_EVERY_S) -> AbstractContextManager[None]:
    """Do it from a thread while the body runs, at once and then every ``every_s`` seconds."""

    def once() -> None:
        if words := keep_up(service).words:
            log.info("evidence: %s", words)

    return repeating("evidence-upkeep", once, every_s)


# ---- events


def tell_all(service: Service) -> int:
    """Say every event about files that is not in the log yet; how many."""
    done = 0
    while True:
        with service.connection() as connection:
            rows = connection.execute(sql("evidence_untold"), {"most": BATCH}).fetchall()
        for row in rows:
            _tell(service, row, _by_program())
        done += len(rows)
        if len(rows) < BATCH:
            return done


def tell(service: Service, digest: str, stamp: Stamp) -> None:
    """Say the events about one file that are not in the log yet. Raises what ``Service.submit`` says."""
    with service.connection() as connection:
        rows = connection.execute(sql("evidence_untold_of"), {"digest": digest}).fetchall()
    for row in rows:
        _tell(service, row, stamp)


def _tell(service: Service, row: DictRow, stamp: Stamp) -> None:
    stream = evidence_stream(row["digest"])
    file = EvidenceFile(row["digest"], row["class"], row["size_bytes"], row["media_type"], row["case_id"])

    def decide(snapshot: Snapshot) -> list[StreamEvent]:
        ctx, state = snapshot.context(stamp), snapshot.of(stream)
        facts: tuple[Any, ...]
        if row["untold"] == "kept":
            facts = evidence.keep(state, ctx, file)
        else:
            facts = evidence.purge(state, file, _reason(row))
        return [(stream, ctx.event(fact)) for fact in facts]

    service.run(Command(stream, stamp, decide))
    with service.connection() as connection:
        connection.execute(sql("evidence_told"), row)


def _reason(row: Mapping[str, Any]) -> PurgeReason:
    return cast(PurgeReason, row["gone"] or "time-is-up")


def _by_program() -> Stamp:
    command_id = str(uuid4())
    return Stamp("evidence-upkeep", "system", "system", command_id, correlation_id=command_id)


# ---- what is over


def _drop_old_uploads(service: Service, done: Done) -> None:
    now = service.clock.now()
    before = now - timedelta(hours=service.settings.evidence_upload_hours)
    unfinished = now - timedelta(hours=max(UNFINISHED_HOURS, service.settings.evidence_upload_hours))
    with service.connection() as connection:
        dropped = connection.execute(sql("evidence_drop_old_uploads"), {"before": before}).fetchall()
        connection.execute(sql("evidence_unfinished"), {"before": unfinished})
    done.uploads_dropped = sum(row["completed_at"] is None for row in dropped)


def _ask_scanner(service: Service, done: Done) -> None:
    with service.connection() as connection:
        waiting = connection.execute(sql("evidence_waiting"), {"most": BATCH}).fetchall()
    for row in waiting:
        file = service.evidence.file(row["digest"])
        pieces = service.evidence.open(file) if file is not None else None
        if file is None or pieces is None:
            continue
        try:
            verdict = scan(service.settings, pieces)
        except DamagedError as error:
            log.warning("evidence %s: %s", file.digest, error)
            continue
        if verdict == "unreachable":
            return
        values = {"digest": file.digest, "generation": file.generation, "at": service.clock.now()}
        with service.connection() as connection, connection.transaction():
            if verdict == "clean":
                done.released += connection.execute(sql("evidence_release"), values).rowcount
            else:
                connection.execute(sql("evidence_infected"), values)
                done.infected += _destroy(connection, [file.digest], "infected")


def _end_terms(service: Service, done: Done) -> None:
    """End what is past its term: so long after it came, and after the last event of its case."""
    now = service.clock.now()
    for code in CLASSES:
        days = class_with(code, service.settings.evidence_most_mb, service.settings.evidence_keep_days).keep_days
        before = now - timedelta(days=days)
        after: dict[str, Any] = {"after_at": datetime(1, 1, 1, tzinfo=UTC), "after": ""}
        while True:
            with service.connection() as connection:
                values = {"class": code, "before": before, "most": BATCH, **after}
                rows = connection.execute(sql("evidence_old_links"), values).fetchall()
            for row in rows:
                if row["case_id"] is None or _last_event(service, row["case_id"], row["at"]) < before:
                    with service.connection() as connection, connection.transaction():
                        connection.execute(sql("evidence_end_link"), row)
                        done.past_term += _destroy(connection, [row["digest"]], "purged")
            if len(rows) < BATCH:
                break
            after = {"after_at": rows[-1]["at"], "after": rows[-1]["digest"]}


def _last_event(service: Service, case_id: UUID, otherwise: datetime) -> datetime:
    history = service.history(case_id)
    return (history[-1][0].recordedat or otherwise) if history else otherwise


def _destroy(connection: psycopg.Connection[DictRow], digests: list[str], state: str) -> int:
    """Destroy the keys of the files that no link holds any more; how many."""
    connection.execute(sql("evidence_lock_files"), {"digests": digests})
    found = connection.execute(sql("evidence_destroy"), {"digests": digests, "state": state}).fetchall()
    gone = [row["digest"] for row in found]
    connection.execute(sql("evidence_make_purges_untold"), {"digests": gone})
    if gone:
        connection.execute(sql("vault_make_rewrite_due"))
    return len(gone)


def _delete_objects(service: Service, done: Done) -> None:
    while True:
        with service.connection() as connection:
            rows = connection.execute(sql("evidence_to_delete"), {"most": BATCH}).fetchall()
        for row in rows:
            for generation in row["objects_to_delete"]:
                service.evidence.objects.delete(object_name(row["digest"], generation))
                with service.connection() as connection:
                    connection.execute(sql("evidence_deleted"), {"digest": row["digest"], "generation": generation})
                done.objects_deleted += 1
        if len(rows) < BATCH:
            return


def status(service: Service) -> dict[str, Any]:
    """Files and bytes by state, objects still to delete, uploads that go on, reads."""
    with service.connection() as connection:
        rows = connection.execute(sql("evidence_counts")).fetchall()
        uploads = connection.execute(sql("evidence_upload_counts")).fetchone()
    assert uploads is not None
    return {
        "files": {row["state"]: {"files": row["files"], "bytes": row["bytes"]} for row in rows},
        "objects_to_delete": sum(row["to_delete"] for row in rows),
        "open_uploads": {"uploads": uploads["open"], "bytes": uploads["bytes"]},
        "reads": uploads["reads"],
    }
