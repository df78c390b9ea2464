"""A new generation of the store, as an auditor sees it: a break, signed and named; never a proof of what is not."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from consumers.notary.bundle import contents
from consumers.notary.bundle_verify import verify_bundle
from consumers.notary.export import LEAVES, gather, write_checkpoints
from consumers.notary.keys import NotaryRefusal
from consumers.notary.merkle import Tree, leaf_hash
from consumers.notary.note import Follows, Note, NoteError, SignedCheckpoint, Signer, read_note, signed
from consumers.notary.published import PublishedLog
from consumers.notary.verify import STARTED, AuditEvidence, AuditReport, as_json, describe, verify
from tests.audited import AT, ORIGIN, SIGNER, WORDING, event, events, note_over, write_topics

GENERATION = "5a0c7a4e-0000-4000-8000-000000000002"
AFTER = f"tongshui/{GENERATION}"
THIEF = Signer("tongshui", b"\7" * 32)
FORK, END = 20, 40
OLD = events(END)


def leaves_of(log: Sequence[bytes]) -> bytes:
    return b"".join(leaf_hash(each) for each in log)


def given_up_list(given_up: Sequence[bytes]) -> bytes:
    """The operator's file, as ``tongshui store recover --new-generation`` keeps it."""
    lines = [{"topic": "water.repair.v1", "value_base64": b64encode(each).decode()} for each in given_up]
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)


def started(given_up: Sequence[bytes], **changes: Any) -> bytes:
    """The event with which the new generation begins."""
    said = msgspec.json.decode(event(END + 1, UUID(int=5), 1))
    data = {
        "generation": GENERATION,
        "forked_behind": FORK,
        "begins_behind": END,
        "given_up": len(given_up),
        "list_sha256": sha256(given_up_list(given_up)).hexdigest(),
    }
    return msgspec.json.encode({**said, "type": STARTED, "data": data | changes})


def went_on() -> list[bytes]:
    """What came after the break, of a case that is new."""
    return [event(END + 2 + number, UUID(int=77), number + 1) for number in range(6)]


@dataclass
class Broken:
    """The export of a store that gave up positions 21 to 40, and what the auditor kept of the log before."""

    folder: Path
    shared: list[bytes] = field(default_factory=lambda: OLD[:FORK])
    begun: bytes = field(default_factory=lambda: started(OLD[FORK:]))
    kept: list[Note] = field(default_factory=lambda: [note_over(OLD)])
    old_notes: list[Note] = field(default_factory=lambda: [note_over(OLD, 10), note_over(OLD)])
    follows: Follows = field(default_factory=lambda: following(note_over(OLD)))
    signer: Signer = SIGNER
    keys: list[Signer] = field(default_factory=lambda: [SIGNER])

    @property
    def log(self) -> list[bytes]:
        return [*self.shared, self.begun, *went_on()]

    def note(self, log: Sequence[bytes]) -> Note:
        root = Tree(leaves_of(log)).root(len(log))
        end = END + len(log) - FORK
        without = ((FORK + 1, END),)
        checkpoint = SignedCheckpoint(AFTER, len(log), root, end, AT, without, None, self.follows)
        return read_note(signed(checkpoint, [self.signer]))

    def write(self) -> None:
        write_topics(self.folder, self.log)
        logs = [
            PublishedLog(ORIGIN, self.old_notes, bytearray(leaves_of(OLD))),
            PublishedLog(AFTER, [self.note(self.log)], bytearray(leaves_of(self.log))),
        ]
        write_checkpoints(self.folder, logs)

    def verify(self, *, given_up: bytes | None = None, leaves: bool = True) -> AuditReport:
        """As ``tongshui audit verify`` does it, with or without the list and the leaf hashes of the earlier log."""
        self.write()
        paths = [self.folder]
        if given_up is not None:
            (self.folder / "given-up.jsonl").write_bytes(given_up)
            paths.append(self.folder / "given-up.jsonl")
        found = gather(paths)
        evidence = AuditEvidence(
            self.kept, found.notes, found.leaves if leaves else (), [signer.public for signer in self.keys]
        )
        return verify(found.files, evidence)


def following(note: Note, shares: int = FORK) -> Follows:
    said = note.checkpoint
    return Follows(said.origin, said.size, said.root, said.position, shares)


@pytest.fixture
def broken(tmp_path: Path) -> Broken:
    return Broken(tmp_path / "export")


def kinds(report: AuditReport) -> set[str]:
    return {finding.kind for finding in report.findings}


# ---- a break that is what it says


def test_what_was_kept_is_proven_up_to_the_fork_and_the_rest_is_named_as_given_up(broken: Broken) -> None:
    report = broken.verify(given_up=given_up_list(OLD[FORK:]))
    assert report.findings == []
    (found,) = report.breaks
    assert (found.shares, found.proven, found.given_up, found.listed) == (FORK, FORK, END - FORK, True)
    assert report.proven == FORK


