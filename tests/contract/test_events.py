"""The event contract: the program's own, valid by the formats' official schemas, and changed by additions only."""

from __future__ import annotations

import copy
import json
import lzma
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from api.connections.bodies import Quantity
from api.contract import editions, freeze, generate, published
from api.contract.additive import breaks, channel_breaks
from api.contract.auxiliary_messages import MESSAGES
from api.contract.envelope import DECIMAL_PATTERN, REQUIRED, attributes
from api.http.fields import Amount
from api.publication.documents import Rate
from app.cli import main
from consumers.notary import note
from consumers.notary.wording import FIRST
from domain.kernel.refusals import Refusal
from domain.kinds import REGISTRY
from domain.publication.catalogues import _require_item
from infra.eventstore.documents import catalogue_of
from infra.eventstore.envelope import CloudEvent
from infra.kafka import meter_readings
from infra.kafka.cluster import route, topics
from infra.settings import Settings
from tests.api_world import Client, FakeService, app_over

ROOT = Path(__file__).parents[2]
OFFICIAL = Path(__file__).with_name("official")
HISTORIES = sorted((Path(__file__).parents[1] / "unit" / "histories").glob("*.jsonl"))
SCHEMAS = published.schemas()
FROZEN = "3fc42044fae7ab89fd40137781b5b032c3645865c812d61568daf45befbea9e8"
"""SHA-256 of the documents as they were frozen."""
ARRIVED = "water.repair.CrewArrived.v1"
CASE = "11111111-1111-4111-8111-111111111111"


def events() -> Iterator[Any]:
    for file in HISTORIES:
        for line in file.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


def document(path: str) -> Any:
    text = published.document(path)
    assert text is not None
    return json.loads(text)


# ---- what is published is what the program says


def test_the_published_documents_are_those_of_the_program() -> None:
    """Else: `tongshui contract write`, which refuses what would break a reader."""
    assert published.stale(published.published_examples()) == []


def test_every_type_that_can_be_stored_has_its_schema_an_example_and_a_chinese_name() -> None:
    assert set(SCHEMAS) == set(REGISTRY.types)
    for name, schema in SCHEMAS.items():
        assert schema["examples"][0]["type"] == name
        assert not schema["x-title-zh"].isascii(), name
        assert schema["description"]
        assert schema["x-sent"]


def test_the_attributes_described_are_those_that_are_written() -> None:
    assert {*attributes("x"), "data"} == set(CloudEvent.__struct_fields__)
    later = {"reportedat", "causationid", "confirmedby"}
    assert set(CloudEvent.__struct_fields__) - set(REQUIRED) == later


def test_every_instant_is_described_as_one() -> None:
    """Fields that hold an instant in the example of their type."""
    seen = 0
    for name, schema in SCHEMAS.items():
        assert '"type": "null", "format"' not in json.dumps(schema)
        for field, value in schema["examples"][0]["data"].items():
            if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)", value):
                form = schema["properties"]["data"]["properties"][field]
                forms = [form, *form.get("anyOf", ())]
                assert any(each.get("format") == "date-time" for each in forms), f"{name}: {field}"
                seen += 1
    assert seen > 50


# ---- by the formats' own schemas


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_each_schema_is_one_by_the_metaschema_and_takes_its_example(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(SCHEMAS[name], format_checker=checker).validate(SCHEMAS[name]["examples"][0])


def test_every_event_on_record_is_taken_by_the_schema_of_its_type() -> None:
    validators = {name: jsonschema.Draft202012Validator(schema) for name, schema in SCHEMAS.items()}
    seen = 0
    for event in events():
        validators[event["type"]].validate(event)
        seen += 1
    assert seen > 400


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda event: event.pop("position"), "position"),
        (lambda event: event.update(type="water.repair.Other.v1"), "type"),
        (lambda event: event["data"].pop("crew"), "crew"),
        (lambda event: event["data"].update(crew=7), "crew"),
        (lambda event: event.update(caseversion=0), "caseversion"),
    ],
    ids=["no position", "another type", "no crew", "a crew of a number", "version 0"],
)
def test_a_schema_refuses_what_is_no_event_of_its_type(change: Callable[[Any], object], where: str) -> None:
    event = copy.deepcopy(SCHEMAS[ARRIVED]["examples"][0])
    change(event)
    with pytest.raises(jsonschema.ValidationError) as error:
        jsonschema.validate(event, SCHEMAS[ARRIVED])
    assert where in f"{error.value.message} {list(error.value.absolute_path)}"


