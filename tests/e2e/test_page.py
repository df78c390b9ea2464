"""The board in a real browser: what an operator sees, over real PostgreSQL, with the projections' own rows."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from api.app import create_app
from domain import kinds
from infra.clock import ManualClock
from infra.service import Service, open_service
from infra.settings import Settings
from infra.store.commands import Command, Stamp, Stream
from tests.api_read_models import project
from tests.api_world import application, fault, served

pytestmark = pytest.mark.browser

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


# Not for the session: while Playwright's loop lives in this thread no other test can run one of its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, as the system has it or as Playwright brought it."""
    with sync_playwright() as playwright:
        found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
        path = found or playwright.chromium.executable_path
        if not Path(path).exists():
            reason = "no Chromium: apt-get install chromium, or playwright install chromium"
            pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
        launched = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield launched
        launched.close()


class City:
    """A running installation without Kafka: commands over HTTP, read models folded from the store."""

    def __init__(self, service: Service, clock: ManualClock, url: str) -> None:
        self.service = service
        self.clock = clock
        self.url = url
        self._shown = 0

    def post(self, path: str, body: dict[str, Any], channel: str = "hotline") -> str:
        answer = httpx.post(f"{self.url}/api/v1/{path}", json=body, headers={"X-Channel": channel}, timeout=20)
        assert answer.status_code < 300, answer.text
        case_id: str = answer.json()["case_id"]
        return case_id

    def ask(self, case_id: str) -> None:
        """What the window watch does when a limit comes due."""
        stamp = Stamp("watch", "system", "system", str(uuid4()), "watch")
        self.service.run(Command(Stream(kinds.REPAIR, UUID(case_id)), stamp, lambda sight: []))

    def show(self) -> None:
        """Fold what is new in the store into the read models."""
        with self.service.connection() as connection:
            rows = connection.execute(
                "SELECT state FROM store.stored_events WHERE notification_id > %s ORDER BY notification_id",
                [self._shown],
            ).fetchall()
        events = [json.loads(row["state"]) for row in rows]
        self._shown = max([self._shown, *(event["position"] for event in events)])
        project(self.service, [event for event in events if event["type"].split(".")[1] in ("repair", "connection")])


@pytest.fixture
def city(store_settings: Settings, clock: ManualClock) -> Iterator[City]:
    service = open_service(store_settings.model_copy(update={"demo": True}), clock=clock)
    with served(create_app(service)) as url:
        yield City(service, clock, url)
    service.close()


