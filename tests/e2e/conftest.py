"""A real browser and a running installation without Kafka, for every page."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from infra.clock import ManualClock
from infra.eventstore.service import open_service
from infra.settings import Settings
from tests.api_world import app_of, served
from tests.e2e.browser import NONE, installed
from tests.e2e.city import City

ARGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]

expect.set_options(timeout=30_000)  # another worker of the run may have both processors just now


# Not for the session: while Playwright's loop lives in this thread no other test can run one of its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, as the system has it or as Playwright brought it."""
    with sync_playwright() as playwright:
        path = installed(playwright.chromium.executable_path)
        if path is None:
            pytest.fail(NONE) if os.environ.get("CI") else pytest.skip(NONE)
        launched = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield launched
        launched.close()


@pytest.fixture
def city(store_settings: Settings, clock: ManualClock) -> Iterator[City]:
    service = open_service(store_settings.model_copy(update={"demo": True}), clock=clock)
    with served(app_of(service)) as url:
        yield City(service, clock, url)
    service.close()


@pytest.fixture
def page(browser: Browser, city: City) -> Iterator[Page]:
    """A page of 1440 × 900 that may load nothing from elsewhere and may complain about nothing."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="zh-CN")
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: None if request.url.startswith(city.url) else troubles.append(request.url))
    yield page
    context.close()
    assert troubles == []
