"""The published description of the API: complete, readable without us, and what the answers really look like."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from api.http.document import operations
from api.http.identity import COOKIE, CSRF_HEADER, SIGN_IN
from api.http.powers import NONE, POWER
from domain.kinds import POWERS
from tests.api_world import DISPATCHER, METER, Client, FakeService, app_over, application, fault, ready_for_water

OPERATION_IDS = Path(__file__).parent / "frozen" / "operation_ids.json"
ERRORS = ("400", "401", "403", "404", "408", "409", "412", "413", "415", "422", "429", "503")
"""What every command may be refused with."""
COMMANDS = {
    "/api/v1/repairs": 201,
    "/api/v1/repairs/{case_id}/reports": 200,
    "/api/v1/repairs/{case_id}/dispatch": 200,
    "/api/v1/repairs/{case_id}/decline": 200,
    "/api/v1/repairs/{case_id}/delay": 200,
    "/api/v1/repairs/{case_id}/acknowledgement": 200,
    "/api/v1/repairs/{case_id}/arrival": 200,
    "/api/v1/repairs/{case_id}/arrival/evidence": 200,
    "/api/v1/repairs/{case_id}/assessment": 200,
    "/api/v1/repairs/{case_id}/reassessment": 200,
    "/api/v1/repairs/{case_id}/work-logs": 200,
    "/api/v1/repairs/{case_id}/hand-overs": 200,
    "/api/v1/repairs/{case_id}/user-side": 200,
    "/api/v1/repairs/{case_id}/paid-service/consent": 200,
    "/api/v1/repairs/{case_id}/paid-service": 200,
    "/api/v1/repairs/{case_id}/reports/{report}/unlinking": 201,
    "/api/v1/repairs/{case_id}/merging": 200,
    "/api/v1/repairs/{case_id}/reports/{report}/apology": 200,
    "/api/v1/repairs/{case_id}/reports/{report}/answer": 200,
    "/api/v1/repairs/{case_id}/reports/{report}/answer/order": 200,
    "/api/v1/orders/{source}/{number}/reply": 200,
    "/api/v1/orders/{source}/{number}/extension": 200,
    "/api/v1/repairs/{case_id}/completion": 200,
    "/api/v1/repairs/{case_id}/restoration": 200,
    "/api/v1/repairs/{case_id}/closure": 200,
    "/api/v1/repairs/{case_id}/dismissal": 200,
    "/api/v1/repairs/{case_id}/rejections": 200,
    "/api/v1/repairs/{case_id}/pipe": 200,
    "/api/v1/repairs/{case_id}/corrections": 200,
    "/api/v1/connections": 201,
    **{
        f"/api/v1/connections/{{case_id}}/{step}": 200
        for step in (
            "owner",
            "appearances",
            "withdrawal",
            "refusal",
            "documents",
            "documents/{document}/rejection",
            "notice",
            "further-requests",
            "papers-commitment",
            "papers-commitment/refusal",
            "papers-commitment/repair",
            "admission",
            "resumption",
            "survey",
            "design",
            "on-site-approval",
            "construction/start",
            "construction/completion",
            "inspection",
            "supply-points/{point}/meter",
            "supply-points/{point}/water-on",
            "quotes",
            "charges",
            "contract",
            "payments",
            "payments/{number}/reversal",
            "refunds",
            "refunds/{number}/reversal",
            "visits",
            "visits/{visit}/reassignment",
            "visits/{visit}/made",
            "visits/{visit}/cancellation",
            "deliverables",
            "deliverables/receipt",
            "pauses",
            "pauses/{pause}/approval",
            "pauses/{pause}/decline",
            "pauses/{pause}/end",
            "pauses/{pause}/revocation",
        )
    },
    "/api/v1/repairs/bulk": 200,
    "/api/v1/outages/planned": 201,
    "/api/v1/outages/emergency": 201,
    "/api/v1/outages/unannounced": 201,
    "/api/v1/outages/{case_id}/water-off": 200,
    "/api/v1/outages/{case_id}/new-times": 200,
    "/api/v1/outages/{case_id}/fire-service": 200,
    "/api/v1/outages/{case_id}/start": 200,
    "/api/v1/outages/{case_id}/cancellation": 200,
    "/api/v1/outages/{case_id}/notices": 200,
    "/api/v1/outages/{case_id}/notices/order": 200,
    "/api/v1/outages/{case_id}/notices/proof": 200,
    "/api/v1/outages/{case_id}/report": 200,
    "/api/v1/outages/{case_id}/extension": 200,
    "/api/v1/outages/{case_id}/water": 200,
    "/api/v1/outages/{case_id}/restoration": 200,
    "/api/v1/mass-incidents": 201,
    "/api/v1/mass-incidents/{code}/end": 200,
    "/api/v1/crews": 201,
    "/api/v1/crews/{crew}/shift/start": 200,
    "/api/v1/crews/{crew}/shift/end": 200,
    "/api/v1/crews/{crew}/position": 200,
    "/api/v1/squads": 201,
    "/api/v1/consultations": 201,
    "/api/v1/preservices": 201,
    "/api/v1/preservices/{case_id}/given": 200,
    "/api/v1/works": 201,
    "/api/v1/works/{case_id}/start": 200,
    "/api/v1/works/{case_id}/completion": 200,
    "/api/v1/standards": 201,
    "/api/v1/standards/{version}/approval": 200,
    "/api/v1/fees/catalogues": 201,
    "/api/v1/fees/catalogues/{version}/review": 200,
    "/api/v1/fees/catalogues/{version}/publication": 200,
    "/api/v1/readings": 202,
    "/api/v1/connections/{case_id}/supply-points/{point}/meter-replacement": 200,
    "/api/v1/connections/{case_id}/supply-points/{point}/meter-verification": 200,
    "/api/v1/connections/{case_id}/supply-points/{point}/class": 200,
    "/api/v1/connections/{case_id}/supply-points/{point}/customer": 200,
    "/api/v1/connections/{case_id}/supply-points/{point}/customer/name": 200,
    **{
        f"/api/v1/usage/{{case_id}}/{step}": 200
        for step in (
            "confirmation",
            "dismissal",
            "notification",
            "leak-help/offer",
            "leak-help/start",
            "leak-help/finish",
            "outcome",
        )
    },
    "/api/v1/reading-books": 201,
    "/api/v1/reading-books/{case_id}/audit": 200,
    "/api/v1/reading-books/{case_id}/exceptions": 200,
    "/api/v1/calendars": 201,
    "/api/v1/calendars/dry-run": 200,
    "/api/v1/law": 201,
    "/api/v1/law/dry-run": 200,
    "/api/v1/follow/{code}/documents": 200,
    "/api/v1/follow/{code}/withdrawal": 200,
    "/api/v1/follow/{code}/deliverables/receipt": 200,
}
SESSIONS = (
    "/api/v1/session",
    "/api/v1/session/demo",
    "/api/v1/session/role",
    "/api/v1/session/end",
    "/api/v1/session/password",
    "/api/v1/session/second-factor",
    "/api/v1/session/second-factor/confirmation",
    "/api/v1/session/oidc",
    "/api/v1/session/oidc/callback",
    "/api/v1/token",
    "/api/v1/people",
    "/api/v1/people/{person_id}/work",
    "/api/v1/people/{person_id}/departure",
    "/api/v1/people/{person_id}/secret",
    "/api/v1/my/code",
    "/api/v1/my/session",
    "/api/v1/cases/{case_id}/follow",
    "/api/v1/my/cases/{case_number}/follow",
    "/api/v1/follow/{code}/revocation",
)
"""About who asks; they change accounts, and no case."""
PERSONS = (
    "/api/v1/cases/{case_id}/particulars",
    "/api/v1/subjects/search",
    "/api/v1/subjects/search/address",
    "/api/v1/standards/what-if",
    "/api/v1/subjects/{subject_id}/erasure",
)
"""About persons in the vault; they change no case."""
APPROVALS = (
    "/api/v1/approvals",
    "/api/v1/approvals/count",
    "/api/v1/approvals/{approval_id}",
    "/api/v1/approvals/{approval_id}/giving",
    "/api/v1/approvals/{approval_id}/decline",
    "/api/v1/approvals/{approval_id}/withdrawal",
)
"""About a second person; they change no case but by the command that is approved."""
EVIDENCE = (
    "/api/v1/evidence",
    "/api/v1/evidence/{digest}",
    "/api/v1/evidence/uploads/{upload_id}",
    "/api/v1/evidence/uploads/{upload_id}/completion",
    "/api/v1/follow/{code}/files",
    "/api/v1/cases/{case_id}/papers",
    "/api/v1/cases/{case_id}/papers/{kind}.pdf",
)
"""About files and papers; they change no case."""
RIGHTS = (
    "/api/v1/my/rights",
    "/api/v1/my/rights/{request_id}/copy",
    "/api/v1/rights",
    "/api/v1/rights/{request_id}/grant",
    "/api/v1/rights/{request_id}/refusal",
    "/api/v1/rights/{request_id}/copy",
    "/api/v1/rights/{request_id}/correction",
    "/api/v1/rights/{request_id}/done",
    "/api/v1/rights/subjects/{subject_id}/lifting",
)
"""About what is kept of a person; they change no case."""
COMPLAINTS = (
    "/api/v1/my/complaints",
    "/api/v1/my/complaints/{complaint_id}/escalation",
    "/api/v1/my/complaints/{complaint_id}/withdrawal",
    "/api/v1/my/satisfaction",
    "/api/v1/follow/{code}/complaints",
    "/api/v1/follow/{code}/complaints/{complaint_id}/escalation",
    "/api/v1/follow/{code}/complaints/{complaint_id}/withdrawal",
    "/api/v1/follow/{code}/satisfaction",
    "/api/v1/complaints",
    "/api/v1/complaints/{complaint_id}/answer",
    "/api/v1/complaints/{complaint_id}/particulars",
    "/api/v1/complaints/{complaint_id}/escalation",
    "/api/v1/complaints/{complaint_id}/withdrawal",
)
"""About complaints and satisfaction; they change no verdict of a case."""
QUERIES = (
    "/api/v1/readings/anomalies",
    "/api/v1/readings/set-aside",
    "/api/v1/outages",
    "/api/v1/notices",
    "/api/v1/usage",
    "/api/v1/reading-books",
    "/api/v1/reading-books/{case_id}",
    "/api/v1/outages/{case_id}",
    "/api/v1/mass-incidents",
    "/api/v1/orders/{source}/{number}",
    "/api/v1/dispatch",
    "/api/v1/repairs/{case_id}",
    "/api/v1/crews",
    "/api/v1/crews/suggestions",
    "/api/v1/repairs/suggestions",
    "/api/v1/standards",
    "/api/v1/fees",
    "/api/v1/calendars",
    "/api/v1/law",
    "/api/v1/meters/verification",
    "/api/v1/cases",
    "/api/v1/cases/{case_id}",
    "/api/v1/cases/{case_id}/particulars",
    "/api/v1/cases/{case_id}/windows/{commitment}",
    "/api/v1/cases/{case_id}/windows/{commitment}/acknowledgement",
    "/api/v1/alerts",
    "/api/v1/connections/{case_id}",
    "/api/v1/windows",
    "/api/v1/counts",
    "/api/v1/figures",
    "/api/v1/indicators",
    "/api/v1/charges",
    "/api/v1/disclosure",
    "/api/v1/desk",
    "/api/v1/visits",
    "/api/v1/breaches",
    "/api/v1/breaches/stream",
    "/api/v1/follow/{code}",
    "/api/v1/follow/{code}/papers",
    "/api/v1/follow/{code}/qr",
    "/api/v1/follow/{code}/papers/{kind}.pdf",
    "/api/v1/my/cases",
    "/api/v1/my/rights",
    "/api/v1/rights",
    "/api/v1/rights/{request_id}",
    "/api/v1/my/complaints",
    "/api/v1/my/complaints/{complaint_id}",
    "/api/v1/follow/{code}/complaints",
    "/api/v1/complaints",
    "/api/v1/complaints/{complaint_id}",
    "/api/v1/figures/satisfaction",
    "/api/v1/contract",
    "/api/v1/contract/asyncapi.json",
    "/api/v1/contract/readers-rule.json",
    "/api/v1/contract/editions.json",
    "/api/v1/contract/plain.json",
    "/api/v1/contract/schemas/{type_name}",
    "/api/v1/due",
    "/api/v1/labels",
    "/api/v1/demo",
    "/healthz",
    "/metrics",
)


@pytest.fixture(scope="module")
def client() -> Client:
    return Client(app_over(FakeService()))


@pytest.fixture(scope="module")
def document(client: Client) -> dict[str, Any]:
    described: dict[str, Any] = client.get("/openapi.json").json()
    return described


def schema(document: dict[str, Any], name: str) -> dict[str, Any]:
    """A named schema with everything that it refers to."""
    return {"$ref": f"#/components/schemas/{name}", "components": document["components"]}


def answered_with(document: dict[str, Any], path: str, method: str, status: int) -> dict[str, Any]:
    """The schema of an operation's answer."""
    content = document["paths"][path][method]["responses"][str(status)]["content"]
    described: dict[str, Any] = {**content["application/json"]["schema"], "components": document["components"]}
    return described


