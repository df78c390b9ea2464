"""A zip or folder that somebody handed over: plain ones are read, whatever tools could unpack in two ways is named."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from consumers.notary import archive
from consumers.notary.archive import Members, read_members
from consumers.notary.note import NoteError

PAGE = b"<p>lapsed</p>" * 40
OTHER = b"<p>kept in time</p>"


def is_wanted(name: str) -> bool:
    return name in ("case.html", "words.json", "schemas/a.json")


def read(path: Path) -> Members:
    return read_members(path, is_wanted)


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as made:
        warnings.simplefilter("ignore", UserWarning)  # of two members with one name, which is what is wanted here
        for name, content in members:
            made.writestr(name, content, method)
    return file.getvalue()


def member(name: str, **attributes: object) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info


def plain() -> bytes:
    return zipped(("case.html", PAGE), ("words.json", b"{}"))


def in_both_headers(content: bytes, at: int, value: bytes) -> bytes:
    """The only member's headers, changed at a place counted from the field after "version needed"."""
    directory = content.index(b"PK\1\2")
    changed = bytearray(content)
    changed[6 + at : 6 + at + len(value)] = value
    changed[directory + 8 + at : directory + 8 + at + len(value)] = value
    return bytes(changed)


def longer_than_it_says() -> bytes:
    """A bomb: a megabyte that says it is ten bytes."""
    return in_both_headers(zipped(("case.html", b"0" * 1_000_000)), 16, struct.pack("<I", 10))


def renamed_inside(content: bytes) -> bytes:
    """The member's own header has another name than the directory."""
    return content.replace(b"case.html", b"good.html", 1)


def hidden_between(content: bytes) -> bytes:
    """Bytes between the members and the directory, where the end says that the directory begins behind them."""
    directory, end = content.index(b"PK\1\2"), content.index(b"PK\5\6")
    moved = bytearray(content[end:])
    moved[16:20] = struct.pack("<I", directory + 7)
    return content[:directory] + b"secrets" + content[directory:end] + bytes(moved)


def behind_the_deflated(content: bytes) -> bytes:
    """Bytes behind the end of what is deflated, within the member."""
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    stream = packed.compress(PAGE) + packed.flush() + b"and more"
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 8, 0, 0x21, zlib.crc32(PAGE), len(stream), len(PAGE), 9, 0)
    entry = struct.pack(
        "<4sHHHHHHIIIHHHHHII",
        b"PK\1\2",
        20,
        20,
        0,
        8,
        0,
        0x21,
        zlib.crc32(PAGE),
        len(stream),
        len(PAGE),
        9,
        0,
        0,
        0,
        0,
        0,
        0,
    )
    body, directory = local + b"case.html" + stream, entry + b"case.html"
    return body + directory + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, len(directory), len(body), 0)


def other_name_field() -> bytes:
    said = struct.pack("<BI", 1, zlib.crc32(b"case.html")) + b"evil.html"
    return zipped((member("case.html", extra=struct.pack("<HH", 0x7075, len(said)) + said), PAGE))


