"""Evidence without a server: what a file is by its bytes, how it is sealed, where it lies, who may read it."""

from __future__ import annotations

import os
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from domain import kinds
from domain.connections.facts import DesignApproved
from domain.evidence import evidence
from domain.evidence.access import CaseOfFile, digests_named, power_to_read, require_readable
from domain.evidence.classes import CLASSES, class_with
from domain.evidence.evidence import EvidenceFile, EvidenceKept, EvidencePurged
from domain.evidence.media_types import HEAD_BYTES, media_type_of
from domain.evidence.refusals import NotYourCaseEvidence
from domain.kernel.facts import Recorded
from domain.particulars import Asker
from domain.people.people import Work
from domain.people.scope import Place
from domain.repairs.facts import ArrivalEvidence, CrewArrived
from domain.standard.refusals import WrongRole
from infra.eventstore.commands import Snapshot, Stamp
from infra.eventstore.envelope import read
from infra.eventstore.shipped_rules import shipped_rules
from infra.evidence.objects import DiskObjects, ObjectsUnavailableError, object_name, objects_of
from infra.evidence.scanner import scan
from infra.evidence.sealing import CHUNK_BYTES, TAG_BYTES, DamagedError, opened, sealed, sealed_size
from infra.settings import Settings
from tests.api_world import MORNING
from tests.unit.test_histories import FOLDER

KEY = bytes(range(32))
DIGEST = "sha256:" + "ab" * 32
FORMS = {
    "image/jpeg": b"\xff\xd8\xff\xe1\x00\x18Exif",
    "image/png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    "image/webp": b"RIFF\x24\x00\x00\x00WEBPVP8 ",
    "image/heic": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00",
    "application/pdf": b"%PDF-1.7\n",
    "video/mp4": b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00",
    "audio/mp4": b"\x00\x00\x00\x1cftypM4A \x00\x00\x00\x00",
    "audio/mpeg": b"ID3\x04\x00\x00",
    "audio/wav": b"RIFF\x24\x00\x00\x00WAVEfmt ",
}


@pytest.mark.parametrize(("media_type", "head"), FORMS.items())
def test_a_file_is_what_its_first_bytes_say(media_type: str, head: bytes) -> None:
    assert media_type_of(head.ljust(HEAD_BYTES, b"\0")) == media_type


def test_an_mp3_without_tags_is_told_by_its_first_frame() -> None:
    assert media_type_of(b"\xff\xfb\x90\x64" + bytes(60)) == "audio/mpeg"


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"MZ\x90\x00",
        b"PK\x03\x04",
        b"<svg xmlns=",
        b"<!DOCTYPE html>",
        b"GIF89a",
        b"RIFF\0\0\0\0AVI ",
        b"\0\0\0\x14ftypqt  ",
        b"\xff\xff\xff\xff",
        b"#!/bin/sh",
    ],
)
def test_other_forms_are_not_taken(head: bytes) -> None:
    assert media_type_of(head) is None


def test_every_form_is_taken_by_a_class_and_every_class_takes_known_forms() -> None:
    assert {each for known in CLASSES.values() for each in known.media_types} == set(FORMS)


def test_an_installation_sets_size_and_term_of_a_class() -> None:
    known = class_with("photo", {"photo": 3}, {"photo": 10})
    assert (known.most_bytes, known.keep_days) == (3 * 1024 * 1024, 10)
    assert class_with("slip", {"photo": 3}, {"photo": 10}) == CLASSES["slip"]


# ---- sealing


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_what_is_sealed_opens_again_whatever_its_size(size: int) -> None:
    plain = os.urandom(size)
    made = b"".join(sealed(KEY, b"x", [plain[:100], plain[100:]]))
    assert len(made) == sealed_size(size)
    assert b"".join(opened(KEY, b"x", [made[:7], made[7:1000], made[1000:]])) == plain
    assert b"".join(sealed(KEY, b"x", [plain])) == made, "two who store it at once write the same bytes"


def test_a_sealed_file_cannot_be_changed_cut_off_reordered_or_taken_for_another() -> None:
    plain = os.urandom(2 * CHUNK_BYTES + 10)
    made = b"".join(sealed(KEY, b"x", [plain]))
    head, step = len(made) - (len(plain) + 3 * TAG_BYTES), CHUNK_BYTES + TAG_BYTES
    one, two, rest = made[head : head + step], made[head + step : head + 2 * step], made[head + 2 * step :]
    spoiled = {
        "changed": made[:-1] + bytes([made[-1] ^ 1]),
        "cut off at a chunk": made[: head + 2 * step],
        "reordered": made[:head] + two + one + rest,
        "cut off in its head": made[:5],
        "of another form": b"X" + made[1:],
    }
    for text in spoiled.values():
        with pytest.raises(DamagedError):
            b"".join(opened(KEY, b"x", [text]))
    with pytest.raises(DamagedError):
        b"".join(opened(KEY, b"y", [made]))
    assert plain[:64] not in made


