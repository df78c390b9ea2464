"""``tongshui notary``: signs, every few seconds in which something was added, what the store holds up to then.

It hashes the stored bytes in order of position and signs the root. Checkpoints are rows first, with the leaf hashes
that came since the one before, and are published from the rows: a topic made anew is filled again.

The frontier of its tree is kept with each checkpoint. A start takes it where it gives the root that a key of ours has
signed, and reads only what came since: so whatever it signs is the continuation of what it signed before, also where
somebody has changed old events of the store. It looks for these while it runs, a little at a time: the whole store is
held against every checkpoint that it ever signed, and a difference ends it. The whole store is read before anything is
signed where the frontier is not what was signed, where it is not there, and where the notary refused to sign before.

A database that was restored has lost rows, and perhaps the file beside the key is of yesterday too: the topic still
has every checkpoint. The notary takes back from it what it lacks, before it signs, and holds the store against it. A
store that was not recovered, or not all of it, is refused. A new generation of the store is a log of its own, each of
whose checkpoints names the log that it follows and from where on that one was given up; it is not begun before the
topic was read.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from kafka import KafkaProducer
from kafka.errors import KafkaError

from consumers.notary.keys import Keys, NotaryRefusal
from consumers.notary.merkle import HASH_BYTES, Frontier, Tree, leaf_hash
from consumers.notary.note import (
    Follows,
    Note,
    SignedCheckpoint,
    Signer,
    VerifyKey,
    follows,
    generation_of,
    read_note,
    signed,
    verify_key,
)
from consumers.notary.published import Published, last_note, logs_of, read_published, trust_of
from infra.kafka.auxiliary_topics import FIRST_LEAF, LEAVES, TEXT
from infra.kafka.cluster import client_config, ensure_checkpoint_topic
from infra.postgres.connections import connect
from infra.settings import Settings
from infra.sql import sql

log = logging.getLogger(__name__)

LOCK = 225_000_004
"""Advisory lock of the one active notary of a database."""
ROWS = 2_000
NOTES = 100
POLL_S = 0.5
LOOK_S = 30.0
"""How often the topic is asked how far it is."""
AGAIN_S = 5.0
LONGEST_PAUSE_S = 2.0

KEY_STEP = "restore it from its backup; or `tongshui audit rotate-key`, and hand auditors the new key"

Database = psycopg.Connection[Any]


class Notary:
    """The notary of one installation. Database, cluster and keys are those of the settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.keys = Keys(settings)
        self.size = 0
        """How many events are in the log that it has hashed."""
        self.signed_position = 0
        """Up to which position it has signed."""

    def run(self, stop: threading.Event) -> None:
        """Sign until ``stop`` is set. Waits while another notary is active, and while a part is away.

        Raises NotaryRefusal: "log-rewritten", "log-has-a-hole", "store-behind", and what is wrong with its keys.
        """
        pause_s = 0.1
        while not stop.is_set():
            try:
                with connect(self.settings) as db:
                    pause_s = 0.1
                    if _lead(db, stop):
                        self._sessions(db, stop)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                log.warning("notary: PostgreSQL does not answer (%s); trying again in %.1f s", error, pause_s)
                stop.wait(pause_s)
                pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    def _sessions(self, db: Database, stop: threading.Event) -> None:
        publisher = _Publisher(self.settings, db)
        try:
            self._sign_on(db, publisher, stop)
        except NotaryRefusal as refusal:
            log.error("notary: refuses to sign: %s", refusal)
            db.execute(sql("notary_note_refusal"), {"refusal": str(refusal)})
            raise
        finally:
            publisher.close()

    def _sign_on(self, db: Database, publisher: _Publisher, stop: threading.Event) -> None:
        """One session after the other: a new generation of the store is a log of its own."""
        while not stop.is_set():
            session = _Session(self, db, _generation(db))
            while not publisher.look_back(session) and session.needs_topic():
                if stop.wait(AGAIN_S):
                    return
            session.begin()
            db.execute(sql("notary_note_refusal"), {"refusal": None})
            while not stop.is_set() and _generation(db) == session.generation:
                idle = not session.round()
                publisher.publish()
                if idle:
                    stop.wait(min(POLL_S, self.settings.notary_every_s))


def _generation(db: Database) -> UUID:
    row = db.execute(sql("generation")).fetchone()
    if row is None:
        raise psycopg.OperationalError("store.log_head has no row; run `tongshui migrate`")
    found: UUID = row[0]
    return found


