"""A bundle of a case: what is in it, what verifying it finds, and a page that shows everything and runs nothing."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from api.contract import editions
from app.cli import main
from consumers.notary import wording
from consumers.notary.bundle import FORMAT, README, README_OF_THE_FIRST_FORM, _write, contents
from consumers.notary.bundle_verify import BundleReport, verify_bundle
from consumers.notary.keys import NotaryRefusal
from consumers.notary.merkle import Tree, leaf_hash
from consumers.notary.note import Note, NoteError, SignedCheckpoint, Signer, VerifyKey, read_note, signed
from consumers.notary.page import page
from consumers.notary.published import PublishedLog
from consumers.verdict_history import standings
from infra.kafka.cluster import BusRefusal
from tests.audited import AT, CASES, ORIGIN, SIGNER, WORDING, event

HISTORIES = Path(__file__).parent / "histories"
OF_THE_FIRST_FORM = Path(__file__).parent / "bundles" / "format-1.zip"
"""As a program made it that did not write bundle.json."""
WORDS = {"repair.arrival": "到场", "WindowLapsed": "超时", "crew-phone": "班组手机"}
KEPT_IN_TIME = "按期完成"
SCHEMA = "schemas/water.repair.WindowLapsed.v1.json"
Files = dict[str, bytes]


def history(name: str) -> list[bytes]:
    return (HISTORIES / f"{name}.jsonl").read_bytes().splitlines()


def position_of(line: bytes) -> int:
    found: int = msgspec.json.decode(line)["position"]
    return found


@dataclass
class World:
    """A log in which one case's events lie among others."""

    lines: list[bytes]
    log: PublishedLog
    leaves: bytes

    def note(self, size: int, signer: Signer = SIGNER) -> Note:
        return read_note(signed(SignedCheckpoint(ORIGIN, size, Tree(self.leaves).root(size), size, AT), [signer]))

    def files(self, since: Note | None = None) -> Files:
        return contents(self.lines, self.log, wording=WORDING, since=since)

    def made(self, folder: Path, since: Note | None = None) -> Path:
        return written(self.files(since), folder)


def written(files: Mapping[str, bytes], folder: Path) -> Path:
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
    made = World(lines, PublishedLog(ORIGIN), leaves)
    made.log = PublishedLog(ORIGIN, [made.note(len(log))], bytearray(leaves))
    return made


def verified(
    path: Path, kept: Note | None = None, keys: Sequence[VerifyKey] = (SIGNER.public,), case: str | None = None
) -> BundleReport:
    return verify_bundle(path, WORDING, kept=kept, keys=keys, case=case)


def text_of(report: BundleReport) -> str:
    return "\n".join(report.describe())


def test_a_bundle_is_verified_by_the_key_and_by_a_kept_checkpoint(world: World, tmp_path: Path) -> None:
    kept = world.note(4)
    report = verified(world.made(tmp_path / "b", since=kept), kept)
    assert (report.exit_code, report.wrong, report.unproven) == (0, [], [])
    assert "15 events of case '681b7637-7eae-4a6a-b01c-d6d1992e4e94', number 'BX-1'" in text_of(report)
    assert "verified 核验通过" in text_of(report)
    assert (tmp_path / "b" / "schemas" / "water.repair.FaultReported.v1.json").exists()


def test_the_same_case_at_the_same_checkpoint_is_the_same_file(world: World, tmp_path: Path) -> None:
    for name in ("one.zip", "two.zip"):
        _write(tmp_path / name, world.files())
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert verified(tmp_path / "one.zip").exit_code == 0


def test_without_anybody_who_stands_for_the_checkpoint_nothing_is_verified(world: World, tmp_path: Path) -> None:
    report = verified(world.made(tmp_path / "b", since=world.note(4)), keys=())
    assert report.exit_code == 1
    assert "nobody stands for the checkpoint" in text_of(report)


