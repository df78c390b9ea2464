"""``tongshui audit export``: the topics as files that an auditor takes away, with the checkpoints and leaf hashes.

    topics/<topic>-<partition>.jsonl   every record's bytes, a line each, in order of position
    checkpoints.jsonl                  every signed note
    keep.checkpoint                    the newest note: the one to keep where nobody else can touch it
    leaves.bin                         the leaf hashes of the newest note's log, 32 bytes an event
    leaves-1.bin, …                    those of the logs before it, where the store has begun new generations

Repetitions, which a topic may hold, are left out by the reader's rule. A record that no reader would take, but that is
there, is written all the same: it is for the verifier to judge.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import msgspec

from consumers.notary.keys import NotaryRefusal
from consumers.notary.merkle import HASH_BYTES, leaf_hash
from consumers.notary.note import Note, NoteError, SignedCheckpoint, read_note
from consumers.notary.published import PublishedLog, read_logs
from consumers.notary.verify import Lines
from infra.kafka.cluster import Cluster, Partition, Record, chained_topics, consumer, logs, look_up_cluster, read_ranges
from infra.readers.record import Event, link_of
from infra.readers.rule import START, ReadPosition, apply
from infra.settings import Settings

KEEP = "keep.checkpoint"
CHECKPOINTS = "checkpoints.jsonl"
LEAVES = "leaves.bin"
PATIENCE_S = 30.0
TOPICS = "topics"


def export(settings: Settings, out: Path, *, hashes_only: Sequence[str] = ()) -> tuple[list[str], bool]:
    """Write everything into the folder ``out``, which must be new or empty. Returns what to tell, and whether every
    event that the newest checkpoint signs is there.

    ``hashes_only``: topics of which only leaf hashes are written, for an auditor without the right to read them.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise NotaryRefusal("folder-not-empty", found=f"{out}", needed="a new folder", next_step="name another one")
    (out / TOPICS).mkdir(parents=True)
    # Before the records: what is added meanwhile is behind the newest checkpoint, never missing before it.
    found = read_logs(settings)
    withheld = {settings.home_topic(topic) for topic in hashes_only}
    names = chained_topics(settings)
    cluster = look_up_cluster(settings, names)
    written = {
        p: _Writing(p, out / TOPICS / f"{p.topic}-{p.partition}.jsonl", p.topic in withheld) for p in cluster.partitions
    }
    newest = found[-1].newest.checkpoint if found else None
    home = [each for p, each in written.items() if p.topic != settings.breach_topic]
    whole = _read(settings, cluster, written, lambda: newest is None or _have(home, newest))
    for writing in written.values():
        writing.close()
    told = [f"{sum(each.records for each in written.values())} records of {len(names)} topics in {out}"]
    if not whole and newest is not None:
        told.append(
            f"the topics do not have every event up to position {newest.position}, which is signed: verify says which"
        )
    return told + write_checkpoints(out, found), whole and newest is not None


def _read(
    settings: Settings, cluster: Cluster, written: Mapping[Partition, _Writing], complete: Callable[[], bool]
) -> bool:
    """Read every partition to its end; while it is not complete, what comes in the next half minute, too: the notary
    signs what is stored, which the relay may still have under way. Whether it became complete."""
    deadline = time.monotonic() + PATIENCE_S
    begin: dict[Partition, int] = {}
    with consumer(settings, client_id="tongshui-audit", reset="none") as client:
        while True:
            where = logs(client, cluster, cluster.partitions)
            ranges = {p: (begin.get(p, its.first), its.end) for p, its in where.items()}
            for partition, records in read_ranges(client, ranges):
                written[partition].take(records)
            begin = {p: its.end for p, its in where.items()}
            if complete() or time.monotonic() > deadline:
                return complete()
            time.sleep(0.5)


def _have(home: Iterable[_Writing], checkpoint: SignedCheckpoint) -> bool:
    """Whether as many events are there as were signed. Which they are is for the verifier to say."""
    return sum(sum(position <= checkpoint.position for position in each.written) for each in home) >= checkpoint.size