def fits(value: object, described: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(described, format_checker=jsonschema.FormatChecker()).validate(value)


def test_every_path_is_described_and_no_other(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {
        *COMMANDS,
        *QUERIES,
        *SESSIONS,
        *PERSONS,
        *APPROVALS,
        *EVIDENCE,
        *RIGHTS,
        *COMPLAINTS,
    }
    every = [operation for _, _, operation in operations(document)]
    assert len({each["operationId"] for each in every}) == len(every)
    assert all(each["summary"] for each in every)


def test_the_document_says_where_the_service_is_and_what_each_group_of_routes_is_about(
    document: dict[str, Any],
) -> None:
    assert [each["url"] for each in document["servers"]] == ["/"]
    used = {tag for _, _, operation in operations(document) for tag in operation["tags"]}
    described = {each["name"]: each["description"] for each in document["tags"]}
    assert set(described) == used, "enter the group in api/http/document.py: TAGS"
    assert all(re.search("[A-Za-z]", text) and re.search("[一-鿿]", text) for text in described.values())


def test_every_operation_says_how_its_caller_proves_who_asks(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert schemes["clientCredentials"]["flows"]["clientCredentials"]["tokenUrl"] in document["paths"]
    assert (schemes["cookie"]["name"], schemes["csrf"]["name"]) == (COOKIE, CSRF_HEADER)
    for path, method, operation in operations(document):
        ways = operation["security"]
        assert {name for way in ways for name in way} <= set(schemes), path
        # What a browser sends by itself is never enough for a change.
        assert method == "GET" or all("csrf" in way for way in ways if "cookie" in way), path
        assert ways or path in SIGN_IN, path
    by_nobody = {(method, path) for path, method, operation in operations(document) if {} in operation["security"]}
    assert ("POST", "/api/v1/repairs") in by_nobody
    assert ("POST", "/api/v1/repairs/{case_id}/dispatch") not in by_nobody
    assert ("GET", "/api/v1/cases/{case_id}") not in by_nobody


def test_an_operation_keeps_the_name_under_which_it_was_published(document: dict[str, Any]) -> None:
    found = {f"{method} {path}": operation["operationId"] for path, method, operation in operations(document)}
    frozen = json.loads(OPERATION_IDS.read_text(encoding="utf-8"))
    assert {operation: found.get(operation) for operation in frozen} == frozen
    assert all(re.fullmatch("[a-z]+(_[a-z]+){1,5}", name) for name in found.values()), "short, of words"


def test_a_generator_of_clients_finds_no_two_classes_of_one_name(document: dict[str, Any]) -> None:
    """It makes names of classes from titles, and from a schema's name and a field's; capitals and underscores aside."""

    def titles(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["title"]] if isinstance(value.get("title"), str) else []
            return own + [title for each in value.values() for title in titles(each)]
        return [title for each in value for title in titles(each)] if isinstance(value, list) else []

    schemas = document["components"]["schemas"]
    named = [re.sub("[^a-z0-9]", "", title.lower()) for title in titles(schemas)]
    assert [title for title, times in Counter(named).items() if times > 1] == []
    fields = [f"{name}{field}" for name, each in schemas.items() for field in each.get("properties", {})]
    assert not {re.sub("[^a-z0-9]", "", field.lower()) for field in fields} & set(named)


@pytest.mark.parametrize(("path", "status"), COMMANDS.items())
def test_every_command_describes_body_headers_answer_and_errors(
    document: dict[str, Any], path: str, status: int
) -> None:
    operation = document["paths"][path]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
    form = document["components"]["schemas"][body]
    assert operation["requestBody"]["required"] is bool(form.get("required"))
    assert form["additionalProperties"] is False
    headers = {each["name"] for each in operation["parameters"] if each["in"] == "header"}
    who = {"X-Actor", "X-Role", "X-Channel", "X-Confirmed-By", "X-Confirmed-Role"}
    assert headers == {*who, "X-Correlation-Id", "Idempotency-Key", "If-Match"}
    assert set(operation["responses"]) == {str(status), *ERRORS}
    for code, answer in operation["responses"].items():
        if not code.startswith("2"):
            described = answer["content"]["application/problem+json"]["schema"]
            assert described == {"$ref": "#/components/schemas/Problem"}


def test_every_property_says_what_it_means(document: dict[str, Any]) -> None:
    silent = [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, described in schema.get("properties", {}).items()
        if not described.get("description", "").strip()
    ]
    assert silent == [], "say what each of these means: Annotated[…, Field(description=…)], or api/http/described.py"


def test_every_parameter_says_what_it_means(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for each in operation.get("parameters", ()):
                assert each.get("description", "").strip(), f"{method} {path}: {each['name']}"


def test_every_command_says_which_power_it_needs_or_that_it_needs_none(document: dict[str, Any]) -> None:
    for path in COMMANDS:
        operation = document["paths"][path]["post"]
        assert POWER in operation, f"{path}: say openapi_extra=needs(…) of the route"
        assert operation[POWER] in {NONE, *POWERS}
        said = "Needs no power." if operation[POWER] == NONE else f"Needs the power `{operation[POWER]}`."
        assert said in operation["description"]


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    jsonschema.Draft202012Validator.check_schema({"$defs": schemas})

    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [ref for each in value.values() for ref in references(each)]
        return [ref for each in value for ref in references(each)] if isinstance(value, list) else []

    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas, reference


def test_examples_fit_their_own_schemas(document: dict[str, Any]) -> None:
    for name, body in (("FaultReport", fault()), ("Application", application()), ("WaterOn", {"meter": METER})):
        fits(body, schema(document, name))
    with pytest.raises(jsonschema.ValidationError):
        fits(fault(colour="blue"), schema(document, "FaultReport"))
    with pytest.raises(jsonschema.ValidationError):
        fits({"meter": METER | {"initial_reading_m3": 0}}, schema(document, "WaterOn"))


def test_answers_are_what_is_described(client: Client, document: dict[str, Any]) -> None:
    accepted = client.post("/api/v1/repairs", fault()).json()
    fits(accepted, answered_with(document, "/api/v1/repairs", "post", 201))
    case_id = accepted["case_id"]
    dispatched = client.post(f"/api/v1/repairs/{case_id}/dispatch", {"crew": "crew-1"}, headers=DISPATCHER).json()
    fits(dispatched, answered_with(document, "/api/v1/repairs/{case_id}/dispatch", "post", 200))
    received = ready_for_water(client)
    outlook = client.get(f"/api/v1/connections/{received}").json()
    fits(outlook, answered_with(document, "/api/v1/connections/{case_id}", "get", 200))
    for each in (case_id, received):
        shown = client.get(f"/api/v1/cases/{each}").json()
        fits(shown, answered_with(document, "/api/v1/cases/{case_id}", "get", 200))
        for window in shown["windows"]:
            explained = client.get(f"/api/v1/cases/{each}/windows/{window['commitment']}").json()
            fits(explained, answered_with(document, "/api/v1/cases/{case_id}/windows/{commitment}", "get", 200))
    for path in ("cases", "windows", "counts", "breaches", "labels", "demo", "standards", "fees", "calendars"):
        fits(client.get(f"/api/v1/{path}").json(), answered_with(document, f"/api/v1/{path}", "get", 200))
    due = client.get("/api/v1/due?from=2026-02-13").json()
    fits(due, answered_with(document, "/api/v1/due", "get", 200))


def test_errors_are_what_is_described(client: Client, document: dict[str, Any]) -> None:
    for answer in (
        client.get("/nowhere"),
        client.raw("/api/v1/repairs", b"{"),
        client.post("/api/v1/repairs", fault(colour="blue")),
        client.post("/api/v1/repairs", fault(), headers={"X-Role": "king"}),
        client.get("/api/v1/cases?limit=0"),
    ):
        fits(answer.json(), schema(document, "Problem"))


@pytest.mark.parametrize(
    ("path", "asked", "headers"),
    [
        ("/healthz", "/healthz", {"X-Role": "king"}),
        ("/metrics", "/metrics", {"X-Role": "king"}),
        ("/api/v1/contract/schemas/{type_name}", "/api/v1/contract/schemas/nothing", {}),
        ("/api/v1/contract", "/api/v1/contract", {"X-Role": "king"}),
    ],
)
def test_a_query_describes_the_status_that_it_is_refused_with(
    client: Client, document: dict[str, Any], path: str, asked: str, headers: dict[str, str]
) -> None:
    answer = client.get(asked, headers=headers)
    assert answer.status_code >= 400
    assert str(answer.status_code) in document["paths"][path]["get"]["responses"]


def test_the_framework_s_own_error_form_is_not_described(document: dict[str, Any]) -> None:
    assert not {"HTTPValidationError", "ValidationError"} & set(document["components"]["schemas"])
