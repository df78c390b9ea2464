"""``tongshui audit verify``: exported topics against a checkpoint that the auditor kept. Offline; asks nobody.

What is compared with is the root in the kept note: whoever rewrites store, topics, leaf hashes and newer checkpoints,
with whatever key, cannot make them lead to that root again. The rest only serves to name what is wrong: leaf hashes,
from the export or kept, are believed where they lead to the kept root, and then tell every single record.

Where the store was restored and began a new generation, the newer log says, signed, which one it follows and from where
on that one was given up. It is a break, and is named as one; what was kept is still compared with: leaf hashes, or the
operator's list of what was given up, must lead to the kept root together with what is in the export.
"""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from consumers.notary.merkle import HASH_BYTES, Tree, leaf_hash
from consumers.notary.note import Follows, Note, SignedCheckpoint, VerifyKey, generation_of
from consumers.notary.published import trust_of
from infra.decoders import decoder
from infra.kafka.cluster import BREACH_FACTS

NAMED = 1_000
"""Findings that are named one by one; of more only the number is told."""


OF_RECORDS = frozenset({"changed", "removed", "truncated", "added", "unreadable"})
"""Kinds of findings that explain a root that is not the signed one."""


class _Line(msgspec.Struct, frozen=True, gc=False):
    """What is read of a line: an event, the hash of one that was withheld, or what the export says of itself."""

    position: int = 0
    subject: str = ""
    caseversion: int = 0
    type: str = ""
    leafhash: str = ""
    topic: str = ""
    foreign: dict[str, Any] = {}
    value_base64: str = ""


class _Started(msgspec.Struct, frozen=True):
    """What the event says with which a generation began."""

    generation: str
    forked_behind: int
    begins_behind: int
    list_sha256: str


class _StartedLine(msgspec.Struct, frozen=True):
    data: _Started


_LINE = decoder(_Line)
_STARTED_LINE = decoder(_StartedLine)
STARTED = "water.public.GenerationStarted.v1"


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One thing that is wrong. ``position`` and ``case`` None where they cannot be known; ``last``: of a range."""

    kind: str
    """Of records: changed, removed, truncated, added, reordered, unreadable, copy-missing. Of the whole: rewritten,
    bad-checkpoint, bad-signature, break-unproven."""
    words: str
    position: int | None = None
    last: int | None = None
    case: str | None = None

    def __str__(self) -> str:
        where = "" if self.position is None else f" position {self.position}"
        where += f"–{self.last}" if self.last is not None and self.last != self.position else ""
        case = f" case {self.case}" if self.case else ""
        return f"{self.kind}:{where}{case}: {self.words}"


@dataclass(frozen=True, slots=True)
class Break:
    """A new generation of the store between a kept checkpoint and the export, as the notary signed it."""

    kept: SignedCheckpoint
    origin: str
    at: str
    shares: int
    """Up to this position the log that was kept goes on; what it has behind was given up."""
    proven: int
    """So many of the kept log's events are there, unchanged."""
    given_up: int
    """So many of them were signed, and are not in the log any more."""
    listed: bool
    """Whether the operator's list of them was given, and is what was signed."""

    def __str__(self) -> str:
        which = f"of the {self.kept.size} events that were kept, {self.proven} are proven up to position {self.shares}"
        lost = "none that was signed was given up"
        if self.given_up:
            lost = f"{self.given_up}, up to position {self.kept.position}, were given up: " + (
                "the list has them as they were signed" if self.listed else "what they were, only their hashes tell"
            )
        return f"break 断代: log {self.origin}, signed since {self.at}, follows the one that was kept; {which}; {lost}"


@dataclass
class AuditReport:
    """What came of it."""

    records: int = 0
    withheld: int = 0
    uncovered: int = 0
    """Records behind the newest checkpoint: not proven yet."""
    checkpoints: int = 0
    proven: int = 0
    """Events that are as they were when the kept checkpoint was signed, and all of those there were."""
    findings: list[AuditFinding] = field(default_factory=list)
    breaks: list[Break] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unnamed: int = 0

    @property
    def stands(self) -> bool:
        """Nothing is wrong, and the log is the one that was kept: a break, however well shown, is told apart."""
        return not self.findings and not self.breaks

    @property
    def exit_code(self) -> int:
        """0: verified; 3: verified with a break; 1: not verified."""
        return 1 if self.findings else 3 if self.breaks else 0

    def find(self, finding: AuditFinding) -> None:
        if len(self.findings) < NAMED:
            self.findings.append(finding)
        else:
            self.unnamed += 1


