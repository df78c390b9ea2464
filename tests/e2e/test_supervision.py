"""The pages of auditors, of who publishes the rules and of who supervises charging, in a real browser: why a verdict
stands, as it was known then; what a calendar would move; what was charged."""

from __future__ import annotations

import csv
import json
import re
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from playwright.sync_api import Browser, Page, expect

from infra.eventstore.shipped_rules import shipped_trials
from infra.identity.demo_accounts import join_demo_accounts
from projections.reports.what_if import Period, trial
from tests.api_world import PAPERS, application, fault
from tests.e2e.accessible import violations
from tests.e2e.city import City

pytestmark = pytest.mark.browser

YEAR = json.loads(Path("infra/data/holiday-cn/2026.json").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def _accounts(city: City) -> None:
    join_demo_accounts(city.service)


def shown(page: Page, city: City, path: str, actor: str = "auditor-1", language: str = "zh") -> Page:
    city.show()
    assert page.context.request.post(f"{city.url}/api/v1/session/demo", data={"actor": actor}).ok
    page.goto(f"{city.url}/language?to={language}&next={path}")
    return page


def lapsed_then_retracted(city: City) -> str:
    """An incident whose arrival lapsed, and whose crew said later that it had been there in time."""
    case_id = city.post("repairs", fault())
    city.post(f"repairs/{case_id}/dispatch", {"crew": "crew-2"}, "office", "dispatcher")
    city.clock.move(timedelta(minutes=40))
    city.ask(case_id)
    city.clock.move(timedelta(minutes=1))
    happened_at = (city.clock.now() - timedelta(minutes=15)).isoformat()
    city.post(f"repairs/{case_id}/arrival", {"crew": "crew-2", "happened_at": happened_at}, "crew-phone", "crew")
    return case_id


def applied(city: City) -> str:
    return city.post("connections", application(documents=PAPERS), channel="website", role="applicant")


def refused_charge(city: City) -> str:
    """An application for which somebody tried to charge what the law forbids."""
    case_id = applied(city)
    form = {"charge": "account-opening", "name_zh": "开户费", "amount_fen": 10_000}
    assert city.refused(f"connections/{case_id}/charges", form, "office", "counter") == "fee-banned"
    return case_id


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_verdict_is_explained_and_was_another_one_before_the_late_fact(page: Page, city: City, language: str) -> None:
    case_id = lapsed_then_retracted(city)
    address = f"/cases/{case_id}/promises/repair.arrival"
    met, lapsed, retracted = {"zh": ("已兑现", "超时", "撤回"), "en": ("met", "lapsed", "retracted")}[language]
    shown(page, city, address, language=language)
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_contain_text(met)
    expect(page.locator(".span-bar .counted")).to_have_count(2)
    expect(page.locator(".span-bar .over")).to_have_count(0)
    expect(page.locator("#verdicts [data-verdict=retracted]")).to_contain_text(retracted)
    for _ in range(2):
        page.locator("[rel=prev]").click()
    expect(heading).to_contain_text(lapsed)
    expect(page.locator(".span-bar .over")).to_have_count(1)
    expect(page.locator("#verdicts [data-verdict=retracted]")).to_have_count(0)
    expect(page.locator("#then")).to_contain_text(met)
    expect(page.locator("#as_of option:checked")).not_to_have_attribute("value", "")


def test_a_limit_in_working_days_is_shown_day_by_day_with_its_law(page: Page, city: City) -> None:
    shown(page, city, f"/cases/{applied(city)}/promises/connection.water_on")
    expect(page.locator(".span-bar .counted")).to_have_count(5)
    expect(page.locator(".span-bar .to-come.counted text").last).to_have_text("5")
    expect(page.locator("main")).to_contain_text("起算日不计")
    expect(page.locator("main")).to_contain_text("调休上班")
    law = page.get_by_role("link", name="民法典 第201条")
    law.click()
    expect(page.locator("#articles tbody tr")).to_have_count(1)


def test_the_timeline_hides_what_was_recorded_later_and_says_so(page: Page, city: City) -> None:
    case_id = lapsed_then_retracted(city)
    rows = shown(page, city, f"/cases/{case_id}").locator("#timeline tbody tr")
    everything = rows.count()
    page.locator("[rel=prev]").click()
    page.locator("[rel=prev]").click()
    expect(page.locator("#then")).to_contain_text("条未显示")
    assert 0 < rows.count() < everything
    expect(page.locator("#timeline")).not_to_contain_text("撤回")


def test_a_slider_moves_through_time_by_the_keyboard_without_loading_the_page_anew(page: Page, city: City) -> None:
    case_id = lapsed_then_retracted(city)
    rows = shown(page, city, f"/cases/{case_id}").locator("#timeline tbody tr")
    everything = rows.count()
    page.evaluate("window.isTheSamePage = true")
    slider = page.get_by_label("沿时间移动")
    slider.focus()
    page.keyboard.press("Home")
    expect(page.locator("#then")).to_contain_text("条未显示")
    expect(page.locator("#step-told")).to_contain_text("2026-09-16 09:00")
    assert 0 < rows.count() < everything
    assert (slider.get_attribute("aria-valuetext") or "").startswith("2026-09-16 09:00")
    page.keyboard.press("End")
    expect(rows).to_have_count(everything)
    expect(slider).to_be_focused()
    assert page.evaluate("window.isTheSamePage")
    page.goto(f"{city.url}/cases/{case_id}/promises/repair.arrival")
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_contain_text("已兑现")
    slider.focus()
    for _ in range(2):
        page.keyboard.press("ArrowLeft")
    expect(heading).to_contain_text("超时")
    page.reload()
    expect(heading).to_contain_text("超时")


def test_the_slider_works_without_a_script(browser: Browser, city: City) -> None:
    case_id = lapsed_then_retracted(city)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    rows = shown(page, city, f"/cases/{case_id}").locator("#timeline tbody tr")
    everything = rows.count()
    page.get_by_label("沿时间移动").focus()
    page.keyboard.press("Home")
    page.get_by_role("button", name="看这一步").click()
    assert 0 < rows.count() < everything
    expect(page.get_by_label("沿时间移动")).to_have_value("1")
    context.close()


def test_an_auditor_finds_a_case_by_kind_and_reads_how_to_check_it(page: Page, city: City) -> None:
    city.post("repairs", fault())
    applied(city)
    rows = shown(page, city, "/audit").locator("#cases tbody tr")
    expect(rows).to_have_count(2)
    page.locator("#kind").select_option("connection")
    page.get_by_role("button", name="查找").click()
    expect(rows).to_have_count(1)
    number = rows.locator("a").inner_text()
    page.goto(f"{city.url}/audit?number={number}")
    expect(page.locator(".commands")).to_contain_text(f"tongshui audit bundle {number} --out case.zip")
    rows.locator("a").click()
    expect(page.get_by_role("heading", name=number)).to_be_visible()


def test_a_notice_is_tried_before_it_is_published(page: Page, city: City) -> None:
    applied(city)
    shown(page, city, "/rules/calendars", "manager-1")
    friday_off = {**YEAR, "days": [*YEAR["days"], {"name": "示例", "date": "2026-09-18", "isOffDay": True}]}
    page.locator("#source").fill("示例通知")
    content = json.dumps(friday_off, ensure_ascii=False).encode()
    page.locator("#file").set_input_files({"name": "2026.json", "mimeType": "application/json", "buffer": content})
    page.locator("#try").click()
    moves = page.locator("#moves tbody tr")
    expect(moves.first).to_contain_text("推后")
    expect(page.locator("#trial")).to_contain_text("尚未保存")
    page.locator("#send").click()
    expect(page.locator("#done")).to_contain_text("2026-2")
    expect(page.locator("main")).to_contain_text("示例通知")


def a_draft(page: Page, city: City, **changes: Any) -> dict[str, Any]:
    answer = page.context.request.get(f"{city.url}/rules/standards/2026-06-1.json")
    assert answer.ok
    document: dict[str, Any] = json.loads(answer.text())
    return document | {"version": "2027-1", "effective_from": "2027-01-01T00:00:00+08:00"} | changes


def test_a_standard_is_drafted_by_one_and_approved_by_another(page: Page, city: City) -> None:
    shown(page, city, "/rules/standards", "manager-1")
    page.locator("#text").fill(json.dumps(a_draft(page, city, answer_minutes=720), ensure_ascii=False))
    page.locator("#try").click()
    changes = page.locator("#trial .changes tbody tr")
    expect(changes).to_have_count(3)
    expect(changes.filter(has_text="回复时限（分钟）")).to_contain_text("1440")
    expect(changes.filter(has_text="回复时限（分钟）")).to_contain_text("720")
    page.locator("#send").click()
    expect(page.locator("#draft-2027-1")).to_contain_text("由起草人以外的有权人员批准")
    shown(page, city, "/rules/standards", "director-1")
    page.locator("#draft-2027-1").get_by_role("button", name="批准并公布").click()
    expect(page.get_by_role("row", name="2027-1")).to_contain_text("下一份")


def test_another_standard_is_tried_and_the_difference_is_that_of_the_command(page: Page, city: City) -> None:
    for minutes in (20, 27, 40):
        case_id = city.post("repairs", fault())
        city.clock.move(timedelta(minutes=minutes))
        city.post(f"repairs/{case_id}/arrival", {"crew": "crew-2"}, "crew-phone", "crew")
        city.ask(case_id)
    shown(page, city, "/rules", "manager-1")
    page.get_by_role("link", name="试算").click()
    page.get_by_label("自带示例").select_option("arrival-25")
    page.get_by_role("button", name="试算").click()
    arrival = page.locator("#promises [data-promise='repair.arrival']")
    shown_counts = [int(each) for each in re.findall(r"\d+", arrival.locator("td").first.inner_text())]
    with trial(city.service.settings, shipped_trials()["arrival-25"], Period(), city.clock.now()) as found:
        changed = found.run()
    both = found.sums.by_commitment["repair.arrival"]
    assert shown_counts[:2] == [both.before["lapsed"], both.after["lapsed"]] == [1, 2]
    expect(page.locator("#sum")).to_contain_text(f"涉及 {found.sums.cases} 件中的 {found.sums.changed_cases} 件")
    expect(page.locator("#changes tbody tr")).to_have_count(len(changed))
    expect(arrival.locator("svg rect")).to_have_count(2)
    assert violations(page) == []


def test_a_document_that_is_no_standard_is_not_tried(page: Page, city: City) -> None:
    shown(page, city, "/rules/what-if", "manager-1")
    token = page.context.request.get(f"{city.url}/api/v1/session").json()["csrf_token"]
    form = {"csrf": token, "text": '{"based_on": "nothing"}'}
    answer = page.context.request.post(f"{city.url}/rules/what-if", form=form)
    assert (answer.status, "unreadable-standard" in answer.text()) == (422, True)


def test_the_price_authority_sees_every_charge_and_takes_them_along(page: Page, city: City) -> None:
    refused_charge(city)
    shown(page, city, "/charges", "price-authority-1")
    expect(page.locator("#charges tbody tr")).to_contain_text("开户费")
    expect(page.locator("#sums")).to_contain_text("¥100.00")
    page.locator("#kind").select_option("paid")
    page.get_by_role("button", name="筛选").click()
    expect(page.locator("#none")).to_be_visible()
    answer = page.context.request.get(f"{city.url}/charges.csv?kind=refused")
    rows = list(csv.DictReader(StringIO(answer.text().removeprefix("\ufeff"))))
    assert [(row["kind"], row["amount_yuan"]) for row in rows] == [("refused", "100.00")]
    page.context.clear_cookies()
    page.goto(f"{city.url}/charges")
    expect(page).to_have_url(f"{city.url}/login?next=%2Fcharges")


def test_everybody_can_use_these_pages_on_a_telephone_too(page: Page, city: City) -> None:
    case_id, connection = lapsed_then_retracted(city), refused_charge(city)
    page.set_viewport_size({"width": 390, "height": 844})
    paths = [
        f"/cases/{case_id}/promises/repair.arrival",
        f"/cases/{connection}/promises/connection.water_on",
        f"/cases/{case_id}",
        "/audit",
        "/rules",
        "/rules/standards",
        "/rules/fees",
        "/rules/calendars",
        "/rules/law",
        "/charges",
        "/billing",
    ]
    for scheme, language in (("light", "zh"), ("dark", "en")):
        page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
        for path in paths:
            shown(page, city, path, "manager-1", language)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
            assert violations(page) == [], (path, scheme)


def test_a_notice_that_was_cut_off_is_published_once_a_second_person_agrees(page: Page, city: City) -> None:
    shown(page, city, "/rules/calendars", "manager-1")
    request = page.context.request
    token = request.get(f"{city.url}/api/v1/session").json()["csrf_token"]
    text = json.dumps({**YEAR, "days": YEAR["days"][:-4]})
    form = {"csrf": token, "mode": "send", "region": "CN", "source": "示例通知", "text": text}
    refused = request.post(f"{city.url}/rules/calendars", form=form)
    assert "calendar-leaves-out" in refused.text()
    assert 'name="ask"' in refused.text()
    asking = form | {"ask": "manager", "ask_reason": "确属如此"}
    asked = request.post(f"{city.url}/rules/calendars", form=asking)
    assert asked.url == f"{city.url}/rules/calendars?done=asked"
    (own,) = request.get(f"{city.url}/api/v1/approvals").json()["asked"]
    assert (own["asked_role"], own["operation"]) == ("manager", "publication_publish_calendar")
    assert "2026-2" not in request.get(f"{city.url}/rules/calendars").text()
    assert request.post(f"{city.url}/api/v1/session/demo", data={"actor": "manager-2"}).ok
    token = request.get(f"{city.url}/api/v1/session").json()["csrf_token"]
    giving = f"{city.url}/api/v1/approvals/{own['id']}/giving"
    given = request.post(giving, data={}, headers={"X-CSRF-Token": token})
    assert given.ok, given.text()
    assert "CN@2026-2" in request.get(f"{city.url}/rules/calendars").text()


def test_the_indicators_of_a_month_lead_to_their_cases_and_are_taken_along(page: Page, city: City) -> None:
    lapsed_then_retracted(city)
    applied(city)
    shown(page, city, "/indicators")
    row = page.locator("#indicators tbody tr").filter(has_text="报修事件")
    expect(row.locator("td").first).to_contain_text("1")
    assert violations(page) == []
    with page.expect_download() as workbook:
        page.locator("#xlsx").click()
    with ZipFile(workbook.value.path()) as book:
        assert "报修事件" in book.read("xl/sharedStrings.xml").decode()
    with page.expect_download() as paper:
        page.locator("#pdf").click()
    assert Path(paper.value.path()).read_bytes().startswith(b"%PDF-")
    row.get_by_role("link").click()
    expect(page.locator("#cases tbody tr")).to_have_count(1)
    expect(page.locator("#kind")).to_have_value("repair")


def test_a_district_that_there_is_not_is_refused_and_never_the_whole_city(page: Page, city: City) -> None:
    answer = page.request.get(f"{city.url}/indicators?district=nowhere")
    assert answer.status == 422
    assert "unknown-district" in answer.text()
    assert page.request.get(f"{city.url}/indicators?district=zhenxi").status == 200, "one in which nothing happened"


def test_days_in_the_wrong_order_stay_in_the_auditor_s_form(page: Page, city: City) -> None:
    shown(page, city, "/audit")
    answer = page.request.get(f"{city.url}/audit?from=2026-09-20&to=2026-09-16")
    assert answer.status == 422
    assert "dates-out-of-order" in answer.text()
    assert 'value="2026-09-20"' in answer.text()


def test_a_day_that_there_is_not_stays_in_the_auditor_s_form(page: Page, city: City) -> None:
    shown(page, city, "/audit")
    answer = page.request.get(f"{city.url}/audit?from=2026-02-30")
    assert answer.status == 422
    assert "bad-parameter" in answer.text()
    assert 'value="2026-02-30"' in answer.text()


def test_the_public_sees_the_indicators_of_a_district_on_a_telephone(page: Page, city: City) -> None:
    city.post("repairs", fault())
    city.show()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{city.url}/language?to=en&next=/indicators")
    page.locator("#district").select_option(index=1)
    page.get_by_role("button", name="show").click()
    expect(page.locator("#indicators tbody tr").filter(has_text="outage index")).to_have_count(0)
    expect(page.locator("#indicators tbody tr").filter(has_text="incidents")).to_have_count(1)
    expect(page.locator("#xlsx")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert violations(page) == []
