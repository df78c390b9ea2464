"""Checkpoints as signed notes, the key files, and whose signatures count."""

from __future__ import annotations

import base64
import stat
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.notary.keys import Keys, NotaryRefusal
from consumers.notary.note import Note, NoteError, SignedCheckpoint, Signer, VerifyKey, read_note, signed, verify_key
from consumers.notary.published import Trust
from infra.settings import Settings

AT = datetime(2026, 9, 16, 1, 0, tzinfo=UTC)
ORIGIN = "tongshui/5a0c7a4e-0000-4000-8000-000000000001"
FIRST, SECOND, THIRD = (Signer("tongshui", bytes([number]) * 32) for number in (1, 2, 3))


def checkpoint(size: int = 5, *, next_key: VerifyKey | None = None) -> SignedCheckpoint:
    return SignedCheckpoint(ORIGIN, size, bytes(32), size, AT, next_key=str(next_key) if next_key else None)


def test_a_note_has_the_published_form() -> None:
    note = signed(checkpoint(), [FIRST])
    lines = note.split("\n")
    assert lines[:5] == [ORIGIN, "5", "A" * 43 + "=", "position 5", "at 2026-09-16T01:00:00Z"]
    assert lines[5] == ""
    assert lines[6].startswith(f"— {ORIGIN} ")
    assert lines[7:] == [""]


def test_a_verifier_key_and_its_id_are_those_of_the_published_example() -> None:
    key = verify_key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    assert key.name == "PeterNeumann"
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    line = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    raw = base64.b64decode(line)
    assert raw[:4] == key.id
    assert key.has_signed(text, raw[4:])
    assert str(key) == "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def test_what_was_signed_is_read_back_and_its_signature_stands() -> None:
    wanted = replace(checkpoint(), position=8, without=((3, 4), (7, 7)))
    note = read_note(signed(wanted, [FIRST, SECOND]))
    assert note.checkpoint == wanted
    assert note.signed_by(FIRST.public)
    assert note.signed_by(SECOND.public)
    assert not note.signed_by(THIRD.public)


@given(st.integers(0, 1_000_000), st.characters(codec="utf-8"))
def test_a_note_in_which_any_character_is_another_is_refused_or_not_signed(at: int, other: str) -> None:
    note = signed(checkpoint(), [FIRST])
    at %= len(note)
    changed = note[:at] + other + note[at + 1 :]
    if changed == note:
        return
    try:
        found = read_note(changed)
    except NoteError:
        return
    assert not found.signed_by(FIRST.public)


@pytest.mark.parametrize(
    "note",
    ["", "\n\n", "x" * 20_000, "a\n1\nAA\n\n— a AAAAAAAA\n", signed(checkpoint(), [FIRST]).replace("\n5\n", "\n6\n")],
)
def test_what_is_no_checkpoint_is_refused(note: str) -> None:
    with pytest.raises(NoteError):
        read_note(note)


def test_an_unknown_line_is_passed_over() -> None:
    text = checkpoint().text() + "something new\n"
    note = read_note(f"{text}\n{FIRST.sign(ORIGIN, text)}")
    assert note.checkpoint == checkpoint()
    assert note.signed_by(FIRST.public)


def test_positions_that_the_log_never_had_take_no_place_in_it() -> None:
    found = replace(checkpoint(), position=8, without=((3, 4), (7, 7)))
    assert [list(each) for each in found.positions()] == [[1, 2], [5, 6], [8]]
    assert [found.index_of(position) for position in range(10)] == [None, 0, 1, None, None, 2, 3, None, 4, None]


# ---- keys


def keys(folder: Path) -> Keys:
    return Keys(Settings(data_dir=folder))


def test_the_key_is_made_once_and_only_the_notary_can_read_it(tmp_path: Path) -> None:
    made = keys(tmp_path)
    assert made.current() is None
    signer = made.make()
    assert stat.S_IMODE(made.key_file.stat().st_mode) == 0o600
    assert made.current() == signer
    assert verify_key((tmp_path / "notary" / "key.pub").read_text()) == signer.public
    # After name and hash comes the key itself, which may have a plus in it.
    assert signer.secret().strip().split("+", 4)[4] not in repr(signer)
    with pytest.raises(NotaryRefusal, match="key-exists"):
        made.make()
    assert made.current() == signer
    assert not list(made.folder.glob("*.part"))


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    made = keys(tmp_path)
    made.make()
    made.key_file.chmod(0o640)
    with pytest.raises(NotaryRefusal, match=r"key-open: found .* with mode 0640"):
        made.current()


def test_a_broken_key_file_is_named_and_never_repeated(tmp_path: Path) -> None:
    made = keys(tmp_path)
    made.make()
    made.key_file.write_text("PRIVATE+KEY+secret")
    with pytest.raises(NotaryRefusal, match="bad-key") as refused:
        made.current()
    assert "secret" not in str(refused.value)


# ---- whose signatures count


def note_of(size: int, *signers: Signer, next_key: VerifyKey | None = None) -> Note:
    return read_note(signed(checkpoint(size, next_key=next_key), signers))


def test_a_trusted_key_hands_over_to_the_next_and_each_counts_for_its_range() -> None:
    hand_over = note_of(5, FIRST, SECOND, next_key=SECOND.public)
    again = note_of(9, SECOND, THIRD, next_key=THIRD.public)
    trust = Trust([FIRST.public], [again, hand_over])
    assert trust.has_signed(note_of(4, FIRST))
    assert trust.has_signed(hand_over)
    assert trust.has_signed(note_of(6, SECOND))
    assert trust.has_signed(note_of(20, THIRD))
    assert not trust.has_signed(note_of(6, FIRST)), "its term is over: whoever stole it signs nothing more"
    assert not trust.has_signed(note_of(4, SECOND)), "its term had not begun"
    assert not trust.has_signed(note_of(20, SECOND))


def test_a_key_that_names_itself_is_not_trusted() -> None:
    trust = Trust([FIRST.public], [note_of(5, SECOND, next_key=SECOND.public)])
    assert not trust.has_signed(note_of(6, SECOND))
    assert trust.has_signed(note_of(6, FIRST))


def test_who_keeps_both_keys_trusts_the_old_one_for_its_range_only() -> None:
    trust = Trust([FIRST.public, SECOND.public], [note_of(5, FIRST, SECOND, next_key=SECOND.public)])
    assert trust.has_signed(note_of(6, SECOND))
    assert not trust.has_signed(note_of(6, FIRST))
