"""In a real browser: an applicant reads the papers that they were sent, a second person sees what waits for them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from infra.clock import ManualClock
from infra.eventstore.service import open_service
from infra.identity.demo_accounts import join_demo_accounts
from infra.outbox.delivery import Delivery, Outgoing
from infra.outbox.sender import Sender
from infra.settings import Settings
from tests.api_world import app_of, application, fault, served
from tests.e2e.accessible import violations
from tests.e2e.city import City
from tests.proven import PROVEN

pytestmark = pytest.mark.browser

PUBLIC = "https://water.example.org"
NOTICE = {"items": [{"document": each, "defect": "missing"} for each in ("identity", "property-right")]}


class Noting:
    """A way that takes every message."""

    needs: tuple[str, ...] = ("phone",)

    def __init__(self) -> None:
        self.texts: list[str] = []

    def deliver(self, outgoing: Outgoing) -> Delivery:
        self.texts.append(outgoing.text)
        return Delivery("r-1", "delivered", "sha256:" + "1" * 64)


@pytest.fixture
def city(store_settings: Settings, clock: ManualClock) -> Iterator[City]:
    given = {"demo": True, "gateway_url": "http://127.0.0.1:9/", "gateway_secret": "s", "public_url": PUBLIC}
    service = open_service(store_settings.model_copy(update=given), clock=clock)
    join_demo_accounts(service)
    with served(app_of(service)) as url:
        yield City(service, clock, url)
    service.close()


def as_actor(page: Page, city: City, actor: str) -> None:
    assert page.context.request.post(f"{city.url}/api/v1/session/demo", data={"actor": actor}).ok


def test_the_link_of_the_message_opens_the_papers_and_the_case_says_that_it_was_sent(page: Page, city: City) -> None:
    case_id = city.post("connections", application(), "website", "applicant")
    city.post(f"connections/{case_id}/notice", NOTICE, "office", "counter")
    way = Noting()
    assert Sender(city.service, {"sms": way}).work() == 1
    link = re.search(rf"{PUBLIC}(/follow/[\w-]+)", way.texts[0])
    assert link

    page.goto(city.url + link[1])
    issued = page.locator("#issued tbody tr")
    expect(issued).to_have_count(1)
    expect(issued.get_by_role("rowheader")).to_have_text("一次性告知书 (PDF)")
    expect(issued).to_contain_text("短信")
    paper = page.context.request.get(city.url + str(issued.locator("a").get_attribute("href")))
    assert paper.body().startswith(b"%PDF")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert violations(page) == []
    page.goto(f"{city.url}{link[1]}?lang=en")
    expect(page.locator("#h-issued")).to_have_text("Papers issued to you")

    city.show()
    as_actor(page, city, "counter-1")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{city.url}/cases/{case_id}")
    expect(page.locator("#papers tbody tr")).to_contain_text("已发")
    expect(page.locator("#papers tbody tr")).to_contain_text("短信")
    assert violations(page) == []


def test_the_head_of_every_page_counts_what_waits_for_a_second_person(page: Page, city: City) -> None:
    as_actor(page, city, "manager-1")
    page.goto(f"{city.url}/search")
    expect(page.locator("nav a[href='/approvals']")).to_have_text("待我复核")
    case_id = city.post("repairs", fault())
    asker = {**PROVEN, "X-Actor": "manager-2", "X-Role": "manager", "X-Channel": "office"}
    with httpx.Client(base_url=f"{city.url}/api/v1", headers=asker, timeout=30) as client:
        (person,) = client.get(f"/cases/{case_id}/particulars").json()["subjects"]
        command = {"path": f"/subjects/{person['subject']}/erasure", "body": {"reason": "asked-for"}}
        answer = client.post("/approvals", json={**command, "reason": "当事人要求", "role": "manager"})
    assert answer.status_code == 201, answer.text

    page.goto(f"{city.url}/search")
    expect(page.locator("#approvals-waiting")).to_have_text("1 项待办")
    assert violations(page) == []
    page.locator("#approvals-waiting").click()
    expect(page).to_have_url(f"{city.url}/approvals")
    expect(page.locator("nav a[href='/approvals']")).to_have_attribute("aria-current", "page")
    as_actor(page, city, "manager-2")
    page.goto(f"{city.url}/search")
    expect(page.locator("#approvals-waiting")).to_have_count(0)