# ---- objects on a disk


def test_an_object_on_the_disk_is_written_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    objects, name = DiskObjects(tmp_path / "evidence"), object_name(DIGEST, 1)
    assert name == f"ab/ab/{'ab' * 32}.1"
    assert objects.get(name) is None
    assert objects.size(name) is None
    objects.put(name, [b"one", b"two"], 6)
    objects.put(name, [b"one", b"two"], 6)
    found = objects.get(name)
    assert found is not None
    assert b"".join(found) == b"onetwo"
    assert objects.size(name) == 6
    (path,) = (each for each in tmp_path.rglob("*") if each.is_file())
    assert path.stat().st_mode & 0o077 == 0
    objects.delete(name)
    objects.delete(name)
    assert objects.get(name) is None


def test_what_is_being_written_is_not_there_yet(tmp_path: Path) -> None:
    objects, name = DiskObjects(tmp_path), object_name(DIGEST, 1)

    def pieces() -> Iterator[bytes]:
        yield b"half"
        assert objects.get(name) is None
        raise OSError(28, "No space left on device")

    with pytest.raises(ObjectsUnavailableError):
        objects.put(name, pieces(), 8)
    assert not [each for each in tmp_path.rglob("*") if each.is_file()], "no half file is left"


@pytest.mark.parametrize("url", ["s3://bucket", "https://host", "https://host/a/b", "nonsense"])
def test_an_address_of_a_bucket_that_is_none_is_said(url: str) -> None:
    with pytest.raises(ObjectsUnavailableError, match="evidence_s3_url"):
        objects_of(Settings(evidence_s3_url=url))


# ---- the scanner


@contextmanager
def clamd(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A daemon that speaks clamd's INSTREAM; its address, and the files that it was given."""
    given: list[bytes] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            assert self.rfile.read(10) == b"zINSTREAM\0"
            file = b""
            while length := int.from_bytes(self.rfile.read(4), "big"):
                file += self.rfile.read(length)
            given.append(file)
            self.wfile.write(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}", given
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (b"stream: OK\0", "clean"),
        (b"stream: Eicar-Test-Signature FOUND\0", "infected"),
        (b"INSTREAM size limit exceeded. ERROR\0", "unreachable"),
        (b"", "unreachable"),
    ],
)
def test_clamd_sees_the_whole_file_and_its_word_counts(answer: bytes, verdict: str) -> None:
    file = os.urandom(200_000)
    with clamd(answer) as (address, given):
        assert scan(Settings(evidence_clamd=address), [file[:150_000], file[150_000:]]) == verdict
    assert given == [file]


def test_a_scanner_that_is_not_there_says_nothing() -> None:
    assert scan(Settings(evidence_clamd="127.0.0.1:1"), [b"x"]) == "unreachable"
    assert scan(Settings(evidence_clamd="/no/such/socket"), [b"x"]) == "unreachable"
    assert scan(Settings(evidence_scan_command=("/no/such/command",)), [b"x"]) == "unreachable"


@pytest.mark.parametrize(("script", "verdict"), [("grep -q bad && exit 1; exit 0", None), ("exit 7", "unreachable")])
def test_a_command_says_it_by_its_exit(script: str, verdict: str | None) -> None:
    settings = Settings(evidence_scan_command=("sh", "-c", script))
    assert scan(settings, [b"good"]) == (verdict or "clean")
    assert scan(settings, [b"b", b"ad"]) == (verdict or "infected")


def test_a_command_that_hangs_is_not_there() -> None:
    assert scan(Settings(evidence_scan_command=("sleep", "60"), evidence_scan_s=0.05), [b"x"]) == "unreachable"


# ---- events


def ctx(role: str) -> Any:
    stamp = Stamp(f"{role}-1", role, "system" if role == "system" else "office", "c", "c")
    return Snapshot(MORNING, shipped_rules(), {}).context(stamp)


def after(*facts: Any) -> Any:
    state = None
    for fact in facts:
        state = evidence.evolve(state, Recorded(fact, uuid4(), 1, MORNING))
    return state


FILE = EvidenceFile(DIGEST, "photo", 10, "image/jpeg", uuid4())
OTHER = replace(FILE, case_id=uuid4())
KEPT = EvidenceKept(DIGEST, "photo", 10, "image/jpeg", FILE.case_id)
PURGED = EvidencePurged(DIGEST, "photo", 10, "image/jpeg", FILE.case_id, "time-is-up")


