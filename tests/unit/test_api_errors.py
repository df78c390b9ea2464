"""What the edge turns away: each with a stable code, in two languages, with nothing written and nobody named."""

from __future__ import annotations

import ast
import asyncio
import json
import logging
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from eventsourcing.persistence import InterfaceError
from starlette.types import Message

from api.http import drain_body as linger
from api.http.drain_body import LINGER_BYTES
from api.http.errors import PROBLEM_JSON
from api.http.strict import BODY_LIMIT_BYTES
from domain.kernel.refusals import Refusal, refusals, restored
from infra.eventstore.commands import BusyError, StoreUnavailableError
from tests.api_world import METER, REPORTER, Client, FakeService, app_over, application, fault, served, staff, wait_for
from tests.proven import PROVEN

ROOT = Path(__file__).parents[2]

NOBODY = UUID(int=404)
"""The id of no case. The same in every run: it is part of a test's name."""


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def client(service: FakeService) -> Client:
    return Client(app_over(service))


def problem(answer: Any) -> dict[str, Any]:
    """The problem of an answer, after looking at the form that all of them have."""
    body: dict[str, Any] = answer.json()
    assert answer.headers["content-type"] == PROBLEM_JSON
    assert body["type"] == f"urn:tongshui:error:{body['code']}"
    assert body["status"] == answer.status_code == EVERY[body["code"]].status
    for name in ("title", "detail", "detail_zh", "found", "needed", "next_step", "next_step_zh"):
        assert body[name], name
    assert re.search("[一-鿿]", body["detail_zh"])
    assert re.search("[一-鿿]", body["next_step_zh"])
    return body


# ---- bodies


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "not-json"),
        (b"{nope", "not-json"),
        (b"{} {}", "not-json"),
        (b'{"reporter": {"phone": "\xff"}}', "not-json"),
        (b'{"kind": "leak", "kind": "burst"}', "not-json"),
        (b'{"supply_points": NaN}', "not-json"),
        (b'{"supply_points": -Infinity}', "not-json"),
        (b'{"supply_points": ' + b"9" * 6_000 + b"}", "not-json"),
        (b"[" * 30_000, "not-json"),
        (b"\xef\xbb\xbf{}", "not-json"),
        (b"[]", "bad-body"),
        (b"null", "bad-body"),
        (b'"text"', "bad-body"),
        (b"{}", "bad-body"),
    ],
)
def test_what_is_no_json_object_is_refused(client: Client, service: FakeService, content: bytes, code: str) -> None:
    assert problem(client.raw("/api/v1/repairs", content))["code"] == code
    assert service.commands == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"colour": "blue"}, "colour"),
        ({"kind": 7}, "kind"),
        ({"kind": "Leak in the kitchen of Mrs Li"}, "kind"),
        ({"kind": None}, "kind"),
        ({"district": "人民北路"}, "district"),
        ({"district": "a" * 65}, "district"),
        ({"reporter": "张三"}, "reporter"),
        ({"reporter": REPORTER | {"wechat": "x"}}, "reporter.wechat"),
        ({"reporter": REPORTER | {"phone": 13812345678}}, "reporter.phone"),
        ({"reporter": REPORTER | {"name": "张" * 501}}, "reporter.name"),
        ({"happened_at": "yesterday"}, "happened_at"),
        ({"happened_at": 1_757_984_400}, "happened_at"),
        ({"happened_at": "2026-02-30T09:00:00Z"}, "happened_at"),
        ({"happened_at": "2026-02-13T09:00:00+99:00"}, "happened_at"),
        ({"happened_at": "0001-01-01T00:00:00+14:00"}, "happened_at"),
        ({"happened_at": "9999-12-31T23:59:59-12:00"}, "happened_at"),
    ],
)
def test_a_bad_field_is_named(client: Client, service: FakeService, changes: dict[str, Any], field: str) -> None:
    body = problem(client.raw("/api/v1/repairs", json.dumps(fault(**changes)).encode()))
    assert body["code"] == "bad-body"
    assert field in {each["field"] for each in body["fields"]}
    assert field in body["found"]
    assert service.commands == []