def test_without_the_key_a_kept_checkpoint_shows_not_when_the_newer_one_was_signed(
    world: World, tmp_path: Path
) -> None:
    """Its root is proven to go on from the kept one; its time is a line that anybody can write."""
    kept = world.note(4)
    files = world.files(since=kept)
    other = files["checkpoint"].replace(b"at 2026-09-16", b"at 2026-02-01")
    files |= {"checkpoint": other, "case.html": page_of(files | {"checkpoint": other})}
    report = verified(written(files, tmp_path / "b"), kept, keys=())
    assert (report.exit_code, report.wrong) == (3, [])
    assert report.unproven == ["checkpoint: who signed it, and when; give --key"]
    assert "no signature of a key that counts" in text_of(verified(tmp_path / "b", kept))
    whole = written(world.files(since=world.log.newest), tmp_path / "kept-itself")
    assert verified(whole, world.log.newest, keys=()).exit_code == 0


def test_a_changed_event_is_named(world: World, tmp_path: Path) -> None:
    folder = world.made(tmp_path / "b", since=world.note(4))
    text = (folder / "events.jsonl").read_bytes()
    (folder / "events.jsonl").write_bytes(text.replace(b'"severity":"medium"', b'"severity":"major"'))
    report = verified(folder)
    assert report.exit_code == 1
    assert "is not what was signed" in text_of(report)
    assert report.page is None


def test_a_schema_left_out_is_named(world: World, tmp_path: Path) -> None:
    folder = world.made(tmp_path / "b")
    (folder / "schemas" / "water.repair.CrewArrived.v1.json").unlink()
    assert verified(folder).wrong == ["schemas/water.repair.CrewArrived.v1.json is missing, or no schema"]


def test_an_event_left_out_is_named(world: World, tmp_path: Path) -> None:
    folder = world.made(tmp_path / "b", since=world.note(4))
    lines = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "events.jsonl").write_bytes(b"".join(lines[:3] + lines[4:]))
    report = verified(folder)
    assert report.exit_code == 1
    assert "version 4 is missing" in text_of(report)


def test_a_checkpoint_of_somebody_else_is_named(world: World, tmp_path: Path) -> None:
    thief = Signer("tongshui", b"\7" * 32)
    world.log.notes = [world.note(world.log.newest.checkpoint.size, thief)]
    report = verified(world.made(tmp_path / "b", since=world.note(4)))
    assert report.exit_code == 1
    assert "no signature of a key that counts" in text_of(report)


def test_a_log_rewritten_before_the_kept_checkpoint_is_found_though_the_stolen_key_signed_it(
    world: World, tmp_path: Path
) -> None:
    kept = world.note(4)
    rewritten = bytearray(world.leaves)
    rewritten[:32] = leaf_hash(b"another first event")
    forged = World(world.lines, PublishedLog(ORIGIN), bytes(rewritten))
    forged.log = PublishedLog(ORIGIN, [forged.note(world.log.newest.checkpoint.size)], rewritten)
    report = verified(forged.made(tmp_path / "b", since=forged.note(4)), kept)
    assert report.exit_code == 1
    assert "not shown that the log continues the kept one" in text_of(report)
    with pytest.raises(NotaryRefusal, match="not-continued"):
        contents(world.lines, forged.log, wording=WORDING, since=kept)


def test_what_is_no_bundle_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_bytes(b"no zip")
    (tmp_path / "b").mkdir()
    os.mkfifo(tmp_path / "pipe.zip")
    for path in (tmp_path / "b.zip", tmp_path / "b", tmp_path / "pipe.zip"):
        with pytest.raises(NoteError, match="bad-note: found"):
            verified(path)
    assert issubclass(NotaryRefusal, BusRefusal)


# ---- what nobody signed


def page_of(files: Files) -> bytes:
    """The page that a bundle's own events, note and words make: as its maker, or a forger, makes it."""
    lines = files["events.jsonl"].splitlines()
    words = msgspec.json.decode(files["words.json"], type=dict[str, str])
    return page(lines, read_note(files["checkpoint"].decode()), words).encode()


