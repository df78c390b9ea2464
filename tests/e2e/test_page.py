"""The board in a real browser: what an operator sees, over real PostgreSQL, with the projections' own rows."""

from __future__ import annotations

import re
from datetime import timedelta

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from domain import kinds
from infra.identity.demo_accounts import join_demo_accounts
from tests.api_world import PAPERS, application, fault
from tests.e2e.accessible import violations
from tests.e2e.city import City

pytestmark = pytest.mark.browser


def opened(page: Page, city: City) -> Page:
    page.goto(f"{city.url}/board")
    expect(page.locator("body")).to_have_attribute("data-state", "shown")
    expect(page.locator("#live")).to_have_attribute("data-state", "on")
    return page


def late_repair(city: City) -> str:
    """A repair with a lapsed arrival on record."""
    case_id = city.post("repairs", fault(kind="burst"))
    city.post(f"repairs/{case_id}/dispatch", {"crew": "crew-2"}, "office", "dispatcher")
    for minutes in (6, 34):
        city.clock.move(timedelta(minutes=minutes))
        city.ask(case_id)
    city.show()
    return case_id


def test_the_board_shows_counts_running_limits_and_the_stream(page: Page, city: City) -> None:
    late_repair(city)
    city.post("repairs", fault())
    city.post("connections", application(documents=PAPERS), channel="website", role="applicant")
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


def test_an_escalation_is_called_what_it_is(page: Page, city: City) -> None:
    case_id = late_repair(city)
    city.clock.move(timedelta(minutes=11))
    city.ask(case_id)
    city.show()
    opened(page, city)
    escalated = page.locator('#stream .breach[data-change="escalated"] .text').first
    expect(escalated).to_contain_text("到场超时未接手")
    expect(page.locator('#stream .breach[data-change="nearing"] .text').first).to_contain_text("时限临近")


def test_a_real_installation_shows_its_own_counts_alone(page: Page, city: City) -> None:
    opened(page, city)
    expect(page.locator("#n-published")).to_be_visible()
    join_demo_accounts(city.service)
    page.goto(f"{city.url}/login")
    page.locator("[data-actor=auditor-1]").click()
    expect(page.locator(".me")).to_contain_text("auditor-1")
    city.service.settings = city.service.settings.model_copy(update={"demo": False})
    opened(page, city)
    expect(page.locator("#n-applications")).to_be_visible()
    for number in ("#n-published", "#published-note"):
        expect(page.locator(number)).to_be_hidden()
    page.goto(f"{city.url}/disclosure")
    expect(page.locator("#figures")).to_be_visible()
    expect(page.locator("#beside")).to_be_hidden()


def test_what_is_real_and_what_is_simulated_is_said(page: Page, city: City) -> None:
    opened(page, city)
    expect(page.locator("#demo")).to_be_visible()
    expect(page.locator("#demo-real")).to_contain_text("基奇纳")
    expect(page.locator("#demo-real")).to_contain_text("波士顿")
    expect(page.locator("#demo-simulated")).to_contain_text("报装申请")


def test_a_lapse_and_its_retraction_appear_without_reloading(page: Page, city: City) -> None:
    opened(page, city)
    case_id = late_repair(city)
    expect(page.locator('#stream .breach[data-change="lapsed"]')).to_have_count(1)
    arrived_at = (city.clock.now() - timedelta(minutes=15)).isoformat()
    city.post(f"repairs/{case_id}/arrival", {"crew": "crew-2", "happened_at": arrived_at}, "crew-phone", "crew")
    city.show()
    first = page.locator("#stream .breach").first
    expect(first).to_have_attribute("data-change", "retracted")
    expect(first).to_contain_text("已按时兑现")
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
    expect(page.locator('#timeline li[data-tone="bad"]').first).to_contain_text("超时")
    expect(page.locator("#timeline")).to_contain_text("依据 2026-06-1")
    expect(page.locator("#case-number")).to_have_text(re.compile(r"^BX-2026-\d{6}$"))
    page.keyboard.press("Escape")
    expect(page.locator("#drawer")).to_be_hidden()


def test_an_arrival_that_awaits_its_evidence_says_so_in_its_case(page: Page, city: City) -> None:
    case_id = late_repair(city)
    city.post(f"repairs/{case_id}/arrival", {"crew": "crew-2"}, "crew-phone", "crew")
    city.show()
    opened(page, city)
    page.locator("#stream .breach").first.click()
    expect(page.locator("#case-windows")).to_contain_text("待补证据，至")
    expect(page.locator("#timeline")).to_contain_text("待补证据，暂计至")


def test_a_limits_promise_can_be_read_on_a_laptop(page: Page, city: City) -> None:
    late_repair(city)
    page.set_viewport_size({"width": 1280, "height": 900})
    opened(page, city)
    expect(page.locator(".window .promise").first).to_be_visible()
    lines = "[...document.querySelectorAll('.window .promise, .stream h2')]"
    assert set(page.evaluate(f"{lines}.map((each) => each.scrollWidth > each.clientWidth)")) == {False}


def test_everything_can_be_reached_by_keyboard(page: Page, city: City) -> None:
    city.post("repairs", fault())
    city.show()
    opened(page, city)
    for _ in range(60):
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
    assert page.title() == "服务承诺看板 · 通水"


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
    expect(page.locator('#parts li[data-state="down"]')).to_contain_text("存储不可用")
    context.unroute("**/healthz")
    expect(page.locator('#parts li[data-state="up"]').first).to_contain_text("存储")
    context.close()


