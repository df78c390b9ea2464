"""What flips a verdict, each by name and in every order; and when a verdict is settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from domain import kinds
from domain.connections import facts as connection
from domain.deadlines.calendar import CalendarVersion
from domain.deadlines.windows import Window, WindowLapsed, WindowMet, WindowReopened, WindowRetracted, judge, overturned
from domain.kernel.facts import Fact, Recorded
from domain.kernel.refusals import Refusal
from domain.kinds import Kind
from domain.repairs import promises, rejection
from domain.repairs.facts import (
    CaseClosed,
    CrewArrived,
    EvidenceRejected,
    FaultReported,
    RepairCompleted,
    ReportLinked,
    ReportUnlinked,
    SeverityAssessed,
    SeverityReassessed,
    WaterRestored,
)
from domain.repairs.promises import ARRIVAL, COMPLETION
from domain.settling import require_second_person_to_overturn
from domain.standard.flat import with_changes
from domain.standard.standards import Rules
from infra.eventstore.shipped_rules import shipped_rules
from tests.unit.cases import NINE, ON_SITE, SUBJECT, Play, context, meter, minutes, names, repairing

RULES = shipped_rules()
PROOF = "sha256:" + "0" * 64
ELSEWHERE = UUID(int=9)
DAY = timedelta(days=1)
FIFTH_CLOSE = datetime(2026, 9, 22, 9, 30, tzinfo=UTC)
"""The close of the fifth working day after NINE."""
IDS = tuple(UUID(int=1_000 + place) for place in range(8))
"""The events of a flip, whatever order they are told in: a rejection names one."""

Told = tuple[Fact, datetime]
ARRIVED_LATE: Told = (CrewArrived("crew-1", ON_SITE), minutes(45))
OPENED: Told = (FaultReported("BX-1", "leak", "x", "urban", SUBJECT), NINE)
APPLIED: Told = (connection.ApplicationReceived("BZ-1", "private", 1, SUBJECT), NINE)
APPLICATION: tuple[Told, ...] = (
    APPLIED,
    (connection.ApplicationAdmitted(), NINE),
    (connection.PauseRequested(1, "site-not-ready", PROOF), NINE + DAY),
    (connection.WaterTurnedOn(1, SUBJECT, meter()), FIFTH_CLOSE + timedelta(hours=3)),
)


@dataclass(frozen=True)
class Flip:
    """Facts under rules, and the same with what flips the verdict: before and after, the lapses that stand and whether
    it was met."""

    kind: Kind
    commitment: str
    opening: Told
    facts: tuple[Told, ...]
    flipping: tuple[Told, ...]
    before: tuple[tuple[datetime, ...], bool]
    after: tuple[tuple[datetime, ...], bool]
    rules: Rules = RULES
    flipping_rules: Rules = RULES


def revised(off: datetime) -> Rules:
    """The shipped rules with a calendar, published two days after nine, in which that day is off."""
    (chain,) = RULES.calendars
    first = RULES.calendars[chain][-1]
    later = replace(first.calendar, version="CN@2026-2", moved={**first.calendar.moved, off.date(): True})
    return replace(RULES, calendars={chain: (*RULES.calendars[chain], CalendarVersion(NINE + 2 * DAY, later))})


def slower(minutes_to_arrive: int) -> Rules:
    """The shipped rules with a standard, in force since before the report, that gives more time."""
    standard = RULES.newest
    later = with_changes(
        standard, version="0225-x", arrival_minutes={**standard.repair.arrival_minutes, "urban": minutes_to_arrive}
    )
    return replace(RULES, standards=(*RULES.standards, later))


DUE = minutes(30)
REPAIR = (
    ARRIVED_LATE,
    (SeverityAssessed("small", "valve"), minutes(50)),
    (RepairCompleted(), minutes(200)),
    (WaterRestored(), minutes(210)),
)
FLIPS = {
    "a late fact": Flip(
        kinds.REPAIR,
        ARRIVAL,
        OPENED,
        REPAIR,
        ((CrewArrived("crew-2", ON_SITE), minutes(29)),),
        before=((DUE,), True),
        after=((), True),
    ),
    "an earlier report linked": Flip(
        kinds.REPAIR,
        ARRIVAL,
        OPENED,
        ((CrewArrived("crew-2", ON_SITE), minutes(29)), *REPAIR[1:]),
        ((ReportLinked(2, SUBJECT), minutes(-20)),),
        before=((), True),
        after=((minutes(10),), True),
    ),
    "an earlier report unlinked": Flip(
        kinds.REPAIR,
        ARRIVAL,
        OPENED,
        (
            (CrewArrived("crew-2", ON_SITE), minutes(29)),
            *REPAIR[1:3],
            (ReportLinked(2, SUBJECT), minutes(-20)),
        ),
        ((ReportUnlinked(2, ELSEWHERE), minutes(300)),),
        before=((minutes(10),), True),
        after=((), True),
    ),
    "evidence rejected": Flip(
        kinds.REPAIR,
        COMPLETION,
        OPENED,
        REPAIR,
        ((EvidenceRejected(IDS[3], "completion", "not-done", (), True), minutes(600)),),
        before=((), True),
        after=((minutes(240),), False),
    ),
    "a pause approved late": Flip(
        kinds.CONNECTION,
        "connection.water_on",
        APPLIED,
        APPLICATION[1:],
        ((connection.PauseApproved(1), FIFTH_CLOSE + DAY),),
        before=((FIFTH_CLOSE,), True),
        after=((), True),
    ),
    "a pause revoked": Flip(
        kinds.CONNECTION,
        "connection.water_on",
        APPLIED,
        (*APPLICATION[1:], (connection.PauseApproved(1), NINE + DAY)),
        ((connection.PauseRevoked(1, "no-permit-needed"), FIFTH_CLOSE + DAY),),
        before=((), True),
        after=((FIFTH_CLOSE,), True),
    ),
    "a reclassification": Flip(
        kinds.REPAIR,
        COMPLETION,
        OPENED,
        (
            ARRIVED_LATE,
            (SeverityAssessed("small", "valve"), minutes(50)),
            (RepairCompleted(), minutes(300)),
        ),
        ((SeverityReassessed("medium", "road", PROOF), minutes(100)),),
        before=((minutes(240),), True),
        after=((), True),
    ),
    "a calendar": Flip(
        kinds.CONNECTION,
        "connection.water_on",
        APPLIED,
        APPLICATION[1:],
        (),
        before=((FIFTH_CLOSE,), True),
        after=((), True),
        flipping_rules=revised(NINE.replace(day=21)),
    ),
    "a standard": Flip(
        kinds.REPAIR,
        ARRIVAL,
        OPENED,
        REPAIR,
        (),
        before=((DUE,), True),
        after=((), True),
        flipping_rules=slower(60),
    ),
}
AT = NINE + 30 * DAY


def judged(flip: Flip, order: Sequence[tuple[UUID, Told]], rules: Rules) -> dict[str, Window]:
    """The windows by these facts, told in this order, each under its own id."""
    state: Any = flip.kind.evolve(None, Recorded(flip.opening[0], IDS[0], 1, flip.opening[1]))
    for version, (id_, (fact, at)) in enumerate(order, start=2):
        state = flip.kind.evolve(state, Recorded(fact, id_, version, at))
    return {window.commitment: window for window in kinds.windows(flip.kind, state, rules, AT)}


def stands(window: Window) -> tuple[tuple[datetime, ...], bool]:
    return window.lapses, window.met_at is not None


def possible(order: Sequence[tuple[UUID, Told]]) -> bool:
    """A pause is decided on once it is asked for: no stream has it the other way round."""
    kinds_of_fact = [type(fact) for _, (fact, _) in order]
    asked = connection.PauseRequested
    decided = (connection.PauseApproved, connection.PauseRevoked)
    return all(kinds_of_fact.index(asked) < kinds_of_fact.index(each) for each in decided if each in kinds_of_fact)


@pytest.mark.parametrize("name", list(FLIPS))
def test_each_of_these_flips_a_verdict_and_every_order_of_the_facts_ends_the_same(name: str) -> None:
    flip = FLIPS[name]
    before = list(zip(IDS[1:], flip.facts, strict=False))
    after = [*before, *zip(IDS[1 + len(before) :], flip.flipping, strict=False)]
    assert 4 <= len(after) + 1 <= 7
    assert stands(judged(flip, before, flip.rules)[flip.commitment]) == flip.before
    assert stands(judged(flip, after, flip.flipping_rules)[flip.commitment]) == flip.after
    for facts, rules in ((before, flip.rules), (after, flip.flipping_rules)):
        verdicts = {
            repr(sorted(judged(flip, order, rules).items())) for order in permutations(facts) if possible(order)
        }
        assert len(verdicts) == 1


@pytest.mark.parametrize("name", list(FLIPS))
def test_the_record_follows_each_flip_and_says_so_once(name: str) -> None:
    """Told as it comes, with a watch that asks in between: the record ends where the facts do."""
    flip = FLIPS[name]
    play = Play(flip.kind, flip.rules)
    play.append(*flip.opening)
    for fact, at in sorted((*flip.facts,), key=lambda context: context[1]):
        play.conclude(at - timedelta(seconds=1))
        play.append(fact, at)
        play.conclude(at)
    play.conclude(AT)
    ledger = play.state.ledger[flip.commitment]
    assert (tuple(ledger.lapses), ledger.met_at is not None) == flip.before
    play.rules = flip.flipping_rules
    for fact, at in flip.flipping:
        named = isinstance(fact, EvidenceRejected)
        play.append(replace(fact, rejects=play.state.completed[0].by) if named else fact, at)
    facts = play.conclude(AT)
    ledger = play.state.ledger[flip.commitment]
    assert (tuple(ledger.lapses), ledger.met_at is not None) == flip.after
    met_late = ledger.met_at is not None and ledger.due_at is not None and ledger.met_at > ledger.due_at
    assert ledger.on_time is (None if ledger.met_at is None else not met_late)
    assert {"WindowRetracted", "WindowLapsed"} & set(names(facts))
    assert play.conclude(AT) == []


# ---- open, then settled


def test_a_verdict_says_until_when_it_is_open() -> None:
    play = repairing(RULES)
    play.conclude(minutes(30))
    play.say(CrewArrived("crew-1", ON_SITE), minutes(40))
    (lapsed,) = [fact for fact in play.concluded if isinstance(fact, WindowLapsed)]
    (met,) = [fact for fact in play.concluded if isinstance(fact, WindowMet)]
    # The slowest channel with a limit is the crew's phone: a day.
    assert (lapsed.settles_at, met.settles_at) == (minutes(30) + DAY, minutes(40) + DAY)


def test_a_standard_whose_channels_have_no_limit_settles_nothing() -> None:
    standard = replace(RULES.newest, allowed_lateness_minutes={"import": None})
    assert standard.settles_after is None
    play = repairing(replace(RULES, standards=(standard,)))
    (lapsed,) = [fact for fact in play.conclude(minutes(30)) if isinstance(fact, WindowLapsed)]
    assert lapsed.settles_at is None
    play.append(CrewArrived("crew-1", ON_SITE), minutes(20))
    assert overturned(play.conclude(NINE + 400 * DAY)) == ()


@pytest.mark.parametrize(("told_at", "marked"), [(minutes(30) + DAY, ()), (minutes(31) + DAY, (ARRIVAL,))])
def test_a_lapse_that_falls_once_it_is_settled_is_marked(told_at: datetime, marked: tuple[str, ...]) -> None:
    play = repairing(RULES)
    play.conclude(minutes(30))
    play.append(CrewArrived("crew-1", ON_SITE), minutes(20))
    facts = play.conclude(told_at)
    (retracted,) = [fact for fact in facts if isinstance(fact, WindowRetracted)]
    assert retracted.overturns is bool(marked)
    assert overturned(facts) == marked


def test_a_settled_meeting_that_falls_is_marked_where_it_reopens_and_where_it_lapses() -> None:
    play = repairing(RULES)
    play.say(CrewArrived("crew-1", ON_SITE), minutes(20))
    arrival = play.state.arrived[0].by
    play.append(EvidenceRejected(arrival, "arrival", "not-on-site", (), False), NINE + 9 * DAY)
    facts = play.conclude(NINE + 9 * DAY)
    of = [fact for fact in facts if fact.commitment == ARRIVAL]
    assert [(type(fact), fact.overturns) for fact in of if isinstance(fact, WindowLapsed | WindowReopened)] == [
        (WindowLapsed, True),
        (WindowReopened, True),
    ]


def test_what_runs_out_unseen_for_days_overturns_nothing() -> None:
    """The watch was away: the lapse is found late, and no verdict falls with it."""
    play = repairing(RULES)
    facts = play.say(CrewArrived("crew-1", ON_SITE), minutes(60), at=NINE + 5 * DAY)
    assert [fact for fact in facts if isinstance(fact, WindowLapsed)]
    assert overturned(facts) == ()


def settled_lapse_falls() -> tuple[Play, list[Any]]:
    play = repairing(RULES)
    play.conclude(minutes(30))
    play.append(CrewArrived("crew-1", ON_SITE), minutes(20))
    return play, play.conclude(NINE + 3 * DAY)


@pytest.mark.parametrize(
    ("said", "changes", "channel", "role"),
    [
        (CrewArrived("crew-1", ON_SITE), {"confirmed_by": "crew-lead-2"}, "crew-phone", "crew"),
        (CrewArrived("crew-1", ON_SITE, confirmed_by="crew-lead-2"), {}, "crew-phone", "crew"),
        (SeverityReassessed("medium", "road", PROOF, approved_by="manager-1"), {}, "crew-phone", "crew"),
        (connection.PauseApproved(1), {}, "office", "manager"),
        (CrewArrived("crew-1", ON_SITE), {}, "import", "operator"),
        (CrewArrived("crew-1", ON_SITE), {}, "system", "system"),
    ],
    ids=["header", "confirmed", "approved", "pause", "history", "program"],
)
def test_a_settled_verdict_falls_before_two_pairs_of_eyes(
    said: Fact, changes: dict[str, Any], channel: str, role: str
) -> None:
    _, facts = settled_lapse_falls()
    who = context(RULES, NINE + 3 * DAY, channel=channel, role=role, **changes)
    require_second_person_to_overturn(who, [said], facts)


@pytest.mark.parametrize("second", [None, "crew-1"])
def test_one_person_alone_overturns_no_settled_verdict(second: str | None) -> None:
    _, facts = settled_lapse_falls()
    who = context(RULES, NINE + 3 * DAY, confirmed_by=second)
    with pytest.raises(Refusal, match=r"^verdict-settled: found the settled verdict on repair.arrival"):
        require_second_person_to_overturn(who, [CrewArrived("crew-1", ON_SITE)], facts)


def test_an_open_verdict_falls_on_one_persons_word() -> None:
    play = repairing(RULES)
    play.conclude(minutes(30))
    play.append(CrewArrived("crew-1", ON_SITE), minutes(20))
    facts = play.conclude(minutes(50))
    assert "WindowRetracted" in names(facts)
    require_second_person_to_overturn(context(RULES, minutes(50)), [], facts)


def test_an_end_that_moves_to_the_other_side_of_the_meeting_is_told_as_another_verdict() -> None:
    play = repairing(RULES)
    play.say(CrewArrived("crew-1", ON_SITE), minutes(29))
    facts = play.say(ReportLinked(2, SUBJECT), minutes(-20), at=minutes(40))
    (met,) = [fact for fact in facts if isinstance(fact, WindowMet)]
    assert (met.met_at, met.on_time, met.due_at) == (minutes(29), False, minutes(10))


# ---- evidence rejected


REASONS = {"not-on-site": "未到现场", "not-done": "未修复"}


@pytest.fixture
def rules() -> Rules:
    powers = {**RULES.newest.powers, "repair.reject": ("dispatcher", "manager")}
    standard = with_changes(RULES.newest, rejection_reasons=REASONS, powers=powers)
    return replace(RULES, standards=(standard,))


def mended(rules: Rules) -> Play:
    play = repairing(rules)
    crew = context(rules, NINE).by
    for fact, minute in (
        (CrewArrived("crew-1", ON_SITE), 20),
        (SeverityAssessed("small", "valve"), 30),
        (RepairCompleted(), 100),
        (CaseClosed(), 110),
    ):
        play.say(fact, minutes(minute), by=crew)
    return play


def reject(play: Play, event: UUID, *, reason: str = "not-done", **changes: Any) -> EvidenceRejected:
    who = context(play.rules, minutes(300), **({"role": "dispatcher", "channel": "office"} | changes))
    return rejection.reject_evidence(play.state, who, event=event, reason=reason)


def test_a_rejected_completion_lapses_the_promise_and_opens_the_file_again(rules: Rules) -> None:
    play = mended(rules)
    fact = reject(play, play.state.completed[0].by)
    assert (fact.of, fact.left, fact.reopens) == ("completion", ("arrival",), True)
    facts = play.say(fact, minutes(300))
    of = [type(each) for each in facts if each.commitment == COMPLETION]
    assert of[:2] == [WindowLapsed, WindowReopened]
    assert (play.state.closed, play.state.over) == (False, None)
    play.say(RepairCompleted(), minutes(320))
    ledger = play.state.ledger[COMPLETION]
    assert (ledger.met_at, ledger.on_time, tuple(ledger.lapses)) == (minutes(320), False, (minutes(240),))


def test_a_rejected_arrival_leaves_a_finished_file_closed(rules: Rules) -> None:
    play = mended(rules)
    fact = reject(play, play.state.arrived[0].by, reason="not-on-site")
    play.say(fact, minutes(300))
    assert (fact.left, fact.reopens, play.state.closed) == (("completion",), False, True)
    assert tuple(play.state.ledger[ARRIVAL].lapses) == (minutes(30),)


def test_of_two_completions_the_other_one_counts_on(rules: Rules) -> None:
    play = mended(rules)
    play.say(RepairCompleted(), minutes(120))
    first = play.state.completed[0].by
    fact = reject(play, first)
    play.say(fact, minutes(300))
    assert (fact.left, fact.reopens) == (("arrival", "completion"), False)
    assert play.state.ledger[COMPLETION].met_at == minutes(120)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"role": "crew", "channel": "crew-phone"}, "wrong-role"),
        ({"actor": "crew-1"}, "same-person"),
        ({"reason": "because"}, "unknown-rejection-reason"),
    ],
)
def test_who_told_it_and_who_has_no_power_rejects_nothing(rules: Rules, changes: dict[str, Any], code: str) -> None:
    play = mended(rules)
    with pytest.raises(Refusal, match=f"^{code}:"):
        reject(play, play.state.completed[0].by, **changes)


def test_what_is_no_evidence_or_rejected_already_is_not_rejected(rules: Rules) -> None:
    play = mended(rules)
    with pytest.raises(Refusal, match=r"^no-such-evidence:"):
        reject(play, UUID(int=5))
    completion = play.state.completed[0].by
    play.say(reject(play, completion), minutes(300))
    with pytest.raises(Refusal, match=r"^already-rejected:"):
        reject(play, completion)


def test_a_settled_verdict_is_the_same_judgement_an_instant_later() -> None:
    """Settling changes who may change it, never what it is."""
    play = repairing(RULES)
    (owed,) = [each for each in promises.obligations(play.state, RULES) if each.commitment == ARRIVAL]
    assert judge(owed, minutes(30) + DAY).lapses == judge(owed, minutes(31) + DAY).lapses == (minutes(30),)
