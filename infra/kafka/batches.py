"""Batches of records that a client cannot decode: each becomes one unreadable record, and the client reads on.

A batch is what a producer sends at once: a header, and records that may be compressed as a whole. kafka-python and
aiokafka raise where one cannot be decoded, and raise again at the same offset for ever: one bad batch, which anybody
may write, would stop every reader of its partition. With ``tolerate`` and ``tolerate_in_faust`` a batch whose checksum
is wrong, whose compression is unknown or broken, whose records are malformed, or that would decompress to more than
``DECODED_AT_MOST`` comes out as one record: its value is the batch as it lies in the log, and
``infra.kafka.cluster.record_of`` marks it (``Record.damage``). The reader's rule makes a dead letter of it.

Neither client has a public hook for this, so the class that unpacks a fetched partition is replaced in both, and so are
the decompressing functions, which have no limit of their own: a batch of 200 kB may decompress to gigabytes.
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Callable, Collection, Iterator
from typing import Any

import aiokafka.consumer.fetcher as faust_fetcher
import kafka.consumer.fetcher as plain_fetcher
import lz4.frame
import msgspec
import zstandard
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords as FaustRecords
from kafka.codec import snappy_decode
from kafka.record import default_records as plain_records
from kafka.record.memory_records import MemoryRecords as PlainRecords

from infra.decoders import decoder

DECODED_AT_MOST = 64 * 1024 * 1024
"""Bytes that a batch may have once decompressed. Our own events are at most 64 KiB each, a reading some 100 bytes."""


class Damage(msgspec.Struct, frozen=True, gc=False):
    """Why the records from an offset up to ``last_offset`` are lost. ``reason`` repeats nothing of what was in them."""

    reason: str
    last_offset: int


class _DamageHeader(str):
    """The name of the header that marks an unreadable batch. It is known by identity, not by its text, so no record of
    another producer can carry it."""

    __slots__ = ()


DAMAGE = _DamageHeader("undecodable-batch")
_DAMAGE = decoder(Damage)


def damage_of(headers: Collection[tuple[str, bytes | None]]) -> Damage | None:
    """What is told of a batch, by the headers of the record that stands for it; None for any other record."""
    if len(headers) != 1:
        return None
    name, value = next(iter(headers))
    return _DAMAGE.decode(value or b"") if name is DAMAGE else None


_HEADER = struct.Struct(">qi")
"""What every batch begins with: its first offset, and how many bytes follow."""
_FORM = 2
"""The form of batches since Kafka 0.11; brokers from 4.0 on store no other."""


def tolerate(consumer: Any) -> Any:
    """Make a kafka-python consumer read on behind a batch that it cannot decode. Returns the consumer."""
    consumer._fetcher.PartitionRecords = _PlainPartition
    return consumer


def tolerate_in_faust() -> None:
    """Make every aiokafka consumer of this process, which Faust reads with, do the same. May be called again."""
    faust_fetcher.MemoryRecords = _FaustRecords
    faust_fetcher.PartitionRecords = _FaustPartition


class _PlainPartition(plain_fetcher.Fetcher.PartitionRecords):  # type: ignore[misc]  # untyped library
    def __init__(self, fetch_offset: int, tp: Any, records: Any, **kwargs: Any) -> None:
        super().__init__(fetch_offset, tp, _Batches(records._buffer, fetch_offset, PlainRecords), **kwargs)


class _FaustRecords:
    """What was fetched, kept as bytes until it is known which offset was asked for."""

    def __init__(self, raw: Any) -> None:
        self.raw = bytes(raw or b"")

    def has_next(self) -> bool:
        return bool(FaustRecords(self.raw).has_next())

    def size_in_bytes(self) -> int:
        return len(self.raw)


class _FaustPartition(faust_fetcher.PartitionRecords):  # type: ignore[misc]  # untyped library
    def __init__(self, tp: Any, records: _FaustRecords, aborted: Any, fetch_offset: int, *more: Any) -> None:
        super().__init__(tp, _Batches(records.raw, fetch_offset, FaustRecords), aborted, fetch_offset, *more)


# ---- batches


class _Batches:
    """What was fetched of a partition, batch after batch as a client's ``MemoryRecords`` gives it; none that raises.

    ``wanted``: the offset that was asked for; a batch that begins before it is given whole. ``client``: the client's
    own class, which gives its own batch for the bytes of one.
    """

    def __init__(self, raw: Any, wanted: int, client: Callable[[Any], Any]) -> None:
        self._raw = memoryview(raw)
        self._at = 0
        self._wanted = wanted
        self._client = client

    def has_next(self) -> bool:
        return self._end() is not None

    def next_batch(self) -> Any:
        end = self._end()
        if end is None:
            return None
        raw, self._at = bytes(self._raw[self._at : end]), end
        found = _Batch(self._client, raw, self._wanted)
        self._wanted = found.next_offset
        return found

    def _end(self) -> int | None:
        """Where the next batch ends; None where there is none, or no more than the beginning of one."""
        if len(self._raw) - self._at < _HEADER.size:
            return None
        _, length = _HEADER.unpack_from(self._raw, self._at)
        end = self._at + _HEADER.size + int(length)
        return end if self._at < end <= len(self._raw) else None


class _Batch:
    """A batch that never raises: its records, or one that stands for all of them. Else it is the client's own."""

    def __init__(self, client: Callable[[Any], Any], raw: bytes, wanted: int) -> None:
        self._raw = raw
        self._wanted = wanted
        self._batch: Any = _NoBatch(wanted)
        try:
            batch = client(raw).next_batch()
            if batch.magic != _FORM or not batch.validate_crc():
                raise ValueError("another form, or a wrong checksum")
        except Exception as error:  # whatever a library raises over bytes that are not what they should be
            # Not even the number of its records is to be believed: step by one offset.
            self._records: list[Any] = [self._lost(wanted, "no batch of a known form with a right checksum", error)]
        else:
            self._batch = batch
            self._records = self._decoded()
        self.next_offset = max(int(self._batch.next_offset), wanted)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._records)

    def __next__(self) -> Any:
        return next(self._batch)  # asked of control batches only, for the marker that they carry

    def validate_crc(self) -> bool:
        return True

    def _decoded(self) -> list[Any]:
        if self._batch.is_control_batch:
            return []
        try:
            return _in_order(list(self._batch), int(self._batch.base_offset), int(self._batch.next_offset))
        except Exception as error:  # as above
            last = int(self._batch.next_offset) - 1
            what = f"the records up to offset {last} cannot be decoded"
            return [self._lost(last, what, error)] if last >= self._wanted else []

    def _lost(self, last: int, what: str, error: Exception) -> _LostRecord:
        # The error's text may repeat what was in the batch; its name cannot.
        reason = f"{what} ({type(error).__name__})"
        return _LostRecord(max(self._wanted, int(self._batch.base_offset)), self._raw, last, reason)


