"""What the contract tells who writes a reader: the rule and its vectors, kept by our own reader and by the samples."""

from __future__ import annotations

import base64
import copy
import json
import shutil
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema
import pytest

import infra.readers.read_positions
from api.contract import published, rule
from api.contract.additive import vector_breaks
from infra.kafka.cluster import Partition, PartitionLog, Record, case_key, partition_of
from infra.readers.read_positions import start_offsets
from infra.readers.rule import HoldAlarm, ReadPosition, apply
from tests.api_world import Client, FakeService, app_over
from tests.samples.case_digests import link

HERE = Partition("water.repair.v1", 0)
SCHEMAS = published.schemas()
RULE = json.loads(published.document("readers-rule.json") or "")


def named(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", RULE[kind], ids=lambda vector: vector["name"])


def placed(position: int, previous: int, offset: int) -> Record:
    """A record that says only where it belongs."""
    event = SCHEMAS["water.repair.CaseClosed.v1"]["examples"][0] | {"position": position}
    headers = {"previousposition": str(previous).encode()}
    return Record(*HERE, offset, case_key(event["subject"]), json.dumps(event).encode(), headers)


def all_placed(records: Sequence[Any]) -> list[Record]:
    return [placed(each["position"], each["previousposition"], offset) for offset, each in enumerate(records)]


@named("vectors")
def test_our_own_reader_keeps_the_rule(vector: Any) -> None:
    stored = ReadPosition(vector["stored"], 0)
    applied = apply(all_placed(vector["records"]), {HERE: stored})
    assert [event.position for event in applied.events] == vector["applied"]
    assert applied.read_positions.get(HERE, stored).position == vector["stored_after"]
    assert bool(applied.held) == vector["held"]


# ---- records that are not ours


def whole(record: Any, offset: int) -> Record:
    def content(name: str) -> bytes | None:
        if f"{name}_base64" in record:
            return base64.b64decode(record[f"{name}_base64"])
        text: str | None = record[name]
        return text.encode() if text is not None else None

    headers = {name: value.encode() for name, value in record["headers"].items()}
    return Record(*HERE, offset, content("key"), content("value"), headers)


@named("record_vectors")
def test_our_own_reader_steps_over_what_is_not_ours_and_counts_it(vector: Any) -> None:
    records = [whole(record, offset) for offset, record in enumerate(vector["records"])]
    stored = ReadPosition(vector["stored"], 0)
    applied = apply(records, {HERE: stored})
    assert [event.position for event in applied.events] == vector["applied"]
    assert [each.position for each in applied.dead_letters if each.position is not None] == vector["set_aside"]
    assert sum(each.position is None for each in applied.dead_letters) == vector["stepped_over"]
    assert applied.read_positions.get(HERE, stored).position == vector["stored_after"]
    assert bool(applied.held) == vector["held"]


@named("record_vectors")
def test_the_sample_tells_what_is_a_link_and_what_is_not_ours(vector: Any) -> None:
    links = []
    for offset, each in enumerate(vector["records"]):
        record = whole(each, offset)
        links.append(link(record.value, list(record.headers.items())))
    assert links.count(None) == vector["stepped_over"]
    assert [found[0] for found in links if found] == sorted(vector["applied"] + vector["set_aside"])


@named("record_vectors")
def test_what_is_to_be_applied_is_an_event_by_its_schema(vector: Any) -> None:
    values = [record.value for record in (whole(each, 0) for each in vector["records"]) if record.value]
    for value in values:
        try:
            event = json.loads(value)
        except ValueError:
            continue
        if isinstance(event, dict) and event.get("position") in vector["applied"]:
            jsonschema.validate(event, SCHEMAS[event["type"]])


# ---- where to read from, and a hold that lasts


@named("start_vectors")
def test_our_own_reader_starts_where_the_vectors_say(vector: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stored, log = vector["stored"], vector["log"]
    read_position = ReadPosition(stored["position"], stored["offset"], UUID(stored["topic_id"])) if stored else None
    read_positions = {("reader", 1, HERE): read_position} if read_position is not None else {}
    monkeypatch.setattr(infra.readers.read_positions, "load_read_positions", lambda *_: read_positions)
    where = PartitionLog(UUID(log["topic_id"]), log["first"], log["end"])
    at = log["position_at_stored_offset"]
    found = start_offsets(
        None,  # type: ignore[arg-type]  # read positions are given, so no table is asked
        "views.places",
        [("reader", 1)],
        {HERE: where},
        lambda wanted: dict.fromkeys(wanted, at),
    )
    assert found == {HERE: vector["read_from"]}


@named("hold_vectors")
def test_our_own_reader_alarms_and_reads_again_when_the_vectors_say(vector: Any) -> None:
    alarm, read_positions = HoldAlarm(10), {HERE: ReadPosition(vector["stored"], 0)}
    for batch in vector["batches"]:
        applied = apply(all_placed(batch["records"]), read_positions)
        read_positions |= applied.read_positions
        alarm.update(applied, float(batch["at_s"]))
    assert (alarm.due(float(vector["now_s"])) == [HERE]) == vector["read_again_from_the_first"]


# ---- partitions


def murmur2(key: bytes) -> int:
    """As in Kafka's own clients, written anew from its description: what both have in common is the description."""
    mix, mask = 0x5BD1E995, 0xFFFFFFFF
    found = 0x9747B28C ^ len(key)
    for at in range(0, len(key) - len(key) % 4, 4):
        (part,) = struct.unpack_from("<I", key, at)
        part = part * mix & mask
        part = (part ^ part >> 24) * mix & mask
        found = found * mix & mask ^ part
    if rest := key[len(key) - len(key) % 4 :]:
        found = (found ^ int.from_bytes(rest, "little")) * mix & mask
    found = (found ^ found >> 13) * mix & mask
    return found ^ found >> 15


@pytest.mark.parametrize(
    "vector", RULE["partition_vectors"], ids=lambda vector: f"{vector['key']} {vector['partitions']}"
)
def test_a_case_lies_in_the_partition_of_the_vectors(vector: Any) -> None:
    key = vector["key"].encode()
    assert partition_of(key, vector["partitions"]) == vector["partition"]
    assert (murmur2(key) & 0x7FFFFFFF) % vector["partitions"] == vector["partition"]


def test_the_partitioner_is_that_of_kafka_by_its_own_test_values() -> None:
    for key, signed in (("21", -973932308), ("foobar", -790332482), ("abc", 479470107)):
        assert murmur2(key.encode()) == signed & 0xFFFFFFFF


# ---- what is told stays


@pytest.fixture(scope="module")
def client() -> Client:
    return Client(app_over(FakeService()))


def test_a_vector_that_was_published_stays_as_it_is() -> None:
    assert vector_breaks(RULE, rule.document()) == []
    changed, gone = copy.deepcopy(RULE), copy.deepcopy(RULE)
    changed["vectors"][0]["applied"] = []
    del gone["hold_vectors"]
    assert vector_breaks(RULE, changed) == [
        "readers-rule.json: of vectors the first record of a partition is gone, or is another one"
    ]
    assert len(vector_breaks(RULE, gone)) == len(RULE["hold_vectors"])
    assert vector_breaks(gone, RULE) == []


def test_a_published_vector_that_would_change_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "v1"
    shutil.copytree(published.FOLDER, folder)
    before = copy.deepcopy(RULE)
    before["start_vectors"].append(before["start_vectors"][0] | {"name": "published once", "read_from": 7})
    (folder / "readers-rule.json").write_text(json.dumps(before), encoding="utf-8")
    with pytest.raises(published.ContractBroken, match="of start_vectors published once is gone"):
        published.write(published.published_examples(), folder)
    assert json.loads((folder / "readers-rule.json").read_text(encoding="utf-8")) == before


def test_vectors_have_names_of_their_own() -> None:
    for kind in ("vectors", "record_vectors", "start_vectors", "hold_vectors"):
        names = [vector["name"] for vector in RULE[kind]]
        assert len(set(names)) == len(names) >= 7


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("held", "seek to the first offset of the partition"),
        ("where-to-read-from", "topic that was made anew"),
        ("where-to-read-from", "until the chain begins again\nwith `previousposition` 0"),
        ("not-ours", "Step over any\nother record, count it"),
        ("compression", "gzip, snappy, lz4 or zstd"),
        ("compression", "A batch that"),
        ("isolation", "`read_uncommitted` and `read_committed` show the same"),
        ("isolation", "Offsets of a partition are not contiguous"),
        ("partitions", "Assume no number"),
        ("windows", "`number` counts the facts about it"),
        ("decimals", "exact decimal number"),
        ("validators", "ajv in strict mode"),
    ],
)
def test_what_a_reader_meets_is_said_wherever_a_reader_looks(client: Client, section: str, words: str) -> None:
    title, text = rule.READING[section]
    assert words in text
    assert RULE["reading"][section] == {"title": title, "words": text}
    page = client.get("/contract").text
    assert f'<h3 id="{section}" lang="en">{title}</h3>' in page
    description = json.loads(published.document("asyncapi.json") or "")["info"]["description"]
    assert text in description
