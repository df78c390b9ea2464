"""Batches that cannot be decoded: both Kafka clients hand on one unreadable record for each, and go on behind it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable
from types import SimpleNamespace

import aiokafka.consumer.fetcher as faust_fetcher
import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.structs import TopicPartition as FaustPartition
from hypothesis import given
from hypothesis import strategies as st
from kafka.consumer.fetcher import Fetcher
from kafka.record.memory_records import MemoryRecords
from kafka.record.util import calc_crc32c
from kafka.structs import TopicPartition

from infra.kafka import batches
from infra.kafka.cluster import Record, record_of
from infra.readers.record import UNDECODABLE, Unreadable, parse
from infra.readers.rule import START, apply

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
CODECS = {"none": NONE, "gzip": GZIP, "snappy": SNAPPY, "lz4": LZ4, "zstd": ZSTD}
TOPIC = "water.readings.v1"
CRC, ATTRIBUTES, RECORDS = 17, 21, 61
"""Where in a batch its checksum lies, what the checksum covers, and where its records begin."""


def batch(first: int, values: Iterable[bytes], codec: int = NONE) -> bytes:
    """A batch as any producer makes it, from offset ``first`` on."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 16 * 1024 * 1024)
    for number, value in enumerate(values):
        builder.append(number, 0, b"k", value, [("h", b"x")])
    made = bytearray(builder.build())
    struct.pack_into(">q", made, 0, first)
    return bytes(made)


def damaged(raw: bytes, at: int, byte: int, *, checked: bool) -> bytes:
    """One byte changed; ``checked``: with the checksum that a broker would have made of it."""
    changed = bytearray(raw)
    changed[at] = byte
    if checked:
        struct.pack_into(">I", changed, CRC, calc_crc32c(memoryview(changed)[ATTRIBUTES:]))
    return bytes(changed)


def by_plain_client(fetched: bytes, wanted: int) -> tuple[list[Record], int]:
    """What kafka-python makes of fetched bytes, and the offset that it asks for next."""
    client = batches.tolerate(SimpleNamespace(_fetcher=SimpleNamespace(PartitionRecords=Fetcher.PartitionRecords)))
    part = client._fetcher.PartitionRecords(wanted, TopicPartition(TOPIC, 0), MemoryRecords(fetched))
    records = [record_of(message) for message in part.take()]
    return records, part.next_fetch_offset


def by_faust_client(fetched: bytes, wanted: int) -> tuple[list[Record], int]:
    """The same by aiokafka, which Faust reads with."""
    batches.tolerate_in_faust()
    found = faust_fetcher.MemoryRecords(fetched)
    part = faust_fetcher.PartitionRecords(FaustPartition(TOPIC, 0), found, [], wanted, None, None, True, 0)
    records = [record_of(message) for message in part]
    return records, part.next_fetch_offset


Client = Callable[[bytes, int], tuple[list[Record], int]]
clients = pytest.mark.parametrize("client", [by_plain_client, by_faust_client])


@clients
@pytest.mark.parametrize("codec", CODECS)
def test_every_compression_of_the_protocol_is_read(client: Client, codec: str) -> None:
    values = [b"a", b"b" * 40_000, b""]
    records, following = client(batch(5, values, CODECS[codec]), 5)
    assert [(record.offset, record.value, record.damage) for record in records] == [
        (5, b"a", None),
        (6, values[1], None),
        (7, b"", None),
    ]
    assert following == 8