def test_it_is_not_told_as_verified_and_has_an_exit_code_of_its_own(broken: Broken) -> None:
    report = broken.verify()
    assert (report.stands, report.exit_code) == (False, 3)
    said = describe(report)
    assert any(line.startswith("break 断代: ") and "20, up to position 40, were given up" in line for line in said)
    assert said[-1].startswith("VERIFIED WITH A BREAK")
    told = msgspec.json.decode(as_json(report))
    assert told["verified"] is False
    assert [each["given_up"] for each in told["breaks"]] == [20]


def test_leaf_hashes_alone_prove_what_is_there_and_how_much_is_not(broken: Broken) -> None:
    (found,) = broken.verify().breaks
    assert (found.proven, found.given_up, found.listed) == (FORK, END - FORK, False)


def test_the_list_alone_proves_it_too(broken: Broken) -> None:
    report = broken.verify(given_up=given_up_list(OLD[FORK:]), leaves=False)
    assert report.findings == []
    assert report.breaks[0].listed


def test_who_kept_a_checkpoint_from_before_the_fork_has_all_of_it_proven_and_is_told_of_the_break(
    broken: Broken,
) -> None:
    broken.kept = [note_over(OLD, 15)]
    report = broken.verify(leaves=False)
    assert report.findings == []
    assert [(each.proven, each.given_up) for each in report.breaks] == [(15, 0)]
    assert report.proven == 15


def test_who_kept_a_checkpoint_of_the_newer_log_has_it_verified_like_any_other(broken: Broken) -> None:
    broken.kept = [broken.note(broken.log)]
    report = broken.verify(leaves=False)
    assert report.stands
    assert report.proven == len(broken.log)


def test_an_older_checkpoint_beside_a_newer_one_is_compared_with_too(broken: Broken) -> None:
    broken.kept = [broken.note(broken.log), note_over(OLD)]
    report = broken.verify()
    assert report.findings == []
    assert report.proven == len(broken.log)
    assert [each.proven for each in report.breaks] == [FORK]


# ---- never a proof of what is not


def test_without_leaf_hashes_and_without_the_list_nothing_that_was_kept_is_proven(broken: Broken) -> None:
    report = broken.verify(leaves=False)
    assert kinds(report) == {"break-unproven"}
    assert (report.proven, report.exit_code) == (0, 1)


def test_a_record_changed_before_the_fork_is_named_by_leaf_hashes(broken: Broken) -> None:
    broken.shared[7] = broken.shared[7].replace(b"crew-1", b"crew-9")
    report = broken.verify()
    assert [(f.kind, f.position) for f in report.findings] == [("changed", 8)]
    assert (report.proven, report.exit_code) == (0, 1)


def test_a_record_changed_before_the_fork_is_found_by_the_list_alone(broken: Broken) -> None:
    broken.shared[7] = broken.shared[7].replace(b"crew-1", b"crew-9")
    report = broken.verify(given_up=given_up_list(OLD[FORK:]), leaves=False)
    assert kinds(report) == {"rewritten"}
    assert report.proven == 0


@pytest.mark.parametrize("leaves", [True, False])
def test_a_list_of_something_else_than_was_given_up_is_found(broken: Broken, leaves: bool) -> None:
    other = [*OLD[FORK:-1], OLD[-1].replace(b"crew-1", b"crew-9")]
    report = broken.verify(given_up=given_up_list(other), leaves=leaves)
    assert "changed" in kinds(report)
    assert (report.proven, report.breaks[0].listed) == (0, False)


def test_a_list_that_lacks_a_record_is_not_the_one_on_record(broken: Broken) -> None:
    report = broken.verify(given_up=given_up_list(OLD[FORK:-1]))
    assert [f.words for f in report.findings if "digest" in f.words]
    assert not report.breaks[0].listed


def test_a_record_removed_before_the_fork_is_named(broken: Broken) -> None:
    broken.write()
    for path in (broken.folder / "topics").glob("*.jsonl"):
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(line for line in lines if b'"position":9,' not in line))
    found = gather([broken.folder])
    report = verify(found.files, AuditEvidence(broken.kept, found.notes, found.leaves, [SIGNER.public]))
    assert ("removed", 9) in [(f.kind, f.position) for f in report.findings]
    assert report.proven == 0


# ---- who says so


def test_a_break_that_a_thief_without_the_key_signed_counts_for_nothing(broken: Broken) -> None:
    broken.signer = THIEF
    report = broken.verify()
    assert report.breaks == []
    assert {"removed", "truncated"} & kinds(report)
    assert report.proven == 0


def test_without_a_key_nobody_stands_for_a_break(broken: Broken) -> None:
    broken.keys = []
    report = broken.verify()
    assert "bad-signature" in kinds(report)
    assert (report.proven, report.exit_code) == (0, 1)


