"""/dispatch in a real browser: what a dispatcher, a crew and the hotline have to do next."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from domain import kinds
from infra.eventstore.commands import Stream
from infra.identity.demo_accounts import join_demo_accounts
from tests.api_world import PAPERS, application, fault
from tests.e2e.city import City

pytestmark = pytest.mark.browser


def shown(page: Page, city: City, query: str = "") -> Page:
    city.show()
    page.goto(f"{city.url}/dispatch{query}")
    expect(page.locator("body")).to_have_attribute("data-state", "shown")
    return page


def a_crew(city: City, crew: str, district: str) -> None:
    form = {"crew": crew, "name_zh": "抢修一班", "skills": ["pipes"], "lead": "lead-1"}
    city.post("crews", form, "office", "manager")
    city.post(f"crews/{crew}/shift/start", {}, "crew-phone", "crew")
    city.post(f"crews/{crew}/position", {"district": district}, "crew-phone", "crew")


def test_an_incident_without_a_crew_shows_which_are_free_and_what_is_next(page: Page, city: City) -> None:
    a_crew(city, "crew-7", "zhenxi")
    city.post("repairs", fault())
    row = shown(page, city).locator("#rows tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("BX-2026-000001")
    expect(row).to_contain_text("派单")
    expect(row).to_contain_text("到场")
    expect(row.locator("td").last).to_have_text("crew-7")


def test_each_sees_what_is_their_turn(page: Page, city: City) -> None:
    waiting, sent = city.post("repairs", fault()), city.post("repairs", fault())
    city.post(f"repairs/{sent}/dispatch", {"crew": "crew-1"}, "office", "dispatcher")
    rows = shown(page, city).locator("#rows tr")
    expect(rows).to_have_count(2)
    page.locator("#role").select_option("crew")
    expect(rows).to_have_count(1)
    expect(rows).to_have_attribute("data-case", sent)
    page.locator("#role").select_option("dispatcher")
    expect(rows).to_have_attribute("data-case", waiting)
    rows = shown(page, city, "?crew=crew-1").locator("#rows tr")
    expect(rows).to_have_attribute("data-case", sent)
    expect(page.locator("#crew")).to_have_value("crew-1")


def test_a_closed_incident_is_the_hotlines_until_everybody_is_told(page: Page, city: City) -> None:
    case_id = city.post("repairs", fault())
    city.post(f"repairs/{case_id}/completion", {}, "crew-phone", "crew")
    city.post(f"repairs/{case_id}/closure", {}, "office", "dispatcher")
    rows = shown(page, city, "?role=hotline").locator("#rows tr")
    expect(rows).to_contain_text("回复报修人")
    city.post(f"repairs/{case_id}/reports/1/answer", {"way": "phone"}, "hotline", "hotline")
    shown(page, city)
    expect(page.locator("#none")).to_be_visible()


def test_an_arrival_without_evidence_says_until_when_it_may_follow(page: Page, city: City) -> None:
    case_id = city.post("repairs", fault())
    city.post(f"repairs/{case_id}/arrival", {"crew": "crew-1"}, "crew-phone", "crew")
    rows = shown(page, city).locator("#rows tr")
    expect(rows).to_contain_text("待补到场证据，至 09/17 09:00")
    expect(rows).to_contain_text("亦可：补充到场证据")
    expect(rows).to_contain_text("arrival awaits evidence")


def test_the_most_overdue_comes_first_and_says_so(page: Page, city: City) -> None:
    overdue = city.post("repairs", fault())
    city.clock.move(timedelta(minutes=40))
    city.ask(overdue)
    city.post("repairs", fault())
    rows = shown(page, city).locator("#rows tr")
    expect(rows.first).to_have_attribute("data-case", overdue)
    expect(rows.first).to_contain_text("已逾期")
    expect(rows.last).not_to_contain_text("已逾期")


def test_a_crew_that_has_nothing_to_do_is_told_so(page: Page, city: City) -> None:
    city.post("repairs", fault())
    shown(page, city, "?role=crew&crew=crew-7")
    expect(page.locator("#none-chosen")).to_contain_text("nothing is this role's or this crew's turn now")
    expect(page.locator("#none")).to_be_hidden()
    shown(page, city)
    expect(page.locator("#none-chosen")).to_be_hidden()


def test_an_alert_is_on_the_page_until_somebody_takes_it_in_hand(page: Page, city: City) -> None:
    case_id = city.post("repairs", fault())
    city.clock.move(timedelta(minutes=40))
    city.ask(case_id)
    rows = shown(page, city).locator("#alerts tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("超时")
    expect(rows.last).to_contain_text("超时已 10 分钟")
    expect(rows.last).to_contain_text("10 min since the lapse")
    rows.first.get_by_role("button").click()
    expect(page.locator("#alert-failed")).to_contain_text("请先登录")
    join_demo_accounts(city.service)
    page.locator("#who").click()
    page.locator("[data-actor=manager-1]").click()
    expect(page.locator("#who")).to_contain_text("manager-1")
    page.locator("#me-role").select_option("manager")
    expect(rows).to_have_count(1)
    rows.get_by_role("button").click()
    expect(page.locator("#no-alerts")).to_be_visible()
    acknowledged = city.service.load(Stream(kinds.REPAIR, UUID(case_id)))[1][-1]
    assert (acknowledged["type"], acknowledged["actor"]) == ("water.repair.WindowAcknowledged.v1", "manager-1")


def lapsed_and_alerted(city: City) -> str:
    """An incident whose arrival lapsed: an alert to the duty manager, one to the manager."""
    case_id = city.post("repairs", fault())
    city.clock.move(timedelta(minutes=40))
    city.ask(case_id)
    return case_id


@pytest.mark.parametrize(
    ("query", "alerts", "first"),
    [("", 2, "h-alerts"), ("?role=manager", 1, "h-alerts"), ("?role=crew", 0, "h-dispatch")],
)
def test_a_roles_own_address_shows_its_alerts_and_a_crew_its_incidents_first(
    page: Page, city: City, query: str, alerts: int, first: str
) -> None:
    lapsed_and_alerted(city)
    shown(page, city, query)
    expect(page.locator("#alerts tr")).to_have_count(alerts)
    expect(page.locator("#me-role")).to_have_value(query.removeprefix("?role="))
    expect(page.locator("main section").first).to_have_attribute("aria-labelledby", first)


@pytest.mark.parametrize("path", ["", "desk", "dispatch"])
def test_on_a_telephone_nothing_lies_beside_the_page(page: Page, city: City, path: str) -> None:
    lapsed_and_alerted(city)
    city.post("connections", application(documents=PAPERS), channel="website", role="applicant")
    city.show()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{city.url}/{path}")
    expect(page.locator("body")).to_have_attribute("data-state", "shown")
    expect(page.locator(".window" if path == "" else "#rows tr").first).to_be_visible()
    wide = "[...document.querySelectorAll('html, .card, .top')].map((each) => each.scrollWidth - each.clientWidth)"
    assert set(page.evaluate(wide)) == {0}


def test_on_a_telephone_an_alert_is_a_card_with_its_button(page: Page, city: City) -> None:
    lapsed_and_alerted(city)
    page.set_viewport_size({"width": 390, "height": 844})
    shown(page, city)
    for button in page.locator("#alerts").get_by_role("button").all():
        box = button.bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 390
    expect(page.locator("#alerts td").first).to_have_attribute("data-label", "告警")


def test_an_incident_leads_to_its_timeline_on_the_board(page: Page, city: City) -> None:
    case_id = city.post("repairs", fault())
    city.post(f"repairs/{case_id}/dispatch", {"crew": "crew-1"}, "office", "dispatcher")
    body = {"crew": "crew-1", "expected_at": (city.clock.now() + timedelta(minutes=50)).isoformat()}
    city.post(f"repairs/{case_id}/delay", body, "crew-phone", "crew")
    row = shown(page, city).locator("#rows tr")
    expect(row.locator("td").nth(3)).to_contain_text("预计 09/16 09:50 到场")
    box = row.locator("td").last.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)  # the whole row is the link
    expect(page.locator("#drawer")).to_be_visible()
    expect(page.locator("#case-number")).to_have_text("BX-2026-000001")
    expect(page.locator("#timeline")).to_contain_text("预计到场")
