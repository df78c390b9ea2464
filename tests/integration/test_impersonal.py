"""Values that tell who somebody is, through every string field of every command, its path and its headers, over real
PostgreSQL: afterwards none of them is anywhere, except sealed in the vault."""

from __future__ import annotations

import json
import logging
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from click.testing import CliRunner

from api.http.document import operations
from api.http.powers import NONE, POWER
from app.cli import main
from domain import kinds
from domain.kernel.facts import EventToAppend
from domain.kernel.personal import PersonalValueFound
from domain.kernel.subjects import Subject
from domain.outages.facts import FireServiceTold
from domain.standard.flat import as_published
from domain.standard.powers import roles_with
from infra.eventstore.commands import Command, Stamp, Stream
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import shipped_catalogue, shipped_law, shipped_rules
from infra.settings import Settings
from tests.api_read_models import project
from tests.api_world import Client, app_of, application, fault, ready_for_water, staff, turned_on
from tests.contract.test_powers import BODIES, sample
from tests.integration.test_vault import dump
from tests.planted import FORMS

KEPT_SEALED = re.compile(r"(?:reporter|applicant|customer|complainant)\.(?:name|phone|address|id_number)")
"""Fields that go to the vault, by their paths in a body."""
KEPT_NOWHERE = re.compile(
    r"/session.*|/token.*|/subjects/search phone|/subjects/search/address address|/follow/.*|/my/code phone"
    r"|/my/session (?:phone|code)"
    r"|/rights/\{\w+\}/correction (?:name|phone|address)"
)
"""Operations and fields whose text is compared and forgotten, or that a link or a request that there is not refuses."""
FIXED = {"date-time", "date", "uuid"}
"""Formats in which no such value can be written."""


@dataclass(frozen=True)
class Field:
    """A string field of a body: its path, as keys and list places, and whether it is a table's key."""

    path: tuple[str | int, ...]
    is_key: bool
    schema: Mapping[str, Any]

    def __str__(self) -> str:
        return ".".join(str(each) for each in self.path if not isinstance(each, int)) + ("{}" if self.is_key else "")


def string_fields(
    schema: Mapping[str, Any], known: Mapping[str, Any], path: tuple[str | int, ...] = ()
) -> Iterator[Field]:
    """Every place of a body in which a text of the caller's own choice can stand."""
    if "$ref" in schema:
        yield from string_fields(known[schema["$ref"].rpartition("/")[2]], known, path)
    for one in schema.get("anyOf", ()):
        yield from string_fields(one, known, path)
    for name, each in schema.get("properties", {}).items():
        yield from string_fields(each, known, (*path, name))
    if isinstance(entry := schema.get("additionalProperties"), Mapping):
        yield Field(path, True, schema.get("propertyNames", {}))
        yield from string_fields(entry, known, (*path, "entry"))
    if schema.get("type") == "array" and "items" in schema:
        yield from string_fields(schema["items"], known, (*path, 0))
    if schema.get("type") == "string" and not {"enum", "const"} & schema.keys() and schema.get("format") not in FIXED:
        yield Field(path, False, schema)


def planted_in(body: Any, field: Field, value: str) -> Any:
    """The body with the value in that place; what leads there is made where it is missing."""
    copy = json.loads(json.dumps(body))
    at = copy
    path: list[str | int] = [*field.path, value] if field.is_key else list(field.path)
    for step, following in zip(path, [*path[1:], None], strict=True):
        made: Any = value if following is None and not field.is_key else ([] if isinstance(following, int) else {})
        if isinstance(step, int):
            if not at:
                at.append(made)
            elif following is None:
                at[0] = made
            at = at[0]
        else:
            if following is None or not isinstance(at.get(step), dict | list):
                at[step] = "text" if field.is_key and following is None else made
            at = at[step]
    return copy


