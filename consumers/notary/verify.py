"""``tongshui audit verify``: exported topics against a checkpoint that the auditor kept. Offline; asks nobody.

What is compared with is the root in the kept note: whoever rewrites store, topics, leaf hashes and newer checkpoints,
with whatever key, cannot make them lead to that root again. The rest only serves to name what is wrong: leaf hashes,
from the export or kept, are believed where they lead to the kept root, and then tell every single record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from consumers.notary.merkle import HASH_BYTES, Tree, leaf_hash
from consumers.notary.note import Checkpoint, Note, VerifyKey
from consumers.notary.published import Trust
from infra.bus import BREACH_FACTS

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


_LINE = msgspec.json.Decoder(_Line)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. ``position`` and ``case`` None where they cannot be known; ``last``: of a range."""

    kind: str
    """Of records: changed, removed, truncated, added, reordered, unreadable, copy-missing. Of the whole: rewritten,
    bad-checkpoint, bad-signature."""
    words: str
    position: int | None = None
    last: int | None = None
    case: str | None = None

    def __str__(self) -> str:
        where = "" if self.position is None else f" position {self.position}"
        where += f"–{self.last}" if self.last is not None and self.last != self.position else ""
        case = f" case {self.case}" if self.case else ""
        return f"{self.kind}:{where}{case}: {self.words}"


@dataclass
class Report:
    """What came of it."""

    records: int = 0
    withheld: int = 0
    uncovered: int = 0
    """Records behind the newest checkpoint: not proven yet."""
    checkpoints: int = 0
    proven: int = 0
    """Events that are as they were when the kept checkpoint was signed, and all of those there were."""
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unnamed: int = 0

    @property
    def stands(self) -> bool:
        return not self.findings

    def find(self, finding: Finding) -> None:
        if len(self.findings) < NAMED:
            self.findings.append(finding)
        else:
            self.unnamed += 1


# ---- what is there


class Found:
    """The records of an export, by position: their hashes, and what is wrong with them by themselves."""

    def __init__(self, limit: int, report: Report) -> None:
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

    def read(self, lines: Iterable[bytes], name: str) -> None:
        """Take in one file. A topic's copies are to be read after the topics that they are copies of."""
        last, copies = 0, False
        for number, raw in enumerate(lines, start=1):
            line = raw.removesuffix(b"\n")
            try:
                said = _LINE.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                if line.strip():
                    self.report.find(Finding("unreadable", f"line {number} of {name} is no record, or a part of one"))
                continue
            if said.position <= 0:
                copies = self.take_other(said, number, name) or copies
                continue
            if self.take(said, line, last, copies, f"line {number} of {name}"):
                last = said.position

    def take_other(self, said: _Line, number: int, name: str) -> bool:
        """A line that is no event. True: a topic of copies begins here."""
        if said.foreign:
            self.report.find(Finding("added", f"line {number} of {name} tells of a record that no relay of ours wrote"))
        elif not said.topic:
            self.report.find(Finding("unreadable", f"line {number} of {name} has no position"))
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
        return position > last

    def out_of_order(self, position: int, last: int, leaf: bytes, copies: bool, where: str, case: str | None) -> None:
        before = self.copies.get(position) if copies and self.copies is not None else self.leaf(position)
        if before == leaf:
            self.report.find(Finding("added", f"{where} comes a second time", position, case=case))
        elif position < last:
            self.report.find(Finding("reordered", f"{where} stands behind position {last}", position, case=case))

    def follow(self, said: _Line, where: str) -> None:
        """A case's versions have no gap: that tells whose event is missing."""
        version, before = self.versions.get(said.subject, (0, 0))
        if said.caseversion == version + 1:
            self.versions[said.subject] = (said.caseversion, said.position)
        elif said.caseversion <= version:
            words = f"{where} is version {said.caseversion} of a case that has it already"
            self.report.find(Finding("added", words, said.position, case=said.subject or None))
        else:
            self.jumps += [
                (said.subject, missing, before, said.position) for missing in range(version + 1, said.caseversion)
            ][:NAMED]
            self.versions[said.subject] = (said.caseversion, said.position)
        if ".Window" in said.type and said.type.split(".")[2] in BREACH_FACTS:
            self.breaches.add(said.position)

    def leaf(self, position: int) -> bytes:
        return bytes(self.leaves[position * HASH_BYTES : (position + 1) * HASH_BYTES])

    def log(self, checkpoint: Checkpoint) -> bytes:
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
class Evidence:
    """What an auditor brings. ``kept``: the notes that nobody else could touch. ``others``: those of the export.
    ``leaves``: leaf hashes, from wherever. ``keys``: none: signatures are not looked at."""

    kept: Sequence[Note]
    others: Sequence[Note] = ()
    leaves: Sequence[bytes] = ()
    keys: Sequence[VerifyKey] = ()

    @property
    def base(self) -> Note:
        """The kept note of the largest log."""
        return max(self.kept, key=lambda note: note.checkpoint.size)

    def of_one_log(self) -> list[Note]:
        """Every note of the kept one's log, each once, from the smallest size to the largest."""
        origin = self.base.checkpoint.origin
        found = {note.whole: note for note in (*self.kept, *self.others) if note.checkpoint.origin == origin}
        return sorted(found.values(), key=lambda note: note.checkpoint.size)


