"""The public's pages in a real browser: apply, report, follow, outages, guides, particulars; on a phone, without a
script, in both languages and colours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Browser, Geolocation, Page, Response, ViewportSize, expect

from domain import kinds
from infra.eventstore.commands import Stream
from tests.api_world import APPLICANT, DIGEST, PAPERS, application, fault
from tests.e2e.accessible import violations
from tests.e2e.city import City
from tests.proven import PROVEN

pytestmark = pytest.mark.browser

PICTURE = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 40
PHONE: ViewportSize = {"width": 390, "height": 844}
MOST_BYTES = 150_000
"""Of a page with everything that it loads."""


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "identity.png"
    path.write_bytes(PICTURE)
    return path


@pytest.fixture
def phone(page: Page) -> Page:
    page.set_viewport_size(PHONE)
    return page


@contextmanager
def without_script(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=PHONE, locale="zh-CN", java_script_enabled=False)
    yield context.new_page()
    context.close()


def follow_of(city: City, path: str, body: dict[str, object], role: str = "public") -> str:
    """Send an application or a report; the path of its link's page."""
    headers = {**PROVEN, "X-Channel": "website", "X-Role": role, "X-Actor": "somebody-1"}
    answer = httpx.post(f"{city.url}/api/v1/{path}", json=body, headers=headers, timeout=60)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["follow"]).removeprefix("/api/v1")


def apply_for_water(page: Page, url: str, picture: Path | None) -> None:
    page.goto(url)
    page.locator(".tiles a", has_text="用水报装").first.click()
    page.locator(".tiles a", has_text="私人").click()
    expect(page.locator("#promised time")).to_have_text("2026-09-22")
    page.get_by_label("姓名").fill("张三")
    page.get_by_label("联系电话").fill("138 0000 0000")
    page.get_by_label("用水地址").fill("人民北路 1 号")
    page.get_by_label("网格编码").fill("qz-07")
    if picture is not None:
        page.get_by_label("身份证明").set_input_files(picture)
    page.get_by_role("button", name="提交申请").click()


def facts(city: City, number: str) -> list[dict[str, Any]]:
    """The events of the case with a number, as they are stored."""
    city.show()
    headers = {**PROVEN, "X-Role": "auditor", "X-Actor": "auditor-1"}
    found = httpx.get(f"{city.url}/api/v1/cases", params={"number": number}, headers=headers, timeout=60).json()
    case = httpx.get(f"{city.url}/api/v1/cases/{found['cases'][0]['case_id']}", headers=headers, timeout=60).json()
    timeline: list[dict[str, Any]] = case["timeline"]
    return timeline


def points_of(timeline: list[dict[str, Any]]) -> list[tuple[str, dict[str, int]]]:
    """The supply points of an application: grid code and split of the use."""
    return [(each["address_code"], each["usage_split"]) for each in timeline[0]["data"]["points"]]


def number_on(page: Page) -> str:
    found = re.search(r"B[XZ]-\d{4}-\d{6}", page.locator("h1").inner_text())
    assert found is not None
    return found[0]


# ---- apply, and follow


def test_somebody_applies_on_a_phone_and_hands_in_what_is_missing(phone: Page, city: City, picture: Path) -> None:
    apply_for_water(phone, city.url, picture)
    expect(phone.locator("#received")).to_contain_text("已收到您的申请")
    expect(phone.locator(".qr")).to_be_visible()
    expect(phone.locator(".missing")).to_have_count(1)
    phone.get_by_label("房产或用地证明").set_input_files(picture)
    phone.get_by_role("button", name="交上").click()
    expect(phone.locator(".note.good")).to_contain_text("材料已收到")
    expect(phone.locator(".missing")).to_have_count(0)
    told = facts(city, number_on(phone))
    assert [each["data"]["document"] for each in told if each["fact"] == "DocumentSupplied"] == [
        "identity",
        "property-right",
    ]
    assert points_of(told) == [("QZ-07", {"residential": 100})]
    with city.service.connection() as connection:
        kept = connection.execute("SELECT class, role, subject_id FROM evidence.links").fetchall()
    assert [(row["class"], row["role"], row["subject_id"] is not None) for row in kept] == [
        ("document", "applicant", True)
    ]


