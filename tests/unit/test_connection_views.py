"""The folds of applications: what a row is after the facts, in whatever order they come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain.connections import facts as f
from domain.connections.promises import PAPERS, WATER_ON
from domain.deadlines.windows import Basis, WindowCancelled, WindowMet, WindowReopened
from domain.kernel.facts import Fact
from domain.kinds import REGISTRY
from infra.readers.record import Event
from projections.read_models.cases import CASES, CaseRow
from projections.read_models.charges import CHARGES
from projections.read_models.connections import CONNECTIONS, ConnectionRow
from projections.read_models.pre_applications import AHEAD
from projections.read_models.visits import VISITS
from projections.read_models.works import WORKS
from tests.unit.cases import SUBJECT, meter, minutes

BASIS = Basis("0225-5", None, ())
LINES = (f.MoneyLine("water-loss", 6_000),)
RECEIVED = f.ApplicationReceived("BZ-1", "private", 1, SUBJECT)
ON = f.WaterTurnedOn(1, SUBJECT, meter())


def event(fact: Fact, minute: float, version: int) -> Event:
    """The fact as a reader sees it, having happened so many minutes after nine."""
    return Event(
        position=version,
        previous=0,
        id=UUID(int=version),
        type=REGISTRY.name("connection", fact),
        case_id=UUID(int=1),
        version=version,
        happened_at=minutes(minute),
        reported_at=None,
        recorded_at=minutes(minute),
        actor="owner-1",
        role="case-owner",
        channel="website",
        command_id="",
        correlation_id="",
        causation_id=None,
        data=msgspec.to_builtins(fact),
        raw=b"",
        topic="water.connection.v1",
        partition=0,
        offset=version,
    )


def folded(model: Any, told: Sequence[tuple[float, Fact]]) -> Any:
    rows: dict[Any, Any] = {}
    for version, (minute, fact) in enumerate(told, start=1):
        model.take(rows, event(fact, minute, version))
    return next(iter(rows.values()))


def connection(*told: tuple[float, Fact]) -> ConnectionRow:
    row: ConnectionRow = folded(CONNECTIONS, [(0, RECEIVED), *told])
    return row


def case(*told: tuple[float, Fact]) -> CaseRow:
    row: CaseRow = folded(CASES, [(0, RECEIVED), *told])
    return row


PAUSED = (
    (10, f.ApplicationAdmitted("papers")),
    (60, f.PauseRequested(1, "site-not-ready", "d")),
    (70, f.PauseApproved(1)),
    (120, f.PauseEnded(1)),
)


def test_net_time_leaves_out_pauses_and_halts_and_counts_what_they_share_once() -> None:
    row = connection(*PAUSED, (100, f.CaseSuspended("x")), (160, f.CaseResumed("papers-in")), (200, ON))
    assert (row.gross_minutes, row.paused_minutes, row.net_minutes) == (200, 60, 190 - 100)


@pytest.mark.parametrize(
    ("fact", "paused"),
    [(f.PauseRevoked(1, "x"), 0), (f.PauseDeclined(2), 60), (f.PauseApproved(7), 60), (f.PauseEnded(7), 60)],
)
def test_a_pause_that_is_judged_after_water_is_on_changes_the_times(fact: Fact, paused: int) -> None:
    assert connection(*PAUSED, (200, ON), (300, fact)).paused_minutes == paused


def test_a_pause_that_nobody_approved_stands_for_nothing() -> None:
    row = connection(PAUSED[0], PAUSED[1], PAUSED[3], (200, ON))
    assert (row.paused_minutes, row.net_minutes) == (0, 190)


def test_nothing_is_measured_before_water_is_on_everywhere() -> None:
    row = folded(CONNECTIONS, [(0, f.ApplicationReceived("BZ-1", "business", 2, SUBJECT)), PAUSED[0], (90, ON)])
    assert (row.points_on, row.water_on_at, row.gross_minutes) == (1, None, None)


def test_water_is_on_when_the_last_point_is_whichever_is_told_last() -> None:
    two = f.ApplicationReceived("BZ-1", "business", 2, SUBJECT)
    row = folded(CONNECTIONS, [(0, two), PAUSED[0], (300, ON), (200, f.WaterTurnedOn(2, SUBJECT, meter()))])
    assert (row.water_on_at, row.gross_minutes) == (minutes(300), 300)


PROMISED = (5, f.PapersPromised(("property-right",), date(2026, 9, 18), "end", "d"))
KEPT = (60, WindowMet(PAPERS, 2, minutes(99), minutes(60), True, BASIS))
LATE = (99, WindowMet(PAPERS, 4, minutes(60), minutes(99), False, BASIS))
VOID = (60, WindowCancelled(PAPERS, 2, None, "withdrawn", BASIS))
BROKEN = (90, f.PapersCommitmentBroken(("property-right",), minutes(500)))


@pytest.mark.parametrize(
    ("told", "promise"),
    [
        ([], "none"),
        ([PROMISED], "made"),
        ([PROMISED, KEPT], "kept"),
        ([PROMISED, KEPT, (70, WindowReopened(PAPERS, 3, minutes(99), BASIS))], "made"),
        ([PROMISED, VOID], "void"),
        ([PROMISED, BROKEN], "broken"),
        ([PROMISED, BROKEN, LATE], "broken"),
        ([PROMISED, BROKEN, (95, f.PapersCommitmentRepaired("d"))], "repaired"),
        ([PROMISED, BROKEN, (95, f.PapersCommitmentUpheld())], "kept"),
    ],
)
def test_a_commitment_is_what_its_facts_make_of_it(told: list[tuple[float, Fact]], promise: str) -> None:
    assert connection(*told).promise == promise


def test_the_verdict_on_time_goes_when_the_limit_runs_again() -> None:
    met = (60, WindowMet(WATER_ON, 2, minutes(99), minutes(60), True, BASIS))
    assert connection(met).on_time is True
    assert connection(met, (70, WindowReopened(WATER_ON, 3, minutes(99), BASIS))).on_time is None


def test_money_by_number_is_taken_back_once() -> None:
    paid, back = (1, f.PaymentReceived("P-1", LINES)), (2, f.PaymentReversed("P-1", "bounced"))
    row = connection(paid, (1, f.PaymentReceived("P-2", LINES)), back)
    assert (row.paid_fen, row.moved) == (6_000, {"payment P-2": 6_000})
    assert connection(paid, back, back).paid_fen == 0


def test_a_payment_and_a_refund_of_one_number_are_two_things() -> None:
    row = connection(
        (1, f.PaymentReceived("N-1", LINES)), (2, f.RefundMade("N-1", LINES)), (3, f.RefundReversed("N-1", "x"))
    )
    assert (row.paid_fen, row.refunded_fen) == (6_000, 0)


# ---- stages


def test_a_stage_never_goes_back_whatever_is_told_late() -> None:
    quote = f.QuoteIssued(1, "2021-1", "person", (f.QuoteLine("water-loss", 1, 6_000),))  # type: ignore[arg-type]
    in_order = [
        (f.OneTimeNoticeGiven(()), "notice_given"),
        (f.ApplicationAdmitted("papers"), "admitted"),
        (f.SurveyMade(True, ()), "surveyed"),
        (f.DesignApproved("d"), "designed"),
        (quote, "quoted"),
        (f.ContractSigned("HT-1", 1, "d"), "contracted"),
        (f.PaymentReceived("P-1", LINES), "paid"),
        (f.ConstructionStarted("crew-1"), "under_construction"),
        (f.ConstructionCompleted(), "constructed"),
        (f.FinalInspectionMade(False, ("leak",)), "constructed"),
        (f.FinalInspectionMade(True, ()), "inspected"),
    ]
    for place, (_, stage) in enumerate(in_order):
        told = [(1.0, fact) for fact, _ in in_order[: place + 1]]
        assert case(*told).stage == stage
        assert case(*told, *told[:-1]).stage == stage


def test_a_part_of_the_price_is_not_the_price() -> None:
    quote = f.QuoteIssued(1, "2021-1", "person", (f.QuoteLine("water-loss", 1, 6_001),))  # type: ignore[arg-type]
    assert case((1, quote), (2, f.PaymentReceived("P-1", LINES))).stage == "quoted"


@pytest.mark.parametrize(
    ("fact", "stage", "is_open"),
    [
        (f.ApplicationWithdrawn("x"), "withdrawn", False),
        (f.ApplicationRefused("x", "d"), "refused", False),
        (f.CaseEnded("x"), "ended", False),
        (f.CaseSuspended("x"), "suspended", True),
    ],
)
def test_a_stopped_case_says_so_until_it_goes_on_where_it_was(fact: Fact, stage: str, is_open: bool) -> None:
    admitted, survey = (1, f.ApplicationAdmitted("papers")), (3, f.SurveyMade(True, ()))
    stopped = case(admitted, (2, fact), survey)
    assert (stopped.stage, stopped.open) == (stage, is_open)
    resumed = case(admitted, (2, fact), survey, (4, f.CaseResumed("x")))
    assert (resumed.stage, resumed.open) == ("surveyed", True)


# ---- the others


def test_what_is_about_something_else_makes_no_row() -> None:
    rows: dict[Any, Any] = {}
    for model in (AHEAD, WORKS, VISITS, CHARGES):
        model.take(rows, event(RECEIVED, 0, 1))
    assert [row for row in rows.values() if row is not None] == []


def test_content_that_its_type_does_not_promise_is_raised_and_not_guessed() -> None:
    broken = msgspec.structs.replace(event(f.PaymentReceived("P-1", LINES), 0, 1), data={"payment": "P-1"})
    with pytest.raises(KeyError):
        CHARGES.take({}, broken)