# ---- what is there


class ExportRecords:
    """The records of an export, by position: their hashes, and what is wrong with them by themselves."""

    def __init__(self, limit: int, report: AuditReport) -> None:
        self.limit = limit
        """The last position that a checkpoint covers: nothing beyond takes memory, whatever it claims."""
        self.report = report
        self.leaves = bytearray((limit + 1) * HASH_BYTES)
        self.has = bytearray(limit + 1)
        self.versions: dict[str, tuple[int, int]] = {}
        """case → (last version, its position)"""
        self.jumps: list[tuple[str, int, int, int]] = []
        """(case, missing version, position before it, position behind it)"""
        self.doubtful: dict[int, list[bytes]] = {}
        """position → further hashes that are claimed for it"""
        self.breaches: set[int] = set()
        self.copies: dict[int, bytes] | None = None
        """position → hash of the copy on the breach topic; None where that topic was not given"""
        self.given_up: dict[int, bytes] = {}
        """position → hash of the record, from the operator's list of what was given up"""
        self.lists: set[str] = set()
        """Digests of such lists"""
        self.started: dict[str, _Started] = {}
        """generation → what its first event says"""

    def read(self, lines: Iterable[bytes], name: str) -> None:
        """Take in one file. A topic's copies are to be read after the topics that they are copies of."""
        last, copies, given_up = 0, False, sha256()
        for number, raw in enumerate(lines, start=1):
            line = raw.removesuffix(b"\n")
            try:
                said = _LINE.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                if line.strip():
                    self.report.find(
                        AuditFinding("unreadable", f"line {number} of {name} is no record, or a part of one")
                    )
                continue
            if said.value_base64:
                given_up.update(raw)
                self.take_given_up(said, f"line {number} of {name}")
                continue
            if said.position <= 0:
                copies = self.take_other(said, number, name) or copies
                continue
            if self.take(said, line, last, copies, f"line {number} of {name}"):
                last = said.position
        self.lists.add(given_up.hexdigest())

    def take_given_up(self, said: _Line, where: str) -> None:
        """A record that a new generation gave up, as the operator kept it."""
        try:
            raw = base64.b64decode(said.value_base64, validate=True)
            position = _LINE.decode(raw).position
        except (binascii.Error, ValueError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.report.find(AuditFinding("unreadable", f"{where} is no record that was given up"))
            return
        if self.given_up.setdefault(position, leaf_hash(raw)) != leaf_hash(raw):
            self.report.find(
                AuditFinding("added", f"{where} is a second, different record that was given up", position)
            )

    def take_other(self, said: _Line, number: int, name: str) -> bool:
        """A line that is no event. True: a topic of copies begins here."""
        if said.foreign:
            self.report.find(
                AuditFinding("added", f"line {number} of {name} tells of a record that no relay of ours wrote")
            )
        elif not said.topic:
            self.report.find(AuditFinding("unreadable", f"line {number} of {name} has no position"))
        elif said.topic.endswith("breach.v1"):
            self.copies = {} if self.copies is None else self.copies
            return True
        return False

    def take(self, said: _Line, line: bytes, last: int, copies: bool, where: str) -> bool:
        """One record. False where it stands out of the order of its file."""
        position = said.position
        self.report.records += 1
        if position > self.limit:
            self.report.uncovered += 1
            return position > last
        leaf = _withheld(said) if said.leafhash else leaf_hash(line)
        at = position * HASH_BYTES
        if position <= last:
            self.out_of_order(position, last, leaf, copies, where, said.subject or None)
        if copies and self.copies is not None:
            # A copy never stands for the record that it is a copy of.
            self.copies[position] = leaf
            return position > last
        if self.has[position]:
            if self.leaves[at : at + HASH_BYTES] != leaf:
                self.doubtful.setdefault(position, []).append(leaf)
            return position > last
        self.leaves[at : at + HASH_BYTES] = leaf
        self.has[position] = 1
        if said.leafhash:
            self.report.withheld += 1
        else:
            self.follow(said, where)
            if said.type == STARTED:
                self.take_started(line, where)
        return position > last

    def take_started(self, line: bytes, where: str) -> None:
        try:
            said = _STARTED_LINE.decode(line).data
        except msgspec.DecodeError:
            self.report.find(AuditFinding("unreadable", f"{where} does not say which generation began"))
            return
        self.started[said.generation] = said

    def out_of_order(self, position: int, last: int, leaf: bytes, copies: bool, where: str, case: str | None) -> None:
        before = self.copies.get(position) if copies and self.copies is not None else self.leaf(position)
        if before == leaf:
            self.report.find(AuditFinding("added", f"{where} comes a second time", position, case=case))
        elif position < last:
            self.report.find(AuditFinding("reordered", f"{where} stands behind position {last}", position, case=case))

    def follow(self, said: _Line, where: str) -> None:
        """A case's versions have no gap: that tells whose event is missing."""
        version, before = self.versions.get(said.subject, (0, 0))
        if said.caseversion == version + 1:
            self.versions[said.subject] = (said.caseversion, said.position)
        elif said.caseversion <= version:
            words = f"{where} is version {said.caseversion} of a case that has it already"
            self.report.find(AuditFinding("added", words, said.position, case=said.subject or None))
        else:
            self.jumps += [
                (said.subject, missing, before, said.position) for missing in range(version + 1, said.caseversion)
            ][:NAMED]
            self.versions[said.subject] = (said.caseversion, said.position)
        if ".Window" in said.type and said.type.split(".")[2] in BREACH_FACTS:
            self.breaches.add(said.position)

    def leaf(self, position: int) -> bytes:
        return bytes(self.leaves[position * HASH_BYTES : (position + 1) * HASH_BYTES])

    def log(self, checkpoint: SignedCheckpoint) -> bytes:
        """The leaf hashes of the log that a checkpoint is of, zeros for what is missing."""
        ranges = [each for each in checkpoint.positions() if len(each)]
        return b"".join(self.leaves[each.start * HASH_BYTES : each.stop * HASH_BYTES] for each in ranges)


def _withheld(said: _Line) -> bytes:
    try:
        found = bytes.fromhex(said.leafhash)
    except ValueError:
        return b"\0" * HASH_BYTES
    return found if len(found) == HASH_BYTES else b"\0" * HASH_BYTES


# ---- against the checkpoints


@dataclass(frozen=True)
class AuditEvidence:
    """What an auditor brings. ``kept``: the notes that nobody else could touch. ``others``: those of the export.
    ``leaves``: leaf hashes, from wherever. ``keys``: none: signatures are not looked at."""

    kept: Sequence[Note]
    others: Sequence[Note] = ()
    leaves: Sequence[bytes] = ()
    keys: Sequence[VerifyKey] = ()


def verify(files: Mapping[str, Iterable[bytes]], evidence: AuditEvidence) -> AuditReport:
    """Compare an export, file by file, with what was kept. Files are read once, those of copies last."""
    report = AuditReport()
    logs = _counting(evidence, report)
    notes = logs[-1]
    kept = [note for note in notes if note in evidence.kept]
    # Of a log that began behind a break nothing may be kept: its own newest note has to do, which is signed.
    base, newest = (kept or notes)[-1].checkpoint, notes[-1].checkpoint
    found = ExportRecords(newest.position, report)
    for name, lines in files.items():
        found.read(lines, name)
    log = found.log(newest)
    tree = Tree(log)
    believed = _believed(evidence, base)
    _compare(found, log, base, newest, believed, report)
    wrong = [note for note in notes if tree.root(note.checkpoint.size) != note.checkpoint.root]
    if wrong and not {finding.kind for finding in report.findings} & OF_RECORDS:
        report.find(_rewritten(kept, notes, wrong))
    true = (believed, base) if believed is not None else (log, newest)
    _check_copies(found, newest, lambda position: _leaf(*true, position), report)
    if kept and kept[-1] not in wrong:
        report.proven = base.size
    _check_breaks(logs, found, evidence, report)
    return report


def _counting(evidence: AuditEvidence, report: AuditReport) -> list[list[Note]]:
    """The notes that count, log by log: from the one that was kept to the newest that follows it, each log's by size.

    A note that nobody trusted has signed is named, and does not count.
    """
    every = list({note.whole: note for note in (*evidence.kept, *evidence.others)}.values())
    signed = _signed(every, evidence.keys)
    chain = _chain([note for note in every if note.whole in signed], evidence.kept, report)
    logs = []
    for origin in chain:
        mine = sorted((each for each in every if each.checkpoint.origin == origin), key=lambda n: n.checkpoint.size)
        report.checkpoints += len(mine)
        for note in mine if evidence.keys else ():
            if note.whole not in signed:
                size, at = note.checkpoint.size, note.checkpoint.position
                words = f"the checkpoint of {size} events has no signature of a key that counts for it"
                report.find(AuditFinding("bad-signature", words, at))
        # What was kept is compared with in any case: it is the auditor's own.
        logs.append([note for note in mine if not evidence.keys or note.whole in signed or note in evidence.kept])
    if other := {note.checkpoint.origin for note in every} - set(chain):
        report.notes.append(f"checkpoints of other logs were passed over: {', '.join(sorted(other))}")
    for first, last in logs[-1][-1].checkpoint.without:
        report.notes.append(f"positions {first} to {last} are no part of this log, as its checkpoints say")
    if not evidence.keys:
        report.notes.append("no key was given: signatures were not checked, the kept checkpoint was taken as it is")
        _refuse_unsigned_follower(every, chain[-1], report)
    return logs


def _signed(every: Sequence[Note], keys: Sequence[VerifyKey]) -> set[str]:
    """Those that a key has signed which counts for their log; none where no key was given."""
    trusts = {origin: trust_of(keys, every, origin) for origin in {note.checkpoint.origin for note in every}}
    return {note.whole for note in every if trusts[note.checkpoint.origin].has_signed(note)}


def _chain(signed: Sequence[Note], kept: Sequence[Note], report: AuditReport) -> list[str]:
    """The log that was kept, and those that follow it; of several that were kept, from the one that comes first."""
    after: dict[str, set[str]] = {}
    for note in signed:
        if note.checkpoint.follows is not None:
            after.setdefault(note.checkpoint.follows.origin, set()).add(note.checkpoint.origin)

    def from_here(origin: str) -> list[str]:
        found = [origin]
        while following := sorted(after.get(found[-1], set()) - set(found)):
            found.append(following[0])
        return found

    chain = max((from_here(note.checkpoint.origin) for note in kept), key=len)
    for origin in chain:
        if len(after.get(origin, ())) > 1:
            words = f"two logs are signed that follow {origin}: {', '.join(sorted(after[origin]))}"
            report.find(AuditFinding("bad-checkpoint", words))
    return chain


def _refuse_unsigned_follower(every: Sequence[Note], origin: str, report: AuditReport) -> None:
    for note in every:
        if note.checkpoint.follows is not None and note.checkpoint.follows.origin == origin:
            words = f"{note.checkpoint.origin} is said to follow the kept log; without a key nobody stands for that"
            report.find(AuditFinding("bad-signature", words))
            return


def _believed(evidence: AuditEvidence, base: SignedCheckpoint) -> bytes | None:
    """The leaf hashes that lead to the kept root; None where nobody brought such."""
    for leaves in evidence.leaves:
        cut = leaves[: base.size * HASH_BYTES]
        if len(cut) == base.size * HASH_BYTES and Tree(cut).root(base.size) == base.root:
            return leaves
    return None


def _compare(
    found: ExportRecords,
    log: bytes,
    base: SignedCheckpoint,
    newest: SignedCheckpoint,
    believed: bytes | None,
    report: AuditReport,
) -> None:
    """Name what is missing and, by leaf hashes that are believed, what is not as it was."""
    _name_missing(found, newest, report)
    if believed is None:
        for position, claims in sorted(found.doubtful.items()):
            words = (
                f"{len(claims) + 1} different records claim this position; the leaf hashes would tell which is the one"
            )
            report.find(AuditFinding("added", words, position))
        return
    for position in _positions_that_differ(log, believed, base):
        true = _leaf(believed, base, position)
        if not found.has[position]:
            continue
        if true in found.doubtful.get(position, ()):
            report.find(AuditFinding("added", "a record that was never signed comes before the one that was", position))
        else:
            report.find(AuditFinding("changed", "is not what was signed", position))
    for position, claims in sorted(found.doubtful.items()):
        if any(claim != _leaf(believed, base, position) for claim in claims):
            report.find(AuditFinding("added", "a second, different record claims this position", position))


def _leaf(leaves: bytes, checkpoint: SignedCheckpoint, position: int) -> bytes:
    index = checkpoint.index_of(position)
    return b"" if index is None else leaves[index * HASH_BYTES : (index + 1) * HASH_BYTES]


def _positions_that_differ(log: bytes, believed: bytes, base: SignedCheckpoint) -> Iterator[int]:
    """By halves: a million equal hashes are compared in some milliseconds."""
    positions = (
        [position for each in base.positions() for position in each] if base.without else range(1, base.size + 1)
    )

    def differ(first: int, end: int) -> Iterator[int]:
        if log[first * HASH_BYTES : end * HASH_BYTES] == believed[first * HASH_BYTES : end * HASH_BYTES]:
            return
        if end - first == 1:
            yield positions[first]
            return
        middle = (first + end) // 2
        yield from differ(first, middle)
        yield from differ(middle, end)

    if base.size:
        yield from differ(0, base.size)


def _name_missing(found: ExportRecords, newest: SignedCheckpoint, report: AuditReport) -> None:
    """Every run of positions without a record; with the case, where the versions of one tell."""
    for wanted in newest.positions():
        first = wanted.start
        while 0 <= (first := found.has.find(0, first, wanted.stop)) < wanted.stop:
            end = found.has.find(1, first, wanted.stop)
            last = (end if end > 0 else wanted.stop) - 1
            if last == newest.position:
                words = (
                    f"the export ends at position {first - 1}; {last - first + 1} signed events are missing behind it"
                )
                report.find(AuditFinding("truncated", words, first, last))
            else:
                for finding in _removed(found, first, last):
                    report.find(finding)
            first = last + 1


def _removed(found: ExportRecords, first: int, last: int) -> Iterator[AuditFinding]:
    near = [jump for jump in found.jumps if jump[2] < last + 1 and jump[3] > first - 1]
    if first == last and len(near) == 1:
        case, version, _, _ = near[0]
        yield AuditFinding("removed", f"version {version} of the case is not in the export", first, case=case)
        return
    yield AuditFinding("removed", f"{last - first + 1} signed events are not in the export", first, last)
    for case, version, before, behind in near:
        words = f"version {version} of the case is not in the export; it stood between positions {before} and {behind}"
        yield AuditFinding("removed", words, max(first, before + 1), min(last, behind - 1), case=case)


def _check_copies(
    found: ExportRecords, newest: SignedCheckpoint, true: Callable[[int], bytes], report: AuditReport
) -> None:
    """The breach topic's records are those of the home topics, byte for byte. ``true``: the hash of what was signed."""
    if found.copies is None:
        return
    for position in sorted(found.breaches - found.copies.keys()):
        report.find(AuditFinding("copy-missing", "an event of the breach stream is not on its topic", position))
    for position, leaf in sorted(found.copies.items()):
        if newest.index_of(position) is None:
            report.find(AuditFinding("added", "a copy on the breach topic of what is no part of this log", position))
        elif found.has[position] and leaf != (true(position) or found.leaf(position)):
            report.find(AuditFinding("changed", "its copy on the breach topic is not the same", position))


def _rewritten(kept: Sequence[Note], notes: Sequence[Note], wrong: Sequence[Note]) -> AuditFinding:
    """Nothing is missing and all fits together, and it is not what was signed. What other notes than the kept ones say
    counts for nothing where a kept one does not stand: whoever rewrote the log wrote them too."""
    told = [note for note in kept if note in wrong]
    first = (told or wrong)[0].checkpoint
    standing = [note.checkpoint for note in (kept if told else notes) if note not in wrong]
    stood = max((checkpoint.position for checkpoint in standing if checkpoint.size < first.size), default=0)
    if told:
        words = (
            "the export is complete in itself and is not the log that was signed when the checkpoint was kept; "
            "leaf hashes from an earlier export (--leaves) would tell which records"
        )
        return AuditFinding("rewritten", words, stood + 1, first.position)
    if not kept:
        words = (
            f"the log that follows the kept one is not what its own checkpoint of {first.size} events was signed over"
        )
        return AuditFinding("bad-checkpoint", words, stood + 1, first.position)
    words = (
        f"the kept checkpoint stands, and the one of {first.size} events was not signed over what is in the export: "
        "it does not continue the log that was kept"
    )
    return AuditFinding("bad-checkpoint", words, stood + 1, first.position)


# ---- across a new generation of the store


def _check_breaks(
    logs: Sequence[Sequence[Note]], found: ExportRecords, evidence: AuditEvidence, report: AuditReport
) -> None:
    """What was kept of a log that others follow."""
    steps = [next(n for n in notes if n.checkpoint.follows is not None).checkpoint for notes in logs[1:]]
    for step in steps:
        _check_started(step, found, report)
    for at, notes in enumerate(logs[:-1]):
        for note in notes:
            if note in evidence.kept:
                _check_break(note.checkpoint, steps[at:], found, evidence, report)


def _followed(step: SignedCheckpoint) -> Follows:
    assert step.follows is not None
    return step.follows


def _check_break(
    kept: SignedCheckpoint,
    steps: Sequence[SignedCheckpoint],
    found: ExportRecords,
    evidence: AuditEvidence,
    report: AuditReport,
) -> None:
    """Lead to the kept root with what the export still has of the kept log and, behind that, with what was given up.

    Where that is not to be had, nothing of the kept checkpoint is shown: its root is of all events at once.
    """
    shares = min(kept.position, *(_followed(step).shares for step in steps))
    positions = [position for each in kept.positions() for position in each]
    still = sum(position <= shares for position in positions)
    given_up = positions[still:]
    here = b"".join(found.leaf(position) for position in positions[:still])
    believed = _believed(evidence, kept)
    listed = bool(given_up) and all(position in found.given_up for position in given_up)
    behind = b"".join(found.given_up[position] for position in given_up) if listed else b""
    shown = (not given_up or listed) and Tree(here + behind).root(kept.size) == kept.root
    if not shown and believed is not None:
        shown = _as_believed(here, behind, positions, believed, report)
    elif not shown:
        report.find(_not_shown(kept, shares, listed=listed or not given_up))
    step, said = steps[-1], _followed(steps[0])
    if said.size == kept.size and said.root != kept.root:
        words = f"the log {steps[0].origin} says that it follows another log than the one that was kept"
        report.find(AuditFinding("rewritten", words, 1, kept.position))
    proven = still if shown else 0
    report.proven = max(report.proven, proven)
    at = steps[0].at.isoformat()
    report.breaks.append(Break(kept, step.origin, at, shares, proven, len(given_up), listed and shown))


def _as_believed(here: bytes, behind: bytes, positions: Sequence[int], believed: bytes, report: AuditReport) -> bool:
    """Whether every record is what the leaf hashes say that lead to the kept root; names those that are not."""
    said = here + behind
    well = True
    for index, position in enumerate(positions[: len(said) // HASH_BYTES]):
        at = slice(index * HASH_BYTES, (index + 1) * HASH_BYTES)
        if said[at] == believed[at]:
            continue
        well = False
        if index * HASH_BYTES >= len(here):
            report.find(AuditFinding("changed", "the list of what was given up has not what was signed", position))
        elif any(said[at]):  # what is missing is named by itself
            report.find(AuditFinding("changed", "is not what was signed before the new generation began", position))
    return well


def _not_shown(kept: SignedCheckpoint, shares: int, *, listed: bool) -> AuditFinding:
    if listed:
        words = "what is here of the log that was kept, with what was given up of it, is not what was signed"
        return AuditFinding("rewritten", words, 1, kept.position)
    words = (
        "signed events were given up by a new generation of the store; without their leaf hashes (--leaves) or the "
        "operator's list of them (--file) the kept checkpoint shows nothing"
    )
    return AuditFinding("break-unproven", words, shares + 1, kept.position)


def _check_started(step: SignedCheckpoint, found: ExportRecords, report: AuditReport) -> None:
    """The log itself must say, in an event, what its checkpoints say of it."""
    said = found.started.get(str(generation_of(step.origin)))
    if said is None:
        if found.report.withheld:
            report.notes.append(f"the event with which {step.origin} began may be among those withheld: not compared")
        else:
            report.find(AuditFinding("bad-checkpoint", f"no event tells that the generation of {step.origin} began"))
        return
    if said.forked_behind != _followed(step).shares or not any(last == said.begins_behind for _, last in step.without):
        words = (
            f"{step.origin} began as its event tells behind position {said.forked_behind}, not as its checkpoints say"
        )
        report.find(AuditFinding("bad-checkpoint", words))
    listed = any(said.forked_behind < position <= said.begins_behind for position in found.given_up)
    if listed and said.list_sha256 not in found.lists:
        words = f"the list of what was given up is not the one with the digest {said.list_sha256} that is on record"
        report.find(AuditFinding("changed", words))


def cases_of(files: Mapping[str, Iterable[bytes]], positions: Iterable[int]) -> dict[int, str]:
    """Whose the records at these positions are, from a second reading."""
    wanted = set(positions)
    found: dict[int, str] = {}
    for lines in files.values() if wanted else ():
        for line in lines:
            try:
                said = _LINE.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            if said.position in wanted and said.subject:
                found.setdefault(said.position, said.subject)
    return found


def with_cases(report: AuditReport, files: Mapping[str, Iterable[bytes]]) -> AuditReport:
    """The report with the cases of what it names by position alone."""
    nameless = [
        f for f in report.findings if f.case is None and f.position is not None and f.last in (None, f.position)
    ]
    found = cases_of(files, [f.position for f in nameless if f.position is not None])
    report.findings = [_with_case(f, found.get(f.position or 0)) for f in report.findings]
    return report


def _with_case(finding: AuditFinding, case: str | None) -> AuditFinding:
    if finding.case is not None or case is None:
        return finding
    return AuditFinding(finding.kind, finding.words, finding.position, finding.last, case)


# ---- files


class Lines:
    """The lines of a file, as often as one likes, without holding it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            yield from file


def describe(report: AuditReport) -> list[str]:
    """The report as lines."""
    lines = [str(finding) for finding in report.findings]
    lines += [str(each) for each in report.breaks]
    if report.unnamed:
        lines.append(f"and {report.unnamed} findings more 另有未列出")
    lines += [f"note: {note}" for note in report.notes]
    counts = Counter(finding.kind for finding in report.findings)
    lines.append(
        f"{report.records} records, {report.withheld} as hashes only, {report.checkpoints} checkpoints; "
        f"{report.uncovered} records behind the newest checkpoint are not proven yet"
    )
    if report.stands:
        lines.append(f"verified 核验通过: the {report.proven} events that were signed are all there, and unchanged")
    elif not report.findings:
        lines.append(
            f"VERIFIED WITH A BREAK 核验通过，但有断代: {report.proven} of the events that were kept are there, and "
            "unchanged; the rest is named above. What came since rests on the signed log after it: keep its checkpoint"
        )
    else:
        told = ", ".join(f"{kind} {number}" for kind, number in sorted(counts.items()))
        lines.append(f"NOT VERIFIED 核验不通过: {told}")
    return lines


def as_json(report: AuditReport) -> str:
    """The report for scripts."""
    told = {
        "verified": report.stands,
        "records": report.records,
        "withheld": report.withheld,
        "checkpoints": report.checkpoints,
        "uncovered": report.uncovered,
        "proven": report.proven,
        "unnamed": report.unnamed,
        "breaks": [
            {
                "kept": {"log": b.kept.origin, "size": b.kept.size, "position": b.kept.position},
                "log": b.origin,
                "since": b.at,
                "shares": b.shares,
                "proven": b.proven,
                "given_up": b.given_up,
                "listed": b.listed,
            }
            for b in report.breaks
        ],
        "notes": report.notes,
        "findings": [
            {"kind": f.kind, "position": f.position, "last": f.last, "case": f.case, "words": f.words}
            for f in report.findings
        ],
    }
    return msgspec.json.encode(told).decode()