def test_without_a_script_a_mixed_use_is_applied_for_and_a_wrong_file_is_told(
    browser: Browser, city: City, tmp_path: Path
) -> None:
    words = tmp_path / "identity.txt"
    words.write_text("no picture")
    with without_script(browser) as page:
        page.goto(f"{city.url}/apply?category=business")
        page.get_by_label("单位名称").fill("示例公司")
        page.get_by_label("联系电话").fill("0743-8220000")
        page.get_by_label("用水地址").fill("人民北路 1 号")
        page.get_by_label("网格编码").fill("QZ-07，QZ-08")
        page.get_by_label("需要几个用水点").fill("2")
        page.locator("summary").click()
        page.get_by_label("居民生活用水 (%)").fill("40")
        page.get_by_label("非居民用水 (%)", exact=True).fill("50")
        page.locator("#file-licence").set_input_files(words)
        page.get_by_role("button", name="提交申请").click()
        expect(page.locator("#problem")).to_contain_text("usage-split-not-whole")
        expect(page.get_by_label("单位名称")).to_have_value("示例公司")
        page.get_by_label("非居民用水 (%)", exact=True).fill("60")
        page.locator("#file-licence").set_input_files(words)
        page.get_by_role("button", name="提交申请").click()
        expect(page.locator("#received")).to_be_visible()
        expect(page.locator(".note.near")).to_contain_text("营业执照或法人证书：不是图片或 PDF")
        split = {"non-residential": 60, "residential": 40}
        points = points_of(facts(city, number_on(page)))
    assert points == [("QZ-07", split), ("QZ-08", split)]


def test_a_form_that_is_sent_twice_is_one_application(city: City) -> None:
    form = httpx.get(f"{city.url}/apply?category=private", timeout=60).text
    key = re.search(r'name="key" value="([^"]+)"', form)
    assert key is not None
    sent = {"key": key[1], "category": "private", "supply_points": "1", "use": "residential"}
    person = {f"applicant.{name}": value for name, value in APPLICANT.items()}
    files = {"file-identity": ("identity.png", PICTURE, "image/png")}
    answers = [httpx.post(f"{city.url}/apply", data=sent | person, files=files, timeout=60) for _ in range(2)]
    assert [each.status_code for each in answers] == [303, 303]
    assert len({each.headers["location"] for each in answers}) == 1
    assert "failed" not in answers[1].headers["location"]
    assert len(_cases(city)) == 1


def test_what_was_sent_is_confirmed_and_the_application_withdrawn(phone: Page, city: City) -> None:
    link = follow_of(city, "connections", application(documents=PAPERS), "applicant")
    (case_id,) = _cases(city)
    sent = {"deliverable": "plan", "way": "email", "digest": DIGEST}
    city.post(f"connections/{case_id}/deliverables", sent, "office", "case-owner")
    phone.goto(city.url + link)
    phone.get_by_role("button", name="我收到了").click()
    expect(phone.locator(".note.good")).to_contain_text("已确认收到")
    expect(phone.get_by_role("button", name="我收到了")).to_have_count(0)
    phone.locator("summary", has_text="撤回申请").click()
    phone.get_by_label("原因").select_option("no-longer-needed")
    phone.get_by_role("button", name="确认撤回").click()
    expect(phone.locator(".note.good")).to_contain_text("申请已撤回")
    expect(phone.locator(".steps .bad")).to_contain_text("已停止")
    expect(phone.locator("summary", has_text="撤回申请")).to_have_count(0)


def test_an_old_link_and_a_pasted_one_open_the_page_and_a_revoked_one_says_so(browser: Browser, city: City) -> None:
    link = follow_of(city, "connections", application(), "applicant")
    page = browser.new_context(locale="zh-CN").new_page()
    page.goto(f"{city.url}/api/v1{link}")
    expect(page).to_have_url(city.url + link)
    page.goto(f"{city.url}/follow")
    page.locator("#link").fill(f"{city.url}/api/v1{link}")
    page.get_by_role("button", name="查看").click()
    expect(page).to_have_url(city.url + link)
    page.locator("summary", has_text="停用这个链接").click()
    page.get_by_role("button", name="停用链接").click()
    expect(page.locator(".note.good")).to_contain_text("链接已停用")
    page.goto(city.url + link)
    expect(page.locator("#problem")).to_contain_text("no-such-link")
    expect(page.get_by_role("link", name="获取验证码")).to_be_visible()
    page.context.close()


