"""The counter's pages in a real browser: an application from its intake to water on, and what stands around it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from domain import kinds
from infra.eventstore.commands import Stream
from infra.identity.demo_accounts import join_demo_accounts
from tests.api_world import DIGEST, PAPERS, application
from tests.e2e.accessible import violations
from tests.e2e.city import City

pytestmark = pytest.mark.browser

SCANNED = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
SCAN: FilePayload = {"name": "scan.pdf", "mimeType": "application/pdf", "buffer": SCANNED}
CLICKS = 21
"""Presses from intake to water on, one for each choice and each button; docs/how-to/counter.md names them."""


@pytest.fixture
def refusing(page: Page) -> Page:
    """A page beside the one that may complain about nothing: the browser counts what was refused as an error."""
    return page.context.new_page()


@pytest.fixture(autouse=True)
def _accounts(city: City) -> None:
    join_demo_accounts(city.service)


def as_actor(page: Page, city: City, actor: str) -> None:
    assert page.context.request.post(f"{city.url}/api/v1/session/demo", data={"actor": actor}).ok


def shown(page: Page, city: City, path: str, actor: str | None = None) -> Page:
    city.show()
    if actor is not None:
        as_actor(page, city, actor)
    page.goto(f"{city.url}{path}")
    return page


def apply(city: City, documents: list[dict[str, Any]] = PAPERS, **changes: Any) -> str:
    return city.post("connections", application(documents=documents, **changes), "website", "applicant")


def state_of(city: City, case_id: str) -> Any:
    return city.service.load(Stream(kinds.CONNECTION, UUID(case_id)))[0]


def facts(city: City, case_id: str) -> list[str]:
    return [event["type"].split(".")[2] for event in city.service.load(Stream(kinds.CONNECTION, UUID(case_id)))[1]]


def case_of(page: Page) -> str:
    found = re.search("/cases/([0-9a-f-]{36})", str(page.locator("a[href^='/cases/']").first.get_attribute("href")))
    assert found is not None
    return found[1]


def fill_in(page: Page) -> None:
    page.locator("[name='applicant.name']").fill("张三")
    page.locator("[name='applicant.phone']").fill("13800000000")
    page.locator("[name='applicant.address']").fill("示例路 1 号")
    page.locator("[name='points.0.address_code']").fill("QZ-07")
    page.locator("#f-district").select_option("zhenxi")


class Presses:
    """What somebody presses at the pages, counted."""

    def __init__(self, page: Page, city: City) -> None:
        self.page, self.city, self.count = page, city, 0

    def at(self, path: str, actor: str) -> None:
        shown(self.page, self.city, path, actor)

    def press(self, target: Locator) -> None:
        target.click()
        self.count += 1

    def step(self, name: str, case_id: str, actor: str, **entries: str) -> None:
        """Open the case, press its next step, fill in what it cannot know, send."""
        self.at(f"/cases/{case_id}", actor)
        self.press(self.page.locator("section[aria-labelledby=h-next]").get_by_role("link", name=name, exact=True))
        for entry, value in entries.items():
            field = self.page.locator(f"[name='{entry.replace('__', '.')}']")
            if value == "file":
                field.set_input_files(SCAN)
            else:
                field.fill(value)
        self.press(self.page.locator("form.form .button.first"))
        expect(self.page).to_have_url(f"{self.city.url}/cases/{case_id}")


def test_an_application_goes_from_the_counter_to_water_on_by_pages_alone(page: Page, city: City) -> None:
    doing = Presses(page, city)
    doing.at("/desk", "counter-1")
    doing.press(page.get_by_role("link", name="收件").last)
    fill_in(page)
    doing.press(page.locator("[name='documents.0.way'][value=seen]"))
    page.locator("[name='documents.1.digest']").set_input_files(SCAN)
    doing.press(page.get_by_role("button", name="收件"))
    expect(page.locator("[role=status]")).to_contain_text("已受理")
    expect(page.locator("[role=status]")).to_contain_text("2026-09-22")
    expect(page.locator("img.qr")).to_be_visible()
    case_id = case_of(page)
    doing.step("勘察", case_id, "owner-1")
    doing.step("设计", case_id, "owner-1", drawing_digest="file")
    doing.step("报价", case_id, "counter-1", lines__1__quantity="10")
    doing.at(f"/cases/{case_id}", "counter-1")
    expect(page.locator("#fees tr").last).to_contain_text("¥1,345.00")
    doing.step("签订合同", case_id, "counter-1", digest="file")
    doing.step("缴费", case_id, "cashier-1")
    assert state_of(city, case_id).is_paid
    doing.step("开工", case_id, "owner-1", crew="crew-01")
    doing.step("完工", case_id, "owner-1")
    doing.step("验收", case_id, "inspector-1")
    doing.at(f"/cases/{case_id}", "owner-1")
    doing.press(page.locator("section[aria-labelledby=h-next]").get_by_role("link", name="通水", exact=True))
    page.locator("[name='meter.number']").fill("JS-2026-0007")
    page.locator("[name='meter.body_code']").fill("LXS-20E")
    doing.press(page.locator("form.form .button.first"))
    expect(page).to_have_url(f"{city.url}/cases/{case_id}")
    assert facts(city, case_id)[-3:].count("WaterTurnedOn") == 1
    doing.at(f"/cases/{case_id}", "owner-1")
    expect(page.locator("#points")).to_contain_text("JS-2026-0007")
    expect(page.locator("#points")).to_contain_text("居民生活用水 100%")
    assert doing.count == CLICKS
    with page.expect_download() as download:
        page.locator("#documents").get_by_role("link", name="查看").click()
    assert download.value.path().read_bytes() == SCANNED


def test_an_application_is_taken_in_on_a_telephone_in_english_and_told_once_what_is_missing(
    page: Page, city: City
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    shown(page, city, "/language?to=en&next=/intake", "counter-1")
    page.get_by_role("link", name="business").click()
    fill_in(page)
    page.get_by_role("button", name="take it in").click()
    expect(page.locator("[role=status]")).to_contain_text("licence")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert violations(page) == []
    case_id = case_of(page)
    city.show()
    page.get_by_role("button", name="give the notice").click()
    expect(page).to_have_url(f"{city.url}/cases/{case_id}")
    expect(page.locator("main")).to_contain_text("notice given")
    assert state_of(city, case_id).points[0].usage_split == {"non-residential": 100}
    assert {each.document for each in state_of(city, case_id).notice[1]} == {"licence", "design-drawings"}


def test_a_refused_intake_keeps_what_was_entered(refusing: Page, city: City) -> None:
    shown(refusing, city, "/intake", "counter-1")
    fill_in(refusing)
    refusing.locator("[name='applicant.phone']").fill("123")
    refusing.get_by_role("button", name="收件").click()
    expect(refusing.locator("#problem")).to_contain_text("联系电话")
    expect(refusing.locator("[name='applicant.name']")).to_have_value("张三")
    expect(refusing.locator("#f-applicant-phone")).to_have_attribute("aria-invalid", "true")


def test_who_goes_back_to_a_form_that_was_sent_finds_the_application_that_it_made(page: Page, city: City) -> None:
    shown(page, city, "/intake", "counter-1")
    fill_in(page)
    page.get_by_role("button", name="收件").click()
    case_id = case_of(page)
    page.go_back()
    fill_in(page)
    page.locator("[name='applicant.name']").fill("李四")
    page.get_by_role("button", name="收件").click()
    city.show()
    expect(page).to_have_url(f"{city.url}/cases/{case_id}?sent=before")
    with city.service.connection() as connection:
        assert len(connection.execute("SELECT 1 FROM views.cases").fetchall()) == 1


def test_an_application_is_taken_in_by_the_keyboard_alone(page: Page, city: City) -> None:
    shown(page, city, "/intake", "counter-1")
    to(page, "applicant.name")
    for entry in ("张三", "13800000000", "示例路 1 号"):
        page.keyboard.type(entry)
        page.keyboard.press("Tab")
    to(page, "documents.0.way")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("[role=status]")).to_contain_text("房产或用地证明")


def to(page: Page, name: str) -> None:
    """Go on by the tabulator until the field has the focus."""
    for _ in range(60):
        if page.evaluate("document.activeElement.name") == name:
            return
        page.keyboard.press("Tab")
    raise AssertionError(name)


def test_the_page_of_an_application_gives_the_link_a_paper_a_visit_and_the_answer_to_a_pause(
    page: Page, city: City
) -> None:
    case_id = apply(city)
    city.post("squads", {"squad": "squad-1", "members": ["s-1"]}, "office", "manager")
    pause = {"reason": "applicant-payment", "evidence_digest": DIGEST}
    city.post(f"connections/{case_id}/pauses", pause, "office", "case-owner")
    shown(page, city, f"/cases/{case_id}", "counter-1")
    with page.expect_download() as download:
        page.get_by_role("button", name="含申请人信息").click()
    assert download.value.path().read_bytes().startswith(b"%PDF")
    page.get_by_role("button", name="申请人查询二维码").click()
    expect(page.locator("img.qr")).to_be_visible()
    shown(page, city, f"/cases/{case_id}")
    page.get_by_role("link", name="预约上门").first.click()
    page.locator("[name=squad][value=squad-1]").check()
    page.locator("[name=purpose]").select_option("survey")
    page.locator("[name=begin]").fill("2026-09-17T09:00")
    page.locator("[name=end]").fill("2026-09-17T11:00")
    page.locator("form.form .button.first").click()
    expect(page).to_have_url(f"{city.url}/cases/{case_id}")
    shown(page, city, f"/cases/{case_id}", "manager-1")
    expect(page.locator("#visits")).to_contain_text("09-17 09:00")
    page.locator("#pauses").get_by_role("link", name="批准", exact=True).click()
    page.locator("form.form .button.first").click()
    expect(page).to_have_url(f"{city.url}/cases/{case_id}")
    shown(page, city, f"/cases/{case_id}")
    expect(page.locator("#pauses")).to_contain_text("已批准")


# ---- the list of applications


def test_the_desk_says_what_waits_for_whom_by_promised_day(page: Page, city: City) -> None:
    noticed = apply(city, [])
    items = [{"document": code, "defect": "missing"} for code in ("identity", "property-right")]
    city.post(f"connections/{noticed}/notice", {"items": items}, "office", "case-owner")
    city.clock.move(timedelta(minutes=5))
    complete = apply(city)
    city.clock.move(timedelta(days=1))
    outstanding = apply(city, PAPERS[:1])
    pledge = {"papers": ["property-right"], "deadline": "2026-09-18", "commitment_digest": DIGEST}
    city.post(f"connections/{outstanding}/papers-commitment", pledge, "counter", "counter")
    shown(page, city, "/desk", "counter-1")
    rows = page.locator("#rows-mine tbody tr")
    expect(rows).to_have_count(2)
    assert [rows.nth(n).get_attribute("data-case") for n in range(2)] == [complete, outstanding]
    expect(rows.nth(0)).to_contain_text("09-22 17:30")
    expect(rows.nth(1)).to_contain_text("房产或用地证明")
    waits = page.locator("#rows-applicant tbody tr")
    expect(waits).to_have_attribute("data-case", noticed)
    expect(waits).to_contain_text("暂不计时")
    expect(waits).to_contain_text("身份证明、房产或用地证明")
    expect(page.locator("#n-open")).to_have_text("3")


def test_an_application_over_its_day_says_so_and_a_finished_one_is_gone(page: Page, city: City) -> None:
    late, gone = apply(city), apply(city)
    city.post(f"connections/{gone}/withdrawal", {"reason": "applied-twice"}, "website", "applicant")
    city.clock.move(timedelta(days=8))
    city.ask(late, kinds.CONNECTION)
    rows = shown(page, city, "/desk").locator("main tbody tr")
    expect(rows).to_have_count(1)
    expect(rows.locator(".tone-bad").first).to_contain_text("超")


def test_a_case_owner_sees_their_own_applications_first(page: Page, city: City) -> None:
    owners = {case_id: state_of(city, case_id).owner for case_id in (apply(city) for _ in range(2))}
    assert set(owners.values()) == {"owner-1", "owner-2"}, "the numbers go round"
    rows = shown(page, city, "/desk", "owner-1").locator("main tbody tr")
    expect(rows).to_have_count(1)
    expect(rows.locator("td").last).to_have_text("owner-1")
    page.locator("#owner").select_option("")
    page.get_by_role("button", name="筛选").click()
    expect(rows).to_have_count(2)


def test_an_empty_desk_says_so_and_text_from_the_server_is_never_markup(page: Page, city: City) -> None:
    expect(shown(page, city, "/desk").locator("#none")).to_be_visible()
    apply(city)
    city.show()
    hostile = "<img src=x onerror=document.title='owned'>"
    with city.service.connection() as connection:
        connection.execute("UPDATE views.connections SET case_number = %s, owner = %s", [hostile] * 2)
    page.goto(f"{city.url}/desk")
    expect(page.locator("main tbody th")).to_contain_text(hostile)
    assert page.locator("main img").count() == 0


# ---- money that goes back, by two persons


def test_a_refund_is_asked_from_its_refused_form_and_approved_by_another_person(refusing: Page, city: City) -> None:
    case_id = paid_and_withdrawn(city)
    shown(refusing, city, f"/cases/{case_id}", "cashier-1")
    refusing.locator("section[aria-labelledby=h-money]").get_by_role("link", name="退款").click()
    ask_the_manager(refusing)
    expect(refusing).to_have_url(f"{city.url}/cases/{case_id}")
    shown(refusing, city, "/approvals", "cashier-1")
    expect(refusing.locator("#waiting")).to_have_count(0)
    refusing.locator("#asked a").click()
    expect(refusing.locator("main")).to_contain_text("您不能复核自己的请求")
    expect(refusing.get_by_role("button", name="同意并办理")).to_have_count(0)
    asked = refusing.url
    shown(refusing, city, "/approvals", "manager-1")
    refusing.locator("#waiting a").click()
    expect(refusing).to_have_url(asked)
    expect(refusing.locator("dl.known")).to_contain_text("¥60.00")
    expect(refusing.locator("dl.known")).to_contain_text("管网水损费")
    expect(refusing.locator("dl.known")).to_contain_text("已撤回，全额退款")
    refusing.get_by_role("button", name="同意并办理").click()
    expect(refusing.locator("main")).to_contain_text("已同意")
    assert facts(city, case_id).count("RefundMade") == 1


def ask_the_manager(page: Page) -> None:
    """Send a form that needs a second person, and ask for one where it says so."""
    form = page.locator("form.form .button.first")
    form.click()
    page.locator("#ask").select_option("manager")
    page.locator("#ask_reason").fill("已撤回，全额退款")
    form.click()


def paid_and_withdrawn(city: City) -> str:
    case_id = apply(city)
    lines = [{"fee": "water-loss", "quantity": "1"}]
    city.post(f"connections/{case_id}/quotes", {"lines": lines}, "office", "squad")
    city.post(f"connections/{case_id}/contract", {"contract": "HT-1", "digest": DIGEST}, "counter", "counter")
    paid = {"payment": "PAY-1", "lines": [{"fee": "water-loss", "amount_fen": 6000}]}
    city.post(f"connections/{case_id}/payments", paid, "counter", "cashier")
    city.post(f"connections/{case_id}/withdrawal", {"reason": "no-longer-needed"}, "website", "applicant")
    return case_id


def test_a_declined_request_says_why_and_one_can_be_taken_back(refusing: Page, city: City) -> None:
    case_id = paid_and_withdrawn(city)
    for _ in range(2):
        shown(refusing, city, f"/cases/{case_id}", "cashier-1")
        refusing.locator("section[aria-labelledby=h-money]").get_by_role("link", name="退款").click()
        ask_the_manager(refusing)
        expect(refusing).to_have_url(f"{city.url}/cases/{case_id}")
    shown(refusing, city, "/approvals", "manager-1")
    refusing.locator("#waiting a").first.click()
    refusing.locator("[name=reason][value=unproven]").check()
    refusing.get_by_role("button", name="退回").click()
    expect(refusing.locator("dl.known")).to_contain_text("依据不足")
    shown(refusing, city, "/approvals", "cashier-1")
    refusing.locator("#asked tr", has_text="待复核").locator("a").click()
    refusing.get_by_role("button", name="撤回请求").click()
    expect(refusing.locator("h2")).to_contain_text("已撤回")


# ---- what persons ask about their particulars


def test_a_request_about_particulars_is_taken_down_granted_and_answered_with_the_copy(page: Page, city: City) -> None:
    apply(city)
    shown(page, city, "/rights", "counter-1")
    page.locator("#phone").fill(application()["applicant"]["phone"])
    page.get_by_role("button", name="查找").click()
    page.locator("[name=right][value=see]").check()
    page.locator("[name=identity_check][value=identity-card]").check()
    page.get_by_role("button", name="登记请求").click()
    expect(page.locator("#requests tbody tr")).to_have_count(1)
    page.get_by_role("button", name="同意").click()
    page.get_by_role("button", name="出具副本").click()
    expect(page.locator("main")).to_contain_text(application()["applicant"]["name"])


@pytest.mark.parametrize("right", ["refuse", "correct", "restrict"])
def test_every_other_answer_has_its_form(page: Page, city: City, right: str) -> None:
    apply(city)
    shown(page, city, "/rights", "counter-1")
    page.locator("#phone").fill(application()["applicant"]["phone"])
    page.get_by_role("button", name="查找").click()
    page.locator(f"[name=right][value={'correct' if right == 'refuse' else right}]").check()
    page.locator("[name=identity_check][value=identity-card]").check()
    page.get_by_role("button", name="登记请求").click()
    row = page.locator("#requests tbody tr")
    if right == "refuse":
        row.get_by_role("link", name="拒绝").click()
        page.locator("[name=ground]").select_option("not-held")
        page.locator("form.form .button.first").click()
    else:
        row.get_by_role("button", name="同意").click()
        if right == "correct":
            row.get_by_role("link", name="更正").click()
            page.locator("[name=name]").fill("张三丰")
            page.locator("form.form .button.first").click()
        else:
            row.get_by_role("button", name="开始限制").click()
    expect(row).to_have_count(0)
    page.goto(f"{city.url}/rights?all=1")
    expect(row).to_contain_text({"refuse": "未保存该信息", "correct": "已办结", "restrict": "解除限制"}[right])


# ---- everybody can use them


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_the_pages_on_a_telephone_too(page: Page, city: City, scheme: str) -> None:
    case_id, paused = paid_and_withdrawn(city), apply(city)
    pause = {"reason": "applicant-payment", "evidence_digest": DIGEST}
    city.post(f"connections/{paused}/pauses", pause, "office", "case-owner")
    page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    page.set_viewport_size({"width": 390, "height": 844})
    as_actor(page, city, "counter-1")
    for path in ("/desk", "/intake", f"/cases/{case_id}", f"/cases/{paused}", "/approvals", "/rights"):
        shown(page, city, path)
        assert (path, page.evaluate("document.documentElement.scrollWidth")) <= (path, 390)
        assert (path, violations(page)) == (path, [])
