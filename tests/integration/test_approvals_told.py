"""Whoever is asked for an approval is told: on real PostgreSQL, by a real mail server, and by a count on every page."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email import message_from_bytes
from email.policy import default as email_policy
from typing import Any
from uuid import UUID

import pytest

from domain.approvals.telling import KIND
from infra.approvals import telling
from infra.approvals.asked_commands import AskedCommands, closing_overdue
from infra.approvals.telling import ApprovalTeller
from infra.clock import ManualClock
from infra.eventstore.service import Service, open_service
from infra.outbox.sender import Sender, ways_of
from infra.settings import Settings
from tests.api_world import REPORTER, Client, app_of, fault, wait_for
from tests.integration.test_approvals import World
from tests.outside import SECRET, GatewayServer, MailServer

API = "/api/v1"


@pytest.fixture
def service(
    store_settings: Settings, clock: ManualClock, gateway: GatewayServer, mail: MailServer
) -> Iterator[Service]:
    given = {
        "gateway_secret": SECRET,
        "smtp_host": "127.0.0.1",
        "smtp_port": mail.port,
        "smtp_from": "water@example.org",
        "public_url": "https://water.example.org",
        "staff_contacts": {"manager": {"email": "managers@example.org", "webhook": gateway.url}},
        "outbox_pause_s": 0.01,
    }
    settings = Settings.model_validate(store_settings.model_dump() | given)
    opened = open_service(settings, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def world(service: Service, clock: ManualClock) -> World:
    app = app_of(service)
    app.state.service = service
    return World(service, clock, Client(app), Client(app, proxy_secret=None))


@pytest.fixture
def sender(service: Service) -> Sender:
    return Sender(service, ways_of(service.settings), random.Random(225))


def erasing(world: World) -> tuple[str, dict[str, Any]]:
    """A command that needs a second person, and that the command of ``world.person`` may ask for."""
    reported = world.front.post(f"{API}/repairs", fault())
    assert reported.status_code == 201, reported.text
    headers = {"X-Actor": "manager-9", "X-Role": "manager"}
    shown = world.front.get(f"{API}/cases/{reported.json()['case_id']}/particulars", headers=headers).json()
    return f"/subjects/{shown['subjects'][0]['subject']}/erasure", {"reason": "asked-for"}


def asked(world: World, **whom: str) -> str:
    whom = whom or {"role": "manager"}
    return world.asked(*erasing(world), world.person("manager-1", "manager"), **whom)


def rows(service: Service) -> list[dict[str, Any]]:
    with service.connection() as connection:
        found = connection.execute(
            "SELECT to_jsonb(m) AS row FROM outbox.messages m WHERE kind = %s ORDER BY created_at, way", [KIND]
        ).fetchall()
    return [each["row"] for each in found]


def waiting(world: World, who: dict[str, str]) -> int:
    answer = world.net.get(f"{API}/approvals/count", headers=who)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["waiting"])


def test_the_role_that_is_asked_is_told_by_its_contact_at_once_and_once(
    world: World, service: Service, sender: Sender, mail: MailServer, gateway: GatewayServer
) -> None:
    asked(world)
    assert [(row["way"], row["audience"]) for row in rows(service)] == [
        ("email", ["manager"]),
        ("webhook", ["manager"]),
    ]
    while sender.work():
        pass
    ((_, to, raw),) = mail.messages
    message = message_from_bytes(raw, policy=email_policy)
    assert to == "managers@example.org"
    assert "https://water.example.org/approvals" in message.get_content()
    assert len(gateway.received) == 1
    said = raw + b"".join(body for _, body in gateway.received) + message.get_content().encode()
    assert not any(each.encode() in said for each in REPORTER.values()), "nothing of a person"
    assert {row["state"] for row in rows(service)} == {"proven"}
    assert ApprovalTeller(service).turn() == 0


def test_an_account_that_is_asked_is_told_where_its_roles_are(world: World, service: Service) -> None:
    world.person("manager-2", "manager")
    asked(world, actor="manager-2")
    found = rows(service)
    assert {row["audience"][0] for row in found} == {"manager"}
    assert all("账号 manager-2 " in row["text"] for row in found)


def test_it_is_told_once_more_before_the_time_is_over_whoever_looks_how_often(
    world: World, service: Service, clock: ManualClock
) -> None:
    asked(world)
    clock.move(timedelta(hours=43))
    assert ApprovalTeller(service).turn() == 0
    clock.move(timedelta(hours=1, minutes=1))
    start = threading.Barrier(4)

    def look(_: int) -> int:
        start.wait(10)
        return ApprovalTeller(service).turn()

    with ThreadPoolExecutor(4) as pool:
        # It is five in the morning: the mail waits, the webhook does not.
        assert sum(pool.map(look, range(4))) == 1
        clock.move(timedelta(hours=2))
        assert sum(pool.map(look, range(4))) == 1
    assert [row["about"]["occasion"] for row in rows(service)] == ["asked", "asked", "expiring", "expiring"]
    assert ApprovalTeller(service).turn() == 0


def test_what_was_asked_while_nobody_could_be_told_is_told_by_the_thread(
    world: World, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill between the request and its message."""
    with monkeypatch.context() as patched:
        patched.setattr(telling.ApprovalTeller, "turn", lambda _: 0)
        asked(world)
    assert rows(service) == []
    with closing_overdue(service, every_s=0.05):
        wait_for(lambda: len(rows(service)) == 2, what="the messages")


def test_a_message_that_became_moot_is_withdrawn(
    world: World, service: Service, sender: Sender, mail: MailServer
) -> None:
    first = asked(world)
    second = asked(world)
    assert world.answer(first, "decline", world.person("manager-2", "manager"), {"reason": "incorrect"}).is_success
    ApprovalTeller(service).turn()
    states = {(row["about"]["approval"], row["state"]) for row in rows(service)}
    assert states == {(first, "withdrawn"), (second, "waiting")}
    while sender.work():
        pass
    assert len(mail.messages) == 1


def test_the_count_is_of_what_waits_for_somebody_and_is_shown_in_the_head_of_every_page(world: World) -> None:
    asker, second = world.person("manager-1", "manager"), world.person("manager-2", "manager")
    other = world.person("dispatcher-2", "dispatcher")
    assert waiting(world, second) == 0
    first = asked(world)
    asked(world)
    assert [waiting(world, each) for each in (asker, second, other)] == [0, 2, 0]
    assert len(world.listed(second)[0]) == 2
    shown = world.net.get("/search", headers=second).text
    assert 'id="approvals-waiting">2<' in shown
    assert 'id="approvals-waiting"' not in world.net.get("/search", headers=asker).text
    assert world.answer(first, "giving", second).is_success
    assert waiting(world, second) == 1
    world.clock.move(timedelta(hours=49))
    assert waiting(world, second) == 0


def test_a_request_that_never_came_to_be_is_neither_told_nor_counted(world: World, service: Service) -> None:
    """Its command is kept before the request is on record."""
    second = world.person("manager-2", "manager")
    approval = asked(world)
    command = AskedCommands(service).opened(UUID(approval))
    assert command is not None
    before = len(rows(service))
    now = service.clock.now()
    AskedCommands(service).keep(
        UUID(int=5),
        command,
        asked_role="manager",
        asked_actor=None,
        asked_at=now,
        expires_at=now + timedelta(hours=48),
    )
    assert ApprovalTeller(service).turn() == 0
    assert len(rows(service)) == before
    assert waiting(world, second) == 1
