"""The demo's plan: real reports, the published mix, the same for the same seed."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest

from app.demo import city
from app.demo.play import body_of, first_event, headers_of, key_of
from app.demo.script import Script
from domain.deadlines.calendar import LOCAL
from infra.eventstore.shipped_rules import shipped_rules
from tests.api_world import Client, FakeService, app_over

README = Path(__file__).parents[2] / "README.md"
RULES = shipped_rules()
PLAN = city.plan(225, RULES)
YEAR = city.year(225, RULES)
PLANS = pytest.mark.parametrize("plan", [PLAN, YEAR], ids=["fortnight", "year"])


def test_the_applications_are_the_published_mix_of_240_not_238() -> None:
    assert city.counted(PLAN, "category") == city.PUBLISHED_CATEGORIES
    assert city.counted(PLAN, "channel") == city.PUBLISHED_CHANNELS
    assert sum(city.PUBLISHED_CATEGORIES.values()) == sum(city.PUBLISHED_CHANNELS.values()) == 240
    assert city.PUBLISHED_CHANNELS["website"] + city.PUBLISHED_CHANNELS["wechat"] == 20


def test_what_came_over_the_platform_are_the_platforms_applicants() -> None:
    over = {s.requests[0].body["category"] for s in PLAN if s.requests[0].channel == "platform"}
    assert over == {"prefecture-platform"}


def test_every_real_report_is_played_at_its_own_time_of_day() -> None:
    reports = {f"{row['source']}-{row['id']}": row for row in city.reports()}
    played = {s.name: s for s in PLAN if s.name in reports}
    assert len(reports) == 263
    # Reports whose time of day is over on the demo's first morning are left out; the first two open the show.
    assert len(played) > 250
    for name, script in played.items():
        local = script.requests[0].at.astimezone(LOCAL)
        assert local.strftime("%H:%M:%S") == reports[name]["reported"][11:]


def test_the_same_seed_gives_the_same_city() -> None:
    assert city.plan(225, RULES) == PLAN
    assert city.plan(226, RULES) != PLAN


@PLANS
def test_requests_of_a_case_are_in_order_and_claim_no_future(plan: list[Script]) -> None:
    for script in plan:
        times = [request.at for request in script.requests]
        assert times == sorted(times)
        assert script.requests[0].path == ("/planned" if script.kind == "outages" else "")
        assert all(r.happened_at is None or r.happened_at <= r.at for r in script.requests)


@PLANS
def test_every_code_is_known_to_the_standard(plan: list[Script]) -> None:
    standard = RULES.in_force(city.START)
    for script in plan:
        first = script.requests[0].body
        if script.kind == "repairs":
            assert first["kind"] in standard.repair.fault_kinds
            assert first["district"] in standard.districts
        elif script.kind == "connections":
            assert first["category"] in standard.connection.applicant_categories
            assert {d["document"] for d in first["documents"]} <= {
                d.code for d in standard.connection.documents[first["category"]]
            }
        elif script.kind == "works":
            assert first["kind"] in standard.connection.works_kinds
        elif script.kind == "preservices":
            assert first["service"] in standard.connection.preservices
        assert {request.channel for request in script.requests} <= set(standard.allowed_lateness_minutes)


def test_the_opening_shows_a_lapse_that_falls_away_and_one_that_stands() -> None:
    scenes = {script.name: script for script in PLAN if script.name.startswith("opening")}
    arrivals = {}
    for name, script in scenes.items():
        reported = script.requests[0].at
        arrival = next(request for request in script.requests if request.path == "/arrival")
        assert arrival.happened_at is not None
        arrivals[name] = ((arrival.happened_at - reported).seconds // 60, (arrival.at - reported).seconds // 60)
    assert arrivals == {"opening-forgot": (24, 52), "opening-late": (45, 46)}


def stories(*fates: str) -> list[Script]:
    """The applications with that path somewhere."""
    return [s for s in PLAN if s.kind == "connections" and any(r.path.startswith(fates) for r in s.requests[1:])]


def test_27_applicants_have_papers_outstanding_and_most_are_visited_at_home() -> None:
    promised = stories("/papers-commitment")
    assert len(promised) == 27
    assert sum(any(r.path.startswith("/visits") for r in s.requests) for s in promised) == 22
    for script in promised:
        form = script.requests[0].body
        assert [d["document"] for d in form["documents"]] == [
            "identity" if form["category"] == "private" else "licence"
        ]


def test_three_squads_make_more_than_30_visits_and_never_two_at_once() -> None:
    taken: dict[str, list[tuple[datetime, datetime]]] = {}
    made = 0
    for script in stories("/visits"):
        held = [r for r in script.requests if r.path == "/visits" or r.path.endswith("/reassignment")][-1]
        begin, end = (datetime.fromisoformat(held.body[name]) for name in ("begin", "end"))
        assert held.at < begin
        taken.setdefault(held.body["squad"], []).append((begin, end))
        made += sum(r.path.endswith("/made") for r in script.requests)
    assert made > 30
    assert set(taken) == set(RULES.in_force(city.START).crews.squads)
    for spans in taken.values():
        in_order = sorted(spans)
        assert all(end <= begin for (_, end), (begin, _) in pairwise(in_order))


@PLANS
def test_no_crew_is_sent_while_it_is_on_another_incident(plan: list[Script]) -> None:
    taken: dict[str, list[tuple[datetime, datetime]]] = {}
    for script in plan:
        if script.kind == "repairs":
            sent = next(r for r in script.requests if r.path == "/dispatch")
            done = next(r for r in script.requests if r.path == "/completion")
            taken.setdefault(sent.body["crew"], []).append((sent.at, done.at))
    assert len(taken) > 12
    for spans in taken.values():
        assert all(done + timedelta(minutes=20) < sent for (_, done), (sent, _) in pairwise(sorted(spans)))


def test_a_year_has_every_real_report_on_its_own_day_and_outages_of_every_course() -> None:
    reports = {f"{row['source']}-{row['id']}": row for row in city.reports()}
    played = {script.name: script for script in YEAR if script.kind == "repairs"}
    assert played.keys() == reports.keys()
    for name, script in played.items():
        at, reported = script.requests[0].at, datetime.fromisoformat(reports[name]["reported"])
        assert city.START < at <= city.START + timedelta(days=366)
        local = at.astimezone(LOCAL)
        # The 366th day of a leap year is the first of the next one.
        assert (local.timetuple().tm_yday - reported.timetuple().tm_yday) % 365 == 0
        assert local.time() == reported.time()
    received = [script.requests[0].at for script in YEAR if script.kind == "connections"]
    assert len(received) == 240
    assert max(received) - min(received) > timedelta(days=350)
    courses = Counter(tuple(request.path for request in script.requests) for script in YEAR if script.kind == "outages")
    assert courses.total() == 104
    assert {"/cancellation", "/new-times", "/extension"} <= {path for paths in courses for path in paths}


def test_every_planned_outage_of_a_year_begins_with_a_day_of_notice_and_ends_after_it_began() -> None:
    for script in (script for script in YEAR if script.kind == "outages"):
        first = script.requests[0]
        assert datetime.fromisoformat(first.body["begin"]) - first.at >= timedelta(hours=24)
        moved = [request for request in script.requests if request.path == "/new-times"]
        assert all(datetime.fromisoformat(each.body["begin"]) - each.at >= timedelta(hours=24) for each in moved)
        at = {request.path: request.at for request in script.requests}
        assert ("/water-off" in at) == ("/restoration" in at) == ("/cancellation" not in at)
        assert at.get("/water-off", first.at) < at.get("/restoration", first.at + timedelta(days=9))


def linked_crews() -> set[str]:
    texts = [README, *(README.parent / "docs").rglob("*.md")]
    return {crew for text in texts for crew in re.findall(r"[?&]crew=([\w-]+)", text.read_text(encoding="utf-8"))}


def test_a_crew_that_the_documents_link_to_is_one_of_the_citys() -> None:
    linked = linked_crews()
    assert linked
    assert linked <= set(city.CREWS)


@pytest.mark.parametrize("hours", [2, 3, 5])
def test_a_crew_that_the_documents_link_to_has_work_while_the_reader_looks(hours: int) -> None:
    """From half a minute of the reader's time after the start to a minute later, whenever everything was up."""
    plan = city.plan(225, RULES, opens_at=city.START + timedelta(hours=hours))
    begin, end = (city.START + timedelta(seconds=600 * real) for real in (30, 90))
    busy = {
        sent.body["crew"]
        for script in plan
        if script.kind == "repairs"
        for sent, done in [[next(r for r in script.requests if r.path == p) for p in ("/dispatch", "/completion")]]
        if sent.at < begin and end < done.at
    }
    assert linked_crews() <= busy


