"""A folder or a zip that somebody handed over, read so that nothing in it goes unnoticed.

An archive that verifies is worth nothing where the tool that people unpack it with shows them something else: the
second of two members of one name, what a link leads to, a file outside the folder. So a zip has to be plain: members
one behind the other from the first byte to the directory and the end, each once, stored or deflated, under the name
that both of its headers give. What is not plain is named. Members that nobody asked for are named as well, and never
unpacked.
"""

from __future__ import annotations

import os
import stat
import struct
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from consumers.notary.note import NoteError

LARGEST_BYTES = 256 * 1024 * 1024
"""Of what is read, unpacked; and of a zip."""
MOST_MEMBERS = 2_000
NAMED = 50
"""So many of one kind are named; of more only the number is told."""

_END = struct.Struct("<4sHHHHIIH")
_ENTRY = struct.Struct("<4sHHHHHHIIIHHHHHII")
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_TOLD_BEHIND = 0x8
"""Sizes and checksum come behind the content."""
_UTF8 = 0x800
_OTHER_NAME = 0x7075
"""An extra field by which some tools call a member by another name."""


@dataclass
class Members:
    """What was found. ``files``: those that were asked for, by name; ``wrong``: what no honest archive has, for tools
    may disagree about what is in it; ``besides``: what nobody asked for, by name, unread."""

    files: dict[str, bytes] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    besides: list[str] = field(default_factory=list)


def read_members(path: Path, is_wanted: Callable[[str], bool]) -> Members:
    """Read a folder or a zip. Raises NoteError where it is neither, or beyond bounds."""
    try:
        found = _folder(path, is_wanted) if path.is_dir() else _zip(path, is_wanted)
    except OSError as error:
        raise NoteError(f"{path}, which cannot be read: {error.strerror}", "a bundle: a folder or a zip") from error
    for kind in (found.wrong, found.besides):
        if len(kind) > NAMED:
            kind[NAMED:] = [f"and {len(kind) - NAMED} more of this kind"]
    return found


def shown(name: str) -> str:
    """A text from an archive as it may be printed: quoted, nothing in it moves a terminal's cursor."""
    return repr(name if len(name) <= 120 else name[:120] + "…")


def _refuse_beyond(path: Path, what: str, number: int, most: int) -> None:
    if number > most:
        raise NoteError(f"{path} with {number} {what}", f"at most {most}: a bundle of one case")


def _wrong_name(name: str) -> str | None:
    """Why a member of this name might be unpacked to somewhere else than it says."""
    parts = name.replace("\\", "/").removesuffix("/").split("/")
    if any(part in ("", ".", "..") for part in parts) or ":" in name or "\\" in name or "\0" in name:
        return f"{shown(name)}: such a name can lead out of the folder that it is unpacked into"
    return None


def _alike(name: str) -> str:
    """What a name comes to on a file system that knows no capital letters and no dot at a name's end."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "/".join(part.rstrip(". ") for part in plain.replace("\\", "/").split("/"))


def _doubles(names: Sequence[str]) -> Iterator[str]:
    for name, times in Counter(names).items():
        if times > 1:
            yield f"{shown(name)}: {times} members have this name"
    alike: dict[str, set[str]] = {}
    for name in names:
        alike.setdefault(_alike(name), set()).add(name)
    for twins in alike.values():
        if len(twins) > 1:
            yield f"{', '.join(map(shown, sorted(twins)))}: one name on a system that knows no capital letters"


# ---- a folder


def _folder(path: Path, is_wanted: Callable[[str], bool]) -> Members:
    found = Members()
    entries = []
    for each in _entries(path):
        entries.append(each)
        _refuse_beyond(path, "entries", len(entries), MOST_MEMBERS)
    wanted: dict[str, Path] = {}
    for name, entry in entries:
        is_folder = entry.is_dir(follow_symlinks=False)
        if (why := _wrong_name(name)) is not None:
            found.wrong.append(why)
        elif not is_folder and not entry.is_file(follow_symlinks=False):
            found.wrong.append(f"{shown(name)}: is a link, or no plain file")
        elif is_folder and any(is_wanted(each) and each.startswith(f"{name}/") for each, _ in entries):
            continue
        elif not is_folder and is_wanted(name):
            wanted[name] = Path(entry.path)
        else:
            found.besides.append(shown(name))
    found.wrong += _doubles([name for name, _ in entries])
    _refuse_beyond(path, "bytes", sum(each.stat().st_size for each in wanted.values()), LARGEST_BYTES)
    found.files = {name: file.read_bytes() for name, file in wanted.items()}
    return found


def _entries(path: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Name below the folder, and the entry; folders before what is in them. Links are not followed."""
    left = [(path, "")]
    while left:
        folder, below = left.pop()
        with os.scandir(folder) as entries:
            found = sorted(islice(entries, MOST_MEMBERS + 1), key=lambda each: each.name)
        for entry in found:
            yield f"{below}{entry.name}", entry
            if entry.is_dir(follow_symlinks=False):
                left.append((Path(entry.path), f"{below}{entry.name}/"))


