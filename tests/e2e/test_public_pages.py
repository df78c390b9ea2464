"""/disclosure in a real browser: what a citizen reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from domain.kernel.facts import EventToAppend
from infra.eventstore.commands import Command, Snapshot, Stamp, StreamEvent
from infra.eventstore.shipped_rules import FEES, shipped_catalogue
from tests.api_world import DIGEST, PAPERS, application
from tests.e2e.city import City

pytestmark = pytest.mark.browser


def at(page: Page, city: City, path: str) -> Page:
    page.goto(city.url + path)
    return page


def apply(city: City, documents: Sequence[dict[str, Any]] = PAPERS, **changes: Any) -> str:
    return city.post("connections", application(documents=list(documents), **changes), "website", "applicant")


def row(page: Page, table: str, text: str) -> Any:
    return page.locator(f"#{table} tr", has_text=text)


# ---- /disclosure


def test_the_promise_the_steps_and_the_documents_are_public(page: Page, city: City) -> None:
    at(page, city, "/disclosure")
    expect(page.locator("#promise .stat")).to_have_count(6)
    expect(page.locator("#promise .stat", has_text="个工作日").locator("b")).to_have_text("5")
    expect(page.locator("#promise .stat", has_text="网上").locator("b")).to_have_text("0")
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
    expect(row(page, "fees", "勘察设计费")).to_contain_text("¥5,000.00")
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
    expect(page.locator("#no-works")).to_have_count(0)
    expect(row(page, "works", "武陵社区加压泵房")).to_contain_text("356")
    expect(row(page, "works", "武陵社区加压泵房")).to_contain_text("2026-09-16 完工")
    expect(row(page, "figures", "报装申请").locator("td")).to_have_text("1")
    expect(row(page, "figures", "渠道：网站").locator("td")).to_have_text("1")
    expect(row(page, "published", "报装申请").locator("td")).to_have_text(["1", "238"])
    expect(row(page, "published", "标准化加压泵房").locator("td")).to_have_text(["1", "5"])
    expect(page.locator(".contradiction")).to_have_count(2)
    expect(page.locator("#contradictions")).to_contain_text("37+14+2+187 = 240")
    expect(page.locator("#contradictions")).to_contain_text("66.7%")


@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_the_page_fits_the_screen(page: Page, city: City, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    at(page, city, "/disclosure")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


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
    page.goto(f"{city.url}/board")
    expect(page.locator("body")).to_have_attribute("data-state", "shown")
    page.locator("#windows .window").first.click()
    timeline = page.locator("#timeline li")
    expect(timeline.filter(has_text="违规收费被拒")).to_contain_text("开户费 50.00 元")
    expect(timeline.filter(has_text="送达文件")).to_have_count(1)
    expect(timeline.filter(has_text="受理")).to_have_count(1)
    expect(page.locator("#timeline")).not_to_contain_text(re.compile("[a-z]+[A-Z][a-z]+"))
