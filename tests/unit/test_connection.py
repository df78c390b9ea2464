"""The connection rulebook: one application, five working days, water on behind a verified meter."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import connection, kinds, usage
from domain.refusals import Refusal
from domain.windows import WindowMet
from infra.rules import shipped_rules
from tests.unit.cases import NINE, SUBJECT, Play, connecting, meter, names

RULES = shipped_rules()
STANDARD = RULES.in_force(NINE)
DAY = timedelta(days=1)


def refused(code: str) -> pytest.RaisesExc[Refusal]:
    return pytest.RaisesExc(Refusal, match=f"^{code}:")


def turn_on(play: Play, point: int, at: datetime, **changes: Any) -> connection.WaterTurnedOn:
    return connection.turn_water_on(
        play.state, point=point, meter=meter(**changes), happened_at=at, at=at, standard=STANDARD
    )


@pytest.mark.parametrize("points", [0, -1, 501])
def test_a_number_of_supply_points_out_of_range_is_refused(points: int) -> None:
    with refused("supply-points-out-of-range"):
        connection.receive(
            None,
            case_number="BZ-1",
            category="private",
            supply_points=points,
            subject=SUBJECT,
            happened_at=NINE,
            at=NINE,
            standard=STANDARD,
        )


def test_an_unknown_category_is_refused() -> None:
    with refused("unknown-applicant-category"):
        connection.receive(
            None,
            case_number="BZ-1",
            category="king",
            supply_points=1,
            subject=SUBJECT,
            happened_at=NINE,
            at=NINE,
            standard=STANDARD,
        )


def test_the_five_days_run_from_admission_not_from_receipt() -> None:
    play = Play(kinds.CONNECTION, RULES)
    assert play.say(connection.ApplicationReceived("BZ-1", "private", 1, SUBJECT), NINE) == []
    (opened,) = play.say(connection.ApplicationAdmitted(), NINE + DAY)
    assert opened.due_at == datetime(2026, 9, 23, 9, 30, tzinfo=UTC)
    assert opened.basis.calendar == "CN@2026-1"
    assert opened.basis.standard == "0225-1"


def test_a_second_admission_is_refused() -> None:
    play = connecting(RULES)
    with refused("already-admitted"):
        connection.admit(play.state, happened_at=NINE, at=NINE, standard=STANDARD)


def test_an_admission_before_the_receipt_is_refused() -> None:
    play = Play(kinds.CONNECTION, RULES)
    play.say(connection.ApplicationReceived("BZ-1", "private", 1, SUBJECT), NINE)
    with refused("dates-out-of-order"):
        connection.admit(play.state, happened_at=NINE - DAY, at=NINE, standard=STANDARD)


def test_water_before_admission_is_refused() -> None:
    play = Play(kinds.CONNECTION, RULES)
    play.say(connection.ApplicationReceived("BZ-1", "private", 1, SUBJECT), NINE)
    with refused("not-admitted"):
        turn_on(play, 1, NINE)


def test_the_window_is_met_by_the_last_supply_point() -> None:
    play = connecting(RULES, points=2)
    assert play.say(turn_on(play, 1, NINE + DAY), NINE + DAY) == []
    (met,) = play.say(turn_on(play, 2, NINE + 2 * DAY, number="M-2"), NINE + 2 * DAY)
    assert isinstance(met, WindowMet)
    assert met.met_at == NINE + 2 * DAY


def test_water_on_after_the_close_of_the_fifth_day_lapses_and_is_met_late() -> None:
    play = connecting(RULES)
    late = datetime(2026, 9, 23, 9, 31, tzinfo=UTC)
    facts = play.say(turn_on(play, 1, late), late)
    assert names(facts) == ["WindowLapsed", "WindowMet"]
    met = facts[1]
    assert isinstance(met, WindowMet)
    assert not met.on_time


def test_a_supply_point_twice_or_one_that_does_not_exist_is_refused() -> None:
    play = connecting(RULES)
    with refused("no-such-supply-point"):
        turn_on(play, 2, NINE)
    play.say(turn_on(play, 1, NINE), NINE)
    with refused("already-on"):
        turn_on(play, 1, NINE + DAY)


@pytest.mark.parametrize(
    "changes",
    [
        {"expires_on": date(2026, 9, 15)},
        {"verified_on": date(2026, 9, 17)},
        {"verified_on": date(2020, 9, 15), "expires_on": date(2040, 1, 1)},
        {"dn_mm": 40, "verified_on": date(2022, 9, 15), "expires_on": date(2040, 1, 1)},
        {"dn_mm": 80, "verified_on": date(2024, 9, 15), "expires_on": date(2040, 1, 1)},
    ],
)
def test_a_meter_without_a_valid_verification_is_refused(changes: dict[str, Any]) -> None:
    with refused("meter-not-verified"):
        turn_on(connecting(RULES), 1, NINE, **changes)


def test_a_verification_on_a_leap_day_ends_on_28_february() -> None:
    play = connecting(RULES, admitted_at=datetime(2026, 2, 20, 1, 0, tzinfo=UTC))
    last = datetime(2026, 2, 28, 1, 0, tzinfo=UTC)
    leap: dict[str, Any] = {"verified_on": date(2020, 2, 29), "expires_on": date(2040, 1, 1)}
    assert turn_on(play, 1, last, **leap)
    with refused("meter-not-verified"):
        turn_on(play, 1, last + DAY, **leap)


def test_a_meter_in_service_elsewhere_is_refused_and_says_where() -> None:
    elsewhere = usage.Meter("M-1", UUID(int=5), 2)
    with pytest.raises(Refusal, match=f"{UUID(int=5)}/2"):
        usage.put_into_service(elsewhere, number="M-1", case_id=UUID(int=1), point=1)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 12 * 24)), max_size=8))
def test_no_sequence_turns_water_on_twice_or_meets_the_window_early(steps: list[tuple[int, int]]) -> None:
    play = connecting(RULES, points=3)
    for point, hours in sorted(steps, key=lambda step: step[1]):
        at = NINE + timedelta(hours=hours)
        if point in play.state.on:
            with refused("already-on"):
                turn_on(play, point, at, number=f"M-{point}")
        else:
            play.say(turn_on(play, point, at, number=f"M-{point}"), at)
    met = play.state.ledger[connection.WATER_ON].met_at
    assert (met is not None) == (len(play.state.on) == 3)
    if met is not None:
        assert met == max(at for at, _ in play.state.on.values())