def test_a_time_without_an_offset_has_its_own_code(client: Client, service: FakeService) -> None:
    body = problem(client.post("/api/v1/repairs", fault(happened_at="2026-09-16T08:50:00")))
    assert (body["code"], body["fields"][0]["field"]) == ("naive-time", "happened_at")
    assert service.commands == []


@pytest.mark.parametrize(
    "changes",
    [
        {"number": "a b"},
        {"number": ""},
        {"number": "J" * 40},
        {"dn_mm": 0},
        {"dn_mm": 15.0},
        {"dn_mm": "15"},
        {"dn_mm": True},
        {"verified_on": "2026-2-3"},
        {"verified_on": "2026-02-30"},
        {"initial_reading_m3": 0},
        {"initial_reading_m3": "-1"},
        {"initial_reading_m3": "1e3"},
        {"initial_reading_m3": "0.0001"},
        {"initial_reading_m3": "100000"},
        {"dial_max_m3": 10**12},
    ],
)
def test_a_bad_meter_is_refused(client: Client, service: FakeService, changes: dict[str, Any]) -> None:
    answer = client.post(
        f"/api/v1/connections/{uuid4()}/supply-points/1/water-on", {"meter": METER | changes}, headers=staff("squad")
    )
    assert problem(answer)["code"] == "bad-body"
    assert service.commands == []


@pytest.mark.parametrize("severity", ["tiny", "SMALL", None, 1])
def test_a_class_that_does_not_exist_is_refused(client: Client, severity: object) -> None:
    body = {"severity": severity, "reason": "valve"}
    answer = client.post(f"/api/v1/repairs/{uuid4()}/assessment", body, headers=staff("crew"))
    assert problem(answer)["fields"][0]["field"] == "severity"


@pytest.mark.parametrize("reason", ["张三 13812345678 的水表", "call 13812345678", "张三家", "", "-", "x" * 81, "a\nb"])
def test_a_reason_is_a_code_because_free_text_may_name_somebody(client: Client, reason: str) -> None:
    body = {"severity": "small", "reason": reason}
    answer = problem(client.post(f"/api/v1/repairs/{uuid4()}/assessment", body, headers=staff("crew")))
    assert answer["fields"][0]["field"] == "reason"
    assert "13812345678" not in json.dumps(answer)


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/x-www-form-urlencoded"}])
def test_a_command_without_fields_needs_no_body(client: Client, service: FakeService, headers: dict[str, str]) -> None:
    headers = headers | staff("crew", channel="crew-phone")
    case_id = client.post("/api/v1/repairs", fault()).json()["case_id"]
    answers = [
        client.request("POST", f"/api/v1/repairs/{case_id}/completion", content=content, headers=headers | more)
        for content, more in ((b"", {}), (b"{}", {"Content-Type": "application/json"}))
    ]
    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    assert len(service.commands) == 3


def test_an_empty_form_that_another_site_could_send_is_refused(client: Client, service: FakeService) -> None:
    path = f"/api/v1/repairs/{uuid4()}/completion"
    for headers in ({}, {"Content-Type": "text/plain"}):
        answer = client.request("POST", path, content=b"", headers=headers)
        assert problem(answer)["code"] == "wrong-content-type"
    assert service.commands == []


def test_a_body_that_has_fields_is_still_asked_for(client: Client) -> None:
    answer = client.request("POST", "/api/v1/repairs", content=b"", headers=staff("hotline"))
    assert problem(answer)["code"] == "wrong-content-type"