def test_somebody_rates_a_repair_complains_and_goes_to_the_authority(phone: Page, city: City) -> None:
    link = follow_of(city, "repairs", fault())
    phone.goto(city.url + link)
    number = number_on(phone)
    case_id = next(each for each in _cases(city))
    for fact in ("completion", "restoration"):
        city.post(f"repairs/{case_id}/{fact}", {}, "crew-phone", "crew")
    phone.reload()
    phone.get_by_text("满意", exact=True).click()
    phone.get_by_text("办理速度").click()
    phone.get_by_role("button", name="提交评价").click()
    expect(phone.locator("main")).to_contain_text("谢谢您的评价")
    phone.get_by_text("未按时办理").click()
    phone.get_by_role("button", name="提交投诉").click()
    expect(phone.locator("main")).to_contain_text(re.compile(r"TU-2026-\d{6}"))
    phone.get_by_role("button", name="转主管部门").click()
    expect(phone.locator("main")).to_contain_text("您已转主管部门")
    assert violations(phone) == []
    told = [each["type"].split(".")[2] for each in facts(city, number)]
    assert told.count("SatisfactionGiven") == 1


def test_a_file_that_was_not_chosen_is_told_and_not_thanked_for(phone: Page, city: City) -> None:
    link = follow_of(city, "repairs", fault())
    answer = phone.context.request.post(f"{city.url}{link}/photo", multipart={"key": "1"})
    assert (answer.status, "evidence-empty" in answer.text()) == (422, True)


def _cases(city: City) -> list[str]:
    city.show()
    with city.service.connection() as connection:
        return [str(row["case_id"]) for row in connection.execute("SELECT case_id FROM views.cases").fetchall()]


# ---- report


def test_somebody_reports_a_fault_without_a_script(browser: Browser, city: City, picture: Path) -> None:
    with without_script(browser) as page:
        page.goto(city.url)
        page.locator(".tiles a", has_text="报修").first.click()
        page.get_by_label("漏水").check()
        page.get_by_label("在哪个街道或乡镇").select_option("zhenxi")
        page.get_by_label("具体位置").fill("人民北路公交站旁")
        page.get_by_label("现场照片").set_input_files(picture)
        expect(page.locator("#place")).to_be_hidden()
        page.get_by_role("button", name="发送报修").click()
        expect(page.locator("#received")).to_contain_text("最迟 2026-09-16 09:30 到场")
        expect(page.locator(".steps .now")).to_contain_text("抢修人员到场")
        number = number_on(page)
    with city.service.connection() as connection:
        kept = connection.execute("SELECT class, role, case_id FROM evidence.links").fetchall()
    assert [(row["class"], row["role"]) for row in kept] == [("photo", "reporter")]
    assert facts(city, number)[0]["fact"] == "FaultReported"
    assert kept[0]["case_id"] == UUID(_cases(city)[0])


def test_where_the_phone_is_goes_with_the_report(browser: Browser, city: City) -> None:
    where: Geolocation = {"latitude": 28.3117, "longitude": 109.7382}
    context = browser.new_context(viewport=PHONE, permissions=["geolocation"], geolocation=where)
    page = context.new_page()
    page.goto(f"{city.url}/report?kind=no-water&district=hexi")
    page.get_by_role("button", name="附上手机定位").click()
    expect(page.locator("#place [role=status]")).to_have_text("已附上位置")
    page.get_by_role("button", name="发送报修").click()
    expect(page.locator("#received")).to_be_visible()
    (case_id,) = _cases(city)
    made = city.service.load(Stream(kinds.REPAIR, UUID(case_id)))[1][0]
    context.close()
    assert made["data"]["cell"], "a square of some 200 m of it"


def test_a_report_that_is_refused_keeps_what_was_filled_in(browser: Browser, city: City) -> None:
    context = browser.new_context(viewport=PHONE, locale="zh-CN")
    page = context.new_page()
    page.goto(f"{city.url}/report?kind=leak&district=hexi")
    page.get_by_label("具体位置").fill("桥头")
    page.evaluate("document.querySelector('[name=\"place.latitude\"]').value = '95'")
    page.evaluate("document.querySelector('[name=\"place.longitude\"]').value = '10'")
    page.get_by_role("button", name="发送报修").click()
    expect(page.locator("#problem")).to_contain_text("bad-body")
    expect(page.get_by_label("具体位置")).to_have_value("桥头")
    expect(page.get_by_label("漏水")).to_be_checked()
    context.close()


