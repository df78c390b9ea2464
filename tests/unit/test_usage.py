"""Abnormal use: found, looked at, told at the door, the leak sought, settled; billing holds the reading meanwhile."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import kinds
from domain.deadlines.windows import judge
from domain.kernel.facts import Recorded
from domain.metering import abnormal_use as abnormal
from domain.metering.abnormal_use import (
    AnomalyConfirmed,
    AnomalyDismissed,
    AnomalyRevised,
    AnomalyWithdrawn,
    UsageAnomalyFound,
    UsageOutcomeRecorded,
    UserNotified,
)
from infra.eventstore.shipped_rules import shipped_rules, usage_stream
from projections.readings.cases import ReadingFinding, command_for
from tests.api_world import DIGEST, METER, MORNING, Client, FakeService, app_over, ready_for_water, staff, turned_on

READ_AT = datetime(2026, 9, 16, 0, 30, tzinfo=UTC)
HIGH = ReadingFinding("JS-2026-0001", READ_AT, 130_000, 90_000, ("high",), standing=True, revision=1, told=0)
PATH = "/api/v1/usage"


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def client(service: FakeService) -> Client:
    return Client(app_over(service))


def tell(service: FakeService, finding: ReadingFinding) -> UUID:
    service.run(command_for(finding, service.next_number("YC")))
    return usage_stream(finding.meter, finding.read_at).id


@pytest.fixture
def case_id(service: FakeService) -> UUID:
    return tell(service, HIGH)


def say(
    client: Client,
    case_id: UUID,
    path: str,
    body: dict[str, Any],
    *,
    role: str = "meter-reader",
    status: int = 200,
    code: str | None = None,
) -> None:
    answer = client.post(f"{PATH}/{case_id}/{path}", body, headers=staff(role))
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text


def confirmed(client: Client, case_id: UUID) -> None:
    say(client, case_id, "confirmation", {"by": "photo", "evidence_digest": DIGEST})


def notified(client: Client, case_id: UUID) -> None:
    say(client, case_id, "notification", {"way": "door", "proof_digest": DIGEST})


def facts(service: FakeService, case_id: UUID) -> list[str]:
    return [json.loads(event)["type"].split(".")[2] for event in service.events[case_id]]


def windows(client: Client, case_id: UUID) -> dict[str, tuple[str, int]]:
    view = client.get(f"/api/v1/cases/{case_id}").json()
    return {window["commitment"]: (window["state"], window["lapses"]) for window in view["windows"]}


def after(service: FakeService, client: Client, case_id: UUID, minutes: int) -> dict[str, tuple[str, int]]:
    """The limits on record when the watch has asked, so many minutes later."""
    from infra.eventstore.commands import Stream, evaluation_of

    service.clock.move(timedelta(minutes=minutes))
    service.run(evaluation_of(Stream(kinds.USAGE, case_id), "test"))
    return windows(client, case_id)


# ---- found


def test_what_stands_out_opens_a_case_and_billing_holds_the_reading(
    service: FakeService, client: Client, case_id: UUID
) -> None:
    assert facts(service, case_id) == ["UsageAnomalyFound", "ReadingHeld", "WindowOpened"]
    view = client.get(f"/api/v1/cases/{case_id}").json()
    assert (view["family"], view["stage"], view["open"], view["held"]) == ("usage", "found", True, True)
    assert view["meter"] == "JS-2026-0001"
    assert windows(client, case_id) == {"usage.audit": ("running", 0)}


def test_a_batch_that_is_told_again_opens_no_second_case(service: FakeService, case_id: UUID) -> None:
    known = len(service.events[case_id])
    assert tell(service, HIGH) == case_id
    assert len(service.events[case_id]) == known


def test_the_case_names_where_the_meter_is_in_service(service: FakeService, client: Client) -> None:
    connection = ready_for_water(client)
    assert turned_on(client, connection, meter=METER).status_code == 200
    case_id = tell(service, HIGH)
    found = json.loads(service.events[case_id][0])["data"]
    assert (found["connection"], found["point"]) == (connection, 1)
    held = json.loads(service.events[case_id][1])["data"]
    assert (held["connection"], held["point"], held["hold"]) == (connection, 1, 1)


def test_nobody_but_the_system_finds_an_anomaly() -> None:
    found = shipped_rules().newest.powers["usage.find"]
    assert found == ("system",)


def test_what_nobody_looks_at_lapses(service: FakeService, client: Client, case_id: UUID) -> None:
    assert after(service, client, case_id, 24 * 60) == {"usage.audit": ("lapsed", 1)}


# ---- looked at, told


def test_the_hour_runs_from_the_look_and_is_met_by_proof(service: FakeService, client: Client, case_id: UUID) -> None:
    confirmed(client, case_id)
    assert windows(client, case_id) == {"usage.audit": ("met", 0), "usage.notice": ("running", 0)}
    service.clock.move(timedelta(minutes=59))
    notified(client, case_id)
    assert windows(client, case_id)["usage.notice"] == ("met", 0)


def test_a_user_who_is_not_told_within_the_hour_is_a_lapse(service: FakeService, client: Client, case_id: UUID) -> None:
    confirmed(client, case_id)
    assert after(service, client, case_id, 60)["usage.notice"] == ("lapsed", 1)


def test_a_slip_that_is_handed_in_late_takes_the_lapse_back(
    service: FakeService, client: Client, case_id: UUID
) -> None:
    confirmed(client, case_id)
    assert after(service, client, case_id, 70)["usage.notice"] == ("lapsed", 1)
    told_at = (MORNING + timedelta(minutes=40)).isoformat()
    body = {"way": "door", "proof_digest": DIGEST, "happened_at": told_at}
    say(client, case_id, "notification", body)
    assert windows(client, case_id)["usage.notice"] == ("met", 0)


def test_a_slip_beyond_the_channels_lateness_needs_a_second_person(
    service: FakeService, client: Client, case_id: UUID
) -> None:
    confirmed(client, case_id)
    service.clock.move(timedelta(hours=3))
    late = {"way": "door", "proof_digest": DIGEST, "happened_at": MORNING.isoformat()}
    say(client, case_id, "notification", late, status=409, code="second-person-needed")
    say(client, case_id, "notification", late | {"confirmed_by": "manager-1"})
    told = json.loads(next(e for e in service.events[case_id] if b"UserNotified" in e))["data"]
    assert (told["flags"], told["confirmed_by"]) == (["backdated"], "manager-1")


def test_what_was_told_at_the_door_without_a_net_keeps_both_times_and_is_flagged(
    service: FakeService, client: Client, case_id: UUID
) -> None:
    confirmed(client, case_id)
    service.clock.move(timedelta(minutes=25))
    times = {"happened_at": "2026-09-16T01:05:00Z", "reported_at": "2026-09-16T01:06:00Z"}
    say(client, case_id, "notification", {"way": "door", "proof_digest": DIGEST} | times)
    (told,) = [event for event in map(json.loads, service.events[case_id]) if "UserNotified" in event["type"]]
    assert (told["time"], told["reportedat"], told["data"]["flags"]) == (*times.values(), ["uploaded-late"])


@pytest.mark.parametrize("by", ["photo", "re-read"])
def test_a_look_without_evidence_is_refused(client: Client, case_id: UUID, by: str) -> None:
    say(client, case_id, "confirmation", {"by": by}, status=422, code="evidence-missing")


def test_what_is_dismissed_is_released_and_owes_no_word(service: FakeService, client: Client, case_id: UUID) -> None:
    confirmed(client, case_id)
    say(client, case_id, "dismissal", {"reason": "misread"}, role="manager")
    assert windows(client, case_id)["usage.notice"] == ("cancelled", 0)
    released = json.loads(next(e for e in service.events[case_id] if b"ReadingReleased" in e))["data"]
    assert (released["hold"], released["cause"]) == (1, "dismissed")
    say(client, case_id, "dismissal", {"reason": "misread"}, role="manager", status=409, code="usage-closed")


def test_what_is_confirmed_after_all_is_held_and_owed_anew(service: FakeService, client: Client, case_id: UUID) -> None:
    say(client, case_id, "dismissal", {"reason": "known-use"}, role="manager")
    service.clock.move(timedelta(minutes=5))
    confirmed(client, case_id)
    assert facts(service, case_id)[-2:] == ["ReadingHeld", "WindowOpened"]
    assert windows(client, case_id) == {"usage.audit": ("met", 0), "usage.notice": ("running", 0)}


def test_a_reason_that_the_standard_does_not_have_is_refused(client: Client, case_id: UUID) -> None:
    say(client, case_id, "dismissal", {"reason": "whim"}, role="manager", status=422, code="unknown-dismissal")
    say(client, case_id, "notification", {"way": "rumour", "proof_digest": DIGEST}, status=422, code="unknown-way")


def test_a_digest_of_the_wrong_form_is_refused(client: Client, case_id: UUID) -> None:
    say(client, case_id, "notification", {"way": "door", "proof_digest": "md5:12"}, status=422, code="bad-body")
    wrong = {"by": "photo", "evidence_digest": "sha256:xyz"}
    say(client, case_id, "confirmation", wrong, status=422, code="bad-body")


def test_who_may_not_dismiss_is_refused(client: Client, case_id: UUID) -> None:
    say(client, case_id, "dismissal", {"reason": "misread"}, status=403, code="wrong-role")


def test_a_case_that_nobody_knows_is_refused(client: Client) -> None:
    say(client, uuid4(), "leak-help/offer", {"accepted": True}, status=404, code="no-such-case")


# ---- the leak, and the end


def test_from_the_leak_to_the_outcome(service: FakeService, client: Client, case_id: UUID) -> None:
    confirmed(client, case_id)
    notified(client, case_id)
    say(client, case_id, "leak-help/offer", {"accepted": True})
    say(client, case_id, "leak-help/start", {"crew": "crew-1"}, role="crew")
    say(client, case_id, "leak-help/finish", {"finding": "toilet"}, role="crew")
    say(client, case_id, "outcome", {"outcome": "leak-found-user-repairs"}, role="manager")
    assert facts(service, case_id)[-2:] == ["UsageOutcomeRecorded", "ReadingReleased"]
    view = client.get(f"/api/v1/cases/{case_id}").json()
    assert (view["stage"], view["open"], view["held"]) == ("settled", False, False)


def test_no_outcome_before_the_user_was_told(client: Client, case_id: UUID) -> None:
    confirmed(client, case_id)
    body = {"outcome": "genuine-use"}
    say(client, case_id, "outcome", body, role="manager", status=409, code="user-not-told")
    notified(client, case_id)
    say(client, case_id, "outcome", {"outcome": "magic"}, role="manager", status=422, code="unknown-usage-outcome")
    say(client, case_id, "outcome", body, role="manager")
    say(client, case_id, "outcome", body, role="manager", status=409, code="usage-closed")


def test_a_search_that_was_never_offered_is_taken_and_flagged(
    service: FakeService, client: Client, case_id: UUID
) -> None:
    say(client, case_id, "leak-help/finish", {"finding": "no-leak"}, role="crew")
    assert json.loads(service.events[case_id][-1])["data"]["flags"] == ["not-started"]


# ---- judged anew


def test_a_late_reading_that_explains_it_withdraws_the_case_by_itself(
    service: FakeService, client: Client, case_id: UUID
) -> None:
    confirmed(client, case_id)
    tell(service, replace(HIGH, standing=False, revision=2, told=1))
    view = client.get(f"/api/v1/cases/{case_id}").json()
    assert (view["stage"], view["open"], view["held"]) == ("withdrawn", False, False)
    assert windows(client, case_id) == {"usage.audit": ("met", 0), "usage.notice": ("cancelled", 0)}
    tell(service, replace(HIGH, used_litres=95_000, revision=3, told=2))
    assert windows(client, case_id)["usage.notice"] == ("running", 0), "it stands out again, and was looked at"
    assert client.get(f"/api/v1/cases/{case_id}").json()["held"]


def test_a_lapse_stays_when_what_was_not_told_in_time_falls_away(
    service: FakeService, client: Client, case_id: UUID
) -> None:
    confirmed(client, case_id)
    after(service, client, case_id, 61)
    tell(service, replace(HIGH, standing=False, revision=2, told=1))
    assert windows(client, case_id)["usage.notice"] == ("cancelled", 1)


def test_an_older_judgement_that_comes_later_changes_nothing(service: FakeService, case_id: UUID) -> None:
    tell(service, replace(HIGH, used_litres=95_000, revision=3, told=1))
    known = len(service.events[case_id])
    tell(service, replace(HIGH, standing=False, revision=2, told=1))
    assert len(service.events[case_id]) == known


def test_what_fell_away_before_its_case_was_opened_opens_none(service: FakeService) -> None:
    gone = replace(HIGH, standing=False, revision=2)
    service.run(command_for(gone, ""))
    assert usage_stream(gone.meter, gone.read_at).id not in service.events


def test_the_open_list_shows_what_is_to_be_done(service: FakeService, client: Client) -> None:
    row = dict.fromkeys(("used_litres", "connection", "point", "confirmed_at", "dismissed_at", "outcome"))
    row |= dict.fromkeys(("notified_at", "notified_by", "offered_at", "help_started_at", "help_finished_at", "finding"))
    row |= {"case_id": uuid4(), "case_number": "YC-1", "meter": "JS-1", "read_at": READ_AT, "litres": 5}
    row |= {"signs": ["falling"], "found_at": MORNING, "standing": True, "held": True, "open": True, "version": 3}
    asked: list[dict[str, Any]] = []

    def rows(wanted: Any) -> list[dict[str, Any]]:
        asked.append(dict(wanted))
        return [row]

    service.answers["usage_cases"] = rows
    answer = client.get(f"{PATH}?meter=js-001", headers=staff("meter-reader"))
    assert answer.json()["cases"][0]["signs_zh"] == ["读数倒走"]
    assert asked == [{"open": True, "meter": "JS-001", "limit": 100}]
    assert client.get(PATH, headers=staff("public")).json()["code"] == "wrong-role"


# ---- the algebra

RULES = shipped_rules()
FOUND = UsageAnomalyFound("YC-1", "JS-1", READ_AT, 5, 5, ("high",), None, None)
MINUTES = st.integers(0, 300)
TOLD = st.one_of(
    st.just(AnomalyConfirmed("photo", None)),
    st.just(AnomalyDismissed("misread", None)),
    st.just(UserNotified("door", DIGEST)),
    st.just(UsageOutcomeRecorded("genuine-use")),
    st.builds(AnomalyWithdrawn, st.integers(2, 4)),
    st.builds(AnomalyRevised, st.integers(5, 7), st.integers(0, 9), st.just(("zero",))),
)


def verdicts(told: Sequence[Recorded], at: datetime) -> Any:
    state = abnormal.evolve(None, Recorded(FOUND, UUID(int=1), 1, MORNING))
    for recorded in told:
        state = abnormal.evolve(state, recorded)
    assert state is not None
    found = [judge(obligation, at) for obligation in abnormal.obligations(state, RULES)]
    return found, state.over, state.used_litres, state.signs


@given(
    told=st.lists(st.tuples(TOLD, MINUTES), max_size=6, unique_by=lambda each: getattr(each[0], "revision", id(each))),
    chance=st.randoms(use_true_random=False),
    later=st.integers(0, 3_000),
)
def test_any_order_and_any_repetition_of_a_cases_facts_ends_in_the_same_verdicts(
    told: list[tuple[Any, int]], chance: Any, later: int
) -> None:
    recorded = [
        Recorded(fact, UUID(int=number + 2), number + 2, MORNING + timedelta(minutes=minutes))
        for number, (fact, minutes) in enumerate(told)
    ]
    at = MORNING + timedelta(minutes=later)
    shuffled = recorded + (chance.sample(recorded, len(recorded) // 2))
    chance.shuffle(shuffled)
    assert verdicts(shuffled, at) == verdicts(recorded, at)
