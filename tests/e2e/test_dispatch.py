"""/dispatch and /hotline in a real browser: what a dispatcher and the hotline do, at few presses."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from domain import kinds
from infra.eventstore.commands import Stream
from infra.identity.demo_accounts import join_demo_accounts
from tests.api_world import fault
from tests.e2e.accessible import violations
from tests.e2e.city import City

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def _accounts(city: City) -> None:
    join_demo_accounts(city.service)


def as_actor(page: Page, city: City, actor: str) -> None:
    assert page.context.request.post(f"{city.url}/api/v1/session/demo", data={"actor": actor}).ok


def shown(page: Page, city: City, path: str = "/dispatch", actor: str | None = "dispatcher-1") -> Page:
    city.show()
    if actor is not None:
        as_actor(page, city, actor)
    page.goto(f"{city.url}{path}")
    return page


def a_crew(city: City, crew: str, district: str) -> None:
    form = {"crew": crew, "name_zh": "抢修一班", "skills": ["pipes"], "lead": "lead-1"}
    city.post("crews", form, "office", "manager")
    city.post(f"crews/{crew}/shift/start", {}, "crew-phone", "crew")
    city.post(f"crews/{crew}/position", {"district": district}, "crew-phone", "crew")


def facts(city: City, case_id: str) -> list[str]:
    return [event["type"].split(".")[2] for event in city.service.load(Stream(kinds.REPAIR, UUID(case_id)))[1]]


def lapsed_and_alerted(city: City) -> str:
    """An incident whose arrival lapsed: an alert to the duty manager, one to the manager."""
    case_id = city.post("repairs", fault())
    city.clock.move(timedelta(minutes=40))
    city.ask(case_id)
    return case_id


def test_the_nearest_free_crew_is_sent_at_one_press(page: Page, city: City) -> None:
    a_crew(city, "crew-7", "zhenxi")
    case_id = city.post("repairs", fault())
    row = shown(page, city).locator("#rows tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("BX-2026-000001")
    row.get_by_role("button", name="派 crew-7").click()
    expect(page).to_have_url(f"{city.url}/dispatch")
    assert facts(city, case_id).count("CrewDispatched") == 1
    shown(page, city)
    expect(row).to_contain_text("crew-7")
    expect(row).to_contain_text("接单")


def test_each_sees_what_is_their_turn(page: Page, city: City) -> None:
    waiting, sent = city.post("repairs", fault()), city.post("repairs", fault())
    city.post(f"repairs/{sent}/dispatch", {"crew": "crew-1"}, "office", "dispatcher")
    rows = shown(page, city).locator("#rows tbody tr")
    expect(rows).to_have_count(2)
    page.locator("#turn").select_option("crew")
    page.get_by_role("button", name="筛选").click()
    expect(rows).to_have_attribute("data-case", sent)
    shown(page, city, "/dispatch?turn=dispatcher")
    expect(rows).to_have_attribute("data-case", waiting)
    shown(page, city, "/dispatch?crew=crew-1")
    expect(rows).to_have_attribute("data-case", sent)


def test_a_district_counts_what_its_list_then_shows(page: Page, city: City) -> None:
    sent, waiting = (city.post("repairs", fault(reporter={"phone": "13812345678"})) for _ in range(2))
    city.post(f"repairs/{sent}/dispatch", {"crew": "crew-1"}, "office", "dispatcher")
    shown(page, city, "/dispatch?turn=dispatcher")
    tile = page.get_by_role("list", name="片区").get_by_role("link")
    expect(tile).to_contain_text("在办 1")
    tile.click()
    expect(page.locator("#rows tbody tr")).to_have_attribute("data-case", waiting)
    expect(page.locator("#turn")).to_have_value("dispatcher")


def test_an_arrival_without_evidence_says_until_when_it_may_follow(page: Page, city: City) -> None:
    case_id = city.post("repairs", fault())
    city.post(f"repairs/{case_id}/arrival", {"crew": "crew-1"}, "crew-phone", "crew")
    expect(shown(page, city).locator("#rows tbody tr")).to_contain_text("待补到场证据，至 09-17 09:00")


def test_the_most_overdue_comes_first_and_says_so(page: Page, city: City) -> None:
    overdue = lapsed_and_alerted(city)
    city.post("repairs", fault())
    rows = shown(page, city).locator("#rows tbody tr")
    expect(rows.first).to_have_attribute("data-case", overdue)
    expect(rows.first).to_contain_text("超 10 分钟")
    expect(rows.last).to_contain_text("剩 30 分钟")


def test_an_alert_is_on_the_page_until_somebody_takes_it_in_hand(page: Page, city: City) -> None:
    case_id = lapsed_and_alerted(city)
    rows = shown(page, city, actor="manager-1").locator("#alerts tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("超时已 10 分钟")
    rows.get_by_role("button", name="确认接手").click()
    expect(page.locator("#alerts")).to_have_count(0)
    acknowledged = city.service.load(Stream(kinds.REPAIR, UUID(case_id)))[1][-1]
    assert (acknowledged["type"], acknowledged["actor"]) == ("water.repair.WindowAcknowledged.v1", "manager-1")


def test_the_page_looks_again_by_itself(page: Page, city: City) -> None:
    shown(page, city)
    expect(page.locator("#none")).to_be_visible()
    city.post("repairs", fault())
    city.show()
    expect(page.locator("#rows tbody tr")).to_have_count(1)


def test_a_visitor_is_led_to_sign_in_before_anything_is_sent(page: Page, city: City) -> None:
    case_id = city.post("repairs", fault())
    shown(page, city, f"/do/repairs_dispatch?case_id={case_id}", actor=None)
    expect(page).to_have_url(f"{city.url}/login?next=%2Fdo%2Frepairs_dispatch%3Fcase_id%3D{case_id}")
    page.locator("[data-actor=dispatcher-1]").click()
    expect(page.get_by_role("heading", name="派单")).to_be_visible()


@pytest.fixture(params=["zh", "en"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_report_is_taken_down_and_a_second_one_is_linked(page: Page, city: City, language: str) -> None:
    shown(page, city, f"/language?to={language}&next=/hotline", actor="hotline-1")
    take, link = {"zh": ("登记", "并入"), "en": ("take it down", "link to")}[language]
    page.locator("[name=kind][value=burst]").check()
    page.locator("#f-district").select_option("zhenxi")
    page.locator("[name='reporter.phone']").fill("13800000000")
    page.get_by_role("button", name=take, exact=True).click()
    expect(page.locator("[role=status]")).to_contain_text("BX-2026-000001")
    city.show()
    page.locator("[name=kind][value=leak]").check()
    page.locator("#f-district").select_option("zhenxi")
    page.get_by_role("button", name=take, exact=True).click()
    page.get_by_role("button", name=link).first.click()
    expect(page.locator("[role=status]")).to_contain_text("BX-2026-000001")
    page.locator("[role=status] a").click()
    expect(page.get_by_role("heading", name="BX-2026-000001")).to_be_visible()


def test_a_reporter_is_told_and_their_telephone_is_shown_for_it_alone(page: Page, city: City) -> None:
    case_id = city.post("repairs", fault(reporter={"phone": "13812345678"}))
    city.post(f"repairs/{case_id}/completion", {}, "crew-phone", "crew")
    city.post(f"repairs/{case_id}/closure", {}, "office", "dispatcher")
    shown(page, city, "/hotline", actor="hotline-1")
    page.get_by_role("link", name="电话", exact=True).click()
    expect(page.locator("main")).to_contain_text("138****5678")
    page.get_by_role("button", name="显示").click()
    expect(page.locator("a[href='tel:13812345678']")).to_be_visible()
    page.goto(f"{city.url}/hotline")
    page.get_by_role("link", name="已回复").click()
    page.locator("[name=way]").select_option("phone")
    page.locator("form .button.first").click()
    expect(page).to_have_url(f"{city.url}/hotline")
    assert facts(city, case_id).count("ReporterAnswered") == 1


def test_two_incidents_of_one_burst_are_merged(page: Page, city: City) -> None:
    first, second = city.post("repairs", fault()), city.post("repairs", fault())
    shown(page, city, f"/cases/{second}")
    page.get_by_role("link", name="并入该工单").click()
    page.locator("form .button.first").click()
    expect(page).to_have_url(f"{city.url}/cases/{first}")
    assert facts(city, second).count("IncidentMerged") == 1


def test_a_case_is_found_by_number_by_telephone_and_by_address(page: Page, city: City) -> None:
    city.post("repairs", fault(reporter={"phone": "13812345678", "address": "人民北路 1 号 2 栋"}))
    shown(page, city, "/search", actor="hotline-1")
    page.locator("#number").fill("bx-2026-000001")
    page.get_by_role("button", name="查编号").click()
    expect(page.get_by_role("link", name="BX-2026-000001")).to_be_visible()
    page.locator("#phone").fill("138 1234 5678")
    page.get_by_role("button", name="查电话").click()
    expect(page.get_by_role("link", name="BX-2026-000001")).to_be_visible()
    assert "13812345678" not in page.url
    page.locator("#address").fill("人民北路１号二幢")
    page.get_by_role("button", name="查地址").click()
    expect(page.get_by_role("link", name="BX-2026-000001")).to_be_visible()
    assert page.url == f"{city.url}/search"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/dispatch", "/hotline", "/crews", "/search", "/login", "/design", "/cases"])
def test_everybody_can_use_the_pages_on_a_telephone_too(page: Page, city: City, path: str, scheme: str) -> None:
    a_crew(city, "crew-7", "zhenxi")
    case_id = lapsed_and_alerted(city)
    page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    page.set_viewport_size({"width": 390, "height": 844})
    shown(page, city, f"/cases/{case_id}" if path == "/cases" else path, actor="duty-manager-1")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert violations(page) == []


def test_a_crew_is_sent_by_the_keyboard_alone(page: Page, city: City) -> None:
    a_crew(city, "crew-7", "zhenxi")
    case_id = city.post("repairs", fault())
    shown(page, city)
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "派 crew-7":
            break
    page.keyboard.press("Enter")
    expect(page.locator("#rows")).to_be_visible()
    assert facts(city, case_id).count("CrewDispatched") == 1
