"""/disclosure and /desk in a real browser: what a citizen reads, and what the counter works from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from playwright.sync_api import Page, expect

from domain import kinds
from domain.kernel.facts import EventToAppend
from infra.eventstore.commands import Command, Snapshot, Stamp, Stream, StreamEvent
from infra.eventstore.shipped_rules import FEES, shipped_catalogue
from tests.api_world import DIGEST, PAPERS, application
from tests.e2e.city import City

pytestmark = pytest.mark.browser


def at(page: Page, city: City, path: str) -> Page:
    page.goto(city.url + path)
    expect(page.locator("body")).to_have_attribute("data-state", "shown")
    return page


def apply(city: City, documents: Sequence[dict[str, Any]] = PAPERS, **changes: Any) -> str:
    return city.post("connections", application(documents=list(documents), **changes), "website", "applicant")


def row(page: Page, table: str, text: str) -> Any:
    return page.locator(f"#{table} tr", has_text=text)


# ---- /disclosure


def test_the_promise_the_steps_and_the_documents_are_public(page: Page, city: City) -> None:
    at(page, city, "/disclosure")
    expect(page.locator("#promise .tile")).to_have_count(6)
    expect(page.locator("#promise .tile", has_text="个工作日").locator("b")).to_have_text("5")
    expect(page.locator("#promise .tile", has_text="网上").locator("b")).to_have_text("0")
    expect(page.locator("#steps li")).to_have_text(["受理签约", "验收通水"])
    private = row(page, "documents", "私人").locator("td")
    expect(private.nth(0)).to_contain_text("身份证明")
    expect(private.nth(1)).to_contain_text("房产或用地证明")
    expect(row(page, "limits", "受理至验收通水")).to_contain_text("5 个工作日")
    expect(row(page, "limits", "大修")).to_contain_text("连续作业至通水")
    expect(page.locator("#standard")).to_contain_text("2026-06-1")


def test_every_fee_is_shown_with_its_legal_basis_and_the_forbidden_ones_by_name(page: Page, city: City) -> None:
    at(page, city, "/disclosure")
    expect(page.locator("#fees tr")).to_have_count(3)
    installation = page.locator("#fees tr", has=page.locator("th", has_text="工程安装费"))
    expect(installation).to_contain_text("每米（建筑区划红线内） 128.50 元")
    expect(installation).to_contain_text("示例文号〔2021〕2号")
    expect(row(page, "fees", "勘察设计费")).to_contain_text("工程安装费的 25‰")
    expect(row(page, "fees", "勘察设计费")).to_contain_text("5,000.00 元")
    expect(page.locator("#fees .off")).to_have_count(0)
    expect(page.locator("#banned")).to_contain_text("开户费")


def test_a_fee_that_was_switched_off_is_shown_as_such(page: Page, city: City) -> None:
    shipped = shipped_catalogue()
    items = tuple(replace(item, active=item.code != "water-loss") for item in shipped.items)
    published = replace(shipped, version="2026-1", items=items)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        return [(FEES, EventToAppend(published, snapshot.at))]

    city.service.run(Command(FEES, Stamp("manager-1", "manager", "office", str(uuid4()), "test"), decide))
    at(page, city, "/disclosure")
    expect(row(page, "fees", "管网水损费")).to_contain_text("停止收取")
    expect(page.locator("#fees .off")).to_have_count(1)


def test_works_and_our_own_counts_stand_beside_the_published_ones(page: Page, city: City) -> None:
    work = {"kind": "pump-room", "community": "wuling", "name_zh": "武陵社区加压泵房"}
    work_id = city.post("works", work, "office", "manager")
    city.post(f"works/{work_id}/start", {}, "crew-phone", "crew-lead")
    city.post(f"works/{work_id}/completion", {"households_served": 356}, "crew-phone", "crew-lead")
    apply(city)
    city.show()
    at(page, city, "/disclosure")
    expect(page.locator("#no-works")).to_be_hidden()
    expect(row(page, "works", "武陵社区加压泵房")).to_contain_text("356")
    expect(row(page, "works", "武陵社区加压泵房")).to_contain_text("2026/09/16 完工")
    expect(row(page, "figures", "报装申请").locator("td")).to_have_text("1")
    expect(row(page, "figures", "渠道：网站").locator("td")).to_have_text("1")
    expect(row(page, "published", "报装申请").locator("td")).to_have_text(["1", "238"])
    expect(row(page, "published", "标准化加压泵房").locator("td")).to_have_text(["1", "5"])
    expect(page.locator(".contradiction")).to_have_count(2)
    expect(page.locator("#contradictions")).to_contain_text("37+14+2+187 = 240")
    expect(page.locator("#contradictions")).to_contain_text("66.7%")


def test_what_cannot_be_read_is_said(page: Page, city: City) -> None:
    answer = {"code": "store-unavailable", "detail_zh": "存储暂不可用"}
    # Answered as a success of another form, so that the browser itself has nothing to complain about.
    page.context.route("**/api/v1/disclosure", lambda route: route.fulfill(json=answer))
    at(page, city, "/disclosure")
    expect(page.locator("#failed")).to_contain_text("暂时无法读取")


# ---- /desk


def test_the_desk_shows_who_is_due_first_what_is_missing_and_who_acts(page: Page, city: City) -> None:
    noticed = apply(city, [])
    city.post(
        f"connections/{noticed}/notice",
        {"items": [{"document": code, "defect": "missing"} for code in ("identity", "property-right")]},
        "office",
        "case-owner",
    )
    city.clock.move(timedelta(minutes=5))
    complete = apply(city)
    city.clock.move(timedelta(days=1))
    outstanding = apply(city, PAPERS[:1])
    pledge = {"papers": ["property-right"], "deadline": "2026-09-18", "commitment_digest": DIGEST}
    city.post(f"connections/{outstanding}/papers-commitment", pledge, "counter", "counter")
    city.show()
    at(page, city, "/desk")
    rows = page.locator("#rows tr")
    expect(rows).to_have_count(3)
    assert [rows.nth(n).get_attribute("data-case") for n in range(3)] == [complete, outstanding, noticed]
    expect(rows.nth(0)).to_contain_text("已受理")
    expect(rows.nth(0).locator(".due b")).to_have_text("09/22 17:30")
    expect(rows.nth(0).locator(".act b")).to_contain_text("报价")
    expect(rows.nth(1).locator(".lack")).to_have_text("房产或用地证明")
    expect(rows.nth(1).locator(".act b")).to_contain_text("补交材料")
    expect(rows.nth(2)).to_contain_text("暂不计时")
    expect(rows.nth(2)).to_contain_text("已一次性告知")
    expect(rows.nth(2).locator(".lack")).to_have_text("身份证明、房产或用地证明")
    expect(page.locator("#n-open")).to_have_text("3")


def test_an_application_over_its_day_stands_out_and_a_finished_one_is_gone(page: Page, city: City) -> None:
    late = apply(city)
    gone = apply(city)
    city.post(f"connections/{gone}/withdrawal", {"reason": "applied-twice"}, "website", "applicant")
    city.clock.move(timedelta(days=8))
    city.ask(late, kinds.CONNECTION)
    city.show()
    at(page, city, "/desk")
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page.locator("#rows tr")).to_have_attribute("data-near", "over")


def test_the_desk_follows_a_case_without_reloading(page: Page, city: City) -> None:
    case_id = apply(city, PAPERS[:1])
    city.show()
    at(page, city, "/desk")
    expect(page.locator("#rows .lack")).to_have_text("房产或用地证明")
    city.post(f"connections/{case_id}/documents", {**PAPERS[1]}, "website", "applicant")
    city.post(f"connections/{case_id}/survey", {"feasible": True, "findings": []}, "crew-phone", "squad")
    city.show()
    expect(page.locator("#rows .lack")).to_have_count(0)
    expect(page.locator("#rows tr")).to_contain_text("已勘察")


def test_a_case_owner_sees_their_own_applications(page: Page, city: City) -> None:
    ids = [apply(city) for _ in range(2)]
    city.show()
    at(page, city, "/desk")
    owners = {city.service.load(stream_of(case_id))[0].owner for case_id in ids}
    assert len(owners) == 2, "the numbers go round"
    mine = sorted(owners)[0]
    page.locator("#owner").select_option(mine)
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page.locator("#rows td").last).to_have_text(mine)
    assert page.url.endswith(f"?owner={mine}")
    page.reload()
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page.locator("#owner")).to_have_value(mine)


def stream_of(case_id: str) -> Stream:
    return Stream(kinds.CONNECTION, UUID(case_id))


def test_an_empty_desk_says_so(page: Page, city: City) -> None:
    at(page, city, "/desk")
    expect(page.locator("#none")).to_be_visible()


# ---- both


@pytest.mark.parametrize("path", ["/disclosure", "/desk"])
@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_the_pages_fit_the_screen(page: Page, city: City, path: str, width: int) -> None:
    apply(city, PAPERS[:1])
    city.show()
    page.set_viewport_size({"width": width, "height": 900})
    at(page, city, path)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("path", ["/disclosure", "/desk"])
def test_chinese_and_english_are_marked_as_what_they_are(page: Page, city: City, path: str) -> None:
    apply(city, PAPERS[:1])
    city.show()
    at(page, city, path)
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    unmarked = page.evaluate(
        "[...document.querySelectorAll('body *')].filter((e) => !e.closest('[lang=en]') && e.tagName !== 'NOSCRIPT' &&"
        " [...e.childNodes].some((n) => n.nodeType === 3 && /[a-z]{4,}/.test(n.textContent) &&"
        " !/[\\u4e00-\\u9fff]/.test(n.textContent) && !/^owner-\\d$/.test(n.textContent)))"
        ".map((e) => e.textContent.trim())"
    )
    assert unmarked == []


def test_text_from_the_server_is_never_markup(page: Page, city: City) -> None:
    apply(city)
    city.show()
    hostile = "<img src=x onerror=document.title='owned'>"
    with city.service.connection() as connection:
        connection.execute("UPDATE views.connections SET case_number = %s, owner = %s", [hostile] * 2)
    at(page, city, "/desk")
    expect(page.locator("#rows th")).to_contain_text(hostile)
    assert page.locator("main img").count() == 0
    assert page.title() == "通水 · 报装窗口"


def test_the_pages_lead_to_each_other(page: Page, city: City) -> None:
    at(page, city, "/disclosure")
    page.locator(".links a", has_text="窗口").click()
    expect(page).to_have_title("通水 · 报装窗口")
    page.locator(".links a", has_text="看板").click()
    expect(page).to_have_title("通水 · 服务承诺看板")
    page.locator(".brand a", has_text="公示").click()
    expect(page).to_have_title("通水 · 用水报装公示")


def test_a_refused_charge_is_told_on_the_board_by_its_forbidden_name(page: Page, city: City) -> None:
    case_id = apply(city)
    charge = {"charge": "account-opening", "name_zh": "开户费", "amount_fen": 5_000}
    refused = city.refused(f"connections/{case_id}/charges", charge, "counter", "counter")
    assert refused == "fee-banned"
    city.post(
        f"connections/{case_id}/deliverables",
        {"deliverable": "plan", "way": "email", "digest": DIGEST},
        "office",
        "case-owner",
    )
    city.show()
    page.goto(city.url)
    expect(page.locator("body")).to_have_attribute("data-state", "shown")
    page.locator("#windows .window").first.click()
    timeline = page.locator("#timeline li")
    expect(timeline.filter(has_text="违规收费被拒")).to_contain_text("开户费 50.00 元")
    expect(timeline.filter(has_text="送达文件")).to_have_count(1)
    expect(timeline.filter(has_text="受理")).to_have_count(1)
    expect(page.locator("#timeline")).not_to_contain_text(re.compile("[a-z]+[A-Z][a-z]+"))
