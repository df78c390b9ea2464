"""Every page that stands in a menu, as each role finds it: accessible, and whole at twice its size."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from playwright.sync_api import Page

from api.pages.navigation import PUBLIC, STAFF
from infra.identity.demo_accounts import DEMO_ACCOUNTS, join_demo_accounts
from tests.api_world import PAPERS, application, fault
from tests.e2e.accessible import cut_off, violations
from tests.e2e.city import City

pytestmark = pytest.mark.browser

ROLES = sorted({role for work in DEMO_ACCOUNTS.values() for role in work.roles})
OTHERS = (
    *(f"/rules/{each}" for each in ("standards", "fees", "calendars", "law", "what-if")),
    "/billing",
    "/login",
    "/my",
    "/guide",
)


@pytest.fixture
def zoomed(page: Page) -> Page:
    """A window of 1280 pixels whose page is shown at twice its size."""
    page.set_viewport_size({"width": 640, "height": 450})
    return page


def as_role(page: Page, city: City, role: str) -> None:
    actor = next(name for name, work in DEMO_ACCOUNTS.items() if work.roles[0] == role)
    assert page.context.request.post(f"{city.url}/api/v1/session/demo", data={"actor": actor}).ok


def a_city_at_work(city: City) -> list[str]:
    """An incident with an alert, one that waits for a crew, and an application; the addresses of their pages."""
    join_demo_accounts(city.service)
    repair = city.post("repairs", fault(reporter={"phone": "13812345678"}))
    city.post(f"repairs/{repair}/dispatch", {"crew": "crew-01"}, "office", "dispatcher")
    city.post("repairs", fault(kind="burst"))
    connection = city.post("connections", application(documents=PAPERS), "website", "applicant")
    city.show()
    return [
        f"/cases/{repair}",
        f"/cases/{connection}",
        f"/cases/{repair}/promises/repair.arrival",
        f"/cases/{repair}/people?reason=call-back",
        "/do/repairs_report_fault?kind=burst",
        f"/do/connections_issue_quote?case_id={connection}&lines.0.fee=installation",
    ]


def settled(page: Page, city: City, path: str, language: str) -> None:
    page.goto(f"{city.url}/language?to={language}&next={quote(path)}")
    if path in ("/board", "/login"):
        page.locator("body[data-state=shown]").wait_for()
    elif path in ("/crew", "/visits", "/rounds"):
        page.locator("#field[data-state=shown]").wait_for()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_page_is_cut_off_or_scrolls_sideways_at_twice_its_size(zoomed: Page, city: City, language: str) -> None:
    cases = a_city_at_work(city)
    as_role(zoomed, city, "manager")
    found = []
    for path in ["/", *(each.href for each in (*PUBLIC, *STAFF)), *OTHERS, *cases, "/design"]:
        settled(zoomed, city, path, language)
        found += [(path, each) for each in cut_off(zoomed)]
    assert found == []


CHINESE = """() => {
  const texts = [...document.querySelectorAll("main *")].flatMap((each) => [...each.childNodes]);
  const found = texts.filter((one) => one.nodeType === Node.TEXT_NODE && /[\\u4e00-\\u9fff]/.test(one.textContent));
  return found.map((one) => one.textContent.trim());
}"""


def test_names_of_the_shipped_standard_are_english_on_english_pages(zoomed: Page, city: City) -> None:
    repair, connection, *_ = a_city_at_work(city)
    as_role(zoomed, city, "manager")
    found = []
    for path in (
        "/report",
        "/apply",
        "/apply?category=private",
        "/guide",
        "/outages",
        "/dispatch",
        "/hotline",
        "/intake",
        "/desk",
        repair,
        connection,
    ):
        settled(zoomed, city, path, "en")
        found += [(path, each) for each in zoomed.evaluate(CHINESE)]
    assert found == []


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_every_page_in_the_menu_of_a_role_is_accessible(zoomed: Page, city: City, role: str) -> None:
    a_city_at_work(city)
    as_role(zoomed, city, role)
    found = []
    zoomed.goto(f"{city.url}/login")
    menu = zoomed.locator(".top nav a").evaluate_all("links => links.map((each) => each.getAttribute('href'))")
    assert menu != ["/"], "a role has work to find"
    for number, path in enumerate(menu):
        settled(zoomed, city, path, ("zh", "en")[number % 2])
        assert zoomed.url == city.url + path, "nobody is led elsewhere from their own menu"
        found += [(path, each) for each in (*violations(zoomed), *cut_off(zoomed))]
    assert found == []
