"""The outbox over a real PostgreSQL, a real gateway and a real mail server: one row, one fact, a proof for each."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email import message_from_bytes
from email.policy import default as email_policy
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from domain import kinds
from domain.kernel.facts import EventToAppend
from domain.kernel.messages import digest_of, to_subject
from domain.kernel.subjects import Subject
from domain.outages.facts import EmergencyOutageBegan
from domain.outages.notices import KIND
from infra.clock import ManualClock
from infra.eventstore.commands import Command, NewSubject, Snapshot, Stamp, Stream, StreamEvent
from infra.eventstore.service import Service, open_service
from infra.outbox import desk
from infra.outbox.delivery import Delivery, Outgoing
from infra.outbox.gateway import signature
from infra.outbox.sender import Sender, ways_of
from infra.settings import Settings
from infra.status import collect
from tests.api_world import REPORTER, app_of, served, wait_for
from tests.outside import SECRET, GatewayServer, MailServer
from tests.proven import LOOKER, PROVEN

PLANNED = {
    "districts": ["zhenxi", "donghe"],
    "affected_users": 1200,
    "begin": "2026-09-17T02:00:00Z",
    "end": "2026-09-17T08:00:00Z",
    "approval": "示例文号〔2026〕7号",
    "supply": "tanker",
}
TEXT = "【停水通知】因供水设施施工，镇溪街道、峒河街道计划于9月17日10:00至9月17日16:00停水，请提前储水。停水编号{}。"


@pytest.fixture
def service(
    store_settings: Settings, clock: ManualClock, gateway: GatewayServer, mail: MailServer
) -> Iterator[Service]:
    settings = store_settings.model_copy(
        update={
            "gateway_url": gateway.url,
            "gateway_secret": SECRET,
            "gateway_timeout_s": 2,
            "smtp_host": "127.0.0.1",
            "smtp_port": mail.port,
            "smtp_from": "water@example.org",
            "smtp_list": "residents@example.org",
            "outbox_tries": 3,
            "outbox_pause_s": 0.01,
        }
    )
    opened = open_service(settings, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def sender(service: Service) -> Sender:
    return Sender(service, ways_of(service.settings), random.Random(225))


class Office:
    """The dispatcher's desk over HTTP."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/api/v1"

    def post(self, path: str, body: dict[str, Any], key: str | None = None) -> dict[str, Any]:
        headers = {**PROVEN, "X-Role": "manager", "X-Actor": "manager-1", "X-Channel": "office"}
        headers |= {"Idempotency-Key": key} if key else {}
        answer = httpx.post(f"{self._url}/{path}", json=body, headers=headers, timeout=20)
        found: dict[str, Any] = answer.json()
        return found

    def get(self, path: str) -> Any:
        return httpx.get(f"{self._url}/{path}", headers=LOOKER, timeout=20).json()

    def planned(self) -> str:
        return str(self.post("outages/planned", PLANNED)["case_id"])

    def ordered(self, way: str) -> str:
        case_id = self.planned()
        assert "position" in self.post(f"outages/{case_id}/notices/order", {"way": way})
        return case_id


@pytest.fixture
def office(service: Service) -> Iterator[Office]:
    with served(app_of(service)) as url:
        yield Office(url)


def facts(service: Service, case_id: str) -> list[tuple[str, dict[str, Any]]]:
    """The case's facts on notices, in order."""
    _, events = service.load(Stream(kinds.OUTAGE, UUID(case_id)))
    named = [(event["type"].split(".")[2], event["data"]) for event in events]
    return [(name, data) for name, data in named if "Notice" in name]


def rows(service: Service) -> list[dict[str, Any]]:
    with service.connection() as connection:
        found = connection.execute("SELECT to_jsonb(m) AS row FROM outbox.messages m ORDER BY created_at").fetchall()
    return [each["row"] for each in found]


def sent_until(service: Service, sender: Sender, state: str) -> dict[str, Any]:
    """Work until the one message stands so and its case knows it."""

    def done() -> dict[str, Any] | None:
        sender.work()
        (row,) = rows(service)
        return row if row["state"] == state and row["recorded"] else None

    row: dict[str, Any] = wait_for(done, what=f"a message that is {state}")
    return row