def write_checkpoints(out: Path, found: Sequence[PublishedLog]) -> list[str]:
    """Write the notes and leaf hashes of every log that was found, the newest log's for the files of one."""
    if not found:
        return ["no checkpoint is published yet: is the notary running? (`tongshui status`)"]
    newest = found[-1].newest
    lines = [msgspec.json.encode({"note": note.whole}) for each in found for note in each.notes]
    (out / CHECKPOINTS).write_bytes(b"\n".join([*lines, b""]))
    (out / KEEP).write_text(newest.whole, encoding="utf-8")
    for number, each in enumerate(found, start=1):
        name = LEAVES if each is found[-1] else LEAVES.replace(".", f"-{number}.")
        (out / name).write_bytes(each.leaves[: each.newest.checkpoint.size * HASH_BYTES])
    follows = newest.checkpoint.follows
    broken = (
        []
        if follows is None
        else [
            f"the log follows {follows.origin}: who kept a checkpoint of that one is to verify with --key, and with "
            "--file for the list of what was given up"
        ]
    )
    return [
        *broken,
        f"newest checkpoint: {newest.checkpoint.size} events, position {newest.checkpoint.position}, "
        f"signed {newest.checkpoint.at.isoformat()}",
        f"keep {out / KEEP} where nobody else can touch it: what it covers cannot be altered unnoticed any more",
    ]


class _Writing:
    """One partition on its way into its file."""

    def __init__(self, partition: Partition, path: Path, withheld: bool) -> None:
        self.partition = partition
        self.withheld = withheld
        self.file: BinaryIO = path.open("wb")
        self.read_position: ReadPosition = START
        self.written: dict[int, bytes] = {}
        self.left: dict[tuple[int, bytes], Record] = {}
        self.records = 0
        self.line(msgspec.json.encode({"topic": partition.topic, "partition": partition.partition}))

    def line(self, text: bytes) -> None:
        self.file.write(text + b"\n")

    def take(self, records: Iterable[Record]) -> None:
        records = list(records)
        applied = apply(records, {self.partition: self.read_position})
        self.read_position = applied.read_positions.get(self.partition, self.read_position)
        for event in applied.events:
            self.event(event)
        for record in records:
            self.look(record)

    def event(self, event: Event) -> None:
        self.records += 1
        self.written[event.position] = _digest(event.raw)
        if self.withheld:
            self.line(msgspec.json.encode({"position": event.position, "leafhash": leaf_hash(event.raw).hex()}))
        else:
            self.line(event.raw)

    def look(self, record: Record) -> None:
        """Whatever is not a repetition of what was written is kept for the end."""
        value = record.value or b""
        link = link_of(record)
        if link is None:
            self.left[(-record.offset, b"")] = record
        elif self.written.get(link.position) != (digest := _digest(value)):
            self.left[(link.position, digest)] = record

    def close(self) -> None:
        for (position, digest), record in self.left.items():
            value = record.value or b""
            if position > 0 and self.written.get(position) == digest:
                continue  # held when it came, and taken later
            if position > 0 and b"\n" not in value and not self.withheld:
                self.line(value)
                self.records += 1
                continue
            told = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
            self.line(msgspec.json.encode({"foreign": {**told, "sha256": sha256(value).hexdigest()}}))
        self.file.close()


def _digest(value: bytes) -> bytes:
    return sha256(value).digest()[:16]


# ---- reading it back


@dataclass(frozen=True)
class Exported:
    """What was found in folders and files: records by file name, copies last; notes; leaf hashes."""

    files: Mapping[str, Lines]
    notes: Sequence[Note]
    leaves: Sequence[bytes]


def gather(paths: Iterable[Path]) -> Exported:
    """Read folders that ``export`` wrote, and single files. Raises NotaryRefusal "no-such-file" and NoteError."""
    files: list[Path] = []
    notes: list[Note] = []
    leaves: list[bytes] = []
    for path in paths:
        if not path.exists():
            raise NotaryRefusal(
                "no-such-file", found=f"{path}", needed="an export", next_step="`tongshui audit export`"
            )
        if path.is_dir():
            files += sorted((path / TOPICS).glob("*.jsonl")) or sorted(path.glob("*.jsonl"))
            notes += _notes(path / CHECKPOINTS)
            leaves += [each.read_bytes() for each in sorted(path.glob(LEAVES.replace(".", "*.")))]
        else:
            files.append(path)
    in_order = sorted(
        (path for path in files if path.name != CHECKPOINTS), key=lambda path: ("breach.v1" in path.name, str(path))
    )
    return Exported({str(path): Lines(path) for path in in_order}, notes, leaves)


def _notes(path: Path) -> list[Note]:
    if not path.exists():
        return []
    try:
        return [read_note(msgspec.json.decode(line)["note"]) for line in path.read_bytes().splitlines() if line.strip()]
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise NoteError(
            f"{path} with a line that is no note", 'lines of {"note": …}, as the export wrote them'
        ) from error
