"""One form of a meter reading on its way in, for both doors: rows of an HTTP batch and records of the topic."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from domain.kernel.personal import kind_in
from domain.metering.readings import LITRES_IN_M3
from infra.decoders import converter, decoder

EARLIEST_YEAR = 2000
FIELDS = ("meter", "read_at", "value_m3")


class ReadingRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """What the dial of a meter showed, as a reader or a smart meter sends it: one record for each reading.

    ``meter``: its number, also the record's key; taken in capitals. ``read_at``: with its offset from UTC.
    ``value_m3``: as text, to the litre. One that is sent twice is kept once, by meter and time; nothing else may be in
    it.
    """

    meter: Annotated[str, msgspec.Meta(pattern=r"^ {0,8}[A-Za-z0-9][A-Za-z0-9-]{2,31} {0,8}\Z")]
    read_at: Annotated[datetime, msgspec.Meta(tz=True)]
    value_m3: Annotated[str, msgspec.Meta(pattern=r"^(0|[1-9][0-9]{0,8})(\.[0-9]{1,3})?\Z")]


class MeterReading(msgspec.Struct, frozen=True, gc=False):
    """What the dial of a meter showed: ``litres`` at ``read_at`` (UTC)."""

    meter: str
    read_at: datetime
    litres: int


class BadRowError(ValueError):
    """A row that is no reading. Names the field (empty: the row as a whole), never what was in it."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field

    def __str__(self) -> str:
        return f"{self.field} is missing or wrong" if self.field else "not an object of meter, read_at and value_m3"


_ROW = decoder(ReadingRow)
_ROW_OF = converter(ReadingRow)
_AT = re.compile(r"\$\.([a-z0-9_]+)|field `([a-z0-9_]+)`")


def from_json(value: bytes) -> MeterReading:
    """A record's reading. Raises BadRowError."""
    try:
        return _reading(_ROW.decode(value))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRowError(_field(error)) from None


def from_row(row: Any) -> MeterReading:
    """A row's reading. Raises BadRowError, also for a number of a meter that looks like somebody's telephone."""
    try:
        reading = _reading(_ROW_OF(row))
    except msgspec.ValidationError as error:
        raise BadRowError(_field(error)) from None
    if kind_in(reading.meter) is not None:
        raise BadRowError("meter")
    return reading


def to_record(reading: MeterReading) -> tuple[bytes, bytes]:
    """Key and value on the topic: all readings of a meter lie in one partition, in the order they were sent."""
    whole, part = divmod(reading.litres, LITRES_IN_M3)
    row = ReadingRow(reading.meter, reading.read_at, f"{whole}.{part:03d}")
    return reading.meter.encode("ascii"), msgspec.json.encode(row)


def _reading(row: ReadingRow) -> MeterReading:
    try:
        read_at = row.read_at.astimezone(UTC)
    except OverflowError:
        raise BadRowError("read_at") from None
    if read_at.year < EARLIEST_YEAR:
        raise BadRowError("read_at")
    return MeterReading(row.meter.strip().upper(), read_at, int(Decimal(row.value_m3) * LITRES_IN_M3))


def _field(error: Exception) -> str:
    found = _AT.search(str(error))
    name = (found[1] or found[2]) if found else ""
    return name if name in FIELDS else ""