# ---- by webhook


def test_a_notice_is_signed_delivered_and_proven(
    office: Office, service: Service, sender: Sender, gateway: GatewayServer
) -> None:
    case_id = office.ordered("sms")
    (waiting,) = rows(service)
    assert sender.work() == 1
    ((headers, body),) = gateway.received
    message = json.loads(body)
    number = office.get(f"outages/{case_id}")["case_number"]
    assert message["text"] == TEXT.format(number)
    assert (message["audience"], message["way"], "to" in message) == (["zhenxi", "donghe"], "sms", False)
    assert headers["Idempotency-Key"] == message["id"] == str(waiting["id"])
    assert headers["X-Tongshui-Signature"] == signature(SECRET, headers["X-Tongshui-Timestamp"], body)
    (_, ordered), (_, sent), (_, proven) = facts(service, case_id)
    assert ordered["digest"] == sent["digest"] == message["digest"] == digest_of(message["text"].encode())
    assert sent["order"] == message["id"]
    answer = b'{"receipt": "r-1", "status": "delivered"}'
    assert proven == {"notice": 1, "digest": digest_of(answer), "receipt": "r-1", "status": "delivered"}
    (row,) = rows(service)
    assert (row["state"], row["recorded"], row["attempts"]) == ("proven", True, 1)
    window = next(w for w in office.get(f"cases/{case_id}")["windows"] if w["commitment"] == "outage.notice")
    assert window["state"] == "met"
    assert sender.work() == 0


def test_one_event_is_one_message_however_often_it_is_asked_for(
    office: Office, service: Service, sender: Sender, gateway: GatewayServer
) -> None:
    case_id = office.planned()
    path = f"outages/{case_id}/notices/order"
    answers = [office.post(path, {"way": "sms"}, key="order-1") for _ in range(3)]
    assert len({answer["position"] for answer in answers}) == 1
    assert office.post(path, {"way": "sms"})["code"] == "notice-ordered"
    assert office.post(path, {"way": "smoke-signals"})["code"] == "unknown-way"
    assert office.post(f"outages/{uuid4()}/notices/order", {"way": "sms"})["code"] == "no-such-case"
    while sender.work():
        pass
    assert (len(rows(service)), len(gateway.received)) == (1, 1)
    assert [name for name, _ in facts(service, case_id)] == [
        "OutageNoticeOrdered",
        "OutageNoticeSent",
        "OutageNoticeProven",
    ]


def test_a_gateway_that_fails_is_asked_again_with_the_same_key(
    office: Office, service: Service, sender: Sender, gateway: GatewayServer
) -> None:
    gateway.answers = [(503, b""), (200, b"not json")]
    case_id = office.ordered("wechat")
    row = sent_until(service, sender, "proven")
    assert (row["attempts"], row["last_error"]) == (3, None)
    assert len({headers["Idempotency-Key"] for headers, _ in gateway.received}) == 1
    assert [name for name, _ in facts(service, case_id)][1:] == ["OutageNoticeSent", "OutageNoticeProven"]


def test_after_so_many_tries_it_is_given_up_seen_and_tried_anew_by_hand(
    office: Office, service: Service, sender: Sender, gateway: GatewayServer
) -> None:
    gateway.answers = [(503, b"")] * 3
    case_id = office.ordered("sms")
    row = sent_until(service, sender, "dead")
    assert (row["attempts"], row["last_error"]) == (3, "gateway-http-503")
    assert facts(service, case_id)[1:] == [
        ("OutageNoticeFailed", {"order": str(row["id"]), "reason": "gateway-http-503"})
    ]
    with service.connection() as connection:
        status = collect(connection, service.settings)
        assert status.outbox is not None
        assert (status.outbox.dead, status.outbox.waiting) == (1, 0)
        assert "gateway-http-503" in "\n".join(desk.lines(desk.messages(connection, "dead", 10)))
        assert desk.retry(connection, row["id"]) == 1
    assert sent_until(service, sender, "proven")["round"] == 2
    assert [name for name, _ in facts(service, case_id)][2:] == ["OutageNoticeSent", "OutageNoticeProven"]
    with service.connection() as connection:
        assert desk.retry(connection, None) == 0, "what arrived is never sent again"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((401, b""), "gateway-http-401"),
        ((302, b""), "gateway-http-302"),
        ((200, b'{"receipt": "r-1", "status": "rejected"}'), "gateway-refused"),
    ],
)
def test_what_another_try_cannot_help_is_given_up_at_once(
    office: Office, service: Service, sender: Sender, gateway: GatewayServer, answer: tuple[int, bytes], why: str
) -> None:
    gateway.answers = [answer]
    office.ordered("sms")
    row = sent_until(service, sender, "dead")
    assert (row["attempts"], row["last_error"]) == (1, why)


