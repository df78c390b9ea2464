"""Every kind of stream and what belongs to it: its topic, stages, promises and fold, and what follows by rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from domain.approvals import approvals
from domain.complaints import complaints
from domain.connections import applicants, automatic, case, consultations, preservice, promises
from domain.connections import facts as connection
from domain.connections.refusals import no_such_application, no_such_request
from domain.crews import crews, squads
from domain.deadlines.windows import (
    WINDOW_FACTS,
    CountPromise,
    Obligation,
    Window,
    WindowFact,
    WindowLedger,
    differences,
    judge,
    record,
)
from domain.evidence import evidence
from domain.kernel.copies import changed
from domain.kernel.facts import EventToAppend, Name, Recorded, Topic, registry
from domain.kernel.refusals import Refusal
from domain.metering import abnormal_use as abnormal
from domain.metering import meters as usage
from domain.metering import reading_rounds as books
from domain.metering.refusals import no_such_round, no_such_usage
from domain.outages import case as outage_case
from domain.outages import facts as outage_facts
from domain.outages import promises as outage_promises
from domain.outages.refusals import no_such_outage
from domain.people import people
from domain.publication import generations, publishing, works
from domain.publication.refusals import no_such_work
from domain.repairs import case as repair_case
from domain.repairs import facts as repair_facts
from domain.repairs import mass, orders
from domain.repairs import promises as repair_promises
from domain.repairs.facts import FaultReported
from domain.repairs.promises import PROMISES
from domain.repairs.refusals import NoSuchOrder, no_such_incident
from domain.rights import rights
from domain.standard import alerts  # noqa: F401 - its facts stand in the streams of every kind with promises
from domain.standard.escalation import climbed
from domain.standard.standards import Rules
from domain.vault import vault

State = Any
"""A kind's state class, or None before the first fact."""


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One kind of stream, and what belongs to it.

    ``title``: what people call it. ``topic``: where its events are published. ``number_prefix``: of the numbers that
    people know its cases by; None where they have none. ``stages`` in order, and ``stops``, what a case is at instead
    of a stage while it stands still or once it is over: code → name. ``promises``: what its cases owe, code → name.

    ``obligations`` is None for streams that promise nothing. ``consequences`` are the facts that follow from the state
    at an instant by rule, without anybody's command (None: none ever do); they are asked for again until none is left.
    ``opened_by``: the facts that a stream with promises begins with; they tell its kind from its first event.
    ``no_such_case``: what is said of a case that there is not; None for streams that exist by their name alone, such as
    a crew's or a meter's, whose decisions know what it means that nothing was said there yet.
    """

    name: str
    title: Name
    topic: Topic
    evolve: Callable[[State, Recorded], State]
    obligations: Callable[[State, Rules], tuple[Obligation | CountPromise, ...]] | None = None
    consequences: Callable[[State, Rules, datetime], tuple[EventToAppend, ...]] | None = None
    opened_by: tuple[type, ...] = ()
    number_prefix: str | None = None
    stages: Mapping[str, Name] = field(default_factory=dict)
    stops: Mapping[str, Name] = field(default_factory=dict)
    promises: Mapping[str, Name] = field(default_factory=dict)
    no_such_case: Callable[[], Refusal] | None = None
    powers: tuple[str, ...] = ()

    def existing(self, state: State) -> State:
        """The state of a case that a command is about. Refuses ``no-such-case`` (an order: ``no-such-order``)."""
        if state is None and self.no_such_case is not None:
            raise self.no_such_case()
        return state

    def new_number(self, next_number: Callable[[str], str]) -> str:
        """A number for a new case of this kind, as the store gives it. Raises ValueError where such cases have none."""
        if self.number_prefix is None:
            raise ValueError(f"a case of the kind {self.name} has no number")
        return next_number(self.number_prefix)


REPAIR = Kind(
    "repair",
    Name("报修", "repair"),
    "repair",
    repair_case.evolve,
    repair_promises.obligations,
    opened_by=(FaultReported,),
    number_prefix="BX",
    stages=repair_facts.STAGES,
    stops=repair_facts.STOPS,
    promises=PROMISES,
    no_such_case=no_such_incident,
    powers=(
        "history.import",
        "repair.read",
        "repair.dispatch",
        "repair.tell",
        "repair.link",
        "repair.close",
        "repair.tell-reporter",
        "repair.deliver",
        "repair.reassess",
        "repair.unlink",
        "repair.dismiss",
        "repair.reject",
        "repair.correct",
        "repair.start-paid-service",
    ),
)
CONNECTION = Kind(
    "connection",
    Name("报装", "connection"),
    "connection",
    case.evolve,
    promises.obligations,
    automatic.consequences,
    opened_by=(connection.ApplicationReceived,),
    number_prefix="BZ",
    stages=connection.STAGES,
    stops=connection.STOPS,
    promises=promises.PROMISES,
    no_such_case=no_such_application,
    powers=(
        "connection.read",
        "connection.receive",
        "connection.route",
        "connection.appear",
        "connection.withdraw",
        "connection.refuse",
        "connection.supply-document",
        "connection.reject-document",
        "connection.give-notice",
        "connection.request-further",
        "connection.promise-papers",
        "connection.decline-outstanding",
        "connection.repair-commitment",
        "connection.admit",
        "connection.resume",
        "connection.survey",
        "connection.design",
        "connection.approve-on-site",
        "connection.construct",
        "connection.inspect",
        "connection.install-meter",
        "connection.replace-meter",
        "connection.turn-water-on",
        "connection.change-class",
        "connection.change-customer",
        "connection.rename-customer",
        "connection.quote",
        "connection.sign-contract",
        "connection.pay",
        "connection.reverse-payment",
        "connection.refund",
        "connection.confirm-refund",
        "connection.book-visit",
        "connection.reassign-visit",
        "connection.make-visit",
        "connection.deliver",
        "connection.confirm-delivery",
        "connection.tell-applicant",
        "connection.request-pause",
        "connection.approve-pause",
        "connection.end-pause",
        "connection.revoke-pause",
    ),
)
ORDER = Kind(
    "order",
    Name("热线工单", "order of another body"),
    "repair",
    orders.evolve,
    orders.obligations,
    opened_by=orders.OPENED_BY,
    stages=orders.STAGES,
    promises=orders.PROMISES,
    no_such_case=NoSuchOrder,
    powers=(
        "order.read",
        "order.send-reply",
        "order.extend",
    ),
)
METER = Kind(
    "meter",
    Name("水表", "meter"),
    "usage",
    usage.evolve,
    powers=(
        "readings.read",
        "readings.send",
    ),
)
USAGE = Kind(
    "usage",
    Name("用量异常", "abnormal use"),
    "usage",
    abnormal.evolve,
    abnormal.obligations,
    abnormal.consequences,
    opened_by=(abnormal.UsageAnomalyFound,),
    number_prefix="YC",
    stages=abnormal.STAGES,
    stops=abnormal.STOPS,
    promises=abnormal.PROMISES,
    no_such_case=no_such_usage,
    powers=(
        "usage.find",
        "usage.read",
        "usage.inspect",
        "usage.dismiss",
        "usage.notify",
        "usage.help",
        "usage.conclude",
    ),
)
BOOK = Kind(
    "book",
    Name("抄表任务", "reading round"),
    "usage",
    books.evolve,
    books.obligations,
    books.consequences,
    opened_by=(books.ReadingRoundOpened,),
    number_prefix="CB",
    stages=books.STAGES,
    promises=books.PROMISES,
    no_such_case=no_such_round,
    powers=(
        "book.open",
        "book.view",
        "book.audit",
        "book.except",
    ),
)
STANDARDS = Kind(
    "standards",
    Name("标准", "standards"),
    "public",
    publishing.evolve_standards,
    powers=(
        "standard.draft",
        "standard.approve",
    ),
)
CALENDAR = Kind(
    "calendar", Name("工作日历", "calendar"), "public", publishing.evolve_calendar, powers=("calendar.publish",)
)
FEES = Kind(
    "fees",
    Name("收费目录", "fee catalogues"),
    "public",
    publishing.evolve_catalogues,
    powers=(
        "fees.draft",
        "fees.review",
        "fees.publish",
        "charges.read",
    ),
)
LAW = Kind("law", Name("法律依据", "law"), "public", publishing.evolve_laws, powers=("law.publish",))
SQUAD = Kind("squad", Name("专班", "squad"), "crew", squads.evolve, powers=("squad.form",))
CREW = Kind(
    "crew",
    Name("班组", "crew"),
    "crew",
    crews.evolve,
    powers=(
        "crew.read",
        "crew.form",
        "crew.shift",
        "crew.locate",
    ),
)
SQUAD_DAY = Kind("squad-day", Name("专班日程", "squad's day"), "crew", squads.evolve_day)
APPLICANT = Kind("applicant", Name("申请人", "applicant"), "office", applicants.evolve)
CONSULTATION = Kind(
    "consultation",
    Name("技术咨询", "consultation"),
    "connection",
    consultations.evolve,
    number_prefix="ZX",
    powers=("consultation.record",),
)
PRESERVICE = Kind(
    "preservice",
    Name("服务前置", "service before building"),
    "connection",
    preservice.evolve,
    number_prefix="QZ",
    no_such_case=no_such_request,
    powers=(
        "preservice.request",
        "preservice.give",
    ),
)
OUTAGE = Kind(
    "outage",
    Name("停水", "outage"),
    "repair",
    outage_case.evolve,
    outage_promises.obligations,
    opened_by=tuple(outage_facts.BEGUN_AS),
    number_prefix="TS",
    stages=outage_facts.STAGES,
    stops=outage_facts.STOPS,
    promises=outage_promises.PROMISES,
    no_such_case=no_such_outage,
    powers=(
        "outage.plan",
        "outage.tell",
        "outage.cancel",
        "outage.notify",
        "outage.deliver",
    ),
)
MASS = Kind(
    "mass",
    Name("群发事件", "mass incident"),
    "repair",
    mass.evolve,
    powers=(
        "mass.declare",
        "mass.end",
    ),
)
WORK = Kind(
    "work",
    Name("公共工程", "work for the community"),
    "public",
    works.evolve,
    number_prefix="GC",
    no_such_case=no_such_work,
    powers=(
        "works.register",
        "works.report",
    ),
)
PERSON = Kind("person", Name("人员", "actor"), "office", people.evolve, powers=("people.manage", "people.read"))
VAULT = Kind("vault", Name("个人信息", "particulars"), "office", vault.evolve, powers=("vault.erase",))
APPROVAL = Kind("approval", Name("复核请求", "approval request"), "office", approvals.evolve)
RIGHTS = Kind("rights", Name("个人信息请求", "rights request"), "office", rights.evolve, powers=("rights.handle",))
COMPLAINT = Kind(
    "complaint",
    Name("投诉", "complaint"),
    "office",
    complaints.evolve,
    number_prefix="TU",
    powers=("complaint.take", "complaint.answer", "complaint.read"),
)
EVIDENCE = Kind(
    "evidence",
    Name("凭证", "evidence"),
    "office",
    evidence.evolve,
    powers=("evidence.keep", "evidence.read"),
)
GENERATIONS = Kind("generations", Name("存储世代", "generations of the store"), "public", generations.evolve)

KINDS = (
    REPAIR,
    CONNECTION,
    ORDER,
    METER,
    USAGE,
    BOOK,
    STANDARDS,
    CALENDAR,
    FEES,
    LAW,
    SQUAD,
    CREW,
    SQUAD_DAY,
    APPLICANT,
    CONSULTATION,
    PRESERVICE,
    OUTAGE,
    MASS,
    WORK,
    PERSON,
    VAULT,
    APPROVAL,
    RIGHTS,
    COMPLAINT,
    EVIDENCE,
    GENERATIONS,
)
"""Every kind of stream."""

POWERS_OF_EVERY_KIND = (
    "case.read",
    "case.follow",
    "window.acknowledge",
    "alerts.read",
    "alerts.tell",
    "vault.read",
    "vault.unmask",
)
"""What commands and queries about cases, windows and alerts need, whatever kind of case they are of."""

POWERS = frozenset({*POWERS_OF_EVERY_KIND, *(power for kind in KINDS for power in kind.powers)})
"""What a standard gives to roles. One that it leaves out is nobody's, so every standard names them all; a test holds
them against the decisions that ask for a power."""

REGISTRY = registry()
"""Every fact of every slice: they are all imported above."""

RULE_TYPES = REGISTRY.having(lambda declared: declared.changes_rules)
"""Public types of the events that change what is decided from here on."""

BREACH_TYPES = REGISTRY.having(lambda declared: declared.on_breach_topic)
"""Public types of the events that are copied to the breach topic."""

WINDOW_TYPES = frozenset(name for name, (_, cls) in REGISTRY.types.items() if cls in WINDOW_FACTS)
"""Public types of the events about windows."""


PROMISING = (REPAIR, CONNECTION, ORDER, OUTAGE, USAGE, BOOK)
"""The kinds of case that owe something by a time: the window watch asks about them, and about no other."""

_OPENED_BY = {REGISTRY.names[kind.topic, fact]: kind for kind in PROMISING for fact in kind.opened_by}
OPENERS = tuple(sorted(_OPENED_BY))
"""The public types of the events that a case with promises begins with."""


def opened_as(type_name: str) -> Kind | None:
    """The kind of case whose stream begins with an event of that public type; None where such a stream owes nothing."""
    return _OPENED_BY.get(type_name)


_ABOUT_WINDOWS = frozenset(WINDOW_FACTS)


def folded(kind: Kind, recorded: Iterable[Recorded]) -> State:
    """The state after all facts of a stream: what ``evolve`` gives one after the other. Most facts of a case are its
    windows': they go into its ledger, and those that stand together change the case once."""
    state: State = None
    ledger: WindowLedger | None = None
    for each in recorded:
        if state is not None and kind.obligations is not None and type(each.fact) in _ABOUT_WINDOWS:
            ledger = record(state.ledger if ledger is None else ledger, cast(WindowFact, each.fact))
            continue
        if ledger is not None:
            state, ledger = changed(state, ledger=ledger), None
        state = kind.evolve(state, each)
    return state if ledger is None else changed(state, ledger=ledger)


