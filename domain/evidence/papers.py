"""The papers of a case: what its events say, as the words of a paper that people are handed.

A paper follows from one event and the rules that were in force when it happened, so it can be made again at any time,
and says the same. The person's particulars are no part of its words: they are put in when it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from domain.connections import facts as connection
from domain.connections.case import Connection
from domain.deadlines.calendar import LOCAL
from domain.kernel.facts import Name, Recorded
from domain.kernel.subjects import Subject
from domain.kinds import Kind
from domain.outages import facts as outage_facts
from domain.outages.case import Outage
from domain.outages.notices import notice_text
from domain.standard.standards import Rules, Standard

TITLES: Mapping[str, Name] = {
    "one-time-notice": Name("一次性告知书", "one-time notice"),
    "acceptance": Name("受理通知书", "acceptance notice"),
    "acceptance-outstanding": Name("容缺受理通知书", "acceptance with papers outstanding"),
    "refusal": Name("不予受理通知书", "refusal"),
    "quote": Name("报价单", "quote"),
    "contract": Name("供水合同签订确认书", "confirmation of the contract"),
    "outage-notice": Name("停水通知", "outage notice"),
}
"""Kind of paper → what it is called."""


@dataclass(frozen=True, slots=True)
class Paper:
    """The words of a paper. ``number``: among those of its kind in the case, from 1. ``rows``: what stands beside a
    label; ``table``: its head and its rows, empty where there is none. ``subject``: who it is made out to; None: the
    public. ``file_digest``: of the signed file that the event names."""

    kind: str
    number: int
    case_number: str
    event_id: UUID
    at: datetime
    standard: str
    opening: str
    rows: tuple[tuple[str, str], ...] = ()
    head: tuple[str, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()
    closing: tuple[str, ...] = ()
    subject: Subject | None = None
    file_digest: str | None = None

    @property
    def title(self) -> Name:
        """What it is called."""
        return TITLES[self.kind]


@dataclass(frozen=True, slots=True)
class _Words:
    """What one event gives."""

    kind: str
    opening: str
    rows: tuple[tuple[str, str], ...] = ()
    head: tuple[str, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()
    closing: tuple[str, ...] = ()
    file_digest: str | None = None


def papers_of(kind: Kind, history: Iterable[Recorded], rules: Rules) -> tuple[Paper, ...]:
    """Every paper of a case, in the order of its events."""
    found: list[Paper] = []
    state: Any = None
    for recorded in history:
        state = kind.evolve(state, recorded)
        words = _words(recorded.fact, state, rules, recorded.happened_at)
        if words is None:
            continue
        number = 1 + sum(each.kind == words.kind for each in found)
        found.append(
            Paper(
                words.kind,
                number,
                state.number,
                recorded.event_id,
                recorded.happened_at,
                rules.in_force(recorded.happened_at).version,
                words.opening,
                words.rows,
                words.head,
                words.table,
                words.closing,
                state.subject if isinstance(state, Connection) else None,
                words.file_digest,
            )
        )
    return tuple(found)


def _words(fact: Any, state: Any, rules: Rules, at: datetime) -> _Words | None:
    standard = rules.in_force(at)
    if isinstance(state, Outage):
        return _outage_notice(fact, state, standard)
    made = _OF_APPLICATIONS.get(type(fact))
    return made(fact, state, rules, at) if made is not None and isinstance(state, Connection) else None


def _notice(
    fact: connection.OneTimeNoticeGiven | connection.FurtherRequestMade, case: Connection, rules: Rules, at: datetime
) -> _Words:
    standard = rules.in_force(at)
    known = {**standard.connection.defects, **standard.connection.hidden_defects}
    table = tuple(
        (str(number), _document(standard, case, item.document), known.get(item.defect, item.defect))
        for number, item in enumerate(fact.items, 1)
    )
    further = isinstance(fact, connection.FurtherRequestMade)
    opening = (
        "经核查，下列事项在首次告知时无法发现，现予告知，请予补正："
        if further
        else "您的用水报装申请材料需要补正。现将需要补正的全部内容一次性告知如下："
    )
    closing = ("除上列内容外，不再要求补正首次告知时能够发现的其他材料。",)
    return _Words("one-time-notice", opening, head=("序号", "材料", "需要补正的内容"), table=table, closing=closing)


def _acceptance(fact: connection.ApplicationAdmitted, case: Connection, rules: Rules, at: datetime) -> _Words:
    standard = rules.in_force(at)
    days = standard.connection.connection_working_days
    closing: tuple[str, ...] = (f"自受理之日起，{days} 个工作日内完成通水（依法中止的时间不计入）。",)
    if fact.basis == "silence":
        closing = ("逾期未作告知，自收到申请之日起即为受理。", *closing)
    if fact.basis != "papers-outstanding":
        return _Words("acceptance", "您的用水报装申请已受理。", closing=closing)
    table = tuple(
        (str(number), _document(standard, case, code), _deadline(case, code))
        for number, code in enumerate(fact.outstanding, 1)
    )
    return _Words(
        "acceptance-outstanding",
        "您的用水报装申请主要材料齐全，按容缺方式受理。下列材料请在承诺期限内补齐：",
        head=("序号", "材料", "补齐期限"),
        table=table,
        closing=closing,
    )


def _refusal(fact: connection.ApplicationRefused, case: Connection, rules: Rules, at: datetime) -> _Words:
    reasons = rules.in_force(at).connection.refusal_reasons
    return _Words(
        "refusal",
        "您的用水报装申请，经审查不予受理。",
        rows=(("不予受理的原因", reasons.get(fact.reason, fact.reason)),),
        closing=("如有异议，可向供水企业申请复核，或拨打政务服务便民热线 12345 反映。",),
        file_digest=fact.document_digest,
    )


def _quote(fact: connection.QuoteIssued, case: Connection, rules: Rules, at: datetime) -> _Words:
    # The catalogue that the quote follows, whatever is in force by now.
    catalogue = next((each for each in rules.catalogues if each.version == fact.catalogue), None)
    items = {item.code: item for item in catalogue.items} if catalogue is not None else {}
    table = []
    for line in fact.lines:
        item = items.get(line.fee)
        name, unit, basis = (item.name_zh, item.unit_zh, item.legal_basis) if item is not None else (line.fee, "", "")
        table.append((name, f"{line.quantity.normalize():f} {unit}".strip(), _yuan(line.amount_fen), basis))
    table.append(("合计", "", _yuan(sum(line.amount_fen for line in fact.lines)), ""))
    payers = rules.in_force(at).connection.payer_classes
    return _Words(
        "quote",
        "根据现行收费目录，本次报装的费用如下：",
        rows=(
            ("报价编号", str(fact.quote)),
            ("收费目录", fact.catalogue),
            ("缴费类别", payers.get(fact.payer_class, fact.payer_class)),
        ),
        head=("收费项目", "数量", "金额（元）", "收费依据"),
        table=tuple(table),
        closing=("除上列项目外，不收取任何其他费用。水表免费。",),
    )


def _contract(fact: connection.ContractSigned, case: Connection, rules: Rules, at: datetime) -> _Words:
    return _Words(
        "contract",
        "双方已签订供水合同。合同原件以下列摘要为准：",
        rows=(("合同编号", fact.contract), ("对应报价", str(fact.quote)), ("合同原件摘要", fact.digest)),
        file_digest=fact.digest,
    )


def _outage_notice(fact: Any, outage: Outage, standard: Standard) -> _Words | None:
    if isinstance(fact, outage_facts.OutageNoticeSent) and fact.order is not None:
        return None  # the paper was made when it was ordered
    if not isinstance(fact, (outage_facts.OutageNoticeOrdered, outage_facts.OutageNoticeSent)):
        return None
    text = notice_text(outage, standard)
    if text is None:
        return None
    rows = (("影响用户", f"{outage.affected_users} 户"),)
    return _Words("outage-notice", text, rows=rows, closing=("请提前储水；供水热线随时接受咨询。",))


_OF_APPLICATIONS: Mapping[type, Callable[[Any, Connection, Rules, datetime], _Words]] = {
    connection.OneTimeNoticeGiven: _notice,
    connection.FurtherRequestMade: _notice,
    connection.ApplicationAdmitted: _acceptance,
    connection.ApplicationRefused: _refusal,
    connection.QuoteIssued: _quote,
    connection.ContractSigned: _contract,
}


def words_of(paper: Paper) -> Iterator[str]:
    """Every word of the paper that is not the person's, in order; its digest is made of them."""
    yield from (paper.kind, str(paper.number), paper.case_number, str(paper.event_id), paper.at.isoformat())
    yield from (paper.standard, paper.opening)
    every: tuple[tuple[str, ...], ...] = (*paper.rows, paper.head, *paper.table, paper.closing)
    for row in every:
        yield from row


def digest_of_words(paper: Paper) -> str:
    """SHA-256 of the paper's words, with the length of each before it; it stands on the paper and in its QR code, and
    is the same whether the person's particulars are masked or not."""
    hashed = sha256()
    for word in words_of(paper):
        text = word.encode()
        hashed.update(len(text).to_bytes(4, "big") + text)
    return f"sha256:{hashed.hexdigest()}"


def civil_day(at: datetime) -> str:
    """The day in China, as papers write it."""
    local = at.astimezone(LOCAL)
    return f"{local.year}年{local.month}月{local.day}日"


def _document(standard: Standard, case: Connection, code: str) -> str:
    listed = standard.connection.documents.get(case.category, ())
    return next((each.name_zh for each in listed if each.code == code), code)


def _deadline(case: Connection, code: str) -> str:
    promised = case.commitment
    if promised is None or code not in promised.promise.papers:
        return "通水前"
    day = promised.promise.deadline
    return f"{day.year}年{day.month}月{day.day}日"


def _yuan(fen: int) -> str:
    return f"{fen // 100:,}.{fen % 100:02d}"