WRONG: dict[str, tuple[Callable[[], bytes], str]] = {
    "two of one name": (
        lambda: zipped(("case.html", PAGE), ("case.html", OTHER)),
        "'case.html': 2 members have this name",
    ),
    "capital letters": (lambda: zipped(("case.html", PAGE), ("Case.HTML", OTHER)), "knows no capital letters"),
    "a dot at the end": (lambda: zipped(("case.html", PAGE), ("case.html.", OTHER)), "'case.html', 'case.html.'"),
    "a wide letter": (lambda: zipped(("case.html", PAGE), ("ｃase.html", OTHER)), "knows no capital letters"),
    "a folder above": (lambda: zipped(("../case.html", OTHER)), "'../case.html': such a name can lead out"),
    "a folder above, inside": (lambda: zipped(("schemas/../../x", OTHER)), "such a name can lead out"),
    "an absolute name": (lambda: zipped(("/etc/passwd", OTHER)), "'/etc/passwd': such a name can lead out"),
    "a drive": (lambda: zipped(("C:case.html", OTHER)), "'C:case.html': such a name can lead out"),
    "a backslash": (lambda: zipped(("schemas\\a.json", OTHER)), "such a name can lead out"),
    "a zero": (lambda: plain().replace(b"case.html", b"case\0html"), "such a name can lead out"),
    "a link": (lambda: zipped((member("case.html", external_attr=0o120777 << 16), b"/etc")), "is a link"),
    "encrypted": (lambda: in_both_headers(zipped(("case.html", PAGE)), 0, b"\1\0"), "'case.html': is encrypted"),
    "packed otherwise": (lambda: zipped(("case.html", PAGE), method=zipfile.ZIP_LZMA), "packed by method 14"),
    "a bomb": (longer_than_it_says, "its content is not what its size and checksum say"),
    "another checksum": (lambda: in_both_headers(zipped(("case.html", PAGE)), 8, b"abcd"), "size and checksum"),
    "more behind the deflated": (lambda: behind_the_deflated(b""), "size and checksum"),
    "two names": (lambda: renamed_inside(plain()), "its own header says otherwise"),
    "a name in a field": (other_name_field, "has another name beside this one"),
    "bytes between": (lambda: hidden_between(plain()), "7 bytes lie between the members and the zip's directory"),
}


@pytest.mark.parametrize("trick", WRONG)
def test_what_tools_could_unpack_in_two_ways_is_named(tmp_path: Path, trick: str) -> None:
    make, named = WRONG[trick]
    (tmp_path / "b.zip").write_bytes(make())
    found = read(tmp_path / "b.zip")
    assert any(named in each for each in found.wrong), found


def overlapping() -> bytes:
    """Two lines of the directory for one and the same content."""
    content = zipped(("case.html", PAGE))
    directory, end = content.index(b"PK\1\2"), content.index(b"PK\5\6")
    entry = content[directory:end]
    closing = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 2, 2, len(entry) * 2, directory, 0)
    return content[:directory] + entry + entry + closing


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "bytes behind": (lambda: plain() + b"and more", "something stands behind its end"),
    "bytes before": (lambda: b"#!/bin/sh\n" + plain(), "its directory is not where its end says"),
    "a second zip before": (lambda: plain() + zipped(("case.html", OTHER)), "its directory is not where its end says"),
    "no zip": (lambda: b"PK", "it has no end of a zip"),
    "a cut directory": (lambda: plain()[:-40] + plain()[-22:], "its directory"),
    "many members": (lambda: zipped(*((f"{n}", b"") for n in range(archive.MOST_MEMBERS + 1))), "2001 members"),
}


@pytest.mark.parametrize("trick", REFUSED)
def test_what_is_no_plain_zip_is_refused(tmp_path: Path, trick: str) -> None:
    make, named = REFUSED[trick]
    (tmp_path / "b.zip").write_bytes(make())
    with pytest.raises(NoteError, match=named):
        read(tmp_path / "b.zip")


def test_one_content_under_two_lines_of_the_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_bytes(overlapping())
    assert any("lies at byte 0 instead of" in each for each in read(tmp_path / "b.zip").wrong)


def test_what_would_unpack_beyond_bounds_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "LARGEST_BYTES", 2_000)
    (tmp_path / "b.zip").write_bytes(zipped(("case.html", b"0" * 1_500), ("words.json", b"0" * 1_500)))
    monkeypatch.setattr(archive, "_content", lambda file, entry: pytest.fail("unpacked"))
    with pytest.raises(NoteError, match="3000 bytes unpacked"):
        read(tmp_path / "b.zip")
    (tmp_path / "c.zip").write_bytes(os.urandom(2_001))
    with pytest.raises(NoteError, match="2001 bytes"):
        read(tmp_path / "c.zip")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "case.html").write_bytes(b"0" * 2_001)
    with pytest.raises(NoteError, match="2001 bytes"):
        read(tmp_path / "d")