def words_changed(files: Files, **names: str | None) -> Files:
    """Words changed or (None) taken out, and the page made anew from them."""
    words = msgspec.json.decode(files["words.json"], type=dict[str, str])
    words = {code: name for code, name in (words | names).items() if name is not None}
    changed = files | {"words.json": wording.as_words_file(words)}
    return changed | {"case.html": page_of(changed)}


def about_changed(files: Files, **said: Any) -> Files:
    about = msgspec.json.decode(files["bundle.json"]) | said
    return files | {"bundle.json": msgspec.json.format(msgspec.json.encode(about), indent=1)}


def edited(files: Files, name: str, old: str, new: str) -> Files:
    assert old.encode() in files[name]
    return files | {name: files[name].replace(old.encode(), new.encode(), 1)}


def without(files: Files, name: str) -> Files:
    return {each: content for each, content in files.items() if each != name}


def schema_described(files: Files, words: str) -> Files:
    schema = msgspec.json.decode(files[SCHEMA]) | {"description": words}
    return files | {SCHEMA: wording.as_schema_file(schema)}


Change = Callable[[Files], Files]
FORGED: dict[str, tuple[Change, str]] = {
    "a word changed": (
        lambda f: words_changed(f, WindowLapsed=KEPT_IN_TIME),
        "'WindowLapsed' is called '按期完成' in it",
    ),
    "a word taken out": (lambda f: words_changed(f, WindowLapsed=None), "'WindowLapsed' is called by its code in it"),
    "a word put in": (lambda f: words_changed(f, crew="好班组"), "'crew' is called '好班组' in it, by its code here"),
    "a word twice": (lambda f: edited(f, "words.json", "{", '{"WindowLapsed": "x",'), "words.json is missing, or has"),
    "no words": (lambda f: without(f, "words.json"), "words.json is missing"),
    "words that are none": (lambda f: f | {"words.json": b"[]"}, "has more in it than names"),
    "another page": (lambda f: edited(f, "case.html", "crew-1", "crew-2"), "case.html is not what the events say"),
    "a comment in the page": (
        lambda f: edited(f, "case.html", "</body>", "<!-- x --></body>"),
        "case.html is not what",
    ),
    "no page": (lambda f: without(f, "case.html"), "case.html is not what the events say"),
    "another meaning": (lambda f: schema_described(f, "Kept."), f"{SCHEMA} is not the one that was published"),
    "a title twice": (lambda f: edited(f, SCHEMA, "{", '{"title": "x",'), f"{SCHEMA} is missing, or no schema"),
    "another readme": (lambda f: edited(f, "README.md", "tongshui", "sudo tongshui"), "README.md is not the one"),
    "another case": (lambda f: about_changed(f, case=str(CASES[1])), "bundle.json: is not what the events say"),
    "another number": (lambda f: about_changed(f, number="BX-2"), "bundle.json: is not what the events say"),
    "one thing more": (lambda f: about_changed(f, approved_by="d-1"), "bundle.json: is not what the events say"),
    "too few names": (lambda f: about_changed(f, words=1), "no program has made bundles of this form by so few names"),
    "an older form": (lambda f: about_changed(f, format=1), "no program has made bundles of this form"),
    "no form": (lambda f: f | {"bundle.json": b"{}"}, "bundle.json: does not say which form the bundle has"),
}


@pytest.mark.parametrize("forgery", FORGED)
def test_what_nobody_signed_is_made_again_and_compared(world: World, tmp_path: Path, forgery: str) -> None:
    change, named = FORGED[forgery]
    report = verified(written(change(world.files()), tmp_path / "b"))
    assert report.exit_code == 1
    assert named in text_of(report)
    assert "\nverified" not in text_of(report)