def test_that_a_file_is_kept_is_said_once_for_a_case() -> None:
    assert evidence.keep(None, ctx("crew"), FILE) == (KEPT,)
    assert evidence.keep(after(KEPT), ctx("crew"), FILE) == ()
    assert len(evidence.keep(after(KEPT), ctx("crew"), OTHER)) == 1
    assert evidence.keep(after(KEPT, PURGED), ctx("crew"), FILE) == (KEPT,), "it came again"
    assert evidence.keep(None, ctx("system"), FILE) == (KEPT,), "the program says what was kept before it was stopped"
    with pytest.raises(WrongRole):
        evidence.keep(None, ctx("public"), FILE)


def test_that_a_file_is_gone_is_said_once_for_each_case_that_it_was_kept_for() -> None:
    also = replace(KEPT, case_id=OTHER.case_id)
    assert evidence.purge(after(KEPT), FILE, "time-is-up") == (PURGED,)
    assert evidence.purge(after(KEPT, PURGED), FILE, "time-is-up") == ()
    assert len(evidence.purge(after(KEPT, also, PURGED), OTHER, "erased")) == 1
    assert evidence.purge(None, FILE, "erased") == (), "it was never said to be kept"
    assert evidence.purge(None, FILE, "infected")[0].reason == "infected", "it was in quarantine only"
    assert evidence.purge(after(replace(PURGED, reason="infected")), FILE, "infected") == ()


# ---- who may read


OF_REPAIR = CaseOfFile(kinds.REPAIR, uuid4(), Place(crews=frozenset({"crew-01"}), districts=frozenset({"qianzhou"})))
OF_APPLICATION = CaseOfFile(kinds.CONNECTION, uuid4(), Place())


@pytest.mark.parametrize(
    ("role", "work", "cases", "may"),
    [
        ("dispatcher", None, [OF_REPAIR], True),
        ("dispatcher", None, [OF_APPLICATION], False),
        ("case-owner", None, [OF_APPLICATION], True),
        ("case-owner", None, [OF_APPLICATION, OF_REPAIR], True),
        ("case-owner", None, [OF_REPAIR], False),
        ("crew", None, [OF_REPAIR], True),
        ("crew", Work(("crew",), "CREW-01"), [OF_REPAIR], True),
        ("crew", Work(("crew",), "crew-02"), [OF_REPAIR], False),
        ("crew-lead", Work(("crew-lead",), "crew-02"), [OF_REPAIR], False),
        ("dispatcher", Work(("dispatcher",), "crew-02"), [OF_REPAIR], True),
        ("dispatcher", Work(("dispatcher",), districts=("qianzhou",)), [OF_REPAIR], True),
        ("dispatcher", Work(("dispatcher",), districts=("jishou",)), [OF_REPAIR], False),
        ("manager", None, [], False),
        ("auditor", None, [], True),
    ],
)
def test_who_works_on_a_case_reads_its_files(role: str, work: Work | None, cases: list[CaseOfFile], may: bool) -> None:
    standard, asker = shipped_rules().in_force(MORNING), Asker(role, work)
    if may:
        require_readable(standard, asker, cases)
    else:
        with pytest.raises(NotYourCaseEvidence):
            require_readable(standard, asker, cases)
        require_readable(standard, asker, cases, is_from_asker=True)


def test_each_kind_of_case_is_read_with_a_power_that_there_is() -> None:
    assert {power_to_read(kind) for kind in kinds.PROMISING} == {
        "repair.read",
        "connection.read",
        "order.read",
        "usage.read",
        "book.view",
        "case.read",
    }


def test_the_digests_that_a_case_names_are_found_in_its_facts() -> None:
    digest = "sha256:" + "1" * 64
    drawn = DesignApproved(digest)
    arrived = CrewArrived("crew-01", ArrivalEvidence(True, 3, 10, "sha256:" + "2" * 64))
    recorded = [Recorded(fact, uuid4(), number, MORNING) for number, fact in enumerate((drawn, arrived, drawn), 1)]
    assert digests_named(recorded) == {
        digest: (("DesignApproved", "drawing_digest"),),
        "sha256:" + "2" * 64: (("CrewArrived", "photo_digest"),),
    }


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        ("connection-papers-sent", set()),
        ("repair-dismissed-and-answered", set()),
        ("outage-told", set()),
        ("outage-planned", {"OutageNoticeSent", "OutageNoticeProven"}),
    ],
)
def test_what_the_program_sent_is_not_looked_for_among_the_files(name: str, by_hand: set[str]) -> None:
    """Its digests are of words and of a gateway's answer. What somebody sent by hand may have a file."""
    lines = (FOLDER / f"{name}.jsonl").read_bytes().splitlines()
    named = {place for places in digests_named([read(line)[1] for line in lines]).values() for place, _ in places}
    told = {each for each in named if each.startswith(("OutageNotice", "Paper", "Answer", "Reporter", "Alert"))}
    assert told == by_hand