def test_every_example_is_a_cloudevent_by_the_official_schema() -> None:
    official = json.loads((OFFICIAL / "cloudevents-1.0.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft7Validator(official)
    for schema in SCHEMAS.values():
        validator.validate(schema["examples"][0])


def test_the_asyncapi_document_is_valid_by_the_official_schema() -> None:
    official = json.loads(lzma.decompress((OFFICIAL / "asyncapi-3.0.0.json.xz").read_bytes()))
    jsonschema.Draft7Validator(official).validate(document("asyncapi.json"))
    broken = document("asyncapi.json") | {"channels": {"repair": {"messages": 7}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(official).validate(broken)


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    whole = document("asyncapi.json")

    def follow(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            for each in node.values():
                yield from follow(each)
        elif isinstance(node, list):
            for each in node:
                yield from follow(each)

    references = set(follow(whole))
    assert len(references) > 300
    for reference in references:
        found = whole
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        assert found


def test_each_channel_names_the_types_that_are_routed_to_it() -> None:
    channels = document("asyncapi.json")["channels"]
    described = {(name, channel["address"]) for channel in channels.values() for name in channel["messages"]}
    routed = {(name, partition.topic) for name in REGISTRY.types for partition in route(name, CASE, 4)}
    assert described == routed | {(message.name, f"water.{message.topic}.v1") for message in MESSAGES}


def test_every_topic_of_an_installation_is_a_channel() -> None:
    settings = Settings()
    addresses = {channel["address"] for channel in document("asyncapi.json")["channels"].values()}
    besides = {settings.readings_topic, settings.canary_topic, settings.checkpoint_topic}
    assert addresses == {*topics(settings), *besides}


# ---- records that are no events


BESIDES = published.messages()


@pytest.mark.parametrize("name", sorted(BESIDES))
def test_each_record_that_is_no_event_has_a_schema_that_takes_its_example(name: str) -> None:
    schema = BESIDES[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    validator = jsonschema.Draft202012Validator(schema, format_checker=checker)
    validator.validate(schema["examples"][0])
    wrong = {"phone": "0743-8225225"} if isinstance(schema["examples"][0], dict) else "no checkpoint\n"
    assert list(validator.iter_errors(wrong))
    assert not schema["x-title-zh"].isascii()


def test_what_is_written_and_read_is_what_those_schemas_take() -> None:
    """The program's own writers and readers, without a broker; the integration tests hold real records against them."""
    reading = meter_readings.MeterReading("JS-1", datetime(2026, 9, 16, 1, tzinfo=UTC), 7)
    key, value = meter_readings.to_record(reading)
    jsonschema.validate(json.loads(value), BESIDES["water.readings.MeterReading.v1"])
    assert key == b"JS-1"
    checkpoint = BESIDES["water.checkpoint.Checkpoint.v1"]
    signed = note.signed(
        note.SignedCheckpoint("tongshui/x", 2, b"r" * 32, 5, reading.read_at, ((2, 4),), "next+key"),
        [note.Signer.new("t")],
    )
    jsonschema.validate(signed, checkpoint)
    assert note.read_note(signed).checkpoint.position == 5
    assert note.read_note(checkpoint["examples"][0]).checkpoint.size == 40
    for broken in (signed.replace("\n\n", "\n"), signed.rpartition("\n— ")[0], signed + "x", f"\n{signed}"):
        assert list(jsonschema.Draft202012Validator(checkpoint).iter_errors(broken))
        with pytest.raises(note.NoteError):
            note.read_note(broken)


@pytest.mark.parametrize(
    "row",
    [
        {"meter": "JS-1", "read_at": "2026-09-16T09:00:00+08:00", "value_m3": "1.5"},
        {"meter": "JS-1", "read_at": "2026-09-16T09:00:00+08:00", "value_m3": "1,5"},
        {"meter": "J", "read_at": "2026-09-16T09:00:00+08:00", "value_m3": "1"},
        {"meter": "JS-1", "read_at": "2026-09-16T09:00:00+08:00", "value_m3": "1", "by": "somebody"},
        {"meter": "JS-1", "value_m3": "1"},
        {"meter": "JS-1", "read_at": "2026-09-16T09:00:00+08:00", "value_m3": 1},
    ],
)
def test_a_reading_is_taken_by_the_program_where_it_is_by_the_schema(row: dict[str, Any]) -> None:
    valid = jsonschema.Draft202012Validator(BESIDES["water.readings.MeterReading.v1"]).is_valid(row)
    try:
        meter_readings.from_json(json.dumps(row).encode())
    except meter_readings.BadRowError:
        assert not valid
    else:
        assert valid


# ---- additions only


def changed(change: Callable[[Any], object]) -> list[str]:
    proposed = copy.deepcopy(dict(SCHEMAS))
    change(proposed)
    return breaks(SCHEMAS, proposed)


def data_of(schemas: Any, name: str = ARRIVED) -> Any:
    return schemas[name]["properties"]["data"]


ASSESSED = "water.repair.SeverityAssessed.v1"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop(ARRIVED), "the type is gone"),
        (lambda s: data_of(s)["properties"].pop("crew"), "data.crew: the field is gone"),
        (lambda s: data_of(s)["required"].remove("crew"), "crew was always there, and would not be"),
        (lambda s: data_of(s)["properties"]["crew"].update(type="integer"), "data.crew: type was 'string'"),
        (lambda s: data_of(s)["required"].append("flags"), "flags would be required"),
        (lambda s: data_of(s)["properties"]["flags"]["items"].update(type="integer"), "data.flags[]: type"),
        (lambda s: data_of(s)["properties"]["evidence"]["anyOf"].pop(), "was one of 2 forms"),
        (lambda s: s[ARRIVED]["$defs"]["ArrivalEvidence"]["properties"].pop("accuracy_m"), "accuracy_m: the field is"),
        (lambda s: data_of(s, ASSESSED)["properties"]["severity"]["enum"].remove("major"), "the codes major are gone"),
        (lambda s: data_of(s, ASSESSED)["properties"]["severity"].pop("enum"), "an enumeration is gone"),
        (lambda s: s[ARRIVED]["required"].remove("recordedat"), "recordedat was always there"),
        (lambda s: s[ARRIVED]["properties"]["id"].pop("format"), "id: format was 'uuid', would be None"),
    ],
)
def test_a_change_that_would_break_a_reader_is_named(change: Callable[[Any], object], said: str) -> None:
    found = changed(change)
    assert found
    assert any(said in each for each in found), found


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.update({"water.repair.New.v1": s[ARRIVED]}),
        lambda s: data_of(s)["properties"].update(weather={"type": "string"}),
        lambda s: data_of(s, ASSESSED)["properties"]["severity"]["enum"].append("giant"),
        lambda s: s[ARRIVED].update(description="A crew has come."),
        lambda s: s[ARRIVED]["$defs"].update(New={"type": "object"}),
    ],
    ids=["type", "field", "code", "words", "definition"],
)
def test_an_addition_breaks_nothing(change: Callable[[Any], object]) -> None:
    assert changed(change) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("water.deadletter.DeadLetter.v1"), "the type is gone"),
        (lambda s: s["water.canary.Canary.v1"]["x-key"].update(type="integer"), "x-key: type was"),
        (lambda s: s["water.canary.Canary.v1"].update({"x-topic": "water.bird.v1"}), "x-topic was"),
        (
            lambda s: s["water.checkpoint.Checkpoint.v1"]["x-headers"]["properties"].pop("leaves"),
            "leaves: the field is",
        ),
        (lambda s: s["water.checkpoint.Checkpoint.v1"].update(pattern="^x"), "pattern was"),
        (
            lambda s: s["water.readings.MeterReading.v1"]["properties"]["meter"].update(maxLength=5),
            "maxLength was None",
        ),
        (lambda s: s["water.readings.MeterReading.v1"]["required"].append("by"), "by would be required"),
    ],
)
def test_a_change_of_another_record_that_would_break_is_named(change: Callable[[Any], object], said: str) -> None:
    proposed = copy.deepcopy(dict(BESIDES))
    change(proposed)
    assert any(said in each for each in breaks(BESIDES, proposed))


