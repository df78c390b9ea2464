"""Shapes of numbers: what a shape takes, which shapes are none, and that each number is held to those of its kind."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.kernel.personal import PersonalValueFound
from domain.standard.flat import with_changes
from domain.standard.refusals import BadShape, NumberNotInShape, UnknownKindOfNumber
from domain.standard.sections.numbers import SHAPES, require_number
from domain.standard.shapes import LONGEST_NUMBER, MOST_PIECES, has_shape, pieces
from domain.standard.standards import Rules
from tests.api_world import (
    METER,
    PAPERS,
    SECOND,
    STEPS_TO_WATER,
    Client,
    FakeService,
    app_over,
    application,
    fault,
    ready_for_water,
    staff,
    step,
)
from tests.unit.test_api_connections import CUSTOMER, REFUND, REPLACEMENT, overpaid, with_meter, with_water
from tests.unit.test_api_law import PLANNED
from tests.unit.test_api_publication import CATALOGUE, PRICE


@pytest.mark.parametrize(
    ("shape", "fits", "does_not"),
    [
        ("9{4}-9{1,6}", "2026-17", "2026-1234567"),
        ("汉{2,8}〔9{4}〕9{1,4}号", "示例停水批复〔2026〕7号", "示例停水批复(2026)7号"),
        ("JS9{8}-9{5}", "JS20260916-00123", "js20260916-00123"),
        ("A{2}9", "bX7", "77X"),
        (r"\A\9\{", "A9{", "B9{"),
        ("9{0,3}x", "x", "1234x"),
        ("N{3,32}", "JS-2026-0001", "JS 2026"),
        ("W{1,80}", "国办函〔2020〕129号 《摘》", "号\t"),
        ("9{1,3}9{2}", "123", "1"),
    ],
)
def test_a_shape_takes_the_whole_of_a_number(shape: str, fits: str, does_not: str) -> None:
    assert has_shape(fits, shape)
    assert not has_shape(does_not, shape)
    assert not has_shape(fits + "!", shape)
    assert not has_shape("!" + fits, shape)
    assert not has_shape("", shape)


@pytest.mark.parametrize(
    "shape", ["", "9{", "9{3,2}", "{2}", "9{0}", "9{81}", "}", "9{1,2,3}", "9" * (MOST_PIECES + 1), "\\"]
)
def test_what_is_no_shape_is_refused_where_a_standard_is_drafted(shape: str, rules: Rules) -> None:
    with pytest.raises(BadShape):
        pieces(shape)
    with pytest.raises(BadShape):
        with_changes(rules.newest, number_shapes={"order": (shape,)}).require_sound()


def test_a_kind_of_number_that_nobody_asks_for_is_refused(rules: Rules) -> None:
    with pytest.raises(UnknownKindOfNumber, match="licence"):
        with_changes(rules.newest, number_shapes={"licence": ("9",)}).require_sound()


@given(st.text("9AN汉W-{}1,0\\", max_size=60), st.text("9Aa-1汉", max_size=LONGEST_NUMBER + 5))
def test_no_shape_takes_long_whatever_it_says(shape: str, text: str) -> None:
    began = perf_counter()
    with suppress(BadShape):
        has_shape(text, shape)
    assert perf_counter() - began < 1


def test_the_slowest_shape_is_quick() -> None:
    began = perf_counter()
    assert not has_shape("a" * (LONGEST_NUMBER - 1) + "!", "A{0,80}" * MOST_PIECES)
    assert perf_counter() - began < 2


def test_a_number_that_looks_personal_fits_no_shape_and_is_not_repeated(rules: Rules) -> None:
    standard = with_changes(rules.newest, number_shapes={"contract": ("9{11}",)})
    with pytest.raises(PersonalValueFound) as refused:
        require_number(standard, "contract", "13800138000")
    assert "13800138000" not in str(refused.value)
    with pytest.raises(NumberNotInShape) as refused_shape:
        require_number(standard, "contract", "HT-1")
    assert "HT-1" not in str(refused_shape.value)
    assert "9{11}" in str(refused_shape.value)
    require_number(standard, "meter", "of any shape")


# ---- at the doors


def narrow(rules: Rules, kind: str) -> Rules:
    """Rules whose standards take for that kind only what nobody sends."""
    shapes = {**SHAPES, kind: ("9{77}",)}
    return replace(rules, standards=tuple(with_changes(each, number_shapes=shapes) for each in rules.standards))


Sent = tuple[str, dict[str, Any], dict[str, str]]
"""Path below /api/v1, body, headers."""
Maker = Callable[[Client, FakeService], Sent]


def _order(client: Client, service: FakeService) -> Sent:
    body = fault(order={"source": "hotline-12345", "number": "JS20260916-00123"})
    return "repairs", body, staff("hotline", channel="hotline")


def _extension(client: Client, service: FakeService) -> Sent:
    path, body, who = _order(client, service)
    assert client.post(f"/api/v1/{path}", body, headers=who).status_code == 201
    given = {"reply_by": "2026-10-16T09:00:00+08:00", "document": "热线〔2026〕3号"}
    return "orders/hotline-12345/JS20260916-00123/extension", given, staff("manager")


def _applied(client: Client, until: str) -> str:
    """An application of which everything before that step was done; the path of the step."""
    case_id = str(client.post("/api/v1/connections", application(documents=PAPERS)).json()["case_id"])
    for path, body, role in STEPS_TO_WATER:
        if path == until:
            break
        assert step(client, case_id, path, body, role).status_code == 200
    return f"connections/{case_id}/{until}"


def _step(name: str) -> Maker:
    body, role = next((body, role) for path, body, role in STEPS_TO_WATER if path == name)
    return lambda client, service: (_applied(client, name), body, staff(role))


def _refund(client: Client, service: FakeService) -> Sent:
    return f"connections/{overpaid(client, service)}/refunds", REFUND, {**staff("cashier"), **SECOND}


def _at_point(path: str, body: dict[str, Any], role: str, made: Callable[[Client, FakeService], str]) -> Maker:
    return lambda client, service: (f"connections/{made(client, service)}/supply-points/1/{path}", body, staff(role))


def _planned(client: Client, service: FakeService) -> Sent:
    return "outages/planned", {**PLANNED}, staff("manager")


def _fire_service(client: Client, service: FakeService) -> Sent:
    body = {**PLANNED, "fire_affected": True}
    case_id = client.post("/api/v1/outages/planned", body, headers=staff("manager")).json()["case_id"]
    return f"outages/{case_id}/fire-service", {"document": "示例消防〔2026〕1号"}, staff("manager")


def _review(client: Client, service: FakeService) -> Sent:
    assert client.post("/api/v1/fees/catalogues", CATALOGUE, headers=staff("manager")).status_code == 201
    opinion = {"outcome": "agreed", "document": "示例文号〔2026〕7号"}
    return f"fees/catalogues/{CATALOGUE['version']}/review", opinion, PRICE


def _told_the_authority(client: Client, service: FakeService) -> Sent:
    incident = client.post("/api/v1/repairs", fault()).json()["case_id"]
    begun = {"incident": incident, "districts": ["zhenxi"], "affected_users": 10}
    case_id = client.post("/api/v1/outages/emergency", begun, headers=staff("manager")).json()["case_id"]
    return f"outages/{case_id}/report", {"document": "示例报告〔2026〕1号"}, staff("manager")


def _waits_for_its_meter(client: Client, service: FakeService) -> str:
    return ready_for_water(client)


DOORS: dict[str, tuple[str, Maker]] = {
    "an order": ("order", _order),
    "the extension of an order": ("document", _extension),
    "a contract": ("contract", _step("contract")),
    "a payment": ("payment", _step("payments")),
    "a refund": ("payment", _refund),
    "a meter": ("meter", _at_point("meter", {"meter": METER}, "crew", _waits_for_its_meter)),
    "a meter with the water": (
        "meter",
        _at_point("water-on", {"meter": METER}, "crew", _waits_for_its_meter),
    ),
    "another meter": ("meter", _at_point("meter-replacement", REPLACEMENT, "crew", with_meter)),
    "another customer": ("contract", _at_point("customer", CUSTOMER, "counter", with_water)),
    "a planned outage": ("approval", _planned),
    "the fire service": ("document", _fire_service),
    "the authority": ("document", _told_the_authority),
    "a review": ("document", _review),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_number_in_another_shape_is_refused_and_one_in_the_shipped_shape_is_taken(door: str, rules: Rules) -> None:
    kind, prepare = DOORS[door]
    service = FakeService(rules)
    client = Client(app_over(service))
    path, body, who = prepare(client, service)
    service.rules = narrow(rules, kind)
    refused = client.post(f"/api/v1/{path}", body, headers=who)
    assert (refused.status_code, refused.json()["code"]) == (422, "number-not-in-shape"), refused.text
    assert f"a number of kind {kind}" in refused.json()["found"]
    service.rules = rules
    taken = client.post(f"/api/v1/{path}", body, headers=who)
    assert taken.status_code in (200, 201), taken.text