def verify(files: Mapping[str, Iterable[bytes]], evidence: Evidence) -> Report:
    """Compare an export, file by file, with what was kept. Files are read once, those of copies last."""
    report = Report()
    notes = _counting(evidence, report)
    base, newest = evidence.base.checkpoint, notes[-1].checkpoint
    found = Found(newest.position, report)
    for name, lines in files.items():
        found.read(lines, name)
    log = found.log(newest)
    tree = Tree(log)
    believed = _believed(evidence, base)
    _compare(found, log, base, newest, believed, report)
    wrong = [note for note in notes if tree.root(note.checkpoint.size) != note.checkpoint.root]
    if wrong and not {finding.kind for finding in report.findings} & OF_RECORDS:
        report.find(_rewritten([note for note in notes if note in evidence.kept], notes, wrong))
    true = (believed, base) if believed is not None else (log, newest)
    _check_copies(found, newest, lambda position: _leaf(*true, position), report)
    if evidence.base not in wrong:
        report.proven = base.size
    return report


def _counting(evidence: Evidence, report: Report) -> list[Note]:
    """The notes of the kept one's log that count. One that nobody trusted has signed is named, and does not."""
    notes = evidence.of_one_log()
    report.checkpoints = len(notes)
    origins = {note.checkpoint.origin for note in (*evidence.kept, *evidence.others)}
    if other := origins - {evidence.base.checkpoint.origin}:
        report.notes.append(f"checkpoints of other logs were passed over: {', '.join(sorted(other))}")
    for first, last in notes[-1].checkpoint.without:
        report.notes.append(f"positions {first} to {last} are no part of this log, as its checkpoints say")
    if not evidence.keys:
        report.notes.append("no key was given: signatures were not checked, the kept checkpoint was taken as it is")
        return notes
    trust = Trust(evidence.keys, notes)
    good = [note for note in notes if trust.has_signed(note)]
    for note in notes:
        if note not in good:
            size, at = note.checkpoint.size, note.checkpoint.position
            words = f"the checkpoint of {size} events has no signature of a key that counts for it"
            report.find(Finding("bad-signature", words, at))
    # What was kept is compared with in any case: it is the auditor's own.
    return sorted({*good, *evidence.kept} & set(notes), key=lambda note: note.checkpoint.size)


def _believed(evidence: Evidence, base: Checkpoint) -> bytes | None:
    """The leaf hashes that lead to the kept root; None where nobody brought such."""
    for leaves in evidence.leaves:
        cut = leaves[: base.size * HASH_BYTES]
        if len(cut) == base.size * HASH_BYTES and Tree(cut).root(base.size) == base.root:
            return leaves
    return None


def _compare(
    found: Found, log: bytes, base: Checkpoint, newest: Checkpoint, believed: bytes | None, report: Report
) -> None:
    """Name what is missing and, by leaf hashes that are believed, what is not as it was."""
    _name_missing(found, newest, report)
    if believed is None:
        for position, claims in sorted(found.doubtful.items()):
            words = (
                f"{len(claims) + 1} different records claim this position; the leaf hashes would tell which is the one"
            )
            report.find(Finding("added", words, position))
        return
    for position in _positions_that_differ(log, believed, base):
        true = _leaf(believed, base, position)
        if not found.has[position]:
            continue
        if true in found.doubtful.get(position, ()):
            report.find(Finding("added", "a record that was never signed comes before the one that was", position))
        else:
            report.find(Finding("changed", "is not what was signed", position))
    for position, claims in sorted(found.doubtful.items()):
        if any(claim != _leaf(believed, base, position) for claim in claims):
            report.find(Finding("added", "a second, different record claims this position", position))