def test_a_receipt_that_is_somebodys_number_does_not_get_into_an_event(
    office: Office, service: Service, sender: Sender, gateway: GatewayServer
) -> None:
    gateway.answers = [(200, b'{"receipt": "13812345678", "status": "accepted"}')]
    case_id = office.ordered("sms")
    sender.work()
    _, _, (_, proven) = facts(service, case_id)
    assert proven["receipt"].startswith("answer-")
    assert "13812345678" not in str(rows(service))


# ---- answers to those who reported


def test_a_reporter_is_told_at_the_number_in_the_vault_and_the_case_knows(
    office: Office, service: Service, sender: Sender, gateway: GatewayServer
) -> None:
    case_id = str(office.post("repairs", {"reporter": REPORTER, "kind": "leak", "district": "zhenxi"})["case_id"])
    path = f"repairs/{case_id}/reports/1/answer/order"
    assert office.post(path, {"way": "sms"})["code"] == "incident-not-over"
    office.post(f"repairs/{case_id}/completion", {})
    assert "position" in office.post(path, {"way": "sms"})
    sent_until(service, sender, "proven")
    ((_, body),) = gateway.received
    message = json.loads(body)
    assert message["to"] == {"phone": REPORTER["phone"]}
    assert "已于" in message["text"]
    _, events = service.load(Stream(kinds.REPAIR, UUID(case_id)))
    answered = next(event for event in events if event["type"] == "water.repair.ReporterAnswered.v1")
    assert answered["data"] == {
        "report": 1,
        "way": "sms",
        "digest": message["digest"],
        "flags": [],
        "confirmed_by": None,
        "order": message["id"],
        "receipt": "r-1",
    }
    assert REPORTER["phone"] not in json.dumps(events, ensure_ascii=False) + str(rows(service))
    window = next(w for w in office.get(f"cases/{case_id}")["windows"] if w["commitment"] == "repair.answer")
    assert window["state"] == "met"


def test_an_answer_that_cannot_be_delivered_is_on_the_timeline_and_the_reporter_still_waits(
    office: Office, service: Service, sender: Sender, gateway: GatewayServer
) -> None:
    gateway.answers = [(401, b"")]
    case_id = str(office.post("repairs", {"reporter": REPORTER, "kind": "leak", "district": "zhenxi"})["case_id"])
    office.post(f"repairs/{case_id}/completion", {})
    office.post(f"repairs/{case_id}/reports/1/answer/order", {"way": "wechat"})
    row = sent_until(service, sender, "dead")
    _, events = service.load(Stream(kinds.REPAIR, UUID(case_id)))
    failed = next(event for event in events if event["type"] == "water.repair.AnswerFailed.v1")
    assert failed["data"] == {"report": 1, "order": str(row["id"]), "reason": "gateway-http-401"}
    assert office.get(f"repairs/{case_id}")["next_actions"] == [{"action": "answer", "role": "hotline"}]


# ---- several senders, and one that dies