def test_whoever_says_that_a_newer_program_made_it_gets_no_word_for_that(world: World, tmp_path: Path) -> None:
    """Only a newer program can know; this one says what it cannot know, and still gives a page of its own."""
    many = about_changed(world.files(), words=100_000)
    forged = schema_described(words_changed(many, WindowLapsed=KEPT_IN_TIME), "The limit was kept.")
    report = verified(written(forged | {"README.md": b"Run this."}, tmp_path / "b"))
    assert (report.exit_code, report.wrong) == (3, [])
    said = text_of(report)
    for named in (
        "a newer program",
        "'WindowLapsed' is called '按期完成' in it, '超时' here",
        "case.html: shows those",
    ):
        assert named in said
    assert "README.md: is not the one of this program" in said
    assert f"{SCHEMA}: is none that this program knows" in said
    assert "EVENTS VERIFIED, NOT EVERYTHING" in said
    assert report.page is not None
    assert KEPT_IN_TIME not in report.page
    contradicting = forged | {"case.html": forged["case.html"].replace(b"crew-1", b"crew-2")}
    assert "case.html is not what the events say" in verified(written(contradicting, tmp_path / "c")).wrong
    other_case = about_changed(forged, case=str(CASES[1]))
    assert "bundle.json: is not what the events say" in verified(written(other_case, tmp_path / "d")).wrong


def test_a_newer_bundle_of_the_same_words_is_verified_but_for_that(world: World, tmp_path: Path) -> None:
    report = verified(written(about_changed(world.files(), words=100_000), tmp_path / "b"))
    assert report.exit_code == 3
    assert len(report.unproven) == 1
    other_form = verified(written(about_changed(world.files(), format=FORMAT + 1), tmp_path / "c"))
    assert [each.partition(":")[0] for each in other_form.unproven] == ["bundle.json", "case.html"]


def test_a_bundle_made_before_a_name_changed_is_verified_by_the_name_of_then(world: World, tmp_path: Path) -> None:
    schema = dict(WORDING.schemas["water.repair.WindowLapsed.v1"]) | {"description": "Said better."}
    later = wording.Wording(
        [*WORDING.words, ("WindowLapsed", "逾期")],
        [*WORDING.digests, ("water.repair.WindowLapsed.v1", wording.digest(schema))],
        {**WORDING.schemas, "water.repair.WindowLapsed.v1": schema},
    )
    folder = world.made(tmp_path / "b")
    report = verify_bundle(folder, later, keys=[SIGNER.public])
    assert report.exit_code == 0
    assert "超时" in (folder / "case.html").read_text(encoding="utf-8")
    assert report.page is not None
    assert "逾期" in report.page
    newer = contents(world.lines, world.log, wording=later)
    assert verify_bundle(written(newer, tmp_path / "c"), later, keys=[SIGNER.public]).exit_code == 0
    assert verified(tmp_path / "c").exit_code == 3


def test_a_bundle_of_the_first_form_is_verified_and_told_apart(world: World, tmp_path: Path) -> None:
    report = verified(OF_THE_FIRST_FORM, world.note(4))
    assert (report.exit_code, report.wrong, report.unproven) == (0, [], [])
    assert "made by an earlier program, which did not say by which names" in text_of(report)


def test_a_bundle_of_the_first_form_has_the_words_schemas_and_readme_of_then(tmp_path: Path) -> None:
    with zipfile.ZipFile(OF_THE_FIRST_FORM) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert sha256(files["README.md"]).hexdigest() == README_OF_THE_FIRST_FORM
    for number, (forged, named) in enumerate(
        [
            (words_changed(files, WindowLapsed=KEPT_IN_TIME), "'WindowLapsed' is called '按期完成' in it, '超时' here"),
            (schema_described(files, "The limit was kept."), f"{SCHEMA} is not the one that was published"),
            (files | {"README.md": README.encode()}, "README.md is not the one that bundles have"),
        ]
    ):
        report = verified(written(forged, tmp_path / str(number)))
        assert report.exit_code == 1
        assert named in text_of(report)