def _leaf(leaves: bytes, checkpoint: Checkpoint, position: int) -> bytes:
    index = checkpoint.index_of(position)
    return b"" if index is None else leaves[index * HASH_BYTES : (index + 1) * HASH_BYTES]


def _positions_that_differ(log: bytes, believed: bytes, base: Checkpoint) -> Iterator[int]:
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


def _name_missing(found: Found, newest: Checkpoint, report: Report) -> None:
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
                report.find(Finding("truncated", words, first, last))
            else:
                for finding in _removed(found, first, last):
                    report.find(finding)
            first = last + 1


def _removed(found: Found, first: int, last: int) -> Iterator[Finding]:
    near = [jump for jump in found.jumps if jump[2] < last + 1 and jump[3] > first - 1]
    if first == last and len(near) == 1:
        case, version, _, _ = near[0]
        yield Finding("removed", f"version {version} of the case is not in the export", first, case=case)
        return
    yield Finding("removed", f"{last - first + 1} signed events are not in the export", first, last)
    for case, version, before, behind in near:
        words = f"version {version} of the case is not in the export; it stood between positions {before} and {behind}"
        yield Finding("removed", words, max(first, before + 1), min(last, behind - 1), case=case)


def _check_copies(found: Found, newest: Checkpoint, true: Callable[[int], bytes], report: Report) -> None:
    """The breach topic's records are those of the home topics, byte for byte. ``true``: the hash of what was signed."""
    if found.copies is None:
        return
    for position in sorted(found.breaches - found.copies.keys()):
        report.find(Finding("copy-missing", "an event of the breach stream is not on its topic", position))
    for position, leaf in sorted(found.copies.items()):
        if newest.index_of(position) is None:
            report.find(Finding("added", "a copy on the breach topic of what is no part of this log", position))
        elif found.has[position] and leaf != (true(position) or found.leaf(position)):
            report.find(Finding("changed", "its copy on the breach topic is not the same", position))


def _rewritten(kept: Sequence[Note], notes: Sequence[Note], wrong: Sequence[Note]) -> Finding:
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
        return Finding("rewritten", words, stood + 1, first.position)
    words = (
        f"the kept checkpoint stands, and the one of {first.size} events was not signed over what is in the export: "
        "it does not continue the log that was kept"
    )
    return Finding("bad-checkpoint", words, stood + 1, first.position)


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


def with_cases(report: Report, files: Mapping[str, Iterable[bytes]]) -> Report:
    """The report with the cases of what it names by position alone."""
    nameless = [
        f for f in report.findings if f.case is None and f.position is not None and f.last in (None, f.position)
    ]
    found = cases_of(files, [f.position for f in nameless if f.position is not None])
    report.findings = [_with_case(f, found.get(f.position or 0)) for f in report.findings]
    return report


def _with_case(finding: Finding, case: str | None) -> Finding:
    if finding.case is not None or case is None:
        return finding
    return Finding(finding.kind, finding.words, finding.position, finding.last, case)


# ---- files


class Lines:
    """The lines of a file, as often as one likes, without holding it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            yield from file


def describe(report: Report) -> list[str]:
    """The report as lines."""
    lines = [str(finding) for finding in report.findings]
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
    else:
        told = ", ".join(f"{kind} {number}" for kind, number in sorted(counts.items()))
        lines.append(f"NOT VERIFIED 核验不通过: {told}")
    return lines


def as_json(report: Report) -> str:
    """The report for scripts."""
    told = {
        "verified": report.stands,
        "records": report.records,
        "withheld": report.withheld,
        "checkpoints": report.checkpoints,
        "uncovered": report.uncovered,
        "proven": report.proven,
        "unnamed": report.unnamed,
        "notes": report.notes,
        "findings": [
            {"kind": f.kind, "position": f.position, "last": f.last, "case": f.case, "words": f.words}
            for f in report.findings
        ],
    }
    return msgspec.json.encode(told).decode()
