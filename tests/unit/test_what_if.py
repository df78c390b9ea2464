"""Another standard on the same facts: differences counted by hand, and none at all under the same one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from uuid import UUID
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import kinds
from domain.connections import facts as said
from domain.kernel.facts import Fact
from domain.kernel.refusals import Refusal
from domain.outages.facts import EmergencyOutageBegan
from domain.publication import standards
from domain.publication.publishing import Standards, evolve_standards
from domain.repairs import orders
from domain.repairs.facts import (
    CrewArrived,
    CrewDispatched,
    FaultReported,
    RepairCompleted,
    ReporterAnswered,
    SeverityAssessed,
)
from domain.standard.flat import as_published, with_changes
from domain.standard.standards import Rules, Standard, make_rules
from domain.what_if import PromiseComparison, always, compare, placed, unrecorded
from infra.eventstore.documents import DocumentError, trial_standard_of
from infra.eventstore.shipped_rules import shipped_calendar, shipped_catalogue, shipped_standard, shipped_trials
from projections.reports.what_if import Period, Trial
from projections.reports.what_if_chart import page, svg
from projections.reports.what_if_text import as_lines, json_lines
from tests.unit.cases import NINE, SUBJECT, Play, connecting, meter, minutes, repairing
from tests.unit.office import after, by
from tests.unit.test_recount import CONNECTION_FACTS, REPAIR_FACTS, hours, minute
from tests.unit.test_recount_days import STAGE_FACTS

SHIPPED = shipped_standard()
LONG_AGO = datetime(2021, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def under(**changes: Any) -> Standard:
    return with_changes(SHIPPED, version="tried", **changes)


def compared(play: Play, standard: Standard, at: datetime) -> dict[str, PromiseComparison]:
    """Every promise that would have become something else."""
    before = kinds.windows(play.kind, play.state, play.rules, at)
    found = kinds.windows(play.kind, play.state, always(play.rules, standard), at)
    return {each.commitment: each for each in compare(before, found) if each.is_changed}


def verdicts(play: Play, standard: Standard, at: datetime) -> dict[str, tuple[str, str]]:
    return {name: (each.before.outcome, each.after.outcome) for name, each in compared(play, standard, at).items()}


# ---- by hand


def test_water_after_five_days_lapses_under_four(rules: Rules) -> None:
    # Wednesday the 16th: 17, 18, the make-up Sunday 20 and 21 are four working days, 22 is the fifth.
    play = connecting(rules)
    play.say(said.WaterTurnedOn(1, SUBJECT, meter()), NINE + 6 * DAY)
    (found,) = compared(play, under(connection_working_days=4), NINE + 30 * DAY).values()
    assert (found.commitment, found.before.outcome, found.after.outcome) == ("connection.water_on", "met", "lapsed")
    assert (found.before.due_at, found.after.due_at) == (
        datetime(2026, 9, 22, 9, 30, tzinfo=UTC),
        datetime(2026, 9, 21, 9, 30, tzinfo=UTC),
    )


def test_water_on_the_fourth_day_is_in_time_under_both(rules: Rules) -> None:
    play = connecting(rules)
    play.say(said.WaterTurnedOn(1, SUBJECT, meter()), NINE + 5 * DAY)
    assert compared(play, under(connection_working_days=4), NINE + 30 * DAY) == {}


def test_what_is_open_under_five_days_has_lapsed_under_four(rules: Rules) -> None:
    assert verdicts(connecting(rules), under(connection_working_days=4), NINE + 6 * DAY) == {
        "connection.water_on": ("open", "lapsed")
    }


@pytest.mark.parametrize(("arrived", "changes"), [(25, 0), (25.5, 1), (30, 1), (31, 0)])
def test_an_arrival_between_25_and_30_minutes_makes_the_difference(rules: Rules, arrived: float, changes: int) -> None:
    play = repairing(rules)
    play.say(CrewArrived("crew-1", None), minutes(arrived))
    found = verdicts(play, under(arrival_minutes={"urban": 25, "other": 90}), minutes(40))
    assert found == ({"repair.arrival": ("met", "lapsed")} if changes else {})


def test_other_class_rules_change_what_a_completion_was(rules: Rules) -> None:
    play = repairing(rules)
    play.say(CrewArrived("crew-1", None), minutes(25))
    play.say(SeverityAssessed("medium", "dn-100"), minutes(40))
    play.say(RepairCompleted(), minutes(430))
    assert verdicts(play, under(completion_minutes={"small": 240, "medium": 420, "major": None}), minutes(900)) == {
        "repair.completion": ("met", "lapsed")
    }
    later = under(completion_minutes={"small": 240, "medium": 420, "major": None}, completion_from="arrival")
    assert verdicts(play, later, minutes(900)) == {}, "25 minutes later, from the arrival"


def test_a_major_repair_gets_an_end_where_another_standard_gives_it_one(rules: Rules) -> None:
    play = repairing(rules)
    play.say(SeverityAssessed("major", "trunk"), minutes(40))
    found = verdicts(play, under(completion_minutes={"small": 240, "medium": 480, "major": 600}), minutes(700))
    assert found == {"repair.completion": ("no-end", "lapsed")}


def test_a_stage_that_is_not_counted_saves_what_lapsed(rules: Rules) -> None:
    play = connecting(rules)
    quote = next(fact for fact in STAGE_FACTS if isinstance(fact, said.QuoteIssued))
    paid = next(fact for fact in STAGE_FACTS if isinstance(fact, said.PaymentReceived))
    play.say(quote, NINE + DAY)
    play.say(paid, NINE + 5 * DAY)
    play.say(said.WaterTurnedOn(1, SUBJECT, meter()), NINE + 8 * DAY)
    # Due on the 22nd. The 17th, 18th and 20th were unpaid at their close: the five are then 21 to 24, and the 28th.
    assert verdicts(play, under(uncounted_stages={"payment": 10}), NINE + 30 * DAY) == {
        "connection.water_on": ("lapsed", "met")
    }
    assert verdicts(play, under(uncounted_stages={"payment": 1}), NINE + 30 * DAY) == {}


def test_a_promise_that_the_other_standard_does_not_give_is_not_owed(rules: Rules) -> None:
    play = repairing(rules)
    play.say(RepairCompleted(), minutes(60))
    assert verdicts(play, under(answer_minutes=None), minutes(90)) == {"repair.answer": ("open", "not-owed")}


def test_where_a_case_stands(rules: Rules) -> None:
    incident = repairing(rules)
    assert placed(incident.state, "hotline") == {
        "channel": "hotline",
        "district": "qianzhou",
        "class": "unassessed",
        "crew": "none",
    }
    incident.say(CrewDispatched("crew-7"), minutes(1))
    incident.say(SeverityAssessed("medium", "dn-100"), minutes(40))
    assert placed(incident.state, "hotline") == {
        "channel": "hotline",
        "district": "qianzhou",
        "class": "medium",
        "crew": "crew-7",
    }
    assert placed(connecting(rules).state, "website")["class"] == "private"
    order = Play(kinds.ORDER, rules)
    order.say(orders.OrderReceived("hotline-12345", "A-1", UUID(int=1), 1, None), NINE)
    assert placed(order.state, "hotline")["class"] == "hotline-12345"
    outage = Play(kinds.OUTAGE, rules)
    outage.say(EmergencyOutageBegan("TS-1", UUID(int=1), ("qianzhou", "donghe"), 80), NINE)
    assert placed(outage.state, "office")["district"] == "qianzhou+donghe"


# ---- the same standard makes no difference

told_repairs = st.lists(st.tuples(st.sampled_from(REPAIR_FACTS), minute, st.sampled_from(["", "import"])), max_size=12)
told_connections = st.lists(
    st.tuples(st.sampled_from((*CONNECTION_FACTS, *STAGE_FACTS)), hours, st.integers(0, 72)), max_size=12
)


@given(told_repairs, st.integers(0, 9_000))
def test_the_same_standard_makes_no_difference_to_any_repair_and_agrees_with_the_record(
    rules: Rules, told: Sequence[tuple[Fact, float, str]], later: int
) -> None:
    play = repairing(rules)
    for place, (fact, happened, channel) in enumerate(told):
        play.say(fact, minutes(happened), at=minutes(100 * place), channel=channel)
    _same(play, minutes(1_500 + later))


@given(told_connections, st.integers(0, 60))
def test_the_same_standard_makes_no_difference_to_any_connection_and_agrees_with_the_record(
    rules: Rules, told: Sequence[tuple[Fact, Any, int]], later: int
) -> None:
    play = connecting(rules)
    for fact, recorded, late in sorted(told, key=lambda step: step[1]):
        at = NINE + timedelta(hours=recorded)
        play.say(fact, max(NINE, at - timedelta(hours=late)), at=at)
    _same(play, NINE + timedelta(days=40 + later))


def _same(play: Play, at: datetime) -> None:
    play.conclude(at)
    before = kinds.windows(play.kind, play.state, play.rules, at)
    again = kinds.windows(play.kind, play.state, always(play.rules, play.rules.in_force(NINE)), at)
    found = compare(before, again)
    assert [each for each in found if each.before != each.after] == []
    assert unrecorded(play.kind, play.state, before, at) == 0
    for each in found:
        lapsed = len(play.state.ledger[each.commitment].lapses)
        assert each.before.lapses == lapsed, "as many as stand on record"


# ---- the document

KNOWN = {SHIPPED.version: SHIPPED}


def tried(changes: dict[str, Any], base: str = "in-force") -> Standard:
    raw = json.dumps({"based_on": base, "version": "tried", **changes}).encode()
    return trial_standard_of(raw, KNOWN, SHIPPED.version)


def looked_at(document: Standard, rules: Rules) -> Standard:
    state: Standards = after(evolve_standards, None, as_published(SHIPPED), at=LONG_AGO)
    return standards.try_out(state, by(rules, "operator"), document=document, regions=("CN",))


def test_what_differs_is_merged_key_by_key_and_null_is_a_value() -> None:
    found = tried({"arrival_minutes": {"urban": 25}, "completion_minutes": {"medium": None}, "steps": []})
    assert found.repair.arrival_minutes == {"urban": 25, "other": 90}
    assert found.repair.completion_minutes == {"small": 240, "medium": None, "major": None}
    assert found.connection.steps == ()
    expected = under(
        arrival_minutes=found.repair.arrival_minutes, completion_minutes=found.repair.completion_minutes, steps=()
    )
    assert found == expected, "nothing else is another"
    assert tried({}, base=SHIPPED.version) == under()


def test_a_whole_standard_is_taken_as_it_is() -> None:
    assert trial_standard_of(msgspec.json.encode(as_published(under())), KNOWN, SHIPPED.version) == under()


@pytest.mark.parametrize(
    "raw",
    [
        b'{"based_on": "2019-1", "version": "tried"}',
        b'{"based_on": 7, "version": "tried"}',
        b'{"based_on": "in-force", "version": "tried", "connection_days": 4}',
        b'{"based_on": "in-force", "version": "tried", "arrival_minutes": {"urban": "soon"}}',
        b'{"based_on": "in-force", "version": "tried", "uncounted_stages": []}',
        b'{"about": 1, "based_on": "in-force"}',
        b'{"version": "tried"}',
        b"[]",
    ],
)
def test_a_document_that_has_not_the_form_is_refused(raw: bytes) -> None:
    with pytest.raises(DocumentError):
        trial_standard_of(raw, KNOWN, SHIPPED.version)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"connection_working_days": 6}, "beyond-the-promise"),
        ({"connection_working_days": 0}, "out-of-range"),
        ({"promise": {"working_days": 4}}, "promise-changed-in-silence"),
        ({"calendar_regions": ["US"]}, "unknown-region"),
        ({"uncounted_stages": {"tea": 1}}, "unknown-stage"),
        ({"powers": {"standard.approve": []}}, "power-missing"),
        ({"version": "two words"}, "bad-version"),
    ],
)
def test_what_no_draft_may_say_no_trial_may_say(rules: Rules, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal, match=f"^{code}: ") as caught:
        looked_at(tried(changes), rules)
    assert caught.value.next_step_zh


def test_a_trial_needs_no_power_no_new_version_and_no_date_to_come(rules: Rules) -> None:
    assert looked_at(SHIPPED, rules) == SHIPPED


@pytest.mark.parametrize("name", sorted(shipped_trials()))
def test_every_shipped_example_can_be_tried_and_says_what_it_is(rules: Rules, name: str) -> None:
    raw = shipped_trials()[name]
    assert json.loads(raw)["about"]
    newest = rules.newest
    found = looked_at(trial_standard_of(raw, {newest.version: newest}, newest.version), rules)
    assert found.version == f"what-if-{name}"
    assert replace(found, version=newest.version) != newest


# ---- table and chart


class InMemory(Trial):
    """A trial of cases that were played, without a store."""

    def __init__(self, standard: Standard, plays: Sequence[Play], at: datetime) -> None:
        before = plays[0].rules
        after_ = make_rules([standard], [(LONG_AGO, shipped_calendar())], [shipped_catalogue()])
        super().__init__(cast(Any, None), before, after_, Period(date(2026, 9, 1), date(2026, 9, 30)), at)
        self._plays = plays

    def _parts(self) -> Any:
        return [[{"case_id": UUID(int=n), "type": _opener(p), "channel": "hotline"} for n, p in enumerate(self._plays)]]

    def _states(self, kind_of: Any) -> Any:
        return {UUID(int=number): play.state for number, play in enumerate(self._plays)}


def _opener(play: Play) -> str:
    (fact,) = play.kind.opened_by
    return kinds.REGISTRY.names[play.kind.topic, fact]


@pytest.fixture
def fifty(rules: Rules) -> InMemory:
    """Fifty incidents, one each minute from the 1st to the 50th to the arrival, in two districts of one zone."""
    plays = []
    for number in range(1, 51):
        play = Play(kinds.REPAIR, rules)
        district = "<donghe>" if number % 2 else "qianzhou"
        play.say(FaultReported(f"BX-{number:02d}", "leak", district, "urban", SUBJECT), NINE)
        play.say(CrewArrived("crew-1", None), minutes(number))
        play.say(SeverityAssessed("small", "valve"), minutes(number))
        play.say(RepairCompleted(), minutes(200))
        play.say(ReporterAnswered(1, "phone", None), minutes(210))
        play.conclude(minutes(300))
        plays.append(play)
    return InMemory(under(arrival_minutes={"urban": 25, "other": 90}), plays, minutes(300))


def test_the_table_has_the_difference_by_commitment_and_by_where_a_case_stands(fifty: InMemory) -> None:
    told = list(as_lines(fifty, listed=2))
    # In time within 30: 30 of 50; within 25: 25 of 50; the five between are 26, 28 and 30, and 27 and 29.
    rows = {line.split()[1]: line.split()[2:] for line in told if line.startswith("到场 repair.arrival")}
    assert rows["repair.arrival"] == ["20", "25", "+5", "30", "25", "0", "0", "0", "0"]
    assert ["<donghe>", "10", "12", "+2", "100"] in [line.split() for line in told]
    assert ["qianzhou", "10", "13", "+3", "100"] in [line.split() for line in told]
    assert any(line.startswith("5 verdicts would change, in 5 of 50 cases") for line in told)
    assert [line.split()[0] for line in told if line.startswith("  BX-")] == ["BX-26", "BX-27"]
    assert told[-1].startswith("  … and 3 more")
    assert not any("not yet, on record" in line for line in told), "the record says the same"


def test_json_has_every_change_and_the_counts_last(fifty: InMemory) -> None:
    *changes, last = [json.loads(line) for line in json_lines(fifty)]
    assert sorted(each["case_number"] for each in changes) == [f"BX-{number}" for number in range(26, 31)]
    assert {(each["before"]["outcome"], each["after"]["outcome"]) for each in changes} == {("met", "lapsed")}
    arrival = last["sums"]["by_commitment"]["repair.arrival"]
    assert (arrival["lapses_before"], arrival["lapses_after"], arrival["changed"]) == (20, 25, 5)
    assert last["sums"]["by"]["district"]["qianzhou"]["repair.arrival"]["after"] == {"met": 12, "lapsed": 13}
    assert (last["sums"]["cases"], last["sums"]["changed_cases"], last["sums"]["unrecorded"]) == (50, 5, 0)


def test_the_chart_has_every_number_in_words_and_nothing_unescaped(fifty: InMemory) -> None:
    lines = list(as_lines(fifty, listed=2))
    root = ElementTree.fromstring(svg(fifty))
    words = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"到场 repair.arrival", "20", "25 (+5)", "<donghe>", "tried 假设的标准", "班组 by crew"} <= set(words)
    titles = [element.text for element in root.iter("{http://www.w3.org/2000/svg}title")]
    assert "qianzhou: 10 → 13" in titles
    bars = [float(each.get("width", 0)) for each in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert max(bars[3:]) == 420.0, "the longest bar of a part fills it"
    drawn = page(fifty, lines)
    assert "<donghe>" not in drawn
    assert lines[4] in drawn


def test_a_chart_of_nothing_says_so(rules: Rules) -> None:
    nothing = InMemory(under(), [repairing(rules)], NINE)
    nothing.run()
    assert "no lapse under either 两者均无超时" in svg(nothing)
