"""The law as published data: which article counts when, what a publication refuses, and what a new version changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from domain.kernel.law import NO_LAW, Article, BasisFor, Law
from domain.kernel.refusals import Refusal
from domain.outages.refusals import OutageNotApproved
from domain.publication import laws
from domain.publication.laws import BasisChange, changes
from domain.publication.publishing import Laws, evolve_laws
from domain.standard.standards import Rules
from infra.eventstore.documents import DocumentError, law_of
from infra.eventstore.shipped_rules import (
    LAW,
    first_publication,
    missing_publications,
    shipped_law,
    shipped_rules,
    shipped_standard,
)
from tests.unit.office import LONG_AGO, after, by

SHIPPED = shipped_law()
OLD, NEW = "urban-water-supply-22", "water-supply-23"
LAST_OF_THE_OLD = datetime(2026, 5, 31, 15, 59, 59, tzinfo=UTC)
"""23:59:59 on 31 May 2026 in China."""
FIRST_OF_THE_NEW = datetime(2026, 5, 31, 16, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def rules() -> Rules:
    return shipped_rules()


@pytest.fixture
def known() -> Laws:
    state: Laws = after(evolve_laws, None, SHIPPED, at=LONG_AGO)
    return state


def refused(code: str) -> Any:
    return pytest.raises(Refusal, match=f"^{code}: ")


def corrected(code: str, **values: Any) -> Law:
    """The shipped law with one article said otherwise, as the next version."""
    articles = tuple(replace(each, **values) if each.code == code else each for each in SHIPPED.articles)
    return replace(SHIPPED, version="2026-2", articles=articles, reason="更正")


def an_article(**values: Any) -> Article:
    made: dict[str, Any] = {
        "code": "an-act-1",
        "act_zh": "某条例",
        "act_number": "国务院令第999号",
        "article": "1",
        "summary_zh": "提前通知。",
        "summary_en": "Notice ahead.",
        "valid_from": date(2027, 1, 1),
        "valid_until": None,
        "source": "国务院公报",
        "source_kind": "primary",
    }
    return Article(**(made | values))


SHIPPED_STANDARD = shipped_standard()


# ---- which article counts


def test_a_refusal_cites_the_article_in_force_when_it_is_said(rules: Rules) -> None:
    before = rules.citing(OutageNotApproved(SHIPPED_STANDARD, None), LAST_OF_THE_OLD)
    since = rules.citing(OutageNotApproved(SHIPPED_STANDARD, None), FIRST_OF_THE_NEW)
    assert [each.code for each in before.basis] == [OLD]
    assert [each.code for each in since.basis] == [NEW]
    assert "城市供水条例 §22 (国务院令第158号" in str(before)
    assert "供水条例 §23 (国务院令第831号" in str(since)


def test_what_was_seen_in_a_secondary_source_only_says_so_wherever_it_is_shown(rules: Rules) -> None:
    (cited,) = rules.cited("refusal", "outage-not-approved", FIRST_OF_THE_NEW)
    assert "seen in a secondary source only 仅见于二手来源" in str(cited)
    assert cited.zh == "供水条例第23条（国务院令第831号，仅见于二手来源）"
    (primary,) = rules.cited("rule", "fee.banned-names", FIRST_OF_THE_NEW)
    assert "secondary" not in str(primary)
    assert "二手" not in primary.zh


def test_an_analogy_is_called_one(rules: Rules) -> None:
    (cited,) = rules.cited("promise", "connection.silence", FIRST_OF_THE_NEW)
    assert "by analogy 参照" in str(cited)
    assert "参照适用" in cited.zh


def test_before_the_civil_code_its_forerunner_counts_days(rules: Rules) -> None:
    cited = {
        year: [each.act_zh for each in rules.cited("rule", "day.start", datetime(year, 7, 1, tzinfo=UTC))]
        for year in (2017, 2018, 2020, 2021)
    }
    assert cited == {2017: [], 2018: ["民法总则"], 2020: ["民法总则"], 2021: ["民法典"]}


def test_without_a_published_law_nothing_is_cited(rules: Rules) -> None:
    bare = replace(rules, laws=())
    assert bare.law == NO_LAW
    assert bare.citing(OutageNotApproved(SHIPPED_STANDARD, None), FIRST_OF_THE_NEW).basis == ()


def test_names_are_banned_as_long_as_their_article_is_in_force() -> None:
    banned = SHIPPED.banned_names(date(2021, 3, 1))
    assert {"竣工导线测量费", "水钻工程费", "水表", "检定"} <= set(banned)
    assert SHIPPED.banned_names(date(2021, 2, 28)) == ()


# ---- a first start, and an upgrade


def test_a_store_of_an_older_program_gets_the_law_at_its_next_start() -> None:
    states = {
        stream.id: after(stream.kind.evolve, None, said.fact, at=LONG_AGO)
        for stream, said in first_publication(LONG_AGO)
        if stream != LAW
    }
    ((stream, said, _),) = missing_publications(states, FIRST_OF_THE_NEW)
    assert (stream, said.fact) == (LAW, SHIPPED)


# ---- publication


def test_the_shipped_law_passes_every_guard(rules: Rules) -> None:
    assert laws.publish(None, by(rules, "manager"), document=SHIPPED) == SHIPPED


def test_a_correction_is_a_version_of_its_own_and_counts_for_what_lies_before_it(rules: Rules, known: Laws) -> None:
    document = corrected(NEW, source="国务院公报", source_kind="primary")
    fact = laws.publish(known, by(rules, "operator"), document=document)
    state = after(evolve_laws, known, fact)
    assert [law.version for _, law in state.published] == ["2026-1", "2026-2"]
    newer = replace(rules, laws=tuple(law for _, law in state.published))
    (cited,) = newer.cited("promise", "outage.notice", FIRST_OF_THE_NEW)
    assert (cited.source_kind, cited.law) == ("primary", "2026-2")


def test_who_has_not_the_power_publishes_no_law(rules: Rules) -> None:
    with refused("wrong-role"):
        laws.publish(None, by(rules, "counter"), document=SHIPPED)


@pytest.mark.parametrize(
    ("code", "document"),
    [
        ("version-used", replace(SHIPPED, reason="更正")),
        ("bad-version", replace(SHIPPED, version="第二版", reason="更正")),
        ("out-of-range", replace(SHIPPED, version="2026-2", articles=(), reason="更正")),
        (
            "code-twice",
            replace(SHIPPED, version="2026-2", articles=(*SHIPPED.articles, SHIPPED.articles[0]), reason="更"),
        ),
        ("article-left-out", replace(SHIPPED, version="2026-2", articles=SHIPPED.articles[1:], reason="更正")),
        ("revision-without-reason", replace(corrected(NEW, source="公报"), reason=" ")),
        ("law-unchanged", replace(SHIPPED, version="2026-2", reason="更正")),
        ("bad-text", corrected(NEW, summary_zh="")),
        ("bad-text", corrected(NEW, source="  ")),
        ("bad-text", corrected(NEW, summary_en="x" * 201)),
        ("article-unclear", corrected(NEW, source_kind="hearsay")),
        ("article-unclear", corrected("fees-2020-129", banned_names=("费",))),
        ("dates-out-of-order", corrected(NEW, valid_until=date(2026, 5, 31))),
        ("unknown-commitment", corrected(NEW, basis_for=BasisFor(promises=("outage.tea",)))),
        ("unknown-refusal", corrected(NEW, basis_for=BasisFor(refusals=("no-tea",)))),
        ("unknown-legal-rule", corrected(NEW, basis_for=BasisFor(rules=("tea",)))),
    ],
)
def test_a_law_that_could_not_be_cited_is_refused(rules: Rules, known: Laws, code: str, document: Law) -> None:
    with refused(code) as error:
        laws.publish(known, by(rules, "manager"), document=document)
    said = error.value
    assert all((said.found, said.needed, said.next_step, said.next_step_zh, said.title_zh))


def test_a_file_is_read_strictly() -> None:
    whole = msgspec.to_builtins(SHIPPED)
    assert law_of(msgspec.json.encode(whole)) == SHIPPED
    whole["articles"][0]["artikel"] = "22"
    with pytest.raises(DocumentError, match="unknown field"):
        law_of(msgspec.json.encode(whole))
    with pytest.raises(DocumentError):
        law_of(msgspec.json.encode(corrected(NEW, source_kind="hearsay")))


# ---- what a new version changes


def test_a_new_act_ends_the_old_article_and_replaces_it() -> None:
    ended = corrected(NEW, valid_until=date(2026, 12, 31))
    newer = an_article(basis_for=BasisFor(promises=("outage.notice",), refusals=("notice-too-short",)))
    found = changes(SHIPPED, replace(ended, articles=(*ended.articles, newer)))
    assert [each.code for each in found.begins] == ["an-act-1"]
    assert [each.code for each in found.ends] == [NEW]
    assert found.replaced == ((NEW, "an-act-1", date(2027, 1, 1)),)
    assert found.corrected == ()
    by_code = {(each.kind, each.code): each for each in found.basis}
    assert by_code["promise", "outage.notice"] == BasisChange(
        "promise", "outage.notice", date(2027, 1, 1), None, (NEW,), ("an-act-1",)
    )
    assert by_code["promise", "outage.report"].new == (), "a promise that would have no basis is listed too"
    assert ("promise", "repair.answer") not in by_code


def test_a_correction_of_the_past_is_told_with_both_of_its_days() -> None:
    """The old act had ended a month earlier than we thought, and the new one had not begun yet."""
    found = changes(SHIPPED, corrected(OLD, valid_until=date(2026, 4, 30)))
    report = next(each for each in found.basis if each.code == "outage.report")
    assert (report.since, report.until, report.old, report.new) == (date(2026, 5, 1), date(2026, 5, 31), (OLD,), ())


def test_other_words_for_an_article_change_no_basis() -> None:
    found = changes(SHIPPED, corrected(NEW, source="国务院公报", source_kind="primary"))
    assert [each.code for each in found.corrected] == [NEW]
    assert (found.begins, found.ends, found.replaced, found.basis) == ((), (), (), ())


def test_the_first_law_begins_everything() -> None:
    found = changes(None, SHIPPED)
    assert [each.code for each in found.begins] == [each.code for each in SHIPPED.articles]
    assert any(each.code == "outage.notice" and each.old == () and each.new == (OLD,) for each in found.basis)