def of_message(document_: Any, name: str = ARRIVED) -> Any:
    return document_["components"]["messages"][name]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["channels"].pop("repair"), "water.repair.v1: the topic is gone"),
        (lambda d: d["channels"]["usage"].update(address="water.use.v1"), "water.usage.v1: the topic is gone"),
        (lambda d: d["channels"]["breach"]["messages"].popitem(), "is not on it any more"),
        (lambda d: of_message(d)["bindings"]["kafka"]["key"].update(format="uri"), "the key: format was 'uuid'"),
        (lambda d: of_message(d).update(contentType="text/xml"), "contentType was"),
        (lambda d: d["components"]["schemas"]["headers"]["properties"].pop("epoch"), "epoch: the field is gone"),
        (lambda d: d["components"]["schemas"]["headers"]["required"].remove("epoch"), "epoch was always there"),
    ],
)
def test_a_topic_a_key_and_a_header_are_for_ever(change: Callable[[Any], object], said: str) -> None:
    old, new = document("asyncapi.json"), document("asyncapi.json")
    assert channel_breaks(old, new) == []
    change(new)
    assert any(said in each for each in channel_breaks(old, new))


# ---- decimal numbers: a pattern that says what the format said


READING = "water.usage.MeterTakenOut.v1"
READING_FIELD = "final_reading_m3"