def test_a_form_sent_again_after_its_link_was_revoked_says_what_happened(phone: Page, city: City) -> None:
    phone.goto(f"{city.url}/report")
    phone.get_by_label("漏水").check()
    phone.get_by_label("在哪个街道或乡镇").select_option("hexi")
    phone.get_by_role("button", name="发送报修").click()
    phone.wait_for_url("**/follow/**")
    code = phone.url.partition("/follow/")[2].partition("?")[0]
    assert phone.context.request.post(f"{city.url}/api/v1/follow/{code}/revocation", data={}).status == 204
    phone.go_back()
    phone.get_by_role("button", name="发送报修").click()
    told = phone.locator("#sent-before")
    expect(told).to_contain_text("查询链接已停用")
    expect(told).to_contain_text("no-such-link")
    expect(told.get_by_role("link", name="重新报修")).to_have_attribute("href", "/report")
    assert len(_cases(city)) == 1


def test_who_goes_back_and_corrects_their_report_finds_the_first_one(phone: Page, city: City) -> None:
    phone.goto(f"{city.url}/report")
    phone.get_by_label("漏水").check()
    phone.get_by_label("在哪个街道或乡镇").select_option("hexi")
    phone.get_by_label("具体位置").fill("桥头")
    phone.get_by_role("button", name="发送报修").click()
    number = number_on(phone)
    phone.go_back()
    expect(phone.get_by_label("具体位置")).to_have_value("桥头")
    phone.get_by_label("具体位置").fill("桥尾")
    phone.get_by_role("button", name="发送报修").click()
    expect(phone.locator("#sent-before")).to_contain_text("没有另立新件")
    assert (number_on(phone), len(_cases(city))) == (number, 1)
    phone.get_by_role("link", name="重新填写一张").click()
    phone.get_by_label("漏水").check()
    phone.get_by_label("在哪个街道或乡镇").select_option("hexi")
    phone.get_by_role("button", name="发送报修").click()
    expect(phone.locator("#received")).to_be_visible()
    assert len(_cases(city)) == 2


# ---- by telephone


def test_a_telephone_opens_its_cases_and_its_rights(phone: Page, city: City) -> None:
    follow_of(city, "connections", application(documents=PAPERS), "applicant")
    sign_in_by_phone(phone, city, APPLICANT["phone"])
    expect(phone.locator("tbody tr")).to_have_count(1)
    phone.get_by_role("button", name="查看和办理").click()
    expect(phone.locator("h1")).to_contain_text("用水报装")
    phone.goto(f"{city.url}/my")
    phone.get_by_role("link", name="我的个人信息").click()
    phone.get_by_label("查看 保存了我的哪些信息").check()
    phone.get_by_role("button", name="提出").click()
    expect(phone.locator(".note.good")).to_contain_text("请求已提出")
    expect(phone.locator("tbody tr")).to_contain_text("等待答复")
    assert violations(phone) == []
    headers = {**PROVEN, "X-Role": "manager", "X-Actor": "manager-1"}
    (asked,) = httpx.get(f"{city.url}/api/v1/rights", headers=headers, timeout=60).json()["requests"]
    granted = httpx.post(f"{city.url}/api/v1/rights/{asked['id']}/grant", json={}, headers=headers, timeout=60)
    assert granted.status_code == 200, granted.text
    phone.goto(f"{city.url}/my/rights")
    phone.get_by_role("button", name="查看副本").click()
    expect(phone.locator("main")).to_contain_text(APPLICANT["name"])
    assert violations(phone) == []
    phone.goto(f"{city.url}/my")
    phone.get_by_role("button", name="退出").click()
    expect(phone.get_by_label("申请或报修时留的手机号")).to_be_visible()


