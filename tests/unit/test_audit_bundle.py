"""A bundle of a case: what is in it, what verifying it finds, and a page that shows everything and runs nothing."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from api.contract.published import schemas
from consumers.notary.bundle import contents, verify_bundle
from consumers.notary.keys import NotaryRefusal
from consumers.notary.merkle import Tree, leaf_hash
from consumers.notary.note import Checkpoint, Note, NoteError, Signer, VerifyKey, read_note, signed
from consumers.notary.page import page
from consumers.notary.published import Log
from consumers.standing import standings
from infra.bus import BusRefusal
from tests.audited import AT, CASES, ORIGIN, SIGNER, event

HISTORIES = Path(__file__).parent / "histories"
WORDS = {"repair.arrival": "到场", "WindowLapsed": "超时", "crew-phone": "班组手机"}


def history(name: str) -> list[bytes]:
    return (HISTORIES / f"{name}.jsonl").read_bytes().splitlines()


def position_of(line: bytes) -> int:
    found: int = msgspec.json.decode(line)["position"]
    return found


@dataclass
class World:
    """A log in which one case's events lie among others."""

    lines: list[bytes]
    log: Log
    leaves: bytes

    def note(self, size: int, signer: Signer = SIGNER) -> Note:
        return read_note(signed(Checkpoint(ORIGIN, size, Tree(self.leaves).root(size), size, AT), [signer]))

    def made(self, folder: Path, since: Note | None = None, lines: Sequence[bytes] | None = None) -> Path:
        files = contents(lines or self.lines, self.log, schemas=schemas(), words=WORDS, since=since)
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder


@pytest.fixture
def world() -> World:
    lines = history("repair-late-and-retracted")
    mine = {position_of(line): line for line in lines}
    log = [mine.get(at) or event(at, CASES[0], at) for at in range(1, max(mine) + 8)]
    leaves = b"".join(leaf_hash(line) for line in log)
    made = World(lines, Log(ORIGIN), leaves)
    made.log = Log(ORIGIN, [made.note(len(log))], bytearray(leaves))
    return made


def check(folder: Path, kept: Note | None = None, keys: Sequence[VerifyKey] = (SIGNER.public,)) -> tuple[str, bool]:
    said, well = verify_bundle(folder, kept=kept, keys=keys)
    return "\n".join(said), well


def test_a_bundle_is_verified_by_the_key_and_by_a_kept_checkpoint(world: World, tmp_path: Path) -> None:
    kept = world.note(4)
    folder = world.made(tmp_path / "b", since=kept)
    for keys in ((), (SIGNER.public,)):
        said, well = check(folder, kept, keys)
        assert well, said
    assert "verified 核验通过" in said
    assert (folder / "schemas" / "water.repair.FaultReported.v1.json").exists()


def test_a_zip_is_read_as_the_folder_is(world: World, tmp_path: Path) -> None:
    folder = world.made(tmp_path / "b")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder))
    assert check(tmp_path / "b.zip") == check(folder)


def test_without_anybody_who_stands_for_the_checkpoint_nothing_is_verified(world: World, tmp_path: Path) -> None:
    said, well = check(world.made(tmp_path / "b", since=world.note(4)), keys=())
    assert not well
    assert "nobody stands for the checkpoint" in said


def test_a_changed_event_is_named(world: World, tmp_path: Path) -> None:
    folder = world.made(tmp_path / "b", since=world.note(4))
    text = (folder / "events.jsonl").read_bytes()
    (folder / "events.jsonl").write_bytes(text.replace(b'"severity":"medium"', b'"severity":"major"'))
    said, well = check(folder)
    assert not well
    assert "is not what was signed" in said


def test_a_schema_left_out_is_named(world: World, tmp_path: Path) -> None:
    folder = world.made(tmp_path / "b")
    (folder / "schemas" / "water.repair.CrewArrived.v1.json").unlink()
    assert "schemas/water.repair.CrewArrived.v1.json is missing" in check(folder)[0]