def reading_field(schemas: Any) -> Any:
    return data_of(schemas, READING)["properties"][READING_FIELD]


def without_patterns(schemas: Any) -> Any:
    found = copy.deepcopy(dict(schemas))
    reading_field(found).pop("pattern")
    return found


def test_the_pattern_of_a_decimal_may_come_once_and_no_other_may() -> None:
    before = without_patterns(SCHEMAS)
    assert breaks(before, SCHEMAS) == []
    narrower, elsewhere = copy.deepcopy(before), copy.deepcopy(dict(SCHEMAS))
    reading_field(narrower)["pattern"] = "^[0-9]+$"
    data_of(elsewhere)["properties"]["crew"]["pattern"] = DECIMAL_PATTERN
    assert "pattern was None" in breaks(before, narrower)[0]
    assert "data.crew: pattern was None" in breaks(SCHEMAS, elsewhere)[0]
    assert "pattern was" in breaks(SCHEMAS, before)[0]
    other_format = copy.deepcopy(dict(SCHEMAS))
    reading_field(other_format)["format"] = "number"
    assert "format was 'decimal'" in breaks(before, other_format)[0]


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_every_decimal_number_is_written_in_the_form_of_the_pattern(number: Decimal) -> None:
    assert re.search(DECIMAL_PATTERN, msgspec.json.decode(msgspec.json.encode(number)))


@pytest.mark.parametrize(
    "text", ["", "NaN", "sNaN", "Infinity", "-Infinity", "1,5", "1.", ".5", "+1", "1e3", "0x1", "1 "]
)
def test_the_pattern_of_a_decimal_takes_nothing_else(text: str) -> None:
    assert re.search(DECIMAL_PATTERN, text) is None


DOORS: dict[str, Any] = {
    "CatalogueDrafted.catalogue.items.formula.rate": Rate,
    "CataloguePublished.items.formula.rate": Rate,
    "CustomerChanged.reading_m3": Amount,
    "MeterInstalled.meter.initial_reading_m3": Amount,
    "MeterInstalled.meter.q3_m3h": Amount,
    "MeterReplaced.final_reading_m3": Amount,
    "MeterReplaced.meter.initial_reading_m3": Amount,
    "MeterReplaced.meter.q3_m3h": Amount,
    "MeterTakenOut.final_reading_m3": Amount,
    "MeterVerified.q3_m3h": Amount,
    "QuoteIssued.lines.quantity": Quantity,
    "UsageClassChanged.reading_m3": Amount,
    "StandardDrafted.document.meter_verification.q3_m3h": Rate,
    "StandardPublished.meter_verification.q3_m3h": Rate,
    "WaterTurnedOn.meter.initial_reading_m3": Amount,
    "WaterTurnedOn.meter.q3_m3h": Amount,
}
"""Each decimal field of an event, and by which form its numbers come in over HTTP. A rate comes from a file, too."""


