"""What holds in every history of a connection case, whatever is told, in whatever order, allowed or refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from itertools import permutations, product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from domain import kinds
from domain.connections import charges, intake, papers, pauses, site, visits
from domain.connections.facts import (
    ChargeRefused,
    FurtherRequestRefused,
    MeterInstalled,
    MoneyLine,
    NoticeItem,
    PaymentReceived,
    PaymentReversed,
    QuoteIssued,
    RefundMade,
    RefundReversed,
    WaterTurnedOn,
)
from domain.kernel.facts import Fact, Recorded, event_id
from domain.kernel.refusals import Refusal
from domain.kinds import follows
from domain.standard.context import Person
from domain.standard.fees import amount_fen
from tests.unit.cases import NINE, SUBJECT, meter, minutes
from tests.unit.connecting import DIGEST, HOUR, PAPERS, RULES, VISIT, Case, Decision

FEES = ("water-loss", "installation", "survey-design", "tea", "meter")
DOCUMENTS = ("identity", "property-right", "licence")
STEPS = ("paper", "survey", "design", "quote", "sign", "pay", "reversal", "start", "complete", "inspect")
"""What can be left out on the way to water. Leaving out ``reversal`` is right: a payment that bounces is owed again."""
CATALOGUE = RULES.catalogue(NINE)
assert CATALOGUE is not None
ITEMS = {item.code: item for item in CATALOGUE.items}

MANAGER = Person("manager-1", "manager")
REVERSALS: list[Callable[..., Any]] = [charges.reverse_payment, charges.reverse_refund]

fees = st.sampled_from(FEES)
documents = st.sampled_from(DOCUMENTS)
defects = st.sampled_from(["missing", "illegible", "found-forged", "ugly"])
amounts = st.sampled_from([-1, 0, 1, 6_000, 12_850, 128_500, 10**12])
numbers = st.sampled_from(["PAY-1", "N-1", "N-2"])
points = st.sampled_from([1, 2, 1, 2, 0, 3])
hours = st.sampled_from([0, 0, 0, 0, 1, 20, -1])
quantities = st.sampled_from([Decimal(1), Decimal(1), Decimal("9.5"), Decimal(0)])
quotes = st.one_of(
    st.lists(st.tuples(fees, quantities), max_size=3),
    st.sampled_from([[("installation", Decimal(9))], [("water-loss", Decimal(1)), ("installation", Decimal(5))]]),
)


class Commands(RuleBasedStateMachine):
    """Random commands on a case with two supply points, refused ones included, by whoever may give them."""

    def __init__(self) -> None:
        super().__init__()
        self.case = Case(channel="import")  # no lateness is too late
        self.refused: Counter[str] = Counter()

    def tell(self, role: str, decision: Decision, **when: Any) -> None:
        before, expected = list(self.case.facts), []
        try:
            self.case.tell(role, decision, **when)
        except Refusal as refusal:
            expected = [] if refusal.attempt is None else [refusal.attempt]
            self.refused[refusal.code] += 1
        else:
            return
        assert self.case.facts == [*before, *expected], "what is refused writes nothing but the attempt that is a fact"
        assert all(isinstance(fact, ChargeRefused | FurtherRequestRefused) for fact in expected)

    @initialize(barred=st.booleans(), declined=st.booleans(), in_hand=st.sets(st.sampled_from(PAPERS)))
    def receive(self, barred: bool, declined: bool, in_hand: set[intake.Supplied]) -> None:
        form = intake.Form("private", 2, SUBJECT, documents=tuple(in_hand), declined_outstanding=declined)
        self.tell("counter", lambda c, ctx: intake.receive(c, ctx, case_number="BZ-1", form=form, barred=barred))

    @rule(hours=st.integers(0, 40))
    def time_passes(self, hours: int) -> None:
        self.case.wait(self.case.at + hours * HOUR)

    @rule(document=documents, way=st.sampled_from(["upload", "seen", "verified"]), hours=hours)
    def supply(self, document: str, way: Any, hours: int) -> None:
        supplied = intake.Supplied(document, way, DIGEST)
        when = {"happened_at": self.case.at - hours * HOUR}
        self.tell("counter", lambda c, ctx: papers.supply_document(c, ctx, supplied=supplied), **when)

    @rule(document=documents, defect=defects)
    def reject(self, document: str, defect: str) -> None:
        self.tell("counter", lambda c, ctx: papers.reject_document(c, ctx, document=document, defect=defect))

    @rule(items=st.lists(st.builds(NoticeItem, documents, defects), max_size=3), again=st.booleans())
    def ask_for_papers(self, items: list[NoticeItem], again: bool) -> None:
        ask = papers.request_further if again else papers.give_notice
        self.tell("counter", lambda c, ctx: ask(c, ctx, items=items))

    @rule(days=st.integers(-1, 8), barred=st.booleans())
    def promise(self, days: int, barred: bool) -> None:
        deadline = (self.case.at + timedelta(days=days)).date()
        self.tell(
            "applicant",
            lambda c, ctx: papers.promise_papers(
                c, ctx, papers=("property-right",), deadline=deadline, commitment_digest=DIGEST, barred=barred
            ),
        )

    @rule(which=st.sampled_from(["decline", "admit", "repair", "resume"]))
    def decide_on_papers(self, which: str) -> None:
        decisions: dict[str, tuple[str, Decision]] = {
            "decline": ("applicant", papers.decline_outstanding),
            "admit": ("manager", papers.admit),
            "repair": ("manager", lambda c, ctx: papers.repair_commitment(c, ctx, evidence_digest=DIGEST)),
            "resume": ("manager", lambda c, ctx: papers.resume(c, ctx, reason="papers-in")),
        }
        self.tell(*decisions[which])

    @rule(which=st.sampled_from(["survey", "infeasible", "design", "start", "complete", "pass", "fail"]))
    def work(self, which: str) -> None:
        decisions: dict[str, tuple[str, Decision]] = {
            "survey": ("squad", lambda c, ctx: site.survey(c, ctx, feasible=True, findings=())),
            "infeasible": ("squad", lambda c, ctx: site.survey(c, ctx, feasible=False, findings=("no-main",))),
            "design": ("squad", lambda c, ctx: site.design(c, ctx, drawing_digest=DIGEST)),
            "start": ("crew", lambda c, ctx: site.start_construction(c, ctx, crew="crew-1")),
            "complete": ("crew", site.complete_construction),
            "pass": ("inspector", lambda c, ctx: site.inspect(c, ctx, passed=True, defects=())),
            "fail": ("inspector", lambda c, ctx: site.inspect(c, ctx, passed=False, defects=("leak",))),
        }
        self.tell(*decisions[which])

    @rule(which=st.sampled_from(["book", "make", "approve", "cancel"]), papers_seen=st.sets(documents))
    def visit(self, which: str, papers_seen: set[str]) -> None:
        begin, end = self.case.at, self.case.at + HOUR
        decisions: dict[str, tuple[str, Decision]] = {
            "book": (
                "hotline",
                lambda c, ctx: visits.book(
                    c, ctx, visit=VISIT, squad="squad-1", purpose="approval", begin=begin, end=end
                ),
            ),
            "make": ("squad", lambda c, ctx: visits.make(c, ctx, visit=VISIT, papers_collected=sorted(papers_seen))),
            "approve": (
                "squad",
                lambda c, ctx: site.approve_on_site(c, ctx, visit=VISIT, squad="squad-1", drawing_digest=DIGEST),
            ),
            "cancel": ("hotline", lambda c, ctx: visits.cancel(c, ctx, visit=VISIT, reason="other")),
        }
        self.tell(*decisions[which])

    @rule(point=points, number=st.sampled_from(["M-1", "M-2"]), verified=st.booleans())
    def install(self, point: int, number: str, verified: bool) -> None:
        details = self.meter(number, verified)
        self.tell("crew", lambda c, ctx: site.install_meter(c, ctx, point=point, meter=details))

    @rule(point=points, given=st.booleans(), verified=st.booleans(), hours=hours)
    def turn_on(self, point: int, given: bool, verified: bool, hours: int) -> None:
        details = self.meter(f"M-{point}", verified) if given else None
        when = {"happened_at": self.case.at - hours * HOUR}
        self.tell("crew", lambda c, ctx: site.turn_water_on(c, ctx, point=point, meter=details), **when)

    @staticmethod
    def meter(number: str, verified: bool) -> Any:
        return meter(number) if verified else meter(number, expires_on=(NINE - timedelta(days=1)).date())

    @rule(lines=quotes)
    def quote(self, lines: list[tuple[str, Decimal]]) -> None:
        self.tell("squad", lambda c, ctx: charges.issue_quote(c, ctx, lines=lines))

    @rule(number=numbers)
    def sign(self, number: str) -> None:
        self.tell("applicant", lambda c, ctx: charges.sign_contract(c, ctx, contract=number, digest=DIGEST))

    @rule(
        number=numbers,
        lines=st.lists(st.builds(MoneyLine, fees, amounts), max_size=3),
        which=st.sampled_from(["pay", "refund", "pay-all"]),
    )
    def money(self, number: str, lines: list[MoneyLine], which: str) -> None:
        if which == "pay-all" and self.case.play.state is not None:
            state = self.case.state
            lines = [MoneyLine(fee, state.balance_fen(fee)) for fee in state.fees if state.balance_fen(fee) > 0]
        decisions: dict[str, Decision] = {
            "pay": lambda c, ctx: charges.pay(c, ctx, payment=number, lines=lines),
            "pay-all": lambda c, ctx: charges.pay(c, ctx, payment=number, lines=lines),
            "refund": lambda c, ctx: charges.refund(c, ctx, refund=number, lines=lines),
        }
        self.tell("cashier", decisions[which], second=MANAGER)

    @rule(number=numbers, which=st.sampled_from(REVERSALS))
    def reverse(self, number: str, which: Callable[..., Any]) -> None:
        name = "payment" if which is charges.reverse_payment else "refund"
        self.tell("cashier", lambda c, ctx: which(c, ctx, **{name: number}, reason="bounced"), second=MANAGER)

    @rule(charge=fees, name=st.sampled_from(["工程安装费", "开户费", "茶水费"]), amount=amounts)
    def charge(self, charge: str, name: str, amount: int) -> None:
        ask = charges.ask_charge
        self.tell("counter", lambda c, ctx: ask(c, ctx, charge=charge, name_zh=name, amount_fen=amount))

    @rule(which=st.sampled_from(["request", "approve", "decline", "end", "revoke"]), number=st.integers(1, 3))
    def pause(self, which: str, number: int) -> None:
        decisions: dict[str, tuple[str, Decision]] = {
            "request": (
                "case-owner",
                lambda c, ctx: pauses.request(c, ctx, reason="government-permit", evidence_digest=DIGEST),
            ),
            "approve": ("manager", lambda c, ctx: pauses.approve(c, ctx, pause=number)),
            "decline": ("manager", lambda c, ctx: pauses.decline(c, ctx, pause=number)),
            "end": ("manager", lambda c, ctx: pauses.end(c, ctx, pause=number)),
            "revoke": ("manager", lambda c, ctx: pauses.revoke(c, ctx, pause=number, reason="wrong")),
        }
        self.tell(*decisions[which])

    @rule(which=st.sampled_from(["withdraw", "refuse"]), really=st.integers(0, 9))
    def stop(self, which: str, really: int) -> None:
        if really:
            return  # now and then: else few cases would get far
        decisions: dict[str, tuple[str, Decision]] = {
            "withdraw": ("applicant", lambda c, ctx: intake.withdraw(c, ctx, reason="other")),
            "refuse": ("manager", lambda c, ctx: intake.refuse(c, ctx, reason="arrears", document_digest=DIGEST)),
        }
        self.tell(*decisions[which])

    @invariant()
    def no_water_without_all_that_comes_before_it(self) -> None:
        for number, fact in enumerate(self.case.facts):
            if isinstance(fact, WaterTurnedOn):
                require_earned(self.case.facts[:number], fact)

    @invariant()
    def the_money_balances(self) -> None:
        if self.case.play.state is not None:
            require_balanced(self.case)

    @invariant()
    def only_the_catalogues_fees_are_charged(self) -> None:
        for fact in self.case.facts:
            if isinstance(fact, QuoteIssued):
                require_in_catalogue(fact)


def require_earned(before: list[Fact], on: WaterTurnedOn) -> None:
    """Read from the facts alone, not from the state that the decisions look at."""
    in_hand: set[str] = set()
    quote, contract = None, None
    passed, meters = False, {}
    for fact in before:
        match type(fact).__name__:
            case "DocumentSupplied":
                in_hand.add(fact.document)
            case "DocumentRejected":
                in_hand.discard(fact.document)
            case "QuoteIssued":
                quote = fact
            case "ContractSigned":
                contract = fact
            case "FinalInspectionMade":
                passed = fact.passed
            case "MeterInstalled":
                meters[fact.point] = fact.meter
    assert {"identity", "property-right"} <= in_hand
    assert quote is not None
    assert contract is not None
    assert contract.quote == quote.quote
    paid = money_in(before)
    assert all(paid[line.fee] >= line.amount_fen for line in quote.lines)
    assert passed
    assert meters[on.point] == on.meter
    assert on.meter.verified_on <= NINE.date() <= on.meter.expires_on


def money_in(facts: list[Fact]) -> Counter[str]:
    """Fee → fen that came in and stayed, from the facts alone."""
    money: Counter[str] = Counter()
    moved: dict[tuple[str, str], tuple[MoneyLine, ...]] = {}
    for fact in facts:
        match fact:
            case PaymentReceived(number, lines):
                moved["paid", number] = lines
            case PaymentReversed(number):
                del moved["paid", number]
            case RefundMade(number, lines):
                moved["refunded", number] = lines
            case RefundReversed(number):
                del moved["refunded", number]
            case _:
                pass
    for (way, _), lines in moved.items():
        for line in lines:
            money[line.fee] += line.amount_fen if way == "paid" else -line.amount_fen
    return money


def require_balanced(case: Case) -> None:
    state, money = case.state, money_in(case.facts)
    for fee in FEES:
        assert state.paid_fen(fee) - state.refunded_fen(fee) == money[fee]
        assert 0 <= state.refunded_fen(fee) <= state.paid_fen(fee)


def require_in_catalogue(quote: QuoteIssued) -> None:
    amounts = {line.fee: line.amount_fen for line in quote.lines}
    for line in quote.lines:
        item = ITEMS[line.fee]
        assert item.active
        assert quote.payer_class in item.payer_classes
        assert line.amount_fen == amount_fen(item, line.quantity, amounts)


TestCommands = Commands.TestCase
TestCommands.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


class NearWater(Commands):
    """The same, of cases that lack little or nothing before their meters."""

    @initialize(lacking=st.sampled_from([(), *((step,) for step in STEPS)]), on_site=st.booleans())
    def go_far(self, lacking: tuple[str, ...], on_site: bool) -> None:
        near_water(self, frozenset(lacking), on_site=on_site)


def near_water(machine: Commands, lacking: frozenset[str], *, on_site: bool) -> None:
    """A case that took every step before its meters but those ``lacking``, as far as it was let."""
    case = machine.case = Case(channel="import")
    form = intake.Form("private", 2, SUBJECT, documents=PAPERS[:1] if "paper" in lacking else PAPERS)
    machine.tell("counter", lambda c, ctx: intake.receive(c, ctx, case_number="BZ-1", form=form))
    if on_site:
        machine.visit("book", set())
        machine.visit("approve", set())
    for step in ("survey", "design", "quote", "sign", "pay", "start", "complete", "inspect"):
        if step not in lacking:
            with suppress(Refusal):
                getattr(case, step)()
    if "reversal" not in lacking:
        machine.reverse("PAY-1", charges.reverse_payment)
    machine.turn_on(1, True, True, 0)


TestNearWater = NearWater.TestCase
TestNearWater.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)


@pytest.mark.parametrize("on_site", [False, True])
def test_of_all_ways_to_leave_steps_out_only_the_whole_way_leads_to_water(on_site: bool) -> None:
    led_to_water = set()
    for leave_out in product([False, True], repeat=len(STEPS)):
        lacking = frozenset(step for step, left_out in zip(STEPS, leave_out, strict=True) if left_out)
        machine = Commands()
        near_water(machine, lacking, on_site=on_site)
        machine.no_water_without_all_that_comes_before_it()
        machine.the_money_balances()
        if machine.case.state.on:
            led_to_water.add(lacking)
    # Approval at the door surveys, designs and starts; where a payment that bounced was never made, nothing bounces.
    spared = {"reversal"} | ({"survey", "design", "start"} if on_site else set())
    assert all(lacking <= spared for lacking in led_to_water)
    assert frozenset({"reversal"}) in led_to_water
    assert len(led_to_water) == (8 if on_site else 1)


# ---- order and duplication


def field_facts() -> list[tuple[Fact, Any, UUID]]:
    """The facts of a case that got its water late, was paused, and whose applicant came in person."""
    case = Case()
    form = intake.Form("private", 1, SUBJECT, documents=PAPERS[:1])
    case.tell("counter", lambda c, ctx: intake.receive(c, ctx, case_number="BZ-1", form=form))
    case.supply(PAPERS[1], at=minutes(30))
    case.tell("counter", lambda c, ctx: intake.appear(c, ctx, place="counter", purpose="papers"), at=minutes(40))
    ask = pauses.request
    case.tell("case-owner", lambda c, ctx: ask(c, ctx, reason="force-majeure", evidence_digest=DIGEST), at=minutes(50))
    case.tell("manager", lambda c, ctx: pauses.approve(c, ctx, pause=1), at=minutes(60))
    case.tell("manager", lambda c, ctx: pauses.end(c, ctx, pause=1), at=minutes(3_000))
    case.ready()
    case.turn_on(at=minutes(15_000))
    return [(fact, at, UUID(int=number)) for number, (fact, at) in enumerate(case.told_facts)]


def verdicts(told: list[tuple[Fact, Any, UUID]]) -> dict[str, Any]:
    """Every window at the end, from these facts in this order."""
    state: Any = None
    for version, (fact, happened_at, id_) in enumerate(told, start=1):
        state = kinds.CONNECTION.evolve(
            state, Recorded(fact, id_, version, happened_at, "counter-1", "counter", "website")
        )
    at = minutes(20_000)
    while following := follows(kinds.CONNECTION, state, RULES, at):
        for stated in following:
            version += 1
            recorded = Recorded(stated.fact, event_id(UUID(int=1), version), version, stated.happened_at)
            state = kinds.CONNECTION.evolve(state, recorded)
    found = {window.commitment: window for window in kinds.windows(kinds.CONNECTION, state, RULES, at)}
    return {
        commitment: (window.opened_at, window.due_at, window.met_at, window.lapses, window.cancelled)
        for commitment, window in found.items()
    }


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_order_and_any_duplication_of_the_same_facts_ends_in_the_same_verdicts(data: st.DataObject) -> None:
    told = field_facts()
    received, rest = told[0], told[1:]
    # A pause's decisions name it by number, so they follow its request, as the API has it.
    shuffled = data.draw(st.permutations(rest))
    again = data.draw(st.lists(st.sampled_from(rest), max_size=3))
    ordered = sorted([*shuffled, *again], key=lambda one: type(one[0]).__name__ not in ("PauseRequested",))
    assert verdicts([received, *ordered]) == verdicts(told)


def test_every_order_of_the_papers_and_the_water_ends_in_the_same_verdicts() -> None:
    told = field_facts()
    wanted = ("DocumentSupplied", "ApplicantAppeared", "WaterTurnedOn")
    few = [one for one in told[1:] if type(one[0]).__name__ in wanted]
    assert len(few) == 4
    assert len({repr(verdicts([told[0], *order])) for order in permutations(few)}) == 1


def test_a_refund_and_a_meter_are_facts_like_any_other() -> None:
    """The machines above read these by class: were one renamed, they would look at nothing."""
    names = {cls.__name__ for cls in (MeterInstalled, WaterTurnedOn, PaymentReceived, RefundMade, ChargeRefused)}
    registered = {name.split(".")[2] for name in kinds.REGISTRY.types}
    assert names | {"DocumentSupplied", "DocumentRejected", "ContractSigned", "FinalInspectionMade"} <= registered
