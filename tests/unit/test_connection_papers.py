"""Papers: handed in, judged, asked for once, promised for later, and what they admit to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from domain.connections import intake, papers
from domain.connections.facts import (
    ApplicationAdmitted,
    CaseEnded,
    CaseResumed,
    DocumentRejected,
    FurtherRequestMade,
    FurtherRequestRefused,
    NoticeItem,
    OneTimeNoticeGiven,
    PapersCommitmentBroken,
    PapersPromised,
)
from domain.standard.flat import with_changes
from domain.standard.standards import Rules
from tests.unit.cases import NINE
from tests.unit.connecting import (
    DAY,
    DIGEST,
    HOUR,
    IDENTITY,
    MAIN_PAPERS_ADMIT,
    PROPERTY,
    RULES,
    Case,
    admitted,
    kinds_of,
    received,
    refused,
    with_policy,
)

MISSING_BOTH = (("identity", "missing"), ("property-right", "missing"))


# ---- documents


def test_the_main_papers_alone_do_not_admit_as_shipped() -> None:
    case = received()
    case.supply(IDENTITY, at=NINE + HOUR)
    assert case.play.followed == []
    case.promise(NINE + 2 * DAY, at=NINE + 2 * HOUR)
    assert case.play.followed == [ApplicationAdmitted("papers-outstanding", ("property-right",))]
    assert case.state.admitted is not None
    assert case.state.admitted.at == NINE + 2 * HOUR


def test_the_last_main_document_admits_by_itself_where_the_standard_says_so() -> None:
    case = received(rules=MAIN_PAPERS_ADMIT)
    case.supply(IDENTITY, at=NINE + HOUR)
    assert case.play.followed == [ApplicationAdmitted("papers-outstanding", ("property-right",))]
    assert case.state.admitted is not None
    assert case.state.admitted.at == NINE + HOUR


def test_a_document_may_be_told_late_and_admits_from_when_it_was_there() -> None:
    case = received(PROPERTY)
    case.supply(IDENTITY, at=NINE + 5 * HOUR, happened_at=NINE + HOUR)
    assert case.state.admitted is not None
    assert case.state.admitted.at == NINE + HOUR


@pytest.mark.parametrize(
    ("supplied", "code"),
    [
        (intake.Supplied("passport", "seen"), "unknown-document"),
        (intake.Supplied("property-right", "verified"), "way-not-allowed"),
        (intake.Supplied("identity", "upload"), "digest-missing"),
    ],
)
def test_a_document_is_one_that_is_owed_by_a_way_that_it_allows(supplied: intake.Supplied, code: str) -> None:
    case = received()
    with refused(code):
        case.supply(supplied)
    assert case.state.documents == {}


def test_a_document_that_is_in_is_not_taken_again() -> None:
    with refused("document-in"):
        admitted().supply(IDENTITY)


def test_a_document_before_the_receipt_or_in_the_future_is_refused() -> None:
    with refused("dates-out-of-order"):
        received().supply(IDENTITY, happened_at=NINE - HOUR)
    with refused("future-time"):
        received().supply(IDENTITY, happened_at=NINE + HOUR)


def test_a_role_without_the_power_hands_nothing_in() -> None:
    with refused("wrong-role"):
        received().supply(IDENTITY, "crew")


def reject(case: Case, document: str = "property-right", defect: str = "illegible", **when: Any) -> list[Any]:
    return case.tell("counter", lambda c, ctx: papers.reject_document(c, ctx, document=document, defect=defect), **when)


def test_a_document_that_does_not_do_is_out_again_until_it_comes_anew() -> None:
    case = received(PROPERTY)
    assert reject(case, at=NINE + HOUR) == [DocumentRejected("property-right", "illegible")]
    assert not case.state.has("property-right")
    case.supply(PROPERTY, at=NINE + 2 * HOUR)
    assert case.state.has("property-right")


@pytest.mark.parametrize(
    ("document", "defect", "code"),
    [
        ("passport", "illegible", "unknown-document"),
        ("property-right", "ugly", "unknown-defect"),
        ("property-right", "missing", "unknown-defect"),
        ("identity", "illegible", "document-not-in"),
    ],
)
def test_only_a_document_that_is_in_is_rejected_for_a_known_defect(document: str, defect: str, code: str) -> None:
    with refused(code):
        reject(received(PROPERTY), document, defect)


def test_after_the_admission_a_visible_defect_comes_too_late_and_the_attempt_is_on_record() -> None:
    case = admitted()
    with refused("already-visible"):
        reject(case, at=NINE + HOUR)
    assert case.facts[-1] == FurtherRequestRefused((NoticeItem("property-right", "illegible"),))
    assert case.state.has("property-right")


def test_a_hidden_defect_is_rejected_at_any_time() -> None:
    assert reject(admitted(), defect="found-forged", at=NINE + HOUR) == [
        DocumentRejected("property-right", "found-forged")
    ]


# ---- the one-time notice


def test_a_notice_names_everything_that_is_missing() -> None:
    case = received()
    (notice,) = case.notice(*MISSING_BOTH)
    assert isinstance(notice, OneTimeNoticeGiven)
    assert [item.document for item in notice.items] == ["identity", "property-right"]


def test_a_notice_that_leaves_something_out_is_refused_and_says_what() -> None:
    case = received()
    with pytest.raises(Exception, match="notice-incomplete: found a notice without property-right"):
        case.notice(("identity", "missing"))
    with refused("notice-incomplete"):
        case.notice()
    assert case.state.notice is None


def test_a_document_that_is_in_and_does_not_do_is_rejected_with_the_notice() -> None:
    case = received(PROPERTY)
    facts = case.notice(("identity", "missing"), ("property-right", "expired"), at=NINE + HOUR)
    assert kinds_of(facts) == ["DocumentRejected", "OneTimeNoticeGiven"]
    assert not case.state.has("property-right")


def test_a_second_notice_is_refused() -> None:
    case = received()
    case.notice(*MISSING_BOTH)
    with refused("notice-given"):
        case.notice(*MISSING_BOTH)


def test_no_notice_follows_the_admission() -> None:
    with refused("already-admitted"):
        admitted().notice(("identity", "illegible"))


def test_a_notice_of_nothing_is_refused() -> None:
    # A standard from before documents were data: nothing is owed, and nobody is admitted by papers.
    before = replace(RULES, standards=tuple(with_changes(one, documents={}) for one in RULES.standards))
    with refused("nothing-missing"):
        received(rules=before).notice()


def test_where_nothing_is_owed_the_office_admits() -> None:
    before = replace(RULES, standards=tuple(with_changes(one, documents={}) for one in RULES.standards))
    assert received(rules=before).tell("counter", papers.admit) == [ApplicationAdmitted("office", ())]


@pytest.mark.parametrize(
    ("items", "code"),
    [
        ((("passport", "missing"),), "unknown-document"),
        ((("identity", "ugly"),), "unknown-defect"),
        ((("identity", "missing"), ("identity", "expired")), "named-twice"),
        ((("property-right", "missing"), ("identity", "missing")), "document-in"),
    ],
)
def test_a_notice_names_each_document_once_with_a_known_defect(items: Any, code: str) -> None:
    with refused(code):
        received(PROPERTY).notice(*items)


# ---- further requests


def further(case: Case, *items: tuple[str, str], **when: Any) -> list[Any]:
    named = [NoticeItem(*item) for item in items]
    return case.tell("counter", lambda c, ctx: papers.request_further(c, ctx, items=named), **when)


def test_what_could_have_been_seen_the_first_time_is_not_asked_for_later() -> None:
    case = received(PROPERTY)
    case.notice(("identity", "missing"), at=NINE + HOUR)
    with refused("already-visible"):
        further(case, ("property-right", "illegible"), at=NINE + 2 * HOUR)
    assert case.facts[-1] == FurtherRequestRefused((NoticeItem("property-right", "illegible"),))
    assert case.state.has("property-right"), "nothing was asked of the applicant"


def test_a_document_that_came_in_after_the_notice_may_be_found_wanting() -> None:
    case = received(rules=with_policy(admits="with-commitment"))
    case.notice(*MISSING_BOTH, at=NINE + HOUR)
    case.supply(PROPERTY, at=NINE + 2 * HOUR)
    facts = further(case, ("property-right", "illegible"), at=NINE + 3 * HOUR)
    assert kinds_of(facts) == ["DocumentRejected", "FurtherRequestMade"]


def test_the_same_paper_is_not_found_wanting_twice_for_what_could_be_seen_at_the_second_look() -> None:
    case = received(rules=with_policy(admits="with-commitment"))
    case.notice(*MISSING_BOTH, at=NINE + HOUR)
    case.supply(PROPERTY, at=NINE + 2 * HOUR)
    further(case, ("property-right", "illegible"), at=NINE + 3 * HOUR)
    with refused("already-visible"):
        further(case, ("property-right", "not-stamped"), at=NINE + 4 * HOUR)


def test_a_hidden_defect_may_be_asked_about_later() -> None:
    case = admitted()
    facts = further(case, ("property-right", "site-differs"), at=NINE + HOUR)
    assert FurtherRequestMade((NoticeItem("property-right", "site-differs"),)) in facts
    assert not case.state.has("property-right")


def test_what_was_named_already_is_not_asked_again() -> None:
    case = received()
    case.notice(*MISSING_BOTH)
    with refused("already-asked"):
        further(case, ("identity", "missing"), at=NINE + HOUR)
    outstanding = received(IDENTITY, rules=MAIN_PAPERS_ADMIT)
    with refused("already-asked"):
        further(outstanding, ("property-right", "missing"), at=NINE + HOUR)
    assert "FurtherRequestRefused" not in kinds_of([*case.facts, *outstanding.facts])


def test_before_the_first_look_there_is_no_further_one() -> None:
    with refused("nothing-looked-at"):
        further(received(), ("identity", "missing"))


def test_a_further_request_of_nothing_is_refused() -> None:
    with refused("nothing-missing"):
        further(admitted())


# ---- papers outstanding


def test_an_applicant_commits_to_a_deferrable_paper() -> None:
    case = received(IDENTITY)
    (promise,) = case.promise(NINE + DAY)
    assert promise == PapersPromised(("property-right",), date(2026, 9, 17), "end", DIGEST)


def test_a_commitment_admits_where_the_standard_waits_for_one() -> None:
    case = received(IDENTITY, rules=with_policy(admits="with-commitment"))
    assert case.play.followed == []
    case.promise(NINE + DAY, at=NINE + HOUR)
    assert case.play.followed == [ApplicationAdmitted("papers-outstanding", ("property-right",))]
    assert case.state.admitted is not None
    assert case.state.admitted.at == NINE + HOUR


@pytest.mark.parametrize(
    ("documents", "days", "code"),
    [
        (("identity",), 1, "not-deferrable"),
        (("passport",), 1, "unknown-document"),
        (("property-right", "property-right"), 1, "named-twice"),
        (("property-right",), -1, "deadline-past"),
        (("property-right",), 7, "deadline-too-late"),
        (("property-right",), 3650, "deadline-too-late"),
    ],
)
def test_a_commitment_names_deferrable_papers_and_a_day_within_the_limit(
    documents: tuple[str, ...], days: int, code: str
) -> None:
    with refused(code):
        received().promise(NINE + days * DAY, *documents)


def test_the_latest_deadline_is_the_cases_own_due_day() -> None:
    case = received(IDENTITY)
    case.at = NINE + DAY
    with refused("deadline-too-late"):
        case.promise(datetime(2026, 9, 23, 1, tzinfo=UTC))
    case.promise(datetime(2026, 9, 22, 1, tzinfo=UTC))


def test_today_is_too_late_after_the_close_of_business() -> None:
    case = received(IDENTITY)
    with refused("deadline-past"):
        case.promise(NINE, at=NINE.replace(hour=9, minute=30))


def test_a_paper_that_is_in_is_not_promised() -> None:
    with refused("document-in"):
        admitted().promise(NINE + DAY)


def test_nothing_is_promised_in_no_paper() -> None:
    with refused("nothing-missing"):
        received(IDENTITY).tell(
            "applicant",
            lambda c, ctx: papers.promise_papers(
                c, ctx, papers=(), deadline=date(2026, 9, 17), commitment_digest=DIGEST
            ),
        )


def test_a_commitment_runs_until_it_is_kept() -> None:
    case = received(IDENTITY)
    case.promise(NINE + DAY)
    with refused("commitment-running"):
        case.promise(NINE + DAY)


def test_who_is_barred_supplies_everything() -> None:
    case = received(IDENTITY, barred=True)
    assert case.state.admitted is None, "who is barred is not admitted with papers outstanding"
    with refused("barred"):
        case.promise(NINE + DAY, barred=True)
    with refused("barred"):
        case.tell("manager", papers.admit)
    case.supply(PROPERTY)
    assert case.state.basis == "papers"


def test_a_bar_that_was_lifted_in_the_meantime_is_none() -> None:
    case = received(IDENTITY, barred=True)
    case.promise(NINE + DAY, barred=False)
    assert case.state.basis == "papers-outstanding"


def decline(case: Case) -> list[Any]:
    return case.tell("applicant", papers.decline_outstanding)


def test_an_applicant_may_decline_papers_outstanding() -> None:
    case = received()
    decline(case)
    case.supply(IDENTITY)
    assert case.state.admitted is None
    with refused("outstanding-declined"):
        case.promise(NINE + DAY)
    with refused("outstanding-declined"):
        case.tell("manager", papers.admit)
    with refused("outstanding-declined"):
        decline(case)
    case.supply(PROPERTY)
    assert case.state.basis == "papers"


def test_it_is_too_late_to_decline_after_a_commitment_or_the_admission() -> None:
    case = received()
    case.promise(NINE + DAY)
    with refused("commitment-running"):
        decline(case)
    with refused("already-admitted"):
        decline(admitted())


# ---- broken, repaired, resumed


def broken(rules: Rules = RULES) -> Case:
    """A commitment for tomorrow, and tomorrow's close of business without the paper."""
    case = received(IDENTITY, rules=rules)
    case.promise(NINE + DAY)
    case.wait(NINE + DAY + 8.5 * HOUR)
    return case


