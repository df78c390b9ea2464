"""Charges: quote, contract, payment, refund, reversal, and every attempt to charge anything else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from domain.connections import charges, intake
from domain.connections.facts import ChargeRefused, ContractSigned, MoneyLine, PaymentReceived, QuoteIssued, QuoteLine
from domain.standard.context import CommandContext, Person
from domain.standard.fees import FeeItem
from domain.standard.standards import Rules
from tests.unit.cases import NINE
from tests.unit.connecting import DIGEST, MONEY, RULES, Case, admitted, received, refused

WATER_LOSS, INSTALLATION = MoneyLine("water-loss", 6_000), MoneyLine("installation", 128_500)


def with_fee(code: str, **changes: Any) -> Rules:
    """The shipped rules with that fee changed in the catalogue."""

    def changed(item: FeeItem) -> FeeItem:
        return replace(item, **changes) if item.code == code else item

    catalogues = tuple(replace(one, items=tuple(changed(item) for item in one.items)) for one in RULES.catalogues)
    return replace(RULES, catalogues=catalogues)


def quoted(**changes: Any) -> Case:
    case = admitted(**changes)
    case.quote()
    return case


def paid() -> Case:
    case = quoted()
    case.sign()
    case.pay()
    return case


# ---- quote


def test_a_quote_binds_to_the_catalogue_in_force() -> None:
    (quote,) = admitted().quote()
    assert quote == QuoteIssued(
        1,
        "2021-2",
        "person",
        (QuoteLine("water-loss", Decimal(1), 6_000), QuoteLine("installation", Decimal(10), 128_500)),
    )


def test_quotes_count_up_and_the_last_one_is_in_force() -> None:
    case = quoted()
    (second,) = case.quote(("water-loss", Decimal(1)))
    assert second.quote == 2
    assert case.state.quoted_fen("installation") == 0


@pytest.mark.parametrize(
    ("fee", "rules", "code"),
    [
        ("hook-up", RULES, "fee-not-in-catalogue"),
        ("survey-design", RULES, "fee-not-for-payer"),
        ("installation", with_fee("installation", active=False), "fee-switched-off"),
        ("installation", with_fee("installation", valid_until=date(2026, 9, 15)), "fee-not-valid"),
    ],
)
def test_a_fee_that_may_not_be_charged_is_refused_and_the_attempt_is_on_record(
    fee: str, rules: Rules, code: str
) -> None:
    case = admitted(rules=rules)
    with refused(code):
        case.quote(("water-loss", Decimal(1)), (fee, Decimal(1)))
    assert case.facts[-1] == ChargeRefused(fee, None, code, None, "2021-2")
    assert case.state.quote is None


def test_the_meter_is_never_a_line() -> None:
    case = admitted()
    with refused("fee-not-in-catalogue"):
        case.quote(("meter", Decimal(1)))


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ((("installation", Decimal(0)),), "bad-quantity"),
        ((("installation", Decimal(-1)),), "bad-quantity"),
        ((("installation", Decimal(1)), ("installation", Decimal(2))), "fee-twice"),
    ],
)
def test_a_quote_has_sound_lines(lines: Any, code: str) -> None:
    with refused(code):
        admitted().quote(*lines)


def test_without_a_catalogue_nothing_is_charged() -> None:
    case = admitted(rules=replace(RULES, catalogues=()))
    with refused("no-catalogue"):
        case.quote()


def test_nothing_is_quoted_where_water_cannot_be_laid_or_where_it_flows() -> None:
    case = admitted()
    case.survey("no-main", feasible=False)
    with refused("not-feasible"):
        case.quote()
    done = admitted().ready()
    done.turn_on()
    with refused("all-on"):
        done.quote()


def test_what_was_signed_and_paid_on_grows_no_dearer_but_may_get_cheaper() -> None:
    case = paid()
    with refused("quote-raised"):
        case.quote(("water-loss", Decimal(1)), ("installation", Decimal(11)))
    case.quote(("water-loss", Decimal(1)), ("installation", Decimal(5)))
    assert case.state.balance_fen("installation") == 64_250 - 128_500


def test_before_money_came_in_a_signed_quote_may_still_change() -> None:
    case = quoted()
    case.sign()
    assert case.quote(("installation", Decimal(11)))


def test_who_may_quote_is_the_standards_to_say() -> None:
    with refused("wrong-role"):
        admitted().quote(role="applicant")


# ---- a charge by name


def ask(case: Case, charge: str = "account-opening", name_zh: str = "开户费", amount_fen: int = 10_000) -> Any:
    return case.tell(
        "counter",
        lambda c, ctx: charges.ask_charge(c, ctx, charge=charge, name_zh=name_zh, amount_fen=amount_fen),
    )


@pytest.mark.parametrize(
    ("charge", "name_zh", "amount_fen", "code", "banned"),
    [
        ("account-opening", "开户费", 10_000, "fee-banned", "开户费"),
        ("account-opening", "（优惠）开 户-费", 10_000, "fee-banned", "开户费"),
        ("meter", "水表费", 20_000, "fee-banned", "水表"),
        ("installation", "增容费", 128_500, "fee-banned", "增容费"),
        ("tea", "茶水费", 100, "fee-not-in-catalogue", None),
        ("installation", "工程服务费", 128_500, "fee-not-in-catalogue", None),
        ("survey-design", "勘察设计费", 100, "fee-not-for-payer", None),
        ("installation", "工程安装费", 128_501, "not-quoted", None),
    ],
)
def test_any_charge_but_the_quotes_is_refused_and_the_attempt_is_on_record(
    charge: str, name_zh: str, amount_fen: int, code: str, banned: str | None
) -> None:
    case = quoted()
    with refused(code):
        ask(case, charge, name_zh, amount_fen)
    assert case.facts[-1] == ChargeRefused(charge, banned, code, amount_fen, "2021-2")


def test_a_line_of_the_quote_needs_no_asking() -> None:
    case = quoted()
    before = list(case.facts)
    with refused("already-quoted"):
        ask(case, "installation", "工程安装费", 128_500)
    assert case.facts == before


@pytest.mark.parametrize("amount_fen", [0, -1, 10**12, True, 1.5])
def test_a_charge_is_a_whole_number_of_fen(amount_fen: Any) -> None:
    with refused("amount-out-of-range"):
        ask(quoted(), amount_fen=amount_fen)


# ---- contract


def test_a_contract_is_signed_once_for_a_quote() -> None:
    case = quoted()
    assert case.sign() == [ContractSigned("HT-1", 1, DIGEST)]
    with refused("contract-signed"):
        case.sign("HT-2")
    case.quote()
    assert case.sign("HT-2") == [ContractSigned("HT-2", 2, DIGEST)]


def test_no_contract_without_a_quote() -> None:
    with refused("no-quote"):
        admitted().sign()


# ---- payments


def test_a_quote_is_paid_in_one_or_in_parts() -> None:
    case = quoted()
    assert case.pay(WATER_LOSS) == [PaymentReceived("PAY-1", (WATER_LOSS,))]
    assert not case.state.is_paid
    case.pay(MoneyLine("installation", 100_000), payment="PAY-2")
    case.pay(MoneyLine("installation", 28_500), payment="PAY-3")
    assert case.state.is_paid


def test_more_than_is_left_is_not_taken() -> None:
    case = quoted()
    with refused("overpaid"):
        case.pay(MoneyLine("water-loss", 6_001))
    case.pay(*MONEY)
    with refused("overpaid"):
        case.pay(MoneyLine("water-loss", 1), payment="PAY-2")


def test_money_on_a_line_that_is_not_quoted_is_refused_and_on_record() -> None:
    case = quoted()
    with refused("not-quoted"):
        case.pay(WATER_LOSS, MoneyLine("tea", 100))
    assert case.facts[-1] == ChargeRefused("tea", None, "not-quoted", 100, "2021-2")
    assert case.state.paid_fen("water-loss") == 0


@pytest.mark.parametrize("amount_fen", [0, -1, 10**12, True, 1.5])
def test_money_is_a_whole_number_of_fen(amount_fen: Any) -> None:
    with refused("amount-out-of-range"):
        quoted().pay(MoneyLine("water-loss", amount_fen))


def test_a_payment_has_lines_once_each_and_a_number_of_its_own() -> None:
    case = quoted()
    with refused("nothing-to-pay"):
        case.tell("cashier", lambda c, ctx: charges.pay(c, ctx, payment="PAY-1", lines=()))
    with refused("fee-twice"):
        case.pay(MoneyLine("water-loss", 1), MoneyLine("water-loss", 1))
    case.pay(WATER_LOSS)
    with refused("payment-number-used"):
        case.pay(INSTALLATION)


def test_no_payment_without_a_quote() -> None:
    with refused("no-quote"):
        admitted().pay()


MANAGER = Person("manager-1", "manager")


def reverse(case: Case, payment: str = "PAY-1", second: Person | None = MANAGER) -> list[Any]:
    return case.tell(
        "cashier",
        lambda c, ctx: charges.reverse_payment(c, ctx, payment=payment, reason="bounced"),
        second=second,
    )


def test_a_payment_that_bounced_is_owed_again() -> None:
    case = paid()
    reverse(case)
    assert case.state.balance_fen("installation") == 128_500
    with refused("already-reversed"):
        reverse(case)
    with refused("payment-number-used"):
        case.pay()
    case.pay(payment="PAY-2")
    assert case.state.is_paid


def test_only_a_payment_on_record_is_reversed() -> None:
    with refused("no-such-payment"):
        reverse(paid(), "PAY-9")


# ---- refunds


def refund(case: Case, *lines: MoneyLine, number: str = "TK-1", second: Person | None = MANAGER) -> list[Any]:
    return case.tell("cashier", lambda c, ctx: charges.refund(c, ctx, refund=number, lines=lines), second=second)


def reverse_refund(case: Case, number: str = "TK-1", second: Person | None = MANAGER) -> list[Any]:
    return case.tell(
        "cashier", lambda c, ctx: charges.reverse_refund(c, ctx, refund=number, reason="bounced"), second=second
    )


def test_what_a_lower_quote_leaves_over_goes_back_and_no_more() -> None:
    case = paid()
    with refused("refund-too-large"):
        refund(case, MoneyLine("installation", 1))
    case.quote(("water-loss", Decimal(1)), ("installation", Decimal(5)))
    with refused("refund-too-large"):
        refund(case, MoneyLine("installation", 64_251))
    refund(case, MoneyLine("installation", 64_250))
    assert case.state.balance_fen("installation") == 0
    with refused("refund-too-large"):
        refund(case, MoneyLine("installation", 1), number="TK-2")


def withdrawn(case: Case) -> Case:
    case.tell("applicant", lambda c, ctx: intake.withdraw(c, ctx, reason="no-longer-needed"))
    return case


def test_everything_that_was_paid_goes_back_when_the_application_is_withdrawn() -> None:
    case = withdrawn(paid())
    with refused("refund-too-large"):
        refund(case, MoneyLine("installation", 128_501))
    refund(case, *MONEY)
    assert [case.state.paid_fen(fee) - case.state.refunded_fen(fee) for fee in case.state.fees] == [0, 0]


def test_money_that_was_on_its_way_when_the_application_was_withdrawn_is_taken_down_and_goes_back() -> None:
    case = withdrawn(quoted())
    case.pay()
    refund(case, *MONEY)
    assert [case.state.paid_fen(fee) - case.state.refunded_fen(fee) for fee in case.state.fees] == [0, 0]


def test_refunds_have_numbers_of_their_own_and_are_reversed_once() -> None:
    case = withdrawn(paid())
    refund(case, WATER_LOSS)
    with refused("refund-number-used"):
        refund(case, INSTALLATION)
    with refused("no-such-refund"):
        reverse_refund(case, "TK-9")
    reverse_refund(case)
    with refused("already-reversed"):
        reverse_refund(case)
    refund(case, WATER_LOSS, number="TK-2")
    assert case.state.refunded_fen("water-loss") == 6_000


def test_a_payment_of_which_a_part_went_back_is_not_reversed() -> None:
    case = withdrawn(paid())
    refund(case, WATER_LOSS)
    with refused("refunded-already"):
        reverse(case)
    reverse_refund(case)
    assert reverse(case)


def test_nothing_is_refunded_on_a_line_that_nobody_paid() -> None:
    with refused("refund-too-large"):
        refund(withdrawn(received()), WATER_LOSS)


def test_money_is_the_cashiers() -> None:
    case = paid()
    decisions: tuple[Any, ...] = (
        lambda c, ctx: charges.pay(c, ctx, payment="PAY-2", lines=MONEY),
        lambda c, ctx: charges.reverse_payment(c, ctx, payment="PAY-1", reason="bounced"),
        lambda c, ctx: charges.refund(c, ctx, refund="TK-1", lines=MONEY),
        lambda c, ctx: charges.reverse_refund(c, ctx, refund="TK-1", reason="bounced"),
    )
    for decision in decisions:
        with refused("wrong-role"):
            case.tell("squad", decision)


# ---- two persons from two roles


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (None, "second-person-needed"),
        (Person("cashier-1", "manager"), "second-person-needed"),
        (Person("cashier-2", "cashier"), "second-role-needed"),
        (Person("counter-1", "counter"), "second-role-needed"),
    ],
    ids=["nobody", "the same person in another role", "a colleague in the same role", "a role without the power"],
)
def test_money_goes_back_only_with_a_second_person_in_another_role(second: Person | None, code: str) -> None:
    case = withdrawn(paid())
    with refused(code):
        reverse(case, second=second)
    with refused(code):
        refund(case, WATER_LOSS, second=second)
    refund(case, WATER_LOSS)
    with refused(code):
        reverse_refund(case, second=second)


def test_the_facts_of_money_that_goes_back_name_the_second_person() -> None:
    case = withdrawn(paid())
    made = [*refund(case, WATER_LOSS), *reverse_refund(case), *reverse(case)]
    assert [fact.confirmed_by for fact in made] == ["manager-1"] * 3


def test_a_standard_from_before_there_was_a_second_person_asks_for_none() -> None:
    powers = {power: roles for power, roles in RULES.newest.powers.items() if power != charges.CONFIRM_REFUND}
    before = replace(RULES, standards=tuple(replace(each, powers=powers) for each in RULES.standards))
    made = charges.refund(
        withdrawn(paid()).state,
        CommandContext(NINE, NINE, "office", before, Person("cashier-1", "cashier")),
        refund="TK-1",
        lines=(WATER_LOSS,),
    )
    assert made.confirmed_by is None