def test_a_pause_is_approved_by_somebody_else_than_who_asked() -> None:
    decided = stories("/pauses")
    assert len(decided) == 3
    for script in decided:
        asked = next(r for r in script.requests if r.path == "/pauses")
        second = next(r for r in script.requests if r.path.endswith(("/approval", "/decline")))
        assert asked.actor != second.actor
        assert second.role == "manager"


def test_what_is_meant_to_be_refused_is_a_banned_charge_or_a_second_request() -> None:
    meant = [request for script in PLAN for request in script.requests if request.refusal]
    assert sorted({(request.path, request.refusal) for request in meant}) == [
        ("/charges", "fee-banned"),
        ("/further-requests", "already-visible"),
    ]


def test_squads_stand_before_anybody_books_them_and_five_pump_rooms_are_built() -> None:
    formed = [script.requests[0].at for script in PLAN if script.kind == "squads"]
    assert len(formed) == 3
    assert max(formed) < min(r.at for script in stories("/visits") for r in script.requests)
    rooms = [s for s in PLAN if s.kind == "works" and s.requests[0].body["kind"] == "pump-room"]
    assert len({script.requests[0].body["community"] for script in rooms}) == 5
    assert all(script.requests[-1].path == "/completion" for script in rooms)
    assert sum(script.kind == "preservices" for script in PLAN) == 4