# ---- a zip


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of a zip's directory. ``begins``: where the member's own header is."""

    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    begins: int
    mode: int
    extra: bytes
    comment: bytes

    @property
    def name(self) -> str:
        return self.raw_name.decode("utf-8" if self.flags & _UTF8 else "cp437", "backslashreplace")


def _zip(path: Path, is_wanted: Callable[[str], bool]) -> Members:
    if not path.is_file():
        raise NoteError(f"{path}, which is no plain file", "a bundle: a folder or a zip")
    size = path.stat().st_size
    _refuse_beyond(path, "bytes", size, LARGEST_BYTES)
    with path.open("rb") as file:
        try:
            directory, number, comment = _end(file, size)
            _refuse_beyond(path, "members", number, MOST_MEMBERS)
            entries = list(_directory(directory, number))
            found = Members(wrong=list(_places(file, entries, size - len(directory) - _END.size - len(comment))))
        except (struct.error, ValueError) as error:
            what = f"{path}, which is no plain zip: {error}"
            raise NoteError(what, "a folder or a zip as `tongshui audit bundle` writes it") from error
        if comment:
            found.besides.append("the zip's comment")
        wanted = _sorted_out(entries, is_wanted, found)
        _refuse_beyond(path, "bytes unpacked", sum(each.size for each in wanted), LARGEST_BYTES)
        for each in wanted:
            if (content := _content(file, each)) is None:
                found.wrong.append(f"{shown(each.name)}: its content is not what its size and checksum say")
            else:
                found.files[each.name] = content
    return found


def _end(file: BinaryIO, size: int) -> tuple[bytes, int, bytes]:
    """The directory's bytes, its number of entries, the zip's comment. Raises ValueError."""
    tail_at = max(0, size - _END.size - 0xFFFF)
    file.seek(tail_at)
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0:
        raise ValueError("it has no end of a zip")
    _, disk, first_disk, here, number, length, begins, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment != len(tail):
        raise ValueError("something stands behind its end")
    if disk or first_disk or here != number or begins + length != tail_at + at:
        raise ValueError("its directory is not where its end says, or something stands between them")
    file.seek(begins)
    return file.read(length), number, tail[at + _END.size :]


def _directory(directory: bytes, number: int) -> Iterator[_Entry]:
    at = 0
    for _ in range(number):
        found = _ENTRY.unpack_from(directory, at)
        signature, _, _, flags, method, _, _, crc, packed, size, name, extra, comment, _, _, outside, begins = found
        texts = directory[at + _ENTRY.size : at + _ENTRY.size + name + extra + comment]
        if signature != b"PK\1\2" or len(texts) != name + extra + comment:
            raise ValueError("its directory has a line that is none")
        yield _Entry(
            texts[:name],
            flags,
            method,
            crc,
            packed,
            size,
            begins,
            outside >> 16,
            texts[name : name + extra],
            texts[name + extra :],
        )
        at += _ENTRY.size + len(texts)
    if at != len(directory):
        raise ValueError("its directory is longer than its lines")


def _places(file: BinaryIO, entries: Sequence[_Entry], end: int) -> Iterator[str]:
    """Whether the members lie one behind the other with nothing between, under the names that the directory gives."""
    at = 0
    for entry in sorted(entries, key=lambda each: each.begins):
        if entry.begins != at:
            yield f"{shown(entry.name)}: lies at byte {entry.begins} instead of {at}: something lies between, or twice"
            return
        file.seek(at)
        signature, _, flags, method, _, _, crc, packed, size, name, extra = _LOCAL.unpack(file.read(_LOCAL.size))
        texts = file.read(name + extra)
        told = flags & _TOLD_BEHIND or (crc, packed, size) == (entry.crc, entry.packed, entry.size)
        same = (signature, texts[:name], flags, method) == (b"PK\3\4", entry.raw_name, entry.flags, entry.method)
        if not same or not told:
            yield f"{shown(entry.name)}: its own header says otherwise than the zip's directory"
        if _OTHER_NAME in (*_extra_fields(entry.extra), *_extra_fields(texts[name:])):
            yield f"{shown(entry.name)}: has another name beside this one"
        at += _LOCAL.size + len(texts) + entry.packed
        if flags & _TOLD_BEHIND:
            at += _told_behind(file, at, entry)
    if at != end:
        yield f"{end - at} bytes lie between the members and the zip's directory"


def _told_behind(file: BinaryIO, at: int, entry: _Entry) -> int:
    """The length of what tells sizes and checksum behind a member's content."""
    said = struct.pack("<III", entry.crc, entry.packed, entry.size)
    file.seek(at)
    found = file.read(16)
    return 16 if found == b"PK\7\x08" + said else 12 if found[:12] == said else 0


