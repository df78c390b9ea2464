"""One large outage that is planned as small ones: its parts are weighed together."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.kernel.facts import Recorded
from domain.outages.case import Outage, evolve
from domain.outages.effect import effect_of, weigh
from domain.standard.flat import with_changes
from infra.eventstore.shipped_rules import shipped_rules
from tests.api_world import Client, FakeService, app_over
from tests.unit.test_planned_outages import BEGIN, END, HOUR, PLAN, SMALL, planned, told

APPROVED = {"approval": "示例〔2026〕7号", "supply": "tanker"}
STANDARD = shipped_rules().newest


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def client(service: FakeService) -> Client:
    return Client(app_over(service))


def part(begin: datetime, hours: float = 6, users: int = 300, **more: Any) -> dict[str, Any]:
    end = begin + hours * HOUR
    return SMALL | {"begin": begin.isoformat(), "end": end.isoformat(), "affected_users": users} | more


@pytest.mark.parametrize(
    "second",
    [
        part(BEGIN, users=700),
        part(BEGIN + 3 * HOUR, users=700),
        part(END, users=700),
        part(END + 24 * HOUR, users=700),
        part(BEGIN - 12 * HOUR, users=700),
        part(END),
        part(END, districts=["aizhai", "zhenxi"], users=700),
    ],
    ids=["same time", "overlap", "touch", "a day later", "before", "hours", "one district of two"],
)
def test_the_second_part_needs_what_both_need_and_the_first_one_is_named(
    client: Client, second: dict[str, Any]
) -> None:
    first = client.get(f"/api/v1/outages/{planned(client)}").json()["case_number"]
    refused = told(client, "planned", second, 409, "outage-not-approved")
    assert f"with {first} its effect is large" in refused["detail"]
    refused = told(client, "planned", second | {"approval": APPROVED["approval"]}, 409, "temporary-supply-missing")
    assert first in refused["detail"]
    planned(client, second | APPROVED)


@pytest.mark.parametrize(
    "second",
    [
        part(END + 25 * HOUR, users=700),
        part(BEGIN, users=700, districts=["aizhai"]),
        part(BEGIN, users=699),
        part(END, hours=5),
        part(BEGIN + HOUR, hours=10),
    ],
    ids=["two days later", "another district", "few users", "few hours", "hours that both last"],
)
def test_what_is_no_part_or_small_with_the_other_needs_nothing(client: Client, second: dict[str, Any]) -> None:
    planned(client)
    planned(client, second)


def test_one_that_was_cancelled_counts_no_longer(client: Client) -> None:
    first = planned(client)
    told(client, f"{first}/cancellation", {"reason": "weather"})
    planned(client, part(END, users=700))


def test_new_times_and_a_later_end_are_weighed_with_the_others(client: Client) -> None:
    planned(client)
    second = planned(client, part(END + 48 * HOUR, users=700))
    near = {"begin": (END + 2 * HOUR).isoformat(), "end": (END + 4 * HOUR).isoformat()}
    told(client, f"{second}/new-times", near, 409, "outage-not-approved")
    told(client, f"{second}/new-times", near | APPROVED)
    third = planned(client, part(END + 100 * HOUR, users=100))
    planned(client, part(END + 112 * HOUR, hours=5, users=100))
    later = {"end": (END + 107 * HOUR).isoformat()}
    told(client, f"{third}/extension", later, 409, "outage-not-approved")


def test_a_chain_of_parts_is_one_outage(client: Client) -> None:
    """The third part is far from the first one; the second one lies between."""
    planned(client, part(BEGIN, hours=4))
    planned(client, part(BEGIN + 20 * HOUR, hours=4))
    refused = told(client, "planned", part(BEGIN + 40 * HOUR, hours=4), 409, "outage-not-approved")
    assert refused["detail"].count("TS-") == 2


def test_a_standard_may_weigh_each_alone() -> None:
    policy = STANDARD.outages.planned_outages
    assert policy is not None
    assert policy.together_within_hours == 24
    alone = with_changes(STANDARD, planned_outages=replace(policy, together_within_hours=None))
    found = weigh(alone, districts=("zhenxi",), users=900, begin=END, end=END + HOUR, places=(), others=[outage(0, 6)])
    assert found.reasons == ()


def outage(since: int, lasts: int, users: int = 300, number: str = "TS-1") -> Outage:
    begin = BEGIN + since * HOUR
    plan = replace(PLAN, number=number, affected_users=users, begin=begin, end=begin + lasts * HOUR)
    state = evolve(None, Recorded(plan, UUID(int=1), 1, BEGIN - 60 * HOUR))
    assert state is not None
    return state


@given(st.lists(st.tuples(st.integers(-40, 40), st.integers(1, 11), st.integers(1, 999)), min_size=2, max_size=6))
def test_parts_that_touch_are_never_below_what_the_whole_is(cut: list[tuple[int, int, int]]) -> None:
    """Whatever the parts are, the last one to be planned is held to their sum where each touches the next."""
    at, parts = 0, []
    for number, (_, lasts, users) in enumerate(cut):
        parts.append(outage(at, lasts, users, f"TS-{number}"))
        at += lasts
    last = parts[-1]
    assert last.begin is not None
    assert last.end is not None
    found = weigh(
        STANDARD,
        districts=last.districts,
        users=last.affected_users,
        begin=last.begin,
        end=last.end,
        places=(),
        others=parts[:-1],
    )
    whole = effect_of(STANDARD, sum(each.affected_users for each in parts), timedelta(hours=at), ())
    assert found.reasons == whole