def repair(case: Case) -> list[Any]:
    return case.tell("case-owner", lambda c, ctx: papers.repair_commitment(c, ctx, evidence_digest=DIGEST))


def resume(case: Case, role: str = "manager") -> list[Any]:
    return case.tell(role, lambda c, ctx: papers.resume(c, ctx, reason="papers-in"))


def test_a_broken_commitment_ends_the_case_and_bars_for_the_standards_term() -> None:
    case = broken()
    due = datetime(2026, 9, 17, 9, 30, tzinfo=UTC)
    expected = PapersCommitmentBroken(("property-right",), datetime(2027, 9, 17, 9, 30, tzinfo=UTC))
    assert case.play.followed[-2:] == [expected, CaseEnded("papers-commitment-broken")]
    assert case.state.commitment is not None
    assert case.state.commitment.bars(due)
    assert case.state.commitment.bars(datetime(2027, 9, 17, 9, 29, tzinfo=UTC))
    assert not case.state.commitment.bars(datetime(2027, 9, 17, 9, 30, tzinfo=UTC)), "the bar expires"
    with refused("case-stopped"):
        case.survey()


def test_a_commitment_that_is_kept_breaks_nothing() -> None:
    case = received(IDENTITY)
    case.promise(NINE + DAY)
    case.supply(PROPERTY, at=NINE + DAY + 8.5 * HOUR)
    case.wait(NINE + 2 * DAY)
    assert case.state.stopped is None
    with refused("commitment-not-broken"):
        repair(case)