def _extra_fields(extra: bytes) -> Iterator[int]:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        yield kind
        at += 4 + length


def _sorted_out(entries: Sequence[_Entry], is_wanted: Callable[[str], bool], found: Members) -> list[_Entry]:
    """The members to read; what is wrong with the others, or that they are there, goes into ``found``."""
    found.wrong += _doubles([each.name for each in entries])
    wanted = []
    for entry in entries:
        name, is_folder = entry.name, entry.name.endswith("/")
        kind = stat.S_IFMT(entry.mode)
        if (why := _wrong_name(name)) is not None:
            found.wrong.append(why)
        elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            found.wrong.append(f"{shown(name)}: is a link, or no plain file")
        elif entry.flags & _ENCRYPTED or entry.method not in (_STORED, _DEFLATED):
            found.wrong.append(f"{shown(name)}: is encrypted, or packed by method {entry.method}; needed 0 or 8")
        elif not is_folder and is_wanted(name):
            wanted.append(entry)
        elif is_folder and not entry.size and any(is_wanted(e.name) and e.name.startswith(name) for e in entries):
            pass
        else:
            found.besides.append(shown(name))
        if entry.comment:
            found.besides.append(f"a comment at {shown(name)}")
    return wanted


def _content(file: BinaryIO, entry: _Entry) -> bytes | None:
    """A member unpacked; None where its size or checksum is another, or something follows in it."""
    file.seek(entry.begins)
    *_, name, extra = _LOCAL.unpack(file.read(_LOCAL.size))
    file.seek(name + extra, os.SEEK_CUR)
    packed = file.read(entry.packed)
    content = packed if entry.method == _STORED else _inflated(packed, entry.size)
    if content is None or len(content) != entry.size or zlib.crc32(content) != entry.crc:
        return None
    return content


def _inflated(packed: bytes, size: int) -> bytes | None:
    unpacking = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        # One byte more than it says is enough to know that it lies.
        content = unpacking.decompress(packed, size + 1)
    except zlib.error:
        return None
    return content if unpacking.eof and not unpacking.unused_data else None
