"""What both order books share: reading files, times without an offset, and words taken down as codes."""

from __future__ import annotations

import csv
import gzip
import lzma
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any, Literal
from zoneinfo import ZoneInfo

from app.days import is_day
from app.demo.script import Request, Script
from infra.embedded.errors import EmbeddedError

SourceRow = dict[str, str]
IMPORTER = ("importer-1", "operator", "import")
"""Who tells an order book, over which channel."""
LONGEST_CODE = 64


def read_rows(path: Path, columns: Sequence[str]) -> list[tuple[int, SourceRow | None]]:
    """Every row of a .csv, .csv.gz or .csv.xz with its line number; None where it has not the header's columns.

    Raises EmbeddedError ``not-this-form`` where the header misses one of ``columns``, or the file is no such text.
    """
    opening: Callable[[Path], IO[bytes]] = _OPENING.get(path.suffix, _plain)
    try:
        with opening(path) as raw:
            reader = csv.DictReader(TextIOWrapper(raw, encoding="utf-8-sig", newline=""))
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise _not_this_form(path, f"no column {', '.join(missing)}")
            return [(reader.line_num, _whole(row)) for row in reader]
    except (OSError, EOFError, UnicodeDecodeError, lzma.LZMAError, csv.Error) as error:
        raise _not_this_form(path, type(error).__name__) from error


def _plain(path: Path) -> IO[bytes]:
    return path.open("rb")


def _gzipped(path: Path) -> IO[bytes]:
    return gzip.open(path)  # type: ignore[return-value]


def _xzipped(path: Path) -> IO[bytes]:
    return lzma.open(path)


_OPENING = {".gz": _gzipped, ".xz": _xzipped}


def _whole(row: dict[Any, Any]) -> SourceRow | None:
    if None in row or None in row.values():
        return None
    return {name: value.strip() for name, value in row.items()}


def _not_this_form(path: Path, found: str) -> EmbeddedError:
    return EmbeddedError(
        "not-this-form",
        found=f"{path.name}: {found}",
        needed="a CSV file of the form in tests/data/tickets/README.md (.csv, .csv.gz or .csv.xz)",
        next_step="name the file and its source as they belong together",
    )


def code(words: str) -> str:
    """Words of a source as a code of ours."""
    text = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")
    if not text[:1].isalpha():
        text = f"x-{text}".rstrip("-")
    return text[:LONGEST_CODE].rstrip("-")


def with_bare_days(
    rows: list[tuple[int, SourceRow | None]], columns: Sequence[str]
) -> list[tuple[int, SourceRow | None]]:
    """The rows, where each of these columns whose every time is midnight has bare days: many exports write a day so. A
    midnight among other times is one (our decision)."""
    bare = [name for name in columns if _is_midnight_throughout(row[name] for _, row in rows if row and row[name])]
    return [
        (line, row and row | {name: row[name][: len("2026-09-16")] for name in bare if row[name]}) for line, row in rows
    ]


def _is_midnight_throughout(texts: Iterable[str]) -> bool:
    found = [_MIDNIGHT.fullmatch(text) is not None for text in texts]
    return bool(found) and all(found)


_MIDNIGHT = re.compile(r"\d{4}-\d\d-\d\d[T ]00:00(:00(\.0+)?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Local:
    """An instant that was given as a wall clock; ``flag`` where that clock showed it twice, or never. ``precision``
    day: it was given without a time of day, and this is where the day begins."""

    at: datetime
    flag: str | None = None
    precision: Literal["second", "day"] = "second"

    @property
    def is_day(self) -> bool:
        """Whether only its day is known."""
        return self.precision == "day"


def local(text: str, zone: ZoneInfo) -> Local | None:
    """The instant of a wall clock in a zone; one with an offset is taken as it is. None where it is no time.

    Our decision: of an hour that a clock change repeats it is the first one; one that was skipped counts on.
    """
    try:
        if is_day(text):
            return Local(datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC), precision="day")
        naive = datetime.fromisoformat(text)
        if naive.tzinfo is not None:
            return Local(naive.astimezone(UTC))
        at = naive.replace(tzinfo=zone).astimezone(UTC)
        if at.astimezone(zone).replace(tzinfo=None) != naive:
            return Local(at, "skipped-hour")
        twice = naive.replace(tzinfo=zone).utcoffset() != naive.replace(tzinfo=zone, fold=1).utcoffset()
    except (ValueError, OverflowError):
        return None
    return Local(at, "repeated-hour" if twice else None)


# ---- the book


@dataclass(slots=True)
class Ticket:
    """One row: what it is counted by, in the source's own words, and what becomes of it.

    ``closed``: when, where both it and the report are known to the second. ``refused``: why the row was not even told.
    ``request``: the request that tells it, by its script's name and its number there; number 0 opens the incident.
    """

    line: int
    id: str = ""
    channel: str = ""
    category: str = ""
    kind: str = ""
    reported: datetime | None = None
    closed: datetime | None = None
    flags: list[str] = field(default_factory=list)
    refused: str | None = None
    request: tuple[str, int] | None = None


@dataclass(slots=True)
class SourceChange:
    """One line of what the source changed afterwards: told as a correction, or as a further ``fact`` of the field."""

    line: int
    column: str
    is_fact: bool = False
    refused: str | None = None
    request: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class CityCodes:
    """A city's own codes with the words that they were made of; they become its standard."""

    districts: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    materials: dict[str, str] = field(default_factory=dict)
    details: dict[str, dict[str, str]] = field(default_factory=dict)


def known(table: dict[str, str], words: str) -> str:
    """The code of the words, taken into the table; the first words that make a code name it."""
    table.setdefault(found := code(words), words)
    return found


@dataclass(frozen=True, slots=True)
class TicketBook:
    """An order book in our words: every row, and what is told of its incidents."""

    source: str
    zone: ZoneInfo
    codes: CityCodes
    tickets: tuple[Ticket, ...]
    changes: tuple[SourceChange, ...]
    scripts: tuple[Script, ...]


@dataclass(slots=True)
class Story:
    """One incident being written: what is told of it and when, with the rows and changes that each telling carries."""

    name: str
    _told: list[tuple[datetime, int, Request, Sequence[Ticket | SourceChange]]] = field(default_factory=list)

    def tell(
        self,
        path: str,
        body: dict[str, Any],
        happened_at: datetime | None,
        at: datetime | None = None,
        carries: Sequence[Ticket | SourceChange] = (),
    ) -> None:
        """Something that happened then, told ``at`` (left out: when it happened; never before the incident opened)."""
        told_at = at or happened_at
        assert told_at is not None
        if self._told:
            told_at = max(told_at, self._told[0][0])
        request = Request(told_at, path, body, *IMPORTER, happened_at=happened_at)
        self._told.append((told_at, len(self._told), request, carries))

    def script(self) -> Script:
        """What was written in order of telling; the rows and changes learn which request is theirs."""
        ordered = sorted(self._told, key=lambda each: each[:2])
        for number, (_, _, _, carries) in enumerate(ordered):
            for each in carries:
                each.request = (self.name, number)
        return Script(self.name, "repairs", tuple(request for _, _, request, _ in ordered))


def each_once(tickets: Sequence[Ticket]) -> Iterator[Ticket]:
    """The tickets that may be told; refuses a second one of an id, and one without."""
    seen: set[str] = set()
    for ticket in tickets:
        if ticket.refused is None and not ticket.id:
            ticket.refused = "no-id"
        elif ticket.refused is None and ticket.id in seen:
            ticket.refused = "id-twice"
        if ticket.refused is None:
            seen.add(ticket.id)
            yield ticket