def test_a_paper_that_was_in_at_the_deadline_and_is_rejected_afterwards_breaks_nothing() -> None:
    case = received(IDENTITY)
    case.promise(NINE + DAY)
    case.supply(PROPERTY, at=NINE + DAY)
    case.at = NINE + 2 * DAY
    case.tell("case-owner", lambda c, t: papers.reject_document(c, t, document="property-right", defect="found-forged"))
    case.wait(NINE + 3 * DAY)
    assert not case.state.has("property-right")
    assert case.state.stopped is None
    assert case.state.commitment is not None
    assert case.state.commitment.broken is None
    assert case.state.ledger["connection.papers"].met_at == NINE + DAY


def test_a_paper_that_was_rejected_before_the_deadline_is_not_in_at_it() -> None:
    case = received(IDENTITY)
    case.promise(NINE + DAY)
    case.supply(PROPERTY, at=NINE + HOUR)
    case.at = NINE + 2 * HOUR
    case.tell("case-owner", lambda c, t: papers.reject_document(c, t, document="property-right", defect="illegible"))
    case.wait(NINE + 2 * DAY)
    assert case.state.commitment is not None
    assert case.state.commitment.broken is not None


def test_papers_supplied_late_repair_the_commitment_and_a_manager_lets_the_case_go_on() -> None:
    case = broken()
    with refused("papers-missing"):
        repair(case)
    with refused("papers-missing"):
        resume(case)
    case.supply(PROPERTY, at=NINE + 2 * DAY)
    repair(case)
    assert case.state.commitment is not None
    assert not case.state.commitment.bars(case.at)
    with refused("commitment-repaired"):
        repair(case)
    with refused("wrong-role"):
        resume(case, "counter")
    assert resume(case) == [CaseResumed("papers-in")]
    assert case.state.stopped is None
    with refused("not-stopped"):
        resume(case)
    case.survey()


