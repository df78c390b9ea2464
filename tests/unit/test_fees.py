"""What may be charged, how much it comes to, and how a catalogue becomes public."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Context, Decimal
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.kernel.refusals import Refusal
from domain.publication import catalogues
from domain.publication.publishing import Catalogues, evolve_catalogues
from domain.standard.fees import (
    BannedName,
    Catalogue,
    CataloguePublished,
    CatalogueReviewed,
    FeeItem,
    Formula,
    amount_fen,
    banned_name,
    chargeable,
    priced,
)
from domain.standard.sections.connection import Promise
from domain.standard.standards import Rules
from infra.eventstore.shipped_rules import shipped_catalogue, shipped_law
from tests.unit.cases import NINE
from tests.unit.office import TOMORROW, a_catalogue, a_standard, after, an_item, by

TODAY = date(2026, 9, 16)
ONE = Decimal(1)
SHIPPED = shipped_catalogue()


def refused(code: str) -> Any:
    return pytest.raises(Refusal, match=f"^{code}: ")


# ---- amounts


def test_a_quote_prices_each_fee_by_its_formula_in_the_order_asked_for() -> None:
    wanted = [("survey-design", ONE), ("installation", Decimal("12.5")), ("water-loss", ONE)]
    lines = priced(SHIPPED, "company", wanted, TODAY)
    assert [(line.fee, line.amount_fen) for line in lines] == [
        ("survey-design", 4016),  # 25 thousandths of 160,625 fen are 4,015.625
        ("installation", 160_625),
        ("water-loss", 6000),
    ]


@pytest.mark.parametrize(
    ("rate", "quantity", "fen"),
    [("0.5", "1", 1), ("0.499", "1", 0), ("1.5", "1", 2), ("2.5", "1", 3), ("333.333", "0.003", 1), ("1", "0.001", 0)],
)
def test_half_a_fen_is_rounded_up(rate: str, quantity: str, fen: int) -> None:
    item = an_item(formula=Formula("per-unit", Decimal(rate), "metre"))
    assert amount_fen(item, Decimal(quantity), {}) == fen


def test_an_amount_stops_at_the_cap() -> None:
    item = an_item(cap_fen=500_000)
    assert amount_fen(item, Decimal("38.9"), {}) == 499_865
    assert amount_fen(item, Decimal("39"), {}) == 500_000


rates = st.decimals(0, 1_000_000, places=6)
quantities = st.integers(1, 10**9).map(lambda thousandths: Decimal(thousandths).scaleb(-3))
caps = st.none() | st.integers(0, 10**9)


@given(rates, quantities, caps, st.integers(0, 10**12), st.sampled_from(["fixed", "per-unit", "per-mille-of"]))
def test_an_amount_is_never_negative_never_above_its_cap_and_half_up_to_the_fen(
    rate: Decimal, quantity: Decimal, cap: int | None, base: int, kind: Any
) -> None:
    quantity = quantity if kind == "per-unit" else ONE
    formula = Formula(kind, rate, "metre" if kind == "per-unit" else None, "base" if kind == "per-mille-of" else None)
    found = amount_fen(an_item(formula=formula, cap_fen=cap), quantity, {"base": base})
    factor = {"fixed": ONE, "per-unit": quantity, "per-mille-of": Decimal(base).scaleb(-3)}[kind]
    # An oracle of another make: decimal arithmetic wide enough to be exact, rounded by the library.
    exact = Context(prec=100).multiply(rate, factor)
    half_up = int(exact.quantize(ONE, "ROUND_HALF_UP", Context(prec=100)))
    assert found == (half_up if cap is None else min(half_up, cap))
    assert found >= 0
    if cap is None:
        assert -Fraction(1, 2) < found - Fraction(exact) <= Fraction(1, 2)


@pytest.mark.parametrize(
    "quantity", ["0", "-1", "NaN", "sNaN", "Infinity", "-Infinity", "0.0001", "1E-999999", "1E+999999", "1000000.001"]
)
def test_what_is_no_quantity_is_refused(quantity: str) -> None:
    with refused("bad-quantity"):
        amount_fen(an_item(), Decimal(quantity), {})


def test_a_fee_that_is_not_per_unit_is_charged_once() -> None:
    with refused("bad-quantity"):
        amount_fen(an_item(formula=Formula("fixed", Decimal(6000))), Decimal(2), {})


def test_a_part_of_a_line_needs_the_line() -> None:
    with refused("base-line-missing"):
        priced(SHIPPED, "company", [("survey-design", ONE)], TODAY)


def test_a_quote_without_lines_and_one_with_a_fee_twice_are_refused() -> None:
    with refused("nothing-to-charge"):
        priced(SHIPPED, "person", [], TODAY)
    with refused("fee-twice"):
        priced(SHIPPED, "person", [("installation", ONE), ("installation", ONE)], TODAY)


# ---- what may be charged


def test_a_fee_of_the_catalogue_may_be_charged_on_both_ends_of_its_validity() -> None:
    catalogue = a_catalogue(an_item(valid_from=TODAY, valid_until=TODAY))
    assert chargeable(catalogue, "installation", "person", TODAY).code == "installation"
    for day in (TODAY - timedelta(days=1), TODAY + timedelta(days=1)):
        with refused("fee-not-valid"):
            chargeable(catalogue, "installation", "person", day)


@pytest.mark.parametrize(
    ("item", "code", "payer", "refusal"),
    [
        (an_item(), "gate-fee", "person", "fee-not-in-catalogue"),
        (an_item(), "开户费", "person", "fee-banned"),
        (an_item(active=False), "installation", "person", "fee-switched-off"),
        (an_item(payer_classes=("company",)), "installation", "person", "fee-not-for-payer"),
        # A catalogue that should never have been published is still not charged by.
        (an_item(name_zh="水表安装费"), "installation", "person", "fee-banned"),
    ],
)
def test_nothing_but_the_catalogue_is_charged(item: FeeItem, code: str, payer: str, refusal: str) -> None:
    with refused(refusal):
        chargeable(a_catalogue(item), code, payer, TODAY)


@pytest.mark.parametrize("fee", ["water-loss", "installation", "survey-design"])
def test_each_of_the_three_fees_can_be_switched_off(rules: Rules, fee: str) -> None:
    items = tuple(replace(item, active=item.code != fee) for item in SHIPPED.items)
    published = publish(rules, a_catalogue(*items))
    with refused("fee-switched-off"):
        chargeable(published.published[-1], fee, "company", TODAY)
    others = [item.code for item in SHIPPED.items if item.code != fee]
    assert [chargeable(published.published[-1], code, "company", TODAY).code for code in others] == others


# ---- forbidden names


@pytest.mark.parametrize("ban", SHIPPED.banned, ids=lambda ban: ban.name_zh)
def test_every_forbidden_name_is_found(ban: BannedName) -> None:
    assert banned_name(SHIPPED, ban.name_zh) == ban.name_zh
    assert banned_name(SHIPPED, f"户外{ban.name_zh}（含税）") == ban.name_zh


@pytest.mark.parametrize(
    "name",
    [
        "接 水 费",
        "接（水）费",
        "接【入】水费",
        "接·水-费",
        "接\u200b水\u00ad费",
        "接水費",
        "開戶費",
        "報装费",
        "ﾠ接水费",
        "接\u0301水费",
    ],
)
def test_spelling_does_not_help_a_forbidden_name(name: str) -> None:
    assert banned_name(SHIPPED, name) is not None


def test_what_the_law_forbids_is_forbidden_whatever_the_catalogue_says() -> None:
    silent, by_law = a_catalogue(banned=()), shipped_law().banned_names(TODAY)
    assert banned_name(silent, "水 表 费", by_law) == "水表"
    assert banned_name(silent, "强制检（首次）定费", by_law) == "检定"
    assert banned_name(silent, "竣工导线测量（费）", by_law) == "竣工导线测量费"
    assert banned_name(silent, "水鑽工程費", by_law) == "水钻工程费"
    assert banned_name(silent, "过磅费", by_law) is None


@pytest.mark.parametrize("name", ["水钻工程费", "竣工导线测量费", "水 表 更换费"])
def test_a_charge_that_the_law_forbids_gets_into_no_catalogue(rules: Rules, name: str) -> None:
    with refused("fee-banned"):
        catalogues.draft(None, by(rules, "manager"), catalogue=a_catalogue(an_item(name_zh=name), banned=()))


@pytest.mark.parametrize("name", ["用水押金", "施工保证金", "装 表 费"])
def test_a_name_that_may_hide_a_forbidden_charge_is_watched_and_not_banned(rules: Rules, name: str) -> None:
    catalogue = a_catalogue(an_item(name_zh=name), an_item(code="survey"))
    assert catalogues.draft(None, by(rules, "manager"), catalogue=catalogue)
    ((item, word),) = catalogues.watched(catalogue, rules.law, TODAY)
    assert (item.name_zh, word in ("押金", "保证金", "装表费")) == (name, True)
    assert catalogues.watched(catalogue, rules.law, date(2021, 2, 28)) == ()


# ---- the red line


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("fee-extent-missing", {"extent": None}),
        (
            "fee-extent-missing",
            {"extent": None, "formula": Formula("per-unit", Decimal(1), "length"), "unit_zh": "延米"},
        ),
        ("fee-outside-red-line", {"extent": "outside-red-line"}),
        ("fee-outside-red-line", {"name_zh": "红线（以）外管道工程费"}),
        ("fee-outside-red-line", {"unit_zh": "红线外每米"}),
    ],
)
def test_a_fee_by_the_metre_counts_inside_the_red_line(rules: Rules, code: str, changes: dict[str, Any]) -> None:
    with refused(code):
        catalogues.draft(None, by(rules, "manager"), catalogue=a_catalogue(an_item(**changes)))


def test_a_fee_that_counts_no_length_says_nothing_of_the_red_line(rules: Rules) -> None:
    item = an_item(extent=None, formula=Formula("fixed", Decimal(6000)), unit_zh="户")
    assert catalogues.draft(None, by(rules, "manager"), catalogue=a_catalogue(item))


def test_a_catalogue_that_was_published_before_is_charged_by_as_it_is() -> None:
    old = a_catalogue(an_item(extent=None))
    assert chargeable(old, "installation", "person", TODAY).extent is None


def test_the_three_fees_are_not_forbidden() -> None:
    assert [banned_name(SHIPPED, item.name_zh) for item in SHIPPED.items] == [None, None, None]


signs = st.text(st.sampled_from(" \u3000\t-_·、，。()（）【】〔〕「」*#\u200b\u00ad\u2060"), max_size=3)
around = st.text(st.sampled_from("户外城区一二年度服务ABc1"), max_size=5)


@given(st.sampled_from([ban.name_zh for ban in SHIPPED.banned]), st.data(), around, around)
def test_no_name_that_contains_a_forbidden_one_passes(ban: str, data: st.DataObject, before: str, behind: str) -> None:
    wide = str.maketrans({character: chr(ord(character) + 0xFEE0) for character in "ABc1"})
    name = (before + "".join(character + data.draw(signs) for character in ban) + behind).translate(wide)
    assert banned_name(SHIPPED, name) is not None
    with refused("fee-banned"):
        chargeable(a_catalogue(an_item(name_zh=name)), "installation", "person", TODAY)


# ---- from draft to publication


def drafted(rules: Rules, catalogue: Catalogue, state: Catalogues | None = None) -> Catalogues:
    fact = catalogues.draft(state, by(rules, "manager", "drafter"), catalogue=catalogue)
    known: Catalogues = after(evolve_catalogues, state, fact, "drafter")
    return known


def reviewed(
    rules: Rules, state: Catalogues, role: str, outcome: str = "agreed", version: str = "2026-2"
) -> Catalogues:
    ctx = by(rules, role)
    fact = catalogues.review(state, ctx, version=version, outcome=outcome, document="示例文号〔2026〕7号")
    known: Catalogues = after(evolve_catalogues, state, fact, ctx.by.actor)
    return known


def publish(rules: Rules, catalogue: Catalogue) -> Catalogues:
    state = drafted(rules, catalogue)
    for role in ("price-authority", "market-regulator"):
        state = reviewed(rules, state, role)
    fact = catalogues.publish(state, by(rules, "manager", "publisher"), version=catalogue.version)
    known: Catalogues = after(evolve_catalogues, state, fact, "publisher")
    return known


def test_a_catalogue_is_public_once_both_authorities_agreed(rules: Rules) -> None:
    state = publish(rules, a_catalogue())
    assert [each.version for each in state.published] == ["2026-2"]
    assert state.published[0].items == SHIPPED.items
    assert state.drafts == {}


@pytest.mark.parametrize("missing", ["price-authority", "market-regulator"])
def test_without_one_of_the_reviews_nothing_is_published(rules: Rules, missing: str) -> None:
    state = drafted(rules, a_catalogue())
    for role in {"price-authority", "market-regulator"} - {missing}:
        state = reviewed(rules, state, role)
    with refused("review-missing"):
        catalogues.publish(state, by(rules, "manager", "publisher"), version="2026-2")


def test_an_objection_blocks_until_the_authority_comes_to_another_opinion(rules: Rules) -> None:
    state = reviewed(rules, drafted(rules, a_catalogue()), "price-authority")
    state = reviewed(rules, state, "market-regulator", "objected")
    with refused("review-objected"):
        catalogues.publish(state, by(rules, "manager", "publisher"), version="2026-2")
    state = reviewed(rules, state, "market-regulator", "agreed")
    assert catalogues.publish(state, by(rules, "manager", "publisher"), version="2026-2").version == "2026-2"


def test_the_same_opinion_again_is_nothing_to_do(rules: Rules) -> None:
    state = reviewed(rules, drafted(rules, a_catalogue()), "price-authority")
    with refused("review-unchanged"):
        reviewed(rules, state, "price-authority")


def test_who_drafted_neither_reviews_nor_publishes(rules: Rules) -> None:
    state = drafted(rules, a_catalogue())
    with refused("same-person"):
        catalogues.review(
            state, by(rules, "price-authority", "drafter"), version="2026-2", outcome="agreed", document="1号"
        )
    for role in ("price-authority", "market-regulator"):
        state = reviewed(rules, state, role)
    with refused("same-person"):
        catalogues.publish(state, by(rules, "manager", "drafter"), version="2026-2")


def test_one_person_is_not_both_authorities(rules: Rules) -> None:
    state = reviewed(rules, drafted(rules, a_catalogue()), "price-authority")
    with refused("same-person"):
        catalogues.review(
            state,
            by(rules, "market-regulator", "price-authority-1"),
            version="2026-2",
            outcome="agreed",
            document="1号",
        )


def _draft(rules: Rules, role: str) -> object:
    return catalogues.draft(None, by(rules, role), catalogue=a_catalogue())


def _review(rules: Rules, role: str) -> object:
    state = drafted(rules, a_catalogue())
    return catalogues.review(state, by(rules, role), version="2026-2", outcome="agreed", document="1号")


def _publish(rules: Rules, role: str) -> object:
    return catalogues.publish(drafted(rules, a_catalogue()), by(rules, role), version="2026-2")


@pytest.mark.parametrize(
    ("act", "role"),
    [
        (_draft, "counter"),
        (_draft, "price-authority"),
        (_review, "manager"),
        (_review, "auditor"),
        (_publish, "public"),
    ],
)
def test_each_step_has_its_role(rules: Rules, act: Callable[[Rules, str], object], role: str) -> None:
    with refused("wrong-role"):
        act(rules, role)


def test_a_version_stands_for_one_text(rules: Rules) -> None:
    with refused("version-used"):
        drafted(rules, a_catalogue(), drafted(rules, a_catalogue()))
    with refused("version-used"):
        drafted(rules, a_catalogue(), publish(rules, a_catalogue()))


@pytest.mark.parametrize("version", ["", "2026 2", "版本二", "x" * 41, "2026--2", "-1"])
def test_a_version_is_named_so_that_a_path_can_hold_it(rules: Rules, version: str) -> None:
    with refused("bad-version"):
        drafted(rules, a_catalogue(version=version))


def test_what_is_not_drafted_is_neither_reviewed_nor_published(rules: Rules) -> None:
    for state in (None, publish(rules, a_catalogue())):
        with refused("no-such-draft"):
            reviewed(rules, state or Catalogues(), "price-authority")
        with refused("no-such-draft"):
            catalogues.publish(state, by(rules, "manager", "publisher"), version="2026-2")


def test_an_opinion_has_its_number(rules: Rules) -> None:
    state, told = drafted(rules, a_catalogue()), by(rules, "price-authority")
    with refused("bad-text"):
        catalogues.review(state, told, version="2026-2", outcome="agreed", document=" ")


def test_an_outcome_is_agreed_or_objected(rules: Rules) -> None:
    with refused("unknown-outcome"):
        reviewed(rules, drafted(rules, a_catalogue()), "price-authority", "perhaps")


def test_the_date_is_still_to_come_at_the_draft_and_at_the_publication(rules: Rules) -> None:
    with refused("effective-in-the-past"):
        drafted(rules, a_catalogue(effective_from=NINE - timedelta(seconds=1)))
    state = drafted(rules, a_catalogue())
    for role in ("price-authority", "market-regulator"):
        state = reviewed(rules, state, role)
    late = by(rules, "manager", "publisher", at=TOMORROW + timedelta(seconds=1))
    with refused("effective-in-the-past"):
        catalogues.publish(state, late, version="2026-2")


PER_MILLE = Formula("per-mille-of", Decimal(25), of="installation")
PART_OF_A_PART = [
    an_item(),
    an_item(code="b", formula=PER_MILLE),
    an_item(code="c", formula=replace(PER_MILLE, of="b")),
]


@pytest.mark.parametrize(
    ("items", "refusal"),
    [
        ([an_item(name_zh="增容费")], "fee-banned"),
        ([an_item(name_zh="增 容 （配套）费")], "fee-banned"),
        ([an_item(name_zh="水表及安装费")], "fee-banned"),
        ([an_item(legal_basis="  ")], "fee-without-basis"),
        ([an_item(name_zh="")], "fee-without-basis"),
        ([an_item(), an_item()], "code-twice"),
        ([an_item(code="Installation")], "bad-code"),
        ([an_item(cap_fen=-1)], "out-of-range"),
        ([an_item(formula=Formula("fixed", Decimal(-1)))], "out-of-range"),
        ([an_item(formula=Formula("fixed", Decimal("NaN")))], "out-of-range"),
        ([an_item(formula=Formula("fixed", Decimal("1E-999999")))], "out-of-range"),
        ([an_item(formula=PER_MILLE)], "fee-of-unknown-line"),
        (
            [an_item(), an_item(code="b", formula=PER_MILLE), an_item(code="c", formula=replace(PER_MILLE, of="b"))],
            "fee-of-unknown-line",
        ),
        ([an_item(formula=Formula("per-unit", ONE))], "fee-of-unknown-line"),
        ([an_item(formula=Formula("fixed", ONE, of="installation"))], "fee-of-unknown-line"),
        ([an_item(valid_until=date(2020, 12, 31))], "dates-out-of-order"),
        ([an_item(payer_classes=("person", "foreigner"))], "unknown-payer-class"),
        ([an_item(payer_classes=())], "unknown-payer-class"),
        ([an_item(code=f"fee-{letter}") for letter in "abcd"], "beyond-the-promise"),
        ([an_item(name_zh="长" * 201)], "bad-text"),
        ([an_item(name_zh="工程\x00安装费")], "bad-text"),
        ([an_item(code=f"fee-{number}", active=False) for number in range(51)], "out-of-range"),
    ],
)
def test_a_catalogue_that_could_not_stand_is_not_even_drafted(rules: Rules, items: list[FeeItem], refusal: str) -> None:
    with refused(refusal):
        drafted(rules, a_catalogue(*items))


def test_fees_that_are_switched_off_do_not_count_towards_the_promise(rules: Rules) -> None:
    items = [an_item(code=f"fee-{letter}", active=letter != "d") for letter in "abcd"]
    assert "2026-2" in drafted(rules, a_catalogue(*items)).drafts


def test_a_promise_of_fewer_fees_to_come_binds_the_catalogue_too(rules: Rules) -> None:
    fewer = a_standard(promise=Promise("0225-b", 5, 2, 2, 2, 0, 1), effective_from=TOMORROW + timedelta(days=30))
    coming = replace(rules, standards=(*rules.standards, fewer))
    with refused("beyond-the-promise"):
        drafted(coming, a_catalogue())
    two = tuple(replace(item, active=item.code != "survey-design") for item in SHIPPED.items)
    from_then_on = CataloguePublished("2026-9", fewer.effective_from, two, SHIPPED.banned)
    replaced = replace(coming, catalogues=(*coming.catalogues, from_then_on))
    assert "2026-2" in drafted(replaced, a_catalogue()).drafts, "another catalogue is in force by then"


@pytest.mark.parametrize("ban", [BannedName("费", "示例"), BannedName("（）", "示例"), BannedName("接水费", " ")])
def test_a_forbidden_name_that_would_forbid_everything_is_refused(rules: Rules, ban: BannedName) -> None:
    with refused("bad-ban"):
        drafted(rules, a_catalogue(banned=(ban,)))


def test_one_version_cannot_lift_a_ban_and_charge_for_it(rules: Rules) -> None:
    state = publish(rules, a_catalogue(version="2026-2"))
    with refused("fee-banned"):
        drafted(rules, a_catalogue(an_item(name_zh="增容费"), version="2026-3", banned=()), state)


@pytest.mark.parametrize("outcomes", list(product(("agreed", "objected"), repeat=3)))
def test_the_last_opinion_of_each_authority_counts(rules: Rules, outcomes: tuple[Any, Any, Any]) -> None:
    state = drafted(rules, a_catalogue())
    roles: list[Any] = ["price-authority", "market-regulator", "price-authority"]
    for turn, (role, outcome) in enumerate(zip(roles, outcomes, strict=True)):
        fact = CatalogueReviewed("2026-2", role, outcome, f"{turn}号")
        state = after(evolve_catalogues, state, fact, f"{role}-1")
    publisher = by(rules, "manager", "publisher")
    if outcomes[1:] == ("agreed", "agreed"):
        assert catalogues.publish(state, publisher, version="2026-2").version == "2026-2"
    else:
        with refused("review-objected"):
            catalogues.publish(state, publisher, version="2026-2")
