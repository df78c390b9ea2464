"""How a case learns what became of its message: for each kind of message, the command that brings it in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from domain import kinds
from domain.connections.case import Connection
from domain.connections.facts import PaperNotSent, PaperSent
from domain.evidence import sending
from domain.evidence.papers import Paper
from domain.kernel.facts import EventToAppend
from domain.outages import notices
from domain.outages.case import Outage
from domain.outages.notices import KIND
from domain.repairs import answers
from domain.repairs.answers import KIND as ANSWER_MESSAGE
from domain.repairs.case import Repair
from domain.standard import alerts
from domain.standard.alerts import AlertFailed, AlertTold
from infra.eventstore.commands import Command, IdempotencyKey, Snapshot, Stamp, Stream, StreamEvent
from infra.outbox.alerts import kind_of


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a message: it was taken, with a proof (``failed`` None), or given up for the reason ``failed``.

    ``round`` counts how often somebody had it tried anew; ``about``: of a message to staff, the alert that it told;
    ``paper``: of a message with a paper, the paper.
    """

    id: UUID
    case_id: UUID
    kind: str
    round: int
    at: datetime
    receipt: str = ""
    status: str = ""
    digest: str = ""
    failed: str | None = None
    way: str = ""
    about: Mapping[str, str] = field(default_factory=dict)
    paper: Paper | None = None


def command_of(ended: Ended) -> Command | None:
    """The command by which the case learns it, once however often it is sent. None where no case wants to know."""
    make = CASES.get(ended.kind)
    return make(ended) if make is not None else None


def _outage_notice(ended: Ended) -> Command:
    case = Stream(kinds.OUTAGE, ended.case_id)
    stamp = _stamp(ended)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        state: Outage = snapshot.existing(case)
        ctx = snapshot.context(stamp, ended.at)
        if ended.failed is not None:
            failed = notices.fail_notice(state, ctx, order=ended.id, reason=ended.failed)
            return [(case, EventToAppend(failed, ended.at))] if failed is not None else []
        proven = notices.deliver_notice(
            state, ctx, order=ended.id, receipt=ended.receipt, status=ended.status, digest=ended.digest
        )
        return [(case, EventToAppend(fact, ended.at)) for fact in proven or ()]

    return Command(case, stamp, decide, key=_key(ended))


def _reporter_answer(ended: Ended) -> Command:
    case = Stream(kinds.REPAIR, ended.case_id)
    stamp = _stamp(ended)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        state: Repair = snapshot.existing(case)
        ctx = snapshot.context(stamp, ended.at)
        if ended.failed is not None:
            failed = answers.fail_answer(state, ctx, order=ended.id, reason=ended.failed)
            return [(case, ctx.event(failed))] if failed is not None else []
        answered = answers.deliver_answer(state, ctx, order=ended.id, receipt=ended.receipt)
        return [(case, ctx.event(answered))] if answered is not None else []

    return Command(case, stamp, decide, key=_key(ended))


def _paper(ended: Ended) -> Command:
    case = Stream(kinds.CONNECTION, ended.case_id)
    stamp = _stamp(ended)
    paper = ended.paper
    if paper is None:
        raise ValueError(f"message {ended.id} has no paper")

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        state: Connection = snapshot.existing(case)
        ctx = snapshot.context(stamp, ended.at)
        told: PaperSent | PaperNotSent | None
        if ended.failed is not None:
            told = sending.fail(state, ctx, paper, way=ended.way, reason=ended.failed)
        else:
            proof = sending.Proof(ended.receipt, ended.status, ended.digest)
            told = sending.deliver(state, ctx, paper, way=ended.way, proof=proof)
        return [(case, ctx.event(told))] if told is not None else []

    return Command(case, stamp, decide, key=_key(ended))


def _staff_alert(ended: Ended) -> Command:
    about = ended.about
    case = Stream(kind_of(about["commitment"]), ended.case_id)
    stamp = _stamp(ended)
    said = (UUID(about["alert"]), about["commitment"], about["change"], about["role"], ended.way)
    fact: AlertTold | AlertFailed = AlertTold(*said, ended.receipt, ended.status, ended.digest)
    if ended.failed is not None:
        fact = AlertFailed(*said, ended.failed)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(stamp, ended.at)
        return [(case, ctx.event(alerts.tell(ctx, fact)))]

    return Command(case, stamp, decide, key=_key(ended))


def _stamp(ended: Ended) -> Stamp:
    id_ = str(ended.id)
    return Stamp("sender", "system", "system", str(uuid4()), correlation_id=id_, causation_id=id_)


def _key(ended: Ended) -> IdempotencyKey:
    how = "proven" if ended.failed is None else "failed"
    return IdempotencyKey("outbox", f"{ended.id}:{ended.round}:{how}", b"")


CASES: Mapping[str, Callable[[Ended], Command]] = {
    KIND: _outage_notice,
    ANSWER_MESSAGE: _reporter_answer,
    alerts.KIND: _staff_alert,
    sending.KIND: _paper,
}
"""Kind of message → what tells its case."""