def test_what_nobody_asked_for_is_named_and_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LARGEST_BYTES", 2_000)
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("case.html", PAGE)
        made.writestr("movie.mp4", b"0" * 100_000)
        made.writestr(member("words.json", comment=b"approved"), b"{}")
        made.mkdir("empty")
        made.comment = b"approved by the director"
    found = read(tmp_path / "b.zip")
    assert found.wrong == []
    assert set(found.files) == {"case.html", "words.json"}
    assert found.besides == ["the zip's comment", "'movie.mp4'", "a comment at 'words.json'", "'empty/'"]


def test_of_many_only_so_many_are_named(tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_bytes(zipped(*((f"{number}.txt", b"") for number in range(80))))
    found = read(tmp_path / "b.zip")
    assert len(found.besides) == archive.NAMED + 1
    assert found.besides[-1] == "and 30 more of this kind"


class Pipe(io.RawIOBase):
    """Something to write to that knows no way back: sizes then come behind the content."""

    def __init__(self) -> None:
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, content: object) -> int:
        self.content += bytes(content)  # type: ignore[call-overload]
        return len(bytes(content))  # type: ignore[call-overload]


def streamed() -> bytes:
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("case.html", PAGE)
        made.writestr("schemas/a.json", b"")
    return pipe.content


def with_its_folder() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.mkdir("schemas")
        made.writestr("case.html", PAGE)
        made.writestr("schemas/a.json", b"")
    return file.getvalue()


PLAIN: dict[str, Callable[[], bytes]] = {
    "deflated": lambda: zipped(("case.html", PAGE), ("schemas/a.json", b"")),
    "stored": lambda: zipped(("case.html", PAGE), ("schemas/a.json", b""), method=zipfile.ZIP_STORED),
    "streamed": streamed,
    "with its folder": with_its_folder,
}


@pytest.mark.parametrize("way", PLAIN)
def test_a_plain_zip_is_read_whichever_tool_packed_it(tmp_path: Path, way: str) -> None:
    (tmp_path / "b.zip").write_bytes(PLAIN[way]())
    assert read(tmp_path / "b.zip") == Members({"case.html": PAGE, "schemas/a.json": b""})


def test_a_folder_is_read_and_what_else_is_in_it_named(tmp_path: Path) -> None:
    for name, content in (("case.html", PAGE), ("schemas/a.json", b"{}"), ("other/b.json", b"x"), (".DS_Store", b"x")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    found = read(tmp_path)
    assert found.files == {"case.html": PAGE, "schemas/a.json": b"{}"}
    assert (found.wrong, found.besides) == ([], ["'.DS_Store'", "'other'", "'other/b.json'"])


def test_links_and_pipes_in_a_folder_are_named_and_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "b"
    folder.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.json").write_bytes(b"{}")
    (folder / "schemas").symlink_to(tmp_path / "elsewhere")
    (folder / "case.html").symlink_to(tmp_path / "elsewhere" / "a.json")
    os.mkfifo(folder / "words.json")
    (folder / "Words.json").write_bytes(b"{}")
    found = read(folder)
    assert found.files == {}
    assert [each.partition(":")[0] for each in found.wrong] == [
        "'case.html'",
        "'schemas'",
        "'words.json'",
        "'Words.json', 'words.json'",
    ]


def test_a_folder_of_more_than_a_bundle_can_have_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_MEMBERS", 3)
    (tmp_path / "a" / "b" / "c" / "d").mkdir(parents=True)
    with pytest.raises(NoteError, match="4 entries"):
        read(tmp_path)


def test_a_folder_that_cannot_be_looked_into_is_refused_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: object) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(NoteError, match="Permission denied"):
        read(tmp_path)
