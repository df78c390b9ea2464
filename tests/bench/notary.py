"""How fast an export is verified, on one core, beside bare hashlib over the same bytes; and how long a notary's start
takes until it may sign, with the frontier that it kept and without.

``python -m tests.bench.notary`` (BENCH_EVENTS, one million by default; the starts are of BENCH_START_EVENTS, 300,000).
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from consumers.notary.export import LEAVES, TOPICS, gather
from consumers.notary.merkle import HASH_BYTES, Frontier, Tree, leaf_hash
from consumers.notary.notary import Notary, _Session
from consumers.notary.note import SignedCheckpoint, read_note, signed
from consumers.notary.verify import AuditEvidence, verify
from infra.embedded import EmbeddedPostgres
from infra.postgres.migrate import migrate
from infra.settings import Settings
from tests.audited import AT, ORIGIN, SIGNER, event
from tests.repeated import FOLDER as HISTORIES
from tests.repeated import append

EVENTS = int(os.environ.get("BENCH_EVENTS", "1000000"))
START_EVENTS = int(os.environ.get("BENCH_START_EVENTS", "300000"))
EACH = 12
FILES = 12
MORE = "x" * 330
"""So that an event has the 800 bytes that those of the demo have on average."""


def cases() -> Iterator[list[bytes]]:
    """Case by case, its events."""
    for number in range(EVENTS // EACH):
        case = UUID(int=number * 7_919 + 1)
        yield [event(number * EACH + version, case, version, note=MORE) for version in range(1, EACH + 1)]


def write(folder: Path) -> bytes:
    """Write the files; their leaf hashes."""
    (folder / TOPICS).mkdir(parents=True)
    files = [(folder / TOPICS / f"water.repair.v1-{number}.jsonl").open("wb") for number in range(FILES)]
    leaves = bytearray()
    for number, events in enumerate(cases()):
        for each in events:
            leaves += leaf_hash(each)
        files[number % FILES].write(b"".join(each + b"\n" for each in events))
    for file in files:
        file.close()
    (folder / LEAVES).write_bytes(leaves)
    return bytes(leaves)


def bare(folder: Path) -> tuple[float, int]:
    """Seconds of SHA-256 over every line, and the bytes."""
    begun, size = time.process_time(), 0
    for path in sorted((folder / TOPICS).glob("*.jsonl")):
        with path.open("rb") as file:
            for line in file:
                sha256(line).digest()
                size += len(line)
    return time.process_time() - begun, size


def starts() -> tuple[int, float, float]:
    """Events in a store, and seconds until a notary may sign: without a frontier, and with one."""
    home = Path(tempfile.mkdtemp(prefix="tsb-"))
    home.chmod(0o755)
    try:
        with EmbeddedPostgres(home / "postgres") as server:
            migrate(server.conninfo())
            settings = Settings(data_dir=home, database_url=server.conninfo(), kafka_bootstrap="127.0.0.1:1")
            with psycopg.connect(server.conninfo(), autocommit=True) as db:
                each = sum(path.read_bytes().count(b"\n") for path in HISTORIES.glob("*.jsonl"))
                count = append(db, START_EVENTS // each)
                first = _begun(settings, db)
                while first.round():
                    pass
                first.sign(None)
                with_it = _seconds(settings, db)
                db.execute("DELETE FROM notary.frontiers")
                return count, _seconds(settings, db), with_it
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _begun(settings: Settings, db: psycopg.Connection[Any]) -> _Session:
    row = db.execute("SELECT generation FROM store.log_head").fetchone()
    assert row is not None
    session = _Session(Notary(settings), db, row[0])
    session.begin()
    return session


def _seconds(settings: Settings, db: psycopg.Connection[Any]) -> float:
    begun = time.monotonic()
    _begun(settings, db)
    return time.monotonic() - begun


def main() -> None:
    stored, without_it, with_it = starts()
    with tempfile.TemporaryDirectory(prefix="tsb-") as home:
        folder = Path(home) / "export"
        leaves = write(folder)
        count = len(leaves) // HASH_BYTES
        note = read_note(signed(SignedCheckpoint(ORIGIN, count, Tree(leaves).root(count), count, AT), [SIGNER]))
        hashing, size = bare(folder)
        found = gather([folder])
        begun = time.process_time()
        report = verify(found.files, AuditEvidence([note], keys=[SIGNER.public], leaves=found.leaves))
        verifying = time.process_time() - begun
        assert report.stands, report.findings[:3]
        begun = time.process_time()
        frontier = Frontier()
        for at in range(0, len(leaves), HASH_BYTES):
            frontier.add(leaves[at : at + HASH_BYTES])
        growing = time.process_time() - begun
        assert frontier.root() == note.checkpoint.root
    print(f"{count} events, {size / count:.0f} bytes each, one core (CPU seconds)")
    print(f"bare hashlib over the lines   {hashing:6.1f} s   {count / hashing:9.0f} events/s")
    print(f"tongshui audit verify         {verifying:6.1f} s   {count / verifying:9.0f} events/s")
    print(f"a start over {stored} stored events: {without_it:.2f} s without a frontier, {with_it:.3f} s with one")
    print(f"the notary's tree alone       {growing:6.1f} s   {count / growing:9.0f} events/s")


if __name__ == "__main__":
    main()
