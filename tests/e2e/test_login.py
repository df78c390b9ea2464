"""/login in a real browser: who may not read is led there, and comes back to where they were."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from domain.people.people import Work
from infra.clock import ManualClock
from infra.eventstore.service import open_service
from infra.identity.accounts import Accounts
from infra.identity.demo_accounts import join_by_program
from infra.settings import Settings
from tests.api_world import app_of, served
from tests.e2e.city import City
from tests.identity_provider import real_provider

PASSWORD = "correct horse battery staple"


def test_a_first_sign_in_sets_a_password_and_comes_back_to_the_page(page: Page, city: City) -> None:
    join_by_program(city.service, "hotline-7", Work(("hotline", "counter")))
    once = Accounts(city.service).new_secret("hotline-7")
    page.goto(f"{city.url}/login?next=/dispatch")
    page.locator("#form-sign-in [name=login]").fill("hotline-7")
    page.locator("#form-sign-in [name=password]").fill(once)
    page.locator("#form-sign-in button").click()
    expect(page.locator("#failed")).to_contain_text("请先设置本人密码")
    page.locator("#form-password [name=old]").fill(once)
    page.locator("#form-password [name=new]").fill(PASSWORD)
    page.locator("#form-password button").click()
    expect(page).to_have_url(f"{city.url}/dispatch")
    expect(page.locator("#who")).to_contain_text("hotline-7")


@pytest.mark.parametrize("elsewhere", ["//evil.example/", "/%5Cevil.example/", "/%09/evil.example/"])
def test_an_address_of_somebody_else_does_not_follow_a_sign_in(page: Page, city: City, elsewhere: str) -> None:
    join_by_program(city.service, "hotline-7", Work(("hotline",)))
    Accounts(city.service).set_secret("hotline-7", PASSWORD, must_change=False)
    page.goto(f"{city.url}/login?next={elsewhere}")
    page.locator("#form-sign-in [name=login]").fill("hotline-7")
    page.locator("#form-sign-in [name=password]").fill(PASSWORD)
    page.locator("#form-sign-in button").click()
    expect(page).to_have_url(f"{city.url}/")


def test_the_page_fits_a_phone(page: Page, city: City) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{city.url}/login")
    expect(page.locator("#sign-in")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_somebody_signs_in_at_an_identity_provider(
    browser: Browser, store_settings: Settings, clock: ManualClock
) -> None:
    """At a real one: they break off, come without a second factor that their role needs, and come with one."""
    with real_provider() as provider:
        service = open_service(store_settings.model_copy(update=provider.settings), clock=clock)
        with served(app_of(service)) as url:
            provider.meet_client(f"{url}/api/v1/session/oidc/callback")
            join_by_program(service, "manager-7", Work(("manager",)))
            page = browser.new_context(locale="zh-CN").new_page()
            page.goto(f"{url}/login?next=/dispatch")
            page.locator("#by-provider").click()
            page.locator("#out").click()
            expect(page.locator("#refused")).to_have_attribute("data-code", "oidc-denied")
            page.get_by_role("link", name="返回登录").click()
            page.goto(f"{url}/login?next=/dispatch")
            page.locator("#by-provider").click()
            page.locator("[name=login]").fill("manager-7")
            page.locator("#in").click()
            expect(page.locator("#failed")).to_contain_text("该岗位须双重验证")
            expect(page.locator("#form-factor")).to_be_visible()
            expect(page.locator("#password")).to_be_hidden()
            page.context.clear_cookies()
            page.goto(f"{url}/login?next=/dispatch")
            page.locator("#by-provider").click()
            page.locator("[name=login]").fill("manager-7")
            page.locator("[name=mfa]").check()
            page.locator("#in").click()
            expect(page).to_have_url(f"{url}/dispatch")
            expect(page.locator("#who")).to_contain_text("manager-7")
            page.context.close()
        service.close()