def decimal_fields(info: Any, path: str) -> Iterator[str]:
    match info:
        case msgspec.inspect.DecimalType():
            yield path
        case msgspec.inspect.DataclassType(fields=fields):
            for each in fields:
                yield from decimal_fields(each.type, f"{path}.{each.name}")
        case msgspec.inspect.UnionType(types=types):
            for one in types:
                yield from decimal_fields(one, path)
        case msgspec.inspect.VarTupleType(item_type=item):
            yield from decimal_fields(item, path)


def test_every_decimal_field_is_known_by_the_way_its_numbers_come_in() -> None:
    """A field that comes later: think of what its numbers can be, for the pattern is for ever."""
    found = {
        path
        for _, fact in REGISTRY.types.values()
        for path in decimal_fields(msgspec.inspect.type_info(fact), fact.__name__)
    }
    assert found == DOORS.keys()


@pytest.mark.parametrize("form", [Rate, Amount, Quantity], ids=["rate", "amount", "quantity"])
@given(text=st.from_regex(r"[-+]?[0-9]{0,12}\.?[0-9]{0,7}([eE][-+]?[0-9]{1,3})?|NaN|-?Infinity", fullmatch=True))
def test_what_comes_in_over_http_is_stored_in_the_form_of_the_pattern(form: Any, text: str) -> None:
    try:
        number = TypeAdapter(form).validate_python(text)
    except ValidationError:
        return
    assert re.search(DECIMAL_PATTERN, msgspec.json.decode(msgspec.json.encode(Decimal(number))))


@given(text=st.from_regex(r"[-+]?[0-9]{1,12}\.?[0-9]{0,7}([eE][-+]?[0-9]{1,2})?|s?NaN|-?Infinity", fullmatch=True))
def test_a_rate_from_a_file_is_in_the_form_of_the_pattern_or_no_catalogue_is_drafted(text: str) -> None:
    """A file says numbers as it likes: with an exponent, with a sign; what is no number is refused by the rulebook."""
    known = json.loads((ROOT / "infra" / "data" / "fees-0225.json").read_text(encoding="utf-8"))
    known["items"][0]["formula"]["rate"] = text
    catalogue = catalogue_of(json.dumps(known).encode())
    rate = catalogue.items[0].formula.rate
    if not rate.is_finite():
        with pytest.raises(Refusal, match="out-of-range"):
            _require_item(catalogue.items[0], catalogue.items[0].payer_classes)
    assert rate.is_finite() == bool(re.search(DECIMAL_PATTERN, msgspec.json.decode(msgspec.json.encode(rate))))


# ---- what is counted in facts about windows


def windows_of(histories: Iterator[Any]) -> Iterator[tuple[tuple[str, str], list[Any]]]:
    found: dict[tuple[str, str], list[Any]] = {}
    for event in histories:
        if event["type"].split(".")[2].startswith("Window"):
            found.setdefault((event["subject"], event["data"]["commitment"]), []).append(event)
    return iter(found.items())


def test_number_counts_the_facts_about_a_window_and_lapse_its_lapses() -> None:
    """As the schemas say, in every stored history."""
    lapses = 0
    for file in HISTORIES:
        lines = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
        for _, facts in windows_of(lines):
            assert [fact["data"]["number"] for fact in facts] == list(range(1, len(facts) + 1))
            new = [fact["data"]["lapse"] for fact in facts if ".WindowLapsed." in fact["type"]]
            assert new == list(range(1, len(new) + 1))
            about = {fact["data"]["lapse"] for fact in facts if fact["data"].get("lapse") is not None}
            assert about <= set(new)
            lapses += len(new)
    assert lapses > 20


def test_what_number_and_lapse_count_is_said_at_the_field_and_on_the_page(client: Client) -> None:
    for name, schema in SCHEMAS.items():
        fields = schema["properties"]["data"]["properties"]
        if name.split(".")[2].startswith("Window"):
            assert fields["number"]["description"].startswith("Counts the facts about this window")
            assert fields["number"]["description"] in unescape(client.get(f"/contract/events/{name}").text)
        if "lapse" in fields:
            words = "Counts the lapses" if name.split(".")[2] == "WindowLapsed" else "Which lapse of this window"
            assert fields["lapse"]["description"].startswith(words)


# ---- frozen


