"""A burst from the call to the closed file, through the pages alone, each role at its own; the presses are counted."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from domain import kinds
from infra.eventstore.commands import Stream
from infra.identity.demo_accounts import join_demo_accounts
from tests.e2e.city import City

pytestmark = pytest.mark.browser

PRESSES = 18
"""Of all roles together, typing not counted: the number that the dispatcher's document says."""


class Presses:
    """Counts what is pressed."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, *elements: Locator) -> None:
        for element in elements:
            element.click()
            self.count += 1

    def choose(self, element: Locator, value: str) -> None:
        element.select_option(value)
        self.count += 1


@pytest.fixture
def desk(browser: Browser, city: City) -> Iterator[BrowserContext]:
    join_demo_accounts(city.service)
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="zh-CN")
    yield context
    context.close()


@pytest.fixture
def phone(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="zh-CN", has_touch=True)
    yield context
    context.close()


def opened(context: BrowserContext, city: City, path: str, actor: str) -> Page:
    city.show()
    assert context.request.post(f"{city.url}/api/v1/session/demo", data={"actor": actor}).ok
    page = context.new_page()
    page.goto(f"{city.url}{path}")
    return page


def test_a_burst_goes_from_the_call_to_the_closed_file(desk: BrowserContext, phone: BrowserContext, city: City) -> None:
    press = Presses()
    crew = {"crew": "crew-01", "name_zh": "抢修一班", "skills": ["pipes"], "lead": "lead-1"}
    city.post("crews", crew, "office", "manager")
    city.post("crews/crew-01/shift/start", {}, "crew-phone", "crew")
    city.post("crews/crew-01/position", {"district": "zhenxi"}, "crew-phone", "crew")

    hotline = opened(desk, city, "/hotline", "hotline-1")
    press(hotline.get_by_text("爆管", exact=True))
    press.choose(hotline.locator("#f-district"), "zhenxi")
    hotline.locator("[name='reporter.phone']").fill("13800000000")
    press(hotline.get_by_role("button", name="登记", exact=True))
    address = hotline.locator("[role=status] a").get_attribute("href")
    assert address is not None
    case_id = address.rpartition("/")[2]

    office = opened(desk, city, "/dispatch", "dispatcher-1")
    press(office.get_by_role("button", name="派 crew-01"))

    road = opened(phone, city, "/crew", "crew-person-1")
    press(road.get_by_role("button", name="接单", exact=True))
    press(road.get_by_role("button", name="到场", exact=True))
    press(road.locator("#entry").get_by_role("button", name="到场", exact=True))
    press(road.get_by_role("button", name="定级", exact=True))
    press(road.locator("#entry").get_by_text("小修", exact=True))
    press.choose(road.locator("#f-reason"), "no-road-opening")
    press(road.locator("#entry").get_by_role("button", name="定级", exact=True))
    press(road.get_by_role("button", name="修复完成", exact=True))
    press(road.get_by_role("button", name="恢复供水", exact=True))
    expect(road.locator("#unsent")).to_be_empty()
    city.show()

    hotline = opened(desk, city, "/hotline", "hotline-1")
    press(hotline.get_by_role("link", name="已回复"))
    press.choose(hotline.locator("[name=way]"), "phone")
    press(hotline.locator("form .button.first"))

    office = opened(desk, city, f"/cases/{case_id}", "dispatcher-1")
    press(office.get_by_role("link", name="关单", exact=True).first)
    press(office.get_by_role("button", name="关单", exact=True))
    expect(office.get_by_text("已办结")).to_be_visible()

    told = [event["type"].split(".")[2] for event in city.service.load(Stream(kinds.REPAIR, UUID(case_id)))[1]]
    for fact in ("FaultReported", "CrewDispatched", "CrewArrived", "RepairCompleted", "ReporterAnswered"):
        assert told.count(fact) == 1, (fact, told)
    assert press.count == PRESSES