def sign_in_by_phone(page: Page, city: City, number: str) -> None:
    page.goto(f"{city.url}/follow")
    page.get_by_role("link", name="获取验证码").click()
    page.get_by_label("申请或报修时留的手机号").fill(number)
    page.get_by_role("button", name="获取验证码").click()
    field = page.get_by_label("六位验证码")
    expect(field).to_be_visible()
    with city.service.connection() as connection:
        row = connection.execute("SELECT text FROM outbox.messages WHERE kind = 'phone-code'").fetchone()
    assert row is not None
    found = re.search(r"\d{6}", row["text"])
    assert found is not None
    field.fill(found[0])
    page.get_by_role("button", name="登录").click()
    expect(page).to_have_url(f"{city.url}/my")


# ---- outages, guides, the first page


def an_outage(city: City, district: str = "zhenxi") -> None:
    incident = city.post("repairs", fault(kind="burst"))
    form = {"incident": incident, "districts": [district], "affected_users": 300}
    city.post("outages/emergency", form, channel="office", role="manager")
    city.show()


def test_the_outages_of_a_district_have_an_address_of_their_own(phone: Page, city: City) -> None:
    an_outage(city)
    begin = city.clock.now() + timedelta(days=2)
    planned = {
        "districts": ["hexi"],
        "affected_users": 90,
        "begin": begin.isoformat(),
        "end": (begin + timedelta(hours=4)).isoformat(),
    }
    city.post("outages/planned", planned, channel="office", role="manager")
    city.show()
    phone.goto(city.url)
    expect(phone.locator("#running")).to_contain_text("镇溪街道")
    phone.goto(f"{city.url}/outages")
    expect(phone.locator("article")).to_have_count(2)
    phone.get_by_label("我在").select_option("hexi")
    phone.get_by_role("button", name="查看").click()
    expect(phone).to_have_url(f"{city.url}/outages?district=hexi")
    expect(phone.locator("article")).to_have_count(1)
    expect(phone.locator("#planned article")).to_contain_text("2026-09-18 09:00")
    phone.get_by_role("link", name="马上报修").click()
    expect(phone.get_by_label("在哪个街道或乡镇")).to_have_value("hexi")


def test_a_guide_says_what_to_bring_how_long_and_what_it_costs_and_prints_alone(phone: Page, city: City) -> None:
    phone.goto(city.url)
    phone.locator(".tiles a", has_text="办事指南").click()
    phone.locator(".tiles a", has_text="村组").click()
    expect(phone.locator("#bring li")).to_have_count(2)
    for words in ("5 个工作日", "工程安装费", "开户费", "示例文号〔2021〕2号"):
        expect(phone.locator("main")).to_contain_text(words)
    phone.emulate_media(media="print")
    for unprinted in (".top", ".foot", ".no-print"):
        expect(phone.locator(unprinted)).to_be_hidden()


# ---- every page


def test_every_public_page_is_accessible_light_in_bytes_and_fits_a_phone(browser: Browser, city: City) -> None:
    an_outage(city)
    links = [
        follow_of(city, "connections", application(documents=[PAPERS[0]]), "applicant"),
        follow_of(city, "repairs", fault()),
    ]
    paths = ("/", "/apply", "/apply?category=private", "/report", "/follow", "/my", "/outages", "/disclosure")
    more = ("/guide", "/guide/private", f"{links[0]}?new=1&failed=identity:body-too-large", links[1], "/design")
    troubles = []
    for number, path in enumerate((*paths, *more)):
        # Colours that change by and by would be looked at half way.
        context = browser.new_context(viewport=PHONE, locale="zh-CN", reduced_motion="reduce")
        page = context.new_page()
        answers: list[Response] = []

        def note(answer: Response, answers: list[Response] = answers) -> None:
            answers.append(answer)

        page.on("response", note)
        page.goto(f"{city.url}{path}{'&' if '?' in path else '?'}lang={('zh', 'en')[number % 2]}")
        # What it and everything that it loads have before compression, on a first visit.
        weight = sum(len(each.body()) for each in answers)
        troubles += [(path, f"{weight} bytes")] if weight > MOST_BYTES else []
        wide = page.evaluate("document.documentElement.scrollWidth")
        troubles += [(path, f"{wide} pixels wide")] if wide > PHONE["width"] else []
        troubles += [(path, each) for each in violations(page)]
        page.emulate_media(color_scheme="dark")
        troubles += [(path, f"dark: {each}") for each in violations(page)]
        context.close()
    assert troubles == []