def _lead(db: Database, stop: threading.Event) -> bool:
    """Wait to be the active notary. False: stopped meanwhile."""
    while not stop.is_set():
        row = db.execute(sql("try_notary_lock"), {"lock": LOCK}).fetchone()
        if row is not None and row[0]:
            return True
        stop.wait(0.25)
    return False


class _Session:
    """One generation's log: what was hashed of it, and what is not signed yet."""

    def __init__(self, notary: Notary, db: Database, generation: UUID) -> None:
        self.notary = notary
        self.settings = notary.settings
        self.db = db
        self.generation = generation
        self.origin = f"{self.settings.notary_name}/{generation}"
        self.frontier = Frontier()
        self.position = 0
        self.without: list[tuple[int, int]] = []
        self.follows: Follows | None = None
        self.published: Note | None = None
        """The largest of its log that is on the topic and that one of our own keys has signed."""
        self.unsigned: list[bytes] = []
        self.last_leaf = b""
        self.signed_at = 0.0
        self.looking: Iterator[None] = iter(())
        """What was signed before this session is held against the store in steps, one in each round."""

    # ---- what the topic has

    def needs_topic(self) -> bool:
        """Whether it must not begin without: a generation that followed another one, and has no log yet."""
        begun = self.db.execute(sql("notary_log"), {"generation": self.generation}).fetchone() is not None
        return not begun and self.forked_behind() is not None

    def forked_behind(self) -> int | None:
        """Up to where this generation has what the one before had; None: it is the first."""
        row = self.db.execute(sql("notary_generation"), {"generation": self.generation}).fetchone()
        return int(row[0]) if row is not None else None

    def take_back(self, published: list[Published]) -> None:
        """Make rows again of what the topic has, where its leaf hashes lead to what a key of ours has signed.

        Raises NotaryRefusal "key-lost" and "key-handed-over".
        """
        keys = self.notary.keys
        ours = [signer.public for signer in (keys.current(), keys.following()) if signer is not None]
        if published and not ours:
            raise self.key_lost(f"{len(published)} checkpoints on {self.settings.checkpoint_topic}")
        self.refuse_old_key(published)
        known = self.known([each.note.whole for each in published])
        missing = [each for each in published if each.note.whole not in known]
        for log_ in logs_of(published):
            trust = trust_of(ours, [each.note for each in published], log_.origin)
            said = max((n for n in log_.notes if trust.has_signed(n)), key=_size, default=None)
            if said is not None and log_.origin == self.origin:
                self.published = said
            mine = [each for each in missing if each.note.checkpoint.origin == log_.origin]
            if said is not None and mine:
                self.rows_of(mine, said, bytes(log_.leaves))

    def refuse_old_key(self, published: list[Published]) -> None:
        """Keys are restored from a backup too: one that was handed over since counts no more, and must not sign."""
        current = self.notary.keys.current()
        if current is None or self.notary.keys.following() is not None:
            return
        for note in (each.note for each in published):
            named = note.checkpoint.next_key
            if named is not None and note.signed_by(current.public) and not _is_key(named, current.public):
                raise NotaryRefusal(
                    "key-handed-over",
                    found=f"a key in {self.notary.keys.folder} that was handed over with the checkpoint of "
                    f"{note.checkpoint.size} events, to {named}",
                    needed="the key that signs since then",
                    next_step=KEY_STEP,
                )

    def known(self, notes: list[str]) -> set[str]:
        return {row[0] for row in self.db.execute(sql("notary_known"), {"notes": notes})}

    def rows_of(self, lost: list[Published], said: Note, leaves: bytes) -> None:
        """The rows of one log that are not there. ``said``: by which its leaf hashes are judged."""
        tree = Tree(leaves)
        proven = said.checkpoint.size if tree.size >= said.checkpoint.size else -1
        if proven < 0 or tree.root(proven) != said.checkpoint.root:
            log.error("notary: the leaf hashes of %s on the topic are not what was signed", said.checkpoint.origin)
            return
        back = [
            each
            for each in lost
            if each.note.checkpoint.size <= proven
            and tree.root(each.note.checkpoint.size) == each.note.checkpoint.root
            and each.leaves == leaves[each.first * HASH_BYTES : each.first * HASH_BYTES + len(each.leaves)]
        ]
        generation, newest = generation_of(said.checkpoint.origin), said.checkpoint
        if not back or generation is None:
            return
        holes = newest.without if generation != self.generation else self.holes()
        with self.db.transaction():
            self.db.execute(
                sql("notary_know_log"),
                {
                    "generation": generation,
                    "follows": str(newest.follows) if newest.follows is not None else None,
                    "firsts": [first for first, _ in holes],
                    "lasts": [last for _, last in holes],
                },
            )
            for each in back:
                self.save(generation, each.note, each.first, each.leaves)
        log.warning("notary: took %d checkpoints of %s back from the topic", len(back), newest.origin)

    # ---- beginning

    def begin(self) -> None:
        """Hash what was signed before, and hold it against every note. Raises NotaryRefusal."""
        last = self.notary.keys.last()
        self.begin_log(last)
        mine = last is not None and last.checkpoint.origin == self.origin
        if last is not None and not mine:
            log.warning("notary: the log %s is followed by %s", last.checkpoint.origin, self.origin)
        behind = self.begin_at_frontier(last if mine else None)
        stored = self.frontier.copy()
        with self.db.transaction(), self.db.cursor(name="notes") as rows:
            rows.execute(sql("notary_notes"), {"generation": self.generation, "least": self.frontier.size})
            for row in rows:
                behind = self.stands(read_note(row[0]), behind)
                stored = self.frontier.copy()
                self.unsigned.clear()
        # It is the last row's own, or of rows that a restored database has lost: these are made again.
        for note in (last if mine else None, self.published):
            if note is not None:
                self.stands_too(note, stored, behind)
        self.need_key()
        self.notary.size, self.notary.signed_position = self.frontier.size, self.position
        log.info("notary: %s stands at %d events, position %d", self.origin, self.frontier.size, self.position)

    def begin_at_frontier(self, last: Note | None) -> int:
        """Stand where the last checkpoint was signed, without reading the store up to there. Returns its position;
        0: the store must be read. ``last``: the note of this log beside the key.

        Counts only what gives the root of a note that a key of ours has signed, and whose last event is in the store.
        """
        row = self.db.execute(sql("notary_frontier"), {"generation": self.generation}).fetchone()
        refusal = self.db.execute(sql("notary_refusal")).fetchone()
        if refusal is not None and refusal[0] is not None:
            log.warning("notary: it refused to sign before; the whole store is read first")
            return 0
        if row is None:
            return 0
        size, peaks, last_leaf = int(row[0]), bytes(row[1]), bytes(row[2])
        try:
            kept = Frontier.of(size, peaks)
        except ValueError as error:
            return self.read_again(f"no frontier: {error}")
        note = self.signed_of_size(size, last)
        if note is None:
            return self.read_again(f"of {size} events, and no checkpoint of that size that a key of ours has signed")
        if kept.root() != note.checkpoint.root:
            return self.read_again(f"of {size} events, and does not give the root that was signed")
        position = note.checkpoint.position
        found = self.db.execute(sql("notary_events"), {"after": position - 1, "most": 1}).fetchone()
        if found is None or found[0] != position or leaf_hash(bytes(found[1])) != last_leaf:
            return self.read_again(f"of {size} events, and its last one is not in the store at position {position}")
        self.frontier, self.position, self.last_leaf = kept, position, last_leaf
        self.looking = self.look_behind(size)
        return position

    def read_again(self, found: str) -> int:
        """Throw the frontier away, and say so: it is only kept to save time."""
        log.error("notary: the frontier that was kept is %s; it is thrown away and the whole store is read", found)
        self.db.execute(sql("notary_forget_frontier"), {"generation": self.generation})
        return 0

    def signed_of_size(self, size: int, last: Note | None) -> Note | None:
        """A note of this log with that size that a key of ours has signed: the row's, the one beside the key, or the
        topic's."""
        keys = self.notary.keys
        ours = [signer.public for signer in (keys.current(), keys.following()) if signer is not None]
        row = self.db.execute(sql("notary_note_of_size"), {"generation": self.generation, "size": size}).fetchone()
        notes = (read_note(row[0]) if row is not None else None, last, self.published)
        mine = [note for note in notes if note is not None and note.checkpoint.origin == self.origin]
        signed_ = (note for note in mine if _size(note) == size and any(note.signed_by(key) for key in ours))
        return next(signed_, None)

    def look_behind(self, most: int) -> Iterator[None]:
        """Hold the store against every checkpoint of up to ``most`` events, in steps. Raises NotaryRefusal."""
        other = _Session(self.notary, self.db, self.generation)
        other.without = self.without
        at, behind = (0, 0), 0
        while rows := self.db.execute(
            sql("notary_notes_behind"),
            {"generation": self.generation, "size": at[0], "number": at[1], "most": most, "limit": NOTES},
        ).fetchall():
            for size, number, text in rows:
                note, at = read_note(text), (size, number)
                for _ in other.steps_to(note):
                    other.unsigned.clear()
                    yield
                behind = other.must_stand(note, behind)
        log.info("notary: the whole store stands, %d events that were signed before this start", most)

    def begin_log(self, last: Note | None) -> None:
        """What this generation never had, and what it follows. Looked for once: a hole that comes later is a fault."""
        row = self.db.execute(sql("notary_log"), {"generation": self.generation}).fetchone()
        if row is not None:
            self.without = [(int(first), int(end)) for first, end in row[0]]
            self.follows = follows(row[1]) if row[1] is not None else None
            return
        self.without = self.holes()
        if self.without:
            log.error("notary: the log begins without positions %s; every checkpoint will say so", self.without)
        self.follows = self.log_before(last)
        self.db.execute(
            sql("notary_begin_log"),
            {
                "generation": self.generation,
                "follows": str(self.follows) if self.follows is not None else None,
                "firsts": [hole[0] for hole in self.without],
                "lasts": [hole[1] for hole in self.without],
            },
        )

    def holes(self) -> list[tuple[int, int]]:
        return [(int(first), int(last)) for first, last in self.db.execute(sql("notary_holes"))]

    def log_before(self, last: Note | None) -> Follows | None:
        """The log that this one follows, as it was signed last; None where nothing was. Raises NotaryRefusal."""
        shares = self.forked_behind()
        row = self.db.execute(sql("notary_before"), {"generation": self.generation}).fetchone()
        before = read_note(row[0]) if row is not None else None
        if (
            last is not None
            and last.checkpoint.origin != self.origin
            and (before is None or _size(last) > _size(before))
        ):
            before = last
        if shares is None or before is None:
            return None
        self.refuse_other_beginning(before.checkpoint, shares)
        said = before.checkpoint
        return Follows(said.origin, said.size, said.root, said.position, shares)

    def refuse_other_beginning(self, before: SignedCheckpoint, shares: int) -> None:
        """What both logs share must be what was signed, as far as there are rows to tell."""
        leaves = bytearray()
        for first, more in self.db.execute(sql("notary_leaves"), {"generation": generation_of(before.origin)}):
            if first * HASH_BYTES <= len(leaves):
                leaves[first * HASH_BYTES :] = more
        tree = Tree(bytes(leaves[: before.size * HASH_BYTES]))
        if tree.size < before.size or tree.root(before.size) != before.root:
            log.error("notary: without the leaf hashes of %s it is not compared with", before.origin)
            return
        # On a copy of this session: the log itself is hashed when it begins.
        other = _Session(self.notary, self.db, self.generation)
        other.without = self.without
        for position in (each for part in before.positions() for each in part if each <= shares):
            while other.position < position and other.take(ROWS):
                pass
            index = before.index_of(position)
            assert index is not None
            if other.unsigned[index : index + 1] != [tree.leaf(index)]:
                raise NotaryRefusal(
                    "log-rewritten",
                    found=f"other bytes than were signed at position {position}, before the new generation began",
                    needed=f"the log that the checkpoint of {before.size} events was signed over, up to {shares}",
                    next_step="keep everything as it is; export the topics and run `tongshui audit verify` on them",
                )

    def need_key(self) -> None:
        """A key is made once: where something was signed, the one that signed it must be there, or its follower."""
        keys = self.notary.keys
        if self.frontier.size and keys.current() is None and keys.following() is None:
            raise self.key_lost(f"{self.frontier.size} events signed as {self.origin}")

    def key_lost(self, found: str) -> NotaryRefusal:
        return NotaryRefusal(
            "key-lost",
            found=f"{found}, and no key in {self.notary.keys.folder}",
            needed="the key that signed them",
            next_step=KEY_STEP,
        )

    def stands_too(self, last: Note, stored: Frontier, behind: int) -> None:
        """Hold the store against a note that is in no row, too; and stand where the rows end."""
        size = last.checkpoint.size
        if size < stored.size:
            return  # the last row was written, and the file was not: the row was looked at
        leaf = self.last_leaf
        self.stands(last, behind)
        self.frontier, self.position, self.last_leaf = stored.copy(), behind, leaf
        self.unsigned.clear()

    def compare(self) -> None:
        """Hold what was hashed meanwhile against the topic, which could not be read when the session began."""
        other = _Session(self.notary, self.db, self.generation)
        other.published = self.published
        other.begin()

    def stands(self, note: Note, behind: int) -> int:
        """Hash up to a note and compare the root. Returns its position; ``behind``: of the last one that stands."""
        for _ in self.steps_to(note):
            pass
        return self.must_stand(note, behind)

    def steps_to(self, note: Note) -> Iterator[None]:
        """Hash up to a note's size, a step at a time. Raises NotaryRefusal "store-behind", "log-has-a-hole"."""
        wanted = note.checkpoint
        while self.frontier.size < wanted.size:
            if not self.take(min(ROWS, wanted.size - self.frontier.size)):
                raise NotaryRefusal(
                    "store-behind",
                    found=f"a store of {self.frontier.size} events, up to position {self.position}",
                    needed=f"the {wanted.size} events, up to position {wanted.position}, that were signed",
                    next_step="it was probably restored from a backup: `tongshui store recover`",
                )
            yield

    def must_stand(self, note: Note, behind: int) -> int:
        """Compare the root with a note's; its position. Raises NotaryRefusal "log-rewritten"."""
        wanted = note.checkpoint
        if self.frontier.root() != wanted.root:
            raise NotaryRefusal(
                "log-rewritten",
                found=f"other bytes than were signed, somewhere in positions {behind + 1} to {wanted.position}",
                needed=f"the log that the checkpoint of {wanted.size} events was signed over",
                next_step="keep everything as it is; export the topics and run `tongshui audit verify` on them",
            )
        return wanted.position

    # ---- signing

    def round(self) -> bool:
        """Take what was added, sign when it is time; look at a little of what was signed before. False: there was
        nothing to take."""
        taken = self.take(min(ROWS, self.settings.notary_every_events - len(self.unsigned)))
        due = time.monotonic() - self.signed_at >= self.settings.notary_every_s
        full = len(self.unsigned) >= self.settings.notary_every_events
        following = self.notary.keys.following()
        if full or (self.unsigned and due) or (following is not None and self.frontier.size):
            self.sign(following)
        self.notary.size = self.frontier.size
        if taken < ROWS:
            next(self.looking, None)
        return taken > 0

    def take(self, most: int) -> int:
        """Hash at most so many further events; how many there were. Raises NotaryRefusal at a hole."""
        cursor = self.db.cursor(binary=True)
        cursor.execute(sql("notary_events"), {"after": self.position, "most": most}, prepare=True)
        rows = cursor.fetchall()
        for position, state in rows:
            if position != self.next_position():
                raise NotaryRefusal(
                    "log-has-a-hole",
                    found=f"position {position} behind position {self.position}",
                    needed=f"position {self.next_position()}: positions have no gaps",
                    next_step="somebody removed an event from the store; see what Kafka has at that position",
                )
            leaf = leaf_hash(bytes(state))
            self.frontier.add(leaf)
            self.unsigned.append(leaf)
            self.position, self.last_leaf = position, leaf
        return len(rows)

    def next_position(self) -> int:
        found = self.position + 1
        for first, last in self.without:
            if first <= found <= last:
                found = last + 1
        return found

    def sign(self, following: Signer | None) -> None:
        """A row with the checkpoint. With a following key it is signed with both, and names it: the hand-over."""
        current = self.notary.keys.current()
        if current is None and following is None:
            current = self.notary.keys.make()
            log.warning("notary: a new key; auditors are to keep its public half: %s", current.public)
        without = tuple(hole for hole in self.without if hole[1] < self.position)
        next_key = str(following.public.named(self.origin)) if following is not None else None
        checkpoint = SignedCheckpoint(
            self.origin,
            self.frontier.size,
            self.frontier.root(),
            self.position,
            datetime.now(UTC),
            without,
            next_key,
            self.follows,
        )
        note = signed(checkpoint, [signer for signer in (current, following) if signer is not None])
        first, leaves = self.frontier.size - len(self.unsigned), b"".join(self.unsigned)
        with self.db.transaction():
            self.save(self.generation, read_note(note), first, leaves)
            self.keep_frontier()
        self.notary.keys.remember(note)
        if following is not None:
            self.notary.keys.take_up_next()
            log.warning("notary: handed over to the key %s", following.public)
        self.unsigned.clear()
        self.signed_at = time.monotonic()
        self.notary.signed_position = self.position

    def keep_frontier(self) -> None:
        """Keep where the tree is, for the next start."""
        kept = {"size": self.frontier.size, "peaks": self.frontier.peaks, "last_leaf": self.last_leaf}
        self.db.execute(sql("notary_keep_frontier"), {"generation": self.generation, **kept})

    def save(self, generation: UUID, note: Note, first: int, leaves: bytes) -> None:
        """A row for a checkpoint."""
        self.db.execute(
            sql("notary_save"),
            {
                "generation": generation,
                "size": note.checkpoint.size,
                "position": note.checkpoint.position,
                "note": note.whole,
                "first_leaf": first,
                "leaves": leaves,
            },
        )


