"""Mass incidents: declared and ended, faults tagged by when they happened, reports taken in together."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.kernel.refusals import Refusal
from domain.repairs import mass
from domain.repairs.mass import Register
from domain.standard.standards import Rules
from infra.eventstore.shipped_rules import MASS
from tests.api_world import REPORTER, Client, FakeService, app_over, fault, staff
from tests.unit.cases import NINE, minutes
from tests.unit.office import after, by

FORM = {"mass": "frost-a", "cause": "frost", "districts": ["zhenxi", "donghe"]}
PATH = "/api/v1/mass-incidents"


def refused(code: str) -> Any:
    return pytest.raises(Refusal, match=f"^{code}: ")


def declare(rules: Rules, state: Register | None = None, at: Any = NINE, **changes: Any) -> Register:
    ctx = by(rules, changes.pop("role", "manager"), at=max(at, NINE), happened_at=at)
    values: dict[str, Any] = {"mass": "frost-a", "cause": "frost", "districts": ("zhenxi",), **changes}
    known: Register = after(mass.evolve, state, mass.declare(state, ctx, **values), at=at)
    return known


def end(rules: Rules, state: Register | None, at: Any, code: str = "frost-a", role: str = "manager") -> Register:
    fact = mass.end(state, by(rules, role, at=max(at, NINE), happened_at=at), mass=code)
    known: Register = after(mass.evolve, state, fact, at=at)
    return known


# ---- the rulebook


def test_a_fault_is_tagged_where_and_while_a_mass_incident_holds(rules: Rules) -> None:
    register = declare(rules)
    assert register.of("zhenxi", minutes(-1)) is None
    assert register.of("zhenxi", NINE) == "frost-a"
    assert register.of("hexi", minutes(5)) is None
    register = end(rules, register, minutes(60))
    assert register.of("zhenxi", minutes(59)) == "frost-a"
    assert register.of("zhenxi", minutes(60)) is None


def test_after_the_end_of_one_another_may_be_declared(rules: Rules) -> None:
    register = end(rules, declare(rules), minutes(60))
    register = declare(rules, register, minutes(70), mass="flood-a", cause="flood")
    assert register.of("zhenxi", minutes(71)) == "flood-a"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"role": "hotline"}, "wrong-role"),
        ({"cause": "dragons"}, "unknown-mass-cause"),
        ({"districts": ("atlantis",)}, "unknown-district"),
        ({"districts": ("zhenxi", "zhenxi")}, "code-twice"),
        ({"districts": ("Zhenxi",)}, "bad-code"),
        ({"mass": "frost-a", "districts": ("hexi",)}, "mass-declared"),
        ({"mass": "frost-b", "districts": ("hexi", "zhenxi")}, "mass-running"),
    ],
)
def test_a_mass_incident_that_does_not_do_is_not_declared(rules: Rules, changes: dict[str, Any], code: str) -> None:
    with refused(code):
        declare(rules, declare(rules), **changes)


def test_what_does_not_hold_cannot_end_and_nothing_ends_before_it_began(rules: Rules) -> None:
    with refused("no-such-mass-incident"):
        end(rules, None, NINE)
    register = declare(rules)
    with refused("dates-out-of-order"):
        end(rules, register, minutes(-5))
    with refused("wrong-role"):
        end(rules, register, minutes(5), role="crew")
    with refused("no-such-mass-incident"):
        end(rules, end(rules, register, minutes(5)), minutes(6))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 2)), max_size=25))
def test_in_a_district_one_mass_incident_holds_at_most(rules: Rules, steps: list[tuple[bool, int, int]]) -> None:
    register: Register | None = None
    for minute, (begins, number, where) in enumerate(steps):
        code, districts = f"m-{number}", (("zhenxi", "donghe", "hexi")[where], "danqing")[: 1 + number % 2]
        try:
            if begins:
                register = declare(rules, register, minutes(minute), mass=code, districts=districts)
            else:
                register = end(rules, register, minutes(minute), code)
        except Refusal:
            continue
        running = [known for known in register.declared if known.until is None]
        held = [district for known in running for district in known.districts]
        assert len(held) == len(set(held))


# ---- over HTTP


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def client(service: FakeService) -> Client:
    return Client(app_over(service))


def tags(service: FakeService) -> list[str | None]:
    events = [json.loads(event) for stream in service.events.values() for event in stream]
    return [event["data"]["mass"] for event in events if event["type"] == "water.repair.FaultReported.v1"]


def test_reports_carry_the_tag_while_it_holds(client: Client, service: FakeService) -> None:
    assert client.get(PATH).json() == {"mass_incidents": []}
    assert client.post("/api/v1/repairs", fault()).status_code == 201
    answer = client.post(PATH, FORM, headers=staff("manager"))
    assert (answer.status_code, answer.json()["case_number"]) == (201, "frost-a")
    service.clock.move(timedelta(minutes=1))
    assert client.post("/api/v1/repairs", fault()).status_code == 201
    assert client.post("/api/v1/repairs", fault(district="hexi")).status_code == 201
    service.clock.move(timedelta(minutes=1))
    assert client.post(f"{PATH}/frost-a/end", {}, headers=staff("manager")).status_code == 200
    assert client.post("/api/v1/repairs", fault()).status_code == 201
    assert tags(service) == [None, "frost-a", None, None]
    (shown,) = client.get(PATH).json()["mass_incidents"]
    assert (shown["mass"], shown["since"], shown["until"]) == (
        "frost-a",
        "2026-09-16T01:00:00Z",
        "2026-09-16T01:02:00Z",
    )


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"districts": []}, 422, "bad-body"),
        ({"districts": ["zhenxi"] * 101}, 422, "bad-body"),
        ({"mass": "13812345678"}, 422, "bad-body"),
        ({"cause": "dragons"}, 422, "unknown-mass-cause"),
        ({"happened_at": "2026-09-16T09:00:00"}, 422, "naive-time"),
        ({"happened_at": "2026-09-16T03:00:00Z"}, 422, "future-time"),
    ],
)
def test_a_bad_declaration_is_refused(
    client: Client, service: FakeService, changes: dict[str, Any], status: int, code: str
) -> None:
    answer = client.post(PATH, FORM | changes, headers=staff("manager"))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert MASS.id not in service.events


def test_of_many_reports_the_good_ones_are_kept_and_the_bad_ones_named(client: Client, service: FakeService) -> None:
    reports: list[Any] = [
        fault(),
        fault(kind="dragons"),
        "nothing",
        fault(reporter={"telephone": "no number"}),
        fault(happened_at="2026-09-16T09:00:00"),
        fault(district="hexi"),
    ]
    answer = client.post("/api/v1/repairs/bulk", {"reports": reports})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["accepted"], found["refused"]) == (2, 4)
    assert [(row["row"], row["code"]) for row in found["rows"]] == [
        (1, None),
        (2, "unknown-fault-kind"),
        (3, "bad-body"),
        (4, "bad-body"),
        (5, "naive-time"),
        (6, None),
    ]
    assert all(row["next_step"] and row["next_step_zh"] for row in found["rows"] if row["code"])
    assert len({row["case_id"] for row in found["rows"] if row["case_id"]}) == 2
    assert len(tags(service)) == len(service.subjects) == 2
    assert "no number" not in answer.text


def test_many_reports_that_are_sent_again_under_their_key_are_taken_once(client: Client, service: FakeService) -> None:
    body, headers = {"reports": [fault(), fault(kind="dragons"), fault()]}, {"Idempotency-Key": "bulk-1"}
    first = client.post("/api/v1/repairs/bulk", body, headers=headers).json()
    again = client.post("/api/v1/repairs/bulk", body, headers=headers).json()
    assert first == again
    assert len(tags(service)) == 2
    other = client.post("/api/v1/repairs/bulk", {"reports": [fault()]}, headers=headers).json()
    assert [row["code"] for row in other["rows"]] == ["idempotency-key-reused"]


def test_many_reports_are_tagged_too(client: Client, service: FakeService) -> None:
    assert client.post(PATH, FORM, headers=staff("manager")).status_code == 201
    client.post("/api/v1/repairs/bulk", {"reports": [fault(), fault(district="hexi")]})
    assert sorted(tags(service), key=str) == [None, "frost-a"]


def test_two_hundred_reports_are_taken_and_two_hundred_and_one_are_not(client: Client, service: FakeService) -> None:
    longest = fault(reporter=REPORTER | {"name": "张" * 80, "address": "人民北路" * 50})
    answer = client.post("/api/v1/repairs/bulk", {"reports": [longest] * 200})
    assert answer.json()["accepted"] == 200
    for reports in ([], [fault()] * 201):
        assert client.post("/api/v1/repairs/bulk", {"reports": reports}).json()["code"] == "bad-body"
