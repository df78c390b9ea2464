"""What is on the topic of checkpoints: the notes, the leaf hashes that came with them, and the keys they hand on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from consumers.notary.merkle import HASH_BYTES
from consumers.notary.note import Note, NoteError, VerifyKey, read_note, verify_key
from infra.bus import Partition, Record, consumer, logs, look_up_cluster, read_ranges
from infra.settings import Settings
from infra.side_topics import FIRST_LEAF, LEAVES


@dataclass
class Log:
    """One log as the topic tells of it. ``leaves``: of its first events, as far as they follow on each other."""

    origin: str
    notes: list[Note] = field(default_factory=list)
    leaves: bytearray = field(default_factory=bytearray)

    @property
    def newest(self) -> Note:
        return max(self.notes, key=lambda note: note.checkpoint.size)

    def add(self, note: Note, first: int, leaves: bytes) -> None:
        self.notes.append(note)
        if first * HASH_BYTES <= len(self.leaves):
            self.leaves[first * HASH_BYTES : first * HASH_BYTES + len(leaves)] = leaves


def read_logs(settings: Settings) -> list[Log]:
    """Every log on the topic, in the order in which they began. A record that is no checkpoint is passed over: what
    counts of the others is what their signatures and hashes show."""
    found: dict[str, Log] = {}
    for record in _records(settings):
        try:
            note = read_note((record.value or b"").decode())
        except (NoteError, UnicodeDecodeError):
            continue
        first = record.headers.get(FIRST_LEAF, b"")
        known = found.setdefault(note.checkpoint.origin, Log(note.checkpoint.origin))
        known.add(note, int(first) if first.isdigit() and len(first) < 19 else 0, record.headers.get(LEAVES, b""))
    return list(found.values())


def last_note(settings: Settings) -> Note | None:
    """The note that the topic ends with; None where it is empty."""
    found = _records(settings, last=100)
    for record in reversed(found):
        try:
            return read_note((record.value or b"").decode())
        except (NoteError, UnicodeDecodeError):
            continue
    return None


def _records(settings: Settings, last: int | None = None) -> list[Record]:
    wanted = Partition(settings.checkpoint_topic, 0)
    cluster = look_up_cluster(settings, [wanted.topic])
    if not cluster.topics:
        return []
    with consumer(settings, client_id="tongshui-notary-look", reset="none") as client:
        where = logs(client, cluster, [wanted])[wanted]
        start = where.first if last is None else max(where.first, where.end - last)
        return [record for _, chunk in read_ranges(client, {wanted: (start, where.end)}) for record in chunk]


# ---- whose signatures count


@dataclass(frozen=True, slots=True)
class _Term:
    """A key, and the sizes of the log between which it signs."""

    key: VerifyKey
    first: int
    last: int | None = None

    def covers(self, size: int) -> bool:
        return self.first <= size and (self.last is None or size <= self.last)


class Trust:
    """The keys that a reader trusts, and those that these handed over to, each for its range of sizes of the log.

    A hand-over is a checkpoint that is signed by a trusted key and names the next one. From there on the old key counts
    no more: whoever stole it cannot sign what comes later.
    """

    def __init__(self, keys: Iterable[VerifyKey], notes: Iterable[Note]) -> None:
        self.terms = [_Term(key, 0) for key in keys]
        for note in sorted(notes, key=lambda each: each.checkpoint.size):
            if note.checkpoint.next_key is not None and self.has_signed(note):
                self._hand_over(note, verify_key(note.checkpoint.next_key))

    def has_signed(self, note: Note) -> bool:
        """Whether a trusted key has signed it, within that key's range."""
        return any(term.covers(note.checkpoint.size) and note.signed_by(term.key) for term in self.terms)

    def _hand_over(self, note: Note, following: VerifyKey) -> None:
        size = note.checkpoint.size
        self.terms = [
            _Term(term.key, term.first, size)
            if term.last is None and term.key.public != following.public and note.signed_by(term.key)
            else term
            for term in self.terms
        ]
        if not any(term.last is None and term.key.public == following.public for term in self.terms):
            self.terms.append(_Term(following, size))


def public_keys(notes: Sequence[Note]) -> list[tuple[int, str]]:
    """The keys that the log's notes hand over to, each with the size of the log from which it signs."""
    found = [(note.checkpoint.size, note.checkpoint.next_key) for note in notes]
    return [(size, key) for size, key in dict.fromkeys(found) if key is not None]
