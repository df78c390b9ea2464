"""A few cases told through the API at once, with lapses and retractions that no clock has to be waited for."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import httpx

from tests.api_world import PAPERS, STEPS_TO_WATER
from tests.faults.installation import Installation, wait_until
from tests.faults.load import START, clock_of
from tests.proven import PROVEN

_numbers = itertools.count(1)
HEADERS = {**PROVEN, "X-Actor": "tester", "X-Role": "counter", "X-Channel": "import"}
SLOW: dict[str, object] = {"clock_factor": 1.0, "clock_start": START.isoformat()}
"""Settings of an installation in whose test no limit runs out but by what is told."""


def tell_cases(it: Installation, number: int) -> None:
    """So many repairs and so many applications, each with a few commands; every lapse is by a fact told late."""
    with httpx.Client(base_url=f"{it.base_url}/api/v1", headers=HEADERS, timeout=15) as client:
        for _ in range(number):
            _repair(it, client, next(_numbers))
            _application(it, client, next(_numbers))


def even(it: Installation) -> None:
    """Wait until every reader has everything, the watch has all its answers, and all say what the store says."""
    due = "SELECT count(*) FROM watch.due WHERE next_ask_at <= %s"
    wait_until(lambda: not it.lagging() and not it.one(due, clock_of(it).now()), what="readers without a lag")
    it.wait_for_agreement()


def _repair(it: Installation, client: httpx.Client, number: int) -> None:
    """Reported two hours after it happened, so it lapses at once; of every second one the crew was there in time."""
    began = clock_of(it).now() - timedelta(hours=2)
    body = {"reporter": {"phone": "0743-8220000"}, "kind": "leak", "district": "qianzhou"}
    told = body | {"happened_at": began.isoformat(), "confirmed_by": "tester-2"}
    # Not over the import channel: the arrival of imported history is not judged until it is told.
    case = f"/repairs/{_post(client, '/repairs', told, channel='hotline')['case_id']}"
    crew = f"crew-{number}"  # its own: none is ever sent while it is elsewhere
    _post(client, f"{case}/dispatch", {"crew": crew}, "dispatcher")
    there = began + timedelta(minutes=20 if number % 4 == 1 else 50)
    _post(client, f"{case}/arrival", {"crew": crew, "happened_at": there.isoformat()}, "operator")
    _post(client, f"{case}/completion", {}, "operator")


def _application(it: Installation, client: httpx.Client, number: int) -> None:
    """Received two weeks ago; water is on at one of its two points."""
    began = clock_of(it).now() - timedelta(days=14)
    person = {"name": "张三", "phone": "0743-8220000", "address": "示例路1号"}
    form = {"applicant": person, "category": "private", "supply_points": 2, "documents": PAPERS}
    case = f"/connections/{_post(client, '/connections', form | {'happened_at': began.isoformat()})['case_id']}"
    for step, body, role in STEPS_TO_WATER:
        _post(client, f"{case}/{step}", body, role)
    meter = {
        "number": f"M-{number:05d}",
        "body_code": "LXS-20E",
        "dn_mm": 20,
        "verified_on": "2026-05-04",
        "expires_on": "2032-05-03",
        "initial_reading_m3": "0.000",
        "dial_max_m3": 99999,
    }
    _post(client, f"{case}/supply-points/1/water-on", {"meter": meter}, "crew")


def _post(
    client: httpx.Client, path: str, body: dict[str, Any], role: str = "counter", channel: str = "import"
) -> dict[str, Any]:
    answer = client.post(path, json=body, headers={"X-Role": role, "X-Channel": channel})
    assert answer.status_code < 300, answer.text
    found: dict[str, Any] = answer.json()
    return found
