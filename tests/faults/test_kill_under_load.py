"""Every part killed with SIGKILL, one after the other, under load; then everything is counted against what was sent."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import pytest

from domain import kinds
from domain.deadlines.windows import WindowFact, WindowLapsed, WindowRetracted
from domain.kinds import Kind, State, conclusion
from domain.standard.standards import Rules
from infra.eventstore.shipped_rules import shipped_rules
from infra.kafka.cluster import Partition, Record, route
from infra.readers.rule import apply
from tests.faults.installation import PARTS, Installation, Row, installed, wait_until
from tests.faults.load import START, Load, clock_of, loaded
from tests.integration.relaying import on_kafka

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),  # seven parts, one after the other, before the first test
]

FACTOR = 300
"""Half an hour is 6 seconds: limits run out all the time, also while a part is away."""
KILLED = ("relay", "views", "watch", "api", "billing", "kafka", "postgres")
KINDS: dict[str, Kind] = {"repair": kinds.REPAIR, "connection": kinds.CONNECTION}

ASKED_SINCE = """
SELECT EXISTS (SELECT FROM store.stored_events WHERE notification_id > %s
               AND convert_from(state, 'UTF8')::jsonb->>'actor' = 'window-watch')
"""

Promise = tuple[UUID, str, datetime]
"""Case, commitment, and the instant that it ran out."""


@dataclass(frozen=True)
class Recovery:
    """Seconds from the kill until the part ran again, until it did its work again, until all readers had caught up."""

    part: str
    runs_s: float
    works_s: float
    even_s: float


@dataclass(frozen=True)
class Aftermath:
    """What is there once nobody sends any more and everything has settled."""

    load: Load
    recoveries: list[Recovery]
    parts: dict[str, Row]
    events: list[Row]
    keys: list[Row]
    kafka: dict[Partition, list[Record]]
    judged_at: datetime
    commands_a_second: float


@pytest.fixture(scope="module")
def it() -> Iterator[Installation]:
    with installed(clock_factor=FACTOR, clock_start=START.isoformat()) as running:
        yield running


@pytest.fixture(scope="module")
def after(it: Installation) -> Aftermath:
    with loaded(it, cases_a_second=10) as load:
        wait_until(lambda: len(load.accepted) > 100, what="the load")
        recoveries = [kill(it, part, load) for part in KILLED]
        commands_a_second = load.a_second
    tell(recoveries, load, it, commands_a_second)
    judged_at = clock_of(it).now()
    wait_until(lambda: not overdue(it.events(), judged_at), what="the last lapses")
    it.wait_for_agreement()
    events = it.events()
    wait_until(lambda: it.all_out() >= events[-1]["position"], what="the last events on Kafka")
    return Aftermath(
        load=load,
        recoveries=recoveries,
        parts=it.state()["parts"],
        events=events,
        keys=it.query("SELECT * FROM store.command_keys WHERE actor_scope LIKE 'actor:%%'"),
        kafka=on_kafka(it.settings),
        judged_at=judged_at,
        commands_a_second=commands_a_second,
    )


# ---- the kills


def kill(it: Installation, part: str, load: Load) -> Recovery:
    """Kill a part, and wait until it does its work again and every reader has what was stored until then."""
    begun = time.monotonic()
    pid = it.kill_part(part)
    it.wait_for_part(part, other_than=pid)
    runs_s = time.monotonic() - begun
    head = it.head()  # what the killed process may still have had under way lies before it
    wait_until(lambda: works(it, part, load, begun, head), what=f"the work of {part}")
    works_s = time.monotonic() - begun
    now = it.head()
    wait_until(
        lambda: it.all_out() > now and all(read_position > head for read_position in read_positions(it)),
        what="the readers",
    )
    return Recovery(part, runs_s, works_s, time.monotonic() - begun)


def works(it: Installation, part: str, load: Load, killed_at: float, head: int) -> bool:
    """Whether the part has done its work on something that came after the kill."""
    if part in ("api", "postgres"):
        return load.answered_since(killed_at + 0.05)
    if part in ("relay", "kafka"):
        return it.all_out() > head
    if part == "views":
        return it.lowest_read_position("views", "cases", "repair") > head
    if part == "billing":
        return it.lowest_read_position("billing", "billing", "connection") > head
    if part == "watch":
        return bool(it.one(ASKED_SINCE, head))
    raise AssertionError(part)


def read_positions(it: Installation) -> list[int]:
    """The lowest read position of each reader of the busiest topics."""
    return [
        it.lowest_read_position("views", "cases", "repair"),
        it.lowest_read_position("views", "windows", "repair"),
        it.lowest_read_position("watch", "due", "repair"),
        it.lowest_read_position("billing", "billing", "connection"),
    ]


def tell(recoveries: Sequence[Recovery], load: Load, it: Installation, a_second: float) -> None:
    parts = it.state()["parts"]
    print(f"\n{len(load.accepted)} commands accepted at {a_second:.1f}/s, {load.sent} requests sent,")
    print(f"{load.replayed} answered from their key; sent again because of {dict(load.faults)}")
    print(f"{'killed':<9} {'runs again':>11} {'works again':>12} {'all even':>9} {'restarts':>9}")
    for r in recoveries:
        restarts = parts[r.part]["restarts"]
        print(f"{r.part:<9} {r.runs_s:>9.1f} s {r.works_s:>10.1f} s {r.even_s:>7.1f} s {restarts:>9}")


# ---- what the domain says


def families(events: Sequence[Row]) -> dict[UUID, list[Row]]:
    """The events of each case that owes something, in version order."""
    found: dict[UUID, list[Row]] = {}
    for row in sorted(events, key=lambda row: (row["case_id"], row["version"])):
        if row["type"].split(".")[1] in KINDS:
            found.setdefault(row["case_id"], []).append(row)
    return found


def folded(rows: Sequence[Row], *, with_windows: bool = True) -> tuple[Kind, State]:
    kind, state = KINDS[rows[0]["type"].split(".")[1]], None
    for row in rows:
        if with_windows or not isinstance(row["recorded"].fact, WindowFact):
            state = kind.evolve(state, row["recorded"])
    return kind, state


def overdue(events: Sequence[Row], at: datetime) -> list[tuple[UUID, WindowFact]]:
    """What the domain would still have to say about the stored cases at an instant."""
    found = []
    for case_id, rows in families(events).items():
        kind, state = folded(rows)
        found += [(case_id, fact) for fact in conclusion(kind, state, RULES, at) if not _is_younger(fact, at)]
    return found


def _is_younger(fact: WindowFact, at: datetime) -> bool:
    """Limits run out while we look: seen from before, a lapse recorded since is one to be taken back."""
    return isinstance(fact, WindowRetracted) and fact.due_at > at


def lapses_of_the_facts(events: Sequence[Row], at: datetime) -> set[Promise]:
    """The broken promises by the facts alone, as if nobody had ever watched."""
    found = set()
    for case_id, rows in families(events).items():
        kind, state = folded(rows, with_windows=False)
        for window in kinds.windows(kind, state, RULES, at):
            found |= {(case_id, window.commitment, due_at) for due_at in window.lapses}
    return found


def standing(events: Sequence[Row]) -> Counter[Promise]:
    """Recorded lapses less recorded retractions."""
    found: Counter[Promise] = Counter()
    for row in events:
        fact = row["recorded"].fact
        if isinstance(fact, WindowLapsed | WindowRetracted):
            found[row["case_id"], fact.commitment, fact.due_at] += 1 if isinstance(fact, WindowLapsed) else -1
    return found


RULES: Rules = shipped_rules()


# ---- the tests


def test_every_part_was_killed_and_started_again(after: Aftermath) -> None:
    assert [recovery.part for recovery in after.recoveries] == list(KILLED)
    # These have a load and a test of their own: test_readings_killed, test_outbox, test_notary.
    assert {*KILLED, "readings", "sender", "notary"} == set(PARTS)
    assert {part: after.parts[part]["restarts"] >= 1 for part in KILLED} == dict.fromkeys(KILLED, True)
    assert all(found["up"] for found in after.parts.values())


def test_there_was_a_load(after: Aftermath) -> None:
    assert len(after.load.accepted) > 1_000
    assert after.load.replayed > 20
    assert after.load.faults, "no request ever failed: nothing was killed under load"


def test_nothing_was_refused_and_no_fault_was_unforeseen(after: Aftermath) -> None:
    assert not after.load.refused
    assert "internal-error" not in after.load.faults


def test_every_accepted_command_is_in_the_store_exactly_once(after: Aftermath) -> None:
    sent = {command.key: command for command in after.load.accepted}
    assert len(sent) == len(after.load.accepted)
    keys = {row["key"]: row for row in after.keys}
    assert keys.keys() == sent.keys()
    assert len(keys) == len(after.keys)
    for key, command in sent.items():
        row = keys[key]
        found = (str(row["case_id"]), row["first_version"], row["last_version"], row["position"])
        assert found == (command.case_id, command.first_version, command.last_version, command.position)


def test_every_command_left_its_facts_exactly_once(after: Aftermath) -> None:
    facts = Counter(
        (row["event"].correlationid, row["type"].split(".")[2])
        for row in after.events
        if row["type"].split(".")[1] in KINDS and not isinstance(row["recorded"].fact, WindowFact)
    )
    assert facts == Counter((command.key, fact) for command in after.load.accepted for fact in command.facts)


def test_positions_and_versions_have_no_gap_and_no_time_goes_back(after: Aftermath) -> None:
    assert [row["position"] for row in after.events] == list(range(1, len(after.events) + 1))
    assert all(row["event"].position == row["position"] for row in after.events)
    times = [row["event"].recordedat for row in after.events]
    assert times == sorted(times)
    for rows in families(after.events).values():
        assert [row["version"] for row in rows] == list(range(1, len(rows) + 1))


def test_receipts_name_the_events_of_their_command(after: Aftermath) -> None:
    of_case: dict[str, set[tuple[str, int]]] = {}
    last: dict[str, int] = {}
    for row in after.events:
        key = row["event"].correlationid
        of_case.setdefault(key, set()).add((str(row["case_id"]), row["version"]))
        last[key] = row["position"]
    for command in after.load.accepted:
        named = {(command.case_id, n) for n in range(command.first_version, command.last_version + 1)}
        assert named <= of_case[command.key]
        assert command.position == last[command.key]


def test_kafka_has_every_event_in_order_in_a_whole_chain_byte_for_byte(after: Aftermath, it: Installation) -> None:
    settings = it.settings
    wanted: dict[Partition, list[tuple[int, bytes]]] = {}
    for row in after.events:
        for partition in route(row["type"], row["case_id"], settings.partitions, settings.topic_prefix):
            wanted.setdefault(partition, []).append((row["position"], row["state"]))
    last = after.events[-1]["position"]
    for partition, records in after.kafka.items():
        applied = apply(records, {})
        assert not applied.dead_letters
        assert not applied.held
        found = [(event.position, event.raw) for event in applied.events if event.position <= last]
        assert found == wanted.get(partition, [])


def test_every_read_model_and_billing_say_what_the_store_says(after: Aftermath, it: Installation) -> None:
    it.wait_for_agreement()
    accounts = it.query("SELECT case_id::text, point FROM billing.accounts")
    turned_on = [command for command in after.load.accepted if "WaterTurnedOn" in command.facts]
    assert len(accounts) == len(turned_on) > 50
    assert it.one("SELECT count(*) FROM views.breaches") >= sum(standing(after.events).values())
    assert it.one("SELECT count(*) FROM store.dead_letters") == 0


def test_the_lapses_are_those_of_the_domain_each_once(after: Aftermath) -> None:
    recorded = standing(after.events)
    assert set(recorded.values()) <= {0, 1}
    due = {promise for promise, count in recorded.items() if count and promise[2] <= after.judged_at}
    assert due == lapses_of_the_facts(after.events, after.judged_at)
    assert overdue(after.events, after.judged_at) == []


def test_lapses_of_every_sort_were_there_to_be_missed(after: Aftermath) -> None:
    """By time alone, by a fact that came late, and withdrawn: else the test above would show little."""
    facts = [row["recorded"].fact for row in after.events]
    assert sum(isinstance(fact, WindowRetracted) for fact in facts) > 10
    watched = [
        row for row in after.events if isinstance(row["recorded"].fact, WindowLapsed) and row["event"].role == "system"
    ]
    commitments = {row["recorded"].fact.commitment for row in watched}
    assert commitments - {"repair.assessment", "repair.continuity"} == {
        "repair.arrival",
        "repair.completion",
        "connection.water_on",
    }
    assert len(watched) > 50
