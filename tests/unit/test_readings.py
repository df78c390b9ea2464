"""What meter readings show, and that neither their order nor their repetition changes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.metering.readings import (
    ASIDE_ZH,
    FLAGS_ZH,
    Dial,
    DialReading,
    History,
    JudgedReading,
    after,
    aside,
    judge_all,
    judge_reading,
)
from domain.standard.sections.metering import ReadingPolicy

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DIAL = Dial(initial_litres=0, dial_max_m3=99_999)
POLICY = ReadingPolicy(zero_hours=24)
TURN = 100_000_000


def monthly(*litres: int) -> list[DialReading]:
    return [DialReading(BEGIN + timedelta(days=30 * month), value) for month, value in enumerate(litres)]


def last(*litres: int, dial: Dial = DIAL) -> JudgedReading:
    return judge_all(monthly(*litres), dial, POLICY)[0][-1][1]


def test_the_first_reading_counts_from_the_one_the_meter_was_put_in_with() -> None:
    assert last(1_700, dial=Dial(200, 99_999)) == JudgedReading(1_500, ())


def test_ordinary_use_has_no_flag() -> None:
    assert last(10_000, 20_000, 30_000, 40_000, 51_000) == JudgedReading(11_000, ())


def test_twice_the_median_and_five_cubic_metres_more_is_high() -> None:
    assert last(10_000, 20_000, 30_000, 40_000, 60_000) == JudgedReading(20_000, ("high",))


@pytest.mark.parametrize("used", [19_999, 15_000])
def test_less_than_twice_the_median_is_not_high(used: int) -> None:
    assert last(10_000, 20_000, 30_000, 40_000, 40_000 + used).flags == ()


def test_twice_a_small_median_is_not_high_without_five_cubic_metres_more() -> None:
    assert last(1_000, 2_000, 3_000, 4_000, 9_999) == JudgedReading(5_999, ())
    assert last(1_000, 2_000, 3_000, 4_000, 10_000) == JudgedReading(6_000, ("high",))


def test_the_median_is_of_the_last_six_alone() -> None:
    old = [100_000 * month for month in range(1, 7)]
    new = [600_000 + 10_000 * month for month in range(1, 7)]
    assert last(*old, *new, 680_000).flags == ("high",)


def test_two_consumptions_are_too_few_to_compare_with() -> None:
    assert last(1_000, 2_000, 90_000).flags == ()


def test_no_use_is_flagged() -> None:
    assert last(10_000, 10_000) == JudgedReading(0, ("zero",))


def test_a_dial_that_starts_anew_is_counted_through() -> None:
    assert last(TURN - 4_000, 6_000, dial=Dial(TURN - 10_000, 99_999)) == JudgedReading(10_000, ("dial-over",))


def test_a_dial_that_falls_otherwise_shows_no_consumption() -> None:
    assert last(50_000, 49_999) == JudgedReading(None, ("falling",))


def test_after_a_falling_reading_use_counts_from_there() -> None:
    assert last(50_000, 40_000, 47_000) == JudgedReading(7_000, ())


def hourly(uses: list[int]) -> list[DialReading]:
    total, found = 0, [DialReading(BEGIN, 0)]
    for hour, used in enumerate(uses, start=1):
        total += used
        found.append(DialReading(BEGIN + timedelta(hours=hour), total))
    return found


def flags(readings: list[DialReading]) -> list[tuple[str, ...]]:
    return [judged.flags for _, judged in judge_all(readings, DIAL, POLICY)[0]]


def test_a_smart_meter_at_which_water_never_stood_still_for_a_day_is_flagged() -> None:
    found = flags(hourly([3] * 24))
    assert found[-1] == ("never-still",)
    assert found[-2] == ()


def test_a_stretch_without_a_stop_is_one_anomaly_and_not_one_an_hour() -> None:
    found = flags(hourly([3] * 60))
    assert sum("never-still" in of for of in found) == 1


def test_a_night_without_water_is_nothing_odd_and_a_day_is() -> None:
    assert not any("zero" in of for of in flags(hourly([3, 0, 0, 0, 3]))[1:])
    assert ("zero",) in flags(monthly(10, 10))


def test_one_still_hour_begins_the_day_anew() -> None:
    assert not any("never-still" in of for of in flags(hourly([3] * 20 + [0] + [3] * 23)))


def test_readings_that_lie_far_apart_cannot_show_that_water_never_stood_still() -> None:
    assert not any("never-still" in of for of in flags(monthly(3, 6, 9, 12)))


@st.composite
def some_readings(draw: st.DrawFn) -> list[DialReading]:
    """Different times; values that rise, stand, fall and start anew."""
    steps = draw(st.lists(st.integers(-20_000, 60_000), min_size=1, max_size=25))
    gaps = draw(st.lists(st.sampled_from([30, 60, 61, 43_200]), min_size=len(steps), max_size=len(steps)))
    at, value, found = BEGIN, draw(st.sampled_from([0, 50_000, TURN - 30_000])), []
    for step, gap in zip(steps, gaps, strict=True):
        at, value = at + timedelta(minutes=gap), (value + step) % TURN
        found.append(DialReading(at, value))
    return found


@given(some_readings(), st.data())
def test_any_order_and_repetition_of_readings_is_judged_the_same(
    readings: list[DialReading], data: st.DataObject
) -> None:
    told = data.draw(st.permutations(readings + data.draw(st.lists(st.sampled_from(readings)))))
    assert judge_all(told, DIAL, POLICY) == judge_all(readings, DIAL, POLICY)


@given(some_readings())
def test_reading_by_reading_is_the_same_as_all_at_once(readings: list[DialReading]) -> None:
    history: History | None = None
    found = []
    for reading in readings:
        judged = judge_reading(history, reading, DIAL, POLICY)
        found.append((reading, judged))
        history = after(history, reading, judged, POLICY)
    assert (found, history) == judge_all(readings, DIAL, POLICY)


@given(some_readings())
def test_what_was_used_is_never_below_zero_and_every_flag_has_a_name(readings: list[DialReading]) -> None:
    for _, judged in judge_all(readings, DIAL, POLICY)[0]:
        assert judged.litres is None or judged.litres >= 0
        assert set(judged.flags) <= FLAGS_ZH.keys()


any_litres = st.integers(0, 10**12)


@given(
    st.lists(st.tuples(st.integers(0, 10**9), any_litres), max_size=12),
    st.integers(0, 10**8),
    st.integers(0, 10**12),
)
def test_use_is_never_below_zero_whatever_dials_and_readings_there_are(
    told: list[tuple[int, int]], dial_max_m3: int, initial_litres: int
) -> None:
    """Of those that are judged, and of those that an earlier version stored and should not have."""
    dial = Dial(initial_litres, dial_max_m3)
    readings = [DialReading(BEGIN + timedelta(seconds=second), litres) for second, litres in told]
    for _, judged in judge_all(readings, dial, POLICY)[0]:
        assert judged.litres is None or judged.litres >= 0
    for reading in readings:
        fits = reading.litres <= dial_max_m3 * 1000 + 999
        assert (aside(dial, reading, BEGIN, None) is None) == fits


def test_a_reading_is_set_aside_before_its_meter_above_its_dial_and_after_its_end() -> None:
    day = timedelta(days=1)
    sound = DialReading(BEGIN + day, 5_000)
    assert aside(DIAL, sound, BEGIN, None) is None
    assert aside(DIAL, DialReading(BEGIN, 0), BEGIN, BEGIN) is None, "the reading that it was put in with"
    assert aside(DIAL, DialReading(BEGIN - day, 5_000), BEGIN, None) == "before-meter"
    assert aside(DIAL, sound, BEGIN, BEGIN) == "meter-out"
    assert aside(DIAL, DialReading(BEGIN + day, TURN - 1), BEGIN, None) is None, "all nines"
    assert aside(DIAL, DialReading(BEGIN + day, TURN), BEGIN, None) == "above-dial"
    assert {"before-meter", "above-dial"} <= ASIDE_ZH.keys()
