"""The served API does what its document says: for whatever the document allows it answers what the document names.

Schemathesis makes the requests of the document, Hypothesis chooses among them; PostgreSQL is real.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from infra.eventstore.service import Service
from tests.api_world import Client, app_of, application, fault, served, staff

EXAMPLES = 6
"""Requests for each operation and role."""
NOT_ASKED = {"/api/v1/breaches/stream": "does not end"}
WHO = {"authorization", "cookie", "x-csrf-token", "x-proxy-secret", "x-actor", "x-role", "x-channel"}
NEEDS_KAFKA = {"/api/v1/readings"}
"""Answers 503 here, where there is no Kafka."""


@pytest.fixture
def cases(service: Service) -> list[str]:
    """Cases that there are: most of what can be asked is about one."""
    client = Client(app_of(service))
    reported = client.post("/api/v1/repairs", fault())
    applied = client.post("/api/v1/connections", application(), headers=staff("counter", channel="counter"))
    return [str(each.json()["case_id"]) for each in (reported, applied)]


class Asker:
    """Sends requests to a served application in one role, and keeps what the document does not name."""

    def __init__(self, client: httpx.Client, document: dict[str, Any], role: str, cases: list[str]) -> None:
        self._client, self._document = client, document
        self._role, self._cases = role, [*cases, str(UUID(int=404))]
        self.asked = 0
        self.wrong: dict[tuple[str, str, int], str] = {}

    def ask(self, operation: Any) -> None:
        """Some requests of the operation, in an order that is the same in each run."""

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(), case_id=st.sampled_from(self._cases))
        def each(case: Any, case_id: str) -> None:
            if "case_id" in (case.path_parameters or {}):
                case.path_parameters["case_id"] = case_id
            self._send(case)

        each()

    def _send(self, case: Any) -> None:
        method, path = case.operation.method, case.operation.path
        made = case.as_transport_kwargs(base_url=str(self._client.base_url))
        body = {name: made[name] for name in ("json", "data", "content", "params") if made.get(name) is not None}
        if isinstance(body.get("data"), bytes | str):  # a body that is no form
            body["content"] = body.pop("data")
        # Who asks is said once, by us: not by one of the other ways that the document names.
        headers = httpx.Headers([each for each in (made.get("headers") or {}).items() if each[0].lower() not in WHO])
        headers.update(staff(self._role))
        answer = self._client.request(made["method"], made["url"], headers=headers, **body)
        self.asked += 1
        status = answer.status_code
        away = status == 503 and path in NEEDS_KAFKA
        if str(status) not in self._document["paths"][path][method]["responses"] or (status >= 500 and not away):
            self.wrong[method, path, status] = f"{made.get('params')} {body} {answer.text}"[:900]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("role", ["public", "dispatcher", "manager", "auditor"])
def test_every_answer_is_one_that_the_document_names(service: Service, cases: list[str], role: str) -> None:
    app = app_of(service)
    document = app.openapi()
    with served(app) as url, httpx.Client(base_url=url, timeout=30) as client:
        asker = Asker(client, document, role, cases)
        for found in schemathesis.openapi.from_dict(document).get_all_operations():
            operation = found.ok()  # type: ignore[union-attr]
            assert operation is not None, found
            if operation.path not in NOT_ASKED:
                asker.ask(operation)
    assert asker.asked > 500
    assert not asker.wrong, "\n".join(f"{' '.join(map(str, key))}: {said}" for key, said in asker.wrong.items())