class Planter:
    """Makes values and remembers each of them, with where it was planted."""

    def __init__(self) -> None:
        self._chance = random.Random(20261130)
        self._forms = [*FORMS]
        self.values: dict[str, str] = {}
        self.last = ""

    def value(self, where: str) -> str:
        form = self._forms[len(self.values) % len(self._forms)]
        while (made := FORMS[form][1](self._chance)) in self.values:
            pass
        self.values[made] = where
        self.last = made
        return made

    def fitting(self, where: str, schema: Mapping[str, Any]) -> str | None:
        """A text with a value in it that the field's own pattern and length take; None where none of ours does."""
        for number in range(len(self._forms)):
            form = self._forms[(len(self.values) + number) % len(self._forms)]
            value = FORMS[form][1](self._chance)
            for before in ("", "x", "X", "CN-", "/repairs/x"):
                text = before + value
                if len(text) <= schema.get("maxLength", 500) and re.search(schema.get("pattern", ""), text):
                    self.values[value] = where
                    self.last = value
                    return text
        return None


@pytest.fixture
def client(service: Service) -> Client:
    return Client(app_of(service))


@pytest.fixture
def document(client: Client) -> Mapping[str, Any]:
    described: Mapping[str, Any] = client.app.openapi()
    return described


@pytest.fixture
def cases(client: Client) -> Mapping[str, str]:
    """A case of the kinds that most commands are about: an incident, an application that has water."""
    applied = ready_for_water(client)
    assert turned_on(client, applied).status_code == 200
    return {"repairs": str(client.post("/api/v1/repairs", fault()).json()["case_id"]), "connections": applied}