@clients
@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (damaged(batch(3, [b"x", b"y"]), 22, 5, checked=True), "UnsupportedCodecError"),
        (damaged(batch(3, [b"x" * 500] * 2, GZIP), RECORDS, 0xFF, checked=True), "cannot be decoded"),
        (damaged(batch(3, [b"x" * 500] * 2, LZ4), RECORDS, 0xFF, checked=True), "cannot be decoded"),
        (damaged(batch(3, [b"x" * 500] * 2, ZSTD), RECORDS, 0xFF, checked=True), "cannot be decoded"),
        (damaged(batch(3, [b"x" * 500] * 2, SNAPPY), RECORDS, 0xFF, checked=True), "cannot be decoded"),
        (damaged(batch(3, [b"xyz", b"y"]), RECORDS, 0x7F, checked=True), "cannot be decoded"),
    ],
    ids=["a codec that is none", "gzip", "lz4", "zstd", "snappy", "a length that is wrong"],
)
def test_a_batch_that_cannot_be_decoded_is_one_unreadable_record_and_the_next_one_is_read(
    client: Client, bad: bytes, why: str
) -> None:
    records, following = client(batch(0, [b"1", b"2", b"3"]) + bad + batch(5, [b"6"], GZIP), 0)
    lost = records[3]
    assert [record.value for record in records[:3]] == [b"1", b"2", b"3"]
    assert (lost.offset, lost.next_offset, lost.value, lost.key, lost.headers) == (3, 5, bad, None, {})
    assert lost.damage is not None
    assert why in lost.damage.reason
    assert "offset 4" in lost.damage.reason
    assert [(record.offset, record.value) for record in records[4:]] == [(5, b"6")]
    assert following == 6


@clients
def test_of_a_batch_with_a_wrong_checksum_one_offset_is_given_up_at_a_time(client: Client) -> None:
    """Its own number of records is not to be believed, so nothing behind it may be left out by it."""
    bad = damaged(batch(3, [b"x"] * 40), RECORDS + 9, 0x55, checked=False)
    records, following = client(bad, 3)
    assert [(record.offset, record.next_offset) for record in records] == [(3, 4)]
    assert following == 4
    records, following = client(bad, 17)
    assert [(record.offset, record.next_offset) for record in records] == [(17, 18)]
    assert following == 18


@clients
def test_a_header_name_that_is_no_text_loses_its_batch_and_no_more(client: Client) -> None:
    raw = batch(0, [b"x"])
    bad = damaged(raw, raw.rindex(b"h"), 0xFF, checked=True)
    records, following = client(bad + batch(1, [b"y"]), 0)
    assert [(record.offset, record.damage is None) for record in records] == [(0, False), (1, True)]
    assert following == 2


@clients
@pytest.mark.parametrize("codec", [name for name in CODECS if name != "none"])
def test_a_batch_that_would_fill_the_memory_is_not_decompressed(
    client: Client, codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "DECODED_AT_MOST", 100_000)
    records, following = client(batch(0, [b"0" * 200_000], CODECS[codec]) + batch(1, [b"1" * 50_000], CODECS[codec]), 0)
    assert [record.damage is None for record in records] == [False, True]
    assert records[0].damage is not None
    assert "TooLarge" in records[0].damage.reason
    assert len(records[0].value or b"") < 200_000
    assert following == 2


@clients
def test_a_batch_from_before_the_wanted_offset_is_read_from_there(client: Client) -> None:
    records, following = client(batch(0, [b"1", b"2", b"3"], LZ4), 2)
    assert [(record.offset, record.value) for record in records] == [(2, b"3")]
    assert following == 3


@clients
def test_the_beginning_of_a_batch_at_the_end_of_a_fetch_waits_for_the_next_fetch(client: Client) -> None:
    whole, part = batch(0, [b"1"]), batch(1, [b"2"] * 100)
    for cut in (1, 11, 12, 30, len(part) - 1):
        records, following = client(whole + part[:cut], 0)
        assert [record.offset for record in records] == [0]
        assert following == 1


@clients
def test_gzip_and_lz4_in_several_streams_are_read_whole(client: Client) -> None:
    records = batch(0, [b"x" * 1_000, b"y"])[RECORDS:]
    for codec, packed in ((GZIP, gzip_of(records[:300]) + gzip_of(records[300:])),):
        head = bytearray(batch(0, [b"x" * 1_000, b"y"], codec)[:RECORDS])
        struct.pack_into(">i", head, 8, RECORDS - 12 + len(packed))
        whole = damaged(bytes(head) + packed, 22, codec, checked=True)
        found, _ = client(whole, 0)
        assert [record.value for record in found] == [b"x" * 1_000, b"y"]