def test_the_openapi_document_says_which_bodies_may_be_left_out(client: Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert paths["/api/v1/repairs/{case_id}/closure"]["post"]["requestBody"]["required"] is False
    assert paths["/api/v1/repairs/{case_id}/completion"]["post"]["requestBody"]["required"] is False
    assert paths["/api/v1/repairs"]["post"]["requestBody"]["required"] is True


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "text/json", ""]
)
def test_another_content_type_is_refused(client: Client, service: FakeService, content_type: str) -> None:
    answer = client.raw("/api/v1/repairs", json.dumps(fault()).encode(), content_type)
    assert problem(answer)["code"] == "wrong-content-type"
    assert service.commands == []


def test_json_in_utf8_may_say_so(client: Client) -> None:
    content = json.dumps(fault(), ensure_ascii=False).encode()
    assert client.raw("/api/v1/repairs", content, "application/json; charset=utf-8").status_code == 201


# ---- size


def test_a_large_body_is_refused_by_what_it_declares_before_any_of_it_is_read(client: Client) -> None:
    answered = asyncio.run(send_in_chunks(client, chunks=640, declared=640 * CHUNK))
    assert (answered.status, answered.read_before) == (413, 0)
    assert answered.read == 640, "the rest is thrown away, so that the answer arrives"


def test_a_large_body_of_unknown_length_is_refused_where_the_limit_is_passed(client: Client) -> None:
    answered = asyncio.run(send_in_chunks(client, chunks=640, declared=None))
    assert answered.status == 413
    assert answered.read_before <= BODY_LIMIT_BYTES // CHUNK + 1


def test_a_body_without_end_is_not_read_for_ever(client: Client) -> None:
    answered = asyncio.run(send_in_chunks(client, chunks=10**9, declared=None))
    assert answered.status == 413
    assert answered.read <= (BODY_LIMIT_BYTES + LINGER_BYTES) // CHUNK + 2


def test_a_body_that_stalls_after_the_answer_is_not_waited_for(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linger, "LINGER_SECONDS", 0.05)
    answered = asyncio.run(send_in_chunks(client, chunks=10**9, declared=None, stall_after=20))
    assert (answered.status, answered.read) == (413, 21)


CHUNK = 16 * 1024


@dataclass
class Answered:
    """An answer, and how many chunks of the body were asked for before it and in all."""

    status: int = 0
    read_before: int = 0
    read: int = 0


async def send_in_chunks(
    client: Client, *, chunks: int, declared: int | None, stall_after: int | None = None
) -> Answered:
    """Post a body of blanks, chunk by chunk as the application asks for it."""
    answered = Answered()

    async def receive() -> Message:
        answered.read += 1
        if stall_after is not None and answered.read > stall_after:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b" " * CHUNK, "more_body": answered.read < chunks}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answered.status, answered.read_before = message["status"], answered.read

    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")]
    if declared is None:
        headers.append((b"transfer-encoding", b"chunked"))
    else:
        headers.append((b"content-length", str(declared).encode()))
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/api/v1/repairs",
        "raw_path": b"/api/v1/repairs",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8225),
    }
    await client.app(scope, receive, send)
    return answered