def _size(note: Note) -> int:
    return note.checkpoint.size


def _is_key(text: str, key: VerifyKey) -> bool:
    return verify_key(text).public == key.public


class _Publisher:
    """Brings the rows to the topic, in order. Where it cannot, it tries again at the next round."""

    def __init__(self, settings: Settings, db: Database) -> None:
        self.settings = settings
        self.db = db
        self.producer: Any = None
        self.published = 0
        self.looked_at = 0.0
        self.again_at = 0.0
        self.not_compared: _Session | None = None

    def look_back(self, session: _Session) -> bool:
        """Give a session what the topic has. False: Kafka does not answer, and nothing is published before it did."""
        try:
            published = list(read_published(self.settings))
        except KafkaError as error:
            log.warning("notary: the topic cannot be read (%s: %s)", type(error).__name__, error)
            self.not_compared = session
            self.again_at = time.monotonic() + AGAIN_S
            return False
        self.not_compared = None
        session.take_back(published)
        return True

    def publish(self) -> None:
        """Publish what is not out yet. Now and then the topic itself is asked how far it is."""
        if time.monotonic() < self.again_at:
            return
        if self.not_compared is not None:
            session = self.not_compared
            if not self.look_back(session):
                return
            session.compare()
        try:
            if self.producer is None or time.monotonic() - self.looked_at >= LOOK_S:
                self.look()
            while rows := self.unpublished():
                for number, *row in rows:
                    self.send(number, *row)
        except KafkaError as error:
            log.warning("notary: checkpoints wait for Kafka (%s: %s)", type(error).__name__, error)
            self.close()
            # Asking a Kafka that is away takes seconds, in which nothing is signed.
            self.again_at = time.monotonic() + AGAIN_S

    def unpublished(self) -> list[tuple[Any, ...]]:
        return self.db.execute(sql("notary_unpublished"), {"after": self.published, "most": NOTES}).fetchall()

    def look(self) -> None:
        """Where the topic ends: it may have been made anew, or have lost its tail."""
        ensure_checkpoint_topic(self.settings)
        last = last_note(self.settings)
        self.published = 0
        if last is not None:
            wanted = last.checkpoint
            who = {"note": last.whole, "generation": generation_of(wanted.origin), "size": wanted.size}
            row = self.db.execute(sql("notary_number_of"), who).fetchone()
            self.published = int(row[0]) if row is not None else 0
        if self.producer is None:
            self.producer = KafkaProducer(
                **client_config(self.settings),
                client_id="tongshui-notary",
                acks="all",
                enable_idempotence=True,
                max_request_size=4 * 1024 * 1024,
                delivery_timeout_ms=self.settings.relay_delivery_timeout_ms,
                request_timeout_ms=self.settings.relay_request_timeout_ms,
                max_block_ms=self.settings.relay_request_timeout_ms,
                allow_auto_create_topics=False,
            )
        self.looked_at = time.monotonic()

    def send(self, number: int, note: str, first: int, leaves: bytes) -> None:
        headers = [
            (FIRST_LEAF, str(first).encode()),
            (LEAVES, bytes(leaves)),
            ("content-type", TEXT),
        ]
        key = note.partition("\n")[0].encode()
        future = self.producer.send(self.settings.checkpoint_topic, note.encode(), key, headers=headers, partition=0)
        # One after the other, each acknowledged: what is behind a failed one is not sent.
        future.get(timeout=self.settings.relay_delivery_timeout_ms / 1000 + 1)
        self.published = number

    def close(self) -> None:
        if self.producer is not None:
            with suppress(KafkaError):
                self.producer.close(timeout=1)
            self.producer = None
