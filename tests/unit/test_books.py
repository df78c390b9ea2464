"""Reading rounds: a book is read by its day, checked by a second person; a book unread by its day lapses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import kinds
from domain.deadlines.windows import judge
from domain.kernel.facts import Recorded
from domain.kernel.refusals import Refusal
from domain.metering import reading_rounds as books
from domain.metering.reading_rounds import ReadingAudited, ReadingExcepted, ReadingRoundOpened
from infra.eventstore.commands import Stream, evaluation_of
from infra.eventstore.shipped_rules import shipped_rules, usage_stream
from projections.readings.cases import ReadingFinding, command_for
from tests.api_world import MORNING, Client, FakeService, app_over, staff
from tests.unit.cases import context

PATH = "/api/v1/reading-books"
READ_AT = datetime(2026, 9, 16, 0, 30, tzinfo=UTC)
ROUND = {
    "book": "zhenxi-07",
    "month": "2026-09",
    "due_on": "2026-09-18",
    "reader": "reader-7",
    "meters": ["js-001", "JS-002", "JS-003"],
}


def stored(meter: str, *flags: str, pending: bool = False) -> dict[str, Any]:
    """A row of the readings as an audit finds it."""
    row = {"meter": meter, "read_at": READ_AT, "litres": 5_000, "used_litres": 700, "flags": list(flags)}
    return row | {"pending": pending}


@pytest.fixture
def service() -> FakeService:
    fake = FakeService()
    there = {row["meter"]: row for row in (stored("JS-001"), stored("JS-002", "high"), stored("JS-003"))}

    def rows(wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [there[meter] for meter in wanted["meters"] if meter in there]

    fake.answers["readings_to_audit"] = rows
    return fake


@pytest.fixture
def client(service: FakeService) -> Client:
    return Client(app_over(service))


def told(client: Client, path: str, body: Any, role: str, code: str | None = None, actor: str | None = None) -> Any:
    answer = client.post(f"{PATH}{path}", body, headers=staff(role, actor))
    assert answer.json().get("code") == code, answer.text
    return answer.json()


@pytest.fixture
def book(client: Client) -> UUID:
    return UUID(told(client, "", ROUND, "manager")["case_id"])


def audited(client: Client, book: UUID, *meters: str, code: str | None = None, actor: str = "reader-8") -> None:
    rows = [{"meter": meter, "read_at": READ_AT.isoformat()} for meter in meters]
    told(client, f"/{book}/audit", {"rows": rows}, "meter-reader", code, actor)


def facts(service: FakeService, stream: UUID) -> list[str]:
    return [json.loads(event)["type"].split(".")[2] for event in service.events.get(stream, [])]


def window(client: Client, book: UUID) -> tuple[str, int]:
    (found,) = client.get(f"/api/v1/cases/{book}").json()["windows"]
    return found["state"], found["lapses"]


def test_a_bad_row_of_an_audit_is_named_by_its_number(client: Client, book: UUID) -> None:
    good = {"meter": "JS-001", "read_at": READ_AT.isoformat()}
    rows = [good, good, good | {"read_at": "soon"}]
    answer = client.post(f"{PATH}/{book}/audit", {"rows": rows}, headers=staff("manager"))
    assert [each["field"] for each in answer.json()["fields"]] == ["rows.3.read_at"]


@pytest.mark.parametrize(
    ("read_at", "code"),
    [
        (datetime(2000, 1, 1, tzinfo=UTC), "reading-out-of-period"),
        (datetime(2025, 9, 16, tzinfo=UTC), "reading-out-of-period"),
        (datetime(2026, 8, 31, 15, 59, tzinfo=UTC), "reading-out-of-period"),
        (datetime(2026, 8, 31, 16, 0, tzinfo=UTC), None),
    ],
    ids=["a clock set back", "last year", "a minute too early", "the first of the month in China"],
)
def test_a_round_takes_readings_of_its_own_month_only(read_at: datetime, code: str | None) -> None:
    opened = ReadingRoundOpened("CB-1", "zhenxi-07", "2026-09", date(2026, 9, 18), "reader-7", ("JS-001",))
    state = books.evolve(None, Recorded(opened, uuid4(), 1, MORNING))
    assert state is not None
    rows = [ReadingAudited("JS-001", read_at, 5_000, 700, ())]
    ctx = context(shipped_rules(), MORNING, role="meter-reader", actor="reader-8")
    if code is None:
        assert books.audit(state, ctx, rows) == tuple(rows)
        return
    with pytest.raises(Refusal, match=code):
        books.audit(state, ctx, rows)


def test_a_round_runs_until_the_close_of_business_of_its_day(client: Client, book: UUID) -> None:
    view = client.get(f"/api/v1/cases/{book}").json()
    assert (view["family"], view["stage"], view["unread"], view["book"]) == ("book", "round_opened", 3, "zhenxi-07")
    assert view["windows"][0]["due_at"] == "2026-09-18T09:30:00Z"


def test_a_book_unread_by_its_day_lapses(service: FakeService, client: Client, book: UUID) -> None:
    audited(client, book, "JS-001")
    service.clock.move(timedelta(days=2, hours=9))
    service.run(evaluation_of(Stream(kinds.BOOK, book), "test"))
    assert window(client, book) == ("lapsed", 1)


def test_a_book_is_read_once_every_meter_is_audited_or_excepted(
    service: FakeService, client: Client, book: UUID
) -> None:
    audited(client, book, "JS-001", "js-003")
    assert client.get(f"{PATH}/{book}", headers=staff("meter-reader")).json()["unread"] == ["JS-002"]
    told(client, f"/{book}/exceptions", {"meter": "JS-002", "reason": "buried"}, "meter-reader")
    assert facts(service, book)[-2:] == ["ReadingRoundCompleted", "WindowMet"]
    assert window(client, book) == ("met", 0)
    view = client.get(f"{PATH}/{book}", headers=staff("auditor")).json()
    assert (view["stage"], view["audited"], view["excepted"]) == ("read", 2, {"JS-002": "buried"})


def test_an_audited_reading_that_stands_out_starts_the_hour_of_its_case(
    service: FakeService, client: Client, book: UUID
) -> None:
    audited(client, book, "JS-002", code="anomaly-pending")
    assert facts(service, book)[-1] == "WindowOpened", "nothing was audited"
    finding = ReadingFinding("JS-002", READ_AT, 5_000, 700, ("high",), standing=True, revision=1, told=0)
    service.run(command_for(finding, service.next_number("YC")))
    audited(client, book, "JS-002")
    usage = usage_stream("JS-002", READ_AT).id
    assert facts(service, usage)[-3:] == ["AnomalyConfirmed", "WindowMet", "WindowOpened"]
    known = len(service.events[usage])
    audited(client, book, "JS-002")
    assert len(service.events[usage]) == known


def test_what_is_audited_twice_is_on_record_once(service: FakeService, client: Client, book: UUID) -> None:
    audited(client, book, "JS-001", "JS-001")
    audited(client, book, "JS-001")
    assert facts(service, book).count("ReadingAudited") == 1


def test_who_read_the_book_does_not_audit_it(client: Client, book: UUID) -> None:
    audited(client, book, "JS-001", code="same-person", actor="reader-7")


def test_a_reading_that_never_came_in_is_not_audited(client: Client, book: UUID) -> None:
    audited(client, book, "JS-001", "JS-999", code="no-such-reading")


def test_a_meter_of_another_book_is_refused(service: FakeService, client: Client, book: UUID) -> None:
    service.answers["readings_to_audit"] = lambda _: [stored("JS-009")]
    audited(client, book, "JS-009", code="meter-not-in-book")
    body = {"meter": "JS-009", "reason": "buried"}
    told(client, f"/{book}/exceptions", body, "meter-reader", "meter-not-in-book")


def test_an_exception_taken_down_without_a_net_keeps_both_times_and_is_flagged(
    service: FakeService, client: Client, book: UUID
) -> None:
    times = {"happened_at": "2026-09-16T01:05:00Z", "reported_at": "2026-09-16T01:06:00Z"}
    service.clock.move(timedelta(minutes=25))
    told(client, f"/{book}/exceptions", {"meter": "JS-001", "reason": "no-access"} | times, "meter-reader")
    (said,) = [event for event in map(json.loads, service.events[book]) if "ReadingExcepted" in event["type"]]
    assert (said["time"], said["reportedat"], said["data"]["flags"]) == (*times.values(), ["uploaded-late"])


def test_an_exception_is_one_of_the_standard(client: Client, book: UUID) -> None:
    body = {"meter": "JS-001", "reason": "rain"}
    told(client, f"/{book}/exceptions", body, "meter-reader", "unknown-reading-exception")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "case-exists"),
        ({"month": "2026-10", "due_on": "2026-09-15"}, "dates-out-of-order"),
        ({"month": "2026-10", "due_on": "2028-09-15"}, "dates-out-of-order"),
        ({"month": "2026-10", "meters": ["JS-001", "js-001 "]}, "code-twice"),
        ({"month": "2026-13"}, "bad-body"),
        ({"meters": []}, "bad-body"),
        ({"meters": ["-1"]}, "bad-body"),
    ],
)
def test_a_round_that_cannot_be_opened_is_refused(
    client: Client, book: UUID, changes: dict[str, Any], code: str
) -> None:
    told(client, "", ROUND | changes, "manager", code)


def test_roles_are_held_to_their_powers(client: Client, book: UUID) -> None:
    told(client, "", ROUND, "meter-reader", "wrong-role")
    assert client.get(PATH, headers=staff("public")).json()["code"] == "wrong-role"
    assert client.get(f"{PATH}/{uuid4()}", headers=staff("manager")).json()["code"] == "no-such-case"


def test_rounds_are_listed_by_their_day(service: FakeService, client: Client, book: UUID) -> None:
    row = {"case_id": book, "case_number": "CB-1", "stage": "round_opened", "open": True, "opened_at": MORNING}
    service.answers["reading_books"] = lambda _: [row | {"due_at": None, "state": None, "lapses": None}]
    answer = client.get(f"{PATH}?open=true", headers=staff("meter-reader"))
    assert [found["case_number"] for found in answer.json()["books"]] == ["CB-1"]


RULES = shipped_rules()
OPENED = ReadingRoundOpened("CB-1", "b", "2026-09", date(2026, 9, 18), "r", ("A", "B"))
TOLD = st.one_of(
    st.builds(ReadingAudited, st.sampled_from("AB"), st.just(READ_AT), st.just(1), st.just(1), st.just(())),
    st.builds(ReadingExcepted, st.sampled_from("AB"), st.just("buried")),
)


@given(
    said=st.lists(st.tuples(TOLD, st.integers(0, 5_000)), max_size=6),
    chance=st.randoms(use_true_random=False),
    later=st.integers(0, 6_000),
)
def test_any_order_and_any_repetition_of_a_rounds_facts_ends_in_the_same_verdict(
    said: list[tuple[Any, int]], chance: Any, later: int
) -> None:
    recorded = [
        Recorded(fact, UUID(int=number + 2), number + 2, MORNING + timedelta(minutes=minutes))
        for number, (fact, minutes) in enumerate(said)
    ]

    def verdict(told_in: list[Recorded]) -> Any:
        state = books.evolve(None, Recorded(OPENED, UUID(int=1), 1, MORNING))
        for one in told_in:
            state = books.evolve(state, one)
        return [judge(each, MORNING + timedelta(minutes=later)) for each in books.obligations(state, RULES)]

    shuffled = recorded + chance.sample(recorded, len(recorded) // 2)
    chance.shuffle(shuffled)
    assert verdict(shuffled) == verdict(recorded)