def follows(kind: Kind, state: State, rules: Rules, at: datetime) -> tuple[EventToAppend, ...]:
    """The facts that follow by rule and are not on record; to be appended and asked for again until there are none."""
    if kind.consequences is None or state is None:
        return ()
    return kind.consequences(state, rules, at)


def windows(kind: Kind, state: State, rules: Rules, at: datetime) -> tuple[Window, ...]:
    """Every window of the case with its verdict at ``at``."""
    if kind.obligations is None:
        return ()
    return tuple(
        climbed(judge(owed, at), owed, state.ledger.get(owed.commitment) if state is not None else None, rules, at)
        for owed in kind.obligations(state, rules)
    )


def conclusion(kind: Kind, state: State, rules: Rules, at: datetime) -> tuple[WindowFact, ...]:
    """What every decision ends with: the facts that bring the verdicts on record up to ``at``."""
    return concluded(kind, state, windows(kind, state, rules, at), at) if state is not None else ()


def concluded(kind: Kind, state: State, found: Sequence[Window], at: datetime) -> tuple[WindowFact, ...]:
    """The facts that bring the verdicts on record to windows that were judged already, at ``at``."""
    if kind.obligations is None or state is None:
        return ()
    ledger: WindowLedger = state.ledger
    return differences(ledger, found, at)


def next_ask_at(kind: Kind, state: State, rules: Rules, at: datetime) -> dict[str, datetime]:
    """Commitment → when its verdict can next change by time alone; a commitment that cannot is left out."""
    return asks(windows(kind, state, rules, at))


def asks(found: Sequence[Window]) -> dict[str, datetime]:
    """The same, of windows that were judged already."""
    return {window.commitment: window.next_ask_at for window in found if window.next_ask_at is not None}