def test_several_senders_deliver_each_message_once(office: Office, service: Service, gateway: GatewayServer) -> None:
    for _ in range(20):
        office.ordered("sms")
    senders = [Sender(service, ways_of(service.settings)) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        while sum(pool.map(Sender.work, senders)):
            pass
    assert len(gateway.received) == len(gateway.sent) == 20
    assert {row["state"] for row in rows(service)} == {"proven"}


def test_a_sender_that_dies_after_the_handing_over_repeats_it_under_the_same_key(
    office: Office, service: Service, sender: Sender, gateway: GatewayServer
) -> None:
    case_id = office.ordered("sms")
    real = ways_of(service.settings)["sms"]

    class Dies:
        needs: tuple[str, ...] = ()

        def deliver(self, outgoing: Outgoing) -> Delivery:
            found = real.deliver(outgoing)
            # Its lease runs out while it is away, and somebody else takes the message.
            with service.connection() as connection:
                connection.execute("UPDATE outbox.messages SET leased_until = '-infinity'")
            assert sender.work() == 1
            return found

    Sender(service, {"sms": Dies()}).work()
    assert len(gateway.received) == 2
    assert len(gateway.sent) == 1
    assert [name for name, _ in facts(service, case_id)][1:] == ["OutageNoticeSent", "OutageNoticeProven"]
    (row,) = rows(service)
    assert (row["state"], row["attempts"]) == ("proven", 2)


def test_a_proof_that_is_not_on_record_yet_is_brought_in_without_sending_again(
    office: Office, service: Service, sender: Sender, gateway: GatewayServer
) -> None:
    case_id = office.ordered("sms")
    with service.connection() as connection:
        connection.execute(
            "UPDATE outbox.messages SET state = 'sent', answered_at = %s, receipt = 'r-9', status = 'accepted',"
            " proof_digest = %s",
            [service.clock.now(), digest_of(b"taken")],
        )
    assert sender.work() == 1
    assert gateway.received == []
    assert [name for name, _ in facts(service, case_id)][1:] == ["OutageNoticeSent", "OutageNoticeProven"]


def test_a_sender_killed_in_the_middle_of_sending_loses_and_doubles_nothing(
    office: Office, service: Service, gateway: GatewayServer
) -> None:
    """Real processes and kill -9: the gateway has taken the messages and has not answered yet."""
    settings = service.settings
    environment = os.environ | {
        "TONGSHUI_DATABASE_URL": settings.database_url,
        "TONGSHUI_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "TONGSHUI_GATEWAY_URL": settings.gateway_url,
        "TONGSHUI_GATEWAY_SECRET": settings.gateway_secret,
        "TONGSHUI_GATEWAY_TIMEOUT_S": "0.5",
    }
    gateway.open.clear()
    cases = [office.ordered("sms") for _ in range(5)]
    program = [sys.executable, "-m", "app.cli", "sender"]
    with subprocess.Popen(program, env=environment, stderr=subprocess.DEVNULL) as killed:
        wait_for(lambda: len(gateway.received) == 5, what="the gateway to have them all")
        killed.kill()
    gateway.open.set()
    with subprocess.Popen(program, env=environment, stderr=subprocess.DEVNULL) as other:
        wait_for(lambda: {row["state"] for row in rows(service)} == {"proven"}, seconds=60, what="every proof")
        other.terminate()
        assert other.wait(20) == 0
    # The program's clock is today's: by it the outages of September ran over, and staff are told that too.
    messages = [json.loads(body) for _, body in gateway.received]
    notices = [message["id"] for message in messages if message["kind"] == KIND]
    assert len(notices) > len(set(notices)) == 5, "sent again, under the same keys"
    for case_id in cases:
        assert [name for name, _ in facts(service, case_id)][1:] == ["OutageNoticeSent", "OutageNoticeProven"]


# ---- the other ways


def test_a_notice_by_mail_goes_to_the_list_and_the_servers_answer_is_its_proof(
    office: Office, service: Service, sender: Sender, mail: MailServer
) -> None:
    mail.refuses = [b"450 try later"]
    case_id = office.ordered("email")
    row = sent_until(service, sender, "proven")
    assert (row["attempts"], row["receipt"], row["status"]) == (2, "Q1", "accepted")
    ((from_, to, raw),) = mail.messages
    message = message_from_bytes(raw, policy=email_policy)
    number = office.get(f"outages/{case_id}")["case_number"]
    assert (from_, to) == ("water@example.org", "residents@example.org")
    assert message["Subject"] == f"停水通知 {number}"
    assert message["Message-ID"] == f"<{row['id']}@example.org>"
    body = message.get_body()
    assert body is not None
    assert body.get_content().strip() == TEXT.format(number)
    (paper,) = message.iter_attachments()
    assert paper.get_filename() == f"{number}-outage-notice-1.pdf"
    assert paper.get_content().startswith(b"%PDF")
    (_, proven) = facts(service, case_id)[-1]
    assert proven["digest"] == digest_of(b"2.0.0 Ok: queued as Q1")


def test_a_mailbox_that_is_refused_for_good_is_given_up_at_once(
    office: Office, service: Service, sender: Sender, mail: MailServer
) -> None:
    mail.refuses = [b"550 no such user"]
    office.ordered("email")
    assert sent_until(service, sender, "dead")["last_error"] == "mail-refused-550"


def test_a_notice_on_the_page_is_public_once_it_is_put_up(office: Office, service: Service, sender: Sender) -> None:
    case_id = office.ordered("page")
    assert office.get("notices") == {"notices": []}
    sender.work()
    (shown,) = office.get("notices")["notices"]
    assert (shown["case_id"], shown["audience"]) == (case_id, ["zhenxi", "donghe"])
    assert shown["text"].startswith("【停水通知】")
    assert facts(service, case_id)[-1][0] == "OutageNoticeProven"


def test_a_way_that_is_not_configured_is_given_up_at_once_and_says_so(
    store_settings: Settings, office: Office, service: Service
) -> None:
    office.ordered("sms")
    assert (
        sent_until(service, Sender(service, ways_of(store_settings)), "dead")["last_error"] == "gateway-not-configured"
    )


# ---- to one person


def answer(service: Service, way: str, particulars: dict[str, str]) -> UUID:
    """What an answer to a reporter does: a message to a subject, in the transaction of a fact. The subject's id."""
    case, subject = Stream(kinds.OUTAGE, uuid4()), Subject(uuid4(), 1)
    stamp = Stamp("manager-1", "manager", "office", str(uuid4()), "test")

    def decide(snapshot: Snapshot) -> list[StreamEvent]:
        fact = EmergencyOutageBegan("TS-1", uuid4(), ("zhenxi",), 300)
        message = to_subject("personal-note", way, "报修进度", "您的报修已修复。", subject)
        return [(case, EventToAppend(fact, snapshot.at, tells=message))]

    service.run(Command(case, stamp, decide, subject=NewSubject(subject.id, 1, particulars)))
    return subject.id


def test_a_persons_phone_comes_from_the_vault_at_the_sending_and_is_kept_nowhere_else(
    service: Service, sender: Sender, gateway: GatewayServer, clock: ManualClock
) -> None:
    subject = answer(service, "sms", REPORTER)
    with service.connection() as connection, connection.cursor() as cursor:
        service.vault.put(cursor, [NewSubject(subject, 2, REPORTER | {"phone": "13900000001"})])
    clock.move(timedelta(minutes=1))
    sender.work()
    ((_, body),) = gateway.received
    message = json.loads(body)
    assert message["to"] == {"phone": "13900000001"}, "the corrected one, and nothing else of the person"
    assert "audience" not in message
    (row,) = rows(service)
    assert (row["state"], row["subject_id"]) == ("proven", str(subject))
    with service.connection() as connection:
        stored = connection.execute("SELECT state FROM store.stored_events").fetchall()
    kept = str(row) + str([bytes(each["state"]) for each in stored])
    assert not any(secret in kept for secret in ("13812345678", "13900000001", REPORTER["name"]))


@pytest.mark.parametrize(
    ("way", "particulars", "why"),
    [
        ("sms", {"name": "张三"}, "no-address"),
        ("email", REPORTER, "no-address"),
        ("page", REPORTER, "not-for-one-person"),
    ],
)
def test_who_cannot_be_reached_by_that_way_is_said(
    service: Service, sender: Sender, way: str, particulars: dict[str, str], why: str
) -> None:
    answer(service, way, particulars)
    assert sent_until(service, sender, "dead")["last_error"] == why


def test_a_command_that_is_refused_leaves_no_message(office: Office, service: Service) -> None:
    case_id = office.planned()
    office.post(f"outages/{case_id}/cancellation", {"reason": "weather"})
    assert office.post(f"outages/{case_id}/start", {})["code"] == "outage-cancelled"
    assert rows(service) == []
