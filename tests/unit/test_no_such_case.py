"""A command about a case that there is not is refused by the loader, in the words of its kind; decisions get a case."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain import kinds
from domain.kernel.refusals import Refusal
from domain.kinds import Kind
from infra.eventstore.commands import Snapshot, Stream
from infra.eventstore.shipped_rules import shipped_rules
from tests.api_world import DIGEST, MORNING, Client, FakeService, app_over, staff

KINDS = [kind for kind in vars(kinds).values() if isinstance(kind, Kind)]
CASES = [kind for kind in KINDS if kind.no_such_case is not None]
NAMED = {
    "meter",
    "standards",
    "calendar",
    "fees",
    "squad",
    "crew",
    "squad-day",
    "applicant",
    "mass",
    "generations",
    "law",
}
"""Streams that exist by their name: that nothing was said there yet means something to their decisions."""
NOBODY = UUID(int=404)
COMMANDS = {
    f"repairs/{NOBODY}/dispatch": ({"crew": "crew-1"}, "dispatcher"),
    f"repairs/{NOBODY}/arrival": ({"crew": "crew-1"}, "crew"),
    f"connections/{NOBODY}/admission": ({}, "counter"),
    f"outages/{NOBODY}/restoration": ({}, "manager"),
    f"usage/{NOBODY}/outcome": ({"outcome": "genuine-use"}, "manager"),
    f"preservices/{NOBODY}/given": ({"deliverable": "drawings", "digest": DIGEST}, "squad"),
    f"works/{NOBODY}/start": ({}, "crew-lead"),
}


def test_every_kind_says_what_there_is_not_or_exists_by_its_name() -> None:
    assert {kind.name for kind in KINDS} - {kind.name for kind in CASES} == NAMED | {
        "consultation",
        "person",
        "vault",
        "approval",
        "evidence",
        "rights",
        "complaint",
    }


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.name)
def test_the_loader_refuses_a_case_that_there_is_not_and_gives_one_that_there_is(kind: Kind) -> None:
    stream = Stream(kind, uuid4())

    def loaded(state: Any) -> Any:
        return Snapshot(MORNING, shipped_rules(), {stream.id: state}).existing(stream)

    with pytest.raises(Refusal) as refused:
        loaded(None)
    assert refused.value.code == ("no-such-order" if kind is kinds.ORDER else "no-such-case")
    assert refused.value.next_step_zh
    case = object()
    assert loaded(case) is case


@pytest.mark.parametrize("path", COMMANDS)
def test_over_http_it_is_a_404_for_who_may_and_wrong_role_for_who_may_not(path: str) -> None:
    body, role = COMMANDS[path]
    service = FakeService()
    client = Client(app_over(service))
    answer = client.post(f"/api/v1/{path}", body, headers=staff(role))
    assert (answer.status_code, answer.json()["code"]) == (404, "no-such-case"), answer.text
    stranger = client.post(f"/api/v1/{path}", body, headers=staff("auditor"))
    assert (stranger.status_code, stranger.json()["code"]) == (403, "wrong-role"), json.dumps(stranger.json())
    assert service.events == {}
