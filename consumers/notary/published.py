"""What is on the topic of checkpoints: the notes, the leaf hashes that came with them, and the keys they hand on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from consumers.notary.merkle import HASH_BYTES
from consumers.notary.note import Note, NoteError, VerifyKey, read_note, verify_key
from infra.kafka.auxiliary_topics import FIRST_LEAF, LEAVES
from infra.kafka.cluster import Partition, Record, consumer, logs, look_up_cluster, read_ranges
from infra.settings import Settings


@dataclass
class PublishedLog:
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


@dataclass(frozen=True, slots=True)
class Published:
    """A record of the topic: a note, and the leaf hashes from index ``first`` on that came with it."""

    note: Note
    first: int
    leaves: bytes


def read_published(settings: Settings) -> Iterator[Published]:
    """Every note on the topic. A record that is no checkpoint is passed over: what counts of the others is what their
    signatures and hashes show."""
    for record in _records(settings):
        try:
            note = read_note((record.value or b"").decode())
        except (NoteError, UnicodeDecodeError):
            continue
        first = record.headers.get(FIRST_LEAF, b"")
        at = int(first) if first.isdigit() and len(first) < 19 else 0
        yield Published(note, at, record.headers.get(LEAVES, b""))


def logs_of(published: Iterable[Published]) -> list[PublishedLog]:
    """The logs that records are of, in the order in which they began."""
    found: dict[str, PublishedLog] = {}
    for each in published:
        origin = each.note.checkpoint.origin
        found.setdefault(origin, PublishedLog(origin)).add(each.note, each.first, each.leaves)
    return list(found.values())


def read_logs(settings: Settings) -> list[PublishedLog]:
    """Every log on the topic, in the order in which they began."""
    return logs_of(read_published(settings))


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

    def __init__(self, keys: Iterable[VerifyKey], notes: Iterable[Note], closed: Iterable[bytes] = ()) -> None:
        """``notes`` of one log. ``closed``: keys that an earlier log has handed over, and that count no more."""
        self._closed = frozenset(closed)
        self.terms = [_Term(key, 0) for key in keys if key.public not in self._closed]
        for note in sorted(notes, key=lambda each: each.checkpoint.size):
            if note.checkpoint.next_key is not None and self.has_signed(note):
                self._hand_over(note, verify_key(note.checkpoint.next_key))

    def has_signed(self, note: Note) -> bool:
        """Whether a trusted key has signed it, within that key's range."""
        return any(term.covers(note.checkpoint.size) and note.signed_by(term.key) for term in self.terms)

    @property
    def open(self) -> list[VerifyKey]:
        """The keys that sign what comes after the last of the notes."""
        return [term.key for term in self.terms if term.last is None]

    @property
    def closed(self) -> frozenset[bytes]:
        """The keys that were handed over, here or before."""
        handed = {term.key.public for term in self.terms if term.last is not None}
        return self._closed | (handed - {key.public for key in self.open})

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


def trust_of(keys: Iterable[VerifyKey], notes: Sequence[Note], origin: str) -> Trust:
    """Who counts for one log: the given keys, and what the logs that it says it follows have handed over."""
    given = list(keys)
    return _trust_of(given, notes, origin, frozenset())


def _trust_of(keys: Sequence[VerifyKey], notes: Sequence[Note], origin: str, beyond: frozenset[str]) -> Trust:
    mine = [note for note in notes if note.checkpoint.origin == origin]
    said = {note.checkpoint.follows.origin for note in mine if note.checkpoint.follows is not None}
    earlier = [_trust_of(keys, notes, each, beyond | {origin}) for each in sorted(said - beyond - {origin})]
    known = {key.public: key for key in (*keys, *(key for each in earlier for key in each.open))}
    return Trust(known.values(), mine, frozenset().union(*(each.closed for each in earlier)))


def public_keys(notes: Sequence[Note]) -> list[tuple[int, str]]:
    """The keys that the log's notes hand over to, each with the size of the log from which it signs."""
    found = [(note.checkpoint.size, note.checkpoint.next_key) for note in notes]
    return [(size, key) for size, key in dict.fromkeys(found) if key is not None]