def body_of(path: str, form: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    whole = {
        "/standards": msgspec.to_builtins(as_published(shipped_rules().standards[0])),
        "/fees/catalogues": msgspec.to_builtins(shipped_catalogue()),
        "/law": msgspec.to_builtins(shipped_law()),
        "/connections": application(),
        **BODIES,
    }
    return whole.get(path) or sample(form, known)


def url_of(path: str, operation: Mapping[str, Any], cases: Mapping[str, str], known: Mapping[str, Any]) -> str:
    room = path.split("/")[3]
    for each in operation.get("parameters", ()):
        if each["in"] == "path":
            is_case = each["name"] == "case_id"
            value = cases.get(room, str(uuid4())) if is_case else sample(each["schema"], known)
            path = path.replace(f"{{{each['name']}}}", str(value))
    return path


def found(values: Iterable[str], text: str) -> list[str]:
    """Those of the values that stand in the text: as they are, in the forms that fields take them down in, or as
    bytes."""

    def forms(value: str) -> Iterator[str]:
        yield value
        yield re.sub(r"[^0-9a-zA-Z@.]+", "", value)
        yield re.sub(r"[^0-9a-z]+", "-", value)
        yield value.encode().hex()

    return [value for value in values if any(form in text for form in forms(value))]


def role_for(operation: Mapping[str, Any]) -> str:
    having = (
        roles_with(shipped_rules().standards[0], operation[POWER]) if operation.get(POWER) not in (None, NONE) else ()
    )
    return sorted(having)[0] if having else "dispatcher"


def everything(service: Service, caplog: pytest.LogCaptureFixture, answers: list[str], client: Client) -> str:
    """All that is kept or said: every table, the read models filled, the log, the figures, every answer."""
    with service.connection() as connection:
        rows = connection.execute("SELECT state FROM store.stored_events ORDER BY notification_id").fetchall()
    events = [json.loads(row["state"]) for row in rows]
    project(service, [each for each in events if each["type"].split(".")[1] in ("repair", "connection")])
    return "\n".join([dump(service), caplog.text, client.get("/metrics").text, *answers])


@pytest.mark.parametrize("whose", ["cases", "documents"])
def test_no_planted_value_is_anywhere_but_in_the_vault(
    client: Client,
    document: Mapping[str, Any],
    cases: Mapping[str, str],
    service: Service,
    caplog: pytest.LogCaptureFixture,
    whose: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, "httpx")  # the log of who asks: our own client
    known, planter, answers, sealed, wrong = document["components"]["schemas"], Planter(), [], [], []
    for template, method, operation in operations(document):
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        path = template.removeprefix("/api/v1")
        is_document = path.startswith(("/standards", "/fees", "/law", "/calendars", "/session"))
        if method != "POST" or body is None or is_document is not (whose == "documents"):
            continue
        headers = staff(role_for(operation))
        for field in string_fields(body["schema"], known):
            where = f"{path} {field}"
            # Into a field of a form of its own goes a value in that form: another would be refused for its form alone.
            text = planter.fitting(where, field.schema) if "pattern" in field.schema else None
            text = text or planter.value(where)
            value = planter.last
            planted = planted_in(body_of(path, body["schema"], known), field, text)
            answer = client.post(url_of(template, operation, cases, known), planted, headers=headers)
            answers.append(answer.text)
            if KEPT_SEALED.fullmatch(str(field)) is not None:
                sealed += [value] if answer.status_code < 300 else []
            elif KEPT_NOWHERE.fullmatch(where) is None and (
                answer.status_code != 422 or str(field.path[0]) not in answer.text
            ):
                wrong.append(f"{where}: {answer.status_code} {answer.text[:200]}")
    assert wrong == []
    assert len(planter.values) >= (250 if whose == "cases" else 200)
    leaked = found(planter.values, everything(service, caplog, answers, client))
    assert [planter.values[value] for value in leaked] == []
    if whose == "cases":
        with service.connection() as connection:
            rows = connection.execute("SELECT subject_id, revision FROM vault.subjects").fetchall()
        kept = service.particulars([Subject(row["subject_id"], row["revision"]) for row in rows])
        opened = json.dumps([dict(each) for each in kept], ensure_ascii=False)
        assert len(sealed) >= 8
        assert [planter.values[value] for value in sealed if not found([value], opened)] == []


def test_no_planted_value_of_a_header_a_path_or_a_row_is_anywhere(
    client: Client,
    document: Mapping[str, Any],
    cases: Mapping[str, str],
    service: Service,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, "httpx")  # the log of who asks: our own client
    planter, answers = Planter(), []

    def refused(answer: Any, *statuses: int) -> None:
        answers.append(answer.text)
        assert answer.status_code in statuses, answer.text

    completion = f"/api/v1/repairs/{cases['repairs']}/completion"
    for header in ("X-Actor", "X-Correlation-Id", "X-Confirmed-By"):
        for _ in range(3):
            text = planter.fitting(header, {"pattern": "^[A-Za-z0-9][A-Za-z0-9._:/-]*$"})
            refused(client.post(completion, {}, headers={**staff("crew-lead"), header: text}), 400)
    for _ in range(3):
        # A client's own number is no reason to refuse a report, and is kept as a digest.
        under = {"Idempotency-Key": planter.fitting("Idempotency-Key", {"pattern": "^[!-~]+$"}) or ""}
        first, again = (client.post("/api/v1/repairs", fault(), headers=under) for _ in range(2))
        assert (first.status_code, again.json()) == (201, first.json())
        answers.append(first.text)
    paths = {
        re.sub(r"\{case_id\}", cases.get(path.split("/")[3], str(uuid4())), path): operation
        for path, method, operation in operations(document)
        if method == "POST" and re.search(r"\{(?!case_id)", path)
    }
    assert len(paths) > 20
    for path, operation in paths.items():
        text = planter.fitting(path, {"pattern": "^[A-Za-z0-9-]+$"})
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        sent = sample(body, document["components"]["schemas"]) if body else {}
        url = re.sub(r"\{\w+\}", f"x{text}", path)
        # What is somebody's own is theirs who proved a telephone, and nobody else's.
        theirs = (401,) if "/my/" in url else ()
        refused(client.post(url, sent, headers=staff(role_for(operation))), 400, 404, 422, *theirs)
    reports = [fault(order={"source": "hotline-12345", "number": planter.fitting("order", {})}) for _ in range(4)]
    told = client.post("/api/v1/repairs/bulk", {"reports": reports}, headers=staff("hotline"))
    assert (told.json()["accepted"], told.json()["refused"]) == (0, 4)
    meters = [{"meter": planter.fitting("meter", {}), "read_at": "2026-09-16T08:00:00+08:00", "value_m3": "1"}] * 3
    sent = client.post("/api/v1/readings", {"readings": meters}, headers=staff("meter-reader"))
    assert [row["field"] for row in sent.json()["refused"]] == ["meter"] * 3
    asking = {"path": f"/repairs/{cases['repairs']}/dispatch", "role": "manager", "reason": "看现场"}
    crew = f"crew-{planter.fitting('crew', {'pattern': '^[0-9]+$'})}"
    for more in ({"reason": f"打 {planter.value('reason')}", "body": {"crew": "crew-1"}}, {"body": {"crew": crew}}):
        refused(client.post("/api/v1/approvals", asking | more, headers=staff("dispatcher")), 422)
    text = everything(service, caplog, [*answers, told.text, sent.text], client)
    assert [planter.values[value] for value in found(planter.values, text)] == []


def test_what_comes_in_by_no_body_is_screened_before_it_is_stored(service: Service) -> None:
    def tell(document: str, *, role: str = "operator", actor: str = "operator-1") -> Any:
        outage = Stream(kinds.OUTAGE, uuid4())
        stamp = Stamp(actor, role, "office", str(uuid4()), "by-hand")
        fact = FireServiceTold(document)
        return service.run(Command(outage, stamp, lambda seen: [(outage, EventToAppend(fact, seen.at))]))

    before = dump(service).count("FireServiceTold")
    for document, actor in (("致电 138-0013-8000", "operator-1"), ("x", "13800138000")):
        with pytest.raises(PersonalValueFound) as refused:
            tell(document, actor=actor)
        assert "0013" not in str(refused.value)
    assert dump(service).count("FireServiceTold") == before
    tell("消〔2026〕3号")
    # What the program says by itself repeats what is on record.
    tell("致电 138-0013-8000", role="system")


def test_the_screen_names_stored_events_and_no_value(service: Service, store_settings: Settings) -> None:
    environment = {
        "TONGSHUI_DATABASE_URL": store_settings.database_url,
        "TONGSHUI_KAFKA_BOOTSTRAP": store_settings.kafka_bootstrap,
        "TONGSHUI_DATA_DIR": str(store_settings.data_dir),
    }

    def told(*words: str) -> tuple[int, str]:
        ended = CliRunner().invoke(main, ["vault", "screen", *words], env=environment)
        return ended.exit_code, ended.output

    incident = Client(app_of(service)).post("/api/v1/repairs", fault()).json()
    assert told()[0] == 0
    case = Stream(kinds.OUTAGE, uuid4())
    stamp = Stamp("watch", "system", "system", str(uuid4()), "13800138000")
    fact = FireServiceTold("身份证 433101199001011234")
    stored = service.run(Command(case, stamp, lambda seen: [(case, EventToAppend(fact, seen.at))]))
    code, text = told()
    assert code == 1
    line = f"{stored.position}  {case.id}  water.repair.FireServiceTold.v1  data.document  identity-number"
    assert line in text
    assert "correlationid  mobile" in text
    assert not found(["13800138000", "433101199001011234", "199001011234"], text)
    assert incident["case_id"] not in text
    code, text = told("--json")
    findings = [json.loads(each) for each in text.splitlines() if each.startswith("{")]
    assert (code, [each["kind"] for each in findings]) == (1, ["mobile", "identity-number"])


def test_reasons_at_the_terminal_are_screened() -> None:
    for words in (
        ["dead-letters", "resolve", "1", "--actor", "operator-1", "--reason", "致电 138-0013-8000"],
        ["topics", "disown", "t", "0", "1", "--by", "operator-1", "--reason", "致电 138-0013-8000"],
    ):
        ended = CliRunner().invoke(main, words)
        assert ended.exit_code == 2
        assert "what looks like a mobile number" in ended.output
        assert "0013" not in ended.output
