"""The squads: who is in one, and one visit at a time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.crews import squads
from domain.crews.squads import Booking, Squad, SquadDay
from domain.kernel.refusals import Refusal
from domain.standard.standards import Rules
from infra.eventstore.shipped_rules import squad_day_stream, squad_stream
from tests.unit.cases import CASE, NINE
from tests.unit.office import after, by

ROSTER = Squad("squad-1", "上门服务一专班", ("sq-1", "sq-2"))
VISIT, OTHER = UUID(int=21), UUID(int=22)


def refused(code: str) -> Any:
    return pytest.raises(Refusal, match=f"^{code}: ")


def hours(count: float) -> datetime:
    """So many hours after nine in the morning."""
    return NINE + timedelta(hours=count)


def book(
    day: SquadDay | None,
    begin: datetime,
    end: datetime,
    *,
    visit: UUID = VISIT,
    at: datetime = NINE,
    roster: Squad | None = ROSTER,
) -> SquadDay:
    fact = squads.book(day, roster=roster, visit=visit, case_id=CASE, begin=begin, end=end, at=at)
    known: SquadDay = after(squads.evolve_day, day, fact)
    return known


# ---- rosters


def form(rules: Rules, *members: str, squad: str = "squad-1", state: Squad | None = None, **others: Any) -> Squad:
    ctx = by(rules, others.pop("role", "manager"))
    fact = squads.form(state, ctx, squad=squad, members=members, others=others.pop("elsewhere", ()))
    known: Squad = after(squads.evolve, state, fact)
    return known


def test_a_squad_is_put_together_from_the_standards_list(rules: Rules) -> None:
    assert form(rules, "sq-1", "sq-2") == ROSTER


def test_the_roster_changes_as_a_whole(rules: Rules) -> None:
    assert form(rules, "sq-3", state=ROSTER).members == ("sq-3",)


def test_the_same_roster_again_is_nothing_to_do(rules: Rules) -> None:
    with refused("roster-unchanged"):
        form(rules, "sq-1", "sq-2", state=ROSTER)


def test_a_member_who_leaves_one_squad_may_join_another(rules: Rules) -> None:
    with refused("member-elsewhere"):
        form(rules, "sq-2", squad="squad-2", elsewhere=(ROSTER,))
    assert form(rules, "sq-2", squad="squad-2", elsewhere=(form(rules, "sq-1", state=ROSTER),)).members == ("sq-2",)


@pytest.mark.parametrize(
    ("members", "options", "refusal"),
    [
        ((), {}, "no-members"),
        (("sq-1", "sq-1"), {}, "member-twice"),
        (("sq-1",), {"squad": "squad-9"}, "unknown-squad"),
        (("sq-1",), {"role": "squad"}, "wrong-role"),
    ],
)
def test_what_is_no_roster_is_refused(
    rules: Rules, members: tuple[str, ...], options: dict[str, Any], refusal: str
) -> None:
    with refused(refusal):
        form(rules, *members, **options)


# ---- a day


def test_visits_of_a_day_may_touch() -> None:
    day = book(book(None, hours(1), hours(2)), hours(2), hours(3), visit=OTHER)
    assert day.bookings == {VISIT: Booking(CASE, hours(1), hours(2)), OTHER: Booking(CASE, hours(2), hours(3))}


@pytest.mark.parametrize(("begin", "end"), [(1.5, 2.5), (0.5, 1.5), (1.25, 1.75), (0.5, 3), (1, 2)])
def test_a_squad_makes_one_visit_at_a_time(begin: float, end: float) -> None:
    with refused("visits-overlap"):
        book(book(None, hours(1), hours(2)), hours(begin), hours(end), visit=OTHER)


def test_a_released_visit_leaves_its_time_free() -> None:
    day = book(None, hours(1), hours(2))
    day = after(squads.evolve_day, day, squads.release(day, visit=VISIT))
    assert book(day, hours(1), hours(2), visit=OTHER).bookings.keys() == {OTHER}


def test_a_visit_moves_within_its_day_against_the_day_without_it() -> None:
    day = book(None, hours(1), hours(2))
    with refused("visit-already-booked"):
        book(day, hours(1.5), hours(2.5))
    assert book(squads.without(day, VISIT), hours(1.5), hours(2.5)).bookings[VISIT].begin == hours(1.5)


def test_a_visit_that_was_made_is_done_and_keeps_its_time() -> None:
    day = book(None, hours(1), hours(2))
    day = after(squads.evolve_day, day, squads.make(day, visit=VISIT))
    assert day.bookings[VISIT].done
    for act in (squads.make, squads.release):
        with refused("visit-done"):
            act(day, visit=VISIT)
    with refused("visits-overlap"):
        book(day, hours(1), hours(2), visit=OTHER)


@pytest.mark.parametrize("act", [squads.make, squads.release])
def test_what_the_squad_does_not_have_is_neither_made_nor_released(act: Any) -> None:
    for day in (None, book(None, hours(1), hours(2))):
        with refused("no-such-visit"):
            act(day, visit=OTHER)


MIDNIGHT = datetime(2026, 9, 16, 16, 0, tzinfo=UTC)
"""24:00 in China."""


@pytest.mark.parametrize(
    ("begin", "end", "refusal"),
    [
        (hours(2), hours(1), "dates-out-of-order"),
        (hours(2), hours(2), "dates-out-of-order"),
        (MIDNIGHT - timedelta(hours=1), MIDNIGHT + timedelta(hours=1), "visit-over-midnight"),
        (MIDNIGHT - timedelta(hours=1), MIDNIGHT, "visit-over-midnight"),
        (hours(-1), hours(1), "visit-in-the-past"),
    ],
)
def test_what_is_no_time_for_a_visit_is_refused(begin: datetime, end: datetime, refusal: str) -> None:
    with refused(refusal):
        book(None, begin, end)


def test_the_day_is_chinas_and_not_the_servers() -> None:
    # 07:00 and 09:00 in China: two days in UTC, one for the squad.
    begin, end = datetime(2026, 9, 16, 23, 0, tzinfo=UTC), datetime(2026, 9, 17, 1, 0, tzinfo=UTC)
    assert book(None, begin, end).bookings[VISIT].end == end


def test_a_squad_without_members_makes_no_visit() -> None:
    with refused("squad-not-formed"):
        book(None, hours(1), hours(2), roster=None)


def test_each_day_of_each_squad_is_a_stream_of_its_own() -> None:
    day = date(2026, 9, 16)
    streams = {
        squad_stream("squad-1").id,
        squad_stream("squad-2").id,
        squad_day_stream("squad-1", day).id,
        squad_day_stream("squad-2", day).id,
        squad_day_stream("squad-1", date(2026, 9, 17)).id,
    }
    assert len(streams) == 5
    assert squad_day_stream("squad-1", day) == squad_day_stream("squad-1", day)


acts = st.sampled_from(["book", "release", "make"])
steps = st.tuples(acts, st.integers(0, 5), st.integers(0, 40), st.integers(1, 12))


@given(st.lists(steps, max_size=30))
def test_no_sequence_of_bookings_leaves_two_visits_at_once(taken: list[tuple[str, int, int, int]]) -> None:
    day: SquadDay | None = None
    for act, number, begin, length in taken:
        visit = UUID(int=number)
        try:
            if act == "book":
                day = book(day, hours(begin / 4), hours((begin + length) / 4), visit=visit)
            else:
                decide = squads.release if act == "release" else squads.make
                day = after(squads.evolve_day, day, decide(day, visit=visit))
        except Refusal:
            continue
    bookings = list(day.bookings.values()) if day is not None else []
    for one, other in combinations(bookings, 2):
        assert one.end <= other.begin or other.end <= one.begin