def test_nothing_of_what_was_frozen_is_gone_or_narrower() -> None:
    """The documents as they were on the day: whoever edits schema and fact at once is met here."""
    packed = (Path(__file__).parent / "frozen" / "v1.json.xz").read_bytes()
    assert sha256(packed).hexdigest() == FROZEN, "the frozen documents are never edited"
    frozen = json.loads(lzma.decompress(packed))
    assert len(frozen["schemas"]) > 150
    assert breaks(frozen["schemas"], SCHEMAS) == []
    assert breaks(frozen["messages"], BESIDES) == []
    assert channel_breaks(frozen["asyncapi"], document("asyncapi.json")) == []


def test_that_it_is_frozen_and_how_a_type_ends_is_said_wherever_a_reader_looks(client: Client) -> None:
    readme = (published.FOLDER.parent / "README.md").read_text(encoding="utf-8")
    assert freeze.WORDS in readme
    assert freeze.WORDS in document("asyncapi.json")["info"]["description"]
    listed = client.get("/api/v1/contract").json()
    assert (listed["frozen_on"], listed["frozen"]) == ("2026-11-25", freeze.WORDS)
    assert "Frozen as v1 on 2026-11-25" in client.get("/contract").text
    assert "How a type ends" in client.get("/contract").text


def test_every_announced_end_keeps_the_rule() -> None:
    assert freeze.wrong_endings(freeze.ENDINGS, {*SCHEMAS, *BESIDES}) == []
    day = date(2027, 1, 1)
    soon = {ARRIVED: freeze.Ending(day, day + timedelta(days=179), "water.repair.CrewArrived.v2")}
    wrong = freeze.wrong_endings(soon, {*SCHEMAS})
    assert len(wrong) == 2
    assert "must both be published" in wrong[0]
    assert "less than 180 days" in wrong[1]


def test_an_announced_end_is_in_the_schema_and_never_moved_nearer(monkeypatch: pytest.MonkeyPatch) -> None:
    day = date(2027, 1, 1)

    def ending_on(ends_on: date) -> Any:
        monkeypatch.setitem(freeze.ENDINGS, ARRIVED, freeze.Ending(day, ends_on, ASSESSED))
        return {ARRIVED: generate.schema(ARRIVED, SCHEMAS[ARRIVED]["examples"][0])}

    announced = ending_on(date(2027, 12, 31))
    assert announced[ARRIVED]["deprecated"] is True
    assert announced[ARRIVED]["x-announced-end"]["instead"] == ASSESSED
    assert breaks({ARRIVED: SCHEMAS[ARRIVED]}, announced) == []
    assert breaks(announced, ending_on(date(2028, 12, 31))) == []
    (found,) = breaks(announced, ending_on(date(2027, 11, 30)))
    assert "which is nearer" in found


def test_what_would_break_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "v1"
    shutil.copytree(published.FOLDER, folder)
    file = folder / "schemas" / f"{ARRIVED}.json"
    before = json.loads(file.read_text(encoding="utf-8"))
    before["properties"]["data"]["properties"]["weather"] = {"type": "string"}
    file.write_text(json.dumps(before), encoding="utf-8")
    (folder / "readers-rule.json").unlink()
    with pytest.raises(published.ContractBroken, match=r"CrewArrived.v1: data.weather: the field is gone"):
        published.write(published.published_examples(), folder)
    assert not (folder / "readers-rule.json").exists()
    file.write_text(json.dumps(SCHEMAS[ARRIVED]), encoding="utf-8")
    assert set(published.write(published.published_examples(), folder)) == {"readers-rule.json", f"schemas/{file.name}"}
    assert published.stale(published.published_examples(), folder) == []
    (folder / "schemas" / "water.repair.Gone.v1.json").write_text("{}", encoding="utf-8")
    assert published.stale(published.published_examples(), folder) == ["schemas/water.repair.Gone.v1.json"]


# ---- editions: what was ever published


FIRST_EDITION = "50f48c917d416dd94faaa403a7c2d5285a0708da5f9ecf7f02f97862428a5656"
"""SHA-256 of the names and schemas that were the first to be counted: bundles of then are out in the world."""


def test_the_first_edition_is_never_edited_only_added_to() -> None:
    found = document(published.EDITIONS)
    first = [found["words"][: FIRST.words], found["schemas"][: FIRST.schemas]]
    assert sha256(json.dumps(first, ensure_ascii=False).encode()).hexdigest() == FIRST_EDITION


