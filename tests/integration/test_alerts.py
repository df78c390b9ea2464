"""Alerts over a real PostgreSQL, a real mail server and real webhooks: told once, proven, withdrawn or corrected."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes
from email.policy import default as email_policy
from typing import Any
from uuid import UUID

import httpx
import pytest

from domain import kinds
from infra.clock import ManualClock
from infra.eventstore.commands import Stream, evaluation_of
from infra.eventstore.service import Service, open_service
from infra.outbox.gateway import signature
from infra.outbox.sender import Sender, ways_of
from infra.settings import Settings, StaffContact
from tests.api_world import DISPATCHER, app_of, fault, served, staff, wait_for
from tests.outside import SECRET, GatewayServer, MailServer
from tests.proven import LOOKER

ARRIVAL = "repair.arrival"


@pytest.fixture
def service(
    store_settings: Settings, clock: ManualClock, gateway: GatewayServer, mail: MailServer
) -> Iterator[Service]:
    contacts = {
        "duty-manager": StaffContact(email="duty@example.org", webhook=gateway.url),
        "deputy-director": StaffContact(email="deputy@example.org"),
        "manager": StaffContact(email="manager@example.org"),
    }
    settings = store_settings.model_copy(
        update={
            "gateway_url": "",
            "gateway_secret": SECRET,
            "gateway_timeout_s": 2,
            "smtp_host": "127.0.0.1",
            "smtp_port": mail.port,
            "smtp_from": "water@example.org",
            "staff_contacts": contacts,
            "outbox_tries": 2,
            "outbox_pause_s": 0.01,
        }
    )
    opened = open_service(settings, clock=clock)
    yield opened
    opened.close()


class Duty:
    """The duty room: time passes, the watch asks, the sender sends, people look and answer."""

    def __init__(self, service: Service, clock: ManualClock, url: str) -> None:
        self.service = service
        self.clock = clock
        self.sender = Sender(service, ways_of(service.settings))
        self._url = f"{url}/api/v1"

    def post(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        found: dict[str, Any] = httpx.post(f"{self._url}/{path}", json=body, headers=headers, timeout=20).json()
        return found

    def alerts(self, **query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx.get(f"{self._url}/alerts", params=query, headers=LOOKER, timeout=20).json()[
            "alerts"
        ]
        return found

    def reported(self, **body: Any) -> str:
        return str(self.post("repairs", fault(**body), staff("hotline", channel="hotline"))["case_id"])

    def later(self, minutes: float, *cases: str) -> None:
        """So many minutes later the watch asks about the cases."""
        self.clock.move(timedelta(minutes=minutes))
        for case_id in cases:
            self.service.run(evaluation_of(Stream(kinds.REPAIR, UUID(case_id)), "watch"))

    def send(self) -> None:
        """Until nothing more is to be done."""

        def idle() -> bool:
            return not (self.sender.teller.turn() + self.sender.work()) and not self._unsent()

        wait_for(idle, what="an idle sender")

    def acknowledge(self, case_id: str, actor: str = "duty-1", **body: Any) -> dict[str, Any]:
        path = f"cases/{case_id}/windows/{ARRIVAL}/acknowledgement"
        return self.post(path, body, staff("duty-manager", actor))

    def timeline(self, case_id: str) -> list[tuple[str, dict[str, Any]]]:
        _, events = self.service.load(Stream(kinds.REPAIR, UUID(case_id)))
        return [(event["type"].split(".")[2], event["data"]) for event in events]

    def on_alerts(self, case_id: str) -> list[tuple[str, str, str]]:
        """What the case knows of its alerts: what became, of what, by which way."""
        found = [(name, data) for name, data in self.timeline(case_id) if name.startswith("Alert")]
        return [(name, data["change"], data.get("way") or "+".join(data["ways"])) for name, data in found]

    def _unsent(self) -> bool:
        with self.service.connection() as connection:
            row = connection.execute("SELECT count(*) AS n FROM outbox.messages WHERE NOT recorded").fetchone()
        return bool(row and row["n"])


@pytest.fixture
def duty(service: Service, clock: ManualClock) -> Iterator[Duty]:
    with served(app_of(service)) as url:
        yield Duty(service, clock, url)


def messages(mail: MailServer) -> list[tuple[str, str]]:
    return [(to, message_from_bytes(raw, policy=email_policy).get_content().strip()) for _, to, raw in mail.messages]


def test_a_lapse_is_told_by_mail_and_by_a_signed_webhook_and_the_case_has_the_proofs(
    duty: Duty, mail: MailServer, gateway: GatewayServer
) -> None:
    case_id = duty.reported()
    duty.later(30, case_id)
    (alert,) = duty.alerts(role="duty-manager")
    assert (alert["change"], alert["lapse"], alert["roles"]) == ("lapsed", 1, ["duty-manager"])
    duty.send()
    ((to, text),) = messages(mail)
    assert to == "duty@example.org"
    assert text == "【超时】BX-2026-000001 到场已于09-16 09:30超时。请处理并在调度页面确认接手。"
    ((headers, body),) = gateway.received
    assert headers["X-Tongshui-Signature"] == signature(SECRET, headers["X-Tongshui-Timestamp"], body)
    message = json.loads(body)
    assert (message["kind"], message["audience"], "to" in message) == ("window.alert", ["duty-manager"], False)
    told = [data for name, data in duty.timeline(case_id) if name == "AlertTold"]
    assert sorted((data["way"], data["receipt"], data["role"]) for data in told) == [
        ("email", "Q1", "duty-manager"),
        ("webhook", "r-1", "duty-manager"),
    ]
    assert {data["alert"] for data in told} == {alert["id"]}
    assert "example.org" not in json.dumps(duty.timeline(case_id)), "an address is no part of an event"
    assert {each["state"] for each in duty.alerts()[0]["tellings"]} == {"proven"}
    duty.send()
    assert len(mail.messages) == len(gateway.received) == 1


def test_who_takes_it_in_hand_ends_the_ladder(duty: Duty, mail: MailServer) -> None:
    case_id = duty.reported()
    duty.later(30, case_id)
    duty.later(5)
    accepted = duty.acknowledge(case_id)
    assert accepted["last_version"] == accepted["first_version"]
    again = duty.acknowledge(case_id)
    assert again["last_version"] < again["first_version"], "nothing new"
    assert duty.acknowledge(case_id, "duty-2")["code"] == "already-acknowledged"
    assert duty.alerts() == []
    (closed,) = duty.alerts(open=False)
    assert (closed["cause"], closed["closed_by"]) == ("acknowledged", "duty-1")
    duty.later(60, case_id)
    assert "WindowEscalated" not in [name for name, _ in duty.timeline(case_id)]
    duty.send()
    assert mail.messages == [], "what somebody has in hand is not told any more"
    assert duty.on_alerts(case_id) == [("AlertWithdrawn", "lapsed", "email+webhook")]


def test_a_step_after_a_lapse_is_raised_once_and_told_where_the_settings_have_a_way(
    duty: Duty, mail: MailServer
) -> None:
    case_id = duty.reported()
    duty.later(60, case_id)
    duty.later(1, case_id)
    found = duty.alerts(case_id=case_id)
    assert [(each["change"], each["step"], each["roles"]) for each in found] == [
        ("lapsed", None, ["duty-manager"]),
        ("escalated", "after-10-min", ["manager"]),
        ("escalated", "after-30-min", ["deputy-director"]),
    ]
    duty.send()
    assert sorted(to for to, _ in messages(mail)) == ["deputy@example.org", "duty@example.org"]
    states = {(each["role"], each["way"]): each["state"] for alert in duty.alerts() for each in alert["tellings"]}
    assert states["manager", "sms"] == "unreachable", "no gateway is set; it is no dead letter"
    assert states["deputy-director", "email"] == "proven"


def test_a_retraction_withdraws_what_is_unsent_and_corrects_what_was_sent(duty: Duty, mail: MailServer) -> None:
    case_id = duty.reported()
    duty.later(30, case_id)
    duty.send()
    sent = len(mail.messages)
    duty.later(30, case_id)
    arrived_at = (duty.clock.now() - timedelta(minutes=36)).isoformat()
    duty.post(
        f"repairs/{case_id}/arrival",
        {"crew": "crew-1", "happened_at": arrived_at},
        staff("crew", channel="crew-phone"),
    )
    assert duty.alerts() == []
    duty.send()
    assert messages(mail)[sent:] == [
        ("duty@example.org", "【更正】此前通知的BX-2026-000001 到场（09-16 09:30）超时已撤回，请勿再据此处理。")
    ]
    known = duty.on_alerts(case_id)
    assert known.count(("AlertTold", "retracted", "email")) == known.count(("AlertTold", "retracted", "webhook")) == 1
    assert ("AlertWithdrawn", "escalated", "email") in known
    assert {each["cause"] for each in duty.alerts(open=False)} == {"retracted"}
    duty.send()
    assert len(mail.messages) == sent + 1


def test_a_message_that_is_tried_again_is_withdrawn_when_it_is_moot(
    duty: Duty, mail: MailServer, gateway: GatewayServer
) -> None:
    mail.refuses = [b"450 try later"] * 2
    case_id = duty.reported()
    duty.later(30, case_id)
    duty.sender.teller.turn()
    with duty.service.connection() as connection:
        connection.execute("UPDATE outbox.messages SET next_attempt_at = 'infinity' WHERE way = 'email'")
    duty.sender.work()
    duty.acknowledge(case_id)
    duty.send()
    assert mail.messages == []
    assert ("AlertWithdrawn", "lapsed", "email") in duty.on_alerts(case_id)
    assert ("AlertTold", "lapsed", "webhook") in duty.on_alerts(case_id)


def test_one_message_of_two_alerts_is_withdrawn_once_both_are_moot(duty: Duty, mail: MailServer) -> None:
    case_id = duty.reported()
    duty.later(5 * 60 + 1, case_id)  # the completion lapsed an hour ago: lapse and steps, of arrival and completion
    path = f"repairs/{case_id}/arrival"
    crew = staff("crew", channel="crew-phone")
    duty.sender.teller.turn()
    with duty.service.connection() as connection:
        told = connection.execute("SELECT audience[1] AS role FROM outbox.messages WHERE way = 'email'").fetchall()
    assert sorted(row["role"] for row in told) == ["deputy-director", "duty-manager"], "one message a role and case"
    early = (duty.clock.now() - timedelta(minutes=280)).isoformat()
    duty.post(path, {"crew": "crew-1", "happened_at": early}, crew)
    duty.post(f"repairs/{case_id}/completion", {"happened_at": early}, crew)
    duty.send()
    assert mail.messages == []
    moot = [each for each in duty.alerts(open=False) if each["commitment"] in (ARRIVAL, "repair.completion")]
    assert {each["cause"] for each in moot} == {"retracted"}


def test_a_message_that_nobody_takes_is_given_up_and_the_case_and_the_page_show_it(
    duty: Duty, mail: MailServer
) -> None:
    mail.refuses = [b"550 no such user"]
    case_id = duty.reported()
    duty.later(30, case_id)
    duty.send()
    failed = [data for name, data in duty.timeline(case_id) if name == "AlertFailed"]
    assert [(data["way"], data["reason"]) for data in failed] == [("email", "mail-refused-550")]
    states = {each["way"]: each["state"] for each in duty.alerts()[0]["tellings"]}
    assert states == {"email": "dead", "webhook": "proven"}


def test_at_night_what_is_not_urgent_is_held_and_goes_out_in_the_morning(duty: Duty, mail: MailServer) -> None:
    duty.clock.move(timedelta(hours=13))  # 22:00
    case_id = duty.reported()
    duty.later(20)
    crew = staff("crew", channel="crew-phone")
    here = {"inside_geofence": True, "distance_m": 20, "accuracy_m": 8}
    duty.post(f"repairs/{case_id}/arrival", {"crew": "crew-1", "evidence": here}, crew)
    duty.post(f"repairs/{case_id}/completion", {}, crew)
    duty.later(24 * 60, case_id)
    duty.send()
    assert mail.messages == [], "the reporter waits for an answer; nobody is woken for it"
    assert [each["state"] for each in duty.alerts(role="duty-manager")[0]["tellings"]] == ["waiting", "proven"]
    duty.later(9 * 60)
    duty.send()
    assert [to for to, _ in messages(mail)] == ["duty@example.org"]


def test_a_mass_incident_is_one_message_and_its_cases_are_on_the_page(duty: Duty, mail: MailServer) -> None:
    declared = {"mass": "frost-a", "cause": "frost", "districts": ["zhenxi"]}
    duty.post("mass-incidents", declared, staff("duty-manager"))
    cases = [duty.reported() for _ in range(5)]
    duty.later(30, *cases)
    duty.send()
    ((to, text),) = messages(mail)
    assert (to, text.startswith("【群发事件】frost-a：5条时限告警")) == ("duty@example.org", True)
    assert len(duty.alerts(role="duty-manager")) == 5
    duty.later(1)
    duty.post(f"repairs/{cases[0]}/dismissal", {"reason": "false-alarm"}, DISPATCHER)
    duty.send()
    assert [to for to, _ in messages(mail)] == ["duty@example.org"] * 2, "who was told of it is told that it is off"
    assert ("AlertTold", "cancelled", "email") in duty.on_alerts(cases[0])


def test_beyond_so_many_an_hour_the_rest_is_one_digest(duty: Duty, mail: MailServer) -> None:
    cases = [duty.reported() for _ in range(15)]
    duty.later(30, *cases)
    duty.send()
    texts = [text for _, text in messages(mail)]
    assert len(texts) == 13
    assert [text for text in texts if text.startswith("【告警汇总】3条时限告警")] != []


def test_several_senders_make_each_message_once(duty: Duty, service: Service, mail: MailServer) -> None:
    cases = [duty.reported() for _ in range(6)]
    duty.later(30, *cases)
    senders = [Sender(service, ways_of(service.settings)) for _ in range(3)]
    for _ in range(10):
        for sender in senders:
            sender.teller.turn()
            sender.work()
    duty.send()
    assert len(mail.messages) == 6