def test_a_key_that_the_earlier_log_handed_over_cannot_begin_another_one(broken: Broken) -> None:
    next_key = str(THIEF.public.named(ORIGIN))
    said = note_over(OLD).checkpoint
    hand_over = SignedCheckpoint(ORIGIN, END, said.root, END, AT, (), next_key)
    broken.old_notes = [read_note(signed(hand_over, [SIGNER, THIEF]))]
    assert broken.verify().breaks == [], "signed with the old key"
    broken.signer = THIEF
    assert [each.proven for each in broken.verify().breaks] == [FORK], "signed with the one that follows"


def test_two_logs_that_both_follow_the_kept_one_are_told(broken: Broken) -> None:
    broken.write()
    other = read_note(
        broken.note(broken.log).text.replace("0002", "0003")
        + "\n"
        + SIGNER.sign(AFTER.replace("0002", "0003"), broken.note(broken.log).text.replace("0002", "0003"))
    )
    found = gather([broken.folder])
    report = verify(found.files, AuditEvidence(broken.kept, [*found.notes, other], found.leaves, [SIGNER.public]))
    assert any(f.kind == "bad-checkpoint" and "two logs" in f.words for f in report.findings)


def test_a_log_that_says_it_follows_another_one_than_was_kept_is_found(broken: Broken) -> None:
    said = note_over(OLD).checkpoint
    broken.follows = Follows(said.origin, said.size, b"\1" * 32, said.position, FORK)
    assert "rewritten" in kinds(broken.verify())


@pytest.mark.parametrize(
    "told", [{"forked_behind": FORK - 5}, {"begins_behind": END - 1}, {"generation": GENERATION.replace("2", "9")}]
)
def test_checkpoints_and_the_event_of_the_beginning_must_say_the_same(broken: Broken, told: dict[str, Any]) -> None:
    broken.begun = started(OLD[FORK:], **told)
    report = broken.verify()
    assert "bad-checkpoint" in kinds(report)
    assert report.exit_code == 1


# ---- the note


def test_what_a_log_follows_is_read_as_it_was_written(broken: Broken) -> None:
    note = broken.note(broken.log)
    assert note.checkpoint.follows == broken.follows
    assert note.signed_by(SIGNER.public)


@pytest.mark.parametrize(
    ("old", "new"),
    [(" shares ", " beyond "), (" shares 20", ""), (" 40 ", " forty "), (" shares 20", " shares 20 more")],
)
def test_a_note_that_does_not_say_what_it_follows_is_no_note(broken: Broken, old: str, new: str) -> None:
    whole = broken.note(broken.log).whole
    assert old in whole
    with pytest.raises(NoteError):
        read_note(whole.replace(old, new))


def test_an_export_has_the_leaf_hashes_of_every_log(broken: Broken) -> None:
    broken.write()
    assert (broken.folder / "leaves-1.bin").read_bytes() == leaves_of(OLD)
    assert (broken.folder / LEAVES).read_bytes() == leaves_of(broken.log)


# ---- a bundle of one case


def test_no_bundle_says_that_a_log_behind_a_break_continues_the_one_that_was_kept(broken: Broken) -> None:
    log = PublishedLog(AFTER, [broken.note(broken.log)], bytearray(leaves_of(broken.log)))
    with pytest.raises(NotaryRefusal) as refused:
        contents(went_on(), log, wording=WORDING, since=note_over(OLD))
    assert refused.value.code == "generation-between"


def test_a_bundle_leads_from_a_key_of_the_earlier_log_to_the_one_that_signs_now(broken: Broken, tmp_path: Path) -> None:
    said = note_over(OLD).checkpoint
    next_key = str(THIEF.public.named(ORIGIN))
    hand_over = read_note(signed(SignedCheckpoint(ORIGIN, END, said.root, END, AT, (), next_key), [SIGNER, THIEF]))
    broken.signer = THIEF
    log = PublishedLog(AFTER, [broken.note(broken.log)], bytearray(leaves_of(broken.log)))
    earlier = [PublishedLog(ORIGIN, [hand_over], bytearray(leaves_of(OLD)))]
    (tmp_path / "schemas").mkdir()
    for name, content in contents(went_on(), log, wording=WORDING, earlier=earlier).items():
        (tmp_path / name).write_bytes(content)
    report = verify_bundle(tmp_path, WORDING, keys=[SIGNER.public])
    assert not any("signature" in line or "is not what was signed" in line for line in report.wrong), report
    for name, content in contents(went_on(), log, wording=WORDING).items():
        (tmp_path / name).write_bytes(content)
    report = verify_bundle(tmp_path, WORDING, keys=[SIGNER.public])
    assert any("no signature" in line for line in report.wrong)