def test_the_newest_edition_is_what_is_published() -> None:
    assert generate.words(SCHEMAS).items() <= dict(published.editions().words).items()
    assert dict(published.editions().schemas) == {name: editions.digest(schema) for name, schema in SCHEMAS.items()}


def test_a_name_or_a_schema_that_changes_is_added_and_the_earlier_one_stays() -> None:
    before = editions.Editions((("WindowLapsed", "超时"), ("old-code", "旧")), (("water.x.Y.v1", "d1"),))
    schema = {"title": "Y"}
    after = before.followed_by({"WindowLapsed": "逾期", "WindowMet": "兑现"}, {"water.x.Y.v1": schema})
    assert after.words == (*before.words, ("WindowLapsed", "逾期"), ("WindowMet", "兑现"))
    assert after.schemas == (*before.schemas, ("water.x.Y.v1", editions.digest(schema)))
    assert after.followed_by({"WindowLapsed": "逾期"}, {"water.x.Y.v1": schema}) == after


def test_the_command_says_that_all_is_as_it_should_be() -> None:
    assert CliRunner().invoke(main, ["contract", "check"]).exit_code == 0


# ---- over HTTP


@pytest.fixture(scope="module")
def client() -> Client:
    return Client(app_over(FakeService()))


@pytest.mark.parametrize(("security", "protocol"), [("PLAINTEXT", "kafka"), ("SASL_SSL", "kafka-secure")])
def test_the_asyncapi_document_that_is_served_names_the_installations_brokers(security: str, protocol: str) -> None:
    service = FakeService(kafka_bootstrap="10.0.0.1:9092,10.0.0.2:9092", kafka_security_protocol=security)
    served = Client(app_over(service)).get("/api/v1/contract/asyncapi.json").json()
    found = {name: (each["host"], each["protocol"]) for name, each in served["servers"].items()}
    assert found == {"broker-1": ("10.0.0.1:9092", protocol), "broker-2": ("10.0.0.2:9092", protocol)}
    official = json.loads(lzma.decompress((OFFICIAL / "asyncapi-3.0.0.json.xz").read_bytes()))
    jsonschema.Draft7Validator(official).validate(served)
    assert {name: part for name, part in served.items() if name != "servers"} == document("asyncapi.json")


def test_the_contract_is_listed_with_where_everything_is(client: Client) -> None:
    listed = client.get("/api/v1/contract").json()
    assert {each["type"] for each in listed["types"]} == set(REGISTRY.types)
    for other in listed["others"]:
        assert client.get(other["schema_at"]).json() == BESIDES[other["name"]]
        assert f"<code>{other['name']}</code>" in client.get(other["page_at"]).text
        assert other["page_at"] in client.get("/contract").text
    assert client.get(listed["asyncapi_at"]).json() == document("asyncapi.json")
    assert client.get(listed["readers_rule_at"]).json() == document("readers-rule.json")
    assert client.get(listed["plain_at"]).json() == document("plain.json")
    assert client.get(listed["editions_at"]).json() == document(published.EDITIONS)
    one = next(each for each in listed["types"] if each["type"] == ARRIVED)
    assert client.get(one["schema_at"]).json() == SCHEMAS[ARRIVED]
    shown = client.get(one["page_at"])
    assert shown.headers["content-type"].startswith("text/html")
    assert "到场 CrewArrived" in shown.text


@pytest.mark.parametrize("path", ["/api/v1/contract/schemas/water.x.Y.v1", "/contract/events/water.x.Y.v1"])
def test_a_type_that_is_not_there_is_said_so(client: Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "no-such-event-type")


def test_every_type_has_a_page_with_its_meaning_its_fields_and_its_example(client: Client) -> None:
    index = client.get("/contract").text
    for name, schema in SCHEMAS.items():
        assert f'href="/contract/events/{name}"' in index
        shown = client.get(f"/contract/events/{name}").text
        assert all(f"<code>{field}</code>" in shown for field in schema["properties"]["data"].get("properties", {}))
        assert "示例" in shown


def test_every_field_of_every_event_says_what_it_means() -> None:
    silent = [
        f"{name}: {owner}.{field}"
        for name, schema in published.schemas().items()
        for owner, part in (("data", schema["properties"]["data"]), *schema.get("$defs", {}).items())
        for field, known in part.get("properties", {}).items()
        if not known.get("description")
    ]
    assert silent == []