def test_where_the_standard_suspends_the_case_goes_on_by_itself_once_the_papers_are_in() -> None:
    case = broken(with_policy(when_broken="suspend"))
    assert case.state.stopped is not None
    assert not case.state.stopped.final
    case.supply(PROPERTY, at=NINE + 2 * DAY)
    assert case.play.followed[-1] == CaseResumed("papers-in")
    assert case.state.stopped is None


def test_a_paper_that_had_been_in_before_the_deadline_upholds_the_commitment() -> None:
    case = broken()
    case.supply(PROPERTY, at=NINE + 2 * DAY, happened_at=NINE + DAY)
    assert kinds_of(case.play.followed[-2:]) == ["PapersCommitmentUpheld", "CaseResumed"]
    assert case.state.commitment is not None
    assert case.state.commitment.broken is None
    case.survey()


def test_a_suspended_case_that_is_withdrawn_stays_so_when_the_papers_come() -> None:
    case = broken(with_policy(when_broken="suspend"))
    case.tell("applicant", lambda c, ctx: intake.withdraw(c, ctx, reason="no-longer-needed"))
    with refused("case-stopped"):
        case.supply(PROPERTY)
    with refused("case-stopped"):
        resume(case)


# ---- admission


def test_the_office_admits_where_the_system_waits_for_a_commitment() -> None:
    case = received(IDENTITY, rules=with_policy(admits="with-commitment"))
    (fact,) = case.tell("counter", papers.admit, at=NINE + HOUR)
    assert fact == ApplicationAdmitted("office", ("property-right",))


def test_the_office_does_not_admit_without_the_main_papers_or_twice() -> None:
    with refused("papers-missing"):
        received(PROPERTY).tell("counter", papers.admit)
    with refused("already-admitted"):
        admitted().tell("counter", papers.admit)
