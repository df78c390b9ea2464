"""The offline verifier: every kind of corruption is found and named, and a log rewritten as a whole is found too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from consumers.notary.export import LEAVES, TOPICS
from consumers.notary.merkle import leaf_hash
from consumers.notary.note import Signer
from consumers.notary.verify import AuditFinding, AuditReport, describe
from tests.audited import CASES, Audited, event, events, note_over

THIEF = Signer("tongshui", b"\7" * 32)


@pytest.fixture
def audited(tmp_path: Path) -> Audited:
    return Audited(tmp_path / "export", events(60), sizes=(10, 25, 40))


def edit(path: Path, change: Callable[[list[bytes]], object]) -> None:
    lines = path.read_bytes().splitlines()
    change(lines)
    path.write_bytes(b"\n".join([*lines, b""]))


def found(report: AuditReport) -> set[tuple[str, int | None, str | None]]:
    return {(each.kind, each.position, each.case) for each in report.findings}


def case_at(position: int) -> str:
    return str(CASES[position % len(CASES)])


# ---- what stands


def test_an_export_as_it_was_signed_is_verified(audited: Audited) -> None:
    report = audited.verify()
    assert report.findings == []
    assert (report.proven, report.checkpoints, report.uncovered) == (60, 4, 0)
    assert "verified" in describe(report)[-1]


def test_an_auditor_who_kept_an_old_checkpoint_sees_that_the_log_went_on_from_there(tmp_path: Path) -> None:
    log = events(60)
    audited = Audited(tmp_path / "export", log, sizes=(10, 25), kept=[note_over(log, 25)])
    report = audited.verify()
    assert report.findings == []
    assert report.proven == 25


def test_records_behind_the_newest_checkpoint_are_told_as_not_proven_yet(tmp_path: Path) -> None:
    log = events(60)
    audited = Audited(tmp_path / "export", log, kept=[note_over(log, 50)])
    report = audited.verify(others=False)
    assert report.findings == []
    assert report.uncovered > 0


def test_a_topic_that_the_auditor_may_not_read_is_proven_by_its_hashes(audited: Audited) -> None:
    for path in (audited.folder / TOPICS).glob("*.jsonl"):
        header, *lines = path.read_bytes().splitlines()
        path.write_bytes(b"\n".join([header, *map(hash_only, lines), b""]))
    report = audited.verify()
    assert report.findings == []
    assert report.withheld == 60


def hash_only(line: bytes) -> bytes:
    return msgspec.json.encode({"position": msgspec.json.decode(line)["position"], "leafhash": leaf_hash(line).hex()})


# ---- a corrupted export of each kind


def test_a_changed_record_is_named_with_position_and_case(audited: Audited) -> None:
    path, index = audited.file_of(33)
    edit(path, lambda lines: lines.__setitem__(index, lines[index].replace(b'"crew-1"', b'"crew-2"')))
    assert found(audited.verify()) == {("changed", 33, case_at(33))}
    assert "changed: position 33 case " in describe(audited.verify())[0]


@pytest.mark.parametrize("position", [32, 33])
def test_a_removed_record_is_named_with_position_and_case(audited: Audited, position: int) -> None:
    path, index = audited.file_of(position)
    edit(path, lambda lines: lines.pop(index))
    assert found(audited.verify()) == {("removed", position, case_at(position))}


def test_a_removed_case_is_named_by_every_position_it_had(audited: Audited) -> None:
    mine = [position for position in range(1, 61) if position % len(CASES) == 3]
    for position in mine:
        path, index = audited.file_of(position)
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:index] + lines[index + 1 :]))
    assert [f.position for f in audited.verify().findings if f.kind == "removed"] == mine


def test_a_record_that_was_added_beside_one_is_named(audited: Audited) -> None:
    path, index = audited.file_of(33)
    forged = event(33, CASES[33 % len(CASES)], 5, forged=True)
    edit(path, lambda lines: lines.insert(index + 1, forged))
    assert ("added", 33, case_at(33)) in found(audited.verify())


def test_a_record_that_was_added_before_the_true_one_is_named(audited: Audited) -> None:
    path, index = audited.file_of(33)
    forged = event(33, CASES[33 % len(CASES)], 5, forged=True)
    edit(path, lambda lines: lines.insert(index, forged))
    report = audited.verify()
    assert ("added", 33, case_at(33)) in found(report)
    assert "changed" not in {each.kind for each in report.findings}


def test_a_record_that_stands_twice_is_named(audited: Audited) -> None:
    path, index = audited.file_of(33)
    edit(path, lambda lines: lines.insert(index + 1, lines[index]))
    assert found(audited.verify()) == {("added", 33, case_at(33))}


def test_records_in_another_order_are_named(audited: Audited) -> None:
    path, index = audited.file_of(33)

    def swap(lines: list[bytes]) -> None:
        lines[index], lines[index + 1] = lines[index + 1], lines[index]

    edit(path, swap)
    assert ("reordered", 33, case_at(33)) in found(audited.verify())


def test_a_truncated_export_is_named_from_where_it_ends(audited: Audited) -> None:
    for path in (audited.folder / TOPICS).glob("*.jsonl"):
        edit(path, lambda lines: lines.__setitem__(slice(None), [
            line for line in lines if msgspec.json.decode(line).get("position", 0) <= 50
        ]))  # fmt: skip
    report = audited.verify()
    assert [(f.kind, f.position, f.last) for f in report.findings if f.kind != "copy-missing"] == [
        ("truncated", 51, 60)
    ]


def test_a_record_that_is_cut_off_is_named(audited: Audited) -> None:
    path, index = audited.file_of(33)
    edit(path, lambda lines: lines.__setitem__(index, lines[index][:100]))
    kinds = {(each.kind, each.position) for each in audited.verify().findings}
    assert ("removed", 33) in kinds
    assert ("unreadable", None) in kinds


def test_a_record_of_nobody_is_named(audited: Audited) -> None:
    path, _ = audited.file_of(33)
    edit(path, lambda lines: lines.append(b'{"foreign":{"offset":7,"sha256":"00"}}'))
    assert [each.kind for each in audited.verify().findings] == ["added"]


def test_a_breach_that_is_not_on_its_topic_is_named(audited: Audited) -> None:
    position = next(p for p in range(30, 61) if b"WindowLapsed" in audited.log[p - 1])
    path, index = audited.file_of(position, copy=True)
    edit(path, lambda lines: lines.pop(index))
    assert [(each.kind, each.position) for each in audited.verify().findings] == [("copy-missing", position)]


def test_a_copy_that_is_not_its_original_is_named(audited: Audited) -> None:
    position = next(p for p in range(30, 61) if b"WindowLapsed" in audited.log[p - 1])
    path, index = audited.file_of(position, copy=True)
    edit(path, lambda lines: lines.__setitem__(index, lines[index].replace(b'"crew-1"', b'"crew-2"')))
    assert found(audited.verify()) == {("changed", position, case_at(position))}


def test_a_record_that_is_left_on_the_breach_topic_alone_is_named_as_removed(audited: Audited) -> None:
    last_of_its_case = next(p for p in range(60, 53, -1) if b"WindowLapsed" in audited.log[p - 1])
    path, index = audited.file_of(last_of_its_case)
    edit(path, lambda lines: lines.pop(index))
    kinds = {(each.kind, each.case) for each in audited.verify().findings}
    assert kinds <= {("removed", case_at(last_of_its_case)), ("truncated", case_at(last_of_its_case))}
    assert kinds


def test_a_position_beyond_all_bounds_costs_nothing(audited: Audited) -> None:
    path, _ = audited.file_of(33)
    edit(path, lambda lines: lines.append(event(2**62, CASES[0], 99)))
    assert audited.verify().uncovered == 1


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 60), st.integers(0, 10_000))
def test_any_flipped_bit_of_any_record_is_found_and_its_position_named(
    audited: Audited, position: int, bit: int
) -> None:
    path, index = audited.file_of(position)
    before = path.read_bytes()

    def flip(lines: list[bytes]) -> None:
        changed = bytearray(lines[index])
        changed[bit // 8 % len(changed)] ^= 1 << bit % 8
        lines[index] = bytes(changed)

    edit(path, flip)
    try:
        assert position in {each.position for each in audited.verify().findings}
    finally:
        path.write_bytes(before)


# ---- who can write everything but what the auditor kept


def rewritten(log: list[bytes], position: int) -> list[bytes]:
    return [line.replace(b'"crew-1"', b'"nobody"') if at == position else line for at, line in enumerate(log, start=1)]


def test_whoever_rewrites_store_topics_hashes_and_checkpoints_with_the_stolen_key_is_found_by_the_kept_checkpoint(
    audited: Audited,
) -> None:
    audited.write(rewritten(audited.log, 33), audited.signer)
    report = audited.verify()
    assert [(each.kind, each.position, each.last) for each in report.findings] == [("rewritten", 1, 60)]
    assert report.proven == 0
    assert "NOT VERIFIED" in describe(report)[-1]


def test_kept_leaf_hashes_name_the_record_that_was_rewritten(audited: Audited) -> None:
    kept = (audited.folder / LEAVES).read_bytes()
    audited.write(rewritten(audited.log, 33), audited.signer)
    assert found(audited.verify(leaves=[kept])) >= {("changed", 33, case_at(33))}


def test_several_kept_checkpoints_say_between_which_two_a_log_was_rewritten(audited: Audited) -> None:
    audited.kept = [note_over(audited.log, size) for size in (10, 25, 40, 60)]
    audited.sizes = ()
    audited.write(rewritten(audited.log, 33), audited.signer)
    (finding,) = audited.verify(others=False).findings
    assert (finding.kind, finding.position, finding.last) == ("rewritten", 26, 40)


def test_an_event_taken_out_of_a_log_that_was_then_numbered_and_signed_anew_is_found(audited: Audited) -> None:
    audited.write(events(59), audited.signer)
    report = audited.verify()
    assert not report.stands
    audited.kept = [note_over(audited.log, 40)]
    shorter = [*audited.log[:20], *events(60, other=True)[20:59]]
    audited.write(shorter, audited.signer)
    assert not audited.verify().stands


def test_a_log_that_goes_on_from_the_kept_one_and_contradicts_its_own_newer_checkpoints_is_found(
    tmp_path: Path,
) -> None:
    log = events(60)
    audited = Audited(tmp_path / "export", log, kept=[note_over(log, 25)])
    path, index = audited.file_of(50)
    edit(path, lambda lines: lines.__setitem__(index, lines[index].replace(b'"crew-1"', b'"crew-2"')))
    (finding,) = audited.verify().findings
    assert (finding.kind, finding.position, finding.last) == ("bad-checkpoint", 26, 60)


def test_checkpoints_signed_by_somebody_else_do_not_count(audited: Audited) -> None:
    audited.write(rewritten(audited.log, 33), THIEF)
    kinds = [each.kind for each in audited.verify().findings]
    assert kinds.count("bad-signature") == 4
    assert "rewritten" in kinds


def test_without_a_key_the_kept_checkpoint_is_taken_as_it_is_and_that_is_said(audited: Audited) -> None:
    report = audited.verify(signer=None)
    assert report.stands
    assert any("signatures were not checked" in note for note in report.notes)


def test_of_a_flood_of_findings_a_thousand_are_named_and_the_rest_is_counted() -> None:
    report = AuditReport()
    for position in range(1_500):
        report.find(AuditFinding("changed", "…", position))
    assert (len(report.findings), report.unnamed) == (1_000, 500)
    assert "and 500 findings more" in "\n".join(describe(report))