@pytest.fixture
def page(browser: Browser, city: City) -> Iterator[Page]:
    """A page of 1440 × 900 that may load nothing from elsewhere and may complain about nothing."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="zh-CN")
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: None if request.url.startswith(city.url) else troubles.append(request.url))
    yield page
    context.close()
    assert troubles == []


def opened(page: Page, city: City) -> Page:
    page.goto(city.url)
    expect(page.locator("body")).to_have_attribute("data-state", "shown")
    expect(page.locator("#live")).to_have_attribute("data-state", "on")
    return page


def late_repair(city: City) -> str:
    """A repair with a lapsed arrival on record."""
    case_id = city.post("repairs", fault(kind="burst"))
    city.post(f"repairs/{case_id}/dispatch", {"crew": "crew-2"})
    for minutes in (6, 34):
        city.clock.move(timedelta(minutes=minutes))
        city.ask(case_id)
    city.show()
    return case_id


def test_the_board_shows_counts_running_limits_and_the_stream(page: Page, city: City) -> None:
    late_repair(city)
    city.post("repairs", fault())
    application_id = city.post("connections", application(), channel="counter")
    city.post(f"connections/{application_id}/admission", {})
    city.show()
    opened(page, city)
    expect(page.locator("#n-open")).to_have_text("2")
    expect(page.locator("#n-lapses")).to_have_text("1")
    expect(page.locator("#n-applications")).to_have_text("1")
    expect(page.locator("#n-published")).to_have_text("240")
    expect(page.locator("#published-note")).to_contain_text("238")
    windows = page.locator("#windows .window")
    expect(windows).to_have_count(4)
    expect(windows.first).to_contain_text("漏水")
    expect(windows.first.locator(".left b")).to_have_text(re.compile(r"^剩 (30 分 00|29 分 5\d) 秒$"))
    lapsed = page.locator('#stream .breach[data-change="lapsed"]')
    expect(lapsed).to_have_count(1)
    expect(lapsed).to_contain_text("爆管")
    nearing = page.locator('#stream .breach[data-change="nearing"]').first
    expect(nearing).to_contain_text("须处理")
    expect(page.locator("#clock-time")).to_have_text(re.compile(r"^09:40:0\d$"))


def test_what_is_real_and_what_is_simulated_is_said(page: Page, city: City) -> None:
    opened(page, city)
    expect(page.locator("#demo")).to_be_visible()
    expect(page.locator("#demo-real")).to_contain_text("基奇纳")
    expect(page.locator("#demo-real")).to_contain_text("Boston")
    expect(page.locator("#demo-simulated")).to_contain_text("报装申请")


def test_a_lapse_and_its_retraction_appear_without_reloading(page: Page, city: City) -> None:
    opened(page, city)
    case_id = late_repair(city)
    expect(page.locator('#stream .breach[data-change="lapsed"]')).to_have_count(1)
    arrived_at = (city.clock.now() - timedelta(minutes=15)).isoformat()
    city.post(f"repairs/{case_id}/arrival", {"crew": "crew-2", "happened_at": arrived_at}, channel="crew-phone")
    city.show()
    first = page.locator("#stream .breach").first
    expect(first).to_have_attribute("data-change", "retracted")
    expect(first).to_contain_text("实际按时兑现")
    expect(page.locator("#n-retracted")).to_have_text("1")
    expect(page.locator("#n-lapses")).to_have_text("0")
    page.locator("#hide-nearing").click()
    expect(page.locator('#stream .breach[data-change="nearing"]').first).to_be_hidden()


def test_a_click_on_a_case_opens_its_timeline_and_escape_closes_it(page: Page, city: City) -> None:
    late_repair(city)
    opened(page, city)
    page.locator("#stream .breach").first.click()
    entries = page.locator("#timeline li")
    expect(entries.first).to_contain_text("报修")
    expect(page.locator('#timeline li[data-tone="bad"]')).to_contain_text("超时")
    expect(page.locator("#timeline")).to_contain_text("依据 0225-1")
    expect(page.locator("#case-number")).to_have_text(re.compile(r"^BX-2026-\d{6}$"))
    page.keyboard.press("Escape")
    expect(page.locator("#drawer")).to_be_hidden()


def test_everything_can_be_reached_by_keyboard(page: Page, city: City) -> None:
    city.post("repairs", fault())
    city.show()
    opened(page, city)
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('window')"):
            break
    page.keyboard.press("Enter")
    expect(page.locator("#timeline li").first).to_be_visible()


def test_text_from_the_server_is_never_markup(page: Page, city: City) -> None:
    city.post("repairs", fault())
    city.show()
    hostile = "<img src=x onerror=document.title='owned'>"
    with city.service.connection() as connection:
        connection.execute("UPDATE views.cases SET crew = %s, kind = %s, case_number = %s", [hostile] * 3)
    opened(page, city)
    expect(page.locator("#windows .number").first).to_have_text(hostile)
    assert page.locator("main img").count() == 0
    assert page.title() == "通水 · 服务承诺看板"


def test_nothing_jumps_about_while_it_loads_and_runs(page: Page, city: City) -> None:
    late_repair(city)
    page.add_init_script(
        "window.shift = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries())"
        " if (!entry.hadRecentInput) window.shift += entry.value; }).observe({ type: 'layout-shift', buffered: true });"
    )
    opened(page, city)
    asked = [page.wait_for_event("response", lambda answer: "/counts" in answer.url) for _ in range(2)]
    assert all(answer.status == 200 for answer in asked)
    assert page.evaluate("window.shift") < 0.02


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1024, 768), (1440, 900)])
def test_the_board_fits_the_screen(page: Page, city: City, width: int, height: int) -> None:
    late_repair(city)
    page.set_viewport_size({"width": width, "height": height})
    opened(page, city)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width >= 1024:
        assert page.evaluate("document.documentElement.scrollHeight") <= height, "the panels scroll, not the page"
    page.locator("#stream .breach").first.click()
    expect(page.locator("#close")).to_be_in_viewport()


def test_chinese_and_english_are_marked_as_what_they_are(page: Page, city: City) -> None:
    opened(page, city)
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    unmarked = page.evaluate(
        "[...document.querySelectorAll('body *')].filter((e) => !e.closest('[lang=en]') && e.tagName !== 'NOSCRIPT' &&"
        " [...e.childNodes].some((n) => n.nodeType === 3 && /[a-z]{4,}(?![^<]*>)/.test(n.textContent) &&"
        " !/[\\u4e00-\\u9fff]/.test(n.textContent))).map((e) => e.textContent.trim())"
    )
    assert unmarked == []


def test_a_store_that_is_away_is_shown_and_so_is_its_return(browser: Browser, city: City) -> None:
    context = browser.new_context()
    page = context.new_page()
    opened(page, city)
    context.route("**/healthz", lambda route: route.fulfill(status=503, json={"code": "store-unavailable"}))
    expect(page.locator('#parts li[data-state="down"]')).to_contain_text("存储不可用", timeout=10_000)
    context.unroute("**/healthz")
    expect(page.locator('#parts li[data-state="up"]').first).to_contain_text("存储", timeout=10_000)
    context.close()


def test_the_reference_reads_the_description(page: Page, city: City) -> None:
    page.goto(f"{city.url}/docs")
    expect(page.locator("details")).to_have_count(23)
    page.locator("details", has_text="/api/v1/repairs").first.click()
    expect(page.locator("details pre").first).to_contain_text("reporter")
