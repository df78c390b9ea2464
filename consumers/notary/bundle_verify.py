"""``tongshui audit verify-bundle``: whether a bundle says what was signed. Offline; asks nobody.

Events, their proofs and the checkpoint are proven by hashes and signature. Nothing else in a bundle is signed, so
nothing else is believed: this program makes page, words and README again from the events and from the names that it
holds by itself, and compares, byte by byte; schemas it compares with those that were published. What is more in a
bundle is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from consumers.notary.archive import read_members, shown
from consumers.notary.bundle import (
    FORMAT,
    PARTS,
    README,
    README_OF_THE_FIRST_FORM,
    About,
    Consistency,
    Proofs,
    about,
    as_file,
    handovers_file,
)
from consumers.notary.merkle import is_consistent, is_included, leaf_hash
from consumers.notary.note import Note, NoteError, VerifyKey, read_note
from consumers.notary.page import TOLD, AuditPage, number_of, page
from consumers.notary.published import trust_of
from consumers.notary.wording import FIRST, Edition, Wording, as_schema_file, as_words_file, digest
from infra.decoders import decoder

T = TypeVar("T")

_PROOFS = decoder(Proofs)
_ABOUT = decoder(About)
_WORDS = decoder(dict[str, str])
_OBJECT = decoder(dict[str, Any])
NAMED_WORDS = 20
_NUMBERS = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?<![a-z0-9])[a-z]{2}-[0-9]{4}-[0-9]{4,}",
    re.IGNORECASE,
)
"""What in a file's name may be a case: its id or its number."""


@dataclass
class BundleReport:
    """What came of it. ``told``: what was looked at; ``wrong``: what contradicts what was signed; ``unproven``: what is
    in the bundle, and nothing shows that it is so; ``page``: of the events, made here (None where they do not hold)."""

    told: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)
    page: str | None = None

    @property
    def exit_code(self) -> int:
        """0: all of it is verified; 1: not verified; 3: the events are, something else in it is not proven."""
        return 1 if self.wrong else 3 if self.unproven else 0

    def describe(self) -> list[str]:
        return [*self.told, *self.wrong, *(f"not proven: {each}" for each in self.unproven), VERDICTS[self.exit_code]]


VERDICTS = {
    0: "verified 核验通过: every event is as it was signed; none is missing between; page, words, schemas and README "
    "are this program's own",
    1: "NOT VERIFIED 核验不通过",
    3: "EVENTS VERIFIED, NOT EVERYTHING 事件核验通过，其余内容未全部获证明: do not rely on what is named above; "
    "--page FILE writes this program's own page of the events",
}


@dataclass(frozen=True, slots=True)
class _Evidence:
    """The files that are proven by hashes and signature, read."""

    lines: Sequence[bytes]
    events: Sequence[AuditPage]
    note: Note
    proofs: Proofs
    handovers: Sequence[Note]


def verify_bundle(
    path: Path,
    wording: Wording,
    *,
    kept: Note | None = None,
    keys: Sequence[VerifyKey] = (),
    case: str | None = None,
) -> BundleReport:
    """Check a bundle, a folder or a zip. ``case``: the id or number that it is to be of.

    Raises NoteError where it cannot be read at all.
    """
    members = read_members(path, lambda name: PARTS.fullmatch(name) is not None)
    evidence = _read(path, members.files)
    report = BundleReport([_about_it(evidence)], list(members.wrong))
    report.unproven += [f"{name}: is no part of a bundle" for name in members.besides]
    signed = [
        *_vouched(evidence, kept, keys),
        *_included(evidence),
        *_whole(evidence.events),
    ]
    report.wrong += signed
    report.told += _not_looked_at(evidence, kept, keys)
    report.unproven += [*_unsigned(evidence, kept, keys), *_more_than_evidence(members.files, evidence)]
    if not signed:
        _compare(members.files, evidence, wording, report)
        _right_case(path, evidence.events, case, report)
        report.page = page(evidence.lines, evidence.note, wording.words_of(evidence.lines, wording.newest))
    return report