def test_a_bundle_that_passes_for_an_older_one_has_still_to_have_its_words(world: World, tmp_path: Path) -> None:
    files = words_changed(world.files(), WindowLapsed=KEPT_IN_TIME)
    del files["bundle.json"]
    report = verified(written(files, tmp_path / "b"))
    assert report.exit_code == 1
    assert "'WindowLapsed' is called '按期完成' in it, '超时' here" in text_of(report)


def test_the_page_and_the_readme_of_this_form_are_as_they_were() -> None:
    """They are out in the world. Another page or README is another FORMAT, and this one must still be made."""
    lines = history("repair-late-and-retracted")
    note = read_note(signed(SignedCheckpoint(ORIGIN, 20, b"r" * 32, 20, AT), [SIGNER]))
    made = page(lines, note, WORDING.words_of(lines, wording.FIRST)).encode()
    assert FORMAT == 2
    assert sha256(made).hexdigest() == "c8352ad8e07a2a0d42ad026f672ebba88c86ec860ffa921dbf176f3e5a1d24eb"
    assert sha256(README.encode()).hexdigest() == "fc726d140b5fa69b3dcde8d0076324c81c158752f0e2eac29b05be57631166f7"


def test_contract_and_bundle_mean_the_same_by_the_digest_of_a_schema() -> None:
    for name, schema in WORDING.schemas.items():
        assert wording.digest(schema) == editions.digest(schema)
        assert WORDING.digests_at(WORDING.newest)[name] == wording.digest(schema)
    assert WORDING.newest >= wording.FIRST


# ---- what is more in it


MORE: dict[str, tuple[Change, str]] = {
    "a file": (lambda f: f | {"verdict.pdf": b"%PDF"}, "'verdict.pdf': is no part of a bundle"),
    "a file among the schemas": (lambda f: f | {"schemas/a.html": b"x"}, "'schemas/a.html': is no part of a bundle"),
    "a schema of no event": (
        lambda f: f | {"schemas/water.x.Y.v1.json": b"{}"},
        "water.x.Y.v1.json: of no event in it",
    ),
    "a copy of a part": (lambda f: f | {"words.json.bak": b"x"}, "'words.json.bak': is no part of a bundle"),
    "a name that moves the cursor": (lambda f: f | {"\x1b[2Jverified": b""}, r"'\x1b[2Jverified': is no part"),
    "words in the proofs": (lambda f: edited(f, "proofs.json", "{", '{"a": 1,'), "proofs.json: has more in it"),
    "words at a note": (lambda f: f | {"handovers.jsonl": note_line(f, well=True)}, "handovers.jsonl: has more in it"),
    "no last end of line": (lambda f: f | {"events.jsonl": f["events.jsonl"][:-1]}, "events.jsonl: does not end as"),
}


@pytest.mark.parametrize("more", MORE)
def test_what_is_more_in_a_bundle_is_named_and_told_apart(world: World, tmp_path: Path, more: str) -> None:
    change, named = MORE[more]
    report = verified(written(change(world.files()), tmp_path / "b"))
    assert (report.exit_code, report.wrong) == (3, [])
    assert named in text_of(report)
    assert "\x1b" not in text_of(report)
    assert report.page is not None


def note_line(files: Files, **more: Any) -> bytes:
    return msgspec.json.encode({"note": files["checkpoint"].decode()} | more) + b"\n"


def test_proofs_of_other_events_and_of_another_place_are_named(world: World, tmp_path: Path) -> None:
    files = world.files()
    proofs = msgspec.json.decode(files["proofs.json"])
    twice = proofs | {"events": [*proofs["events"], proofs["events"][0]]}
    elsewhere = proofs | {"events": [proofs["events"][0] | {"index": 3}, *proofs["events"][1:]]}
    for number, (changed, exit_code, named) in enumerate(
        [(twice, 3, "has proofs for other positions"), (elsewhere, 1, "is not what was signed")]
    ):
        content = msgspec.json.format(msgspec.json.encode(changed), indent=1)
        report = verified(written(files | {"proofs.json": content}, tmp_path / str(number)))
        assert report.exit_code == exit_code
        assert named in text_of(report)