@pytest.mark.parametrize("framing", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("path", [b"/api/v1/repairs", b"/api/v1/token"])
def test_an_upload_that_its_client_gave_up_is_one_line_and_no_incident(
    service: FakeService, caplog: pytest.LogCaptureFixture, path: bytes, framing: bytes
) -> None:
    head = b"POST " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" + framing
    app = app_over(service)
    with caplog.at_level(logging.INFO), served(app) as url:
        caplog.clear()
        with connected(url) as peer:
            peer.sendall(head + b'\r\n\r\n2\r\n{"')
        wait_for(lambda: caplog.records)
    lines = [each.getMessage() for each in caplog.records if not each.name.startswith("uvicorn")]
    assert [line.partition(" ms")[0].rsplit(" ", 1)[0] for line in lines] == [f"POST {path.decode()} 499 client-gone"]
    assert not [each for each in caplog.records if each.levelno > logging.INFO]


# ---- headers, paths, parameters


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("X-Role", "king", "unknown-role"),
        ("X-Role", "system", "unknown-role"),
        ("X-Role", "x" * 65, "unknown-role"),
        ("X-Channel", "pigeon", "unknown-channel"),
        ("X-Channel", "system", "unknown-channel"),
        ("X-Actor", "", "bad-header"),
        ("X-Actor", "a b", "bad-header"),
        ("X-Actor", "a" * 65, "bad-header"),
        ("X-Actor", "13812345678", "bad-header"),
        ("X-Actor", "433101199001011234", "bad-header"),
        ("X-Correlation-Id", "call-13812345678", "bad-header"),
        ("X-Correlation-Id", "<script>", "bad-header"),
        ("Idempotency-Key", "", "bad-header"),
        ("Idempotency-Key", "k" * 129, "bad-header"),
    ],
)
def test_a_bad_header_is_refused_and_not_repeated(
    client: Client, service: FakeService, header: str, value: str, code: str
) -> None:
    answer = client.post("/api/v1/repairs", fault(), headers={header: value})
    assert problem(answer)["code"] == code
    if len(value) > 7:
        assert value not in answer.text
        assert value not in str(answer.headers)
    assert service.commands == []


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/nowhere", "no-such-path"),
        ("GET", "/static/nowhere.js", "no-such-path"),
        ("GET", "/static/../app.py", "no-such-path"),
        ("POST", "/api/v1/nowhere", "no-such-path"),
        ("GET", "/api/v1/repairs", "method-not-allowed"),
        ("DELETE", "/api/v1/cases", "method-not-allowed"),
        ("GET", "/api/v1/cases/not-an-id", "bad-parameter"),
        ("GET", f"/api/v1/cases/{NOBODY}", "no-such-case"),
        ("GET", "/api/v1/cases?limit=0", "bad-parameter"),
        ("GET", "/api/v1/cases?limit=501", "bad-parameter"),
        ("GET", "/api/v1/cases?kind=meter", "bad-parameter"),
        ("GET", "/api/v1/cases?open=perhaps", "bad-parameter"),
        ("GET", "/api/v1/cases?number=%00", "bad-parameter"),
        ("GET", "/api/v1/breaches?after=x", "bad-cursor"),
        ("GET", "/api/v1/breaches?after=-1", "bad-cursor"),
        ("GET", "/api/v1/breaches?after=9:1", "bad-cursor"),
        ("GET", "/api/v1/breaches/stream?after=x", "bad-cursor"),
        ("GET", "/api/v1/due", "bad-parameter"),
        ("GET", "/api/v1/due?from=2026-02-30", "bad-parameter"),
        ("GET", "/api/v1/due?from=2026-02-13&working_days=0", "bad-parameter"),
        ("GET", "/api/v1/due?from=2026-02-13&working_days=367", "bad-parameter"),
        ("GET", "/api/v1/due?from=2026-02-13&region=CN-Nowhere", "unknown-region"),
        ("GET", "/api/v1/due?from=2014-12-31", "outside-calendar"),
        ("GET", "/api/v1/due?from=2199-01-01", "outside-calendar"),
        ("GET", "/api/v1/due?from=9999-12-31&working_days=366", "outside-calendar"),
    ],
)
def test_a_path_or_parameter_that_does_not_fit_is_refused(client: Client, method: str, path: str, code: str) -> None:
    assert problem(client.request(method, path))["code"] == code


def test_a_wrong_method_names_the_right_one(client: Client) -> None:
    answer = client.get("/api/v1/repairs")
    assert (answer.headers["allow"], answer.json()["needed"]) == ("POST", "POST")


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        *((f"/api/v1/{path}", "GET, POST") for path in ("law", "session", "people", "standards", "calendars")),
        ("/api/v1/mass-incidents", "GET, POST"),
        ("/", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
        ("/static/page.js", "GET, HEAD"),
    ],
)
def test_a_wrong_method_names_every_right_one(client: Client, path: str, methods: str) -> None:
    answer = client.request("DELETE", path)
    assert (answer.status_code, answer.headers["allow"], answer.json()["needed"]) == (405, methods, methods)