def _about_it(evidence: _Evidence) -> str:
    events, checkpoint = evidence.events, evidence.note.checkpoint
    number = f", number {shown(number_of(events))}" if number_of(events) else ""
    return (
        f"{len(events)} events of case {shown(events[0].subject)}{number}; "
        f"checkpoint of {checkpoint.size} events, signed {checkpoint.at.isoformat()}"
    )


def _read(path: Path, files: Mapping[str, bytes]) -> _Evidence:
    try:
        lines = files["events.jsonl"].removesuffix(b"\n").split(b"\n")
        return _Evidence(
            lines,
            [TOLD.decode(line) for line in lines],
            read_note(files["checkpoint"].decode()),
            _PROOFS.decode(files["proofs.json"]),
            [read_note(msgspec.json.decode(line)["note"]) for line in files["handovers.jsonl"].splitlines()],
        )
    except (KeyError, TypeError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise NoteError(
            f"{path}: {type(error).__name__}: {error}", "a bundle as `tongshui audit bundle` writes it"
        ) from error


# ---- what hashes and signature prove


def _vouched(evidence: _Evidence, kept: Note | None, keys: Sequence[VerifyKey]) -> Iterator[str]:
    """A checkpoint that nobody the auditor trusts stands for proves nothing."""
    note = evidence.note
    if kept is None and not keys:
        yield "nobody stands for the checkpoint: give --key, or --checkpoint with one that was kept"
        return
    if keys and not trust_of(keys, [*evidence.handovers, note], note.checkpoint.origin).has_signed(note):
        yield "the checkpoint has no signature of a key that counts for it"
    if kept is not None and not _continues(kept, note, evidence.proofs.consistency):
        yield (
            f"it is not shown that the log continues the kept one of {kept.checkpoint.size} events; "
            "was the bundle made with --since this checkpoint?"
        )


def _continues(kept: Note, note: Note, proof: Consistency | None) -> bool:
    old, new = kept.checkpoint, note.checkpoint
    if old.origin != new.origin:
        return False
    if old.size == new.size:
        return old.root == new.root
    hashes = _hashes(proof.proof) if proof is not None and proof.size == old.size else None
    return hashes is not None and is_consistent(old.size, old.root, new.size, new.root, hashes)


def _included(evidence: _Evidence) -> Iterator[str]:
    """Every event's bytes are at its own position in the log."""
    checkpoint = evidence.note.checkpoint
    proofs = {each.position: each for each in evidence.proofs.events}
    for line, event in zip(evidence.lines, evidence.events, strict=True):
        index, proof = checkpoint.index_of(event.position), proofs.get(event.position)
        hashes = _hashes(proof.proof) if proof is not None and proof.index == index else None
        holds = (
            index is not None
            and hashes is not None
            and is_included(leaf_hash(line), index, checkpoint.size, hashes, checkpoint.root)
        )
        if not holds:
            yield f"position {event.position}, version {event.caseversion}: is not what was signed"


def _whole(events: Sequence[AuditPage]) -> Iterator[str]:
    """One case, from its first version on, none left out."""
    yield from (f"position {e.position} is of another case" for e in events if e.subject != events[0].subject)
    for at, event in enumerate(events, start=1):
        if event.caseversion != at:
            yield f"version {at} is missing: position {event.position} is version {event.caseversion}"
            return


def _hashes(texts: Sequence[str]) -> list[bytes] | None:
    try:
        found = [bytes.fromhex(text) for text in texts]
    except ValueError:
        return None
    return found if all(len(each) == 32 for each in found) else None


# ---- what of the evidence they do not


def _unsigned(evidence: _Evidence, kept: Note | None, keys: Sequence[VerifyKey]) -> Iterator[str]:
    """A kept checkpoint shows that the log goes on from it, and nothing of the newer one's other lines."""
    if kept is not None and not keys and kept.whole != evidence.note.whole:
        yield "checkpoint: who signed it, and when; give --key"
    origin = evidence.note.checkpoint.origin
    for name in sorted({name for name, _, _ in evidence.note.signatures} - {origin}):
        yield f"checkpoint: a signature by {shown(name)}, which is not the log"


def _not_looked_at(evidence: _Evidence, kept: Note | None, keys: Sequence[VerifyKey]) -> Iterator[str]:
    """Evidence for others, which this auditor has no use for: it is neither used nor verified."""
    notes, origin = [*evidence.handovers, evidence.note], evidence.note.checkpoint.origin
    unused = [note for note in evidence.handovers if not trust_of(keys, notes, note.checkpoint.origin).has_signed(note)]
    known = [term.key.named(origin) for term in trust_of(keys, notes, origin).terms]
    others = sum(
        name == origin and not any(key.id == key_id and key.has_signed(evidence.note.text, signature) for key in known)
        for name, key_id, signature in evidence.note.signatures
    )
    if others:
        yield f"not used: {others} signatures of the checkpoint, by keys that were not given"
    if unused:
        yield f"not used: {len(unused)} notes of handovers.jsonl, by keys that were not given"
    if kept is None and evidence.proofs.consistency is not None:
        yield f"not used: the proof for who kept a checkpoint of {evidence.proofs.consistency.size} events"


def _more_than_evidence(files: Mapping[str, bytes], evidence: _Evidence) -> Iterator[str]:
    """What is read of these files is all that is in them."""
    if files["events.jsonl"] != b"".join(line + b"\n" for line in evidence.lines):
        yield "events.jsonl: does not end as the bundle's maker ends it"
    if files["proofs.json"] != as_file(evidence.proofs):
        yield "proofs.json: has more in it than proofs, or is written otherwise"
    if [each.position for each in evidence.proofs.events] != [each.position for each in evidence.events]:
        yield "proofs.json: has proofs for other positions than those of the events"
    if files["handovers.jsonl"] != handovers_file(evidence.handovers):
        yield "handovers.jsonl: has more in it than notes, or is written otherwise"


# ---- what is not signed


@dataclass(frozen=True, slots=True)
class _Unsigned:
    """The files that nobody signed, as they are in the bundle; None: not there, or not what it should be."""

    about: About | None
    words: dict[str, str] | None
    words_file: bytes | None
    page: bytes | None
    readme: bytes | None
    schemas: Mapping[str, str | None]
    """Type of event → digest of its schema; None: no schema."""


def _compare(files: Mapping[str, bytes], evidence: _Evidence, wording: Wording, report: BundleReport) -> None:
    """Make everything else again, by the names of when the bundle was made, and compare."""
    types = {event.type for event in evidence.events}
    schemas = {name: _digest_of(files.get(f"schemas/{name}.json")) for name in sorted(types)}
    found = _Unsigned(
        _decoded(files.get("bundle.json"), _ABOUT),
        _decoded(files.get("words.json"), _WORDS),
        files.get("words.json"),
        files.get("case.html"),
        files.get("README.md"),
        schemas,
    )
    used = {f"schemas/{name}.json" for name in types}
    report.unproven += [
        f"{name}: of no event in it" for name in sorted(files) if name.startswith("schemas/") and name not in used
    ]
    report.wrong += [f"schemas/{name}.json is missing, or no schema" for name, each in schemas.items() if each is None]
    said = found.about
    if said is None and "bundle.json" in files:
        report.wrong.append("bundle.json: does not say which form the bundle has")
    elif said is None:
        report.told.append("made by an earlier program, which did not say by which names: held against those of then")
        _made_again(found, evidence, wording, FIRST, report)
    elif said.format > FORMAT or said.words > wording.newest.words or said.schemas > wording.newest.schemas:
        _as_far_as_known(found, evidence, wording, report)
    elif said.format < FORMAT or said.words < FIRST.words or said.schemas < FIRST.schemas:
        report.wrong.append("bundle.json: no program has made bundles of this form by so few names")
    else:
        _made_again(found, evidence, wording, said.edition, report)
    if said is not None and files["bundle.json"] != as_file(_about(evidence, said)):
        report.wrong.append("bundle.json: is not what the events say")


def _about(evidence: _Evidence, said: About) -> About:
    """What bundle.json says where only its claims are believed."""
    return msgspec.structs.replace(about(evidence.events, said.edition), format=said.format)


def _decoded(content: bytes | None, form: msgspec.json.Decoder[T]) -> T | None:
    try:
        return form.decode(content) if content is not None else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _digest_of(content: bytes | None) -> str | None:
    """Of a schema as a bundle has it; None where it is not there, or is more than one reads of it."""
    schema = _decoded(content, _OBJECT)
    return digest(schema) if schema is not None and content == as_schema_file(schema) else None


def _made_again(
    found: _Unsigned, evidence: _Evidence, wording: Wording, edition: Edition, report: BundleReport
) -> None:
    """Held against what this program makes, by the names and schemas of an edition that it knows."""
    words = wording.words_of(evidence.lines, edition)
    report.wrong += _otherwise_called(found, words)
    if found.page != page(evidence.lines, evidence.note, words).encode():
        report.wrong.append("case.html is not what the events say")
    readme = README_OF_THE_FIRST_FORM if found.about is None else sha256(README.encode()).hexdigest()
    if found.readme is None or sha256(found.readme).hexdigest() != readme:
        report.wrong.append("README.md is not the one that bundles have")
    published = wording.digests_at(edition)
    for name, each in found.schemas.items():
        if name not in published:
            report.unproven.append(f"schemas/{name}.json: this program knows no such type of event")
        elif each not in (published[name], None):
            report.wrong.append(f"schemas/{name}.json is not the one that was published")


def _as_far_as_known(found: _Unsigned, evidence: _Evidence, wording: Wording, report: BundleReport) -> None:
    """A newer program has made it, or somebody says so: what this one does not know by itself is not proven."""
    own = wording.newest
    report.unproven.append(
        f"bundle.json: says that a newer program made this, of form {FORMAT} with {own.words} names and {own.schemas} "
        "schemas this one knows; verify it with that program too"
    )
    words = wording.words_of(evidence.lines, own)
    report.unproven += _otherwise_called(found, words)
    if found.about is not None and found.about.format == FORMAT and found.words is not None:
        if found.page != page(evidence.lines, evidence.note, found.words).encode():
            report.wrong.append("case.html is not what the events say")
        elif found.words != words:
            report.unproven.append("case.html: shows those names")
    else:
        report.unproven.append("case.html: of a form that this program does not know")
    if found.readme != README.encode():
        report.unproven.append("README.md: is not the one of this program")
    for name, each in found.schemas.items():
        if each is not None and (name, each) not in wording.digests:
            report.unproven.append(f"schemas/{name}.json: is none that this program knows")


def _otherwise_called(found: _Unsigned, expected: Mapping[str, str]) -> list[str]:
    given = found.words
    if given is None or found.words_file != as_words_file(given):
        return ["words.json is missing, or has more in it than names"]
    others = [
        f"words.json: {shown(code)} is called {_called(given.get(code))} in it, {_called(expected.get(code))} here"
        for code in sorted(given.keys() | expected.keys())
        if given.get(code) != expected.get(code)
    ]
    return others[:NAMED_WORDS] + ([f"and {len(others) - NAMED_WORDS} more names"] if len(others) > NAMED_WORDS else [])


def _called(name: str | None) -> str:
    return shown(name) if name is not None else "by its code"


# ---- which case


def _right_case(path: Path, events: Sequence[AuditPage], wanted: str | None, report: BundleReport) -> None:
    names = {events[0].subject.casefold(), number_of(events).casefold()}
    if wanted is not None and wanted.casefold() not in names:
        report.wrong.append(f"it is not of case {shown(wanted)}")
    for other in sorted({each.casefold() for each in _NUMBERS.findall(path.name)} - names):
        report.unproven.append(f"the file's name {shown(path.name)}: {shown(other)} is not the case that it is of")