def test_evidence_for_others_is_said_not_to_be_used(world: World, tmp_path: Path) -> None:
    thief = Signer("tongshui", b"\7" * 32)
    files = world.files(since=world.note(4))
    line = msgspec.json.encode({"note": world.note(3, thief).whole}) + b"\n"
    report = verified(written(files | {"handovers.jsonl": line}, tmp_path / "b"))
    assert report.exit_code == 0
    assert "not used: 1 notes of handovers.jsonl, by keys that were not given" in report.told
    assert "not used: the proof for who kept a checkpoint of 4 events" in report.told


def test_signature_lines_of_others_are_named_for_the_page_shows_them(world: World, tmp_path: Path) -> None:
    """They are no part of what is signed: anybody can write one below a checkpoint."""
    files = world.files()
    whole = files["checkpoint"].decode()
    for number, (line, exit_code, named) in enumerate(
        [
            ("— approved-by-the-price-authority Zm9vYmFyYmF6\n", 3, "a signature by 'approved-by-the-price-authority'"),
            (f"— {ORIGIN} Zm9vYmFyYmF6\n", 0, "not used: 1 signatures of the checkpoint"),
        ]
    ):
        changed = files | {"checkpoint": (whole + line).encode()}
        report = verified(written(changed | {"case.html": page_of(changed)}, tmp_path / str(number)))
        assert (report.exit_code, report.wrong) == (exit_code, [])
        assert named in text_of(report)


# ---- of which case


def test_a_bundle_of_another_case_than_wanted_is_not_what_was_asked_for(world: World, tmp_path: Path) -> None:
    folder = world.made(tmp_path / "b")
    for case in ("BX-1", "bx-1", "681b7637-7eae-4a6a-b01c-d6d1992e4e94"):
        assert verified(folder, case=case).exit_code == 0
    report = verified(folder, case="BX-2026-000007")
    assert report.exit_code == 1
    assert "it is not of case 'BX-2026-000007'" in text_of(report)


@pytest.mark.parametrize("name", ["BX-2026-000007", f"case-{CASES[2]}"])
def test_a_name_of_another_case_on_the_file_is_named(world: World, tmp_path: Path, name: str) -> None:
    report = verified(world.made(tmp_path / name))
    assert report.exit_code == 3
    assert f"the file's name '{name}'" in text_of(report)
    assert verified(world.made(tmp_path / "BX-1 681b7637-7eae-4a6a-b01c-d6d1992e4e94")).exit_code == 0


# ---- at the terminal


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["audit", "verify-bundle", *map(str, arguments)])
    return done.exit_code, done.output


def test_the_command_ends_by_what_it_found_and_writes_a_page_of_its_own(world: World, tmp_path: Path) -> None:
    key = ("--key", SIGNER.public)
    folder, mine = world.made(tmp_path / "b"), tmp_path / "mine.html"
    assert run(folder, *key, "--page", mine)[0] == 0
    assert mine.read_bytes() == (folder / "case.html").read_bytes()
    assert run(folder, *key, "--page", mine) == (
        1,
        run(folder, *key)[1] + f"tongshui: file-exists: found {mine}; needed the name of a new file\n",
    )
    (folder / "verdict.pdf").write_bytes(b"x")
    assert run(folder, *key, "--page", tmp_path / "second.html")[0] == 3
    assert (tmp_path / "second.html").read_bytes() == mine.read_bytes()
    written(words_changed(world.files(), WindowLapsed=KEPT_IN_TIME), folder)
    code, said = run(folder, *key, "--page", tmp_path / "third.html", "--case", "BX-1")
    assert code == 1
    assert "NOT VERIFIED 核验不通过" in said
    assert not (tmp_path / "third.html").exists()


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
