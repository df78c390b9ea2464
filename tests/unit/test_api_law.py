"""The law over HTTP: published, tried, shown; and cited by refusals, windows, explanations and due dates."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from fastapi import FastAPI

from infra.eventstore.commands import Command
from infra.eventstore.shipped_rules import FIRST_START, LAW, first_publication, shipped_law
from tests.api_world import Client, FakeService, app_over, application, fault, staff
from tests.unit.office import LONG_AGO

MANAGER = staff("manager")
PLANNED = {
    "districts": ["zhenxi"],
    "affected_users": 300,
    "begin": "2026-09-17T02:00:00Z",
    "end": "2026-09-17T08:00:00Z",
    "approval": "示例文号〔2026〕7号",
}
SHIPPED = shipped_law()


def next_law(**article: Any) -> dict[str, Any]:
    """The shipped law with §23 said otherwise, as the next version."""
    articles = tuple(replace(each, **article) if each.code == "water-supply-23" else each for each in SHIPPED.articles)
    made: dict[str, Any] = msgspec.to_builtins(
        replace(SHIPPED, version="2026-2", articles=articles, reason="对照公报核对")
    )
    return made


PRIMARY = next_law(source="国务院公报", source_kind="primary")


@pytest.fixture
def service() -> FakeService:
    made = FakeService()
    for stream, said in first_publication(LONG_AGO):
        made.run(Command(stream, FIRST_START, lambda _, stream=stream, said=said: [(stream, said)]))  # type: ignore[misc]
    return made


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return app_over(FakeService())


@pytest.fixture
def client(app: FastAPI, service: FakeService) -> Client:
    app.state.service = service
    return Client(app)


# ---- published and shown


def test_a_version_of_the_law_is_published_once_it_says_why(client: Client, service: FakeService) -> None:
    answer = client.post("/api/v1/law", PRIMARY | {"reason": None}, headers=MANAGER)
    assert (answer.status_code, answer.json()["code"]) == (422, "revision-without-reason")
    answer = client.post("/api/v1/law", PRIMARY, headers=MANAGER)
    assert (answer.status_code, answer.json()["case_number"]) == (201, "2026-2")
    assert msgspec.json.decode(service.events[LAW.id][-1])["type"] == "water.public.LawPublished.v1"
    shown = client.get("/api/v1/law").json()
    assert shown["versions"] == ["2026-1", "2026-2"]


def test_the_law_is_shown_with_what_is_in_force_today(client: Client) -> None:
    shown = client.get("/api/v1/law").json()
    assert (shown["version"], shown["reason"]) == ("2026-1", None)
    assert "water-supply-23" in shown["in_force"]
    assert "urban-water-supply-22" not in shown["in_force"]
    old = next(each for each in shown["articles"] if each["code"] == "urban-water-supply-22")
    assert (old["valid_until"], old["source_kind"]) == ("2026-05-31", "secondary")


def test_a_dry_run_says_what_would_change_and_publishes_nothing(client: Client, service: FakeService) -> None:
    asked: list[Any] = []
    service.answers["windows_citing_otherwise"] = lambda wanted: (
        asked.append(wanted) or [{"windows": 3, "cases": 2}]  # type: ignore[func-returns-value]
    )
    before = service.head
    ended = next_law(valid_until="2026-09-30")
    answer = client.post("/api/v1/law/dry-run", ended, headers=staff("public"))
    found = answer.json()
    assert answer.status_code == 200, answer.text
    assert (found["ends"], found["begins"], found["corrected"]) == (["water-supply-23"], [], [])
    assert (found["windows"], found["cases"]) == (3, 2)
    lost = [each for each in found["basis"] if each["new"] == []]
    assert {(each["kind"], each["code"]) for each in lost} == {
        ("promise", "outage.notice"),
        ("promise", "outage.report"),
        ("promise", "outage.fire-notice"),
        ("refusal", "outage-not-approved"),
        ("refusal", "notice-too-short"),
        ("refusal", "temporary-supply-missing"),
        ("refusal", "outside-announced-times"),
        ("refusal", "fire-service-not-told"),
        ("rule", "outage.shortest-notice"),
    }
    assert {each["since"] for each in lost} == {"2026-10-01"}
    (wanted,) = asked
    assert sorted(wanted["commitments"]) == ["outage.fire-notice", "outage.notice", "outage.report"]
    assert {at.astimezone(UTC) for at in wanted["since"]} == {datetime(2026, 9, 30, 16, tzinfo=UTC)}
    assert service.head == before


def test_a_dry_run_refuses_what_a_publication_refuses(client: Client) -> None:
    answer = client.post("/api/v1/law/dry-run", PRIMARY | {"articles": PRIMARY["articles"][1:]}, headers=MANAGER)
    assert (answer.status_code, answer.json()["code"]) == (409, "article-left-out")


# ---- cited


@pytest.mark.parametrize(
    ("now", "cited", "zh"),
    [
        ("2026-05-31T15:59:00+00:00", ["urban-water-supply-22"], "城市供水条例第22条（国务院令第158号"),
        ("2026-05-31T16:00:00+00:00", ["water-supply-23"], "供水条例第23条（国务院令第831号"),
    ],
)
def test_a_refusal_names_the_article_in_force_when_it_is_said(
    client: Client, service: FakeService, now: str, cited: list[str], zh: str
) -> None:
    service.clock.set(datetime.fromisoformat(now))
    hasty = PLANNED | {"begin": "2026-06-01T02:00:00Z", "end": "2026-06-01T08:00:00Z"}
    found = client.post("/api/v1/outages/planned", hasty, headers=MANAGER).json()
    assert found["code"] == "notice-too-short"
    assert [each["code"] for each in found["basis"]] == cited
    assert found["basis"][0]["source_kind"] == "secondary"
    assert f"依据：{zh}，仅见于二手来源）。" in found["detail_zh"]
    assert "§" not in found["needed"], "no rule writes an article down"


def test_a_refusal_without_a_legal_basis_says_nothing_of_it(client: Client) -> None:
    found = client.post("/api/v1/repairs", fault(district="atlantis")).json()
    assert found["code"] == "unknown-district"
    assert "basis" not in found


def test_a_window_and_its_explanation_name_the_articles_of_its_beginning(client: Client, service: FakeService) -> None:
    case_id = client.post("/api/v1/outages/planned", PLANNED, headers=MANAGER).json()["case_id"]
    shown = client.get(f"/api/v1/cases/{case_id}").json()
    assert {each["commitment"]: each["basis"] for each in shown["windows"]} == {
        "outage.notice": ["water-supply-23"],
        "outage.restore": [],
    }
    explained = client.get(f"/api/v1/cases/{case_id}/windows/outage.notice").json()
    (cited,) = explained["window"]["basis"]
    assert (cited["of"], cited["act_number"], cited["article"]) == ("outage.notice", "国务院令第831号", "23")
    assert any("by law 法律依据 停水通知 outage.notice: 供水条例 §23" in line for line in explained["text"])


def test_a_limit_in_days_names_the_articles_of_the_counting(client: Client) -> None:
    case_id = client.post("/api/v1/connections", application(), headers=staff("counter")).json()["case_id"]
    explained = client.get(f"/api/v1/cases/{case_id}/windows/connection.silence").json()
    if explained.get("code") == "no-such-window":
        explained = client.get(f"/api/v1/cases/{case_id}/windows/connection.notice").json()
    cited = [each["code"] for each in explained["window"]["basis"]]
    assert cited[0] == "administrative-licence-32"


def test_due_dates_name_the_articles_that_they_are_counted_by(client: Client) -> None:
    found = client.get("/api/v1/due?from=2026-09-16&working_days=5").json()
    assert found["basis"] == ["civil-code-201", "civil-code-203"]
    found = client.get("/api/v1/due?from=2019-09-16&working_days=5").json()
    assert found["basis"] == ["civil-general-provisions-201", "civil-general-provisions-203"]


def test_a_draft_of_fees_shows_the_names_that_are_watched(client: Client) -> None:
    from tests.unit.office import a_catalogue, an_item

    catalogue = msgspec.to_builtins(a_catalogue(an_item(name_zh="装表费")))
    answer = client.post("/api/v1/fees/catalogues", catalogue, headers=MANAGER)
    assert answer.status_code == 201, answer.text
    (draft,) = client.get("/api/v1/fees").json()["drafts"]
    assert draft["watched"] == {"installation": "装表费"}