def test_another_machine_is_turned_away(service: FakeService) -> None:
    stranger = Client(app_over(service), peer="192.0.2.7")
    assert problem(stranger.get("/api/v1/counts"))["code"] == "not-loopback"
    assert problem(stranger.post("/api/v1/repairs", fault()))["code"] == "not-loopback"
    assert service.commands == []


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8225", "127.0.0.1.evil.example", "192.0.2.7:8225"])
def test_a_foreign_name_for_this_machine_is_turned_away(service: FakeService, host: str) -> None:
    assert problem(Client(app_over(service), host=host).get("/api/v1/labels"))["code"] == "wrong-host"


@pytest.mark.parametrize(
    "host",
    [
        *("[::1]evil", "[::1]evil:8225", "[::1", "[::1]:", "[::1]:x", "[::1]:1:2", "[127.0.0.1].evil.example"),
        *("localhost:evil", "localhost:1:2", "127.0.0.1:8225@evil.example", "evil@127.0.0.1", "127.0.0.1:123456", ""),
    ],
)
def test_a_host_that_two_programs_could_read_differently_is_turned_away(service: FakeService, host: str) -> None:
    asked = Client(app_over(service)).get("/api/v1/labels", headers={"Host": host})
    assert problem(asked)["code"] == "wrong-host"


