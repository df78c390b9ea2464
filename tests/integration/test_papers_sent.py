"""Papers are sent to the applicant over a real PostgreSQL and a real gateway: a link each, once, with its proof."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from domain import kinds
from domain.evidence import sending
from domain.kernel.messages import digest_of
from infra.clock import ManualClock
from infra.eventstore.commands import Stream
from infra.eventstore.service import Service, open_service
from infra.identity.follow import APPLICATION, FollowLinks
from infra.outbox import desk
from infra.outbox.sender import Sender, ways_of
from infra.settings import Settings
from tests.api_world import APPLICANT, DIGEST, PAPERS, STEPS_TO_WATER, app_of, application, served, staff, wait_for
from tests.integration.test_vault import dump
from tests.outside import SECRET, GatewayServer

PUBLIC = "https://water.example.org"
LINK = re.compile(rf"{re.escape(PUBLIC)}(/follow/[\w-]{{32}}|/my)$")

NOTICE = {"items": [{"document": each, "defect": "missing"} for each in ("identity", "property-right")]}
PEOPLE = ("433101199001011234", "433101199001011315", "433101199001011323")


@pytest.fixture
def settings(store_settings: Settings, gateway: GatewayServer) -> Settings:
    given = {
        "gateway_url": gateway.url,
        "gateway_secret": SECRET,
        "gateway_timeout_s": 2,
        "public_url": PUBLIC,
        "outbox_pause_s": 0.01,
    }
    return store_settings.model_copy(update=given)


@pytest.fixture
def service(settings: Settings, clock: ManualClock) -> Iterator[Service]:
    opened = open_service(settings, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def sender(service: Service) -> Sender:
    return Sender(service, ways_of(service.settings), random.Random(225))


@pytest.fixture
def office(service: Service) -> Iterator[httpx.Client]:
    with served(app_of(service)) as url, httpx.Client(base_url=f"{url}/api/v1", timeout=20) as client:
        yield client


def applied(office: httpx.Client, **more: Any) -> str:
    answer = office.post("/connections", json=application(**more), headers=staff("counter", channel="counter"))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["case_id"])


def step(office: httpx.Client, case_id: str, path: str, body: dict[str, Any], role: str) -> None:
    answer = office.post(f"/connections/{case_id}/{path}", json=body, headers=staff(role))
    assert answer.status_code == 200, answer.text


def rows(service: Service) -> list[dict[str, Any]]:
    with service.connection() as connection:
        found = connection.execute("SELECT to_jsonb(m) AS row FROM outbox.messages m ORDER BY created_at").fetchall()
    return [each["row"] for each in found]


def states(service: Service) -> set[str]:
    return {row["state"] for row in rows(service) if row["kind"] == sending.KIND}


def told(service: Service, case_id: str) -> list[tuple[str, dict[str, Any]]]:
    """What is on record of papers that were sent, or were not."""
    _, events = service.load(Stream(kinds.CONNECTION, UUID(case_id)))
    named = [(event["type"].split(".")[2], event["data"]) for event in events]
    return [(name, data) for name, data in named if name in ("PaperSent", "PaperNotSent")]


def papers(office: httpx.Client, case_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = office.get(f"/cases/{case_id}/papers", headers=staff("auditor")).json()["papers"]
    return found


def letters(gateway: GatewayServer) -> list[dict[str, Any]]:
    return [json.loads(body) for _, body in gateway.received]


def test_the_applicant_is_sent_the_link_to_a_notice_and_the_case_has_the_proof(
    office: httpx.Client, service: Service, sender: Sender, gateway: GatewayServer
) -> None:
    case_id = applied(office)
    step(office, case_id, "notice", NOTICE, "counter")
    (waiting,) = rows(service)
    assert "{link}" in waiting["text"]
    assert sender.work() == 1
    (letter,) = letters(gateway)
    assert letter["to"] == {"phone": APPLICANT["phone"]}
    link = LINK.search(letter["text"])
    assert link, letter["text"]
    assert letter["digest"] == digest_of(letter["text"].encode())
    (paper,) = papers(office, case_id)
    ((name, data),) = told(service, case_id)
    assert (name, data) == (
        "PaperSent",
        {
            "paper": "one-time-notice",
            "number": 1,
            "event_id": waiting["id"],
            "digest": paper["digest"],
            "way": "sms",
            "receipt": "r-1",
            "status": "delivered",
            "proof_digest": digest_of(b'{"receipt": "r-1", "status": "delivered"}'),
        },
    )
    assert (paper["sent_by"], paper["not_sent"]) == ("sms", None)
    # The holder of the link reads it, masked, and sees that and when it was sent.
    code = link[1].removeprefix("/follow/")
    (issued,) = office.get(f"/follow/{code}").json()["papers"]
    assert (issued["kind"], issued["sent_by"], issued["sent_at"]) == ("one-time-notice", "sms", paper["sent_at"])
    pdf = office.get(f"/follow/{code}/papers/one-time-notice.pdf")
    assert pdf.status_code == 200, pdf.text
    assert pdf.content.startswith(b"%PDF")
    refused = office.get(f"/follow/{code}/papers/refusal.pdf")
    assert (refused.status_code, refused.json()["code"]) == (404, "no-such-paper")
    kept = dump(service)
    assert code not in kept, "the link opens the case: it is kept nowhere"
    assert APPLICANT["phone"] not in kept
    assert sender.work() == 0


def test_every_paper_of_an_application_is_sent_once_at_its_fact(
    office: httpx.Client, service: Service, sender: Sender, gateway: GatewayServer
) -> None:
    case_id = applied(office, documents=PAPERS)
    for path, body, role in STEPS_TO_WATER:
        step(office, case_id, path, body, role)
    refused = applied(office, applicant=APPLICANT | {"id_number": "433101199001011315"}, documents=PAPERS)
    step(office, refused, "refusal", {"reason": "arrears", "document_digest": DIGEST}, "manager")
    while sender.work():
        pass
    made = {each["event_id"]: (each["kind"], each["digest"]) for each in papers(office, case_id)}
    assert [kind for kind, _ in made.values()] == ["acceptance", "quote", "contract"]
    # They go out side by side, in whatever order.
    sent = {data["event_id"]: (data["paper"], data["digest"]) for _, data in told(service, case_id)}
    assert sent == made
    assert len(told(service, case_id)) == 3
    assert "refusal" in [data["paper"] for _, data in told(service, refused)]
    assert all(LINK.search(letter["text"]) for letter in letters(gateway))


def test_an_admission_by_silence_is_sent_too_though_nobody_said_it(
    office: httpx.Client, service: Service, clock: ManualClock
) -> None:
    case_id = applied(office)
    clock.move(timedelta(days=14))
    service.evaluator("watch").evaluate([UUID(case_id)])
    (row,) = rows(service)
    assert (row["state"], "已受理" in row["text"]) == ("waiting", True)
    service.evaluator("watch").evaluate([UUID(case_id)])
    assert len(rows(service)) == 1


def test_a_paper_that_cannot_be_sent_is_told_in_the_case_and_may_be_tried_again(
    office: httpx.Client, service: Service, sender: Sender, gateway: GatewayServer
) -> None:
    gateway.answers = [(422, b"{}")]
    case_id = applied(office, documents=PAPERS)
    step(office, case_id, "refusal", {"reason": "arrears", "document_digest": DIGEST}, "manager")
    while sender.work():
        pass
    first = told(service, case_id)
    failed = [data for name, data in first if name == "PaperNotSent"]
    assert [data["reason"] for data in failed] == ["gateway-http-422"]
    assert [each["not_sent"] for each in papers(office, case_id)].count("gateway-http-422") == 1
    with service.connection() as connection:
        assert desk.retry(connection, None) == 1
    while sender.work():
        pass
    assert [name for name, data in told(service, case_id) if data["event_id"] == failed[0]["event_id"]] == [
        "PaperNotSent",
        "PaperSent",
    ]
    assert all(each["sent_at"] and not each["not_sent"] for each in papers(office, case_id))


def test_whoever_revoked_their_link_is_led_to_the_page_that_their_telephone_opens(
    office: httpx.Client, service: Service, sender: Sender, gateway: GatewayServer
) -> None:
    case_id = applied(office)
    links = FollowLinks(service)
    code = links.give(UUID(case_id), APPLICATION)
    links.revoke(code)
    step(office, case_id, "notice", NOTICE, "counter")
    assert sender.work() == 1
    (letter,) = letters(gateway)
    assert letter["text"].endswith(f"{PUBLIC}/my")
    assert office.get(f"/follow/{code}").status_code == 404


def test_an_installation_that_can_send_nothing_puts_nothing_into_the_outbox(
    store_settings: Settings, clock: ManualClock, gateway: GatewayServer
) -> None:
    without_host = {"gateway_url": gateway.url, "gateway_secret": SECRET}
    opened = open_service(store_settings.model_copy(update=without_host), clock=clock)
    try:
        with served(app_of(opened)) as url, httpx.Client(base_url=f"{url}/api/v1", timeout=20) as office:
            case_id = applied(office)
            step(office, case_id, "notice", NOTICE, "counter")
            assert rows(opened) == []
            (paper,) = papers(office, case_id)
            assert (paper["sent_at"], paper["not_sent"]) == (None, None)
    finally:
        opened.close()


def test_a_sender_killed_between_making_and_sending_sends_each_paper_once_for_the_case(
    office: httpx.Client, service: Service, gateway: GatewayServer
) -> None:
    """Real processes and kill -9: the gateway has the messages and has not answered yet."""
    settings = service.settings
    environment = os.environ | {
        "TONGSHUI_DATABASE_URL": settings.database_url,
        "TONGSHUI_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "TONGSHUI_DATA_DIR": str(settings.data_dir),
        "TONGSHUI_GATEWAY_URL": settings.gateway_url,
        "TONGSHUI_GATEWAY_SECRET": settings.gateway_secret,
        "TONGSHUI_PUBLIC_URL": PUBLIC,
        "TONGSHUI_GATEWAY_TIMEOUT_S": "0.5",
    }
    gateway.open.clear()
    cases = [applied(office, applicant=APPLICANT | {"id_number": each}) for each in PEOPLE]
    for case_id in cases:
        step(office, case_id, "notice", NOTICE, "counter")
    program = [sys.executable, "-m", "app.cli", "sender"]
    with subprocess.Popen(program, env=environment, stderr=subprocess.DEVNULL) as killed:
        wait_for(lambda: len(gateway.received) >= 3, what="the gateway to have them all")
        killed.kill()
    gateway.open.set()
    with subprocess.Popen(program, env=environment, stderr=subprocess.DEVNULL) as other:
        wait_for(lambda: states(service) == {"proven"}, seconds=60, what="every proof")
        other.terminate()
        assert other.wait(20) == 0
    sent = [letter for letter in letters(gateway) if letter["kind"] == sending.KIND]
    first = {letter["id"]: letter for letter in sent if "补正" in letter["text"]}
    assert len(first) == 3
    assert len(sent) > len({letter["id"] for letter in sent}), "sent again, under the same keys"
    texts = {letter["id"]: {each["text"] for each in sent if each["id"] == letter["id"]} for letter in sent}
    assert all(len(same) == 1 for same in texts.values()), "and with the same link"
    for case_id in cases:
        notices_told = [data for _, data in told(service, case_id) if data["paper"] == "one-time-notice"]
        assert len(notices_told) == 1
