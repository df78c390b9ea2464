"""The time-limit engine: one judge, and differences that bring the record to it."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from domain import kinds
from domain.deadlines.windows import (
    Basis,
    CountPromise,
    Obligation,
    OnRecord,
    Term,
    Window,
    WindowCancelled,
    WindowFact,
    WindowLapsed,
    WindowLedger,
    WindowMet,
    WindowMoved,
    WindowNearing,
    WindowOpened,
    WindowReopened,
    WindowRetracted,
    differences,
    judge,
    record,
)
from domain.kernel.facts import Fact
from domain.repairs.facts import (
    CrewArrived,
    DispatchAcknowledged,
    RepairCompleted,
    ReportLinked,
    SeverityAssessed,
    WaterRestored,
)
from domain.repairs.promises import ARRIVAL, COMPLETION
from domain.standard.standards import Rules
from infra.eventstore.shipped_rules import shipped_rules
from tests.unit.cases import NINE, ON_SITE, SUBJECT, Play, minutes, names, repairing

RULES = shipped_rules()
BY = UUID(int=9)


def obligation(*terms: tuple[float, float | None], met: float | None = None) -> Obligation:
    return Obligation(
        commitment="c",
        opened_at=NINE,
        terms=tuple(Term(minutes(since), None if due is None else minutes(due), (BY,)) for since, due in terms),
        met_at=None if met is None else minutes(met),
        met_by=(BY,) if met is not None else (),
        standard="s",
        calendar=None,
    )


# ---- judge


def test_a_window_runs_until_the_instant_it_is_due() -> None:
    window = judge(obligation((0, 30)), minutes(29))
    assert window.lapses == ()
    assert window.next_ask_at == minutes(30)


def test_a_window_lapses_at_the_instant_it_is_due() -> None:
    window = judge(obligation((0, 30)), minutes(30))
    assert window.lapses == (minutes(30),)
    assert window.next_ask_at is None


def test_meeting_at_the_very_instant_is_in_time() -> None:
    window = judge(obligation((0, 30), met=30), minutes(60))
    assert window.lapses == ()
    assert window.met_at == minutes(30)


def test_meeting_afterwards_is_met_and_lapsed() -> None:
    window = judge(obligation((0, 30), met=31), minutes(60))
    assert window.lapses == (minutes(30),)
    assert window.met_at == minutes(31)


def test_a_term_replaced_before_its_end_does_not_lapse() -> None:
    assert judge(obligation((0, 240), (60, 480)), minutes(300)).lapses == ()


def test_a_term_replaced_after_its_end_stays_lapsed() -> None:
    window = judge(obligation((0, 240), (250, 480)), minutes(300))
    assert window.lapses == (minutes(240),)
    assert window.due_at == minutes(480)
    assert window.next_ask_at == minutes(480)


def test_a_shorter_term_that_is_over_when_it_comes_lapses() -> None:
    assert judge(obligation((0, 480), (300, 240)), minutes(301)).lapses == (minutes(240),)


def test_no_end_limit_never_lapses_and_is_never_asked_again() -> None:
    window = judge(obligation((0, 240), (60, None)), minutes(10_000))
    assert window.lapses == ()
    assert window.next_ask_at is None
    assert window.met_at is None


@given(
    ends=st.lists(st.integers(1, 600), min_size=1, max_size=5),
    gaps=st.lists(st.integers(1, 200), min_size=5, max_size=5),
    met=st.none() | st.integers(0, 900),
    looks=st.lists(st.integers(0, 1_000), min_size=2, max_size=2),
)
def test_a_lapse_once_judged_stays_judged_while_the_facts_stay(
    ends: list[int], gaps: list[int], met: int | None, looks: list[int]
) -> None:
    terms, since = [], 0.0
    for end, gap in zip(ends, gaps, strict=False):
        terms.append((since, float(end)))
        since += gap
    early, late = sorted(looks)
    thing = obligation(*terms, met=met)
    assert set(judge(thing, minutes(early)).lapses) <= set(judge(thing, minutes(late)).lapses)


@given(due=st.integers(1, 600), met=st.none() | st.integers(0, 900), look=st.integers(0, 1_000))
def test_judge_agrees_with_counting_minute_by_minute(due: int, met: int | None, look: int) -> None:
    lapsed = False
    for minute in range(look + 1):
        if minute == due and (met is None or met > due):
            lapsed = True
    assert bool(judge(obligation((0, due), met=met), minutes(look)).lapses) == lapsed


@given(due=st.integers(1, 600), met=st.none() | st.integers(0, 900), look=st.integers(0, 1_000))
def test_asking_when_told_misses_nothing(due: int, met: int | None, look: int) -> None:
    """Between an ask and the next one that it names, the verdict does not change."""
    thing = obligation((0, due), met=met)
    window = judge(thing, minutes(look))
    until = window.next_ask_at or minutes(look + 2_000)
    assert judge(thing, until - timedelta(microseconds=1)).lapses == window.lapses


# ---- differences and the record


def window(**changes: object) -> Window:
    values: dict[str, object] = {
        "commitment": "c",
        "opened_at": NINE,
        "due_at": minutes(30),
        "tentative": False,
        "met_at": None,
        "lapses": (),
        "passed": (),
        "next_ask_at": None,
        "basis": Basis("s", None, ()),
    }
    return Window(**(values | changes))  # type: ignore[arg-type]


def known(**changes: object) -> dict[str, OnRecord]:
    values: dict[str, object] = {
        "number": 4,
        "opened_at": NINE,
        "due_at": minutes(30),
        "tentative": False,
        "standard": "s",
        "calendar": None,
    }
    return {"c": OnRecord(**(values | changes))}  # type: ignore[arg-type]


def test_nothing_new_says_nothing() -> None:
    assert differences(known(), [window()]) == ()


def test_a_window_that_is_not_on_record_opens_as_number_one() -> None:
    (fact,) = differences({}, [window()])
    assert isinstance(fact, WindowOpened)
    assert (fact.number, fact.due_at) == (1, minutes(30))


def test_numbers_go_on_from_the_record() -> None:
    facts = differences(known(), [window(lapses=(minutes(30),), met_at=minutes(40))])
    assert names(facts) == ["WindowLapsed", "WindowMet"]
    assert [fact.number for fact in facts] == [5, 6]


def test_an_end_that_moves_names_old_new_and_cause() -> None:
    (fact,) = differences(known(), [window(due_at=minutes(60))])
    assert isinstance(fact, WindowMoved)
    assert (fact.old_due_at, fact.due_at, fact.cause) == (minutes(30), minutes(60), "reclassified")


def test_another_calendar_version_is_the_cause_of_a_move() -> None:
    (fact,) = differences(known(), [window(due_at=minutes(60), basis=Basis("s", "CN@2", ()))])
    assert isinstance(fact, WindowMoved)
    assert fact.cause == "calendar"


def test_a_lapse_that_falls_away_is_retracted_with_its_own_number() -> None:
    record_ = known(lapses={minutes(30): 3}, lapse_count=3)
    facts = differences(record_, [window(met_at=minutes(20))])
    assert names(facts) == ["WindowRetracted", "WindowMet"]
    retracted = facts[0]
    assert isinstance(retracted, WindowRetracted)
    assert (retracted.lapse, retracted.reason) == (3, "met-in-time")


def test_a_lapse_after_a_retracted_one_has_the_next_number() -> None:
    (fact,) = differences(known(lapse_count=1), [window(lapses=(minutes(30),))])
    assert isinstance(fact, WindowLapsed)
    assert fact.lapse == 2


def test_what_met_it_no_longer_standing_reopens() -> None:
    (fact,) = differences(known(met_at=minutes(10)), [window()])
    assert isinstance(fact, WindowReopened)


def test_no_end_limit_any_longer_cancels_once() -> None:
    facts = differences(known(), [window(due_at=None, cancelled="no-end-limit")])
    assert names(facts) == ["WindowCancelled"]
    ledger = record(known(), facts[0])
    assert differences(ledger, [window(due_at=None, cancelled="no-end-limit")]) == ()


def test_an_end_limit_again_reopens_a_cancelled_window() -> None:
    (fact,) = differences(known(cancelled=True), [window()])
    assert isinstance(fact, WindowReopened)
    assert fact.due_at == minutes(30)


def test_a_commitment_no_longer_owed_is_cancelled() -> None:
    (fact,) = differences(known(), [])
    assert isinstance(fact, WindowCancelled)
    assert fact.reason == "no-longer-owed"


def test_what_was_never_owed_after_all_takes_its_lapse_back_once() -> None:
    opened = differences({}, [judge(obligation((0, 60)), minutes(70))])
    ledger: WindowLedger = {}
    for fact in opened:
        ledger = record(ledger, fact)
    gone = differences(ledger, [])
    assert [(type(fact).__name__, fact.number, fact.reason) for fact in gone] == [  # type: ignore[union-attr]
        ("WindowRetracted", 3, "no-longer-owed"),
        ("WindowCancelled", 4, "no-longer-owed"),
    ]
    for fact in gone:
        ledger = record(ledger, fact)
    assert differences(ledger, []) == ()


def test_the_record_ignores_an_older_number() -> None:
    old = WindowMet("c", 3, minutes(30), minutes(10), True, Basis("s", None, ()))
    assert record(known(), old) == known()


# ---- whole histories


def test_a_silent_half_hour_warns_twice_and_lapses_once() -> None:
    play = repairing(RULES)
    heard = [names(play.conclude(minutes(minute))) for minute in (5, 20, 30, 31)]
    assert heard == [["WindowNearing"], ["WindowNearing"], ["WindowLapsed"], []]
    nearing = [fact for fact in play.concluded if isinstance(fact, WindowNearing)]
    assert [fact.notify for fact in nearing] == [("duty-dispatcher",), ("crew-lead", "second-crew")]


def test_a_late_report_of_a_timely_arrival_retracts_the_lapse() -> None:
    play = repairing(RULES)
    play.conclude(minutes(30))
    facts = play.say(CrewArrived("crew-1", ON_SITE), minutes(24), at=minutes(52))
    arrival = [fact for fact in facts if fact.commitment == ARRIVAL]
    assert names(arrival) == ["WindowRetracted", "WindowMet"]


def test_an_earlier_report_linked_later_moves_the_start_and_can_lapse_what_was_met() -> None:
    play = repairing(RULES)
    play.say(CrewArrived("crew-1", ON_SITE), minutes(25))
    facts = play.say(ReportLinked(2, SUBJECT), minutes(-10), at=minutes(26))
    arrival = [fact for fact in facts if fact.commitment == ARRIVAL]
    assert names(arrival) == ["WindowMoved", "WindowLapsed", "WindowMet"]
    moved, lapsed = arrival[0], arrival[1]
    assert isinstance(moved, WindowMoved)
    assert moved.cause == "start"
    assert isinstance(lapsed, WindowLapsed)
    assert lapsed.due_at == minutes(20)


def test_an_assessment_after_the_lapse_moves_the_end_and_keeps_the_lapse() -> None:
    play = repairing(RULES)
    play.say(CrewArrived("crew-1", ON_SITE), minutes(10))
    play.conclude(minutes(240))
    facts = play.say(SeverityAssessed("medium", "DN 100"), minutes(250))
    completion = [fact for fact in facts if fact.commitment == COMPLETION]
    assert names(completion) == ["WindowMoved", "WindowNearing"]
    assert play.windows(minutes(251))[COMPLETION].lapses == (minutes(240),)
    assert names(play.conclude(minutes(480))) == ["WindowLapsed"]


def test_a_major_repair_has_no_end_limit() -> None:
    play = repairing(RULES)
    facts = play.say(SeverityAssessed("major", "DN 300"), minutes(30))
    assert "WindowCancelled" in names(facts)
    play.say(CrewArrived("crew-1", ON_SITE), minutes(20), at=minutes(31))
    play.say(WaterRestored(), minutes(35))
    assert kinds.next_ask_at(kinds.REPAIR, play.state, RULES, minutes(40)) == {}


def test_the_first_five_minutes_warning_falls_away_once_acknowledged() -> None:
    play = repairing(RULES)
    play.say(DispatchAcknowledged("crew-1"), minutes(4))
    assert play.conclude(minutes(6)) == []


Told = tuple[Fact, datetime]
FACTS: list[Told] = [
    (ReportLinked(2, SUBJECT), minutes(-12)),
    (CrewArrived("crew-1", ON_SITE), minutes(25)),
    (CrewArrived("crew-2", ON_SITE), minutes(45)),
    (SeverityAssessed("medium", "DN 100"), minutes(230)),
    (SeverityAssessed("small", "DN 40"), minutes(300)),
    (RepairCompleted(), minutes(470)),
]


def verdicts(order: tuple[Told, ...]) -> object:
    """Play the facts in an order, each recorded a minute after the one before, and look much later."""
    play = repairing(RULES)
    for place, (fact, happened_at) in enumerate(order):
        play.say(fact, happened_at, at=minutes(1_000 + place))
    play.conclude(minutes(5_000))
    ledger = play.state.ledger
    return {
        commitment: (known.due_at, known.met_at, known.cancelled, frozenset(known.lapses))
        for commitment, known in ledger.items()
    }


def test_every_order_of_six_facts_ends_in_the_same_verdicts() -> None:
    outcomes = [verdicts(order) for order in permutations(FACTS)]
    assert len(outcomes) == 720
    assert all(outcome == outcomes[0] for outcome in outcomes)


@given(st.lists(st.sampled_from(range(len(FACTS))), min_size=0, max_size=8), st.randoms())
def test_any_duplication_and_order_of_facts_ends_in_the_same_verdicts(extra: list[int], random: object) -> None:
    doubled = [*FACTS, *(FACTS[number] for number in extra)]
    random.shuffle(doubled)  # type: ignore[attr-defined]
    assert verdicts(tuple(doubled)) == verdicts(tuple(FACTS))


@given(
    asks=st.lists(st.integers(0, 1_500), max_size=6),
    facts=st.lists(st.tuples(st.sampled_from(range(len(FACTS))), st.integers(0, 900), st.integers(0, 500)), max_size=6),
)
def test_the_record_always_ends_at_what_judge_says(asks: list[int], facts: list[tuple[int, int, int]]) -> None:
    """Whatever was said and asked in between, the ledger after a conclusion is the judgement of the facts."""
    play = repairing(RULES)
    steps = [(at, None) for at in asks]
    said = [(happened + late, (FACTS[number][0], minutes(happened))) for number, happened, late in facts]
    for at, fact in sorted([*steps, *said], key=lambda step: step[0]):
        if fact is None:
            play.conclude(minutes(at))
        else:
            play.say(fact[0], fact[1], at=minutes(at))
    play.conclude(minutes(3_000))
    for commitment, judged in play.windows(minutes(3_000)).items():
        known = play.state.ledger[commitment]
        assert set(known.lapses) == set(judged.lapses)
        assert (None if known.cancelled else known.met_at) == judged.met_at
        assert known.cancelled == (judged.due_at is None)
    assert play.conclude(minutes(3_000)) == []


def test_lapse_numbers_of_a_window_never_repeat(rules: Rules) -> None:
    play: Play = repairing(rules)
    play.conclude(minutes(30))
    play.say(CrewArrived("crew-1", ON_SITE), minutes(28), at=minutes(40))
    play.say(ReportLinked(2, SUBJECT), minutes(-20), at=minutes(41))
    lapses = [fact.lapse for fact in play.concluded if isinstance(fact, WindowLapsed)]
    assert lapses == sorted(set(lapses))
    assert len(lapses) == 2


verdicts_of_one_window = st.none() | st.builds(
    lambda lapses, met, cancelled: window(
        lapses=tuple(minutes(each) for each in sorted(lapses)),
        met_at=None if met is None or cancelled else minutes(met),
        cancelled="no-end-limit" if cancelled else None,
        due_at=None if cancelled else minutes(30),
    ),
    st.sets(st.sampled_from([10, 20, 30])),
    st.none() | st.sampled_from([25, 35]),
    st.booleans(),
)


@given(st.lists(verdicts_of_one_window, max_size=12))
def test_number_counts_the_facts_about_a_window_and_lapse_its_lapses(verdicts: list[Window | None]) -> None:
    """Whatever follows on what, also where it is owed no more and owed again: what the event contract says of them."""
    ledger: WindowLedger = {}
    facts: list[WindowFact] = []
    for verdict in verdicts:
        for fact in differences(ledger, [verdict] if verdict is not None else []):
            facts.append(fact)
            ledger = record(ledger, fact)
    assert [fact.number for fact in facts] == list(range(1, len(facts) + 1))
    lapsed = [fact.lapse for fact in facts if isinstance(fact, WindowLapsed)]
    assert lapsed == list(range(1, len(lapsed) + 1))
    assert {fact.lapse for fact in facts if isinstance(fact, WindowRetracted)} <= set(lapsed)


# ---- commitments that are counts


def tally(*counted: float, allowed: int = 1, closed: float | None = None, cancelled: str | None = None) -> CountPromise:
    return CountPromise(
        commitment="c",
        opened_at=NINE,
        allowed=allowed,
        counted=tuple((minutes(at), UUID(int=n)) for n, at in enumerate(counted)),
        closed=None if closed is None else (minutes(closed), BY),
        cancelled=cancelled,
        standard="s",
        decided_by=(BY,),
        notify_on_lapse=("manager",),
    )


def concluded(ledger: dict[str, OnRecord], found: CountPromise, at: float) -> list[Fact]:
    return list(differences(ledger, [judge(found, minutes(at))]))


def test_a_count_opens_without_an_end_and_is_met_when_closed_within_what_is_allowed() -> None:
    facts = concluded({}, tally(5, closed=60), 60)
    assert names(facts) == ["WindowOpened", "WindowMet"]
    met = facts[1]
    assert isinstance(met, WindowMet)
    assert (met.due_at, met.met_at, met.on_time) == (None, minutes(60), True)


def test_each_one_too_many_is_a_lapse_at_its_own_instant_and_the_count_is_never_met() -> None:
    facts = concluded({}, tally(5, 10, 20, closed=60), 60)
    assert names(facts) == ["WindowOpened", "WindowLapsed", "WindowLapsed"]
    lapses = [fact for fact in facts if isinstance(fact, WindowLapsed)]
    assert [(lapse.due_at, lapse.lapse) for lapse in lapses] == [(minutes(10), 1), (minutes(20), 2)]
    assert lapses[0].basis.decided_by == (BY, UUID(int=1), UUID(int=2))


def test_a_count_that_turns_out_lower_takes_its_lapse_back() -> None:
    lapsed: dict[str, OnRecord] = {}
    for fact in concluded({}, tally(5, 10), 10):
        lapsed = dict(record(lapsed, fact))
    (fact,) = concluded(lapsed, tally(5), 11)
    assert isinstance(fact, WindowRetracted)


def test_a_count_of_a_case_that_stops_is_owed_no_more() -> None:
    facts = concluded({}, tally(5, cancelled="withdrawn"), 10)
    assert names(facts) == ["WindowOpened", "WindowCancelled"]


def test_time_alone_changes_nothing_about_a_count() -> None:
    assert judge(tally(5), minutes(10)).next_ask_at is None


def test_a_new_start_and_a_new_calendar_are_each_named_as_the_cause() -> None:
    (fact,) = differences(known(), [window(opened_at=minutes(-5))])
    assert isinstance(fact, WindowMoved)
    assert fact.cause == "start"
    (fact,) = differences(known(calendar="CN@1"), [window(basis=Basis("s", "CN@2", ()))])
    assert isinstance(fact, WindowMoved)
    assert (fact.cause, fact.old_due_at == fact.due_at) == ("calendar", True)
    (fact,) = differences(known(), [window(due_at=minutes(40), cause="pause")])
    assert isinstance(fact, WindowMoved)
    assert fact.cause == "pause"


def test_a_window_that_was_met_keeps_the_calendar_it_was_met_under() -> None:
    met = WindowMet("c", 5, minutes(30), minutes(10), True, Basis("s", "CN@7", ()))
    assert record(known(calendar="CN@1"), met)["c"].calendar == "CN@7"
