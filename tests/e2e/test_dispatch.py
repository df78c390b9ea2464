"""/dispatch in a real browser: what a dispatcher, a crew and the hotline have to do next."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from domain import kinds
from infra.eventstore.commands import Stream
from tests.api_world import fault
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
    expect(rows.last).to_contain_text("after-10-min")
    rows.first.get_by_role("button").click()
    expect(page.locator("#alert-failed")).to_contain_text("请先选择岗位并填写工号")
    page.locator("#me-role").select_option("manager")
    page.locator("#me-actor").fill("manager-7")
    page.locator("#me-actor").press("Tab")
    expect(rows).to_have_count(1)
    rows.get_by_role("button").click()
    expect(page.locator("#no-alerts")).to_be_visible()
    acknowledged = city.service.load(Stream(kinds.REPAIR, UUID(case_id)))[1][-1]
    assert (acknowledged["type"], acknowledged["actor"]) == ("water.repair.WindowAcknowledged.v1", "manager-7")
