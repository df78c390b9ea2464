"""An audited log without any server: events as the store has them, an export of them, and notes over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid5

import msgspec

from api.contract import published
from consumers.notary.export import TOPICS, Exported, gather, write_checkpoints
from consumers.notary.merkle import Tree, leaf_hash
from consumers.notary.note import Note, SignedCheckpoint, Signer, read_note, signed
from consumers.notary.published import PublishedLog
from consumers.notary.verify import AuditEvidence, AuditReport, verify, with_cases
from consumers.notary.wording import Wording
from infra.kafka.cluster import route

AT = datetime(2026, 9, 16, 1, 0, tzinfo=UTC)
ORIGIN = "tongshui/5a0c7a4e-0000-4000-8000-000000000001"
WORDING = Wording(published.editions().words, published.editions().schemas, published.schemas())
SIGNER = Signer("tongshui", b"\1" * 32)
CASES = [UUID(int=number * 7_919) for number in range(1, 8)]
NAMES = ("water.repair.WorkLogged.v1", "water.repair.WindowLapsed.v1")
PARTITIONS = 3


def event(position: int, case: UUID, version: int, **data: object) -> bytes:
    """An event's bytes, as the store closes them."""
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": str(uuid5(case, str(version))),
            "source": "/tongshui",
            "type": NAMES[version % len(NAMES)],
            "subject": str(case),
            "time": "2026-02-13T01:02:03.123456Z",
            "datacontenttype": "application/json",
            "caseversion": version,
            "actor": "crew-1",
            "role": "crew",
            "channel": "crew-phone",
            "commandid": "c",
            "correlationid": "k",
            "data": data,
            "position": position,
            "recordedat": "2026-02-13T01:02:03.500000Z",
        }
    )


def events(number: int, **data: object) -> list[bytes]:
    """So many events, round robin over the cases; index 0 is position 1."""
    return [
        event(
            position,
            CASES[position % len(CASES)],
            (position + len(CASES) - 1) // len(CASES) + (position % len(CASES) == 0),
            **data,
        )
        for position in range(1, number + 1)
    ]


def note_over(log: Sequence[bytes], size: int | None = None, signer: Signer = SIGNER) -> Note:
    """The note that the notary would sign over the first ``size`` events."""
    size = len(log) if size is None else size
    root = Tree(b"".join(leaf_hash(each) for each in log)).root(size)
    return read_note(signed(SignedCheckpoint(ORIGIN, size, root, size, AT), [signer]))


def write_topics(folder: Path, log: Sequence[bytes]) -> None:
    """The files of an export with the records of the topics."""
    (folder / TOPICS).mkdir(parents=True, exist_ok=True)
    lines: dict[str, list[bytes]] = {}
    for each in log:
        said = msgspec.json.decode(each)
        for partition in route(said["type"], said["subject"], PARTITIONS):
            header = msgspec.json.encode({"topic": partition.topic, "partition": partition.partition})
            lines.setdefault(f"{partition.topic}-{partition.partition}.jsonl", [header]).append(each)
    for name, found in lines.items():
        (folder / TOPICS / name).write_bytes(b"\n".join([*found, b""]))


@dataclass
class Audited:
    """An export in a folder. What an auditor kept is ``kept``, outside it."""

    folder: Path
    log: list[bytes]
    sizes: Sequence[int] = ()
    signer: Signer = SIGNER
    kept: list[Note] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.write(self.log, self.signer)
        self.kept = self.kept or [note_over(self.log)]

    def write(self, log: Sequence[bytes], signer: Signer = SIGNER) -> None:
        """Write the whole export anew, as the tool would write what the topics hold."""
        write_topics(self.folder, log)
        notes = [note_over(log, size, signer) for size in (*self.sizes, len(log))]
        leaves = bytearray(b"".join(leaf_hash(each) for each in log))
        write_checkpoints(self.folder, [PublishedLog(ORIGIN, notes, leaves)])

    def file_of(self, position: int, *, copy: bool = False) -> tuple[Path, int]:
        """The file, and the line's index in it, of the event at a position."""
        for path in sorted((self.folder / TOPICS).glob("*.jsonl")):
            for index, line in enumerate(path.read_bytes().splitlines()):
                if ("breach" in path.name) == copy and msgspec.json.decode(line).get("position") == position:
                    return path, index
        raise LookupError(position)

    def gathered(self) -> Exported:
        return gather([self.folder])

    def verify(
        self, *, signer: Signer | None = SIGNER, leaves: Sequence[bytes] = (), others: bool = True
    ) -> AuditReport:
        """As ``tongshui audit verify`` does it."""
        found = self.gathered()
        evidence = AuditEvidence(
            self.kept,
            found.notes if others else (),
            [*leaves, *found.leaves],
            [signer.public] if signer is not None else [],
        )
        return with_cases(verify(found.files, evidence), found.files)
