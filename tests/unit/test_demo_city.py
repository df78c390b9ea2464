"""The demo's plan: real reports, the published mix, the same for the same seed."""

from __future__ import annotations

from domain.calendar import LOCAL
from infra.demo import city
from infra.rules import shipped_rules

RULES = shipped_rules()
PLAN = city.plan(225, RULES.calendar)


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
    assert city.plan(225, RULES.calendar) == PLAN
    assert city.plan(226, RULES.calendar) != PLAN


def test_requests_of_a_case_are_in_order_and_claim_no_future() -> None:
    for script in PLAN:
        times = [request.at for request in script.requests]
        assert times == sorted(times)
        assert not script.requests[0].path
        assert all(r.happened_at is None or r.happened_at <= r.at for r in script.requests)


def test_every_code_is_known_to_the_standard() -> None:
    standard = RULES.in_force(city.START)
    for script in PLAN:
        first = script.requests[0].body
        if script.kind == "repairs":
            assert first["kind"] in standard.fault_kinds
            assert first["district"] in standard.districts
        else:
            assert first["category"] in standard.applicant_categories
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