def gzip_of(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(data) + packer.flush()


def test_snappy_as_javas_clients_write_it_is_read() -> None:
    from kafka.codec import snappy_encode

    records = batch(0, [b"x" * 90_000, b"y"])[RECORDS:]
    packed = snappy_encode(records, xerial_compatible=True)
    head = bytearray(batch(0, [b"x" * 90_000, b"y"])[:RECORDS])
    struct.pack_into(">i", head, 8, RECORDS - 12 + len(packed))
    whole = damaged(bytes(head) + packed, 22, SNAPPY, checked=True)
    for client in (by_plain_client, by_faust_client):
        found, following = client(whole, 0)
        assert [record.value for record in found] == [b"x" * 90_000, b"y"]
        assert following == 2


@given(
    codec=st.sampled_from(sorted(CODECS.values())),
    changes=st.lists(st.tuples(st.integers(12, 400), st.integers(0, 255)), min_size=1, max_size=6),
    checked=st.booleans(),
    wanted=st.integers(0, 3),
)
def test_whatever_lies_in_a_batch_no_client_raises_and_each_fetch_gets_on(
    codec: int, changes: list[tuple[int, int]], checked: bool, wanted: int
) -> None:
    raw = bytearray(batch(0, [bytes(range(256))] * 3, codec))
    for at, byte in changes:
        if at != 16:  # the form of the batch: another one has its own test
            raw[min(at, len(raw) - 1)] = byte
    if checked:
        struct.pack_into(">I", raw, CRC, calc_crc32c(memoryview(raw)[ATTRIBUTES:]))
    for client in (by_plain_client, by_faust_client):
        records, following = client(bytes(raw), wanted)
        assert all(record.offset >= wanted for record in records)
        assert following >= wanted
        assert following > wanted or not any(record.damage for record in records)


@clients
@pytest.mark.parametrize("magic", [0, 1, 3, 0x7F, 0xFF])
def test_a_form_of_batch_that_is_not_known_is_unreadable(client: Client, magic: int) -> None:
    """Brokers of today store one form only; another one here is damage."""
    records, following = client(damaged(batch(0, [b"x"]), 16, magic, checked=False), 0)
    assert [record.damage is None for record in records] == [False]
    assert following == 1


@clients
def test_the_form_of_batches_before_kafka_0_11_is_unreadable(client: Client) -> None:
    builder = LegacyRecordBatchBuilder(1, 0, 100_000)
    builder.append(0, 0, b"k", b"v")
    records, following = client(bytes(builder.build()) + batch(1, [b"x"]), 0)
    assert [record.damage is None for record in records] == [False, True]
    assert following == 2


def test_nobody_else_can_mark_a_record_as_unreadable() -> None:
    """The mark is known by identity: a header of the same name is only a header."""
    message = SimpleNamespace(
        topic=TOPIC, partition=0, offset=1, key=b"k", value=b"v", headers=[("undecodable-batch", b"{}")]
    )
    assert record_of(message) == Record(TOPIC, 0, 1, b"k", b"v", {"undecodable-batch": b"{}"})


def test_the_readers_rule_makes_a_dead_letter_of_it_that_repeats_nothing() -> None:
    secret = b"0743-8225225"
    bad = damaged(batch(3, [secret]), 22, 6, checked=True)
    (record,), _ = by_plain_client(bad, 3)
    found = parse(record)
    assert isinstance(found, Unreadable)
    assert (found.code, found.position, found.case_id) == (UNDECODABLE, None, None)
    outcome = apply([record], {})
    (dead_letter,) = outcome.dead_letters
    assert (dead_letter.code, dead_letter.offset, dead_letter.size_bytes) == (UNDECODABLE, 3, len(bad))
    assert secret.decode() not in repr(dead_letter)
    assert outcome.read_positions == {}
    assert START.offset == -1