def test_a_request_with_two_hosts_is_turned_away(service: FakeService) -> None:
    async def ask() -> int:
        transport = httpx.ASGITransport(app_over(service), client=("127.0.0.1", 40_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            hosts = [("Host", "127.0.0.1"), ("Host", "evil.example"), *PROVEN.items()]
            return (await client.get("/static/page.js", headers=hosts)).status_code

    assert asyncio.run(ask()) == 421


def connected(url: str) -> socket.socket:
    """A connection to a server, for requests that no client library sends."""
    peer = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
    peer.settimeout(20)
    return peer


@pytest.mark.parametrize("host", ["localhost:8225", "127.0.0.1", "127.0.0.1:1", "[::1]:8225", "LOCALHOST"])
def test_this_machines_own_names_are_welcome(service: FakeService, host: str) -> None:
    assert Client(app_over(service), host=host).get("/api/v1/labels").status_code == 200


# ---- when something is away, busy or broken


@pytest.mark.parametrize(
    "error",
    [
        StoreUnavailableError("no answer"),
        psycopg.OperationalError("connection refused"),
        psycopg.InterfaceError("closed"),
        InterfaceError("closed"),
    ],
)
def test_a_store_that_is_away_is_503_and_says_when_to_come_back(
    client: Client, service: FakeService, error: Exception
) -> None:
    service.fails = error
    for answer in (
        client.post("/api/v1/repairs", fault()),
        client.get(f"/api/v1/cases/{uuid4()}"),
        client.get("/api/v1/counts") if isinstance(error, psycopg.Error) else client.post("/api/v1/repairs", fault()),
    ):
        assert problem(answer)["code"] == "store-unavailable"
        assert int(answer.headers["retry-after"]) > 0


def test_health_is_503_while_the_store_is_away(client: Client, service: FakeService) -> None:
    service.fails = psycopg.OperationalError("connection refused")
    assert problem(client.get("/healthz"))["code"] == "store-unavailable"
    assert "tongshui_store_up 0.0" in client.get("/metrics").text


def test_a_busy_case_is_a_conflict_to_try_again(client: Client, service: FakeService) -> None:
    service.fails = BusyError("changed 10 times")
    answer = client.post("/api/v1/repairs", fault())
    assert problem(answer)["code"] == "busy"
    assert answer.headers["retry-after"] == "1"


def test_what_nobody_foresaw_is_logged_under_an_incident_without_its_words(
    client: Client, service: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    service.fails = ValueError(f"row ({REPORTER['name']}, {REPORTER['phone']})")
    with caplog.at_level(logging.DEBUG):
        answer = client.post("/api/v1/repairs", fault())
    body = problem(answer)
    assert body["code"] == "internal-error"
    assert body["incident"] in caplog.text
    assert "ValueError" in caplog.text
    assert "api_world.py" in caplog.text
    for text in (caplog.text, answer.text):
        assert REPORTER["name"] not in text
        assert REPORTER["phone"] not in text


# ---- nobody is named


def test_no_answer_and_no_log_line_repeats_a_persons_particulars(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "13987654321"
    bodies: list[tuple[str, Any]] = [
        ("/api/v1/repairs", fault(reporter={"phone": f"{secret} or {secret}"}, kind=secret)),
        ("/api/v1/repairs", fault(reporter={"phone": secret, "name": f"\x07{secret}" * 100})),
        ("/api/v1/repairs", fault(reporter={"phone": secret, secret: True})),
        ("/api/v1/repairs", fault(kind=secret)),
        ("/api/v1/repairs", fault(kind=f"k{secret}")),
        ("/api/v1/repairs", fault(reporter=secret)),
        ("/api/v1/connections", application(applicant={"name": secret, "phone": "x", "address": secret})),
        ("/api/v1/connections", application(supply_points=secret)),
        (f"/api/v1/repairs/{secret}/dispatch", {"crew": secret}),
    ]
    with caplog.at_level(logging.DEBUG):
        answers = [client.post(path, body) for path, body in bodies]
        answers.append(client.get(f"/{secret}?phone={secret}"))
        answers.append(client.raw("/api/v1/repairs", f'{{"phone": {secret}'.encode()))
    for answer in answers:
        assert 400 <= answer.status_code < 500
        assert secret not in answer.text
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "asyncio"))]
    assert not [line for line in ours if secret in line]


# ---- every refusal


EVERY = refusals()


def names_used() -> set[str]:
    """Every name that the product's code speaks of outside of imports and definitions."""
    files = (
        path for folder in ("domain", "infra", "projections", "api", "app") for path in (ROOT / folder).rglob("*.py")
    )
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    return {node.id for node in nodes if isinstance(node, ast.Name)}


def test_every_refusal_is_raised_somewhere() -> None:
    assert {"no-such-case", "meter-already-in-service", "unknown-district", "bad-cursor"} <= EVERY.keys()
    unused = {cls.__name__ for cls in EVERY.values()} - names_used()
    assert not unused, f"nobody raises {unused}: take them out"


def test_a_published_code_and_its_status_stay() -> None:
    frozen = json.loads((Path(__file__).parent / "frozen_codes.json").read_text(encoding="utf-8"))
    found = {code: cls.status for code, cls in EVERY.items()}
    assert {code: found.get(code) for code in frozen} == frozen


@pytest.mark.parametrize("cls", EVERY.values(), ids=EVERY)
def test_every_refusal_is_said_in_both_languages(cls: type[Refusal]) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", cls.code)
    assert re.fullmatch(r"[A-Z][ -~]*[^.]", cls.title)
    assert re.search("[一-鿿]", cls.title_zh)
    assert cls.title_zh != Refusal.title_zh
    assert not cls.next_step_zh or re.search("[一-鿿]", cls.next_step_zh)
    assert cls.status in {400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 415, 421, 422, 429, 500, 503}


def test_two_classes_of_one_code_are_found() -> None:
    with pytest.raises(TypeError, match="Again: the code bad-cursor is that of BadCursor"):
        type("Again", (Refusal,), {"__doc__": "Again.", "code": "bad-cursor"})


def test_a_refusal_is_kept_and_restored(client: Client, service: FakeService) -> None:
    service.fails = restored("brand-new", "a", "b", "c", "丁")
    answer = client.post("/api/v1/repairs", fault())
    assert (answer.status_code, answer.json()["code"]) == (409, "brand-new")