def test_the_reference_reads_the_description(page: Page, city: City) -> None:
    page.goto(f"{city.url}/docs")
    paths = httpx.get(f"{city.url}/openapi.json", timeout=60).json()["paths"]
    operations = sum(len(methods) for methods in paths.values())
    assert operations > 60
    expect(page.locator("details")).to_have_count(operations)
    report = page.locator("details", has=page.get_by_text("/api/v1/repairs", exact=True))
    report.click()
    expect(report.locator("pre").first).to_contain_text("reporter")


def test_what_belongs_to_a_mass_incident_is_tagged_and_its_lapse_is_seen(page: Page, city: City) -> None:
    city.post(
        "mass-incidents",
        {"mass": "frost-a", "cause": "frost", "districts": ["zhenxi"]},
        channel="office",
        role="manager",
    )
    late_repair(city)
    city.post("repairs", fault(district="hexi"))
    city.show()
    opened(page, city)
    lapsed = page.locator('#stream .breach[data-change="lapsed"]')
    expect(lapsed.locator(".mass")).to_contain_text("群发事件")
    expect(page.locator("#windows .mass")).to_have_count(1)
    expect(page.locator("#windows .window")).to_have_count(3)
    expect(page.locator("#n-lapses")).to_have_text("1")


def test_an_outage_is_on_the_board_with_its_number_and_its_timeline(page: Page, city: City) -> None:
    incident = city.post("repairs", fault(kind="burst"))
    form = {"incident": incident, "districts": ["zhenxi"], "affected_users": 300}
    outage = city.post("outages/emergency", form, channel="office", role="manager")
    city.clock.move(timedelta(minutes=61))
    city.ask(outage, kinds.OUTAGE)
    city.show()
    opened(page, city)
    lapsed = page.locator('#stream .breach[data-change="lapsed"]')
    expect(lapsed).to_contain_text("突发停水")
    expect(lapsed).to_contain_text("停水通知超时")
    expect(lapsed.locator(".number")).to_contain_text(re.compile(r"TS-2026-\d{6}"))
    lapsed.click()
    expect(page.locator("#timeline li").first).to_contain_text("突发停水")
    expect(page.locator("#case-facts")).to_contain_text("停水中")


@pytest.mark.parametrize(
    ("language", "lapsed", "district"),
    [("zh", "到场超时", "镇溪街道"), ("en", "arrival lapsed", "Zhenxi Subdistrict")],
)
def test_everybody_can_use_the_board_in_light_and_dark_in_their_language(
    page: Page, city: City, language: str, lapsed: str, district: str
) -> None:
    late_repair(city)
    page.goto(f"{city.url}/language?to={language}&next=/board")
    expect(page.locator('#stream .breach[data-change="lapsed"]')).to_contain_text(lapsed)
    expect(page.locator("#windows .what").first).to_contain_text(district)
    for scheme, width in (("light", 1440), ("dark", 390)):
        page.emulate_media(color_scheme="light" if scheme == "light" else "dark", reduced_motion="reduce")
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == [], scheme
    page.locator("#stream .breach").first.click()
    expect(page.locator("#timeline li").first).to_be_visible()
    assert violations(page) == []


def test_an_open_case_stands_in_the_address_and_survives_a_reload(page: Page, city: City) -> None:
    case_id = late_repair(city)
    opened(page, city)
    row = page.locator("#stream .breach").first
    expect(row).to_have_attribute("href", f"/cases/{case_id}")
    row.click()
    expect(page).to_have_url(f"{city.url}/board?case={case_id}")
    page.reload()
    expect(page.locator("#case-number")).to_have_text("BX-2026-000001")
    page.locator("#case-windows a").first.click()
    expect(page).to_have_url(re.compile(f"/cases/{case_id}/promises/repair"))
    page.go_back()
    page.locator("#close").click()
    expect(page).to_have_url(f"{city.url}/board")


def behind(route: Route, events: int) -> None:
    answer = route.fetch()
    route.fulfill(response=answer, json={**answer.json(), "readers": [{"name": "board", "lag": events}]})


def test_lapses_lateness_and_lag_are_shown_by_the_hour_and_a_sound_only_if_switched_on(page: Page, city: City) -> None:
    late_repair(city)
    opened(page, city)
    expect(page.locator("#trend-words")).to_have_text("共 1 次，最多一小时 1 次")
    expect(page.locator("#trend rect")).to_have_count(24)
    expect(page.locator("#trend rect:not(.none)")).to_have_count(1)
    expect(page.locator("#lateness rect")).to_have_count(24)
    expect(page.locator("#lateness rect:not(.none)")).to_have_count(1)
    expect(page.locator("#lateness-words")).to_have_text("中位数 10 分 00 秒，最长 10 分 00 秒")
    expect(page.locator("#lag-words")).to_have_text("现在：读模型 0、转发 0；最多 0")
    page.route("**/healthz", lambda route: behind(route, 7))
    expect(page.locator("#lag-words")).to_have_text("现在：读模型 7、转发 0；最多 7")
    expect(page.locator("#lag rect:not(.none)")).not_to_have_count(0)
    sound = page.locator("#sound")
    expect(sound).to_have_attribute("aria-pressed", "false")
    sound.click()
    expect(sound).to_have_attribute("aria-pressed", "true")
    page.locator("#wall").click()
    expect(page.locator("#wall")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("header.top")).to_be_hidden()