def test_the_counter_is_open_in_office_hours_of_working_days_only() -> None:
    for script in PLAN:
        first = script.requests[0]
        if script.kind == "connections" and first.channel == "counter":
            local = first.at.astimezone(LOCAL)
            assert RULES.calendar.is_working_day(local.date())
            assert 8 <= local.hour < 17


def test_the_applications_do_not_depend_on_the_repairs() -> None:
    assert [s for s in PLAN if s.kind not in ("repairs", "outages")] == city.connections(225, RULES)


def test_the_first_lapse_needs_no_application() -> None:
    """The show opens with the repairs: nothing else is sent before the first of them but the squads and the works."""
    first = min(s.requests[0].at for s in PLAN if s.kind == "repairs")
    assert first - city.START == timedelta(minutes=2)


def test_outages_are_announced_a_day_ahead_one_takes_longer_than_announced_and_one_begins_early() -> None:
    planned = [script for script in PLAN if script.kind == "outages"]
    late, early = [], []
    for script in planned:
        first, over = script.requests[0], script.requests[-1]
        begin, end = (datetime.fromisoformat(first.body[name]) for name in ("begin", "end"))
        assert begin - script.requests[1].at > timedelta(hours=24)
        assert over.happened_at is not None
        ends = [datetime.fromisoformat(r.body["end"]) for r in script.requests if "end" in r.body]
        late.append(over.happened_at > (ends or [end])[-1])
        early += [begin - r.at for r in script.requests if r.path == "/water-off"]
    assert (late, early) == ([False, True, False, False], [timedelta(hours=6)])


@pytest.mark.parametrize("seed", [225, 7])
def test_every_crew_is_formed_before_it_is_sent(seed: int) -> None:
    plan = city.plan(seed, RULES)
    formed = {s.requests[0].body["crew"]: s.requests[0].at for s in plan if s.kind == "crews"}
    assert len(formed) == sum(script.kind == "crews" for script in plan)
    sent = [(r.body["crew"], r.at) for s in plan if s.kind != "crews" for r in s.requests if "crew" in r.body]
    assert len({crew for crew, _ in sent}) > 12
    assert all(formed[crew] < at for crew, at in sent)


def test_most_arrivals_have_their_evidence_and_some_get_it_within_the_day_or_never() -> None:
    arrivals = {
        script.name: (
            "evidence" in next(r for r in script.requests if r.path == "/arrival").body,
            any(r.path == "/arrival/evidence" for r in script.requests),
        )
        for script in PLAN
        if script.kind == "repairs"
    }
    counts = Counter(arrivals.values())
    assert counts[True, False] > 0.8 * len(arrivals)
    assert counts[False, True] > 5
    assert counts[False, False] > 5
    assert counts[True, True] == 0
    assert {arrivals[name] for name in arrivals if name.startswith("opening")} == {(True, False)}


def test_evidence_that_follows_names_the_arrival_that_was_told() -> None:
    script = next(each for each in PLAN if any(r.path == "/arrival/evidence" for r in each.requests))
    service = FakeService(RULES)
    client = Client(app_over(service))
    path, told = "/api/v1/repairs", dict[str, UUID]()
    for number, request in enumerate(script.requests):
        service.clock.set(request.at)
        headers = headers_of(request, key_of(script, number))
        answer = client.post(path + request.path, body_of(request, told), headers=headers)
        assert answer.status_code < 300, answer.text
        told[request.path] = first_event(answer.json())
        path = path if number else f"{path}/{answer.json()['case_id']}"
    windows = client.get(f"/api/v1/cases/{path.rpartition('/')[2]}").json()["windows"]
    (arrival,) = [each for each in windows if each["commitment"] == "repair.arrival"]
    assert (arrival["state"], arrival["provisional_until"]) == ("met", None)