def test_an_event_left_out_is_named(world: World, tmp_path: Path) -> None:
    folder = world.made(tmp_path / "b", since=world.note(4))
    lines = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "events.jsonl").write_bytes(b"".join(lines[:3] + lines[4:]))
    said, well = check(folder)
    assert not well
    assert "version 4 is missing" in said


def test_a_page_that_says_something_else_is_named(world: World, tmp_path: Path) -> None:
    folder = world.made(tmp_path / "b", since=world.note(4))
    assert check(folder)[1]
    text = (folder / "case.html").read_text(encoding="utf-8")
    (folder / "case.html").write_text(text.replace("crew-1", "crew-2"), encoding="utf-8")
    assert "case.html is not what the events say" in check(folder)[0]


def test_a_checkpoint_of_somebody_else_is_named(world: World, tmp_path: Path) -> None:
    thief = Signer("tongshui", b"\7" * 32)
    world.log.notes = [world.note(world.log.newest.checkpoint.size, thief)]
    said, well = check(world.made(tmp_path / "b", since=world.note(4)))
    assert not well
    assert "no signature of a key that counts" in said


def test_a_log_rewritten_before_the_kept_checkpoint_is_found_though_the_stolen_key_signed_it(
    world: World, tmp_path: Path
) -> None:
    kept = world.note(4)
    rewritten = bytearray(world.leaves)
    rewritten[:32] = leaf_hash(b"another first event")
    forged = World(world.lines, Log(ORIGIN), bytes(rewritten))
    forged.log = Log(ORIGIN, [forged.note(world.log.newest.checkpoint.size)], rewritten)
    said, well = check(forged.made(tmp_path / "b", since=forged.note(4)), kept)
    assert not well
    assert "not shown that the log continues the kept one" in said
    with pytest.raises(NotaryRefusal, match="not-continued"):
        contents(world.lines, forged.log, schemas={}, words={}, since=kept)


def test_what_is_no_bundle_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_bytes(b"no zip")
    (tmp_path / "b").mkdir()
    for path in (tmp_path / "b.zip", tmp_path / "b"):
        with pytest.raises(NoteError, match="bad-note: found"):
            verify_bundle(path)
    assert issubclass(NotaryRefusal, BusRefusal)


# ---- the page


def test_the_page_shows_promises_with_their_lapses_and_what_was_taken_back(world: World) -> None:
    text = page(world.lines, world.log.newest, WORDS)
    assert "到场 <small>repair.arrival</small>" in text
    assert "已撤回 retracted: met-in-time" in text
    assert text.count("<tr class=") == len(world.lines)
    for words in ("2026-09-16 09:30:00", "0225-1", "时间线 Timeline", "tester"):
        assert words in text


def test_nothing_in_an_event_becomes_markup(world: World) -> None:
    evil = "<script>alert(1)</script>\"'&"
    line = event(1, CASES[0], 1, note=evil, **{"<b>": [evil]})
    line = line.replace(b'"crew-1"', msgspec.json.encode(evil)).replace(b'"crew-phone"', msgspec.json.encode(evil))
    text = page([line], world.log.newest, {"WindowLapsed": evil})
    assert "<script" not in text
    assert "<b>" not in text
    assert "&lt;script&gt;" in text
    assert "default-src 'none'" in text


@pytest.mark.parametrize("path", sorted(HISTORIES.glob("*.jsonl")), ids=lambda path: path.stem)
def test_every_recorded_history_has_a_page_and_standings(path: Path, world: World) -> None:
    lines = path.read_bytes().splitlines()
    assert page(lines, world.log.newest, WORDS).endswith("</html>\n")


def test_standings_tell_what_stands_and_what_was_taken_back() -> None:
    said = [msgspec.json.decode(line) for line in history("repair-late-and-retracted")]
    found = {each.commitment: each for each in standings((e["type"].split(".")[2], e["data"]) for e in said)}
    arrival, completion = found["repair.arrival"], found["repair.completion"]
    assert (arrival.state, arrival.standing_lapses, [lapse.retracted for lapse in arrival.lapses]) == (
        "met",
        [],
        ["met-in-time"],
    )
    assert (completion.state, completion.moved, completion.lapses) == ("met", 1, [])
    assert completion.standard.startswith("0225")
