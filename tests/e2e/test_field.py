"""The pages of who works outside, on a telephone whose net is cut: nothing is lost, nothing told twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from domain import kinds
from domain.kinds import Kind
from infra.eventstore.commands import Stream
from infra.identity.demo_accounts import join_demo_accounts
from tests.api_world import PAPERS, application, fault
from tests.e2e.accessible import violations
from tests.e2e.city import City

pytestmark = pytest.mark.browser

PHOTO = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(2000)


@pytest.fixture
def phone(browser: Browser, city: City) -> Iterator[BrowserContext]:
    """A telephone that knows where it is."""
    join_demo_accounts(city.service)
    context = browser.new_context(
        viewport={"width": 390, "height": 844},
        has_touch=True,
        locale="zh-CN",
        geolocation={"latitude": 28.31, "longitude": 109.73},
        permissions=["geolocation"],
    )
    yield context
    context.close()


def opened(phone: BrowserContext, city: City, path: str, actor: str) -> Page:
    """A page that its owner has opened once while there was a net."""
    city.show()
    assert phone.request.post(f"{city.url}/api/v1/session/demo", data={"actor": actor}).ok
    page = phone.new_page()
    page.goto(f"{city.url}{path}")
    expect(page.locator("#field")).to_have_attribute("data-kept", "yes")
    return page


def facts(city: City, case_id: str, kind: Kind = kinds.REPAIR) -> list[str]:
    return [event["type"].split(".")[2] for event in city.service.load(Stream(kind, UUID(case_id)))[1]]


def an_incident_of_crew_01(city: City) -> str:
    case_id = city.post("repairs", fault())
    city.post(f"repairs/{case_id}/dispatch", {"crew": "crew-01"}, "office", "dispatcher")
    return case_id


def test_a_crew_works_without_a_net_and_everything_is_told_once_when_it_is_back(
    phone: BrowserContext, city: City
) -> None:
    case_id = an_incident_of_crew_01(city)
    page = opened(phone, city, "/crew", "crew-person-1")
    phone.set_offline(True)
    page.get_by_role("button", name="接单", exact=True).click()
    expect(page.locator("#unsent")).to_have_text("1")
    page.get_by_role("button", name="到场", exact=True).click()
    expect(page.locator("#entry")).to_contain_text("已定位")
    page.set_input_files("#f-evidence-photo_digest", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": PHOTO})
    page.locator("#entry").get_by_role("button", name="到场").click()
    expect(page.locator("#unsent")).to_have_text("2")
    page.reload()
    expect(page.locator("#status")).to_contain_text("2 条待发送")
    expect(page.locator("#tasks")).to_contain_text("待发送: 到场")
    assert "CrewArrived" not in facts(city, case_id)
    told_at = city.clock.now()
    city.clock.move(timedelta(minutes=7))
    phone.set_offline(False)
    expect(page.locator("#unsent")).to_be_empty()
    told = facts(city, case_id)
    assert (told.count("DispatchAcknowledged"), told.count("CrewArrived")) == (1, 1)
    arrived = next(e for e in city.service.load(Stream(kinds.REPAIR, UUID(case_id)))[1] if "CrewArrived" in e["type"])
    happened_at = datetime.fromisoformat(arrived["time"])
    assert abs((happened_at - told_at).total_seconds()) < 60, "when it was pressed, not when it was sent"
    assert arrived["data"]["evidence"]["photo_digest"].startswith("sha256:")
    digest = arrived["data"]["evidence"]["photo_digest"]
    file = city.service.evidence.file(digest)
    assert file is not None
    assert file.state == "kept"


def test_a_form_that_is_open_is_there_again_after_a_reload_until_it_is_sent_or_discarded(
    phone: BrowserContext, city: City
) -> None:
    case_id = an_incident_of_crew_01(city)
    page = opened(phone, city, "/crew", "crew-person-1")
    phone.set_offline(True)
    page.locator("#tasks summary").click()
    page.get_by_role("button", name="到场", exact=True).click()
    expect(page.locator("#entry")).to_contain_text("已定位")
    page.set_input_files("#f-evidence-photo_digest", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": PHOTO})
    pressed_at = city.clock.now()
    page.reload()
    expect(page.locator("#entry")).to_contain_text("已定位")
    assert page.evaluate("document.querySelector('#f-evidence-photo_digest').files[0].size") == len(PHOTO)
    city.clock.move(timedelta(minutes=7))
    phone.set_offline(False)
    # Nothing waits before it is pressed either: the answer says that it was sent.
    with page.expect_response(lambda answer: answer.url.endswith("/arrival")) as sent:
        page.locator("#entry").get_by_role("button", name="到场").click()
    assert sent.value.ok, sent.value.text()
    expect(page.locator("#unsent")).to_be_empty()
    arrived = next(e for e in city.service.load(Stream(kinds.REPAIR, UUID(case_id)))[1] if "CrewArrived" in e["type"])
    assert abs((datetime.fromisoformat(arrived["time"]) - pressed_at).total_seconds()) < 60, "when it was pressed"
    assert arrived["data"]["evidence"]["photo_digest"].startswith("sha256:")
    page.reload()
    expect(page.locator("#field")).to_have_attribute("data-state", "shown")
    expect(page.locator("#entry form")).to_have_count(0)
    page.locator("#tasks summary").click()
    page.locator("#tasks details button").nth(1).click()
    page.locator("#entry").get_by_role("button", name="取消").click()
    page.reload()
    expect(page.locator("#field")).to_have_attribute("data-state", "shown")
    expect(page.locator("#entry form")).to_have_count(0)


# While a list is drawn anew its particulars are looked up: somebody unfolds a card at that instant.
UNFOLD_WHILE_IT_IS_DRAWN = """() => {
  const get = IDBObjectStore.prototype.get;
  IDBObjectStore.prototype.get = function (...asked) {
    if (this.name === "particulars") document.querySelector("#tasks summary").parentElement.open = true;
    return get.apply(this, asked);
  };
  document.querySelector("#tasks li").dataset.old = "yes";
  dispatchEvent(new Event("online"));
}"""


def test_a_card_that_is_unfolded_while_the_list_is_drawn_stays_unfolded(phone: BrowserContext, city: City) -> None:
    an_incident_of_crew_01(city)
    page = opened(phone, city, "/crew", "crew-person-1")
    page.evaluate(UNFOLD_WHILE_IT_IS_DRAWN)
    expect(page.locator("#tasks li[data-old]")).to_have_count(0)
    expect(page.locator("#tasks details").first).to_have_attribute("open", "")


def test_nothing_is_drawn_anew_under_a_finger(phone: BrowserContext, city: City) -> None:
    """A slow press: the list is fetched again while the finger is down."""
    case_id = an_incident_of_crew_01(city)
    page = opened(phone, city, "/crew", "crew-person-1")
    page.get_by_role("button", name="接单", exact=True).hover()
    page.mouse.down()
    with page.expect_response(lambda answer: "/tasks" in answer.url):
        page.evaluate("dispatchEvent(new Event('online'))")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    with page.expect_response(lambda answer: "acknowledgement" in answer.url):
        page.mouse.up()
    assert "DispatchAcknowledged" in facts(city, case_id)


@pytest.mark.parametrize("leaves_by", ["sign-out", "another account"])
def test_an_open_form_is_gone_for_whoever_comes_next(phone: BrowserContext, city: City, leaves_by: str) -> None:
    an_incident_of_crew_01(city)
    page = opened(phone, city, "/crew", "crew-person-1")
    page.locator("#tasks summary").click()
    page.get_by_role("button", name="到场", exact=True).click()
    expect(page.locator("#entry")).to_contain_text("已定位")
    page.reload()
    expect(page.locator("#entry form")).to_be_visible()
    if leaves_by == "sign-out":
        page.goto(f"{city.url}/login")
        page.locator("#sign-out").click()
        expect(page).to_have_url(f"{city.url}/")
        actor = "crew-person-1"
    else:
        actor = "crew-lead-1"
    assert phone.request.post(f"{city.url}/api/v1/session/demo", data={"actor": actor}).ok
    page.goto(f"{city.url}/crew")
    expect(page.locator("#status")).to_contain_text("更新于")
    expect(page.locator("#entry form")).to_have_count(0)
    page.reload()
    expect(page.locator("#status")).to_contain_text("更新于")
    expect(page.locator("#entry form")).to_have_count(0)


def test_an_answer_that_is_lost_on_its_way_doubles_nothing(phone: BrowserContext, city: City) -> None:
    case_id = an_incident_of_crew_01(city)
    page = opened(phone, city, "/crew", "crew-person-1")
    lost: list[int] = []

    def lose_the_first_answer(route: Route) -> None:
        answer = route.fetch()
        if lost:
            route.fulfill(response=answer)
        else:
            lost.append(answer.status)
            route.abort()

    page.route("**/acknowledgement", lose_the_first_answer)
    page.get_by_role("button", name="接单", exact=True).click()
    expect(page.locator("#status")).to_contain_text("没有网络")
    assert lost == [200], "it was carried out, and nobody heard of it"
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#unsent")).to_be_empty()
    assert facts(city, case_id).count("DispatchAcknowledged") == 1


def test_what_is_refused_stays_on_the_telephone_with_its_reason(phone: BrowserContext, city: City) -> None:
    case_id = an_incident_of_crew_01(city)
    page = opened(phone, city, "/crew", "crew-person-1")
    phone.set_offline(True)
    page.get_by_role("button", name="接单", exact=True).click()
    city.post(f"repairs/{case_id}/merging", {"into": city.post("repairs", fault())}, "office", "dispatcher")
    phone.set_offline(False)
    expect(page.locator("#outbox")).to_contain_text("1 条未被接受")
    page.reload()
    expect(page.locator("#outbox")).to_contain_text("接单")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="删除此条").click()
    expect(page.locator("#outbox")).to_have_count(0)


def test_another_persons_session_does_not_send_what_somebody_entered(phone: BrowserContext, city: City) -> None:
    case_id = an_incident_of_crew_01(city)
    page = opened(phone, city, "/crew", "crew-person-1")
    page.route("**/acknowledgement", lambda route: route.abort())
    page.get_by_role("button", name="接单", exact=True).click()
    expect(page.locator("#unsent")).to_have_text("1")
    expect(page.locator("#status")).to_contain_text("没有网络")
    page.unroute("**/acknowledgement")
    assert phone.request.post(f"{city.url}/api/v1/session/demo", data={"actor": "crew-lead-1"}).ok
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#status")).to_contain_text("crew-person-1 的记录待发送")
    assert "DispatchAcknowledged" not in facts(city, case_id)
    assert phone.request.post(f"{city.url}/api/v1/session/demo", data={"actor": "crew-person-1"}).ok
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#unsent")).to_be_empty()
    assert facts(city, case_id).count("DispatchAcknowledged") == 1


def test_a_reader_enters_a_reading_and_an_exception_without_a_net(phone: BrowserContext, city: City) -> None:
    opening = {
        "book": "zhenxi-07",
        "month": "2026-09",
        "due_on": "2026-09-20",
        "reader": "reader-1",
        "meters": ["JS-2026-0001", "JS-2026-0002"],
    }
    book = city.post("reading-books", opening, "office", "manager")
    page = opened(phone, city, "/rounds", "reader-1")
    expect(page.locator("#tasks li")).to_have_count(2)
    phone.set_offline(True)
    second = page.locator("#tasks li", has_text="JS-2026-0002")
    second.get_by_text("其他", exact=True).click()
    second.get_by_role("button", name="抄表例外").click()
    page.locator("#entry select, #entry [type=radio]").first.wait_for()
    if page.locator("#entry select").count():
        page.locator("#entry select").select_option("no-access")
    else:
        page.locator("#entry [value=no-access]").check()
    page.locator("#entry").get_by_role("button", name="抄表例外").click()
    expect(page.locator("#unsent")).to_have_text("1")
    phone.set_offline(False)
    expect(page.locator("#unsent")).to_be_empty()
    assert facts(city, book, kinds.BOOK).count("ReadingExcepted") == 1


def test_a_squad_makes_its_visit_and_approves_on_site_without_a_net(phone: BrowserContext, city: City) -> None:
    case_id = city.post("connections", application(documents=PAPERS), "website", "applicant")
    city.post("squads", {"squad": "squad-1", "members": ["fitter-a", "fitter-b"]}, "office", "manager")
    begin = city.clock.now() + timedelta(hours=2)
    booking = {
        "visit": str(uuid4()),
        "squad": "squad-1",
        "purpose": "survey",
        "begin": begin.isoformat(),
        "end": (begin + timedelta(hours=2)).isoformat(),
    }
    city.post(f"connections/{case_id}/visits", booking, "office", "case-owner")
    city.post("squads", {"squad": "squad-2", "members": ["fitter-c"]}, "office", "manager")
    foreign = city.post("connections", application(documents=PAPERS), "website", "applicant")
    others = {**booking, "visit": str(uuid4()), "squad": "squad-2"}
    city.post(f"connections/{foreign}/visits", others, "office", "case-owner")
    city.clock.move(timedelta(hours=3))
    page = opened(phone, city, "/visits", "squad-person-1")
    expect(page.locator("#tasks li")).to_have_count(1)
    everybodys = phone.request.get(f"{city.url}/api/v1/visits").json()["visits"]
    assert [each["case_id"] for each in everybodys] == [case_id], "another squad's visit is not theirs to see"
    phone.set_offline(True)
    page.get_by_role("button", name="现场审批即施工").click()
    page.set_input_files("#f-drawing_digest", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": PHOTO})
    page.locator("#entry").get_by_role("button", name="现场审批即施工").click()
    page.get_by_role("button", name="已上门", exact=True).click()
    page.locator("#entry").get_by_role("button", name="已上门").click()
    expect(page.locator("#unsent")).to_have_text("2")
    phone.set_offline(False)
    expect(page.locator("#unsent")).to_be_empty()
    told = facts(city, case_id, kinds.CONNECTION)
    assert (told.count("HomeVisitMade"), told.count("ApprovedOnSite")) == (1, 1)


@pytest.mark.parametrize("path", ["/crew", "/visits", "/rounds"])
def test_everybody_can_use_the_page(phone: BrowserContext, city: City, path: str) -> None:
    an_incident_of_crew_01(city)
    page = opened(phone, city, path, "crew-person-1" if path == "/crew" else "manager-1")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
        assert violations(page) == []