def _in_order(records: list[Any], first: int, end: int) -> list[Any]:
    """The records, where their offsets ascend from ``first`` to before ``end``. Raises ValueError."""
    before = first - 1
    for record in records:
        if not before < record.offset < end:
            raise ValueError("offsets that do not ascend")
        before = record.offset
    return records


class _NoBatch:
    """Stands for a batch of which nothing is known, at the offset that was wanted."""

    magic = 2
    leader_epoch = -1
    producer_id = None
    is_control_batch = is_transactional = False

    def __init__(self, offset: int) -> None:
        self.base_offset = self.last_offset = offset
        self.next_offset = offset + 1

    def has_producer_id(self) -> bool:
        return False


class _LostRecord:
    """The record that stands for a batch, with what the clients' unpacking asks of a record."""

    timestamp = -1
    timestamp_type = 0
    key = None
    checksum = None

    def __init__(self, offset: int, value: bytes, last: int, reason: str) -> None:
        self.offset = offset
        self.value = value
        self.size_in_bytes = len(value)
        self.headers = [(DAMAGE, msgspec.json.encode(Damage(reason, last)))]

    def validate_crc(self) -> bool:
        return True


# ---- decompressing


class BatchTooLarge(ValueError):
    """A batch decompresses to more than ``DECODED_AT_MOST`` bytes."""


def _within(size: int) -> None:
    if size > DECODED_AT_MOST:
        raise BatchTooLarge(f"more than {DECODED_AT_MOST} bytes")


def _stepwise(new: Callable[[], Any]) -> Callable[[Any], bytes]:
    """Decompress with an object that takes a most length: zlib's and lz4's. Several streams may follow each other."""

    def decode(payload: Any) -> bytes:
        left, out = bytes(payload), bytearray()
        while left:
            stream = new()
            out += stream.decompress(left, DECODED_AT_MOST + 1 - len(out))
            _within(len(out))
            if not stream.eof:
                raise ValueError("the compressed data end too soon")
            left = stream.unused_data or b""
        return bytes(out)

    return decode


def _zstd(payload: Any) -> bytes:
    with zstandard.ZstdDecompressor().stream_reader(bytes(payload), read_across_frames=True) as reader:
        out = reader.read(DECODED_AT_MOST + 1)
    _within(len(out))
    return out


def _snappy(payload: Any) -> bytes:
    """Snappy says before each block how long it becomes; Java's clients write blocks of their own form, others one."""
    data = bytes(payload)
    _within(sum(_snappy_length(data[at:]) for at in _snappy_blocks(data)))
    return bytes(snappy_decode(data))


def _snappy_blocks(data: bytes) -> Iterator[int]:
    if not data.startswith(b"\x82SNAPPY\x00"):
        yield 0
        return
    at = 16
    while at < len(data):
        (size,) = struct.unpack_from(">i", data, at)
        if size < 0:
            raise ValueError("a block of a negative size")
        yield at + 4
        at += 4 + size


def _snappy_length(block: bytes) -> int:
    length = 0
    for place, byte in enumerate(block[:5]):
        length |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return length
    raise ValueError("a snappy block without its length")


_DECODERS: dict[str, Callable[[Any], bytes]] = {
    "gzip_decode": _stepwise(lambda: zlib.decompressobj(31)),
    "lz4_decode": _stepwise(lz4.frame.LZ4FrameDecompressor),
    "snappy_decode": _snappy,
    "zstd_decode": _zstd,
}
for _module in (plain_records, sys.modules[DefaultRecordBatch.__module__]):
    for _name, _decoder in _DECODERS.items():
        setattr(_module, _name, _decoder)
